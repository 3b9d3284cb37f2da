"""A copy of the project to which a recipe is applied, and commands run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.warm import Warm

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("pipeline", "stages", "tools", "docs", "tests", "mixtures")


@dataclass
class Copy:
    """A copy of the project; it counts the files that are touched by hand."""

    folder: Path
    touched: set[str] = field(default_factory=set)
    warm: Warm | None = None

    @staticmethod
    def make(folder: Path) -> Copy:
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name)  # with what is compiled already
        return Copy(folder)

    def add(self, path: str, text: str) -> None:
        """A new file."""
        assert not (self.folder / path).exists(), path
        (self.folder / path).write_text(text, encoding="utf-8")
        self.touched.add(path)

    def insert(self, path: str, before: str, text: str) -> None:
        """Lines put before the one place that holds ``before``."""
        found = (self.folder / path).read_text(encoding="utf-8")
        assert found.count(before) == 1, f"{path} holds {found.count(before)} times {before!r}"
        (self.folder / path).write_text(found.replace(before, text + before), encoding="utf-8")
        self.touched.add(path)

    def python(self, *args: object) -> str:
        """Run Python in the copy; what it printed."""
        return self._run([sys.executable], *args)

    def gristmill(self, *args: object) -> str:
        """A command of the copy as it is when the first one is given."""
        if self.warm is None:
            self.warm = Warm(str(self.folder / "tests/support/warm.py"))
        return self._run(self.warm.command, *args)

    def close(self) -> None:
        if self.warm is not None:
            self.warm.close()

    def _run(self, start: list[str], *args: object) -> str:
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        command = [*start, *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
