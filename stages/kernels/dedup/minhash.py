"""MinHash signatures straight from normalised text, and what is derived from them.

Permutation k of a shingle's upper 32 hash bits x is ``(a_k * x + b_k) mod 2**32`` with odd a_k: a bijection, so the
minimum over a text's shingles agrees between two texts with the probability of their Jaccard index (shingle
hashes being random; Broder 1997). All values are 32-bit unsigned with wrap-around. A text without shingles has
2**32 - 1 everywhere and matches nobody (callers leave it out).

Legend: D texts, K permutations.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.dedup.shingles import highest_power, mix64, shingle_one
from stages.kernels.jit import kernel, lean_inline_kernel, lean_kernel

Words = npt.NDArray[np.uint32]
_S32 = np.uint64(32)
_ONE = np.uint64(1)
CACHED_SLOTS = 1 << 15
"""Slots of a set of shingles that fit the second-level cache."""


def permutations(count: int, seed: int) -> tuple[Words, Words]:
    """Multipliers a_K (odd) and increments b_K from Philox4x32 with key ``seed``."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    drawn = generator.integers(0, 1 << 32, size=(2, count), dtype=np.uint32)
    return drawn[0] | np.uint32(1), drawn[1].copy()


def minhash(
    data: Bytes, offsets: Offsets, spaceless: npt.NDArray[np.bool_], ngram: int, multipliers: Words, increments: Words
) -> tuple[Words, npt.NDArray[np.int32]]:
    """(minima_DK, num_shingles_D) of D normalised texts; num_shingles counts distinct shingles."""
    num_texts = len(offsets) - 1
    minima = np.empty((num_texts, len(multipliers)), np.uint32)
    num_shingles = np.zeros(num_texts, np.int32)
    longest = int(np.diff(offsets).max()) if num_texts else 0
    ring = np.zeros(ngram, np.uint64)
    hashes, inputs = np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.uint32)
    table = np.empty(max(CACHED_SLOTS, 1 << (2 * longest + 1).bit_length()), np.uint64)
    _minhash(
        data, offsets, spaceless, ngram, multipliers, increments, ring, hashes, inputs, table, minima, num_shingles
    )
    return minima, num_shingles


def minima_of_sets(
    hashes: npt.NDArray[np.uint64], starts: Offsets, sizes: Offsets, multipliers: Words, increments: Words
) -> Words:
    """Minima of shingle sets as `minhash` gives them for their texts, uint32 of shape (D, K)."""
    minima = np.empty((len(starts), len(multipliers)), np.uint32)
    _minima_of_sets(hashes, starts, sizes, multipliers, increments, minima)
    return minima


@kernel
def _minima_of_sets(hashes, starts, sizes, multipliers, increments, minima):  # type: ignore[no-untyped-def]
    for row in range(len(starts)):
        for k in range(len(multipliers)):
            smallest = np.uint32(0xFFFFFFFF)
            for i in range(starts[row], starts[row] + sizes[row]):
                smallest = min(
                    smallest, np.uint32(np.uint32(multipliers[k] * np.uint32(hashes[i] >> _S32)) + increments[k])
                )
            minima[row, k] = smallest


@lean_inline_kernel
def _distinct(hashes, count, table):  # type: ignore[no-untyped-def]
    """Keep the first of each value, in order, by a hash set of at least 2 * count slots; 0 marks a free slot.

    Few of a set that fits the cache are taken, and whether a value is new is computed: both are hard to guess.
    """
    capacity = 16
    while capacity < 2 * count or (capacity < 4 * count and capacity < CACHED_SLOTS):
        capacity *= 2
    mask = np.uint64(capacity - 1)
    table[:capacity] = np.uint64(0)
    kept = np.uint64(0)
    for k in range(count):
        found = hashes[k]
        value = found | _ONE
        slot = (value >> _S32) & mask
        while table[slot] != 0 and table[slot] != value:
            slot = (slot + _ONE) & mask
        hashes[kept] = found
        kept += np.uint64(table[slot] == 0)
        table[slot] = value
    return np.int64(kept)


@lean_kernel
def _minhash(  # type: ignore[no-untyped-def]
    data, offsets, spaceless, ngram, multipliers, increments, ring, hashes, inputs, table, minima, num_shingles
):
    power = highest_power(ngram)
    for text in range(len(offsets) - 1):
        count = shingle_one(data, offsets[text], offsets[text + 1], spaceless[text], ngram, power, ring, hashes, 0)
        count = _distinct(hashes, count, table)
        num_shingles[text] = count
        for i in range(count):
            inputs[i] = np.uint32(hashes[i] >> _S32)
        for k in range(len(multipliers)):
            a = multipliers[k]
            b = increments[k]
            smallest = np.uint32(0xFFFFFFFF)
            for i in range(count):
                value = np.uint32(np.uint32(a * inputs[i]) + b)
                smallest = min(smallest, value)
            minima[text, k] = smallest


SKETCH_BITS = 128


def sketches(minima: Words) -> npt.NDArray[np.uint64]:
    """One bit of each of the first 128 minima (Li and Koenig 2010), as uint64 of shape (D, 2).

    Two texts of similarity J differ in a bit with probability (1 - J) / 2. Bit k is the top bit of
    ``minimum_k * 0x9E3779B1 mod 2**32``; bits beyond the number of permutations are 0.
    """
    out = np.zeros((len(minima), 2), np.uint64)
    _sketches(minima, out)
    return out


def band_keys(minima: Words, bands: int, rows: int, salts: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A 64-bit key for every text and band, uint64 of shape (D, bands): equal when all ``rows`` minima are.

    Band j covers permutations j*rows to (j+1)*rows - 1. The salt of a text keeps scopes apart: texts of different
    salts share no key.
    """
    if bands * rows > minima.shape[1]:
        raise ValueError(f"{bands} bands of {rows} rows need {bands * rows} permutations, found {minima.shape[1]}")
    out = np.empty((len(minima), bands), np.uint64)
    _band_keys(minima, bands, rows, salts, out)
    return out


@kernel
def _sketches(minima, out):  # type: ignore[no-untyped-def]
    for text in range(minima.shape[0]):
        for k in range(min(minima.shape[1], 128)):
            bit = np.uint64(np.uint32(minima[text, k] * np.uint32(0x9E3779B1)) >> np.uint32(31))
            out[text, k >> 6] |= bit << np.uint64(k & 63)


@kernel
def _band_keys(minima, bands, rows, salts, out):  # type: ignore[no-untyped-def]
    for text in range(minima.shape[0]):
        for band in range(bands):
            key = mix64(salts[text] + np.uint64(band + 1))
            for k in range(band * rows, (band + 1) * rows):
                key = mix64(key + np.uint64(minima[text, k]))
            out[text, band] = key
