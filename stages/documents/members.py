"""Compressed members: a WARC or ARC file as chunks of plain bytes, each with the place it came from.

A ``.warc.gz`` is a row of gzip members, usually one a record. `pieces` inflates member by member, holds one piece of
at most `PIECE` bytes at a time, and says where each member starts. What cannot be inflated is a `Chunk` with a
``problem``; reading goes on at the next member that starts a record. Damage costs the members it touches, no more.

Whole gzip members that lie in one block, which is to say nearly all, come many at a time as a `Run`, inflated by
libdeflate (`deflate`) at their full size; any other goes through igzip (`isal`), zstd through `zstandard` (a dictionary
in a leading skippable frame is honoured), LZ4 frames through Arrow, bz2 and xz through Python; uncompressed files come
in pieces. Price: inflating alone, plus a scan of the damaged stretches.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Generator
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
import zstandard
from deflate import DeflateError, gzip_decompress
from isal import igzip_lib

from stages.documents.inflaters import (
    INFLATE_ERRORS,
    LZ4_MAGIC,
    XZ_MEMORY,
    Inflater,
    Lz4Inflater,
    bz2_inflater,
    zstd_inflater,
)
from stages.kernels.warc.record_heads import member_edges

PIECE = 1 << 20
"""Most bytes one chunk holds."""
BLOCK = 256 << 10
"""Bytes read from a file at a time. Larger ones and larger pieces are slower: they leave the processor's cache."""
FIRST_FEED = 16 << 10
"""Compressed bytes offered to a new member at first: most records fit, and little is copied when they do."""
HELD = 16 << 20
"""Most plain bytes held because a member may be cut."""
RUN_BYTES = 1 << 20
"""Plain bytes after which a run of members ends."""
RUN_MEMBERS = 1024

MAGIC = {
    "gzip": b"\x1f\x8b\x08",
    "zstd": b"\x28\xb5\x2f\xfd",
    "lz4": LZ4_MAGIC,
    "bz2": b"BZh",
    "xz": b"\xfd7zXZ\0",
}
MARK = max(map(len, MAGIC.values()))
ZSTD_SKIPPABLE = tuple(bytes([0x50 + i, 0x2A, 0x4D, 0x18]) for i in range(16))
ZSTD_DICTIONARY = b"\x5d\x2a\x4d\x18"


class Chunk(NamedTuple):
    """Bytes of one member, or a problem: then ``data`` is empty and what follows does not continue what came before."""

    data: bytes
    offset: int
    """Start of the member in the file; in an uncompressed file, where ``data`` starts."""
    fresh: bool
    """The first bytes of a member."""
    problem: str | None = None
    stop: int | None = None
    """With a problem: where another member begins in the file, from which on no byte is one of this member."""


class Run(NamedTuple):
    """Whole members, one after the other: the plain bytes of each, and where it starts in the file."""

    members: list[bytearray]
    places: list[int]


Pieces = Generator[Chunk | Run, bool | None, None]


class Window:
    """A file read forwards in blocks; keeps what has not been consumed. ``at`` is the file offset of ``data[0]``."""

    def __init__(self, file: Any, start: int = 0) -> None:
        self.file = file
        file.seek(start)
        self.at = start
        self.data = memoryview(b"")
        self.ended = False

    def ensure(self, position: int, count: int) -> int:
        """Bytes available at file offset ``position``, after reading until there are ``count`` or the file ends.

        A position that has been let go is read again: what is sought after damage may be in the damaged member.
        """
        if position < self.at:
            self.file.seek(position)
            self.at, self.data, self.ended = position, memoryview(b""), False
        have = self.at + len(self.data) - position
        while have < count and not self.ended:
            block = self.file.read(max(BLOCK, count - have))
            if not block:
                self.ended = True
                break
            kept = self.data[max(0, position - self.at) :]
            self.at += len(self.data) - len(kept)
            self.data = memoryview(bytes(kept) + block if len(kept) else block)
            have = self.at + len(self.data) - position
        return have

    def peek(self, position: int, count: int) -> memoryview:
        self.ensure(position, count)
        start = position - self.at
        return self.data[start : start + count]

    def find(self, needle: bytes, position: int) -> int:
        """File offset of the next ``needle`` at or after ``position``, -1 if there is none."""
        while self.ensure(position, len(needle)) >= len(needle):
            found = bytes(self.data[position - self.at :]).find(needle)
            if found >= 0:
                return position + found
            position = self.at + len(self.data) - len(needle) + 1
        return -1


def pieces(
    file: Any, compression: str, starts_record: Callable[[bytes], bool], start: int = 0, end: int | None = None
) -> Pieces:
    """The plain bytes of ``file``: members that start in [``start``, ``end``), each to its end.

    ``compression`` is what the first bytes say (`sniff`). ``starts_record`` tells whether bytes begin a record; it
    decides where reading goes on after damage, and where it begins when ``start`` is not 0. Sending True to the
    generator gives up the present member.
    """
    if compression == "none":
        yield from _plain(Window(file))
        return
    members = _Members(Window(file), compression, starts_record)
    position = members.prepare(0)
    if start:
        members.window = Window(file, max(start, position))
        position = members.search(members.window.at)
    while position >= 0 and (end is None or position < end):
        if compression == "gzip":
            position = yield from members.runs(position, end)
        if end is None or position < end:
            position = yield from members.member(position)
    while position >= 0 and not members.begins_record(position):  # the rest of a record that began before the end
        position = yield from members.member(position)


def sniff(head: bytes) -> str:
    """Compression by the first bytes of a file."""
    if head.startswith(ZSTD_SKIPPABLE):
        return "zstd"
    for name, magic in MAGIC.items():
        if head.startswith(magic):
            return name
    return "none"


def _plain(window: Window) -> Pieces:
    position = 0
    while data := bytes(window.peek(position, BLOCK)):
        yield Chunk(data, position, position == 0)
        position += len(data)


class _Members:
    """Walks the members of one file."""

    def __init__(self, window: Window, compression: str, starts_record: Callable[[bytes], bool]) -> None:
        self.window = window
        self.compression = compression
        self.magic = MAGIC[compression]
        self.starts_record = starts_record
        self.dictionary: zstandard.ZstdCompressionDict | None = None

    def prepare(self, start: int) -> int:
        """Read a zstd dictionary if the file begins with one; the offset of the first member."""
        if self.compression != "zstd":
            return start
        head = bytes(self.window.peek(start, 8))
        if not head.startswith(ZSTD_DICTIONARY) or len(head) < 8:
            return start
        size = int.from_bytes(head[4:8], "little")
        content = bytes(self.window.peek(start + 8, size))
        if content.startswith(MAGIC["zstd"]):
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        self.dictionary = zstandard.ZstdCompressionDict(content)
        return start + 8 + size

    def inflater(self, position: int) -> Inflater:
        if self.compression == "gzip":
            return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        if self.compression == "zstd":
            return zstd_inflater(self.dictionary)
        if self.compression == "bz2":
            return bz2_inflater()
        if self.compression == "xz":
            return cast(Inflater, lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY))
        return Lz4Inflater()

    def runs(self, position: int, end: int | None) -> Generator[Chunk | Run, bool | None, int]:
        """The short way: gzip members that lie in the window and are followed by another. Returns where that ends.

        A member is taken to reach to the next bytes that may begin one; its own size and checksum, which stand right
        before these, tell if it does.
        """
        window = self.window
        while end is None or position < end:
            window.ensure(position, BLOCK)
            block = window.data[position - window.at :]
            edges = member_edges(np.frombuffer(block, np.uint8), RUN_MEMBERS)
            if len(edges) < 2 or edges[0] != 0:
                break
            members: list[bytearray] = []
            places: list[int] = []
            held, whole = 0, True
            for first, last in pairwise(edges):
                size = int.from_bytes(block[last - 4 : last], "little")
                whole = 0 < size <= PIECE and last - first >= 18
                if not whole or held >= RUN_BYTES or (end is not None and position + first >= end):
                    break
                try:
                    data = gzip_decompress(block[first:last], size)
                except (DeflateError, ValueError):
                    whole = False
                    break
                if len(data) != size:
                    whole = False
                    break
                members.append(data)
                places.append(position + first)
                held += size
            else:
                first = last
            if members:
                yield Run(members, places)
                position += first
            if not whole:
                break
        return position

    def member(self, position: int) -> Generator[Chunk | Run, bool | None, int]:
        """The member at ``position`` as chunks; returns where the next one is, -1 at the end of the file."""
        window = self.window
        inflater = self.inflater(position)
        cursor, feed, fresh = position, FIRST_FEED, True
        doubt = _Doubt(self, position)
        while not inflater.eof:
            block: Any = b""
            if inflater.needs_input:
                begin = cursor - window.at
                block = window.data[begin : begin + feed]
                if len(block) < feed:
                    block = window.peek(cursor, feed)
                if not block:
                    yield Chunk(b"", position, False, "truncated_member", doubt.stop)
                    return self.search(position + 1)
                cursor += len(block)
                feed = min(feed * 4, BLOCK)
            try:
                data = inflater.decompress(block, PIECE)
            except INFLATE_ERRORS:
                doubt.look(block, cursor)
                yield Chunk(b"", position, False, "damaged_member", doubt.stop)
                return self.search(position + 1)
            if block and not inflater.eof:
                doubt.look(block, cursor)
            for part in doubt.passed(data, inflater.eof):
                abandoned = yield Chunk(part, position, fresh)
                if abandoned:
                    return self.search(position + 1)
                fresh = False
        position = cursor - len(inflater.unused_data)
        begin = position - window.at
        head = bytes(window.data[begin : begin + MARK])
        if len(head) < MARK:
            head = bytes(window.peek(position, MARK))
        if head.startswith(self.magic):
            return position
        return (yield from self._between(position))

    def _between(self, position: int) -> Generator[Chunk | Run, bool | None, int]:
        """The next member behind the end of one, past zero bytes, skippable frames (a seek table, a seal) and garbage;
        -1 at the end of the file."""
        window, start = self.window, position
        while head := bytes(window.peek(position, 8)):
            if head.startswith(self.magic):
                return position
            if self.compression in ("zstd", "lz4") and head[:4] in ZSTD_SKIPPABLE:
                start = position + 8 + int.from_bytes(head[4:], "little")
                if window.ensure(start, 0) < 0:
                    yield Chunk(b"", position, False, "truncated_member")
                    return -1
                position = start
            elif head[0] == 0:
                block = bytes(window.peek(position, BLOCK))
                position += len(block) - len(block.lstrip(b"\0"))
            else:
                position = self.search(start)
                yield Chunk(b"", start, False, "garbage_between_members")
                return position
        return -1

    def begins_record(self, position: int) -> bool:
        """Whether a member that starts a record is at ``position``."""
        head = b""
        for feed in (FIRST_FEED, PIECE):  # a first block of zstd or bz2 comes whole or not at all
            try:
                head = self.inflater(position).decompress(self.window.peek(position, feed), 64)
            except INFLATE_ERRORS:
                return False
            if head or self.compression == "gzip":
                break
        return self.starts_record(head)

    def search(self, position: int) -> int:
        """Offset of the next member that starts a record, -1 if there is none."""
        while (position := self.window.find(self.magic, position)) >= 0:
            if self.begins_record(position):
                return position
            position += 1
        return -1


class _Doubt:
    """Bytes of a member that may be cut and go on with those of the next: deflate and LZMA make text of any bytes.

    From where another member seems to begin inside the present one (in a stored block it may), what is inflated is held
    until the member's checksum is right, up to `HELD` bytes.
    """

    def __init__(self, members: _Members, position: int) -> None:
        self.stop: int | None = None
        """Where another member begins."""
        self._members = members
        self._position = position
        self._tail = b""
        self._held: list[bytes] = []

    def look(self, block: Any, behind: int) -> None:
        """Look for another member in the bytes that end at file offset ``behind``."""
        window, magic = self._members.window, self._members.magic
        if not block or self.stop is not None or self._members.compression not in ("gzip", "xz"):
            return
        edge = len(magic) - 1
        if self._has_magic(block) or magic in self._tail + bytes(block[:edge]):
            data = self._tail + bytes(block)
            start, found = behind - len(data), -1
            while self.stop is None and (found := data.find(magic, found + 1)) >= 0:
                if start + found > self._position and self._members.begins_record(start + found):
                    self.stop = start + found
            window.ensure(behind, 1)
        self._tail = (self._tail + bytes(block[-edge:]))[-edge:]

    def _has_magic(self, block: Any) -> bool:
        if self._members.compression == "gzip":
            return len(member_edges(np.frombuffer(block, np.uint8), 1)) > 0  # 15 times as fast as ``in``
        return self._members.magic in bytes(block)

    def passed(self, data: bytes, is_whole: bool) -> list[bytes]:
        """What can be given on now that ``data`` has come."""
        parts = [data] if data else []
        if self.stop is None:
            return parts
        self._held += parts
        if not is_whole and sum(map(len, self._held)) <= HELD:
            return []
        parts, self._held = self._held, []
        return parts
