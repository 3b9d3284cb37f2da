"""Lines (cut at line feeds) and paragraphs (cut at two or more) of many texts, as ragged arrays of hashes.

Legend: N bytes of data, D documents, L lines, P paragraphs. lines_D1 int64, hashes_L uint64, characters_L int64,
kinds_L uint8; the same for P without kinds; totals_D3 int64.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels import unicode
from stages.kernels.equals import FIRST_MASK, number_equals, work_space
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.ragged import Bytes, Offsets
from stages.kernels.words import finish_hash

HAS_TEXT = 1  # a character that is no white space
ENDS_SENTENCE = 2  # the last character is a terminal mark
REPEATED = 4  # equal to an earlier line of the document

CHARACTERS, FEEDS, OUTER_FEEDS = range(3)
"""Columns of ``totals_D3``: characters of the text, line feeds in it, and 0 to 2 for a line feed first and last."""

_SPACE = unicode.SPACE
_TERMINAL = unicode.TERMINAL
_SEED = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0x00000100000001B3)
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


def split_lines(data: Bytes, offsets: Offsets) -> Lines:
    """Lines of the text as it is, paragraphs of the text without white space around it."""
    num_documents = len(offsets) - 1
    most = int(offsets[-1] - offsets[0]) // 2 + num_documents
    lines_D1, paragraphs_D1 = np.zeros(num_documents + 1, np.int64), np.zeros(num_documents + 1, np.int64)
    hashes_L, hashes_P = np.empty(most, np.uint64), np.empty(most, np.uint64)
    characters_L, characters_P = np.empty(most, np.int64), np.empty(most, np.int64)
    kinds_L, kinds_P = np.empty(most, np.uint8), np.zeros(most, np.uint8)
    totals_D3 = np.zeros((num_documents, 3), np.int64)
    _split_lines(
        data, offsets, unicode.classes(), lines_D1, hashes_L, characters_L, kinds_L,
        paragraphs_D1, hashes_P, characters_P, kinds_P, totals_D3,
    )  # fmt: skip
    for pieces_D1, hashes, kinds in ((lines_D1, hashes_L, kinds_L), (paragraphs_D1, hashes_P, kinds_P)):
        size = int(np.diff(pieces_D1).max(initial=0))
        _mark_repeated(pieces_D1, hashes, kinds, np.empty(size, np.int64), work_space(size))
    num_lines, num_paragraphs = lines_D1[-1], paragraphs_D1[-1]
    return Lines(
        lines_D1, characters_L[:num_lines], kinds_L[:num_lines],
        paragraphs_D1, characters_P[:num_paragraphs], kinds_P[:num_paragraphs], totals_D3,
    )  # fmt: skip


def sums(values_L: npt.NDArray[np.generic], lines_D1: Offsets) -> npt.NDArray[np.int64]:
    """Sum of the values of each document's lines."""
    running = np.zeros(len(values_L) + 1, np.int64)
    np.cumsum(values_L, out=running[1:])
    return np.diff(running[lines_D1])


@lean_inline_kernel
def strip(data, start, stop, classes):  # type: ignore[no-untyped-def]
    """(start, stop) of a text without the white space around it; equal where there is nothing else."""
    while start < stop:
        cp, i = unicode.code_point(data, start, stop)
        if not classes[cp] & _SPACE:
            break
        start = i
    while start < stop:
        i = stop - 1
        while i > start and data[i] & 0xC0 == 0x80:
            i -= 1
        cp, end = unicode.code_point(data, i, stop)
        if end != stop or not classes[cp] & _SPACE:  # end != stop: not valid UTF-8, so no white space either
            break
        stop = i
    return start, stop


@lean_inline_kernel
def last_flags(data, start, stop, classes):  # type: ignore[no-untyped-def]
    """Flags of the last character of start:stop, which is not empty."""
    i = stop - 1
    while i > start and data[i] & 0xC0 == 0x80:
        i -= 1
    cp, _ = unicode.code_point(data, i, stop)
    return classes[cp]


@lean_inline_kernel
def _line_kind(data, start, stop, classes):  # type: ignore[no-untyped-def]
    kind = ENDS_SENTENCE if last_flags(data, start, stop, classes) & _TERMINAL else 0
    i = start
    while i < stop:
        cp, i = unicode.code_point(data, i, stop)
        if not classes[cp] & _SPACE:
            return kind | HAS_TEXT
    return kind


@lean_kernel
def _split_lines(  # type: ignore[no-untyped-def]
    data, offsets, classes, lines_D1, hashes_L, characters_L, kinds_L,
    paragraphs_D1, hashes_P, characters_P, kinds_P, totals_D3,
):  # fmt: skip
    line = paragraph = 0
    for d in range(len(offsets) - 1):
        start, stop = offsets[d], offsets[d + 1]
        inner, outer = strip(data, start, stop, classes)
        h, g = _SEED, _SEED
        in_line = in_paragraph = total = all_feeds = 0
        feeds = 0  # line feeds since the last other character
        line_start = start
        for i in range(start, stop + 1):
            b = np.int64(data[i]) if i < stop else _LF
            if b == _LF:
                if i > start and feeds == 0:
                    hashes_L[line] = finish_hash(h)
                    characters_L[line] = in_line
                    kinds_L[line] = _line_kind(data, line_start, i, classes)
                    line += 1
                    total += in_line
                    h, in_line = _SEED, 0
                feeds += 1
                if i < stop:
                    all_feeds += 1
                continue
            if feeds:
                line_start = i
                if inner < i < outer and in_paragraph:
                    if feeds >= 2:
                        hashes_P[paragraph] = finish_hash(g)
                        characters_P[paragraph] = in_paragraph
                        paragraph += 1
                        g, in_paragraph = _SEED, 0
                    else:
                        g = (g ^ np.uint64(_LF)) * _PRIME
                        in_paragraph += 1
                feeds = 0
            character = 1 if b & 0xC0 != 0x80 else 0
            h = (h ^ np.uint64(b)) * _PRIME
            in_line += character
            if inner <= i < outer:
                g = (g ^ np.uint64(b)) * _PRIME
                in_paragraph += character
        if in_paragraph:
            hashes_P[paragraph] = finish_hash(g)
            characters_P[paragraph] = in_paragraph
            paragraph += 1
        lines_D1[d + 1] = line
        paragraphs_D1[d + 1] = paragraph
        totals_D3[d, CHARACTERS] = total + all_feeds
        totals_D3[d, FEEDS] = all_feeds
        if stop > start:
            totals_D3[d, OUTER_FEEDS] = (data[start] == _LF) + (data[stop - 1] == _LF)


@lean_kernel
def _mark_repeated(pieces_D1, hashes_P, kinds_P, numbers, work):  # type: ignore[no-untyped-def]
    """Set `REPEATED` on every line (or paragraph) equal to an earlier one of its document."""
    for d in range(len(pieces_D1) - 1):
        begin, size = pieces_D1[d], pieces_D1[d + 1] - pieces_D1[d]
        number_equals(hashes_P[begin : begin + size], size, numbers, work)
        for k in range(size):
            if numbers[k] & FIRST_MASK < k:
                kinds_P[begin + k] |= REPEATED
