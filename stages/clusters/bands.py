"""Second exchange: texts by band key. Texts that meet in a band are candidates, if their sketches agree.

`map_bands` (a group of splits) writes a record (key, text, sketch: 32 bytes) per representative and band, ordered by
key range; `reduce_bands` (a key range) turns buckets into distinct candidate pairs (`stages.kernels.buckets`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.clusters.pages import document_columns, scope_salts, text_bases
from stages.clusters.params import Params
from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    partition_of,
    read_about,
    read_all,
    read_partition,
    write_ordered,
    write_partitioned,
)
from stages.kernels import buckets, minhash

BAND_RECORD_BYTES = 32
MAP_RECORD_BYTES = 112
"""Bytes of memory per band record while it is made: record, order, ordered copy."""
REDUCE_RECORD_BYTES = 112
"""Bytes of memory per band record while it is reduced: as read, joined, sort order, pairs."""


def map_bands(
    store: Store,
    *,
    params: dict[str, Any],
    splits: list[dict[str, Any]],
    group: int,
    texts: list[str],
    rows: list[str],
    first_band: int,
    last_band: int,
    partitions: int,
    output: str,
) -> dict[str, Any]:
    """Write the band records of a group's representatives for bands first_band to last_band - 1."""
    settings = Params.model_validate(params)
    members = representatives(store, texts, rows, group)
    parts = []
    about = {"permutations": 0}
    for split in splits:
        columns, permutations = _band_records(store, settings, split, members, first_band, last_band)
        parts.append(columns)
        about["permutations"] = max(about["permutations"], permutations)
    records = concatenate(parts)
    del parts, columns  # a copy of everything, which would still be held while the records are put in order
    write_partitioned(store, output, records, partition_of(records["key"], partitions), partitions, about)
    return {"records": len(records["key"])}


def reduce_bands(
    store: Store, *, params: dict[str, Any], inputs: list[str], partition: int, output: str
) -> dict[str, Any]:
    """Candidate pairs (left < right, text numbers) of one key range, ascending and distinct."""
    settings = Params.model_validate(params)
    records = read_all(store, inputs, partition)
    permutations = max(read_about(store, address)[0]["permutations"] for address in inputs)
    near, far = buckets.bit_bounds(settings.threshold, permutations)
    sketches = np.stack([records["sketch_0"], records["sketch_1"]], axis=1)
    left, right, statistics = buckets.candidate_pairs(records["key"], records["text"], sketches, near, far)
    names = ("buckets", "largest_bucket", "compared", "nominated", "limited")
    counts = dict(zip(names, statistics.tolist(), strict=True)) | {"pairs": len(left)}
    bounds = np.array([0, len(left)], np.int64)
    write_ordered(store, output, {"left": left, "right": right}, {"left": bounds, "right": bounds}, counts)
    return counts


def representatives(store: Store, texts: list[str], rows: list[str], group: int) -> Columns:
    """(split, row, text number) of the pages of a group that stand for their text."""
    bases = text_bases(store, texts)
    parts = []
    for base, address in zip(bases[:-1], rows, strict=True):
        found = read_partition(store, address, group)
        chosen = found["chosen"]
        parts.append(
            {"split": found["split"][chosen], "row": found["row"][chosen], "text": found["text"][chosen] + base}
        )
    return concatenate(parts)


def _band_records(
    store: Store, settings: Params, split: dict[str, Any], members: Columns, first_band: int, last_band: int
) -> tuple[Columns, int]:
    mine = np.flatnonzero(members["split"] == split["number"])
    rows = members["row"][mine]
    column = store.read_table(split["signatures"], ["minhash"]).column("minhash").combine_chunks()
    minima = column.flatten().to_numpy().reshape(len(column), column.type.list_size)[rows]
    keys = minhash.band_keys(minima, settings.bands, settings.rows, _salts(store, settings, split)[rows])
    keys = keys[:, first_band:last_band]
    sketches = minhash.sketches(minima)
    width = keys.shape[1]

    def spread(values: Array) -> Array:
        return np.repeat(values, width)

    columns = {
        "key": np.ascontiguousarray(keys).reshape(-1),
        "text": spread(members["text"][mine].astype(np.uint64)),
        "sketch_0": spread(sketches[:, 0]),
        "sketch_1": spread(sketches[:, 1]),
    }
    return columns, minima.shape[1]


def _salts(store: Store, settings: Params, split: dict[str, Any]) -> Array:
    sources = document_columns(store, split, ["source"]).column("source")
    languages = None
    if settings.per_language:
        languages = store.read_table(split["language"], ["language"]).column("language")
    return scope_salts(settings, sources, languages)
