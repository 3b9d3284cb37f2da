"""Links between texts of pages at one address, where ``urls`` asks for them: such texts stay in one family.

`map_addresses` (a range of texts) writes a record (address, text) per page that has an address, by range of address;
`reduce_addresses` (a range of addresses) links the texts of each. Which page of an address stands for the others is
decided with everything else (`stages.clusters.settle`), among the pages that may stay. This removes pages without a
look at their text: by name, because it is asked for. An address is compared as it stands, without its fragment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.clusters.pages import text_bases
from stages.contract import Store
from stages.exchange_file import (
    concatenate,
    partition_of,
    read_all,
    read_partitions,
    write_ordered,
    write_partitioned,
)
from stages.kernels.dedup.band_buckets import distinct_edges


def map_addresses(
    store: Store, *, texts: list[str], rows: str, partition: int, partitions: int, output: str
) -> dict[str, Any]:
    """Write (url_hi, url_lo, text) of the pages of a range of texts, by range of address."""
    found = concatenate(read_partitions(store, rows))
    known = np.flatnonzero((found["url_hi"] | found["url_lo"]) != 0)
    base = int(text_bases(store, texts)[partition])
    records = {name: found[name][known] for name in ("url_hi", "url_lo")}
    records["text"] = found["text"][known].astype(np.uint64) + np.uint64(base)
    write_partitioned(store, output, records, partition_of(records["url_hi"], partitions), partitions)
    return {"pages": len(known)}


def reduce_addresses(
    store: Store, *, texts: list[str], inputs: list[str], partition: int, output: str
) -> dict[str, Any]:
    """Write links (link_left < link_right: texts) of every address of a range, by range of the first."""
    records = read_all(store, inputs, partition)
    order = np.lexsort((records["text"], records["url_lo"], records["url_hi"]))
    high, low, text = (records[name][order] for name in ("url_hi", "url_lo", "text"))
    same = (high[1:] == high[:-1]) & (low[1:] == low[:-1]) & (text[1:] != text[:-1])
    left, right = distinct_edges(text[:-1][same], text[1:][same])
    bounds = np.searchsorted(left, text_bases(store, texts).astype(np.uint64))
    columns = {"link_left": left, "link_right": right}
    write_ordered(store, output, columns, dict.fromkeys(columns, bounds))
    return {"links": len(left)}
