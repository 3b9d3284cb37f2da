"""Files that a listing leaves out by name, reported in a line a kind: hidden ones, and unknown formats in a folder."""

from __future__ import annotations

from collections import Counter

from stages.formats import COMPRESSIONS
from stages.formats.listing import Say, shown

SHOWN = 6
"""Suffixes that a line lists, the commonest first."""


class LeftOut:
    """Files counted while a folder is read; of each kind the first by name is kept."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._hidden = 0
        self._suffixes: Counter[str] = Counter()

    def hidden(self, path: str) -> None:
        """Count a file whose name begins with ``.`` or ``_``."""
        self._hidden += 1
        self._keep("hidden", path)

    def unknown(self, path: str) -> None:
        """Count a file whose suffix stands for no known format."""
        self._suffixes[suffix_of(path)] += 1
        self._keep("unknown", path)

    def _keep(self, kind: str, path: str) -> None:
        path = shown(path)
        self._first[kind] = min(path, self._first.get(kind, path))

    def report(self, say: Say) -> None:
        if self._hidden:
            them = "them" if self._hidden > 1 else "it"
            what = _and_more(self._first["hidden"], self._hidden)
            say(f"left out for a name that begins with . or _: {what}; a path that says so reads {them}")
        if self._suffixes:
            what = _and_more(self._first["unknown"], self._suffixes.total())
            say(
                f"left out for a suffix of no known format: {what} ({self.suffixes()}); a source with `format:` and a"
                " pattern such as *.json reads such files"
            )

    def suffixes(self) -> str:
        """``.json.gz 3, .zip 1, no suffix 1``."""
        common = sorted(self._suffixes.items(), key=lambda item: (-item[1], item[0]))
        found = [f"{shown(suffix) or 'no suffix'} {count:,}" for suffix, count in common[:SHOWN]]
        return ", ".join([*found, *(["..."] if len(common) > SHOWN else [])])


def _and_more(first: str, count: int) -> str:
    return f"{first} and {count - 1:,} more" if count > 1 else first


def suffix_of(path: str) -> str:
    """The suffix of a file name, with that of a compression behind it; empty without one."""
    name = path.rpartition("/")[2].lower()
    stem, dot, last = name.rpartition(".")
    if not dot or not stem:
        return ""
    inner = stem.rpartition(".") if f".{last}" in COMPRESSIONS else ("", "", "")
    return f".{inner[2]}.{last}" if inner[0] else f".{last}"
