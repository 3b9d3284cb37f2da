"""Pages from WARC files: which records are pages, and what becomes of the others.

Responses and resources with HTML make a page; conversion records (WET) are text as they are. Everything else is
dropped with a reason: `request_record`, `metadata_record`, `revisit_record`, `warcinfo_record`, `other_record`,
`status_not_ok`, `no_body`, `not_html`, and `not_text` where the bytes of a page are those of an image, a font, an
archive (both counted by type; `media_types`).

Sound records come framed, a stretch at a time (`runs`): those that are no page cost no Python at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import numpy as np

from stages.documents import office, pdf
from stages.documents.account import Account
from stages.documents.charsets import decoded
from stages.documents.codings import unmarked
from stages.documents.extraction import close_empty_elements
from stages.documents.heads import WARC, Dialect
from stages.documents.http import Response, decode_body, is_head, parse_response
from stages.documents.media_types import HTML_TYPES, LOOKS_HTML, is_vague, media_type, type_of_body
from stages.documents.members import Pieces, pieces, sniff
from stages.documents.page import Page, header_directives
from stages.documents.records import Record, framed_records, records
from stages.documents.runs import Framed
from stages.kernels.warc import record_heads as columns

PLAIN_RECORDS = ("warcinfo", "request", "metadata", "revisit")
_PLAIN_KINDS = tuple(columns.KINDS.index(kind) for kind in PLAIN_RECORDS)
_YEAR_OR_MONTH, _DIGITS = re.compile(r"\d{4}(?:-\d{2})?", re.ASCII), re.compile(r"\d{14}", re.ASCII)
_RESPONSE, _CONVERSION, _OTHER = (columns.KINDS.index(kind) for kind in ("response", "conversion", "continuation"))


PAPERS = frozenset((pdf.TYPE, *office.TYPES))
"""Types of files that are no text, of which a library takes it; they are as long as a record may be."""

UNTOLD_TYPES = ("application/zlib", "application/octet-stream")
"""Results of `type_of_body` for a page whose coding is declared nowhere."""


class Limits:
    """Bytes of a record and of a page beyond which reading stops, and what is wanted beside HTML."""

    def __init__(
        self, max_record_bytes: int, max_html_bytes: int, text_types: frozenset[str], markdown: bool = False
    ) -> None:
        self.max_record_bytes = max_record_bytes
        self.max_html_bytes = max_html_bytes
        self.text_types = text_types
        self.markdown = markdown
        self.papers = text_types & PAPERS
        """Types of `PAPERS` that are wanted."""


@dataclass(slots=True)
class Head:
    """Facts about a page from the heads of its record."""

    offset: int
    num_bytes: int
    url: str | None
    date: str | None
    content_type: str
    """Content-Type of the body, parameters included."""
    payload_type: str = ""
    """Media type of the body as the crawler identified it."""
    languages: str = ""
    transfer_encoding: str = ""
    content_encoding: str = ""
    robots: str | None = None
    note: str | None = None
    is_conversion: bool = False


def archive_records(
    file: Any, account: Account, limits: Limits, dialect: Dialect = WARC, start: int = 0
) -> Iterator[Record]:
    """The records of an open WARC or ARC file, of any compression; only members that start at ``start`` or behind."""
    yield from _read(records, file, account, limits, dialect, start, None)


def archive_pages(
    file: Any, account: Account, limits: Limits, dialect: Dialect = WARC, start: int = 0, end: int | None = None
) -> Iterator[Page]:
    """The pages in them; what is no page goes to ``account``."""
    for head, body in payloads(file, account, limits, dialect, start, end):
        page = page_of_payload(head, body, account, limits)
        if page is not None:
            yield page


def payloads(
    file: Any, account: Account, limits: Limits, dialect: Dialect = WARC, start: int = 0, end: int | None = None
) -> Iterator[tuple[Head, bytes]]:
    """Head and body, still encoded, of every record that may be a page; the others go to ``account``."""
    for found in _read(framed_records, file, account, limits, dialect, start, end):
        if isinstance(found, Framed):
            yield from framed_payloads(found, account)
        else:
            payload = record_payload(found, account)
            if payload is not None:
                yield payload


def _read(
    reader: Any, file: Any, account: Account, limits: Limits, dialect: Dialect, start: int, end: int | None
) -> Iterator[Any]:
    file.seek(0)
    head = file.read(16)
    file.seek(0)
    if not head:
        account.damage(0, "empty_file")
        return
    compression = sniff(head)
    if (
        compression == "none" and start
    ):  # its name says otherwise, or it would not have been divided: the first part has it
        return
    source: Pieces = pieces(file, compression, dialect.starts, start, end)
    found = False
    for item in reader(source, account, dialect, plain=compression == "none", max_content=limits.max_record_bytes):
        found = True
        yield item
    if not found and not start and not account.num_bad and not account.num_quarantined:
        account.damage(0, "no_records")


def framed_payloads(framed: Framed, account: Account) -> Iterator[tuple[Head, bytes]]:
    """Payloads of a stretch of records; records without one are counted together."""
    frames = framed.frames
    kind, size, status = frames[:, columns.KIND], frames[:, columns.SIZE], frames[:, columns.STATUS]
    reasons = {f"{name}_record": kind == number for name, number in zip(PLAIN_RECORDS, _PLAIN_KINDS, strict=True)}
    reasons["other_record"] = kind == _OTHER
    interim = (kind == _RESPONSE) & (status >= 100) & (status < 200)  # the final head follows it
    reasons["status_not_ok"] = (kind == _RESPONSE) & ((status < 200) | (status >= 300)) & ~interim
    rest = np.ones(len(frames), np.bool_)
    for reason, rows in reasons.items():
        if count := int(np.count_nonzero(rows)):
            account.drop(reason, int(size[rows].sum(dtype=np.int64)), count)
            rest &= ~rows
    members, places, text = framed.members, framed.places, framed.heads.decode("latin-1")
    for index, row in zip(np.flatnonzero(rest).tolist(), frames[rest].tolist(), strict=True):
        head, start = _framed_head(row, text, places[index]), row[columns.START]
        if interim[index]:
            body = _answered(head, parse_response(bytes(members[index]), start, start + row[columns.SIZE]), account)
            if body is not None:
                yield head, body
            continue
        first = row[columns.BODY] if row[columns.KIND] == _RESPONSE else start
        yield head, bytes(memoryview(members[index])[first : start + row[columns.SIZE]])


def _framed_head(row: list[int], text: str, offset: int) -> Head:
    """Absent fields are -1, -1: the empty string."""
    url, stop, date, date_stop, payload, payload_stop = row[columns.URL : columns.LANGUAGES]
    head = Head(offset, row[columns.SIZE], text[url:stop], text[date:date_stop], "", text[payload:payload_stop])
    if row[columns.TRUNCATED] >= 0:
        head.note = "truncated"
    if row[columns.KIND] != _RESPONSE:
        start, stop, kind, kind_stop = row[columns.LANGUAGES : columns.HTTP_TYPE]
        head.content_type, head.languages = text[kind:kind_stop], text[start:stop]
        head.is_conversion = row[columns.KIND] == _CONVERSION
        return head
    kind, kind_stop, encoding, encoding_stop, transfer, transfer_stop, language, stop = row[
        columns.HTTP_TYPE : columns.HTTP_ROBOTS
    ]
    head.content_type, head.languages = text[kind:kind_stop], text[language:stop]
    head.transfer_encoding, head.content_encoding = text[transfer:transfer_stop], text[encoding:encoding_stop]
    asked = row[columns.HTTP_ROBOTS : columns.WIDTH]
    if max(asked) >= 0:
        tags, reservation, *usages = (text[first:last] for first, last in zip(asked[::2], asked[1::2], strict=True))
        head.robots = header_directives([tags], reservation, usages)
    return head


def page_of(record: Record, account: Account, limits: Limits) -> Page | None:
    """The page in a record; None when it holds none, which is then in ``account``."""
    payload = record_payload(record, account)
    return page_of_payload(*payload, account, limits) if payload is not None else None


def record_payload(record: Record, account: Account) -> tuple[Head, bytes] | None:
    fields = record.headers
    kind = fields.get("warc-type", "").lower()
    if kind in PLAIN_RECORDS:
        account.drop(f"{kind}_record", record.num_bytes)
        return None
    if kind not in ("response", "resource", "conversion"):
        account.drop("other_record", record.num_bytes)
        return None
    head = Head(
        offset=record.offset,
        num_bytes=record.num_bytes,
        url=fields.get("warc-target-uri"),
        date=fields.get("warc-date"),
        content_type=fields.get("content-type", ""),
        payload_type=fields.get("warc-identified-payload-type", ""),
        languages=fields.get("warc-identified-content-language", ""),
        note=record.note,
        is_conversion=kind == "conversion",
    )
    if kind != "response":
        return head, record.content
    response = parse_response(record.data, record.start, record.stop)
    if response.status is None and media_type(head.content_type) in HTML_TYPES:
        return head, record.content
    body = _answered(head, response, account)
    return (head, body) if body is not None else None


def _answered(head: Head, response: Response, account: Account) -> bytes | None:
    """The body of a response, what its head says put into ``head``; None where it is no success."""
    if response.status is not None and not 200 <= response.status < 300:
        account.drop("status_not_ok", head.num_bytes)
        return None
    http = response.headers
    head.content_type, head.languages = http.get("content-type", ""), http.get("content-language", "")
    head.transfer_encoding = ", ".join(http.every("transfer-encoding"))
    head.content_encoding = ", ".join(http.every("content-encoding"))
    usages = [*http.every("content-signal"), *http.every("content-usage")]
    head.robots = header_directives(http.every("x-robots-tag"), ", ".join(http.every("tdm-reservation")), usages)
    return response.body


def page_of_payload(head: Head, body: bytes, account: Account, limits: Limits) -> Page | None:
    if media_type(head.content_type) == "application/http" and is_head(body, 0):  # a resource that is a whole answer
        answer = _answered(head, parse_response(body, 0, len(body)), account)
        if answer is None:
            return None
        body = answer
    limit = limits.max_record_bytes if _may_be_paper(head, body, limits) else limits.max_html_bytes
    body, note = decode_body(body, head.transfer_encoding, head.content_encoding, limit)
    if not body:
        account.drop("no_body", head.num_bytes)
        return None
    if head.is_conversion and not head.content_type:
        head.content_type = "text/plain"
    declared = media_type(head.content_type)
    kind = type_of_body(body, head.content_type, head.payload_type)
    if kind in UNTOLD_TYPES and kind != declared and (declared in HTML_TYPES or is_vague(declared)):
        plain, problem = unmarked(body, limit)
        if LOOKS_HTML.match(plain, 0, 1024):
            body, note = plain, problem or note
            kind = type_of_body(body, head.content_type, head.payload_type)
    if kind == "application/zip" and limits.papers:
        kind = office.type_of(body) or kind
    if declared in limits.text_types and kind.startswith("text/") and kind not in HTML_TYPES:
        kind = declared
    is_html = kind in HTML_TYPES
    if kind not in limits.papers and len(body) > limits.max_html_bytes:
        body, note = body[: limits.max_html_bytes], "over_limit"
    if not is_html and not (kind in limits.text_types or (head.is_conversion and kind == "text/plain")):
        was_page = declared in HTML_TYPES or declared in limits.text_types
        account.drop("not_text" if was_page else "not_html", head.num_bytes)
        name = declared if not was_page and not is_vague(declared) else kind
        name = name if len(name) <= 80 and len(account.content_types) < 200 else "other"
        account.content_types[name or "unknown"] = account.content_types.get(name or "unknown", 0) + 1
        return None
    return Page(
        offset=head.offset,
        raw_bytes=head.num_bytes,
        url=clean_url(head.url),
        time=seconds(head.date),
        content_type=kind,
        language_declared=head.languages.split(",")[0].strip() or None,
        robots=head.robots,
        note=head.note or note,
        finish=paper_reader(kind, body, limits) or partial(_finish, body=body, head=head, is_html=is_html),
    )


def paper_reader(kind: str, body: bytes, limits: Limits) -> Callable[[Page], bool | str] | None:
    """A function that takes the text of a file of one of `PAPERS`; None for other types."""
    if kind == pdf.TYPE:
        return partial(pdf.finish, body=body)
    return partial(office.finish, body=body, kind=kind, markdown=limits.markdown) if kind in office.TYPES else None


def _may_be_paper(head: Head, body: bytes, limits: Limits) -> bool:
    """Whether one of `PAPERS` is wanted, and this may be one: such are not cut where pages are."""
    if not limits.papers:
        return False
    types = {media_type(head.content_type), media_type(head.payload_type)}
    return bool(types & limits.papers) or body.startswith((b"%PDF-", b"PK\3\4"))


def _finish(page: Page, body: bytes, head: Head, is_html: bool) -> bool:
    utf8, page.charset, num_wrong = decoded(body, head.content_type, head.payload_type)
    if num_wrong:
        page.note = page.note or "wrong_bytes"
    if is_html:
        page.html = close_empty_elements(utf8, page.content_type)
    else:
        page.text = utf8.decode("utf-8", "replace")
    return True


def clean_url(url: str | None) -> str | None:
    """wget writes addresses in angle brackets."""
    return url.strip().strip("<>") or None if url else None


def seconds(date: str | None) -> int | None:
    """Seconds since 1970 of a W3C-DTF or ISO 8601 date (a year or month is its first day), 14 digits or an RFC 5322
    date; None if it cannot be read."""
    if not date:
        return None
    date = date.strip()
    try:
        if _YEAR_OR_MONTH.fullmatch(date):
            when = datetime.fromisoformat(f"{date}-01-01"[:10])
        elif _DIGITS.fullmatch(date):
            when = datetime.strptime(date, "%Y%m%d%H%M%S")
        else:
            when = datetime.fromisoformat(date)
    except ValueError:
        try:
            when = parsedate_to_datetime(date)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    try:
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, ValueError):
        return None
