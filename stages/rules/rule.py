"""A rule: a measured column, the side on which it fails, and the published threshold.

A rule's name is the reason given for a drop. It fails where the column is below ``threshold`` (``side="min"``) or above
it (``side="max"``); equality passes, and so does null (nothing was there to measure).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.rules.names import LONG_WORDED, UNMARKED, UNSPACED


@dataclass(frozen=True)
class Rule:
    """One published rule.

    Attributes:
        spaced: it says something of words between spaces alone, so that it is off, unless a setting says otherwise, for
            pages in languages written without them.
        marked: it says something of marks behind sentences alone, and is off for languages that many write without.
        short_worded: its limit is that of languages with short words, and is off for those whose ordinary words are
            longer.
    """

    name: str
    column: str
    side: Literal["min", "max"]
    threshold: float
    spaced: bool = False
    marked: bool = False
    short_worded: bool = False

    @property
    def exempt(self) -> frozenset[str]:
        """Languages for whose pages it is off unless a setting says otherwise."""
        sets = ((self.spaced, UNSPACED), (self.marked, UNMARKED), (self.short_worded, LONG_WORDED))
        return frozenset().union(*(languages for off, languages in sets if off))


def fractions(numerator: npt.NDArray[np.int64], denominator: npt.NDArray[np.int64]) -> pa.Array:
    """float64 quotients, null where the denominator is 0."""
    undefined = denominator == 0
    return pa.array(numerator / np.where(undefined, 1, denominator), pa.float64(), mask=undefined)


def as_stored(limits: npt.ArrayLike, kind: pa.DataType) -> npt.NDArray[np.float64]:
    """Limits in the precision of the column they are compared with.

    So a value written like its limit is equal to it: a column of float32 holds .8 as .800000012, which lies above .8,
    and .9 as .899999976, which lies below .9.
    """
    written = np.asarray(limits, np.float64)
    with np.errstate(over="ignore"):  # a limit beyond all of float32 is none
        return written.astype(np.float32).astype(np.float64) if pa.types.is_float32(kind) else written
