"""Candidates are compared on their shingle sets, once: what any later choice of survivors rests on.

`verify` (a place of comparison) has all candidate pairs of its families and the shingle sets of their texts. It
computes the Jaccard index of every candidate pair, and of the pairs that a choice of survivors asks for beyond them: of
those that the choice among all texts asks for, and of all pairs of a small family. What another choice, among fewer
pages, asks for beyond these is compared when it is asked for (`stages.clusters.decide`).

Writes, by shelf: left < right (text numbers), similarity (float64) and kind (`NOMINATED`, `HOT`: a candidate only where
the large bucket it comes from makes it one, `COMPARED`). ``about`` counts pairs by similarity.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.clusters.pages import order_by, preference_names
from stages.clusters.params import Params
from stages.contract import Store
from stages.exchange_file import Array, Columns, read_about, read_all, write_partitioned
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.dedup import minhash, unionfind
from stages.kernels.dedup.jaccard import ShingleSets, pair_similarities
from stages.kernels.dedup.survivors import choose_survivors

SIMILARITY_BINS = 20
NOMINATED, HOT, COMPARED = range(3)
SMALL_FAMILY = 8
"""Texts of a family of which all pairs are compared."""


def verify(
    store: Store,
    *,
    params: dict[str, Any],
    edges: list[str],
    shingles: list[str],
    partition: int,
    first_place: int,
    shelves: int,
    output: str,
) -> dict[str, Any]:
    """Compare all families of one place, where ``shingles`` begin with ``first_place``; see the module's docstring."""
    settings = Params.model_validate(params)
    records = read_all(store, shingles, partition - first_place)
    found = read_all(store, edges, partition)
    order = np.argsort(records["text"])
    starts = offsets_of(records["size"])[:-1][order]
    nodes = {name: column[order] for name, column in records.items() if name != "hash"}
    numbers = nodes["text"]
    left = np.searchsorted(numbers, found["left"].astype(np.int64))
    right = np.searchsorted(numbers, found["right"].astype(np.int64))
    sets = sets_of(records["hash"], starts, nodes, settings.threshold, read_about(store, shingles[0])[0])
    similarities = pair_similarities(sets, left, right)
    same = similarities >= settings.threshold
    clusters = _components(len(numbers), left[same], right[same])
    ranks = ranks_of([nodes[name] for name in (*preference_names(settings), "id_hi", "id_lo")])
    choice = choose_survivors(sets, left, right, similarities, clusters, ranks, np.full(len(ranks), settings.threshold))
    more = _more_pairs(sets, left, right, choice.noted, settings.threshold)
    columns = {
        "left": numbers[np.concatenate([left, choice.noted[:, 0], more[:, 0]])],
        "right": numbers[np.concatenate([right, choice.noted[:, 1], more[:, 1]])],
        "similarity": np.concatenate(
            [similarities, choice.noted_similarities, pair_similarities(sets, more[:, 0], more[:, 1])]
        ),
        "kind": np.concatenate([found["hot"], np.full(len(choice.noted) + len(more), COMPARED)]).astype(np.uint8),
    }
    about = {
        "pairs_by_similarity": np.bincount(
            np.minimum(similarities * SIMILARITY_BINS, SIMILARITY_BINS).astype(np.int64), minlength=SIMILARITY_BINS + 1
        ).tolist(),
        "pairs": len(left),
        "pairs_verified": int(same.sum()),
        "pairs_compared": len(columns["left"]),
    }
    shelf = nodes["shelf"][np.concatenate([left, choice.noted[:, 0], more[:, 0]])]
    write_partitioned(store, output, columns, shelf, shelves, about)
    return {"texts": len(numbers), "pairs": about["pairs_compared"]}


def sets_of(hashes: Array, starts: Array, nodes: Columns, threshold: float, method: dict[str, Any]) -> ShingleSets:
    """Shingle sets of texts; where some are ``signed``, their minima and everybody's."""
    signed = nodes["signed"]
    if not signed.any():
        return ShingleSets.of(hashes, starts, nodes["size"])
    drawn = minhash.permutations(method["permutations"], method["seed"])
    minima = minhash.minima_of_sets(hashes, starts, np.where(signed, 0, nodes["size"]), *drawn)
    for row in np.flatnonzero(signed).tolist():
        minima[row] = hashes[starts[row] : starts[row] + nodes["size"][row]]
    margin = 2.0 * math.sqrt(threshold * (1.0 - threshold) / method["permutations"])
    return ShingleSets(hashes, starts, nodes["shingles"].astype(np.int64), signed, minima, margin)


def ranks_of(keys: list[Array]) -> npt.NDArray[np.int64]:
    """Place of every record in the order of keys, the first one first."""
    ranks = np.empty(len(keys[0]), np.int64)
    ranks[order_by(keys)] = np.arange(len(ranks))
    return ranks


def _components(count: int, left: Array, right: Array) -> npt.NDArray[np.int64]:
    parents = unionfind.singletons(count)
    unionfind.unite(parents, left, right)
    unionfind.flatten(parents)
    return parents


def _more_pairs(sets: ShingleSets, left: Array, right: Array, noted: Array, threshold: float) -> npt.NDArray[np.int64]:
    """Pairs (smaller, larger) of small families that are neither candidates nor noted, and may reach the threshold."""
    count = len(sets.starts)
    parents = _components(count, left, right)
    by_family = np.argsort(parents, kind="stable")
    starts = np.flatnonzero(np.diff(parents[by_family], prepend=-1))
    sizes = np.diff(np.append(starts, count))
    parts = [np.zeros((0, 2), np.int64)]
    for size in range(3, SMALL_FAMILY + 1):
        members = by_family[starts[sizes == size][:, None] + np.arange(size)]
        parts += [members[:, pair] for pair in itertools.combinations(range(size), 2)]
    pairs = np.concatenate(parts)
    small = np.minimum(sets.sizes[pairs[:, 0]], sets.sizes[pairs[:, 1]])
    large = np.maximum(sets.sizes[pairs[:, 0]], sets.sizes[pairs[:, 1]])
    pairs = pairs[small >= threshold * large * 0.999999]
    known = np.concatenate([left * count + right, noted[:, 0] * count + noted[:, 1]])
    fresh: npt.NDArray[np.int64] = pairs[~np.isin(pairs[:, 0] * count + pairs[:, 1], known)]
    return fresh
