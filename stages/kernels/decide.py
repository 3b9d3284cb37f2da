"""Who stays: a greedy choice of survivors among candidates, every removal resting on a computed Jaccard index.

Nodes are distinct texts, sorted sets of shingle hashes; edges are candidate pairs with their similarity. Nodes are
visited in order of rank (0 is the page the policy likes best). A node is removed in favour of the survivor most
similar to it, if that similarity reaches the threshold; otherwise it survives. It is compared with the survivors
among its neighbours (their similarity is known), with those its neighbours were removed for, and with those that are
neighbours of a neighbour: whoever shares a near-copy with it. At most `MAX_COMPARISONS` of the latter two.

So a removed text always has a survivor it was compared with; a chain A~B~C never removes C for A unless J(A, C) itself
reaches the threshold; and a survivor stays one. Ties go to the better rank. Legend: V nodes, E edges.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.jaccard import jaccard
from stages.kernels.jit import kernel

Indices = npt.NDArray[np.int64]

MAX_COMPARISONS = 64


def choose_survivors(
    hashes: npt.NDArray[np.uint64],
    starts: Indices,
    sizes: Indices,
    left: Indices,
    right: Indices,
    similarities: npt.NDArray[np.float64],
    ranks: Indices,
    threshold: float,
) -> tuple[Indices, npt.NDArray[np.float64], int]:
    """(survivor_V, similarity_V, comparisons): -1 and nan where the node stays. ``ranks`` permutes 0..V-1."""
    num_nodes = len(starts)
    sources = np.concatenate([left, right])
    order = np.lexsort((ranks[np.concatenate([right, left])], sources))
    neighbours = np.concatenate([right, left])[order]
    weights = np.concatenate([similarities, similarities])[order]
    bounds = np.zeros(num_nodes + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=num_nodes), out=bounds[1:])
    survivors = np.full(num_nodes, -1, np.int64)
    found = np.full(num_nodes, np.nan)
    visits = np.argsort(ranks)
    compared = _choose(hashes, starts, sizes, bounds, neighbours, weights, visits, ranks, threshold, survivors, found)
    return survivors, found, int(compared)


@kernel
def _choose(hashes, starts, sizes, bounds, neighbours, weights, visits, ranks, threshold, survivors, found):  # type: ignore[no-untyped-def]
    num_nodes = len(starts)
    # attached[u]: survivors beside u, as a linked list in order of rank
    head = np.full(num_nodes, -1, np.int64)
    tail = np.full(num_nodes, -1, np.int64)
    link = np.full(len(neighbours), -1, np.int64)
    owner = np.empty(len(neighbours), np.int64)
    used = 0
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
                similarity = jaccard(hashes, starts[node], sizes[node], starts[candidate], sizes[candidate])
                if similarity > best_similarity or (
                    similarity == best_similarity and best >= 0 and ranks[candidate] < ranks[best]
                ):
                    best = candidate
                    best_similarity = similarity
        visited[node] = True
        if best >= 0 and best_similarity >= threshold:
            survivors[node] = best
            found[node] = best_similarity
            continue
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
