"""The type of a body: HTML, text or neither, by what the crawler identified, its first bytes, and its Content-Type.

Order: bytes that begin another format (`magic`) are no text, whatever is declared; then the type the crawler identified
(``WARC-Identified-Payload-Type``, as Common Crawl's own WET files go by); then the header, read as the MIME Sniffing
standard reads repeated and quoted values; where that names no type that servers mean, whether the bytes look like HTML.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
VAGUE_TYPES = frozenset(
    (
        *("", "application/octet-stream", "application/unknown", "unknown/unknown", "content/unknown", "*/*"),
        *("binary/octet-stream", "application/binary", "application/force-download", "application/download"),
        *("application/x-download", "application/x-force-download", "application/x-httpd-php", "application/php"),
        *("application/x-php", "application/x-httpd-cgi", "application/x-unknown", "unknown/type", "www/unknown"),
        *("application/x-httpd-eruby", "application/x-asp", "application/x-aspx", "application/x-empty", "none/none"),
    )
)
"""Types that say nothing: a server's default, or the program that wrote the page."""
TOP_LEVEL = frozenset(
    ("application", "audio", "font", "haptics", "image", "message", "model", "multipart", "text", "video")
)
"""The kinds of types that there are (RFC 6838; IANA's registry)."""
_PROGRAM = re.compile(r"html|htlm|hmtl|\b(?:x-)?(?:php\d?|aspx?|jsp|cgi|shtml|unknown)\b")
ALIASES = {
    "html": "text/html",
    "htm": "text/html",
    "text/htm": "text/html",
    "text/xhtml": "application/xhtml+xml",
    "xhtml": "application/xhtml+xml",
    "application/html": "text/html",
    "application/xhtml": "application/xhtml+xml",
    "text": "text/plain",
    "plain": "text/plain",
    "text/txt": "text/plain",
}
UNSURE_TYPES = frozenset(("text/plain", "text/xml", "application/xml"))
"""Types that identification gives to HTML whose first tags it does not know: the header's HTML is believed over it."""

MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\0\0\1\0", "image/x-icon"),
    (0, b"8BPS\0\1", "image/vnd.adobe.photoshop"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"FLV\1", "video/x-flv"),
    (0, b"CWS", "application/x-shockwave-flash"),
    (0, b"FWS", "application/x-shockwave-flash"),
    (0, b"OggS\0", "audio/ogg"),
    (0, b"fLaC\0", "audio/flac"),
    (0, b"ID3\2", "audio/mpeg"),
    (0, b"ID3\3", "audio/mpeg"),
    (0, b"ID3\4", "audio/mpeg"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS-", "application/postscript"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"PK\3\4", "application/zip"),
    (0, b"PK\5\6", "application/zip"),
    (0, b"Rar!\x1a\7", "application/x-rar-compressed"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (4, b"1AY&SY", "application/x-bzip2"),
    (257, b"ustar", "application/x-tar"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"OTTO\0", "font/otf"),
    (0, b"\0\1\0\0\0", "font/ttf"),
    (0, b"ttcf\0", "font/collection"),
    (34, b"LP", "application/vnd.ms-fontobject"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\0asm", "application/wasm"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"d8:announce", "application/x-bittorrent"),
    (0, b"d10:created by", "application/x-bittorrent"),
    (0, b"!<arch>\ndebian", "application/vnd.debian.binary-package"),
    (0, b"!<arch>\n", "application/x-archive"),
    (0, b"xar!\0", "application/x-xar"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"\xff\x0a", "image/jxl"),
)
"""(place, bytes, type) of formats that are no text (WHATWG MIME Sniffing, section 6; the shared-mime-info database)."""
_NEED = {b"LP", b"ftyp", b"WEBP", b"WAVE", b"AVI ", b"CWS", b"FWS", b"1AY&SY", b"ustar", b"wOFF", b"wOF2", b"\xff\x0a"}
"""Short ones that a text might have in that place: there must be controls beside them."""
LOOK = 4096
MOST_CONTROLS = 0.03
"""Share of the first `LOOK` bytes that may be controls; of any compressed or encrypted data one in ten are."""
FEW_CONTROLS = 3
"""So many may be damage, however short the body."""
PDF_BEGINS = 1024
"""Bytes in which readers look for the beginning of a PDF (ISO 32000-1, annex H, note 13)."""
TRANSPORT_PACKET = 188
_CONTROLS = bytes([*range(9), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])
_PDF = re.compile(rb"(?:\A|[\r\n\0])\s*%PDF-\d\.\d\s*[\r\n]%[\x80-\xff]{2}|\A\s*%PDF-")
"""A PDF behind some bytes of something else; there it must have the comment that says it is binary."""
_KOREAN_SHIFT = b"\x1b$)C"
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+|\*/\*")
LOOKS_HTML = re.compile(
    rb"[\s\0]*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*"
    rb"<(?:!doctype\s+html|html|head|body|meta|link|script|style|title|iframe|div|span|center|font|p|br|b|table|h[1-6]|a\s)",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=4096)
def media_type(content_type: str) -> str:
    """The type a header names, in lower case: of repeated ones the last (MIME Sniffing), without quotes and parameters;
    what is none as it stands."""
    value = content_type.strip().lower()
    found = [_first_type(part) for part in value.split(",")]
    named = [kind for kind in found if kind]
    return named[-1] if named else ALIASES.get(value, re.split(r"[;,\s]", value, maxsplit=1)[0].strip("\"'"))


def _first_type(part: str) -> str | None:
    part = part.split(";", 1)[0].strip(" \t\"'")
    match = _TYPE.match(part)
    if match is None:
        return ALIASES.get(part)
    return ALIASES.get(match[0], match[0])


def type_of_body(body: bytes, content_type: str, identified: str) -> str:
    """The type that decides what becomes of a body; not HTML and not text where its bytes are neither."""
    other = magic(body)
    if other is not None:
        return other
    declared, found = media_type(content_type), media_type(identified)
    if found not in VAGUE_TYPES and not (found in UNSURE_TYPES and declared in HTML_TYPES):
        return found
    if is_vague(declared) and (LOOKS_HTML.match(body, 0, 1024) or _looks_wide_html(body)):
        return "text/html"
    return declared


def _looks_wide_html(body: bytes) -> bool:
    """Whether it looks like HTML in UTF-16 or UTF-32, with a mark or without."""
    head = body[:LOOK].removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return 0 in head[:8] and LOOKS_HTML.match(head.replace(b"\0", b""), 0, 1024) is not None


def is_type(kind: str) -> bool:
    """Whether this is the name of a type, of a kind that there is."""
    return _TYPE.fullmatch(kind) is not None and kind.partition("/")[0] in TOP_LEVEL


def is_vague(kind: str) -> bool:
    """Whether a type says nothing: one of `VAGUE_TYPES`, no type at all, one of a kind that nobody registers
    (``httpd/unix-directory``, ``txt/html``), or one that names HTML or a program in another way (``text/x-php``)."""
    if kind in VAGUE_TYPES or _TYPE.fullmatch(kind) is None:
        return True
    return kind not in HTML_TYPES and (kind.partition("/")[0] not in TOP_LEVEL or _PROGRAM.search(kind) is not None)


def magic(body: bytes) -> str | None:
    """The type of bytes that are no text: by what they begin with, or ``application/octet-stream`` where more than one
    in ten of the first is a control; None for what may be text, UTF-16 and UTF-32 among it."""
    if LOOKS_HTML.match(body, 0, 1024) or body.startswith(_UTF16):
        return None
    head = body[:LOOK]
    num_controls = len(head) - len(head.translate(None, _CONTROLS))
    for place, needle, kind in MAGIC:
        if head.startswith(needle, place) and (num_controls > FEW_CONTROLS or needle not in _NEED):
            return kind
    if _PDF.search(head, 0, PDF_BEGINS):
        return "application/pdf"
    if len(head) > 2 * TRANSPORT_PACKET and head[: 2 * TRANSPORT_PACKET + 1 : TRANSPORT_PACKET] == b"GGG":
        return "video/mp2t" if not head.isascii() else None
    if _is_zlib(head):
        return "application/zlib"
    head = head.rstrip(b"\0")
    shifts = head.count(b"\x0e") + head.count(b"\x0f") if _KOREAN_SHIFT in head else 0
    num_controls = len(head) - len(head.translate(None, _CONTROLS)) - shifts
    if num_controls > max(FEW_CONTROLS, MOST_CONTROLS * len(head)) and not _is_wide(head):
        return "application/octet-stream"
    return None


def _is_zlib(head: bytes) -> bool:
    """Deflated bytes with a zlib header that some 64 bytes can be had of (RFC 1950)."""
    if not head.startswith((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")):
        return False
    try:
        return bool(zlib.decompressobj().decompress(head, 64))
    except zlib.error:
        return False


def _is_wide(head: bytes) -> bool:
    """UTF-16 without a mark: every other byte NUL, or next to it."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    return max(even, odd) * 16 >= len(head) and min(even, odd) * 16 <= max(even, odd)
