"""Second exchange, back: which copy of every repeated window stays, sent to every group that has its context.

`choose_owners` (a place of decision) joins equal contexts of all groups, puts those of one anchor in the order in which
they keep, and lets `stages.kernels.dedup.repeats` find who owns which of their windows. Its work is linear in the
contexts, however many pages have one: of a group of splits it sees each once.

Columns, by group, in the order of its contexts: ``pieces`` of each context, and of each piece: first, last (windows,
seen from the anchor), split, row, place, id_hi, id_lo of the copy that stays. ``about`` has the contexts that most
places have, with where their copy stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.contract import Store
from stages.exchange_file import Array, Columns, concatenate, read_partition, write_ordered
from stages.kernels.columns.gather import copy_rows
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.dedup.repeats import Pieces, find_owners
from stages.repeats.pages import chosen, order_keys
from stages.repeats.params import Params

SHOWN = 1000
"""Contexts named in ``about``, of which `summarise` makes the passages that most pages have."""
COPY = ("split", "row", "place", "id_hi", "id_lo")


def choose_owners(
    store: Store, *, params: dict[str, Any], inputs: list[str], partition: int, output: str
) -> dict[str, Any]:
    """Decide the contexts of one place; ``inputs``: those of every group."""
    settings = Params.model_validate(params)
    parts = [read_partition(store, address, partition) for address in inputs]
    sizes = [len(part["hash"]) for part in parts]
    text = np.concatenate([part.pop("text") for part in parts])
    records = concatenate(parts)
    del parts
    offsets = offsets_of(records["size"])
    chosen_C, context_of = _joined(records, settings)
    contexts = chosen(records, chosen_C)
    contexts["holders"] = np.bincount(context_of, weights=records["holders"], minlength=len(chosen_C)).astype(np.int64)
    targets = offsets_of(contexts["size"])
    ordered = np.empty(int(targets[-1]), np.uint8)
    copy_rows(text, offsets[chosen_C], contexts["size"], targets[:-1], ordered)
    del text
    pages = contexts["split"].astype(np.int64) << 32 | contexts["row"]
    pages = np.arange(len(pages)) if settings.within_page else pages
    changes = np.flatnonzero(contexts["hash"][1:] != contexts["hash"][:-1]) + 1
    groups = np.concatenate(([0], changes, [len(pages)])) if len(pages) else np.zeros(1, np.int64)
    firsts, lasts = contexts["first"].astype(np.int64), contexts["last"].astype(np.int64)
    found = find_owners(ordered, targets, firsts, lasts, contexts["holders"], pages, groups, settings.min_bytes)
    about = {"contexts": len(chosen_C), "windows": _windows(found), "most": _most(contexts, settings)}
    _write(store, output, found, contexts, context_of, np.array(sizes, np.int64), about)
    return {name: about[name] for name in ("contexts", "windows")}


def _joined(records: Columns, settings: Params) -> tuple[Array, Array]:
    """The record that keeps first of every context, those of one anchor together in the order in which they keep; and
    the context of every record."""
    policy = ["place", *order_keys(settings)]
    ranks = np.empty(len(records["hash"]), np.int64)
    ranks[np.lexsort([records[name] for name in policy])] = np.arange(len(ranks))
    order = np.lexsort((ranks, records["second"], records["full"], records["hash"]))
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = False
    for name in ("hash", "full", "second"):
        column = records[name][order]
        fresh[1:] |= column[1:] != column[:-1]
    best = order[fresh]
    in_order = np.lexsort((ranks[best], records["hash"][best]))
    new_number = np.empty(len(best), np.int64)
    new_number[in_order] = np.arange(len(best))
    context_of = np.empty(len(order), np.int64)
    context_of[order] = new_number[np.cumsum(fresh) - 1]
    return best[in_order], context_of


def _write(
    store: Store, output: str, found: Pieces, contexts: Columns, context_of: Array, sizes: Array, about: dict[str, Any]
) -> None:
    """The pieces of every record, in the order of the records."""
    counts = np.diff(found.pieces_C1)[context_of]
    bounds = offsets_of(sizes)
    ends = offsets_of(counts)
    which = np.arange(int(ends[-1])) + np.repeat(found.pieces_C1[:-1][context_of] - ends[:-1], counts)
    owners = found.owners_P[which]
    columns: Columns = {"pieces": counts.astype(np.int32)}
    pieces = {"first": found.firsts_P[which].astype(np.int32), "last": found.lasts_P[which].astype(np.int32)}
    pieces |= {name: contexts[name][owners] for name in COPY}
    of_piece = dict.fromkeys(pieces, ends[bounds])
    write_ordered(store, output, columns | pieces, {"pieces": bounds} | of_piece, about)


def _windows(found: Pieces) -> int:
    """Repeated windows of all contexts, each counted once a context."""
    return int((found.lasts_P - found.firsts_P + 1).sum())


def _most(contexts: Columns, settings: Params) -> list[list[Any]]:
    """[holders, doc_id, split, row, start, stop] of the contexts that most places have; see `SHOWN`."""
    many = np.flatnonzero(contexts["holders"] > 1)
    keys = [contexts[name][many] for name in ("place", "id_lo", "id_hi")]
    best = many[np.lexsort([*keys, -contexts["holders"][many]])][:SHOWN]
    return [
        [
            int(contexts["holders"][c]),
            f"{int(contexts['id_hi'][c]):016x}{int(contexts['id_lo'][c]):016x}",
            int(contexts["split"][c]),
            int(contexts["row"][c]),
            int(contexts["place"][c] + contexts["first"][c]),
            int(contexts["place"][c] + contexts["last"][c] + settings.min_bytes),
        ]
        for c in best.tolist()
    ]
