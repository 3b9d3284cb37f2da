"""Costs of a run: nothing is lost between its files, and the slowest tasks of a phase stay known."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.store import costs
from pipeline.store.costs import Costs, gather, hashes_of
from pipeline.store.storage import Store
from stages.contract import Task


def test_a_long_phase_fills_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "MAX_HELD", 3)
    store = Store(str(tmp_path))
    run_costs = Costs(store, ["measure"])
    seconds = [1.0, 9.0, 2.0, 3.0, 8.0, 1.0, 4.0]
    for number, spent in enumerate(seconds):
        task = Task("m:f", {}, (f"documents/{number}.parquet",), str(number), cost=10)
        run_costs.add("measure", task, {"rows": 5}, {"seconds": spent, "cpu_seconds": spent, "peak_bytes": 7.0})
    assert [one["seconds"] for one in run_costs.slowest(3)] == [9.0, 8.0, 4.0]
    run_costs.write()
    assert len(store.list("runs/costs")) == 3
    found = gather(store, hashes_of([]), [])["measure"]
    assert (found["tasks"], found["seconds"], found["pages"], found["bytes"]) == (7, sum(seconds), 35, 70)
    task = Task("m:g", {}, ("kept/0.parquet",), "0")
    run_costs.add("kept", task, {}, {"seconds": 0.5, "cpu_seconds": 0.5, "peak_bytes": 1.0})
    assert [one["phase"] for one in run_costs.slowest(9)] == ["kept"]


def test_a_run_whose_clock_was_set_back_still_counts_as_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path))
    for clock, seconds in ((2_000_000_000.0, 5.0), (1_900_000_000.0, 2.0), (1_900_000_100.0, 3.0)):
        monkeypatch.setattr(costs.time, "time", lambda clock=clock: clock)
        run_costs = Costs(store, [])
        task = Task("m:f", {}, ("documents/0.parquet",), "0", cost=10)
        run_costs.add("measure", task, {}, {"seconds": seconds, "cpu_seconds": seconds, "peak_bytes": 7.0})
        run_costs.write()
        found = gather(store, hashes_of(["documents/0.parquet"]), ["measure"])["measure"]
        assert (found["tasks"], found["seconds"]) == (1, seconds)
    stamps = [address.partition("-")[0] for address, _ in store.list("runs/costs")]
    assert stamps == [f"runs/costs/20330518T0333{second}" for second in (20, 21, 22)]


def test_small_phases_share_a_file_and_retries_stay_with_their_phase(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    run_costs = Costs(store, [])

    def phase(name: str, seconds: float, retries: int = 0) -> None:
        cost = {"seconds": seconds, "cpu_seconds": seconds, "peak_bytes": 1.0}
        run_costs.add(name, Task("m:f", {}, (f"{name}/0",), "0", cost=1), {}, cost)
        run_costs.retries += retries
        run_costs.end_wave()

    phase("a", 0.25)
    phase("b", 0.5)
    assert store.list("runs/costs") == []
    assert run_costs.slowest(9) == []
    phase("c", 0.25)
    assert len(store.list("runs/costs")) == 1
    phase("d", 0.125)
    phase("e", 0.125, retries=3)  # what was held back is not what was run again
    assert len(store.list("runs/costs")) == 3
    phase("f", 0.5)
    run_costs.write()
    run_costs.write()
    assert len(store.list("runs/costs")) == 4
    found = gather(store, hashes_of([]), [])
    assert {stage: entry["seconds"] for stage, entry in sorted(found.items())} == dict(
        zip("abcdef", [0.25, 0.5, 0.25, 0.125, 0.125, 0.5], strict=True)
    )
    assert {stage for stage, entry in found.items() if entry["retries"]} == {"e"}
    assert found["e"]["retries"] == 3


def test_the_latest_run_that_made_a_file_counts_once(tmp_path: Path) -> None:
    """By hand: later files first; of two tasks that made the same file in one run the first; foreign ones by phase."""
    store = Store(str(tmp_path))

    def run(number: int, tasks: list[tuple[str, list[str], float]]) -> None:
        run_costs = Costs(store, ["kept"])
        run_costs.run = f"{number:08}"
        for phase, outputs, seconds in tasks:
            stages = {"seconds": {"a": seconds, "b": 2 * seconds}} if phase == "measure" else {}
            cost = {"seconds": seconds, "cpu_seconds": seconds, "peak_bytes": seconds, "requests_again": 0.0}
            run_costs.add(phase, Task("m:f", {}, tuple(outputs), "x", cost=1), {"rows": 3, **stages}, cost)
        run_costs.retries = number
        run_costs.write()

    run(1, [("measure", ["a/1", "b/1"], 1.0), ("kept", ["k/1"], 2.0), ("shards", ["s"], 4.0), ("kept", ["k/2"], 8.0)])
    run(2, [("kept", ["k/1"], 16.0), ("kept", ["k/1"], 32.0), ("shards", ["s"], 64.0), ("kept", ["old"], 128.0)])
    found = gather(store, hashes_of(["a/1", "b/1", "k/1", "k/2"]), ["kept", "measure"])
    assert {stage: (entry["seconds"], entry["tasks"], entry["retries"]) for stage, entry in found.items()} == {
        "a": (1.0, 1, 1),
        "b": (2.0, 1, 0),
        "kept": (24.0, 2, 2),
        "shards": (64.0, 1, 0),
    }
    assert (found["kept"]["pages"], found["kept"]["peak_memory"]) == (6, 16.0)


def test_costs_of_earlier_programs_are_read(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    task = {"phase": "kept", "label": "x", "outputs": ["k"], "bytes": 7, "seconds": 2.0, "cpu_seconds": 1.0}
    task |= {"peak_bytes": 9.0, "pages": 5}
    store.write_json("runs/costs/a-000.json", {"run": "a", "retries": 1, "tasks": [task]})
    entry = {"seconds": 2.0, "bytes": 7, "tasks": 1, "peak_memory": 9.0, "retries": 1, "pages": 5}
    assert gather(store, hashes_of(["k"]), ["kept"]) == {"kept": entry}


def test_a_run_of_which_nothing_is_left_adds_nothing(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for number, output in enumerate(("kept/gone", "kept/here")):
        run_costs = Costs(store, [])
        run_costs.run = f"{number:08}"
        task = Task("m:f", {}, (output,), "0", cost=3)
        stages = {"rules": 0.5, "views": 1.5} if number else {}
        run_costs.add("kept", task, {"seconds": stages}, {"seconds": 2.0, "cpu_seconds": 2.0, "peak_bytes": 7.0})
        run_costs.write()
    found = gather(store, hashes_of(["kept/here"]), ["kept"])
    assert {name: entry["seconds"] for name, entry in found.items()} == {"rules": 0.5, "views": 1.5}
    assert {entry["tasks"] for entry in found.values()} == {1}
