"""Sentences by their marks alone, as MADLAD-400's rules take them: places, sizes, capitals and technical characters.

A sentence ends behind a run of ``.``, ``!`` and ``?`` that white space follows, behind a mark of another script
(``。 । ؟ ۔ ։ ።``, `characters.TERMINAL`) with the marks and closing quotation marks and brackets that follow it, and
where the text ends; one of nothing but white space is none. Its words are runs of letters, digits, combining marks and
``_``, an apostrophe between two of them included.

Sixty-four bytes at a time: planes of its own beside those of `bitmaps`, of which every sentence then counts bits.
Price: about 1.5 ns a byte.

Legend: N bytes of data, D documents, S sentences, B blocks of 64 bytes, K planes. starts_S, stops_S int64 (bytes of
data); numbers_S6 int64; planes_BK: `stages.kernels.unicode.bitmaps`; own_BK uint64, laid out as they are: see `_own`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import block_bits, ones
from stages.kernels.unicode import bitmaps, characters
from stages.kernels.unicode.bitmaps import Planes, find_planes, next_bit
from stages.kernels.words.lines import strip

CHARACTERS, TECHNICAL, WORDS, CAPITALISED, COMMAS, SPACED = range(6)
"""Columns of ``numbers_S6``: characters, those of ``0-9{}+/()>``, words, words whose first character is a capital,
commas, and, not 0 where that may be: eight times white space at the same distance of 2, 4 or 5 bytes."""
_ENDS, _TECHNICAL, _FIRST, _CAPITAL, _COMMA, _SPACED = range(6)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_LOW = np.uint64(63)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_TWO, _FOUR, _FIVE, _EIGHT, _TEN, _SIXTEEN, _TWENTY, _WIDTH = np.array((2, 4, 5, 8, 10, 16, 20, 64), np.uint64)


class Sentences(NamedTuple):
    """Those of document d are ``sentences_D1[d]:sentences_D1[d + 1]``, the marks at their end included."""

    sentences_D1: Offsets
    starts_S: npt.NDArray[np.int64]
    stops_S: npt.NDArray[np.int64]
    numbers_S6: npt.NDArray[np.int64]


def mark_sentences(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> Sentences:
    """Sentences of every document of (data, offsets)."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    most = int(offsets[-1] - offsets[0]) // 2 + len(offsets)
    sentences_D1 = np.zeros(len(offsets), np.int64)
    starts_S, stops_S = np.empty(most, np.int64), np.empty(most, np.int64)
    numbers_S6 = np.empty((most, 6), np.int64)
    own_BK = np.empty((len(planes_BK), 6), np.uint64)
    _own(data, offsets[0], offsets[-1], planes_BK, np.zeros(192, np.uint8), own_BK)
    _other_ends(data, offsets, planes_BK, characters.classes(), own_BK)
    number = _sentences(data, offsets, planes_BK, own_BK, sentences_D1, starts_S, stops_S, numbers_S6)
    return Sentences(sentences_D1, starts_S[:number], stops_S[:number], numbers_S6[:number])


@lean_inline_kernel
def _behind(bits, before, size):  # type: ignore[no-untyped-def]
    """Bits moved ``size`` bytes on, those of the block before moved in."""
    return bits << size | before >> (_WIDTH - size)


@lean_kernel
def _own(data, start, stop, planes_BK, tail, own_BK):  # type: ignore[no-untyped-def]
    """Planes of (data, start to stop): white space behind a mark, technical characters, first characters of words, of
    these the capitals, commas, and white space that is the eighth at an even distance. Documents follow one another as
    if they were one."""
    num_blocks = len(planes_BK) - 1
    for k in range(6):
        own_BK[num_blocks, k] = _ZERO
    marks_before = word_before = blank_before = _ZERO
    two_before = four_before = five_before = twos_before = fours_before = fives_before = _ZERO
    for block in range(num_blocks):
        i = start + 64 * block
        if i + 66 > stop:
            for k in range(len(tail)):
                tail[k] = data[i + k] if i + k < stop else 0
        inside = i + 66 <= stop
        marks, technical, commas, straight = _ascii(data, i) if inside else _ascii(tail, 0)
        blank, starts = planes_BK[block, bitmaps.SPACE], planes_BK[block, bitmaps.STARTS]
        own_BK[block, _ENDS] = _behind(marks, marks_before, _ONE) & blank
        own_BK[block, _TECHNICAL] = technical
        own_BK[block, _COMMA] = commas
        marks_before = marks
        # words, with the bytes behind the first of a character and apostrophes between two of their characters
        word, following = planes_BK[block, bitmaps.WORD], planes_BK[block + 1, bitmaps.WORD]
        inner = ~starts
        curly = _ZERO
        if inner:
            for _ in range(3):
                word |= _behind(word, word_before, _ONE) & inner
        if (
            inner or not planes_BK[block + 1, bitmaps.STARTS] & _ONE
        ):  # an apostrophe may be the last byte and two of the next block
            curly = _curly(data, i) if inside else _curly(tail, 0)
        if straight | curly:
            behind = _behind(word, word_before, _ONE)
            plane = planes_BK[block, bitmaps.WORD]
            word |= straight & behind & (plane >> _ONE | following << _LOW)
            curly &= behind & (plane >> np.uint64(3) | following << np.uint64(61))
            word |= curly | curly << _ONE | curly << _TWO
        first = word & ~_behind(word, word_before, _ONE)
        own_BK[block, _FIRST] = first
        own_BK[block, _CAPITAL] = first & planes_BK[block, bitmaps.UPPER]
        word_before = word
        # white space at even distances: two of them, four, eight
        two, four = blank & _behind(blank, blank_before, _TWO), blank & _behind(blank, blank_before, _FOUR)
        five = blank & _behind(blank, blank_before, _FIVE)
        twos, fours = two & _behind(two, two_before, _FOUR), four & _behind(four, four_before, _EIGHT)
        fives = five & _behind(five, five_before, _TEN)
        spaced = _ZERO
        if twos | fours | fives:
            spaced = twos & _behind(twos, twos_before, _EIGHT) | fours & _behind(fours, fours_before, _SIXTEEN)
            spaced |= fives & _behind(fives, fives_before, _TWENTY)
        own_BK[block, _SPACED] = spaced
        blank_before, two_before, four_before, five_before = blank, two, four, five
        twos_before, fours_before, fives_before = twos, fours, fives


@lean_kernel
def _other_ends(data, offsets, planes_BK, classes, own_BK):  # type: ignore[no-untyped-def]
    """Add the bytes behind marks beyond ASCII to the plane of ends."""
    base = offsets[0]
    for d in range(len(offsets) - 1):
        stop = offsets[d + 1] - base
        at = next_bit(planes_BK, bitmaps.TERMINAL, _ZERO, offsets[d] - base, stop)
        while at < stop:
            behind = at + 1
            if data[base + at] >= 0x80:
                behind = at
                flags = np.int64(characters.TERMINAL)
                while flags and behind < stop:
                    cp, after = characters.code_point(data, base + behind, base + stop)
                    flags = np.int64(classes[cp]) & (characters.TERMINAL | characters.CLOSER)
                    behind = after - base if flags else behind
                if behind < stop:
                    own_BK[behind >> 6, _ENDS] |= _ONE << (np.uint64(behind) & _LOW)
            at = next_bit(planes_BK, bitmaps.TERMINAL, _ZERO, behind, stop)


@lean_inline_kernel
def _ascii(data, i):  # type: ignore[no-untyped-def]
    """(marks, technical characters, commas, apostrophes) of 64 bytes."""
    marks = block_bits(data, i, 46, 0, 0) | block_bits(data, i, 33, 0, 0) | block_bits(data, i, 63, 0, 0)
    technical = block_bits(data, i, 48, 9, 0) | block_bits(data, i, 40, 1, 0) | block_bits(data, i, 47, 0, 4)
    technical |= block_bits(data, i, 62, 0, 0) | block_bits(data, i, 123, 0, 0) | block_bits(data, i, 125, 0, 0)
    return marks, technical, block_bits(data, i, 44, 0, 0), block_bits(data, i, 39, 0, 0)


@lean_inline_kernel
def _curly(data, i):  # type: ignore[no-untyped-def]
    """The first bytes of curly apostrophes, of 64 bytes."""
    bits = block_bits(data, i, 0xE2, 0, 0)
    if bits:
        bits &= block_bits(data, i + 1, 0x80, 0, 0) & block_bits(data, i + 2, 0x99, 0, 0)
    return bits


@lean_inline_kernel
def _is(planes_BK, plane, at):  # type: ignore[no-untyped-def]
    return planes_BK[at >> 6, plane] >> (np.uint64(at) & _LOW) & _ONE != 0


@lean_inline_kernel
def _apostrophe(data, at, stop):  # type: ignore[no-untyped-def]
    """Bytes of the apostrophe that stands here, 0 where none does."""
    if data[at] == 39:
        return 1
    curly = data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x80 and data[at + 2] == 0x99
    return 3 if curly else 0


@lean_kernel
def _sentences(data, offsets, planes_BK, own_BK, sentences_D1, starts_S, stops_S, numbers_S6):  # type: ignore[no-untyped-def]
    s = 0
    base = offsets[0]
    for d in range(len(offsets) - 1):
        at, stop = offsets[d] - base, offsets[d + 1] - base
        while at < stop:
            end = next_bit(own_BK, _ENDS, _ZERO, at + 1, stop)
            start, last = strip(planes_BK, at, end)
            at = end
            if start == last:
                continue
            characters = technical = words = capitals = commas = 0
            spaced = _ZERO
            final = (last - 1) >> 6
            mask = _FULL << (np.uint64(start) & _LOW)
            for block in range(start >> 6, final + 1):
                if block == final:
                    mask &= _FULL >> (_LOW - (np.uint64(last - 1) & _LOW))
                characters += ones(planes_BK[block, bitmaps.STARTS] & mask)
                technical += ones(own_BK[block, _TECHNICAL] & mask)
                words += ones(own_BK[block, _FIRST] & mask)
                capitals += ones(own_BK[block, _CAPITAL] & mask)
                commas += ones(own_BK[block, _COMMA] & mask)
                spaced |= own_BK[block, _SPACED] & mask
                mask = _FULL
            # a word that goes on from the document before begins here
            place = start + _apostrophe(data, base + start, base + last)
            if place < last and _is(planes_BK, bitmaps.WORD, place) and not _is(own_BK, _FIRST, place):
                words += 1
                capitals += _is(planes_BK, bitmaps.UPPER, place)
            starts_S[s], stops_S[s] = base + start, base + last
            numbers_S6[s, CHARACTERS], numbers_S6[s, TECHNICAL], numbers_S6[s, COMMAS] = characters, technical, commas
            numbers_S6[s, WORDS], numbers_S6[s, CAPITALISED], numbers_S6[s, SPACED] = words, capitals, spaced != _ZERO
            s += 1
        sentences_D1[d + 1] = s
    return s
