"""A file that is elsewhere, read by ranges: what all of them share. A kind of store says how bytes are fetched."""

from __future__ import annotations

import io
from typing import Any

REPLACED = " was replaced by another file while it was read"


class RangedFile(io.RawIOBase):
    """A seekable file of ``size`` bytes over `range`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._position = 0

    def range(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop) that there are, wherever the file stands."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def size(self) -> int:
        return self._size

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._position)
        data = self.range(self._position, self._position + (left if size is None or size < 0 else min(size, left)))
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(view.nbytes)
        view[: len(data)] = data
        return len(data)
