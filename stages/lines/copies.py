"""Before the exchange of lines: which pages repeat the whole text of another page of their scope, byte for byte.

Thirty addresses of one article are one text: counted thirty times, every line of it would be frequent, and the article
would be cut, or dropped, with all its copies. So pages of one text count once.

`map_texts` (a group of splits) writes (hash_hi, hash_lo, place) of every page, by range of hashes; `find_copies` (a
range) writes back to each group the places of its pages that are not the first of their text. ``place`` is the number
of a page among those of all splits; which page of a text is the first decides nothing, as they have the same lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.contract import Store
from stages.exchange_file import Columns, concatenate, partition_of, read_partition, write_partitioned
from stages.lines.params import Params
from stages.scopes import scope_salts


def map_texts(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], ranges: int, output: str
) -> dict[str, Any]:
    """A record for every page of a group of splits."""
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
