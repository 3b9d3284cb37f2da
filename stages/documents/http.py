"""HTTP responses as archives keep them: head, body, and the body's encodings undone.

Common Crawl stores decoded bodies under renamed headers, others as they came: chunked (RFC 9112), and coded
(`codings`). Tools that drop or rename a header and leave the body as it was are common: sizes of chunks are taken out
of a body whose header says nothing of them, if they fit. Status lines may lack the version (``HTTP 200``, ``ICY 200``)
or be missing (``:status: 200``, a head of fields alone).

Price: nothing for plain bodies. Limit: at most ``limit`` bytes of a body come out; a bomb costs no more than that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.documents.codings import coding_of, inflate, undone
from stages.documents.fields import EMPTY, Fields
from stages.documents.media_types import LOOKS_HTML

MAX_HEAD = 256 << 10
MAX_INTERIM = 16
MAX_LAYERS = 4
"""Codings around a body that no header need name."""
_HEX = frozenset(b"0123456789abcdefABCDEF")
_STATUS_LINE = re.compile(rb"[\r\n]{0,4}(?:HTTP/|(?:HTTP|ICY)[ \t]+\d{3}(?!\d))", re.IGNORECASE)
_FIELDS_ALONE = re.compile(rb"(?::?[A-Za-z][^\s:]*+[ \t]*+:[^\r\n]*+\r?\n(?:[ \t][^\r\n]*+\r?\n)*+)++\r?\n")
_PAGE_END = re.compile(rb"</html\s*>\s*\Z", re.IGNORECASE)
_STATUS = re.compile(r"[1-5][0-9]{2}(?![0-9])")
_CHUNK_SIZE = re.compile(rb"(?:\r?\n)?([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,200})?\r?\n")
_CHUNK_END = re.compile(rb"\r?\n[0-9A-Fa-f]{1,8}[ \t]*(?:;[^\r\n]{0,200})?(?:\r?\n|\r?\Z)|\r?\n?\Z")


@dataclass(slots=True)
class Response:
    status: int | None
    """None where there is no status line that could be read."""
    headers: Fields
    body: bytes


def parse_response(data: bytes, start: int, stop: int) -> Response:
    """Head and body of the response from ``start`` to ``stop``; without a head it is all body.

    Interim heads (``100 Continue``, ``103 Early Hints``: RFC 9110, 15.2) are passed over where another follows.
    """
    if not is_head(data, start):
        return _without_status(data, start, stop)
    while data[start] in b"\r\n":
        start += 1
    for _ in range(MAX_INTERIM + 1):
        last = min(stop, start + MAX_HEAD)
        end = data.find(b"\n\r\n", start, last)
        early = data.find(b"\n\n", start, end if end >= 0 else last)
        if early >= 0:
            end, after = early, early + 2
        elif end >= 0:
            after = end + 3
        else:
            end = after = stop
        head = data[start:end]
        words = head[:80].split(None, 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() and len(words[1]) <= 4 else None
        if status is None or not 100 <= status < 200 or after + 5 > stop or not is_head(data, after):
            break
        start = after
    return Response(status, Fields(head), data[after:stop])


def is_head(data: bytes, start: int) -> bool:
    """Whether a status line stands there."""
    return _STATUS_LINE.match(data, start) is not None


def _without_status(data: bytes, start: int, stop: int) -> Response:
    """A head of fields alone, as exports of browsers have it; all body where they name no status and no type."""
    head = _FIELDS_ALONE.match(data, start, min(stop, start + MAX_HEAD))
    if head is not None:
        fields = Fields(b"\n" + head[0])
        status = _STATUS.match((fields.get(":status", "") or fields.get("status", "")).strip())
        if status is not None or "content-type" in fields:
            return Response(int(status[0]) if status is not None else 200, fields, data[head.end() : stop])
    return Response(None, EMPTY, data[start:stop])


def decode_body(body: bytes, transfer: str, encoding: str, limit: int) -> tuple[bytes, str | None]:
    """The body without transfer and content encodings, at most ``limit`` bytes, and a note.

    ``transfer`` and ``encoding`` are the values of the header fields ``Transfer-Encoding`` and ``Content-Encoding``.

    The note is ``truncated`` where an encoding stops short, ``damaged_body`` where its bytes are wrong from some point
    on (what came before is kept), ``over_limit`` where there was more.
    """
    note = None
    if "chunked" in transfer.lower() or is_chunked(body):
        body, note = unchunk(body)
    if transfer:
        body, problem = undone(body, transfer, limit)
        note = problem or note
    if encoding:
        body, problem = undone(body, encoding, limit)
        note = problem or note
    for _ in range(MAX_LAYERS):
        if (coding := coding_of(body)) is None:
            break
        before = body
        body, problem = inflate(body, coding, limit)
        note = problem or note
        if body is before or not body:
            break
    if len(body) > limit:
        return body[:limit], "over_limit"
    return body, note


def is_chunked(body: bytes) -> bool:
    """Whether a body of which nothing is declared is chunks: it begins with a size, and HTML or a coding follows with
    another size at its end (or none, where the body is cut); anything else must be chunks to its last byte. A number
    before a page that ends as pages do, or on a line as Unix ends them, is its text where it is more than the page."""
    first = _CHUNK_SIZE.match(body, 0, 256)
    if first is None:
        return False
    size, begin = int(first[1], 16), first.end()
    is_coded = coding_of(body[begin : begin + 4]) is not None
    if is_coded or LOOKS_HTML.match(body, begin, begin + 1024):
        if begin + size <= len(body):
            return _CHUNK_END.match(body, begin + size, begin + size + 256) is not None
        return is_coded or (first[0].endswith(b"\r\n") and not _PAGE_END.search(body, max(begin, len(body) - 256)))
    while size > 0:
        if body[begin + size : begin + size + 2] != b"\r\n":
            return False
        following = _CHUNK_SIZE.match(body, begin + size + 2, begin + size + 256)
        if following is None or following[0].startswith((b"\r", b"\n")):
            return False
        size, begin = int(following[1], 16), following.end()
    return body[begin:] in (b"", b"\r\n") and begin > first.end()


def unchunk(body: bytes) -> tuple[bytes, str | None]:
    """The chunks joined; a body that is not chunked after all comes back as it is."""
    parts: list[bytes] = []
    size = len(body)
    position = size - len(body.lstrip(b"\r\n")) if body.startswith((b"\r", b"\n")) else 0
    while position < size:
        line_end = body.find(b"\n", position, position + 1024)
        digits = body[position:line_end].split(b";", 1)[0].strip() if line_end >= 0 else b""
        if not digits or not _HEX.issuperset(digits) or len(digits) > 12:
            if not parts:
                return body, None
            return b"".join(parts), "truncated" if line_end < 0 else "damaged_body"
        length = int(digits, 16)
        if length == 0:
            return b"".join(parts), None
        start = line_end + 1
        parts.append(body[start : start + length])
        position = start + length
        if body.startswith(b"\r\n", position):
            position += 2
        elif body.startswith(b"\n", position):
            position += 1
    return b"".join(parts), "truncated" if parts else None
