"""Entries of a zip archive whose directory is gone or wrong: found by the heads before them (APPNOTE 6.3.10, 4.3.7).

An entry that states its size leads to the next. One that was written without knowing it has it behind its bytes: their
end is where they inflate to (of stored ones, where a descriptor names the distance to itself). Where no head stands
where one must, the next is looked for. Sizes and checksums are those of the heads or descriptors, so a member that is
not whole is found out as in any archive; of the last, what is there.

Limits: files that an archive no longer lists are found too; behind a damaged place a head may be one of an archive that
lies stored in this one. Price: the whole archive is read once, and members that do not state their size are inflated
once more. Where ends are looked for in vain again and again (heads that lie in each other: each would be followed
through the rest of the file), members end at the next head (`VAIN`).
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from stages.documents.inflated import ERRORS
from stages.documents.package_heads import MAX_NAME, widen
from stages.documents.zip_entries import ENCRYPTED, INFLATERS, MAGIC

HEAD = struct.Struct("<4s2xHH4xIIIHH")
DIRECTORY = (b"PK\1\2", b"PK\5\6", b"PK\6\6")
DESCRIPTOR = b"PK\7\x08"
PIECE = 1 << 16
VAIN = 64 << 20
"""Bytes read and inflated for ends that were not found, and `VAIN_TIMES` as many as the file has, after which no end is
looked for."""
VAIN_TIMES = 16
UNKNOWN = 8
"""Flag of an entry whose sizes stand behind it."""
UTF8 = 0x800
"""Flag of an entry whose name is UTF-8; others are as `zipfile` has them."""


def entries(source: Any, size: int) -> Iterator[zipfile.ZipInfo]:
    """The entries of a file of ``size`` bytes, in the order in which they lie."""
    file = _Bytes(source, size)
    place = 0
    while 0 <= place < size:
        found = _entry(file, place)
        if found is None:
            if file.at(place, 4) in DIRECTORY:
                return
            place = file.find(MAGIC, place + 1)
            continue
        entry, start = found
        if entry.flag_bits & UNKNOWN and not entry.compress_size:
            place = _measured(file, entry, start)
        else:
            place = start + entry.compress_size
            entry.compress_size = min(entry.compress_size, max(0, size - start))
            if entry.compress_type == zipfile.ZIP_STORED:
                entry.file_size = entry.compress_size
            if entry.flag_bits & UNKNOWN and file.at(place, 4) == DESCRIPTOR:
                place = _behind_descriptor(file, entry, place)
        yield entry


class _Bytes:
    """A file of ``size`` bytes by places."""

    def __init__(self, source: Any, size: int) -> None:
        self.size = size
        self.left = VAIN + VAIN_TIMES * size
        """Bytes that may still be looked at in vain."""
        self._source = source
        self._held = b""
        """The stretch that was searched last: signatures may follow each other closely."""
        self._held_at = 0

    def at(self, place: int, size: int) -> bytes:
        """Bytes of the file, all of them unless it ends: a read may end where what is held ends."""
        self._source.seek(place)
        data = bytes(self._source.read(size))
        while len(data) < size and (more := self._source.read(size - len(data))):
            data += more
        return data

    def find(self, signature: bytes, place: int) -> int:
        """The next place of four bytes; -1 for none."""
        while place < self.size:
            if not 0 <= place - self._held_at <= len(self._held) - len(signature):
                self._held, self._held_at = self.at(place, PIECE), place
            found = self._held.find(signature, place - self._held_at)
            if found >= 0:
                return self._held_at + found
            place = max(place, self._held_at + len(self._held) - len(signature)) + 1
        return -1


def _entry(file: _Bytes, place: int) -> tuple[zipfile.ZipInfo, int] | None:
    """The entry of the head at a place, and where the bytes behind it begin; None where none stands."""
    data = file.at(place, HEAD.size)
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        return None
    _, flags, how, checksum, packed, plain, name_size, extra_size = HEAD.unpack(data)
    start = place + HEAD.size + name_size + extra_size
    if not 0 < name_size <= MAX_NAME or start > file.size:
        return None
    rest = file.at(place + HEAD.size, name_size + extra_size)
    name = rest[:name_size].decode("utf-8" if flags & UTF8 else "cp437", "replace")
    entry = zipfile.ZipInfo(name)
    entry.header_offset, entry.flag_bits, entry.compress_type, entry.CRC = place, flags, how, checksum
    entry.compress_size, entry.file_size = packed, plain
    widen(entry, rest[name_size:])
    return entry, start


def _measured(file: _Bytes, entry: zipfile.ZipInfo, start: int) -> int:
    """Give an entry the sizes and the checksum that stand behind it; where the next begins."""
    is_packed = not entry.flag_bits & ENCRYPTED and entry.compress_type in INFLATERS
    end = -1
    if file.left > 0:
        if is_packed and entry.compress_type != zipfile.ZIP_STORED:
            end = _inflated_end(file, entry, start)
        else:
            end = _described_end(file, entry, start)
    place = _behind_descriptor(file, entry, end) if end >= 0 else file.find(MAGIC, start)
    if end < 0:  # of an entry that is cut or wrong, all before the next
        end = place if place >= 0 else file.size
        entry.file_size = end - start if entry.compress_type == zipfile.ZIP_STORED else entry.file_size
    entry.compress_size = end - start
    return place


def _described_end(file: _Bytes, entry: zipfile.ZipInfo, start: int) -> int:
    """Where the bytes of an entry end that cannot be inflated: at the descriptor that says so; -1 for none."""
    end = file.find(DESCRIPTOR, start)
    while end >= 0 and int.from_bytes(file.at(end + 8, 4), "little") != end - start:
        end = file.find(DESCRIPTOR, end + 1)
    if end < 0:
        file.left -= file.size - start
    else:
        entry.file_size = end - start
    return end


def _inflated_end(file: _Bytes, entry: zipfile.ZipInfo, start: int) -> int:
    """Where the compressed bytes of an entry end, which then knows its plain size; -1 where they are cut or wrong."""
    inflater = INFLATERS[entry.compress_type]()
    entry.file_size, at = 0, start
    with suppress(*ERRORS):
        while not inflater.eof and (piece := file.at(at, PIECE)):
            at += len(piece)
            entry.file_size += len(inflater.decompress(piece))
    if inflater.eof:
        return at - len(inflater.unused_data)
    file.left -= at - start + entry.file_size
    return -1


def _behind_descriptor(file: _Bytes, entry: zipfile.ZipInfo, place: int) -> int:
    """Take the checksum of a descriptor, whose signature may be left out, with sizes of four or eight bytes; where it
    ends."""
    data = file.at(place, 24)
    begin = 4 if data.startswith(DESCRIPTOR) else 0
    entry.CRC = int.from_bytes(data[begin : begin + 4], "little")
    is_wide = int.from_bytes(data[begin + 12 : begin + 20], "little") == entry.file_size and len(data) >= begin + 20
    return place + begin + (20 if is_wide else 12)
