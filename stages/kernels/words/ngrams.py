"""Repeated word n-grams of every document, for n = 2 to 10, with exact comparison and linear cost.

An n-gram that occurs twice begins with an (n-1)-gram that occurs twice and ends with one. So from n to n + 1 only the
positions whose two (n-1)-grams both repeat are looked at, and an n-gram is known by the pair of
numbers (`stages.kernels.columns.grouping`) of its two (n-1)-grams: no n-gram is ever hashed from its words, and two
n-grams are equal when all their words are (as far as 64-bit word hashes tell). On ordinary pages this costs about one
and a half table look-ups a word for all ten n.

Legend: D documents, W words. words_D1 int64, hashes_W uint64, characters_W int32; top_D3 and repeated_D6 int64.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.grouping import count_of, first_of, number_equals, work_space
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.words.words import Words

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
_SIFTED = 4  # up to which n most n-grams of repeated parts do not repeat
_HALF = np.uint64(32)
_ONE, _SIX, _LOW = np.uint64(1), np.uint64(6), np.uint64(63)
_MIX = np.uint64(0x9E3779B97F4A7C15)
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
        np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.int32),
        np.zeros(size + 1, np.int32), np.empty(size, np.uint8), np.empty(_sieve_words(size), np.uint64),
        work_space(size),
    )  # fmt: skip
    return Repetition(top_D3, repeated_D6, unique_D, clogc_D)


@lean_kernel
def _repeated_ngrams(  # type: ignore[no-untyped-def]
    words_D1, hashes_W, characters_W, top_D3, repeated_D6, unique_D, clogc_D, clogc,
    keys, numbers, at, ends, met, sieve, work,
):  # fmt: skip
    """``at``: positions of the n-grams that may repeat, rising, and their ``numbers``; ``ends``: characters before each
    word."""
    known_M2 = work[0]
    for d in range(len(words_D1) - 1):
        begin = words_D1[d]
        size = words_D1[d + 1] - begin
        for w in range(size):
            at[w] = w
            ends[w + 1] = ends[w] + characters_W[begin + w]
        different = number_equals(hashes_W[begin : begin + size], size, numbers, work)
        unique_D[d], clogc_D[d] = different, _clogc_sum(known_M2, different, clogc)
        num_keys = size
        for n in range(2, 11):
            if size < n:
                break
            num_keys = _next_keys(num_keys, at, numbers, keys)
            if n <= _SIFTED:
                num_keys = _sift(num_keys, at, keys, sieve)
            different = number_equals(keys, num_keys, numbers, work)
            if n <= 4:
                top_D3[d, n - 2] = _top(different, known_M2, at, ends, n)
            elif different < num_keys:
                repeated_D6[d, n - 5] = _walk(num_keys, different, at, numbers, met, ends, n)


@lean_inline_kernel
def _clogc_sum(known_M2, different, clogc):  # type: ignore[no-untyped-def]
    """Sum of c ln c over the counts."""
    total = 0.0
    for m in range(different):
        count = count_of(known_M2, m)
        total += clogc[count] if count < len(clogc) else count * math.log(count)
    return total


@lean_inline_kernel
def _next_keys(num_keys, at, numbers, keys):  # type: ignore[no-untyped-def]
    """Pairs of n-grams that repeat and follow each other: the (n+1)-grams that may; how many they are."""
    num_next = np.uint64(0)
    before, before_at, before_repeats = np.uint64(0), np.int32(-2), False
    for k in range(num_keys):
        number, here = numbers[k], at[k]
        repeats = number >= 0
        keys[num_next] = before << _HALF | np.uint64(number)
        at[num_next] = before_at  # num_next <= k, and at[k] has been read
        num_next += np.uint64(before_repeats & repeats & (here == before_at + 1))
        before, before_at, before_repeats = np.uint64(number), here, repeats
    return np.int64(num_next)


def _sieve_words(num_keys: int) -> int:
    """Words of 64 bits for `_sift`: four to eight bits a key, twice."""
    return 2 * max(1, 1 << max(4 * num_keys - 1, 1).bit_length() >> 6)


@lean_inline_kernel
def _sift(num_keys, at, keys, sieve):  # type: ignore[no-untyped-def]
    """Drop keys (and their ``at``) that certainly no other equals: a bit for each by its hash, another for the second
    on the same place. On prose half of the pairs go so, for a fraction of a look-up."""
    words, shift = np.int64(1), np.uint64(58)
    while 64 * words < 4 * num_keys:
        words, shift = words * 2, shift - np.uint64(1)
    for i in range(2 * words):
        sieve[i] = np.uint64(0)
    for k in range(num_keys):
        place = keys[k] * _MIX >> shift
        word = (place >> _SIX) << _ONE
        bit = _ONE << (place & _LOW)
        sieve[word | _ONE] |= sieve[word] & bit
        sieve[word] |= bit
    num_left = np.uint64(0)
    for k in range(num_keys):
        place = keys[k] * _MIX >> shift
        word = (place >> _SIX) << _ONE
        keys[num_left], at[num_left] = keys[k], at[k]
        num_left += (sieve[word | _ONE] >> (place & _LOW)) & _ONE
    return np.int64(num_left)


@lean_inline_kernel
def _top(different, known_M2, at, ends, n):  # type: ignore[no-untyped-def]
    best, times = np.int64(0), np.int64(1)
    for m in range(different):
        count = count_of(known_M2, m)
        if count >= times and count > 1:
            first = np.int64(at[first_of(known_M2, m)])
            if count > times or first < best:
                best, times = first, count
    return (ends[best + n] - ends[best] + n - 1) * times


@lean_inline_kernel
def _walk(num_keys, different, at, numbers, met, ends, n):  # type: ignore[no-untyped-def]
    """An n-gram that does not repeat is never met again, so the walk stops only where one does."""
    for m in range(different):
        met[m] = 0
    characters = np.int64(0)
    free = np.int64(0)
    for k in range(num_keys):
        w = np.int64(at[k])
        number = numbers[k]
        if number < 0 or w < free:
            continue
        if met[number]:
            characters += ends[w + n] - ends[w]
            free = w + n
        else:
            met[number] = 1
    return characters
