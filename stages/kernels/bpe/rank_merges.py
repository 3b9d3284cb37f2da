"""Merges of a byte-level BPE vocabulary, recovered from its ranks.

Rank files (tiktoken, Tekken) list tokens by rank and no merges; a token's merge is the last step by which BPE with
the tokens of lower rank would build it. Price: about 0.2 s for 130,000 tokens.

Legend: V tokens, N bytes of all tokens, T slots of the hash table (a power of two).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import inline_kernel, kernel


@inline_kernel
def _slot(data_N: Bytes, start: int, stop: int, mask: np.uint64) -> Any:
    """FNV-1a of the bytes, as a slot; 64-bit wrap-around intended."""
    value = np.uint64(14695981039346656037)
    for i in range(start, stop):
        value = (value ^ np.uint64(data_N[i])) * np.uint64(1099511628211)
    return np.int64((value ^ (value >> np.uint64(32))) & mask)


@inline_kernel
def _find(data_N: Bytes, offsets_V1: Offsets, table_T: Offsets, start: int, stop: int) -> int:
    """Rank of the token spelt by ``data[start:stop]``, or -1."""
    mask = np.uint64(table_T.shape[0] - 1)
    slot = _slot(data_N, start, stop, mask)
    while table_T[slot] >= 0:
        rank: int = table_T[slot]
        begin = offsets_V1[rank]
        if offsets_V1[rank + 1] - begin == stop - start:
            same = True
            for i in range(stop - start):
                if data_N[begin + i] != data_N[start + i]:
                    same = False
                    break
            if same:
                return rank
        slot = (slot + 1) & np.int64(mask)
    return -1


@kernel
def _merges(data_N: Bytes, offsets_V1: Offsets, table_T: Offsets, out_V2: Offsets) -> None:
    vocabulary = offsets_V1.shape[0] - 1
    mask = np.uint64(table_T.shape[0] - 1)
    for rank in range(vocabulary):
        slot = _slot(data_N, offsets_V1[rank], offsets_V1[rank + 1], mask)
        while table_T[slot] >= 0:
            slot = (slot + 1) & np.int64(mask)
        table_T[slot] = rank
    longest = 1
    for rank in range(vocabulary):
        longest = max(longest, offsets_V1[rank + 1] - offsets_V1[rank])
    bounds = np.empty(longest + 1, np.int64)
    for rank in range(vocabulary):
        start = offsets_V1[rank]
        parts = offsets_V1[rank + 1] - start
        for i in range(parts + 1):
            bounds[i] = start + i
        while parts > 2:
            best, lowest = -1, rank
            for i in range(parts - 1):
                found = _find(data_N, offsets_V1, table_T, bounds[i], bounds[i + 2])
                if 0 <= found < lowest:
                    best, lowest = i, found
            if best < 0:
                break
            for i in range(best + 1, parts):
                bounds[i] = bounds[i + 1]
            parts -= 1
        if parts == 2:
            out_V2[rank, 0] = _find(data_N, offsets_V1, table_T, bounds[0], bounds[1])
            out_V2[rank, 1] = _find(data_N, offsets_V1, table_T, bounds[1], bounds[2])


def merges_of(data: Bytes, offsets: Offsets) -> Offsets:
    """For every token (V, 2): ranks of the two it is merged from; -1 for a byte, or where BPE cannot build it."""
    slots = 1 << max(4, (2 * len(offsets)).bit_length())
    out = np.full((len(offsets) - 1, 2), -1, np.int64)
    _merges(data, offsets, np.full(slots, -1, np.int64), out)
    return out
