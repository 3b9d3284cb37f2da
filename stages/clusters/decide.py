"""The decision: candidates are compared on their shingle sets; every removal names the survivor it was compared with.

`decide` (a place of decision) has all candidate pairs of its components and the shingle sets of their texts. It
computes the Jaccard index of every candidate pair, joins those that reach the threshold to clusters, and chooses
survivors (`stages.kernels.dedup.survivors`). Texts are put in order of number first, so nothing depends on who wrote
what.

Writes, by hash range of the text: text, size of its cluster in pages, cluster id (cluster_hi, cluster_lo: smallest
doc_id), removed, the survivor's doc_id (survivor_hi, survivor_lo), where it stands (survivor_split, survivor_row) and
the similarity to it. ``about`` counts pairs by similarity and names the largest clusters.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.clusters.pages import preference_names, text_bases
from stages.clusters.params import Params
from stages.contract import Store
from stages.exchange_file import Array, Columns, read_about, read_all, write_partitioned
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.dedup import minhash, unionfind
from stages.kernels.dedup.jaccard import ShingleSets, pair_similarities
from stages.kernels.dedup.survivors import choose_survivors

SIMILARITY_BINS = 20
LARGEST = 20
EXAMPLES = 3
SHOWN = 2
"""Texts of a large cluster that stay, and that go, of which is noted where they stand."""


def decide(
    store: Store,
    *,
    params: dict[str, Any],
    texts: list[str],
    edges: list[str],
    shingles: list[str],
    partition: int,
    first_place: int,
    output: str,
) -> dict[str, Any]:
    """Decide all components of one place, where ``shingles`` begin with ``first_place``; see the module's docstring."""
    settings = Params.model_validate(params)
    records = read_all(store, shingles, partition - first_place)
    found = read_all(store, edges, partition)
    order = np.argsort(records["text"])
    starts = offsets_of(records["size"])[:-1][order]
    nodes = {name: column[order] for name, column in records.items() if name != "hash"}
    numbers = nodes["text"]
    left = np.searchsorted(numbers, found["left"].astype(np.int64))
    right = np.searchsorted(numbers, found["right"].astype(np.int64))
    sets = _sets(records["hash"], starts, nodes, settings.threshold, read_about(store, shingles[0])[0])
    similarities = pair_similarities(sets, left, right)
    same = similarities >= settings.threshold
    parents = unionfind.singletons(len(numbers))
    unionfind.unite(parents, left[same], right[same])
    unionfind.flatten(parents)
    ranks = _ranks(nodes, settings)
    survivors, similarity, compared = choose_survivors(
        sets, left, right, similarities, parents, ranks, settings.threshold
    )
    removed = np.flatnonzero(survivors >= 0)
    unionfind.unite(parents, removed, survivors[removed])
    unionfind.flatten(parents)
    columns = _decisions(nodes, parents, survivors, similarity)
    about = {
        "pairs_by_similarity": np.bincount(
            np.minimum(similarities * SIMILARITY_BINS, SIMILARITY_BINS).astype(np.int64), minlength=SIMILARITY_BINS + 1
        ).tolist(),
        "pairs": len(left),
        "pairs_verified": int(same.sum()),
        "pairs_compared": len(left) + compared,
        "texts": len(numbers),
        "largest": largest_clusters(columns, nodes),
    }
    places = np.searchsorted(text_bases(store, texts), columns["text"], side="right") - 1
    write_partitioned(store, output, columns, places, len(texts), about)
    return {"texts": len(numbers), "pairs": about["pairs_compared"], "removed": len(removed)}


def _sets(hashes: Array, starts: Array, nodes: Columns, threshold: float, method: dict[str, Any]) -> ShingleSets:
    signed = nodes["signed"]
    if not signed.any():
        return ShingleSets.of(hashes, starts, nodes["size"])
    drawn = minhash.permutations(method["permutations"], method["seed"])
    minima = minhash.minima_of_sets(hashes, starts, np.where(signed, 0, nodes["size"]), *drawn)
    for row in np.flatnonzero(signed).tolist():
        minima[row] = hashes[starts[row] : starts[row] + nodes["size"][row]]
    margin = 2.0 * math.sqrt(threshold * (1.0 - threshold) / method["permutations"])
    return ShingleSets(hashes, starts, nodes["shingles"].astype(np.int64), signed, minima, margin)


def _ranks(nodes: Columns, settings: Params) -> npt.NDArray[np.int64]:
    """Place of every text in the order of the survivor policy; the doc_id of its representative breaks ties."""
    keys = [nodes[name] for name in (*preference_names(settings), "id_hi", "id_lo")]
    ranks = np.empty(len(keys[0]), np.int64)
    ranks[np.lexsort(keys[::-1])] = np.arange(len(ranks))
    return ranks


def _decisions(nodes: Columns, parents: Array, survivors: Array, similarity: Array) -> Columns:
    count = len(parents)
    pages = np.bincount(parents, weights=nodes["copies"], minlength=count).astype(np.int64)
    by_cluster = np.lexsort((nodes["min_lo"], nodes["min_hi"], parents))
    first = np.ones(count, np.bool_)
    first[1:] = parents[by_cluster][1:] != parents[by_cluster][:-1]
    smallest = np.zeros(count, np.int64)
    smallest[parents[by_cluster[first]]] = by_cluster[first]
    label = smallest[parents]
    removed = survivors >= 0
    kept_for = np.where(removed, survivors, 0)
    none = np.uint64(0)
    return {
        "text": nodes["text"],
        "pages": pages[parents],
        "cluster_hi": nodes["min_hi"][label],
        "cluster_lo": nodes["min_lo"][label],
        "removed": removed,
        "survivor_hi": np.where(removed, nodes["id_hi"][kept_for], none),
        "survivor_lo": np.where(removed, nodes["id_lo"][kept_for], none),
        "survivor_split": nodes["split"][kept_for],
        "survivor_row": nodes["row"][kept_for],
        "similarity": np.where(removed, similarity, 0.0).astype(np.float32),
    }


def largest_clusters(columns: Columns, nodes: Columns) -> list[dict[str, Any]]:
    """The largest clusters of some texts, by pages; the smaller id first among equals.

    Of each its pages, its texts that stay, the doc_ids of a few texts, and where the first texts stand that stay and
    that go: (split, row). ``columns``: pages, cluster_hi, cluster_lo, removed; ``nodes``: id_hi, id_lo, split, row.
    """
    order = np.lexsort((columns["cluster_lo"], columns["cluster_hi"], -columns["pages"]))
    entries: list[dict[str, Any]] = []
    for index in order.tolist():
        name = page_name(columns["cluster_hi"][index], columns["cluster_lo"][index])
        if entries and entries[-1]["cluster"] == name:
            continue
        if len(entries) == LARGEST or columns["pages"][index] < 2:
            break
        members = np.flatnonzero(
            (columns["cluster_hi"] == columns["cluster_hi"][index])
            & (columns["cluster_lo"] == columns["cluster_lo"][index])
        )
        members = members[np.lexsort((nodes["id_lo"][members], nodes["id_hi"][members]))]
        gone = columns["removed"][members]
        shown = np.concatenate([members[~gone][:SHOWN], members[gone][:SHOWN]])
        entries.append(
            {
                "cluster": name,
                "pages": int(columns["pages"][index]),
                "stay": int((~gone).sum()),
                "examples": [page_name(nodes["id_hi"][k], nodes["id_lo"][k]) for k in members[:EXAMPLES].tolist()],
                "shown": [[int(nodes["split"][k]), int(nodes["row"][k])] for k in shown.tolist()],
            }
        )
    return entries


def page_name(high: Any, low: Any) -> str:
    """A doc_id in hexadecimal."""
    return f"{int(high):016x}{int(low):016x}"
