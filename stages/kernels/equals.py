"""Which keys are equal, and how many equal each: in linear time, at the same cost a key whatever the size.

Each different key gets a number; a table of numbers alone, four bytes an entry, leads to the keys, which are compared
in full: what is equal here is equal. A table larger than the processor's cache costs a memory access a key, several
times the price of a small one. So many keys are first divided by their hash into parts that fit (two passes), each part
has a small table of its own, and each key gets one write back. Whether a key is new is computed, not branched on: the
processor cannot guess it, and half of the time went there.

Legend: K keys, M different keys. keys_K uint64, numbers_K int32; known_M uint64, counts_M and firsts_M int32: the key,
how many equal it, the position of the first of them.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel

PART_KEYS = 8192
"""Up to so many keys share one table: 16,384 entries and the keys fit the second-level cache."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_ENTRIES = 16  # of the smallest table


@lean_inline_kernel
def mix(key):  # type: ignore[no-untyped-def]
    """Spread a 64-bit key over all bits (multiply, fold, multiply)."""
    h = key * _MIX
    h ^= h >> _HALF
    return h * _MIX


def work_space(num_keys: int) -> tuple[npt.NDArray[Any], ...]:
    """(counts_M, firsts_M, known_M, table, divided_K, local_K, places_K, ends): what `number_equals` needs for up to
    ``num_keys`` keys; it answers in the first two."""
    entries = _ENTRIES
    while entries < 4 * num_keys:
        entries *= 2
    divided = num_keys if num_keys > PART_KEYS else 0
    return (
        np.empty(num_keys + 1, np.int32),
        np.empty(num_keys + 1, np.int32),
        np.empty(num_keys + 1, np.uint64),
        np.empty(entries, np.int32),
        np.empty(divided, np.uint64),
        np.empty(divided, np.int32),
        np.empty(divided, np.int32),
        np.empty(2 * (num_keys // PART_KEYS) + 4, np.int64),
    )


@lean_inline_kernel
def number_equals(keys_K, num_keys, numbers_K, work):  # type: ignore[no-untyped-def]
    """Fill ``numbers_K[k]`` for k < ``num_keys``, which is below 2**31; how many different keys there are.

    Up to `PART_KEYS` keys are numbered in the order in which they come first.
    """
    counts_M, firsts_M, known_M, table, divided_K, local_K, places_K, ends = work
    if num_keys <= PART_KEYS:
        return _number_part(keys_K, 0, num_keys, numbers_K, 0, counts_M, firsts_M, known_M, table)
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
    begin = different = np.int64(0)
    for p in range(1 << bits):
        before = different
        different = _number_part(divided_K, begin, ends[p], local_K, before, counts_M, firsts_M, known_M, table)
        for m in range(before, different):
            firsts_M[m] = places_K[firsts_M[m]]
        for k in range(begin, ends[p]):
            numbers_K[places_K[k]] = local_K[k]
        begin = ends[p]
    return different


@lean_inline_kernel
def _number_part(keys_K, begin, end, numbers_K, before, counts_M, firsts_M, known_M, table):  # type: ignore[no-untyped-def]
    """Number the keys of begin:end from ``before`` on; the number behind the last.

    Open addressing, -1 is free. The table starts no larger than the cache and grows with the number of *different*
    keys, so that a part of many equal ones costs no more. The upper bits of `mix` chose the part; the slot comes from
    another product.
    """
    entries, shift = np.int64(_ENTRIES), np.uint64(60)
    while entries < 2 * (end - begin) and entries < 2 * PART_KEYS:
        entries, shift = entries * 2, shift - np.uint64(1)
    while True:
        for slot in range(entries):
            table[slot] = -1
        different = before
        k = begin
        while k < end and 2 * (different - before) <= entries:
            key = keys_K[k]
            slot = np.int64(key * _MIX >> shift)
            there = np.int64(table[slot])
            while there >= 0 and known_M[there] != key:
                slot = (slot + 1) & (entries - 1)
                there = np.int64(table[slot])
            new = there < 0
            number = different if new else there
            table[slot] = number
            known_M[number] = key
            numbers_K[k] = number
            counts_M[number] = (0 if new else counts_M[number]) + 1
            firsts_M[number] = k if new else firsts_M[number]
            different += new
            k += 1
        if k == end:
            return different
        entries, shift = entries * 2, shift - np.uint64(1)
