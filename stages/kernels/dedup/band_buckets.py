"""From band buckets to candidate pairs, in time and number linear in the size of a bucket.

Texts that share a band's key are a bucket. Comparing all pairs of a bucket is quadratic, and comparing all with the
first one loses the pairs that do not involve it. Here members, in order of text number, are compared by their 128-bit
sketches (two texts of similarity J differ in each bit with probability (1 - J) / 2):

- a bucket of up to `SMALL_BUCKET` gives every pair that differs in at most ``far`` bits;
- in a larger one a member is compared with the leaders so far. Nearer than ``near`` bits to one: it is paired with
  the nearest and becomes no leader (whoever resembles it resembles the leader). Else it is paired with up to
  `MAX_PAIRS` nearest leaders within ``far`` bits, and becomes a leader itself.

At most `MAX_LEADERS` leaders, the latest, are kept in view; what this leaves out is counted and reported. All further
decisions are taken on the texts. Price: 2 ns a comparison.

Legend: R records (key, text, sketch), P pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import read_only
from stages.kernels.dedup.minhash import SKETCH_BITS
from stages.kernels.jit import inline_kernel, kernel

SMALL_BUCKET = 16
MAX_PAIRS = 8
MAX_LEADERS = 4096

Column = npt.NDArray[np.uint64]


def bit_bounds(threshold: float, permutations: int, deviations: float = 4.0) -> tuple[int, int]:
    """(near, far): bits in which texts of similarity ``threshold`` differ, minus 2 and plus ``deviations`` sigma.

    A pair at the threshold passes ``far`` with probability 0.9999 (4 sigma of the binomial).
    """
    bits = min(permutations, SKETCH_BITS)
    share = (1.0 - threshold) / 2.0
    sigma = math.sqrt(bits * share * (1.0 - share))
    return max(0, math.floor(bits * share - 2.0 * sigma)), math.ceil(bits * share + deviations * sigma)


@dataclass(frozen=True)
class Nominated:
    """Distinct candidate pairs (smaller text, larger text), ascending.

    ``hot_P``: no small bucket nominates the pair, so whether it is a candidate among some of the texts hangs on the
    others. ``hot_records``: positions of the records of large buckets, by key, then text. ``statistics``: [buckets of
    two or more, largest bucket, pairs compared, pairs nominated, members that saw only the latest leaders].
    """

    left: Column
    right: Column
    hot: npt.NDArray[np.bool_]
    hot_records: npt.NDArray[np.int64]
    statistics: npt.NDArray[np.int64]


def candidate_pairs(
    keys: Column, texts: Column, sketches: npt.NDArray[np.uint64], near: int, far: int
) -> tuple[Column, Column, npt.NDArray[np.int64]]:
    """(left, right, statistics) of `nominate`."""
    found = nominate(keys, texts, sketches, near, far)
    return found.left, found.right, found.statistics


def nominate(keys: Column, texts: Column, sketches: npt.NDArray[np.uint64], near: int, far: int) -> Nominated:
    """Candidate pairs of ``keys_R``, ``texts_R``, ``sketches_R2``, in any order: the result does not depend on it."""
    keys, texts = read_only(keys), read_only(texts)
    order = np.argsort(keys)
    statistics = np.zeros(5, np.int64)
    in_hot = np.zeros(len(order), np.bool_)
    pairs = np.empty((max(1024, len(keys)), 3), np.uint64)
    count = 0
    position = 0
    while position < len(order):
        position, count, needed = _scan(
            keys, texts, sketches, order, position, near, far, pairs, count, statistics, in_hot
        )
        if needed:
            count = _distinct_pairs(pairs, count)
            if count > len(pairs) // 2 or count + needed > len(pairs):
                pairs = np.concatenate([pairs, np.empty((max(needed, len(pairs)), 3), np.uint64)])
    count = _distinct_pairs(pairs, count)
    hot_records = order[in_hot]
    hot_records = hot_records[np.lexsort((texts[hot_records], keys[hot_records]))]
    return Nominated(pairs[:count, 0].copy(), pairs[:count, 1].copy(), pairs[:count, 2] > 0, hot_records, statistics)


def distinct_edges(left: Column, right: Column) -> tuple[Column, Column]:
    """Sort pairs by (left, right) and drop repeats."""
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    fresh = np.ones(len(left), np.bool_)
    fresh[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return left[fresh], right[fresh]


def _distinct_pairs(pairs: npt.NDArray[np.uint64], count: int) -> int:
    """Sort pairs and drop repeats; of equal ones that of a small bucket stays."""
    found = pairs[:count]
    found = found[np.lexsort((found[:, 2], found[:, 1], found[:, 0]))]
    fresh = np.ones(count, np.bool_)
    fresh[1:] = (found[1:, 0] != found[:-1, 0]) | (found[1:, 1] != found[:-1, 1])
    found = found[fresh]
    pairs[: len(found)] = found
    return len(found)


@inline_kernel
def _popcount(value):  # type: ignore[no-untyped-def]
    value = value - ((value >> np.uint64(1)) & np.uint64(0x5555555555555555))
    value = (value & np.uint64(0x3333333333333333)) + ((value >> np.uint64(2)) & np.uint64(0x3333333333333333))
    value = (value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((value * np.uint64(0x0101010101010101)) >> np.uint64(56))


@inline_kernel
def _differing_bits(sketches, a, b):  # type: ignore[no-untyped-def]
    return _popcount(sketches[a, 0] ^ sketches[b, 0]) + _popcount(sketches[a, 1] ^ sketches[b, 1])


@inline_kernel
def _sort_by_text(members, texts):  # type: ignore[no-untyped-def]
    """Heapsort of record numbers by their text, in place (compiles ten times faster than `np.argsort`)."""
    size = len(members)
    root = size // 2
    while size > 1:
        if root > 0:
            root -= 1
        else:
            size -= 1
            members[0], members[size] = members[size], members[0]
        parent = root
        while 2 * parent + 1 < size:
            child = 2 * parent + 1
            if child + 1 < size and texts[members[child + 1]] > texts[members[child]]:
                child += 1
            if texts[members[parent]] >= texts[members[child]]:
                break
            members[parent], members[child] = members[child], members[parent]
            parent = child


@inline_kernel
def _write_pair(pairs, count, a, b, hot):  # type: ignore[no-untyped-def]
    pairs[count, 0] = min(a, b)
    pairs[count, 1] = max(a, b)
    pairs[count, 2] = hot
    return count + 1


@kernel
def _scan(  # type: ignore[no-untyped-def]
    keys, texts, sketches, order, position, near, far, pairs, count, statistics, in_hot
):
    """Buckets from ``position`` on, until all are done or ``pairs`` might not hold the next one's."""
    total = len(order)
    nearest = np.empty(MAX_PAIRS, np.int64)
    nearest_bits = np.empty(MAX_PAIRS, np.int64)
    leaders = np.empty(MAX_LEADERS, np.int64)
    while position < total:
        end = position + 1
        key = keys[order[position]]
        while end < total and keys[order[end]] == key:
            end += 1
        size = end - position
        if size < 2:
            position = end
            continue
        needed = size * (size - 1) // 2 if size <= SMALL_BUCKET else size * MAX_PAIRS
        if count + needed > len(pairs):
            return position, count, needed
        members = order[position:end]
        _sort_by_text(members, texts)
        statistics[0] += 1
        statistics[1] = max(statistics[1], size)
        before = count
        if size <= SMALL_BUCKET:
            for i in range(1, size):
                for j in range(i):
                    if _differing_bits(sketches, members[i], members[j]) <= far:
                        count = _write_pair(pairs, count, texts[members[i]], texts[members[j]], 0)
            statistics[2] += size * (size - 1) // 2
        else:
            num_leaders = 0
            in_hot[position:end] = True
            for i in range(size):
                member = members[i]
                found = 0
                seen = min(num_leaders, MAX_LEADERS)
                if num_leaders > MAX_LEADERS:
                    statistics[4] += 1
                for j in range(seen):
                    bits = _differing_bits(sketches, member, leaders[j])
                    if bits > far or (found == MAX_PAIRS and bits >= nearest_bits[found - 1]):
                        continue
                    slot = found if found < MAX_PAIRS else MAX_PAIRS - 1
                    while slot > 0 and nearest_bits[slot - 1] > bits:
                        nearest[slot] = nearest[slot - 1]
                        nearest_bits[slot] = nearest_bits[slot - 1]
                        slot -= 1
                    nearest[slot] = leaders[j]
                    nearest_bits[slot] = bits
                    found = min(found + 1, MAX_PAIRS)
                statistics[2] += seen
                close = found > 0 and nearest_bits[0] <= near
                for j in range(1 if close else found):
                    count = _write_pair(pairs, count, texts[member], texts[nearest[j]], 1)
                if not close:
                    leaders[num_leaders % MAX_LEADERS] = member
                    num_leaders += 1
        statistics[3] += count - before
        position = end
    return position, count, 0
