"""Token shards read where they lie: ``s3://``, ``gs://`` or a web server, through a bounded cache on a local disk.

    from pipeline.reader.remote import RemoteShards

    shards = RemoteShards("s3://bucket/corpus", cache="/local/cache", cache_bytes=200 << 30)
    stream = Stream(Windows(shards, 4096), global_batch_size=512, seed=None, rank=rank, world_size=world_size)

The same as `TokenShards` in all else: positions, windows, resume. The manifest is read once; blocks of 16 MiB come
when they are asked for, and before: `Stream` names what the next batches need (`ahead`). Each block is checked by its
checksum in the manifest; one that is not what was written raises `DamagedShard`. The ranks of a node share the cache
(`pipeline.reader.block_cache`).

A corpus is written in random order, so ``seed=None`` (the order of the shards) trains as well and reads each block
once; a global shuffle reads a block for every window unless the cache holds the corpus.

Price: one request a block, `THREADS` under way. Memory: `block_cache.MAPPED` maps, list offsets of `MOST_OFFSETS`
batches.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import RunError, UserError
from pipeline.reader.block_cache import BlockCache
from pipeline.reader.manifest import BLOCK_BYTES, DamagedShard, manifest_of
from pipeline.reader.shards import Positions, Tokens, TokenShards

try:
    from stages.formats.locations import below, open_file
    from stages.formats.ranges import Ranged
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(f"shards far away need {_error.name}: pip install 'gristmill-reader[remote]'") from None

THREADS = 4
MOST_OFFSETS = 16
MOST_OPEN = 32


class RemoteShards(TokenShards):
    """Documents and tokens of one folder of shards in an object store or on a web server.

    Args:
        uri: where `manifest.json` is; may end in options, as `s3://bucket/corpus?endpoint_override=host:9000`.
        cache: a folder on a local disk.
        cache_bytes: bytes that the cache may take, two blocks of 16 MiB at least.
        split, tokenizer: as for `TokenShards`.

    Raises:
        UserError, WrongTokenizer
    """

    def __init__(
        self,
        uri: str,
        cache: str | Path,
        cache_bytes: int,
        split: str | None = "train",
        tokenizer: dict[str, Any] | None = None,
    ) -> None:
        self.uri = uri
        place = below(uri, "manifest.json")
        try:
            with open_file(place) as file:
                data = file.read()
        except FileNotFoundError:
            raise UserError(f"{place}: no manifest.json here; expected a folder of token shards") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{place}: {error}") from error
        manifest = manifest_of(data, place, Path(uri), split)
        for shard in manifest.shards:
            if len(shard.blocks) != -(-shard.bytes // BLOCK_BYTES):
                raise UserError(
                    f"{place}: {shard.path} has no checksums of its blocks; copy the folder and read it here"
                )
        self.cache = BlockCache(cache, cache_bytes, BLOCK_BYTES)
        self._start()
        super().__init__(manifest, verify="structure", tokenizer=tokenizer)

    def _start(self) -> None:
        """Make the state that belongs to one process."""
        self._process = os.getpid()
        self._guard = Lock()
        self.cache.start()
        self._threads = ThreadPoolExecutor(THREADS)
        self._files: OrderedDict[int, Ranged] = OrderedDict()
        self._requested: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._lists: OrderedDict[int, Positions] = OrderedDict()
        self._last: dict[int, tuple[int, Tokens]] = {}
        """Of one shard: where the block that was read last begins, and its bytes as ids."""

    def __getstate__(self) -> dict[str, Any]:
        own = ("_guard", "_threads", "_files", "_requested", "_lists", "_last", "cache")
        state = {key: value for key, value in super().__getstate__().items() if key not in own}
        return {**state, "cache": (str(self.cache.folder), self.cache.max_bytes)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        folder, max_bytes = state.pop("cache")
        self.__dict__.update(state)
        self.cache = BlockCache(folder, max_bytes, BLOCK_BYTES)
        self._start()

    looks_ahead = True

    def _check_structure(self, number: int) -> None:
        """Nothing is asked of a store before it is read; blocks carry their checksums."""

    # Blocks

    def _block(self, number: int, block: int) -> memoryview:
        shard = self.shards[number]
        if self._process != os.getpid():  # a loader's worker: connections of another process are not ours
            self._start()
        try:
            return self.cache.get(f"{shard.xxh3_128}-{block}", shard.blocks[block], partial(self._fetch, number, block))
        except ValueError as error:
            start = block * BLOCK_BYTES
            raise DamagedShard(
                f"{shard.path}: bytes {start} to {min(start + BLOCK_BYTES, shard.bytes)} under {self.uri} are not those"
                f" written: {error}. Copy this shard again or run the stage again."
            ) from error

    def _fetch(self, number: int, block: int) -> bytes:
        shard = self.shards[number]
        start = block * BLOCK_BYTES
        try:
            return self._open(number).get(start, min(start + BLOCK_BYTES, shard.bytes))
        except FileNotFoundError:
            raise DamagedShard(f"{shard.path}: the manifest names this shard, and it is not in {self.uri}") from None
        except OSError as error:
            raise RunError(f"{below(self.uri, shard.path)}: {error}") from error

    def _open(self, number: int) -> Ranged:
        with self._guard:
            file = self._files.get(number)
            if file is None:
                file = self._files[number] = Ranged(below(self.uri, self.shards[number].path))
                if len(self._files) > MOST_OPEN:
                    self._files.popitem(last=False)
            return file

    def _bytes(self, number: int, position: int, size: int) -> Any:
        """Bytes of a shard: a view where they lie in one block, else a copy."""
        first, last = position // BLOCK_BYTES, (position + max(size, 1) - 1) // BLOCK_BYTES
        if first == last:
            at = position - first * BLOCK_BYTES
            return self._block(number, first)[at : at + size]
        parts = []
        for block in range(first, last + 1):
            start = block * BLOCK_BYTES
            parts.append(self._block(number, block)[max(position - start, 0) : position + size - start])
        return b"".join(parts)

    def ahead(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Begin to bring what holds the tokens at these global positions [start, stop), as far as the cache allows."""
        if self._process != os.getpid():
            self._start()
        most = max(1, self.cache.max_bytes // BLOCK_BYTES // 2)
        for start, stop in ranges:
            for number, block in self._blocks_of(start, min(stop, self.num_tokens)):
                if (number, block) in self._requested:
                    continue
                self._requested[number, block] = None
                while len(self._requested) > most:
                    self._requested.popitem(last=False)
                shard = self.shards[number]
                fetch = partial(self._fetch, number, block)
                self._threads.submit(self.cache.bring, f"{shard.xxh3_128}-{block}", shard.blocks[block], fetch)

    def _blocks_of(self, start: int, stop: int) -> Iterable[tuple[int, int]]:
        size = self.dtype.itemsize
        segment = bisect_right(self._token_starts, start) - 1
        while start < stop:
            number, batch = self._segments[segment]
            base, end = self._token_starts[segment], min(stop, self._token_starts[segment + 1])
            first = (batch.values_position + (start - base) * size) // BLOCK_BYTES
            last = (batch.values_position + (end - base) * size - 1) // BLOCK_BYTES
            yield from ((number, block) for block in range(first, last + 1))
            start, segment = end, segment + 1

    # Reads that TokenShards makes by maps

    def _values(self, segment: int, start: int, stop: int) -> Tokens:
        number, batch = self._segments[segment]
        size = self.dtype.itemsize
        return np.frombuffer(
            self._bytes(number, batch.values_position + start * size, (stop - start) * size), self.dtype
        )

    def _offsets(self, segment: int) -> Positions:
        found = self._lists.get(segment)
        if found is None:
            number, batch = self._segments[segment]
            data = self._bytes(number, batch.offsets_position, 8 * (batch.rows + 1))
            found = self._lists[segment] = np.frombuffer(bytes(data), np.int64)
            if found[0] != 0 or found[-1] != batch.tokens:
                raise DamagedShard(
                    f"{self.shards[number].path}: list offsets at byte {batch.offsets_position} are wrong"
                )
            if len(self._lists) > MOST_OFFSETS:
                self._lists.popitem(last=False)
        return found

    def arrays(self, segment: int) -> tuple[Tokens, Positions]:
        """Token ids and list offsets (rows + 1, from 0) of one record batch; a copy where it is in several blocks."""
        return self._values(segment, 0, self._segments[segment][1].tokens), self._offsets(segment)

    def doc_ids(self, segment: int) -> npt.NDArray[np.void]:
        """The 16-byte doc_ids of one record batch, as an array of raw 16-byte items."""
        number, batch = self._segments[segment]
        return np.frombuffer(self._bytes(number, batch.doc_id_position, 16 * batch.rows), np.dtype("V16"))
