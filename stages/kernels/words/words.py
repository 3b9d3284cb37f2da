"""Words of many texts: hash, characters and kind of every word as ragged arrays, and counts of marks and lines.

The unit `white_space` is Python's ``str.split()``: what stands between white space is a word, punctuation included.
Words are compared by a 64-bit hash of their UTF-8 bytes (two different words of one page share a hash with a
probability near 1e-12 for a page of 10,000 different words).

Legend: N bytes of data, D documents, W words. data_N uint8, offsets_D1 int64; words_D1 int64, bounds_W2 int32,
hashes_W uint64, characters_W int32, kinds_W uint8; marks_D5 int64; planes_BK: `stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import load_8, lowest, ones
from stages.kernels.unicode import bitmaps
from stages.kernels.unicode.bitmaps import Planes, at_bit, count, find_planes, first_bits, next_bit

HAS_ALPHA = 1  # a character of category L*
HAS_TEXT = 2  # a character that is no symbol: a "real" word of Gopher's counts
HAS_UPPER = 4  # a capital
HAS_LOWER = 8  # a small letter

NUMBER_SIGNS, ELLIPSES, LINES, BULLET_LINES, ELLIPSIS_LINES = range(5)
"""Columns of ``marks_D5``: '#'; '...' (not overlapping) and '…'; lines as ``str.splitlines`` cuts them; lines whose
first character that is no white space is '-' or '•'; lines that end, but for white space, in '...' or '…'."""

_SEED = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_SIX = np.uint64(6)
_LOW = np.uint64(63)
FIRST_BYTES = np.array([(1 << 8 * min(size, 8)) - 1 for size in range(17)], np.uint64)
SECOND_BYTES = np.array([(1 << 8 * max(size - 8, 0)) - 1 for size in range(17)], np.uint64)


@dataclass(frozen=True)
class Words:
    """All words of a batch; those of document d are ``words_D1[d]:words_D1[d + 1]``."""

    words_D1: Offsets
    bounds_W2: npt.NDArray[np.int32]
    """First byte and byte behind the last, from ``offsets[0]`` on."""
    hashes_W: npt.NDArray[np.uint64]
    characters_W: npt.NDArray[np.int32]
    kinds_W: npt.NDArray[np.uint8]
    marks_D5: npt.NDArray[np.int64]


def split_words(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> Words:
    """White-space words of every document of (data, offsets)."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    return measure_words(data, offsets, planes_BK, *word_bounds(offsets, planes_BK))


def word_bounds(
    offsets: Offsets, planes_BK: Planes, wanted_D: npt.NDArray[np.bool_] | None = None
) -> tuple[Offsets, npt.NDArray[np.int32]]:
    """(words_D1, bounds_W2) of white-space words; of the documents that are not wanted, none."""
    num_documents = len(offsets) - 1
    if wanted_D is None:
        wanted_D = np.ones(num_documents, np.bool_)
    words_D1 = np.zeros(num_documents + 1, np.int64)
    bounds = np.empty(int(offsets[-1] - offsets[0]) + 2 * num_documents, np.int32)
    num_words = _word_bounds(offsets, planes_BK, wanted_D, words_D1, bounds)
    return words_D1, bounds[: 2 * num_words].reshape(-1, 2)


def measure_words(
    data: Bytes, offsets: Offsets, planes_BK: Planes, words_D1: Offsets, bounds_W2: npt.NDArray[np.int32]
) -> Words:
    """`Words` with these bounds, whatever unit they are of."""
    num_words = len(bounds_W2)
    hashes_W = np.empty(num_words, np.uint64)
    characters_W = np.empty(num_words, np.int32)
    kinds_W = np.empty(num_words, np.uint8)
    marks_D5 = np.zeros((len(offsets) - 1, 5), np.int64)
    _measure_words(data, offsets[0], planes_BK, bounds_W2, hashes_W, characters_W, kinds_W)
    _marks(data, offsets, planes_BK, marks_D5)
    return Words(words_D1, bounds_W2, hashes_W, characters_W, kinds_W, marks_D5)


def word_hash(word: str) -> int:
    """The hash a word gets: its bytes eight at a time, little end first, at least sixteen (zeros follow the last),
    multiplied in; then its size."""
    mask = (1 << 64) - 1
    h, raw = int(_SEED), word.encode()
    for i in range(0, max(len(raw), 16), 8):
        h = (h ^ int.from_bytes(raw[i : i + 8], "little")) * int(_MIX) & mask
        h ^= h >> 32
    h = (h ^ len(raw)) * int(_MIX) & mask
    return h ^ h >> 32


@lean_inline_kernel
def fold(h, eight):  # type: ignore[no-untyped-def]
    """Multiply eight bytes into a hash."""
    h = (h ^ eight) * _MIX
    return h ^ (h >> _SHIFT)


@lean_inline_kernel
def part(data, i, stop):  # type: ignore[no-untyped-def]
    """The bytes i:stop, eight at most, as an integer."""
    eight = np.uint64(0)
    for k in range(min(stop, i + 8) - 1, i - 1, -1):
        eight = eight << np.uint64(8) | np.uint64(data[k])
    return eight


@lean_inline_kernel
def span_hash(data, start, stop):  # type: ignore[no-untyped-def]
    """`word_hash` of the bytes start:stop."""
    size = stop - start
    if size <= 16:
        if start + 16 <= len(data):
            h = fold(_SEED, load_8(data, start) & FIRST_BYTES[size])
            h = fold(h, load_8(data, start + 8) & SECOND_BYTES[size])
        else:
            h = fold(fold(_SEED, part(data, start, stop)), part(data, start + 8, stop))
        return fold(h, np.uint64(size))
    h = _SEED
    i = start
    while i + 8 <= stop:
        h = fold(h, load_8(data, i))
        i += 8
    if i < stop:  # the eight bytes that end here, without those before i
        h = fold(h, load_8(data, stop - 8) >> np.uint64(64 - 8 * (stop - i)))
    return fold(h, np.uint64(size))


@lean_kernel
def _word_bounds(offsets, planes_BK, wanted_D, words_D1, bounds):  # type: ignore[no-untyped-def]
    """Where words begin and end in turn; how many there are."""
    n = np.uint64(0)
    for d in range(len(offsets) - 1):
        start, stop = offsets[d] - offsets[0], offsets[d + 1] - offsets[0]
        if start < stop and wanted_D[d]:
            before = _ONE
            first, last = np.uint64(start) >> _SIX, np.uint64(stop - 1) >> _SIX
            for block in range(first, last + _ONE):
                blank = planes_BK[block, bitmaps.SPACE]
                if block == first:
                    blank |= (_ONE << (np.uint64(start) & _LOW)) - _ONE
                if block == last and stop & 63:
                    blank |= _FULL << (np.uint64(stop) & _LOW)
                turns = blank ^ (blank << _ONE | before)
                before = blank >> _LOW
                while turns:
                    bounds[n] = np.int64(block << _SIX) + lowest(turns)
                    n += _ONE
                    turns &= turns - _ONE
            if not before:
                bounds[n] = stop
                n += _ONE
        words_D1[d + 1] = n >> _ONE
    return np.int64(n >> _ONE)


@lean_kernel
def _measure_words(data, base, planes_BK, bounds_W2, hashes_W, characters_W, kinds_W):  # type: ignore[no-untyped-def]
    for w in range(len(bounds_W2)):
        start, stop = bounds_W2[w, 0], bounds_W2[w, 1]
        hashes_W[w] = span_hash(data, base + start, base + stop)
        size = stop - start
        if size <= 64:
            mask = first_bits(size)
            block, shift = np.uint64(start) >> _SIX, np.uint64(start) & _LOW
            back = _LOW - shift
            # All of it computed, nothing branched on: words are too various to be guessed.
            row, next_row = planes_BK[block], planes_BK[block + _ONE]
            starts = (row[bitmaps.STARTS] >> shift | next_row[bitmaps.STARTS] << _ONE << back) & mask
            alpha = (row[bitmaps.ALPHA] >> shift | next_row[bitmaps.ALPHA] << _ONE << back) & mask
            text = (row[bitmaps.TEXT] >> shift | next_row[bitmaps.TEXT] << _ONE << back) & mask
            upper = (row[bitmaps.UPPER] >> shift | next_row[bitmaps.UPPER] << _ONE << back) & mask
            lower = (row[bitmaps.LOWER] >> shift | next_row[bitmaps.LOWER] << _ONE << back) & mask
            characters_W[w] = ones(starts)
            kinds_W[w] = (
                (alpha != 0) * HAS_ALPHA | (text != 0) * HAS_TEXT | (upper != 0) * HAS_UPPER | (lower != 0) * HAS_LOWER
            )
        else:
            characters_W[w] = count(planes_BK, bitmaps.STARTS, start, stop)
            kinds_W[w] = (
                (HAS_ALPHA if count(planes_BK, bitmaps.ALPHA, start, stop) else 0)
                | (HAS_TEXT if count(planes_BK, bitmaps.TEXT, start, stop) else 0)
                | (HAS_UPPER if count(planes_BK, bitmaps.UPPER, start, stop) else 0)
                | (HAS_LOWER if count(planes_BK, bitmaps.LOWER, start, stop) else 0)
            )


@lean_inline_kernel
def behind_break(data, i, stop):  # type: ignore[no-untyped-def]
    """The byte behind the line break at i (a carriage return and a line feed are one)."""
    b = data[i]
    if b < 0x80:
        return i + 2 if b == 13 and i + 1 < stop and data[i + 1] == 10 else i + 1
    return i + 2 if b == 0xC2 else i + 3


@lean_kernel
def _marks(data, offsets, planes_BK, marks_D5):  # type: ignore[no-untyped-def]
    base = offsets[0]
    for d in range(len(offsets) - 1):
        start, stop = offsets[d] - base, offsets[d + 1] - base
        at = next_bit(planes_BK, bitmaps.RARE, np.uint64(0), start, stop)
        free = start
        while at < stop:
            b = data[base + at]
            if b == 35:
                marks_D5[d, NUMBER_SIGNS] += 1
            elif b == 0xE2:
                marks_D5[d, ELLIPSES] += 1
            elif b == 46 and at >= free and at + 3 <= stop:
                marks_D5[d, ELLIPSES] += 1
                free = at + 3
            at = next_bit(planes_BK, bitmaps.RARE, np.uint64(0), at + 1, stop)
        while start < stop:
            end = next_bit(planes_BK, bitmaps.BREAK, np.uint64(0), start, stop)
            first = next_bit(planes_BK, bitmaps.SPACE, _FULL, start, end)
            marks_D5[d, LINES] += 1
            if first < end:
                last = end
                while at_bit(planes_BK, bitmaps.SPACE, last - 1):
                    last -= 1
                marks_D5[d, BULLET_LINES] += _is_bullet(data, base + first, base + last)
                marks_D5[d, ELLIPSIS_LINES] += _is_ellipsis(data, base + first, base + last)
            start = behind_break(data, base + end, base + stop) - base if end < stop else stop


@lean_inline_kernel
def _is_bullet(data, start, stop):  # type: ignore[no-untyped-def]
    if data[start] == 45:
        return True
    return data[start] == 0xE2 and stop - start >= 3 and data[start + 1] == 0x80 and data[start + 2] == 0xA2


@lean_inline_kernel
def _is_ellipsis(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether start:stop ends in '...' or '…'."""
    if stop - start < 3:
        return False
    a, b, c = data[stop - 3], data[stop - 2], data[stop - 1]
    return (a == 46 and b == 46 and c == 46) or (a == 0xE2 and b == 0x80 and c == 0xA6)
