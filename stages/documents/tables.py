"""Rows of JSONL and Parquet files as pages.

Columns are found by the names the YAML maps, else by our own names or their common spellings (`ALIASES`); a dot goes
into nested fields. A row without text is dropped (`no_text`); a line that is no JSON object, or whose text is no
string, is quarantined with its place (byte of the uncompressed file, or row number).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.documents.account import Account
from stages.documents.archives import seconds
from stages.documents.batches import Page

ALIASES: dict[str, tuple[str, ...]] = {
    "text": ("text", "content"),
    "url": ("url",),
    "language": ("language", "lang"),
    "licence": ("licence", "license"),
    "title": ("title",),
    "time": ("time", "date", "timestamp"),
}
BLOCK = 1 << 20
ROWS = 1024


class ColumnError(ValueError):
    """A column that was asked for is not there; the message says which are."""


def json_pages(stream: Any, account: Account, columns: Mapping[str, str], max_line: int) -> Iterator[Page]:
    """Pages of a JSON Lines stream; ``offset`` is the byte where the line starts."""
    for offset, line, over in lines(stream, account, max_line):
        if over:
            account.quarantine(offset, "line_over_limit", over)
            continue
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            account.quarantine(offset, "not_json", len(line))
            continue
        if not isinstance(row, dict):
            account.quarantine(offset, "not_json_object", len(line))
            continue
        page = page_of_row(row, offset, len(line), account, columns)
        if page is not None:
            yield page


def lines(stream: Any, account: Account, max_line: int) -> Iterator[tuple[int, bytes, int]]:
    """(offset, line, 0) of each line, or (offset, b"", bytes) of one that is too long to hold."""
    offset, rest, skipped = 0, b"", 0
    while True:
        try:
            block = stream.read(BLOCK)
        except (OSError, EOFError, pa.ArrowException):
            account.damage(offset, "damaged_compression")
            return
        if not block:
            break
        parts = (rest + block).split(b"\n")
        rest = parts.pop()
        for part in parts:
            yield (offset, b"", skipped + len(part)) if skipped else (offset, part, 0)
            offset += skipped + len(part) + 1
            skipped = 0
        if skipped or len(rest) > max_line:
            skipped += len(rest)
            rest = b""
    if rest or skipped:
        yield (offset, b"", skipped + len(rest)) if skipped else (offset, rest, 0)


def parquet_pages(file: Any, account: Account, columns: Mapping[str, str], groups: range | None) -> Iterator[Page]:
    """Pages of a Parquet file, or of some of its row groups; ``offset`` is the row number in the file."""
    try:
        parquet = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError):
        account.damage(0, "not_parquet")
        return
    wanted = parquet_columns(parquet.schema_arrow, columns, account.file)
    groups = range(parquet.num_row_groups) if groups is None else groups
    for group in groups:
        row = sum(parquet.metadata.row_group(i).num_rows for i in range(group))
        try:
            for batch in parquet.iter_batches(ROWS, row_groups=[group], columns=wanted, use_threads=False):
                for values in batch.to_pylist():
                    text = lookup(values, "text", columns)
                    size = len(text.encode("utf-8", "replace")) if isinstance(text, str) else 0
                    page = page_of_row(values, row, size, account, columns)
                    row += 1
                    if page is not None:
                        yield page
        except (pa.ArrowInvalid, OSError):
            account.damage(row, "damaged_row_group")


def parquet_columns(schema: pa.Schema, columns: Mapping[str, str], file: str) -> list[str]:
    """Top-level columns to read: the mapped ones must be there, and text must be."""
    names = set(schema.names)
    for ours, theirs in columns.items():
        if theirs.split(".")[0] not in names:
            raise ColumnError(f"{file}: no column {theirs!r} for {ours}; it has {', '.join(schema.names)}")
    if "text" not in columns and not names.intersection(ALIASES["text"]):
        raise ColumnError(f"{file}: no text column; it has {', '.join(schema.names)}; set `columns: {{text: ...}}`")
    wanted = {theirs.split(".")[0] for theirs in columns.values()}
    wanted.update(name for ours, spellings in ALIASES.items() if ours not in columns for name in spellings)
    return [name for name in schema.names if name in wanted]


def page_of_row(
    row: dict[str, Any], offset: int, num_bytes: int, account: Account, columns: Mapping[str, str]
) -> Page | None:
    text = lookup(row, "text", columns)
    if text is None:
        account.drop("no_text", num_bytes)
        return None
    if not isinstance(text, str):
        account.quarantine(offset, "text_not_string", num_bytes)
        return None
    return Page(
        offset=offset,
        raw_bytes=num_bytes,
        text=without_surrogates(text),
        url=string(lookup(row, "url", columns)),
        time=time_of(lookup(row, "time", columns)),
        language_declared=string(lookup(row, "language", columns)),
        title=string(lookup(row, "title", columns)),
        licence=string(lookup(row, "licence", columns)),
    )


def lookup(row: Mapping[str, Any], ours: str, columns: Mapping[str, str]) -> Any:
    """The value of one of our columns in a row of theirs; None where there is none."""
    path = columns.get(ours)
    if path is None:
        return next((row[name] for name in ALIASES.get(ours, (ours,)) if row.get(name) is not None), None)
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def string(value: Any) -> str | None:
    """A metadata value as a string; a list gives its first."""
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value is None or value == "" else without_surrogates(str(value))


def time_of(value: Any) -> int | None:
    """Seconds since 1970 of an ISO date, a number of seconds or milliseconds, or a timestamp."""
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, date):
        return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp())
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e15:
        return int(value / 1000 if value > 1e11 else value)
    return None


def without_surrogates(text: str) -> str:
    """JSON may spell half of a surrogate pair; UTF-8 cannot hold it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
