"""The reader of each container: pages out of an open file, and the raw record at a position of it.

A kind of file is an entry of `stages.formats.CONTAINERS` (its suffixes, where it may be divided) and one here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from stages.documents import dumps, files, own_format, packages, raw, separated, tables, tars, zips
from stages.documents.account import Account
from stages.documents.archives import Limits, archive_pages
from stages.documents.heads import ARC, WARC, Dialect
from stages.documents.inflated import plain
from stages.documents.json_values import Unrolled, by_line
from stages.documents.page import Page
from stages.documents.wide import Narrowed, narrowed
from stages.formats import Format
from stages.formats.locations import ReadAhead

HELD = 64 << 20
"""Bytes of an inflated file that are held in memory; more of them are on disk."""
BLOCK = 1 << 20
Span = tuple[int, int] | None
"""The part of a file to read, in the unit of its split; None: all of it."""


@dataclass(frozen=True)
class Opened:
    """An open file and what holds for reading it; ``far``: it is worth reading ahead."""

    file: Any
    params: Any
    account: Account
    limits: Limits
    span: Span = None
    far: bool = False


@dataclass(frozen=True)
class Reader:
    """Pages of a file in order, and the record at a position: (file, params, name, position) to bytes or None.

    ``needs``: uncompressed bytes from first to last (``stream``; as UTF-8: ``lines``, with an object a line:
    ``objects``), or anywhere in them (``file``: a
    compressed one is inflated to a copy before), or the file as it is (``packed``).
    """

    pages: Callable[[Opened], Iterator[Page]]
    raw: Callable[[Any, Any, str, int], bytes | None]
    needs: Literal["stream", "lines", "objects", "file", "packed"] = "stream"

    @contextmanager
    def opened(self, file: Any, kind: Format, far: bool = False) -> Iterator[Any]:
        """An open file as the reader needs it."""
        stream = file if self.needs == "packed" else plain(file, kind, far)
        if self.needs in ("lines", "objects"):
            yield narrowed(stream) if self.needs == "lines" else by_line(narrowed(stream))
            return
        if stream is file or self.needs == "stream":
            yield stream
            return
        with tars.Copy(max_size=HELD) as copy:
            while block := stream.read(BLOCK):
                copy.write(block)
            copy.seek(0)
            yield copy


def _archive(dialect: Dialect, one: Opened) -> Iterator[Page]:
    start, end = one.span if one.span is not None else (0, None)
    file = ReadAhead(one.file) if one.far else one.file
    yield from archive_pages(file, one.account, one.limits, dialect, start, end)


def _package(one: Opened) -> Iterator[Page]:
    yield from packages.package_pages(one.file, one.account, one.limits, one.span, one.far)


def _rows(pages: Callable[..., Iterator[Page]], one: Opened) -> Iterator[Page]:
    yield from pages(one.file, one.account, one.params.columns, range(*one.span) if one.span else None)


def _lines(pages: Callable[[Opened], Iterator[Page]], one: Opened) -> Iterator[Page]:
    """All pages for the first part of a file that is not divided after all, none for the others."""
    if not isinstance(one.file, (Narrowed, Unrolled)):
        yield from pages(one)
    elif one.span is None or one.span[0] == 0:
        yield from pages(replace(one, span=None))


def _json(one: Opened) -> Iterator[Page]:
    yield from tables.json_pages(one.file, one.account, one.params.columns, one.limits.max_record_bytes, one.span)


def _values(delimiter: str, one: Opened) -> Iterator[Page]:
    most = one.limits.max_record_bytes
    yield from separated.csv_pages(one.file, one.account, one.params.columns, most, delimiter, one.span)


def _paper(container: str, one: Opened) -> Iterator[Page]:
    yield from files.file_pages(one.file, container, one.account, one.limits)


def _own(name: str, one: Opened) -> Iterator[Page]:
    yield from own_format.pages(name, one.file, one.account, one.params.columns)


def reader_of(name: str) -> Reader:
    """The reader of a container; of ``module:function`` one that calls it."""
    if name in READERS:
        return READERS[name]
    return Reader(partial(_own, name), partial(own_format.record, name))


def _tar(one: Opened) -> Iterator[Page]:
    yield from tars.tar_pages(one.file, one.account, one.limits, partial(_member_rows, one))


def _member_rows(one: Opened, file: Any, kind: Format, account: Account) -> Iterator[Page]:
    reader = READERS[kind.container]
    with reader.opened(file, kind) as table:
        yield from reader.pages(replace(one, file=table, account=account, span=None, far=False))


def _tar_record(file: Any, params: Any, name: str, offset: int) -> bytes | None:
    one, record = _inside(file, params, name)
    return tars.tar_record(file, offset, partial(_member_rows, one), record)


def _inside(file: Any, params: Any, name: str) -> tuple[Opened, tars.Record]:
    """An archive as its members are read, and what gives the raw record of a member."""
    limits = Limits(params.max_record_bytes, params.max_html_bytes, frozenset())

    def record(table: Any, kind: Format, place: int) -> bytes | None:
        reader = READERS[kind.container]
        with reader.opened(table, kind) as opened:
            return reader.raw(opened, params, name, place)

    return Opened(file, params, Account(name), limits), record


def _zip(one: Opened) -> Iterator[Page]:
    yield from zips.zip_pages(one.file, one.account, one.limits, partial(_member_rows, one))


def _zip_record(file: Any, params: Any, name: str, offset: int) -> bytes | None:
    one, record = _inside(file, params, name)
    return zips.zip_record(file, offset, partial(_member_rows, one), record)


def _archive_reader(dialect: Dialect) -> Reader:
    def record(file: Any, params: Any, name: str, offset: int) -> bytes | None:
        return raw.archive_record(file, dialect, params, name, offset)

    return Reader(partial(_archive, dialect), record, "packed")


READERS = {
    "warc": _archive_reader(WARC),
    "arc": _archive_reader(ARC),
    "wacz": Reader(_package, packages.package_record, "packed"),
    "jsonl": Reader(partial(_lines, _json), raw.line, "objects"),
    "parquet": Reader(partial(_rows, tables.parquet_pages), raw.parquet_row, "file"),
    "arrow": Reader(partial(_rows, tables.arrow_pages), raw.arrow_row, "file"),
    "csv": Reader(partial(_lines, partial(_values, ",")), raw.line, "lines"),
    "tsv": Reader(partial(_lines, partial(_values, "\t")), raw.line, "lines"),
    "html": Reader(lambda one: files.file_pages(one.file, "html", one.account, one.limits), raw.whole),
    "text": Reader(lambda one: files.file_pages(one.file, "text", one.account, one.limits), raw.whole),
    **{name: Reader(partial(_paper, name), raw.whole) for name in files.PAPERS},
    "tar": Reader(_tar, _tar_record),
    "zip": Reader(_zip, _zip_record, "file"),
    "mediawiki": Reader(lambda one: dumps.dump_pages(one.file, one.account), raw.wiki_page),
}
