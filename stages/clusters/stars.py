"""Components of a graph that one task cannot hold: stars over files, in rounds of two exchanges.

Large-star and small-star in turn (Kiveris et al., Connected Components in MapReduce and Beyond, SoCC 2014).
`contract` (a file of pairs) leaves a forest of its pairs; `gather` (one task) joins all forests at once if they fit in
its memory, which is the rule; otherwise `small_star` and `large_star` (a range of texts) go on until nothing changes.
Then every text's only neighbour is the smallest of its component, as union-find would have it.

A settled round makes the later ones empty. `labels` finds the round that settled. Files: node and neighbour, by range
of the node; ``about`` says how many edges a step changed. Price: a round moves each edge three times; a chain of a
million texts in random order settles in 17 rounds, of a thousand in 8, families of near-copies in two or three.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.clusters.pages import text_bases
from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    read_about,
    read_all,
    read_partitions,
    write_partitioned,
)
from stages.kernels.dedup import unionfind

ROUNDS = 24
EDGE_BYTES = 96
"""Bytes of memory per edge in any of these tasks: as read, joined, sort order, ordered copy."""

Nodes = npt.NDArray[np.int64]


def contract(store: Store, *, texts: list[str], pairs: str, output: str) -> dict[str, Any]:
    """A spanning forest of one file of pairs or links: every text but the smallest of its tree, with that."""
    found = edges_of(concatenate(read_partitions(store, pairs)))
    edges = _joined(
        dict(zip(("one", "other"), map(np.concatenate, zip(*found, strict=True)), strict=True)), "one", "other"
    )
    return _write(store, texts, output, edges, {"changed": len(edges[0])})


def edges_of(found: Columns) -> list[tuple[Nodes, Nodes]]:
    """Links that join texts to families, in a file of pairs, of links, or of both."""
    names = [("left", "right"), ("link_left", "link_right")]
    return [(found[a].astype(np.int64), found[b].astype(np.int64)) for a, b in names if a in found]


def gather(store: Store, *, texts: list[str], forests: list[str], memory: int, output: str) -> dict[str, Any]:
    """The components of all forests at once, if their edges fit in ``memory``; else nothing, not ``settled``."""
    count = sum(read_about(store, address)[1]["node"] for address in forests)
    settled = count * EDGE_BYTES <= memory
    parts = [part for address in forests for part in read_partitions(store, address)] if settled else []
    found = concatenate(parts) if parts else {name: np.zeros(0, np.int64) for name in ("node", "neighbour")}
    edges = _joined(found, "node", "neighbour")
    return _write(store, texts, output, _both_ways(*edges), {"changed": 0, "settled": settled})


def small_star(
    store: Store, *, texts: list[str], inputs: list[str], gathered: str, partition: int, output: str
) -> dict[str, Any]:
    """Every text of a range and its smaller neighbours are joined to the smallest of these; edges written both ways."""
    if _settled(store, gathered):
        return _write(store, texts, output, _none(), {"changed": 0})
    nodes, neighbours = _read(store, inputs, partition)
    first = _first(nodes)
    smallest = neighbours[first][np.cumsum(first) - 1]
    higher = np.concatenate([nodes[first], neighbours[~first]])
    edges = _distinct(higher, np.concatenate([neighbours[first], smallest[~first]]))
    return _write(store, texts, output, _both_ways(*edges), {"changed": int((~first).sum())})


def large_star(
    store: Store,
    *,
    texts: list[str],
    inputs: list[str],
    before: list[str] | None,
    gathered: str,
    partition: int,
    output: str,
) -> dict[str, Any]:
    """The larger neighbours of every text of a range are joined to the smallest of it and all its neighbours.

    ``before``: files of the large stars that ``inputs`` were made from; None in the first round.
    """
    if _settled(store, gathered) or (before is not None and not _changed(store, [*before, *inputs])):
        return _write(store, texts, output, _none(), {"changed": 0})
    nodes, neighbours = _read(store, inputs, partition)
    first = _first(nodes)
    smallest = np.minimum(nodes, neighbours[first][np.cumsum(first) - 1])
    larger = neighbours > nodes
    edges = _distinct(neighbours[larger], smallest[larger])
    changed = int((smallest[larger] != nodes[larger]).sum())
    return _write(store, texts, output, edges, {"changed": changed})


def labels(store: Store, whole: str, rounds: list[list[list[str]]], partition: int) -> tuple[Nodes, Nodes]:
    """Texts of a range that have a candidate, ascending, and the smallest text of the component of each.

    ``whole``: the file of the task that may have joined all; ``rounds``: files of large stars and of the small stars
    made from them, round by round.
    """
    if _settled(store, whole):
        found = [whole]
    else:
        settled = (small for large, small in rounds if not _changed(store, [*large, *small]))
        found = next(settled, [])
        if not found:
            raise RuntimeError(
                f"candidates do not fall apart into components within {ROUNDS} rounds: raise clusters.memory"
            )
    nodes, neighbours = _read(store, found, partition)
    first = np.flatnonzero(_first(nodes))
    return nodes[first], np.minimum(nodes[first], neighbours[first])


def _settled(store: Store, whole: str) -> bool:
    return bool(read_about(store, whole)[0]["settled"])


def _changed(store: Store, files: list[str]) -> bool:
    return any(read_about(store, address)[0]["changed"] for address in files)


def _read(store: Store, files: list[str], partition: int) -> tuple[Nodes, Nodes]:
    """Distinct edges of a range, by node, then neighbour."""
    found = read_all(store, files, partition)
    return _distinct(found["node"], found["neighbour"])


def _distinct(nodes: Array, neighbours: Array) -> tuple[Nodes, Nodes]:
    order = np.lexsort((neighbours, nodes))
    nodes, neighbours = nodes[order], neighbours[order]
    fresh = _first(nodes)
    fresh[1:] |= neighbours[1:] != neighbours[:-1]
    return nodes[fresh], neighbours[fresh]


def _first(nodes: Nodes) -> npt.NDArray[np.bool_]:
    """Whether a place of a sorted array is the first of its value."""
    first = np.ones(len(nodes), np.bool_)
    first[1:] = nodes[1:] != nodes[:-1]
    return first


def _joined(columns: Columns, one: str, other: str) -> tuple[Nodes, Nodes]:
    """Every text of these edges but the smallest of its component, ascending, and that smallest one."""
    both = np.concatenate([columns[one], columns[other]]).astype(np.int64)
    nodes, places = np.unique(both, return_inverse=True)
    parents = unionfind.singletons(len(nodes))
    unionfind.unite(parents, places[: len(both) // 2], places[len(both) // 2 :])
    unionfind.flatten(parents)
    below = np.flatnonzero(parents != np.arange(len(nodes)))
    return nodes[below], nodes[parents[below]]


def _both_ways(nodes: Nodes, neighbours: Nodes) -> tuple[Nodes, Nodes]:
    return np.concatenate([nodes, neighbours]), np.concatenate([neighbours, nodes])


def _none() -> tuple[Nodes, Nodes]:
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _write(
    store: Store, texts: list[str], output: str, edges: tuple[Nodes, Nodes], about: dict[str, Any]
) -> dict[str, Any]:
    ranges = np.searchsorted(text_bases(store, texts), edges[0], side="right") - 1
    write_partitioned(store, output, {"node": edges[0], "neighbour": edges[1]}, ranges, len(texts), about)
    return {"edges": len(edges[0]), "changed": about["changed"]}
