"""Tables of what letters, digits and words are folded to before known texts are looked for.

For `stages.kernels.words.folded_words`, which says what is folded, how a word is hashed and what the tables hold.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel
from stages.kernels.unicode import characters

SEED = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0xC2B2AE3D27D4EB4F)
SPREAD = np.uint64(0x9E3779B97F4A7C15)
TOP = np.uint64(54)
SLOTS = 1024
"""Of the table of words that stand for others: so many that next to no other word meets one."""
_LAST_FOLDED = 0x20000
"""Code points from here on are Han, private, or unassigned: they fold to themselves."""
_LEFT_OUT = (
    *range(0x300, 0x370),  # combining diacritics
    *(0xFE00 + n for n in range(16)),  # selectors of variants
    *(cp for cp in range(0x591, 0x5C8) if unicodedata.category(chr(cp)) == "Mn"),  # points and accents of Hebrew
    0x640,  # tatweel, which makes an Arabic word wider
    *range(0x64B, 0x653),  # vowel points of Arabic
    0x670,
    *(cp for cp in range(0x6D6, 0x6EE) if unicodedata.category(chr(cp)) == "Mn"),  # marks of the Koran
)
"""Characters that are not there, beside those of format: texts are written with them and without."""
_UP_TO_TWENTY = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_TENS = ("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = {word: str(n) for n, word in enumerate(_UP_TO_TWENTY)}
NUMBERS |= {word: str(10 * n) for n, word in enumerate(_TENS, 3)}
UNITS = ("dollar", "dollars", "usd", "percent")
"""Words that a sign may stand for: left out."""
LETTERS, DIGITS, ALONE = 1, 2, 3
"""Kinds of words; alone: a letter of a script without spaces."""
_SHORT = 0x10000
_IN_BETWEEN = (0x27, 0x2C, 0x2E, 0xA0, 0x2009, 0x202F)
KIND, COUNT, BYTES, THREE = np.uint32(28), np.uint32(24), np.uint32(0xFFFFFF), np.uint32(3)
"""Of an entry of short_C: kind of word (0: it ends one) from bit 28 on, number of bytes, and the bytes of what it is
folded to."""
LOOK = np.uint32(0xFFFFFFFF)


@lean_inline_kernel
def unspaced(cp):  # type: ignore[no-untyped-def]
    """Whether a letter is of a script without spaces: Thai, Lao, Tibetan, Burmese, Khmer, kana, Han."""
    if cp < 0x3040:
        return 0xE00 <= cp < 0x1000 or 0x1000 <= cp < 0x10A0 or 0x1780 <= cp < 0x1800 or 0x2E80 <= cp < 0x3008
    return cp < 0x3100 or 0x31F0 <= cp < 0x3200 or 0x3400 <= cp < 0xA000 or 0xF900 <= cp < 0xFB00 or cp >= 0x20000


def hash_of(word: str) -> int:
    """The hash of a word that is folded already."""
    h, folded = int(SEED), word.encode()
    for at in range(0, len(folded), 8):
        h = ((h ^ int.from_bytes(folded[at : at + 8], "little")) * int(PRIME)) & 0xFFFFFFFFFFFFFFFF
        h ^= h >> 32
    return (h * int(SPREAD)) & 0xFFFFFFFFFFFFFFFF


@cache
def fold_tables() -> tuple[npt.NDArray[Any], ...]:
    """(fold_C, expansions_X4, short_C, words that stand for others: keys, values); a value of 0 leaves the word out."""
    fold_C, expansions = fold_table()
    short_C = short_table(fold_C)
    keys, values = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.uint64)
    for word, value in [*((w, hash_of(v)) for w, v in NUMBERS.items()), *((w, 0) for w in UNITS)]:
        key = hash_of(word)
        slot = key >> int(TOP)
        while keys[slot % SLOTS]:
            slot += 1
        keys[slot % SLOTS], values[slot % SLOTS] = key, value
    return fold_C, expansions, short_C, keys, values


@cache
def fold_table() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(fold_C, expansions_X4) of the legend."""
    classes = characters.classes()
    word = (classes & (characters.ALPHA | characters.DIGIT | characters.MARK)) != 0
    fold_C = np.where(word, np.arange(len(classes)), 0).astype(np.int32)
    expansions: list[list[int]] = []
    left_out = frozenset(_LEFT_OUT)
    for cp in range(_LAST_FOLDED):
        character = chr(cp)
        category = unicodedata.category(character)
        if category == "Cf" or cp in left_out:
            fold_C[cp] = -1
            continue
        plain = unicodedata.normalize("NFKD", character).lower()
        if plain == character or 0xAC00 <= cp < 0xD7A4:
            continue
        plain = unicodedata.normalize("NFKD", plain)
        if left_out.issuperset(map(ord, plain)):  # vowel points of Arabic on a tatweel, as presentation forms
            fold_C[cp] = -1
            continue
        parts = [ord(one) for one in plain if word[ord(one)] and ord(one) not in left_out][:4]
        if not parts or parts == [cp] or any(not word[ord(one)] for one in plain if not unicodedata.combining(one)):
            continue
        if len(parts) == 1:
            fold_C[cp] = parts[0]
        else:
            fold_C[cp] = -2 - len(expansions)
            expansions.append(parts + [0] * (4 - len(parts)))
    for cp in np.flatnonzero(classes & characters.DIGIT):
        value = unicodedata.decimal(chr(cp), -1)
        if value >= 0:
            fold_C[cp] = ord("0") + value
    return fold_C, np.array(expansions or [[0, 0, 0, 0]], np.int32)


def short_table(fold_C: npt.NDArray[np.int32]) -> npt.NDArray[np.uint32]:
    """short_C of the legend."""
    is_unspaced: Any = getattr(unspaced, "py_func", unspaced)
    short_C = np.full(_SHORT, LOOK, np.uint32)
    for cp in np.flatnonzero(fold_C[:_SHORT] >= 0).tolist():
        folded = int(fold_C[cp])
        if 0xD800 <= cp < 0xE000 or cp in _IN_BETWEEN or 48 <= folded <= 57 or folded >= _SHORT:
            continue
        spelt = chr(folded).encode() if folded else b""
        kind = 0 if not folded else ALONE if folded >= 0xE00 and is_unspaced(folded) else LETTERS
        short_C[cp] = kind << int(KIND) | len(spelt) << int(COUNT) | int.from_bytes(spelt, "little")
    return short_C
