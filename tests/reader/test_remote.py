"""Shards read where they lie: the same tokens as from a disk, a cache within its bound, and damage told by name."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import xxhash

from pipeline.errors import RunError, UserError
from pipeline.reader import DamagedShard, Packed, Stream, TokenShards, Windows, remote
from pipeline.reader import shards as local_shards
from pipeline.reader.block_cache import BlockCache
from pipeline.reader.remote import RemoteShards
from stages.formats import retries
from stages.formats.locations import locate
from tests.support.range_server import RangeServer
from tests.support.shard_folders import random_documents, write_folder

BLOCK = 1 << 13
LENGTH = 64


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (remote, local_shards):
        monkeypatch.setattr(module, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    documents = random_documents(1500, seed=3)
    write_folder(folder, [[documents[:350], documents[350:750]], [documents[750:]]], block_bytes=BLOCK)
    return folder


def batches(shards: TokenShards, **settings: Any) -> list[dict[str, Any]]:
    stream = Stream(Windows(shards, LENGTH, boundaries=True), 16, epochs=1, **settings)
    return list(stream)


def same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    return len(ours) == len(theirs) and all(
        np.array_equal(a[key], b[key]) for a, b in zip(ours, theirs, strict=True) for key in a
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 1])
def test_training_batches_are_those_of_local_files(folder: Path, tmp_path: Path, seed: int | None) -> None:
    local = TokenShards(folder)
    with RangeServer(folder, rate=0.1, seed=2) as server:
        shards = RemoteShards(server.address, tmp_path / "cache", 8 * BLOCK)
        assert same(batches(shards, seed=seed), batches(local, seed=seed))
        assert shards.manifest.identity == local.manifest.identity
        assert np.array_equal(shards.document(1234), local.document(1234))
        assert np.array_equal(shards.doc_ids(1), local.doc_ids(1))
        packed = [Packed(one, LENGTH).batch(range(20)) for one in (shards, local)]
        assert np.array_equal(packed[0]["input_ids"], packed[1]["input_ids"])
    assert shards.cache.bytes_held() <= 8 * BLOCK


def test_in_the_order_of_the_shards_each_block_is_asked_for_once(folder: Path, tmp_path: Path) -> None:
    with RangeServer(folder) as server:
        shards = RemoteShards(server.address, tmp_path / "cache", 16 * BLOCK)
        before = server.counts["requests"]
        batches(shards, seed=None)
        blocks = sum(len(shard.blocks) for shard in shards.shards)
        assert blocks > 16
        assert server.counts["requests"] - before <= blocks + 2 * len(shards.shards)


def test_a_second_rank_and_a_second_run_ask_for_nothing(folder: Path, tmp_path: Path) -> None:
    with RangeServer(folder) as server:
        first = batches(RemoteShards(server.address, tmp_path / "cache", 1 << 30), seed=None)
        server.counts.clear()
        again = RemoteShards(server.address, tmp_path / "cache", 1 << 30)
        assert same(batches(again, seed=None), first)
        assert server.counts["requests"] == 1  # the manifest
        copy = pickle.loads(pickle.dumps(again))
        assert same(batches(copy, seed=None), first)


def test_a_run_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    with RangeServer(folder) as server:
        shards = RemoteShards(server.address, tmp_path / "cache", 1 << 30)
        whole = batches(shards, seed=5)
        stream = Stream(Windows(shards, LENGTH, boundaries=True), 16, epochs=1, seed=5)
        stream.resume(stream.state(whole[9]["consumed_samples"]))
        assert same(list(stream), whole[10:])


def test_s3(folder: Path, tmp_path: Path, s3: str) -> None:
    filesystem, _ = locate("s3://corpora" + s3)
    filesystem.create_dir("corpora")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                filesystem.handler.put(f"corpora/a b/{path.relative_to(folder)}", file, path.stat().st_size)
    shards = RemoteShards(f"s3://corpora/a b{s3}", tmp_path / "cache", 8 * BLOCK)
    assert same(batches(shards, seed=None), batches(TokenShards(folder), seed=None))


def _read_for_ever(address: str, cache: str) -> None:
    remote.BLOCK_BYTES = BLOCK
    while True:
        batches(RemoteShards(address, cache, 4 * BLOCK), seed=3)


def test_ranks_that_are_killed_leave_a_cache_that_serves_and_keeps_its_bound(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    context = multiprocessing.get_context("fork")
    with RangeServer(folder) as server:
        for _ in range(3):
            ranks = [context.Process(target=_read_for_ever, args=(server.address, str(cache))) for _ in range(2)]
            for rank in ranks:
                rank.start()
            for _ in range(8):
                time.sleep(0.05)
                assert BlockCache(cache, 4 * BLOCK, BLOCK).bytes_held() <= 4 * BLOCK
            for rank in ranks:
                os.kill(rank.pid or 0, signal.SIGKILL)
                rank.join()
        shards = RemoteShards(server.address, cache, 4 * BLOCK)
        assert same(batches(shards, seed=None), batches(TokenShards(folder), seed=None))
    assert not [one for one in (cache / "blocks").iterdir() if one.name.startswith(".")]


# What is wrong


def test_a_loader_that_is_forked_while_a_block_is_brought_waits_for_nobody(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 64, 32)
    brought, forked = Event(), Event()

    def slowly() -> bytes:
        brought.set()
        assert forked.wait(60)
        return b"block"

    digest = xxhash.xxh3_64_hexdigest(b"block")
    thread = Thread(target=cache.bring, args=("a", digest, slowly))
    thread.start()
    assert brought.wait(60)
    context = multiprocessing.get_context("fork")  # as PyTorch's loader starts workers; it holds the open lock, too
    worker = context.Process(target=_bring_when_there, args=(tmp_path, digest))
    worker.start()
    forked.set()
    thread.join(60)
    (tmp_path / "blocks" / "a").unlink()
    (tmp_path / "go").touch()
    worker.join(30)
    try:
        assert worker.exitcode == 0
        assert (tmp_path / "blocks" / "a").read_bytes() == b"block"
    finally:
        worker.kill()


def test_a_loader_whose_parent_is_killed_while_it_brings_a_block_holds_no_lock(tmp_path: Path) -> None:
    digest = xxhash.xxh3_64_hexdigest(b"block")
    parent = multiprocessing.get_context("fork").Process(target=_fork_while_it_brings, args=(tmp_path, digest))
    parent.start()
    until(lambda: (tmp_path / "forked").exists())
    parent.kill()
    parent.join()
    (tmp_path / "go").touch()
    try:
        until(lambda: (tmp_path / "blocks" / "a").exists())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int((tmp_path / "forked").read_text()), signal.SIGKILL)


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)


def _fork_while_it_brings(folder: Path, digest: str) -> None:
    begun = Event()

    def never() -> bytes:
        begun.set()
        time.sleep(600)
        return b""

    Thread(target=BlockCache(folder, 64, 32).bring, args=("a", digest, never), daemon=True).start()
    assert begun.wait(60)
    child = os.fork()
    if not child:
        try:
            _bring_when_there(folder, digest)
        finally:
            os._exit(0)
    (folder / "pid").write_text(str(child))
    (folder / "pid").rename(folder / "forked")
    time.sleep(600)


def _bring_when_there(folder: Path, digest: str) -> None:
    while not (folder / "go").exists():
        time.sleep(0.01)
    assert BlockCache(folder, 64, 32).get("a", digest, lambda: b"block") == b"block"


def test_a_block_that_is_not_what_was_written_is_named(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shard = next(copy.glob("train/*.arrow"))
    data = bytearray(shard.read_bytes())
    data[3 * BLOCK + 5] ^= 1
    shard.write_bytes(data)
    with RangeServer(copy) as server:
        shards = RemoteShards(server.address, tmp_path / "cache", 8 * BLOCK)
        with pytest.raises(DamagedShard, match=rf"{shard.name}: bytes {3 * BLOCK} to {4 * BLOCK}"):
            batches(shards, seed=None)


def test_damage_in_the_cache_is_brought_anew(folder: Path, tmp_path: Path) -> None:
    with RangeServer(folder) as server:
        expected = batches(RemoteShards(server.address, tmp_path / "cache", 1 << 30), seed=None)
        for path in (tmp_path / "cache" / "blocks").iterdir():
            path.write_bytes(b"x" * BLOCK)
        assert same(batches(RemoteShards(server.address, tmp_path / "cache", 1 << 30), seed=None), expected)


@pytest.mark.parametrize(("status", "said"), [(403, "HTTP 403"), (404, "no manifest.json here")])
def test_what_is_not_there_is_told_in_one_line(folder: Path, tmp_path: Path, status: int, said: str) -> None:
    with RangeServer(folder, status=status) as server, pytest.raises(UserError, match=said) as caught:
        RemoteShards(server.address, tmp_path / "cache", 8 * BLOCK)
    assert "\n" not in str(caught.value)


def test_a_missing_shard_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "manifest.json").write_bytes((folder / "manifest.json").read_bytes())
    with RangeServer(tmp_path / "alone") as server:
        shards = RemoteShards(server.address, tmp_path / "cache", 8 * BLOCK)
        with pytest.raises((DamagedShard, RunError), match="arrow"):
            shards.tokens(0, 10)


def test_a_cache_that_cannot_be_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Not a directory"):
        BlockCache(tmp_path / "file", 1 << 30, BLOCK)
    with pytest.raises(UserError, match="at least two blocks"):
        BlockCache(tmp_path / "cache", BLOCK, BLOCK)


def test_a_cache_of_another_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write there shares it; who may not, be it another user's or read-only, is told so in one line."""
    cache = BlockCache(tmp_path / "cache", 1 << 30, BLOCK)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "cache" / "locks" / "write"))

    monkeypatch.setattr(Path, "open", refused)
    for ask in (lambda: BlockCache(tmp_path / "cache", 1 << 30, BLOCK), lambda: cache.get("a", "0" * 16, lambda: b"x")):
        with pytest.raises(UserError, match="Permission denied") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xxhash

    cache = BlockCache(tmp_path / "cache", 1 << 30, BLOCK)

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device; give a folder"):
        cache.get("a", xxhash.xxh3_64_hexdigest(b"x"), lambda: b"x")


def test_a_uri_given_to_the_local_reader_leads_to_this_one() -> None:
    with pytest.raises(UserError, match="RemoteShards"):
        TokenShards("s3://bucket/corpus")
