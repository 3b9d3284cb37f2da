"""Components in many tasks: the same as by union-find, whatever the edges, ranges and files."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages import clusters
from stages.clusters import stars
from stages.exchange_file import write_ordered
from tests.support.dedup_corpus import Page, cluster, many_partitions, split_up
from tests.support.dedup_families import all_families

Edges = list[tuple[int, int]]


def smallest(edges: Edges) -> dict[int, int]:
    """The smallest node that each node is joined to, by going on until nothing changes."""
    label = {node: node for edge in edges for node in edge}
    while True:
        before = dict(label)
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
        if label == before:
            return label


def by_stars(store: Store, edges: Edges, nodes: int, ranges: int, files: int, memory: int = 0) -> dict[int, int]:
    """Families by `stars`; ``nodes`` in equal ranges, the edges dealt out to files."""
    bases = [nodes * part // ranges for part in range(ranges + 1)]
    texts = [f"texts/{part}" for part in range(ranges)]
    for part, address in enumerate(texts):
        size = bases[part + 1] - bases[part]
        write_ordered(store, address, {"copies": np.ones(size, np.int64)}, {"copies": np.array([0, size])})
    pairs = sorted({(min(edge), max(edge)) for edge in edges})
    forests = []
    for number in range(files):
        left, right = np.array(pairs[number::files], np.uint64).reshape(-1, 2).T
        bounds = np.searchsorted(left, np.array(bases, np.uint64))
        write_ordered(store, f"pairs/{number}", {"left": left, "right": right}, {"left": bounds, "right": bounds})
        forests.append(f"forests/{number}")
        stars.contract(store, texts=texts, pairs=f"pairs/{number}", output=forests[-1])
    stars.gather(store, texts=texts, forests=forests, memory=memory, output="whole")
    small = [f"small/0/{part}" for part in range(ranges)]
    shared = {"texts": texts, "gathered": "whole"}
    for part, output in enumerate(small):
        stars.small_star(store, **shared, inputs=forests, partition=part, output=output)
    rounds: list[list[list[str]]] = []
    before = None
    for number in range(1, stars.ROUNDS + 1):
        large = [f"large/{number}/{part}" for part in range(ranges)]
        for part, output in enumerate(large):
            stars.large_star(store, **shared, inputs=small, before=before, partition=part, output=output)
        before, small = large, [f"small/{number}/{part}" for part in range(ranges)]
        for part, output in enumerate(small):
            stars.small_star(store, **shared, inputs=large, partition=part, output=output)
        rounds.append([large, small])
    found: dict[int, int] = {}
    for part in range(ranges):
        held, roots = stars.labels(store, "whole", rounds, part)
        assert all(bases[part] <= node < bases[part + 1] for node in held.tolist())
        found |= dict(zip(held.tolist(), roots.tolist(), strict=True))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)).filter(lambda edge: edge[0] != edge[1]), max_size=40),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([0, 0, 1 << 20]),
)
def test_stars_equal_union_find(
    tmp_path_factory: pytest.TempPathFactory, edges: Edges, ranges: int, files: int, memory: int
) -> None:
    store = Store(str(tmp_path_factory.mktemp("root")))
    assert by_stars(store, edges, 30, ranges, files, memory) == smallest(edges)


@pytest.mark.parametrize("shape", ["chain", "ordered chain", "ring", "star", "tree"])
def test_long_shapes_settle_within_the_rounds_planned(tmp_path: Path, shape: str) -> None:
    count = 20_000
    names = list(range(count))
    if shape != "ordered chain":
        random.Random(3).shuffle(names)
    edges = [(k, k + 1) for k in range(count - 1)]
    edges += [(count - 1, 0)] if shape == "ring" else []
    edges = [(0, k) for k in range(1, count)] if shape == "star" else edges
    edges = [(k // 2, k) for k in range(1, count)] if shape == "tree" else edges
    named = [(names[a], names[b]) for a, b in edges]
    found = by_stars(Store(str(tmp_path)), named, count, 3, 2)
    assert found == dict.fromkeys(range(count), 0)


@pytest.mark.parametrize("memory", [1 << 26, 1 << 30])
def test_components_in_rounds_give_the_rows_of_one_task(
    store: Store, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    """Union-find in one task; then planned for many, where all forests fit in one, and where they do not."""
    pages = all_families()[:400]
    inputs = split_up(store, pages, 4)
    expected = cluster(store, inputs, clusters.Params(), "clusters/one")
    many_partitions(monkeypatch)
    monkeypatch.setattr("stages.clusters.planning.TEXT_BYTES", 1 << 40)
    if memory == 1 << 26:
        monkeypatch.setattr("stages.clusters.stars.EDGE_BYTES", 1 << 30)
    params = clusters.Params(memory=memory, passes=2)
    assert any("stars" in phase.name for phase in clusters.plan(params, inputs, "clusters/many"))
    assert cluster(store, inputs, params, "clusters/many") == expected
    assert expected[Page(pages[0].key, "").doc_id] is not None
