"""Families on their shelves: pages that may have to do with each other, and every similarity known of their texts.

`clusters` decides from these, whichever pages may stay. `shelve` (a shelf) joins the records of its families from the
ranges of texts and the places of comparison. The number of shelves depends on the number of pages alone, so a file's
bytes depend on the pages and the parameters, not on how the work was cut.

A shelf, one partition; texts are numbered from 0 in the order of their hashes:

    page_*   text, split, row, id_hi, id_lo, source, preference_0.., url_hi and url_lo: by text, split, row
    text_*   shingles, and the page to read: split, row
    pair_*   left < right (texts), similarity (float64), kind (`stages.clusters.verify`): ascending
    hot_*    text, key, sketch_0, sketch_1 of the records of large buckets: by text, key

``about``: names of sources by hash, ``near`` and ``far`` of `band_buckets.bit_bounds`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from stages.clusters.verify import SIMILARITY_BINS
from stages.contract import Store
from stages.exchange_file import Columns, read_about, read_all, write_ordered

FAMILY_BYTES = 256
"""Bytes of memory a page costs, in a family or not, in `shelve` and where families are decided."""


def shelve(
    store: Store, *, families: list[str], verified: list[str], pairs: list[str], shelf: int, output: str
) -> dict[str, Any]:
    """Write one shelf."""
    found = read_all(store, families, shelf)
    pages = {name: column for name, column in found.items() if name.startswith("page_")}
    order = np.lexsort((pages["page_row"], pages["page_split"], pages["page_text"]))
    pages = {name: column[order] for name, column in pages.items()}
    order = np.argsort(found["text"])
    numbers = found["text"][order]
    texts = {name: found[name][order] for name in ("text_shingles", "text_split", "text_row")}
    order = np.lexsort((found["hot_key"], found["hot_text"]))
    hot = {name: found[name][order] for name in ("hot_key", "hot_sketch_0", "hot_sketch_1")}
    compared = read_all(store, verified, shelf)
    order = np.lexsort((compared["right"], compared["left"]))
    columns: Columns = {
        **pages,
        **texts,
        "pair_left": compared["left"][order],
        "pair_right": compared["right"][order],
        "pair_similarity": compared["similarity"][order],
        "pair_kind": compared["kind"][order],
        **hot,
        "hot_text": found["hot_text"].astype(np.int64)[np.lexsort((found["hot_key"], found["hot_text"]))],
    }
    for name in ("page_text", "pair_left", "pair_right", "hot_text"):
        columns[name] = np.searchsorted(numbers, columns[name]).astype(np.int32)
    names = {number: name for address in families for number, name in read_about(store, address)[0]["sources"].items()}
    bounds = read_about(store, pairs[0])[0]
    about = {"sources": dict(sorted(names.items())), "near": bounds["near"], "far": bounds["far"]}
    write_ordered(store, output, columns, {name: np.array([0, len(column)]) for name, column in columns.items()}, about)
    return {"pages": len(columns["page_text"]), "texts": len(numbers)}


def summarise_families(store: Store, *, verified: list[str], pairs: list[str], summary: str) -> dict[str, Any]:
    """Write ``summary``: what was nominated and compared, in ``about``."""
    bins = np.zeros(SIMILARITY_BINS + 1, np.int64)
    counts: Counter[str] = Counter()
    for address in verified:
        about = read_about(store, address)[0]
        bins += np.array(about.pop("pairs_by_similarity"), np.int64)
        counts.update(about)
    nominated: Counter[str] = Counter()
    for address in pairs:
        about = read_about(store, address)[0]
        nominated["largest_bucket"] = max(nominated["largest_bucket"], about.pop("largest_bucket"))
        nominated.update({name: about[name] for name in ("buckets", "compared", "nominated", "limited")})
    nominated["pairs"] = counts["pairs"]  # a pair may be in the files of several ranges
    result = {
        "candidates": dict(nominated),
        "pairs_compared": counts["pairs_compared"],
        "pairs_verified": counts["pairs_verified"],
        "pairs_by_similarity": {f"{index / SIMILARITY_BINS:.2f}": int(n) for index, n in enumerate(bins) if n},
    }
    write_ordered(store, summary, {"pairs": bins}, {"pairs": np.array([0, len(bins)])}, result)
    return {"pairs": counts["pairs"]}
