"""Google Cloud Storage, on loopback: roots, input and token shards lie there as they do on a disk."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.reader import TokenShards, remote, shards
from pipeline.reader.remote import RemoteShards
from pipeline.store.storage import Store
from stages.formats import retries
from stages.formats.locations import locate
from stages.sources import SourceParams, list_splits
from tests.support.archives import read, record
from tests.support.gcs_server import gcs_server
from tests.support.shard_folders import random_documents, write_folder

NAMES = ("plain.json", "a b.json", "ü#1?.json", "deep/er/x.json", "100%.json")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)


@pytest.fixture(scope="module")
def options() -> Iterator[str]:
    with gcs_server("bucket") as options:
        yield options


def upload(folder: Path, place: str) -> None:
    """The files of a folder as objects."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        filesystem, target = locate(place.format(path.relative_to(folder).as_posix()))
        with path.open("rb") as file:
            filesystem.handler.put(target, file, path.stat().st_size)


def test_files_of_a_root_are_written_listed_read_and_removed(options: str) -> None:
    store = Store(f"gs://bucket/a root{options}")
    for number, name in enumerate(NAMES):
        store.write_json(name, {"number": number})
    assert sorted(address for address, _ in store.list("")) == sorted(NAMES)
    assert [store.read_json(name)["number"] for name in NAMES] == [0, 1, 2, 3, 4]
    assert (store.exists("deep/er/x.json"), store.exists("deep/y.json")) == (True, False)
    store.remove("deep")  # of whose own name there is no object
    store.remove("plain.json")
    store.remove("nowhere")
    assert sorted(address for address, _ in store.list("")) == sorted(NAMES[1:3] + NAMES[4:])


def test_a_service_that_refuses_some_requests_is_asked_again() -> None:
    with gcs_server("bucket", fail_every=4) as options:
        store = Store(f"gs://bucket/root{options}")
        store.write_json("x.json", {"number": 1})
        assert store.read_json("x.json")["number"] == 1


def test_pages_are_read_as_those_of_a_disk(tmp_path: Path, options: str) -> None:
    (tmp_path / "in" / "web").mkdir(parents=True)
    for name in ("a", "ü b"):
        pages = [record(f"<p>Page {k} of {name}.".encode(), url=f"https://example.org/{name}/{k}") for k in range(30)]
        (tmp_path / "in" / "web" / f"{name}.warc.gz").write_bytes(b"".join(gzip.compress(page) for page in pages))
    upload(tmp_path / "in", "gs://bucket/in/{}" + options)
    [here, there] = (
        list_splits("web", SourceParams(paths=(place,), group_bytes=0))
        for place in (f"{tmp_path}/in/web/*.warc.gz", f"gs://bucket/in/web/*.warc.gz{options}")
    )
    assert [split.file for split in there] == [split.file for split in here]
    assert [read(split)[0] for split in there] == [read(split)[0] for split in here]


def test_shards_are_read_where_they_lie(tmp_path: Path, options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (remote, shards):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1 << 14)
    write_folder(tmp_path / "shards", [[random_documents(300, seed=1)]], block_bytes=1 << 14)
    upload(tmp_path / "shards", "gs://bucket/shards/{}" + options)
    here = TokenShards(tmp_path / "shards")
    there = RemoteShards(f"gs://bucket/shards{options}", tmp_path / "cache", 1 << 24)
    assert np.array_equal(here.tokens(0, here.num_tokens), there.tokens(0, here.num_tokens))
