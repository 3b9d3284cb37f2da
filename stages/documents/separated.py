"""Rows of CSV and TSV files as pages (RFC 4180), one head line first.

A quote opens a value only where the value begins, as Python's ``csv`` and pandas read it: ``5" disk`` is text, and no
line after it is swallowed. A record with another number of fields than the head is quarantined with its place. A record
that is no UTF-8 is decoded as a page is, each for itself, because files are divided.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from stages.documents.account import Account
from stages.documents.charsets import Decoded, decoded, plain_survey
from stages.documents.page import Page
from stages.documents.tables import ColumnError, lines, page_of_row, wanted_columns


def _patterns(delimiter: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """The rest of a quoted value with what stands behind it, and fields that are all closed where the line ends."""
    rest = f'[^"]*+(?:""[^"]*+)*+"[^{delimiter}]*+'
    field = f'(?:"{rest}|[^"{delimiter}][^{delimiter}]*+)?+'
    return re.compile(rf"{rest}(?:{delimiter}|\Z)".encode()), re.compile(rf"(?:{field}(?:{delimiter}|\Z))*+".encode())


LOOK = 1 << 20
"""Bytes behind a damaged place in which a quote is looked for."""
_PATTERNS = {delimiter: _patterns(delimiter) for delimiter in (",", "\t")}


def csv_pages(
    stream: Any,
    account: Account,
    columns: Mapping[str, str],
    max_line: int,
    delimiter: str,
    span: tuple[int, int] | None = None,
) -> Iterator[Page]:
    """Pages of a CSV or TSV stream with a head line (RFC 4180); ``offset`` is the byte where the record starts."""
    num_bad = account.num_bad
    source = _csv_records(stream, account, max_line, None, delimiter)
    first = next((found for found in source if found[2] or found[1].removeprefix(b"\xef\xbb\xbf").strip()), None)
    if first is None:
        return
    if account.num_bad > num_bad:
        account.damage(first[0], "no_head_line")
        return
    head = first[1].removeprefix(b"\xef\xbb\xbf")
    names = _csv_fields(head, delimiter)[0] or []
    if not set(columns.values()).intersection(names):
        _check_head(head, names, delimiter, account.file)
    wanted_columns(names, columns, account.file)
    if span is not None:
        source = _csv_records(stream, account, max_line, span, delimiter)
    for offset, record, over in source:
        if offset <= first[0]:  # the head and what stands before it
            continue
        if over:
            account.quarantine(offset, "line_over_limit", over)
            continue
        if not record.strip():
            continue
        fields, decoding = _csv_fields(record, delimiter)
        if fields is None or len(fields) != len(names):
            account.quarantine(offset, "wrong_number_of_fields", len(record))
            continue
        row = {name: value or None for name, value in zip(names, fields, strict=True)}
        page = page_of_row(row, offset, len(record), account, columns, decoding)
        if page is not None:
            yield page


def _check_head(head: bytes, names: list[str], delimiter: str, file: str) -> None:
    """Raises ColumnError: the head line is one of another format than CSV or TSV as they are read."""
    if not names and b"\r" in head.rstrip(b"\r") and b"\n" not in head:
        raise ColumnError(f"{file}: its lines end with a carriage return alone; expected line feeds (`tr '\\r' '\\n'`)")
    other = next((sign for sign in ";\t|," if sign != delimiter and len(names) == 1 and sign in names[0]), None)
    if other is not None:
        hint = {"\t": "; name `format: tsv`", ",": "; name `format: csv`"}.get(other, "")
        raise ColumnError(f"{file}: its values are separated by {other!r}, expected {delimiter!r}{hint}")


def _csv_records(
    stream: Any, account: Account, max_line: int, span: tuple[int, int] | None, delimiter: str
) -> Iterator[tuple[int, bytes, int]]:
    """Lines joined while a quote is open; in a span no value holds a line end (`splitting.ranges` has it so).

    No record goes over a damaged place: what stands open before it is a record that is not whole, and the rest of one
    that begins in it is none.
    """
    held: list[bytes] = []
    begin = size = 0
    is_rest = False
    closing, closed = _PATTERNS[delimiter]
    if span is None:
        stream.seek(0) if stream.seekable() else None
    for offset, line, over, behind in _lines(stream, account, max_line, span, delimiter):
        if behind != "":
            if held and not is_rest:
                yield begin, b"\n".join(held), 0
            held, size, is_rest = [], 0, behind == "in a value"
        if over:
            yield begin if held else offset, b"", size + over
            held, size, is_rest = [], 0, False
            continue
        rest = 0
        if held or behind == "in a value":
            end = closing.match(line) if b'"' in line else None
            rest = end.end() if end is not None else -1
        if not held:
            begin = offset
        held.append(line)
        size += len(line) + 1
        is_open = rest < 0 or (b'"' in line and closed.fullmatch(line, rest) is None)
        if is_open and span is None and size <= max_line:
            continue
        if not is_rest:
            yield (begin, b"", size) if is_open and span is None else (begin, b"\n".join(held), 0)
        held, size, is_rest = [], 0, False
    if held and not is_rest:
        yield begin, b"\n".join(held), 0


Behind = Literal["", "between values", "in a value"]


def _lines(
    stream: Any, account: Account, max_line: int, span: tuple[int, int] | None, delimiter: str
) -> Iterator[tuple[int, bytes, int, Behind]]:
    """As `lines`, and where the first line behind a damaged place stands.

    It stands in a quoted value where the first quote from it on ends one. Lines of `LOOK` bytes are held for it.
    """
    num_bad = account.num_bad
    waiting: list[tuple[int, bytes, int]] = []
    size = -1
    ends = re.compile(rb'(?:\A"|[^"%b]")(?:"|%b|\r?\Z)' % ((delimiter.encode(),) * 2))
    for offset, line, over in lines(stream, account, max_line, span, lambda _: False):
        if account.num_bad > num_bad:
            yield from _behind(waiting, False)
            num_bad, waiting, size = account.num_bad, [], 0
        if size < 0:
            yield offset, line, over, ""
            continue
        waiting.append((offset, line, over))
        size += len(line)
        quote = line.find(b'"')
        if quote >= 0 or over or size > LOOK:
            yield from _behind(waiting, quote >= 0 and ends.match(line, max(0, quote - 1)) is not None)
            waiting, size = [], -1
    yield from _behind(waiting, False)


def _behind(found: list[tuple[int, bytes, int]], in_a_value: bool) -> Iterator[tuple[int, bytes, int, Behind]]:
    for number, (offset, line, over) in enumerate(found):
        first: Behind = "in a value" if in_a_value else "between values"
        yield offset, line, over, first if number == 0 else ""


def _csv_fields(record: bytes, delimiter: str) -> tuple[list[str] | None, Decoded | None]:
    """The fields of one record, None if it is none, and how it was decoded where it is no UTF-8."""
    decoding = None
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError:
        decoding = decoded(record, survey=plain_survey)
        text = decoding.utf8.decode("utf-8")
    text = text.removesuffix("\r")
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        rows = []
    return rows[0] if len(rows) == 1 else None, decoding
