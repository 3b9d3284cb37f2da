"""Entries of a zip archive whose directory is gone or wrong: found by the heads before them (APPNOTE 6.3.10, 4.3.7).

An entry that states its size leads to the next. One that was written without knowing it has it behind its bytes: their
end is where they inflate to (of stored ones, where a descriptor names the distance to itself). Where no head stands
where one must, the next is looked for. Sizes and checksums are those of the heads or descriptors, so a member that is
not whole is found out as in any archive; of the last, what is there.

Limits: files that an archive no longer lists are found too; behind a damaged place a head may be one of an archive that
lies stored in this one. Price: the whole archive is read once, and members that do not state their size are inflated
once more.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import Any

from stages.documents.inflated import ERRORS
from stages.documents.package_heads import MAX_NAME, widen
from stages.documents.zip_entries import ENCRYPTED, INFLATERS, MAGIC

HEAD = struct.Struct("<4s2xHH4xIIIHH")
DIRECTORY = (b"PK\1\2", b"PK\5\6", b"PK\6\6")
DESCRIPTOR = b"PK\7\x08"
PIECE = 1 << 16
UNKNOWN = 8
"""Flag of an entry whose sizes stand behind it."""
UTF8 = 0x800
"""Flag of an entry whose name is UTF-8; others are as `zipfile` has them."""


def entries(source: Any, size: int) -> Iterator[zipfile.ZipInfo]:
    """The entries of a file of ``size`` bytes, in the order in which they lie."""
    place = 0
    while 0 <= place < size:
        found = _entry(source, place)
        if found is None:
            if _exactly(source, place, 4) in DIRECTORY:
                return
            place = _find(source, MAGIC, place + 1, size)
            continue
        entry, start = found
        if entry.flag_bits & UNKNOWN and not entry.compress_size:
            place = _measured(source, entry, start, size)
        else:
            place = start + entry.compress_size
            entry.compress_size = min(entry.compress_size, max(0, size - start))
            if entry.compress_type == zipfile.ZIP_STORED:
                entry.file_size = entry.compress_size
            if entry.flag_bits & UNKNOWN and _exactly(source, place, 4) == DESCRIPTOR:
                place = _behind_descriptor(source, entry, place)
        yield entry


def _entry(source: Any, place: int) -> tuple[zipfile.ZipInfo, int] | None:
    """What the head at a place says, and where the bytes behind it begin; None where none stands."""
    data = _exactly(source, place, HEAD.size)
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        return None
    _, flags, how, checksum, packed, plain, name_size, extra_size = HEAD.unpack(data)
    rest = _exactly(source, place + HEAD.size, name_size + extra_size)
    if not 0 < name_size <= MAX_NAME or len(rest) < name_size + extra_size:
        return None
    name = rest[:name_size].decode("utf-8" if flags & UTF8 else "cp437", "replace")
    entry = zipfile.ZipInfo(name)
    entry.header_offset, entry.flag_bits, entry.compress_type, entry.CRC = place, flags, how, checksum
    entry.compress_size, entry.file_size = packed, plain
    widen(entry, rest[name_size:])
    return entry, place + HEAD.size + name_size + extra_size


def _measured(source: Any, entry: zipfile.ZipInfo, start: int, size: int) -> int:
    """Give an entry the sizes and the checksum that stand behind it; where the next begins."""
    if entry.compress_type == zipfile.ZIP_STORED or entry.flag_bits & ENCRYPTED or entry.compress_type not in INFLATERS:
        end = _find(source, DESCRIPTOR, start, size)
        while end >= 0 and int.from_bytes(_exactly(source, end + 8, 4), "little") != end - start:
            end = _find(source, DESCRIPTOR, end + 1, size)
        entry.file_size = max(0, end - start)
    else:
        end = _inflated_end(source, entry, start)
    place = _behind_descriptor(source, entry, end) if end >= 0 else _find(source, MAGIC, start, size)
    if end < 0:  # of an entry that is cut or wrong, all before the next
        end = place if place >= 0 else size
        entry.file_size = end - start if entry.compress_type == zipfile.ZIP_STORED else entry.file_size
    entry.compress_size = end - start
    return place


def _inflated_end(source: Any, entry: zipfile.ZipInfo, start: int) -> int:
    """Where the compressed bytes of an entry end, which then knows its plain size; -1 where they are cut or wrong."""
    inflater = INFLATERS[entry.compress_type]()
    entry.file_size, at = 0, start
    try:
        while not inflater.eof and (piece := _exactly(source, at, PIECE)):
            entry.file_size += len(inflater.decompress(piece))
            at += len(piece)
    except ERRORS:
        return -1
    return at - len(inflater.unused_data) if inflater.eof else -1


def _behind_descriptor(source: Any, entry: zipfile.ZipInfo, place: int) -> int:
    """Take the checksum of a descriptor, whose signature may be left out, with sizes of four or eight bytes; where it
    ends."""
    data = _exactly(source, place, 24)
    begin = 4 if data.startswith(DESCRIPTOR) else 0
    entry.CRC = int.from_bytes(data[begin : begin + 4], "little")
    is_wide = int.from_bytes(data[begin + 12 : begin + 20], "little") == entry.file_size and len(data) >= begin + 20
    return place + begin + (20 if is_wide else 12)


def _exactly(source: Any, place: int, size: int) -> bytes:
    """Bytes of a file, all of them unless it ends: a read may end where what is held ends."""
    source.seek(place)
    data = bytes(source.read(size))
    while len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data


def _find(source: Any, signature: bytes, place: int, size: int) -> int:
    """The next place of four bytes; -1 for none."""
    while place < size:
        data = _exactly(source, place, PIECE + 3)
        at = data.find(signature)
        if at >= 0:
            return place + at
        place += PIECE
    return -1
