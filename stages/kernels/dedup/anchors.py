"""Anchors of texts: places that equal stretches of T bytes have in common, chosen by what stands there alone.

Winnowing (Schleimer, Wilkerson, Aiken, SIGMOD 2003, section 4): every window of T bytes holds w = T - k + 1 stretches
of k bytes; the smallest of their hashes is the window's anchor, the rightmost of equal ones. A window's anchor depends
on its bytes alone, so equal windows have equal anchors at equal places in them, and every window belongs to exactly
one. The windows of an anchor begin in a row, at ``place + first`` to ``place + last`` (both at most 0); all bytes they
cover are its *context*. A text shorter than T has no anchor.

Text of a short period (a line of dashes, a million zeros) has an anchor in every period. The paper's robust winnowing
thins these out, but then equal windows may choose different places. Here neighbours with equal contexts at equal
distances are one entry, a *run*: as few records, and nothing is lost.

Keys, 64-bit hashes begun from a salt of the page: ``full`` of the context; ``left`` of the anchor and the c bytes
before it, ``right`` of it and the c bytes after it, c = ceil((T - k) / 2). Every window has c bytes on one side of its
anchor, so an anchor whose left and right keys stand nowhere else has no window that does. A key of a side on which no
window reaches that far is the full one.

Price: about 4 ns a byte of prose, 15 of short periods, 50 of zeros, which have an anchor a byte. Legend: N bytes of
data, D documents, A anchors (runs), W windows of a block, V of two, B values of a byte.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.dedup.shingles import mix64
from stages.kernels.eight_bytes import eight_bytes
from stages.kernels.jit import lean_inline_kernel, lean_kernel

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_BASE = np.uint64(0x9E3779B97F4A7C15)
_SQUARE = np.uint64(0x9E3779B97F4A7C15**2 % 2**64)
_FULL, _LEFT, _RIGHT = np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
_STEP = np.uint64(0x9FB21C651E98DF25)
_S29 = np.uint64(29)
SECOND = 0x2545F4914F6CDD1D
"""Seed of the second hash of a context: with the first 128 bits, which stand for the bytes."""


class Anchors(NamedTuple):
    """Runs of anchors of document d: ``anchors_D1[d]:anchors_D1[d + 1]``, by place.

    ``places_A``: byte of data where the first of the run begins, the others ``strides_A`` bytes on each, ``counts_A``
    in all. ``firsts_A``, ``lasts_A``: where its first and last window begin, seen from the place. ``hashes_A``: of the
    k bytes, with the salt.
    """

    anchors_D1: Offsets
    places_A: Places
    strides_A: Places
    counts_A: Places
    firsts_A: Places
    lasts_A: Places
    hashes_A: Hashes
    full_A: Hashes
    left_A: Hashes
    right_A: Hashes


def find_anchors(
    data: Bytes, offsets: Offsets, salts_D: Hashes, parts_D: npt.NDArray[np.bool_], window: int, anchor: int
) -> Anchors:
    """The anchors of D texts, for windows of ``window`` bytes (T) and anchors of ``anchor`` (k).

    Args:
        salts_D: texts of different salts have no key in common.
        parts_D: which of the texts take part; the others have no anchor.

    Raises:
        ValueError: k is not from 1 to T.
    """
    if not 1 <= anchor <= window:
        raise ValueError(f"expected an anchor of 1 to {window} bytes, found {anchor}")
    num_bytes = int(offsets[-1] - offsets[0])
    block = window - anchor + 1
    room = 3 * num_bytes // (block + 1) + 2 * len(offsets) + 64
    values_V, at_W = np.empty(2 * block, np.uint64), np.empty(block, np.int64)
    leaving_B = np.arange(256, dtype=np.uint64) * np.uint64(pow(int(_BASE), anchor, 2**64))
    while True:
        anchors_D1 = np.zeros(len(offsets), np.int64)
        columns = [np.empty(room, np.int64) for _ in range(5)]
        hashes = [np.empty(room, np.uint64) for _ in range(4)]
        _find(data, offsets, salts_D, parts_D, window, anchor, leaving_B, values_V, at_W, anchors_D1, *columns, *hashes)
        count = int(anchors_D1[-1])
        if count <= room:
            break
        room = count  # of a text made for it: anchors stand closer than anywhere else
    return Anchors(anchors_D1, *(column[:count] for column in (*columns, *hashes)))  # type: ignore[arg-type]


def hash_contexts(data: Bytes, starts_A: Places, stops_A: Places, seed: int) -> Hashes:
    """A hash of the bytes from each start to its stop."""
    hashes_A = np.empty(len(starts_A), np.uint64)
    _hash_all(data, starts_A, stops_A, np.uint64(seed), hashes_A)
    return hashes_A


@lean_inline_kernel
def _hash(data, start, stop, seed):  # type: ignore[no-untyped-def]
    h = seed
    i = start
    while i + 8 <= stop:
        h = (h ^ eight_bytes(data, i)) * _STEP
        h ^= h >> _S29
        i += 8
    rest = np.uint64(stop - start)
    while i < stop:
        rest = rest << np.uint64(8) | np.uint64(data[i])
        i += 1
    return mix64((h ^ rest) * _STEP)


@lean_inline_kernel
def _hash_two(data, one, other, size, seed, other_seed):  # type: ignore[no-untyped-def]
    """`_hash` of ``size`` bytes at two places, side by side: neither waits for the other."""
    h, g = seed, other_seed
    i = np.int64(0)
    while i + 8 <= size:
        h = (h ^ eight_bytes(data, one + i)) * _STEP
        g = (g ^ eight_bytes(data, other + i)) * _STEP
        h ^= h >> _S29
        g ^= g >> _S29
        i += 8
    rest, more = np.uint64(size), np.uint64(size)
    while i < size:
        rest = rest << np.uint64(8) | np.uint64(data[one + i])
        more = more << np.uint64(8) | np.uint64(data[other + i])
        i += 1
    return mix64((h ^ rest) * _STEP), mix64((g ^ more) * _STEP)


@lean_kernel
def _hash_all(data, starts_A, stops_A, seed, hashes_A):  # type: ignore[no-untyped-def]
    for a in range(len(starts_A)):
        hashes_A[a] = _hash(data, starts_A[a], stops_A[a], seed)


@lean_inline_kernel
def _same(data, start, stop, distance):  # type: ignore[no-untyped-def]
    """Whether data[start:stop] equals the bytes ``distance`` before."""
    i = start
    while i + 8 <= stop:
        if eight_bytes(data, i) != eight_bytes(data, i - distance):
            return False
        i += 8
    while i < stop:
        if data[i] != data[i - distance]:
            return False
        i += 1
    return True


@lean_inline_kernel
def _add(  # type: ignore[no-untyped-def]
    data, salt, window, anchor, begin, count, place, first, last, value,
    places_A, strides_A, counts_A, firsts_A, lasts_A, hashes_A, full_A, left_A, right_A,
):  # fmt: skip
    """Put an anchor behind the ``count`` there are, of which this page's begin at ``begin``; the new count."""
    room = len(places_A)
    a = count - 1
    if count > begin and a < room and firsts_A[a] == first and lasts_A[a] == last and hashes_A[a] == value:
        latest = places_A[a] + (counts_A[a] - 1) * strides_A[a]
        stride = place - latest
        if counts_A[a] == 1 or strides_A[a] == stride:
            known = latest + last + window if counts_A[a] > 1 else place + first
            if _same(data, max(place + first, known), place + last + window, stride):
                strides_A[a] = stride
                counts_A[a] += 1
                return count
    if count < room:
        side = (window - anchor + 1) // 2
        full = _hash(data, place + first, place + last + window, (salt ^ _FULL) - np.uint64(-first))
        reaches_left, reaches_right = -first >= side, last + window - anchor >= side  # one of them at least
        one = place - side if reaches_left else place
        other = place if reaches_right else place - side
        left, right = _hash_two(data, one, other, side + anchor, salt ^ _LEFT, salt ^ _RIGHT)
        if not reaches_left:
            left = full
        if not reaches_right:
            right = full
        places_A[count], strides_A[count], counts_A[count] = place, 0, 1
        firsts_A[count], lasts_A[count], hashes_A[count] = first, last, value
        full_A[count], left_A[count], right_A[count] = full, left, right
    return count + 1


@lean_inline_kernel
def _hash_block(data, e, many, last, anchor, leaving_B, salt, rolling, values_V, base):  # type: ignore[no-untyped-def]
    """The hashes of ``many`` stretches from byte ``e`` on, from ``base`` on in ``values_V``; the rolling sum of the one
    behind them, if there is one. Two bytes a step: a sum waits for the one before half as often."""
    more = np.uint64(min(many, last - e))
    ahead, behind = np.uint64(e + anchor), np.uint64(e)
    one, two = np.uint64(1), np.uint64(2)
    j = np.uint64(0)
    while j + two <= more:
        first = np.uint64(data[ahead + j]) - leaving_B[data[behind + j]]
        second = np.uint64(data[ahead + j + one]) - leaving_B[data[behind + j + one]]
        values_V[base + j] = mix64(rolling ^ salt)
        values_V[base + j + one] = mix64((rolling * _BASE + first) ^ salt)
        rolling = rolling * _SQUARE + (first * _BASE + second)
        j += two
    while j < more:
        values_V[base + j] = mix64(rolling ^ salt)
        rolling = rolling * _BASE + (np.uint64(data[ahead + j]) - leaving_B[data[behind + j]])
        j += one
    if j < np.uint64(many):
        values_V[base + j] = mix64(rolling ^ salt)
    return rolling


@lean_kernel
def _find(  # type: ignore[no-untyped-def]
    data, offsets, salts_D, parts_D, window, anchor, leaving_B, values_V, at_W, anchors_D1,
    places_A, strides_A, counts_A, firsts_A, lasts_A, hashes_A, full_A, left_A, right_A,
):  # fmt: skip
    """Sliding minima by blocks of w hashes, the latest two of which are at hand in turn (``values_V``).

    The minimum stays until a hash is no larger, or until its place leaves the window. Then (van Herk 1992) it is that
    of the end of one block (``at_W``, made from right to left as far as it is asked for) or of the beginning of the
    next (``lowest``, likewise from left to right): so no hash is looked at more than three times, whatever the text.
    """
    block = window - anchor + 1
    count = 0
    for d in range(len(offsets) - 1):
        begin = count
        start, stop = offsets[d], offsets[d + 1]
        if stop - start >= window and parts_D[d]:
            salt = mix64(salts_D[d])
            rolling = np.uint64(0)
            for i in range(start, start + anchor):
                rolling = rolling * _BASE + np.uint64(data[i])
            last = stop - anchor  # where the last stretch begins
            place, since, value = start, start, np.uint64(0)
            now, before = np.uint64(0), np.uint64(block)
            base = start
            while base <= last:
                many = min(block, last + 1 - base)
                rolling = _hash_block(data, base, many, last, anchor, leaving_B, salt, rolling, values_V, now)
                j = np.uint64(0)
                end = np.uint64(many)
                seen, lowest, lowest_at = np.uint64(0), values_V[now], base
                ending, ending_at, done = np.uint64(0), np.int64(0), np.uint64(block)
                if base == start:  # the first window ends with this block
                    place, value = base, values_V[now]
                    while j < end:
                        if values_V[now + j] <= value:
                            place, value = base + np.int64(j), values_V[now + j]
                        j += np.uint64(1)
                while j < end:
                    until = min(end, np.uint64(place + block - base))  # there the place is in no window any more
                    while j < until and values_V[now + j] > value:
                        j += np.uint64(1)
                    if j == end:
                        break
                    best, best_at = values_V[now + j], base + np.int64(j)
                    if j == until:
                        while seen <= j:
                            if values_V[now + seen] <= lowest:
                                lowest, lowest_at = values_V[now + seen], base + np.int64(seen)
                            seen += np.uint64(1)
                        best, best_at = lowest, lowest_at
                        first = j + np.uint64(1)
                        while done > first:
                            done -= np.uint64(1)
                            hashed = values_V[before + done]
                            if done + np.uint64(1) == np.uint64(block) or hashed < ending:
                                ending, ending_at = hashed, np.int64(done)
                            at_W[done] = ending_at
                        if first < np.uint64(block):
                            hashed = values_V[before + np.uint64(at_W[first])]
                            if hashed < lowest:
                                best, best_at = hashed, base - block + at_W[first]
                    s = base + np.int64(j) - block + 1
                    count = _add(
                        data, salt, window, anchor, begin, count, place, since - place, s - 1 - place, value, places_A,
                        strides_A, counts_A, firsts_A, lasts_A, hashes_A, full_A, left_A, right_A,
                    )  # fmt: skip
                    place, since, value = best_at, s, best
                    j += np.uint64(1)
                now, before = before, now
                base += block
            count = _add(
                data, salt, window, anchor, begin, count, place, since - place, stop - window - place, value,
                places_A, strides_A, counts_A, firsts_A, lasts_A, hashes_A, full_A, left_A, right_A,
            )  # fmt: skip
        anchors_D1[d + 1] = count
