"""Who stays: a greedy choice of survivors among candidates, every removal resting on a computed Jaccard index.

Nodes are distinct texts, sorted sets of shingle hashes; edges are candidate pairs with their similarity. Nodes are
visited in order of rank (0 is the page the policy likes best). A node is removed in favour of the survivor most
similar to it, if that similarity reaches the node's threshold; otherwise it survives. It is compared with the survivors
among its neighbours (their similarity is known), with those its neighbours were removed for, and with those that are
neighbours of a neighbour: whoever shares a near-copy with it; at most `MAX_COMPARISONS` of the latter two. If that
finds none it is compared with the `MAX_CLUSTER_COMPARISONS` best survivors of its cluster (connected component of the
edges that reach the threshold), which keeps a large family from leaving several survivors of one kind.

So a removed text always has a survivor it was compared with; a chain A~B~C never removes C for A unless J(A, C) itself
reaches C's threshold; and a survivor stays one. Ties go to the better rank. A node whose threshold is infinite stays
whatever comes before it, so these are visited first, and others go for them. Of two nodes of finite thresholds the one
of the worse rank is judged, by its own: one of the better rank stays though the other does.

Similarities are computed from the sets (`choose_survivors`, which notes those beyond the edges), or looked up where
they were computed before (`choose_again`); a pair never computed is then noted as missing and taken for unlike, so that
what comes back is a decision only if nothing is missing.

Legend: V nodes, E edges, K known pairs, N noted pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import offsets_of
from stages.kernels.dedup.jaccard import ShingleSets, similarity_of
from stages.kernels.jit import inline_kernel, kernel

Indices = npt.NDArray[np.int64]
Similarities = npt.NDArray[np.float64]

MAX_COMPARISONS = 64
MAX_CLUSTER_COMPARISONS = 16


@dataclass(frozen=True)
class Choice:
    """Who stays: ``survivors_V`` (-1: the node itself), ``similarities_V`` (nan where it stays).

    ``compared`` counts comparisons beyond the edges. ``noted_N2`` are the pairs of these (smaller node, larger node):
    with ``noted_similarities_N`` from `choose_survivors`; from `choose_again` those that nobody knows.
    """

    survivors: Indices
    similarities: Similarities
    compared: int
    noted: Indices
    noted_similarities: Similarities


def choose_survivors(
    sets: ShingleSets,
    left: Indices,
    right: Indices,
    similarities: Similarities,
    clusters: Indices,
    ranks: Indices,
    thresholds: Similarities,
) -> Choice:
    """Decide from the sets themselves.

    ``ranks`` permutes 0..V-1; ``clusters`` names each node's component by one of its nodes; ``thresholds_V`` are the
    similarities from which each node goes.
    """
    known = np.zeros(0, np.int64), np.zeros(0)
    return _chosen(sets, True, known, left, right, similarities, clusters, ranks, thresholds)


def choose_again(
    sizes: Indices,
    known_keys: Indices,
    known_similarities: Similarities,
    left: Indices,
    right: Indices,
    similarities: Similarities,
    clusters: Indices,
    ranks: Indices,
    thresholds: Similarities,
) -> Choice:
    """Decide from known similarities; ``sizes_V`` are shingles of each text.

    ``known_keys_K``: smaller node * V + larger node, ascending.
    """
    none = np.zeros(len(sizes), np.int64)
    sets = ShingleSets.of(np.zeros(0, np.uint64), none, sizes)
    known = known_keys, known_similarities
    return _chosen(sets, False, known, left, right, similarities, clusters, ranks, thresholds)


def _chosen(
    sets: ShingleSets,
    have_sets: bool,
    known: tuple[Indices, Similarities],
    left: Indices,
    right: Indices,
    similarities: Similarities,
    clusters: Indices,
    ranks: Indices,
    thresholds: Similarities,
) -> Choice:
    num_nodes = len(sets.starts)
    sources = np.concatenate([left, right])
    order = np.lexsort((ranks[np.concatenate([right, left])], sources))
    neighbours = np.concatenate([right, left])[order]
    weights = np.concatenate([similarities, similarities])[order]
    bounds = offsets_of(np.bincount(sources, minlength=num_nodes))
    survivors = np.full(num_nodes, -1, np.int64)
    found = np.full(num_nodes, np.nan)
    visits = np.lexsort((ranks, ~np.isinf(thresholds)))
    compared, noted, noted_similarities = _choose(
        *sets.arrays(), have_sets, *known, bounds, neighbours, weights, clusters, visits, ranks, thresholds, survivors,
        found,
    )  # fmt: skip
    return Choice(survivors, found, int(compared), noted, noted_similarities)


@inline_kernel
def _known(keys, similarities, key):  # type: ignore[no-untyped-def]
    """Similarity of a pair by its key, -1 where it is not known."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return similarities[low] if low < len(keys) and keys[low] == key else -1.0


@inline_kernel
def _note(noted, noted_similarities, count, a, b, similarity):  # type: ignore[no-untyped-def]
    """Append a pair; the arrays, larger ones where they were full."""
    if count == len(noted):
        more = np.empty((2 * count, 2), np.int64)
        more[:count] = noted
        noted = more
        larger = np.empty(2 * count, np.float64)
        larger[:count] = noted_similarities
        noted_similarities = larger
    noted[count, 0] = min(a, b)
    noted[count, 1] = max(a, b)
    noted_similarities[count] = similarity
    return noted, noted_similarities


@kernel
def _choose(  # type: ignore[no-untyped-def]
    hashes, starts, sizes, signed, minima, margin, have_sets, known_keys, known_similarities,
    bounds, neighbours, weights, clusters, visits, ranks, thresholds, survivors, found,
):  # fmt: skip
    num_nodes = len(starts)
    # attached[u]: survivors beside u, as a linked list in order of rank
    head = np.full(num_nodes, -1, np.int64)
    tail = np.full(num_nodes, -1, np.int64)
    link = np.full(len(neighbours), -1, np.int64)
    owner = np.empty(len(neighbours), np.int64)
    used = 0
    # survivors of each cluster, likewise
    cluster_head = np.full(num_nodes, -1, np.int64)
    cluster_tail = np.full(num_nodes, -1, np.int64)
    cluster_link = np.full(num_nodes, -1, np.int64)
    visited = np.zeros(num_nodes, np.bool_)
    stamp = np.full(num_nodes, -1, np.int64)
    compared = 0
    count = 0
    noted = np.empty((1024, 2), np.int64)
    noted_similarities = np.empty(1024, np.float64)
    for node in visits:
        threshold = thresholds[node]
        best = -1
        best_similarity = 0.0
        stamp[node] = node
        for edge in range(bounds[node], bounds[node + 1]):
            other = neighbours[edge]
            if visited[other] and survivors[other] < 0:
                stamp[other] = node
                if weights[edge] > best_similarity:
                    best = other
                    best_similarity = weights[edge]
        budget = MAX_COMPARISONS
        for edge in range(bounds[node], bounds[node + 1]):
            other = neighbours[edge]
            # first the survivor the neighbour was removed for, then the survivors beside it
            cursor = -2
            while budget > 0:
                if cursor == -2:
                    candidate = survivors[other]
                    cursor = head[other]
                elif cursor >= 0:
                    candidate = owner[cursor]
                    cursor = link[cursor]
                else:
                    break
                if candidate < 0 or stamp[candidate] == node:
                    continue
                stamp[candidate] = node
                small = min(sizes[node], sizes[candidate])
                large = max(sizes[node], sizes[candidate])
                if small < threshold * large * 0.999999:
                    continue
                budget -= 1
                compared += 1
                if have_sets:
                    similarity = similarity_of(hashes, starts, sizes, signed, minima, margin, node, candidate)
                else:
                    key = min(node, candidate) * num_nodes + max(node, candidate)
                    similarity = _known(known_keys, known_similarities, key)
                if have_sets or similarity < 0.0:
                    noted, noted_similarities = _note(noted, noted_similarities, count, node, candidate, similarity)
                    count += 1
                if similarity > best_similarity or (
                    similarity == best_similarity and best >= 0 and ranks[candidate] < ranks[best]
                ):
                    best = candidate
                    best_similarity = similarity
        candidate = cluster_head[clusters[node]]
        for _ in range(MAX_CLUSTER_COMPARISONS):
            if best_similarity >= threshold or candidate < 0:
                break
            small = min(sizes[node], sizes[candidate])
            large = max(sizes[node], sizes[candidate])
            if stamp[candidate] != node and small >= threshold * large * 0.999999:
                compared += 1
                if have_sets:
                    similarity = similarity_of(hashes, starts, sizes, signed, minima, margin, node, candidate)
                else:
                    key = min(node, candidate) * num_nodes + max(node, candidate)
                    similarity = _known(known_keys, known_similarities, key)
                if have_sets or similarity < 0.0:
                    noted, noted_similarities = _note(noted, noted_similarities, count, node, candidate, similarity)
                    count += 1
                if similarity > best_similarity:
                    best = candidate
                    best_similarity = similarity
            candidate = cluster_link[candidate]
        visited[node] = True
        if best >= 0 and best_similarity >= threshold:
            survivors[node] = best
            found[node] = best_similarity
            continue
        if cluster_head[clusters[node]] < 0:
            cluster_head[clusters[node]] = node
        else:
            cluster_link[cluster_tail[clusters[node]]] = node
        cluster_tail[clusters[node]] = node
        for edge in range(bounds[node], bounds[node + 1]):
            other = neighbours[edge]
            owner[used] = node
            if head[other] < 0:
                head[other] = used
            else:
                link[tail[other]] = used
            tail[other] = used
            used += 1
    return compared, noted[:count], noted_similarities[:count]
