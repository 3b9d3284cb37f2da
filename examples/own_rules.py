"""Quality rules of your own: functions from texts to numbers, and the limits beyond which a page is dropped.

``RULES`` is what a mixture file names. Each rule has the name of its reason, a column of `quality` for its number, the
function that measures it, and the published way to fail: above ``max`` or below ``min``. A function gets the texts of a
batch (`large_string`) and returns as many numbers, in order; NaN where there is nothing to say, which drops nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def capital_fraction(texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
    """Capitals among the letters of each text."""
    capitals = np.asarray(pc.count_substring_regex(texts, r"\p{Lu}"), np.float64)
    letters = np.asarray(pc.count_substring_regex(texts, r"\p{L}"), np.float64)
    return np.divide(capitals, letters, out=np.full(len(texts), np.nan), where=letters > 0)


def links_per_line(texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
    """Addresses written out, for each line."""
    lines = np.asarray(pc.count_substring(texts, "\n"), np.float64) + 1
    return np.asarray(pc.count_substring(texts, "://"), np.float64) / lines


RULES = [
    {"name": "too_much_shouting", "column": "capital_fraction", "measure": capital_fraction, "max": 0.3},
    {"name": "too_many_links", "column": "links_per_line", "measure": links_per_line, "max": 0.5},
]
