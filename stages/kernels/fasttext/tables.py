"""Tables for the look-ups of a fastText model: its words, and the buckets of n-grams that a pruned model kept.

Hashes are FNV-1a of 32 bits over signed bytes, as all published models have them (Joulin et al. 2016, arXiv
1607.01759). The table of words is of open addressing: a power of two of slots, the first of a word is its hash's low
bits, -1 is free.

Legend: raw the bytes of a model file; W words, labels included; T slots. starts_W, ends_W int64: where the bytes of a
word stand in raw; hashes_W uint32; kinds_W uint8: 0 a word, 1 a label; counts_W int64; slots_T int32.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel, lean_kernel

ENTRY_BYTES = 10
"""Bytes of an entry without its word: a NUL, a count of 8 bytes, a kind."""
SEED, PRIME = np.uint32(2166136261), np.uint32(16777619)
_SIGN = np.uint32(0xFFFFFF00)


@dataclass(frozen=True)
class Words:
    """The dictionary of a model."""

    starts_W: npt.NDArray[np.int64]
    ends_W: npt.NDArray[np.int64]
    hashes_W: npt.NDArray[np.uint32]
    kinds_W: npt.NDArray[np.uint8]
    counts_W: npt.NDArray[np.int64]
    slots_T: npt.NDArray[np.int32]
    end: int
    """The byte of the file behind it; -1 where the file ends before."""


def read_words(raw: npt.NDArray[np.uint8], at: int, count: int) -> Words:
    """The ``count`` entries of a dictionary that stand in ``raw`` from ``at`` on: word, NUL, int64 count, kind.

    Of equal words the last one counts, as in the library. The caller sees to it that ``count`` times `ENTRY_BYTES` fit.
    """
    starts, ends, counts = (np.empty(count, np.int64) for _ in range(3))
    hashes, kinds = np.empty(count, np.uint32), np.empty(count, np.uint8)
    slots = np.full(num_slots(count), -1, np.int32)
    end = _read_words(raw, at, starts, ends, hashes, kinds, counts, slots)
    return Words(starts, ends, hashes, kinds, counts, slots, int(end))


def kept_buckets(kept: npt.NDArray[np.int32]) -> tuple[Any, Any, Any]:
    """Of pairs (bucket, row) that a pruned model kept: bits of the buckets (64 a word, up to the last one kept), how
    many stand before each word, and the rows of all of them in order. Of equal buckets the last counts."""
    order = np.argsort(kept[:, 0], kind="stable")
    held, rows = kept[order, 0].astype(np.int64), kept[order, 1]
    last = np.append(held[1:] != held[:-1], True)[: len(held)]
    held, rows = held[last], rows[last]
    bits = np.zeros(int(held.max(initial=-1)) // 64 + 1, np.uint64)
    np.bitwise_or.at(bits, held >> 6, np.uint64(1) << (held & 63).astype(np.uint64))
    before = np.searchsorted(held, 64 * np.arange(len(bits))).astype(np.int64)
    return bits, before, rows


def num_slots(count: int) -> int:
    """Slots for so many keys: a power of two, at most half of them taken."""
    return 1 << max(4, (2 * count).bit_length())


@lean_inline_kernel
def mixed(state, byte):  # type: ignore[no-untyped-def]
    """The hash after one byte more; bytes from 128 on are negative numbers."""
    wide = np.uint32(byte)
    if wide >= np.uint32(128):
        wide |= _SIGN
    return np.uint32(np.uint32(state ^ wide) * PRIME)


@lean_inline_kernel
def find_word(data, begin, end, state, raw, starts, ends, hashes, slots):  # type: ignore[no-untyped-def]
    """The number of the word data[begin:end], whose hash is ``state``; -1 where the model has none."""
    place = np.int64(state) & (len(slots) - 1)
    while slots[place] >= 0:
        w = slots[place]
        if hashes[w] == state and ends[w] - starts[w] == end - begin:
            k = 0
            while k < end - begin and raw[starts[w] + k] == data[begin + k]:
                k += 1
            if k == end - begin:
                return np.int64(w)
        place = (place + 1) & (len(slots) - 1)
    return np.int64(-1)


@lean_kernel
def _read_words(raw, at, starts, ends, hashes, kinds, counts, slots):  # type: ignore[no-untyped-def]
    for w in range(len(starts)):
        state = SEED
        begin = at
        while at < len(raw) and raw[at] != 0:
            state = mixed(state, raw[at])
            at += 1
        if at + ENTRY_BYTES > len(raw):
            return -1
        starts[w], ends[w], hashes[w] = begin, at, state
        count = np.uint64(0)
        for k in range(8):
            count |= np.uint64(raw[at + 1 + k]) << np.uint64(8 * k)
        counts[w] = np.int64(count)
        kinds[w] = raw[at + 9]
        at += ENTRY_BYTES
        place = np.int64(state) & (len(slots) - 1)
        while slots[place] >= 0:
            other = slots[place]
            same = hashes[other] == state and ends[other] - starts[other] == ends[w] - begin
            k = 0
            while same and k < ends[w] - begin:
                same = raw[starts[other] + k] == raw[begin + k]
                k += 1
            if same:
                break
            place = (place + 1) & (len(slots) - 1)
        slots[place] = w
    return at
