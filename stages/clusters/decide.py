"""The decision on shelves: who stays among the pages that may, every removal resting on a similarity of the texts.

`gather_passing` (a group of splits) packs what `eligible` says of its pages into bits, and where `near_duplicate` is
off or stricter than ``threshold`` for some of them, from which similarity it drops each, where another rule about
duplicates is off for some, which these are; `decide` (a shelf) settles its
families (`stages.clusters.settle`). Where that asks for a similarity nobody knows, the two texts are read and compared,
and it settles again; what it learnt stays beside the shelf (`learnt`), so that no pair of texts is read twice whatever
is edited later. That changes no decision, only how soon it is made.

`decide` writes, by group of splits, a record per page that is not alone (split, row, state, pages, similarity, ids of
its cluster and its survivor; ``through``: whether it goes for that because the page it equals does, ``via``), and of
every survivor the pages it stands for, by source. ``about`` names the largest clusters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xxhash

from stages.clusters.components import shingles_of, signing_method
from stages.clusters.params import Params
from stages.clusters.settle import ALONE, FUZZY, STAYS, Rules, Settled, settle
from stages.clusters.verify import sets_of
from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    read_about,
    read_partition,
    write_ordered,
    write_partitioned,
)
from stages.kernels.columns.distinct import distinct
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.dedup.jaccard import pair_similarities

PASSING_BYTES = 64
"""Bytes of memory a page costs in `gather_passing`."""
LARGEST = 20
EXAMPLES = 3
RULES = {"exact": "exact_duplicate", "address": "same_address"}
"""Rules that drop a page whatever the similarity, by the columns of `gather_passing`."""
SHOWN = 2
"""Texts of a large cluster that stay, and that go, of which is noted where they stand."""


def gather_passing(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], output: str
) -> dict[str, Any]:
    """Write a bit a page of a group of splits, split by split on whole bytes; ``about`` has each split's place.

    ``from`` says of each page, split by split, which of ``similarities`` it goes from: of none where every page goes
    from the threshold. It is a byte, as rules name few numbers and every shelf reads it of all pages.
    ``exact`` and ``address`` have a bit of every page that does not go for its text, or for its address: of none where
    all go. ``child``: numbers of the pages, among those of the group, that do not go for the page they were made of,
    ``parent_hi`` and ``parent_lo``.
    """
    parts = [np.packbits(passing_rows(store, split)) for split in splits]
    left_in = {
        name: [np.packbits(rows_left_in(store, split, rule)) for split in splits] for name, rule in RULES.items()
    }
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).tolist()
    settings = Params.model_validate(params)
    goes_from = np.concatenate([similarities_of_rules(store, settings, split) for split in splits])
    goes_from = goes_from if goes_from.any() else goes_from[:0]
    similarities, which = np.unique(goes_from, return_inverse=True)
    which = which.astype(np.min_scalar_type(max(len(similarities) - 1, 0)))
    columns: Columns = {"bits": np.concatenate(parts), "from": which, "similarities": similarities}
    columns |= {
        name: np.concatenate(bits if any(map(np.any, bits)) else [parts[0][:0]]) for name, bits in left_in.items()
    }
    columns |= _children(store, splits)
    names = ("number", "rows", "documents", "signatures")
    about = [
        {name: split[name] for name in names} | {"start": start} for split, start in zip(splits, starts, strict=False)
    ]
    bounds = {name: np.array([0, len(column)]) for name, column in columns.items()}
    write_ordered(store, output, columns, bounds, {"splits": about})
    return {"splits": len(splits)}


def _children(store: Store, splits: list[dict[str, Any]]) -> Columns:
    """The pages of a group of splits that do not go for the page they were made of, and that page."""
    numbers, parents, first = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.uint64)], 0
    for split in splits:
        if split.get("eligible") is not None:
            column = store.read_table(split["eligible"], ["parent"]).column(0).combine_chunks()
            numbers.append(first + np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)))
            ids = column.drop_null()
            pairs = np.frombuffer(ids.buffers()[1] or b"", ">u8")[2 * ids.offset : 2 * (ids.offset + len(ids))]
            parents.append(pairs.reshape(-1, 2).astype(np.uint64))
        first += split["rows"]
    high, low = np.concatenate(parents).T.copy()
    return {"child": np.concatenate(numbers), "parent_hi": high, "parent_lo": low}


def passing_rows(store: Store, split: dict[str, Any]) -> Array:
    """A mask of a split's pages: true where a page may stay."""
    if split.get("eligible") is None:
        return np.ones(split["rows"], np.bool_)
    rows: Array = store.read_table(split["eligible"], ["eligible"]).column(0).to_numpy()
    if len(rows) != split["rows"]:
        raise ValueError(f"{split['eligible']}: expected {split['rows']} rows, found {len(rows)}")
    return rows


def rows_left_in(store: Store, split: dict[str, Any], rule: str) -> Array:
    """A mask of a split's pages for which a rule about duplicates is off."""
    if split.get("eligible") is None:
        return np.zeros(split["rows"], np.bool_)
    on: Array = store.read_table(split["eligible"], [rule]).column(0).to_numpy()
    return ~on


def similarities_of_rules(store: Store, settings: Params, split: dict[str, Any]) -> Array:
    """The similarity from which `near_duplicate` drops each page of a split: 0 from the threshold, infinite never.

    What an earlier crawl kept stays there, so where its pages come first none goes, for another of them.
    """
    if split["earlier"] and settings.survivor[:1] == ("earlier",):
        return np.full(split["rows"], np.inf)
    if split.get("eligible") is None:
        return np.zeros(split["rows"])
    column = store.read_table(split["eligible"], ["near_duplicate"]).column(0).fill_null(np.inf)
    found: Array = column.to_numpy()
    return found


def decide(
    store: Store,
    *,
    params: dict[str, Any],
    shelf: str,
    passing: list[str],
    learnt: str,
    groups: list[int],
    output: str,
    copies: str,
) -> dict[str, Any]:
    """Decide the families of one shelf; see the module's docstring. ``groups[s]`` is split s's group."""
    settings = Params.model_validate(params)
    columns, about = read_partition(store, shelf, 0), read_about(store, shelf)[0]
    places = columns["page_split"], columns["page_row"]
    may_stay = _bits(store, passing, "bits", *places)
    left_in = {name: _bits(store, passing, name, *places) for name in RULES}
    goes_from = _goes_from(store, passing, *places)
    rules = Rules(goes_from, left_in["exact"], left_in["address"], _parents(store, passing, columns))
    known = _known(store, columns, learnt)
    fresh: list[Columns] = []
    while not isinstance(settled := settle(settings, columns, about, known, may_stay, rules), Settled):
        fresh.append(_compare(store, settings, columns, settled, passing))
        known = _joined(known, fresh[-1], len(columns["text_shingles"]))
    if fresh:
        _remember(store, learnt, concatenate(fresh))
    records = _records(columns, settled)
    num_groups = max(groups) + 1
    group_of = np.array(groups, np.int64)
    found = {"largest": largest_clusters(columns, settled, may_stay)}
    write_partitioned(store, output, records, group_of[records["split"]], num_groups, found)
    stand_ins = _stand_ins(columns, settled, may_stay)
    about = {"sources": about["sources"]}
    write_partitioned(store, copies, stand_ins, group_of[stand_ins["split"]], num_groups, about)
    return {"pages": len(may_stay), "compared": sum(len(part["left"]) for part in fresh)}


def _bits(store: Store, passing: list[str], name: str, splits: Array, rows: Array) -> Array:
    """The bit of each page in a column of `gather_passing`; 0 where the column is empty."""
    found = np.zeros(len(splits), np.bool_)
    for address in passing:
        entries = read_about(store, address)[0]["splits"]
        bits = read_partition(store, address, 0)[name]
        if len(bits) == 0:
            continue
        start_of = {entry["number"]: entry["start"] for entry in entries}
        here = np.flatnonzero((splits >= min(start_of)) & (splits <= max(start_of)))  # a group is consecutive splits
        starts = np.array([start_of[number] for number in range(min(start_of), max(start_of) + 1)], np.int64)
        place = starts[splits[here] - min(start_of)] + rows[here] // 8
        found[here] = bits[place] >> (7 - rows[here] % 8).astype(np.uint8) & 1
    return found


def _goes_from(store: Store, passing: list[str], splits: Array, rows: Array) -> Array:
    """The similarity from which each page goes, 0 where the threshold says it; all alike are one number."""
    found = np.zeros(len(splits))
    for address in passing:
        part = read_partition(store, address, 0)
        if len(part["from"]) == 0:
            continue
        entries = read_about(store, address)[0]["splits"]
        starts = np.cumsum([0, *(entry["rows"] for entry in entries)])
        first = entries[0]["number"]
        here = np.flatnonzero((splits >= first) & (splits < first + len(entries)))
        found[here] = part["similarities"][part["from"][starts[splits[here] - first] + rows[here]]]
    return found


def _parents(store: Store, passing: list[str], columns: Columns) -> Array:
    """The page of the shelf that each page was made of, where it does not go for it; else -1."""
    splits, rows = columns["page_split"], columns["page_row"]
    found = np.full(len(splits), -1, np.int64)
    order, ids = np.zeros(0, np.int64), np.zeros(0, "S16")
    for address in passing:
        part = read_partition(store, address, 0)
        if len(part["child"]) == 0:
            continue
        if len(ids) == 0:
            ids = _whole_ids(columns["page_id_hi"], columns["page_id_lo"])
            order = np.argsort(ids)
            ids = ids[order]
        entries = read_about(store, address)[0]["splits"]
        starts = np.cumsum([0, *(entry["rows"] for entry in entries)])
        first = entries[0]["number"]
        here = np.flatnonzero((splits >= first) & (splits < first + len(entries)))
        numbers = starts[splits[here] - first] + rows[here]
        at = np.minimum(np.searchsorted(part["child"], numbers), len(part["child"]) - 1)
        made = part["child"][at] == numbers
        parents = _whole_ids(part["parent_hi"][at[made]], part["parent_lo"][at[made]])
        place = np.minimum(np.searchsorted(ids, parents), len(ids) - 1)
        found[here[made]] = np.where(ids[place] == parents, order[place], -1)
    return found


def _whole_ids(high: Array, low: Array) -> Array:
    """Doc_ids as strings of 16 bytes."""
    return np.stack([high, low], axis=1).astype(">u8").view("S16").ravel()


def _known(store: Store, columns: Columns, learnt: str) -> tuple[Array, Array]:
    """Keys and similarities of all pairs of a shelf that were ever compared."""
    count = len(columns["text_shingles"])
    keys = columns["pair_left"].astype(np.int64) * count + columns["pair_right"]
    known = keys, columns["pair_similarity"]
    for address, _ in store.list(learnt):
        known = _joined(known, read_partition(store, address, 0), count)
    return known


def _joined(known: tuple[Array, Array], more: Columns, count: int) -> tuple[Array, Array]:
    keys = np.concatenate([known[0], more["left"].astype(np.int64) * count + more["right"]])
    keys, first = np.unique(keys, return_index=True)
    return keys, np.concatenate([known[1], more["similarity"]])[first]


def _compare(store: Store, settings: Params, columns: Columns, pairs: Array, passing: list[str]) -> Columns:
    """Similarities of pairs of texts, from the texts."""
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    texts = distinct(pairs.ravel())
    order = np.lexsort((columns["text_row"][texts], columns["text_split"][texts]))
    texts = texts[order]
    entries = {entry["number"]: entry for address in passing for entry in read_about(store, address)[0]["splits"]}
    parts: list[Columns] = []
    for number in np.unique(columns["text_split"][texts]).tolist():
        here = texts[columns["text_split"][texts] == number]
        records = {"text": here, "row": columns["text_row"][here], "shingles": columns["text_shingles"][here]}
        parts += list(shingles_of(store, entries[number], records))
    nodes = concatenate(parts)
    hashes, starts = nodes.pop("hash"), offsets_of(nodes["size"])[:-1]
    by_text = np.argsort(nodes["text"])
    nodes = {name: column[by_text] for name, column in nodes.items()}
    method = signing_method(store, entries[int(columns["text_split"][texts[0]])]["signatures"])
    sets = sets_of(hashes, starts[by_text], nodes, settings.threshold, method)
    left, right = np.searchsorted(nodes["text"], pairs.T)
    found = {"left": pairs[:, 0].astype(np.int32), "right": pairs[:, 1].astype(np.int32)}
    return found | {"similarity": pair_similarities(sets, left, right)}


def _remember(store: Store, learnt: str, pairs: Columns) -> None:
    order = np.lexsort((pairs["right"], pairs["left"]))
    pairs = {name: column[order] for name, column in pairs.items()}
    name = xxhash.xxh3_64_hexdigest(pairs["left"].tobytes() + pairs["right"].tobytes())
    whole = np.array([0, len(order)], np.int64)
    write_ordered(store, f"{learnt}/{name}.part", pairs, dict.fromkeys(pairs, whole))


def _records(columns: Columns, settled: Settled) -> Columns:
    """The records of all pages that are not alone: their states, survivors and similarities."""
    rows = np.flatnonzero(settled.state_P != ALONE)
    text, stays = settled.text_P[rows], settled.stays_P[rows]
    live = settled.representative_T[text] >= 0
    representative = np.where(live, settled.representative_T[text], 0)
    survivor = settled.representative_T[stays]
    named = settled.first_T[stays]
    high, low = columns["page_id_hi"], columns["page_id_lo"]
    return {
        "split": columns["page_split"][rows],
        "row": columns["page_row"][rows],
        "state": settled.state_P[rows].astype(np.uint8),
        "pages": settled.pages_T[stays],
        "cluster_hi": high[named],
        "cluster_lo": low[named],
        "survivor_hi": high[survivor],
        "survivor_lo": low[survivor],
        "similarity": settled.similarity_P[rows].astype(np.float32),
        "through": live & settled.removed_T[text] & (settled.state_P[rows] != FUZZY),
        "via_hi": high[representative],
        "via_lo": low[representative],
    }


def _stand_ins(columns: Columns, settled: Settled, may_stay: Array) -> Columns:
    """The place and source of the page that stays, for every page that may stay and is not alone."""
    rows = np.flatnonzero(may_stay & (settled.state_P != ALONE))
    stays = settled.state_P[rows] == STAYS
    survivor = np.where(stays, rows, settled.representative_T[settled.stays_P[rows]])
    return {
        "split": columns["page_split"][survivor],
        "row": columns["page_row"][survivor],
        "source": columns["page_source"][rows],
        "pages": np.ones(len(rows), np.int64),
    }


def largest_clusters(columns: Columns, settled: Settled, may_stay: Array) -> list[dict[str, Any]]:
    """The largest clusters of a shelf, by pages that may stay; the smaller id first among equals.

    Of each its pages, those that stay, the doc_ids of a few texts, and where the first texts stand that stay and
    that go: (split, row); of a cluster of one text, where the first pages stand.
    """
    high, low = columns["page_id_hi"], columns["page_id_lo"]
    texts = np.flatnonzero((settled.representative_T >= 0) & (settled.pages_T > 1))
    named = settled.first_T[texts]
    stay = np.bincount(settled.text_P[settled.state_P == STAYS], minlength=len(settled.removed_T))
    clusters, first = np.unique(named, return_index=True)
    sizes = settled.pages_T[texts[first]]
    chosen = np.lexsort((low[clusters], high[clusters], -sizes))[:LARGEST]
    entries = []
    for index in chosen.tolist():
        members = texts[named == clusters[index]]
        pages = settled.representative_T[members]
        order = np.lexsort((low[pages], high[pages]))
        members, pages = members[order], pages[order]
        gone = settled.removed_T[members]
        shown = np.concatenate([pages[~gone][:SHOWN], pages[gone][:SHOWN]])
        if len(members) == 1:
            same = np.flatnonzero((settled.text_P == members[0]) & may_stay & (settled.state_P != ALONE))
            copies = same[same != pages[0]]
            shown = np.concatenate(
                [pages, copies[np.lexsort((columns["page_row"][copies], columns["page_split"][copies]))][:SHOWN]]
            )
        entries.append(
            {
                "cluster": page_name(high[clusters[index]], low[clusters[index]]),
                "pages": int(sizes[index]),
                "stay": int(stay[members].sum()),
                "examples": [page_name(high[k], low[k]) for k in pages[:EXAMPLES].tolist()],
                "shown": [[int(columns["page_split"][k]), int(columns["page_row"][k])] for k in shown.tolist()],
            }
        )
    return entries


def page_name(high: Any, low: Any) -> str:
    """A doc_id in hexadecimal."""
    return f"{int(high):016x}{int(low):016x}"
