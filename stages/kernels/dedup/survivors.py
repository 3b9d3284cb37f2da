"""Who stays: a greedy choice of survivors among candidates, every removal resting on a computed Jaccard index.

Nodes are distinct texts, sorted sets of shingle hashes; edges are candidate pairs with their similarity. Nodes are
visited in order of rank (0 is the page the policy likes best). A node is removed in favour of the survivor most
similar to it, if that similarity reaches the threshold; otherwise it survives. It is compared with the survivors
among its neighbours (their similarity is known), with those its neighbours were removed for, and with those that are
neighbours of a neighbour: whoever shares a near-copy with it; at most `MAX_COMPARISONS` of the latter two. If that
finds none it is compared with the `MAX_CLUSTER_COMPARISONS` best survivors of its cluster (connected component of the
edges that reach the threshold), which keeps a large family from leaving several survivors of one kind.

So a removed text always has a survivor it was compared with; a chain A~B~C never removes C for A unless J(A, C) itself
reaches the threshold; and a survivor stays one. Ties go to the better rank. Legend: V nodes, E edges.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.dedup.jaccard import ShingleSets, similarity_of
from stages.kernels.jit import kernel

Indices = npt.NDArray[np.int64]

MAX_COMPARISONS = 64
MAX_CLUSTER_COMPARISONS = 16


def choose_survivors(
    sets: ShingleSets,
    left: Indices,
    right: Indices,
    similarities: npt.NDArray[np.float64],
    clusters: Indices,
    ranks: Indices,
    threshold: float,
) -> tuple[Indices, npt.NDArray[np.float64], int]:
    """(survivor_V, similarity_V, comparisons): -1 and nan where the node stays.

    ``ranks`` permutes 0..V-1; ``clusters`` names each node's component by one of its nodes.
    """
    num_nodes = len(sets.starts)
    sources = np.concatenate([left, right])
    order = np.lexsort((ranks[np.concatenate([right, left])], sources))
    neighbours = np.concatenate([right, left])[order]
    weights = np.concatenate([similarities, similarities])[order]
    bounds = np.zeros(num_nodes + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=num_nodes), out=bounds[1:])
    survivors = np.full(num_nodes, -1, np.int64)
    found = np.full(num_nodes, np.nan)
    visits = np.argsort(ranks)
    compared = _choose(
        *sets.arrays(), bounds, neighbours, weights, clusters, visits, ranks, threshold, survivors, found
    )
    return survivors, found, int(compared)


@kernel
def _choose(  # type: ignore[no-untyped-def]
    hashes, starts, sizes, signed, minima, margin,
    bounds, neighbours, weights, clusters, visits, ranks, threshold, survivors, found,
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
    for node in visits:
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
                similarity = similarity_of(hashes, starts, sizes, signed, minima, margin, node, candidate)
                if similarity > best_similarity or (
                    similarity == best_similarity and best >= 0 and ranks[candidate] < ranks[best]
                ):
                    best = candidate
                    best_similarity = similarity
        candidate = cluster_head[clusters[node]]
        for _ in range(MAX_CLUSTER_COMPARISONS):
            if best_similarity >= threshold or candidate < 0:
                break
            if stamp[candidate] != node:
                compared += 1
                similarity = similarity_of(hashes, starts, sizes, signed, minima, margin, node, candidate)
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
    return compared
