"""xxh3_64 of 16-byte names, keyed with a seed, for whole columns at once.

The algorithm is XXH3 for inputs of 9 to 16 bytes (xxHash specification, 0.8); the twin in the tests is the library.
Price: a nanosecond or two a name, where a call of the library costs a few hundred.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import kernel
from stages.kernels.ragged import Bytes

# Little-endian words 3 to 6 of the specification's secret.
_SECRET = (0x1F67B3B7A4A44072, 0x78E5C0CC4EE679CB, 0x2172FFCC7DD05A82, 0x8E2443F7744608B8)
_FLIP_LOW = np.uint64(_SECRET[0] ^ _SECRET[1])
_FLIP_HIGH = np.uint64(_SECRET[2] ^ _SECRET[3])
_PRIME = np.uint64(0x165667919E3779F9)


@kernel
def _hash_names(words_D2: npt.NDArray[np.uint64], seed: np.uint64, out_D: npt.NDArray[np.uint64]) -> None:
    """64-bit wrap-around intended throughout."""
    low_mask = np.uint64(0xFFFFFFFF)
    bytes_mask, pairs_mask = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
    half, pair, byte = np.uint64(32), np.uint64(16), np.uint64(8)
    for d in range(out_D.shape[0]):
        low = words_D2[d, 0] ^ (_FLIP_LOW + seed)
        high = words_D2[d, 1] ^ (_FLIP_HIGH - seed)
        swapped = ((low & bytes_mask) << byte) | ((low >> byte) & bytes_mask)
        swapped = ((swapped & pairs_mask) << pair) | ((swapped >> pair) & pairs_mask)
        swapped = (swapped << half) | (swapped >> half)
        # low x high in 128 bits, the halves folded by xor
        p00 = (low & low_mask) * (high & low_mask)
        p01 = (low & low_mask) * (high >> half)
        p10 = (low >> half) * (high & low_mask)
        p11 = (low >> half) * (high >> half)
        middle = (p00 >> half) + (p01 & low_mask) + (p10 & low_mask)
        bottom = (p00 & low_mask) | (middle << half)
        top = p11 + (p01 >> half) + (p10 >> half) + (middle >> half)
        value = np.uint64(16) + swapped + high + (bottom ^ top)
        value ^= value >> np.uint64(37)
        value *= _PRIME
        out_D[d] = value ^ (value >> half)


def hash_names(names: Bytes, seed: int) -> npt.NDArray[np.uint64]:
    """xxh3_64 of every 16 bytes of ``names``, with a seed of 0 to 2**64 - 1."""
    words = np.frombuffer(np.ascontiguousarray(names), "<u8").astype(np.uint64).reshape(-1, 2)
    out = np.empty(len(words), np.uint64)
    _hash_names(words, np.uint64(seed), out)
    return out
