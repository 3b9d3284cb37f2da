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
as spaces, and in small letters where most are capitals: eight pieces of 125 bytes keep 99.6% of the labels of the full
text, the first 2,000 bytes 99.2% (`docs/decisions/language.md`).

Price: about 0.2 ms a page. Limits: lid.176 gives short English reference pages many other names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from stages import schemas
from stages.contract import StageParams
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.jit import lean_kernel
from stages.kernels.unicode import characters
from stages.rules.text_models import Predict, load_model, spread_pieces

VERSION = 3
SCHEMA = schemas.LANGUAGE
"""Without ``top_k`` and ``segments``; see `schema`."""
SCRIPT_BYTES = 8_192
"""Bytes of text that are counted for the script, from the start."""

MODELS = {"lid.176": Path(__file__).parent / "models" / "lid.176.ftz"}
UNDETERMINED = "und"
NO_SCRIPT = "Zyyy"
_PREFIX = "__label__"
_CAPITALS, _SMALL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz"
_LINE_BREAKS = bytes.maketrans(b"\n\r", b"  ")


class Params(StageParams):
    """Settings of `language`."""

    model: str = "lid.176"
    """A shipped model's name, or the path of a supervised fastText model."""
    max_bytes: int = Field(default=1_000, ge=64)
    """Bytes of text the model reads."""
    pieces: int = Field(default=8, ge=1)
    """Into how many pieces, spread evenly over a longer text, these bytes are divided; 1: the beginning."""
    top_k: int = Field(default=0, ge=0)
    """How many of the best labels to list beside the best one; 0: none."""
    segments: int = Field(default=0, ge=0)
    """Of how many pieces each is labelled alone too, to find mixed pages; 0: none."""
    lower_case: bool = False
    """Lower-case the text first: for models trained on lower-cased text. lid.176 was not."""


def model_path(params: Params) -> Path:
    """Where the model file is."""
    path = MODELS.get(params.model) or Path(params.model)
    if not path.is_file():
        raise FileNotFoundError(
            f"language.model: expected one of {sorted(MODELS)} or the path of a fastText model, found {params.model!r}"
        )
    return path


def identity(params: Params) -> dict[str, Any]:
    """The model by its content, and the version of the Unicode tables."""
    with model_path(params).open("rb") as file:
        return {"model_sha256": hashlib.file_digest(file, "sha256").hexdigest(), "unicode": characters.UNICODE_VERSION}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Load the model; the function returned labels one batch of `documents`."""
    predict = load_model(model_path(params))

    columns = schema(params)

    def label(batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        scripts = text_scripts(data, offsets, SCRIPT_BYTES)
        rows = [
            _labels(predict, _sample(data, start, stop, params), script, params)
            for start, stop, script in zip(offsets[:-1].tolist(), offsets[1:].tolist(), scripts, strict=True)
        ]
        best = [row[0][0] for row in rows]
        arrays = [
            pa.array([name for _, name in best], pa.string()),
            pa.array(scripts, pa.string()),
            pa.array([confidence for confidence, _ in best], pa.float32()),
        ]
        if params.top_k:
            arrays.append(pa.array([[name for _, name in row[0]] for row in rows], columns.field("languages").type))
            arrays.append(pa.array([[value for value, _ in row[0]] for row in rows], columns.field("confidences").type))
        if params.segments:
            arrays.append(pa.array([row[1] for row in rows], pa.float32()))
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


def _labels(
    predict: Predict, pieces: list[bytes], script: str, params: Params
) -> tuple[list[tuple[float, str]], float]:
    """([(confidence, language)] best first, share of segments of another language)."""
    if script == NO_SCRIPT:
        return [(0.0, UNDETERMINED)], 0.0
    found = predict(_line(pieces, params), max(params.top_k, 1), 0.0, "strict")
    labels = [(min(max(value, 0.0), 1.0), language_of(name)) for value, name in found] or [(0.0, UNDETERMINED)]
    if not params.segments or len(pieces) < 2:
        return labels, 0.0
    size = -(-len(pieces) // params.segments)
    segments = [pieces[i : i + size] for i in range(0, len(pieces), size)]
    alone = [predict(_line(segment, params), 1, 0.0, "strict") for segment in segments]
    other = sum(language_of(label[0][1]) != labels[0][1] for label in alone if label)
    return labels, other / len(segments)


def language_of(name: str) -> str:
    """``__label__eng_Latn`` -> ``eng``."""
    return name.removeprefix(_PREFIX).partition("_")[0]


def _line(pieces: list[bytes], params: Params) -> bytes:
    """What the model reads: one line; in small letters where most are capitals, which models have hardly seen."""
    line = b" ".join(pieces).translate(_LINE_BREAKS)
    if params.lower_case or mostly_capitals(line):
        line = line.decode("utf-8", "replace").lower().encode()
    return line + b"\n"


def mostly_capitals(line: bytes) -> bool:
    """Whether more letters are capitals than small. Price: 1 µs; 20 where letters outside ASCII decide."""
    capitals = len(line) - len(line.translate(None, _CAPITALS))
    small = len(line) - len(line.translate(None, _SMALL))
    if (capitals + small) * 2 > len(line):  # ASCII speaks for the rest
        return capitals > small
    text = line.decode("utf-8", "replace")
    lowered = text.lower()
    if lowered == text:
        return False
    return sum(map(str.isupper, text)) > sum(map(str.islower, text))


def _sample(data: Bytes, start: int, stop: int, params: Params) -> list[bytes]:
    return spread_pieces(data, start, stop, params.max_bytes, params.pieces, bool(params.segments))


def text_scripts(data: Bytes, offsets: Offsets, max_bytes: int) -> list[str]:
    """ISO 15924 code of most bytes of letters in the first ``max_bytes`` of each text."""
    names = characters.script_names()
    counts_DS = np.zeros((len(offsets) - 1, len(names)), np.int64)
    _count_scripts(data, offsets, max_bytes, characters.classes(), characters.scripts(), counts_DS)
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
def _count_scripts(data, offsets, max_bytes, classes, scripts, counts_DS):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        i = offsets[d]
        stop = min(offsets[d + 1], i + max_bytes)
        while i < stop:
            start = i
            cp, i = characters.code_point(data, i, stop)
            if classes[cp] & characters.ALPHA:
                counts_DS[d, scripts[cp]] += i - start
