"""The executor over Ray, where the Ray of this machine dies between two of its calls, and where nodes come and go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import CHECKOUT

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SCRIPT = """
import dataclasses, sys
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
executor.submit(0, dataclasses.replace(task, gpus=0.5))
[outcome] = executor.wait(1)
assert (outcome.index, outcome.kind) == (0, "error"), outcome
assert outcome.message.startswith("it asks for 0.5 GPU and this machine has 0; set its `gpus`"), outcome
engine.shutdown()
"""


NODES = """
import dataclasses, os, sys
from ray.cluster_utils import Cluster
from pipeline.engine import ray as engine
from stages.contract import Task

few = {"no_monitor": True, "include_log_monitor": False, "include_dashboard": False, "object_store_memory": 80 << 20}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "memory": 16 << 30} | few)
os.environ["RAY_ADDRESS"] = cluster.address
said = []
engine.IDLE_SECONDS = 0
executor = engine.RayExecutor(sys.argv[1], say=said.append)
task = Task("tests.engine.test_ray:answer", {}, (), "answer", memory=8 << 30)
assert (executor.cpus(), executor.slots()) == (0, 1)
executor.submit(0, task)
assert executor.wait(0.1) == []
assert said == ["no node of the cluster has a CPU; tasks that wait for one: 1"]
cluster.add_node(num_cpus=1, memory=2 << 30, object_store_memory=80 << 20)
engine.SLOTS_SECONDS = 0
[outcome] = executor.wait(0.1)  # at once: the head's memory is no task's
assert (outcome.index, outcome.kind) == (0, "node"), outcome
assert outcome.message == "no node is left with the memory it asked for"
assert executor._measured() == engine.Size(1, 2 << 30)
large = cluster.add_node(num_cpus=1, memory=6 << 30, object_store_memory=80 << 20)
assert executor._measured() == engine.Size(2, 6 << 30)
cluster.remove_node(large)
while executor._measured() != engine.Size(1, 6 << 30):
    pass
executor.submit(0, task)
assert executor.wait(0.1) == []
assert said[1:] == ["tasks that wait 300 s at most for a node as large as they ask for: 1"]
engine.LARGER_SECONDS = 0
[outcome] = executor.wait(1)
assert (outcome.index, outcome.kind) == (0, "node"), outcome
executor.submit(0, task)
[outcome] = executor.wait(120)
assert (outcome.index, outcome.kind, outcome.value) == (0, "done", 42), outcome
executor.submit(0, dataclasses.replace(task, gpus=1))
assert executor.wait(0.1) == []
assert said[2:] == ["no node of the cluster has the 1 GPU that a task asks for; tasks that wait: 1"]
cluster.add_node(num_cpus=1, num_gpus=2, memory=2 << 30, object_store_memory=80 << 20)
[outcome] = executor.wait(120)
assert (outcome.index, outcome.kind, outcome.value) == (0, "done", 42), outcome
executor._proof |= {"token": "another", "pyarrow": "0.0.1"}
engine.Store(sys.argv[1]).write_bytes(executor._proof["address"], b"another")
executor.submit(1, task)
[outcome] = executor.wait(120)
assert (outcome.index, outcome.kind) == (1, "error"), outcome
assert "would make other bytes: pyarrow is " in outcome.message, outcome
engine.shutdown()
cluster.shutdown()
"""

HEAD = """
import os, sys, time
from ray.cluster_utils import Cluster
from pipeline.engine import ray as engine
from pipeline.errors import RunError
from stages.contract import Task

few = {"no_monitor": True, "include_log_monitor": False, "include_dashboard": False, "object_store_memory": 80 << 20}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1} | few)
os.environ["RAY_ADDRESS"] = cluster.address
engine.SLOTS_SECONDS, engine.HEAD_SECONDS = 0.2, 1
executor = engine.RayExecutor(sys.argv[1])
executor.submit(0, Task("tests.engine.test_ray:rest", {}, (), "rest"))
[server] = cluster.head_node.all_processes["gcs_server"]
server.process.kill()
server.process.wait()
time.sleep(0.3)
begin = time.monotonic()
try:
    while time.monotonic() < begin + 100:
        executor.slots()
        executor.wait(0.1)
except RunError as error:
    assert "does not answer any more" in str(error), error
else:
    raise AssertionError("nobody saw that the head is gone")
engine.shutdown()
try:
    engine.RayExecutor(sys.argv[1])
except RunError as error:
    assert "start a new one" in str(error), error
else:
    raise AssertionError("a process that lost its head joined it again")
assert time.monotonic() < begin + 20  # Ray would end this process after a minute
cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
print("given up", flush=True)
"""


def rest(store: Any) -> None:
    time.sleep(60)


def answer(store: Any) -> int:
    return 42


def test_tasks_sent_to_a_dead_head_are_lost_and_its_ray_is_started_again(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=CHECKOUT, capture_output=True, text=True, timeout=180
    )
    assert run.returncode == 0, run.stderr


def test_a_cluster_whose_nodes_come_late_or_are_smaller_or_other_than_the_head(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", NODES, str(tmp_path)],
        cwd=CHECKOUT,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert run.returncode == 0, run.stderr


def test_a_cluster_without_its_head_is_given_up_before_ray_ends_this_process(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", HEAD, str(tmp_path)],
        cwd=CHECKOUT,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert (run.returncode, run.stdout) == (1, "given up\n"), run.stderr
