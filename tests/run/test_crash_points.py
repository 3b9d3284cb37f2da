"""A kill at every moment that leaves another state: before each rename and each removal of a run, driver and jobs.

A run in one process is watched: whenever a file is about to get its final name, or one is about to be removed, the root
is copied as it is. (A folder goes one file after the other, as an object store does it; before the first, the one in
the middle and the last.) Each copy is what a kill at that moment leaves. Running the same mixture on it must end in the
bytes of the undisturbed run, and leave nothing else. Of moments that differ in hashes and numbers alone (the second
shard of a domain, the third part of an exchange) one is tried, the first or the last in turn; of the hundred kinds that
are left one in three, or all (`tests.support.thorough`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.store import storage
from pipeline.store.storage import Store
from tests.run.test_damage import prepare, run
from tests.support.runs import tree
from tests.support.thorough import some

pytestmark = pytest.mark.slow


def linked(source: str, target: str) -> None:
    """Another name for a file, unless it has just got its final name in another thread."""
    with contextlib.suppress(FileNotFoundError):
        os.link(source, target)


def copied(root: Path, to: Path) -> None:
    """The root as it is: files never change under their names, so links will do."""
    shutil.copytree(root, to, copy_function=linked)
    (to / "runs" / "lock.json").unlink(missing_ok=True)  # of this process, which lives


def watched(monkeypatch: pytest.MonkeyPatch, root: Path, before: Callable[[str], None]) -> None:
    """Call ``before`` before every rename and every removal under a root, with what is about to happen."""
    replace, remove = os.replace, Store.remove

    def watched_replace(source: str, target: str) -> None:
        if str(target).startswith(str(root)):
            before(f"make {target}")
        replace(source, target)

    def watched_remove(self: Store, prefix: str) -> None:
        inside = [address for address, _ in self.list(prefix)] if os.path.isdir(self.path(prefix)) else []
        for number, address in enumerate(inside):
            if number in (0, len(inside) // 2, len(inside) - 1):
                before(f"remove from {prefix} the {'next' if number else 'first'}")
            os.unlink(self.path(address))
        before(f"remove {prefix}")
        remove(self, prefix)

    monkeypatch.setattr(storage.os, "replace", watched_replace)
    monkeypatch.setattr(Store, "remove", watched_remove)


def test_a_run_killed_before_any_rename_or_removal_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path)
    expected = tree(tmp_path / "root")
    states: dict[str, list[Path]] = {}
    numbers = itertools.count()

    def before(what: str) -> None:
        kind = re.sub(r"[0-9a-f]{16,}|\d+", "*", what)
        moments = states.setdefault(kind, [])
        moments.append(tmp_path / f"state-{next(numbers):04}")
        if len(moments) > 2:
            shutil.rmtree(moments.pop(1))
        copied(tmp_path / "again", moments[-1])

    with monkeypatch.context() as patch:
        (tmp_path / "again").mkdir()
        watched(patch, tmp_path / "again", before)
        run(tmp_path, root=tmp_path / "again")
    assert tree(tmp_path / "again") == expected
    wrong = []
    for number, (kind, moments) in some(enumerate(states.items()), 7):
        state = moments[-(number % 2)]
        run(tmp_path, root=state)
        found = tree(state)
        if found != expected:
            wrong.append((kind, sorted({*found.items()} ^ {*expected.items()})[:3]))
        shutil.rmtree(state)
    assert not wrong, f"{len(wrong)} moments: {wrong[:5]}"
    assert len(states) > 50
