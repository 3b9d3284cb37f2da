"""A small finished run to ask questions about, and the slow way to know its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.recipe.snapshot import Snapshot
from tests.support.corpora import write_corpus, write_mixture


def made(folder: Path) -> Path:
    """Inputs and a mixture file under ``folder``, and its finished root."""
    write_corpus(folder / "in", files=3)
    write_mixture(folder / "small.yaml", folder / "in")
    result = call("run", folder / "small.yaml", "--root", folder / "root", "--engine", "inline", "--quiet")
    assert result.exit_code == 0, result.stderr
    return folder


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def documents(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every page, the slow way."""
    found = []
    for split, entry in enumerate(snapshot.product("documents")):
        rows = snapshot.store.read_table(entry.address).to_pylist()
        found += [{**page, "split": split, "row": row} for row, page in enumerate(rows)]
    return found
