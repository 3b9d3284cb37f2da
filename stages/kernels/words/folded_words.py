"""Words of texts as hashes, folded: layout, case, punctuation, marks, markup and ways to write a number do not count.

For looking for known texts in pages (`stages.kernels.words.alignment`). A word is a run of letters or a run of digits;
a letter of a script without spaces (Han, kana, Thai, ...) is a word of its own. Folded before words are cut:

- letters to the base letters of their compatibility decomposition, in small letters ('Ｆ', 'ﬁ', 'É': 'f', 'fi', 'e');
  combining diacritics, vowel points of Arabic and Hebrew, tatweel, soft hyphens and other characters of format are not
  there; other digits are 0-9;
- markup ends a word and holds none: a tag (``<``, a letter, ``/`` or ``!``, up to ``>`` within 200 bytes, no ``<`` in
  it), a named entity (``&quot;``), the escapes ``\\n``, ``\\t`` and ``\\r``. ``&#233;``, ``&#xE9;`` and ``\\u00e9`` are
  the character;
- a number with groups of three behind ``,``, ``.``, ``'`` or a narrow or fixed space is one ('1,000', '1.000', '1000');
- 'zero' to 'twenty' and 'thirty' to 'ninety' are their digits; 'dollar', 'dollars', 'usd' and 'percent' are no words,
  as ``$`` and ``%`` are none.

The hash of a word goes over the UTF-8 bytes of what it is folded to, eight at a time as a number, the first byte lowest
and zeros behind the last: ``h = (h ^ number) * PRIME``, its high half mixed into the low one each time; times an odd
number at the end. So letters of ASCII are read eight at a time. Price: about 4 ns a byte of English, 5 to 8
of text in other scripts.

Legend: D documents, W words, C code points. hashes_W uint64; starts_W, stops_W int64 (bytes of ``data``); offsets_D1
int64 (words); fold_C int32: 0 no letter or digit, -1 not there, > 0 the folded code point, below -1: entry
``-2 - fold`` of expansions_X4 (code points, 0 behind the last). short_C uint32, of code points of up to three bytes:
what most are folded to, as it is hashed (`KIND`), or that fold_C has to be looked at (`LOOK`).
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import load_8, lowest
from stages.kernels.words.fold_tables import (
    ALONE,
    BYTES,
    COUNT,
    DIGITS,
    KIND,
    LETTERS,
    LOOK,
    PRIME,
    SEED,
    SLOTS,
    SPREAD,
    THREE,
    TOP,
    fold_tables,
    unspaced,
)
from stages.kernels.words.markup import next_character

_HALF = np.uint64(32)
_ZERO, _ONE, _TWO, _THREE, _FOUR, _SEVEN, _EIGHT = map(np.uint64, (0, 1, 2, 3, 4, 7, 8))
_ONES = np.uint64(0x0101010101010101)
_HIGH, _REST = _ONES * np.uint64(0x80), _ONES * np.uint64(0x7F)
_SMALL = _ONES * np.uint64(0x20)
_FROM_A, _BEHIND_Z = _ONES * np.uint64(128 - 97), _ONES * np.uint64(128 - 123)
_SEPARATOR, _IN_NUMBERS, _DIGIT = np.uint8(1), np.uint8(2), np.uint8(3)
_LOOKED_AT, _GROUPING = b"<&\\", b",.'"
"""Characters of ASCII that end a word or not, by what follows."""
_PLAIN = np.array(
    [
        0
        if c > 127 or c in _LOOKED_AT
        else c | 32
        if chr(c).isalpha()
        else _DIGIT
        if chr(c).isdigit()
        else _IN_NUMBERS
        if c in _GROUPING
        else _SEPARATOR
        for c in range(256)
    ],
    np.uint8,
)
"""Letters of ASCII in small letters; `_SEPARATOR`: it ends a word; `_IN_NUMBERS`: it ends what is no number; `_DIGIT`;
0: it has to be looked at."""


@dataclass(frozen=True)
class FoldedWords:
    """Words of many texts: see the legend."""

    hashes_W: npt.NDArray[np.uint64]
    starts_W: npt.NDArray[np.int64]
    stops_W: npt.NDArray[np.int64]
    offsets_D1: npt.NDArray[np.int64]


def fold_words(data: Bytes, offsets: Offsets) -> FoldedWords:
    """The words of every document of (data, offsets)."""
    most = int(offsets[-1] - offsets[0]) + 1 if len(offsets) else 1
    room = most // 3 + 64
    tables = fold_tables()
    while True:
        hashes_W, starts_W, stops_W = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
        offsets_D1 = np.zeros(len(offsets), np.int64)
        found = _fold_all(data, offsets, *tables, hashes_W, starts_W, stops_W, offsets_D1)
        if found <= room:
            return FoldedWords(hashes_W[:found], starts_W[:found], stops_W[:found], offsets_D1)
        room = most


@lean_kernel
def _fold_all(  # type: ignore[no-untyped-def]
    data, offsets, fold, expansions, short, keys, values, hashes_W, starts_W, stops_W, offsets_D1
):
    """Writes what fits; returns how many words there are."""
    found = 0
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        h, group, size = SEED, _ZERO, _ZERO  # of the word that is open: its hash, and 0 to 7 bytes behind it
        begin, last = np.int64(-1), np.int64(0)
        kind = 0  # of the word that is open
        digits = 0  # since the last group
        while i <= stop:
            plain = np.uint8(0)
            if i < stop:
                plain = _PLAIN[data[i]]
            if plain > _DIGIT and kind == 0:  # the usual cases, apart: a word in ASCII, and what ends it
                begin, kind = i, LETTERS
                i, h, group, size = _letters(data, i, stop)
                last = i
                plain = np.uint8(0)
                if i < stop:
                    plain = _PLAIN[data[i]]
            if plain == _SEPARATOR or (plain == _IN_NUMBERS and kind != DIGITS):
                if kind != 0:
                    key = _finished(h, group, size)
                    if kind == LETTERS:
                        key = _replaced(key, keys, values)
                    if key != 0:
                        if found < len(hashes_W):
                            hashes_W[found], starts_W[found], stops_W[found] = key, begin, last
                        found += 1
                    kind = 0
                i += 1
                continue
            # what stands at i: 0 the end of a word, else a kind of word, which `entry` or `folded` is a part of
            now, after, entry, folded = 0, i + 1, LOOK, np.int64(0)
            if plain > _DIGIT:
                now = LETTERS
            elif plain == _DIGIT:
                now = DIGITS
            else:
                cp = np.int64(0)
                if i < stop:
                    cp, after = next_character(data, i, stop)
                if cp < len(short):
                    entry = short[cp]
                if entry != LOOK:
                    now = np.int64(entry >> KIND)
                else:
                    folded = np.int64(fold[cp])
                    if folded == -1:
                        i = after
                        continue
                    first = folded
                    if folded < -1:
                        first = np.int64(expansions[-2 - folded, 0])
                    if first > 0:
                        now = DIGITS if 48 <= first <= 57 else LETTERS
                    if now == 0 and kind == DIGITS and digits <= 3 and _grouped(data, i, after, cp, stop):
                        digits = 0
                        i = after
                        continue
                    if now == LETTERS and first >= 0xE00 and unspaced(first):
                        now = ALONE
            if kind != 0 and (now != kind or now == ALONE):
                key = _finished(h, group, size)
                if kind == LETTERS:
                    key = _replaced(key, keys, values)
                if key != 0:
                    if found < len(hashes_W):
                        hashes_W[found], starts_W[found], stops_W[found] = key, begin, last
                    found += 1
                kind = 0
            if now == 0:
                i = after
                continue
            if kind == 0:
                begin, h, group, size, digits, kind = i, SEED, _ZERO, _ZERO, 0, now
            if plain > _DIGIT:
                after, h, group, size = _more_letters(data, i, stop, h, group, size)
            elif plain == _DIGIT:
                h, group, size = _with_bytes(h, group, size, np.uint64(data[i]), _ONE)
            elif entry != LOOK:
                h, group, size = _of_entry(h, group, size, entry)
                if now == LETTERS:
                    after, h, group, size = _other_letters(data, after, stop, h, group, size, short)
            elif folded > 0:
                h, group, size = _with_character(h, group, size, folded)
            else:
                for k in range(4):
                    part = expansions[-2 - folded, k]
                    if part == 0:
                        break
                    h, group, size = _with_character(h, group, size, np.int64(part))
            digits += 1
            i = last = after
        offsets_D1[d + 1] = found
    return found


@lean_inline_kernel
def _mixed(h, group):  # type: ignore[no-untyped-def]
    h = (h ^ group) * PRIME
    return h ^ h >> _HALF


@lean_inline_kernel
def _finished(h, group, size):  # type: ignore[no-untyped-def]
    """The hash of a word."""
    if size != 0:
        h = _mixed(h, group)
    return h * SPREAD


@lean_inline_kernel
def _others(small, eight):  # type: ignore[no-untyped-def]
    """The highest bit of each of eight bytes that is no letter of ASCII; ``small``: the bytes with `_SMALL` set."""
    seven = small & _REST
    return ~((seven + _FROM_A) & ~(seven + _BEHIND_Z) & ~eight) & _HIGH


@lean_inline_kernel
def _letters(data, i, stop):  # type: ignore[no-untyped-def]
    """(where the letters of ASCII end that a word begins with at i, hash, group, size), or less far: within 16 bytes of
    ``stop``.

    Sixteen bytes at a time without a branch: whether a word has more than eight letters is a matter of chance.
    """
    h = SEED
    while i + 16 <= stop:
        first, second = load_8(data, i), load_8(data, i + 8)
        small, more = first | _SMALL, second | _SMALL
        others, further = _others(small, first), _others(more, second)
        whole = _ZERO - np.uint64(others == 0)  # all ones where the first eight are letters
        if others | further == 0:
            h = _mixed(_mixed(h, small), more)
            i += 16
            continue
        bits = np.uint64(lowest(others & ~whole | further & whole)) & ~np.uint64(7)
        group = (small & ~whole | more & whole) & ((_ONE << (bits & np.uint64(63))) - _ONE)
        h ^= (h ^ _mixed(h, small)) & whole
        size = bits >> _THREE
        return i + np.int64(size + (_EIGHT & whole)), h, group, size
    return i, h, _ZERO, _ZERO


@lean_inline_kernel
def _more_letters(data, i, stop, h, group, size):  # type: ignore[no-untyped-def]
    """(where the letters of ASCII end that a word goes on with at i, hash, group, size)."""
    while i + 8 <= stop:
        first = load_8(data, i)
        small = first | _SMALL
        count = np.uint64(lowest(_others(small, first))) >> _THREE
        if count == 0:
            return i, h, group, size
        small &= ~_ZERO >> (np.uint64(64) - (count << _THREE))
        h, group, size = _with_bytes(h, group, size, small, count)
        i += np.int64(count)
        if count < _EIGHT:
            return i, h, group, size
    while i < stop and _PLAIN[data[i]] > _DIGIT:
        h, group, size = _with_bytes(h, group, size, np.uint64(_PLAIN[data[i]]), _ONE)
        i += 1
    return i, h, group, size


@lean_inline_kernel
def _other_letters(data, i, stop, h, group, size, short):  # type: ignore[no-untyped-def]
    """(where the letters end of two or three bytes that go on at i, hash, group, size), or less far."""
    while i + 3 <= stop:
        b = np.int64(data[i])
        c = np.int64(data[i + 1])
        after = i + 2
        if b >= 0xE0:
            e = np.int64(data[i + 2])
            cp = (b & 0x0F) << 12 | (c & 0x3F) << 6 | (e & 0x3F)
            if b >= 0xF0 or e & 0xC0 != 0x80 or cp < 0x800:
                break
            after = i + 3
        else:
            cp = (b & 0x1F) << 6 | (c & 0x3F)
        if b < 0xC2 or c & 0xC0 != 0x80:
            break
        entry = short[cp]
        if entry >> KIND != LETTERS:
            break
        h, group, size = _of_entry(h, group, size, entry)
        i = after
    return i, h, group, size


@lean_inline_kernel
def _of_entry(h, group, size, entry):  # type: ignore[no-untyped-def]
    """The word with what an entry of short_C is folded to behind it."""
    return _with_bytes(h, group, size, np.uint64(entry & BYTES), np.uint64(entry >> COUNT & THREE))


@lean_inline_kernel
def _with_bytes(h, group, size, value, count):  # type: ignore[no-untyped-def]
    """The word with 1 to 8 bytes behind it, the first of them lowest in ``value``, zeros above the last."""
    before = size
    group |= value << (before << _THREE)
    size += count
    if size >= _EIGHT:
        h = _mixed(h, group)
        size -= _EIGHT
        group = value >> ((_SEVEN - before) << _THREE) >> _EIGHT
    return h, group, size


@lean_inline_kernel
def _with_character(h, group, size, cp):  # type: ignore[no-untyped-def]
    """The word with the UTF-8 bytes of a character behind it."""
    value, count = np.uint64(cp), _ONE
    if cp >= 0x10000:
        value = np.uint64(0xF0 | cp >> 18 | (0x80 | cp >> 12 & 0x3F) << 8 | (0x80 | cp >> 6 & 0x3F) << 16)
        value |= np.uint64(0x80 | cp & 0x3F) << np.uint64(24)
        count = _FOUR
    elif cp >= 0x800:
        value, count = np.uint64(0xE0 | cp >> 12 | (0x80 | cp >> 6 & 0x3F) << 8 | (0x80 | cp & 0x3F) << 16), _THREE
    elif cp >= 0x80:
        value, count = np.uint64(0xC0 | cp >> 6 | (0x80 | cp & 0x3F) << 8), _TWO
    return _with_bytes(h, group, size, value, count)


@lean_inline_kernel
def _replaced(key, keys, values):  # type: ignore[no-untyped-def]
    """The word to put in its place: itself, another, or 0: nothing."""
    slot = np.int64(key >> TOP)
    while keys[slot & (SLOTS - 1)] != 0:
        if keys[slot & (SLOTS - 1)] == key:
            return values[slot & (SLOTS - 1)]
        slot += 1
    return key


@lean_inline_kernel
def _grouped(data, i, after, cp, stop):  # type: ignore[no-untyped-def]
    """Whether a group of three digits of the same number follows the character at i."""
    if not (cp == 44 or cp == 46 or cp == 39 or cp == 0xA0 or cp == 0x202F or cp == 0x2009):
        return False
    if after + 3 > stop:
        return False
    for k in range(3):
        if not 48 <= data[after + k] <= 57:
            return False
    return after + 3 == stop or not 48 <= data[after + 3] <= 57
