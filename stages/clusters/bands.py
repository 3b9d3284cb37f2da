"""Second exchange: texts by band key. Texts that meet in a band are candidates, if their sketches agree.

`map_bands` (a group of splits) writes a record (key, text, sketch: 32 bytes) per representative and band, ordered by
key range; `reduce_bands` (a key range) turns buckets into distinct candidate pairs
(`stages.kernels.dedup.band_buckets`), by range of the smaller text.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from stages.kernels.dedup import band_buckets, minhash

RECORD = ("key", "text", "sketch_0", "sketch_1")
MAP_RECORD_BYTES = 80
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
    width = last_band - first_band
    records = {name: np.empty(len(members["text"]) * width, np.uint64) for name in RECORD}
    about = {"permutations": 0}
    for split in splits:
        start, stop = np.searchsorted(members["split"], (split["number"], split["number"] + 1)).tolist()
        salts = _salts(store, settings, split)
        for found, minima in minima_of_rows(store, split["signatures"], members["row"][start:stop]):
            here = slice(start + found.start, start + found.stop)
            own = np.ascontiguousarray(minima[:, first_band * settings.rows : last_band * settings.rows])
            keys = minhash.band_keys(own, width, settings.rows, salts[members["row"][here]] + np.uint64(first_band))
            sketches = minhash.sketches(minima)
            place = slice(here.start * width, here.stop * width)
            records["key"][place] = keys.reshape(-1)
            records["text"][place] = np.repeat(members["text"][here].astype(np.uint64), width)
            records["sketch_0"][place] = np.repeat(sketches[:, 0], width)
            records["sketch_1"][place] = np.repeat(sketches[:, 1], width)
            about["permutations"] = max(about["permutations"], minima.shape[1])
    write_partitioned(store, output, records, partition_of(records["key"], partitions), partitions, about)
    return {"records": len(records["key"])}


def reduce_bands(
    store: Store, *, params: dict[str, Any], texts: list[str], inputs: list[str], partition: int, output: str
) -> dict[str, Any]:
    """Candidate pairs (left < right, text numbers; hot) of one key range, ascending and distinct, by range of ``left``.

    Beside them, of large buckets, whose pairs hang on who is in them: their records (hot_key, hot_text, hot_sketch_0,
    hot_sketch_1), by range of text, and links (link_left < link_right) that keep the texts of each in one family.
    """
    settings = Params.model_validate(params)
    records = read_all(store, inputs, partition)
    permutations = max(read_about(store, address)[0]["permutations"] for address in inputs)
    near, far = band_buckets.bit_bounds(settings.threshold, permutations)
    sketches = np.stack([records["sketch_0"], records["sketch_1"]], axis=1)
    found = band_buckets.nominate(records["key"], records["text"], sketches, near, far)
    names = ("buckets", "largest_bucket", "compared", "nominated", "limited")
    counts = dict(zip(names, found.statistics.tolist(), strict=True)) | {"pairs": len(found.left)}
    columns: Columns = {"left": found.left, "right": found.right, "hot": found.hot}
    keys, texts_of = records["key"][found.hot_records], records["text"][found.hot_records]
    same = keys[1:] == keys[:-1]
    columns["link_left"], columns["link_right"] = band_buckets.distinct_edges(texts_of[:-1][same], texts_of[1:][same])
    by_text = np.lexsort((keys, texts_of))
    hot = found.hot_records[by_text]
    columns |= {f"hot_{name}": records[name][hot] for name in RECORD}
    bases = text_bases(store, texts).astype(np.uint64)
    bounds_of = {
        name: np.searchsorted(columns[first], bases)
        for first, group in (
            ("left", ("left", "right", "hot")),
            ("link_left", ("link_left", "link_right")),
            ("hot_text", tuple(f"hot_{name}" for name in RECORD)),
        )
        for name in group
    }
    about = counts | {"near": near, "far": far}
    write_ordered(store, output, columns, bounds_of, about)
    return counts


def representatives(store: Store, texts: list[str], rows: list[str], group: int) -> Columns:
    """(split, row, text number) of the pages of a group that are read for their text, in this order."""
    bases = text_bases(store, texts)
    parts = []
    for base, address in zip(bases[:-1], rows, strict=True):
        found = read_partition(store, address, group)
        chosen = found["chosen"]
        parts.append(
            {
                "split": found["split"][chosen],
                "row": found["row"][chosen],
                "text": found["text"][chosen].astype(np.int64) + base,
            }
        )
    found = concatenate(parts)
    order = np.lexsort((found["row"], found["split"]))
    return {name: column[order] for name, column in found.items()}


def minima_of_rows(store: Store, signatures: str, rows: Array) -> Iterator[tuple[slice, Array]]:
    """Minima of some rows, ascending, row group by row group: (which of ``rows``, theirs).

    A whole column at once would be four times as slow: its memory is fresh from the system every time.
    """
    for place, table in store.read_rows(signatures, rows, ["minhash"]):
        column = table.column(0).combine_chunks()
        yield place, column.flatten().to_numpy(zero_copy_only=False, writable=True).reshape(len(column), -1)


def _salts(store: Store, settings: Params, split: dict[str, Any]) -> Array:
    if settings.scope == "everything" and not settings.per_language:
        return np.zeros(split["rows"], np.uint64)
    sources = document_columns(store, split, ["source"]).column("source")
    languages = None
    if settings.per_language:
        languages = store.read_table(split["language"], ["language"]).column("language")
    return scope_salts(settings, sources, languages)
