"""Pages of records that an index names, read by ranges of bytes (`stages.formats.ranges`).

Every wanted record is counted once: as a row, dropped for what any record is dropped for, or quarantined with its
offset where it is not what the index says:

- `past_the_end`: the file ends before the record does;
- `not_a_record`: no record begins there;
- `truncated_member`, `damaged_member`: its compressed bytes stop short or are wrong;
- `other_page_than_indexed`: a record of another address.

A record has the name of its file, its offset and all columns that reading the whole file gives it. A file that is gone
is an error, or with `missing: skip` drops its records (`missing_file`).

Method: members are inflated alone by libdeflate and framed many at a time, as `members` and `runs` do; what that leaves
goes the long way, record by record. Price: that of reading records in files, and the requests. Memory: some requests
(`ranges.AHEAD`), and a run.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from deflate import DeflateError, gzip_decompress

from stages.contract import Split
from stages.documents.account import Account
from stages.documents.archives import Head, Limits, framed_payloads, page_of_payload, record_payload
from stages.documents.heads import ARC, WARC, Dialect
from stages.documents.members import MAGIC, PIECE, RUN_BYTES, RUN_MEMBERS, ZSTD_DICTIONARY, Run, pieces, sniff
from stages.documents.page import Page
from stages.documents.records import Record, records
from stages.documents.runs import breaks, framed, stretch
from stages.formats import format_of
from stages.formats.ranges import Ranged, Wanted, check_of, fetched, requests

Payload = tuple[Head, bytes]
MAX_DICTIONARY = 16 << 20


def indexed_pages(split: Split, params: Any, account: Account) -> Iterator[Page]:
    """The pages of a split of ranges, in order; what is none goes to ``account``.

    Raises:
        FileNotFoundError: a file that is gone, unless ``params.missing`` is ``skip``.
    """
    limits = Limits(params.max_record_bytes, params.max_html_bytes, frozenset(params.text_types), params.markdown)
    for number, ((name, uri, _), encoded) in enumerate(zip(split.parts, split.ranges, strict=True)):
        account.file = name
        kind = format_of(name, params.format)
        dialect = ARC if kind is not None and kind.container == "arc" else WARC
        wanted = Wanted.decoded(encoded)
        before, num_pages = account.records, 0
        try:
            with closing(Ranged(uri)) as file:
                for head, body in _payloads(file, wanted, account, limits, dialect):
                    page = page_of_payload(head, body, account, limits)
                    if page is not None:
                        page.file, page.part = name, number
                        num_pages += 1
                        yield page
        except FileNotFoundError:
            if params.missing != "skip" or num_pages or account.records > before:
                raise
            account.drop("missing_file", int(wanted.sizes_N.sum()), len(wanted))


def _payloads(file: Ranged, wanted: Wanted, account: Account, limits: Limits, dialect: Dialect) -> Iterator[Payload]:
    """Head and body of those records that may be pages."""
    reads = requests(wanted)
    account.ask(len(wanted), len(reads), sum(end - begin for _, _, begin, end in reads), int(wanted.sizes_N.sum()))
    offsets, sizes = wanted.offsets_N.tolist(), wanted.sizes_N.tolist()
    checks = dict(zip(offsets, wanted.checks_N.tolist(), strict=True))
    dictionary: bytes | None = None
    for (first, last, begin, _), data in zip(reads, fetched(file, reads), strict=True):
        view = memoryview(data)
        if dictionary is None:
            dictionary = _dictionary(file) if sniff(data[:16]) == "zstd" else b""
        reader = _Records(account, limits, dialect, dictionary)
        for index in range(first, last):
            at = offsets[index] - begin
            record = view[at : at + sizes[index]]
            if len(record) < sizes[index]:
                yield from _checked(reader.rest(), checks, account)
                account.quarantine(offsets[index], "past_the_end")
            else:
                yield from _checked(reader.take(offsets[index], record), checks, account)
        yield from _checked(reader.rest(), checks, account)


def _checked(found: Iterator[Payload], checks: dict[int, int], account: Account) -> Iterator[Payload]:
    """Payloads that are of the address the index gives, as far as it gives one."""
    for head, body in found:
        check = checks[head.offset]
        if check and head.url is not None and not _is_same(head.url, check):
            account.quarantine(head.offset, "other_page_than_indexed", head.num_bytes)
        else:
            yield head, body


def _is_same(url: str, check: int) -> bool:
    """Whether an address of a record is the one an index has: as it stands, or without angle brackets around it."""
    spellings = (url, url.strip().strip("<>"))
    return any(check_of(one.encode(coding, "replace")) == check for one in spellings for coding in ("utf-8", "latin-1"))


class _Records:
    """Records one after the other, each from its own bytes; sound ones wait until they are framed together."""

    def __init__(self, account: Account, limits: Limits, dialect: Dialect, dictionary: bytes) -> None:
        self.account, self.limits, self.dialect, self.dictionary = account, limits, dialect, dictionary
        self.run = Run([], [])
        self.sources: list[Any] = []
        """The compressed bytes of each member of the run."""
        self.held = 0

    def take(self, offset: int, data: memoryview) -> Iterator[Payload]:
        member = _inflated(data) if self.dialect is WARC else None
        if member is None:
            yield from self.rest()
            yield from self.alone(offset, data)
            return
        self.run.members.append(member)
        self.run.places.append(offset)
        self.sources.append(data)
        self.held += len(member)
        if self.held >= RUN_BYTES or len(self.run.members) >= RUN_MEMBERS:
            yield from self.rest()

    def rest(self) -> Iterator[Payload]:
        """Payloads of the records that wait."""
        run, sources = self.run, self.sources
        self.run, self.sources, self.held = Run([], []), [], 0
        if not run.members:
            return
        found = framed(run)
        start = 0
        for stop in breaks(found):
            if stop > start:
                yield from framed_payloads(stretch(found, start, stop), self.account)
            if stop < len(run.members):
                yield from self.alone(run.places[stop], sources[stop])
            start = stop + 1

    def alone(self, offset: int, data: memoryview) -> Iterator[Payload]:
        """The record in these bytes, whatever they are."""
        record, problem = self.first_record(data)
        if record is None:
            self.account.quarantine(offset, problem)
            return
        record.offset = offset
        payload = record_payload(record, self.account)
        if payload is not None:
            yield payload

    def first_record(self, data: memoryview) -> tuple[Record | None, str]:
        """The record with which the bytes begin, or why there is none."""
        head = bytes(data[:16])
        compression = sniff(head)
        prefix = self.dictionary if compression == "zstd" else b""
        if compression == "none" and not self.dialect.starts(head + bytes(data[16:4096])):
            return None, "not_a_record"
        inner = Account(self.account.file)
        source = pieces(io.BytesIO(prefix + bytes(data)), compression, self.dialect.starts)
        found = records(
            source, inner, self.dialect, plain=compression == "none", max_content=self.limits.max_record_bytes
        )
        record = next(found, None)
        for _ in found:  # damage is reported behind the record that it cuts
            pass
        wrong = [entry for entry in (*inner.bad, *inner.quarantined) if entry["offset"] == len(prefix)]
        if record is not None and record.offset == len(prefix) and not wrong:
            return record, ""
        reason = wrong[0]["reason"] if wrong else "not_a_record"
        return None, "not_a_record" if reason == "no_record_head" else reason


def _inflated(data: memoryview) -> bytearray | None:
    """The plain bytes of one whole gzip member of at most `PIECE` of them; None for all else."""
    if len(data) < 18 or bytes(data[:3]) != MAGIC["gzip"]:
        return None
    size = int.from_bytes(data[-4:], "little")
    if not 0 < size <= PIECE:
        return None
    try:
        member = gzip_decompress(data, size)
    except (DeflateError, ValueError):
        return None
    return member if len(member) == size else None


def _dictionary(file: Ranged) -> bytes:
    """The dictionary with which a zstd file begins, as it stands there; empty where it has none."""
    head = file.get(0, 8)
    if not head.startswith(ZSTD_DICTIONARY) or len(head) < 8:
        return b""
    return file.get(0, min(8 + int.from_bytes(head[4:8], "little"), MAX_DICTIONARY))
