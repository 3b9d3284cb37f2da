"""Output of `query`: rows as a table for people, as CSV, or as JSON, an object a line.

Bytes (doc_ids) are hex digits and times ISO 8601 everywhere. The table cuts long values and keeps each row on a line;
CSV is RFC 4180, text that a spreadsheet would run as a formula with an apostrophe in front; JSON has null for numbers
that are none. All of it goes through `pipeline.terminal`, the table spelt out by it and JSON escaped.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from stages import untrusted
from stages.report.export import harmless

MAX_CELL = 100
"""Characters of a value that the table shows."""
NUMBERS = (int, float, Decimal)


def plain(value: Any) -> Any:
    """A value of DuckDB's as JSON knows it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return str(value)


def text_of(value: Any) -> str:
    """A value as text of its own: of lists and structs, JSON."""
    if isinstance(value, float):
        return repr(value)
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def json_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """An object a row, in ASCII."""
    for row in rows:
        yield json.dumps(dict(zip(columns, map(plain, row), strict=True)), ensure_ascii=True)


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The head and the rows, without the line's end."""
    yield _csv([harmless(name) for name in columns])
    for row in rows:
        yield _csv([harmless(text_of(value)) if isinstance(value, str) else text_of(value) for value in row])


def _csv(fields: Sequence[str]) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="").writerow(fields)
    return sink.getvalue()


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows set by width, numbers to the right; null is empty."""
    right = [all(row[i] is None or _is_number(row[i]) for row in rows) for i in range(len(columns))]
    cells = [
        [untrusted.line(text, MAX_CELL) for text in line] for line in [columns, *(map(text_of, row) for row in rows)]
    ]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _is_number(value: Any) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)
