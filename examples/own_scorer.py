"""A score of your own: a function from a column of texts to one number a text.

Any function of a module beside the mixture file will do: it gets the texts of a batch (`large_string`) and the
parameters that the mixture file gives, and returns as many numbers, in order; NaN or null where there is nothing to
say. It runs once for every page; `kept`, domains and the report then use the column ``NAME_score``.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def compression(texts: pa.LargeStringArray, level: int = 1) -> npt.NDArray[np.float64]:
    """Bytes of a text over its bytes when compressed: high where it repeats itself, near 1 where nothing recurs."""
    pages = [text.as_py().encode() for text in texts]
    return np.array([len(page) / len(zlib.compress(page, level)) if page else np.nan for page in pages])
