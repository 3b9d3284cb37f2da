"""A start that waits in native code for ever, and one that ends in time."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from pipeline.engine import start_limit
from tests.support.runs import CHECKOUT

START = """
import ctypes
from pipeline.engine import start_limit
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
