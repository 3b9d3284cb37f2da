"""Tables as data: a column says how its values are shown, a row is a list of values.

A column's ``kind``: text, reason, language; count, bytes, estimate (of a count), change (of a count), bytes_change,
number, number_change, seconds; share (0..1) and points (a difference of shares); parts (a list of counts, drawn as one
bar, see `FATES`). A null is shown as a dash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.figures import duration, exact, fixed, percent, short, size

Stats = Mapping[str, Any]
FATES = ("kept", "in no domain or taken down", "failed a rule", "duplicate", "language", "listed address", "no text")
"""Fates of a page: the parts of a bar, in the order of the steps from the last one."""


@dataclass(frozen=True)
class Column:
    key: str
    label: str
    kind: str
    bar: bool = False
    """Draw a bar beside the number, as long as its part of the column's largest."""
    help: str = ""


@dataclass(frozen=True)
class Table:
    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: list[list[Any]]

    def records(self) -> list[dict[str, Any]]:
        """The rows with the columns' keys."""
        return [dict(zip((column.key for column in self.columns), row, strict=True)) for row in self.rows]


def shown(value: Any, kind: str) -> tuple[str, str]:
    """A value as the page shows it, and in full. `page.js.j2` does the same; a test compares them."""
    if value is None:
        return "–", ""
    match kind:
        case "count":
            return short(value), exact(value)
        case "estimate":
            return f"~{short(value)}", f"about {exact(value)}"
        case "change":
            return sign(value) + short(abs(value)), sign(value) + exact(abs(value))
        case "bytes_change":
            return sign(value) + size(abs(value)), f"{sign(value)}{exact(abs(value))} bytes"
        case "bytes":
            return size(value), f"{exact(value)} bytes"
        case "number":
            return fixed(value, 2), fixed(value, 6)
        case "number_change":
            number = fixed(abs(value), 2)
            return ("" if number == "0.00" else sign(value)) + number, sign(value) + fixed(abs(value), 6)
        case "seconds":
            return duration(value), f"{fixed(value, 3)} s"
        case "share":
            return percent(value, 1), f"{fixed(100 * value, 4)}%"
        case "parts":
            whole = sum(value)
            named = [
                f"{name} {percent(part, whole)} ({exact(part)})"
                for name, part in zip(FATES, value, strict=True)
                if part
            ]
            return "", ", ".join(named)
        case "points":
            points = fixed(abs(100 * value), 2)
            before = "" if points == "0.00" else sign(value)
            return before + points, f"{sign(value)}{fixed(abs(100 * value), 4)} percentage points"
        case _:
            return str(value), ""


def sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else ""


def fate(row: Mapping[str, Any]) -> list[int] | None:
    """The number of pages of a source, language or domain by `FATES`."""
    if not row.get("removed") or not row.get("pages"):
        return None
    steps = ("kept", "quality", "clusters", "language", "addresses", "documents")
    return [row["kept"], *(row["removed"].get(step, 0) for step in steps)]


def make(name: str, caption: str, columns: Sequence[Column], records: Sequence[Mapping[str, Any]]) -> Table:
    return Table(name, caption, tuple(columns), [[record.get(column.key) for column in columns] for record in records])


def ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
