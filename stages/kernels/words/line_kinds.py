"""Letters, capitals and digits of texts and of their lines (cut at line feeds), and what each line looks like.

Legend: N bytes of data, D documents, L lines. All int64: lines_D1, starts_L, stops_L, words_L, kinds_L, totals_D6;
planes_BK: `stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import lowest, ones
from stages.kernels.unicode import bitmaps
from stages.kernels.unicode.bitmaps import Planes, count, find_planes, next_bit
from stages.kernels.words.lines import strip

ORDINARY, MAINLY_UPPERCASE, ONLY_DIGITS, COUNTER, ONE_WORD, BOILERPLATE = range(6)
"""Kinds of a line; the first that holds, in this order, after `ORDINARY`."""

CHARACTERS, LETTERS, CAPITALS, DIGITS, WORDS, CURLY_BRACKETS = range(6)
"""Columns of ``totals_D6``; CHARACTERS are those that are no white space."""

COUNTERS = (
    *(b"likes", b"shares", b"comments", b"retweets", b"reposts", b"quotes", b"bookmarks"),
    *(b"upvotes", b"downvotes", b"downloads", b"views", b"followers"),
)
MAX_BOILERPLATE_WORDS = 10
PREFIXES = (b"sign-in", b"sign in")
SUFFIXES = (b"read more...", "read more…".encode())
INFIXES = (b"items in cart",)

_BEGINS = PREFIXES[0][0]
_ENDS = tuple(sorted({suffix[-1] for suffix in SUFFIXES}))
_IN_INFIX = ord("m")
"""A letter of every infix; `bitmaps.RARE` is set there, and nowhere else (`bitmaps.PAIRS`): ite``ms`` in cart."""
_ZERO = np.uint64(0)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_LOW = np.uint64(63)


@dataclass(frozen=True)
class LineKinds:
    """Lines that have a word; those of document d are ``lines_D1[d]:lines_D1[d + 1]``."""

    lines_D1: Offsets
    starts_L: npt.NDArray[np.int64]
    stops_L: npt.NDArray[np.int64]
    words_L: npt.NDArray[np.int64]
    kinds_L: npt.NDArray[np.int64]
    totals_D6: npt.NDArray[np.int64]


def line_kinds(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> LineKinds:
    """Lines and totals of every document of (data, offsets).

    A line is mainly upper case when more than half of its characters are capitals, a counter when it is a number and
    one word of `COUNTERS`, boilerplate when it has at most 10 words and begins with one of `PREFIXES`, ends with one
    of `SUFFIXES` or contains one of `INFIXES`; ASCII capitals count as small letters.
    """
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    lines_D1 = np.zeros(len(offsets), np.int64)
    totals_D6 = np.zeros((len(offsets) - 1, 6), np.int64)
    most = int(offsets[-1] - offsets[0]) // 2 + len(offsets)
    starts_L, stops_L, words_L, kinds_L = (np.empty(most, np.int64) for _ in range(4))
    num_lines = _line_kinds(
        data, offsets, planes_BK, _PHRASE_BYTES, _PHRASES,
        lines_D1, starts_L, stops_L, words_L, kinds_L, totals_D6,
    )  # fmt: skip
    return LineKinds(
        lines_D1, starts_L[:num_lines], stops_L[:num_lines], words_L[:num_lines], kinds_L[:num_lines], totals_D6
    )


_COUNTER, _PREFIX, _SUFFIX, _INFIX = range(4)


def _phrases() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(bytes, rows of start, stop, where it must stand) of all phrases."""
    text, rows = b"", []
    for place, phrases in enumerate((COUNTERS, PREFIXES, SUFFIXES, INFIXES)):
        for phrase in phrases:
            rows.append((len(text), len(text) + len(phrase), place))
            text += phrase
    return np.frombuffer(text, np.uint8), np.array(rows, np.int64)


_PHRASE_BYTES, _PHRASES = _phrases()


@lean_kernel
def _line_kinds(  # type: ignore[no-untyped-def]
    data, offsets, planes_BK, phrase_bytes, phrases, lines_D1, starts_L, stops_L, words_L, kinds_L, totals_D6
):
    line = 0
    base = offsets[0]
    for d in range(len(offsets) - 1):
        start, stop = offsets[d] - base, offsets[d + 1] - base
        while start < stop:
            end = next_bit(planes_BK, bitmaps.FEED, _ZERO, start, stop)
            behind = end + 1
            begin, end = strip(planes_BK, start, end)
            start = behind
            if begin == end:
                continue
            characters = letters = capitals = digits = words = 0
            may_have_infix = False
            final = (end - 1) >> 6
            mask = _FULL << (np.uint64(begin) & _LOW)
            before = ~_ZERO  # white space stands before the first word
            for block in range(begin >> 6, final + 1):
                blank = planes_BK[block, bitmaps.SPACE] | ~mask
                if block == final:
                    mask &= _FULL >> (_LOW - (np.uint64(end - 1) & _LOW))
                characters += ones(planes_BK[block, bitmaps.STARTS] & ~blank & mask)
                words += ones(~blank & (blank << _ONE | before >> _LOW) & mask)
                before = blank
                letters += ones(planes_BK[block, bitmaps.ALPHA] & mask)
                capitals += ones(planes_BK[block, bitmaps.UPPER] & mask)
                digits += ones(planes_BK[block, bitmaps.DIGIT] & mask)
                rare = planes_BK[block, bitmaps.RARE] & mask
                while rare:
                    b = data[base + 64 * block + lowest(rare)]
                    totals_D6[d, CURLY_BRACKETS] += b == 123 or b == 125
                    may_have_infix |= b | 32 == _IN_INFIX
                    rare &= rare - _ONE
                mask = _FULL
            kind = ORDINARY
            if 2 * capitals > characters + words - 1:
                kind = MAINLY_UPPERCASE
            elif digits == characters:
                kind = ONLY_DIGITS
            elif words == 2 and _is_counter(data, base, planes_BK, begin, end, phrase_bytes, phrases):
                kind = COUNTER
            elif words == 1:
                kind = ONE_WORD
            elif words <= MAX_BOILERPLATE_WORDS and (
                (
                    data[base + begin] | 32 == _BEGINS
                    and _has(data, base + begin, base + end, phrase_bytes, phrases, _PREFIX)
                )
                or (
                    (data[base + end - 1] == _ENDS[0] or data[base + end - 1] == _ENDS[1])
                    and _has(data, base + begin, base + end, phrase_bytes, phrases, _SUFFIX)
                )
                or (may_have_infix and _has(data, base + begin, base + end, phrase_bytes, phrases, _INFIX))
            ):
                kind = BOILERPLATE
            starts_L[line], stops_L[line], words_L[line], kinds_L[line] = base + begin, base + end, words, kind
            line += 1
            totals_D6[d, CHARACTERS] += characters
            totals_D6[d, LETTERS] += letters
            totals_D6[d, CAPITALS] += capitals
            totals_D6[d, DIGITS] += digits
            totals_D6[d, WORDS] += words
        lines_D1[d + 1] = line
    return line


@lean_inline_kernel
def _is_counter(data, base, planes_BK, begin, end, phrase_bytes, phrases):  # type: ignore[no-untyped-def]
    """Whether the first of two words is a number and the second counts something."""
    space = next_bit(planes_BK, bitmaps.SPACE, _ZERO, begin, end)
    digits = count(planes_BK, bitmaps.DIGIT, begin, space)
    if digits != count(planes_BK, bitmaps.STARTS, begin, space):
        return False
    return _has(data, base + begin, base + end, phrase_bytes, phrases, _COUNTER)


@lean_inline_kernel
def _has(data, begin, end, phrase_bytes, phrases, place):  # type: ignore[no-untyped-def]
    """Whether a phrase of this place stands where it must in begin:end."""
    for p in range(len(phrases)):
        if phrases[p, 2] != place:
            continue
        size = phrases[p, 1] - phrases[p, 0]
        first, last = begin, end - size
        if place == _PREFIX:
            last = min(begin, last)
        elif place != _INFIX:
            first = end - size
        if place == _COUNTER and (first <= begin or data[first - 1] > 32):
            continue
        for i in range(max(first, begin), last + 1):
            k = 0
            while k < size:
                b = data[i + k]
                if 65 <= b <= 90:
                    b |= np.uint8(32)
                if b != phrase_bytes[phrases[p, 0] + k]:
                    break
                k += 1
            if k == size:
                return True
    return False
