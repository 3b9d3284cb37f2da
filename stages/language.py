"""`language`: which language and script each page is written in, and how sure the model is.

For whom: `kept` selects by it, the mixture's domains refer to it, the report counts by it.

Input: `documents` (column ``text``). Output: `schemas.LANGUAGE`, row for row: ``language`` is the model's best label
(without ``__label__`` and without a script suffix such as ``_Latn``), ``und`` with confidence 0 where there is
no letter to judge by; ``script`` is the ISO 15924 code of most letters (by bytes: one Han
character says as much as a few Latin letters), ``Jpan`` where kana is among Han, ``Zyyy`` where there is none.

Method: fastText (Joulin et al. 2016, arXiv 1607.01759); lid.176 is shipped, any other supervised model (GlotLID,
OpenLID) goes by path. The model reads the first ``max_bytes`` of the text with line breaks as spaces, as its authors'
own reader would. See `docs/decisions/language.md` for how many bytes are enough.

Price: about 0.1 ms a page for each KB read. Limits: lid.176 gives short English reference pages many other names.
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
from stages.kernels import unicode
from stages.kernels.jit import lean_kernel
from stages.kernels.ragged import Bytes, Offsets, text_buffers

VERSION = 1
SCHEMA = schemas.LANGUAGE

MODELS = {"lid.176": Path(__file__).parent / "models" / "lid.176.ftz"}
UNDETERMINED = "und"
NO_SCRIPT = "Zyyy"
_PREFIX = "__label__"
_LINE_BREAKS = bytes.maketrans(b"\n\r", b"  ")


class Params(StageParams):
    """Settings of `language`."""

    model: str = "lid.176"
    """A shipped model's name, or the path of a supervised fastText model."""
    max_bytes: int = Field(default=6_000, ge=64)
    """Bytes of text the model reads, from the start."""
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
        return {"model_sha256": hashlib.file_digest(file, "sha256").hexdigest(), "unicode": unicode.UNICODE_VERSION}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Load the model; the function returned labels one batch of `documents`."""
    predict = load_model(model_path(params))

    def label(batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        scripts = text_scripts(data, offsets, params.max_bytes)
        languages, confidences = [], []
        for head, script in zip(heads(data, offsets, params), scripts, strict=True):
            predicted = predict(head, 1, 0.0, "strict") if script != NO_SCRIPT else []
            confidence, name = predicted[0] if predicted else (0.0, _PREFIX + UNDETERMINED)
            languages.append(language_of(name))
            confidences.append(min(max(confidence, 0.0), 1.0))
        return pa.RecordBatch.from_arrays(
            [pa.array(languages, pa.string()), pa.array(scripts, pa.string()), pa.array(confidences, pa.float32())],
            schema=SCHEMA,
        )

    return label


def load_model(path: Path) -> Callable[[bytes, int, float, str], list[tuple[float, str]]]:
    """The model's own predict function: (line, k, threshold, 'strict') -> [(probability, label)], best first.

    The Python wrapper around it builds NumPy arrays in a way NumPy 2 refuses, so it is not used.
    """
    import fasttext

    try:
        predict: Callable[[bytes, int, float, str], list[tuple[float, str]]] = fasttext.load_model(str(path)).f.predict
        predict(b"text\n", 1, 0.0, "strict")
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"expected a supervised fastText model, found {path}: {error}") from error
    return predict


def language_of(name: str) -> str:
    """``__label__eng_Latn`` -> ``eng``."""
    return name.removeprefix(_PREFIX).partition("_")[0]


def heads(data: Bytes, offsets: Offsets, params: Params) -> list[bytes]:
    """What the model reads of each text: its first bytes, cut between characters, as one line."""
    view = data.data
    lines = []
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        cut = start + params.max_bytes
        if cut < stop:
            while cut > start and data[cut] & 0xC0 == 0x80:
                cut -= 1
            stop = cut
        line = bytes(view[start:stop]).translate(_LINE_BREAKS)
        if params.lower_case:
            line = line.decode("utf-8", "replace").lower().encode()
        lines.append(line + b"\n")
    return lines


def text_scripts(data: Bytes, offsets: Offsets, max_bytes: int) -> list[str]:
    """ISO 15924 code of most bytes of letters in the first ``max_bytes`` of each text."""
    names = unicode.script_names()
    counts_DS = np.zeros((len(offsets) - 1, len(names)), np.int64)
    _count_scripts(data, offsets, max_bytes, unicode.classes(), unicode.scripts(), counts_DS)
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
            cp, i = unicode.code_point(data, i, stop)
            if classes[cp] & unicode.ALPHA:
                counts_DS[d, scripts[cp]] += i - start
