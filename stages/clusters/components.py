"""Families from candidate pairs: texts that may have to do with each other, and where their shingles meet.

A family is what candidate pairs join, and the texts of one large bucket or of one address: whichever of its pages may
stay, no run over those would compare a page of it with one outside (`stages.clusters.settle`).

`find_components` (one task) joins them by union-find; where its `TEXT_BYTES` per distinct text are more than
a task may have, `stages.clusters.stars` does the same in many. `deal` (a range of texts) sends families to places
of comparison and to shelves, by a hash of their smallest text, so that all are about equal. `extract_shingles` (a
group of splits) reads one page of every text of some places, and no other page, and writes their shingle sets by place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from stages.clusters import stars
from stages.clusters.bands import minima_of_rows
from stages.clusters.pages import METHOD_KEY, page_columns, text_bases
from stages.clusters.params import Params
from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    order_by_partition,
    partition_of,
    read_about,
    read_all,
    read_partition,
    read_partitions,
    write_ordered,
    write_partitioned,
)
from stages.kernels.columns.ragged import offsets_of, text_buffers
from stages.kernels.columns.rows import Pieces
from stages.kernels.dedup import unionfind
from stages.kernels.dedup.shingles import shingle_sets
from stages.kernels.unicode.normalise import normalise

TEXT_BYTES = 32
"""Bytes of memory per distinct text in `find_components`."""

HOT = ("hot_key", "hot_text", "hot_sketch_0", "hot_sketch_1")

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def find_components(store: Store, *, texts: list[str], pairs: list[str], output: str) -> dict[str, Any]:
    """Write every text that is joined to another (node) and the smallest text of its family (neighbour), by range."""
    bases = text_bases(store, texts)
    parents = unionfind.singletons(int(bases[-1]))
    paired = np.zeros(len(parents), np.bool_)
    for address in pairs:
        for found in read_partitions(store, address):
            for left, right in stars.edges_of(found):
                unionfind.unite(parents, left, right)
                paired[left] = True
                paired[right] = True
    unionfind.flatten(parents)
    nodes = np.flatnonzero(paired)
    columns = {"node": nodes, "neighbour": parents[nodes]}
    write_ordered(store, output, columns, dict.fromkeys(columns, np.searchsorted(nodes, bases)), {"settled": True})
    return {"texts": len(parents), "candidates": len(nodes)}


def deal(
    store: Store,
    *,
    params: dict[str, Any],
    texts: list[str],
    rows: str,
    components: dict[str, Any],
    pairs: list[str],
    partition: int,
    places: int,
    rounds: int,
    shelves: int,
    groups: list[int],
    members: str,
    edges: str,
    families: str,
) -> dict[str, Any]:
    """Deal the families' texts of a range, and the pairs they begin, out to ``places`` and ``shelves``.

    ``components``: arguments of `stars.labels`. Writes ``members`` (the records of the texts joined to another, with
    ``text``, ``place`` and ``shelf``, by round of places and group of their split), ``edges`` (distinct pairs, by
    place) and ``families`` (by shelf: texts, pages and records of large buckets, of texts without another too where
    several pages have them). ``groups[s]`` is split s's group.
    """
    settings = Params.model_validate(params)
    base = int(text_bases(store, texts)[partition])
    nodes, roots = stars.labels(store, **components, partition=partition)
    records = read_partition(store, texts[partition], 0)
    root = np.arange(len(records["copies"])) + base
    root[nodes - base] = roots
    together = records["copies"] > 1
    together[nodes - base] = True
    spread = root.astype(np.uint64) * _SPREAD
    place, shelf = partition_of(spread, places).astype(np.int64), partition_of(spread, shelves).astype(np.int64)
    columns = {name: column[nodes - base] for name, column in records.items()}
    columns |= {"text": nodes, "place": place[nodes - base], "shelf": shelf[nodes - base]}
    num_groups = max(groups) + 1
    where = columns["place"] * rounds // places * num_groups + np.array(groups, np.int64)[columns["split"]]
    write_partitioned(store, members, columns, where, rounds * num_groups)
    found = read_all(store, pairs, partition)
    kept = _distinct(found["left"], found["right"], found["hot"])
    begun = place[kept["left"].astype(np.int64) - base]
    write_partitioned(store, edges, kept, begun, places)
    pages = concatenate(read_partitions(store, rows))
    pages = {name: column[together[pages["text"]]] for name, column in pages.items()}
    of_texts = {f"text_{name}": records[name][together] for name in ("shingles", "split", "row")}
    hot = {name: found[name] for name in HOT}
    parts = {
        "text": (of_texts | {"text": np.flatnonzero(together) + base}, shelf[together]),
        "page": (
            {f"page_{name}": pages[name] for name in ("split", "row", *page_columns(settings))}
            | {"page_text": pages["text"].astype(np.int64) + base},
            shelf[pages["text"]],
        ),
        "hot": (hot, shelf[hot["hot_text"].astype(np.int64) - base]),
    }
    _write_shelves(store, families, parts, shelves, read_about(store, rows)[0])
    return {"candidates": len(nodes), "pairs": len(kept["left"])}


def _distinct(left: Array, right: Array, hot: Array) -> Columns:
    """Pairs without repeats; one that a small bucket nominates somewhere is not ``hot``."""
    order = np.lexsort((hot, right, left))
    left, right, hot = left[order], right[order], hot[order]
    fresh = np.ones(len(left), np.bool_)
    fresh[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return {"left": left[fresh], "right": right[fresh], "hot": hot[fresh]}


def _write_shelves(
    store: Store, address: str, parts: dict[str, tuple[Columns, Array]], shelves: int, about: dict[str, Any]
) -> None:
    """One file of several sets of columns, each ordered by shelf."""
    columns: Columns = {}
    bounds_of: dict[str, Array] = {}
    for found, shelf in parts.values():
        order, bounds = order_by_partition(shelf, shelves)
        columns |= {name: column[order] for name, column in found.items()}
        bounds_of |= dict.fromkeys(found, bounds)
    write_ordered(store, address, columns, bounds_of, about)


def extract_shingles(
    store: Store,
    *,
    splits: list[dict[str, Any]],
    members: list[str],
    partition: int,
    first_place: int,
    last_place: int,
    output: str,
) -> dict[str, Any]:
    """Write the records of these splits' candidates with their shingles (``size`` each, ``hash`` ragged), by place.

    ``partition`` of ``members``: those of these splits with a place from first_place to last_place - 1.
    A candidate whose text is not at hand is ``signed``: its values are its minima instead.
    """
    found = read_all(store, members, partition)
    order = np.lexsort((found["row"], found["split"]))
    found = {name: column[order] for name, column in found.items()}
    limits = np.searchsorted(found["split"], [[split["number"], split["number"] + 1] for split in splits])
    parts: list[Columns] = []
    for split, (start, stop) in zip(splits, limits.tolist(), strict=True):
        parts += shingles_of(store, split, {name: column[start:stop] for name, column in found.items()})
    sets = [part.pop("hash").view(np.uint8) for part in parts]
    records = concatenate(parts)
    order, bounds = order_by_partition(records["place"] - first_place, last_place - first_place)
    columns = {name: column[order] for name, column in records.items() if name != "place"}
    hashes = _Sets(Pieces(sets, offsets_of(records["size"]), _Sets.dtype), order, offsets_of(columns["size"]))
    bounds_of = dict.fromkeys(columns, bounds) | {"hash": hashes.offsets[bounds]}
    write_ordered(store, output, columns | {"hash": hashes}, bounds_of, signing_method(store, splits[0]["signatures"]))
    return {"texts": len(order), "shingles": int(hashes.offsets[-1])}


@dataclass(frozen=True)
class _Sets:
    """Shingle sets in the order in which they are written: they are most of what the task holds, and stand once."""

    pieces: Pieces
    order: Array
    offsets: Array
    """Bounds of the sets in this order, in hashes."""
    dtype = np.dtype(np.uint64)

    def blocks(self, start: int, stop: int) -> Iterator[Array]:
        first, last = np.searchsorted(self.offsets, (start, stop))
        return self.pieces.blocks(self.order[first:last])


def shingles_of(store: Store, split: dict[str, Any], records: Columns) -> Iterator[Columns]:
    """The records of one split, by row, with their shingles; only row groups that hold one are read."""
    rows = records["row"]
    if len(rows) == 0:
        none = {"size": np.zeros(0, np.int64), "hash": np.zeros(0, np.uint64), "signed": np.zeros(0, np.bool_)}
        yield records | none
        return
    if split["documents"] is None:
        for place, minima in minima_of_rows(store, split["signatures"], rows):
            part = {name: values[place] for name, values in records.items()}
            sizes = np.full(len(minima), minima.shape[1])
            signed = np.ones(len(minima), np.bool_)
            yield part | {"size": sizes, "hash": minima.reshape(-1).astype(np.uint64), "signed": signed}
        return
    ngram = int(signing_method(store, split["signatures"])["ngram"])
    for place, table in store.read_rows(split["documents"], rows, ["text"]):
        hashes, offsets = shingle_sets(*normalise(*text_buffers(table.column("text"))), ngram)
        part = {name: values[place] for name, values in records.items()}
        yield part | {"size": np.diff(offsets), "hash": hashes, "signed": np.zeros(len(table), np.bool_)}


def signing_method(store: Store, signatures: str) -> dict[str, Any]:
    """Parameters of the signatures in a file."""
    with store.open(signatures) as file:
        metadata = pq.ParquetFile(file).schema_arrow.metadata or {}
    found: dict[str, Any] = json.loads(metadata[METHOD_KEY])
    return found
