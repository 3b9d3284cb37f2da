"""`labels`: what each page is about, or of which kind: the best label of a model, how sure it is, several by name.

For whom: domains select by labels and make grids of them, `kept` drops or spares pages by them, the report shows each
label against the scores of quality, `find` looks among the pages of one.

Input: `documents` (column ``text``, and ``input_NAME`` where a label is a column of the input). Output, row for row, of
each labeller ``x`` in the order of names:

    x_label            string: the best label; null: none (no text, no known word, no value)
    x_confidence       float32, 0..1: its probability; 0 where the model knows no word; null where nobody gives one
    x_probability_L    float32, with ``probabilities``: that of each label L

A labeller is one of three. ``model``: a supervised fastText model; it reads ``max_bytes`` of the text in ``pieces``
spread evenly over it, as one line. ``function``: ``module:function`` of the user's own,

    def label(texts: pa.LargeStringArray, **params)

which gives labels, one a text; or a pair (labels, confidences of 0 to 1); or, where ``labels`` lists them, a matrix of
probabilities with a row a text and a column a label, of which the largest is the best (of equals the first).
``column``: text that came with the input; its source says ``carry: {NAME: theirs}``.

No decision here. Price: .05 ms a page and labeller of 1,000 bytes, and that of fastText (`docs/decisions/labels.md`).
Limits: labellers run on processors; a model that wants a GPU is a scorer (`scores`), or labels the input beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from stages.contract import StageParams
from stages.kernels.columns.ragged import text_buffers
from stages.rules import own_functions, text_models
from stages.rules.row_files import sha256
from stages.schemas import carried_column, label_column

VERSION = 1
MAX_PROBABILITIES = 1000
"""Columns of probabilities of one labeller."""
ROUNDED = 0.01
"""A probability of 16 bits may lie outside of 0 to 1 by less."""
_LINE_BREAKS = bytes.maketrans(b"\n\r\0", b"   ")

Label = Callable[[pa.RecordBatch], list[pa.Array]]
Batches = Callable[[pa.RecordBatch], pa.RecordBatch]


class Labeller(StageParams):
    """One way to label pages: `NAME` gives the columns `NAME_label` and `NAME_confidence`."""

    model: str | None = None
    """Path of a supervised fastText model."""
    function: str | None = None
    """As `module:function`, of texts, the module beside this file or installed ([extending.md](extending.md))."""
    column: str | None = None
    """A column of the input, by the name under which its source carries it."""
    params: dict[str, Any] = Field(default={})
    """Arguments of the function by name. Text with a known suffix, or with a slash and below a folder that is there, is
    a path, relative to the mixture file; so is any that begins with ``./``."""
    labels: tuple[str, ...] = ()
    """Labels that a function or column may give, where domains make a grid of them; a model knows its own."""
    probabilities: bool = False
    """Write the probability of every label too, as `NAME_probability_LABEL`."""
    max_bytes: int = Field(default=1_000, ge=0)
    """Bytes of text the model reads; 0: all."""
    pieces: int = Field(default=8, ge=1)
    """Into how many pieces, spread evenly over a longer text, these bytes are divided; 1: the beginning."""
    lower_case: bool = False
    """Lower-case the text first, for models trained so."""

    @field_validator("function")
    @classmethod
    def _named(cls, name: str | None) -> str | None:
        return None if name is None else own_functions.checked(name)

    @model_validator(mode="after")
    def _one_of_three(self) -> Labeller:
        given = [name for name in ("model", "function", "column") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of `model`, `function` and `column`, found {' and '.join(given) or 'none'}")
        if self.model is not None and self.labels:
            raise ValueError("`labels` are for functions and columns: a model knows its own")
        if self.function is None and self.params:
            raise ValueError("`params` are the arguments of a `function`, and there is none")
        if self.probabilities and self.column is not None:
            raise ValueError("a column of the input has no `probabilities`")
        if self.probabilities and self.function is not None and not self.labels:
            raise ValueError("`probabilities` of a function need its `labels`")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("expected each of `labels` once")
        return self

    def known(self) -> tuple[str, ...] | None:
        """The labels there may be; None where that shows only in the input.

        Raises:
            ValueError, OSError: of a model that cannot be read.
        """
        return text_models.model_labels(self.model) if self.model is not None else self.labels or None


class Params(StageParams):
    """Section `labels`: labellers, by name."""

    labellers: dict[str, Labeller] = Field(default={})

    @field_validator("labellers")
    @classmethod
    def _sorted(cls, labellers: dict[str, Labeller]) -> dict[str, Labeller]:
        for name in labellers:
            if not (name.isidentifier() and name.isascii()) or name == "language":
                raise ValueError(f"expected letters, digits and _ in the name of a labeller, found {name!r}")
        return dict(sorted(labellers.items()))


def schema(params: Params) -> pa.Schema:
    """The columns of the labellers.

    Raises:
        ValueError, OSError: of a model that cannot be read.
    """
    fields = []
    for name, labeller in params.labellers.items():
        fields += [pa.field(label_column(name), pa.string()), pa.field(f"{name}_confidence", pa.float32())]
        probable = (labeller.known() or ()) if labeller.probabilities else ()
        fields += [pa.field(f"{name}_probability_{label}", pa.float32()) for label in probable]
    return pa.schema(fields)


def known_schema(params: Params) -> pa.Schema:
    """Schema of the columns; of labellers that cannot be read, none (the check of files reports that they cannot)."""
    found: list[pa.Field] = []
    for name, labeller in params.labellers.items():
        with suppress(ValueError, OSError):
            found += schema(Params(labellers={name: labeller}))
    return pa.schema(found)


def identity(params: Params) -> dict[str, Any]:
    """Models and functions by their content."""
    found: dict[str, Any] = {}
    for name, labeller in params.labellers.items():
        if labeller.model is not None:
            found[name] = {"model_sha256": sha256(labeller.model)}
        elif labeller.function is not None:
            found[name] = own_functions.identity(labeller.function, labeller.params)
    return found


def check(labeller: Labeller) -> None:
    """Whether a labeller can be applied; a very large model is read to its end only when it is loaded.

    Raises:
        ValueError, OSError: it cannot.
    """
    if labeller.function is not None:
        own_functions.load(labeller.function)
    if labeller.model is not None:
        count = len(labeller.known() or ())
        text_models.check_model(labeller.model)
        if labeller.probabilities and count > MAX_PROBABILITIES:
            raise ValueError(f"expected at most {MAX_PROBABILITIES} labels with `probabilities`, found {count}")


def prepare(params: Params) -> Batches:
    """Load the models; the function returned labels one batch of `documents`."""
    columns = schema(params)
    makers = {"model": _by_model, "function": _by_function, "column": _by_column}
    labellers = [
        next(make for kind, make in makers.items() if getattr(labeller, kind) is not None)(name, labeller)
        for name, labeller in params.labellers.items()
    ]

    def label(batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([array for one in labellers for array in one(batch)], schema=columns)

    return label


def _by_model(name: str, labeller: Labeller) -> Label:
    assert labeller.model is not None
    predict, known = text_models.load_model(Path(labeller.model)), text_models.model_labels(labeller.model)
    wanted = len(known) if labeller.probabilities else 1
    places = {label: k for k, label in enumerate(known)}

    def label(batch: pa.RecordBatch) -> list[pa.Array]:
        data, offsets = text_buffers(batch.column("text"))
        limit = labeller.max_bytes or int(np.diff(offsets).max(initial=1))
        best = np.full(batch.num_rows, -1, np.int64)
        confidence = np.zeros(batch.num_rows, np.float32)
        probabilities_LD = np.zeros((len(known) if labeller.probabilities else 0, batch.num_rows), np.float32)
        for d, (start, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
            pieces = text_models.spread_pieces(data, start, stop, limit, labeller.pieces)
            line = b" ".join(pieces).translate(_LINE_BREAKS)
            if labeller.lower_case:
                line = line.decode("utf-8", "replace").lower().encode()
            found = predict(line + b"\n", wanted, 0.0, "strict") if line.strip() else []
            if found:
                confidence[d] = min(max(found[0][0], 0.0), 1.0)
                best[d] = places[found[0][1].removeprefix(text_models.PREFIX)]
            if labeller.probabilities:
                for value, one in found:
                    probabilities_LD[places[one.removeprefix(text_models.PREFIX)], d] = min(max(value, 0.0), 1.0)
        names = pa.array(known, pa.string()).take(pa.array(best, mask=best < 0))
        return [names, pa.array(confidence), *map(pa.array, probabilities_LD)]

    return label


def _by_column(name: str, labeller: Labeller) -> Label:
    column = carried_column(str(labeller.column))

    def label(batch: pa.RecordBatch) -> list[pa.Array]:
        rows = batch.num_rows
        found = batch.column(column) if column in batch.schema.names else pa.nulls(rows, pa.string())
        return [found.cast(pa.string()), pa.nulls(rows, pa.float32())]

    return label


def _by_function(name: str, labeller: Labeller) -> Label:
    assert labeller.function is not None
    function = own_functions.load(labeller.function, labeller.params)

    def label(batch: pa.RecordBatch) -> list[pa.Array]:
        if not batch.num_rows:
            return [pa.array([], field.type) for field in schema(Params(labellers={name: labeller}))]
        return given(name, labeller, function(batch.column("text").cast(pa.large_string()), **labeller.params))

    def given(name: str, labeller: Labeller, found: Any) -> list[pa.Array]:
        if isinstance(found, np.ndarray) and found.ndim == 2:
            return _of_matrix(name, labeller, found)
        if labeller.probabilities:
            raise ValueError(f"labeller {name}: expected a matrix of probabilities, found {type(found).__name__}")
        try:
            labels, confidences = found if isinstance(found, tuple) else (found, None)
            if isinstance(labels, str):
                raise TypeError("a text")
            names = labels if isinstance(labels, pa.Array) else pa.array(list(labels), pa.string())
            names = names.cast(pa.string())
            if confidences is None:
                return [names, pa.nulls(len(names), pa.float32())]
            numbers = (
                confidences if isinstance(confidences, pa.Array) else pa.array(np.asarray(confidences, np.float32))
            )
            plain = np.asarray(numbers.cast(pa.float32()).to_numpy(zero_copy_only=False))
        except (TypeError, ValueError, pa.ArrowException) as error:
            raise ValueError(
                f"labeller {name}: expected labels, one a text, or (labels, confidences): {error}"
            ) from error
        _check_probable(name, plain)
        return [names, pa.array(plain, mask=np.isnan(plain))]

    def counted(batch: pa.RecordBatch) -> list[pa.Array]:
        arrays = label(batch)
        for array in arrays:
            if len(array) != batch.num_rows:
                raise ValueError(f"labeller {name}: expected {batch.num_rows} labels, one a text, found {len(array)}")
        return arrays

    return counted


def _check_probable(name: str, values: npt.NDArray[np.float32]) -> None:
    """Whether numbers are probabilities, or NaN.

    Raises:
        ValueError: they are none, as logits.
    """
    odd = np.abs(values - np.float32(0.5)) > 0.5 + ROUNDED
    if odd.any():
        raise ValueError(f"labeller {name}: expected probabilities of 0 to 1, found {values[odd].flat[0]:g}")


def _of_matrix(name: str, labeller: Labeller, found: npt.NDArray[Any]) -> list[pa.Array]:
    """Best labels, confidences and, where asked for, all probabilities, from a row a text and a column a label."""
    if found.shape[1] != len(labeller.labels):
        raise ValueError(
            f"labeller {name}: expected a column for each of its {len(labeller.labels)} `labels`, found"
            f" {found.shape[1]} columns"
        )
    values_DL = np.asarray(found, np.float32)
    _check_probable(name, values_DL)
    known = ~np.isnan(values_DL).any(axis=1)
    best = np.where(known, np.nan_to_num(values_DL).argmax(axis=1), 0)
    names = pa.array(labeller.labels, pa.string()).take(pa.array(best, mask=~known))
    confidence = pa.array(values_DL[np.arange(len(best)), best], mask=~known)
    every = [pa.array(column, mask=~known) for column in values_DL.T] if labeller.probabilities else []
    return [names, confidence, *every]
