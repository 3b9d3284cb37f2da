"""HTTP responses as archives keep them: head, body, and the body's encodings undone.

Archives disagree with their own headers: Common Crawl stores decoded bodies under renamed headers, others store
decoded bodies under ``Content-Encoding: gzip``. So a declared encoding is undone only if the bytes bear it out, and a
gzip or zstd body is recognised undeclared. RFC 9112 (chunked), RFC 9110
(gzip, deflate), RFC 7932 (br), RFC 8878 (zstd).

Price: nothing for plain bodies. Limit: at most ``limit`` bytes of a body come out; a bomb costs no more than that.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import brotli
import zstandard
from deflate import DeflateError, gzip_decompress

from stages.documents.fields import EMPTY, Fields

MAX_HEAD = 256 << 10
MAX_INTERIM = 16
STEP = 16 << 10
GZIP, ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
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
    if transfer and "chunked" in transfer.lower():
        body, note = unchunk(body)
    if encoding:
        names = encoding.lower().replace(",", " ").split()
        for name in reversed([n for n in names if n not in ("identity", "none", "utf-8")]):
            body, problem = inflate(body, name.removeprefix("x-"), limit)
            note = problem or note
    if body.startswith((GZIP, ZSTD)):
        body, problem = inflate(body, "gzip" if body.startswith(GZIP) else "zstd", limit)
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


def inflate(body: bytes, encoding: str, limit: int) -> tuple[bytes, str | None]:
    """One content encoding undone, if the bytes bear it out; an unknown one leaves the body as it is."""
    if encoding == "gzip" and body.startswith(b"\x1f\x8b"):
        plain = _whole_gzip(body, limit)
        return (plain, None) if plain is not None else _zlib(body, 31, limit)
    if encoding == "zstd" and body.startswith(ZSTD):
        return _steps(zstandard.ZstdDecompressor().decompressobj(read_across_frames=True), body, limit)
    if encoding == "deflate":
        for bits in (15, -15):
            plain, note = _zlib(body, bits, limit)
            if plain and note != "damaged_body":
                return plain, note
    if encoding == "br":
        plain, note = _brotli(body, limit)
        if plain and note != "damaged_body":
            return plain, note
    return body, None


def _whole_gzip(body: bytes, limit: int) -> bytes | None:
    """A body that is one sound gzip member within the limit, by libdeflate at three times the speed; None otherwise."""
    size = int.from_bytes(body[-4:], "little")
    if size > limit or body.find(GZIP, 3) >= 0:
        return None
    try:
        plain = gzip_decompress(body, size)
    except (DeflateError, ValueError):
        return None
    return bytes(plain) if len(plain) == size else None


def _zlib(body: bytes, bits: int, limit: int) -> tuple[bytes, str | None]:
    inflater = zlib.decompressobj(bits)
    out: list[bytes] = []
    total, position = 0, 0
    rest = b""
    while not inflater.eof and total <= limit:
        step = rest or body[position : position + STEP]
        if not rest:
            position += len(step)
        if not step:
            return b"".join(out), "truncated"
        try:
            plain = inflater.decompress(step, limit + 1 - total)
        except zlib.error:
            return b"".join(out), "damaged_body"
        rest = inflater.unconsumed_tail
        total += len(plain)
        out.append(plain)
        if inflater.eof and bits == 31 and (inflater.unused_data + body[position:]).startswith(GZIP):
            body, position, rest = inflater.unused_data + body[position:], 0, b""
            inflater = zlib.decompressobj(bits)
    return b"".join(out)[: limit + 1], None


def _steps(inflater: zstandard.ZstdDecompressionObj, body: bytes, limit: int) -> tuple[bytes, str | None]:
    out: list[bytes] = []
    total = 0
    for position in range(0, len(body), 1024):
        if total > limit:
            break
        try:
            plain = inflater.decompress(body[position : position + 1024])
        except zstandard.ZstdError:
            return b"".join(out), "damaged_body"
        total += len(plain)
        out.append(plain)
    return b"".join(out)[: limit + 1], None


def _brotli(body: bytes, limit: int) -> tuple[bytes, str | None]:
    inflater = brotli.Decompressor()
    out: list[bytes] = []
    total, position = 0, 0
    while not inflater.is_finished() and total <= limit:
        step = b""
        if inflater.can_accept_more_data():
            step = body[position : position + STEP]
            position += len(step)
            if not step:
                return b"".join(out), "truncated"
        try:
            plain = inflater.process(step, output_buffer_limit=max(limit + 1 - total, 1))
        except brotli.error:
            return b"".join(out), "damaged_body"
        total += len(plain)
        out.append(plain)
    return b"".join(out)[: limit + 1], None
