"""kill -9 of everything: after the same command again, the same bytes, on any number of workers.

Every test compares the SHA-256 of all files of a root (but ``runs/``, which tells of time) with those of an undisturbed
run in one process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.errors import UserError
from pipeline.run import driver
from pipeline.store.storage import Store
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import CHECKOUT, command, tree

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SECONDS = 180.0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs and their mixture file, and what an undisturbed run in one process makes of them (``expected``)."""
    folder = tmp_path_factory.mktemp("small")
    write_corpus(folder / "in", files=6)
    write_mixture(folder / "small.yaml", folder / "in")
    to_the_end(folder, folder / "expected")
    return folder


def to_the_end(small: Path, root: Path) -> None:
    """The result of the same command in this process."""
    driver.run(str(small / "small.yaml"), Store(str(root)), "inline", None, quiet=True)


def start(
    small: Path, root: Path, engine: str = "ray", workers: int = 2, **environment: str
) -> subprocess.Popen[bytes]:
    arguments = command("run", small / "small.yaml", "--root", root, "--workers", workers, "--engine", engine)
    env = {**os.environ, **environment}
    return subprocess.Popen(arguments, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_until(condition: Callable[[], bool], run: subprocess.Popen[bytes]) -> bool:
    """Whether the condition came true while the run was going."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and run.poll() is None:
        if condition():
            return True
        time.sleep(0.005)
    return False


def files(root: Path, pattern: str) -> int:
    return sum(1 for _ in root.glob(pattern))


POINTS: dict[str, tuple[str, Callable[[Path], bool]]] = {
    "before anything is made": ("inline", lambda root: (root / "runs" / "lock.json").exists()),
    "while clusters are found": ("ray", lambda root: files(root, "clusters/*/work/*") >= 1),
    "while the corpus is written": ("inline", lambda root: files(root, "corpus/*/*/*.arrow") >= 1),
}
"""Each on one of the engines; what is on the disk at each moment is the same (`tests.run.test_crash_points`)."""


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_driver_leaves_nothing_a_second_run_does_not_mend(small: Path, tmp_path: Path, point: str) -> None:
    root = tmp_path / "root"
    engine, there = POINTS[point]
    run = start(small, root, engine, workers=1)
    reached = wait_until(lambda: there(root), run)
    children = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
    run.kill()
    run.communicate()
    assert reached or run.returncode == 0, f"the run ended before the point {point!r}"
    assert not psutil.wait_procs(children, timeout=30)[1], "processes outlived their driver"
    to_the_end(small, root)
    assert tree(root) == tree(small / "expected")


def name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return str(process.name())
    return ""


def workers_of(run: subprocess.Popen[bytes]) -> Iterator[psutil.Process]:
    """Ray's worker processes below a run that are at work."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(run.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                name = " ".join(child.cmdline()[:1])
                if "ray::" in name and "IDLE" not in name and "Agent" not in name:
                    yield child


def test_four_workers_of_which_some_are_killed_and_their_ray_too_make_the_bytes_of_one_process(
    small: Path, tmp_path: Path
) -> None:
    """Workers while pages are read, then the raylet; of Ray's head see `tests.engine.test_ray`."""
    root = tmp_path / "root"
    run = start(small, root, workers=4)
    killed = 0
    for count in (0, 2):
        wait_until(lambda count=count: files(root, "documents/*/*.parquet") >= count and any(workers_of(run)), run)  # type: ignore[misc]
        for worker in list(workers_of(run))[:1]:
            with contextlib.suppress(psutil.Error):
                worker.send_signal(signal.SIGKILL)
                killed += 1
    assert wait_until(lambda: files(root, "documents/*/*.parquet") >= 4, run)
    for child in psutil.Process(run.pid).children(recursive=True):
        if name_of(child) == "raylet":
            child.kill()
    _, errors = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, errors.decode()
    assert killed
    assert "Ray is started again" in errors.decode()
    assert tree(root) == tree(small / "expected")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_many_signals_are_one_line_and_one_code(small: Path, tmp_path: Path, number: signal.Signals) -> None:
    root = tmp_path / "root"
    engine, point = ("ray", "documents/*/*.parquet") if number == signal.SIGTERM else ("inline", "runs/lock.json")
    run = start(small, root, engine, workers=1)
    assert wait_until(lambda: files(root, point) >= 1, run)
    until = time.monotonic() + 10
    while run.poll() is None and time.monotonic() < until:  # to the last moment of its end
        run.send_signal(number)
        time.sleep(0.01)
    _, errors = run.communicate(timeout=SECONDS)
    # Ray's shutdown gives SIGTERM back to the system at the very end, with all said and the lock gone: a shell
    # calls both codes 143.
    assert run.returncode in ((128 + number, -number) if number == signal.SIGTERM else (128 + number,))
    said = errors.decode().splitlines()
    assert [line for line in said if line.startswith("gristmill:")] == said[-1:]
    assert "the same command continues where it stopped" in said[-1]
    assert "Traceback" not in errors.decode()
    assert not (root / "runs" / "lock.json").exists()


def test_a_killed_node_is_survived_by_the_other(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    from ray.cluster_utils import Cluster

    size = {"num_cpus": 1, "object_store_memory": 80 << 20}
    few = {"no_monitor": True, "include_log_monitor": False, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=size | few)
    try:
        node = cluster.add_node(**size)
        root = tmp_path / "root"
        run = start(small, root, RAY_ADDRESS=cluster.address, RAY_AUTH_MODE="disabled")
        reached = wait_until(lambda: files(root, "documents/*/*.parquet") >= 2, run)
        cluster.remove_node(node, allow_graceful=False)
        _, errors = run.communicate(timeout=SECONDS)
    finally:
        cluster.shutdown()
    assert reached
    assert run.returncode == 0, errors.decode()
    assert tree(root) == tree(small / "expected")


def test_a_second_driver_on_the_same_root_is_refused(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    run = start(small, root, engine="inline")
    assert wait_until(lambda: (root / "runs" / "lock.json").exists(), run)
    run.send_signal(signal.SIGSTOP)  # it would be done before the second has begun
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    try:
        with pytest.raises(UserError, match="another run"):
            to_the_end(small, root)
        assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    finally:
        run.kill()
        run.communicate()
