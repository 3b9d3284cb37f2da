"""Entries of zip files (APPNOTE 6.3.10): the directory, what is wrong with an entry, and its bytes.

`zipfile` reads the directory. Entries are read here, because what comes before a wrong byte or a false checksum is
kept, and entries that lie in each other are no entries (a bomb: each unfolds the same bytes again).
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from stages.documents.inflated import up_to_wrong_byte
from stages.documents.inflaters import XZ_MEMORY

MAGIC = b"PK\3\4"
MAX_DIRECTORY = 64 << 20
"""Bytes of a directory above which it is not believed."""
MAX_SIZE = 1 << 44
ENCRYPTED = 1
ERRORS: Any = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
PIECE = 1 << 16
_LOCAL_HEAD = struct.Struct("<4s22xHH")
_LZMA_HEAD = struct.Struct("<2xHBI")


def directory(file: Any) -> zipfile.ZipFile:
    """The directory of an open file with ``size()``.

    Raises:
        ValueError: there is none that can be read; the message is the reason: ``not_a_zip``, ``truncated_file`` (it
            begins as a zip file), ``damaged_directory``.
        OSError: the place cannot be read.
    """
    try:
        return zipfile.ZipFile(_Bounded(file))
    except ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
    if zipfile.is_zipfile(_Bounded(file)):
        raise ValueError("damaged_directory")
    file.seek(0)
    raise ValueError("truncated_file" if file.read(4) == MAGIC else "not_a_zip")


def problem_of(entry: zipfile.ZipInfo, free: int, size: int) -> str | None:
    """The reason why an entry of a file of ``size`` bytes is not read; those before it end at byte ``free``."""
    if entry.flag_bits & ENCRYPTED:
        return "encrypted_member"
    if entry.compress_type not in INFLATERS:
        return "unknown_compression"
    if 0 <= entry.header_offset < free:
        return "overlapping_members"
    if not 0 <= entry.header_offset < size or entry.file_size > MAX_SIZE:
        return "damaged_member"
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        return "damaged_member"
    return None


def data_of(file: Any, entry: zipfile.ZipInfo) -> int:
    """Start of the bytes of an entry; -1 where no entry stands at its place."""
    file.seek(entry.header_offset)
    head = file.read(_LOCAL_HEAD.size)
    if len(head) < _LOCAL_HEAD.size:  # a read may end where what is held ends
        head += file.read(_LOCAL_HEAD.size - len(head))
    if len(head) < _LOCAL_HEAD.size:
        return -1
    magic, name, extra = _LOCAL_HEAD.unpack(head)
    return entry.header_offset + _LOCAL_HEAD.size + name + extra if magic == MAGIC else -1


def plain_pieces(file: Any, entry: zipfile.ZipInfo, start: int) -> Iterator[bytes]:
    """The plain bytes of an entry whose own begin at ``start``, up to the first that is wrong; no checksum is looked
    at. Price: at most some 20 MB at a time, of bz2 blocks that are all alike."""
    stored = Stored(file, start, start + entry.compress_size)
    if entry.compress_type == zipfile.ZIP_STORED:
        while piece := stored.read(PIECE):
            yield piece
        return
    yield from up_to_wrong_byte(stored, INFLATERS[entry.compress_type], 0)


class _Lzma:
    """LZMA as zip files have it (APPNOTE 5.8): version, properties, and a stream without a head."""

    eof = False
    unused_data = b""

    def __init__(self) -> None:
        self._head = b""
        self._inflater: Any = None

    def decompress(self, data: bytes) -> bytes:
        if self._inflater is None:
            self._head += data
            if len(self._head) < _LZMA_HEAD.size:
                return b""
            size, properties, dictionary = _LZMA_HEAD.unpack_from(self._head)
            if size != 5 or properties >= 9 * 5 * 5 or dictionary > XZ_MEMORY:
                raise lzma.LZMAError("properties that are none")
            lc, lp, pb = properties % 9, properties // 9 % 5, properties // 45
            settings = {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}
            self._inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings])
            data = self._head[_LZMA_HEAD.size :]
        out: bytes = self._inflater.decompress(data)
        self.eof, self.unused_data = self._inflater.eof, self._inflater.unused_data
        return out


INFLATERS: dict[int, Callable[[], Any]] = {
    zipfile.ZIP_STORED: zlib.decompressobj,  # never asked
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(-15),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
    zipfile.ZIP_LZMA: _Lzma,
}
"""Inflaters by method of compression; all that are read."""


class Stored:
    """A stretch of a file as a file."""

    def __init__(self, file: Any, start: int, stop: int) -> None:
        self._file, self._start, self._stop = file, start, stop
        self._at = start

    def read(self, size: int) -> bytes:
        self._file.seek(self._at)
        data: bytes = self._file.read(max(0, min(size, self._stop - self._at)))
        self._at += len(data)
        return data

    def seek(self, position: int) -> int:
        self._at = self._start + position
        return position

    def tell(self) -> int:
        return self._at - self._start


class _Bounded:
    """A file of which no more than a directory is read at once, for `zipfile`, which believes every stated size."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = self._file.size() - self._file.tell()
        if size > MAX_DIRECTORY:
            raise ValueError("a directory of too many bytes")
        return bytes(self._file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Raises OSError for a place before the file, which `zipfile` expects of it."""
        base = {0: 0, 1: self._file.tell(), 2: self._file.size()}[whence]
        if base + offset < 0:
            raise OSError("a place before the file")
        return int(self._file.seek(base + offset))

    def tell(self) -> int:
        return int(self._file.tell())

    def seekable(self) -> bool:
        return True
