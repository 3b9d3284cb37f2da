"""Shingles of normalised texts as 64-bit hashes: word n-grams, or code-point n-grams where there are no spaces.

A unit's hash: its UTF-8 bytes in groups of eight, each a big-endian number p: ``h = mix64(h + p)`` from h = 0 for
whole groups; then ``mix64(h + p + bytes * UNIT_SIZE_WEIGHT)`` with the p of the rest (0 if none). `mix64` is the
finaliser of splitmix64 (Steele, Lea, Flood 2014). A shingle of n units u1..un is
``mix64(sum(u_i * MULTIPLIER**(n - i)) + n)``, all modulo 2**64. A text of fewer than n units (but at least one) has
one shingle of all of them; an empty text has none. Two different shingles share a hash with a chance of about 2**-60;
the similarity of two texts is the Jaccard index of these sets.

Price: about 1.8 ns a byte. Legend: D texts, S shingles.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.eight_bytes import bytes_before_space, eight_bytes
from stages.kernels.jit import lean_inline_kernel, lean_kernel

UNIT_SIZE_WEIGHT = np.uint64(0xD6E8FEB86659FD93)
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S8, _S27, _S30, _S31 = np.uint64(8), np.uint64(27), np.uint64(30), np.uint64(31)

Hashes = npt.NDArray[np.uint64]


@lean_inline_kernel
def mix64(value):  # type: ignore[no-untyped-def]
    """Finaliser of splitmix64: a bijection of 64-bit numbers that spreads every bit over all."""
    value = (value ^ (value >> _S30)) * _MIX1
    value = (value ^ (value >> _S27)) * _MIX2
    return value ^ (value >> _S31)


def shingle_sets(data: Bytes, offsets: Offsets, spaceless: npt.NDArray[np.bool_], ngram: int) -> tuple[Hashes, Offsets]:
    """Sorted distinct shingle hashes of every text, as (hashes_S, offsets_D1)."""
    hashes = np.empty(max(int(offsets[-1] - offsets[0]), 1), np.uint64)
    hash_offsets = np.zeros(len(offsets), np.int64)
    _all_shingles(data, offsets, spaceless, ngram, np.zeros(ngram, np.uint64), hashes, hash_offsets)
    # NumPy sorts 64-bit numbers several times faster than compiled code of ours could.
    for start, stop in itertools.pairwise(hash_offsets.tolist()):
        hashes[start:stop].sort()
    _drop_repeats(hashes, hash_offsets)
    return hashes[: hash_offsets[-1]], hash_offsets


@lean_inline_kernel
def shingle_one(data, start, end, spaceless, ngram, power, ring, hashes, first):  # type: ignore[no-untyped-def]
    """Write the shingle hashes of one text from ``hashes[first]`` on, with repeats; return how many.

    ``data`` goes on for `eight.SLACK` bytes after the last text, as `normalise` leaves it. Indices are made unsigned
    where they are used: Numba need not ask whether they are negative, and count from the end.
    """
    total = np.uint64(0)
    units = 0
    slot = 0
    count = 0
    size = np.uint64(ngram)
    i = start
    while i < end:
        began = i
        packed = np.uint64(0)
        unit = np.uint64(0)
        if spaceless:
            packed = np.uint64(data[np.uint64(i)])
            i += 1
            while i < end and data[np.uint64(i)] & 0xC0 == 0x80:
                packed = packed << _S8 | np.uint64(data[np.uint64(i)])
                i += 1
        else:
            whole = 8
            while whole == 8 and i < end:
                group = eight_bytes(data, i)
                whole = min(bytes_before_space(group), end - i)
                if whole == 8:
                    unit = mix64(unit + group)
                else:  # in two steps: a shift by 64 is undefined
                    packed = group >> np.uint64(56 - 8 * whole) >> _S8
                i += whole
        unit = mix64(unit + packed + np.uint64(i - began) * UNIT_SIZE_WEIGHT)
        i += 0 if spaceless else 1
        if units >= ngram:
            total -= ring[np.uint64(slot)] * power
        total = total * MULTIPLIER + unit
        ring[np.uint64(slot)] = unit
        slot = slot + 1 if slot + 1 < ngram else 0
        units += 1
        if units >= ngram:
            hashes[np.uint64(first + count)] = mix64(total + size)
            count += 1
    if 0 < units < ngram:
        hashes[first] = mix64(total + np.uint64(units))
        count = 1
    return count


@lean_inline_kernel
def highest_power(ngram):  # type: ignore[no-untyped-def]
    """MULTIPLIER ** (ngram - 1) modulo 2**64: the weight of the unit that leaves."""
    power = np.uint64(1)
    for _ in range(ngram - 1):
        power = power * MULTIPLIER
    return power


@lean_kernel
def _all_shingles(data, offsets, spaceless, ngram, ring, hashes, hash_offsets):  # type: ignore[no-untyped-def]
    power = highest_power(ngram)
    position = 0
    for text in range(len(offsets) - 1):
        position += shingle_one(
            data, offsets[text], offsets[text + 1], spaceless[text], ngram, power, ring, hashes, position
        )
        hash_offsets[text + 1] = position


@lean_kernel
def _drop_repeats(hashes, hash_offsets):  # type: ignore[no-untyped-def]
    """Keep the first of equal neighbours within each text, in place, and move the offsets with them.

    Every hash is written, at an unsigned index, and the next one over it if it repeats: nothing to guess, a third of
    the time.
    """
    position = 0
    start = 0
    for text in range(len(hash_offsets) - 1):
        stop = hash_offsets[text + 1]
        if stop > start:
            previous = ~hashes[start]
            for k in range(start, stop):
                value = hashes[k]
                hashes[np.uint64(position)] = value
                position += 1 if value != previous else 0
                previous = value
        start = stop
        hash_offsets[text + 1] = position
