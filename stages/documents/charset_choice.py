"""The charset of a page that is not ASCII, not UTF-8 throughout, and has no byte order mark.

Order: HTTP header, then the page's own declaration, then what the crawler identified, then detection, as browsers
have it (WHATWG). A declaration stays unless the bytes refute it clearly: more than `FEW` wrong characters, and more
than one in ten (UTF-8: more than twice those that are right). So a wrong byte costs itself. Deviations, because the
whole page is here: bytes that are UTF-8 but for a few are UTF-8, whatever is declared; where two declarations disagree
and the bytes fit both, detection chooses between them, and windows-1252, which fits anything, comes last.

Detection is uchardet's (through resiliparse) over the text between the tags. It gives up a charset at the first wrong
byte; therefore each charset of several bytes that decodes nine in ten characters is asked for again with the wrong ones
left out. Among charsets of the same letters, and those of the page's ``lang``, its words and characters decide, many
of which a wrong byte does not change. Price: some milliseconds, for pages that declare nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

from stages.documents.charset_names import CODECS, decode, known
from stages.documents.charset_words import MARKS, SCORED, best_single, margin, outside, words
from stages.kernels.html.byte_scan import utf8_characters

SAMPLE = 256 << 10
"""Bytes of a page that detection and trial decoding look at."""
HEAD = 4096
"""Bytes in which a page's ``lang`` is looked for."""
FEW = 5
"""Wrong characters that refute nothing."""
HANGUL = frozenset(bytes((lead, trail)).decode("euc_kr") for lead in range(0xB0, 0xC9) for trail in range(0xA1, 0xFF))
"""The syllables of KS X 1001, which Korean is written with; cp949 has all others too, and hardly uses them."""
LAST_COMMON_BIG5 = 0xC6
RARE_MARKS = frozenset("\u02c7\u02c9\xa8\u3003\u301d\u301e\ufe3f\u2199")
"""Marks that stand where the other Chinese charset has common ones, and in hardly any text."""
FALLBACK = "windows-1252"
MULTIBYTE = ("euc-kr", "euc-jp", "shift_jis", "gb18030", "big5")
"""Charsets in the order of belief: Korean in EUC-KR also reads as common Chinese, hardly the other way."""
MIN_FAMILIAR = 12
"""Characters that must be there to say so without the detector."""
ODD = 0.15
"""Share of odd characters (`_odd`) below which the first charset is taken."""
RARE = frozenset({"ibm852", "ibm855", "ibm862", "ibm865", "x-mac-ce", "x-mac-cyrillic", "iso-2022-kr", "hz"})
"""Charsets of before the web: believed only where their text is letters."""

CYRILLIC = ("windows-1251", "koi8-u", "iso-8859-5", "ibm866", "x-mac-cyrillic", "ibm855")
CENTRAL = ("windows-1250", "iso-8859-2", "ibm852")
WESTERN = ("windows-1252", "iso-8859-15")
FAMILIES = (
    *(CYRILLIC, CENTRAL, WESTERN, ("windows-1250", "iso-8859-16"), ("windows-1253", "iso-8859-7")),
    *(("windows-1254", "iso-8859-3"), ("windows-1257", "iso-8859-13", "iso-8859-4"), ("windows-1255", "iso-8859-8")),
    ("windows-1256", "iso-8859-6"),
)
"""Charsets of the same letters, those that decide first; the words tell which (`words`)."""

LEGACY = {
    "ja": ("euc-jp", "shift_jis"),
    "ko": ("euc-kr",),
    "zh": ("gb18030", "big5"),
    **dict.fromkeys(("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tt"), CYRILLIC),
    **dict.fromkeys(("ar", "fa", "ur"), ("windows-1256", "iso-8859-6")),
    **dict.fromkeys(("cs", "pl", "sk", "hu", "sl", "hr", "bs"), CENTRAL),
    **dict.fromkeys(("fr", "de", "es", "it", "pt", "nl", "sv", "da", "no", "nb", "fi", "is", "ca"), WESTERN),
    **dict.fromkeys(("lt", "lv", "et"), ("windows-1257", "iso-8859-13", "iso-8859-4")),
    "ro": ("windows-1250", "iso-8859-2", "iso-8859-16"),
    "tr": ("windows-1254", "iso-8859-3"),
    "vi": ("windows-1258",),
    "th": ("windows-874",),
    "el": ("windows-1253", "iso-8859-7"),
    "he": ("windows-1255", "iso-8859-8"),
}
"""Legacy charsets of a page's ``lang``: a check on detection, which short texts mislead."""

_LANG = re.compile(rb"""<html[^>]{0,300}?\blang\s*=\s*["']?\s*([A-Za-z]{2})\b""", re.IGNORECASE)
_MARKUP = re.compile(rb"<(script|style)\b.*?</\1|<!--.*?-->|<[/!A-Za-z][^>]{0,4000}>", re.IGNORECASE | re.DOTALL)
_ESCAPES = re.compile(rb"\x1b(?:\$[@B]|\([BJI])")
"""Escape sequences that shift ISO-2022-JP; no other text has ESC before these."""
_CONTROLS = re.compile(rb"[\x80-\x9f]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_BETWEEN = re.compile(r"(?<=[A-Za-z])[^\w\s\x00-\x7f\u2010-\u2027\u00b7\ufffd](?=[A-Za-z])")
_REPEATED = re.compile(r"([^\x00-\x7f])\1+")
_SUPERSETS = {"koi8-r": "koi8-u", "gbk": "gb18030"}
"""koi8-u has Ukrainian letters where koi8-r has box drawings, and gb18030 is read for both."""
_STRANGE = re.compile(r"(?<=[a-z])[\x80-\x9fŠŽŸ§‡ˆ‰™À-Þ]|(?<=[A-Z])[\x80-\x9fŠŽŸ§‡ˆ‰™À-Þ](?=[a-z])")
"""MacRoman's letters read as windows-1252 that no word has there: a capital, a symbol or nothing behind a letter."""
STRANGE, MAC_WORDS = 0.1, 0.35
"""Shares of the characters outside ASCII: strange ones in windows-1252, and letters of good words in MacRoman (of 84
pages in it 0.21 and 0.49 at least; no page of 252 in other Western charsets has a strange one in a hundred)."""
MIN_STRANGE = 2
MARKED = 0.9
"""Share of typographic marks in what is outside ASCII that makes a text windows-1252; uchardet calls those ibm852."""


class Fit(NamedTuple):
    """Characters outside ASCII that decode, and that do not."""

    right: int
    wrong: int


def fit(sample: bytes, name: str) -> Fit:
    """Right and wrong characters of a sample in a charset; the character that the sample's end cuts is not counted."""
    if name == "utf-8":
        right, wrong = utf8_characters(sample)
    else:
        text = decode(sample, name)
        wrong = text.count("\ufffd")
        right = outside(text) - wrong
    return Fit(right, wrong - 1 if wrong and len(sample) == SAMPLE else wrong)


def refuted(name: str, found: Fit) -> bool:
    """Whether the bytes cannot well be in this charset."""
    if name == "utf-8":
        return found.wrong > FEW and found.wrong > 2 * found.right
    return found.wrong > FEW and 9 * found.wrong > found.right


def choose(page: bytes, header: str | None, meta: str | None, identified: str | None = None) -> str:
    """The charset of a page that is neither ASCII nor valid UTF-8; the three declared ones as `known` names them."""
    sample = page[:SAMPLE]
    declared = [n for n in dict.fromkeys((header, meta, identified)) if n and n not in ("utf-16le", "utf-16be")]
    fits = {name: fit(sample, name) for name in declared}
    if "iso-2022-jp" in declared and _ESCAPES.search(sample):
        return "iso-2022-jp"
    utf8 = fits["utf-8"] if "utf-8" in fits else fit(sample, "utf-8")
    if _is_utf8(utf8, [f for name, f in fits.items() if name in MULTIBYTE or name == "gbk"]):
        return "utf-8"
    left = [name for name in declared if not refuted(name, fits[name])]
    if len(left) > 1 and "utf-8" in left:
        if utf8.right > utf8.wrong:
            return "utf-8"
        left.remove("utf-8")
    if len(left) == 1 and (len(declared) == 1 or left[0] != FALLBACK):
        return left[0]
    found = detect(page, sample, utf8)
    if found in left or not left:
        return found if not refuted(found, fit(sample, found)) or not declared else declared[0]
    named = [name for name in left if name != FALLBACK]
    if named:
        return named[0]
    return found if found in MULTIBYTE or _has_own_letters(found) else FALLBACK


def _is_utf8(utf8: Fit, multibyte: Sequence[Fit]) -> bool:
    """Four in five characters are; and not where a declared charset of several bytes takes them all."""
    return utf8.right >= 2 and utf8.right >= 4 * utf8.wrong and not any(f.wrong == 0 for f in multibyte)


def _has_own_letters(name: str) -> bool:
    """Whether the upper half of a charset of one byte is another script than Latin."""
    return name in (*CYRILLIC, "windows-1253", "iso-8859-7", "windows-1255", "windows-1256", "windows-874")


def detect(page: bytes, sample: bytes, utf8: Fit) -> str:
    """The charset of bytes that declare none; `FALLBACK` where nothing can be said."""
    if _ESCAPES.search(sample):
        return "iso-2022-jp"
    text = _MARKUP.sub(b" ", sample)
    if text.isascii():
        text = sample
    found = _detected(text)
    if found not in MULTIBYTE and not (found or "").startswith("iso-2022"):
        found = _detected(_without_controls(text))
    if utf8.right >= 2 * utf8.wrong and not (found and found.startswith("iso-2022")):
        return "utf-8"
    declared = _LANG.search(page[:HEAD])
    language = declared[1].decode("ascii").lower() if declared else ""
    expected = LEGACY.get(language, ())
    if found and found.startswith("iso-2022"):
        return found
    if found not in MULTIBYTE and (plain := _marks_or_macintosh(text, found, expected, language)):
        return plain
    if found not in MULTIBYTE and not expected:
        # Korean and Japanese have characters of their own that no other text gives by chance
        found = _mended(text) or _familiar(text, MULTIBYTE if found in (None, FALLBACK) else MULTIBYTE[:3]) or found
    family = expected or (MULTIBYTE if found in MULTIBYTE else next((f for f in FAMILIES if found in f), ()))
    if family:
        best = _best_multibyte(text, family) if family[0] in MULTIBYTE else best_single(text, family, found, language)
        if not refuted(best, fit(text, best)):
            return best
    return found or FALLBACK


def _best_multibyte(text: bytes, names: Sequence[str]) -> str:
    odd = {name: _odd(text, name) for name in names}
    return next((name for name in names if odd[name] < ODD), min(names, key=odd.__getitem__))


def _familiar(text: bytes, names: Sequence[str]) -> str | None:
    """The charset of several bytes in which nearly all characters are common ones; None where it is none."""
    odd = {name: _odd(text, name) for name in names if fit(text, name).right >= MIN_FAMILIAR}
    return next((name for name in odd if odd[name] < ODD), None)


def _odd(text: bytes, name: str) -> float:
    """Share of the characters outside ASCII that are wrong, or rare in texts of the charset's language. Many of one in
    a row are one; lines and boxes are none. In Chinese, symbols between Latin letters are odd, but for quotes and
    dashes: they are the apostrophes of the other charset."""
    decoded = _REPEATED.sub(r"\1", decode(text[:SCORED], name))
    found = [c for c in decoded if c > "\x7f" and not _is_line(c)]
    plain = "".join(c for c in _BETWEEN.sub("", decoded) if c > "\x7f" and not _is_line(c) and c not in RARE_MARKS)
    kana = sum("\u3041" <= c <= "\u30fe" for c in found)
    if name == "euc-kr":
        good = sum(c in HANGUL or "\u2000" <= c <= "\u206f" or "\u3000" <= c <= "\u303f" for c in found)
    elif name in ("euc-jp", "shift_jis"):
        good = sum(not "\uff61" <= c <= "\uff9f" and c != "\ufffd" for c in found) if 10 * kana >= len(found) else 0
    elif name == "gb18030":
        good = len(plain.encode("gb2312", "ignore")) // 2 - kana
    else:
        leads = plain.encode("big5", "ignore")[::2]
        good = sum(lead <= LAST_COMMON_BIG5 for lead in leads) - kana
    return 1 - good / max(len(found), 1)


def _is_line(char: str) -> bool:
    return "\u2500" <= char <= "\u259f"


def _without_controls(text: bytes) -> bytes:
    """The text without bytes 80-9F where they may be damage, being few: one of them excludes many charsets."""
    controls = len(_CONTROLS.findall(text))
    outside = sum(map(len, _HIGH.findall(text)))
    return _CONTROLS.sub(b"", text) if controls <= FEW and controls * 30 <= outside else text


def _marks_or_macintosh(text: bytes, found: str | None, expected: Sequence[str], language: str) -> str | None:
    """A windows charset where all is quotes and dashes; MacRoman where words are: uchardet knows neither."""
    windows = next((name for name in expected or (FALLBACK,) if name.startswith("windows-")), None)
    if windows and _is_marked(text):
        return windows
    if expected and expected != WESTERN:
        return None
    western = decode(text[:SCORED], FALLBACK)
    strange, score = len(_STRANGE.findall(western)), words(text, "macintosh", language)
    if strange < MIN_STRANGE or strange < STRANGE * outside(western) or score < MAC_WORDS * outside(western):
        return None
    other = found if found in CENTRAL else FALLBACK
    return None if score <= words(text, other, language) + margin(text, other, "macintosh") else "macintosh"


def _is_marked(text: bytes) -> bool:
    """Whether what stands outside ASCII is quotes, dashes and dots of windows charsets, and hardly a letter."""
    western = decode(text[:SCORED], FALLBACK)
    marks = sum(map(western.count, MARKS))
    return marks > 0 and marks >= MARKED * outside(western)


def _detected(text: bytes) -> str | None:
    """uchardet's answer by our names; None where it has none, or one that does not read as letters."""
    found = detect_encoding(text, max_len=SAMPLE, html5_compatible=False, from_html_meta=False)
    name = known(str(found)) if found else None
    name = _SUPERSETS.get(name or "", name)
    if name in RARE:
        outside = [c for c in decode(text, name) if c > "\x7f"]
        if sum(map(str.isalpha, outside)) < 0.9 * len(outside):
            return None
    return name


def _mended(text: bytes) -> str | None:
    """The charset of several bytes that detection names once the bytes wrong in it are left out."""
    best: tuple[float, str] | None = None
    for name in MULTIBYTE:
        right, wrong = fit(text, name)
        if wrong == 0 or 9 * wrong > right:
            continue
        sound = decode(text, name, "ignore").encode(CODECS.get(name, name), "ignore")
        if _detected(sound) == name and (best is None or wrong / right < best[0]):
            best = wrong / right, name
    return best[1] if best else None
