"""Writes the list of files in docs/architecture.md: every module of the two packages with its first sentence.

`python -m tools.write_map` writes it anew; a test compares. What stands above the marker is written by hand.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
MARKER = "<!-- files, written by `python -m tools.write_map` -->\n"
PACKAGES = ("pipeline", "stages")


def caption(path: Path) -> str:
    """The first sentence of a module's docstring, whole, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", paragraph)[0]


def file_list(root: Path = ROOT) -> str:
    """The list as Markdown: a heading and a caption a folder, a line a file, in order of path."""
    parts: list[str] = []
    for package in PACKAGES:
        for init in sorted((root / package).rglob("__init__.py"), key=lambda path: path.parent.parts):
            folder = init.parent
            files = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
            parts.append(f"### {folder.relative_to(root)}/\n\n{caption(init)}\n")
            if files:
                parts.append("\n".join(f"- `{path.name}`: {caption(path)}" for path in files) + "\n")
    return "\n".join(parts)


def page(root: Path = ROOT) -> str:
    """docs/architecture.md as it should be."""
    written = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    return written.partition(MARKER)[0] + MARKER + "\n" + file_list(root)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
