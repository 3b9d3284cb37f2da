"""Numbers as people read them: short for bars and columns, exact on demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

UNITS = ("", "K", "M", "B", "T", "P")
BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first of some names in a row, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def short(count: float | None) -> str:
    """All digits below 100,000, else three significant ones with a decimal unit: 12,345, 1.23 M; a dash for None."""
    if count is None:
        return "–"
    value = float(count)
    if value.is_integer() and abs(value) < 100_000:
        return f"{value:,.0f}"
    for unit in UNITS:
        if abs(value) < 999.5 or unit == UNITS[-1]:
            return f"{digits(value, whole=False)} {unit}".rstrip()
        value /= 1000
    return str(count)


def size(num_bytes: float | None) -> str:
    """Bytes with a binary unit: 512 B, 1.50 MiB."""
    if num_bytes is None:
        return "–"
    value = float(num_bytes)
    for unit in BYTES:
        if abs(value) < 1023.5 or unit == BYTES[-1]:
            return f"{digits(value, whole=unit == 'B')} {unit}"
        value /= 1024
    return str(num_bytes)


def fixed(value: float, places: int) -> str:
    """A number with so many decimals, halves away from zero, as ``toFixed`` of the page's script rounds them."""
    if not math.isfinite(value):
        return f"{value}"
    return str(Decimal(float(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, MANY))


MANY = Context(prec=400)
"""Digits of the largest double, and of its decimals."""


def digits(value: float, *, whole: bool) -> str:
    """Three significant digits below 1,000; whole numbers without a fraction."""
    if whole:
        return fixed(value, 0)
    return fixed(value, 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0)


def exact(count: float | None) -> str:
    """A whole number with all digits, in groups of three."""
    if count is None:
        return "–"
    return f"{count:,}" if isinstance(count, int) else f"{count:,.6g}"


def percent(part: float | None, whole: float | None) -> str:
    """A share in percent, with more digits where it is small; a dash where it has no meaning."""
    if part is None or not whole:
        return "–"
    value = float(f"{100 * part / whole:.12g}")  # so that 28.05 is no 28.049999999999997
    if value == 0 or value == 100:
        return f"{value:.0f}%"
    if value > 99.9 or value < 0.1:
        return ">99.9%" if value > 99.9 else "<0.1%" if value > 0 else f"{fixed(value, 1)}%"
    return f"{fixed(value, 1)}%"


def duration(seconds: float | None) -> str:
    """Seconds as 12.3 s, 4 min 05 s, 3 h 20 min, 2 d 4 h."""
    if seconds is None:
        return "–"
    if seconds < 99.95:
        return f"{fixed(seconds, 1)} s"
    minutes, rest = divmod(int(fixed(seconds, 0)), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"
