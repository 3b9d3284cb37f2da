"""Characters without width that a visitor does not see: for `ends`, which ends blocks of text.

U+200B (a place where a line may break) and U+FEFF (a byte order mark inside a text) part the letters of a word: they are dropped, and so is one of two spaces
that then meet. Beside a letter of three bytes from U+0800 to U+1FFF a U+200B stays: Khmer, Thai, Lao, Tibetan and Burmese part their words by it. Joiners (U+200C,
U+200D) and marks of direction change what is seen and stay. Price: two comparisons for 64 bytes of text where there are none.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import state as s
from stages.kernels.html.layout import MARK
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import block_bits, lowest

_U1, _U2 = np.uint64(1), np.uint64(2)


@inline_kernel
def find_zero_width(out, i, stop):  # type: ignore[no-untyped-def]
    """Where the first of them stands from ``i`` on; ``stop``: there is none. Reads 63 bytes more."""
    none = np.uint64(0)
    while i < stop:
        last, first, found = block_bits(out, i, 0x8B, 0, 0), block_bits(out, i, 0xEF, 0, 0), none
        if last != none:
            found = block_bits(out, i, 0xE2, 0, 0) & (block_bits(out, i, 0x80, 0, 0) >> _U1) & (last >> _U2)
        if first != none:
            found |= first & (block_bits(out, i, 0xBB, 0, 0) >> _U1) & (block_bits(out, i, 0xBF, 0, 0) >> _U2)
        if found != none:
            return min(stop, i + lowest(found))
        i += 62
    return stop


@inline_kernel
def is_spaced_script(out, i, start, stop):  # type: ignore[no-untyped-def]
    """Whether a letter from U+0800 to U+1FFF stands before the three bytes at ``i`` or behind them."""
    if i + 3 < stop and (out[i + 3] == 0xE0 or out[i + 3] == 0xE1):
        return True
    return i - 3 >= start and (out[i - 3] == 0xE0 or out[i - 3] == 0xE1) and out[i - 2] >= 0x80 and out[i - 1] >= 0x80


@inline_kernel
def drop_zero_width(W, blocks, is_code, out, start, stop):  # type: ignore[no-untyped-def]
    """Drop them from the text of a block: its end. Marks of inline code (`layout.MARK`) move with it."""
    i = find_zero_width(out, start, stop)
    if i == stop:
        return stop
    o = i
    mark = W[s.MARKS_FROM] // 2
    while i < stop:
        while mark < W[s.MARKS] and blocks[MARK, mark] // 2 <= i:
            blocks[MARK, mark] -= 2 * (i - o)
            mark += 1
        if i + 2 < stop and (
            (out[i] == 0xEF and out[i + 1] == 0xBB and out[i + 2] == 0xBF)
            or (
                out[i] == 0xE2
                and out[i + 1] == 0x80
                and out[i + 2] == 0x8B
                and not is_spaced_script(out, i, start, stop)
            )
        ):
            i += 3
            if i < stop and out[i] == 32 and (o == start or out[o - 1] == 32) and not is_code:
                i += 1
        else:
            out[o] = out[i]
            o += 1
            i += 1
    while mark < W[s.MARKS]:
        blocks[MARK, mark] = min(blocks[MARK, mark], 2 * o + (blocks[MARK, mark] & 1))
        mark += 1
    return o
