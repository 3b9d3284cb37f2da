"""Labels of charsets, the names browsers give them, and decoding as browsers decode (WHATWG Encoding).

``iso-8859-1`` is windows-1252, ``gb2312`` is gbk and read as gb18030, ``shift_jis`` is cp932. Charsets that browsers
no longer read and old pages are in (cp852, cp855, iso-2022-kr) keep their own names. What cannot be decoded becomes
U+FFFD.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from resiliparse.parse.encoding import map_encoding_to_html5

from stages.documents.charset_jis import realigned
from stages.documents.charset_shifts import decode_hz, decode_kr

# Names as browsers give them (WHATWG), where resiliparse's map or Python say something else.
NAMES = {
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "euc_kr": "euc-kr",
    "cp949": "euc-kr",
    "uhc": "euc-kr",
    "euc_jp": "euc-jp",
    "iso2022_jp": "iso-2022-jp",
    "iso2022_kr": "iso-2022-kr",
    "shift-jis": "shift_jis",
    "cp932": "shift_jis",
    "gb2312": "gbk",
    "cp866": "ibm866",
    "cp855": "ibm855",
    "cp852": "ibm852",
    "cp862": "ibm862",
    "cp865": "ibm865",
    "cp850": "ibm850",
    "cp437": "ibm437",
    "mac-roman": "macintosh",
    "mac-cyrillic": "x-mac-cyrillic",
    "x-mac-ukrainian": "x-mac-cyrillic",
    "mac-latin2": "x-mac-ce",
    "hz-gb-2312": "hz",
    "big5hkscs": "big5",
    "big-5": "big5",
    "gb18030-2022": "gb18030",
    "tis-620": "windows-874",
    "iso8859-11": "windows-874",
    **{f"cp{n}": f"windows-{n}" for n in (874, *range(1250, 1259))},
    **{f"iso8859-{n}": f"iso-8859-{n}" for n in range(1, 17) if n != 11},
}

# Python's codecs for them, where the name alone would give one that reads less than browsers do, or none.
CODECS = {
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "iso-2022-jp": "iso2022_jp_ext",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ce": "mac_latin2",
    "ibm866": "cp866",
    "ibm855": "cp855",
    "ibm852": "cp852",
    "ibm862": "cp862",
    "ibm865": "cp865",
    "ibm850": "cp850",
    "ibm437": "cp437",
}


@lru_cache(maxsize=4096)
def known(label: str) -> str | None:
    """A label as browsers understand it, or as Python does; None if neither does."""
    label = label.strip().lower()
    plain = label.removeprefix("x-")
    for name in (map_encoding_to_html5(label, fallback_utf8=False), NAMES.get(label), label, plain):
        try:
            found = str(name and codecs.lookup(CODECS.get(name, name)).name and name)
            " ".encode(CODECS.get(found, found))  # Python's lookup also knows codecs that are no charsets
        except LookupError:
            continue
        if name is label or name is plain:
            found = codecs.lookup(CODECS.get(found, found)).name.replace("_", "-")
        return NAMES.get(found, NAMES.get(found.replace("-", "_"), found))
    return None


def decode(page: bytes, name: str, errors: str = "replace") -> str:
    """Decode as browsers do; what cannot be becomes U+FFFD, or is left out where ``errors`` is ``ignore``."""
    if errors == "replace":
        if name in ("hz", "iso-2022-kr"):
            return decode_hz(page) if name == "hz" else decode_kr(page)
        errors = _HANDLERS.get(name, errors)
        page = realigned(page) if name == "iso-2022-jp" else page
    return page.decode(CODECS.get(name, name), errors)


def _c1(error: UnicodeError) -> tuple[str, int]:
    """Bytes 80-9F that a windows charset leaves free are C1 controls to browsers."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(byte) if byte < 0xA0 else "\ufffd" for byte in bad), error.end


def _euc_jp(error: UnicodeError) -> tuple[str, int]:
    """Browsers' EUC-JP has the rows of cp932 that Python's lacks: circled numbers, roman numerals, IBM's kanji."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    pair = error.object[error.start : error.start + 2]
    if len(pair) == 2 and min(pair) >= 0xA1 and max(pair) <= 0xFE:
        row, cell = pair[0] - 0xA1, pair[1] - 0xA1
        lead = row // 2 + (0x81 if row < 62 else 0xC1)
        trail = cell + 0x9F if row % 2 else cell + 0x40 + (cell >= 63)
        try:
            return bytes((lead, trail)).decode("cp932"), error.start + 2
        except UnicodeDecodeError:
            pass
    return "\ufffd", error.end


def _gbk(error: UnicodeError) -> tuple[str, int]:
    """A lone 80 is the euro sign (Windows code page 936)."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.object[error.start] == 0x80:
        return "€", error.start + 1
    return "\ufffd", error.end


def _utf8(error: UnicodeError) -> tuple[str, int]:
    """A character that another program wrote as two surrogates (CESU-8) is one wrong character, not six."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    surrogates = _SURROGATES.match(error.object, error.start)
    return "\ufffd", surrogates.end() if surrogates else error.end


_SURROGATES = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]|\xed[\xa0-\xbf][\x80-\xbf]")
codecs.register_error("gristmill-utf-8", _utf8)
codecs.register_error("gristmill-c1", _c1)
codecs.register_error("gristmill-euc-jp", _euc_jp)
codecs.register_error("gristmill-gbk", _gbk)
_HANDLERS = {
    "utf-8": "gristmill-utf-8",
    **{f"windows-{n}": "gristmill-c1" for n in (874, *range(1250, 1259))},
    "euc-jp": "gristmill-euc-jp",
    "gbk": "gristmill-gbk",
    "gb18030": "gristmill-gbk",
}
