"""Codings of HTTP bodies undone: gzip (RFC 1952), deflate (1950, 1951), brotli (7932) and zstd (8878).

Archives disagree with their own headers: some store decoded bodies under ``Content-Encoding: br``, others name one
coding and hold another. So a declared coding is undone only if the bytes bear it out; gzip and zstd are recognised
undeclared. Raw deflate and brotli have no mark: bytes that may be text are neither, and what comes of damaged ones must
be text.

What can be inflated before a wrong byte or a false checksum is kept: the step that fails is fed again byte by byte.
Padding of NULs and garbage behind the end cost nothing. Price: inflating alone. Limit: at most ``limit`` bytes come
out; a bomb costs no more than that.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

import brotli
import zstandard
from deflate import DeflateError, gzip_decompress

STEP = 16 << 10
GZIP, ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE = tuple(bytes((0x50 + number, 0x2A, 0x4D, 0x18)) for number in range(16))
NO_CODINGS = frozenset(("chunked", "aws-chunked", "identity", "none", "utf-8"))
ALIASES = {"brotli": "br"}
LOOK, ENOUGH = 256, 64
_CONTROLS = bytes([*range(9), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])
_ERRORS: Any = (zlib.error, brotli.error, zstandard.ZstdError)


def undone(body: bytes, header: str, limit: int) -> tuple[bytes, str | None]:
    """The body without the codings that a header names, the last first, and a note (`inflate`). One that bears none of
    them out and is no text is tried as those that have no mark."""
    parts = header.lower().replace(",", " ").split()
    names = [part.split(";", 1)[0].strip("\"'").removeprefix("x-") for part in parts]
    names = [ALIASES.get(name, name) for name in names if name and "=" not in name and name not in NO_CODINGS]
    note, before = None, body
    for name in reversed(names):
        body, problem = inflate(body, name, limit)
        note = problem or note
    if names and body is before and coding_of(body) is None:
        for name in _MARKLESS:
            body, note = inflate(body, name, limit) if body is before else (body, note)
    return body, note


def unmarked(body: bytes, limit: int) -> tuple[bytes, str | None]:
    """The body without a coding that neither a header nor its first bytes name, if undoing one gives whole text."""
    for makers in _MARKLESS.values():
        for maker in makers:
            plain, note = _steps(maker, body, limit)
            if note is None and len(plain) > ENOUGH and may_be_text(plain):
                return plain, "over_limit" if len(plain) > limit else None
    return body, None


def coding_of(body: bytes) -> str | None:
    """The coding that the first bytes show, whatever is declared; None where they show none."""
    if body.startswith(GZIP):
        return "gzip"
    if body.startswith((ZSTD, *ZSTD_SKIPPABLE)):
        return "zstd"
    return None


def may_be_text(data: bytes) -> bool:
    """Whether bytes are no compressed ones: of `ENOUGH` compressed bytes some are controls, and of a few some are no
    UTF-8."""
    head = data[:LOOK]
    if head.translate(None, _CONTROLS) != head:
        return False
    return len(head) >= ENOUGH or head.decode("utf-8", "ignore").encode() == head


def inflate(body: bytes, coding: str, limit: int) -> tuple[bytes, str | None]:
    """One coding undone, if the bytes bear it out; an unknown one leaves the body as it is.

    The note is ``truncated`` where the coding stops short and ``damaged_body`` where its bytes are wrong from some
    point on, or its checksum is.
    """
    if coding == "gzip" and body.startswith(b"\x1f\x8b"):
        plain = _whole_gzip(body, limit)
        return (plain, None) if plain is not None else _steps(_Gzip, body, limit)
    if coding == "zstd" and body.startswith((ZSTD, *ZSTD_SKIPPABLE)):
        return _steps(_Zstd, body, limit)
    makers = _MARKLESS.get(coding, ())
    if makers and not may_be_text(body):
        for maker in makers:
            plain, note = _steps(maker, body, limit)
            if plain and (note != "damaged_body" or may_be_text(plain)):
                return plain, note
    return body, None


def _whole_gzip(body: bytes, limit: int) -> bytes | None:
    """A body that is one sound gzip member within the limit, by libdeflate at three times the speed; None otherwise."""
    size = int.from_bytes(body[-4:], "little")
    if not 0 < size <= limit or body.find(GZIP, 3) >= 0:
        return None
    try:
        plain = gzip_decompress(body, size)
    except (DeflateError, ValueError):
        return None
    return bytes(plain) if len(plain) == size else None


class _Inflater(Protocol):
    """``eof``: what follows is none of it; ``whole``: a body may end here; ``step``: bytes to feed at a time."""

    @property
    def eof(self) -> bool: ...
    @property
    def whole(self) -> bool: ...
    @property
    def step(self) -> int: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, most: int) -> bytes: ...


def _steps(make: Callable[[], _Inflater], body: bytes, limit: int) -> tuple[bytes, str | None]:
    plain, note, position = _fed(make(), body, limit, len(body))
    if note == "damaged_body":
        plain, note, _ = _fed(make(), body, limit, max(0, position - 2 * STEP))
    return plain[: limit + 1], note


def _fed(inflater: _Inflater, body: bytes, limit: int, sound: int) -> tuple[bytes, str | None, int]:
    """The output, the note, and the number of bytes that went in; those from ``sound`` on go in one by one."""
    out: list[bytes] = []
    total = position = 0
    while not inflater.eof and total <= limit:
        step = b""
        if inflater.needs_input:
            step = body[position : position + (min(inflater.step, sound - position) if position < sound else 1)]
            position += len(step)
            if not step:
                return b"".join(out), None if inflater.whole else "truncated", position
        try:
            plain = inflater.decompress(step, limit + 1 - total)
        except _ERRORS:
            return b"".join(out), "damaged_body", position
        total += len(plain)
        out.append(plain)
    return b"".join(out), None, position


class _Deflate:
    """One stream of zlib's library."""

    step = STEP
    whole = False

    def __init__(self, bits: int) -> None:
        self.inflater = zlib.decompressobj(bits)

    @property
    def eof(self) -> bool:
        return self.inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self.inflater.unconsumed_tail

    def decompress(self, data: bytes, most: int) -> bytes:
        return self.inflater.decompress(self.inflater.unconsumed_tail or data, most)


class _Gzip:
    """Members one after the other, with NULs between them or behind the last."""

    step = STEP

    def __init__(self) -> None:
        self.member: _Deflate | None = None
        self.rest = b""
        self.eof = self.whole = False

    @property
    def needs_input(self) -> bool:
        return self.member.needs_input if self.member is not None else len(self.rest) < len(GZIP)

    def decompress(self, data: bytes, most: int) -> bytes:
        if self.member is None:
            self.rest = (self.rest + data).lstrip(b"\0") if self.whole else self.rest + data
            if len(self.rest) < len(GZIP):
                return b""
            if self.whole and not self.rest.startswith(GZIP):
                self.eof = True
                return b""
            self.member, data = _Deflate(31), self.rest
        plain = self.member.decompress(data, most)
        self.whole = self.member.eof
        if self.whole:
            self.rest, self.member = self.member.inflater.unused_data.lstrip(b"\0"), None
        return plain


class _Zstd:
    """Frames one after the other, skippable ones among them. A kilobyte may hold a hundred blocks of 128 KB."""

    step = 1024
    needs_input = True

    def __init__(self) -> None:
        self.inflater = zstandard.ZstdDecompressor().decompressobj(read_across_frames=False)
        self.eof = self.whole = False
        self.rest = b""

    def decompress(self, data: bytes, most: int) -> bytes:
        out: list[bytes] = []
        data = self.rest + data
        self.rest = b""
        while data:
            if self.whole:
                data = data.lstrip(b"\0")
                if len(data) < len(ZSTD):
                    self.rest = data
                    break
                if not data.startswith((ZSTD, *ZSTD_SKIPPABLE)):
                    self.eof = True
                    break
                self.inflater = zstandard.ZstdDecompressor().decompressobj(read_across_frames=False)
            out.append(self.inflater.decompress(data))
            self.whole = self.inflater.eof
            data = self.inflater.unused_data if self.whole else b""
        return b"".join(out)


class _Brotli:
    step = STEP
    whole = False

    def __init__(self) -> None:
        self.inflater = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self.inflater.is_finished())

    @property
    def needs_input(self) -> bool:
        return bool(self.inflater.can_accept_more_data())

    def decompress(self, data: bytes, most: int) -> bytes:
        return bytes(self.inflater.process(data, output_buffer_limit=max(most, 1)))


_MARKLESS: dict[str, tuple[Callable[[], _Inflater], ...]] = {
    "deflate": (lambda: _Deflate(15), lambda: _Deflate(-15)),
    "br": (_Brotli,),
}
