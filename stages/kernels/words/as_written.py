"""Words by script on pages most of whose letters are of scripts without spaces, by white space on others: `as_written`.

Legend: D documents, V and W words of the two kinds; the others: `stages.kernels.words.words`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_kernel
from stages.kernels.unicode.bitmaps import Planes, find_planes
from stages.kernels.words.spacy_words import script_bounds
from stages.kernels.words.unspaced import mostly_unspaced
from stages.kernels.words.words import Words, measure_words, split_words, word_bounds


def split_as_written(
    data: Bytes, offsets: Offsets, planes_BK: Planes | None = None, unspaced_D: npt.NDArray[np.bool_] | None = None
) -> Words:
    """Words of every document of (data, offsets); ``unspaced_D``: `mostly_unspaced` of them."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    if unspaced_D is None:
        unspaced_D = mostly_unspaced(data, offsets, planes_BK)
    if not unspaced_D.any():
        return split_words(data, offsets, planes_BK)
    spaced_D1, spaced_V2 = word_bounds(offsets, planes_BK, ~unspaced_D)
    cut_D1, cut_W2 = script_bounds(data, offsets, planes_BK, unspaced_D)
    words_D1 = spaced_D1 + cut_D1
    bounds = np.empty(2 * words_D1[-1], np.int32)
    for some_D1, some_V2 in ((spaced_D1, spaced_V2), (cut_D1, cut_W2)):
        _move(some_D1, some_V2.reshape(-1), words_D1, bounds)
    return measure_words(data, offsets, planes_BK, words_D1, bounds.reshape(-1, 2))


@lean_kernel
def _move(some_D1, some, words_D1, bounds):  # type: ignore[no-untyped-def]
    """Put the bounds of each document where it has its words: none has words of both kinds."""
    for d in range(len(some_D1) - 1):
        ours = some[2 * some_D1[d] : 2 * some_D1[d + 1]]
        there = bounds[2 * words_D1[d] :]
        for k in range(len(ours)):
            there[k] = ours[k]
