"""Counts of a block's text: characters, words, digits, punctuation; and running sums of it along a page.

For `features`, `context`, `inherited` and `text`. Rows of ``measures_RB`` are the `M_*` of each block and the `SUM_*` before it. Counts become
bytes as eighths of an octave (`log_bins`), shares as 255ths (`share`): integers throughout, so they are the same on every machine.

Legend: B blocks; L table of logarithms and bits (`features.measure_tables`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import layout as h
from stages.kernels.html.tables import hash_span
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import block_bits, ones

# rows of measures_RB: of each block; then running sums before each block
M_CHARS, M_WORDS, M_DIGITS, M_CAPITALS, M_PUNCTUATION, M_UNSPACED, M_LAST, M_FIRST, M_SLOT, M_TEXT_SLOT, M_SECTION = (
    range(11)
)
SUM_CHARS, SUM_LINKS, SUM_PUNCTUATION, SUM_WEIGHT, SUM_SCORE = range(11, 16)
M_HELD_BY = 16  # in column 0: the four nodes last described
MEASURES = 20
NUM_LOGS = 4096
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def logarithms() -> npt.NDArray[np.int64]:
    """Eighths of an octave of 1 to `NUM_LOGS`: where ``L`` begins."""
    numbers = range(1, NUM_LOGS + 1)
    octaves = ((number, number.bit_length() - 1) for number in numbers)
    return np.array([8 * octave + (((number << 3) >> octave) & 7) for number, octave in octaves], np.int64)


@inline_kernel
def log_bins(n, L):  # type: ignore[no-untyped-def]
    """Eighths of an octave of ``n + 1``, at most 255."""
    n = max(0, n)
    if n < NUM_LOGS:
        return L[n]
    if n < 1 << 20:
        return L[n >> 8] + 64
    return min(255, L[min(NUM_LOGS - 1, n >> 16)] + 128)


@inline_kernel
def share(part, whole):  # type: ignore[no-untyped-def]
    """255ths; 0 of nothing."""
    return min(255, part * 255 // whole) if whole > 0 else 0


@inline_kernel
def char_class(b):  # type: ignore[no-untyped-def]
    """1 sentence end, 2 colon, 3 comma, 4 bracket or dash or sign, 5 digit, 6 capital, 7 small letter, 8 beyond ASCII."""
    if b == 46 or b == 33 or b == 63:
        return 1
    if b == 58 or b == 59:
        return 2
    if b == 44:
        return 3
    if 48 <= b <= 57:
        return 5
    if 65 <= b <= 90:
        return 6
    if 97 <= b <= 122:
        return 7
    return 8 if b >= 128 else 4


@inline_kernel
def measure_text(out, b, i, blocks, measures):  # type: ignore[no-untyped-def]
    """Count what block ``b``'s text is made of, into column ``i``; gives the hash of its beginning."""
    start, stop = blocks[h.TEXT_START, b], blocks[h.TEXT_STOP, b]
    digits, capitals, punctuation, marks, unspaced, spaces = 0, 0, 0, 0, 0, 0
    k = start
    while k < stop:
        held = _ALL >> np.uint64(max(0, 64 - (stop - k)))
        digits += ones(held & block_bits(out, k, 48, 9, 0))
        capitals += ones(held & block_bits(out, k, 65, 25, 0))
        signs = block_bits(out, k, 46, 0, 0) | block_bits(out, k, 44, 0, 0) | block_bits(out, k, 58, 1, 0)
        signs |= block_bits(out, k, 33, 0, 0) | block_bits(out, k, 63, 0, 0)
        spaces += ones(held & block_bits(out, k, 32, 0, 0))
        beyond = held & block_bits(out, k, 128, 127, 0)
        if beyond:
            marks += ones(held & block_bits(out, k, 0x80, 0x3F, 0))
            unspaced += ones(held & block_bits(out, k, 0xE3, 6, 0))  # kana and Han begin with these
            signs |= block_bits(out, k, 0xEF, 0, 0)  # full-width punctuation begins with it
        punctuation += ones(held & signs)
        k += 64
    measures[M_CHARS, i] = stop - start - marks
    measures[M_WORDS, i] = spaces + 1 + unspaced
    measures[M_DIGITS, i] = digits
    measures[M_CAPITALS, i] = capitals
    measures[M_PUNCTUATION, i] = punctuation
    measures[M_UNSPACED, i] = unspaced
    last = char_class(out[stop - 1])
    if stop - start >= 3 and out[stop - 3] == 0xE3 and out[stop - 2] == 0x80 and out[stop - 1] == 0x82:
        last = 1  # ideographic full stop
    if (
        stop - start >= 3
        and out[stop - 3] == 0xEF
        and out[stop - 2] == 0xBC
        and (out[stop - 1] == 0x81 or out[stop - 1] == 0x9F)
    ):
        last = 1  # full-width ! and ?
    measures[M_LAST, i] = last
    measures[M_FIRST, i] = char_class(out[start])
    return hash_span(out, start, min(stop, start + 48))


@inline_kernel
def count_slot(slots, row, mask, key, weight, links):  # type: ignore[no-untyped-def]
    """Add one to the open-addressed counter of ``key`` (4 rows from ``row``: key, count, weight, links); its place."""
    place = (key >> 32) & mask
    while slots[row + 1, place] != 0 and slots[row, place] != key:
        place = (place + 1) & mask
    slots[row, place] = key
    slots[row + 1, place] += 1
    slots[row + 2, place] += weight
    slots[row + 3, place] += links
    return place
