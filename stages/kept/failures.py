"""Every rule that a page failed: the column ``failed`` of `kept`, lists of names in the order of the reasons.

In memory rules are numbers, places in the list of active rules, of which there may be any number. Earlier versions of
`kept` wrote a set of 64 bits instead, whose bit i is the i-th of ``rules`` of the file's report; `names_of` reads both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages import schemas

TYPE = schemas.KEPT.field("failed").type


class Failures(NamedTuple):
    """Pages and the rules they fail, a pair each: ``rows`` and ``rules`` (places in the list of active rules).

    Sorted by row, then by rule; ``counts``: of every page, how many rules it fails.
    """

    rows: npt.NDArray[np.int64]
    rules: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    def column(self, names: Sequence[str]) -> pa.ListArray:
        """The column ``failed``."""
        offsets = np.concatenate(([0], np.cumsum(self.counts))).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array(names, pa.string()).take(pa.array(self.rules)), type=TYPE)

    def of(self, rule: int) -> npt.NDArray[np.int64]:
        """Rows of the pages that fail a rule, rising."""
        found: npt.NDArray[np.int64] = self.rows[self.rules == rule]
        return found


def gather(failing: Sequence[npt.NDArray[np.int64]], num_rows: int) -> Failures:
    """``failing``: of each rule the rows that fail it, rising."""
    rows = np.concatenate([np.zeros(0, np.int64), *failing])
    rules = np.repeat(np.arange(len(failing)), [len(own) for own in failing])
    order = np.argsort(rows, kind="stable")
    return Failures(rows[order], rules[order], np.bincount(rows, minlength=num_rows).astype(np.int64))


def read(column: pa.ChunkedArray, names: Sequence[str]) -> Failures:
    """The column ``failed`` as numbers; ``names``: the rules it may hold."""
    lists = column.combine_chunks()
    counts = lists.value_lengths().to_numpy().astype(np.int64)
    rules = pc.index_in(lists.flatten(), pa.array(names, pa.string())).to_numpy().astype(np.int64)
    return Failures(np.repeat(np.arange(len(counts)), counts), rules, counts)


def names_of(failed: Sequence[str] | int, names: Sequence[str]) -> list[str]:
    """The rules that one page failed, from its value of ``failed``; ``names``: ``rules`` of the file's report."""
    if isinstance(failed, int):
        return [name for bit, name in enumerate(names) if failed >> bit & 1]
    return list(failed)
