"""The tutorial and the how-to pages are typed: every ``sh`` block is run, in order, every ``yaml`` file written first.

A page whose first lines of `yaml` blocks name a file (``# mill.yaml``) writes that file. How-to pages go on where the
tutorial ends, each in a copy of its folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"slurm.md", "docker.md"}
"""Pages that need what a test machine has not."""


def type_page(page: Path, folder: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GRISTMILL": str(DOCS.parent),
        "PYTHONPATH": str(DOCS.parent),
    }
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        named = re.match(r"# (\S+\.yaml)\n", block)
        if kind == "yaml" and named:
            (folder / named[1]).write_text(block, encoding="utf-8")
        elif kind == "sh":
            typed = ["bash", "-euo", "pipefail", "-c", block]
            done = subprocess.run(typed, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{page.name}:\n{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who has typed the tutorial."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "bin").mkdir()
    for name, module in (("gristmill", "-m pipeline"), ("python", "")):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        script.chmod(0o755)
    type_page(DOCS / "tutorial.md", folder)
    return folder


@pytest.mark.slow
def test_the_tutorial_ends_with_a_trained_model(tutorial: Path) -> None:
    assert (tutorial / "root/runs/mill/report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in sorted((DOCS / "how-to").glob("*.md")) if page.name not in ELSEWHERE],
    ids=lambda p: p.stem,
)
def test_every_how_to_page_does_what_it_says(page: Path, tutorial: Path, tmp_path: Path) -> None:
    shutil.copytree(tutorial, tmp_path / "here", symlinks=True)
    type_page(page, tmp_path / "here")
