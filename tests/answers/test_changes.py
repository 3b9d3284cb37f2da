"""Answers about whole roots: `diff`, `find`, tables and cards."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.find import Phrase
from pipeline.cli import main
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store
from tests.support.archives import record, write
from tests.support.corpora import page, write_corpus, write_mixture
from tests.support.runs import run_inline


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two mixtures, `small` and `strict`, which wants longer pages; and another root with one page more."""
    folder = tmp_path_factory.mktemp("two")
    write_corpus(folder / "in", files=3)
    write_mixture(folder / "small.yaml", folder / "in")
    strict = write_mixture(folder / "strict.yaml", folder / "in", min_words=120)
    strict.write_text(strict.read_text().replace("name: small", "name: strict"))
    for mixture in ("strict", "small"):
        assert call("run", folder / f"{mixture}.yaml", "--root", folder / "root", "--engine", "inline").exit_code == 0
    shutil.copytree(folder / "root", folder / "other")
    shutil.copytree(folder / "in", folder / "more", copy_function=shutil.copy2)
    text = "Entirely new words stand on this page, and they say that the river was wide. " * 12
    write(folder / "more" / "web" / "part-900.warc.gz", [record(page("new", text), url="https://new.example/1")])
    run_inline(write_mixture(folder / "more.yaml", folder / "more"), folder / "other")
    return folder


def keeping(root: Path, name: str) -> dict[str, bool]:
    """keep by doc_id, the slow way."""
    snapshot = snapshots.load(Store(str(root)), name)
    found = {}
    for texts, kept in zip(snapshot.product("documents"), snapshot.product("kept"), strict=True):
        ids = snapshot.store.read_table(texts.address, ["doc_id"]).column("doc_id").to_pylist()
        flags = snapshot.store.read_table(kept.address, ["keep"]).column("keep").to_pylist()
        found |= {doc_id.hex(): keep for doc_id, keep in zip(ids, flags, strict=True)}
    return found


def test_diff_of_two_mixtures_counts_the_pages_lost_and_names_some(two: Path) -> None:
    result = call("diff", two / "root", "--mixture", "small", "--mixture", "strict", "--json")
    assert result.exit_code == 1, result.stderr
    found = json.loads(result.stdout)
    before, after = keeping(two / "root", "small"), keeping(two / "root", "strict")
    lost = {doc_id for doc_id, keep in before.items() if keep and not after[doc_id]}
    gained = {doc_id for doc_id, keep in after.items() if keep and not before[doc_id]}
    counted = dict.fromkeys(("lost", "gained"), 0)
    for row in found["changes"]["transitions"]:
        counted[row["kind"]] = counted.get(row["kind"], 0) + row["documents"]
    assert counted["lost"] == len(lost) > 5
    assert counted["gained"] == len(gained)
    assert {row["doc_id"] for row in found["changes"]["examples"] if row["kind"] == "lost"} <= lost
    assert next(row for row in found["tables"]["rules"] if row["rule"] == "too_few_words")["threshold"] == [50, 120]


def test_diff_of_two_roots_finds_the_new_page_as_text_and_as_a_page(two: Path, tmp_path: Path) -> None:
    result = call("diff", two / "root", two / "other", "--mixture", "small", "--html", tmp_path / "d.html", "--json")
    assert result.exit_code == 1, result.stderr
    changes = json.loads(result.stdout)["changes"]
    assert [(row["before"], row["after"], row["documents"]) for row in changes["transitions"]] == [
        ("absent", "kept: docs", 1)
    ]
    assert changes["examples"][0]["url"] == "https://new.example/1"
    assert (tmp_path / "d.html").read_text().lower().startswith("<!doctype html>")
    assert "https://new.example/1" in call("diff", two / "root", two / "other").stdout


def test_diff_of_equal_roots_ends_with_0(two: Path, tmp_path: Path) -> None:
    shutil.copytree(two / "root", tmp_path / "same")
    result = call("diff", two / "root", tmp_path / "same")
    assert result.exit_code == 0, result.stdout
    assert "no figure differs" in result.stdout


def test_diff_compares_pages_of_files_that_were_only_touched_by_doc_id(two: Path, tmp_path: Path) -> None:
    shutil.copytree(two / "in", tmp_path / "in")  # new times of last change: other splits, the same pages
    run_inline(write_mixture(tmp_path / "small.yaml", tmp_path / "in"), tmp_path / "root")
    result = call("diff", two / "root", tmp_path / "root")
    assert result.exit_code == 0, result.stdout


def test_diff_of_one_root_and_one_mixture_is_refused(two: Path) -> None:
    for args in ((two / "root",), (two / "root", "--mixture", "small"), ()):
        refused = call("diff", *args)
        assert refused.exit_code == 2
        assert "two mixtures" in refused.stderr


# find


def test_find_lists_every_page_with_the_phrase_and_its_fate(two: Path) -> None:
    snapshot = snapshots.load(Store(str(two / "root")))
    phrase = "This page describes an older version"
    wanted = {}
    for texts, kept in zip(snapshot.product("documents"), snapshot.product("kept"), strict=True):
        decided = snapshot.store.read_table(kept.address).to_pylist()
        for row, each in enumerate(snapshot.store.read_table(texts.address).to_pylist()):
            if phrase in each["text"]:
                wanted[each["doc_id"].hex()] = (each["url"], decided[row]["keep"], decided[row]["reason"])
    result = call("find", phrase, "--root", two / "root", "--limit", 0, "--json", "--workers", 2)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {hit["doc_id"]: (hit["url"], hit["keep"], hit["reason"]) for hit in found} == wanted
    assert all(phrase in hit["context"] for hit in found)
    assert len(wanted) > 4
    few = call("find", phrase.upper(), "--ignore-case", "--root", two / "root", "--limit", 3)
    assert len([line for line in few.stdout.splitlines() if line.startswith("https://")]) == 3
    either = call("find", "older versio[mn] of", "--regex", "--root", two / "root", "--limit", 0)
    assert either.stdout.count("https://old.example/") == len(wanted)


@given(st.lists(st.text(st.sampled_from("aB.*[\\\n\0 _-é\U0001f680"), max_size=9), max_size=9), st.data())
def test_plain_text_is_found_as_it_stands_whatever_characters_it_has(texts: list[str], data: st.DataObject) -> None:
    phrase = data.draw(st.text(st.sampled_from("aB.*[\\\n\0 _-é\U0001f680"), min_size=1, max_size=3))
    found = Phrase(phrase).matches(pa.array(texts, pa.large_string()))
    assert found.to_pylist() == [phrase in text for text in texts]


def test_find_of_nothing_ends_with_1_and_of_a_bad_pattern_with_2(two: Path) -> None:
    assert call("find", "no page says thiis", "--root", two / "root").exit_code == 1
    assert call("find", "(", "--regex", "--root", two / "root").exit_code == 2
    assert call("find", "", "--root", two / "root").exit_code == 2


# Tables and cards


def test_tables_as_csv_and_parquet_hold_the_figures_of_the_report(two: Path, tmp_path: Path) -> None:
    result = call("stats", "--root", two / "root", "--csv", tmp_path / "c", "--parquet", tmp_path / "p")
    assert result.exit_code == 0, result.stderr
    stats = json.loads(call("stats", "--root", two / "root", "--json").stdout)
    hosts = pq.read_table(tmp_path / "p" / "hosts.parquet").to_pylist()
    assert {row["host"]: row["pages"] for row in hosts} == {
        row["host"]: row["pages"] for row in stats["survey"]["hosts"]
    }
    with (tmp_path / "c" / "hosts.csv").open(newline="") as file:
        assert {row["host"]: int(row["pages"]) for row in csv.DictReader(file)} == {
            row["host"]: row["pages"] for row in hosts
        }
    assert {path.suffix for path in (tmp_path / "c").iterdir()} == {".csv"}
    assert (tmp_path / "c" / "costs.csv").exists()


def test_cards_describe_the_corpus_that_is_there(two: Path, tmp_path: Path) -> None:
    about = ("--licence", "odc-by", "--url", "https://data.example/small", "--creator", "Somebody")
    result = call("card", tmp_path / "card", "--root", two / "root", *about)
    assert result.exit_code == 0, result.stderr
    head = yaml.safe_load((tmp_path / "card" / "README.md").read_text().split("---\n")[1])
    assert (head["pretty_name"], head["license"]) == ("small", "odc-by")
    found = json.loads((tmp_path / "card" / "croissant.json").read_text())
    manifest = Path(two / "root" / snapshots.load(Store(str(two / "root"))).data["corpus"]).read_bytes()
    assert found["distribution"][0]["sha256"] == hashlib.sha256(manifest).hexdigest()
    alone = call("card", tmp_path / "alone", "--root", two / "root")
    assert "--url" in alone.stdout
    assert not (tmp_path / "alone" / "croissant.json").exists()
