"""Every example does what its first lines say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pipeline.reader import read_manifest
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import gristmill, run_inline
from tests.support.shard_folders import random_documents, write_folder

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_the_list_of_examples_is_whole() -> None:
    named = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert not [path.name for path in EXAMPLES.glob("*.[py]*") if f"({path.name})" not in named]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    root = tmp_path_factory.mktemp("scored") / "root"
    done = gristmill("run", EXAMPLES / "own_scorer.yaml", "--root", root, "--engine", "inline")
    assert done.returncode == 0, done.stderr
    return snapshots.load(Store(str(root)))


def test_a_scorer_of_ones_own_gives_every_page_a_number_and_fills_a_domain(scored: Snapshot) -> None:
    values = [
        value
        for entry in scored.product("scores")
        for value in scored.store.read_table(entry.address).column("compression_score").to_pylist()
    ]
    assert len(values) == sum(entry.report["rows"] for entry in scored.product("documents"))
    assert 0 < min(values) < 1.5 < max(values)  # a line of text grows by the compressor's own bytes
    corpus = scored.corpus()
    assert corpus is not None
    assert set(corpus["domains"]) == {"dense", "rest"}


def test_products_are_read_as_tables(scored: Snapshot, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("polars")
    from examples.read_products import main, views

    connection = views(scored.store.root)
    rows = connection.sql("select count(*) from documents join quality using (split, row)").fetchall()
    assert rows == [(sum(entry.report["rows"] for entry in scored.product("documents")),)]
    sizes = connection.sql("select text_bytes, octet_length(encode(text)) from documents").fetchall()
    assert all(told == found for told, found in sizes)
    main(scored.store.root)
    assert "too_few_words" in capsys.readouterr().out


def test_sources_with_other_columns_are_read_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("duckdb")
    pytest.importorskip("polars")
    from examples.read_products import main, views

    mixture = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=1))
    mixture.write_text(mixture.read_text().replace("  code:\n", "  code:\n    carry: {name: id}\n"))
    run_inline(mixture, tmp_path / "root")
    tables = views(str(tmp_path / "root"))
    found = tables.sql("select source, count(*), count(input_name) from documents group by 1").fetchall()
    counts = {source: (pages, carried) for source, pages, carried in found}
    assert counts["web"][1] == 0 < counts["code"][1] == counts["code"][0]
    [(kept,)] = tables.sql("select count(*) from kept join language using (split, row) where keep").fetchall()
    main(str(tmp_path / "root"))
    assert f"│ en       ┆ {kept} ┆" in capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where examples share a root: what two of them measure alike is measured once."""
    return tmp_path_factory.mktemp("examples")


def test_a_rule_of_ones_own_drops_what_it_says(folder: Path) -> None:
    job = run_inline_example("own_rule.yaml", folder)
    for entry in job.product("kept"):
        assert {"below_min_gopher_mean_word_characters", "too_few_words"} <= set(entry.report["rules"])
        assert entry.report["failed"]["too_few_words"]["documents"] > 0


def test_rules_of_ones_own_drop_pages_under_their_own_names(folder: Path) -> None:
    job = run_inline_example("own_rules.yaml", folder)
    failed = [entry.report["failed"] for entry in job.product("kept")]
    assert sum(one["too_much_shouting"]["documents"] for one in failed) > 0
    assert {"capital_fraction", "links_per_line"} <= set(
        job.store.read_table(next(job.product("quality")).address).column_names
    )


def test_an_extractor_of_ones_own_writes_the_text(folder: Path) -> None:
    job = run_inline_example("own_extractor.yaml", folder)
    texts = [
        text
        for entry in job.product("documents")
        for text in job.store.read_table(entry.address, ["text"])["text"].to_pylist()
    ]
    assert any(". " in line for text in texts for line in text.split("\n\n"))


def test_a_format_of_ones_own_is_read(tmp_path: Path) -> None:
    job = run_inline_example("own_format.yaml", tmp_path)
    (entry,) = job.product("documents")
    rows = job.store.read_table(entry.address).to_pylist()
    assert [row["title"] for row in rows] == ["The wheel", "Re: The wheel", "Thursday"]
    assert [row["input_sender"] for row in rows][1] == "Ben <ben@example.org>"
    assert rows[1]["text"].startswith("Good news. Shall we grind")
    assert "<p>" not in rows[1]["text"]
    assert rows[0]["time"].isoformat().startswith("2026-11-02T08:00")


def run_inline_example(name: str, folder: Path) -> Snapshot:
    done = gristmill("run", EXAMPLES / name, "--root", folder / "root", "--engine", "inline")
    assert done.returncode == 0, done.stderr
    return snapshots.load(Store(str(folder / "root")))


def test_a_loss_falls_with_numpy_alone(tmp_path: Path) -> None:
    from examples.train_numpy import train

    write_folder(tmp_path / "corpus", [[random_documents(400)]])
    losses = train(str(tmp_path / "corpus"), steps=12)
    uniform = math.log(read_manifest(tmp_path / "corpus").tokenizer["vocab_size"])
    assert losses[0] == pytest.approx(uniform, rel=0.1)
    assert min(losses[6:]) < losses[0]


def test_training_stops_and_goes_on_exactly(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from examples.train_pytorch import train

    write_folder(tmp_path / "corpus", [[random_documents(400)]])
    whole, _ = train(str(tmp_path / "corpus"), steps=8)
    first, state = train(str(tmp_path / "corpus"), steps=3)
    rest, _ = train(str(tmp_path / "corpus"), steps=5, state=state)
    assert [*first, *rest] == whole
