"""Bytes of a page to UTF-8, as browsers read them.

Order: byte order mark, unless the bytes behind it refute it; UTF-16 recognised by its NULs; bytes that are valid UTF-8
whatever is declared; then what HTTP header, page and crawler declare (`charset_labels`), unless the bytes refute it
clearly; then detection (`charset_choice`). Labels and decoding as browsers have them (`charset_names`): what cannot be
decoded becomes U+FFFD and is counted, all else stays.

Price: ASCII and UTF-8 pages are validated and not copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stages.documents.charset_choice import SAMPLE, choose, fit, refuted
from stages.documents.charset_labels import header_label, page_label
from stages.documents.charset_names import decode
from stages.documents.charset_shifts import shifted
from stages.kernels.html.byte_scan import Survey, survey

BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32le"),
    (b"\0\0\xfe\xff", "utf-32be"),
    (b"\xff\xfe", "utf-16le"),
    (b"\xfe\xff", "utf-16be"),
)
MIN_NULS = 4
"""NULs in every other place that make UTF-16 of bytes without a mark; one or two may be damage."""
REPLACEMENT = "\ufffd".encode()
MOSTLY, SPACED = 0.8, 40
"""Share of ASCII, and bytes in which a space is, of what is no UTF-16 behind its mark."""
MANY = 4
"""Bytes that characters of UTF-8 take beyond their number where it is no chance."""
_CONTROLS = bytes([*range(9), 0x0B, *range(0x0E, 0x20)])
_OUTSIDE = bytes(range(0x80, 0x100))


class Decoded(NamedTuple):
    """A page in UTF-8 without byte order mark, the charset it was in, and the characters that could not be read."""

    utf8: bytes
    charset: str
    num_wrong: int = 0


def plain_survey(page: bytes) -> Survey:
    """`survey` without its kernel, for tasks that would wait for no other one. Price: 1 ns a byte outside ASCII."""
    try:
        page.decode("utf-8")
        valid = len(page)
    except UnicodeDecodeError as error:
        valid = error.start
    return Survey(page.isascii(), b"\0" in page, b"\x1b" in page, b"~" in page or b"\x0e" in page, valid)


def to_utf8(page: bytes, content_type: str = "", survey: Callable[[bytes], Survey] = survey) -> tuple[bytes, str]:
    """`decoded` without its count."""
    return decoded(page, content_type, survey=survey)[:2]


def decoded(
    page: bytes, content_type: str = "", identified: str = "", survey: Callable[[bytes], Survey] = survey
) -> Decoded:
    """The page in UTF-8. The bytes given back are always valid UTF-8.

    ``content_type`` is the HTTP header, parameters included, ``identified`` what the crawler took the page for
    (``WARC-Identified-Payload-Type``), which may name a charset too.
    """
    for mark, name in BOMS:
        if page.startswith(mark):
            rest = page[len(mark) :]
            if name == "utf-8" and survey(rest).valid == len(rest):
                return Decoded(rest, name)
            marked = _marked(rest, name, survey)
            if marked is not None:
                return _decoded(rest, marked)
            page = rest
            break
    found = survey(page)
    if found.has_nul and (wide := _wide(page)):
        return _decoded(page, wide)
    if found.is_ascii and found.may_shift and (b"~{" in page or b"\x0e" in page):
        declared = header_label(content_type) or page_label(page)
        if between := shifted(page, declared):
            return _decoded(page, between)
    if not found.has_escape:
        if found.valid == len(page):
            return Decoded(page, "utf-8")
        if found.valid >= len(page) - 3 and _is_cut(page[found.valid :]):
            return Decoded(page[: found.valid], "utf-8")
    return _decoded(page, choose(page, header_label(content_type), page_label(page), header_label(identified)))


def _decoded(page: bytes, name: str) -> Decoded:
    utf8 = _encode(decode(page, name))
    return Decoded(utf8, name, utf8.count(REPLACEMENT) - (page.count(REPLACEMENT) if name == "utf-8" else 0))


def _is_cut(end: bytes) -> bool:
    """Whether these bytes begin a character of UTF-8 that the page's end cuts."""
    try:
        end.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start == 0 and error.reason == "unexpected end of data"
    return False


def _marked(page: bytes, name: str, survey: Callable[[bytes], Survey]) -> str | None:
    """The charset of what a byte order mark stands before: as it says, in the other order, or none of these: bytes of
    another charset that a program put the mark before."""
    if name == "utf-8":
        return None if refuted(name, fit(page[:SAMPLE], name)) else name
    if not name.startswith("utf-16"):
        return name
    found = survey(page)
    if found.has_nul:
        return _wide(page) or name
    if found.valid == len(page) and len(page.decode()) <= len(page) - MANY:
        return None
    return None if _is_plain(page[:1024]) else name


def _is_plain(head: bytes) -> bool:
    """Whether bytes are words of ASCII: no controls, and spaces or tags between them. Kana in two bytes each may be
    ASCII too, but have no spaces, and ideographs have controls."""
    if len(head) < SPACED or head.translate(None, _CONTROLS) != head:
        return False
    num_breaks = sum(map(head.count, (b" ", b"\n", b"<")))
    return len(head.translate(None, _OUTSIDE)) >= MOSTLY * len(head) and num_breaks * SPACED >= len(head)


def _wide(page: bytes) -> str | None:
    """UTF-16 without a mark: in the first bytes, NUL in many even places and no odd ones, or the reverse."""
    head = page[:1024]
    even, odd = head[::2].count(b"\0"), head[1::2].count(b"\0")
    if (
        max(even, odd) < min(MIN_NULS, len(head) // 2)
        or (len(head) < 2 * MIN_NULS and len(head) % 2)
        or max(even, odd) * 16 < len(head)
        or min(even, odd) * 16 > max(even, odd)
    ):
        return None
    return "utf-16be" if even > odd else "utf-16le"


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates, which some codecs and JSON let through
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8")
