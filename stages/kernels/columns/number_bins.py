"""Numbers in order, for counts that add up: float64 as whole numbers that rise with them, and bins of those.

A bin is the first 28 bits of a float64 (sign, exponent, 16 bits of fraction): one part in 65,536 wide, whatever the
size of the numbers; larger numbers have larger bins. The two zeros are one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_DROPPED_BITS = 36
_MAGNITUDE = np.int64(0x7FFFFFFFFFFFFFFF)
Ints = npt.NDArray[np.int64]


def orders(values: npt.NDArray[np.float64]) -> Ints:
    """A whole number for each number: larger ones have larger ones, and neighbours differ by 1."""
    bits = (values + 0.0).view(np.int64)  # of the two zeros one
    return np.where(bits < 0, bits ^ _MAGNITUDE, bits)


def numbers_of_orders(places: Ints) -> npt.NDArray[np.float64]:
    """The number of each order."""
    return np.where(places < 0, places ^ _MAGNITUDE, places).view(np.float64)


def bins_of_orders(places: Ints) -> Ints:
    """The bin of each order."""
    return places >> _DROPPED_BITS


def first_orders(bins: Ints) -> Ints:
    """The smallest order of each bin."""
    return bins << _DROPPED_BITS


def bins(values: npt.NDArray[np.float64]) -> Ints:
    """The bin of each number."""
    return bins_of_orders(orders(values))
