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

import tarfile
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Any

from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.files import PAPERS, not_text, page_of_bytes, problem_of
from stages.documents.page import Page
from stages.documents.tables import ColumnError
from stages.formats import Format, format_of
from stages.formats.listing import shown

PAGES = ("html", "text", *PAPERS)
TABLES = ("jsonl", "csv", "tsv", "parquet", "arrow")
ARCHIVES = ("warc", "arc", "wacz")
HELD = 64 << 20
"""Bytes of a table that are held in memory."""
UTF8: dict[str, Any] = {"encoding": "utf-8", "errors": "replace"}
"""Encoding of names: not the machine's own; a byte that is no UTF-8 is U+FFFD."""
BLOCK = 32 << 10
"""Bytes copied at a time; less than `_LastBlocks` remembers, so that what a cut archive has of a member is found."""

Rows = Callable[[Any, Format, Account], Iterator[Page]]
"""Pages of an open table of a format; what is none goes to the account."""


def tar_pages(stream: Any, account: Account, limits: Limits, rows: Rows) -> Iterator[Page]:
    """The pages of a tar archive, in order."""
    place = free = 0
    kept = _LastBlocks(stream)
    others = False
    missing: ColumnError | None = None
    try:
        with tarfile.open(fileobj=kept, mode="r|", **UTF8) as archive:  # type: ignore[call-overload]
            for member in archive:
                place = max(member.offset, free)
                kind = format_of(member.name) if member.isfile() else None
                if kind is not None and is_copied(kind):
                    try:
                        for page in _table_pages(archive, kept, member, kind, place, account, rows):
                            free = page.offset + 1
                            yield page
                    except ColumnError as error:
                        missing = missing or error
                        account.drop("no_text_column", member.size)
                elif kind is not None and kind.container in PAGES:
                    whole = _page(archive, member, kind, place, account, limits)
                    if whole is not None:
                        free = place + 1
                        yield whole
                elif member.isfile():
                    others = True
                    account.drop("other_file", member.size)
            place = archive.offset
        while stream.read(BLOCK):  # to its end, where a checksum stands
            pass
        problem = problem_of(stream) or (None if kept.is_end(place) else "damaged_tar")
    except tarfile.TarError:
        problem = problem_of(stream) or "damaged_tar"
    if problem is not None:
        account.damage(place, problem)
    if missing is not None and not free and not others:
        raise missing


def is_copied(kind: Format) -> bool:
    """Whether a member is read as a file of its own, out of a copy."""
    return kind.container in TABLES + ARCHIVES or (kind.container in PAGES and kind.compression != "none")


def _page(
    archive: tarfile.TarFile, member: tarfile.TarInfo, kind: Format, place: int, account: Account, limits: Limits
) -> Page | None:
    content = archive.extractfile(member)
    assert content is not None  # isfile() said so
    most = limits.max_record_bytes if kind.container in PAPERS else limits.max_html_bytes
    body = content.read(most + 1)
    if len(body) < min(member.size, most + 1):
        account.damage(place, "truncated_file")
    if not_text(body, member.size, account, kind.container, limits):
        return None
    page = page_of_bytes(body, member.size, place, kind.container, limits)
    page.url = member.name
    return page


def _table_pages(
    archive: tarfile.TarFile,
    stream: _LastBlocks,
    member: tarfile.TarInfo,
    kind: Format,
    place: int,
    account: Account,
    rows: Rows,
) -> Iterator[Page]:
    inner = Account(f"{account.file}: {shown(member.name)}")
    with Copy(max_size=HELD) as copy:
        if _copied(archive, stream, member, copy) < member.size:
            account.damage(place, "truncated_file")
        if member.size == 0:
            account.damage(place, "empty_file")
            return
        try:
            for page in rows(copy, kind, inner):
                page.offset += place
                page.url = page.url or member.name
                yield page
        finally:
            account.add(inner, place)


def _copied(archive: tarfile.TarFile, stream: _LastBlocks, member: tarfile.TarInfo, copy: Any) -> int:
    """Bytes of a member, copied to a file that is then at its start; fewer than its size where the archive is cut."""
    content = archive.extractfile(member)
    assert content is not None  # isfile() said so
    try:
        while block := content.read(BLOCK):
            copy.write(block)
    except tarfile.TarError:  # what follows in the archive says it again
        copy.write(stream.since(member.offset_data + copy.tell()))
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
    kept = _LastBlocks(stream)
    with tarfile.open(fileobj=kept, mode="r|", **UTF8) as archive:  # type: ignore[call-overload]
        for member in archive:
            kind = format_of(member.name) if member.isfile() else None
            place = max(member.offset, free)
            if place > offset:
                return None
            if kind is None or not is_copied(kind):
                content = archive.extractfile(member) if place == offset else None
                if place == offset:
                    return content.read() if content is not None else None
                free = place + 1 if kind is not None and kind.container in PAGES else free
                continue
            with Copy(max_size=HELD) as copy:
                _copied(archive, kept, member, copy)
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


class _LastBlocks:
    """A stream that remembers what was read last: `tarfile` ends at a header that is none as it does at the end."""

    KEPT = 1 << 16

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._last = b""
        self._at = 0
        """End of the bytes that are remembered."""

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._last = (self._last + data)[-self.KEPT :]
        self._at += len(data)
        return data

    def since(self, place: int) -> bytes:
        """The bytes that were read from a byte of the stream on."""
        begin = place - (self._at - len(self._last))
        return self._last[begin:] if begin >= 0 else b""

    def is_end(self, place: int) -> bool:
        """Whether an archive may end here: NULs, or the end of the stream."""
        begin = place - (self._at - len(self._last))
        return begin >= 0 and not self._last[begin : begin + 512].strip(b"\0")
