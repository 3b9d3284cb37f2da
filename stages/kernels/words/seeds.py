"""Seeds: every four words in a row of known texts, by their hash, a part of all hashes at a time.

For `stages.kernels.words.alignment`, which finds texts in pages by them, and `stages.rules.known_items`, which counts
how many items have each. Whoever goes through `PARTS` parts one after another sees every seed once, in ascending order
of parts, and holds one part of the hashes in memory: 14 million words would take 110 MB at once, and several times that
to sort. Price: `PARTS` passes of about 2 ns a word.

Legend: T words of all sequences, S sequences. tokens_T uint32: the high half of a word's hash; starts_S1 int64.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment,arg-type"

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel, lean_kernel

SEED_WORDS = 4
PARTS = 32
_PART = np.uint64(59)
_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xC2B2AE3D27D4EB4F)
_C = np.uint64(0x165667B19E3779F9)
_D = np.uint64(0x27D4EB2F165667C5)
_HALF = np.uint64(32)


def seeds_of_part(
    tokens_T: npt.NDArray[np.uint32], starts_S1: npt.NDArray[np.int64], wanted_S: npt.NDArray[np.bool_], part: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
    """(first word, hash) of the seeds of the sequences ``wanted_S`` whose hash is in ``part`` (0..`PARTS` - 1: its
    highest bits), in the order of words."""
    room = len(tokens_T) // PARTS * 9 // 8 + 1024
    while True:
        at, hashes = np.empty(room, np.int32), np.empty(room, np.uint64)
        found = _seeds(tokens_T, starts_S1, wanted_S, part, at, hashes)
        if found <= room:
            return at[:found], hashes[:found]
        room = found


def num_holders(word_T: npt.NDArray[np.int32], holder_T: Any, num_words: int) -> npt.NDArray[np.int32]:
    """How many different holders each word has; ``holder_T`` int32, ascending."""
    counts, last = np.zeros(num_words, np.int32), np.full(num_words, -1, np.int32)
    _count_holders(word_T, holder_T, counts, last)
    return counts


@lean_inline_kernel
def seed_hash(a, b, c, d):  # type: ignore[no-untyped-def]
    """The hash of four words; wraps around."""
    h = np.uint64(a) * _A + np.uint64(b) * _B + np.uint64(c) * _C + np.uint64(d) * _D
    h ^= h >> _HALF
    return h * _A


@lean_kernel
def _seeds(tokens_T, starts_S1, wanted_S, part, at, hashes):  # type: ignore[no-untyped-def]
    """Writes what fits; returns how many there are."""
    found = np.int64(0)
    for s in range(len(starts_S1) - 1):
        if not wanted_S[s]:
            continue
        for t in range(starts_S1[s], starts_S1[s + 1] - (SEED_WORDS - 1)):
            h = seed_hash(tokens_T[t], tokens_T[t + 1], tokens_T[t + 2], tokens_T[t + 3])
            if np.int64(h >> _PART) == part:
                if found < len(at):
                    at[found] = t
                    hashes[found] = h
                found += 1
    return found


@lean_kernel
def _count_holders(word_T, holder_T, counts, last):  # type: ignore[no-untyped-def]
    for t in range(len(word_T)):
        w = word_T[t]
        if last[w] != holder_T[t]:
            last[w] = holder_T[t]
            counts[w] += 1
