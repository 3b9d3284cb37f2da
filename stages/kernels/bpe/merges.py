"""Merges of SentencePiece BPE: from the characters of a unit of text to its pieces.

The rule (`bpe_model.cc` of sentencepiece): of all pairs of neighbours whose joined spelling is a piece, the one with
the best score is joined, of equal scores the leftmost, until there is none. The tables turn spellings into numbers:
a *symbol* is a character or a piece (its id; a character that is no piece has a number above all ids), and two
symbols next to each other are looked up as a pair.

A unit of a few characters is scanned for its best pair after every merge, n * n steps of a nanosecond; a longer one
keeps a heap of pairs and a linked list, n log n (`SHORT` is where both cost the same).

Legend: S symbols, P slots of the pair table (a power of two), C symbols that fit the scratch arrays.
pairs_P uint64: left << 42 | right << 21 | merged, or `EMPTY`; ranks_S uint32: 0 for the best score, equal for equal
scores. Scratch: symbols_C, merged_C, nexts_C, befores_C int32; heap_2C uint64.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import Any

import numpy as np

from stages.kernels.jit import kernel, lean_inline_kernel

SHORT = 96
EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
SYMBOL_BITS = 21
MAX_SYMBOLS = (1 << SYMBOL_BITS) - 1

_NONE = np.uint32(0xFFFFFFFF)
_BITS = np.uint64(SYMBOL_BITS)
_LOW = np.uint64(MAX_SYMBOLS)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_S32, _ONE = np.uint64(32), np.uint64(1)


@lean_inline_kernel
def _slot_of(key, mask):  # type: ignore[no-untyped-def]
    """64-bit wrap-around intended."""
    mixed = key * _MIX
    return (mixed ^ (mixed >> _S32)) & mask


@lean_inline_kernel
def merged_pair(pairs_P, left, right):  # type: ignore[no-untyped-def]
    """The symbol that two neighbours make, or -1."""
    key = (np.uint64(left) << _BITS) | np.uint64(right)
    mask = np.uint64(pairs_P.shape[0] - 1)
    slot = _slot_of(key, mask)
    while True:
        entry = pairs_P[slot]
        if entry >> _BITS == key:
            return np.int64(entry & _LOW)
        if entry == EMPTY:
            return np.int64(-1)
        slot = (slot + _ONE) & mask


@lean_inline_kernel
def _rank(ranks_S, symbol):  # type: ignore[no-untyped-def]
    return ranks_S[np.uint64(symbol)] if symbol >= 0 else _NONE


@lean_inline_kernel
def merge_short(num, pairs_P, ranks_S, symbols_C, merged_C, rank_C):  # type: ignore[no-untyped-def]
    """Merge symbols_C[:num] in place by looking at all pairs each time; how many symbols are left, in their order."""
    for i in range(num - 1):
        merged_C[i] = merged_pair(pairs_P, symbols_C[i], symbols_C[i + 1])
        rank_C[i] = _rank(ranks_S, merged_C[i])
    while num > 1:
        best, lowest = 0, rank_C[0]
        for i in range(1, num - 1):
            if rank_C[i] < lowest:
                best, lowest = i, rank_C[i]
        if lowest == _NONE:
            break
        symbols_C[best] = merged_C[best]
        num -= 1
        for i in range(best + 1, num):
            symbols_C[i] = symbols_C[i + 1]
            merged_C[i] = merged_C[i + 1]
            rank_C[i] = rank_C[i + 1]
        if best > 0:
            merged_C[best - 1] = merged_pair(pairs_P, symbols_C[best - 1], symbols_C[best])
            rank_C[best - 1] = _rank(ranks_S, merged_C[best - 1])
        if best + 1 < num:
            merged_C[best] = merged_pair(pairs_P, symbols_C[best], symbols_C[best + 1])
            rank_C[best] = _rank(ranks_S, merged_C[best])
    return num


@lean_inline_kernel
def _sift_down(heap_H, held, place):  # type: ignore[no-untyped-def]
    value = heap_H[place]
    while True:
        child = 2 * place + 1
        if child >= held:
            break
        if child + 1 < held and heap_H[child + 1] < heap_H[child]:
            child += 1
        if heap_H[child] >= value:
            break
        heap_H[place] = heap_H[child]
        place = child
    heap_H[place] = value


@lean_inline_kernel
def _push(heap_H, held, value):  # type: ignore[no-untyped-def]
    place = held
    while place > 0:
        above = (place - 1) >> 1
        if heap_H[above] <= value:
            break
        heap_H[place] = heap_H[above]
        place = above
    heap_H[place] = value
    return held + 1


@lean_inline_kernel
def _pair_at(i, j, pairs_P, ranks_S, symbols_C, merged_C, heap_2C, held):  # type: ignore[no-untyped-def]
    """Note what i and its neighbour j make, and offer it to the heap; how many entries that holds."""
    merged = merged_pair(pairs_P, symbols_C[i], symbols_C[j])
    merged_C[i] = merged
    if merged >= 0:
        held = _push(heap_2C, held, np.uint64(ranks_S[merged]) << _S32 | np.uint64(i))
    return held


@lean_inline_kernel
def merge_long(  # type: ignore[no-untyped-def]
    num, pairs_P, ranks_S, symbols_C, merged_C, nexts_C, befores_C, heap_2C
):
    """`merge_short` with a heap of rank << 32 | place, whose order is that of the rule.

    An entry is out of date if the pair at its place has another rank by now. The heap never holds more than
    2 * num: one entry a pair at first, and each merge takes one away and adds two.
    """
    held = 0
    for i in range(num):
        nexts_C[i] = i + 1
        befores_C[i] = i - 1
        merged = merged_pair(pairs_P, symbols_C[i], symbols_C[i + 1]) if i + 1 < num else np.int64(-1)
        merged_C[i] = merged
        if merged >= 0:
            heap_2C[held] = np.uint64(ranks_S[merged]) << _S32 | np.uint64(i)
            held += 1
    for place in range(held // 2 - 1, -1, -1):
        _sift_down(heap_2C, held, place)
    while held > 0:
        entry = heap_2C[0]
        held -= 1
        heap_2C[0] = heap_2C[held]
        _sift_down(heap_2C, held, 0)
        i = np.int64(entry & np.uint64(0xFFFFFFFF))
        merged = np.int64(merged_C[i])
        if merged < 0 or np.uint64(ranks_S[merged]) != entry >> _S32:
            continue
        gone = np.int64(nexts_C[i])
        after = np.int64(nexts_C[gone])
        symbols_C[i] = merged
        merged_C[i] = -1
        merged_C[gone] = -1
        nexts_C[i] = after
        if after < num:
            befores_C[after] = i
            held = _pair_at(i, after, pairs_P, ranks_S, symbols_C, merged_C, heap_2C, held)
        before = np.int64(befores_C[i])
        if before >= 0:
            held = _pair_at(before, i, pairs_P, ranks_S, symbols_C, merged_C, heap_2C, held)
    left = 0
    i = np.int64(0)
    while i < num:
        symbols_C[left] = symbols_C[i]
        left += 1
        i = np.int64(nexts_C[i])
    return left


@kernel
def fill_pairs(lefts_M: Any, rights_M: Any, merged_M: Any, pairs_P: Any) -> None:
    """Enter merges into an empty pair table that is larger than their number."""
    mask = np.uint64(pairs_P.shape[0] - 1)
    for m in range(lefts_M.shape[0]):
        key = (np.uint64(lefts_M[m]) << _BITS) | np.uint64(rights_M[m])
        slot = _slot_of(key, mask)
        while pairs_P[slot] != EMPTY:
            slot = (slot + _ONE) & mask
        pairs_P[slot] = key << _BITS | np.uint64(merged_M[m])
