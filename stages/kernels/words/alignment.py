"""Where known texts stand in pages, with small edits: seeds of four words, followed as far as words agree.

A known text (a *sequence*) is a list of folded words (`stages.kernels.words.folded_words`). Every four of its words
in a row are a *seed*, unless more than `sequences.MOST_PLACES` places have them (an opening that thousands of items
share). A page's words are looked up four by four, first in a filter of bits, then in a table. A seed counts where the
word before or behind it is the same too (but in a sequence of four words), and in a sequence of more than `LONG`
words if another one of it is on the page. From a seed both sides are followed word by word; where they part, up to
`MOST_SKIPPED` words of both are skipped if two words agree again behind them (at the end of a side: one). What is
found of one sequence within `NEAR` words is one *alignment*: runs of equal words. It is given where it has enough
words (`_least`). Then the sequence's *companions* (choices, an answer) are looked for, word for word, within `AROUND`
words of it.

Price: one lookup a word of the page in a filter of about two bytes a seed, 10 to 20 ns a word, beside the words
themselves. 12 to 20 bytes of memory a word of the sequences.

Legend: T words of all sequences, S sequences, E entries of the table of seeds, P places, R runs. tokens_T uint32: the
high half of a word's hash; starts_S1 int32 (int64 while they are built); hits_H5 int32: word of a sequence and of the
document, next hit of the sequence, sequence, last hit (of the first one of a sequence); runs_R7 int64: document,
sequence, alignment (number within the document), first word of the sequence, word behind the last, first byte of the
document, byte behind the last.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment,arg-type"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import prefetch
from stages.kernels.words.folded_words import FoldedWords
from stages.kernels.words.seeds import SEED_WORDS, seed_hash
from stages.kernels.words.sequences import FIFTH, GROUP, Sequences, filter_bits, shift_of

MOST_SKIPPED = 6
NEAR = 60
AROUND = 48
LONG = 20
"""Of longer sequences two seeds must be there."""
SHORT = 12
"""Sequences of up to so many words must be there whole, or nearly."""
_ONE = np.uint64(1)
_AHEAD = 32
"""Seeds whose part of the filter is on its way while one is looked up."""
_SOON = 4
"""The same of candidates, and what their seeds lead to."""
_NONE = np.uint32(0x100)
"""No byte."""
_ZERO, _LOW, _BYTE, _EIGHT = np.uint32(0), np.uint32(0xFFFF), np.uint32(0xFF), np.uint32(8)


class Aligner:
    """Finds sequences in pages; holds the scratch memory of one thread (4 bytes a sequence)."""

    def __init__(self, sequences: Sequences) -> None:
        self.sequences = sequences
        num = len(sequences.starts_S1) - 1
        longest = int(np.diff(sequences.starts_S1).max()) if num else 1
        self._heads_S = np.full(num, -1, np.int32)  # first hit of the document
        self._marks = np.zeros(longest + 1, np.uint8)

    def runs(self, words: FoldedWords, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """runs_R7 of every document of ``words``, cut from (data, ``offsets``), in the order of documents."""
        s = self.sequences
        tokens_W = np.ascontiguousarray(words.hashes_W.view(np.uint32)[1::2])  # the high halves
        room = 1024
        longest = int(np.diff(words.offsets_D1).max()) if len(words.offsets_D1) > 1 else 0
        hashes_H = np.empty(longest + 1, np.uint64)
        hits = 4 * longest + 1024
        highest = shift_of(s.buckets_B1)
        while True:
            runs_R7, hits_H5 = np.empty((room, 7), np.int64), np.empty((hits, 5), np.int32)
            found, needed = _align(
                tokens_W, words.starts_W, words.stops_W, words.offsets_D1, offsets,
                s.tokens_T, s.starts_S1, s.companions_C3, s.seeds_E2, s.buckets_B1, highest, s.places_P, s.sides_P,
                s.sequence_G, s.filter_B,
                hashes_H, hits_H5, self._heads_S, self._marks, runs_R7,
            )  # fmt: skip
            if needed <= hits and found <= room:
                return runs_R7[:found]
            hits, room = max(hits, int(needed)), max(room, int(found))


@lean_inline_kernel
def _least(n):  # type: ignore[no-untyped-def]
    """How many words of a sequence of n an alignment has at least."""
    if n <= SHORT:
        return max(3, n - n // 7)
    return min(14, max(10, (2 * n) // 5))


@lean_inline_kernel
def _entry(seeds_E2, first, behind, small):  # type: ignore[no-untyped-def]
    """The first entry from ``first`` to ``behind`` with this half of a hash; -1: none."""
    for e in range(first, behind):
        if seeds_E2[e, 0] == small:
            return e
    return np.int64(-1)


@lean_inline_kernel
def _beside(at, s, p, words, tokens_T, starts_S1):  # type: ignore[no-untyped-def]
    """Whether the word before or behind a seed of sequence s, at word p of the page, is that of the sequence too.

    By its low half, which is 0 outside the sequence.
    """
    first, behind = np.int64(starts_S1[s]), np.int64(starts_S1[s + 1])
    if behind - first == SEED_WORDS:
        return True
    after = before = _ZERO
    if at + SEED_WORDS < behind:
        after = tokens_T[at + SEED_WORDS] & _LOW
    if at > first:
        before = tokens_T[at - 1] & _LOW
    if p + SEED_WORDS < len(words) and words[p + SEED_WORDS] & _LOW == after:
        return True
    return p > 0 and words[p - 1] & _LOW == before


@lean_inline_kernel
def _sequence(at, starts_S1, sequence_G):  # type: ignore[no-untyped-def]
    """The sequence that a word belongs to."""
    s = np.int64(sequence_G[at // GROUP])
    while starts_S1[s + 1] <= at:
        s += 1
    return s


@lean_kernel
def _align(  # type: ignore[no-untyped-def]
    tokens_W, starts_W, stops_W, offsets_D1, offsets,
    tokens_T, starts_S1, companions_C3, seeds_E2, buckets_B1, highest, places_P, sides_P, sequence_G, filter_B,
    hashes_H, hits_H5, heads_S, marks, runs_R7,
):  # fmt: skip
    """Writes what fits; returns (runs there are, hits the fullest document has)."""
    found = np.int64(0)
    needed = np.int64(0)
    filter_last = len(filter_B) - 1
    room = len(hits_H5)
    for d in range(len(offsets_D1) - 1):
        w0, w1 = offsets_D1[d], offsets_D1[d + 1]
        n = w1 - w0 - (SEED_WORDS - 1)
        if n <= 0:
            continue
        for p in range(n):
            at = w0 + p
            hashes_H[p] = seed_hash(tokens_W[at], tokens_W[at + 1], tokens_W[at + 2], tokens_W[at + 3])
        # which may be there: their places first, without a branch, so that many accesses are under way at once
        passed = 0
        for p in range(n):
            prefetch(filter_B, np.int64(hashes_H[min(p + _AHEAD, n - 1)] >> FIFTH) & filter_last)
            key = hashes_H[p]
            bits = filter_bits(key)
            hashes_H[passed] = key
            if passed < room:
                hits_H5[passed, 1] = p
            passed += filter_B[np.int64(key >> FIFTH) & filter_last] & bits == bits
        if passed > room:
            needed = max(needed, passed)
            continue
        # positions of candidates stand in hits_H5[:passed, 1]; hits are written behind them
        count = passed
        # where each candidate's entry is, and what it leads to asked for
        for c in range(passed):
            prefetch(buckets_B1, np.int64(hashes_H[min(c + 2 * _SOON, passed - 1)] >> highest))
            prefetch(seeds_E2, 2 * np.int64(buckets_B1[np.int64(hashes_H[min(c + _SOON, passed - 1)] >> highest)]))
            bucket = np.int64(hashes_H[c] >> highest)
            first, behind = np.int64(buckets_B1[bucket]), np.int64(buckets_B1[bucket + 1])
            e = _entry(seeds_E2, first, behind, np.uint32(hashes_H[c]))
            hits_H5[c, 0] = e
            if e >= 0:
                prefetch(places_P, np.int64(seeds_E2[e, 1]))
                prefetch(sides_P, np.int64(seeds_E2[e, 1]))
        # places whose words beside the seed may agree; every step asks for what the next one reads
        for c in range(passed):
            e = np.int64(hits_H5[c, 0])
            if e < 0:
                continue
            p = np.int64(hits_H5[c, 1])
            after = before = _NONE
            if p + SEED_WORDS < w1 - w0:
                after = tokens_W[w0 + p + SEED_WORDS] & _BYTE
            if p > 0:
                before = tokens_W[w0 + p - 1] & _BYTE
            behind = np.int64(buckets_B1[np.int64(hashes_H[c] >> highest) + 1])
            while e >= 0:
                k = np.int64(seeds_E2[e, 1])
                while True:
                    place = np.int64(places_P[k])
                    sides = np.uint32(sides_P[k])
                    if sides == 0 or sides & _BYTE == after or sides >> _EIGHT == before:
                        if count < room:
                            at = place if place >= 0 else ~place
                            hits_H5[count, 0], hits_H5[count, 1] = at, p
                            prefetch(sequence_G, at // GROUP)
                            prefetch(tokens_T, at)
                        count += 1
                    if place < 0:
                        break
                    k += 1
                e = _entry(seeds_E2, e + 1, behind, np.uint32(hashes_H[c]))
        needed = max(needed, count)
        if count > room:
            continue
        for c in range(passed, count):
            soon = np.int64(hits_H5[min(c + _SOON, count - 1), 0])
            prefetch(starts_S1, np.int64(sequence_G[soon // GROUP]))
            s = _sequence(np.int64(hits_H5[c, 0]), starts_S1, sequence_G)
            hits_H5[c, 3] = s
            prefetch(heads_S, s)
        # hits: those that do agree, chained by sequence
        hits = passed
        for c in range(passed, count):
            at, p, s = np.int64(hits_H5[c, 0]), np.int64(hits_H5[c, 1]), np.int64(hits_H5[c, 3])
            if not _beside(at, s, p, tokens_W[w0:w1], tokens_T, starts_S1):
                continue
            hits_H5[hits, 0], hits_H5[hits, 1], hits_H5[hits, 2], hits_H5[hits, 3] = at, p, -1, s
            head = np.int64(heads_S[s])
            if head < 0:
                heads_S[s] = head = hits
            else:
                hits_H5[hits_H5[head, 4], 2] = hits
            hits_H5[head, 4] = hits
            hits += 1
        alignment = 0
        for c in range(passed, hits):
            s = np.int64(hits_H5[c, 3])
            if heads_S[s] != c:
                continue
            if hits_H5[c, 4] != c or starts_S1[s + 1] - starts_S1[s] <= LONG:
                found, alignment = _follow(
                    d, s, c, hits_H5, tokens_W[w0:w1], starts_W[w0:w1], stops_W[w0:w1], offsets[d],
                    tokens_T, starts_S1, companions_C3, marks, runs_R7, found, alignment,
                )  # fmt: skip
            heads_S[s] = -1
    return found, needed


@lean_inline_kernel
def _follow(  # type: ignore[no-untyped-def]
    d, s, hit, hits_H5, words, starts, stops, base,
    tokens_T, starts_S1, companions_C3, marks, runs_R7, found, alignment,
):  # fmt: skip
    """All alignments of one sequence in one document; returns (runs, alignments) so far."""
    t0, t1 = np.int64(starts_S1[s]), np.int64(starts_S1[s + 1])
    n = t1 - t0
    least = _least(n)
    for k in range(n):
        marks[k] = 0
    matched = np.int64(0)
    begun = found
    used = np.int64(-1)  # words of the page before it are taken
    low = np.int64(-1)
    while hit >= 0:
        p = np.int64(hits_H5[hit, 1])
        # of several places of the sequence with this seed, the one that is followed furthest
        i = np.int64(-1)
        best = np.int64(0)
        while hit >= 0 and hits_H5[hit, 1] == p:
            if p >= used:
                j = np.int64(hits_H5[hit, 0]) - t0
                k = np.int64(0)
                while j + k < n and p + k < len(words) and tokens_T[t0 + j + k] == words[p + k] and marks[j + k] == 0:
                    k += 1
                if k > best:
                    i, best = j, k
            hit = np.int64(hits_H5[hit, 2])
        if low >= 0 and p >= used and (p - used > NEAR + n // 2 or (i < 0 and matched >= least)):
            found, alignment = _finish(
                d, s, low, used, matched >= least, words, starts, stops, base,
                tokens_T, starts_S1, companions_C3, runs_R7, begun, found, alignment,
            )  # fmt: skip
            begun = found
            for k in range(n):
                marks[k] = 0
            matched, low, used = np.int64(0), np.int64(-1), max(used, np.int64(0))
            if i < 0:
                continue
        if i < 0 or best < 3:
            continue
        # backward: the run, then over what was skipped
        a, b = i, p
        floor = max(used, np.int64(0))
        pos_i, pos_p = i, p
        while True:
            while (
                pos_i > 0 and pos_p > floor and marks[pos_i - 1] == 0 and tokens_T[t0 + pos_i - 1] == words[pos_p - 1]
            ):
                pos_i -= 1
                pos_p -= 1
            if pos_i < a:
                found = _run(d, s, alignment, pos_i, a, pos_p, starts, stops, base, runs_R7, found, marks)
                matched += a - pos_i
                if low < 0 or pos_p < low:
                    low = pos_p
            a, b = pos_i, pos_p
            step_i, step_p = np.int64(0), np.int64(0)
            for cost in range(1, MOST_SKIPPED + 1):
                for x in range(cost + 1):
                    y = cost - x
                    u, v = a - 1 - x, b - 1 - y
                    if step_i + step_p > 0 or u < 0 or v < floor or marks[u] != 0:
                        continue
                    if tokens_T[t0 + u] != words[v]:
                        continue
                    if u > 0 and v > floor and tokens_T[t0 + u - 1] != words[v - 1]:
                        continue
                    step_i, step_p = x, y
                if step_i + step_p > 0:
                    break
            if step_i + step_p == 0:
                break
            a, b = a - step_i, b - step_p
            pos_i, pos_p = a, b
        # forward
        a, b = i, p
        pos_i, pos_p = i, p
        while True:
            while pos_i < n and pos_p < len(words) and marks[pos_i] == 0 and tokens_T[t0 + pos_i] == words[pos_p]:
                pos_i += 1
                pos_p += 1
            if pos_i > a:
                found = _run(d, s, alignment, a, pos_i, b, starts, stops, base, runs_R7, found, marks)
                matched += pos_i - a
                if low < 0 or b < low:
                    low = b
            a, b = pos_i, pos_p
            step_i, step_p = np.int64(0), np.int64(0)
            for cost in range(1, MOST_SKIPPED + 1):
                for x in range(cost + 1):
                    y = cost - x
                    u, v = a + x, b + y
                    if step_i + step_p > 0 or u >= n or v >= len(words) or marks[u] != 0:
                        continue
                    if tokens_T[t0 + u] != words[v]:
                        continue
                    if u + 1 < n and v + 1 < len(words) and tokens_T[t0 + u + 1] != words[v + 1]:
                        continue
                    step_i, step_p = x, y
                if step_i + step_p > 0:
                    break
            if step_i + step_p == 0:
                break
            a, b = a + step_i, b + step_p
            pos_i, pos_p = a, b
        used = max(used, b)
    if low >= 0:
        found, alignment = _finish(
            d, s, low, used, matched >= least, words, starts, stops, base,
            tokens_T, starts_S1, companions_C3, runs_R7, begun, found, alignment,
        )  # fmt: skip
    return found, alignment


@lean_inline_kernel
def _run(d, s, alignment, a, b, p, starts, stops, base, runs_R7, found, marks):  # type: ignore[no-untyped-def]
    """Note the run of words a to b of the sequence, which begins at word p of the page."""
    for k in range(a, b):
        marks[k] = 1
    if found < len(runs_R7):
        runs_R7[found, 0], runs_R7[found, 1], runs_R7[found, 2] = d, s, alignment
        runs_R7[found, 3], runs_R7[found, 4] = a, b
        runs_R7[found, 5], runs_R7[found, 6] = starts[p] - base, stops[p + b - a - 1] - base
    return found + 1


@lean_inline_kernel
def _finish(  # type: ignore[no-untyped-def]
    d, s, low, high, enough, words, starts, stops, base,
    tokens_T, starts_S1, companions_C3, runs_R7, begun, found, alignment,
):  # fmt: skip
    """Keep the alignment and look for its companions, or forget it."""
    if not enough:
        return begun, alignment
    first, behind = _companions(companions_C3, s)
    if first < behind:
        size = np.int64(starts_S1[behind] - starts_S1[first])
        lowest = max(np.int64(0), low - AROUND)
        highest = min(np.int64(len(words)), high + AROUND + 2 * size)
        for c in range(first, behind):
            t0, t1 = np.int64(starts_S1[c]), np.int64(starts_S1[c + 1])
            place = _find(tokens_T[t0:t1], words, high, highest)
            if place < 0:
                place = _find(tokens_T[t0:t1], words, lowest, min(np.int64(len(words)), low + (t1 - t0)))
            if place >= 0 and t1 > t0:
                if found < len(runs_R7):
                    runs_R7[found, 0], runs_R7[found, 1], runs_R7[found, 2] = d, c, alignment
                    runs_R7[found, 3], runs_R7[found, 4] = 0, t1 - t0
                    runs_R7[found, 5], runs_R7[found, 6] = starts[place] - base, stops[place + t1 - t0 - 1] - base
                found += 1
    return found, alignment + 1


@lean_inline_kernel
def _companions(companions_C3, s):  # type: ignore[no-untyped-def]
    """(first, behind the last) companion of a sequence; the same twice: it has none."""
    low, high = np.int64(0), np.int64(len(companions_C3))
    while low < high:
        middle = (low + high) >> 1
        if companions_C3[middle, 0] < s:
            low = middle + 1
        else:
            high = middle
    if low == len(companions_C3) or companions_C3[low, 0] != s:
        return np.int64(0), np.int64(0)
    return np.int64(companions_C3[low, 1]), np.int64(companions_C3[low, 2])


@lean_inline_kernel
def _find(needle, words, first, behind):  # type: ignore[no-untyped-def]
    """The first place of the words from ``first`` to ``behind`` where the needle stands; -1: nowhere."""
    for p in range(first, behind - len(needle) + 1):
        k = 0
        while k < len(needle) and words[p + k] == needle[k]:
            k += 1
        if k == len(needle):
            return np.int64(p)
    return np.int64(-1)
