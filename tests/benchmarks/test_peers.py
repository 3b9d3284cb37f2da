"""The house of comparisons: what is measured of a command, and scripts that need nothing of ours."""

from __future__ import annotations

import ast
import gzip
import sys
from pathlib import Path

import pytest

from benchmarks import inputs
from benchmarks.peers import __main__ as peers


def test_cost_is_of_all_processes_of_a_command() -> None:
    work = "import time; t = time.process_time() + .5\nwhile time.process_time() < t: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}]); print('kept 7')"
    cost = peers.measured([sys.executable, "-c", nested])
    assert cost.status == 0
    assert cost.cpu > 0.2
    assert cost.memory > 1 << 20
    assert peers.kept_of(cost.output, 9) == "7 of 9"


def test_what_fails_is_reported_by_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        peers.contest("it", [([sys.executable, "-c", "raise SystemExit('no such luck')"], tmp_path / "out")])


def test_no_run_finds_what_one_before_has_made(tmp_path: Path) -> None:
    out = tmp_path / "out"
    many, few = peers.contest("it", [([sys.executable, "-c", f"import os; os.mkdir({str(out)!r})"], out)] * 2)
    assert many.status == few.status == 0


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_scripts_import_nothing_of_ours(peer: peers.Peer) -> None:
    tree = ast.parse((Path(peers.HERE) / peer.script).read_text())
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name.partition(".")[0] in ("stages", "pipeline", "benchmarks", "tests")]


def test_inputs_are_the_first_pages(tmp_path: Path) -> None:
    made = inputs.make(tmp_path / "made", 12)
    given = peers.write_inputs([Path(name) for name in made["warcs"]], tmp_path / "some", 5)
    assert peers.size_of(given["warc"]) > peers.size_of(given["text"]) > 0
    assert len(gzip.decompress(given["text"].read_bytes()).splitlines()) == 5
