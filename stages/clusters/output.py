"""Back to the pages: decisions become one aligned `clusters` file per split, and a summary of all.

`write_splits` (a group of splits) puts what `decide` says of pages in row order and counts losses, with examples;
`summarise` (one task) adds the reports up. Losses are of pages that pass every other rule (``passing``): no other page
is removed as a duplicate, though its record may name the page with the same content that stays.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages import schemas
from stages.clusters.decide import EXAMPLES, LARGEST, passing_rows
from stages.clusters.pages import document_columns
from stages.clusters.settle import ALONE, EXACT, FUZZY, SAME_ADDRESS, STAYS
from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    read_about,
    read_all,
)

MATCHES = {EXACT: "exact", FUZZY: "fuzzy", SAME_ADDRESS: "url"}
REMOVED = ("exact_removed", "fuzzy_removed", "url_removed")
READ_THREADS = 16
"""Files whose reports are read at once: on an object store one takes tens of milliseconds, and there are many."""
ROW_BYTES = 200
"""Bytes of memory a page costs in `write_splits`."""


def write_splits(
    store: Store,
    *,
    splits: list[dict[str, Any]],
    group: int,
    decisions: list[str],
    copies: list[str],
    outputs: list[str],
) -> dict[str, Any]:
    """Write the `clusters` file of every split of a group."""
    records = read_all(store, decisions, group)
    counted = _sum_copies(read_all(store, copies, group))
    names = {number: name for address in copies for number, name in read_about(store, address)[0]["sources"].items()}
    order = np.lexsort((records["row"], records["split"]))
    limits = np.searchsorted(records["split"][order], [[split["number"], split["number"] + 1] for split in splits])
    for split, (start, stop), output in zip(splits, limits.tolist(), outputs, strict=True):
        mine = {name: column[order[start:stop]] for name, column in records.items()}
        columns = {name: _over_rows(values, mine["row"], split["rows"]) for name, values in mine.items()}
        here = counted["split"] == split["number"]
        table = _table(columns).append_column(
            schemas.CLUSTER_COPIES, _copies({name: column[here] for name, column in counted.items()}, columns, names)
        )
        store.write_table(output, table, _report(store, split, columns, table))
    return {"splits": len(splits)}


def summarise(store: Store, *, outputs: list[str], decisions: list[str], families: str, summary: str) -> dict[str, Any]:
    """Write ``summary``: JSON for the report, for the brakes and for people. ``families``: what was compared."""
    with ThreadPoolExecutor(READ_THREADS) as threads:
        reports = list(threads.map(store.metadata, outputs))
    totals: dict[str, dict[str, Counter[str]]] = {"sources": {}, "languages": {}}
    whole: Counter[str] = Counter()
    earlier: Counter[str] = Counter()
    cluster_sizes: Counter[str] = Counter()
    examples: dict[str, dict[str, list[dict[str, Any]]]] = {"sources": {}, "languages": {}}
    for report in reports:
        if report["earlier"]:  # another corpus: its losses are no part of this one's
            earlier["rows"] += report["rows"]
            earlier["removed"] += sum(report[name] for name in REMOVED)
            continue
        whole.update({name: report[name] for name in ("rows", "passing", *REMOVED)})
        cluster_sizes.update(report["cluster_sizes"])
        for kind, found in totals.items():
            for name, counts in report[kind].items():
                found.setdefault(name, Counter()).update(counts)
            for name, entries in report["examples"].get(kind, {}).items():
                known = examples[kind].get(name, []) + entries
                examples[kind][name] = sorted(known, key=lambda entry: entry["doc_id"])[:EXAMPLES]
    largest = [entry for address in decisions for entry in read_about(store, address)[0]["largest"]]
    largest = sorted(largest, key=lambda entry: (-entry["pages"], entry["cluster"]))[:LARGEST]
    names = [address.rpartition("/")[2].removesuffix(".parquet") for address in outputs]
    result = {
        **whole,
        "earlier": dict(earlier),
        **read_about(store, families)[0],
        "cluster_sizes": dict(cluster_sizes),
        "largest_clusters": [{key: entry[key] for key in ("cluster", "pages", "examples")} for entry in largest],
        "largest_shown": [
            {"stay": entry["stay"], "pages": [[names[split], row] for split, row in entry["shown"]]}
            for entry in largest
        ],
        "examples": examples,
        **{kind: {name: dict(counts) for name, counts in found.items()} for kind, found in totals.items()},
    }
    store.write_json(summary, result)
    return {name: int(whole[name]) for name in ("rows", *REMOVED)}


def _sum_copies(columns: Columns) -> Columns:
    """Pages per (split, row of the survivor, source), in that order."""
    order = np.lexsort((columns["source"], columns["row"], columns["split"]))
    ordered = {name: column[order] for name, column in columns.items()}
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = False
    for name in ("split", "row", "source"):
        fresh[1:] |= ordered[name][1:] != ordered[name][:-1]
    starts = np.flatnonzero(fresh)
    summed = {name: column[starts] for name, column in ordered.items()}
    summed["pages"] = np.add.reduceat(ordered["pages"], starts) if len(starts) else ordered["pages"]
    return summed


def _copies(counted: Columns, columns: Columns, names: dict[str, str]) -> pa.Array:
    """The column ``copies`` of one split: its survivors' pages by source name."""
    stays = columns["state"][counted["row"]] == STAYS
    counted = {name: column[stays] for name, column in counted.items()}
    numbers, index = np.unique(counted["source"], return_inverse=True)
    labels = np.array([names[f"{number:016x}"] for number in numbers.tolist()], object)
    rank = np.argsort(np.argsort(labels))
    order = np.lexsort((rank[index], counted["row"])) if len(numbers) else np.zeros(0, np.int64)
    entries = pa.StructArray.from_arrays(
        [pa.array(labels[index][order].tolist(), pa.string()), pa.array(counted["pages"][order].astype(np.int32))],
        fields=list(schemas.CLUSTER_COPIES.type.value_type),
    )
    offsets = np.zeros(len(columns["state"]) + 1, np.int32)
    np.cumsum(np.bincount(counted["row"], minlength=len(columns["state"])), out=offsets[1:])
    stand_alone = pa.array(columns["state"] != STAYS)
    return pa.ListArray.from_arrays(pa.array(offsets), entries, type=schemas.CLUSTER_COPIES.type, mask=stand_alone)


def _over_rows(values: Array, rows: Array, count: int) -> Array:
    """Values of some rows as a column over all of them; 0 elsewhere, which makes those pages ALONE."""
    column = np.zeros(count, values.dtype)
    column[rows] = values
    return column


def _table(columns: Columns) -> pa.Table:
    state = columns["state"]
    removed = state >= EXACT
    names = pa.DictionaryArray.from_arrays(
        pa.array(np.maximum(state, EXACT) - EXACT, pa.int8(), mask=~removed), pa.array(list(MATCHES.values()))
    )
    arrays = [
        _ids(columns["cluster_hi"], columns["cluster_lo"], state != ALONE),
        pa.array(np.maximum(columns["pages"], 1).astype(np.int32)),
        _ids(columns["survivor_hi"], columns["survivor_lo"], removed),
        pa.array(columns["similarity"], pa.float32(), mask=~removed | (state == SAME_ADDRESS)),
        names.cast(pa.string()),
        _ids(columns["via_hi"], columns["via_lo"], columns["through"]),
    ]
    return pa.Table.from_arrays(arrays, schema=schemas.CLUSTERS)


def _ids(high: Array, low: Array, valid: npt.NDArray[np.bool_]) -> pa.Array:
    pairs = np.where(valid[:, None], np.stack([high, low], axis=1), np.uint64(0)).astype(">u8")
    mask = pa.array(valid).buffers()[1]
    return pa.Array.from_buffers(schemas.DOC_ID, len(high), [mask, pa.py_buffer(pairs.tobytes())])


def _report(store: Store, split: dict[str, Any], columns: Columns, table: pa.Table) -> dict[str, Any]:
    state = columns["state"]
    passing = passing_rows(store, split)
    digest = xxhash.xxh3_128()
    for name in ("state", "pages", "cluster_hi", "cluster_lo", "survivor_hi", "survivor_lo", "similarity", "through"):
        alone = np.where(state == ALONE, columns[name].dtype.type(0), columns[name])
        digest.update(np.ascontiguousarray(alone).view(np.uint8).data)
    for entry in table.column("copies").combine_chunks().flatten().flatten():
        digest.update("\n".join(map(str, entry.to_pylist())).encode())
    sizes = columns["pages"][state == STAYS]
    lost = np.where(passing, state, ALONE)
    report: dict[str, Any] = {
        "rows": len(state),
        "passing": int(passing.sum()),
        "earlier": split["earlier"],
        "exact_removed": int((lost == EXACT).sum()),
        "fuzzy_removed": int((lost == FUZZY).sum()),
        "url_removed": int((lost == SAME_ADDRESS).sum()),
        "digest": digest.hexdigest(),
        # of survivors; a power of two stands for all sizes up to the next
        "cluster_sizes": {
            str(1 << power): int(n) for power, n in enumerate(np.bincount(np.log2(sizes).astype(np.int64))) if n
        },
        "sources": {},
        "languages": {},
        "examples": {},
    }
    documents = document_columns(store, split, ["doc_id", "source", "url"])
    groups = {"sources": documents.column("source")}
    if split["language"] is not None:
        groups["languages"] = store.read_table(split["language"], ["language"]).column("language")
    for kind, names in groups.items():
        encoded = names.combine_chunks().dictionary_encode()
        report[kind] = _losses(encoded, lost, passing)
        report["examples"][kind] = _examples(encoded, lost, documents, table)
    return report


def _examples(names: pa.DictionaryArray, state: Array, documents: pa.Table, table: pa.Table) -> dict[str, Any]:
    """A few pages removed for their similarity per name: those of the smallest doc_id, whatever the splits."""
    indices = names.indices.to_numpy(zero_copy_only=False)
    found = {}
    for number, name in enumerate(names.dictionary.to_pylist()):
        rows = np.flatnonzero((state == FUZZY) & (indices == number))
        if len(rows):
            ids = documents.column("doc_id").take(pa.array(rows))
            first = rows[pc.sort_indices(ids).to_numpy()[:EXAMPLES]]
            about = documents.select(["doc_id", "url"]).take(pa.array(first)).to_pylist()
            why = table.select(["survivor", "similarity"]).take(pa.array(first)).to_pylist()
            found[name] = [
                {
                    "doc_id": page["doc_id"].hex(),
                    "url": page["url"],
                    "survivor": row["survivor"].hex(),
                    "similarity": round(row["similarity"], 4),
                }
                for page, row in zip(about, why, strict=True)
            ]
    return found


def _losses(encoded: pa.DictionaryArray, state: Array, passing: Array) -> dict[str, dict[str, int]]:
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    count = len(encoded.dictionary)
    rows = np.bincount(indices, minlength=count)
    passed = np.bincount(indices[passing], minlength=count)
    exact = np.bincount(indices[state == EXACT], minlength=count)
    fuzzy = np.bincount(indices[state == FUZZY], minlength=count)
    url = np.bincount(indices[state == SAME_ADDRESS], minlength=count)
    return {
        name: {
            "rows": int(rows[i]),
            "passing": int(passed[i]),
            "exact_removed": int(exact[i]),
            "fuzzy_removed": int(fuzzy[i]),
            "url_removed": int(url[i]),
        }
        for i, name in enumerate(encoded.dictionary.to_pylist())
    }
