"""WACZ packages (Web Archive Collection Zipped 1.1.1): the WARC files in the folder ``archive/`` of a zip file.

Nothing is unpacked: the directory at the end of the package says where each archive lies, and a stored one, as the
specification asks for, is read where it is. Deflated ones (and bzip2, LZMA) are inflated on the way. Indices, page
lists and logs in the package are no records.

A record's position is its byte in the package where its archive is stored; where that is deflated, the size of the
package, the plain sizes of the deflated archives before it and its byte in its own: the same however a package is
divided (a part takes the records that start in it, and whole those archives whose entry does that cannot be entered).

A package that was cut has no directory: what is left of its stored archives is read, found by the heads before them
(`stages.documents.package_heads`); deflated ones are `damaged_member`.

What is wrong is damage, counted with its place: `not_a_zip`, `truncated_file` (no directory: cut off),
`damaged_directory`, `no_archive_folder`, `encrypted_member`, `unknown_compression`, `damaged_member`,
`overlapping_members` (a bomb; the second is not read).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stages.documents import package_heads
from stages.documents.account import Account
from stages.documents.archives import Limits, archive_pages
from stages.documents.heads import ARC, WARC, Dialect
from stages.documents.members import sniff
from stages.documents.page import Page
from stages.documents.raw import archive_record
from stages.documents.zip_entries import ENCRYPTED, ERRORS, Stored, data_of, directory, problem_of
from stages.formats import format_of
from stages.formats.locations import ReadAhead

FOLDER = "archive/"
DIALECTS = {"warc": WARC, "arc": ARC}


@dataclass(frozen=True)
class Member:
    """An archive in a package: where its entry begins, where its bytes do, and what its positions count from."""

    entry: zipfile.ZipInfo
    dialect: Dialect
    start: int
    """First byte in the package of what is stored, or of the compressed bytes."""
    base: int
    stored: bool
    divided: bool
    """Whether it may be entered in the middle: stored, and compressed record by record."""

    @property
    def stop(self) -> int:
        return self.start + self.entry.compress_size


class Package:
    """An open package: its archives in the order of their places, and what is wrong with the others."""

    def __init__(self, file: Any) -> None:
        """Read the directory.

        Raises:
            ValueError: there is none; the message is the reason.
        """
        self.file = file
        self.size: int = file.size()
        self.problems: list[tuple[int, str]] = []
        try:
            self.zip = directory(file)
        except ValueError as error:
            if str(error) == "not_a_zip":
                raise
            self.problems.append((0, str(error)))
            self.members = list(self._salvaged())
            return
        self.members = list(self._members())
        if not self.members and not self.problems:
            self.problems.append((0, "no_archive_folder"))

    def _members(self) -> Iterator[Member]:
        virtual, free = self.size, 0
        for entry in sorted(self.zip.infolist(), key=lambda one: (one.header_offset, one.filename)):
            kind = format_of(entry.filename)
            if not entry.filename.startswith(FOLDER) or kind is None or kind.container not in DIALECTS:
                continue
            problem = problem_of(entry, free, self.size)
            start = data_of(self.file, entry) if problem is None else -1
            if start < 0 or start + entry.compress_size > self.size:
                place = min(max(0, entry.header_offset), self.size - 1)
                self.problems.append((place, problem or "damaged_member"))
                continue
            free = start + entry.compress_size
            stored = entry.compress_type == zipfile.ZIP_STORED
            self.file.seek(start)
            divided = stored and sniff(self.file.read(16)) in ("gzip", "zstd")
            yield Member(entry, DIALECTS[kind.container], start, start if stored else virtual, stored, divided)
            virtual += 0 if stored else entry.file_size

    def _salvaged(self) -> Iterator[Member]:
        """Archives of a package without a directory, stored ones; the last may be cut."""
        for entry, start in package_heads.entries(self.file, self.size):
            kind = format_of(entry.filename)
            if not entry.filename.startswith(FOLDER) or kind is None or kind.container not in DIALECTS:
                continue
            if entry.flag_bits & ENCRYPTED or entry.compress_type != zipfile.ZIP_STORED:
                problem = "encrypted_member" if entry.flag_bits & ENCRYPTED else "damaged_member"
                self.problems.append((entry.header_offset, problem))
                continue
            yield Member(entry, DIALECTS[kind.container], start, start, True, False)

    def opened(self, member: Member, account: Account) -> Any:
        """The plain bytes of a member as a file."""
        if member.stored:
            return Stored(self.file, member.start, member.stop)
        return _Inflated(self.zip, member.entry, account)


def package_pages(
    file: Any, account: Account, limits: Limits, span: tuple[int, int] | None, far: bool
) -> Iterator[Page]:
    """The pages of a package, or of the part of it that begins in a span of its bytes."""
    first, last = span if span is not None else (0, file.size())
    try:
        package = Package(file)
    except ValueError as error:
        if not first:
            account.damage(0, str(error))
        return
    for place, problem in package.problems:
        if first <= place < last:
            account.damage(place, problem)
    for member in package.members:
        start, end = max(0, first - member.start), last - member.start
        if not member.divided:
            if not first <= member.entry.header_offset < last:
                continue
            start, end = 0, member.entry.file_size + 1
        if end <= 0 or start >= member.entry.file_size > 0:
            continue
        inner = Account(account.file)
        source = package.opened(member, inner)
        source = ReadAhead(source) if far and member.stored else source
        whole = end >= member.entry.file_size
        for page in archive_pages(source, inner, limits, member.dialect, start, None if whole else end):
            page.offset += member.base
            yield page
        account.add(inner, member.base)


def package_record(file: Any, params: Any, name: str, offset: int) -> bytes | None:
    """The record at a position, byte for byte."""
    package = Package(file)
    for member in package.members:
        if member.base <= offset < member.base + max(1, member.entry.file_size):
            source = package.opened(member, Account(name))
            return archive_record(source, member.dialect, params, name, offset - member.base)
    return None


class _Inflated:
    """A compressed member; it ends where it is damaged, which is entered in the account once."""

    def __init__(self, package: zipfile.ZipFile, entry: zipfile.ZipInfo, account: Account) -> None:
        self._package, self._entry, self._account = package, entry, account
        self._file: Any = None
        self._damaged = False

    def read(self, size: int) -> bytes:
        if self._damaged:
            return b""
        try:
            self._file = self._file or self._package.open(self._entry)
            data: bytes = self._file.read(size)
        except ERRORS:
            self._damaged = True
            self._account.damage(0, "damaged_member")
            return b""
        return data

    def seek(self, position: int) -> int:
        if self._file is not None and not self._damaged:
            self._file.seek(position)
        return position

    def tell(self) -> int:
        return int(self._file.tell()) if self._file is not None else 0
