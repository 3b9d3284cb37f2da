"""Header fields of WARC records and HTTP responses, read when asked for.

A record has a dozen fields and a page needs four of them, most records none: looking names up in the text of the head
costs a third of making a dict of it.
"""

from __future__ import annotations

import re
from typing import overload


class Fields:
    """Lines after the first of a head, as bytes. Names in any case; folded lines are joined; the first of repeated
    names counts."""

    __slots__ = ("_lower", "_text")

    def __init__(self, head: bytes) -> None:
        self._text = head.decode("utf-8", "replace")
        self._lower = self._text.lower()
        if len(self._lower) != len(self._text):  # a letter whose lower case is longer
            self._text = self._text.encode("ascii", "replace").decode("ascii")
            self._lower = self._text.lower()

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the field ``name`` (in lower case), without white space around it."""
        start = self._lower.find(f"\n{name}:")
        if start < 0:
            start = self._lower.find(f"\n{name} :")
            if start < 0:
                return default
            start += 1
        text = self._text
        start += len(name) + 2
        end = text.find("\n", start)
        if end < 0:
            return text[start:].strip()
        value = text[start:end].strip()
        while text.startswith((" ", "\t"), end + 1):
            start, end = end + 1, text.find("\n", end + 1)
            end = len(text) if end < 0 else end
            value += " " + text[start:end].strip()
        return value

    def every(self, name: str) -> list[str]:
        """The values of all fields ``name``, in order; only the first is looked for where a line is folded."""
        if f"\n{name}:" not in self._lower and f"\n{name} :" not in self._lower:
            return []
        first = self.get(name, "")
        found = re.findall(rf"\n{re.escape(name)}[ ]?:([^\n]*)", self._text, re.IGNORECASE)
        return [first, *(value.strip() for value in found[1:])]

    def __str__(self) -> str:
        return self._text

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None


EMPTY = Fields(b"")


def single(name: str, value: str) -> Fields:
    """A head of one field."""
    return Fields(f"\n{name}: {value}".encode("utf-8", "replace"))
