"""Key indices: every page is found, whatever was damaged."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recipe import pages
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store import key_file, key_index
from pipeline.store.storage import Store
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.urls import keys as url_keys
from stages.report import hosts as report_hosts
from stages.sources import crawl_index
from tests.support.answers import documents, made
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def snapshot(finished: Path) -> Snapshot:
    return snapshots.load(Store(str(finished / "root")))


@given(
    st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 5, 2**63, 2**64 - 1]), max_size=60),
    st.integers(1, 50),
    st.data(),
)
def test_places_of_a_key_are_all_its_places_in_order(values: list[int], repeats: int, data: st.DataObject) -> None:
    everything = np.array(values * repeats, np.uint64)
    entries = key_index.sorted_pairs([(everything, np.arange(len(everything), dtype=np.uint64))])
    key = data.draw(st.integers(0, 2**64 - 1) | st.sampled_from([*values, 5]))
    slow = [place for place, value in enumerate(values * repeats) if value == key]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_file, "BLOCK_ENTRIES", 8)
        assert key_file.places(entries, key, None).tolist() == slow
        assert key_file.places(entries, key, 3).tolist() == slow[:3]


def host_of(url: str) -> str:
    """The host of one URL: what the compiled loop must find."""
    match = re.match(url_keys.HOST, url)
    name = match["host"].rstrip(".") if match else ""
    return name.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


@settings(deadline=None)  # the first example loads the kernel
@given(st.lists(st.text(st.sampled_from("ab:/@?#.+-1 AZ\u00c9\U0001f680"), max_size=24), max_size=30))
def test_compiled_keys_of_urls_and_hosts_are_those_of_single_strings(texts: list[str]) -> None:
    urls = [*texts, *(f"http://{text}" for text in texts), "http://a./b", "http://a..:80", "http://u@./"]
    found, hosts = url_keys.url_keys(*text_buffers(pa.array(urls, pa.string())))
    assert found.tolist() == [url_keys.key_of(url.encode()) for url in urls]
    names = [host_of(url) for url in urls]
    assert names == key_index.hosts_of(pa.array(urls, pa.string())).to_pylist()
    assert hosts.tolist() == [url_keys.key_of(name.encode()) if name else 0 for name in names]


def test_a_dot_at_the_end_of_a_host_names_the_same_host() -> None:
    urls = ["http://bad.example/1", "http://BAD.example./2", "http://u:p@bad.example.:8080/3", "http://bad.examples/4"]
    names = ["bad.example"] * 3 + ["bad.examples"]
    assert key_index.hosts_of(pa.array(urls)).to_pylist() == names
    _, hosts = url_keys.url_keys(*text_buffers(pa.array(urls)))
    assert [key == url_keys.key_of(b"bad.example") for key in hosts.tolist()] == [True, True, True, False]
    assert report_hosts.hosts_of(pa.chunked_array([urls])).to_pylist() == names
    assert crawl_index.hosts_of(pa.array(urls)).to_pylist() == names


def test_segments_hold_whole_files_up_to_a_size_and_more_files_leave_the_full_ones_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_index, "SEGMENT_ROWS", 10)
    files = [(f"d/{number}", rows) for number, rows in enumerate((4, 6, 1, 30, 2))]
    found = key_index.segments(files)
    assert [segment["files"] for segment in found] == [["d/0", "d/1"], ["d/2"], ["d/3"], ["d/4"]]
    assert [segment["first"] for segment in found] == [0, 2, 3, 4]
    more = key_index.segments([*files, ("d/5", 9)])
    assert [segment["folder"] for segment in more[:4]] == [segment["folder"] for segment in found]


def test_an_index_of_many_segments_answers_as_one_of_one(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_index, "SEGMENT_ROWS", 50)
    files = pages.files_of(snapshot)
    index = key_index.KeyIndex(snapshot.store, "many", lambda: files, urls=True, say=print, keep=False)
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
    index = key_index.KeyIndex(snapshot.store, "refused", lambda: pages.files_of(snapshot), urls=True, say=print)
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
    messages: list[str] = []
    pages.index_of(snapshot, messages.append).find("url", "x")
    for manifest in (snapshot.data["corpus"], *snapshot.data["shards"].values()):
        key_index.shard_index(snapshot.store, manifest, messages.append).find("doc_id", b"x" * 16)
    assert messages == []
    files = [address for address, _ in snapshot.store.list("runs/index")]
    assert {address.rpartition("/")[2] for address in files} >= {"doc_id.keys", "url.keys", "host.keys"}


def test_without_an_index_the_first_question_makes_it(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    run_inline(write_mixture(tmp_path / "m.yaml", tmp_path / "in"), tmp_path / "root")
    snapshot = snapshots.load(Store(str(tmp_path / "root")))
    snapshot.store.remove("runs/index")
    messages: list[str] = []
    for _ in range(2):
        assert pages.index_of(snapshot, messages.append).find("host", "docs.example")
    assert len(messages) == 1


def test_rows_without_a_url_are_found_by_doc_id_alone() -> None:
    ids = pa.array([bytes([n] * 16) for n in range(4)], pa.binary(16))
    table = pa.table({"doc_id": ids, "url": pa.array(["http://A.b/x", None, "no url", None], pa.string())}).slice(1, 3)
    found = key_index.keys_of(table, ("doc_id", "url", "host"))
    assert found["doc_id"][1].tolist() == [0, 1, 2]
    assert (found["url"][1].tolist(), found["host"][1].tolist()) == ([1], [])
    assert key_index.hosts_of(table.column("url").drop_null()).to_pylist() == [""]


@pytest.mark.parametrize("damage", ["cut", "flipped in an entry", "flipped in a checksum", "empty", "gone", "list"])
def test_a_damaged_index_is_noticed_made_again_and_answers_right(snapshot: Snapshot, damage: str) -> None:
    index = pages.index_of(snapshot)
    page = documents(snapshot)[17]
    expected = [(page["split"], page["row"])]
    assert index.find("doc_id", page["doc_id"]) == expected
    listed = Path(snapshot.store.path(index.address))
    folder = json.loads(listed.read_bytes())["segments"][0]["folder"]
    path = Path(snapshot.store.path(f"{folder}/doc_id.keys"))
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "list":
        listed.write_bytes(listed.read_bytes()[:30])
    else:
        place = whole.index(page["doc_id"][:8])
        bad = {"cut": whole[: len(whole) // 2], "empty": b"", "flipped in an entry": flipped(whole, place + 9)}
        path.unlink()  # another file: the old one is mapped
        path.write_bytes(bad.get(damage, flipped(whole, len(whole) - 30)))
    messages: list[str] = []
    assert pages.index_of(snapshot, messages.append).find("doc_id", page["doc_id"]) == expected
    assert len(messages) == 1
    assert "\n" not in messages[0]
    if damage in ("cut", "flipped in an entry", "flipped in a checksum", "empty"):
        assert messages[0].startswith(f"{folder}/doc_id.keys ")
    assert path.read_bytes() == whole
    messages.clear()
    assert pages.index_of(snapshot, messages.append).find("doc_id", page["doc_id"]) == expected
    assert messages == []


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_an_index_of_another_version_is_none(snapshot: Snapshot) -> None:
    index = pages.index_of(snapshot)
    assert index.find("host", "docs.example")
    found = snapshot.store.read_json(index.address)
    snapshot.store.write_json(index.address, found | {"version": 1})
    assert not index.ready()
    messages: list[str] = []
    assert pages.index_of(snapshot, messages.append).find("host", "docs.example")
    assert len(messages) == 1


@given(st.integers(0, 40), st.data())
def test_entries_come_back_from_a_file_whatever_part_is_asked_for(rows: int, data: st.DataObject) -> None:
    entries = np.arange(2 * rows, dtype=np.uint64).reshape(-1, 2)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(key_file, "BLOCK_ENTRIES", 8)
        store = Store(folder)
        store.write_bytes("a.keys", key_file.sealed(entries))
        found = key_file.Entries(store, "a.keys")
        first, last = data.draw(st.integers(0, 45)), data.draw(st.integers(0, 45))
        assert found[first:last].tolist() == entries[first:last].tolist()
        assert len(found) == rows
        if rows:
            whole = store.read_bytes("a.keys")
            Path(store.path("b.keys")).write_bytes(flipped(whole, data.draw(st.integers(0, len(whole) - 1))))
            with pytest.raises(key_file.DamagedIndex):
                _ = key_file.Entries(store, "b.keys")[0:rows]
