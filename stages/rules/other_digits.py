"""Telephone numbers and IP addresses written in the digits of other scripts, by the patterns for ASCII.

For whom: `stages.rules.privacy`. The text around a place is read with its decimal digits (Arabic-Indic, Persian,
Devanagari, full-width and so on: Unicode's ``Nd``) as ASCII ones, and with full-width signs, the ideographic space,
hyphens and dashes as their ASCII likes; every other character beyond ASCII is one byte that no pattern takes.
A number has digits of one other script alone; behind a + it may have ASCII ones too (``+966 ٥٠ ١٢٣ ٤٥٦٧``).

Price: about 20 µs a place that stands alone; places close to each other are read together. Places come from
`stages.kernels.words.sieve`, which knows the digits of the Basic Multilingual Plane's larger scripts.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable

_BEFORE = 64
_AFTER = 160
"""Bytes around places: 32 characters of a telephone number have at most three each."""
_SEEN = 48
"""Bytes behind the last place within which a number with a place is whole in what is read."""
_TOGETHER = 4096
"""Bytes of places that are read together, at most."""
_SIGNS = {ord(c): s for c, s in zip("＋－．（）\u3000\u2010\u2011\u2012\u2013\u2212", "+-.() -----", strict=True)}
_OTHER = b"\x80"


def numbers(
    page: bytes, at: int, done: int, places: list[int], pattern: re.Pattern[bytes], holds: Callable[[str], bool]
) -> tuple[list[tuple[int, int]], int]:
    """(start, stop), bytes, of the matches that begin at ``done`` or later, have a character beyond ASCII and one of
    ``places`` (rising, ``at`` among them) from ``at`` on; ``holds`` is asked with the number in ASCII. And up to where
    every place has been looked at."""
    mine, end = bisect.bisect_left(places, at), at
    while mine < len(places) and places[mine] - end <= _BEFORE and places[mine] - at <= _TOGETHER:
        end, mine = places[mine], mine + 1
    looked = end + _SEEN
    first, last = max(0, at - _BEFORE), min(len(page), end + _AFTER)
    while first < at and page[first] & 0xC0 == 0x80:
        first += 1
    while last < len(page) and page[last] & 0xC0 == 0x80:
        last += 1
    text = page[first:last].decode("utf-8", "surrogateescape")
    plain = b"".join(map(_plain, text))
    where = [first]
    for character in text:
        where.append(where[-1] + len(character.encode("utf-8", "surrogateescape")))
    found = []
    for match in pattern.finditer(plain, bisect.bisect_left(where, done)):
        start, stop = where[match.start()], where[match.end()]
        near = bisect.bisect_left(places, max(start, at))
        has_place = near < len(places) and places[near] <= min(stop, looked - 1)
        if has_place and _is_of_one_script(text[match.start() : match.end()]) and holds(match[0].decode()):
            found.append((start, stop))
    return found, looked


def _plain(character: str) -> bytes:
    if character.isascii():
        return character.encode()
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return b"%d" % digit
    return _SIGNS.get(ord(character), "").encode() or _OTHER


def _is_of_one_script(number: str) -> bool:
    """Whether a number has something beyond ASCII, and its digits are of one script, behind a + of one and ASCII."""
    zeros = {ord(c) - unicodedata.decimal(c) for c in number if c.isdecimal()}
    if any(plus in number[:2] for plus in "+＋"):
        zeros.discard(ord("0"))
        return not number.isascii() and len(zeros) <= 1
    return len(zeros) == 1 and ord("0") not in zeros
