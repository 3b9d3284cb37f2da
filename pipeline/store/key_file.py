"""A file of sorted pairs (key, place), two uint64 each (little endian), that is read in blocks, each of them checked.

Layout: the entries; an xxh3-64 of every block of `BLOCK_ENTRIES`; then `TAIL`: the number of entries, an xxh3-64 of
the checksums and that number, and the mark. A file cut short has no mark at its end, one with a wrong byte has a block
that does not match its checksum: either is `DamagedIndex`, at the first question that reads there. A look-up reads
and checks the one or two blocks where its key must be, so that it costs the same for ten pages and ten million.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import xxhash

from pipeline.store.storage import Store

ENTRY_BYTES = 16
BLOCK_ENTRIES = 4096
MARK = b"GMKEYS02"
TAIL = struct.Struct("<QQ8s")


class DamagedIndex(Exception):
    """A file that is not what was written; it holds nothing that cannot be made again."""

    def __init__(self, address: str, what: str) -> None:
        super().__init__(f"{address} {what}")
        self.address = address


def sealed(entries: Any) -> bytes:
    """The bytes of a file of (rows, 2) uint64."""
    data = np.ascontiguousarray(entries, "<u8").tobytes()
    step = BLOCK_ENTRIES * ENTRY_BYTES
    view = memoryview(data)
    sums = [xxhash.xxh3_64_intdigest(view[start : start + step]) for start in range(0, len(data), step)]
    checksums = np.array(sums, "<u8").tobytes()
    return b"".join([data, checksums, tail(len(data) // ENTRY_BYTES, checksums)])


def tail(rows: int, sums: bytes) -> bytes:
    return TAIL.pack(rows, xxhash.xxh3_64_intdigest(sums + rows.to_bytes(8, "little")), MARK)


class Entries:
    """The pairs of a file, read in blocks as they are asked for.

    Raises:
        DamagedIndex: here, or when a block is read.
    """

    def __init__(self, store: Store, address: str) -> None:
        self.address = address
        try:
            self._file = store.open(address)
        except FileNotFoundError as error:
            raise DamagedIndex(address, "is missing") from error
        size = self._file.size()
        end = bytes(self._file.read_at(TAIL.size, max(0, size - TAIL.size)))
        rows, _, mark = TAIL.unpack(end) if len(end) == TAIL.size else (0, 0, b"")
        blocks = -(-rows // BLOCK_ENTRIES)
        if mark != MARK or size != rows * ENTRY_BYTES + blocks * 8 + TAIL.size:
            raise DamagedIndex(address, "is cut short")
        sums = bytes(self._file.read_at(blocks * 8, rows * ENTRY_BYTES))
        if tail(rows, sums) != end:
            raise DamagedIndex(address, "does not match its checksum")
        self._rows, self._sums = rows, np.frombuffer(sums, "<u8")

    def __len__(self) -> int:
        return int(self._rows)

    def __getitem__(self, part: slice) -> Any:
        first, last, _ = part.indices(self._rows)
        if last <= first:
            return np.empty((0, 2), "<u8")
        begin, end = first // BLOCK_ENTRIES, -(-last // BLOCK_ENTRIES)
        start = begin * BLOCK_ENTRIES
        stop = min(end * BLOCK_ENTRIES, self._rows)
        raw = memoryview(self._file.read_at((stop - start) * ENTRY_BYTES, start * ENTRY_BYTES))
        step = BLOCK_ENTRIES * ENTRY_BYTES
        for number in range(begin, end):
            place = (number - begin) * step
            if xxhash.xxh3_64_intdigest(raw[place : place + step]) != int(self._sums[number]):
                raise DamagedIndex(self.address, f"does not match its checksum at byte {number * step}")
        return np.frombuffer(raw, "<u8").reshape(-1, 2)[first - start : last - start]


def places(entries: Any, key: int, limit: int | None) -> Any:
    """The places of a key, at most ``limit``, in order."""
    first = search(entries, key)
    found = []
    taken = 0
    while limit is None or taken < limit:
        block = entries[first : first + BLOCK_ENTRIES]
        count = int(np.searchsorted(block[:, 0], np.uint64(key), "right"))
        found.append(block[:count, 1])
        taken += count
        first += count
        if count < BLOCK_ENTRIES:
            break
    everything = np.concatenate(found) if found else np.empty(0, np.uint64)
    return everything[:limit]


def search(entries: Any, key: int) -> int:
    """Index of the first entry whose key is not below ``key``."""
    low, high = 0, len(entries)
    guess = (high * key) >> 64
    while low < high:
        first = max(low, min(guess - BLOCK_ENTRIES // 2, high - BLOCK_ENTRIES))
        block = entries[first : min(first + BLOCK_ENTRIES, high)][:, 0]
        place = first + int(np.searchsorted(block, np.uint64(key)))
        if first < place < first + len(block) or (place == first == low) or (place == high):
            return place
        low, high = (low, place) if place == first else (place, high)
        guess = (low + high) // 2
    return low
