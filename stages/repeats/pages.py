"""The reading of pages for `repeats`: their anchors, row group by row group, and the order in which they keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.contract import Store
from stages.exchange_file import Array, Columns, partition_of
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.dedup.anchors import SECOND, find_anchors, hash_contexts
from stages.repeats.params import Params
from stages.scopes import scope_salts

Mask = npt.NDArray[np.bool_]
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Batch(NamedTuple):
    """A row group: the row it begins with, its text, and the anchors of one pass.

    Columns of ``anchors``: page (of the batch), place (byte of data), stride, count, first, last, hash, full, left,
    right; see `stages.kernels.dedup.anchors`.
    """

    row: int
    data: Bytes
    offsets: Offsets
    anchors: Columns


def batches(store: Store, settings: Params, split: dict[str, Any], number: int) -> Iterator[Batch]:
    """The row groups of a split with the anchors of pass ``number``."""
    parts = taking_part(store, split)
    for row, table in store.row_groups(split["documents"], ["text", "url"] if settings.scope == "host" else ["text"]):
        text = table.column("text").combine_chunks()
        data, offsets = text_buffers(text)
        hosts = table.column("url") if settings.scope == "host" else None
        source = "" if settings.scope == "everything" else split["source"]
        salts = scope_salts(source, hosts, len(text))
        here = parts[row : row + len(text)]
        found = find_anchors(data, offsets, salts, here, settings.min_bytes, settings.anchor)
        columns: Columns = {
            "page": np.repeat(np.arange(len(text)), np.diff(found.anchors_D1)),
            "place": found.places_A,
            "stride": found.strides_A,
            "count": found.counts_A,
            "first": found.firsts_A,
            "last": found.lasts_A,
            "hash": found.hashes_A,
            "full": found.full_A,
            "left": found.left_A,
            "right": found.right_A,
        }
        if settings.passes > 1:
            columns = chosen(columns, partition_of(spread(found.hashes_A), settings.passes) == number)
        yield Batch(row, data, offsets, columns)


def spread(hashes: Array) -> Array:
    """Hashes of anchors, which are small because they are minima, over all 64-bit numbers."""
    return hashes * _SPREAD


def chosen(columns: Columns, which: Array) -> Columns:
    """All columns of the records at ``which``."""
    return {name: column[which] for name, column in columns.items()}


def second_hash(batch: Batch, anchors: Columns, settings: Params) -> Array:
    """A second hash of the contexts of some anchors: with ``full`` 128 bits, which stand for the bytes."""
    starts = anchors["place"] + anchors["first"]
    return hash_contexts(batch.data, starts, anchors["place"] + anchors["last"] + settings.min_bytes, SECOND)


def taking_part(store: Store, split: dict[str, Any]) -> Mask:
    """A mask of a split's pages that take part."""
    if split["decided"] is None:
        return np.ones(split["rows"], np.bool_)
    keep: Mask = store.read_table(split["decided"], ["keep"]).column(0).to_numpy()
    if len(keep) != split["rows"]:
        raise ValueError(
            f"{split['decided']}: expected {split['rows']} rows as in {split['documents']}, found {len(keep)}"
        )
    return keep


def preference_names(settings: Params) -> list[str]:
    """Names of the columns that hold the survivor policy's criteria, most important first."""
    return [f"preference_{index}" for index in range(len(settings.survivor))]


def page_order(store: Store, settings: Params, split: dict[str, Any]) -> Columns:
    """Criteria by which pages keep, of every page of a split: the policy's (smaller is better), then its doc_id."""
    documents = store.read_table(split["documents"], ["doc_id", "source", "time", "text_bytes"])
    ids = documents.column("doc_id").combine_chunks()
    pairs = np.frombuffer(ids.buffers()[1] or b"", ">u8")[2 * ids.offset : 2 * (ids.offset + len(ids))].reshape(-1, 2)
    columns: Columns = {}
    for name, preference in zip(preference_names(settings), settings.survivor, strict=True):
        values = _preference(store, settings, preference, documents, split)
        columns[name] = np.where(np.isnan(values), np.inf, values) + 0.0  # unknown comes last; no negative zero
    return columns | {"id_hi": pairs[:, 0].astype(np.uint64), "id_lo": pairs[:, 1].astype(np.uint64)}


def order_keys(settings: Params) -> list[str]:
    """The columns of `page_order`, the one that decides last first, as `numpy.lexsort` takes them."""
    return ["id_lo", "id_hi", *preference_names(settings)[::-1]]


def _preference(store: Store, settings: Params, name: str, documents: pa.Table, split: dict[str, Any]) -> Array:
    if name == "longest":
        sizes: Array = documents.column("text_bytes").to_numpy(zero_copy_only=False).astype(np.float64)
        return -sizes
    if name in ("newest", "oldest"):
        seconds: Array = pc.cast(documents.column("time"), pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
        return -seconds if name == "newest" else seconds
    if name == "source":
        ranks = {source: rank for rank, source in enumerate(settings.source_priority)}
        encoded = documents.column("source").combine_chunks().dictionary_encode()
        values = [ranks.get(source, len(ranks)) for source in encoded.dictionary.to_pylist()]
        places: Array = encoded.indices.to_numpy(zero_copy_only=False)
        return np.array(values, np.float64)[places]
    if split["quality"] is None:
        raise ValueError(f"repeats.survivor needs {settings.quality_column}; {split['name']} has no quality file")
    found = store.read_table(split["quality"], [str(settings.quality_column)])
    if found.num_columns == 0:
        raise ValueError(f"{split['quality']} has no column {settings.quality_column!r} (repeats.quality_column)")
    scores: Array = pc.cast(found.column(0), pa.float64()).to_numpy(zero_copy_only=False)
    return -scores
