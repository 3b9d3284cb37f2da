"""Which sentences are questionable by MADLAD-400's rules (`stages.rules.madlad`): by numbers, and by what they hold.

What no fixed string tells, a look at the few sentences that may have it does: nine spaces in a row at the same
distance, five commas two characters apart, what stands at the end. Price: about 5 ns a sentence.

Legend: N bytes of data, D documents, S sentences, H hits, E endings. `starts_S`, `stops_S`, `numbers_S6`,
`sentences_D1`: `stages.kernels.words.mark_sentences`; `places_H`, `strings_H`: `stages.kernels.words.literals`;
totals_D6 int64; planes_BK: `stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import ones
from stages.kernels.unicode import bitmaps
from stages.kernels.unicode.bitmaps import Planes, first_bits, window
from stages.kernels.words.literals import Hits, Literals
from stages.kernels.words.mark_sentences import CAPITALISED, CHARACTERS, COMMAS, SPACED, TECHNICAL, WORDS, Sentences

LIST_CASE, ODD_SIZE, TECHNICAL_ONE, CURSED, LIST_CASE_OR_CURSED, ANY = range(6)
"""Columns of ``totals_D6``: sentences of each rule, and of several."""
_ONE = np.uint64(1)
_TWOS, _FOURS, _FIVES = (np.uint64(sum(1 << step * k for k in range(9))) for step in (2, 4, 5))


def questionable(
    data: Bytes,
    offsets: Offsets,
    planes_BK: Planes,
    sentences: Sentences,
    hits: Hits,
    known: Literals,
    num_strings: int,
    endings: Sequence[bytes],
) -> npt.NDArray[np.int64]:
    """totals_D6 of the documents of (data, offsets), whose ``hits`` are of ``known``. Cursed is a sentence with one of
    the first ``num_strings`` of these in it, that ends with one of ``endings``, or in which nine spaces stand each
    before three characters, before four, or before one that is no space, or five commas as `_commas` says."""
    totals_D6 = np.zeros((len(offsets) - 1, 6), np.int64)
    ends_E1 = np.cumsum([0, *map(len, endings)], dtype=np.int64)
    _questionable(
        data, offsets[0], planes_BK, sentences.sentences_D1, sentences.starts_S, sentences.stops_S,
        sentences.numbers_S6, hits.places_H, hits.strings_H, known.offsets_P1, known.prints_P, num_strings,
        np.frombuffer(b"".join(endings), np.uint8), ends_E1, totals_D6,
    )  # fmt: skip
    return totals_D6


@lean_kernel
def _questionable(  # type: ignore[no-untyped-def]
    data, base, planes_BK, sentences_D1, starts_S, stops_S, numbers_S6, places_H, strings_H, offsets_P1, prints_P,
    num_strings, endings, ends_E1, totals_D6,
):  # fmt: skip
    h = 0
    for d in range(len(totals_D6)):
        for s in range(sentences_D1[d], sentences_D1[d + 1]):
            start, stop = starts_S[s], stops_S[s]
            characters, words = numbers_S6[s, CHARACTERS], numbers_S6[s, WORDS]
            cursed = False
            while h < len(places_H) and places_H[h] < stop:
                p = strings_H[h]
                first = places_H[h] - prints_P[p]
                cursed |= p < num_strings and first >= start and first + offsets_P1[p + 1] - offsets_P1[p] <= stop
                h += 1
            cursed = cursed or _ends_so(data, start, stop, endings, ends_E1)
            if not cursed and numbers_S6[s, COMMAS] >= 5:
                cursed = _has_commas(data, start, stop)
            if not cursed:
                if characters == stop - start:
                    maybe = numbers_S6[s, SPACED] != 0
                else:
                    maybe = _may_be_even(planes_BK, start - base, stop - base)
                cursed = maybe and _evenly_spaced(data, start, stop)
            listed = words >= 12 and 2 * numbers_S6[s, CAPITALISED] > words
            odd = characters < 20 or characters > 500
            technical = 5 * numbers_S6[s, TECHNICAL] > characters
            totals_D6[d, LIST_CASE] += listed
            totals_D6[d, ODD_SIZE] += odd
            totals_D6[d, TECHNICAL_ONE] += technical
            totals_D6[d, CURSED] += cursed
            totals_D6[d, LIST_CASE_OR_CURSED] += listed | cursed
            totals_D6[d, ANY] += listed | odd | technical | cursed


@lean_inline_kernel
def _ends_so(data, start, stop, endings, ends_E1):  # type: ignore[no-untyped-def]
    """Whether start:stop ends with one of the endings."""
    for e in range(len(ends_E1) - 1):
        size = ends_E1[e + 1] - ends_E1[e]
        k = np.int64(1)
        while k <= size and k <= stop - start and data[stop - k] == endings[ends_E1[e + 1] - k]:
            k += 1
        if k > size:
            return True
    return False


@lean_inline_kernel
def _behind(data, at, stop):  # type: ignore[no-untyped-def]
    """Where the character that begins here ends."""
    at += 1
    while at < stop and data[at] & 0xC0 == 0x80:
        at += 1
    return at


@lean_inline_kernel
def _has_commas(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a comma stands here and then, four times, a space, two characters that are no line feeds, and a comma or
    (but the last time) two: ``, ..,,? ..,,? ..,,? ..,,?`` as an expression."""
    for first in range(start, stop - 16):
        if data[first] != 44:
            continue
        at, times = first + 1, 0
        while times < 4:
            if times > 0 and at < stop and data[at] == 44:
                at += 1
            if at >= stop or data[at] != 32:
                break
            at += 1
            plain = 0
            while plain < 2 and at < stop and data[at] != 10:
                at = _behind(data, at, stop)
                plain += 1
            if plain < 2 or at >= stop or data[at] != 44:
                break
            at += 1
            times += 1
        if times == 4:
            return True
    return False


@lean_inline_kernel
def _may_be_even(planes_BK, start, stop):  # type: ignore[no-untyped-def]
    """Whether white space stands nine times at the same distance of 2, 4 or 5 characters."""
    before = last = np.int64(0)
    spaces = np.uint64(0)  # bit k: white space stands k characters before the last one
    for at in range(start, stop, 64):
        mask = first_bits(min(stop - at, 64))
        starts, blank = window(planes_BK, bitmaps.STARTS, at) & mask, window(planes_BK, bitmaps.SPACE, at) & mask
        while blank:
            here = before + ones(starts & ((blank & (~blank + _ONE)) - _ONE))
            blank &= blank - _ONE
            spaces = (spaces << np.uint64(here - last) if here - last < 64 else np.uint64(0)) | _ONE
            last = here
            if spaces & _TWOS == _TWOS or spaces & _FOURS == _FOURS or spaces & _FIVES == _FIVES:
                return True
        before += ones(starts)
    return False


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


@lean_inline_kernel
def _evenly_spaced(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether nine spaces in a row stand each before three characters, or four, that are no line feeds; or before one
    that is no space."""
    for at in range(start, stop - 17):
        if data[at] != 32:
            continue
        one = _behind(data, at + 1, stop)
        three = _behind(data, _behind(data, one, stop), stop)
        four = _behind(data, three, stop)
        if (
            (one < stop and data[one] == 32 and _nine(data, at, stop, 1))
            or (three < stop and data[three] == 32 and _nine(data, at, stop, 3))
            or (four < stop and data[four] == 32 and _nine(data, at, stop, 4))
        ):
            return True
    return False
