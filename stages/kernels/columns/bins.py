"""Fixed bins for histograms that can be added up: the same edges in every file, whatever is in it.

| column | bins |
|---|---|
| fractions, ratios, scores | exactly 0; 50 of 0.02 from 0 to 1; what is above 1 counts in the last |
| counts, bytes, sizes | 0 to 8 by one, then four to an octave (8, 10, 12, 14, 16, 20, ...) up to 2**40 |
| other numbers | exactly 0 (or less); below 1/16, then eight to an octave up to 2**20 |

Edges are exact binary fractions, so a value falls into the same bin on every machine (fractions: multiples of 0.02 as
float64). A bin holds its lower edge and not its upper one, except the last, which holds all that is above.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

FRACTIONS = ("fraction", "confidence", "similarity", "score", "probability", "ratio", "_per_word")

LEAST = 5e-324
"""The smallest number above 0: so that exact zeros have a bin of their own."""

Counts = npt.NDArray[np.int64]


def kind_of(column: str, *, integer: bool) -> str:
    """Which row of the table above a column belongs to."""
    if integer:
        return "counts"
    return "fractions" if column.endswith(FRACTIONS) else "numbers"


@lru_cache(maxsize=3)
def edges(kind: str) -> npt.NDArray[np.float64]:
    """Lower edges of all bins and the upper edge of the last."""
    if kind == "fractions":
        return np.array([0.0, LEAST, *(np.arange(1, 51) / 50)])
    if kind == "counts":
        octaves = [[2.0**e * (1 + q / 4) for q in range(4)] for e in range(3, 40)]
        return np.array([*range(8), *(edge for octave in octaves for edge in octave), 2.0**40])
    octaves = [[2.0**e * (1 + q / 8) for q in range(8)] for e in range(-4, 20)]
    return np.array([0.0, LEAST, *(edge for octave in octaves for edge in octave), 2.0**20])


def count(kind: str, values: npt.NDArray[np.float64]) -> Counts:
    """How many values fall into each bin; NaN must be taken out before."""
    bounds = edges(kind)
    found = np.searchsorted(bounds, values, side="right") - 1
    return np.bincount(np.clip(found, 0, len(bounds) - 2), minlength=len(bounds) - 1).astype(np.int64)


def packed(counts: Counts) -> dict[str, Any]:
    """Without the zeros at both ends, for JSON."""
    used = np.flatnonzero(counts)
    if not len(used):
        return {"first": 0, "counts": []}
    return {"first": int(used[0]), "counts": counts[used[0] : used[-1] + 1].tolist()}


def unpacked(kind: str, found: dict[str, Any]) -> Counts:
    counts = np.zeros(len(edges(kind)) - 1, np.int64)
    counts[found["first"] : found["first"] + len(found["counts"])] = found["counts"]
    return counts
