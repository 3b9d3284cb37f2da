"""Training of fastText classifiers: any number of labels, shuffled, and measured on sites they have not seen.

`train` fits a supervised model on labelled texts and measures it on texts held out: accuracy, macro F1 and the
confusion matrix, and for the two classes of quality precision, recall and the area under the ROC curve. Beside the
model it writes ``<model>.json`` with these, the settings and the SHA-256 of the data.

Held out are whole sites (registered domains), so that no site is on both sides: in the order of a hash of their names,
a site is held out while one of its labels has fewer than ``held_out`` of its texts there, and never so that more than
half of a label's texts are. Texts of unknown sites are a site each. A label of one site alone is trained and not
measured, and the report says so; with ``divide_lone_sites`` its texts are held out one by one, and the report says
that too (``sites_divided``). A text that stands on both sides is measured nowhere.

The same texts give the same model, byte for byte: they are sorted by hash, which shuffles them, and one thread trains,
because fastText's threads race.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import fasttext
import numpy as np
import numpy.typing as npt
import xxhash
from pydantic import Field

from stages.contract import StageParams
from stages.rules.classifiers import NEGATIVE, POSITIVE
from stages.rules.row_files import sha256
from stages.rules.text_models import PREFIX, load_model, spread_pieces

_LINE_BREAKS = bytes.maketrans(b"\n\r\0", b"   ")
MAX_OF_A_LABEL = 0.5
"""Largest share of a label's texts that may be held out, however large its sites are."""


class Labelled(NamedTuple):
    """A text to learn from."""

    label: str
    text: str
    site: str = ""
    """Texts of one site stay together; empty: not known."""


class Training(StageParams):
    """Settings of `train`: DCLM's, but for the vectors' size."""

    epochs: int = Field(default=5, ge=1)
    learning_rate: float = Field(default=0.1, gt=0)
    dimensions: int = Field(default=64, ge=1)
    word_ngrams: int = Field(default=2, ge=1)
    buckets: int = Field(default=1 << 20, ge=1)
    lower_case: bool = False
    max_bytes: int = Field(default=0, ge=0)
    """Bytes of each text to learn from, in ``pieces`` spread evenly, as `labels` reads pages; 0: all."""
    pieces: int = Field(default=8, ge=1)
    max_model_bytes: int = Field(default=0, ge=0)
    """Leave rare words out until the model is no larger; 0: as large as it gets."""
    divide_lone_sites: bool = False
    """Hold out texts of a label whose sites are too few, one by one, so that it is measured at all."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the texts that measure the model and do not train it."""


@dataclass(frozen=True)
class _Line:
    label: str
    line: bytes
    site: str
    key: int


def train(
    texts: Iterable[Labelled], output: str, params: Training, origins: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Fit a model, write it to ``output`` and what is known of it to ``output.json``; returns the latter.

    Args:
        origins: where the texts are from, as it is to stand in that file.

    Raises:
        ValueError: fewer than two labels, no label with texts on both sides, or settings that fastText cannot train by.
    """
    lines = sorted((_line_of(text, params) for text in texts), key=lambda line: (line.key, line.label))
    counts = _counted(line.label for line in lines)
    if len(counts) < 2:
        raise ValueError(f"expected texts of two labels or more, found those of {', '.join(counts) or 'none'}")
    sites, held_sites, divided = len({line.site for line in lines}), held_out(lines, params.held_out), set()
    unknown = sum(line.site.startswith("\0") for line in lines)
    if params.divide_lone_sites:
        divided = counts.keys() - {line.label for line in lines if line.site in held_sites}
        lines = [replace(line, site=f"\0{line.key:016x}") if line.label in divided else line for line in lines]
        held_sites = held_out(lines, params.held_out)
    training = [line for line in lines if line.site not in held_sites]
    seen = {line.key for line in training}
    held = [line for line in lines if line.site in held_sites and line.key not in seen]
    if not held:
        raise ValueError(
            f"expected texts of several sites to hold some out, found all {len(lines)} texts of a label on one site"
        )
    digest = hashlib.sha256()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "train.txt"
        with path.open("wb") as file:
            for line in training:
                file.write(PREFIX.encode() + line.label.encode() + b" " + line.line)
        for line in lines:
            digest.update(line.label.encode() + b" " + line.line)
        _fit(path, output, params)
    report = {
        "params": params.model_dump(),
        "data": [dict(origin) for origin in origins],
        "data_sha256": digest.hexdigest(),
        "model_sha256": sha256(output),
        "texts": counts,
        "sites": sites,
        "texts_without_site": unknown,
        "sites_divided": sorted(divided),
        "held_out": measured(output, held, sorted(counts)),
    }
    Path(output + ".json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")
    return report


def _line_of(text: Labelled, params: Training) -> _Line:
    """The text as one line of training, and a hash of it; what looks like a label in it is none."""
    data = text.text.encode("utf-8", "replace")
    if params.max_bytes:
        pieces = spread_pieces(np.frombuffer(data, np.uint8), 0, len(data), params.max_bytes, params.pieces)
        data = b" ".join(pieces)
    line = data.translate(_LINE_BREAKS).replace(PREFIX.encode(), b"label ")
    line = (line.decode("utf-8", "replace").lower().encode() if params.lower_case else line) + b"\n"
    key = xxhash.xxh3_64_intdigest(line)
    label = text.label.encode("utf-8", "replace").decode().replace("\0", " ")
    return _Line("_".join(label.split()), line, text.site or f"\0{key:016x}", key)


def _counted(labels: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for label in labels:
        found[label] = found.get(label, 0) + 1
    return dict(sorted(found.items()))


def held_out(lines: Sequence[_Line], share: float) -> set[str]:
    """The sites that measure the model; see the module."""
    totals = _counted(line.label for line in lines)
    of_sites: dict[str, dict[str, int]] = {}
    for line in lines:
        mine = of_sites.setdefault(line.site, {})
        mine[line.label] = mine.get(line.label, 0) + 1
    found: set[str] = set()
    held = dict.fromkeys(totals, 0)
    for site in sorted(of_sites, key=lambda name: (xxhash.xxh3_64_intdigest(name.encode()), name)):
        counts = of_sites[site]
        wanted = any(held[label] < share * totals[label] for label in counts)
        if wanted and all(held[label] + n <= MAX_OF_A_LABEL * totals[label] for label, n in counts.items()):
            found.add(site)
            for label, n in counts.items():
                held[label] += n
    return found


def _fit(path: Path, output: str, params: Training) -> None:
    """Write the model: with one thread the same lines give the same bytes.

    Raises:
        ValueError: buckets and vectors alone are larger than the model may be, or training fails.
    """
    most, vectors = params.max_model_bytes, 4 * params.dimensions * (params.buckets if params.word_ngrams > 1 else 0)
    if most and vectors > most:
        raise ValueError(
            f"{params.buckets:,} buckets of {params.dimensions} dimensions take {vectors:,} bytes, and the model may"
            f" have {most:,}: fewer buckets or dimensions, or a larger --max-model-bytes"
        )
    least = 1
    while True:
        try:
            model = fasttext.train_supervised(
                str(path),
                epoch=params.epochs,
                lr=params.learning_rate,
                dim=params.dimensions,
                wordNgrams=params.word_ngrams,
                bucket=params.buckets,
                minCount=least,
                thread=1,
                verbose=0,
            )
            model.save_model(output)
        except (ValueError, RuntimeError, MemoryError) as error:
            hint = "; a smaller learning rate may help" if "NaN" in str(error) else ""
            hint = "; fewer dimensions or buckets take less memory" if isinstance(error, MemoryError) else hint
            raise ValueError(f"fastText could not train the model: {error}{hint}") from error
        if not most or Path(output).stat().st_size <= most or len(model.words) < 2:
            return
        least *= 2  # words that are rarer than that are left out


def measured(model: str, held: Sequence[_Line], labels: Sequence[str]) -> dict[str, Any]:
    """Quality of a model's labels of texts: accuracy, macro F1 over the labels that have any, and the confusion matrix.

    Returns:
        ``{"num_texts", "accuracy", "macro_f1", "labels": {label: {"num_texts", "precision", "recall", "f1"}},
        "confusion": {label: {label the model gives: texts}}}``; for the classes of quality those of `binary` too.
    """
    predict = load_model(Path(model))
    places = {label: k for k, label in enumerate(labels)}
    counts_TP = np.zeros((len(labels), len(labels)), np.int64)
    by_label: dict[str, list[float]] = {label: [] for label in labels}
    positive = POSITIVE.removeprefix(PREFIX)
    for line in held:
        found = predict(line.line, len(labels), 0.0, "strict")
        given = found[0][1].removeprefix(PREFIX) if found else labels[0]
        counts_TP[places[line.label], places[given]] += 1
        by_label[line.label].append(
            next((value for value, name in found if name.removeprefix(PREFIX) == positive), 0.0)
        )
    scores = {label: np.array(values) for label, values in by_label.items()}
    right = np.diag(counts_TP)
    truth, predicted = counts_TP.sum(axis=1), counts_TP.sum(axis=0)
    f1 = 2 * right / np.maximum(truth + predicted, 1)
    report: dict[str, Any] = {
        "num_texts": len(held),
        "accuracy": float(right.sum() / len(held)),
        "macro_f1": float(f1[truth > 0].mean()),
        "labels": {
            label: {
                "num_texts": int(truth[k]),
                "precision": float(right[k] / max(predicted[k], 1)),
                "recall": float(right[k] / max(truth[k], 1)),
                "f1": float(f1[k]),
            }
            for label, k in places.items()
        },
        "confusion": {
            label: {other: int(counts_TP[k, j]) for other, j in places.items() if counts_TP[k, j]}
            for label, k in places.items()
        },
    }
    if set(labels) == {positive, NEGATIVE.removeprefix(PREFIX)} and all(map(len, by_label.values())):
        report |= binary(scores[positive], scores[NEGATIVE.removeprefix(PREFIX)])
    return report


def binary(positives: npt.NDArray[np.float64], negatives: npt.NDArray[np.float64]) -> dict[str, float | int]:
    """Precision and recall at 0.5 and the area under the ROC curve, from the scores of the two classes."""
    found, wrong = int((positives >= 0.5).sum()), int((negatives >= 0.5).sum())
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left") + np.searchsorted(ordered, positives, "right")
    return {
        "num_positives": len(positives),
        "num_negatives": len(negatives),
        "precision": found / max(found + wrong, 1),
        "recall": found / max(len(positives), 1),
        "auc": float(below.sum()) / 2 / max(len(positives) * len(negatives), 1),
    }
