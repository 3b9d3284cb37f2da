"""Lines (cut at line feeds) and paragraphs (cut at two or more) of many texts, as ragged arrays of hashes.

Legend: N bytes of data, D documents, L lines, P paragraphs. lines_D1 int64, hashes_L uint64, characters_L int64,
kinds_L uint8; the same for P without kinds; totals_D3 int64; planes_BK: `stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.grouping import first_of, number_equals, work_space
from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import bitmaps
from stages.kernels.unicode import characters as unicode
from stages.kernels.unicode.bitmaps import Planes, at_bit, count, find_planes, next_bit
from stages.kernels.words.words import span_hash

HAS_TEXT = 1  # a character that is no white space
ENDS_SENTENCE = 2  # the last character is a terminal mark
REPEATED = 4  # equal to an earlier line of the document

CHARACTERS, FEEDS, OUTER_FEEDS = range(3)
"""Columns of ``totals_D3``: characters of the text, line feeds in it, and 0 to 2 for a line feed first and last."""

_SPACE = unicode.SPACE
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_LOW = np.uint64(63)
_LF = 10


@dataclass(frozen=True)
class Lines:
    """Lines and paragraphs of a batch, those without a character left out; of document d: ``lines_D1[d]:[d + 1]``."""

    lines_D1: Offsets
    characters_L: npt.NDArray[np.int64]
    kinds_L: npt.NDArray[np.uint8]
    paragraphs_D1: Offsets
    characters_P: npt.NDArray[np.int64]
    kinds_P: npt.NDArray[np.uint8]
    totals_D3: npt.NDArray[np.int64]


def split_lines(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> Lines:
    """Lines of the text as it is, paragraphs of the text without white space around it."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    num_documents = len(offsets) - 1
    most = int(offsets[-1] - offsets[0]) // 2 + num_documents
    lines_D1, paragraphs_D1 = np.zeros(num_documents + 1, np.int64), np.zeros(num_documents + 1, np.int64)
    hashes_L, hashes_P = np.empty(most, np.uint64), np.empty(most, np.uint64)
    characters_L, characters_P = np.empty(most, np.int64), np.empty(most, np.int64)
    kinds_L, kinds_P = np.empty(most, np.uint8), np.empty(most, np.uint8)
    totals_D3 = np.zeros((num_documents, 3), np.int64)
    _split_lines(
        data, offsets, planes_BK, lines_D1, hashes_L, characters_L, kinds_L,
        paragraphs_D1, hashes_P, characters_P, kinds_P, totals_D3,
    )  # fmt: skip
    for pieces_D1, hashes, kinds in ((lines_D1, hashes_L, kinds_L), (paragraphs_D1, hashes_P, kinds_P)):
        size = int(np.diff(pieces_D1).max(initial=0))
        _mark_repeated(pieces_D1, hashes, kinds, np.empty(size, np.int32), work_space(size))
    num_lines, num_paragraphs = lines_D1[-1], paragraphs_D1[-1]
    return Lines(
        lines_D1, characters_L[:num_lines], kinds_L[:num_lines],
        paragraphs_D1, characters_P[:num_paragraphs], kinds_P[:num_paragraphs], totals_D3,
    )  # fmt: skip


def sums(values_L: npt.NDArray[np.generic], lines_D1: Offsets) -> npt.NDArray[np.int64]:
    """Sum of the values of each document's lines."""
    running = offsets_of(values_L)
    return np.diff(running[lines_D1])


@lean_inline_kernel
def strip(planes_BK, start, stop):  # type: ignore[no-untyped-def]
    """(start, stop) of a text without the white space around it; equal where there is nothing else."""
    start = next_bit(planes_BK, bitmaps.SPACE, _FULL, start, stop)
    while stop > start and at_bit(planes_BK, bitmaps.SPACE, stop - 1):
        stop -= 1
    return start, stop


@lean_inline_kernel
def _last_is(planes_BK, plane, start, stop):  # type: ignore[no-untyped-def]
    """Whether the last character of start:stop is in a plane."""
    i = stop - 1
    while i > start and not at_bit(planes_BK, bitmaps.STARTS, i):
        i -= 1
    return at_bit(planes_BK, plane, i)


@lean_kernel
def _split_lines(  # type: ignore[no-untyped-def]
    data, offsets, planes_BK, lines_D1, hashes_L, characters_L, kinds_L,
    paragraphs_D1, hashes_P, characters_P, kinds_P, totals_D3,
):  # fmt: skip
    line = paragraph = 0
    base = offsets[0]
    for d in range(len(offsets) - 1):
        start, stop = offsets[d] - base, offsets[d + 1] - base
        inner, outer = strip(planes_BK, start, stop)
        total = all_feeds = 0
        paragraph_start, paragraph_characters = inner, 0
        i = start
        while i < stop:
            end = next_bit(planes_BK, bitmaps.FEED, _ZERO, i, stop)
            if end > i:
                characters = count(planes_BK, bitmaps.STARTS, i, end)
                hashes_L[line] = span_hash(data, base + i, base + end)
                characters_L[line] = characters
                blank = next_bit(planes_BK, bitmaps.SPACE, _FULL, i, end) == end
                ends = _last_is(planes_BK, bitmaps.TERMINAL, i, end)
                kinds_L[line] = (ENDS_SENTENCE if ends else 0) | (0 if blank else HAS_TEXT)
                line += 1
                total += characters
                first, last = max(i, inner), min(end, outer)
                if first == i and last == end:
                    paragraph_characters += characters
                elif first < last:
                    paragraph_characters += count(planes_BK, bitmaps.STARTS, first, last)
            i = end
            while i < stop and data[base + i] == _LF:
                i += 1
            all_feeds += i - end
            if end > inner and paragraph_start < outer:
                if i - end >= 2 or end >= outer:
                    hashes_P[paragraph] = span_hash(data, base + paragraph_start, base + min(end, outer))
                    characters_P[paragraph] = paragraph_characters
                    kinds_P[paragraph] = 0
                    paragraph += 1
                    paragraph_start, paragraph_characters = i, 0
                elif i - end == 1:
                    paragraph_characters += 1
        lines_D1[d + 1] = line
        paragraphs_D1[d + 1] = paragraph
        totals_D3[d, CHARACTERS] = total + all_feeds
        totals_D3[d, FEEDS] = all_feeds
        if stop > start:
            totals_D3[d, OUTER_FEEDS] = (data[base + start] == _LF) + (data[base + stop - 1] == _LF)


@lean_kernel
def _mark_repeated(pieces_D1, hashes_P, kinds_P, numbers, work):  # type: ignore[no-untyped-def]
    """Set `REPEATED` on every line (or paragraph) equal to an earlier one of its document."""
    for d in range(len(pieces_D1) - 1):
        begin, size = pieces_D1[d], pieces_D1[d + 1] - pieces_D1[d]
        different = number_equals(hashes_P[begin : begin + size], size, numbers, work)
        for k in range(size if different < size else 0):
            if numbers[k] >= 0 and first_of(work[0], numbers[k]) != k:
                kinds_P[begin + k] |= REPEATED
