"""The choice among charsets of one script by the words they make of a text: `words`, and the lead needed, `margin`.

Each letter outside ASCII counts for a charset where words have such a letter, and against it where they have none: a
capital behind a small letter or a small one before a capital, one that the page's language lacks, Russian ones beside
Serbian ones, Latin ones that touch Arabic or Hebrew ones; symbols that cut words, quotes and dashes where none stand.
So a wrong byte, which is out of place in every charset, is evidence for none.
Price: some milliseconds a charset for 64 KiB.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from stages.documents.charset_names import decode

SCORED = 64 << 10
"""Bytes whose words or characters are looked at one by one."""
MARGIN = 4.0
"""Letters by which another charset must make better words (`words`), where many bytes differ."""
MANY = 20
"""Words with bytes that two charsets read otherwise: in more of them no wrong byte is looked for."""
ENDING = 2
"""Bytes at the end of a word that differ in its forms (`ustawa`, `ustawą`): no wrong byte is looked for there."""
LONGEST = 64
"""Bytes of a word in which a wrong one is looked for, so that its cost does not grow with the square of its length."""
RELATED = 4
"""Characters outside ASCII of which two related charsets read at most one otherwise."""
LETTERS = {
    "cs": "áčďéěíňóřšťúůýž", "sk": "áäčďéíĺľňóôŕšťúýž", "pl": "ąćęłńóśźż", "hu": "áéíóöőúüű", "sl": "čšžćđ",
    "hr": "čćđšž", "bs": "čćđšž", "ro": "ăâîșțşţ", "fr": "àâæçéèêëîïôœùûü", "de": "äöüß", "es": "áéíñóúüªº",
    "it": "àèéìîòóùªº", "pt": "áâãàçéêíóôõúüªº", "nl": "áéèëíïóöúüĳ", "sv": "åäöé", "da": "æøåé", "no": "æøåéòô",
    "nb": "æøåéòô", "fi": "åäöšž", "is": "áðéíóúýþæö", "ca": "àçèéíïòóúü", "lt": "ąčęėįšųūž", "lv": "āčēģīķļņšūž",
    "et": "äöõüšž", "tr": "çğıi̇öşüâî", "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", "be": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя", "sr": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџш",
}  # fmt: skip
"""Letters outside ASCII that a language writes its own words with: in a page of it any other one tells against a
charset, which foreign names do in all charsets alike."""

_WORD = re.compile(r"[^\W\d_]{2,}|(?<!\d)[^\W\d_](?!\d)")
"""Letters that stand together; a single one that touches a digit is part of a number or reference."""
_HIGH = re.compile(rb"[\x80-\xff]")
_BYTES = re.compile(rb"[A-Za-z\x80-\x9f\xa1-\xff]{6,}")
"""Words of bytes, whatever the charset."""
_WHOLE = rb"(?<![A-Za-z\x80-\x9f\xa1-\xff])%s(?![A-Za-z\x80-\x9f\xa1-\xff])"
_ROW = re.compile(rb"([\x80-\xff])\1{3,}")
"""A line of a table or a bar of a chart: the same character, which is a letter in some charsets, many times."""
_LINES = re.compile("(?<![^\\W\\d_])[\u2500-\u259f]+(?![^\\W\\d_])")
"""Lines and corners of tables that no letter touches: nothing against a charset."""
_TORN = re.compile(r"[^\x00-\x7f\w\u2018-\u201f\u2010-\u2015](?=[^\W\d_]{2})")
"""A sign between the first letter of a word and the others: a wrong byte."""
_PLACED = re.compile(
    r"(?<![^\W_])[\u2018\u2019\u201a\u201c\u201d\u201e\xab\xbb](?=\S)|(?<=\S)[\u2018\u2019\u201c\u201d\u2026\xab\xbb\u2122](?![^\W_])"
    r"|(?<=\w)\u2019(?=\w)|(?<=\s)[\xab\xbb\u2013\u2014\u2022](?=\s)|(?<=\w)[\u2013\u2014](?=\w)|\u20ac(?=\s?\d)|(?<=\d)\s?\u20ac"
)
"""Typographic marks where marks stand: quotes before or behind a word, dashes with spaces on both sides or on none."""
_CONTROL = re.compile("[\x80-\x9f]")
"""Characters that no text of an ISO charset has: a wrong byte, or a mark of the windows charset. Against the ISO one it
counts where it is no mark that may stand there; that it may tells for the windows charset a quarter, and no more."""
_ODD_OE = re.compile("œ(?![uidcnst])|(?<=[aeiouyéè])œ|(?<=[^\\W\\d_])œ(?=[dcs])", re.IGNORECASE)
_RUSSIAN, _SERBIAN = re.compile("[ёъыэ]"), re.compile("[ѓђѕјљњћќџ]")
"""Letters that do not meet in a word."""
_TWO_WAYS = re.compile("[\u00c0-\u024f][\u0590-\u06ff]|[\u0590-\u06ff][\u00c0-\u024f]")
"""A Latin letter that touches one of Arabic or Hebrew: the bytes of one charset of such letters, read as another."""
_BEYOND = re.compile("[\u00c0-\u024f]")
_LONG = 4
"""Letters of a word among which one of the other direction may be damage."""
MARKS = frozenset("\u2018\u2019\u201a\u201c\u201d\u201e\u2013\u2014\u2026\u2022\u20ac\xab\xbb\u2122")


def outside(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def best_single(text: bytes, names: Sequence[str], found: str | None, language: str = "") -> str:
    """The charset that detection found, the family's first where that reads nearly the same, unless another makes words
    that are better by more than wrong bytes make them."""
    found_words = {name: words(text, name, language) for name in names}
    first = found if found in found_words else names[0]
    if different(text, first, names[0]) * RELATED <= outside(decode(text[:SCORED], first)):
        first = names[0]
    best = max((name for name in names if name != first), key=found_words.__getitem__, default=first)
    sound = as_elsewhere(text, first, best)
    if sound != text:
        found_words = {name: words(sound, name, language) for name in (first, best)}
    return best if found_words[best] - found_words[first] > margin(sound, first, best) else first


def as_elsewhere(text: bytes, one: str, other: str) -> bytes:
    """The text in which a word with a byte that two charsets read otherwise is as the page has it elsewhere, without
    that byte or with another: that byte is a wrong one, and tells for neither, unless it is of the word's ending."""
    head = text[:SCORED]
    told = {b for b in set(_HIGH.findall(head)) if decode(b, one) != decode(b, other)}
    counts = Counter(_BYTES.findall(head)) if told else Counter[bytes]()
    doubtful = [word for word in counts if not told.isdisjoint(word[at : at + 1] for at in range(len(word)))]
    if len(doubtful) > MANY:
        return text
    for word in doubtful:
        stem = min(len(word) - ENDING, LONGEST)
        as_long = [known for known in counts if len(known) == len(word) and known != word]
        for at in (at for at in range(stem) if word[at : at + 1] in told):
            before, after = word[:at], word[at + 1 :]
            found = (known for known in as_long if known.startswith(before) and known.endswith(after))
            sound = before + after if before + after in counts else next(found, None)
            if sound is not None and counts[sound] >= counts[word]:
                head = re.sub(_WHOLE % re.escape(word), sound, head)
                break
    return head + text[SCORED:]


def different(text: bytes, one: str, other: str) -> int:
    """Bytes that two charsets of one byte read otherwise."""
    pairs = zip(decode(text[:SCORED], one), decode(text[:SCORED], other), strict=False)
    return sum(a != b for a, b in pairs)


def margin(text: bytes, one: str, other: str) -> float:
    """The lead that words must have to leave a charset for another: the fewer bytes they read otherwise, the less,
    for as few can be wrong. A letter for a symbol inside a word counts 2, and a wrong byte is a symbol in both."""
    pairs = zip(decode(text[:SCORED], one), decode(text[:SCORED], other), strict=False)
    count = sum(a != b and not _CONTROL.match(b) for a, b in pairs)
    return min(1.5 + count / 5, MARGIN + count / 20)


def words(text: bytes, name: str, language: str = "") -> float:
    """Letters outside ASCII in words written as words are, in lower case or with a capital first; those of a word in
    capitals count half, those that the language lacks against it, and so do Russian letters beside Serbian ones. A
    typographic mark counts a quarter; what is neither letter nor mark, or cuts a word, counts against it, but for
    lines of tables. Many of one character in a row are one; a capital alone is nothing, unless cut off a word."""
    decoded = decode(_ROW.sub(rb"\1", text[:SCORED]), name)
    letters = frozenset(LETTERS.get(language, ""))
    score = 0.0
    for found in _WORD.finditer(decoded):
        word = found[0]
        size = outside(word)
        if size and (len(word) > 1 or word.islower() or _TORN.match(decoded, found.end())):
            score += _word(word, size, letters)
    seen = _CONTROL.sub(_mark_of, decoded) if name.startswith("iso-8859") else decoded
    others = [c for c in _LINES.sub("", seen) if c > "\x7f" and not c.isalpha()]
    placed = [mark.start() for mark in _PLACED.finditer(seen)]
    own = sum(not _CONTROL.match(decoded, at) for at in placed)
    return score + own / 4 - (len(others) - len(placed))


def _mark_of(control: re.Match[str]) -> str:
    """The mark, no letter, that windows-1252 has for a control; other windows charsets have the same quotes, dashes."""
    mark = decode(control[0].encode("latin-1"), "windows-1252")
    return control[0] if mark.isalpha() else mark


def _word(word: str, size: int, letters: frozenset[str]) -> float:
    """Evidence of a word of ``size`` letters outside ASCII for its charset: those that may stand there less others."""
    rest, small = word[1:], word.lower()
    if _TWO_WAYS.search(word):  # a single one may be a wrong byte, which tells nothing
        return 0.0 if size >= _LONG and len(_BEYOND.findall(word)) == 1 else -size / 2
    if _RUSSIAN.search(small) and _SERBIAN.search(small):
        return -size / 2
    is_upper = word == word.upper() and len(word) > 1
    if not is_upper and 3 * sum(map(str.isupper, rest)) > len(rest):
        return -size / 2
    odd = {found.start() for found in _ODD_OE.finditer(word)}
    odd |= {at for at, c in enumerate(small) if c > "\x7f" and letters and c not in letters}
    odd |= {at for at, c in enumerate(word) if at and c > "\x7f" and c.isupper() and not is_upper}
    odd |= {at for at, (c, after) in enumerate(pairwise(word)) if c > "\x7f" and "A" <= after <= "Z" and not is_upper}
    return (size - 2 * len(odd)) * (0.5 if is_upper else 1.0)
