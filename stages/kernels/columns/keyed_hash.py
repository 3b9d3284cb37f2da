"""xxh3_64 of 16-byte names, keyed with a seed, for whole columns at once.

The algorithm is XXH3 for inputs of 9 to 16 bytes (xxHash specification, 0.8); the twin in the tests is the library.
NumPy alone, so a fresh process need not load Numba for it. Price: 35 nanoseconds a name, where a call of the library
costs a few hundred.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes

# Little-endian words 3 to 6 of the specification's secret.
_SECRET = (0x1F67B3B7A4A44072, 0x78E5C0CC4EE679CB, 0x2172FFCC7DD05A82, 0x8E2443F7744608B8)
_PRIME = np.uint64(0x165667919E3779F9)
_BLOCK = 1 << 13
"""Names hashed together: their intermediate values fit the second-level cache."""

Words = npt.NDArray[np.uint64]


def hash_names(names: Bytes, seed: int) -> Words:
    """xxh3_64 of every 16 bytes of ``names``, with a seed of 0 to 2**64 - 1."""
    words = np.frombuffer(np.ascontiguousarray(names), "<u8").reshape(-1, 2)
    out = np.empty(len(words), np.uint64)
    flip_low = np.uint64(((_SECRET[0] ^ _SECRET[1]) + seed) % (1 << 64))
    flip_high = np.uint64(((_SECRET[2] ^ _SECRET[3]) - seed) % (1 << 64))
    for start in range(0, len(words), _BLOCK):
        part = words[start : start + _BLOCK]
        out[start : start + _BLOCK] = _hash(part[:, 0] ^ flip_low, part[:, 1] ^ flip_high)
    return out


def _hash(low: Words, high: Words) -> Words:
    """64-bit wrap-around intended throughout."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    # low x high in 128 bits, the halves folded by xor
    low0, low1, high0, high1 = low & mask, low >> half, high & mask, high >> half
    p00, p01, p10 = low0 * high0, low0 * high1, low1 * high0
    middle = (p00 >> half) + (p01 & mask) + (p10 & mask)
    bottom = (p00 & mask) | (middle << half)
    top = low1 * high1 + (p01 >> half) + (p10 >> half) + (middle >> half)
    value: Words = low.byteswap() + high + (bottom ^ top) + np.uint64(16)
    value ^= value >> np.uint64(37)
    value *= _PRIME
    value ^= value >> half
    return value
