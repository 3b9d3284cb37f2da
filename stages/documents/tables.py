"""Rows of JSON Lines, Parquet and Arrow files as pages (CSV: `separated`).

Columns are found by the names the YAML maps, else by our own names or their common spellings (`ALIASES`); a dot goes
into nested fields. A row without text is dropped (`no_text`); a line that is no JSON object, or whose text is no
string, is quarantined with its place (byte of the uncompressed file, or row number; of JSON Lines the line too). A line
that is no UTF-8 is decoded as a page is: a wrong byte costs itself.
Other values of any type are read or null (`values`).
The id that a row came with is kept as ``record_id`` and need not be unique: doc_ids are made of places.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from stages.documents import parquet_batches
from stages.documents.account import Account
from stages.documents.arrow_batches import batches
from stages.documents.charsets import Decoded, decoded, plain_survey
from stages.documents.files import CUT, problem_of
from stages.documents.json_values import Unrolled
from stages.documents.page import Page
from stages.documents.values import address, lookup, rows_of, string, time_of, without_surrogates
from stages.untrusted import whole_line

ALIASES: dict[str, tuple[str, ...]] = {
    "text": ("text", "content"),
    "id": ("id",),
    "url": ("url",),
    "language": ("language", "lang"),
    "licence": ("licence", "license"),
    "title": ("title",),
    "time": ("time", "date", "timestamp"),
}
BLOCK = 1 << 20
MOST_DIGITS = 4000
"""Digits of a whole number that Python reads (`sys.get_int_max_str_digits`)."""
LOOK_FOR_TEXT = 100
"""Rows without a text after which the column is taken to be the wrong one."""


class ColumnError(ValueError):
    """A column that was asked for is not there; the message says which are."""

    def __init__(self, message: str) -> None:
        super().__init__(whole_line(message))  # names of files and columns hold line ends


def json_pages(
    stream: Any, account: Account, columns: Mapping[str, str], max_line: int, span: tuple[int, int] | None = None
) -> Iterator[Page]:
    """Pages of a JSON Lines stream, or of the lines that start in ``span``; ``offset`` is the byte of the line."""
    seen = with_text = number = before = 0
    if span is not None and span[0]:
        before = -1  # not counted yet

    def line_number() -> int:
        nonlocal before
        if before < 0:
            before = _line_ends(stream, first)
        return before + number

    account.line = None if isinstance(stream, Unrolled) else line_number
    first = -1
    account.unseen = {ours: theirs for ours, theirs in columns.items() if ours != "text"}
    for offset, line, over in lines(stream, account, max_line, span, is_json_object):
        number += 1
        if first < 0:
            first = offset
        if over:
            account.quarantine(offset, "line_over_limit", over)
            continue
        if line.removeprefix(b"\xef\xbb\xbf").strip() in (b"", b"[", b"]"):
            continue
        try:
            row, decoding = json_row(line)
        except (ValueError, RecursionError):
            account.quarantine(offset, "not_json", len(line))
            continue
        if not isinstance(row, dict):
            account.quarantine(offset, "not_json_object", len(line))
            continue
        seen += 1
        with_text += has_text(row, columns)
        if account.unseen:
            account.unseen = {ours: name for ours, name in account.unseen.items() if not has_column(row, name)}
            account.names = tuple(map(str, row))
        if seen == LOOK_FOR_TEXT and not with_text:
            raise no_column(columns, row, account.file)
        page = page_of_row(row, offset, len(line), account, columns, decoding)
        if page is not None:
            yield page
    account.line = None
    if seen and not with_text:
        raise no_column(columns, row, account.file)


def json_row(line: bytes) -> tuple[Any, Decoded | None]:
    """The value of a line, and how it was decoded where it is no UTF-8. Controls inside strings, and numbers that
    Python takes for too long, do no harm, nor do the comma behind an item of a list that has one a line and the mark
    before a text of a sequence (RFC 7464).

    Raises:
        ValueError: it is no JSON. RecursionError: it nests too deep.
    """
    decoding = None
    try:
        return json.loads(line), None
    except UnicodeDecodeError:
        decoding = decoded(line, survey=plain_survey)
        text = decoding.utf8.decode("utf-8")
    except ValueError:
        text = line.decode("utf-8-sig")
    text = text.removeprefix("\x1e").rstrip().removesuffix(",")
    return json.loads(text, strict=False, parse_int=_number), decoding


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < MOST_DIGITS else float(digits)


def is_json_object(line: bytes) -> bool:
    """Whether a line is one JSON object, whole."""
    try:
        return isinstance(json_row(line)[0], dict)
    except (ValueError, RecursionError):
        return False


def _line_ends(stream: Any, stop: int) -> int:
    """Line ends before byte ``stop`` of a file; leaves the stream where it was."""
    place, count, at = stream.tell(), 0, 0
    stream.seek(0)
    while at < stop and (block := stream.read(min(BLOCK, stop - at))):
        count += block.count(b"\n")
        at += len(block)
    stream.seek(place)
    return count


def has_text(row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
    """Whether the row has the column for text, be it null."""
    path = columns.get("text")
    if path is None:
        return any(name in row for name in ALIASES["text"])
    return has_column(row, path)


def has_column(row: Mapping[str, Any], path: str) -> bool:
    """Whether the row has a column, or the one that a path with dots begins with, be it null."""
    return path in row or path.split(".")[0] in row


def no_column(columns: Mapping[str, str], row: Mapping[str, Any], file: str) -> ColumnError:
    wanted = columns.get("text") or " or ".join(ALIASES["text"])
    return ColumnError(f"{file}: no row has {wanted!r} for text; rows have {', '.join(map(str, row))}")


def lines(
    stream: Any,
    account: Account,
    max_line: int,
    span: tuple[int, int] | None = None,
    is_whole: Callable[[bytes], bool] = bool,
) -> Iterator[tuple[int, bytes, int]]:
    """(offset, line, 0) of each line, or (offset, b"", bytes) of one that is too long to hold.

    With a ``span``, the lines that start in it: the one that is cut by its start belongs to the span before. Where a
    compressed stream is damaged, or something stands between its members, the lines before and behind that place count
    if ``is_whole`` says so; where a line ended right before what stands between members, so does the next one.
    """
    offset, rest, skipped, is_cut = 0, b"", 0, False
    last = None
    if span is not None:
        start, last = span
        if start:
            stream.seek(start - 1)
            offset = _after_line_end(stream, start - 1)
            if offset < 0:
                return
        stream.seek(offset)
    while last is None or offset < last:
        block = stream.read(BLOCK)
        if not block:
            problem = problem_of(stream)
            goes_on = problem is not None and stream.resume()
            is_end = problem not in CUT and not goes_on and not is_cut
            if (rest or skipped) and (is_end or (not skipped and is_whole(rest))):
                over = skipped > 0 or len(rest) > max_line
                yield (offset, b"", skipped + len(rest)) if over else (offset, rest, 0)
                offset, rest, skipped = offset + skipped + len(rest), b"", 0
            if problem is None:
                return
            account.damage(offset, problem)
            if not goes_on:
                return
            is_cut = problem in CUT or bool(rest or skipped)
            offset, rest, skipped = offset + skipped + len(rest), b"", 0
            continue
        if is_cut:  # the rest of a line whose beginning is lost, unless it is a whole one
            end = block.find(b"\n")
            lost = rest + block[: end if end >= 0 else len(block)]
            if end < 0 and len(lost) <= max_line:
                rest = lost
                continue
            if end < 0 or not is_whole(lost):
                offset += len(lost) + (end >= 0)
                rest, block = b"", block[end + 1 :] if end >= 0 else b""
            is_cut = end < 0
        parts = (rest + block).split(b"\n")
        rest = parts.pop()
        for part in parts:
            if last is not None and offset >= last:
                return
            over = skipped > 0 or len(part) > max_line
            yield (offset, b"", skipped + len(part)) if over else (offset, part, 0)
            offset += skipped + len(part) + 1
            skipped = 0
        if skipped or len(rest) > max_line:
            skipped += len(rest)
            rest = b""


def _after_line_end(stream: Any, offset: int) -> int:
    """Start of the line after the next line end; -1 if there is none."""
    while block := stream.read(BLOCK):
        found: int = block.find(b"\n")
        if found >= 0:
            return offset + found + 1
        offset += len(block)
    return -1


def arrow_pages(file: Any, account: Account, columns: Mapping[str, str], chosen: range | None = None) -> Iterator[Page]:
    """Pages of an Arrow IPC file or stream; ``offset`` is the row number."""

    def wanted(names: Sequence[str]) -> list[int]:
        return [names.index(name) for name in wanted_columns(names, columns, account.file)]

    try:
        for row, batch in batches(file, wanted, account.damage, chosen):
            for start in range(0, batch.num_rows, parquet_batches.ROWS):
                yield from _table_pages(batch.slice(start, parquet_batches.ROWS), row + start, account, columns)
    except pa.ArrowNotImplementedError as error:
        raise ColumnError(f"{account.file}: cannot be read: {error}") from None


def parquet_pages(file: Any, account: Account, columns: Mapping[str, str], groups: range | None) -> Iterator[Page]:
    """Pages of a Parquet file, or of some of its row groups; ``offset`` is the row number in the file."""
    parquet = parquet_batches.opened(file)
    if isinstance(parquet, str):
        account.damage(0, parquet)
        return
    wanted = wanted_columns(parquet.schema_arrow.names, columns, account.file)
    try:
        for row, batch in parquet_batches.batches(parquet, wanted, account.damage, groups):
            yield from _table_pages(batch, row, account, columns)
    except pa.ArrowNotImplementedError as error:
        raise ColumnError(f"{account.file}: columns {', '.join(wanted)} cannot be read: {error}") from None


def _table_pages(batch: pa.RecordBatch, row: int, account: Account, columns: Mapping[str, str]) -> Iterator[Page]:
    for values in rows_of(batch):
        text = _found(values, "text", columns)
        size = len(text.encode("utf-8", "replace")) if isinstance(text, str) else 0
        size = len(text) if isinstance(text, bytes) else size
        page = page_of_row(values, row, size, account, columns)
        row += 1
        if page is not None:
            yield page


def wanted_columns(found: Sequence[str], columns: Mapping[str, str], file: str) -> list[str]:
    """Top-level columns to read: the mapped ones must be there, and text must be."""
    names = set(found)
    for ours, theirs in columns.items():
        if theirs not in names and theirs.split(".")[0] not in names:
            raise ColumnError(f"{file}: no column {theirs!r} for {ours}; it has {', '.join(found)}")
    if "text" not in columns and not names.intersection(ALIASES["text"]):
        raise ColumnError(f"{file}: no text column; it has {', '.join(found)}; set `columns: {{text: ...}}`")
    wanted = {theirs if theirs in names else theirs.split(".")[0] for theirs in columns.values()}
    wanted.update(name for ours, spellings in ALIASES.items() if ours not in columns for name in spellings)
    twice = next((name for name in wanted if found.count(name) > 1), None)
    if twice is not None:
        raise ColumnError(f"{file}: it has two columns {twice!r}; name one of them otherwise")
    return [name for name in found if name in wanted]


def page_of_row(
    row: dict[str, Any],
    offset: int,
    num_bytes: int,
    account: Account,
    columns: Mapping[str, str],
    decoding: Decoded | None = None,
) -> Page | None:
    """The page of a row; a value that is there and cannot be read is null and counted (`unreadable_time`, ...).

    ``decoding`` is how the row was decoded where it is no UTF-8.
    """
    text = _found(row, "text", columns)
    if text is None:
        account.drop("no_text", num_bytes)
        return None
    if isinstance(text, bytes):  # a Parquet column that does not say it is UTF-8, or is none
        decoding = decoded(text, survey=plain_survey)
        text = decoding.utf8.decode("utf-8")
    if not isinstance(text, str):
        account.quarantine(offset, "text_not_string", num_bytes)
        return None

    def value(ours: str, read: Callable[[Any], Any]) -> Any:
        theirs = _found(row, ours, columns)
        ours_value = read(theirs)
        if ours_value is None and theirs not in (None, "", b"", []):
            name = f"unreadable_{ours}"
            account.notes[name] = account.notes.get(name, 0) + 1
        return ours_value

    return Page(
        offset=offset,
        raw_bytes=num_bytes,
        text=without_surrogates(text),
        url=value("url", address),
        time=value("time", time_of),
        language_declared=value("language", string),
        title=value("title", string),
        licence=value("licence", string),
        record_id=value("id", string),
        charset=decoding.charset if decoding is not None and decoding.charset != "utf-8" else None,
        note="wrong_bytes" if decoding is not None and decoding.num_wrong else None,
        carried=tuple(value(name, string) for name in carried_names(columns)),
    )


def carried_names(columns: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that a source maps beyond `ALIASES`, which it carries, in order."""
    return tuple(name for name in columns if name not in ALIASES)


def _found(row: Mapping[str, Any], ours: str, columns: Mapping[str, str]) -> Any:
    """The value of one of our columns in a row of theirs; None where there is none."""
    return lookup(row, ALIASES.get(ours, (ours,)), columns.get(ours))
