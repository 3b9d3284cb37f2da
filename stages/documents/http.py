"""HTTP responses as archives keep them: head, body, and the body's encodings undone.

Common Crawl stores decoded bodies under renamed headers, others as they came: chunked (RFC 9112), and coded
(`codings`).

Price: nothing for plain bodies. Limit: at most ``limit`` bytes of a body come out; a bomb costs no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass

from stages.documents.codings import coding_of, inflate, undone
from stages.documents.fields import EMPTY, Fields

MAX_HEAD = 256 << 10
MAX_INTERIM = 16
_HEX = frozenset(b"0123456789abcdefABCDEF")


@dataclass(slots=True)
class Response:
    status: int | None
    """None where there is no status line that could be read."""
    headers: Fields
    body: bytes


def parse_response(data: bytes, start: int, stop: int) -> Response:
    """Head and body of the response from ``start`` to ``stop``; without a status line it is all body.

    Interim heads (``100 Continue``, ``103 Early Hints``: RFC 9110, 15.2) are passed over where another follows.
    """
    if not _is_head(data, start):
        return Response(None, EMPTY, data[start:stop])
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
        if status is None or not 100 <= status < 200 or after + 5 > stop or not _is_head(data, after):
            break
        start = after
    return Response(status, Fields(head), data[after:stop])


def _is_head(data: bytes, start: int) -> bool:
    return data[start : start + 5].upper() == b"HTTP/"


def decode_body(body: bytes, transfer: str, encoding: str, limit: int) -> tuple[bytes, str | None]:
    """The body without transfer and content encodings, at most ``limit`` bytes, and a note.

    ``transfer`` and ``encoding`` are the values of the header fields ``Transfer-Encoding`` and ``Content-Encoding``.

    The note is ``truncated`` where an encoding stops short, ``damaged_body`` where its bytes are wrong from some point
    on (what came before is kept), ``over_limit`` where there was more.
    """
    note = None
    if transfer:
        if "chunked" in transfer.lower():
            body, note = unchunk(body)
        body, problem = undone(body, transfer, limit)
        note = problem or note
    if encoding:
        body, problem = undone(body, encoding, limit)
        note = problem or note
    if (coding := coding_of(body)) is not None:
        body, problem = inflate(body, coding, limit)
        note = problem or note
    if len(body) > limit:
        return body[:limit], "over_limit"
    return body, note


def unchunk(body: bytes) -> tuple[bytes, str | None]:
    """The chunks joined; a body that is not chunked after all comes back as it is."""
    parts: list[bytes] = []
    position, size = 0, len(body)
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
