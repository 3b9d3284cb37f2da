"""Which keys are equal, and how many equal each: in linear time, at the same cost a key whatever the size.

A hash table larger than the processor's cache costs a memory access a key, several times the price of a small one. So
many keys are first divided by their hash into parts that fit (two passes), each part has a small table of its own, and
each key gets one write back. Keys are compared in full: what is equal here is equal.

Legend: K keys. keys_K uint64; numbers_K int64, the count of equal keys << 32 | position of the first of them.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel

PART_KEYS = 4096
"""Up to so many keys share one table: 8,192 entries of 16 bytes fit the second-level cache."""
COUNT_SHIFT = 32
FIRST_MASK = (1 << 32) - 1
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_MIDDLE = np.uint64(20)
_ENTRIES = 16  # of the smallest table


@lean_inline_kernel
def mix(key):  # type: ignore[no-untyped-def]
    """Spread a 64-bit key over all bits (multiply, fold, multiply)."""
    h = key * _MIX
    h ^= h >> _HALF
    return h * _MIX


def work_space(num_keys: int) -> tuple[npt.NDArray[Any], ...]:
    """(table, divided_K, counts_K, places_K, local_K, ends): what `number_equals` needs for up to ``num_keys`` keys."""
    entries = _ENTRIES
    while entries < 4 * num_keys:
        entries *= 2
    return (
        np.empty(2 * entries, np.uint64),
        np.empty(num_keys, np.uint64),
        np.empty(num_keys, np.int64),
        np.empty(num_keys, np.int32),
        np.empty(num_keys, np.int32),
        np.empty(2 * (num_keys // PART_KEYS) + 4, np.int64),
    )


@lean_inline_kernel
def number_equals(keys_K, num_keys, numbers_K, work):  # type: ignore[no-untyped-def]
    """Fill ``numbers_K[k]`` for k < ``num_keys``, which is below 2**31."""
    table, divided_K, counts_K, places_K, local_K, ends = work
    if num_keys <= PART_KEYS:
        _number_part(keys_K, 0, num_keys, numbers_K, local_K, table)
        for k in range(num_keys):
            numbers_K[k] = numbers_K[local_K[k]] & ~FIRST_MASK | local_K[k]
        return
    bits = 1
    while num_keys >> bits > PART_KEYS:
        bits += 1
    shift = np.uint64(64 - bits)
    for p in range((1 << bits) + 1):
        ends[p] = 0
    for k in range(num_keys):
        ends[np.int64(mix(keys_K[k]) >> shift) + 1] += 1
    for p in range(1 << bits):
        ends[p + 1] += ends[p]
    for k in range(num_keys):
        p = np.int64(mix(keys_K[k]) >> shift)
        places_K[ends[p]] = k
        divided_K[ends[p]] = keys_K[k]
        ends[p] += 1
    begin = np.int64(0)
    for p in range(1 << bits):
        _number_part(divided_K, begin, ends[p], counts_K, local_K, table)
        for k in range(begin, ends[p]):
            first = local_K[k]
            numbers_K[places_K[k]] = counts_K[first] & ~FIRST_MASK | places_K[first]
        begin = ends[p]


@lean_inline_kernel
def _number_part(keys_K, begin, end, counts_K, local_K, table):  # type: ignore[no-untyped-def]
    """Set ``local_K`` to the first equal of each key of begin:end, and at firsts ``counts_K`` to the count << 32.

    Open addressing, entries of (position + 1, key); 0 is free. The table starts no larger than the cache and grows
    with the number of *different* keys, so that a part of many equal ones costs no more. The upper bits of `mix` chose
    the part; the slot comes from the middle ones.
    """
    entries = _ENTRIES
    while entries < 2 * (end - begin) and entries < 2 * PART_KEYS:
        entries *= 2
    while True:
        for slot in range(entries):
            table[2 * slot] = np.uint64(0)
        different = 0
        k = begin
        while k < end and 2 * different <= entries:
            key = keys_K[k]
            slot = np.int64(mix(key) >> _MIDDLE) & (entries - 1)
            while True:
                there = np.int64(table[2 * slot])
                if there == 0:
                    table[2 * slot] = np.uint64(k + 1)
                    table[2 * slot + 1] = key
                    local_K[k] = k
                    different += 1
                    break
                if table[2 * slot + 1] == key:
                    local_K[k] = there - 1
                    break
                slot = (slot + 1) & (entries - 1)
            k += 1
        if k == end:
            break
        entries *= 2
    for k in range(begin, end):
        first = local_K[k]
        counts_K[first] = (np.int64(0) if first == k else counts_K[first]) + (1 << COUNT_SHIFT)
