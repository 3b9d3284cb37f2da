"""Which keys are equal, and how many equal each: in linear time, at nearly the same cost a key whatever the size.

Each different key gets a number; a table of numbers alone, four bytes an entry, leads to the keys, which are compared
in full: what is equal here is equal. Indices are unsigned: of others Numba asks at every use whether they count from
the end (a fifth of the time here). Whether a key is new is computed, not branched on: the processor cannot guess it,
and half of the time went there. A table larger than the processor's cache costs a memory access a key, several times
the price of a small one; so for many keys the lines of memory they will need are asked for in advance.

Legend: K keys, M different keys. keys_K uint64, numbers_K int32; known_M2 uint64: the key, and how many equal it << 32
| the position of the first of them (one line of memory for both).
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel
from stages.kernels.simd import prefetch

KEY, COUNT = range(2)
"""Columns of ``known_M2``; see `count_of` and `first_of`."""
FEW_KEYS = 8192
"""Up to so many, table and keys fit the second-level cache."""
_SOON = np.uint64(24)  # keys ahead for the table; half as many for what it leads to
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_ONE_MORE, _TWO = np.uint64(1 << 32), np.uint64(2 << 32)
_ENTRIES = 16  # of the smallest table


@lean_inline_kernel
def mix(key):  # type: ignore[no-untyped-def]
    """Spread a 64-bit key over all bits (multiply, fold, multiply)."""
    h = key * _MIX
    h ^= h >> _HALF
    return h * _MIX


@lean_inline_kernel
def count_of(known_M2, m):  # type: ignore[no-untyped-def]
    """How many keys have number m."""
    return np.int64(known_M2[m, COUNT] >> _HALF)


@lean_inline_kernel
def first_of(known_M2, m):  # type: ignore[no-untyped-def]
    """The position of the first key with number m."""
    return np.int64(known_M2[m, COUNT] & (_ONE_MORE - np.uint64(1)))


def work_space(num_keys: int) -> tuple[npt.NDArray[Any], ...]:
    """(known_M2, table): what `number_equals` needs for up to ``num_keys`` keys; it answers in the first."""
    entries = _ENTRIES
    while entries < 8 * num_keys:
        entries *= 2
    return np.empty((num_keys + 1, 2), np.uint64), np.empty(entries, np.int32)


@lean_inline_kernel
def number_equals(keys_K, num_keys, numbers_K, work):  # type: ignore[no-untyped-def]
    """Fill ``numbers_K[k]`` for k < ``num_keys``, which is below 2**31; how many different keys there are.

    Keys are numbered in the order in which they come first; the number of a key that no other equals is inverted
    (``~number``), so that nobody has to ask for its count. Open addressing, -1 is free. The table starts no larger than
    the cache and grows with the number of *different* keys, so that many equal ones cost no more.
    """
    known_M2, table = work
    many = num_keys > FEW_KEYS
    entries, shift = np.int64(_ENTRIES), np.uint64(60)
    while entries < 4 * num_keys and entries < max(2 * FEW_KEYS, num_keys >> 1):
        entries, shift = entries * 2, shift - np.uint64(1)
    for slot in range(entries):
        table[slot] = -1
    different, k, stop = np.uint64(0), np.uint64(0), np.uint64(num_keys)
    while True:
        last, most = np.uint64(entries - 1), np.uint64(entries >> 1)
        while k < stop and different <= most:
            if many and k + _SOON < stop:
                prefetch(table, np.int64(keys_K[k + _SOON] * _MIX >> shift))
                soon = np.int64(table[keys_K[k + (_SOON >> _ONE)] * _MIX >> shift])
                prefetch(known_M2, 2 * soon)
            key = keys_K[k]
            slot = key * _MIX >> shift
            there = table[slot]
            while there >= 0 and known_M2[np.uint32(there), KEY] != key:
                slot = (slot + _ONE) & last
                there = table[slot]
            new = there < 0
            number = different if new else np.uint64(np.uint32(there))
            table[slot] = np.int32(number)
            numbers_K[k] = np.int32(number)
            known_M2[number, KEY] = key
            known_M2[number, COUNT] = (k if new else known_M2[number, COUNT]) + _ONE_MORE
            different += np.uint64(new)
            k += _ONE
        if k == stop:
            break
        entries, shift = entries * 4, shift - np.uint64(2)
        for slot in range(entries):
            table[slot] = -1
        last = np.uint64(entries - 1)
        for m in range(different):
            if m + _SOON < different:
                prefetch(table, np.int64(known_M2[m + _SOON, KEY] * _MIX >> shift))
            slot = known_M2[m, KEY] * _MIX >> shift
            while table[slot] >= 0:
                slot = (slot + _ONE) & last
            table[slot] = np.int32(m)
    for k in range(stop):
        number = numbers_K[k]
        numbers_K[k] = number if known_M2[np.uint32(number), COUNT] >= _TWO else ~number
    return np.int64(different)
