"""Which lists hold a phrase, and how a phrase found is counted for them.

Legend: D documents, L lists, P phrases.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel


class Holders(NamedTuple):
    """The lists of every phrase, those first that count each place where it stands."""

    lists_P1: npt.NDArray[np.int64]
    """Where the lists of a phrase begin in ``list_of``."""
    once_P: npt.NDArray[np.int64]
    """Where, among them, those begin that count a phrase once a document."""
    list_of: npt.NDArray[np.int64]


def holders(numbers: Collection[Collection[int]], once: int) -> Holders:
    """Of the numbers of lists that hold each phrase; those below ``once`` count it once a document."""
    ordered = [sorted(set(held), key=lambda number: (number < once, number)) for held in numbers]
    ends = np.cumsum([0, *map(len, ordered)], dtype=np.int64)
    every = np.array([sum(number >= once for number in held) for held in ordered], np.int64)
    return Holders(ends, ends[:-1] + every, np.array([number for held in ordered for number in held], np.int64))


@lean_inline_kernel
def count_phrase(phrase, d, lists_P1, once_P, list_of, seen_P, counts_DL):  # type: ignore[no-untyped-def]
    """One place more in document d; ``seen_P`` has the last document of each phrase."""
    last = lists_P1[phrase + 1] if seen_P[phrase] != d else once_P[phrase]
    seen_P[phrase] = d
    for at in range(lists_P1[phrase], last):
        counts_DL[d, list_of[at]] += 1
