"""The plain bytes of a compressed file as a stream that damage does not swallow.

For readers of lines, of tar archives and of single files, over what `members` finds: padding of NULs behind the last
member is its end; where a member is cut, its bytes wrong, its checksum false, or garbage follows it, everything that
can be inflated before that place is read (`salvage`: inflated again in small steps, because the libraries keep back
what the failing step had made), then the stream ends with a ``problem``. `resume` goes on at the next member.

Price: inflating alone. Damage costs inflating its member again; a damaged zstd or bz2 block is lost as a whole.
"""

from __future__ import annotations

import lzma
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from stages.documents.inflaters import INFLATE_ERRORS, XZ_MEMORY, StepInflater, bz2_inflater, zstd_inflater
from stages.documents.members import Chunk, pieces, sniff
from stages.formats import Format
from stages.formats.locations import ReadAhead

STEP = 512
"""Compressed bytes of a step where a damaged member is inflated again."""
ERRORS: Any = (*INFLATE_ERRORS, zlib.error)


def plain(file: Any, kind: Format, far: bool = False) -> Any:
    """The uncompressed bytes of a file as a stream; the first bytes decide, not the name."""
    compression = sniff(file.read(16))
    file.seek(0)
    if compression == "none" or (compression == "bz2" and kind.compression != "bz2"):  # text may begin with BZh
        return file
    return Inflated(ReadAhead(file) if far else file, compression)


class Forwards:
    """The methods that Python and Arrow call on a stream that is read forwards once."""

    closed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


class Inflated(Forwards):
    """Read forwards once; ``problem`` is set where it ended for another reason than the file's end."""

    def __init__(self, file: Any, compression: str) -> None:
        self.problem: str | None = None
        """``truncated_member``, ``damaged_member`` (a wrong checksum too) or ``garbage_between_members``."""
        self._file = file
        self._compression = compression
        self._pieces: Iterator[Any] = pieces(file, compression, _is_text)
        self._held: deque[bytes] = deque()
        self._at = 0
        """Bytes of the first that is held which have been read."""
        self._member = 0
        self._delivered = 0
        """Plain bytes of the present member that have come."""

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, all of them unless the stream ends; b"" at the end or at a problem."""
        parts: list[bytes] = []
        left = size if size >= 0 else 1 << 62
        while left and (self._held or (self.problem is None and self._more())):
            if not self._held:
                continue
            part = self._held[0][self._at : self._at + left]
            self._at += len(part)
            left -= len(part)
            parts.append(part)
            if self._at == len(self._held[0]):
                self._held.popleft()
                self._at = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek_start(self, size: int) -> bytes:
        """The first bytes, which are then read again; before anything is read."""
        head = self.read(size)
        if self._at:
            self._held[0], self._at = self._held[0][self._at :], 0
        self._keep_first(head)
        return head

    def resume(self) -> bool:
        """Go on behind a problem, at the next member; False where there is none."""
        self.problem = None
        return self._more()

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        if isinstance(piece, Chunk):
            if piece.problem is not None:
                if piece.problem != "garbage_between_members":
                    self._salvage(piece.offset, piece.stop)
                self.problem = piece.problem
                return True
            if piece.fresh or piece.offset != self._member:
                self._member, self._delivered = piece.offset, 0
            self._delivered += len(piece.data)
            self._keep(piece.data)
        else:
            self._keep(b"".join(piece.members))
        return True

    def _keep(self, data: bytes) -> None:
        if data:
            self._held.append(data)

    def _keep_first(self, data: bytes) -> None:
        if data:
            self._held.appendleft(data)

    def _salvage(self, member: int, stop: int | None) -> None:
        delivered = self._delivered if member == self._member else 0
        place = self._file.tell()
        for data in salvage(self._file, self._compression, member, stop):
            if delivered < len(data):
                self._keep(data[delivered:])
            delivered = max(0, delivered - len(data))
        self._file.seek(place)


def _is_text(head: bytes) -> bool:
    """Whether a member may be gone on at after damage: bytes that only look like one give controls."""
    return len(head) > 0 and not head.translate(None, _TEXT_BYTES)


_TEXT_BYTES = bytes([9, 10, 13, *range(0x20, 0x100)])


def salvage(file: Any, compression: str, start: int, stop: int | None = None) -> Iterator[bytes]:
    """The bytes that can be inflated of the damaged member at ``start``, up to the wrong byte.

    ``stop`` is where another member begins, whose bytes are none of this one's (gzip and xz).
    """
    if compression == "lz4":
        yield from _salvage_lz4(file, start)
        return
    part = file if stop is None else _Part(file, stop)
    yield from up_to_wrong_byte(part, partial(_inflater, compression), start)


def up_to_wrong_byte(file: Any, make: Callable[[], Any], start: int) -> Iterator[bytes]:
    """Bytes inflated up to the first wrong one, of any compressed bytes of which ``make`` gives an inflater."""
    good = start
    inflater = make()
    file.seek(start)
    while step := file.read(STEP):
        try:
            data = _inflate(inflater, step)
        except ERRORS:
            break
        good += len(step)
        if data:
            yield data
        if inflater.eof:
            return
    else:
        return
    yield from _last_bytes(file, make, start, good)


def _last_bytes(file: Any, make: Callable[[], Any], start: int, good: int) -> Iterator[bytes]:
    """Output of the bytes of the step at ``good``, fed one by one, before the one that is wrong."""
    inflater = make()
    file.seek(start)
    left = good - start
    while left > 0 and (step := file.read(min(STEP, left))):
        _inflate(inflater, step)
        left -= len(step)
    try:
        for byte in file.read(STEP):
            data = _inflate(inflater, bytes((byte,)))
            if data:
                yield data
    except ERRORS:
        return


def _inflater(compression: str) -> Any:
    if compression == "gzip":
        return zlib.decompressobj(31)
    if compression == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY)
    return bz2_inflater() if compression == "bz2" else zstd_inflater()


def _inflate(inflater: Any, step: bytes) -> bytes:
    if isinstance(inflater, StepInflater):
        return inflater.decompress(step, 1 << 30)
    out: bytes = inflater.decompress(step)
    return out


def _salvage_lz4(file: Any, start: int) -> Iterator[bytes]:
    """Arrow inflates a frame block by block; what one failing read held back is read again byte by byte."""
    done = 0
    for step in (4096, 1):
        file.seek(start)
        stream = pa.CompressedInputStream(pa.PythonFile(_Rest(file), mode="r"), "lz4")
        try:
            skipped = 0
            while skipped < done:
                skipped += len(stream.read(min(1 << 16, done - skipped)))
            while data := stream.read(step):
                done += len(data)
                yield data
        except ERRORS:
            continue
        return


class _Rest(Forwards):
    """A file that is not closed by those who read it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(size if size >= 0 else None))


class _Part:
    """A file that ends at ``stop``."""

    def __init__(self, file: Any, stop: int) -> None:
        self._file, self._stop = file, stop
        self.seek = file.seek

    def read(self, size: int) -> bytes:
        return bytes(self._file.read(max(0, min(size, self._stop - self._file.tell()))))
