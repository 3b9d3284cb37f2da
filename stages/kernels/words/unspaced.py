"""Words of scripts that are written without spaces between them: how runs of Han, kana, Thai, Lao, ... are cut.

There is no dictionary, and no asking for the page's language: pages mix scripts, so each run goes by its own.

| script | a word is |
|---|---|
| Han, Hiragana | two characters, the last of a run one or two |
| Katakana | the run |
| Thai, Lao | four letters with their marks |
| Khmer, Burmese | two syllables: a letter, the letters stacked under it or silenced behind it, their marks |
| Tibetan | a syllable with its tsheg |

A run of other letters beside one of these is a word of its own; marks, the long vowel mark and Latin apostrophes stay
with what stands before them. The numbers are those that come nearest to the reference's dictionaries (jieba, SudachiPy,
PyThaiNLP) in words a page, characters a word and repetition: `docs/decisions/quality.md`. For the last five scripts the
reference has no pages, or no others than Thai; theirs are chosen by analogy.

Legend: N bytes of data, D documents, W words before, V after. words_D1, bounds_W2: `stages.kernels.words.words`;
groups: uint8 a code point; planes_BK: `stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_kernel
from stages.kernels.unicode import bitmaps, characters
from stages.kernels.unicode.bitmaps import Planes, find_planes, next_bit

SPACED, HAN, HIRAGANA, KATAKANA, THAI, LAO, KHMER, BURMESE, TIBETAN, EXTENDS, STACKS, SILENCES, ENDS = range(13)
"""Role of a code point: a letter of a script (`SPACED`: of any other, or no letter), is part of the word before it,
joins the next letter to it, silences the letter before it, ends the syllable."""

SCRIPTS = ("Hani", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
_RUN = 1 << 30
SIZES = np.array([_RUN, 2, 2, _RUN, 4, 4, 2, 2, _RUN], np.int64)
"""Letters a word."""
EXTENDING = (0x27, 0x2019, 0x30FC, 0xFF70, 0xFF9E, 0xFF9F)
STACKING = (0x1039, 0x17D2)
SILENCING = (0x103A,)
ENDING = (0x0F0B, 0x0F0C)


@cache
def groups() -> npt.NDArray[np.uint8]:
    """uint8 per code point."""
    table = np.zeros(characters.NUM_CODE_POINTS, np.uint8)
    letters = characters.classes() & characters.ALPHA != 0
    for k, name in enumerate(SCRIPTS):
        table[letters & (characters.scripts() == characters.script_names().index(name))] = k + 1
    table[characters.classes() & characters.MARK != 0] = EXTENDS
    for code_points, group in ((EXTENDING, EXTENDS), (STACKING, STACKS), (SILENCING, SILENCES), (ENDING, ENDS)):
        table[list(code_points)] = group
    table.flags.writeable = False
    return table


def mostly_unspaced(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> npt.NDArray[np.bool_]:
    """Which documents have more letters of these scripts than of others."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    chosen_D = np.zeros(len(offsets) - 1, np.bool_)
    _mostly_unspaced(data, offsets, planes_BK, groups(), chosen_D)
    return chosen_D


@lean_kernel
def _mostly_unspaced(data, offsets, planes_BK, groups, chosen_D):  # type: ignore[no-untyped-def]
    for d in range(len(chosen_D)):
        first, stop = offsets[d] - offsets[0], offsets[d + 1] - offsets[0]
        letters = bitmaps.count(planes_BK, bitmaps.ALPHA, first, stop)
        ours = 0
        if 2 * bitmaps.count(planes_BK, bitmaps.UNSPACED, first, stop) > letters:  # which has marks, too
            i = next_bit(planes_BK, bitmaps.UNSPACED, np.uint64(0), first, stop)
            while i < stop:
                cp, behind = characters.code_point(data, offsets[0] + i, offsets[0] + stop)
                here = np.int64(groups[cp])
                ours += here > SPACED and here < EXTENDS
                i = next_bit(planes_BK, bitmaps.UNSPACED, np.uint64(0), behind - offsets[0], stop)
        chosen_D[d] = 2 * ours > letters


def cut_unspaced(
    data: Bytes, offsets: Offsets, planes_BK: Planes, words_D1: Offsets, bounds_W2: npt.NDArray[np.int32]
) -> tuple[Offsets, npt.NDArray[np.int32]]:
    """(words_D1, bounds_V2) with the words that have letters of these scripts cut."""
    cut_D1 = np.zeros_like(words_D1)
    bounds = np.empty(2 * int(offsets[-1] - offsets[0]) + 2, np.int32)
    num_words = _cut(data, offsets[0], planes_BK, groups(), SIZES, words_D1, bounds_W2, cut_D1, bounds)
    return cut_D1, bounds[: 2 * num_words].reshape(-1, 2)


@lean_kernel
def _cut(data, base, planes_BK, groups, sizes, words_D1, bounds_W2, cut_D1, bounds):  # type: ignore[no-untyped-def]
    n = 0
    for d in range(len(words_D1) - 1):
        for w in range(words_D1[d], words_D1[d + 1]):
            first, stop = bounds_W2[w, 0], bounds_W2[w, 1]
            i = next_bit(planes_BK, bitmaps.UNSPACED, np.uint64(0), first, stop)
            if i < stop:
                i = first
                group, letters = np.int64(-1), np.int64(0)
                joins = ends = False
                while i < stop:
                    cp, behind = characters.code_point(data, base + i, base + stop)
                    here = np.int64(groups[cp])
                    if here < EXTENDS:
                        silent = False
                        if group == BURMESE and here == BURMESE and behind < base + stop:
                            cp, _ = characters.code_point(data, behind, base + stop)
                            silent = groups[cp] == SILENCES
                        if not joins and not silent:
                            if (here != group or ends or letters >= sizes[group]) and i > first:
                                bounds[2 * n], bounds[2 * n + 1] = first, i
                                n += 1
                                first, letters = i, 0
                            letters += 1
                        group = here
                    ends = here == ENDS
                    joins = here == STACKS
                    i = behind - base
            bounds[2 * n], bounds[2 * n + 1] = first, stop
            n += 1
        cut_D1[d + 1] = n
    return n
