"""Pages that repeat the whole text of another page byte for byte, found over all splits.

For what is counted by pages: each text counts once, or thirty addresses of one article make all that stands in it
common. `write_texts` (a group of splits) writes (hash_hi, hash_lo, place) of the first page of every text of the group,
by range of hashes, and of its other pages in partition 0; `find_copies` (a range) writes back to each group the places
of its pages that repeat those of another group; `copies_of` reads both. So a text of half of all pages is one record a
group: no range is larger for it. ``place`` is the number of a page among those of all splits. Pages of one text are
alike in all that is counted, so which is the first decides nothing. Price: 24 bytes of exchange a page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.contract import Store
from stages.exchange_file import Array, Columns, concatenate, partition_of, read_all, read_partition, write_partitioned

PAGE_BYTES = 128
"""Bytes of memory a page costs while copies of texts are found: hashes, place, sort order, copies of these."""


def texts_of(text_hash: pa.ChunkedArray, places: npt.NDArray[np.int64], salts: Any = 0) -> Columns:
    """Records of pages: the two halves of the texts' hashes (16 bytes each), and places; ``salts`` part scopes."""
    hashes = np.frombuffer(b"".join(text_hash.to_pylist()), ">u8").reshape(-1, 2)
    hash_hi, hash_lo = (hashes[:, side].astype(np.uint64) for side in range(2))
    return {"hash_hi": hash_hi ^ np.uint64(salts), "hash_lo": hash_lo, "place": places}


def write_texts(store: Store, output: str, parts: list[Columns], ranges: int) -> dict[str, Any]:
    """The records of a group of splits; in partition 0 those that repeat another of the group."""
    records = concatenate(parts)
    partitions = partition_of(records["hash_hi"], ranges) + np.uint64(1)
    repeated = _repeated(records)
    partitions[repeated] = 0
    write_partitioned(store, output, records, partitions, ranges + 1)
    return {"pages": len(records["place"]), "copies": len(repeated)}


def find_copies(store: Store, *, inputs: list[str], partition: int, output: str) -> dict[str, Any]:
    """Of the records of one range of hashes those that are not the first of their text, for every group its own."""
    parts = [read_partition(store, address, 1 + partition) for address in inputs]
    groups = np.repeat(np.arange(len(parts)), [len(part["place"]) for part in parts])
    records = concatenate(parts)
    copies = _repeated(records)
    write_partitioned(store, output, {"place": records["place"][copies]}, groups[copies], len(parts))
    return {"copies": len(copies)}


def copies_of(store: Store, texts: str, copies: list[str], group: int) -> Array:
    """Places of the pages of a group that are not the first of their text, ascending."""
    within = read_partition(store, texts, 0)["place"]
    found: Array = np.sort(np.concatenate([within, read_all(store, copies, group)["place"]]))
    return found


def _repeated(records: Columns) -> Array:
    """Which records have the hash of one of a smaller place."""
    order = np.lexsort((records["place"], records["hash_lo"], records["hash_hi"]))
    high, low = records["hash_hi"][order], records["hash_lo"][order]
    found: Array = order[1:][(high[1:] == high[:-1]) & (low[1:] == low[:-1])]
    return found


def counted(copies_sorted: npt.NDArray[np.int64], first: int, rows: int) -> npt.NDArray[np.bool_]:
    """A mask of the pages of a split that count; ``copies_sorted``: places of copies, ascending."""
    start, stop = np.searchsorted(copies_sorted, [first, first + rows])
    mask = np.ones(rows, np.bool_)
    mask[copies_sorted[start:stop] - first] = False
    return mask
