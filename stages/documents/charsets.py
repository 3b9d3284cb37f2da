"""Bytes of a page to UTF-8: which charset, and how sure.

Order: byte order mark; bytes that are valid UTF-8; then the charset the HTTP header and the page itself declare, if the
bytes bear it out; then detection (uchardet, through resiliparse). Deviation from the WHATWG order (mark, header,
meta, detection): valid UTF-8 beats a wrong header, and where header and page disagree the bytes decide, then the page,
because servers' default headers are wrong more often than pages are. Labels are read as browsers read them (WHATWG
Encoding: ``iso-8859-1`` is windows-1252, ``gb2312`` is gb18030, ``shift_jis`` is cp932, ...).

Price: ASCII and UTF-8 pages are validated and not copied. What cannot be decoded becomes U+FFFD.
"""

from __future__ import annotations

import codecs
import re

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

SAMPLE = 256 << 10
"""Bytes of a page that detection and trial decoding look at."""
PRESCAN = 4096
"""Bytes in which a page's own declaration is looked for (WHATWG says 1,024; pages with long heads exceed it)."""

BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))

# What resiliparse's WHATWG map leaves narrower than browsers read it.
CODECS = {
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "euc-kr": "cp949",
    "iso-8859-11": "cp874",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso-8859-8",
}

_META = re.compile(rb"""<meta[^>]{0,512}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_:.-]{2,40})""")
_HEADER = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]{2,40})""", re.IGNORECASE)


def to_utf8(page: bytes, content_type: str = "") -> tuple[bytes, str]:
    """The page in UTF-8 without byte order mark, and the name of the charset it was in.

    ``content_type`` is the HTTP header, parameters included. The bytes given back are always valid UTF-8.
    """
    for mark, name in BOMS:
        if page.startswith(mark):
            if name == "utf-8":
                return _valid_utf8(page[3:]), name
            return _decode(page[2:], name), name
    stateful = b"\x1b" in page
    if page.isascii() and not stateful and b"\0" not in page:
        return page, "utf-8"
    wide = _wide(page)
    if wide:
        return _decode(page, wide), wide
    if not stateful:
        try:
            page.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start >= len(page) - 3 and error.end == len(page):
                return page[: error.start], "utf-8"
        else:
            return page, "utf-8"
    name = choose(page, header_label(content_type), page_label(page))
    return _decode(page, CODECS.get(name, name)), name


def header_label(content_type: str) -> str | None:
    """Charset of a Content-Type header, as a name Python knows; None if there is none."""
    found = _HEADER.search(content_type)
    return known(found.group(1)) if found else None


def page_label(page: bytes) -> str | None:
    """Charset a page declares in ``<meta>`` or its XML declaration, as a name Python knows."""
    head = page[:PRESCAN]
    found = _META.search(head) or _XML.search(head)
    return known(found.group(1).decode("ascii")) if found else None


def known(label: str) -> str | None:
    """A label as browsers understand it, or as Python does; None if neither does."""
    name = map_encoding_to_html5(label, fallback_utf8=False)
    try:
        return str(name or codecs.lookup(label).name)
    except LookupError:
        return None


def choose(page: bytes, header: str | None, meta: str | None) -> str:
    """The charset of a page that is neither ASCII nor valid UTF-8."""
    sample = page[:SAMPLE]
    declared = [name for name in dict.fromkeys((meta, header)) if name is not None]
    fits = [name for name in declared if _share_wrong(sample, name) < 0.001]
    if len(fits) == 1 and (len(declared) == 1 or fits[0] != "windows-1252"):
        return fits[0]
    detected = str(detect_encoding(page, max_len=SAMPLE, from_html_meta=False))
    if len(fits) > 1:
        return detected if detected in fits else fits[0]
    if _share_wrong(sample, detected) < 0.01:
        return detected
    return min([*declared, detected, "windows-1252"], key=lambda name: _share_wrong(sample, name))


def _share_wrong(sample: bytes, name: str) -> float:
    """Share of the characters outside ASCII that do not decode."""
    text = sample.decode(CODECS.get(name, name), "replace")
    wrong = text.count("�")
    if wrong == 0:
        return 0.0
    outside = len(text) - len(text.encode("ascii", "ignore"))
    return (wrong - 1 if len(sample) == SAMPLE else wrong) / max(outside, 1)


def _wide(page: bytes) -> str | None:
    """UTF-16 without a mark: NUL in most even or most odd places of the first bytes."""
    head = page[:512]
    if head.count(b"\0") * 3 < len(head):
        return None
    even, odd = head[::2].count(b"\0"), head[1::2].count(b"\0")
    return "utf-16be" if even > odd else "utf-16le"


def _decode(page: bytes, codec: str) -> bytes:
    return _encode(page.decode(codec, "replace"))


def _valid_utf8(page: bytes) -> bytes:
    try:
        page.decode("utf-8")
    except UnicodeDecodeError:
        return _decode(page, "utf-8")
    return page


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates, which some codecs and JSON let through
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8")
