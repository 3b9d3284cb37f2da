"""Before the texts, where ``urls`` asks for it: pages by address, of which one stands for all.

`map_addresses` (a group of splits) writes a record per page that takes part and has an address; `reduce_addresses` (a
range of their hashes) picks, for every address that several pages of a scope have, the one that the survivor policy
prefers (ties: smaller doc_id), and tells the groups of the others which text theirs is now. This removes pages without
a look at their text: by name, because it is asked for. An address is compared as it stands, without its fragment.

Records: as in `stages.clusters.pages`, and url_hi, url_lo (XXH3, 128 bit, of scope and address).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages.clusters.pages import document_columns, order_by, page_records, preference_names
from stages.clusters.params import Params
from stages.contract import Store
from stages.exchange_file import Array, Columns, concatenate, partition_of, read_all, write_partitioned


def map_addresses(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], partitions: int, output: str
) -> dict[str, Any]:
    """Write the records of a group of splits, ordered by range of address."""
    settings = Params.model_validate(params)
    parts = []
    for split in splits:
        columns, _, _ = page_records(store, settings, split)
        urls = document_columns(store, split, ["url"]).column("url").take(pa.array(columns["row"]))
        known = np.flatnonzero(urls.is_valid().to_numpy())
        columns = {name: column[known] for name, column in columns.items() if name not in ("source", "shingles")}
        columns["url_hi"], columns["url_lo"] = _hashes(urls.drop_null(), columns.pop("salt"))
        parts.append(columns)
    records = concatenate(parts)
    write_partitioned(store, output, records, partition_of(records["url_hi"], partitions), partitions)
    return {"pages": len(records["row"])}


def reduce_addresses(
    store: Store, *, params: dict[str, Any], inputs: list[str], partition: int, groups: list[int], output: str
) -> dict[str, Any]:
    """Write (split, row, hash_hi, hash_lo) of every page of this range that another one stands for, by group."""
    records = read_all(store, inputs, partition)
    names = preference_names(Params.model_validate(params))
    keys = [records[name] for name in ("url_hi", "url_lo", *names, "id_hi", "id_lo")]
    order = order_by(keys)
    high, low = keys[0][order], keys[1][order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    stands = order[np.flatnonzero(first)][np.cumsum(first) - 1]
    others, stands = order[~first], stands[~first]
    moved: Columns = {
        "split": records["split"][others],
        "row": records["row"][others],
        "hash_hi": records["hash_hi"][stands],
        "hash_lo": records["hash_lo"][stands],
    }
    by_place = np.lexsort((moved["row"], moved["split"]))
    moved = {name: column[by_place] for name, column in moved.items()}
    group_of = np.array(groups, np.int64)
    write_partitioned(store, output, moved, group_of[moved["split"]], int(group_of.max()) + 1)
    return {"moved": len(others)}


def _hashes(urls: pa.ChunkedArray, salts: Array) -> tuple[Array, Array]:
    whole = pc.replace_substring_regex(urls, "#.*$", "").to_pylist()
    seeds = zip(salts.tolist(), whole, strict=True)
    digests = [xxhash.xxh3_128_intdigest(url.encode(), seed=salt) for salt, url in seeds]
    high = np.array([digest >> 64 for digest in digests], np.uint64)
    return high, np.array([digest & (2**64 - 1) for digest in digests], np.uint64)
