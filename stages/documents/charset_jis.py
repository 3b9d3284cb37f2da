"""ISO-2022-JP with wrong, missing or superfluous bytes: of two bytes a character, one turns all behind it into others.

`realigned` looks at each stretch between the escapes that shift to two bytes and back, or to the end of its line, that
does not decode. In one of an odd number of bytes, a byte that no character has (a control, or one from 80 on) is one
too many; without such a byte, one lacks or is too many where most characters on both sides become common ones: kana,
punctuation, kanji of the first level. What is wrong is left as one character that cannot be decoded, for each place.
Sound stretches are given back as they are. A damaged escape is not mended: its stretch stays as browsers show it.
Price: one decoding more of every stretch.
"""

from __future__ import annotations

import re

import numpy as np

_STRETCH = re.compile(rb"(\x1b\$[@B])([^\x1b\r\n]+)")
_NO_CHARACTER = re.compile(rb"[^\x21-\x7e]")
UNASSIGNED = b"\x2f\x21"
"""A pair that is no character."""


def realigned(page: bytes) -> bytes:
    """The page, each stretch of two-byte characters in whole pairs, `UNASSIGNED` where bytes are wrong."""
    return _STRETCH.sub(lambda found: found[1] + _mended(found[2], found[0]), page)


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
    """Where characters go over from even places to odd ones: the common ones before and behind are the most there."""
    leads = np.frombuffer(stretch, np.uint8)
    common = ((leads >= 0x30) & (leads <= 0x4F)) | ((leads >= 0x24) & (leads <= 0x25)) | (leads == 0x21)
    before = np.concatenate([[0], np.cumsum(common[0:-1:2])])
    behind = np.concatenate([np.cumsum(common[1::2][::-1])[::-1], [0]])
    return 2 * int(np.argmax(before + behind))
