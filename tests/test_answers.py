"""Answers about single pages: `why`, `trace` and raw records, against slow searches through all files."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import keys, life, origin, pages
from pipeline import snapshot as snapshots
from pipeline.cli import main
from pipeline.costs import Costs
from pipeline.errors import UserError
from pipeline.snapshot import Snapshot
from pipeline.storage import Store
from stages.kernels import url_keys
from stages.kernels.ragged import text_buffers
from tests.corpora import write_corpus, write_mixture
from tests.runs import run_inline


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    write_corpus(folder / "in", files=3)
    write_mixture(folder / "small.yaml", folder / "in")
    result = call("run", folder / "small.yaml", "--root", folder / "root", "--engine", "inline", "--quiet")
    assert result.exit_code == 0, result.stderr
    return folder


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


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def documents(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every page, the slow way."""
    found = []
    for split, entry in enumerate(snapshot.product("documents")):
        rows = snapshot.store.read_table(entry.address).to_pylist()
        found += [{**page, "split": split, "row": row} for row, page in enumerate(rows)]
    return found


# The index


@given(
    st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 5, 2**63, 2**64 - 1]), max_size=60),
    st.integers(1, 50),
    st.data(),
)
def test_places_of_a_key_are_all_its_places_in_order(values: list[int], repeats: int, data: st.DataObject) -> None:
    everything = np.array(values * repeats, np.uint64)
    entries = keys.sorted_pairs([(everything, np.arange(len(everything), dtype=np.uint64))])
    key = data.draw(st.integers(0, 2**64 - 1) | st.sampled_from([*values, 5]))
    slow = [place for place, value in enumerate(values * repeats) if value == key]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "BLOCK_ENTRIES", 8)
        assert keys.places(entries, key, None).tolist() == slow
        assert keys.places(entries, key, 3).tolist() == slow[:3]


@settings(deadline=None)  # the first example loads the kernel
@given(st.lists(st.text(st.sampled_from("ab:/@?#.+-1 AZ\u00c9\U0001f680"), max_size=24), max_size=30))
def test_compiled_keys_of_urls_and_hosts_are_those_of_single_strings(texts: list[str]) -> None:
    urls = [*texts, *(f"http://{text}" for text in texts)]
    found, hosts = url_keys.url_keys(*text_buffers(pa.array(urls, pa.string())))
    assert found.tolist() == [url_keys.key_of(url.encode()) for url in urls]
    names = [url_keys.host_of(url) for url in urls]
    assert names == keys.hosts_of(pa.array(urls, pa.string())).to_pylist()
    assert hosts.tolist() == [url_keys.key_of(name.encode()) if name else 0 for name in names]


def test_segments_hold_whole_files_up_to_a_size_and_more_files_leave_the_full_ones_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keys, "SEGMENT_ROWS", 10)
    files = [(f"d/{number}", rows) for number, rows in enumerate((4, 6, 1, 30, 2))]
    found = keys.segments(files)
    assert [segment["files"] for segment in found] == [["d/0", "d/1"], ["d/2"], ["d/3"], ["d/4"]]
    assert [segment["first"] for segment in found] == [0, 2, 3, 4]
    more = keys.segments([*files, ("d/5", 9)])
    assert [segment["folder"] for segment in more[:4]] == [segment["folder"] for segment in found]


def test_an_index_of_many_segments_answers_as_one_of_one(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SEGMENT_ROWS", 50)
    files = pages.files_of(snapshot)
    index = keys.KeyIndex(snapshot.store, "many", lambda: files, urls=True, say=print, keep=False)
    whole = pages.index_of(snapshot)
    for page in documents(snapshot)[::7]:
        for column, value in (("doc_id", page["doc_id"]), ("url", page["url"]), ("host", "docs.example")):
            assert index.find(column, value) == whole.find(column, value)
    assert not snapshot.store.exists(index.address)


def test_an_index_of_a_root_that_cannot_be_written_answers_all_the_same(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError("read-only")

    page = documents(snapshot)[5]
    monkeypatch.setattr(snapshot.store, "write_bytes", refuse)
    index = keys.KeyIndex(snapshot.store, "refused", lambda: pages.files_of(snapshot), urls=True, say=print)
    assert index.find("doc_id", page["doc_id"]) == [(page["split"], page["row"])]


def test_every_page_is_found_by_its_doc_id_and_by_its_url(snapshot: Snapshot) -> None:
    everything = documents(snapshot)
    index = pages.index_of(snapshot)
    by_url: dict[str, list[tuple[int, int]]] = {}
    for page in everything:
        assert index.find("doc_id", page["doc_id"]) == [(page["split"], page["row"])]
        by_url.setdefault(page["url"], []).append((page["split"], page["row"]))
    for url, places in by_url.items():
        assert index.find("url", url) == places
    hosts = [page for page in everything if page["url"].startswith("https://mirror.example/")]
    assert len(index.find("host", "mirror.example")) == len(hosts) > 10
    assert index.find("url", "https://docs.example/none") == []


def test_a_finished_run_has_made_its_indices(snapshot: Snapshot) -> None:
    told: list[str] = []
    pages.index_of(snapshot, told.append).find("url", "x")
    for manifest in (snapshot.data["corpus"], *snapshot.data["shards"].values()):
        keys.shard_index(snapshot.store, manifest, told.append).find("doc_id", b"x" * 16)
    assert told == []
    files = [address for address, _ in snapshot.store.list("runs/index")]
    assert {address.rpartition("/")[2] for address in files} >= {"doc_id.keys", "url.keys", "host.keys"}


def test_without_an_index_the_first_question_makes_it(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    run_inline(write_mixture(tmp_path / "m.yaml", tmp_path / "in"), tmp_path / "root")
    snapshot = snapshots.load(Store(str(tmp_path / "root")))
    snapshot.store.remove("runs/index")
    told: list[str] = []
    for _ in range(2):
        assert pages.index_of(snapshot, told.append).find("host", "docs.example")
    assert len(told) == 1


def test_rows_without_a_url_are_found_by_doc_id_alone() -> None:
    ids = pa.array([bytes([n] * 16) for n in range(4)], pa.binary(16))
    table = pa.table({"doc_id": ids, "url": pa.array(["http://A.b/x", None, "no url", None], pa.string())}).slice(1, 3)
    found = keys.keys_of(table, ("doc_id", "url", "host"))
    assert found["doc_id"][1].tolist() == [0, 1, 2]
    assert (found["url"][1].tolist(), found["host"][1].tolist()) == ([1], [])
    assert keys.hosts_of(table.column("url").drop_null()).to_pylist() == [""]


# why


def test_why_tells_of_every_page_what_the_files_say(checked: Snapshot) -> None:
    snapshot = checked
    everything = documents(snapshot)
    decided = [snapshot.store.read_table(entry.address).to_pylist() for entry in snapshot.product("kept")]
    clustered = [snapshot.store.read_table(entry.address).to_pylist() for entry in snapshot.product("clusters")]
    places = slow_places(snapshot)
    known = {page["doc_id"]: page for page in everything}
    for page in random.Random(1).sample(everything, PAGES):
        told = next(
            one
            for one in life.lives(snapshot, page["doc_id"].hex())
            if one["document"]["doc_id"] == page["doc_id"].hex()
        )
        kept, cluster = decided[page["split"]][page["row"]], clustered[page["split"]][page["row"]]
        assert told["decision"]["keep"] == kept["keep"]
        assert told["decision"]["domain"] == kept["domain"]
        failed = [rule["rule"] for rule in told["decision"]["failed"]]
        assert failed[:1] == ([kept["reason"]] if kept["reason"] else [])
        assert bin(kept["failed"]).count("1") == len(failed)
        assert ("tokens" in told) == kept["keep"]
        assert (told["cluster"]["survivor"] or "") == (cluster["survivor"] or b"").hex()
        if cluster["survivor"]:
            stays = known[cluster["survivor"]]
            assert told["cluster"]["survivor_page"]["url"] == stays["url"]
            assert bool(told["cluster"]["difference"]) == (stays["text"] != page["text"])
        shown = sorted((place["shard"], place["row"]) for place in told.get("shards", ()))
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
        for told in life.lives(snapshot, page["doc_id"].hex()) if page["text_bytes"] < 900 else ():
            failed = {rule["rule"] for rule in told["decision"]["failed"]}
            for entry in told["measurements"]:
                for rule in entry["rules"]:
                    below = rule["side"] == "min" and entry["value"] is not None and entry["value"] < rule["threshold"]
                    above = rule["side"] == "max" and entry["value"] is not None and entry["value"] > rule["threshold"]
                    assert rule["fails"] == (below or above) == (rule["rule"] in failed)
            dropped += "too_few_words" in failed
    assert dropped


def test_a_difference_is_shown_wherever_it_is_and_is_empty_only_for_equal_texts() -> None:
    long = "\n".join(f"line {i}" for i in range(20_000))
    changed = long.replace("line 15000", "line fifteen thousand")
    assert life.difference(long, long) == []
    assert life.difference(long, changed) == [
        "@@ -15000,3 +15000,3 @@", " line 14999", "-line 15000", "+line fifteen thousand", " line 15001",
    ]  # fmt: skip
    assert life.difference("a\nb", "a\nb\n") == ["... nothing but their line ends"]
    many = life.difference(long, long.replace("line", "row"))
    assert many[-1].startswith("... and ")
    assert len(many) == life.DIFF_LINES + 1


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_a_short_difference_holds_every_line_that_changed(before: list[str], after: list[str]) -> None:
    found = life.difference("\n".join(before), "\n".join(after))
    if len(found) > life.DIFF_LINES:
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
    copy = next(page for page in documents(snapshot) if matches[page["split"]][page["row"]].as_py() == "fuzzy")
    told = call("why", copy["doc_id"].hex(), "--root", finished / "root").stdout
    assert "similarity 0." in told
    assert "This page describes an older version" in told


def test_why_as_json_is_the_same_life(finished: Path, snapshot: Snapshot) -> None:
    url = "https://docs.example/argparse.ArgumentParser"
    told = json.loads(call("why", url, "--root", finished / "root", "--json").stdout)
    assert told == json.loads(json.dumps(life.lives(snapshot, url), default=str))


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
        origin.raw_record(snapshot, found.split, found.document)


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
            found = origin.trace(snapshot.store, None, f"{folder}/{entry['path']}:{row}:{token}")
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
        ("mixtures", "stats"),
        ("report", "stats"),
    ],
)
def test_a_half_written_file_is_named_in_one_line(finished: Path, snapshot: Snapshot, kind: str, command: str) -> None:
    files = [path for path in (finished / "root").rglob("*") if path.is_file()]
    files = [path for path in files if str(path.relative_to(finished / "root")).startswith(kind)]
    files = [path for path in files if path.suffix in (".parquet", ".arrow", ".zst") or kind in ("mixtures", "report")]
    whole = {path: path.read_bytes() for path in files}
    entry = snapshot.store.read_json(snapshot.data["corpus"])["shards"][0]
    shard = f"{snapshot.data['corpus'].rpartition('/')[0]}/{entry['path']}:{entry['rows'] - 1}:1"
    page = {"why": ["https://docs.example/argparse.ArgumentParser"], "find": ["parser"], "trace": [shard]}
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


# The report


def test_the_report_shows_distributions_thresholds_and_samples(finished: Path) -> None:
    stats = json.loads(call("stats", "--root", finished / "root", "--json").stdout)
    survey = stats["survey"]
    assert {row["host"] for row in survey["hosts"]} == {"docs.example", "mirror.example", "old.example", "code.example"}
    assert sum(row["pages"] for row in survey["hosts"]) == stats["totals"]["pages"]
    reasons = {row["reason"] for row in stats["reasons"] if row["bytes"] is not None}
    assert {sample["reason"] for sample in survey["samples"]} == {None, *reasons}
    words = next(entry for entry in survey["histograms"] if entry["column"] == "gopher_num_words")
    assert {"rule": "too_few_words", "side": "min", "value": 50} in words["thresholds"]


def test_thresholds_of_the_mixture_are_those_drawn(tmp_path: Path) -> None:
    from pipeline import reporting

    write_corpus(tmp_path / "in", files=1)
    run_inline(write_mixture(tmp_path / "m.yaml", tmp_path / "in", min_words=77), tmp_path / "root")
    snapshot = snapshots.load(Store(str(tmp_path / "root")))
    assert reporting.thresholds_of(snapshot) == {"too_few_words": 77}
    drawn = next(row["rule"] for row in reporting.stats_of(snapshot)["reasons"] if row["reason"] == "too_few_words")
    assert drawn["threshold"] == 77


def test_costs_tell_pages_and_retries_of_every_stage(finished: Path, snapshot: Snapshot) -> None:
    from pipeline import reporting

    costs = reporting.costs_of(snapshot)
    count = len(documents(snapshot))
    for stage in ("documents", "language", "quality", "signatures", "kept", "survey"):
        assert costs[stage]["pages"] == count
    assert all(entry["retries"] == 0 for entry in costs.values())


def test_retries_are_told_once_for_the_phase_they_happened_in(tmp_path: Path) -> None:
    from pipeline import costs
    from pipeline.engine import Done
    from stages.contract import Task

    store = Store(str(tmp_path))
    kept = Costs(store)
    spent = {"seconds": 1.0, "cpu_seconds": 1.0, "peak_bytes": 5.0}
    for phase, retries in (("kept", 2), ("tokens", 2)):
        for output in ("a", "b"):
            kept.add(phase, Done(Task("m:f", {}, (f"{phase}/{output}",), output), {"rows": 3}, spent, {}))
        kept.retries += retries - 1
        kept.write()
    found = costs.gather(store, {f"{phase}/{output}" for phase in ("kept", "tokens") for output in "ab"})
    assert {stage: (entry["retries"], entry["pages"]) for stage, entry in found.items()} == {
        "kept": (1, 6),
        "tokens": (1, 6),
    }
