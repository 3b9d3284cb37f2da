"""Full disks and quotas: the file, what to do, never another error in the place of the first; results nobody gets."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.scheduler import TasksFailed, failure
from pipeline.errors import one_line
from pipeline.run import driver
from pipeline.store.storage import Store
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import CHECKOUT


@pytest.mark.parametrize(("number", "said"), [(errno.EDQUOT, "Disk quota exceeded"), (errno.ENOSPC, "No space left")])
def test_a_disk_that_fills_up_is_named_by_its_file_though_nothing_more_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    mixture, store = (
        write_mixture(tmp_path / "m.yaml", write_corpus(tmp_path / "in", files=1)),
        Store(str(tmp_path / "r")),
    )
    create, full = Store._create_local, []

    def refuse(self: Store, address: str) -> Any:
        if full or address.startswith("quality/"):
            full.append(address)
            raise OSError(number, os.strerror(number), self.path(address))
        return create(self, address)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "_create_local", refuse)
        with pytest.raises(TasksFailed) as error:
            driver.run(str(mixture), store, "inline", None, quiet=True)
    line = str(error.value)
    assert line.startswith("measure: ")
    assert f".parquet: {said}" in line
    assert "[Errno" not in line
    assert "; make room there, then run the same command again" in line
    assert any(address.startswith("runs/") for address in full)
    assert not store.exists("runs/lock.json")
    driver.run(str(mixture), store, "inline", None, quiet=True)


def test_an_error_of_a_task_has_its_file_first_and_no_number() -> None:
    denied = PermissionError(errno.EACCES, "Permission denied", "/a/b")
    assert failure(0, denied).message == one_line(denied) == "/a/b: Permission denied"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("command", ["status", "stats"])
def test_a_result_that_cannot_be_printed_is_no_fault_of_a_file_of_the_root(tmp_path: Path, command: str) -> None:
    mixture = write_mixture(tmp_path / "m.yaml", write_corpus(tmp_path / "in", files=1))
    driver.run(str(mixture), Store(str(tmp_path / "r")), "inline", None, quiet=True)
    asked = [sys.executable, "-m", "pipeline", command, "--root", str(tmp_path / "r")]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(asked, cwd=CHECKOUT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert ended.returncode == 1
    said = "gristmill: standard output cannot be written: No space left on device; look at what it goes to\n"
    assert ended.stderr == said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("asked", [["--help"], ["--version"], ["run", "--help"]])
def test_help_that_cannot_be_printed_says_so(asked: list[str]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "pipeline", *asked]
        ended = subprocess.run(command, cwd=CHECKOUT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    said = "gristmill: standard output cannot be written: No space left on device; look at what it goes to\n"
    assert (ended.returncode, ended.stderr) == (1, said)
