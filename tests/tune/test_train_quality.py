"""`train-quality`: texts from sources and domains of a root or from labelled files; the same model every time."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from pipeline.tune import train_quality
from tests.rules.test_classifiers import BAD, GOOD, SMALL
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import gristmill, made, run_inline

SETTINGS = SMALL.model_dump()


def texts(**given: object) -> train_quality.Texts:
    empty: dict[str, object] = dict.fromkeys(("positives", "negatives", "labelled"), ())
    fields = {"text_field": "text", "label_field": "label", "positive_labels": ("1",), "max_texts": 1000}
    return train_quality.Texts(**{**empty, **fields, **given})  # type: ignore[arg-type]


def test_labelled_rows_and_files_a_class_give_the_same_model(tmp_path: Path) -> None:
    labels = [1] * len(GOOD) + [0] * len(BAD)
    pq.write_table(pa.table({"text": GOOD + BAD, "label": labels}), tmp_path / "both.parquet")
    for name, rows in (("good", GOOD), ("bad", BAD)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    one, two = tmp_path / "one.bin", tmp_path / "two.bin"
    train_quality.train_quality(str(one), None, None, texts(labelled=(str(tmp_path / "both.parquet"),)), SETTINGS)
    files = {"positives": (str(tmp_path / "good.jsonl"),), "negatives": (str(tmp_path / "bad.jsonl"),)}
    said = train_quality.train_quality(str(two), None, None, texts(**files), SETTINGS)
    assert one.read_bytes() == two.read_bytes()
    assert "auc        1.0000" in said
    about = json.loads((tmp_path / "two.bin.json").read_text())
    assert [(entry["class"], entry["from"]) for entry in about["data"]] == [
        ("positive", "good.jsonl"),
        ("negative", "bad.jsonl"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir() if "unfinished" in path.name) == []


def test_sources_and_domains_of_a_root_train_a_classifier_that_the_next_run_applies(tmp_path: Path) -> None:
    mixture, root = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=2)), tmp_path / "root"
    run_inline(mixture, root)
    model = tmp_path / "code.bin"
    given = texts(positives=("source:code",), negatives=("domain:docs",))
    train_quality.train_quality(str(model), Store(str(root)), None, given, SETTINGS)
    data = json.loads((tmp_path / "code.bin.json").read_text())["data"]
    assert data[0]["from"] == "source:code"
    assert data[1]["kept"].startswith("manifests/kept-")
    text = mixture.read_text()
    mixture.write_text(
        text.replace("domains:\n", "domains:\n  good: {sources: [web], min: {code_score: 0.5}}\n", 1)
        + f"quality:\n  families: [gopher_quality]\n  classifiers: {{code: {{model: {model}}}}}\n"
    )
    assert made(run_inline(mixture, root))["quality"] == 3
    with pytest.raises(UserError, match="source:wbe: no page; the root has sources code, web"):
        train_quality.train_quality(
            str(model), Store(str(root)), None, texts(positives=("source:wbe",), negatives=("x",)), {}
        )


def test_what_cannot_be_trained_or_applied_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"txt": "x"}\n')
    told = gristmill("train-quality", tmp_path / "m.bin", "--labelled", tmp_path / "a.jsonl")
    assert told.returncode == 2
    assert told.stderr.splitlines() == [f"gristmill: {tmp_path}/a.jsonl, row 1: no field 'text'; it has txt"]
    mixture = write_mixture(tmp_path / "small.yaml", tmp_path)
    text = mixture.read_text()
    for content, message in (
        (b"no model at all, but long enough for a header", "expected a supervised fastText model, found another kind"),
        (b"\xba\x16\x4f\x2f\x63\0\0\0" + bytes(60), "found format 99"),
    ):
        (tmp_path / "m.bin").write_bytes(content)
        mixture.write_text(text + "quality:\n  classifiers: {good: {model: m.bin}}\n")
        with pytest.raises(ConfigError) as caught:
            recipes.load(mixture, Store(str(tmp_path / "root")))
        [problem] = caught.value.problems
        assert problem.key == "quality.classifiers.good"
        assert message in problem.message
