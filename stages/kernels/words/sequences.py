"""Known texts made ready to be found in pages: their seeds in a table and in a filter of bits.

For `stages.kernels.words.alignment`, whose legend it shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.words.seeds import PARTS, SEED_WORDS, seeds_of_part

MOST_PLACES = 64
BLOCK = 1 << 16
GROUP = 64
FIFTH = np.uint64(26)
ANY = np.uint32(0xFFFFFFFF)
_SIX, _BITS, _ONE = np.uint64(6), np.uint64(63), np.uint64(1)


@dataclass(frozen=True)
class Sequences:
    """Known texts to look for, made ready by `build`."""

    tokens_T: npt.NDArray[np.uint32]
    starts_S1: npt.NDArray[np.int32]
    companions_C3: npt.NDArray[np.int32]
    """Of each sequence that has any, in order: its number, its first companion and the one behind the last."""
    seeds_E2: npt.NDArray[np.uint32]
    """The low half of a seed's hash, and where its places begin; in the order of hashes."""
    buckets_B1: npt.NDArray[np.int32]
    """Where the seeds begin whose hashes have each number as their highest bits."""
    places_P: npt.NDArray[np.int32]
    """Words of ``tokens_T``; the last of a seed is ``~word``."""
    sides_P: npt.NDArray[np.uint16]
    """Lowest bytes of the words behind (low) and before (high) the seed in its sequence; 0 outside it."""
    sequence_G: npt.NDArray[np.int32]
    """The sequence that each `GROUP`-th word belongs to."""
    filter_B: npt.NDArray[np.uint64]
    num_unseeded: int
    """Sequences to be seeded that have no seed: fewer than four words, or none but those of too many places."""

    def companions(self, sequence: int) -> range:
        """The companions of a sequence."""
        c = int(np.searchsorted(self.companions_C3[:, 0], sequence))
        if c == len(self.companions_C3) or self.companions_C3[c, 0] != sequence:
            return range(0)
        return range(*self.companions_C3[c, 1:].tolist())


def build(
    tokens_T: npt.NDArray[np.uint32],
    starts_S1: npt.NDArray[np.int64],
    seeded_S: npt.NDArray[np.bool_],
    companions_S2: npt.NDArray[np.int32],
    give_back: Callable[[], None] = lambda: None,
) -> Sequences:
    """Index the seeds of the sequences ``seeded_S``.

    ``give_back`` lets the system have what allocators keep of sorting, before the last arrays are made.
    """
    groups = np.arange(0, len(tokens_T), GROUP)
    sequence_G = (np.searchsorted(starts_S1, groups, "right") - 1).astype(np.int32)
    most = int(np.maximum(0, np.diff(starts_S1) - (SEED_WORDS - 1))[seeded_S].sum())
    keys, ends, places_P = np.empty(most, np.uint64), np.empty(most, np.int32), np.empty(most, np.int32)
    seeds = places = 0  # so far; what is behind them takes no memory
    for part in range(PARTS):
        hashes, counts, at = _rare(*seeds_of_part(tokens_T, starts_S1, seeded_S, part))
        keys[seeds : seeds + len(hashes)], places_P[places : places + len(at)] = hashes, at
        ends[seeds : seeds + len(hashes)] = places + np.cumsum(counts)
        seeds, places = seeds + len(hashes), places + len(at)
    keys, ends, places_P = keys[:seeds], ends[:seeds], places_P[:places]
    give_back()
    found_S = np.zeros(len(seeded_S), np.bool_)
    sides_P = _sides(tokens_T, starts_S1, places_P, found_S)
    places_P[ends - 1] = ~places_P[ends - 1]
    seeds_E2 = np.empty((len(keys), 2), np.uint32)
    seeds_E2[:, 0] = keys & np.uint64(ANY)
    seeds_E2[:1, 1], seeds_E2[1:, 1] = 0, ends[:-1]
    del ends
    buckets_B1 = np.zeros((1 << max(1, len(keys).bit_length() - 1)) + 1, np.int32)
    filter_B = np.zeros(1 << max(4, (len(keys) // 4).bit_length()), np.uint64)
    _admit(keys, shift_of(buckets_B1), buckets_B1, filter_B)
    unseeded = int((seeded_S & ~found_S).sum())
    having = np.flatnonzero(companions_S2[:, 0] < companions_S2[:, 1]).astype(np.int32)
    companions_C3 = np.column_stack([having, companions_S2[having]])
    starts = starts_S1.astype(np.int32)  # as places are: so many words there may be
    return Sequences(
        tokens_T, starts, companions_C3, seeds_E2, buckets_B1, places_P, sides_P, sequence_G, filter_B, unseeded
    )


def _rare(at: Any, hashes: Any) -> tuple[Any, Any, Any]:
    """(hash, number of places, places) of seeds with at most `MOST_PLACES` of them, sorted by hash."""
    order = np.argsort(hashes, kind="stable")
    at, hashes = at[order], hashes[order]
    first = np.ones(len(hashes), np.bool_)
    first[1:] = hashes[1:] != hashes[:-1]
    counts = np.diff(np.append(np.flatnonzero(first), len(hashes)))
    few = counts <= MOST_PLACES
    return hashes[first][few], counts[few], at[np.repeat(few, counts)]


def _sides(tokens_T: Any, starts_S1: Any, places_P: Any, found_S: Any) -> npt.NDArray[np.uint16]:
    """See `Sequences`. Marks the sequences that have any place."""
    sides = np.empty(len(places_P), np.uint16)
    for begin in range(0, len(places_P), BLOCK):
        at = places_P[begin : begin + BLOCK]
        s = np.searchsorted(starts_S1, at, "right") - 1
        found_S[s] = True
        first, behind = starts_S1[s], starts_S1[s + 1]
        after = np.where(at + SEED_WORDS < behind, tokens_T[np.minimum(at + SEED_WORDS, len(tokens_T) - 1)], 0)
        before = np.where(at > first, tokens_T[np.maximum(at - 1, 0)], 0)
        sides[begin : begin + BLOCK] = (after & 0xFF) | (before & 0xFF) << 8
    return sides


def shift_of(buckets_B1: npt.NDArray[np.int32]) -> np.uint64:
    """By how many bits a hash is shifted to the right to have its highest bits: the number of its bucket."""
    return np.uint64(65 - (len(buckets_B1) - 1).bit_length())


@lean_kernel
def _admit(keys, highest, buckets_B1, filter_B):  # type: ignore[no-untyped-def]
    for k in range(len(keys)):
        buckets_B1[np.int64(keys[k] >> highest) + 1] += 1
        filter_B[np.int64(keys[k] >> FIFTH) & (len(filter_B) - 1)] |= filter_bits(keys[k])
    for b in range(len(buckets_B1) - 1):
        buckets_B1[b + 1] += buckets_B1[b]


@lean_inline_kernel
def filter_bits(key):  # type: ignore[no-untyped-def]
    """Two bits of a word of the filter."""
    return (_ONE << (key & _BITS)) | (_ONE << ((key >> _SIX) & _BITS))
