"""Sentences by their marks alone, as MADLAD-400's rules take them: places, sizes, capitals and technical characters.

A sentence ends behind a run of ``.``, ``!`` and ``?`` that white space follows, and where the text ends; one of nothing
but white space is none. Its words are runs of letters, digits, combining marks and ``_``, an apostrophe between two of
them included.

One pass over the bytes with the planes of `bitmaps`. Legend: N bytes of data, D documents, S sentences. starts_S,
stops_S int64 (bytes of data); numbers_S4 int64; planes_BK: `stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import bitmaps
from stages.kernels.unicode.bitmaps import Planes, find_planes

CHARACTERS, TECHNICAL, WORDS, CAPITALISED = range(4)
"""Columns of ``numbers_S4``: characters, those of ``0-9{}+/()>``, words, words whose first character is a capital."""
_ONE = np.uint64(1)
_LOW = np.uint64(63)


def _technical() -> npt.NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[list(b"0123456789{}+/()>")] = 1
    return table


_TECHNICAL = _technical()


class Sentences(NamedTuple):
    """Those of document d are ``sentences_D1[d]:sentences_D1[d + 1]``, the marks at their end included."""

    sentences_D1: Offsets
    starts_S: npt.NDArray[np.int64]
    stops_S: npt.NDArray[np.int64]
    numbers_S4: npt.NDArray[np.int64]


def mark_sentences(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> Sentences:
    """Sentences of every document of (data, offsets)."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    most = int(offsets[-1] - offsets[0]) // 2 + len(offsets)
    sentences_D1 = np.zeros(len(offsets), np.int64)
    starts_S, stops_S = np.empty(most, np.int64), np.empty(most, np.int64)
    numbers_S4 = np.empty((most, 4), np.int64)
    count = _sentences(data, offsets, planes_BK, _TECHNICAL, sentences_D1, starts_S, stops_S, numbers_S4)
    return Sentences(sentences_D1, starts_S[:count], stops_S[:count], numbers_S4[:count])


@lean_inline_kernel
def _is(planes_BK, plane, at):  # type: ignore[no-untyped-def]
    return planes_BK[at >> 6, plane] >> (np.uint64(at) & _LOW) & _ONE != 0


@lean_inline_kernel
def _is_mark(byte):  # type: ignore[no-untyped-def]
    return byte == 46 or byte == 33 or byte == 63


@lean_inline_kernel
def _joins(data, planes_BK, base, at, stop):  # type: ignore[no-untyped-def]
    """Whether an apostrophe stands here that a word goes on behind."""
    if data[base + at] == 39:
        return at + 1 < stop and _is(planes_BK, bitmaps.WORD, at + 1)
    curly = data[base + at] == 0xE2 and at + 3 < stop and data[base + at + 1] == 0x80 and data[base + at + 2] == 0x99
    return curly and _is(planes_BK, bitmaps.WORD, at + 3)


@lean_kernel
def _sentences(  # type: ignore[no-untyped-def]
    data, offsets, planes_BK, technical, sentences_D1, starts_S, stops_S, numbers_S4
):
    s = 0
    base = offsets[0]
    for d in range(len(offsets) - 1):
        at, stop = offsets[d] - base, offsets[d + 1] - base
        while at < stop:
            while at < stop and _is(planes_BK, bitmaps.SPACE, at):
                at += 1
            if at == stop:
                break
            starts_S[s] = base + at
            characters = special = words = capitals = 0
            inside = False
            last = at  # behind the last character that is no white space
            while at < stop:
                if not _is(planes_BK, bitmaps.STARTS, at):
                    at += 1
                    last = last if _is(planes_BK, bitmaps.SPACE, at - 1) else at
                    continue
                characters += 1
                byte = data[base + at]
                special += technical[byte]
                if _is(planes_BK, bitmaps.WORD, at):
                    if not inside:
                        words += 1
                        capitals += _is(planes_BK, bitmaps.UPPER, at)
                    inside = True
                elif not (inside and _joins(data, planes_BK, base, at, stop)):
                    inside = False
                if not _is(planes_BK, bitmaps.SPACE, at):
                    last = at + 1
                at += 1
                if _is_mark(byte):
                    while at < stop and _is_mark(data[base + at]):
                        at += 1
                        characters += 1
                    last = at
                    if at < stop and _is(planes_BK, bitmaps.SPACE, at):
                        break
            stops_S[s] = base + last
            numbers_S4[s, CHARACTERS] = characters
            numbers_S4[s, TECHNICAL] = special
            numbers_S4[s, WORDS] = words
            numbers_S4[s, CAPITALISED] = capitals
            s += 1
        sentences_D1[d + 1] = s
    return s
