"""Bins of numbers for counts that add up: the first 28 bits of a float64 (sign, exponent, 16 bits of fraction).

A bin is one part in 65,536 wide, whatever the size of the numbers; larger numbers have larger bins. The two zeros are
one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_DROPPED_BITS = 36
_MAGNITUDE = np.int64(0x7FFFFFFFFFFFFFFF)


def bins(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The bin of each number; larger numbers have larger bins."""
    bits = (values + 0.0).view(np.int64)  # of the two zeros one
    return np.where(bits < 0, bits ^ _MAGNITUDE, bits) >> _DROPPED_BITS


def lower_ends(places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The smallest number of each bin."""
    bits = places << _DROPPED_BITS
    return np.where(bits < 0, bits ^ _MAGNITUDE, bits).view(np.float64)
