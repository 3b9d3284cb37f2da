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
    data: Bytes,
    offsets: Offsets,
    planes_BK: Planes | None = None,
    unspaced_D: npt.NDArray[np.bool_] | None = None,
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
    bounds_2 = np.empty((len(spaced_V2) + len(cut_W2), 2), np.int32)
    _merge(spaced_D1, spaced_V2, cut_D1, cut_W2, bounds_2)
    return measure_words(data, offsets, planes_BK, spaced_D1 + cut_D1, bounds_2)


@lean_kernel
def _merge(spaced_D1, spaced_V2, cut_D1, cut_W2, bounds_2):  # type: ignore[no-untyped-def]
    """The bounds of both, document by document: none has words of both kinds."""
    for d in range(len(spaced_D1) - 1):
        first = spaced_D1[d] + cut_D1[d]
        for v in range(spaced_D1[d], spaced_D1[d + 1]):
            bounds_2[first + v - spaced_D1[d], 0] = spaced_V2[v, 0]
            bounds_2[first + v - spaced_D1[d], 1] = spaced_V2[v, 1]
        for w in range(cut_D1[d], cut_D1[d + 1]):
            bounds_2[first + w - cut_D1[d], 0] = cut_W2[w, 0]
            bounds_2[first + w - cut_D1[d], 1] = cut_W2[w, 1]
