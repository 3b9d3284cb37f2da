"""Files to pages: the files of a split one after the other, and the way back to a record's bytes.

Positions (`Page.offset`) by container: WARC and ARC as `records` has them, WACZ as `packages`; JSON Lines and CSV
the byte of the uncompressed file where the line starts; Parquet and Arrow the row number; tar the byte of the member's
header in the uncompressed archive, and the row's position in it (`tars`; zip likewise); a file that is one page 0;
MediaWiki dumps the number of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stages.contract import Split
from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.indexed import indexed_pages
from stages.documents.page import Page
from stages.documents.readers import Opened, Span, reader_of
from stages.formats import Format, format_of
from stages.formats.locations import is_far, open_file
from stages.formats.watched import Watched, watched_file


def pages_of_split(split: Split, params: Any, account: Account) -> Iterator[Page]:
    """Candidate pages of a split, in order; what is none goes to ``account``.

    Raises:
        FileNotFoundError: a file that is gone, unless ``params.missing`` is ``skip``.
        OSError: bytes that could not be had, which a reader may have taken for damage.
    """
    if split.unit == "ranges":
        yield from indexed_pages(split, params, account)
        return
    parts = split.parts or ((split.file, split.uri, split.size),)
    span = (split.start, split.end) if split.unit in ("bytes", "row_groups", "batches") else None
    for number, (name, uri, size) in enumerate(parts):
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
            watched, before, pages = Watched(file), account.read_of(), 0
            for page in pages_of_file(watched, kind, params, account, span, is_far(uri)):
                watched.check()
                page.file, page.part = name, number
                pages += 1
                yield page
            watched.check()
        if split.parts and not pages:
            account.end_file(before, size)


def pages_of_file(
    file: Any, kind: Format, params: Any, account: Account, span: Span = None, far: bool = False
) -> Iterator[Page]:
    """Candidate pages of one open file; ``far``: it is worth reading ahead."""
    if file.size() == 0:
        account.damage(0, "empty_file")
        return
    reader = reader_of(kind.container)
    limits = Limits(params.max_record_bytes, params.max_html_bytes, frozenset(params.text_types), params.markdown)
    with reader.opened(file, kind, far) as opened:
        yield from reader.pages(Opened(opened, params, account, limits, span, far))


def raw_record(split: Split, params: Any, file: str, offset: int) -> bytes:
    """The record at ``offset`` of ``file``, a file of ``split``.

    Raises:
        LookupError: there is none, or the file is not one of the split's.
    """
    names = {name: uri for name, uri, _ in split.parts or ((split.file, split.uri, split.size),)}
    kind = format_of(file, params.format)
    if file not in names or kind is None:
        raise LookupError(f"{file} is no file of this split ({', '.join(sorted(names)[:5])})")
    with watched_file(names[file]) as source:
        reader = reader_of(kind.container)
        with reader.opened(source, kind) as opened:
            found = reader.raw(opened, params, file, offset)
    if found is None:
        raise LookupError(f"{file} has no record at {offset}")
    return found
