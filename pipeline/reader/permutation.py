"""A keyed permutation of 0..n-1 computed on the fly: a global shuffle that needs no memory.

Method: an alternating Feistel network over Z_a x Z_b with a = ceil(sqrt(n)), b = ceil(n / a) (Black and Rogaway,
"Ciphers with arbitrary finite domains", 2002, section 4, there called generalised Feistel), eight rounds of the
splitmix64 finaliser, and cycle walking for the at most a - 1 values of a*b at or above n. Each round only adds a
function of one half to the other, so the whole is a bijection for every key. Not for cryptography.

Price: about 3 microseconds for one index, 0.1 for one of many; no memory beyond the array asked for.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_M1 = 0xBF58476D1CE4E5B9
_M2 = 0x94D049BB133111EB
ROUNDS = 8


def mix(value: int) -> int:
    """The splitmix64 finaliser: 64 bits in, 64 well mixed bits out."""
    value = ((value ^ (value >> 30)) * _M1) & _MASK
    value = ((value ^ (value >> 27)) * _M2) & _MASK
    return value ^ (value >> 31)


class Permutation:
    """`Permutation(n, seed, epoch)(i)`: the number of the i-th of n samples, in one epoch of one seed.

    Takes an int or an array of int64, gives the same. The result depends on nothing but (n, seed, epoch, i).
    """

    def __init__(self, n: int, seed: int, epoch: int = 0) -> None:
        if not 0 < n < 1 << 62:
            raise ValueError(f"a permutation needs 0 < n < 2**62, got {n}")
        self.n = n
        self._a = isqrt(n - 1) + 1
        self._b = -(-n // self._a)
        key = mix((mix((seed & _MASK) ^ _GOLDEN) + epoch) & _MASK)
        self._keys = [mix((key + r * _GOLDEN) & _MASK) for r in range(1, ROUNDS + 1)]

    def __call__(self, index: Any) -> Any:
        if isinstance(index, np.ndarray):
            return self._many(index)
        value = int(index)
        if not 0 <= value < self.n:
            raise IndexError(f"index {value} is outside 0..{self.n - 1}")
        value = self._once(value)
        while value >= self.n:
            value = self._once(value)
        return value

    def _once(self, value: int) -> int:
        a, b, keys = self._a, self._b, self._keys
        left, right = divmod(value, b)
        for r in range(0, ROUNDS, 2):
            left = (left + mix(right ^ keys[r])) % a
            right = (right + mix(left ^ keys[r + 1])) % b
        return left * b + right

    def _many(self, index: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        if index.size and (int(index.min()) < 0 or int(index.max()) >= self.n):
            raise IndexError(f"an index is outside 0..{self.n - 1}")
        values = self._many_once(index.astype(np.uint64))
        outside = np.flatnonzero(values >= self.n)
        while outside.size:
            values[outside] = self._many_once(values[outside])
            outside = outside[values[outside] >= self.n]
        return values.astype(np.int64)

    def _many_once(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        a, b = np.uint64(self._a), np.uint64(self._b)
        left, right = values // b, values % b
        for r in range(0, ROUNDS, 2):
            # A sum of a residue and a 64-bit hash could wrap, which the scalar form never does: reduce first.
            left = (left + _mix_many(right ^ np.uint64(self._keys[r])) % a) % a
            right = (right + _mix_many(left ^ np.uint64(self._keys[r + 1])) % b) % b
        return left * b + right


def _mix_many(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """`mix` of an array; unsigned multiplication wraps modulo 2**64, as it must."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(_M1)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_M2)
    return values ^ (values >> np.uint64(31))
