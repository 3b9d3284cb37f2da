"""Tar archives, read forwards once: members that are a page each, and tables with a page a row.

Pages are HTML, Markdown and plain text; tables are JSON Lines, CSV, TSV, Parquet and Arrow, compressed or not, read as
such files are (`tables`), and so are pages that are compressed and archives of pages (WARC, ARC, WACZ). A table
without the column for text is dropped (`no_text_column`), unless the archive holds nothing else: then that is the error
it is for a file. Other members are dropped (`other_file`), and so are those whose bytes are no text (`not_text`). Where
nothing else tells where a page came from, its ``url`` is the member's name.

A page's position is the byte of its member's header in the uncompressed archive, a row's its position in the member
more; where that would come before the end of the positions of the member before (a member with more rows than bytes),
its positions begin there. So each page has its own, and the same bytes give the same.

Price: a table is copied out of the archive first, on disk if it is over `HELD`, because Parquet is read from its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Any

from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.files import PAPERS, not_text, page_of_bytes
from stages.documents.page import Page
from stages.documents.tables import ColumnError
from stages.documents.tar_members import Member, members
from stages.formats import Format, format_of
from stages.formats.listing import shown

PAGES = ("html", "text", *PAPERS)
TABLES = ("jsonl", "csv", "tsv", "parquet", "arrow")
ARCHIVES = ("warc", "arc", "wacz")
HELD = 64 << 20
"""Bytes of a table that are held in memory."""

Rows = Callable[[Any, Format, Account], Iterator[Page]]
"""Pages of an open table of a format; what is none goes to the account."""


def tar_pages(stream: Any, account: Account, limits: Limits, rows: Rows) -> Iterator[Page]:
    """The pages of the tar archives in a stream, in order."""
    free = 0
    others = False
    missing: ColumnError | None = None
    for member in members(stream, account.damage):
        info = member.info
        place = max(member.place, free)
        kind = format_of(info.name) if info.isfile() else None
        if kind is not None and is_copied(kind):
            try:
                for page in _table_pages(member, kind, place, account, rows):
                    free = page.offset + 1
                    yield page
            except ColumnError as error:
                missing = missing or error
                account.drop("no_text_column", info.size)
        elif kind is not None and kind.container in PAGES:
            whole = _page(member, kind, place, account, limits)
            if whole is not None:
                free = place + 1
                yield whole
        elif info.isfile():
            others = True
            account.drop("other_file", info.size)
    if missing is not None and not free and not others:
        raise missing


def is_copied(kind: Format) -> bool:
    """Whether a member is read as a file of its own, out of a copy."""
    return kind.container in TABLES + ARCHIVES or (kind.container in PAGES and kind.compression != "none")


def _page(member: Member, kind: Format, place: int, account: Account, limits: Limits) -> Page | None:
    most = limits.max_record_bytes if kind.container in PAPERS else limits.max_html_bytes
    held: list[bytes] = []
    size = 0
    for piece in member.pieces():
        held.append(piece)
        size += len(piece)
        if size > most:
            break
    body = b"".join(held)[: most + 1]
    is_cut = len(body) < min(member.info.size, most + 1)
    if is_cut and not body:  # the archive ends behind its header, which is reported
        return None
    if not_text(body, member.info.size, account, kind.container, limits):
        return None
    page = page_of_bytes(body, member.info.size, place, kind.container, limits)
    page.url = member.info.name
    if is_cut:
        page.note = page.note or "truncated"
    return page


def _table_pages(member: Member, kind: Format, place: int, account: Account, rows: Rows) -> Iterator[Page]:
    name, size = member.info.name, member.info.size
    inner = Account(f"{account.file}: {shown(name)}")
    with Copy(max_size=HELD) as copy:
        if _copied(member, copy) < size:
            account.damage(place, "truncated_file")
        if size == 0:
            account.damage(place, "empty_file")
            return
        try:
            for page in rows(copy, kind, inner):
                page.offset += place
                page.url = page.url or name
                yield page
        finally:
            account.add(inner, place)


def _copied(member: Member, copy: Any) -> int:
    """Bytes of a member, copied to a file that is then at its start."""
    for piece in member.pieces():
        copy.write(piece)
    size: int = copy.tell()
    copy.seek(0)
    return size


Record = Callable[[Any, Format, int], bytes | None]
"""The raw record at a position of an open table of a format."""


def tar_record(stream: Any, offset: int, rows: Rows, record: Record) -> bytes | None:
    """The record at a position of an archive: the bytes of a member, or the raw row of a table; None if there is none.

    All tables before it are read again.
    """
    free = 0
    for member in members(stream, lambda *_: None):
        kind = format_of(member.info.name) if member.info.isfile() else None
        place = max(member.place, free)
        if place > offset:
            return None
        if kind is None or not is_copied(kind):
            if place == offset:
                return b"".join(member.pieces()) if member.info.isfile() else None
            free = place + 1 if kind is not None and kind.container in PAGES else free
            continue
        with Copy(max_size=HELD) as copy:
            _copied(member, copy)
            found, end = member_record(copy, kind, offset - place, rows, record)
        if found is not None:
            return found
        free = place + end if end else free
    return None


def member_record(copy: Copy, kind: Format, offset: int, rows: Rows, record: Record) -> tuple[bytes | None, int]:
    """The raw record of the page at a position of a member, None if it has no such page, and where the positions of its
    pages end (0: it has none)."""
    end = 0
    is_page = False
    if copy.size() == 0:
        return None, 0
    try:
        for page in rows(copy, kind, Account("")):
            is_page = is_page or page.offset == offset
            end = page.offset + 1
    except ColumnError:
        pass
    copy.seek(0)
    return record(copy, kind, offset) if is_page else None, end


class Copy(SpooledTemporaryFile[bytes]):
    """A member as a file, which knows its size."""

    def size(self) -> int:
        place = self.tell()
        size = self.seek(0, 2)
        self.seek(place)
        return size
