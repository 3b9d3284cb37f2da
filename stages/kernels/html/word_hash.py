"""A hash of a short word in lower case, eight bytes at a time.

For `titles`. Only letters of ASCII are made small; the hash is the same on every machine. Legend: data uint8 array.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import load_8

_EACH = 0x0101010101010101
_LOW, _HIGH = np.uint64(0x7F * _EACH), np.uint64(0x80 * _EACH)
_TO_A, _BEYOND_Z = np.uint64((0x80 - ord("A")) * _EACH), np.uint64((0x80 - ord("Z") - 1) * _EACH)
_TWO, _EIGHT, _ALL = np.uint64(2), np.uint64(8), np.uint64(0xFFFFFFFFFFFFFFFF)
_MULTIPLIER, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


@inline_kernel
def lower_8(word):  # type: ignore[no-untyped-def]
    """Eight bytes with their capitals made small: a capital sets the high bit of its byte when "A" is taken away, not when "Z" and one are."""
    rest = word & _LOW
    capitals = (rest + _TO_A) & ~(rest + _BEYOND_Z) & ~word & _HIGH
    return word | (capitals >> _TWO)


@inline_kernel
def hash_word(data, start, stop, last):  # type: ignore[no-untyped-def]
    """Hash of ``data[start:stop]`` in lower case, as int64; bytes up to ``last`` may be read."""
    h = np.uint64(stop - start)
    i = start
    while i < stop:
        if i + 8 <= last:
            word = load_8(data, i) & (_ALL >> np.uint64(8 * max(0, 8 - (stop - i))))
        else:
            word = np.uint64(0)
            for k in range(min(8, stop - i)):
                word |= np.uint64(data[i + k]) << (np.uint64(k) * _EIGHT)
        h = (h ^ lower_8(word)) * _MULTIPLIER
        h ^= h >> _SHIFT
        i += 8
    return np.int64(h)
