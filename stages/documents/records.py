"""WARC and ARC records from the chunks of a file (`members`), whatever state the file is in.

WARC 0.18 to 1.1 (ISO 28500), records in gzip members of their own, all in one, or split over several. A record's
``offset`` is where its member starts, plus its number within the member; in an uncompressed file, where it starts.
Declared lengths that do not fit are corrected at the next record's head and noted; where no record can be read the
stretch is put down as damage and reading goes on at the next record.

Members of a gzip file that hold one sound record each come framed, many at a time (`runs`), where that is asked for.
Price: one copy of each record's content. Holds at most ``max_content`` bytes of a record: the rest is read and let go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stages.documents.account import Account
from stages.documents.fields import Fields
from stages.documents.heads import MAX_HEAD, WARC, Dialect
from stages.documents.members import Chunk, Pieces
from stages.documents.runs import Framed, Inlet

MAX_SKIP = 1 << 30
"""Plain bytes of one record or one lost stretch that are read past before its member is given up (gzip bombs)."""


@dataclass(slots=True)
class Record:
    offset: int
    headers: Fields
    data: bytes
    """Bytes of a member; the record's content is from ``start`` to ``stop``."""
    start: int
    stop: int
    num_bytes: int
    """Size of the whole content, as far as it is there."""
    note: str | None

    @property
    def content(self) -> bytes:
        return self.data[self.start : self.stop]


class _Inflow:
    """Chunks joined into one buffer that knows where each byte came from, and stops where they do not continue."""

    def __init__(self, source: Inlet, account: Account, plain: bool, dialect: Dialect) -> None:
        self.source = source
        self.account = account
        self.plain = plain
        self.dialect = dialect
        self.starts = dialect.start.match
        self.following = dialect.following.search
        self.data = b""
        self.pos = 0
        self.member = 0
        self.marks: list[tuple[int, int]] = []
        self.number = -1
        self.pending: Chunk | None = None
        self.ended = False

    def more(self, breaks: bool = True) -> bool:
        """Append the next chunk. False at the end, at damage and, if ``breaks``, where a member starts a record."""
        if self.pending is not None or (breaks and self.source.at_framed()):
            return False
        chunk = self.source.next()
        if chunk is None:
            self.ended = True
            return False
        if chunk.problem is not None or (breaks and not self.plain and chunk.fresh and self.starts(chunk.data)):
            self.pending = chunk
            return False
        self._append(chunk)
        return True

    def _append(self, chunk: Chunk) -> None:
        rest = len(self.data) - self.pos
        if rest == 0 and chunk.fresh and not self.plain:
            self.data, self.pos, self.marks = chunk.data, 0, [(0, chunk.offset)]
            return
        self.data = self.data[self.pos :] + chunk.data if rest else chunk.data
        if self.plain:
            self.member = chunk.offset - rest
        else:
            marks = [(at - self.pos, member) for at, member in self.marks]
            before = [mark for mark in marks if mark[0] <= 0]
            self.marks = before[-1:] + [mark for mark in marks if mark[0] > 0]
            if chunk.fresh:
                self.marks.append((rest, chunk.offset))
        self.pos = 0

    def resume(self) -> bool:
        """Go on after a break; what is left of before it is given up. False at the end of the file."""
        self.pos = len(self.data)
        if self.pending is None:
            return not self.ended and (self.more(breaks=False) or self.pending is not None)
        chunk, self.pending = self.pending, None
        if chunk.problem is not None:
            self.account.damage(chunk.offset, chunk.problem)
        else:
            self._append(chunk)
        return True

    def framed(self) -> Framed | None:
        """The records that come framed from here on; None where the next piece must be read by other means."""
        if self.pending is not None or self.ended or self.between():
            return None
        found = self.source.framed()
        if isinstance(found, Framed):
            self.data, self.pos, self.number, self.member = b"", 0, 0, found.places[-1]
            return found
        self.pending, self.ended = found, found is None
        return None

    def whole_member(self) -> Record | None:
        """The short way for the usual case: the next chunk is one member that holds one record, and nothing else."""
        chunk = self.pending
        if chunk is None or not chunk.fresh or self.dialect is not WARC or not self.starts(chunk.data):
            return None
        data = chunk.data
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
        if end < 0 or not data.endswith(b"\r\n\r\n"):
            return None
        headers = Fields(data[:end])
        size = _size(headers)
        if size != len(data) - end - 8:
            return None
        following = None if self.source.at_framed() else self.source.next()
        if following is not None and following.problem is None and not following.fresh:
            self.pending, self.pos = None, len(self.data)
            self._append(chunk)
            self._append(following)
            return None
        self.pending, self.ended = following, following is None and not self.source.at_framed()
        self.data, self.pos, self.number, self.member = b"", 0, 0, chunk.offset
        return Record(chunk.offset, headers, data, end + 4, len(data) - 4, size, _declared(headers))

    def between(self) -> bool:
        """Whether there are bytes that no record has claimed yet."""
        return self.pos < len(self.data)

    def position(self) -> int:
        """The offset of a record that starts at ``pos``."""
        if self.plain:
            return self.member + self.pos
        member = self.member
        for at, offset in self.marks:
            if at <= self.pos:
                member = offset
        self.number = self.number + 1 if member == self.member and self.number >= 0 else 0
        self.member = member
        return member + self.number

    def skip_blank(self) -> bool:
        """Move to the next byte that is no CR or LF; False at a break."""
        while True:
            data, pos = self.data, self.pos
            size = len(data)
            if size == pos + 4 and data.endswith(b"\r\n\r\n"):
                pos = size
            while pos < size and data[pos] in b"\r\n":
                pos += 1
            self.pos = pos
            if pos < size:
                return True
            if not self.more():
                return False

    def head(self) -> Fields | None:
        """Parse the record head at ``pos`` and move past it; None if there is none."""
        while True:
            headers, after = self.dialect.head(self.data, self.pos)
            if headers is not None:
                self.pos = after
                return headers
            if after < 0 or not self.more():
                return None

    def content(self, size: int, max_content: int) -> tuple[bytes, int, str | None]:
        """The ``size`` bytes at ``pos``, or what is there of them: (kept bytes, bytes there, note). Moves past them."""
        while len(self.data) - self.pos < min(size, max_content) and self.more():
            pass
        have = len(self.data) - self.pos
        if have >= size:
            if self._followed(size):
                return self._take(size), size, None
        elif have >= max_content and not self.following(self.data, self.pos):
            content = self._take(max_content)
            return content, max_content + self._discard(size - max_content), "over_limit"
        found = self.following(self.data, self.pos, self.pos + size + 64)
        if found and found.start() < self.pos + size:
            content = self._take(found.start() - self.pos).rstrip(b"\r\n")
            return content, len(content), "length_mismatch"
        content = self._take(min(size, have))
        return content, len(content), "length_mismatch" if have >= size else "truncated"

    def _take(self, size: int) -> bytes:
        content = self.data[self.pos : self.pos + size]
        self.pos += size
        return content

    def _followed(self, size: int) -> bool:
        """Whether ``size`` bytes on there is another record, or nothing."""
        end = self.pos + size
        if self.data.startswith(b"\r\n\r\n", end):
            if len(self.data) == end + 4 and not self.more():
                return True
            if self.starts(self.data, self.pos + size + 4):
                return True
        cursor = size
        while True:
            while self.pos + cursor < len(self.data) and self.data[self.pos + cursor] in b"\r\n":
                cursor += 1
            if len(self.data) - self.pos - cursor >= 5:
                return self.starts(self.data, self.pos + cursor) is not None
            if not self.more():
                return len(self.data) - self.pos == cursor

    def _discard(self, size: int) -> int:
        """Read past ``size`` bytes without keeping them; how many there were."""
        passed = 0
        while passed < size:
            step = min(size - passed, len(self.data) - self.pos)
            self.pos += step
            passed += step
            if passed < size and (passed > MAX_SKIP or not self.more()):
                break
        if passed > MAX_SKIP:
            self.abandon()
        return passed

    def seek(self) -> None:
        """Move to the next record head in what continues here, or to the next break."""
        passed = 0
        self.pos += 1
        while True:
            found = self.following(self.data, max(0, self.pos - 1))
            if found:
                self.pos = found.start() + 1
                return
            keep = min(len(self.data) - self.pos, 200)
            passed += len(self.data) - self.pos - keep
            self.pos = len(self.data) - keep
            if passed > MAX_SKIP:
                self.abandon()
                return
            if not self.more():
                self.pos = len(self.data)
                return

    def abandon(self) -> None:
        """Give up the member: too much has come out of it that is no use."""
        self.pos = len(self.data)
        if self.plain or self.pending is not None or self.ended:
            return
        self.account.damage(self.member, "inflates_without_end")
        self.pending = self.source.give_up()
        self.ended = self.pending is None


def records(source: Pieces, account: Account, dialect: Dialect, *, plain: bool, max_content: int) -> Iterator[Record]:
    """All records of the pieces, in order. Damage goes to ``account``; a head without a length is quarantined."""
    for record in _records(Inlet(source, framing=False), account, dialect, plain, max_content):
        assert isinstance(record, Record)
        yield record


def framed_records(
    source: Pieces, account: Account, dialect: Dialect, *, plain: bool, max_content: int
) -> Iterator[Record | Framed]:
    """The records of `records` in the same order, sound ones in stretches."""
    return _records(Inlet(source, framing=dialect is WARC and not plain), account, dialect, plain, max_content)


def _records(
    source: Inlet, account: Account, dialect: Dialect, plain: bool, max_content: int
) -> Iterator[Record | Framed]:
    inflow = _Inflow(source, account, plain, dialect)
    while True:
        if not inflow.skip_blank():
            while (found := inflow.framed() or inflow.whole_member()) is not None:
                yield found
            if not inflow.between() and not inflow.resume():
                return
            continue
        offset = inflow.position()
        headers = inflow.head()
        if headers is None:
            account.damage(offset, "no_record_head")
            inflow.seek()
            continue
        size = _size(headers)
        if size < 0:
            account.quarantine(offset, "no_content_length")
            inflow.seek()
            continue
        content, num_bytes, note = inflow.content(size, max_content)
        yield Record(offset, headers, content, 0, len(content), num_bytes, note or _declared(headers))


def _size(headers: Fields) -> int:
    """The declared length of a record, -1 where there is none."""
    size = headers.get("content-length", "")
    return int(size) if size.isascii() and size.isdigit() and len(size) < 19 else -1


def _declared(headers: Fields) -> str | None:
    """Statement of a record about its content: cut, or the first of several segments (ISO 28500, 7)."""
    return "truncated" if "warc-truncated" in headers or "warc-segment-number" in headers else None
