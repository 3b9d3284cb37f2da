"""Processes that end with the one that started them, however it ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from pipeline.engine import orphans
from pipeline.store.lock import start_time
from tests.support.runs import CHECKOUT

START = """
import subprocess, sys
from pipeline.engine import orphans
child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
watch = orphans.Watch(orphans.children(__import__("os").getpid()))
print(child.pid, flush=True)
sys.stdin.readline()
watch.close()
"""


def becomes(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("killed", [True, False])
def test_what_is_watched_ends_with_its_starter_and_stays_where_that_ends_well(killed: bool) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    child = int(starter.stdout.readline())  # type: ignore[union-attr]
    since = start_time(child)
    assert since is not None
    if killed:
        starter.kill()
        starter.communicate()
        assert becomes(lambda: start_time(child) != since or _is_zombie(child))
    else:
        starter.communicate("well\n")
        time.sleep(0.2)
        assert start_time(child) == since
        assert not _is_zombie(child)
        subprocess.run(["kill", "-9", str(child)], check=True)


def test_another_process_of_the_same_number_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    other = subprocess.Popen(["sleep", "60"])
    monkeypatch.setattr(orphans, "start_time", lambda pid: "1")  # one that has ended since had this number
    watch = orphans.Watch([other.pid])
    assert watch._shell is not None
    watch._shell.stdin.close()  # type: ignore[union-attr]
    assert watch._shell.wait(20) is not None
    assert other.poll() is None
    other.kill()
    other.wait()


def _is_zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"
