"""Lines and paragraphs of texts by hash, wherever they stand: to count how many pages have one, and to find it again.

A line ends at a line feed; what counts of it stands between the ASCII white space at its ends, and a line of nothing
else is none. Its hash is that of a unit in `stages.kernels.dedup.shingles` (groups of eight bytes, `mix64`), begun
from a salt of the page, so that lines of pages of different salts differ.

A paragraph is a run of lines with no line of nothing between them; its hash is made of theirs, in order.

Price: about 2 ns a byte. Legend: N bytes of data, D documents, L lines, P paragraphs, K keys, T slots of a table.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.grouping import first_of, mix, number_equals, work_space
from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.dedup.shingles import MULTIPLIER, UNIT_SIZE_WEIGHT, mix64
from stages.kernels.eight_bytes import eight_bytes
from stages.kernels.jit import lean_inline_kernel, lean_kernel

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
_LF = 10
_ONES = np.uint64(0x0101010101010101)
_FEEDS = np.uint64(0x0A0A0A0A0A0A0A0A)
_TOPS = np.uint64(0x8080808080808080)
_S8, _S32 = np.uint64(8), np.uint64(32)


class HashedLines(NamedTuple):
    """Lines of document d: ``lines_D1[d]:lines_D1[d + 1]``.

    ``starts_L``, ``stops_L``: bytes of data, the white space around and the line feed after it taken in; ``sizes_L``:
    bytes without these. ``repeated_L``: equal to an earlier line of its document.
    """

    lines_D1: Offsets
    starts_L: Places
    stops_L: Places
    sizes_L: Places
    hashes_L: Hashes
    repeated_L: npt.NDArray[np.bool_]


def hash_lines(data: Bytes, offsets: Offsets, salts_D: Hashes) -> HashedLines:
    """Every line of D texts."""
    most = int(offsets[-1] - offsets[0]) // 2 + len(offsets)
    lines_D1 = np.zeros(len(offsets), np.int64)
    starts_L, stops_L, sizes_L = (np.empty(most, np.int64) for _ in range(3))
    hashes_L = np.empty(most, np.uint64)
    _hash_lines(data, offsets, salts_D, lines_D1, starts_L, stops_L, sizes_L, hashes_L)
    count = int(lines_D1[-1])
    hashes_L = hashes_L[:count]
    return HashedLines(
        lines_D1, starts_L[:count], stops_L[:count], sizes_L[:count], hashes_L, _repeated(lines_D1, hashes_L)
    )


def paragraphs_of(lines: HashedLines) -> HashedLines:
    """The paragraphs of the same texts, likewise: what stands around one, up to the next, is taken in."""
    fresh = np.ones(len(lines.starts_L) + 1, np.bool_)
    fresh[1:-1] = lines.starts_L[1:] != lines.stops_L[:-1]
    fresh[lines.lines_D1] = True  # a text may go on where the one before it ends
    bounds = np.flatnonzero(fresh)
    firsts_P, counts_P = bounds[:-1], np.diff(bounds)
    paragraphs_D1 = np.searchsorted(bounds, lines.lines_D1)
    if len(firsts_P) == 0:
        return HashedLines(paragraphs_D1, *lines[1:])
    starts_P = lines.starts_L[firsts_P]
    stops_P = np.append(starts_P[1:], 0)
    last_P = np.unique(paragraphs_D1[1:][np.diff(paragraphs_D1) > 0]) - 1
    stops_P[last_P] = lines.stops_L[bounds[1:][last_P] - 1]
    powers = np.ones(int(counts_P.max()), np.uint64)
    powers[1:] = MULTIPLIER
    powers = np.multiply.accumulate(powers)
    place_L = np.arange(len(lines.starts_L)) - np.repeat(firsts_P, counts_P)
    hashes_P = np.add.reduceat(lines.hashes_L * powers[place_L], firsts_P)
    hashes_P = (hashes_P ^ hashes_P >> _S32) * MULTIPLIER
    hashes_P ^= hashes_P >> _S32
    sizes_P = np.add.reduceat(lines.sizes_L, firsts_P)
    return HashedLines(paragraphs_D1, starts_P, stops_P, sizes_P, hashes_P, _repeated(paragraphs_D1, hashes_P))


def _repeated(lines_D1: Offsets, hashes_L: Hashes) -> npt.NDArray[np.bool_]:
    repeated_L = np.zeros(len(hashes_L), np.bool_)
    longest = int(np.diff(lines_D1).max(initial=0))
    _mark_repeated(lines_D1, hashes_L, repeated_L, np.empty(longest, np.int32), work_space(longest))
    return repeated_L


def table_of(keys_K: Hashes) -> tuple[Hashes, Places]:
    """A hash table of distinct keys: (keys_T, places_T), the place of each in ``keys_K`` plus 1; 0 is free."""
    size = 16
    while size < 2 * len(keys_K):
        size *= 2
    keys_T, places_T = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    _fill(keys_K, keys_T, places_T)
    return keys_T, places_T


def look_up(hashes_L: Hashes, table: tuple[Hashes, Places]) -> Places:
    """The place of each line's hash among the keys of a table, -1 where it is not there."""
    found = np.empty(len(hashes_L), np.int64)
    _look_up(hashes_L, *table, found)
    return found


@lean_inline_kernel
def _is_white(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or 9 <= byte <= 13


@lean_inline_kernel
def _has_feed(group):  # type: ignore[no-untyped-def]
    """Whether one of eight bytes is a line feed."""
    differing = group ^ _FEEDS
    return (differing - _ONES) & ~differing & _TOPS != 0


@lean_inline_kernel
def _hash(data, start, stop, salt):  # type: ignore[no-untyped-def]
    h = salt
    i = start
    while i + 8 <= stop:
        h = mix64(h + eight_bytes(data, i))
        i += 8
    rest = np.uint64(0)
    while i < stop:
        rest = rest << _S8 | np.uint64(data[i])
        i += 1
    return mix64(h + rest + np.uint64(stop - start) * UNIT_SIZE_WEIGHT)


@lean_kernel
def _hash_lines(data, offsets, salts_D, lines_D1, starts_L, stops_L, sizes_L, hashes_L):  # type: ignore[no-untyped-def]
    line = 0
    for d in range(len(offsets) - 1):
        start, stop = offsets[d], offsets[d + 1]
        while start < stop:
            end = start
            while end + 8 <= stop and not _has_feed(eight_bytes(data, end)):
                end += 8
            while end < stop and data[end] != _LF:
                end += 1
            inner, outer = start, end
            while inner < outer and _is_white(data[inner]):
                inner += 1
            while outer > inner and _is_white(data[outer - 1]):
                outer -= 1
            if outer > inner:
                starts_L[line] = start
                stops_L[line] = min(end + 1, stop)
                sizes_L[line] = outer - inner
                hashes_L[line] = _hash(data, inner, outer, salts_D[d])
                line += 1
            start = end + 1
        lines_D1[d + 1] = line


@lean_kernel
def _mark_repeated(lines_D1, hashes_L, repeated_L, numbers, work):  # type: ignore[no-untyped-def]
    for d in range(len(lines_D1) - 1):
        begin, size = lines_D1[d], lines_D1[d + 1] - lines_D1[d]
        number_equals(hashes_L[begin : begin + size], size, numbers, work)
        for k in range(size):
            repeated_L[begin + k] = numbers[k] >= 0 and first_of(work[0], numbers[k]) < k


@lean_kernel
def _fill(keys_K, keys_T, places_T):  # type: ignore[no-untyped-def]
    mask = len(keys_T) - 1
    for k in range(len(keys_K)):
        slot = np.int64(mix(keys_K[k])) & mask
        while places_T[slot] != 0:
            slot = (slot + 1) & mask
        keys_T[slot] = keys_K[k]
        places_T[slot] = k + 1


@lean_kernel
def _look_up(hashes_L, keys_T, places_T, found):  # type: ignore[no-untyped-def]
    mask = len(keys_T) - 1
    for k in range(len(hashes_L)):
        slot = np.int64(mix(hashes_L[k])) & mask
        while places_T[slot] != 0 and keys_T[slot] != hashes_L[k]:
            slot = (slot + 1) & mask
        found[k] = places_T[slot] - 1
