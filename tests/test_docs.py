"""The docs say what is true: keys, files and commands named in them exist, and none is missing."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.recipe.reference import page
from tests.support.shard_folders import random_documents, write_folder
from tools import write_map

ROOT = Path(__file__).resolve().parents[1]


def test_the_reference_of_mixture_files_is_that_of_the_models() -> None:
    written = (ROOT / "docs" / "mixtures.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m pipeline.recipe.reference > docs/mixtures.md"


def test_the_readme_names_every_command_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^gristmill (\w[\w-]*)", text, re.MULTILINE))
    assert named == set(main.commands)


def test_the_map_of_the_house_lists_every_file() -> None:
    assert write_map.PAGE.read_text(encoding="utf-8") == write_map.page(), "run: python -m tools.write_map"


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_module_says_what_it_is_for() -> None:
    for folder in ("pipeline", "stages", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not tree.body or ast.get_docstring(tree), f"{path} has no docstring"


def test_nothing_in_the_repository_names_a_machine() -> None:
    places = ("work/main", "work/shared", "tmp/venv", "root/.")
    pattern = re.compile("|".join(re.escape("/" + place) for place in places))
    for folder in ("pipeline", "stages", "tests", "benchmarks", "docs", "mixtures"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yaml", ".j2"):
                assert not pattern.search(path.read_text(encoding="utf-8")), path


def test_the_reader_in_the_readme_reads_every_sample_once_and_says_where_it_is(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    write_folder(tmp_path / "corpus", [[random_documents(200)]])
    small = code[1].replace("4096", "16").replace("512", "16")
    names: dict[str, Any] = {"folder": tmp_path / "corpus"}
    exec(small, names)  # the README's own words, at a smaller size
    assert names["state"]["consumed_samples"] == len(names["samples"])
    assert set(names["batch"]) == {"input_ids", "labels", "index", "consumed_samples"}
