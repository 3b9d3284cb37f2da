"""The lock of a root: of many starts at once one gets in, and no dead owner keeps it."""

from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.run.prune import prune_text
from pipeline.store import lock
from pipeline.store.lock import ADDRESS, RootLock
from pipeline.store.storage import Store
from tests.support.runs import CHECKOUT

START = """
import sys, time
from pipeline.errors import UserError
from pipeline.store import lock
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store
lock.HEARTBEAT_SECONDS = 0.5
held = RootLock(Store(sys.argv[1]))
held._read()  # connections stand, modules are loaded: the start that follows is at the same moment
print("ready", flush=True)
sys.stdin.readline()
try:
    with held:
        print("in", flush=True)
        sys.stdin.readline()
except UserError as error:
    print("out", error, flush=True)
"""
ELSEWHERE = {"host": "elsewhere", "pid": 1, "started": None}


def test_a_start_that_stands_still_is_not_waited_for_and_a_run_ends_in_spite_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "GUARD_SECONDS", 0.2)
    first = RootLock(Store(str(tmp_path)))
    with first, open(tmp_path / lock.GUARD, "wb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=r"another run .which stands still. is working on"):
            RootLock(Store(str(tmp_path))).__enter__()
        assert first.store.exists(ADDRESS)
        first.__exit__(None, None, None)
        assert not first.store.exists(ADDRESS)


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_of_simultaneous_starts_one_gets_in(tmp_path: Path, s3: str, where: str) -> None:
    root = str(tmp_path) if where == "disk" else f"s3://locks/root{s3}&allow_bucket_creation=true"
    if where == "bucket":
        Store(root).fs.create_dir("locks")
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": CHECKOUT}
    starts = [subprocess.Popen([sys.executable, "-c", START, root], **pipes) for _ in range(4)]
    for round_ in range(2):  # the second time over the lock of a run that was killed
        if round_:
            Store(root).write_json(ADDRESS, ELSEWHERE | {"time": time.time() - 1000})
            starts = [subprocess.Popen([sys.executable, "-c", START, root], **pipes) for _ in range(4)]
        for start in starts:
            assert start.stdout.readline() == "ready\n"
        for start in starts:
            start.stdin.write("go\n")
            start.stdin.flush()
        said = [start.stdout.readline() for start in starts]
        assert sorted(line.split()[0] for line in said) == ["in", "out", "out", "out"], said
        for start in starts:
            start.communicate("end\n")
        assert not Store(root).exists(ADDRESS)


def test_a_live_owner_elsewhere_keeps_it_and_a_dead_one_does_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.1)
    for seconds, alive in ((0.0, True), (-30.0, True), (30.0, True), (-1000.0, False)):
        store.write_json(ADDRESS, ELSEWHERE | {"time": time.time() + seconds})
        assert (RootLock(store).holder() is not None) == alive
    with RootLock(store):
        assert json.loads(store.read_bytes(ADDRESS))["host"] != "elsewhere"


@pytest.mark.parametrize("renewed", [True, False])
@pytest.mark.parametrize(
    ("host", "seconds"), [("elsewhere", 1e6), ("elsewhere", -300.0), ("elsewhere", -1e6), (socket.gethostname(), 0.0)]
)
def test_a_heartbeat_by_another_clock_or_of_a_machine_of_this_name_counts_only_while_it_is_renewed(
    store: Store, monkeypatch: pytest.MonkeyPatch, renewed: bool, host: str, seconds: float
) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.4)
    said: list[str] = []
    owner = {"host": host, "pid": 1, "started": None, "machine": "another"}

    def write() -> None:
        store.write_json(ADDRESS, owner | {"time": time.time() + seconds})

    write()
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(0.2):
            write()

    thread = threading.Thread(target=renew)
    if renewed:
        thread.start()
        with pytest.raises(UserError, match=r"process 1 on .*, found by its heartbeat"), RootLock(store, said.append):
            pass
        stop.set()
        thread.join()
    else:
        with RootLock(store, said.append):
            assert json.loads(store.read_bytes(ADDRESS))["machine"] == lock.machine()
        assert not store.exists(ADDRESS)
    assert said == [f"{store.root} was left locked by process 1 on {host}: waiting 1 s to see whether that still runs"]


def test_commands_that_remove_files_say_that_they_wait_too(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.1)
    store.write_json(ADDRESS, ELSEWHERE | {"time": time.time() - 1e6})
    with pytest.raises(UserError, match="has no finished mixture mine"):
        prune_text(store, ["mine"], dry=False)
    assert f"{store.root} was left locked by process 1 on elsewhere: waiting 0 s" in capsys.readouterr().err


def test_a_dead_process_of_this_machine_is_not_waited_for(store: Store) -> None:
    said: list[str] = []
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = {"host": socket.gethostname(), "pid": ended.pid, "started": "1", "time": time.time()}
    for owner in (here, here | {"machine": lock.machine()}, here | {"time": time.time() - 1e6}):
        store.write_json(ADDRESS, owner)
        with RootLock(store, said.append):
            pass
    assert said == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"7", b'{"host": 1, "pid": "x", "time": null}'])
def test_what_is_no_lock_holds_nothing(store: Store, content: bytes) -> None:
    store.write_bytes(ADDRESS, content)
    with RootLock(store):
        pass


def test_a_run_that_lost_its_lock_leaves_the_other_ones(store: Store) -> None:
    with RootLock(store):
        store.write_json(ADDRESS, ELSEWHERE | {"time": time.time(), "token": "other"})
    assert store.read_json(ADDRESS)["token"] == "other"


def test_a_signal_just_when_the_lock_is_written_leaves_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write = RootLock._write

    def interrupted(lock: RootLock, replaced: str) -> bool:
        assert write(lock, replaced)
        raise KeyboardInterrupt

    monkeypatch.setattr(RootLock, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt), RootLock(store):
        pass
    assert not store.exists(ADDRESS)


def test_a_root_that_cannot_be_written_is_reported_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "runs").write_text("no folder")
    with (
        pytest.raises(UserError, match=r"cannot be written: .*root/runs\); expected a folder of yours"),
        RootLock(Store(str(tmp_path / "root"))),
    ):
        pass
