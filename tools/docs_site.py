"""Gathers what the documentation site is made of: README, docs, examples and what they link to, laid out as here.

`make docs` runs it, then MkDocs (mkdocs.yml) in strict mode, for which a dead link is an error. Standard library alone, so
that it runs in the environment of the site.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("docs", "examples", "mixtures", "cluster")
FILES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "cluster.yaml", "stages/models/NOTICE.md")


def gather(target: Path, root: Path = ROOT) -> None:
    """Copy the sources of the site into a new folder ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    for folder in FOLDERS:
        shutil.copytree(root / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target / name)


if __name__ == "__main__":
    gather(Path(sys.argv[1]))
