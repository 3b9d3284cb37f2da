"""Jaccard index of sorted sets of 64-bit hashes.

A set is ``hashes[starts[i] : starts[i] + sizes[i]]``, ascending and distinct. J = common / (a + b - common), in
float64; two empty sets have J = 0. Price: about 2 ns an element of both sets.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import inline_kernel, kernel

Indices = npt.NDArray[np.int64]
Similarities = npt.NDArray[np.float64]


@inline_kernel
def jaccard(hashes, first_a, size_a, first_b, size_b):  # type: ignore[no-untyped-def]
    """Jaccard index of two sets, by one merge without unpredictable branches."""
    i, j, common = first_a, first_b, 0
    end_a, end_b = first_a + size_a, first_b + size_b
    while i < end_a and j < end_b:
        a = hashes[i]
        b = hashes[j]
        common += 1 if a == b else 0
        i += 1 if a <= b else 0
        j += 1 if b <= a else 0
    union = size_a + size_b - common
    return common / union if union > 0 else 0.0


def pair_similarities(
    hashes: npt.NDArray[np.uint64], starts: Indices, sizes: Indices, left: Indices, right: Indices
) -> Similarities:
    """J of every pair (left[p], right[p])."""
    out = np.empty(len(left), np.float64)
    _pair_similarities(hashes, starts, sizes, left, right, out)
    return out


@kernel
def _pair_similarities(hashes, starts, sizes, left, right, out):  # type: ignore[no-untyped-def]
    for pair in range(len(left)):
        a = left[pair]
        b = right[pair]
        out[pair] = jaccard(hashes, starts[a], sizes[a], starts[b], sizes[b])
