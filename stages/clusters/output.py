"""Back to the pages: decisions on texts become one aligned `clusters` file per split, and a summary of all.

`assign` (a hash range) spreads each text's decision over all pages that have this text, ordered by group of splits, and
counts for every survivor the pages it stands for; `write_splits` (a group) puts them in row order and counts losses,
with examples; `summarise` (one task) adds the reports up.
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
from stages.clusters.decide import EXAMPLES, LARGEST, SHOWN, SIMILARITY_BINS, largest_clusters
from stages.clusters.pages import document_columns, text_bases
from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    read_about,
    read_all,
    read_partition,
    read_partitions,
    write_partitioned,
)

ALONE, STAYS, EXACT, FUZZY, SAME_ADDRESS = range(5)
"""What a page is: without duplicate, the survivor of a cluster, an exact copy, removed for its similarity, removed for
its address."""

MATCHES = {EXACT: "exact", FUZZY: "fuzzy", SAME_ADDRESS: "url"}
REMOVED = ("exact_removed", "fuzzy_removed", "url_removed")
READ_THREADS = 16
"""Files whose reports are read at once: on an object store one takes tens of milliseconds, and there are many."""
ROW_BYTES = 200
"""Bytes of memory a page costs in `assign` and `write_splits`."""


def assign(
    store: Store,
    *,
    texts: list[str],
    rows: str,
    num_groups: int,
    decisions: list[str],
    partition: int,
    groups: list[int],
    output: str,
    copies: str,
) -> dict[str, Any]:
    """Write a record per page of this hash range that is not alone, by group of splits.

    split, row, state, pages, similarity, ids of its cluster and its survivor; ``through``: whether it goes for that
    because the page it equals does (``via``).
    """
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
    stays_split, stays_row = text["split"].copy(), text["row"].copy()
    gone = decided["removed"]
    survivor_hi[place[gone]] = decided["survivor_hi"][gone]
    survivor_lo[place[gone]] = decided["survivor_lo"][gone]
    similarity[place[gone]] = decided["similarity"][gone]
    copied = _copied(text, pages, place)
    stays_split[place[gone]] = decided["survivor_split"][gone]
    stays_row[place[gone]] = decided["survivor_row"][gone]
    parts = []
    stand_ins = []
    num_pages = 0
    for found in read_partitions(store, rows):
        num_pages += len(found["row"])
        _add_copies(copied, found)
        together = (pages[found["text"]] > 1) | found["moved"]
        found = {name: column[together] for name, column in found.items()}
        number, chosen = found["text"], found["chosen"]
        state = np.where(chosen, np.where(removed[number], FUZZY, STAYS), EXACT)
        state = np.where(found["moved"], SAME_ADDRESS, state)
        stand_ins.append(
            {
                "split": stays_split[number],
                "row": stays_row[number],
                "source": found["source"],
                "pages": np.ones(len(number), np.int64),
            }
        )
        parts.append(
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
                "through": removed[number] & ~chosen,
                "via_hi": text["id_hi"][number],
                "via_lo": text["id_lo"][number],
            }
        )
    sizes = [len(part["row"]) for part in parts]
    where = np.repeat(np.arange(num_groups), sizes)
    write_partitioned(store, output, concatenate(parts), where, num_groups, {"largest": list(copied.values())})
    counted = _sum_copies(concatenate(stand_ins))
    where = np.array(groups, np.int64)[counted["split"]]
    write_partitioned(store, copies, counted, where, num_groups, read_about(store, rows)[0])
    return {"pages": num_pages}


def _copied(text: Columns, pages: Array, decided: Array) -> dict[int, dict[str, Any]]:
    """By text: the largest clusters that are copies of one text without candidates (`decide` has the others)."""
    only = np.ones(len(pages), np.bool_)
    only[decided] = False
    found = np.flatnonzero(only & (pages > 1))
    found = found[np.lexsort((text["min_lo"][found], text["min_hi"][found], -pages[found]))][:LARGEST]
    nodes = {name: text[name][found] for name in ("id_hi", "id_lo", "split", "row")}
    columns = {"cluster_hi": text["min_hi"][found], "cluster_lo": text["min_lo"][found], "pages": pages[found]}
    entries = largest_clusters(columns | {"removed": np.zeros(len(found), np.bool_)}, nodes)
    return dict(zip(found.tolist(), entries, strict=True))


def _add_copies(copied: dict[int, dict[str, Any]], rows: Columns) -> None:
    """Note where the first copies stand of the texts of `_copied`."""
    wanted = np.flatnonzero(np.isin(rows["text"], list(copied)) & ~rows["chosen"])
    for row in wanted.tolist():
        shown = copied[int(rows["text"][row])]["shown"]
        if len(shown) <= SHOWN:
            shown.append([int(rows["split"][row]), int(rows["row"][row])])


def write_splits(
    store: Store,
    *,
    splits: list[dict[str, Any]],
    group: int,
    assigned: list[str],
    copies: list[str],
    outputs: list[str],
) -> dict[str, Any]:
    """Write the `clusters` file of every split of a group."""
    records = read_all(store, assigned, group)
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


def summarise(
    store: Store, *, outputs: list[str], decisions: list[str], assigned: list[str], pairs: list[str], summary: str
) -> dict[str, Any]:
    """Write ``summary``: JSON for the report, for the brakes and for people."""
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
        whole.update({name: report[name] for name in ("rows", *REMOVED)})
        cluster_sizes.update(report["cluster_sizes"])
        for kind, found in totals.items():
            for name, counts in report[kind].items():
                found.setdefault(name, Counter()).update(counts)
            for name, entries in report["examples"].get(kind, {}).items():
                known = examples[kind].get(name, []) + entries
                examples[kind][name] = sorted(known, key=lambda entry: entry["doc_id"])[:EXAMPLES]
    bins = np.zeros(SIMILARITY_BINS + 1, np.int64)
    verified = compared = distinct = 0
    largest: list[dict[str, Any]] = []
    for address in decisions:
        about = read_about(store, address)[0]
        bins += np.array(about["pairs_by_similarity"], np.int64)
        verified += about["pairs_verified"]
        compared += about["pairs_compared"]
        distinct += about["pairs"]
        largest += about["largest"]
    for address in assigned:
        largest += read_about(store, address)[0]["largest"]
    largest = sorted(largest, key=lambda entry: (-entry["pages"], entry["cluster"]))[:LARGEST]
    names = [address.rpartition("/")[2].removesuffix(".parquet") for address in outputs]
    nominated: Counter[str] = Counter()
    for address in pairs:
        about = read_about(store, address)[0]
        nominated["largest_bucket"] = max(nominated["largest_bucket"], about.pop("largest_bucket"))
        nominated.update(about)
    nominated["pairs"] = distinct  # a pair may be in the files of several ranges
    result = {
        **whole,
        "earlier": dict(earlier),
        "candidates": dict(nominated),
        "pairs_compared": compared,
        "pairs_verified": verified,
        "pairs_by_similarity": {f"{index / SIMILARITY_BINS:.2f}": int(n) for index, n in enumerate(bins) if n},
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
    digest = xxhash.xxh3_128()
    for name in ("state", "pages", "cluster_hi", "cluster_lo", "survivor_hi", "survivor_lo", "similarity", "through"):
        alone = np.where(state == ALONE, columns[name].dtype.type(0), columns[name])
        digest.update(np.ascontiguousarray(alone).view(np.uint8).data)
    for entry in table.column("copies").combine_chunks().flatten().flatten():
        digest.update("\n".join(map(str, entry.to_pylist())).encode())
    sizes = columns["pages"][state == STAYS]
    report: dict[str, Any] = {
        "rows": len(state),
        "earlier": split["earlier"],
        "exact_removed": int((state == EXACT).sum()),
        "fuzzy_removed": int((state == FUZZY).sum()),
        "url_removed": int((state == SAME_ADDRESS).sum()),
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
        report[kind] = _losses(encoded, state)
        report["examples"][kind] = _examples(encoded, state, documents, table)
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


def _losses(encoded: pa.DictionaryArray, state: Array) -> dict[str, dict[str, int]]:
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    count = len(encoded.dictionary)
    rows = np.bincount(indices, minlength=count)
    exact = np.bincount(indices[state == EXACT], minlength=count)
    fuzzy = np.bincount(indices[state == FUZZY], minlength=count)
    url = np.bincount(indices[state == SAME_ADDRESS], minlength=count)
    return {
        name: {
            "rows": int(rows[i]),
            "exact_removed": int(exact[i]),
            "fuzzy_removed": int(fuzzy[i]),
            "url_removed": int(url[i]),
        }
        for i, name in enumerate(encoded.dictionary.to_pylist())
    }
