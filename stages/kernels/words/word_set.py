"""Which words of fixed lists stand in texts, and how often: a hash table of whole words, in any case.

A word is a run of letters, digits, combining marks and ``_``, compared in small letters by a 64-bit hash (a word of a
text is taken for one of the lists by mistake with a probability of 1e-17 and the number of words listed). Only words of
at most `MAX_BYTES` bytes are listed here; `stages.kernels.words.phrase_automaton` has the others. A word may stand in
two slots alone (cuckoo hashing: Pagh and Rodler 2004), so that nothing is searched. Price: 1 to 2 ns a byte of text.

Legend: N bytes of data, D documents, L lists, P words listed, T slots of the table, W words of the text.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import load_8, lowest
from stages.kernels.unicode import bitmaps, characters
from stages.kernels.unicode.bitmaps import Planes, first_bits, window
from stages.kernels.words.holders import Holders, count_phrase, holders
from stages.kernels.words.words import FIRST_BYTES, SECOND_BYTES, fold, part

MAX_BYTES = 16
_MOST_BYTES = 3 * MAX_BYTES  # of a word whose capitals have more bytes than its small letters
_SEED = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
_SIX = np.uint64(6)
_LOW = np.uint64(63)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_EIGHT = np.uint64(8)
_SEVEN_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_TOP_BITS = np.uint64(0x8080808080808080)
_FROM_A = np.uint64(0x3F3F3F3F3F3F3F3F)  # 0x80 less "A"
_BEHIND_Z = np.uint64(0x2525252525252525)  # 0x7F less "Z"
_HALF = np.uint64(32)
_CASE = np.uint64(2)  # from the top bit to 0x20

Numbers = npt.NDArray[np.int64]


class WordSet(NamedTuple):
    """The hash table of all lists together."""

    hashes_T: npt.NDArray[np.uint64]
    """0 where a slot is free."""
    word_T: npt.NDArray[np.int32]
    held: Holders


def build_word_set(words: Mapping[str, Sequence[int]], once: int) -> WordSet:
    """The table of words in small letters and the lists that hold them. Lists below ``once`` count each of their words
    once a document, the others every place."""
    hashes = [_hash_bytes(word.encode()) for word in words]
    size = 1 << (4 * len(words)).bit_length()
    while (placed := _placed(hashes, size)) is None:
        size *= 2
    word_T = np.array(placed, np.int32)
    hashes_T = np.where(word_T < 0, 0, np.array(hashes, np.uint64)[word_T])
    return WordSet(hashes_T, word_T, holders(words.values(), once))


def _placed(hashes: list[int], size: int) -> list[int] | None:
    """The word in every slot, -1 for none, each in one of its two; None where ``size`` slots do not do."""
    words = [-1] * size
    for number, h in enumerate(hashes):
        slot = h >> 1 & (size - 1)  # the lowest bit is always set
        for _ in range(size):
            words[slot], number = number, words[slot]
            if number < 0:
                break
            one, two = hashes[number] >> 1 & (size - 1), hashes[number] >> 32 & (size - 1)
            slot = two if slot == one else one
        else:
            return None
    return words


def count_set(words: WordSet, data: Bytes, offsets: Offsets, planes_BK: Planes, counts_DL: Numbers) -> None:
    """Add the counts of every document to ``counts_DL``."""
    most_bytes = int(np.diff(offsets).max(initial=0))
    bounds, slots = np.empty(most_bytes + 2, np.int32), np.empty(most_bytes // 2 + 1, np.int32)
    seen_P = np.full(len(words.held.once_P), -1, np.int64)
    _count(data, offsets, planes_BK, characters.lower(), *words[:-1], *words.held, bounds, slots, seen_P, counts_DL)


def _hash_bytes(raw: bytes) -> int:
    """The hash of a word in small letters."""
    first, second = (int.from_bytes(raw[at : at + 8], "little") for at in (0, 8))
    return int(_hash(np.uint64(first), np.uint64(second)))


@lean_kernel
def _hash(first, second):  # type: ignore[no-untyped-def]
    return fold(fold(_SEED, first), second) | _ONE


@lean_inline_kernel
def _small(eight):  # type: ignore[no-untyped-def]
    """Eight bytes, the capitals A to Z as small letters."""
    low = eight & _SEVEN_BITS
    capitals = (low + _FROM_A) & ~(low + _BEHIND_Z) & ~eight & _TOP_BITS
    return eight | capitals >> _CASE


@lean_kernel
def _small_points(data, start, stop, lower):  # type: ignore[no-untyped-def]
    """The first and second eight bytes of a word with capitals beyond ASCII, in small letters; whether it is short."""
    first = second = np.uint64(0)
    size = 0
    i = start
    while i < stop:
        cp, i = characters.code_point(data, i, stop)
        cp = np.int64(lower[cp])
        count = 1 if cp < 0x80 else 2 if cp < 0x800 else 3 if cp < 0x10000 else 4
        if size + count > MAX_BYTES:
            return first, second, False
        for k in range(count):
            bits = cp >> 6 * (count - 1 - k)
            if count > 1:
                bits = bits & 0x3F | 0x80 if k else bits | (0xF00 >> count & 0xFF)
            if size < 8:
                first |= np.uint64(bits) << np.uint64(8 * size)
            else:
                second |= np.uint64(bits) << np.uint64(8 * (size - 8))
            size += 1
    return first, second, True


@lean_kernel
def _count(  # type: ignore[no-untyped-def]
    data, offsets, planes_BK, lower, hashes_T, word_T, lists_P1, once_P, list_of, bounds, slots, seen_P, counts_DL
):
    base = offsets[0]
    for d in range(len(offsets) - 1):
        num_words = _bounds(offsets[d] - base, offsets[d + 1] - base, planes_BK, bounds)
        num_found = _find(data, base, num_words, planes_BK, lower, hashes_T, bounds, slots)
        for k in range(num_found):
            count_phrase(word_T[slots[k]], d, lists_P1, once_P, list_of, seen_P, counts_DL)


@lean_inline_kernel
def _bounds(start, stop, planes_BK, bounds):  # type: ignore[no-untyped-def]
    """Where the words of start:stop (bytes of the piece) begin and end in turn; how many there are."""
    if start == stop:
        return 0
    n = before = np.uint64(0)
    first_block, last_block = np.uint64(start) >> _SIX, np.uint64(stop - 1) >> _SIX
    for block in range(first_block, last_block + _ONE):
        # All bytes of the characters of words.
        held, rest = planes_BK[block, bitmaps.WORD], ~planes_BK[block, bitmaps.STARTS]
        if block == first_block:
            held &= _FULL << (np.uint64(start) & _LOW)
        if rest:
            for _ in range(3):
                held |= (held << _ONE | before) & rest
        if block == last_block and stop & 63:
            held &= ~(_FULL << (np.uint64(stop) & _LOW))
        turns = held ^ (held << _ONE | before)
        before = held >> _LOW
        while turns:
            bounds[n] = np.int64(block << _SIX) + lowest(turns)
            n += _ONE
            turns &= turns - _ONE
    if n & _ONE:
        bounds[n] = stop
        n += _ONE
    return np.int64(n >> _ONE)


@lean_inline_kernel
def _find(data, base, num_words, planes_BK, lower, hashes_T, bounds, slots):  # type: ignore[no-untyped-def]
    """The slots of the words that are listed, one for each place; how many there are.

    Nothing is branched on that differs from word to word: one in eight of a crawl is listed somewhere.
    """
    last_slot = np.uint64(len(hashes_T) - 1)
    last_sixteen = len(data) - 16
    found = np.uint64(0)
    for w in range(num_words):
        start, stop = np.int64(bounds[2 * w]), np.int64(bounds[2 * w + 1])
        size = stop - start
        if size > MAX_BYTES:
            if size > _MOST_BYTES or not _has_long_capital(planes_BK, start, size):
                continue
            first = second = _TOP_BITS
        elif base + start <= last_sixteen:
            first = load_8(data, base + start) & FIRST_BYTES[size]
            second = load_8(data, base + start + 8) & SECOND_BYTES[size]
        else:
            first = part(data, base + start, base + stop)
            second = part(data, base + start + 8, base + stop)
        if (first | second) & _TOP_BITS and _has_long_capital(planes_BK, start, size):
            first, second, short = _small_points(data, base + start, base + stop, lower)
            if not short:
                continue
        h = _hash(_small(first), _small(second))
        one, two = h >> _ONE & last_slot, h >> _HALF & last_slot
        slot = two if hashes_T[two] == h else one
        slots[found] = slot
        found += np.uint64(hashes_T[slot] == h)
    return np.int64(found)


@lean_inline_kernel
def _has_long_capital(planes_BK, start, size):  # type: ignore[no-untyped-def]
    """Whether a word of at most 64 bytes has a capital of several bytes."""
    capitals = window(planes_BK, bitmaps.UPPER, start) & first_bits(size)
    return capitals & ~(window(planes_BK, bitmaps.STARTS, start) >> _ONE) != np.uint64(0)
