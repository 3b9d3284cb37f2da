"""Classifiers: training is repeatable, measured on texts it has not seen, and its scores become a column."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages import quality
from stages.rules import classifier_training, classifiers
from stages.rules.classifier_training import Labelled


def texts(words: str, seed: int) -> list[str]:
    chosen = random.Random(seed)
    return [" ".join(chosen.choices(words.split(), k=30)) for _ in range(200)]


GOOD, BAD = (
    texts("theorem proof lemma the of and let be a set", 1),
    texts("buy cheap now the of and sale click a offer", 2),
)
LABELLED = [*(Labelled("positive", text) for text in GOOD), *(Labelled("negative", text) for text in BAD)]
SMALL = classifier_training.Training(dimensions=16, buckets=1000, epochs=10, held_out=0.2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("model") / "good.bin")
    classifier_training.train(LABELLED, path, SMALL)
    return path


def test_training_is_measured_on_held_out_texts_and_repeatable(model: str, tmp_path: Path) -> None:
    report = json.loads(Path(model + ".json").read_text())
    assert report["held_out"]["auc"] > 0.99
    assert report["held_out"]["num_positives"] == report["held_out"]["num_negatives"] == 40
    assert report["held_out"]["accuracy"] > 0.99
    again = classifier_training.train(LABELLED[::-1], str(tmp_path / "again.bin"), SMALL)
    assert again == report


def test_scores_are_a_column_and_the_models_content_its_identity(model: str) -> None:
    params = quality.Params(families=(), classifiers={"maths": {"model": model}})
    batch = pa.RecordBatch.from_arrays([pa.array([GOOD[0], BAD[0], "", "line\nbreak"], pa.large_string())], ["text"])
    measured = quality.prepare(params)(batch)
    assert measured.schema.names == ["maths_score"]
    good, bad, *_ = measured.column("maths_score").to_pylist()
    assert bad < 0.5 < good <= 1
    assert "maths" in quality.identity(params)["classifiers"]


def test_area_under_the_curve_counts_pairs() -> None:
    positives, negatives = np.array([0.9, 0.5, 0.5]), np.array([0.5, 0.1])
    pairs = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    assert classifier_training.binary(positives, negatives)["auc"] == pytest.approx(sum(pairs) / 6)


def test_what_cannot_work_is_said_in_a_line(model: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"no model")
    with pytest.raises(ValueError, match="expected a supervised fastText model"):
        classifiers.scorer(classifiers.Classifier(model=str(broken)))
    with pytest.raises(ValueError, match="expected one of its labels"):
        classifiers.scorer(classifiers.Classifier(model=model, label="__label__hq"))
    with pytest.raises(ValueError, match="expected texts of two labels or more, found those of negative"):
        classifier_training.train(LABELLED[200:], str(tmp_path / "x.bin"), SMALL)
    one_site = [text._replace(site="a.org") for text in LABELLED]
    with pytest.raises(ValueError, match="expected texts of several sites"):
        classifier_training.train(one_site, str(tmp_path / "x.bin"), SMALL)
