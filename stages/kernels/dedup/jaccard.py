"""Jaccard index of sorted sets of 64-bit hashes.

A set is ``hashes[starts[i] : starts[i] + sizes[i]]``, ascending and distinct. J = common / (a + b - common), in
float64; two empty sets have J = 0. Price: about 2 ns an element of both sets.

Where the text of one side is not at hand (`signed`), the share of equal minima stands in for J, less a ``margin`` of
two standard errors: a bound that the true index stays above in 98 of 100 cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import read_only
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


@dataclass(frozen=True)
class ShingleSets:
    """The sets of V texts, and of those without text their minima.

    ``signed_V`` is true where only the signature is known; ``minima_VK`` (zero columns if nobody is signed) then
    holds everybody's minima.
    """

    hashes: npt.NDArray[np.uint64]
    starts: Indices
    sizes: Indices
    signed: npt.NDArray[np.bool_]
    minima: npt.NDArray[np.uint32]
    margin: float

    @classmethod
    def of(cls, hashes: npt.NDArray[np.uint64], starts: Indices, sizes: Indices) -> ShingleSets:
        """Sets of texts that are all at hand."""
        none = np.zeros((len(starts), 0), np.uint32)
        return cls(hashes, starts, sizes, np.zeros(len(starts), np.bool_), none, 0.0)

    def arrays(self) -> tuple[Any, ...]:
        """What kernels take, in order."""
        return read_only(self.hashes), self.starts, self.sizes, self.signed, self.minima, self.margin


def pair_similarities(sets: ShingleSets, left: Indices, right: Indices) -> Similarities:
    """J of every pair (left[p], right[p])."""
    out = np.empty(len(left), np.float64)
    _pair_similarities(*sets.arrays(), left, right, out)
    return out


@inline_kernel
def similarity_of(hashes, starts, sizes, signed, minima, margin, a, b):  # type: ignore[no-untyped-def]
    """J of two texts, or its lower bound where one is signed."""
    if signed[a] or signed[b]:
        equal = 0
        for k in range(minima.shape[1]):
            equal += 1 if minima[a, k] == minima[b, k] else 0
        return max(0.0, equal / minima.shape[1] - margin)
    return jaccard(hashes, starts[a], sizes[a], starts[b], sizes[b])


@kernel
def _pair_similarities(hashes, starts, sizes, signed, minima, margin, left, right, out):  # type: ignore[no-untyped-def]
    for pair in range(len(left)):
        out[pair] = similarity_of(hashes, starts, sizes, signed, minima, margin, left[pair], right[pair])
