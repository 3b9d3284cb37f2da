"""`language`: which language and script each page is written in, and how sure the model is.

For whom: `kept` selects by it, the mixture's domains refer to it, the report counts by it.

Input: `documents` (column ``text``). Output: `schemas.LANGUAGE`, row for row: ``language`` is the model's best label
(without ``__label__`` and without a script suffix such as ``_Latn``), ``und`` with confidence 0 where there is
no letter to judge by; ``script`` is the ISO 15924 code of most letters (by bytes: one Han
character says as much as a few Latin letters), ``Jpan`` where kana is among Han, ``Zyyy`` where there is none.

With ``top_k`` the best labels and their probabilities follow (``languages``, ``confidences``), with ``segments`` the
share of segments that the model labels otherwise than the page (``other_language_fraction``: a mixed page).

Method: fastText (Joulin et al. 2016, arXiv 1607.01759); lid.176 is shipped, any other supervised model (GlotLID,
OpenLID) goes by path. The model reads ``max_bytes`` of the text in ``pieces`` spread evenly over it, with line breaks
as spaces, in small letters where most are capitals, and in plain ones where most are full-width, mathematical, circled
or small capitals: eight pieces of 125 bytes keep 99.6% of the labels of the full
text, the first 2,000 bytes 99.2% (`docs/decisions/language.md`).

Price: 0.08 ms a page of the default input; the kernel gives the library's labels and probabilities
(`stages.formats.fasttext_model`).
Limits: lid.176 gives short English reference pages many other names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from stages import schemas
from stages.contract import StageParams
from stages.formats.fasttext_model import Model
from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of, read_only, text_buffers
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import block_bits, lowest, ones
from stages.kernels.unicode import characters, lines

VERSION = 5
SCHEMA = schemas.LANGUAGE
"""Without ``top_k`` and ``segments``; see `schema`."""
SCRIPT_BYTES = 8_192
"""Bytes of text that are counted for the script, from the start."""

MODELS = {"lid.176": Path(__file__).parent / "models" / "lid.176.ftz"}
UNDETERMINED = "und"
NO_SCRIPT = "Zyyy"
LATIN = "Latn"
_PREFIX = "__label__"


class Params(StageParams):
    """Settings of `language`."""

    model: str = "lid.176"
    """A shipped model's name, or the path of a supervised fastText model."""
    max_bytes: int = Field(default=1_000, ge=64)
    """Bytes of text the model reads."""
    pieces: int = Field(default=8, ge=1)
    """Into how many pieces, spread evenly over a longer text, these bytes are divided; 1: the beginning."""
    top_k: int = Field(default=0, ge=0)
    """Number of the best labels to list beside the best one; 0: none."""
    segments: int = Field(default=0, ge=0)
    """Number of stretches of the text that are labelled alone too, at most: the share of those in another language is
    `other_language_fraction`, for limits and domains (mixed pages); 0: none."""
    lower_case: bool = False
    """Lower-case the text first: for models trained on lower-cased text. lid.176 was not."""


def model_path(params: Params) -> Path:
    """Path of the model file."""
    path = MODELS.get(params.model) or Path(params.model)
    if not path.is_file():
        raise FileNotFoundError(
            f"expected one of {sorted(MODELS)} or the path of a fastText model, found {params.model!r}"
        )
    return path


def identity(params: Params) -> dict[str, Any]:
    """The model by its content, and the version of the Unicode tables."""
    with model_path(params).open("rb") as file:
        return {"model_sha256": hashlib.file_digest(file, "sha256").hexdigest(), "unicode": characters.UNICODE_VERSION}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Map the model; the function returned labels one batch of `documents`."""
    model = Model(model_path(params))
    names = pa.array([language_of(label) for label in model.labels] + [UNDETERMINED], pa.string())
    columns = schema(params)

    def label(batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        scripts = text_scripts(data, offsets, SCRIPT_BYTES)
        data, offsets, bounds = lines.cut_lines(data, offsets, params.max_bytes, params.pieces, params.segments > 0)
        capitals, styled = lines.mostly_capitals(data, offsets)
        plain = in_small_letters(data, offsets, capitals | styled | params.lower_case, styled)
        best, values = model.predict(*plain, max(params.top_k, 1))
        unknown = best[:, 0] < 0
        for d in np.flatnonzero(styled).tolist():
            scripts[d] = LATIN if scripts[d] == NO_SCRIPT else scripts[d]
        unknown |= np.fromiter((script == NO_SCRIPT for script in scripts), np.bool_, len(scripts))
        best[unknown], values[unknown] = -1, 0
        values = np.minimum(values, np.float32(1))
        arrays = [names.take(pa.array(best[:, 0] % len(names))), pa.array(scripts, pa.string()), pa.array(values[:, 0])]
        if params.top_k:
            counts = np.maximum((best >= 0).sum(axis=1), 1)
            ends = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
            listed = np.arange(best.shape[1]) < counts[:, None]
            arrays.append(pa.ListArray.from_arrays(ends, names.take(pa.array(best[listed] % len(names)))))
            arrays.append(pa.ListArray.from_arrays(ends, pa.array(values[listed])))
        if params.segments:
            codes = np.unique(names.to_pylist(), return_inverse=True)[1]
            others = _other_segments(model, codes, data, offsets, bounds, best[:, 0], params)
            arrays.append(pa.array(others, pa.float32()))
        return pa.RecordBatch.from_arrays(arrays, schema=columns)

    return label


def schema(params: Params) -> pa.Schema:
    """`schemas.LANGUAGE` and the columns that ``top_k`` and ``segments`` ask for."""
    columns = list(SCHEMA)
    if params.top_k:
        columns.append(pa.field("languages", pa.list_(pa.string()), nullable=False))
        columns.append(pa.field("confidences", pa.list_(pa.float32()), nullable=False))
    if params.segments:
        columns.append(pa.field("other_language_fraction", pa.float32(), nullable=False))
    return pa.schema(columns)


def _other_segments(
    model: Model,
    codes: npt.NDArray[np.int64],
    data: Bytes,
    offsets: Offsets,
    bounds: npt.NDArray[np.int64],
    best: npt.NDArray[np.int32],
    params: Params,
) -> npt.NDArray[np.float64]:
    """The share of segments of another language in every text; ``codes`` of labels are equal where languages are."""
    segments: list[bytes] = []
    rows: list[int] = []
    for d, start in enumerate(offsets[:-1].tolist()):
        pieces = [*dict.fromkeys(bounds[d].tolist())]  # a line of fewer pieces repeats its end
        if best[d] < 0 or len(pieces) < 3:
            continue
        size = -(-(len(pieces) - 1) // params.segments)
        cuts = [*pieces[:-1:size], pieces[-1] + 1]
        segments += [data[start + a : start + b - 1].tobytes() for a, b in pairwise(cuts)]
        rows += [d] * (len(cuts) - 1)
    alone = offsets_of(np.array([len(segment) for segment in segments], np.int64))
    text = read_only(np.frombuffer(b"".join(segments), np.uint8))
    capitals, styled = lines.mostly_capitals(text, read_only(alone))
    plain = in_small_letters(text, read_only(alone), capitals | styled | params.lower_case, styled)
    found = model.predict(*plain, 1)[0][:, 0]
    own = codes[best[rows]] if rows else np.empty(0, np.int64)
    other = (found >= 0) & (codes[found] != own)
    counts = np.bincount(rows, minlength=len(best)) if rows else np.zeros(len(best))
    sums = np.bincount(rows, weights=other, minlength=len(best)) if rows else np.zeros(len(best))
    return np.asarray(sums / np.maximum(counts, 1), np.float64)


def language_of(name: str) -> str:
    """``__label__eng_Latn`` -> ``eng``."""
    return name.removeprefix(_PREFIX).partition("_")[0]


def in_small_letters(
    data: Bytes, offsets: Offsets, wanted: npt.NDArray[np.bool_], styled: npt.NDArray[np.bool_]
) -> tuple[Bytes, Offsets]:
    """The lines ``wanted`` in small letters, and in plain ones those that are ``styled``."""
    if not wanted.any():
        return data, offsets
    view = data.data
    parts = [bytes(view[start:stop]) for start, stop in pairwise(offsets.tolist())]
    for d in np.flatnonzero(wanted).tolist():
        text = parts[d].decode("utf-8", "replace")
        if styled[d]:
            text = text.translate(lines.plain_letters()).replace("\u3000", " ")
        parts[d] = text.lower().replace("i\u0307", "i").encode()  # of a dotted capital, in Turkish
    sizes = np.array([len(part) for part in parts], np.int64)
    return read_only(np.frombuffer(b"".join(parts), np.uint8)), read_only(offsets_of(sizes))


def text_scripts(data: Bytes, offsets: Offsets, max_bytes: int) -> list[str]:
    """ISO 15924 code of most bytes of letters in the first ``max_bytes`` of each text."""
    names = characters.script_names()
    counts_DS = np.zeros((len(offsets) - 1, len(names)), np.int64)
    _count_scripts(data, offsets, max_bytes, characters.classes(), characters.scripts(), names.index("Latn"), counts_DS)
    for name in ("Zyyy", "Zinh", "Zzzz"):
        counts_DS[:, names.index(name)] = 0
    kana = counts_DS[:, names.index("Hira")] + counts_DS[:, names.index("Kana")]
    han = counts_DS[:, names.index("Hani")]
    together = han + kana
    counts_DS[:, names.index("Hira")] = counts_DS[:, names.index("Kana")] = 0
    counts_DS[:, names.index("Hani")] = together
    best: npt.NDArray[np.int64] = counts_DS.argmax(axis=1)
    scripts = []
    for d, s in enumerate(best.tolist()):
        if counts_DS[d, s] == 0:
            scripts.append(NO_SCRIPT)
        elif names[s] == "Hani" and kana[d] * 20 >= together[d]:
            scripts.append("Jpan")
        else:
            scripts.append(names[s])
    return scripts


@lean_kernel
def _count_scripts(data, offsets, max_bytes, classes, scripts, latin, counts_DS):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        i = offsets[d]
        stop = min(offsets[d + 1], i + max_bytes)
        while i + 64 <= stop:
            counts_DS[d, latin] += ones(block_bits(data, i, 97, 25, 32))  # letters of ASCII
            beginnings = block_bits(data, i, 0xC0, 0x3F, 0)
            while beginnings:
                _count_letter(data, i + lowest(beginnings), stop, classes, scripts, counts_DS[d])
                beginnings &= beginnings - np.uint64(1)
            i += 64
        while i < stop:
            if data[i] < 0x80 or data[i] >= 0xC0:
                _count_letter(data, i, stop, classes, scripts, counts_DS[d])
            i += 1


@lean_inline_kernel
def _count_letter(data, i, stop, classes, scripts, counts_S):  # type: ignore[no-untyped-def]
    cp, behind = characters.code_point(data, i, stop)
    if classes[cp] & characters.ALPHA:
        counts_S[scripts[cp]] += behind - i
