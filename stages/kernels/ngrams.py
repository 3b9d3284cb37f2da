"""Repeated word n-grams of every document, for n = 2 to 10, with exact comparison and linear cost.

An n-gram that occurs twice begins with an (n-1)-gram that occurs twice and ends with one. So from n to n + 1 only the
positions whose two (n-1)-grams both repeat are looked at, and an n-gram is known by the pair of first positions of
its two (n-1)-grams: no n-gram is ever hashed from its words, and two n-grams are equal when all their words are
(as far as 64-bit word hashes tell). On ordinary pages this costs about three table look-ups a word for all nine n.

Legend: D documents, W words. words_D1 int64, hashes_W uint64, characters_W int64; top_D3 and repeated_D6 int64.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.equals import COUNT_SHIFT, FIRST_MASK, number_equals, work_space
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.words import Words

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
_HALF = np.uint64(32)
_CLOGC = np.arange(1024) * np.log(np.maximum(np.arange(1024), 1))
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Repetition:
    """How much of each document repeats."""

    top_D3: Counts
    """Characters in the top 2-, 3-, 4-gram."""
    repeated_D6: Counts
    """Characters in repeated 5- to 10-grams."""
    unique_D: Counts
    """Different words."""
    clogc_D: npt.NDArray[np.float64]
    """Sum over the different words of c ln c, c the occurrences of the word."""


def repeated_ngrams(words: Words) -> Repetition:
    """Count the repetition of each document.

    Top: the most frequent n-gram, the earliest of several; its characters with one space between its words, times the
    number of its occurrences, overlapping ones too. Repeated: walk over the words; where the n words were met at an
    earlier stop, add their characters without spaces and go on behind them, else go on one word.
    0 where the document has fewer than n words.
    """
    num_documents = len(words.words_D1) - 1
    top_D3 = np.zeros((num_documents, len(TOP)), np.int64)
    repeated_D6 = np.zeros((num_documents, len(REPEATED)), np.int64)
    unique_D, clogc_D = np.zeros(num_documents, np.int64), np.zeros(num_documents, np.float64)
    size = int(np.diff(words.words_D1).max(initial=0))
    _repeated_ngrams(
        words.words_D1, words.hashes_W, words.characters_W, top_D3, repeated_D6, unique_D, clogc_D, _CLOGC,
        np.empty(size, np.uint64), np.empty(size, np.int64), np.empty(size, np.int32),
        np.zeros(size + 1, np.int32), np.empty(size // 64 + 1, np.uint64), work_space(size),
    )  # fmt: skip
    return Repetition(top_D3, repeated_D6, unique_D, clogc_D)


@lean_kernel
def _repeated_ngrams(  # type: ignore[no-untyped-def]
    words_D1, hashes_W, characters_W, top_D3, repeated_D6, unique_D, clogc_D, clogc, keys, numbers, at, ends, met, work
):
    """``at``: positions whose n-gram repeats, rising, and their ``numbers``; ``ends``: characters before each word."""
    for d in range(len(words_D1) - 1):
        begin = words_D1[d]
        size = words_D1[d + 1] - begin
        for w in range(size):
            keys[w] = hashes_W[begin + w]
            at[w] = w
            ends[w + 1] = ends[w] + characters_W[begin + w]
        number_equals(keys, size, numbers, work)
        unique_D[d], clogc_D[d] = _unigrams(numbers, size, clogc)
        num_at = _repeating(numbers, size, at)
        for n in range(2, 11):
            if size < n:
                break
            num_keys = 0
            for a in range(num_at - 1):
                w = at[a]
                keys[num_keys] = np.uint64(numbers[a]) << _HALF | np.uint64(numbers[a + 1] & FIRST_MASK)
                at[num_keys] = w
                num_keys += at[a + 1] == w + 1
            number_equals(keys, num_keys, numbers, work)
            num_at = _repeating(numbers, num_keys, at)
            if n <= 4:
                top_D3[d, n - 2] = _top(num_at, at, numbers, ends, n)
            else:
                repeated_D6[d, n - 5] = _walk(num_at, at, numbers, num_keys, met, ends, n)


@lean_inline_kernel
def _unigrams(numbers, num_keys, clogc):  # type: ignore[no-untyped-def]
    """(different keys, sum of c ln c over them)."""
    different = 0
    total = 0.0
    for k in range(num_keys):
        if numbers[k] & FIRST_MASK == k:
            different += 1
            count = numbers[k] >> COUNT_SHIFT
            total += clogc[count] if count < len(clogc) else count * math.log(count)
    return different, total


@lean_inline_kernel
def _repeating(numbers, num_keys, at):  # type: ignore[no-untyped-def]
    """Keep in ``at`` and ``numbers`` the positions whose key repeats; how many they are."""
    num_at = 0
    for k in range(num_keys):
        number = numbers[k]
        at[num_at] = at[k]
        numbers[num_at] = number
        num_at += number >> COUNT_SHIFT > 1
    return num_at


@lean_inline_kernel
def _top(num_at, at, numbers, ends, n):  # type: ignore[no-untyped-def]
    best, times = np.int64(0), np.int64(1)
    for a in range(num_at):
        count = numbers[a] >> COUNT_SHIFT
        if count > times:
            best, times = np.int64(at[a]), count
    return (ends[best + n] - ends[best] + n - 1) * times


@lean_inline_kernel
def _walk(num_at, at, numbers, num_keys, met, ends, n):  # type: ignore[no-untyped-def]
    """An n-gram that does not repeat is never met again, so the walk stops only where one does."""
    for i in range(num_keys // 64 + 1):
        met[i] = np.uint64(0)
    characters = np.int64(0)
    free = np.int64(0)
    for a in range(num_at):
        w = np.int64(at[a])
        if w < free:
            continue
        number = np.uint64(numbers[a] & FIRST_MASK)
        bit = np.uint64(1) << (number & np.uint64(63))
        if met[number >> np.uint64(6)] & bit:
            characters += ends[w + n] - ends[w]
            free = w + n
        else:
            met[number >> np.uint64(6)] |= bit
    return characters
