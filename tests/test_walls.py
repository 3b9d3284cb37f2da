"""The walls between the rooms: who may import whom, and no circles. docs/architecture.md says why.

An import counts wherever it stands, inside functions too, and so does a string ``"module:function"``.
"""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pipeline.recipe import graph

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"(pipeline|stages)(\.\w+)+(:\w+)?")
GROUND = {"pipeline.errors", "pipeline.progress", "pipeline.terminal"}
GROUND |= {
    "stages.contract",
    "stages.figures",
    "stages.reports",
    "stages.schemas",
    "stages.seal",
    "stages.shard_format",
    "stages.untrusted",
}
"""What every room of the pipeline may import."""

PIPELINE = {
    "cli": {"answers", "engine", "exports", "planner", "recipe", "run", "sample", "store", "tune"},
    "recipe": {"store", "stages"},
    "run": {"answers", "engine", "planner", "recipe", "sample", "store", "stages.formats"},
    "engine": {"store", "stages.formats", "stages.own_modules", "stages.pandas_later"},
    "store": {"stages.formats", "stages.kernels"},
    "answers": {"reader", "recipe", "store", "stages.report"},
    "tune": {"engine", "planner", "reader", "recipe", "run", "store", "stages.tokenizers"},
    "exports": {"answers", "planner", "reader", "recipe", "store", "stages.kernels"},
    "reader": {"stages.formats", "stages.kernels"},
    "planner": {"stages.kernels"},
    "sample": set(),
}
"""Rooms of the pipeline, and those that each may import beside itself and `GROUND`."""

MADE_WITH = {"contract", "reports", "schemas", "kernels", "rules", "models", "formats", "shard_format", "shard_writer"}
MADE_WITH |= {"scopes", "percentiles", "extraction", "tokenizers", "mixture", "seal", "own_modules", "transforms"}
MADE_WITH |= {"exchange_file", "figures", "pandas_later", "text_copies", "untrusted"}
"""What products are made with: they know these, and never each other."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the two packages, by its dotted name."""
    found = {}
    for package in ("pipeline", "stages"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def imports(module: str) -> tuple[str, ...]:
    """Modules and packages that a module imports or names in a string, wherever in it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name if name in modules() else node.module for name in full]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMED.fullmatch(node.value):
            found.append(node.value.partition(":")[0])
    return tuple(dict.fromkeys(found))


def ours(module: str) -> Iterator[str]:
    yield from (name for name in imports(module) if name.partition(".")[0] in ("pipeline", "stages"))


def room(module: str) -> str:
    """`pipeline.run.steps` is in ``run``, `stages.clusters.bands` in ``clusters``."""
    return [*module.split("."), ""][1]


@pytest.mark.slow
def test_only_one_module_imports_ray() -> None:
    found = [name for name in modules() if any(other.partition(".")[0] == "ray" for other in imports(name))]
    assert found == ["pipeline.engine.ray"]


def test_every_room_of_the_pipeline_is_on_the_list() -> None:
    folders = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    assert folders == set(PIPELINE)


@pytest.mark.parametrize("module", [name for name in modules() if room(name) in PIPELINE and name[0] == "p"])
def test_rooms_of_the_pipeline_import_what_they_may(module: str) -> None:
    allowed = PIPELINE[room(module)] | {room(module)}
    for name in ours(module):
        known = name in GROUND or (name.startswith("pipeline.") and room(name) in allowed)
        known |= name == "pipeline" or (name.startswith("stages") and "stages" in allowed)
        known |= any(f"{name}.".startswith(f"{other}.") for other in allowed if other.startswith("stages."))
        assert known, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("stages.")])
def test_stages_know_neither_the_pipeline_nor_each_other(module: str) -> None:
    for name in ours(module):
        assert not name.startswith("pipeline"), f"{module} imports {name}"
        assert name == "stages" or room(name) in MADE_WITH | {room(module)}, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("stages.kernels")])
def test_kernels_know_only_kernels(module: str) -> None:
    for name in ours(module):
        assert name.startswith("stages.kernels"), f"{module} imports {name}"


@pytest.mark.parametrize(
    "module", [name for name in modules() if name.startswith("stages.") and room(name) in MADE_WITH]
)
def test_what_products_are_made_with_knows_no_product(module: str) -> None:
    for name in ours(module):
        assert name == "stages" or room(name) in MADE_WITH, f"{module} imports {name}"


KEYS = {
    ("pipeline.store.manifest", key)
    for key in ("report", "kept", "documents", "tokens")  # numbers of reports
} | {("pipeline.store.key_index", "shards")}  # files of a folder's manifest
"""Keys inside files that are spelt as products are."""


def test_the_store_knows_no_product_by_name() -> None:
    found = {
        (name, node.value)
        for name, path in modules().items()
        if name.startswith("pipeline.store")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in graph.BY_NAME
    }
    assert found == KEYS, "a name that the store must not know, or one that it no longer does"


def test_nothing_goes_round_in_a_circle() -> None:
    """Not inside rooms either."""
    graph = {name: {other for other in ours(name) if other in modules() and other != name} for name in modules()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("imports go round in a circle: " + " -> ".join(reversed(error.args[1])))


def test_a_trainer_that_imports_the_reader_loads_neither_ray_nor_numba() -> None:
    code = "import sys, pipeline.reader; print(*{'ray', 'numba', 'pyarrow.dataset'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_a_worker_loads_nothing_that_draws_reports() -> None:
    """Every worker would hold it: 20 MB of Jinja and of what makes pages."""
    code = (
        "import sys, pipeline.engine.ray, pipeline.run.map_task; print(*{'jinja2', 'stages.report'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
