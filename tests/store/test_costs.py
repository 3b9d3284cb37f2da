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
    told = Costs(store, ["measure"])
    seconds = [1.0, 9.0, 2.0, 3.0, 8.0, 1.0, 4.0]
    for number, spent in enumerate(seconds):
        task = Task("m:f", {}, (f"documents/{number}.parquet",), str(number), cost=10)
        told.add("measure", task, {"rows": 5}, {"seconds": spent, "cpu_seconds": spent, "peak_bytes": 7.0})
    assert [one["seconds"] for one in told.slowest(3)] == [9.0, 8.0, 4.0]
    told.write()
    assert len(store.list("runs/costs")) == 3
    found = gather(store, hashes_of([]), [])["measure"]
    assert (found["tasks"], found["seconds"], found["pages"], found["bytes"]) == (7, sum(seconds), 35, 70)
    task = Task("m:g", {}, ("kept/0.parquet",), "0")
    told.add("kept", task, {}, {"seconds": 0.5, "cpu_seconds": 0.5, "peak_bytes": 1.0})
    assert [one["phase"] for one in told.slowest(9)] == ["kept"]
