"""Zip archives of pages, tables and archives, member by member as `tars` has them.

Members are read as files of their own out of a copy, in the order in which they lie. A page's position is the byte of
its member's header, a row's its position in the member more; where that would come before the end of the positions of
the member before, its positions begin there. Where nothing else tells where a page came from, its ``url`` is the
member's name. What programs for the Macintosh leave beside files (``__MACOSX/``, ``._x``) is none of them.

What is wrong is damage, counted with its place: `not_a_zip`, `truncated_file` (no directory: cut off; nothing of it is
read), `encrypted_member`, `unknown_compression`, `damaged_member` (what came before the wrong byte is kept).

Price: inflating, and a copy of each member, on disk if it is over `tars.HELD`. Of a page no more is inflated than is
held of a record; tables unfold to what they are.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from typing import Any

from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.page import Page
from stages.documents.tables import ColumnError
from stages.documents.tars import ARCHIVES, BLOCK, HELD, PAGES, TABLES, Copy, Record, Rows
from stages.formats import Format, format_of

ERRORS = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, ValueError, OSError)
ENCRYPTED = 1
KNOWN = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))


def zip_pages(file: Any, account: Account, limits: Limits, rows: Rows) -> Iterator[Page]:
    """The pages of a zip archive, in order."""
    archive = _opened(file, account)
    free = 0
    others = False
    missing: ColumnError | None = None
    for entry, kind in _members(archive):
        place = max(entry.header_offset, free)
        if kind is None:
            others = True
            account.drop("other_file", entry.file_size)
            continue
        try:
            for page in _pages(archive, entry, kind, place, account, limits, rows):
                free = page.offset + 1
                yield page
        except ColumnError as error:
            missing = missing or error
            account.drop("no_text_column", entry.file_size)
    if missing is not None and not free and not others:
        raise missing


def _opened(file: Any, account: Account) -> zipfile.ZipFile | None:
    try:
        return zipfile.ZipFile(file)
    except ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # it is the place that cannot be read
        file.seek(0)
        account.damage(0, "truncated_file" if file.read(4) == b"PK\3\4" else "not_a_zip")
        return None


def _members(archive: zipfile.ZipFile | None) -> Iterator[tuple[zipfile.ZipInfo, Format | None]]:
    """Files of an archive as they lie in it; no format for what is not read."""
    entries = archive.infolist() if archive is not None else []
    for entry in sorted(entries, key=lambda one: (one.header_offset, one.filename)):
        if entry.is_dir():
            continue
        kind = format_of(entry.filename)
        is_mac = entry.filename.startswith("__MACOSX/") or entry.filename.rpartition("/")[2].startswith("._")
        known = kind is not None and kind.container in PAGES + TABLES + ARCHIVES
        yield entry, kind if known and not is_mac else None


def _pages(
    archive: Any, entry: zipfile.ZipInfo, kind: Format, place: int, account: Account, limits: Limits, rows: Rows
) -> Iterator[Page]:
    inner = Account(f"{account.file}: {entry.filename}")
    is_page = kind.container in PAGES
    with Copy(max_size=HELD) as copy:
        problem = _copied(archive, entry, copy, _most(limits) if is_page and kind.compression == "none" else None)
        if problem is not None:
            account.damage(place, problem)
        if copy.size() == 0:
            if problem is None:
                account.damage(place, "empty_file")
            return
        try:
            for page in rows(copy, kind, inner):
                page.offset += place
                page.url = page.url or entry.filename
                if is_page and problem is not None:
                    page.note = page.note or "truncated"
                yield page
        finally:
            account.add(inner, place)


def _most(limits: Limits) -> int:
    return max(limits.max_record_bytes, limits.max_html_bytes) + 1


def _copied(archive: Any, entry: zipfile.ZipInfo, copy: Any, most: int | None) -> str | None:
    """Copy a member to a file that is then at its start, at most so many bytes of it; why that is not all of it."""
    problem = None
    if entry.flag_bits & ENCRYPTED:
        problem = "encrypted_member"
    elif entry.compress_type not in KNOWN:
        problem = "unknown_compression"
    else:
        try:
            with archive.open(entry) as content:
                while (most is None or copy.tell() < most) and (block := content.read(BLOCK)):
                    copy.write(block)
        except ERRORS:
            problem = "damaged_member"
    copy.seek(0)
    return problem


def zip_record(file: Any, offset: int, rows: Rows, record: Record) -> bytes | None:
    """What stands at a position of an archive: the bytes of a member, or the raw row of a table; None if nothing does.

    All members before it are read again.
    """
    archive = _opened(file, Account(""))
    free = 0
    for entry, kind in _members(archive):
        place = max(entry.header_offset, free)
        if kind is None:
            continue
        if place > offset:
            return None
        with Copy(max_size=HELD) as copy:
            _copied(archive, entry, copy, None)
            found = record(copy, kind, offset - place)
            if found is not None:
                return found
            copy.seek(0)
            try:
                free = max((place + page.offset + 1 for page in rows(copy, kind, Account(""))), default=free)
            except ColumnError:
                continue
    return None
