"""The walls between the rooms: who may import whom. The table in CONTRIBUTING.md says why."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_BY_STAGES = {"contract", "schemas", "kernels", "rules", "models", "formats", "shard_format", "exchange_file"}
SUPPORTING = {"extraction", "tokenizers", "mixture"}
"""Packages that stages use: no product of their own, and they know no stage."""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Full dotted names a module imports, anywhere in it; of ``from x import y`` it gives x.y."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def noun(path: Path) -> str:
    """The room a stage module belongs to: ``stages/clusters/bands.py`` is in ``clusters``."""
    return path.relative_to(ROOT / "stages").parts[0].removesuffix(".py")


def test_only_the_ray_engine_imports_ray() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("pipeline", "stages")
        for path in modules(folder)
        for name in imports(path)
        if name.split(".")[0] == "ray"
    }
    assert found == {"pipeline/engine/ray.py"}


@pytest.mark.parametrize("path", modules("stages"), ids=lambda path: str(path.relative_to(ROOT)))
def test_stages_know_neither_the_pipeline_nor_each_other(path: Path) -> None:
    allowed = SHARED_BY_STAGES | SUPPORTING | {noun(path)}
    for name in imports(path):
        first, _, rest = name.partition(".")
        assert first not in ("pipeline", "ray"), f"{path} imports {name}"
        if first == "stages" and rest:
            assert rest.split(".")[0] in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", modules("stages/kernels"), ids=lambda path: path.name)
def test_kernels_know_only_kernels(path: Path) -> None:
    for name in imports(path):
        if name.startswith("stages."):
            assert name.startswith("stages.kernels"), f"{path} imports {name}"


def test_only_the_recipe_knows_the_stages() -> None:
    neutral = ("stages.contract", "stages.schemas", "stages.kernels", "stages.shard_format")
    found = {
        str(path.relative_to(ROOT))
        for path in modules("pipeline")
        for name in imports(path)
        if name.startswith("stages") and not name.startswith(neutral)
    }
    assert {file for file in found if not file.startswith("pipeline/recipe/")} <= {
        "pipeline/answers/stats.py",
        "pipeline/answers/page_rules.py",
    }
