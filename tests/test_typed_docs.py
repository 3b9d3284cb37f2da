"""The docs are typed: every ``sh`` block of a page is run, in order, the ``yaml`` and ``python`` files written first.

A block of `yaml` or `python` whose first line names a file (``# mill.yaml``) writes that file. How-to pages and the
pages of `BESIDE` go on where the tutorial ends, each in a copy of its folder.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
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


FAKES = {
    "srun": 'echo "srun $*" >> "$LOG"; case "$*" in *--block*) exec /bin/sleep 30;; esac',
    "scontrol": "printf 'n1\\nn2\\nn3\\n'",
    "sleep": "exit 0",
    "ray": 'echo "ray $*" >> "$LOG"',
    "gristmill": """echo "gristmill $* at $RAY_ADDRESS" >> "$LOG"
trap 'echo stopped >> "$LOG"; exit 143' TERM
i=0; while [ $i -lt "$ROUNDS" ]; do /bin/sleep 0.05; i=$((i + 1)); done; exit $CODE""",
}
"""Stand-ins for what a cluster has: they write down what they are asked."""


@pytest.mark.parametrize("end", ["done", "failed", "out of time"])
def test_the_sbatch_file_starts_a_ray_over_the_nodes_and_ends_as_the_run_does(tmp_path: Path, end: str) -> None:
    [script] = re.findall(r"^```bash\n(.*?)^```$", (DOCS / "how-to/slurm.md").read_text(), re.MULTILINE | re.DOTALL)
    path, log = tmp_path / "gristmill.sbatch", tmp_path / "log"
    path.write_text(script.replace("/shared", str(tmp_path)))
    (tmp_path / "gristmill/.venv/bin").mkdir(parents=True)
    (tmp_path / "gristmill/.venv/bin/activate").write_text("")
    (tmp_path / "bin").mkdir()
    for name, does in FAKES.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LOG": str(log), "SLURM_NNODES": "3"}
    environment |= {"SLURM_JOB_NODELIST": "n[1-3]", "CODE": "7" if end == "failed" else "0"}
    environment["ROUNDS"] = "400" if end == "out of time" else "2"
    job = subprocess.Popen(["bash", path], env=environment, start_new_session=True)
    try:
        while end == "out of time" and "gristmill run" not in (log.read_text() if log.exists() else ""):
            time.sleep(0.02)
        if end == "out of time":
            job.send_signal(signal.SIGTERM)  # as --signal=B:TERM@120 does
        assert job.wait(20) == {"done": 0, "failed": 7, "out of time": 143}[end]
    finally:
        os.killpg(job.pid, signal.SIGKILL)
    said = log.read_text().splitlines()
    head, workers = sorted(line for line in said if "ray start" in line)
    assert "--nodelist=n1 ray start --head --port=6379 --disable-usage-stats --block" in head
    assert "--nodes=2 --ntasks=2 --exclude=n1 ray start --address=n1:6379 --block" in workers
    assert "ray get-auth-token --generate" in said
    assert f"gristmill run {tmp_path}/mixtures/mill.yaml --root {tmp_path}/corpora/mill at n1:6379" in said
    assert ("stopped" in said) == (end == "out of time")


@pytest.mark.slow
def test_the_tutorial_ends_with_a_trained_model(tutorial: Path) -> None:
    assert (tutorial / "root/runs/mill/report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("page", TYPED, ids=lambda p: p.stem)
def test_every_page_does_what_it_says(page: Path, tutorial: Path, tmp_path: Path) -> None:
    shutil.copytree(tutorial, tmp_path / "here", symlinks=True)
    type_page(page, tmp_path / "here")
