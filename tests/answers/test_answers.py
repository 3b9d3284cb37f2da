"""Answers about single pages: `why`, `trace` and raw records, against slow searches through all files."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers import status, trace, why
from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.recipe import pages
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store
from tests.support.answers import call, documents, made
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def snapshot(finished: Path) -> Snapshot:
    return snapshots.load(Store(str(finished / "root")))


@pytest.fixture(scope="module")
def checked(request: pytest.FixtureRequest) -> Snapshot:
    """The root that GRISTMILL_CHECK_ROOT names, or the small one."""
    given = os.environ.get("GRISTMILL_CHECK_ROOT")
    return snapshots.load(Store(given)) if given else request.getfixturevalue("snapshot")


PAGES = int(os.environ.get("GRISTMILL_CHECK_PAGES", "100"))
TOKENS = int(os.environ.get("GRISTMILL_CHECK_PAGES", "150"))
"""GRISTMILL_CHECK_PAGES=1000 with GRISTMILL_CHECK_ROOT checks so many pages and tokens of a real run."""


# why


def test_why_tells_of_every_page_what_the_files_say(checked: Snapshot) -> None:
    snapshot = checked
    everything = documents(snapshot)
    decided = [snapshot.store.read_table(entry.address).to_pylist() for entry in snapshot.product("kept")]
    clustered = [snapshot.store.read_table(entry.address).to_pylist() for entry in snapshot.product("clusters")]
    places = slow_places(snapshot)
    known = {page["doc_id"]: page for page in everything}
    for page in random.Random(1).sample(everything, PAGES):
        life = next(
            one
            for one in why.lives(snapshot, page["doc_id"].hex())
            if one["document"]["doc_id"] == page["doc_id"].hex()
        )
        kept, cluster = decided[page["split"]][page["row"]], clustered[page["split"]][page["row"]]
        assert life["decision"]["keep"] == kept["keep"]
        assert life["decision"]["domain"] == kept["domain"]
        failed = [rule["rule"] for rule in life["decision"]["failed"]]
        assert failed[:1] == ([kept["reason"]] if kept["reason"] else [])
        assert kept["failed"] == failed
        assert ("tokens" in life) == kept["keep"]
        assert (life["cluster"]["survivor"] or "") == (cluster["survivor"] or b"").hex()
        if cluster["survivor"]:
            stays = known[cluster["survivor"]]
            assert life["cluster"]["survivor_page"]["url"] == stays["url"]
            assert bool(life["cluster"]["difference"]) == (stays["text"] != page["text"])
        shown = sorted((place["shard"], place["row"]) for place in life.get("shards", ()))
        assert shown == sorted(places.get(page["doc_id"], []))


def slow_places(snapshot: Snapshot) -> dict[bytes, list[tuple[str, int]]]:
    """Every shard and row a page is in, by reading all shards."""
    found: dict[bytes, list[tuple[str, int]]] = {}
    for address in [snapshot.data["corpus"], *snapshot.data["shards"].values()]:
        folder = address.rpartition("/")[0]
        for entry in snapshot.store.read_json(address)["shards"]:
            with snapshot.store.open(f"{folder}/{entry['path']}") as file:
                names = pa.ipc.open_stream(file).read_all().column("doc_id").to_pylist()
            for row, name in enumerate(names):
                found.setdefault(name, []).append((f"{folder}/{entry['path']}", row))
    return found


def test_measurements_stand_beside_the_thresholds_that_decided(snapshot: Snapshot) -> None:
    dropped = 0
    for page in documents(snapshot):
        for life in why.lives(snapshot, page["doc_id"].hex()) if page["text_bytes"] < 900 else ():
            failed = {rule["rule"] for rule in life["decision"]["failed"]}
            for entry in life["measurements"]:
                for rule in entry["rules"]:
                    below = rule["side"] == "min" and entry["value"] is not None and entry["value"] < rule["threshold"]
                    above = rule["side"] == "max" and entry["value"] is not None and entry["value"] > rule["threshold"]
                    assert rule["fails"] == (below or above) == (rule["rule"] in failed)
            dropped += "too_few_words" in failed
    assert dropped


def test_a_difference_is_shown_wherever_it_is_and_is_empty_only_for_equal_texts() -> None:
    long = "\n".join(f"line {i}" for i in range(20_000))
    changed = long.replace("line 15000", "line fifteen thousand")
    assert why.difference(long, long) == []
    assert why.difference(long, changed) == [
        "@@ -15000,3 +15000,3 @@", " line 14999", "-line 15000", "+line fifteen thousand", " line 15001",
    ]  # fmt: skip
    assert why.difference("a\nb", "a\nb\n") == ["... nothing but their line ends"]
    many = why.difference(long, long.replace("line", "row"))
    assert many[-1].startswith("... and ")
    assert len(many) == why.DIFF_LINES + 1


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_a_short_difference_holds_every_line_that_changed(before: list[str], after: list[str]) -> None:
    found = why.difference("\n".join(before), "\n".join(after))
    if len(found) > why.DIFF_LINES:
        return
    gone = [line[1:] for line in found if line.startswith("-")]
    new = [line[1:] for line in found if line.startswith("+")]
    assert Counter(before) - Counter(gone) + Counter(new) == Counter(after)


def test_why_as_text_begins_with_the_answer(finished: Path, snapshot: Snapshot) -> None:
    kept = call("why", "https://docs.example/argparse.ArgumentParser", "--root", finished / "root")
    assert kept.exit_code == 0, kept.stderr
    assert ": kept in docs, " in kept.stdout.splitlines()[0]
    assert "training documents\n  docs: shards/" in kept.stdout
    assert "gopher_num_words" in kept.stdout
    empty = call("why", "https://docs.example/empty", "--root", finished / "root").stdout
    assert ": dropped, empty_text" in empty.splitlines()[0]
    assert "| (no text)" in empty
    matches = [snapshot.store.read_table(entry.address).column("match") for entry in snapshot.product("clusters")]
    pages = documents(snapshot)
    older = {page["url"].rpartition("/")[2] for page in pages if (page["url"] or "").startswith("https://old.example/")}
    copies = (page for page in pages if matches[page["split"]][page["row"]].as_py() == "fuzzy")
    copy = next(page for page in copies if page["url"].rpartition("/")[2] in older)
    shown = call("why", copy["doc_id"].hex(), "--root", finished / "root").stdout
    assert "similarity 0." in shown
    assert "This page describes an older version" in shown


def test_why_as_json_is_the_same_life(finished: Path, snapshot: Snapshot) -> None:
    url = "https://docs.example/argparse.ArgumentParser"
    life = json.loads(call("why", url, "--root", finished / "root", "--json").stdout)
    assert life == json.loads(json.dumps(why.lives(snapshot, url), default=str))


def test_an_unknown_url_names_pages_of_its_host(finished: Path) -> None:
    refused = call("why", "https://docs.example/argparse.ArgumentParsr", "--root", finished / "root")
    assert isinstance(refused.exception, SystemExit)
    assert refused.exit_code == 2
    assert "https://docs.example/argparse.ArgumentParser" in refused.stderr
    nowhere = call("why", "https://nowhere.example/", "--root", finished / "root")
    assert "no page of that host" in nowhere.stderr
    assert call("why", "f" * 32, "--root", finished / "root").exit_code == 2


# Raw records


def test_the_raw_record_of_a_page_is_the_bytes_of_its_input_file(finished: Path) -> None:
    url = "https://docs.example/argparse.ArgumentParser"
    for command in ("why", "show"):
        raw = CliRunner().invoke(main, [command, url, "--root", str(finished / "root"), "--raw"])
        assert raw.exit_code == 0, raw.stderr
        assert raw.stdout_bytes.startswith(b"WARC/1.")
        assert b"<h1>argparse.ArgumentParser</h1>" in raw.stdout_bytes
    line = CliRunner().invoke(main, ["show", "https://code.example/bisect", "--root", str(finished / "root"), "--raw"])
    assert json.loads(line.stdout)["id"] == "bisect"


def test_a_raw_record_whose_file_is_gone_is_one_line(finished: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    run_inline(write_mixture(tmp_path / "m.yaml", tmp_path / "in"), tmp_path / "root")
    for file in (tmp_path / "in" / "web").iterdir():
        file.unlink()
    snapshot = snapshots.load(Store(str(tmp_path / "root")))
    found = pages.find(snapshot, "https://docs.example/empty")[0]
    with pytest.raises(UserError, match=r"part-000\.warc\.gz at"):
        trace.raw_record(snapshot, found.split, found.document)


# trace


def test_trace_of_random_tokens_leads_to_the_tokens_and_pages_they_came_from(checked: Snapshot) -> None:
    snapshot = checked
    known = {page["doc_id"].hex(): page for page in documents(snapshot)}
    chance = random.Random(2)
    for address in [snapshot.data["corpus"], *snapshot.data["shards"].values()]:
        folder = address.rpartition("/")[0]
        entry = chance.choice(snapshot.store.read_json(address)["shards"])
        with snapshot.store.open(f"{folder}/{entry['path']}") as file:
            table = pa.ipc.open_stream(file).read_all()
        ends = np.cumsum([len(ids) for ids in table.column("input_ids")])
        for row in chance.choices(range(len(table)), k=TOKENS):
            ids = table.column("input_ids")[row].as_py()
            token = chance.randrange(len(ids))
            found = trace.trace(snapshot.store, None, f"{folder}/{entry['path']}:{row}:{token}")
            assert found["id"] == ids[token]
            assert found["ids"] == ids[found["ids_start"] : found["ids_start"] + len(found["ids"])]
            assert found["first_token"] == ends[row] - len(ids)
            page = known[found["document"]["doc_id"]]
            assert {key: found["document"][key] for key in ("url", "file", "offset")} == {
                key: page[key] for key in ("url", "file", "offset")
            }


def test_trace_takes_a_path_an_address_or_a_name_and_refuses_the_rest(finished: Path, snapshot: Snapshot) -> None:
    folder = snapshot.data["corpus"].rpartition("/")[0]
    entry = snapshot.store.read_json(snapshot.data["corpus"])["shards"][0]
    for place in (f"{folder}/{entry['path']}", snapshot.store.path(f"{folder}/{entry['path']}"), entry["path"]):
        found = call("trace", f"{place}:0:0", "--root", finished / "root")
        assert found.exit_code == 0, found.stderr
        assert "document 0, tokens 0 to" in found.stdout
    for wrong in ("x.arrow", "nonsense", f"{folder}/{entry['path']}:99999999", f"{folder}/{entry['path']}:0:99999999"):
        refused = call("trace", wrong, "--root", finished / "root")
        assert refused.exit_code == 2
        assert refused.stderr.startswith("gristmill: ")


# Damaged files


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("documents", "why"),
        ("documents", "find"),
        ("kept", "find"),
        ("kept", "why"),
        ("corpus", "trace"),
        ("manifests/kept", "why"),
        ("manifests/kept", "status"),
        ("manifests/documents", "dedup-report"),
        ("clusters", "dedup-report"),
        ("documents", "export"),
        ("mixtures", "export"),
        ("mixtures", "dedup-report"),
        ("mixtures", "stats"),
        ("report", "stats"),
    ],
)
def test_a_half_written_file_is_named_in_one_line(
    finished: Path, snapshot: Snapshot, tmp_path: Path, kind: str, command: str
) -> None:
    files = [path for path in (finished / "root").rglob("*") if path.is_file()]
    files = [path for path in files if str(path.relative_to(finished / "root")).startswith(kind)]
    files = [path for path in files if path.suffix in (".parquet", ".arrow", ".zst") or kind in ("mixtures", "report")]
    whole = {path: path.read_bytes() for path in files}
    entry = snapshot.store.read_json(snapshot.data["corpus"])["shards"][0]
    shard = f"{snapshot.data['corpus'].rpartition('/')[0]}/{entry['path']}:{entry['rows'] - 1}:1"
    page = {"why": ["https://docs.example/argparse.ArgumentParser"], "find": ["parser"], "trace": [shard]}
    page |= {"export": ["jsonl", str(tmp_path / "text")]}
    try:
        for path, data in whole.items():
            path.write_bytes(data[: len(data) // 2])
        result = call(command, *page.get(command, []), "--root", finished / "root")
    finally:
        for path, data in whole.items():
            path.write_bytes(data)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert any(str(path) in result.stderr for path in files)


@pytest.mark.parametrize("product", ["documents", "kept", "clusters"])
@pytest.mark.parametrize("command", ["why", "show", "find", "dedup-report", "export", "path", "status"])
def test_a_manifest_that_is_gone_is_named_by_what_needs_it(
    finished: Path, snapshot: Snapshot, tmp_path: Path, product: str, command: str
) -> None:
    manifest = finished / "root" / snapshot.data["products"][product]
    page = "https://docs.example/argparse.ArgumentParser"
    asked = {"why": [page], "show": [page], "find": ["parser"], "path": [product]}
    asked["export"] = ["jsonl", str(tmp_path / "text")]
    aside = manifest.rename(tmp_path / "aside")
    try:
        result = call(command, *asked.get(command, []), "--root", finished / "root")
    finally:
        aside.rename(manifest)
    if (command, product) == ("find", "clusters"):
        assert result.exit_code == 0  # it asks nothing of these
        return
    assert result.exit_code in (1, 2)
    assert f"{manifest} is missing" in result.stderr
    assert "its next run makes it again" in result.stderr


def test_status_names_the_file_of_a_group_that_is_damaged() -> None:
    """Small files are read in groups; a group's report bears the name of its first."""
    bad = [{"file": "b.warc.gz", "offset": 7, "reason": "truncated_member"}]
    entry = SimpleNamespace(report={"source": "web", "file": "a.warc.gz", "quarantined": [], "bad": bad})
    snapshot: Any = SimpleNamespace(product=lambda name: [entry])
    said = "bad: web/b.warc.gz at 7: truncated_member (its end is cut off; copy it again)"
    assert status.troubles(snapshot) == [said]
