"""Files of lines in UTF-16 or UTF-32, as Windows and spreadsheets write them: read as the UTF-8 they could have been.

Told by a byte order mark, or by where the NULs of the first two characters stand (RFC 4627, section 3). Positions in
such a file are those of its UTF-8. It is not divided: its first part has all of it. A wrong byte is one U+FFFD.
"""

from __future__ import annotations

import codecs
from typing import Any

from stages.documents.inflated import Forwards, Inflated

MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
NULS: dict[tuple[int, ...], str] = {(0, 1, 0, 1): "utf-16-le", (1, 0, 1, 0): "utf-16-be"}
"""NULs among the first four bytes where the first two characters are ASCII."""
WIDE_NULS: dict[tuple[int, ...], str] = {(0, 1, 1, 1, 0, 1, 1, 1): "utf-32-le", (1, 1, 1, 0, 1, 1, 1, 0): "utf-32-be"}
LOOK = 8


def codec_of(head: bytes) -> str | None:
    """The codec of a file that begins so, None where its characters are bytes."""
    for mark, codec in MARKS:
        if head.startswith(mark):
            return codec
    nuls = tuple(int(byte == 0) for byte in head[:8])
    return WIDE_NULS.get(nuls) or NULS.get(nuls[:4])


def narrowed(stream: Any) -> Any:
    """A stream at its start as UTF-8: itself, unless it is UTF-16 or UTF-32."""
    if isinstance(stream, Inflated):
        head = stream.peek_start(LOOK)
    else:
        head = stream.read(LOOK)
        stream.seek(0)
    codec = codec_of(head)
    return stream if codec is None else Narrowed(stream, codec)


class Narrowed(Forwards):
    """Read forwards once."""

    def __init__(self, stream: Any, codec: str) -> None:
        self._stream = stream
        self._codec = codec
        self._decoder = codecs.getincrementaldecoder(codec)("replace")
        self._held = b""
        self._begun = self._ended = False

    @property
    def problem(self) -> str | None:
        """The reason why the stream ended early, as `inflated.Inflated` has it."""
        found: str | None = getattr(self._stream, "problem", None)
        return found

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; b"" at the end or at a problem."""
        while not self._ended and (size < 0 or len(self._held) < size):
            block = self._stream.read(1 << 20)
            text = self._decoder.decode(block, not block)
            if not self._begun and text:
                text, self._begun = text.removeprefix("\ufeff"), True
            self._held += text.encode("utf-8", "replace")
            self._ended = not block
        size = len(self._held) if size < 0 else size
        data, self._held = self._held[:size], self._held[size:]
        return data

    def peek_start(self, size: int) -> bytes:
        """As of `inflated.Inflated`."""
        head = self.read(size)
        self._held = head + self._held
        return head

    def resume(self) -> bool:
        """Go on behind a problem; False where nothing follows."""
        self._ended = False
        self._decoder = codecs.getincrementaldecoder(self._codec)("replace")
        return bool(self._stream.resume())
