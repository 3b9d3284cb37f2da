"""ISO-2022-JP with wrong, missing or superfluous bytes: of two bytes a character, one turns all behind it into others.

`realigned` looks at each stretch between the escapes that shift to two bytes and back, or to the end of its line, that
does not decode. In one of an odd number of bytes, a byte that no character has (a control, or one from 80 on) is one
too many; without such a byte, one lacks or is too many where most characters on both sides become common ones: kana,
punctuation, kanji of the first level. What is wrong is left as one character that cannot be decoded, for each place.
Sound stretches are given back as they are.

Before that `escaped` mends escapes. What a damaged one stands behind tells whether it was ``ESC ( B`` or ``ESC $ B``; a
shift back to ASCII without one to two bytes before it has lost that in its line; and a line ends in ASCII (RFC 1468),
at the latest where a byte comes that is half of no character. Browsers show all of these as they fall.
Price: one decoding more of every stretch.
"""

from __future__ import annotations

import re

import numpy as np

_ESCAPE = re.compile(rb"\x1b(?:[$(][@BJI]|[^\s$(<][@BJI]|[$(]|[@BJI])?|[\r\n]+")
_TO_TWO, _TO_ONE = (b"\x1b$B", b"\x1b$@"), (b"\x1b(B", b"\x1b(J", b"\x1b(I")
_LOST = re.compile(rb"\$[@B](?=(?:[\x21-\x7e]{2})+\Z)")
_STRETCH = re.compile(rb"(\x1b\$[@B])([^\x1b\r\n]+)")
_NO_CHARACTER = re.compile(rb"[^\x21-\x7e]")
UNASSIGNED = b"\x2f\x21"
"""A pair that is no character."""


def realigned(page: bytes) -> bytes:
    """The page, each stretch of two-byte characters in whole pairs, `UNASSIGNED` where bytes are wrong."""
    return _STRETCH.sub(lambda found: found[1] + _mended(found[2], found[0]), escaped(page))


def escaped(page: bytes) -> bytes:
    """The page with whole escapes where damaged ones were."""
    parts: list[bytes] = []
    at, is_two = 0, False
    for found in _ESCAPE.finditer(page):
        token, text = found[0], page[at : found.start()]
        at = found.end()
        if token in _TO_TWO or (token[:1] == b"\x1b" and token not in _TO_ONE and not is_two):
            parts += [_ended(text) if is_two else text, token if token in _TO_TWO else _TO_TWO[0]]
            is_two = True
        elif token[:1] == b"\x1b":
            parts += [text if is_two else _begun(text), token if token in _TO_ONE else _TO_ONE[0]]
            is_two = False
        else:
            parts += [_ended(text) if is_two else text, token]
            is_two = False
    rest = page[at:]
    return b"".join([*parts, _ended(rest) if is_two else rest])


def _ended(text: bytes) -> bytes:
    """Two-byte characters that no escape ends: up to a shift back that lost its ESC, or to the first byte of none."""
    for place in range(0, len(text) - 1, 2):
        pair = text[place : place + 2]
        if pair in (b"(B", b"(J"):
            return text[:place] + b"\x1b" + text[place:]
        if _NO_CHARACTER.search(pair):
            return text[:place] + _TO_ONE[0] + text[place:]
    return text + _TO_ONE[0]


def _begun(text: bytes) -> bytes:
    """ASCII before a shift back to it: from ``$B`` on, where that lost its ESC, two-byte characters."""
    lost = _LOST.search(text)
    return text if lost is None else text[: lost.start()] + b"\x1b" + text[lost.start() :]


def _mended(stretch: bytes, shifted: bytes) -> bytes:
    try:
        shifted.decode("iso2022_jp_ext")
        return stretch
    except UnicodeDecodeError:
        pass
    if len(stretch) % 2:
        wrong = _NO_CHARACTER.search(stretch)
        place = wrong.start() if wrong else _turn(stretch)
        even = place - place % 2
        stretch = stretch[:even] + UNASSIGNED + stretch[even:place] + stretch[place + 1 :]
    pairs = (stretch[at : at + 2] for at in range(0, len(stretch), 2))
    return b"".join(UNASSIGNED if _NO_CHARACTER.search(pair) else pair for pair in pairs)


def _turn(stretch: bytes) -> int:
    """The place where characters turn from even places to odd: the common ones before and behind are the most there."""
    leads = np.frombuffer(stretch, np.uint8)
    common = ((leads >= 0x30) & (leads <= 0x4F)) | ((leads >= 0x24) & (leads <= 0x25)) | (leads == 0x21)
    before = np.concatenate([[0], np.cumsum(common[0:-1:2])])
    behind = np.concatenate([np.cumsum(common[1::2][::-1])[::-1], [0]])
    return 2 * int(np.argmax(before + behind))
