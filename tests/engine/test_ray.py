"""The executor over Ray, where the Ray of this machine dies between two of its calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import CHECKOUT

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SCRIPT = """
import sys
from pipeline.engine import ray as engine
from stages.contract import Task

executor = engine.RayExecutor(sys.argv[1], 1)
task = Task("tests.engine.test_ray:answer", {}, (), "answer")
assert set(engine.local_node().all_processes) == {"gcs_server", "raylet"}
[server] = engine.local_node().all_processes["gcs_server"]
server.process.kill()
server.process.wait()
assert executor.slots() == 1
executor.submit(0, task)
executor.submit(1, task)
assert [(outcome.index, outcome.kind) for outcome in executor.wait(1)] == [(0, "node"), (1, "node")]
executor.submit(0, task)
[outcome] = executor.wait(120)
assert (outcome.index, outcome.kind, outcome.value) == (0, "done", 42), outcome
assert set(engine.local_node().all_processes) == {"gcs_server", "raylet"}
engine.shutdown()
"""


def answer(store: Any) -> int:
    return 42


def test_tasks_sent_to_a_dead_head_are_lost_and_its_ray_is_started_again(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=CHECKOUT, capture_output=True, text=True, timeout=180
    )
    assert run.returncode == 0, run.stderr
