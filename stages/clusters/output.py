"""Back to the pages: decisions on texts become one aligned `clusters` file per split, and a summary of all.

`assign` (a hash range) spreads each text's decision over all pages that have this text, ordered by group of splits;
`write_splits` (a group) puts them in row order; `summarise` (one task) adds the reports up.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stages import schemas
from stages.clusters.decide import LARGEST, SIMILARITY_BINS
from stages.clusters.exchange_file import Array, Columns, read_about, read_all, read_partition, write_partitioned
from stages.clusters.pages import text_bases
from stages.contract import Store

ALONE, STAYS, EXACT, FUZZY = range(4)
"""What a page is: without duplicate, the survivor of a cluster, an exact copy, removed for its similarity."""

MATCHES = {EXACT: "exact", FUZZY: "fuzzy"}
ROW_BYTES = 140
"""Bytes of memory a page costs in `assign` and `write_splits`."""


def assign(
    store: Store,
    *,
    texts: list[str],
    rows: str,
    num_groups: int,
    decisions: list[str],
    partition: int,
    output: str,
) -> dict[str, Any]:
    """Write a record per page of this hash range: split, row, state, cluster, pages, survivor, similarity; by group."""
    text = read_partition(store, texts[partition], 0)
    count = len(text["copies"])
    decided = read_all(store, decisions, partition)
    place = decided["text"] - text_bases(store, texts)[partition]
    cluster_hi, cluster_lo = text["min_hi"].copy(), text["min_lo"].copy()
    pages = text["copies"].copy()
    removed = np.zeros(count, np.bool_)
    survivor_hi, survivor_lo = text["id_hi"].copy(), text["id_lo"].copy()
    similarity = np.ones(count, np.float32)
    cluster_hi[place], cluster_lo[place] = decided["cluster_hi"], decided["cluster_lo"]
    pages[place], removed[place] = decided["pages"], decided["removed"]
    gone = decided["removed"]
    survivor_hi[place[gone]] = decided["survivor_hi"][gone]
    survivor_lo[place[gone]] = decided["survivor_lo"][gone]
    similarity[place[gone]] = decided["similarity"][gone]
    groups = []
    for group in range(num_groups):
        found = read_partition(store, rows, group)
        number = found["text"]
        state = np.where(found["chosen"], np.where(pages[number] > 1, STAYS, ALONE), EXACT)
        state = np.where(removed[number], FUZZY, state)
        groups.append(
            {
                "split": found["split"],
                "row": found["row"],
                "state": state.astype(np.uint8),
                "pages": pages[number],
                "cluster_hi": cluster_hi[number],
                "cluster_lo": cluster_lo[number],
                "survivor_hi": survivor_hi[number],
                "survivor_lo": survivor_lo[number],
                "similarity": similarity[number],
            }
        )
    sizes = [len(part["row"]) for part in groups]
    columns = {name: np.concatenate([part[name] for part in groups]) for name in groups[0]}
    write_partitioned(store, output, columns, np.repeat(np.arange(num_groups), sizes), num_groups)
    return {"pages": sum(sizes)}


def write_splits(
    store: Store, *, splits: list[dict[str, Any]], group: int, assigned: list[str], outputs: list[str]
) -> dict[str, Any]:
    """Write the `clusters` file of every split of a group."""
    records = read_all(store, assigned, group)
    order = np.lexsort((records["row"], records["split"]))
    limits = np.searchsorted(records["split"][order], [[split["number"], split["number"] + 1] for split in splits])
    for split, (start, stop), output in zip(splits, limits.tolist(), outputs, strict=True):
        mine = {name: column[order[start:stop]] for name, column in records.items()}
        columns = {name: _over_rows(values, mine["row"], split["rows"]) for name, values in mine.items()}
        table = _table(columns)
        store.write_table(output, table, _report(store, split, columns))
    return {"splits": len(splits)}


def summarise(
    store: Store, *, outputs: list[str], decisions: list[str], pairs: list[str], summary: str
) -> dict[str, Any]:
    """Write ``summary``: JSON for the report, for the brakes and for people."""
    totals: dict[str, dict[str, Counter[str]]] = {"sources": {}, "languages": {}}
    whole: Counter[str] = Counter()
    cluster_sizes: Counter[str] = Counter()
    for address in outputs:
        report = store.metadata(address)
        whole.update({name: report[name] for name in ("rows", "exact_removed", "fuzzy_removed")})
        cluster_sizes.update(report["cluster_sizes"])
        for kind, found in totals.items():
            for name, counts in report[kind].items():
                found.setdefault(name, Counter()).update(counts)
    bins = np.zeros(SIMILARITY_BINS + 1, np.int64)
    verified = compared = 0
    largest: list[dict[str, Any]] = []
    for address in decisions:
        about = read_about(store, address)[0]
        bins += np.array(about["pairs_by_similarity"], np.int64)
        verified += about["pairs_verified"]
        compared += about["pairs_compared"]
        largest += about["largest"]
    nominated: Counter[str] = Counter()
    for address in pairs:
        about = read_about(store, address)[0]
        nominated["largest_bucket"] = max(nominated["largest_bucket"], about.pop("largest_bucket"))
        nominated.update(about)
    result = {
        **whole,
        "candidates": dict(nominated),
        "pairs_compared": compared,
        "pairs_verified": verified,
        "pairs_by_similarity": {f"{index / SIMILARITY_BINS:.2f}": int(n) for index, n in enumerate(bins) if n},
        "cluster_sizes": dict(cluster_sizes),
        "largest_clusters": sorted(largest, key=lambda entry: (-entry["pages"], entry["cluster"]))[:LARGEST],
        **{kind: {name: dict(counts) for name, counts in found.items()} for kind, found in totals.items()},
    }
    store.write_bytes(summary, (json.dumps(result, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode())
    return {name: int(whole[name]) for name in ("rows", "exact_removed", "fuzzy_removed")}


def _over_rows(values: Array, rows: Array, count: int) -> Array:
    """Values of some rows as a column over all of them; 0 elsewhere, which makes those pages ALONE."""
    column = np.zeros(count, values.dtype)
    column[rows] = values
    return column


def _table(columns: Columns) -> pa.Table:
    state = columns["state"]
    removed = state >= EXACT
    names = pa.DictionaryArray.from_arrays(
        pa.array(np.maximum(state, EXACT) - EXACT, pa.int8(), mask=~removed), pa.array([MATCHES[EXACT], MATCHES[FUZZY]])
    )
    arrays = [
        _ids(columns["cluster_hi"], columns["cluster_lo"], state != ALONE),
        pa.array(np.maximum(columns["pages"], 1).astype(np.int32)),
        _ids(columns["survivor_hi"], columns["survivor_lo"], removed),
        pa.array(columns["similarity"], pa.float32(), mask=~removed),
        names.cast(pa.string()),
    ]
    return pa.Table.from_arrays(arrays, schema=schemas.CLUSTERS)


def _ids(high: Array, low: Array, valid: npt.NDArray[np.bool_]) -> pa.Array:
    pairs = np.where(valid[:, None], np.stack([high, low], axis=1), np.uint64(0)).astype(">u8")
    mask = pa.array(valid).buffers()[1]
    return pa.Array.from_buffers(schemas.DOC_ID, len(high), [mask, pa.py_buffer(pairs.tobytes())])


def _report(store: Store, split: dict[str, Any], columns: Columns) -> dict[str, Any]:
    state = columns["state"]
    digest = xxhash.xxh3_128()
    for name in ("state", "pages", "cluster_hi", "cluster_lo", "survivor_hi", "survivor_lo", "similarity"):
        alone = np.where(state == ALONE, columns[name].dtype.type(0), columns[name])
        digest.update(np.ascontiguousarray(alone).view(np.uint8).data)
    sizes = columns["pages"][state == STAYS]
    report: dict[str, Any] = {
        "rows": len(state),
        "exact_removed": int((state == EXACT).sum()),
        "fuzzy_removed": int((state == FUZZY).sum()),
        "digest": digest.hexdigest(),
        # of survivors; a power of two stands for all sizes up to the next
        "cluster_sizes": {
            str(1 << power): int(n) for power, n in enumerate(np.bincount(np.log2(sizes).astype(np.int64))) if n
        },
        "sources": _losses(_column(store, split["documents"], "source"), state),
        "languages": {},
    }
    if split["language"] is not None:
        report["languages"] = _losses(_column(store, split["language"], "language"), state)
    return report


def _column(store: Store, address: str, name: str) -> pa.Array:
    with store.open(address) as file:
        return pq.ParquetFile(file).read(columns=[name]).column(name).combine_chunks()


def _losses(names: pa.Array, state: Array) -> dict[str, dict[str, int]]:
    encoded = names.dictionary_encode()
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    count = len(encoded.dictionary)
    rows = np.bincount(indices, minlength=count)
    exact = np.bincount(indices[state == EXACT], minlength=count)
    fuzzy = np.bincount(indices[state == FUZZY], minlength=count)
    return {
        name: {"rows": int(rows[i]), "exact_removed": int(exact[i]), "fuzzy_removed": int(fuzzy[i])}
        for i, name in enumerate(encoded.dictionary.to_pylist())
    }
