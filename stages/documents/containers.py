"""Files to pages: which reader each container has, and the files of a split one after the other.

Positions (`Page.offset`) by container: WARC and ARC as `records` has them; JSON Lines and CSV the byte of the
uncompressed file where the line starts; Parquet and Arrow the row number; tar the byte of the member's header in the
uncompressed archive; a file that is one page 0; MediaWiki dumps the number of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stages.contract import Split
from stages.documents import dumps, files, tables
from stages.documents.account import Account
from stages.documents.archives import Limits, archive_pages
from stages.documents.batches import Page
from stages.documents.heads import ARC, WARC
from stages.documents.inflated import Inflated
from stages.documents.members import sniff
from stages.formats import Format, format_of
from stages.formats.locations import ReadAhead, is_far, open_file

Span = tuple[int, int] | None
"""The part of a file to read, in the unit of its split; None: all of it."""


def pages_of_split(split: Split, params: Any, account: Account) -> Iterator[Page]:
    """Candidate pages of a split, in order; what is none goes to ``account``.

    Raises:
        FileNotFoundError: a file that is gone, unless ``params.missing`` is ``skip``.
    """
    parts = split.parts or ((split.file, split.uri, split.size),)
    span = (split.start, split.end) if split.unit in ("bytes", "row_groups", "batches") else None
    for number, (name, uri, _) in enumerate(parts):
        account.file = name
        kind = format_of(name, params.format)
        if kind is None:
            raise ValueError(f"{uri}: no format is known for this name; set `format:` on the source")
        try:
            file = open_file(uri)
        except FileNotFoundError:
            if params.missing != "skip":
                raise
            account.damage(0, "missing_file")
            continue
        with file:
            for page in pages_of_file(file, kind, params, account, span, is_far(uri)):
                page.file, page.part = name, number
                yield page


def pages_of_file(
    file: Any, kind: Format, params: Any, account: Account, span: Span = None, far: bool = False
) -> Iterator[Page]:
    """Candidate pages of one open file; ``far``: it is worth reading ahead."""
    limits = Limits(params.max_record_bytes, params.max_html_bytes, frozenset(params.text_types))
    if file.size() == 0:
        account.damage(0, "empty_file")
    elif kind.container in ("warc", "arc"):
        dialect = WARC if kind.container == "warc" else ARC
        start, end = span if span is not None else (0, None)
        yield from archive_pages(ReadAhead(file) if far else file, account, limits, dialect, start, end)
    elif kind.container == "parquet":
        yield from tables.parquet_pages(file, account, params.columns, range(*span) if span else None)
    elif kind.container == "arrow":
        yield from tables.arrow_pages(file, account, params.columns, range(*span) if span else None)
    else:
        yield from _stream_pages(plain(file, kind, far), kind, params, account, limits, span)


def _stream_pages(
    stream: Any, kind: Format, params: Any, account: Account, limits: Limits, span: Span
) -> Iterator[Page]:
    if kind.container == "jsonl":
        yield from tables.json_pages(stream, account, params.columns, limits.max_record_bytes, span)
    elif kind.container in ("csv", "tsv"):
        delimiter = "\t" if kind.container == "tsv" else ","
        yield from tables.csv_pages(stream, account, params.columns, limits.max_record_bytes, delimiter, span)
    elif kind.container in ("html", "text"):
        yield from files.file_pages(stream, kind.container, account, limits)
    elif kind.container == "tar":
        yield from files.tar_pages(stream, account, limits)
    elif kind.container == "mediawiki":
        yield from dumps.dump_pages(stream, account)
    else:
        raise ValueError(f"{account.file}: no reader for {kind.container}")


def plain(file: Any, kind: Format, far: bool = False) -> Any:
    """The uncompressed bytes of a file as a stream; the first bytes decide, not the name."""
    compression = sniff(file.read(16))
    file.seek(0)
    if compression == "none" or (compression == "bz2" and kind.compression != "bz2"):  # text may begin with BZh
        return file
    return Inflated(ReadAhead(file) if far else file, compression)
