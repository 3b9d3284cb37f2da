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
from collections.abc import Callable
from functools import lru_cache

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from stages.kernels.html.byte_scan import Survey, survey

SAMPLE = 256 << 10
"""Bytes of a page that detection and trial decoding look at."""
PRESCAN = 4096
"""Bytes in which a page's own declaration is looked for (WHATWG says 1,024; pages with long heads exceed it)."""

BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))

# Names as browsers give them (WHATWG), where resiliparse's map or Python say something else.
NAMES = {
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "euc_kr": "euc-kr",
    "euc_jp": "euc-jp",
    "iso2022_jp": "iso-2022-jp",
    "shift-jis": "shift_jis",
    "gb2312": "gbk",
    "cp866": "ibm866",
    "mac-roman": "macintosh",
    "iso8859-11": "windows-874",
    **{f"cp{n}": f"windows-{n}" for n in (874, *range(1250, 1259))},
    **{f"iso8859-{n}": f"iso-8859-{n}" for n in range(1, 17) if n != 11},
}

# Python's codecs for them, where the name alone would give one that reads less than browsers do.
CODECS = {
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac_roman",
    "ibm866": "cp866",
}

# Legacy charsets of a declared language: a check on detection, which markup and short texts mislead.
LEGACY = {
    "ja": ("shift_jis", "euc-jp", "iso-2022-jp"),
    "ko": ("euc-kr",),
    "zh": ("gbk", "gb18030", "big5"),
    "ru": ("windows-1251", "koi8-r", "ibm866", "iso-8859-5"),
    "uk": ("windows-1251", "koi8-u", "ibm866", "iso-8859-5"),
    "th": ("windows-874",),
    "el": ("windows-1253", "iso-8859-7"),
    "he": ("windows-1255", "iso-8859-8"),
    "ar": ("windows-1256", "iso-8859-6"),
}

_LANG = re.compile(rb"""<html[^>]{0,300}?\blang\s*=\s*["']?\s*([A-Za-z]{2})\b""", re.IGNORECASE)
_META = re.compile(rb"""<meta[^>]{0,512}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_:.-]{2,40})""")
_HEADER = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]{2,40})""", re.IGNORECASE)


def plain_survey(page: bytes) -> Survey:
    """`survey` without its kernel, for tasks that would wait for no other one. Price: 1 ns a byte outside ASCII."""
    try:
        page.decode("utf-8")
        valid = len(page)
    except UnicodeDecodeError as error:
        valid = error.start
    return Survey(page.isascii(), b"\0" in page, b"\x1b" in page, valid)


def to_utf8(page: bytes, content_type: str = "", survey: Callable[[bytes], Survey] = survey) -> tuple[bytes, str]:
    """The page in UTF-8 without byte order mark, and the name of the charset it was in.

    ``content_type`` is the HTTP header, parameters included. The bytes given back are always valid UTF-8.
    """
    for mark, name in BOMS:
        if page.startswith(mark):
            if name == "utf-8":
                rest = page[3:]
                return rest if survey(rest).valid == len(rest) else _encode(decode(rest, name)), name
            return _encode(decode(page[2:], name)), name
    found = survey(page)
    if found.has_nul and (wide := _wide(page)):
        return _encode(decode(page, wide)), wide
    if not found.has_escape:
        if found.valid == len(page):
            return page, "utf-8"
        if found.valid >= len(page) - 3 and _is_cut(page[found.valid :]):
            return page[: found.valid], "utf-8"
    name = choose(page, header_label(content_type), page_label(page))
    return _encode(decode(page, name)), name


def _is_cut(end: bytes) -> bool:
    """Whether these bytes begin a character of UTF-8 that the page's end cuts."""
    try:
        end.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start == 0 and error.end == len(end)
    return False


@lru_cache(maxsize=4096)
def header_label(content_type: str) -> str | None:
    """Charset of a Content-Type header, as a name Python knows; None if there is none."""
    found = _HEADER.search(content_type)
    return known(found.group(1)) if found else None


def page_label(page: bytes) -> str | None:
    """Charset a page declares in ``<meta>`` or its XML declaration, as a name Python knows."""
    head = page[:PRESCAN]
    found = _META.search(head) or _XML.search(head)
    return known(found.group(1).decode("ascii")) if found else None


@lru_cache(maxsize=4096)
def known(label: str) -> str | None:
    """A label as browsers understand it, or as Python does; None if neither does."""
    name = map_encoding_to_html5(label, fallback_utf8=False)
    try:
        found = str(name or codecs.lookup(label).name)
        " ".encode(found)  # Python's lookup also knows codecs that are no charsets
    except LookupError:
        return None
    return NAMES.get(found, found)


def choose(page: bytes, header: str | None, meta: str | None) -> str:
    """The charset of a page that is neither ASCII nor valid UTF-8."""
    sample = page[:SAMPLE]
    # The bytes are neither: `to_utf8` has looked.
    declared = [n for n in dict.fromkeys((meta, header)) if n and n not in ("utf-16le", "utf-16be")]
    fits = [name for name in declared if _share_wrong(sample, name) < 0.001]
    if len(fits) == 1 and (len(declared) == 1 or fits[0] != "windows-1252"):
        return fits[0]
    detected = detect(page)
    if len(fits) > 1:
        return detected if detected in fits else fits[0]
    if _share_wrong(sample, detected) < 0.01:
        return detected
    return min([*declared, detected, "windows-1252"], key=lambda name: _share_wrong(sample, name))


def detect(page: bytes) -> str:
    """uchardet's answer, unless the page's declared language has charsets of its own and one of them fits."""
    found = str(detect_encoding(page, max_len=SAMPLE, from_html_meta=False))
    found = NAMES.get(found, found)
    if found == "koi8-r":
        return "koi8-u"  # the same but for the Ukrainian letters, where koi8-r has box drawings
    language = _LANG.search(page[:PRESCAN])
    expected = LEGACY.get(language.group(1).decode("ascii").lower(), ()) if language else ()
    sample = page[:SAMPLE]
    if found == "utf-8" and _share_wrong(sample, found) < 0.01:
        return found
    if expected and found not in expected:
        best = min(expected, key=lambda name: _share_wrong(sample, name))
        if _share_wrong(sample, best) < 0.001:
            return best
    return found


def _share_wrong(sample: bytes, name: str) -> float:
    """Share of the characters outside ASCII that do not decode."""
    text = decode(sample, name)
    wrong = text.count("�")
    if wrong == 0:
        return 0.0
    outside = len(text) - len(text.encode("ascii", "ignore"))
    return (wrong - 1 if len(sample) == SAMPLE else wrong) / max(outside, 1)


def _wide(page: bytes) -> str | None:
    """UTF-16 without a mark: in the first bytes, NUL in many even places and no odd ones, or the reverse."""
    head = page[:1024]
    even, odd = head[::2].count(b"\0"), head[1::2].count(b"\0")
    if max(even, odd) * 16 < len(head) or min(even, odd) * 16 > max(even, odd):
        return None
    return "utf-16be" if even > odd else "utf-16le"


def decode(page: bytes, name: str) -> str:
    """Decode as browsers do; what cannot be becomes U+FFFD."""
    errors = "gristmill-c1" if name.startswith("windows-125") else "replace"
    return page.decode(CODECS.get(name, name), errors)


def _c1(error: UnicodeError) -> tuple[str, int]:
    """Bytes 80-9F that a windows charset leaves free are C1 controls to browsers."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(byte) if byte < 0xA0 else "\ufffd" for byte in bad), error.end


codecs.register_error("gristmill-c1", _c1)


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates, which some codecs and JSON let through
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8")
