"""Seals of Parquet and Arrow IPC files: a checksum of every block, checked as the block is read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import xxhash

from stages.seal.damage import MARK, MISPLACED, DamagedFile, name_of

BLOCK_BYTES = 1 << 16
WHOLE_BYTES = 1 << 22
"""A mapped file up to this size is checked when it is opened: half a millisecond, less than what asking Python for
every read of it costs."""
_END = struct.Struct("<QQQQ8s")
"""Bytes of data, bytes a block, xxh3_64 of the footer, xxh3_64 of the seal before this number and `name_of` the file
(older ones: of the seal alone), `MARK`."""
_SUMS = struct.Struct("<QQQ")
_TAIL_BYTES = 1 << 16
_EMPTY_STREAM_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class Blocks:
    """Takes what is written, in order; gives the xxh3_64 of every block of it, the last one shorter."""

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes
        self.size = 0
        self._sums: list[int] = []
        self._open = xxhash.xxh3_64()

    def update(self, view: memoryview) -> None:
        """Bytes, as a one-dimensional view of them."""
        done, size = 0, view.nbytes
        while done < size:
            step = min(size - done, self.block_bytes - self.size % self.block_bytes)
            self._open.update(view[done : done + step])
            done += step
            self.size += step
            if self.size % self.block_bytes == 0:
                self._sums.append(self._open.intdigest())
                self._open.reset()

    def sums(self) -> list[int]:
        return [*self._sums, self._open.intdigest()] if self.size % self.block_bytes else list(self._sums)


def footer_bytes(tail: bytes) -> int | None:
    """Size of the footer, with the numbers behind it, of a Parquet or Arrow IPC file that ends so; None of others."""
    if tail[-4:] == b"PAR1" and len(tail) >= 12:
        return int.from_bytes(tail[-8:-4], "little") + 8
    if tail[-6:] == b"ARROW1" and len(tail) >= 18:
        return int.from_bytes(tail[-10:-6], "little") + 10
    return None


def footer_seal(blocks: Blocks, footer: bytes, address: str) -> bytes:
    """The bytes between the data and the footer of the file of that address."""
    sums = struct.pack(f"<{len(blocks.sums())}Q", *blocks.sums())
    numbers = _SUMS.pack(blocks.size, blocks.block_bytes, xxhash.xxh3_64_intdigest(footer))
    return sums + numbers + xxhash.xxh3_64_digest(sums + numbers + name_of(address))[::-1] + MARK


@dataclass
class Seal:
    """The checksums of a file's data, by block; ``data_bytes`` is where the data ends."""

    address: str
    sums: Sequence[int]
    block_bytes: int
    data_bytes: int
    seen: set[int] = field(default_factory=set)
    """Blocks that were checked."""

    def blocks_of(self, start: int, stop: int) -> range:
        """The blocks that bytes ``start`` to ``stop - 1`` of the data lie in and that were not checked yet."""
        stop = min(stop, self.data_bytes)
        return range(start // self.block_bytes, -(-stop // self.block_bytes) if stop > start else 0)

    def check(self, piece: memoryview, block: int) -> None:
        """Check bytes from the start of a block on, which hold whole blocks of it."""
        for number in range(block, block + -(-len(piece) // self.block_bytes)):
            if number not in self.seen:
                begin = (number - block) * self.block_bytes
                if xxhash.xxh3_64_intdigest(piece[begin : begin + self.block_bytes]) != self.sums[number]:
                    start = number * self.block_bytes
                    stop = min(start + self.block_bytes, self.data_bytes)
                    raise DamagedFile(self.address, f"damaged between byte {start} and byte {stop}")
                self.seen.add(number)


def read_seal(file: pa.NativeFile, address: str) -> Seal | None:
    """The seal of an open Parquet or Arrow IPC file, its footer checked; None where it has none.

    Raises:
        DamagedFile: the file is cut off, or seal or footer are not what was written.
    """
    size = file.size()
    tail_start = max(0, size - _TAIL_BYTES)
    tail = bytes(file.read_at(size - tail_start, tail_start)) if size else b""
    footer_size = footer_bytes(tail)
    if footer_size is None:
        if not size:
            raise DamagedFile(address, "empty")
        if address.endswith(".parquet") or not tail.endswith(_EMPTY_STREAM_END):
            raise DamagedFile(address, f"cut off: it ends after {size} bytes without its footer")
        return None  # a stream
    end = size - footer_size
    if end < _END.size:
        if end < 4 or MARK in tail:
            raise DamagedFile(address, "damaged in its footer")
        return None

    def read(start: int, stop: int) -> bytes:
        return (
            tail[start - tail_start : stop - tail_start] if start >= tail_start else file.read_at(stop - start, start)
        )

    data_bytes, block_bytes, footer_sum, own_sum, mark = _END.unpack(read(end - _END.size, end))
    fits = block_bytes > 0 and data_bytes + 8 * -(-data_bytes // block_bytes) + _END.size == end
    if mark != MARK and not fits:
        if MARK in tail:
            raise DamagedFile(address, "damaged in its footer")
        return None
    if mark != MARK or not fits:
        raise DamagedFile(address, "damaged in its seal")
    sealed = read(data_bytes, end - 16)
    if xxhash.xxh3_64_intdigest(read(end, size)) != footer_sum:
        raise DamagedFile(address, "damaged in its footer")
    if own_sum not in (xxhash.xxh3_64_intdigest(sealed + name_of(address)), xxhash.xxh3_64_intdigest(sealed)):
        raise DamagedFile(address, f"damaged in its footer, {MISPLACED}")
    sums = struct.unpack(f"<{(len(sealed) - _SUMS.size) // 8}Q", sealed[: -_SUMS.size])
    return Seal(address, sums, block_bytes, data_bytes)


class CheckedFile:
    """A file for `pyarrow.PythonFile`: every block is checked when it is first touched, and nothing is copied.

    ``whole`` are the bytes of the file where they are in memory or mapped; else each read asks ``file``, for whole
    blocks.
    """

    closed = False

    def __init__(self, file: pa.NativeFile, seal: Seal, whole: pa.Buffer | None) -> None:
        self._file, self._seal, self._whole = file, seal, whole
        self._size = file.size()
        self._at = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        self._at = position + (0, self._at, self._size)[whence]
        return self._at

    def read_buffer(self, count: int | None = None) -> pa.Buffer:
        stop = self._size if count is None or count < 0 else min(self._size, self._at + count)
        start = min(self._at, stop)
        self._at = stop
        wanted = self._seal.blocks_of(start, stop)
        begin = wanted.start * self._seal.block_bytes
        if self._whole is None:
            begin = begin if wanted else start
            end = max(stop, min(wanted.stop * self._seal.block_bytes, self._seal.data_bytes)) if wanted else stop
            self._file.seek(begin)
            found = self._file.read_buffer(end - begin)
            if found.size < end - begin:
                raise DamagedFile(self._seal.address, f"cut off after byte {begin + found.size}")
        else:
            begin, found = 0, self._whole
        if wanted:
            last = min(wanted.stop * self._seal.block_bytes, self._seal.data_bytes)
            first = wanted.start * self._seal.block_bytes - begin
            self._seal.check(memoryview(found)[first : last - begin], wanted.start)
        return found.slice(start - begin, stop - start)

    def read(self, count: int | None = None) -> bytes:
        return bytes(self.read_buffer(count).to_pybytes())

    def close(self) -> None:
        self.closed = True
        self._file.close()


def checked(file: pa.NativeFile, seal: Seal, mapped: bool) -> pa.NativeFile:
    """An open file of which every byte is checked before it is handed out: a small one that is mapped at once."""
    file.seek(0)
    whole = file.read_buffer() if mapped else None
    if whole is not None and seal.data_bytes <= WHOLE_BYTES:
        seal.check(memoryview(whole)[: seal.data_bytes], 0)
        file.seek(0)
        return file
    return pa.PythonFile(CheckedFile(file, seal, whole), mode="r")
