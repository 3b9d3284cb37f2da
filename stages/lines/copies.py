"""Before the exchange of lines: which pages repeat the whole text of another page of their scope, byte for byte.

Thirty addresses of one article are one text: counted thirty times, every line of it would be frequent, and the article
would be cut, or dropped, with all its copies. So pages of one text count once.

`map_texts` (a group of splits) writes (hash_hi, hash_lo, place) of the first page of every text of the group, by range
of hashes, and of its other pages in partition 0; `find_copies` (a range) writes back to each group the places of
its pages that repeat those of another group. So a text of half of all pages is one record a group: no range is larger
for it. ``place`` is the number of a page among those of all splits; which page of a text is the first decides nothing,
as they have the same lines. `copies_of` reads both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.contract import Store
from stages.exchange_file import Array, Columns, concatenate, partition_of, read_all, read_partition, write_partitioned
from stages.lines.params import Params
from stages.scopes import scope_salts


def map_texts(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], ranges: int, output: str
) -> dict[str, Any]:
    """A record for every page of a group of splits; in partition 0 those that repeat another."""
    settings = Params.model_validate(params)
    parts: list[Columns] = []
    for split in splits:
        by_host = settings.scope == "host"
        table = store.read_table(split["documents"], ["text_hash", *(["url"] if by_host else [])])
        salts = scope_salts(split["source"], table.column("url") if by_host else None, table.num_rows)
        hashes = np.frombuffer(b"".join(table.column("text_hash").to_pylist()), ">u8").reshape(-1, 2)
        places = split["first"] + np.arange(table.num_rows)
        hash_hi, hash_lo = (hashes[:, side].astype(np.uint64) for side in range(2))
        parts.append({"hash_hi": hash_hi ^ salts, "hash_lo": hash_lo, "place": places})
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
