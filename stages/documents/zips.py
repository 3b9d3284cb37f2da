"""Zip archives of pages, tables and archives, member by member as `tars` has them.

Members are read as files of their own out of a copy, in the order in which they lie. A page's position is the byte of
its member's header, a row's its position in the member more; where that would come before the end of the positions of
the member before, its positions begin there. Where nothing else tells where a page came from, its ``url`` is the
member's name. What programs for the Macintosh leave beside files (``__MACOSX/``, ``._x``) is none of them.

What is wrong is damage, counted with its place: `not_a_zip` (nothing is read), `truncated_file` (no directory: cut off)
and `damaged_directory` (of both, what the heads of members lead to is read: `zip_heads`), `encrypted_member`,
`unknown_compression`, `overlapping_members` (a bomb; the second is not read), `damaged_member` (what came before the
wrong byte is kept, all of it if only the checksum is false).

Price: inflating, and a copy of each member, on disk if it is over `tars.HELD`. Of a page no more is inflated than is
held of a record; tables unfold to what they are.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from stages.documents import zip_heads
from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.page import Page
from stages.documents.tables import ColumnError
from stages.documents.tars import ARCHIVES, HELD, PAGES, TABLES, Copy, Record, Rows, member_record
from stages.documents.zip_entries import data_of, directory, plain_pieces, problem_of
from stages.formats import Format, format_of
from stages.formats.listing import shown
from stages.formats.locations import ReadAhead


class Member(NamedTuple):
    """A file in an archive."""

    entry: zipfile.ZipInfo
    kind: Format | None
    """None for what is not read."""
    start: int
    """Start of its bytes."""
    problem: str | None
    """The reason why they are not read."""


def zip_pages(file: Any, account: Account, limits: Limits, rows: Rows) -> Iterator[Page]:
    """The pages of a zip archive, in order."""
    free = 0
    others = False
    missing: ColumnError | None = None
    source = ReadAhead(file)
    for member in _members(file, source, account):
        place = max(member.entry.header_offset, free)
        if member.kind is None:
            others = True
            account.drop("other_file", member.entry.file_size)
            continue
        try:
            for page in _pages(source, member, member.kind, place, account, limits, rows):
                free = page.offset + 1
                yield page
        except ColumnError as error:
            missing = missing or error
            account.drop("no_text_column", member.entry.file_size)
    if missing is not None and not free and not others:
        raise missing


def _members(file: Any, source: ReadAhead, account: Account) -> Iterator[Member]:
    """Files of an archive as they lie in it; ``source``: the same file, asked for much at a time."""
    size = file.size()
    entries: Iterable[zipfile.ZipInfo]
    try:
        entries = sorted(directory(file).infolist(), key=lambda one: (one.header_offset, one.filename))
    except ValueError as error:
        account.damage(0, str(error))
        entries = zip_heads.entries(source, size) if str(error) != "not_a_zip" else ()
    free = 0
    for entry in entries:
        if entry.is_dir():
            continue
        kind = format_of(entry.filename)
        is_mac = entry.filename.startswith("__MACOSX/") or entry.filename.rpartition("/")[2].startswith("._")
        if is_mac or kind is None or kind.container not in PAGES + TABLES + ARCHIVES:
            yield Member(entry, None, -1, None)
            continue
        problem = problem_of(entry, free, size)
        start = data_of(source, entry) if problem is None else -1
        if start >= 0:
            free = start + entry.compress_size
        yield Member(entry, kind, start, problem or ("damaged_member" if start < 0 else None))


def _pages(
    source: ReadAhead, member: Member, kind: Format, place: int, account: Account, limits: Limits, rows: Rows
) -> Iterator[Page]:
    name = member.entry.filename
    inner = Account(f"{account.file}: {shown(name)}")
    is_page = kind.container in PAGES
    with Copy(max_size=HELD) as copy:
        problem = _copied(source, member, copy, _most(limits) if is_page and kind.compression == "none" else None)
        if problem is not None:
            account.damage(place, problem)
        if copy.size() == 0:
            if problem is None:
                account.damage(place, "empty_file")
            return
        try:
            for page in rows(copy, kind, inner):
                page.offset += place
                page.url = page.url or name
                if is_page and problem is not None:
                    page.note = page.note or "truncated"
                yield page
        finally:
            account.add(inner, place)


def _most(limits: Limits) -> int:
    return max(limits.max_record_bytes, limits.max_html_bytes) + 1


def _copied(source: ReadAhead, member: Member, copy: Any, most: int | None) -> str | None:
    """Copy a member to a file that is then at its start, at most so many bytes of it; why that is not all of it."""
    if member.problem is not None:
        return member.problem
    checksum = 0
    for piece in plain_pieces(source, member.entry, member.start):
        copy.write(piece)
        checksum = zlib.crc32(piece, checksum)
        if most is not None and copy.tell() > most:
            break
    is_whole = copy.tell() == member.entry.file_size and checksum == member.entry.CRC
    is_enough = most is not None and copy.tell() > most
    if is_enough:
        copy.truncate(most)
    copy.seek(0)
    return None if is_whole or is_enough else "damaged_member"


def zip_record(file: Any, offset: int, rows: Rows, record: Record) -> bytes | None:
    """The record at a position of an archive: the bytes of a member, or the raw row of a table; None if there is none.

    All members before it are read again.
    """
    free = 0
    source = ReadAhead(file)
    for member in _members(file, source, Account("")):
        place = max(member.entry.header_offset, free)
        if place > offset:
            return None
        if member.kind is None:
            continue
        with Copy(max_size=HELD) as copy:
            _copied(source, member, copy, None)
            found, end = member_record(copy, member.kind, offset - place, rows, record)
        if found is not None:
            return found
        free = max(free, place + end) if end else free
    return None
