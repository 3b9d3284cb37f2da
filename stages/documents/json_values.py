"""Files of JSON whose objects are not a line each, read as the JSON Lines they could have been.

A list on one line or laid out over many (``[{...}, {...}]``), objects laid out over several lines, and objects one
behind the other on the only line. Told by the first bytes (`is_unrolled`). Each object is given on a line: line ends in
it are blanks, commas between objects and a blank behind one are line ends; other values between them are lines of their
own, to be counted as such. No byte is added or taken away, so positions are those of the uncompressed file; but between
objects that have nothing between them (``}{``) a line end is added, which counts in the positions behind it. Such a
file is not divided: its first part has all of it.

A string that is not closed where its line ends is taken to end there. What stands behind damage of a compressed file is
not read, and what stands behind the end of a list is read line for line.

Price: one search for brackets and quotes outside strings, and their ends; blocks of 1 MiB.
"""

from __future__ import annotations

import json
import re
from typing import Any

from stages.documents.inflated import Forwards, Inflated
from stages.documents.wide import Narrowed

LOOK = 64 << 10
BLOCK = 1 << 20
BLANKS = b" \t\r\n"
_MARKS = re.compile(rb'["{}\[\],\n]')
_IN_STRING = re.compile(rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+', re.DOTALL)


def by_line(stream: Any) -> Any:
    """A stream at its start with an object a line: itself, unless its first bytes tell otherwise."""
    if isinstance(stream, (Inflated, Narrowed)):
        head = stream.peek_start(LOOK)
    else:
        head = stream.read(LOOK)
        stream.seek(0)
    is_damaged = getattr(stream, "problem", None) is not None
    is_all = len(head) < LOOK and not is_damaged
    return Unrolled(stream) if is_unrolled(head, is_all, is_damaged) else stream


def is_unrolled(head: bytes, is_all: bool, is_damaged: bool = False) -> bool:
    """Whether a file that begins so has objects that are not a line each.

    Args:
        is_all: nothing follows.
        is_damaged: it ends where the file is damaged, with bytes that may be wrong, line ends among them.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(BLANKS)
    first, _, rest = text.partition(b"\n")
    if first.startswith(b"["):
        if first.strip(BLANKS) != b"[":
            return first[1:].lstrip(BLANKS).startswith(b"{") and (not _is_json(first) or not rest.strip(BLANKS))
        item, end, _ = rest.lstrip(BLANKS).partition(b"\n")
        item = item.strip(BLANKS).removesuffix(b",")
        if not item.startswith(b"{") or not (end or is_all) or _is_json(item):
            return False
        return not is_damaged or _breaks_off(item)
    if not first.startswith(b"{") or _is_json(first):
        return False
    if first.strip(BLANKS) == b"{":
        return True
    try:
        value, stop = json.JSONDecoder().raw_decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    over_lines = stop > len(first.decode("utf-8", "replace"))
    return isinstance(value, dict) and (over_lines or not rest.strip(BLANKS))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode("utf-8", "replace"), strict=False, parse_int=float)
    except (ValueError, RecursionError):
        return False
    return True


def _breaks_off(line: bytes) -> bool:
    """Whether JSON goes on behind a line: it ends between values, and all of it is right so far."""
    text = line.decode("utf-8", "replace")
    try:
        json.loads(text, strict=False, parse_int=float)
    except json.JSONDecodeError as error:
        return error.pos >= len(text)
    except (ValueError, RecursionError):
        pass
    return False


class Unrolled(Forwards):
    """Read forwards once."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._ready = bytearray()
        self._held = b""
        """The backslash at the end of a block, with which the next one begins."""
        self._ended = False
        self._base: int | None = None
        """How deep objects are: 1 in a list, 0 without one; None before the first bracket."""
        self._depth = 0
        self._in_string = False
        self._is_closed = False
        """An object ended, and no line end since."""
        self._is_directly_behind = False
        """An object ended, and nothing since."""
        self._is_behind = False
        """The list has ended."""

    @property
    def problem(self) -> str | None:
        """As of `inflated.Inflated`."""
        found: str | None = getattr(self._stream, "problem", None)
        return found

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; b"" at the end or at a problem."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            block = self._stream.read(BLOCK)
            self._ended = not block
            block, self._held = self._held + block, b""
            self._take(block)
        size = len(self._ready) if size < 0 else size
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def resume(self) -> bool:
        """Where objects begin behind a problem is not known."""
        return False

    def _take(self, block: bytes) -> None:
        at = 0
        while at < len(block) and not self._is_behind:
            if self._in_string:
                at = self._string(block, at)
                continue
            found = _MARKS.search(block, at)
            stop = found.start() if found is not None else len(block)
            if self._is_directly_behind and stop > at:
                self._is_directly_behind = False
                if block[at] in BLANKS:
                    self._ready += b"\n"
                    self._is_closed = False
                    at += 1
            self._ready += block[at:stop]
            if found is not None:
                self._mark(found[0])
            at = stop + 1
        self._ready += block[at:]

    def _string(self, block: bytes, at: int) -> int:
        """Take the rest of a string, as far as the block has it; where what follows begins."""
        found = _IN_STRING.match(block, at)
        assert found is not None  # of no byte at least
        stop = found.end()
        self._ready += block[at:stop]
        if stop == len(block):
            return stop
        if block[stop : stop + 1] == b"\\":
            self._held = block[stop:] if not self._ended else b""
            self._ready += block[stop:] if self._ended else b""
            return len(block)
        self._in_string = False
        if block[stop : stop + 1] == b"\n":  # it is not closed
            return stop
        self._ready += b'"'
        return stop + 1

    def _mark(self, mark: bytes) -> None:
        base = self._base
        is_between = base is None or self._depth <= base
        if mark == b'"':
            self._in_string = True
        elif mark == b"\n":
            mark = mark if is_between else b" "
        elif mark == b"," and is_between:
            mark = b"\n"
        elif mark in b"{[":
            if base is None:
                self._base = int(mark == b"[")
                mark = b" " if mark == b"[" else mark
            elif is_between and self._is_closed:
                self._ready += b"\n"
            self._depth += 1
        elif mark in b"}]":
            self._is_behind = mark == b"]" and base == 1 and self._depth == 1
            self._depth = max(self._depth - 1, base or 0)
            mark = b"\n" if self._is_behind else mark
        self._is_closed = mark == b"}" and self._depth == (self._base or 0)
        self._is_directly_behind = self._is_closed
        self._ready += mark
