"""The way back: from a document's file and offset to the record it was made of, byte for byte where that is kept.

For `show --raw`. Archives give the record's head and content, JSON Lines and CSV the line, files and tar members their
bytes, Parquet and Arrow the row as JSON, MediaWiki dumps the page's XML. Price: archives in members of their own are
entered at the offset; other compressed files are read up to it.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq

from stages.contract import Split
from stages.documents.account import Account
from stages.documents.archives import Limits, archive_records
from stages.documents.containers import plain
from stages.documents.heads import ARC, WARC
from stages.documents.records import Record
from stages.documents.tables import lines
from stages.documents.values import rows_of
from stages.formats import Format, format_of
from stages.formats.locations import open_file


def raw_record(split: Split, params: Any, file: str, offset: int) -> bytes:
    """The record at ``offset`` of ``file``, a file of ``split``.

    Raises:
        LookupError: there is none, or the file is not one of the split's.
    """
    names = {name: uri for name, uri, _ in split.parts or ((split.file, split.uri, split.size),)}
    kind = format_of(file, params.format)
    if file not in names or kind is None:
        raise LookupError(f"{file} is no file of this split ({', '.join(sorted(names)[:5])})")
    with open_file(names[file]) as source:
        found = _find(source, kind, params, file, offset)
    if found is None:
        raise LookupError(f"{file} has no record at {offset}")
    return found


def _find(source: Any, kind: Format, params: Any, file: str, offset: int) -> bytes | None:
    container = kind.container
    if container in ("warc", "arc"):
        return _archive_record(source, container, params, file, offset)
    if container in ("parquet", "arrow"):
        return _row(source, container, offset)
    stream = plain(source, kind)
    if container in ("html", "text"):
        return bytes(stream.read()) if offset == 0 else None
    if container == "tar":
        return _member(stream, offset)
    if container == "mediawiki":
        return _wiki_page(stream, offset)
    for start, line, _ in lines(stream, Account(file), params.max_record_bytes):
        if start == offset:
            return line
    return None


def _archive_record(source: Any, container: str, params: Any, file: str, offset: int) -> bytes | None:
    limits = Limits(params.max_record_bytes, params.max_html_bytes, frozenset())
    dialect = WARC if container == "warc" else ARC

    def from_start(start: int) -> Iterator[Record]:
        return archive_records(source, Account(file), limits, dialect, start)

    record = next(from_start(offset), None)
    if record is None or record.offset != offset:
        record = next((one for one in from_start(0) if one.offset == offset), None)
    if record is None:
        return None
    head = str(record.headers).replace("\r", "").replace("\n", "\r\n")
    return head.strip("\r\n").encode() + b"\r\n\r\n" + record.content


def _row(source: Any, container: str, offset: int) -> bytes | None:
    batches: Iterator[pa.RecordBatch]
    if container == "parquet":
        batches = pq.ParquetFile(source).iter_batches(1024)
    else:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        reader: Any = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
    start = 0
    for batch in batches:
        if offset < start + batch.num_rows:
            row = batch.slice(offset - start, 1)
            try:
                values = row.to_pylist()[0]
            except (ValueError, OverflowError, ImportError, pa.ArrowException):  # times that Python has no date for
                values = rows_of(row)[0]
            return json.dumps(values, ensure_ascii=False, default=str).encode("utf-8", "replace")
        start += batch.num_rows
    return None


def _member(stream: Any, offset: int) -> bytes | None:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.offset == offset:
                content = archive.extractfile(member)
                return content.read() if content is not None else None
    return None


def _wiki_page(stream: Any, number: int) -> bytes | None:
    for _, element in ElementTree.iterparse(stream, events=("end",)):
        if element.tag.rpartition("}")[2] == "page":
            if any(child.tag.rpartition("}")[2] == "id" and child.text == str(number) for child in element):
                return ElementTree.tostring(element, encoding="utf-8")
            element.clear()
    return None
