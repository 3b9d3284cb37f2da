"""A start that waits in native code for ever, and one that ends in time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.engine import ray as engine
from pipeline.engine import start_limit
from pipeline.errors import RunError
from tests.support.runs import CHECKOUT

START = """
import ctypes
from pipeline.engine import ray as engine
from pipeline.engine import start_limit
from pipeline.errors import RunError
with start_limit.within(0.5 if {hangs} else 60, "it's hung; run again"):
    ctypes.PyDLL(None).sleep({seconds})  # holds the interpreter's lock
print("started")
"""


@pytest.mark.parametrize(
    ("hangs", "code", "out", "err"), [(True, 1, "", "it's hung; run again\n"), (False, 0, "started\n", "")]
)
def test_a_start_that_holds_every_lock_ends_with_a_line(hangs: bool, code: int, out: str, err: str) -> None:
    script = START.format(hangs=hangs, seconds=60 if hangs else 0)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=CHECKOUT, timeout=50)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, out, err)


@pytest.mark.parametrize(
    ("free", "said"), [(9 << 20, "; its folder /scratch has 9 MiB left, RAY_TMPDIR names another"), (1 << 40, "")]
)
def test_a_full_disk_is_named_where_ray_does_not_start(monkeypatch: pytest.MonkeyPatch, free: int, said: str) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/scratch")
    monkeypatch.setattr(start_limit.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert start_limit.without_room() == said


def test_a_folder_that_is_not_there_hides_nothing_that_ray_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "none"))
    assert start_limit.without_room() == ""


@pytest.mark.parametrize(("cluster", "limit"), [("", 180), ("auto", 1800), ("10.0.0.7:6379", 1800)])
def test_a_cluster_may_take_long_to_be_joined(monkeypatch: pytest.MonkeyPatch, cluster: str, limit: int) -> None:
    """Hundreds of nodes that start at once, and a slow shared disk."""
    limits = []

    @contextmanager
    def within(seconds: float, message: str) -> Iterator[None]:
        limits.append((seconds, f"did not answer in {seconds:.0f} s;" in message))
        raise ConnectionError("enough")
        yield

    monkeypatch.setenv("RAY_ADDRESS", cluster)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setattr(start_limit, "within", within)
    with pytest.raises(RunError, match="enough"):
        engine.connect(1)
    assert limits == [(limit, True)]
