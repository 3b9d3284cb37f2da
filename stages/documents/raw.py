"""The way back: from a document's file and offset to the record it was made of, byte for byte where that is kept.

For `show --raw`. Archives give the record's head and content, JSON Lines and CSV the line (of UTF-16 as UTF-8; of a
list the object), files their bytes, Parquet and Arrow the row as JSON, MediaWiki dumps the page's XML; `tars` has the
way into tar archives, `zips` into zip archives. Price: archives in members of their own are entered at the offset;
other compressed files are read up to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa

from stages.documents import parquet_batches
from stages.documents.account import Account
from stages.documents.archives import Limits, archive_records
from stages.documents.arrow_batches import batches
from stages.documents.heads import Dialect
from stages.documents.records import Record
from stages.documents.tables import lines
from stages.documents.values import rows_of


def archive_record(source: Any, dialect: Dialect, params: Any, file: str, offset: int) -> bytes | None:
    """A record's head and content."""
    limits = Limits(params.max_record_bytes, params.max_html_bytes, frozenset())

    def from_start(start: int) -> Iterator[Record]:
        return archive_records(source, Account(file), limits, dialect, start)

    record = next(from_start(offset), None)
    if record is None or record.offset != offset:
        record = next((one for one in from_start(0) if one.offset == offset), None)
    if record is None:
        return None
    head = str(record.headers).replace("\r", "").replace("\n", "\r\n")
    return head.strip("\r\n").encode() + b"\r\n\r\n" + record.content


def line(stream: Any, params: Any, file: str, offset: int) -> bytes | None:
    """The line that starts at a byte of the uncompressed file."""
    for start, found, _ in lines(stream, Account(file), params.max_record_bytes):
        if start == offset:
            return found
    return None


def whole(stream: Any, params: Any, file: str, offset: int) -> bytes | None:
    """All of a file that is one page."""
    return bytes(stream.read()) if offset == 0 else None


def parquet_row(source: Any, params: Any, file: str, offset: int) -> bytes | None:
    """A row as JSON."""
    parquet = parquet_batches.opened(source)
    if isinstance(parquet, str):
        return None
    return _row(parquet_batches.batches(parquet, None, lambda *_: None, None), offset)


def arrow_row(source: Any, params: Any, file: str, offset: int) -> bytes | None:
    """A row as JSON."""
    return _row(batches(source, lambda names: [*range(len(names))], lambda *_: None), offset)


def _row(numbered: Iterable[tuple[int, pa.RecordBatch]], offset: int) -> bytes | None:
    """The row of a number in batches, each with the number of its first row."""
    for start, batch in numbered:
        if start <= offset < start + batch.num_rows:
            row = batch.slice(offset - start, 1)
            try:
                values = row.to_pylist()[0]
            except (ValueError, OverflowError, ImportError, pa.ArrowException):  # times that Python has no date for
                values = rows_of(row)[0]
            return json.dumps(values, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return None


def wiki_page(stream: Any, params: Any, file: str, offset: int) -> bytes | None:
    """The XML of the page of a number."""
    for _, element in ElementTree.iterparse(stream, events=("end",)):
        if element.tag.rpartition("}")[2] == "page":
            if any(child.tag.rpartition("}")[2] == "id" and child.text == str(offset) for child in element):
                return bytes(ElementTree.tostring(element, encoding="utf-8"))
            element.clear()
    return None
