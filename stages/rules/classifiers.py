"""Quality classifiers: scores of supervised fastText models as columns.

A classifier named ``x`` gives the column ``x_score``: the model's probability of its label (0..1; 0 for a text without
a known word). There is no rule of its own; `kept` takes ``below_min_x_score``, domains take ranges of it. As in DCLM
(Li et al. 2024, arXiv 2406.11794, section 4.4) the model reads the whole text as one line.

`stages.rules.classifier_training` trains such models.

Scores are the library's, by kernels of our own over the Arrow column (`stages.formats.fasttext_model`), and the model
is mapped. Heavier scorers plug in as another function of (data, offsets) -> float64 column: see `Scorer`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from stages.contract import StageParams
from stages.formats.fasttext_model import Model
from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of, read_only
from stages.rules.row_files import sha256, stamp
from stages.rules.text_models import check_header

Scorer = Callable[[Bytes, Offsets], npt.NDArray[np.float64]]
"""A batch of texts to one number each."""

SCORES = 2
"""Raised when the same model and text give another score."""
POSITIVE, NEGATIVE = "__label__positive", "__label__negative"


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
    """SHA-256 of each model, and the version of what is done with it."""
    return {name: f"{sha256(classifier.model)}-v{SCORES}" for name, classifier in classifiers.items()}


LARGE_BYTES = 256 << 20


def check(classifier: Classifier) -> None:
    """Whether a classifier can be applied; the label of a very large model is found wrong only when it is loaded.

    Raises:
        ValueError, OSError: it cannot.
    """
    check_header(classifier.model)
    if Path(classifier.model).stat().st_size <= LARGE_BYTES:
        scorer(classifier)


def scorer(classifier: Classifier) -> Scorer:
    """Load the model, once a process, and again where its file changed.

    Raises:
        ValueError: for a file that is no supervised fastText model, or that does not know the label.
    """
    return _loaded(classifier, stamp(classifier.model))


@lru_cache(maxsize=8)
def _loaded(classifier: Classifier, changed: tuple[int, int]) -> Scorer:
    model = Model(classifier.model)
    if classifier.label not in model.labels:
        raise ValueError(
            f"{classifier.model}: expected one of its labels {sorted(model.labels)[:20]}, found {classifier.label!r}"
        )
    label = model.labels.index(classifier.label)

    def score(data: Bytes, offsets: Offsets) -> npt.NDArray[np.float64]:
        if classifier.max_bytes:
            data, offsets = _beginnings(data, offsets, classifier.max_bytes)
        if classifier.lower_case:
            data, offsets = in_small_letters(data, offsets)
        return np.minimum(model.probabilities(data, offsets, label), 1).astype(np.float64)

    return score


def _beginnings(data: Bytes, offsets: Offsets, max_bytes: int) -> tuple[Bytes, Offsets]:
    """Texts cut after so many bytes."""
    return joined([data[start : min(stop, start + max_bytes)].tobytes() for start, stop in pairwise(offsets.tolist())])


def in_small_letters(data: Bytes, offsets: Offsets) -> tuple[Bytes, Offsets]:
    """Texts in small letters."""
    texts = (data[start:stop].tobytes() for start, stop in pairwise(offsets.tolist()))
    return joined([text.decode("utf-8", "replace").lower().encode() for text in texts])


def joined(texts: list[bytes]) -> tuple[Bytes, Offsets]:
    """Texts as (data, offsets)."""
    sizes = np.array([len(text) for text in texts], np.int64)
    return read_only(np.frombuffer(b"".join(texts), np.uint8)), read_only(offsets_of(sizes))
