"""Pages from WARC files: which records are pages, and what becomes of the others.

Responses and resources with HTML make a page; conversion records (WET) are text as they are. Everything else is
dropped with a reason: `request_record`, `metadata_record`, `revisit_record`, `warcinfo_record`, `other_record`,
`status_not_ok`, `no_body`, `not_html` (counted by content type).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from stages.documents import page as self_description
from stages.documents.account import Account
from stages.documents.batches import Page
from stages.documents.charsets import to_utf8
from stages.documents.extraction import close_empty_elements
from stages.documents.fields import single
from stages.documents.heads import WARC, Dialect
from stages.documents.http import Response, decode_body, parse_response
from stages.documents.members import chunks, sniff
from stages.documents.records import Record, records

HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
VAGUE_TYPES = frozenset(("", "application/octet-stream", "application/unknown", "unknown/unknown", "content/unknown"))
PLAIN_RECORDS = frozenset(("request", "metadata", "revisit", "warcinfo"))
_LOOKS_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|title|div|p|table|h1|a\s)",
    re.IGNORECASE | re.DOTALL,
)


class Limits:
    """Bytes of a record and of a page beyond which reading stops."""

    def __init__(self, max_record_bytes: int, max_html_bytes: int, text_types: frozenset[str]) -> None:
        self.max_record_bytes = max_record_bytes
        self.max_html_bytes = max_html_bytes
        self.text_types = text_types


def archive_records(
    file: Any, account: Account, limits: Limits, dialect: Dialect = WARC, start: int = 0, end: int | None = None
) -> Iterator[Record]:
    """The records of an open WARC or ARC file, of any compression; only members that start in [``start``, ``end``)."""
    file.seek(0)
    head = file.read(16)
    file.seek(0)
    if not head:
        account.damage(0, "empty_file")
        return
    compression = sniff(head)
    source = chunks(file, compression, dialect.starts, start, end)
    found = False
    for record in records(source, account, dialect, plain=compression == "none", max_content=limits.max_record_bytes):
        found = True
        yield record
    if not found and not start and not account.num_bad and not account.num_quarantined:
        account.damage(0, "no_records")


def page_of(record: Record, account: Account, limits: Limits) -> Page | None:
    """The page in a record; None when it holds none, which is then in ``account``."""
    kind = record.headers.get("warc-type", "").lower()
    if kind in PLAIN_RECORDS:
        account.drop(f"{kind}_record", record.num_bytes)
        return None
    if kind == "response":
        response = parse_response(record.data, record.start, record.stop)
        if response.status is None and _media_type(record.headers.get("content-type", "")) in HTML_TYPES:
            response = _bare(record)
    elif kind in ("resource", "conversion"):
        response = _bare(record)
    else:
        account.drop("other_record", record.num_bytes)
        return None
    if response.status is not None and not 200 <= response.status < 300:
        account.drop("status_not_ok", record.num_bytes)
        return None
    return _page(record, response, kind, account, limits)


def _bare(record: Record) -> Response:
    """A record whose content is the body itself, its type in the record's own head."""
    return Response(None, single("content-type", record.headers.get("content-type", "")), record.content)


def _page(record: Record, response: Response, kind: str, account: Account, limits: Limits) -> Page | None:
    body, note = decode_body(response, limits.max_html_bytes)
    if not body:
        account.drop("no_body", record.num_bytes)
        return None
    declared = response.headers.get("content-type", "")
    media_type = _media_type(declared)
    if media_type in VAGUE_TYPES:
        media_type = _media_type(record.headers.get("warc-identified-payload-type", ""))
        if media_type in VAGUE_TYPES and _LOOKS_HTML.match(body, 0, 1024):
            media_type = "text/html"
    is_html = media_type in HTML_TYPES
    if not is_html and not (media_type in limits.text_types or (kind == "conversion" and media_type == "text/plain")):
        account.drop("not_html", record.num_bytes)
        name = media_type if len(media_type) <= 80 and len(account.content_types) < 200 else "other"
        account.content_types[name or "unknown"] = account.content_types.get(name or "unknown", 0) + 1
        return None
    utf8, charset = to_utf8(body, declared)
    page = Page(
        offset=record.offset,
        raw_bytes=record.num_bytes,
        url=clean_url(record.headers.get("warc-target-uri")),
        time=seconds(record.headers.get("warc-date")),
        content_type=media_type,
        charset=charset,
        note=record.note or note,
    )
    if is_html:
        describe(page, close_empty_elements(utf8, media_type))
    else:
        page.text = utf8.decode("utf-8", "replace")
        languages = record.headers.get("warc-identified-content-language")
        page.language_declared = languages.split(",")[0] if languages else None
    if page.language_declared is None:
        page.language_declared = response.headers.get("content-language") or None
    return page


def describe(page: Page, html: bytes) -> None:
    """Give the page its HTML and what that says of itself."""
    page.html = html
    page.title = self_description.title(html)
    page.language_declared = self_description.language(html)
    page.licence = self_description.licence(html)


def _media_type(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower()


def clean_url(url: str | None) -> str | None:
    """wget writes addresses in angle brackets."""
    return url.strip().strip("<>") or None if url else None


def seconds(date: str | None) -> int | None:
    """Seconds since 1970 of a W3C-DTF or ISO 8601 date; None if it cannot be read."""
    if not date:
        return None
    try:
        when = datetime.fromisoformat(date.strip())
    except ValueError:
        return None
    try:
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, ValueError):
        return None
