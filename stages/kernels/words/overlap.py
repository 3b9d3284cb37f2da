"""Word n-grams that texts share with a fixed set of texts: an index of hashes, and one rolling pass.

Words here are normalised: runs of letters, digits and combining marks in small letters; a character of a script without
spaces (Han, kana, Thai, ...) is a word of its own. An n-gram's hash is a polynomial of its words' hashes modulo 2**64,
so it rolls; two different n-grams meet with a probability of about (n-grams of the page) x (entries) / 2**64.

Legend: N bytes of data, D documents, E entries of the index (a power of two), M matches. keys_E uint64 (0 is free),
items_E int64; matches_M4 int64: document, first byte, byte behind the last, item.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.grouping import mix
from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import characters

_WORD = characters.ALPHA | characters.DIGIT | characters.MARK
_PRIME = np.uint64(0x00000100000001B3)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0xD6E8FEB86659FD93)
_MIDDLE = np.uint64(20)


@dataclass(frozen=True)
class Index:
    """The n-grams of the fixed texts; ``items_E`` is the first item an n-gram is in."""

    n: int
    keys_E: npt.NDArray[np.uint64]
    items_E: npt.NDArray[np.int64]
    num_short: int
    """Items of fewer than n words: they have no n-gram and are never found."""


def build_index(data: Bytes, offsets: Offsets, n: int) -> Index:
    """Index all n-grams of the items (data, offsets)."""
    tables = characters.classes(), characters.lower()
    most = 3 * _num_words(data, offsets, *tables) // 2 + 16
    entries = 1 << (most - 1).bit_length()
    keys_E, items_E = np.zeros(entries, np.uint64), np.empty(entries, np.int64)
    words, none = np.empty((n, 2), np.int64), np.empty((0, 4), np.int64)
    short = _overlap(data, offsets, *tables, n, words, np.empty(n, np.uint64), True, keys_E, items_E, none)
    return Index(n, keys_E, items_E, int(short))


def overlaps(data: Bytes, offsets: Offsets, index: Index) -> npt.NDArray[np.int64]:
    """matches_M4 of every document of (data, offsets), rising."""
    room = 256
    words, ring = np.empty((index.n, 2), np.int64), np.empty(index.n, np.uint64)
    tables = characters.classes(), characters.lower()
    while True:
        matches_M4 = np.empty((room, 4), np.int64)
        found = _overlap(data, offsets, *tables, index.n, words, ring, False, index.keys_E, index.items_E, matches_M4)
        if found <= room:
            return matches_M4[:found]
        room = int(found)


@lean_kernel
def _num_words(data, offsets, classes, lower):  # type: ignore[no-untyped-def]
    """Words of all documents together: at least as many as n-grams."""
    count = 0
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        while i < stop:
            begin, i, _ = _word(data, i, stop, classes, lower)
            count += begin < i
    return count


@lean_kernel
def _overlap(  # type: ignore[no-untyped-def]
    data, offsets, classes, lower, n, words, ring, insert, keys_E, items_E, matches_M4
):
    """Insert the n-grams (returns how many documents have none) or look them up (returns how many were found)."""
    short = found = 0
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        rolling = np.uint64(0)
        count = 0
        while i < stop:
            begin, end, h = _word(data, i, stop, classes, lower)
            i = end
            if begin == end:
                break
            h = mix(h) | np.uint64(1)
            at = count % n
            rolling = rolling * _BASE + h
            if count >= n:
                rolling -= ring[at] * power
            ring[at] = h
            words[at, 0], words[at, 1] = begin, end
            count += 1
            if count < n:
                continue
            slot = _slot(rolling, keys_E)
            if insert:
                if keys_E[slot] == 0:
                    keys_E[slot] = rolling if rolling != 0 else np.uint64(1)
                    items_E[slot] = d
            elif keys_E[slot] != 0:
                if found < len(matches_M4):
                    matches_M4[found, 0] = d
                    matches_M4[found, 1] = words[count % n, 0] - offsets[d]
                    matches_M4[found, 2] = end - offsets[d]
                    matches_M4[found, 3] = items_E[slot]
                found += 1
        short += count < n
    return short if insert else found


@lean_inline_kernel
def _slot(key, keys_E):  # type: ignore[no-untyped-def]
    """Where the key stands in the table, or the free place where it would."""
    if key == 0:
        key = np.uint64(1)
    last = len(keys_E) - 1
    slot = np.int64(mix(key) >> _MIDDLE) & last
    while keys_E[slot] != 0 and keys_E[slot] != key:
        slot = (slot + 1) & last
    return slot


@lean_inline_kernel
def _word(data, i, stop, classes, lower):  # type: ignore[no-untyped-def]
    """(begin, end, hash) of the next normalised word; begin = end where there is none."""
    h = _SEED
    begin = np.int64(-1)
    while i < stop:
        cp, after = np.int64(data[i]), i + 1
        if cp >= 0x80:
            cp, after = characters.code_point(data, i, stop)
        flags = np.int64(classes[cp])
        if not flags & _WORD or (flags & characters.UNSPACED and begin >= 0 and not flags & characters.MARK):
            if begin >= 0:
                return begin, i, h
            i = after
            continue
        if begin < 0:
            begin = i
        h = (h ^ np.uint64(lower[cp])) * _PRIME
        i = after
        if flags & characters.UNSPACED and flags & characters.ALPHA:
            # The marks on it belong to it.
            while i < stop:
                cp, after = characters.code_point(data, i, stop)
                if not classes[cp] & characters.MARK:
                    break
                h = (h ^ np.uint64(cp)) * _PRIME
                i = after
            return begin, i, h
    if begin < 0:
        return stop, stop, h
    return begin, stop, h
