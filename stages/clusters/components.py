"""From candidate pairs to places of decision: every text that has a candidate, with its shingles, where they meet.

`find_components` (one task) joins candidate pairs by union-find and deals the components out to decision partitions
of about equal numbers of shingles. `extract_shingles` (a group of splits) reads the text of those representatives,
and of no other page, once, and writes their shingle sets ordered by decision partition.

Memory of `find_components`: `TEXT_BYTES` per distinct text, plus one file of pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stages.clusters.pages import METHOD_KEY, text_bases
from stages.contract import Store
from stages.exchange_file import (
    Columns,
    concatenate,
    order_by_partition,
    read_all,
    read_partition,
    write_ordered,
    write_partitioned,
)
from stages.kernels import unionfind
from stages.kernels.gather import copy_rows
from stages.kernels.normalise import normalise
from stages.kernels.ragged import offsets_of, text_buffers
from stages.kernels.shingles import shingle_sets

TEXT_BYTES = 64
"""Bytes of memory per distinct text in `find_components`."""

NOWHERE = 0xFFFF
"""Partition of a text without candidates."""


def find_components(
    store: Store,
    *,
    texts: list[str],
    pairs: list[str],
    num_splits: int,
    partitions: int,
    members: list[str],
    edges: list[str],
) -> dict[str, Any]:
    """Deal components of candidates out to ``partitions`` decision tasks.

    Writes ``members[i]`` for every texts file (the records of its texts that have a candidate, with ``text`` and
    ``place``, by split) and ``edges[i]`` for every pairs file (its pairs, by place).
    """
    bases = text_bases(store, texts)
    parents = unionfind.singletons(int(bases[-1]))
    paired = np.zeros(len(parents), np.bool_)
    for address in pairs:
        found = read_partition(store, address, 0)
        left, right = found["left"].astype(np.int64), found["right"].astype(np.int64)
        unionfind.unite(parents, left, right)
        paired[left] = True
        paired[right] = True
    unionfind.flatten(parents)
    places = _places(parents, paired, _shingles(store, texts, bases), partitions)
    for index, address in enumerate(texts):
        _write_members(store, address, int(bases[index]), places, num_splits, members[index])
    for address, output in zip(pairs, edges, strict=True):
        found = read_partition(store, address, 0)
        write_partitioned(store, output, found, places[found["left"].astype(np.int64)], partitions)
    return {"texts": len(parents), "candidates": int(paired.sum())}


def extract_shingles(
    store: Store, *, splits: list[dict[str, Any]], members: list[str], partitions: int, output: str
) -> dict[str, Any]:
    """Write the records of these splits' candidates with their shingles (``size`` each, ``hash`` ragged), by place.

    A candidate whose text is not at hand is ``signed``: its values are its minima instead.
    """
    parts = [
        part for split in splits for part in _with_shingles(store, split, read_all(store, members, split["number"]))
    ]
    records = concatenate(parts)
    del parts
    order, bounds = order_by_partition(records["place"], partitions)
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
    """The records of one split, in row order, with their shingles; only row groups that hold one are read."""
    by_row = np.argsort(records["row"])
    records = {name: column[by_row] for name, column in records.items()}
    rows = records["row"]
    if len(rows) == 0:
        none = {"size": np.zeros(0, np.int64), "hash": np.zeros(0, np.uint64), "signed": np.zeros(0, np.bool_)}
        yield records | none
        return
    if split["documents"] is None:
        column = store.read_table(split["signatures"], ["minhash"]).column(0).take(pa.array(rows)).combine_chunks()
        minima = column.flatten().to_numpy().astype(np.uint64)
        sizes = np.full(len(rows), len(minima) // len(rows))
        yield records | {"size": sizes, "hash": minima, "signed": np.ones(len(rows), np.bool_)}
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


def _write_members(
    store: Store, texts: str, base: int, places: npt.NDArray[np.uint16], num_splits: int, output: str
) -> None:
    records = read_partition(store, texts, 0)
    here = places[base : base + len(records["row"])]
    found = np.flatnonzero(here != NOWHERE)
    columns = {name: column[found] for name, column in records.items()}
    columns |= {"text": found + base, "place": here[found]}
    write_partitioned(store, output, columns, columns["split"], num_splits)


def _shingles(store: Store, texts: list[str], bases: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    out = np.zeros(int(bases[-1]), np.int64)
    for index, address in enumerate(texts):
        out[bases[index] : bases[index + 1]] = read_partition(store, address, 0)["shingles"]
    return out


def _places(
    parents: npt.NDArray[np.int64], paired: npt.NDArray[np.bool_], shingles: npt.NDArray[np.int64], partitions: int
) -> npt.NDArray[np.uint16]:
    """Decision partition of every text: components in order of their smallest text, cut into equal loads."""
    loads = np.bincount(parents[paired], weights=shingles[paired], minlength=len(parents))
    before = np.cumsum(loads) - loads
    total = max(float(loads.sum()), 1.0)
    place_of_root = np.minimum((before * partitions / total).astype(np.int64), partitions - 1)
    return np.where(paired, place_of_root[parents], NOWHERE).astype(np.uint16)
