"""Texts with characters of given ranges, or of no other: which of many need a second look.

Legend: N bytes of data in UTF-8, D texts, R ranges of code points; ranges_R2 int64: first and last, in ascending order.

Sixty-four bytes at a time: only bytes that may begin an odd character are looked at alone. Price: 0.1 ns a byte of
ASCII, about 1 ns a typographic mark.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, read_only
from stages.kernels.jit import inline_kernel, kernel
from stages.kernels.simd import block_bits, lowest

Ranges = npt.NDArray[np.int64]
_BLOCK = 64


def ranges_of(codes: Iterable[int]) -> Ranges:
    """Code points as ranges."""
    runs = [list(run) for _, run in groupby(enumerate(sorted(set(codes))), lambda pair: pair[1] - pair[0])]
    return read_only(np.array([(run[0][1], run[-1][1]) for run in runs], np.int64).reshape(-1, 2))


def odd_or_blank(data: Bytes, offsets: Offsets, odd: Ranges, unseen: Ranges) -> npt.NDArray[np.bool_]:
    """Of every text whether it has a character of ``odd``, or none outside ``unseen``; empty texts have neither.

    Args:
        odd: none but controls in ASCII; outside it characters that begin with the bytes C2, E2 or EF to F4.
    """
    found = np.zeros(len(offsets) - 1, np.bool_)
    _odd_or_blank(data, offsets, odd, unseen, found)
    return found


@kernel
def _odd_or_blank(data, offsets, odd, unseen, found):  # type: ignore[no-untyped-def]
    for text in range(len(offsets) - 1):
        start, stop = offsets[text], offsets[text + 1]
        if start < stop:
            found[text] = _is_blank(data, start, stop, unseen) or _has_odd(data, start, stop, odd)


@inline_kernel
def _is_blank(data, i, stop, unseen):  # type: ignore[no-untyped-def]
    while i < stop:
        code, width = _character(data, i)
        if not _is_within(unseen, code):
            return False
        i += width
    return True


@inline_kernel
def _has_odd(data, i, stop, odd):  # type: ignore[no-untyped-def]
    while i + _BLOCK <= stop:
        bits = block_bits(data, i, 0, 31, 0) & ~block_bits(data, i, 9, 1, 0)
        bits |= block_bits(data, i, 127, 0, 0)
        bits |= block_bits(data, i, 0xC2, 0, 0) | block_bits(data, i, 0xE2, 0, 0) | block_bits(data, i, 0xEF, 5, 0)
        while bits:
            if _is_within(odd, _character(data, i + lowest(bits))[0]):
                return True
            bits &= bits - np.uint64(1)
        i += _BLOCK
    while i < stop:
        byte = data[i]
        if (byte < 32 or byte == 127 or byte >= 0xC2) and _is_within(odd, _character(data, i)[0]):
            return True
        i += 1
    return False


@inline_kernel
def _character(data, i):  # type: ignore[no-untyped-def]
    """(code point, bytes) of the character that begins at ``i``."""
    first = np.int64(data[i])
    if first < 0xC0:
        return first, np.int64(1)
    code = (first & 31) << 6 | (np.int64(data[i + 1]) & 63)
    if first < 0xE0:
        return code, np.int64(2)
    code = (code & 1023) << 6 | (np.int64(data[i + 2]) & 63)
    if first < 0xF0:
        return code, np.int64(3)
    return (code & 32767) << 6 | (np.int64(data[i + 3]) & 63), np.int64(4)


@inline_kernel
def _is_within(ranges, code):  # type: ignore[no-untyped-def]
    for k in range(len(ranges)):
        if code <= ranges[k, 1]:
            return code >= ranges[k, 0]
    return False
