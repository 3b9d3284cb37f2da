"""Deduplication under damage and death: the same bytes, whatever is lost on the way."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.engine.scheduler import Executor, InlineExecutor, Scheduler, TasksFailed
from pipeline.progress import Reporter
from pipeline.recipe import graph
from pipeline.run import rebuild
from pipeline.run.steps import Steps
from pipeline.store.costs import Costs
from pipeline.store.storage import Store
from stages import clusters
from stages.contract import Task, Wave
from tests.support.deadly_job import MortalExecutor
from tests.support.dedup_corpus import many_partitions, run_phases, split_up
from tests.support.dedup_families import all_families
from tests.support.thorough import THOROUGH, some

PARAMS = clusters.Params(memory=1 << 26, passes=2)


def in_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan components for many tasks, which one task could not do instead."""
    monkeypatch.setattr("stages.clusters.planning.TEXT_BYTES", 1 << 40)
    monkeypatch.setattr("stages.clusters.planning.ROUNDS", 3)
    monkeypatch.setattr("stages.clusters.stars.EDGE_BYTES", 1 << 40)


def exchange(root: Path, monkeypatch: pytest.MonkeyPatch, count: int = 300) -> tuple[Store, list[Wave]]:
    """A root with signed pages, and the waves of `clusters` over several groups, ranges and places."""
    many_partitions(monkeypatch)
    store = Store(str(root))
    inputs = split_up(store, all_families()[:count], 4)
    return store, clusters.plan(PARAMS, inputs, "clusters/run")


def results(store: Store) -> dict[str, bytes]:
    return {address: store.read_bytes(address) for address, _ in store.list("clusters")}


def maker(store: Store, executor: Executor | None = None) -> Steps:
    reporter = Reporter(quiet=True)
    engine = executor or InlineExecutor(store.root)
    recipe = cast(Any, SimpleNamespace(name="test"))
    return Steps(recipe, store, Scheduler(lambda _: engine, reporter.say), reporter, Costs(store, graph.PAGED))


def run_all(store: Store, waves: list[Wave]) -> None:
    maker(store).run_waves("clusters", waves)


def damaged(good: bytes) -> Iterable[bytes]:
    """Flipped in the records, cut short, and emptied."""
    return good[:5] + bytes([good[5] ^ 1]) + good[6:], good[:-9], b""


def put_back(store: Store, files: dict[str, bytes]) -> None:
    """The results as they were."""
    store.remove("clusters")
    for address, data in files.items():
        store.write_bytes(address, data)


@pytest.mark.parametrize("stars", [False, True])
def test_an_intermediate_file_damaged_before_any_phase_is_made_again_in_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stars: bool
) -> None:
    if stars:
        in_stars(monkeypatch)
    store, waves = exchange(tmp_path / "root", monkeypatch, count=60 if stars else 120)
    run_all(store, waves)
    expected = results(store)
    assert not any("/work/" in address for address in expected)
    struck = 0
    before: dict[str, bytes] = {}
    for number, wave in enumerate(waves):
        read = sorted(rebuild.inputs_of(wave.tasks, waves))
        by_folder = {address.rpartition("/")[0]: address for address in read if "/work/" in address}
        for folder, address in some(by_folder.items(), 2):
            put_back(store, before)
            good = store.read_bytes(address)
            store.write_bytes(address, list(damaged(good))[struck % 3] if len(good) > 200 else b"")
            run_all(store, waves)
            assert results(store) == expected, (wave.name, folder)
            struck += 1
        put_back(store, before)
        run_all(store, waves[: number + 1])
        before = results(store)
    assert struck >= len(waves) - 1 > 5


def test_a_task_that_fails_for_another_reason_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, waves = exchange(tmp_path / "root", monkeypatch, count=40)
    broken = replace(waves[1].tasks[0], args={**waves[1].tasks[0].args, "partition": 10**6})
    waves[1] = replace(waves[1], tasks=(broken, *waves[1].tasks[1:]))
    with pytest.raises(TasksFailed):
        run_all(store, waves)


def test_nothing_is_made_again_for_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, waves = exchange(tmp_path / "root", monkeypatch, count=80)
    present: set[str] = set()
    for number, wave in enumerate(waves):
        wanted = rebuild.to_run(waves, lambda address, present=present: address not in present)  # type: ignore[misc]
        assert [len(tasks) for tasks in wanted[:number]] == [0] * number
        assert [len(tasks) for tasks in wanted[number:]] == [len(later.tasks) for later in waves[number:]]
        present |= {address for task in wave.tasks for address in task.outputs}
        present = {address for address in present if not any(rebuild.under(address, prefix) for prefix in wave.discard)}
    assert not any(rebuild.to_run(waves, lambda address: address not in present))


def test_every_task_names_all_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task runs on nothing but what its arguments name: everything else of the exchange is away."""
    store, waves = exchange(tmp_path / "root", monkeypatch, count=120)
    run_phases(store, waves, discard=False)
    whole = results(store)
    for wave in waves[1:]:
        task = wave.tasks[0]
        for address in whole.keys() - rebuild.inputs_of([task], waves):
            store.remove(address)
        module, _, function = task.job.partition(":")
        getattr(__import__(module, fromlist=[function]), function)(store, **task.args)
        for address in task.outputs:
            assert store.read_bytes(address) == whole[address]
        for address, data in whole.items():
            store.write_bytes(address, data)


ORDERS = [("reversed", False), ("shuffled", True), *([("shuffled", False)] if THOROUGH else [])]


@pytest.mark.parametrize(("order", "stars"), ORDERS)
def test_a_worker_killed_in_every_phase_and_another_order_of_input_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, stars: bool
) -> None:
    many_partitions(monkeypatch)
    if stars:
        in_stars(monkeypatch)
    inputs, expected = {}, {}
    for root in ("calm", "killed"):
        store = Store(str(tmp_path / root))
        inputs[root] = split_up(store, all_families()[:200], 3)
        listed = inputs[root][::-1] if order == "reversed" else list(inputs[root])
        if root == "killed" and order == "shuffled":
            random.Random(2).shuffle(listed)
        waves = clusters.plan(PARAMS, listed if root == "killed" else inputs[root], "clusters/run")
        if root == "calm":
            run_all(store, waves)
            expected = results(store)
    markers = tmp_path / "markers"
    markers.mkdir()

    def deadly(task: Task, number: int) -> Task:
        args = {"job": task.job, "args": task.args, "marker": str(markers / str(number))}
        return replace(task, job="tests.support.deadly_job:once", args=args)

    waves = [replace(wave, tasks=(deadly(wave.tasks[0], number), *wave.tasks[1:])) for number, wave in enumerate(waves)]
    work = maker(store, MortalExecutor(store.root))
    work.run_waves("clusters", waves)
    assert work.scheduler.retries == len(waves) == len(list(markers.iterdir()))
    assert results(store) == expected
