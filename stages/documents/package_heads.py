"""Entries of a zip file whose directory is gone: found by the heads that stand before each, front to back.

For WACZ packages that were cut off. An entry that states its size (most programs write it) leads to the next; of one
that does not, because its writer did not know it yet, the end is the next head of a name that packages have. What is
cut, or deflated (without the directory its end is not known), is left to the caller.

Price: a read of a few bytes an entry; entries without sizes are read through.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import Any

HEAD = struct.Struct("<4s2xHH8xIIHH")
MAGIC = b"PK\3\4"
NAMES = (b"archive/", b"indexes/", b"pages/", b"datapackage", b"logs/", b"fuzzy", b"extra")
"""Beginnings of the names of entries; what looks like a head inside a page has none of them."""
PIECE = 1 << 20
MAX_NAME = 1 << 10
_UNKNOWN = 8
"""Flag of an entry whose sizes stand behind it."""
_DESCRIPTOR = b"PK\7\x08"


def entries(file: Any, size: int) -> Iterator[tuple[zipfile.ZipInfo, int]]:
    """The entries, each with the place of its first byte; ``file_size`` and ``compress_size`` end with the file."""
    place = 0
    while 0 <= place < size:
        found = _entry(file, place)
        if found is None:
            place = next_head(file, place + 1, size)
            continue
        entry, start = found
        if entry.flag_bits & _UNKNOWN and not entry.compress_size:
            place = next_head(file, start, size)
            entry.compress_size = _without_descriptor(file, start, place if place >= 0 else size) - start
        else:
            place = start + entry.compress_size
            entry.compress_size = min(entry.compress_size, size - start)
        if entry.compress_type == zipfile.ZIP_STORED:
            entry.file_size = entry.compress_size
        yield entry, start


def _entry(file: Any, place: int) -> tuple[zipfile.ZipInfo, int] | None:
    """The entry of the head at a place, and where the bytes behind it begin; None where no head of a package stands."""
    file.seek(place)
    data = file.read(HEAD.size)
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        return None
    _, flags, how, packed, plain, name_size, extra_size = HEAD.unpack(data)
    name = file.read(name_size) if name_size <= MAX_NAME else b""
    if not name.startswith(NAMES):
        return None
    entry = zipfile.ZipInfo(name.decode("utf-8", "replace"))
    entry.header_offset, entry.flag_bits, entry.compress_type = place, flags, how
    entry.compress_size, entry.file_size = packed, plain
    widen(entry, file.read(extra_size))
    return entry, place + HEAD.size + name_size + extra_size


def widen(entry: zipfile.ZipInfo, extra: bytes) -> None:
    """Take sizes of more than 32 bits from where they are."""
    while len(extra) >= 4:
        kind, count = struct.unpack("<HH", extra[:4])
        if kind == 1 and count >= 16 and len(extra) >= 20 and entry.compress_size == 0xFFFFFFFF:
            entry.file_size, entry.compress_size = struct.unpack("<QQ", extra[4:20])
        extra = extra[4 + count :]


def next_head(file: Any, place: int, size: int) -> int:
    """The next place from ``place`` on at which an entry of a package begins; -1 for none."""
    most = HEAD.size + max(map(len, NAMES))
    while place < size:
        file.seek(place)
        data: bytes = file.read(PIECE + most)
        at = data.find(MAGIC)
        while 0 <= at < PIECE:
            if data[at + HEAD.size : at + most].startswith(NAMES):
                return place + at
            at = data.find(MAGIC, at + 1)
        place += PIECE
    return -1


def _without_descriptor(file: Any, start: int, stop: int) -> int:
    """End of an entry's bytes before its sizes, which stand behind it in 16 bytes, or 24."""
    for size in (16, 24):
        if stop - size >= start:
            file.seek(stop - size)
            if file.read(4) == _DESCRIPTOR:
                return stop - size
    return stop
