"""Connected components by union-find; a component is named by its smallest node, whatever the order of the edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import inline_kernel, kernel

Nodes = npt.NDArray[np.int64]


def singletons(count: int) -> Nodes:
    """Parents of ``count`` nodes without edges: everyone is its own."""
    return np.arange(count, dtype=np.int64)


def unite(parents: Nodes, left: Nodes, right: Nodes) -> None:
    """Add edges to the forest ``parents``, in place. A root is always the smallest node of its tree."""
    _unite(parents, left, right)


def flatten(parents: Nodes) -> None:
    """Point every node at the root of its tree, in place."""
    _flatten(parents)


@inline_kernel
def _root(parents, node):  # type: ignore[no-untyped-def]
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@kernel
def _unite(parents, left, right):  # type: ignore[no-untyped-def]
    for edge in range(len(left)):
        a = _root(parents, left[edge])
        b = _root(parents, right[edge])
        if a < b:
            parents[b] = a
        elif b < a:
            parents[a] = b


@kernel
def _flatten(parents):  # type: ignore[no-untyped-def]
    # A parent is never larger than its child, so one ascending pass is enough.
    for node in range(len(parents)):
        parents[node] = parents[parents[node]]
