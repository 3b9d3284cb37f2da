"""Pages that repeat the whole text of another page byte for byte, found over all splits.

For what is counted by pages: each text counts once, or thirty addresses of one article make all that stands in it
common. `write_texts` (a group of splits) writes (hash_hi, hash_lo, place) of pages, by range of hashes; `find_copies`
(a range) writes back to each group the places of its pages that are not the first of their text. ``place`` is the
number of a page among those of all splits. Pages of one text are alike in all that is counted, so which is the first
decides nothing. Price: 24 bytes of exchange a page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.contract import Store
from stages.exchange_file import Columns, concatenate, partition_of, read_partition, write_partitioned

PAGE_BYTES = 128
"""Bytes of memory a page costs while copies of texts are found: hashes, place, sort order, copies of these."""


def texts_of(text_hash: pa.ChunkedArray, places: npt.NDArray[np.int64], salts: Any = 0) -> Columns:
    """Records of pages: the two halves of the texts' hashes (16 bytes each), and places; ``salts`` part scopes."""
    hashes = np.frombuffer(b"".join(text_hash.to_pylist()), ">u8").reshape(-1, 2)
    hash_hi, hash_lo = (hashes[:, side].astype(np.uint64) for side in range(2))
    return {"hash_hi": hash_hi ^ np.uint64(salts), "hash_lo": hash_lo, "place": places}


def write_texts(store: Store, output: str, parts: list[Columns], ranges: int) -> dict[str, Any]:
    """The records of a group of splits."""
    records = concatenate(parts)
    write_partitioned(store, output, records, partition_of(records["hash_hi"], ranges), ranges)
    return {"pages": len(records["place"])}


def find_copies(store: Store, *, inputs: list[str], partition: int, output: str) -> dict[str, Any]:
    """Of the pages of one range of hashes those that are not the first of their text, for every group its own."""
    parts = [read_partition(store, address, partition) for address in inputs]
    groups = np.repeat(np.arange(len(parts)), [len(part["place"]) for part in parts])
    records = concatenate(parts)
    order = np.lexsort((records["place"], records["hash_lo"], records["hash_hi"]))
    high, low = records["hash_hi"][order], records["hash_lo"][order]
    copies = order[1:][(high[1:] == high[:-1]) & (low[1:] == low[:-1])]
    write_partitioned(store, output, {"place": records["place"][copies]}, groups[copies], len(parts))
    return {"copies": len(copies)}


def counted(copies_sorted: npt.NDArray[np.int64], first: int, rows: int) -> npt.NDArray[np.bool_]:
    """A mask of the pages of a split that count; ``copies_sorted``: places of copies, ascending."""
    start, stop = np.searchsorted(copies_sorted, [first, first + rows])
    mask = np.ones(rows, np.bool_)
    mask[copies_sorted[start:stop] - first] = False
    return mask
