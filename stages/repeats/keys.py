"""First exchange: which keys of anchors stand in more than one place, so that all others can be left out.

`count_keys` (a group of splits) writes the keys of its anchors with the number of contexts that have them, by range of
keys; `find_shared` (a range) adds them up and writes those of two or more back, to each group those that it has. A
context counts once a page.

Columns of the first: ``once`` (keys of one context of the group) and ``key``, ``contexts`` (the others); so that an
anchor costs 24 bytes at most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    partition_of,
    read_partition,
    write_ordered,
    write_partitioned,
)
from stages.repeats.pages import batches
from stages.repeats.params import Params


def count_keys(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], number: int, ranges: int, output: str
) -> dict[str, Any]:
    """Contexts of these splits that have each key, of the anchors of pass ``number``."""
    settings = Params.model_validate(params)
    keys, contexts = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    num_anchors = 0
    for split in splits:
        here = [anchor_keys(batch.anchors) for batch in batches(store, settings, split, number)]
        num_anchors += sum(count for count, _ in here)
        found = np.concatenate([np.zeros(0, np.uint64), *(part for _, part in here)])
        found, times = np.unique(found, return_counts=True)
        keys, contexts = (
            summed(np.concatenate([keys, found]), np.concatenate([contexts, times])) if len(keys) else (found, times)
        )
    once = contexts == 1
    columns: Columns = {"once": keys[once], "key": keys[~once], "contexts": contexts[~once].astype(np.uint32)}
    bounds = {
        name: np.searchsorted(partition_of(column, ranges), np.arange(ranges + 1)) for name, column in columns.items()
    }
    bounds["contexts"] = bounds["key"]
    write_ordered(store, output, columns, bounds)
    return {"anchors": num_anchors, "keys": len(keys)}


def anchor_keys(anchors: Columns) -> tuple[int, Array]:
    """Number of contexts, each once a page, and all their keys."""
    fresh = first_of_page(anchors)
    full, left, right = (anchors[name][fresh] for name in ("full", "left", "right"))
    return len(full), np.concatenate([full, left[left != full], right[right != full]])


def first_of_page(anchors: Columns) -> Array:
    """Places of anchors whose context does not stand earlier in the page, in the order of the contexts' keys."""
    order = np.lexsort((anchors["page"], anchors["full"]))
    fresh = np.ones(len(order), np.bool_)
    for name in ("full", "page"):
        column = anchors[name][order]
        same = column[1:] == column[:-1]
        fresh[1:] = ~same if name == "full" else fresh[1:] | ~same
    kept: Array = order[fresh]
    return kept


def find_shared(store: Store, *, inputs: list[str], partition: int, output: str) -> dict[str, Any]:
    """The shared keys of one range: (key, contexts) for every group that has them."""
    parts = []
    for address in inputs:
        part = read_partition(store, address, partition)
        contexts = np.concatenate([np.ones(len(part["once"]), np.uint32), part["contexts"]])
        parts.append({"key": np.concatenate([part["once"], part["key"]]), "contexts": contexts})
    whole = concatenate(parts)
    keys, contexts = summed(whole["key"], whole["contexts"].astype(np.int64))
    shared = contexts > 1
    keys, contexts = keys[shared], contexts[shared]
    found = []
    for part in parts:
        places = np.searchsorted(keys, part["key"])
        places = places[keys[np.minimum(places, len(keys) - 1)] == part["key"]] if len(keys) else places[:0]
        found.append({"key": keys[places], "contexts": contexts[places].astype(np.uint32)})
    groups = np.repeat(np.arange(len(parts)), [len(part["key"]) for part in found])
    about = {"keys": len(whole["key"]), "shared": len(keys)}
    write_partitioned(store, output, concatenate(found), groups, len(parts), about)
    return about


def summed(keys: Array, contexts: Array) -> tuple[Array, Array]:
    """Distinct keys, ascending, and the sums of their contexts."""
    order = np.argsort(keys)
    keys = keys[order]
    first = np.ones(len(keys), np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(first)
    return keys[starts], np.add.reduceat(contexts[order], starts) if len(starts) else contexts
