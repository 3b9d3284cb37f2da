"""One compressed member as plain bytes, piece by piece: zstd frames, bz2 streams and LZ4 frames as igzip is called.

A block is given whole and after its checksum, where the format has one a block (bz2) or a frame (LZ4).
"""

from __future__ import annotations

import bz2
import io
import lzma
from typing import Any, Protocol

import pyarrow as pa
import zstandard
from isal import igzip_lib

LZ4_MAGIC = b"\x04\x22\x4d\x18"
XZ_MEMORY = 512 << 20
"""Bytes that a decoder of xz may take; a stream that wants more is damaged. ``xz -9`` wants 65 MiB."""
INFLATE_ERRORS: Any = (igzip_lib.IsalError, EOFError, lzma.LZMAError, zstandard.ZstdError, pa.ArrowException, OSError)


class Inflater(Protocol):
    """Interface that igzip, zstandard and LZ4 are given here."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: Any, max_length: int) -> bytes: ...


class StepInflater:
    """One zstd frame or bz2 stream, piece by piece."""

    def __init__(self, inflater: Any, late: bool = False) -> None:
        self._object = inflater
        self._late = late
        """Whether bytes of a block come before its checksum is looked at: they are held until the next step is done."""
        self._held = b""
        self.eof = False
        self.needs_input = True
        self.unused_data = b""
        self._input = io.BytesIO()

    def decompress(self, data: Any, max_length: int) -> bytes:
        """Input is fed in small steps: zstandard cannot stop at ``max_length`` (blocks have 128 KB at most), and of bz2
        the end of a block (900 KB) must come, because its checksum is looked at behind its last byte."""
        if data:
            rest = self._input.read()
            self._input = io.BytesIO(rest + bytes(data))
        out: list[bytes] = []
        total = 0
        while total < max_length:
            step = self._input.read(1024)
            if not step:
                break
            data = self._object.decompress(step)
            if self._late and not self._object.eof:
                data, self._held = self._held, data
            elif self._late:
                data, self._held = self._held + data, b""
            out.append(data)
            total += len(data)
            if self._object.eof:
                self.eof = True
                self.unused_data = self._object.unused_data + self._input.read()
                break
        self.needs_input = not self.eof and self._input.tell() == len(self._input.getbuffer())
        return b"".join(out)


def zstd_inflater(dictionary: zstandard.ZstdCompressionDict | None = None) -> StepInflater:
    context = zstandard.ZstdDecompressor(dict_data=dictionary) if dictionary else zstandard.ZstdDecompressor()
    return StepInflater(context.decompressobj(read_across_frames=False))


def bz2_inflater() -> StepInflater:
    return StepInflater(bz2.BZ2Decompressor(), late=True)


class Lz4Inflater:
    """One LZ4 frame. Its blocks state their sizes, so walking them finds its end; Arrow inflates it. Limit: the
    compressed frame is held whole."""

    def __init__(self) -> None:
        self.eof = False
        self.needs_input = True
        self.unused_data = b""
        self._frame = bytearray()
        self._walked = 0
        self._stream: Any = None

    def decompress(self, data: Any, max_length: int) -> bytes:
        if self._stream is None:
            self._frame += data
            end = self._frame_end()
            if end < 0:
                return b""
            self.needs_input = False
            self.unused_data = bytes(self._frame[end:])
            self._stream = pa.CompressedInputStream(pa.BufferReader(bytes(self._frame[:end])), "lz4")
        out: bytes = self._stream.read(max_length)
        self.eof = len(out) < max_length
        return out

    def _frame_end(self) -> int:
        """End of the frame in what has come so far, -1 if it is not there yet (LZ4 frame format 1.6.1)."""
        frame = self._frame
        if len(frame) < 7:
            return -1
        if not frame.startswith(LZ4_MAGIC):
            raise OSError("no LZ4 frame")
        flags = frame[4]
        position = self._walked or 7 + 8 * (flags >> 3 & 1) + 4 * (flags & 1)
        while len(frame) >= position + 4:
            size = int.from_bytes(frame[position : position + 4], "little") & 0x7FFFFFFF
            if size == 0:
                end = position + 4 + 4 * (flags >> 2 & 1)
                return end if len(frame) >= end else -1
            if len(frame) < position + 4 + size:
                break
            position += 4 + size + 4 * (flags >> 4 & 1)
            self._walked = position
        return -1
