"""Records read by their ranges: which records of a file are wanted, the requests that bring them, and their bytes.

`Wanted` is what an index says of one file: where each record starts, its bytes, and a check of its address. `requests`
joins near records: two in one request bring what lies between them too, so the smallest gaps are closed first, until a
share of the wanted bytes (``waste``) is spent. `fetched` brings the requests in order, a few under way at once.

Whatever the place (local disk, S3, GCS, web server), `Ranged.get` gives the bytes of a range, or those of them that the
file has; a broken answer goes on at the byte where it broke (`stages.formats.retries`).

Price: `encoded` takes about ten characters a record. Memory: `AHEAD` requests.
"""

from __future__ import annotations

import base64
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from stages.formats.hugging_face import HubFile
from stages.formats.locations import is_http, locate, tagging
from stages.formats.s3 import S3, S3File
from stages.formats.web import HttpRanges

AHEAD = 4
"""Requests under way at once: what hides the time that a store takes to answer."""
WASTE = 0.125
MAX_GAP = 1 << 20
MAX_REQUEST = 8 << 20
MAX_RECORD = 1 << 30
"""Compressed bytes of a record above which an index is not believed."""

Places = npt.NDArray[np.int64]
Request = tuple[int, int, int, int]
"""(first record, one past the last, first byte, one past the last)"""


@dataclass(frozen=True)
class Wanted:
    """Records of one file by their offsets, which rise; N of them.

    ``checks_N`` are `check_of` their addresses, 0 where the index has none. ``waste`` and ``max_request`` are how near
    ones are joined, which changes no byte of what is read.
    """

    offsets_N: Places
    sizes_N: Places
    checks_N: npt.NDArray[np.uint32]
    waste: float = WASTE
    max_request: int = MAX_REQUEST

    def __len__(self) -> int:
        return len(self.offsets_N)

    def part(self, first: int, last: int) -> Wanted:
        """The records numbered [first, last)."""
        cut = slice(first, last)
        return Wanted(self.offsets_N[cut], self.sizes_N[cut], self.checks_N[cut], self.waste, self.max_request)

    def digest(self) -> str:
        """A short name of the records, however they are joined."""
        parts = (self.offsets_N.tobytes(), self.sizes_N.tobytes(), self.checks_N.tobytes())
        return xxhash.xxh3_64_hexdigest(b"".join(parts))

    def encoded(self) -> str:
        """This as a text that travels with a task."""
        gaps_N = np.diff(self.offsets_N, prepend=0)
        head = np.array([len(self), round(self.waste * 1e6), self.max_request], "<i8").tobytes()
        body = gaps_N.astype("<i8").tobytes() + self.sizes_N.astype("<i8").tobytes()
        return base64.b85encode(zlib.compress(head + body + self.checks_N.astype("<u4").tobytes())).decode()

    @staticmethod
    def decoded(text: str) -> Wanted:
        """The ranges of which `encoded` made this text."""
        data = zlib.decompress(base64.b85decode(text))
        count, waste, max_request = np.frombuffer(data, "<i8", 3).tolist()
        numbers = np.frombuffer(data, "<i8", 2 * count, 24).astype(np.int64)
        checks_N = np.frombuffer(data, "<u4", count, 24 + 16 * count).astype(np.uint32)
        return Wanted(np.cumsum(numbers[:count]), numbers[count:], checks_N, waste / 1e6, max_request)


def check_of(url: bytes) -> int:
    """32 bits of xxh64 of an address, never 0."""
    return (xxhash.xxh64_intdigest(url) & 0xFFFFFFFF) or 1


def requests(wanted: Wanted) -> list[Request]:
    """The requests that bring these records, in order; records that overlap come in one.

    Gaps up to `MAX_GAP` are closed from the smallest on (the first of equal ones first), as long as all that are closed
    hold at most ``waste`` of the wanted bytes; then requests above ``max_request`` bytes are cut between records.
    """
    if not len(wanted):
        return []
    ends_N = np.maximum.accumulate(wanted.offsets_N + wanted.sizes_N)
    gaps = np.maximum(wanted.offsets_N[1:] - ends_N[:-1], 0)
    order = np.argsort(gaps, kind="stable")
    spent = np.cumsum(gaps[order])
    closed = np.zeros(len(gaps), np.bool_)
    allowed = (spent <= wanted.waste * int(wanted.sizes_N.sum())) & (gaps[order] <= MAX_GAP)
    closed[order[allowed | (gaps[order] == 0)]] = True
    found: list[Request] = []
    first, begin, end = 0, int(wanted.offsets_N[0]), int(ends_N[0])
    joined, offsets, ends = closed.tolist(), wanted.offsets_N.tolist(), ends_N.tolist()
    for index in range(1, len(offsets)):
        apart = offsets[index] >= end
        if not joined[index - 1] or (apart and ends[index] - begin > wanted.max_request):
            found.append((first, index, begin, end))
            first, begin = index, offsets[index]
        end = ends[index]
    found.append((first, len(offsets), begin, end))
    return found


class Ranged:
    """Ranges of one file, wherever it lies; may be asked from several threads at once.

    Raises:
        FileNotFoundError: where there is none.
    """

    def __init__(self, uri: str) -> None:
        self._http = HttpRanges(uri) if is_http(uri) else None
        self._file: Any = None
        if self._http is None:
            filesystem, path = locate(uri)
            found = tagging(filesystem)
            self._file = (
                S3File(found, path)
                if isinstance(found, S3)
                else HubFile(found, path)
                if found is not None
                else filesystem.open_input_file(path)
            )

    def get(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop), or those of them that the file has."""
        if self._http is not None:
            return self._http.get(start, stop)
        if isinstance(self._file, (S3File, HubFile)):
            return self._file.range(start, stop)
        size = self._file.size()
        return bytes(self._file.read_at(min(stop, size) - start, start)) if start < size else b""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def fetched(file: Ranged, spans: Sequence[Request]) -> Iterator[bytes]:
    """The bytes of each request, in order; at most `AHEAD` of them are under way or wait to be taken."""
    if len(spans) == 1:
        yield file.get(*spans[0][2:])
        return
    with ThreadPoolExecutor(AHEAD) as threads:
        waiting: deque[Future[bytes]] = deque()
        left = iter(spans)
        try:
            while True:
                while len(waiting) < AHEAD and (span := next(left, None)) is not None:
                    waiting.append(threads.submit(file.get, *span[2:]))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
