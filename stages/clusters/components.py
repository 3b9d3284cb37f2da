"""From candidate pairs to places of decision: every text that has a candidate, with its shingles, where they meet.

`find_components` (one task) joins candidate pairs by union-find; where its `TEXT_BYTES` per distinct text are more than
a task may have, `stages.clusters.stars` does the same in many. `deal` (a range of texts) sends components to decision
places, by a hash of their smallest text, so that all places are about equal. `extract_shingles` (a group of splits)
reads the text of the representatives of some places, and of no other page, and writes their shingle sets by place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.clusters import stars
from stages.clusters.bands import minima_of_rows
from stages.clusters.pages import METHOD_KEY, text_bases
from stages.contract import Store
from stages.exchange_file import (
    Columns,
    concatenate,
    order_by_partition,
    partition_of,
    read_all,
    read_partition,
    read_partitions,
    write_ordered,
    write_partitioned,
)
from stages.kernels.columns.gather import copy_rows
from stages.kernels.columns.ragged import offsets_of, text_buffers
from stages.kernels.dedup import unionfind
from stages.kernels.dedup.band_buckets import distinct_edges
from stages.kernels.dedup.shingles import shingle_sets
from stages.kernels.unicode.normalise import normalise

TEXT_BYTES = 32
"""Bytes of memory per distinct text in `find_components`."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def find_components(store: Store, *, texts: list[str], pairs: list[str], output: str) -> dict[str, Any]:
    """Write every text that has a candidate (node) and the smallest text of its component (neighbour), by range."""
    bases = text_bases(store, texts)
    parents = unionfind.singletons(int(bases[-1]))
    paired = np.zeros(len(parents), np.bool_)
    for address in pairs:
        for found in read_partitions(store, address):
            left, right = found["left"].astype(np.int64), found["right"].astype(np.int64)
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
    texts: list[str],
    components: dict[str, Any],
    pairs: list[str],
    partition: int,
    places: int,
    rounds: int,
    groups: list[int],
    members: str,
    edges: str,
) -> dict[str, Any]:
    """Deal the texts of a range that have a candidate, and the pairs they begin, out to ``places``.

    ``components``: arguments of `stars.labels`. Writes ``members`` (the records of the texts, with ``text`` and
    ``place``, by round of places and group of their split) and ``edges`` (distinct pairs, by place). ``groups[s]`` is
    split s's group.
    """
    base = int(text_bases(store, texts)[partition])
    nodes, roots = stars.labels(store, **components, partition=partition)
    place = partition_of(roots.astype(np.uint64) * _SPREAD, places).astype(np.int64)
    records = read_partition(store, texts[partition], 0)
    columns = {name: column[nodes - base] for name, column in records.items()}
    columns |= {"text": nodes, "place": place}
    num_groups = max(groups) + 1
    where = place * rounds // places * num_groups + np.array(groups, np.int64)[columns["split"]]
    write_partitioned(store, members, columns, where, rounds * num_groups)
    found = read_all(store, pairs, partition)
    left, right = distinct_edges(found["left"], found["right"])
    begun = place[np.searchsorted(nodes, left.astype(np.int64))]
    write_partitioned(store, edges, {"left": left, "right": right}, begun, places)
    return {"candidates": len(nodes), "pairs": len(left)}


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
        parts += _with_shingles(store, split, {name: column[start:stop] for name, column in found.items()})
    records = concatenate(parts)
    del parts
    order, bounds = order_by_partition(records["place"] - first_place, last_place - first_place)
    sizes = records["size"]
    starts = offsets_of(sizes)
    hashes = np.empty(len(records["hash"]), np.uint64)
    targets = offsets_of(sizes[order])
    byte_starts, byte_sizes = starts[:-1][order] * 8, sizes[order] * 8
    copy_rows(records["hash"].view(np.uint8), byte_starts, byte_sizes, targets[:-1] * 8, hashes.view(np.uint8))
    columns = {name: column[order] for name, column in records.items() if name not in ("hash", "place")}
    bounds_of = dict.fromkeys(columns, bounds) | {"hash": targets[bounds]}
    write_ordered(store, output, columns | {"hash": hashes}, bounds_of, _method(store, splits[0]["signatures"]))
    return {"texts": len(order), "shingles": len(hashes)}


def _with_shingles(store: Store, split: dict[str, Any], records: Columns) -> Iterator[Columns]:
    """The records of one split, by row, with their shingles; only row groups that hold one are read."""
    rows = records["row"]
    if len(rows) == 0:
        none = {"size": np.zeros(0, np.int64), "hash": np.zeros(0, np.uint64), "signed": np.zeros(0, np.bool_)}
        yield records | none
        return
    if split["documents"] is None:
        for start, stop, minima in minima_of_rows(store, split["signatures"], rows):
            part = {name: values[start:stop] for name, values in records.items()}
            sizes = np.full(stop - start, minima.shape[1])
            signed = np.ones(stop - start, np.bool_)
            yield part | {"size": sizes, "hash": minima.reshape(-1).astype(np.uint64), "signed": signed}
        return
    ngram = int(_method(store, split["signatures"])["ngram"])
    with store.open(split["documents"]) as file:
        reader = pq.ParquetFile(file)
        first = 0
        for group in range(reader.num_row_groups):
            last = first + reader.metadata.row_group(group).num_rows
            start, stop = np.searchsorted(rows, (first, last))
            if stop > start:
                column = reader.read_row_group(group, columns=["text"]).column("text")
                text = column.take(pa.array(rows[start:stop] - first))
                hashes, offsets = shingle_sets(*normalise(*text_buffers(text)), ngram)
                part = {name: values[start:stop] for name, values in records.items()}
                yield part | {"size": np.diff(offsets), "hash": hashes, "signed": np.zeros(stop - start, np.bool_)}
            first = last


def _method(store: Store, signatures: str) -> dict[str, Any]:
    """Parameters of the signatures in a file."""
    with store.open(signatures) as file:
        metadata = pq.ParquetFile(file).schema_arrow.metadata or {}
    found: dict[str, Any] = json.loads(metadata[METHOD_KEY])
    return found
