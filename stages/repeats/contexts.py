"""Second exchange, there: contexts that may hold a repeat, once a group of splits, go where their anchor is decided.

`collect_contexts` (a group of splits) reads the text again. An anchor is left out where none of its keys is shared.
Where all contexts that have its left or right key are equal, the whole context is known to be repeated and no text of
it is needed; the others (those at the ends of repeats) take theirs along.

Columns of the contexts, by place of decision, then by (hash, full, second): hash, full, second (128 bits that stand for
the bytes), first, last, holders (pages of the group that have it; within a page: places), size (bytes of text, or 0),
text; and of the page that keeps first among them: split, row, place, the criteria, id_hi, id_lo. Columns of the places
(`Held`), in their order: split, row, place, stride, count, and ``context``, the number of its context among those of
the group and pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    order_by_partition,
    partition_of,
    read_all,
    write_ordered,
)
from stages.kernels.columns.distinct import distinct
from stages.kernels.columns.gather import copy_rows
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.words.line_hashes import look_up, table_of
from stages.repeats.pages import (
    Batch,
    batches,
    chosen,
    order_keys,
    page_order,
    preference_names,
    second_hash,
    spread,
)
from stages.repeats.params import Params

FOUND = {
    "split": np.int32, "row": np.int32, "place": np.int32, "stride": np.int32, "count": np.int32, "first": np.int32,
    "last": np.int32, "hash": np.uint64, "full": np.uint64, "second": np.uint64, "size": np.int64,
}  # fmt: skip
"""Types of the columns of an anchor that may hold a repeat."""
HELD = ("split", "row", "place", "stride", "count")


def collect_contexts(
    store: Store,
    *,
    params: dict[str, Any],
    splits: list[dict[str, Any]],
    group: int,
    number: int,
    places: int,
    shared: list[str],
    output: str,
    held: str,
) -> dict[str, Any]:
    """Write the contexts of a group in pass ``number`` to ``output``, and where they stand to ``held``."""
    settings = Params.model_validate(params)
    known = read_all(store, shared, group)
    table = table_of(known["key"])
    parts, texts, orders = [{name: np.zeros(0, kind) for name, kind in FOUND.items()}], [np.zeros(0, np.uint8)], []
    for split in splits:
        orders.append(page_order(store, settings, split))
        for batch in batches(store, settings, split, number):
            found, text = _found(settings, batch, known["contexts"], table)
            found["split"] = np.full(len(found["row"]), split["number"], np.int32)
            parts.append({name: found[name].astype(kind) for name, kind in FOUND.items()})
            texts.append(text)
    records = concatenate(parts)
    del parts
    offsets = offsets_of(records["size"])
    records |= _page_of(settings, splits, orders, records)
    chosen_C, context_of = _contexts(records, settings, places)
    where = partition_of(spread(records["hash"][chosen_C]), settings.passes * places).astype(np.int64) - number * places
    _write_contexts(
        store, output, settings, records, chosen_C, context_of, np.concatenate(texts), offsets, where, places
    )
    columns = {name: records[name] for name in HELD} | {"context": context_of}
    write_ordered(store, held, columns, dict.fromkeys(columns, np.array([0, len(context_of)])))
    return {"anchors": len(context_of), "contexts": len(chosen_C)}


def _found(settings: Params, batch: Batch, contexts: Array, table: Any) -> tuple[Columns, Array]:
    """The anchors of a batch that may hold a repeat, and the text of the first of each context that needs it."""
    anchors = batch.anchors
    counts = {}
    for name in ("full", "left", "right"):
        place = look_up(anchors[name], table)
        counts[name] = np.where(place >= 0, contexts[place], 1) if len(contexts) else np.ones(len(place), np.int64)
    may = np.maximum(counts["left"], counts["right"]) > 1
    if settings.within_page:
        order = np.lexsort((anchors["full"], anchors["page"]))
        twice = np.zeros(len(order), np.bool_)
        twice[1:] = (np.diff(anchors["page"][order]) == 0) & (anchors["full"][order[1:]] == anchors["full"][order[:-1]])
        twice[:-1] |= twice[1:]
        may[order[twice]] = True
        may |= anchors["count"] > 1
    alone = (counts["full"] == counts["left"]) & (counts["full"] == counts["right"])
    found = chosen(anchors, may)
    found["second"] = second_hash(batch, found, settings)
    needs = ~alone[may]
    order = np.lexsort((found["place"], found["second"], found["full"]))
    same = np.zeros(len(order), np.bool_)
    for name in ("full", "second"):
        column = found[name][order]
        same[1:] = (same[1:] | (name == "full")) & (column[1:] == column[:-1])
    needs[order[same]] = False
    sizes = np.where(needs, found["last"] - found["first"] + settings.min_bytes, 0)
    targets = offsets_of(sizes)
    text = np.empty(int(targets[-1]), np.uint8)
    copy_rows(batch.data, found["place"] + found["first"], sizes, targets[:-1], text)
    found["size"] = sizes
    found["row"] = found["page"] + batch.row
    found["place"] = found["place"] - batch.offsets[found["page"]]
    return found, text


def _page_of(settings: Params, splits: list[dict[str, Any]], orders: list[Columns], records: Columns) -> Columns:
    """For each record the number of its page in the group (``page``), its rank there, and what decides it."""
    bases = np.zeros(max((split["number"] for split in splits), default=0) + 1, np.int64)
    bases[[split["number"] for split in splits]] = offsets_of(np.array([split["rows"] for split in splits]))[:-1]
    columns = concatenate(orders)
    ranks = np.empty(len(columns["id_hi"]), np.int64)
    ranks[np.lexsort([columns[name] for name in order_keys(settings)])] = np.arange(len(ranks))
    page = bases[records["split"]] + records["row"]
    return {"page": page, "rank": ranks[page], **{name: column[page] for name, column in columns.items()}}


def _contexts(records: Columns, settings: Params, places: int) -> tuple[Array, Array]:
    """The record that keeps first of every context, by place of decision, hash, full and second; and the context of
    every record."""
    where = partition_of(spread(records["hash"]), settings.passes * places)
    keys = [records[name] for name in ("place", "rank", "second", "full", "hash")]
    order = np.lexsort([*keys, where])
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = False
    for name in ("hash", "full", "second"):
        column = records[name][order]
        fresh[1:] |= column[1:] != column[:-1]
    context_of = np.empty(len(order), np.int64)
    context_of[order] = np.cumsum(fresh) - 1
    return order[fresh], context_of


def _write_contexts(
    store: Store, output: str, settings: Params, records: Columns, chosen_C: Array, context_of: Array, text: Array,
    offsets: Array, where: Array, places: int,
) -> None:  # fmt: skip
    """Write the contexts, each with the text of any record that has it."""
    count = len(chosen_C)
    if settings.within_page:
        holders = np.bincount(context_of, weights=records["count"], minlength=count).astype(np.int64)
    else:
        num_pages = int(records["page"].max(initial=0)) + 1
        pairs = distinct(context_of * num_pages + records["page"])
        holders = np.bincount(pairs // num_pages, minlength=count).astype(np.int64)
    owner = np.full(count, -1, np.int64)
    sized = np.flatnonzero(records["size"] > 0)
    owner[context_of[sized]] = sized
    sizes = np.where(owner >= 0, records["size"][owner], 0) if len(records["size"]) else np.zeros(0, np.int64)
    targets = offsets_of(sizes)
    joined = np.empty(int(targets[-1]), np.uint8)
    copy_rows(text, np.where(owner >= 0, offsets[owner], 0), sizes, targets[:-1], joined)
    names = ["hash", "full", "second", "first", "last", "split", "row", "place", "id_hi", "id_lo"]
    columns = {name: records[name][chosen_C] for name in (*names, *preference_names(settings))}
    columns |= {"holders": holders, "size": sizes}
    _, bounds = order_by_partition(where, places)  # they stand in this order
    write_ordered(store, output, columns | {"text": joined}, dict.fromkeys(columns, bounds) | {"text": targets[bounds]})
