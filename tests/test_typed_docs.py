"""The docs are typed: every ``sh`` block of a page is run, in order, the ``yaml`` and ``python`` files written first.

A block of `yaml` or `python` whose first line names a file (``# mill.yaml``) writes that file. How-to pages and the
pages of `BESIDE` go on where the tutorial ends, each in a copy of its folder.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.warm import warm

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^```(sh|yaml|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"slurm.md", "docker.md", "index.md"}
"""Pages that need what a test machine has not, and the list of pages."""
BESIDE = ("extending.md", "reading-products.md", "transforms.md")
TYPED = [page for page in sorted((DOCS / "how-to").glob("*.md")) if page.name not in ELSEWHERE]
TYPED += [DOCS / name for name in BESIDE]


def type_page(page: Path, folder: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GRISTMILL": str(DOCS.parent),
        "PYTHONPATH": str(DOCS.parent),
    }
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        named = re.match(r"# (\S+\.(?:yaml|py))\n", block)
        if kind != "sh" and named:
            (folder / named[1]).write_text(block, encoding="utf-8")
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "sh":
            typed = ["bash", "-euo", "pipefail", "-c", block]
            done = subprocess.run(typed, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{page.name}:\n{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who has typed the tutorial."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "bin").mkdir()
    for name, typed in (("gristmill", warm().command), ("python", [sys.executable])):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(typed)} "$@"\n')
        script.chmod(0o755)
    type_page(DOCS / "tutorial.md", folder)
    return folder


@pytest.mark.slow
def test_the_tutorial_ends_with_a_trained_model(tutorial: Path) -> None:
    assert (tutorial / "root/runs/mill/report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("page", TYPED, ids=lambda p: p.stem)
def test_every_page_does_what_it_says(page: Path, tutorial: Path, tmp_path: Path) -> None:
    shutil.copytree(tutorial, tmp_path / "here", symlinks=True)
    type_page(page, tmp_path / "here")
