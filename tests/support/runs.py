"""Runs in the tests: in this process, or as a command that can be killed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from pipeline import recipe as recipes
from pipeline.answers import stats
from pipeline.engine.scheduler import Scheduler
from pipeline.progress import Reporter
from pipeline.recipe import graph
from pipeline.run.driver import LazyExecutor
from pipeline.run.run import Run
from pipeline.store.costs import Costs
from pipeline.store.storage import Store
from tests.support.warm import warm

CHECKOUT = Path(__file__).resolve().parents[2]


def tree(root: Path) -> dict[str, str]:
    """SHA-256 of every file of a root but those of ``runs/``, which tell of time and machine."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    names = {path.relative_to(root).as_posix(): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if not name.startswith("runs/")
    }


def run_inline(mixture: Path, root: Path | str) -> Run:
    """One run in this process; its ``steps`` tell what was made."""
    store = Store(str(root))
    reporter = Reporter(quiet=True)
    executor = LazyExecutor("inline", store, None, reporter)
    recipe = recipes.load(mixture, store)
    job = Run(recipe, store, Scheduler(executor, reporter.say), reporter, Costs(store, graph.PAGED))
    try:
        job.execute()
    finally:
        job.made.costs.write()
    stats.write(store, recipe.name)
    return job


def made(job: Run) -> dict[str, int]:
    """Files made per product, those of which none was made left out."""
    return {step.product: step.to_do for step in job.steps if step.to_do}


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "pipeline", *map(str, args)]


def gristmill(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line, to its end; started as `tests.support.warm` does."""
    env = {**os.environ, **environment}
    return subprocess.run(
        [*warm().command, *map(str, args)], capture_output=True, text=True, cwd=CHECKOUT, env=env, check=False
    )
