"""Sentences by their marks alone, as MADLAD-400's rules take them: places, sizes, capitals and technical characters.

A sentence ends behind a run of ``.``, ``!`` and ``?`` that white space follows, and where the text ends; one of nothing
but white space is none. Its words are runs of letters, digits, combining marks and ``_``, an apostrophe between two of
them included.

Sixty-four bytes at a time, by the planes of `bitmaps`. Legend: N bytes of data, D documents, S sentences. starts_S,
stops_S int64 (bytes of data); numbers_S5 int64; planes_BK: `stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import ones
from stages.kernels.unicode import bitmaps
from stages.kernels.unicode.bitmaps import Planes, count, find_planes, first_bits, next_bit, window
from stages.kernels.words.lines import strip

CHARACTERS, TECHNICAL, WORDS, CAPITALISED, SPACED = range(5)
"""Columns of ``numbers_S5``: characters, those of ``0-9{}+/()>``, words, words whose first character is a capital; 1
where white space may stand nine times at the same distance of 2, 4 or 5 characters: it does where all bytes are ASCII,
else there are nine characters of white space."""
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_LOW = np.uint64(63)
_TWO, _FOUR, _FIVE, _EIGHT, _TEN, _SIXTEEN, _TWENTY, _THIRTY_TWO, _FORTY = np.array(
    (2, 4, 5, 8, 10, 16, 20, 32, 40), np.uint64
)


class Sentences(NamedTuple):
    """Those of document d are ``sentences_D1[d]:sentences_D1[d + 1]``, the marks at their end included."""

    sentences_D1: Offsets
    starts_S: npt.NDArray[np.int64]
    stops_S: npt.NDArray[np.int64]
    numbers_S5: npt.NDArray[np.int64]


def mark_sentences(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> Sentences:
    """Sentences of every document of (data, offsets)."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    most = int(offsets[-1] - offsets[0]) // 2 + len(offsets)
    sentences_D1 = np.zeros(len(offsets), np.int64)
    starts_S, stops_S = np.empty(most, np.int64), np.empty(most, np.int64)
    numbers_S5 = np.empty((most, 5), np.int64)
    number = _sentences(data, offsets, planes_BK, sentences_D1, starts_S, stops_S, numbers_S5)
    return Sentences(sentences_D1, starts_S[:number], stops_S[:number], numbers_S5[:number])


@lean_inline_kernel
def _is(planes_BK, plane, at):  # type: ignore[no-untyped-def]
    return planes_BK[at >> 6, plane] >> (np.uint64(at) & _LOW) & _ONE != 0


@lean_inline_kernel
def _is_mark(byte):  # type: ignore[no-untyped-def]
    return byte == 46 or byte == 33 or byte == 63


@lean_inline_kernel
def _apostrophe(data, at, stop):  # type: ignore[no-untyped-def]
    """Bytes of the apostrophe that stands here, 0 where none does."""
    if data[at] == 39:
        return 1
    curly = data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x80 and data[at + 2] == 0x99
    return 3 if curly else 0


@lean_inline_kernel
def _end_of(data, planes_BK, base, at, stop):  # type: ignore[no-untyped-def]
    """Where the sentence ends that ``at`` is in: behind marks that white space follows, or ``stop``."""
    while at < stop:
        at = next_bit(planes_BK, bitmaps.TERMINAL, _ZERO, at, stop)
        if at < stop and not _is_mark(data[base + at]):
            at += 1
            continue
        while at < stop and _is_mark(data[base + at]):
            at += 1
        if at < stop and _is(planes_BK, bitmaps.SPACE, at):
            return at
    return stop


@lean_inline_kernel
def _bytes(data, start, stop):  # type: ignore[no-untyped-def]
    """(technical characters, bytes with which an apostrophe may begin)."""
    special = apostrophes = 0
    for at in range(start, stop):
        b = data[at]
        digit = (b >= 48) & (b <= 57)
        special += digit | (b == 40) | (b == 41) | (b == 43) | (b == 47) | (b == 62) | (b == 123) | (b == 125)
        apostrophes += (b == 39) | (b == 0xE2)
    return special, apostrophes


@lean_inline_kernel
def _runs(planes_BK, start, stop):  # type: ignore[no-untyped-def]
    """(runs of characters of words, those that begin with a capital)."""
    words = capitals = 0
    before = _ZERO
    for at in range(start, stop, 64):
        inner = ~window(planes_BK, bitmaps.STARTS, at)
        own = window(planes_BK, bitmaps.WORD, at)
        for _ in range(3):  # the bytes behind the first of a character
            own |= (own << _ONE | before) & inner
        first = own & ~(own << _ONE | before) & first_bits(min(stop - at, 64))
        words += ones(first)
        capitals += ones(first & window(planes_BK, bitmaps.UPPER, at))
        before = own >> _LOW
    return words, capitals


@lean_inline_kernel
def _joined(data, planes_BK, base, start, stop):  # type: ignore[no-untyped-def]
    """(apostrophes between two characters of words, those behind which a capital stands)."""
    joined = capitals = 0
    for at in range(start + 1, stop):
        size = _apostrophe(data, base + at, base + stop)
        if size == 0 or at + size >= stop or not _is(planes_BK, bitmaps.WORD, at + size):
            continue
        before = at - 1
        while before > start and not _is(planes_BK, bitmaps.STARTS, before):
            before -= 1
        if _is(planes_BK, bitmaps.WORD, before):
            joined += 1
            capitals += _is(planes_BK, bitmaps.UPPER, at + size)
    return joined, capitals


@lean_inline_kernel
def _spaced(planes_BK, start, stop, characters):  # type: ignore[no-untyped-def]
    """See `SPACED`. A window of 64 bytes tells of the 24 places it begins with: nine times 5 are 45."""
    if characters < stop - start:
        return 1 if count(planes_BK, bitmaps.SPACE, start, stop) >= 9 else 0
    for at in range(start, stop, 24):
        blank = window(planes_BK, bitmaps.SPACE, at) & first_bits(min(stop - at, 64))
        if not blank:
            continue
        two = blank & blank >> _TWO
        two &= two >> _FOUR
        four = blank & blank >> _FOUR
        four &= four >> _EIGHT
        five = blank & blank >> _FIVE
        five &= five >> _TEN
        two &= two >> _EIGHT & blank >> _SIXTEEN
        four &= four >> _SIXTEEN & blank >> _THIRTY_TWO
        five &= five >> _TWENTY & blank >> _FORTY
        if two | four | five:
            return 1
    return 0


def evenly_spaced(
    data: Bytes, starts_S: npt.NDArray[np.int64], stops_S: npt.NDArray[np.int64], rows_R: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Of some sentences, whether nine spaces in a row stand each before three characters, or four, that are no line
    feeds; or before one that is no space."""
    found_R = np.zeros(len(rows_R), np.bool_)
    _evenly_spaced(data, starts_S, stops_S, rows_R, found_R)
    return found_R


@lean_inline_kernel
def _behind(data, at, stop):  # type: ignore[no-untyped-def]
    """Where the character that begins here ends."""
    at += 1
    while at < stop and data[at] & 0xC0 == 0x80:
        at += 1
    return at


@lean_inline_kernel
def _nine(data, at, stop, size):  # type: ignore[no-untyped-def]
    """Whether nine spaces begin here, each before ``size`` characters."""
    for _ in range(9):
        if at >= stop or data[at] != 32:
            return False
        at += 1
        for _ in range(size):
            if at >= stop or data[at] == (32 if size == 1 else 10):
                return False
            at = _behind(data, at, stop)
    return True


@lean_kernel
def _evenly_spaced(data, starts_S, stops_S, rows_R, found_R):  # type: ignore[no-untyped-def]
    for r in range(len(rows_R)):
        start, stop = starts_S[rows_R[r]], stops_S[rows_R[r]]
        for at in range(start, stop - 17):
            if data[at] != 32:
                continue
            one = _behind(data, at + 1, stop)
            three = _behind(data, _behind(data, one, stop), stop)
            four = _behind(data, three, stop)
            found_R[r] = (
                (one < stop and data[one] == 32 and _nine(data, at, stop, 1))
                or (three < stop and data[three] == 32 and _nine(data, at, stop, 3))
                or (four < stop and data[four] == 32 and _nine(data, at, stop, 4))
            )
            if found_R[r]:
                break


@lean_kernel
def _sentences(data, offsets, planes_BK, sentences_D1, starts_S, stops_S, numbers_S5):  # type: ignore[no-untyped-def]
    s = 0
    base = offsets[0]
    for d in range(len(offsets) - 1):
        at, stop = offsets[d] - base, offsets[d + 1] - base
        while at < stop:
            end = _end_of(data, planes_BK, base, at, stop)
            start, last = strip(planes_BK, at, end)
            at = end
            if start == last:
                continue
            special, apostrophes = _bytes(data, base + start, base + last)
            words, capitals = _runs(planes_BK, start, last)
            if apostrophes:
                joined, capitals_joined = _joined(data, planes_BK, base, start, last)
                words -= joined
                capitals -= capitals_joined
            starts_S[s], stops_S[s] = base + start, base + last
            numbers_S5[s, CHARACTERS] = count(planes_BK, bitmaps.STARTS, start, last)
            numbers_S5[s, TECHNICAL] = special
            numbers_S5[s, WORDS] = words
            numbers_S5[s, CAPITALISED] = capitals
            numbers_S5[s, SPACED] = _spaced(planes_BK, start, last, count(planes_BK, bitmaps.STARTS, start, last))
            s += 1
        sentences_D1[d + 1] = s
    return s
