"""Clusters: only pages decide a row; nothing of how the work is cut, in which order, or what was lost on the way."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.store.storage import Store
from stages import clusters
from stages.clusters.components import _Sets
from stages.exchange_file import CorruptIntermediate, read_partition, read_partitions, write_ordered
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.columns.rows import Pieces
from tests.support.dedup_corpus import Page, cluster, many_partitions, run_phases, split_up
from tests.support.dedup_families import all_families

PARAMS = clusters.Params()


@pytest.fixture(scope="module")
def adversarial(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Page], dict[bytes, dict]]:
    store = Store(str(tmp_path_factory.mktemp("families")))
    pages = all_families()
    return pages, cluster(store, split_up(store, pages, 3), PARAMS)


def fingerprint(rows: dict[bytes, dict]) -> str:
    return hashlib.sha256(repr(sorted(rows.items())).encode()).hexdigest()


@pytest.mark.parametrize(
    ("cuts", "order", "params"),
    [
        (1, "as it is", {}),
        (7, "reversed", {}),
        (2, "shuffled", {"passes": 3}),
        (5, "shuffled", {"memory": 1 << 26, "passes": 2}),
        (3, "reversed", {"passes": 18}),
    ],
)
def test_layout_order_memory_and_passes_do_not_change_a_row(
    adversarial: tuple[list[Page], dict[bytes, dict]], store: Store, cuts: int, order: str, params: dict
) -> None:
    pages, expected = adversarial
    pages = list(pages)
    if order == "reversed":
        pages.reverse()
    if order == "shuffled":
        random.Random(9).shuffle(pages)
    rows = cluster(store, split_up(store, pages, cuts), clusters.Params(**params))
    assert fingerprint(rows) == fingerprint(expected)


def test_many_groups_and_ranges_give_the_same_rows_as_one(
    adversarial: tuple[list[Page], dict[bytes, dict]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, expected = adversarial
    many_partitions(monkeypatch)
    params = clusters.Params(memory=1 << 26, passes=3, rounds=2)
    inputs = split_up(store, pages, 6)
    phases = clusters.plan(params, inputs, "clusters/run")
    one = ("clusters: components", "clusters: summary of families", "clusters: summary")
    assert min(len(phase.tasks) for phase in phases if phase.name not in one) > 1
    assert fingerprint(cluster(store, inputs, params)) == fingerprint(expected)
    many = {address: store.read_bytes(address) for address, _ in store.list("clusters/run")}
    assert many
    monkeypatch.undo()
    store.remove("clusters/run")
    cluster(store, inputs, PARAMS)
    assert {address: store.read_bytes(address) for address, _ in store.list("clusters/run")} == many


@pytest.mark.parametrize(("text_bytes", "shingle_tasks"), [(1_000_000, 1), (10_000_000, 3)])
def test_a_small_input_takes_one_task_a_phase_but_for_much_text(
    store: Store, text_bytes: int, shingle_tasks: int
) -> None:
    inputs = [
        clusters.ClusterInput(f"s{i}", "web", f"d{i}", f"g{i}", None, None, rows=2500, text_bytes=text_bytes)
        for i in range(12)
    ]
    phases = clusters.plan(PARAMS, inputs, "clusters/run")
    tasks = {phase.name: len(phase.tasks) for phase in phases}
    assert tasks.pop("clusters: shingles of places 0-0") == shingle_tasks
    assert set(tasks.values()) == {1}


def test_a_second_run_and_a_run_killed_in_any_phase_give_the_same_bytes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_partitions(monkeypatch)
    pages = all_families()[:300]
    inputs = split_up(store, pages, 4)
    phases = clusters.plan(clusters.Params(memory=1 << 26), inputs, "clusters/run")
    run_phases(store, phases, discard=False)
    expected = {address: store.read_bytes(address) for address, _ in store.list("clusters")}
    # lose one file of every phase in turn, as a kill between two tasks does
    for phase in phases:
        lost = phase.tasks[-1]
        for address in lost.outputs:
            store.remove(address)
        run_phases(store, phases, discard=False)
        assert {address: store.read_bytes(address) for address, _ in store.list("clusters")} == expected


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_shingle_sets_are_written_in_the_order_of_their_places_from_where_they_lie(
    store: Store, order: list[int]
) -> None:
    sets = [[5, 6, 7], [1], [], [2, 3]]
    parts = [np.array(values, np.uint64).view(np.uint8) for values in ([*sets[0], *sets[1]], [*sets[2], *sets[3]])]
    sizes = np.array([len(values) for values in sets])
    offsets = offsets_of(sizes[order])
    hashes = _Sets(Pieces(parts, offsets_of(sizes), _Sets.dtype), np.array(order), offsets)
    columns, bounds = {"size": sizes[order]}, np.array([0, 1, 1, 4])
    expected = np.array([value for place in order for value in sets[place]], np.uint64)
    limits = {"size": bounds, "hash": offsets[bounds]}
    write_ordered(store, "gathered.part", columns | {"hash": hashes}, limits)
    gathered = store.read_bytes("gathered.part")
    write_ordered(store, "gathered.part", columns | {"hash": expected}, limits)
    assert store.read_bytes("gathered.part") == gathered
    assert [part["hash"].tolist() for part in read_partitions(store, "gathered.part")] == [
        sets[order[0]],
        [],
        expected[len(sets[order[0]]) :].tolist(),
    ]


def test_a_damaged_intermediate_file_is_removed_and_named(store: Store) -> None:
    inputs = split_up(store, all_families()[:50], 2)
    phases = clusters.plan(PARAMS, inputs, "c")
    run_phases(store, phases[:2], discard=False)
    address = phases[1].tasks[0].outputs[0]
    good = store.read_bytes(address)
    for damaged in (good[:40] + bytes([good[40] ^ 1]) + good[41:], good[:-7], b"", good[: len(good) // 2]):
        store.write_bytes(address, damaged)
        with pytest.raises(CorruptIntermediate, match=address):
            read_partition(store, address, 0)
        assert not store.exists(address)
