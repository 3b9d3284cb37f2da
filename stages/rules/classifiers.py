"""Quality classifiers: scores of supervised fastText models as columns.

A classifier named ``x`` gives the column ``x_score``: the model's probability of its label (0..1; 0 for a text without
a known word). There is no rule of its own; `kept` takes ``below_min_x_score``, domains take ranges of it. As in DCLM
(Li et al. 2024, arXiv 2406.11794, section 4.4) the model reads the whole text as one line.

`stages.rules.classifier_training` trains such models.

Price of scoring: what bare fastText costs (word bigrams, about 10 MB/s). Heavier scorers plug in as another function of
(data, offsets) -> float64 column: see `Scorer`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import fasttext
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from stages.contract import StageParams
from stages.kernels.columns.ragged import Bytes, Offsets
from stages.rules.row_files import sha256
from stages.rules.text_models import check_header

Scorer = Callable[[Bytes, Offsets], npt.NDArray[np.float64]]
"""A batch of texts to one number each."""

POSITIVE, NEGATIVE = "__label__positive", "__label__negative"
_LINE_BREAKS = bytes.maketrans(b"\n\r", b"  ")


class Classifier(StageParams):
    """One model to apply."""

    model: str
    """Path of a supervised fastText model."""
    label: str = POSITIVE
    """The label whose probability is the score."""
    max_bytes: int = Field(default=0, ge=0)
    """Bytes of text the model reads, from the start; 0: all."""
    lower_case: bool = False
    """Lower-case the text first, for models trained so."""


def field(name: str) -> pa.Field:
    """The column of a classifier."""
    return pa.field(f"{name}_score", pa.float64(), nullable=False)


def identity(classifiers: dict[str, Classifier]) -> dict[str, str]:
    """SHA-256 of each model."""
    return {name: sha256(classifier.model) for name, classifier in classifiers.items()}


LARGE_BYTES = 256 << 20


def check(classifier: Classifier) -> None:
    """Whether a classifier can be applied; the label of a very large model is found wrong only when it is loaded.

    Raises:
        ValueError, OSError: it cannot.
    """
    check_header(classifier.model)
    if Path(classifier.model).stat().st_size <= LARGE_BYTES:
        scorer(classifier)


@lru_cache(maxsize=8)
def scorer(classifier: Classifier) -> Scorer:
    """Load the model.

    Raises:
        ValueError: for a file that is no supervised fastText model, or that does not know the label.
    """
    try:
        model = fasttext.load_model(classifier.model).f
        labels = model.getLabels("strict")[0]
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"expected a supervised fastText model, found {classifier.model}: {error}") from error
    if classifier.label not in labels:
        raise ValueError(
            f"{classifier.model}: expected one of its labels {sorted(labels)[:20]}, found {classifier.label!r}"
        )

    def score(data: Bytes, offsets: Offsets) -> npt.NDArray[np.float64]:
        scores = np.zeros(len(offsets) - 1, np.float64)
        for d, (start, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
            if classifier.max_bytes:
                stop = min(stop, start + classifier.max_bytes)
            line = _line(data[start:stop].tobytes(), classifier.lower_case)
            found = model.predict(line, len(labels), 0.0, "strict")
            scores[d] = next((min(max(value, 0.0), 1.0) for value, name in found if name == classifier.label), 0.0)
        return scores

    return score


def _line(text: bytes, lower_case: bool) -> bytes:
    line = text.translate(_LINE_BREAKS)
    return (line.decode("utf-8", "replace").lower().encode() if lower_case else line) + b"\n"
