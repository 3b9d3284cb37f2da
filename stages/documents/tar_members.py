"""Members of tar archives in a stream, read forwards once: of one archive after the other, and behind damage.

`cat a.tar b.tar` makes a file of two archives, of which `tarfile` (and `tar` without ``-i``) reads the first: here the
next archive is looked for behind the NULs that end one. Where a header is none, what is known is lost with it; reading
goes on at the next block that is one (its checksum is true, and it says `ustar`).

Price: no more than the last 64 KiB are remembered, and one member's header, however many there are.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from stages.documents.files import problem_of

BLOCK = 32 << 10
"""Bytes read at a time; less than `LastBlocks` remembers, so that what a cut archive has of a member is found."""
HEADER = 512
MAGIC, MAGIC_AT = b"ustar", 257
UTF8: dict[str, Any] = {"encoding": "utf-8", "errors": "replace"}
"""How names are read: not as the machine has its own; a byte that is no UTF-8 is U+FFFD."""


class Member(NamedTuple):
    """A member that is a file, a folder, a link."""

    info: tarfile.TarInfo
    place: int
    """The byte of its header in the stream."""
    archive: tarfile.TarFile
    kept: LastBlocks

    def pieces(self) -> Iterator[bytes]:
        """The bytes of a file, in order; fewer than its size where the archive is cut."""
        content = self.archive.extractfile(self.info)
        assert content is not None  # `isfile()` said so
        at = 0
        try:
            while block := content.read(BLOCK):
                at += len(block)
                yield block
        except tarfile.TarError:  # what follows in the archive says it again
            yield self.kept.since(self.place - self.info.offset + self.info.offset_data + at)


def members(stream: Any, damage: Callable[[int, str], None]) -> Iterator[Member]:
    """The members of all archives in a stream; ``damage`` is called with (place, reason) of each unreadable stretch."""
    kept = LastBlocks(stream)
    base = 0
    while base >= 0:
        place = behind = base
        is_end = False
        try:
            with tarfile.open(fileobj=kept, mode="r|", **UTF8) as archive:  # type: ignore[call-overload]
                while (info := archive.next()) is not None:
                    archive.members.clear()
                    place, behind = base + info.offset, base + archive.offset
                    yield Member(info, place, archive, kept)
                place = behind = base + archive.offset
                is_end = kept.is_end(place)
        except tarfile.TarError:
            pass
        problem = problem_of(stream) or (None if is_end else "damaged_tar")
        if problem is not None:
            damage(place, problem)
        base, garbage = kept.go_to_header(behind + (0 if is_end else HEADER), is_end)
        if base >= 0 and garbage >= 0:
            damage(garbage, "damaged_tar")
    if problem is None and problem_of(stream) is not None:
        damage(behind, problem_of(stream))  # type: ignore[arg-type]


class LastBlocks:
    """A stream that remembers what was read last: `tarfile` ends at a header that is none as it does at the end, and
    has then read more than it gives."""

    KEPT = 1 << 16
    MOST_EMPTY = 8
    """Reads of an archive behind the end of the stream: `tarfile` goes on to any place in steps, and a damaged size
    takes it as many steps as there are to exabytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._last = b""
        self._ahead = b""
        """To be read before what the stream has."""
        self._at = 0
        """Where what is remembered ends."""
        self._num_empty = 0

    def read(self, size: int) -> bytes:
        """Raises tarfile.ReadError: the end is long gone."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        if len(data) < size:
            data += self._stream.read(size - len(data))
        self._num_empty += not data
        if self._num_empty > self.MOST_EMPTY:
            raise tarfile.ReadError("read behind the end")
        self._last = (self._last + data)[-self.KEPT :]
        self._at += len(data)
        return data

    def since(self, place: int) -> bytes:
        """The bytes that were read from a byte of the stream on."""
        begin = place - (self._at - len(self._last))
        return self._last[begin:] if begin >= 0 else b""

    def is_end(self, place: int) -> bool:
        """Whether an archive may end here: NULs, or the end of the stream."""
        begin = place - (self._at - len(self._last))
        return begin >= 0 and not self._last[begin : begin + HEADER].strip(b"\0")

    def go_to_header(self, place: int, is_end: bool) -> tuple[int, int]:
        """Go on at the first header from a place on; its place, -1 behind the last byte of the stream, if there is
        none. Behind an end (``is_end``) it is the first block that is not all NULs; where that is none, its place is
        the second number (else -1), and the next header is looked for."""
        self._num_empty = 0
        held = self.since(place)
        self._last = self._last[: len(self._last) - len(held)]
        self._at -= len(held)
        self._ahead = held + self._ahead
        while self._at < place and self.read(min(BLOCK, place - self._at)):
            pass
        garbage = -1
        while block := self._blocks():
            at = _first(block) if is_end else block.find(MAGIC, MAGIC_AT)
            while at >= 0:
                start = at - at % HEADER
                if (is_end or at % HEADER == MAGIC_AT) and is_header(block[start : start + HEADER]):
                    return self.go_to_start(block, start), garbage
                if is_end:
                    garbage, is_end = self._at - len(block) + start, False
                at = block.find(MAGIC, at + 1)
        return -1, garbage

    def go_to_start(self, block: bytes, start: int) -> int:
        """Go back to a byte of the block that was read last, and say where it is in the stream."""
        self._ahead = block[start:] + self._ahead
        self._at -= len(block) - start
        self._last = b""
        return self._at

    def _blocks(self) -> bytes:
        """The next whole blocks: streams may give less than they are asked for."""
        data = self.read(BLOCK)
        while len(data) % HEADER and (more := self.read(HEADER - len(data) % HEADER)):
            data += more
        return data


def _first(block: bytes) -> int:
    """Where the first byte that is no NUL stands; -1 if there is none."""
    return len(block) - len(block.lstrip(b"\0")) if block.strip(b"\0") else -1


def is_header(block: bytes) -> bool:
    """Whether 512 bytes are the header of a member."""
    try:
        tarfile.TarInfo.frombuf(block, **UTF8)
    except tarfile.TarError:
        return False
    return True
