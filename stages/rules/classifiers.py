"""Quality classifiers: scores of supervised fastText models as columns, and the training of one.

A classifier named ``x`` gives the column ``x_score``: the model's probability of its label (0..1; 0 for a text without
a known word). There is no rule of its own; `kept` takes ``below_min_x_score``, domains take ranges of it. As in DCLM
(Li et al. 2024, arXiv 2406.11794, section 4.4) the model reads the whole text as one line.

`train` fits such a model on positives and negatives and measures it on texts held out: precision, recall and the area
under the ROC curve. Beside the model it writes ``<model>.json`` with these, the settings and the SHA-256 of the data.
It runs on one thread, because fastText's threads race and would give another model each time.

Price of scoring: what bare fastText costs (word bigrams, about 10 MB/s). Heavier scorers plug in as another function of
(data, offsets) -> float64 column: see `Scorer`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fasttext
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
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


class Training(StageParams):
    """Settings of `train`: DCLM's, but for the vectors' size."""

    epochs: int = Field(default=5, ge=1)
    learning_rate: float = Field(default=0.1, gt=0)
    dimensions: int = Field(default=64, ge=1)
    word_ngrams: int = Field(default=2, ge=1)
    buckets: int = Field(default=1 << 20, ge=1)
    lower_case: bool = False
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the texts that measure the model and do not train it, chosen by a hash of the text."""


def train(
    positives: Iterable[str],
    negatives: Iterable[str],
    output: str,
    params: Training,
    origins: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Fit a model, write it to ``output`` and what is known of it to ``output.json``; returns the latter.

    Args:
        origins: where the texts are from, as it is to stand in that file.

    Raises:
        ValueError: where a class has no text to train on or none to measure with.
    """
    lines: dict[tuple[str, bool], list[bytes]] = {
        (label, held): [] for label in (POSITIVE, NEGATIVE) for held in (False, True)
    }
    digest = hashlib.sha256()
    for label, texts in ((POSITIVE, positives), (NEGATIVE, negatives)):
        for text in texts:
            line = _line(text.encode("utf-8", "replace"), params.lower_case)
            digest.update(label.encode() + b" " + line)
            # By the text alone: a text that comes twice is never on both sides.
            held = xxhash.xxh3_64_intdigest(line) < params.held_out * 2**64
            lines[label, held].append(line)
    empty = [f"{label} ({'held out' if held else 'training'})" for (label, held), some in lines.items() if not some]
    if empty:
        raise ValueError(f"expected texts on both sides of both classes, found none in: {', '.join(empty)}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "train.txt"
        with path.open("wb") as file:
            for line in _interleaved(lines[POSITIVE, False], lines[NEGATIVE, False]):
                file.write(line)
        _fit(path, output, params)
    scored = {}
    for label in (POSITIVE, NEGATIVE):
        data = b"".join(lines[label, True])
        offsets = np.array([0, *np.cumsum([len(line) for line in lines[label, True]])], np.int64)
        scored[label] = scorer(Classifier(model=output))(np.frombuffer(data, np.uint8), offsets)
    report = {
        "params": params.model_dump(),
        "data": [dict(origin) for origin in origins],
        "data_sha256": digest.hexdigest(),
        "model_sha256": sha256(output),
        "num_positives": sum(len(lines[POSITIVE, held]) for held in (False, True)),
        "num_negatives": sum(len(lines[NEGATIVE, held]) for held in (False, True)),
        "held_out": measures(scored[POSITIVE], scored[NEGATIVE]),
    }
    Path(output + ".json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")
    return report


def _fit(path: Path, output: str, params: Training) -> None:
    """Write the model: with one thread the same lines give the same bytes."""
    try:
        model = fasttext.train_supervised(
            str(path),
            epoch=params.epochs,
            lr=params.learning_rate,
            dim=params.dimensions,
            wordNgrams=params.word_ngrams,
            bucket=params.buckets,
            thread=1,
            verbose=0,
        )
        model.save_model(output)
    except (ValueError, RuntimeError) as error:
        raise RuntimeError(f"fastText could not train {output}: {error}") from error


def _interleaved(positives: list[bytes], negatives: list[bytes]) -> Iterable[bytes]:
    """Labelled lines, the two classes evenly mixed: a model that sees one class last leans to it."""
    marked = [(POSITIVE, line, k / len(positives)) for k, line in enumerate(positives)]
    marked += [(NEGATIVE, line, k / len(negatives)) for k, line in enumerate(negatives)]
    for label, line, _ in sorted(marked, key=lambda row: row[2]):
        yield label.encode() + b" " + line


def measures(positives: npt.NDArray[np.float64], negatives: npt.NDArray[np.float64]) -> dict[str, float | int]:
    """Precision and recall at 0.5 and the area under the ROC curve, from the scores of the two classes."""
    found, wrong = int((positives >= 0.5).sum()), int((negatives >= 0.5).sum())
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left") + np.searchsorted(ordered, positives, "right")
    return {
        "num_positives": len(positives),
        "num_negatives": len(negatives),
        "precision": found / max(found + wrong, 1),
        "recall": found / len(positives),
        "auc": float(below.sum()) / 2 / (len(positives) * len(negatives)),
    }
