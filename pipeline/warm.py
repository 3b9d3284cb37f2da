"""Stages made ready in a process: models loaded, and kernels compiled once per node (`docs/decisions/numba-cache.md`).

The first process that finds no mark beside the compiled kernels has a child compile everything (`pipeline.compiling`)
while it holds a file lock; the others load what they need and wait, then take the kernels from disk. The driver
starts such a child before Ray.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import head_start

Batch = Callable[[pa.RecordBatch], pa.RecordBatch]
_warmed: set[tuple[str, ...]] = set()


def warm(stages: list[dict[str, Any]]) -> None:
    """Compile what ``stages`` (``{"module", "params"}`` each) call, or wait for the process that does."""
    modules = tuple(stage["module"] for stage in stages)
    if modules in _warmed:
        return
    _warmed.add(modules)
    mark = mark_of(stages)
    if mark.exists():
        return
    for stage in stages:
        if hasattr(importlib.import_module(stage["module"]), "prepare"):
            prepared(stage["module"], json.dumps(stage["params"], sort_keys=True))
    with sole(mark) as is_sole:
        if is_sole:
            if _child(stages, locked=True, later=[]).wait():
                from pipeline.compiling import compile_stages

                compile_stages(stages)  # its error is seen here
            mark.write_text("")


def start(stages: list[dict[str, Any]], later: list[dict[str, Any]]) -> bool:
    """Begin to compile in a child process, if this machine has not yet; ``later`` follows beside the first tasks.

    Returns:
        Whether the first tasks will wait for it.
    """
    ready = [mark_of(part).exists() for part in (stages, later) if part]
    if not all(ready):
        _child(stages, locked=False, later=later)
    return bool(stages) and not ready[0]


@lru_cache(maxsize=32)
def prepared(module: str, params: str) -> Batch:
    """The batch function of a stage, its models loaded once per process."""
    stage: Any = importlib.import_module(module)
    return stage.prepare(stage.Params.model_validate_json(params))


def mark_of(stages: list[dict[str, Any]]) -> Path:
    """The file whose presence says that these stages' kernels are compiled for these sources."""
    from stages.kernels.cache import digest, folder

    modules = tuple(stage["module"] for stage in stages)
    return folder() / f"warm-{'-'.join(module.rpartition('.')[2] for module in modules)}-{digest(modules)}"


@contextmanager
def sole(mark: Path) -> Iterator[bool]:
    """Hold the lock of a mark; whether it is still for this process to make it."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    with open(mark.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not mark.exists()


def _child(stages: list[dict[str, Any]], *, locked: bool, later: list[dict[str, Any]]) -> subprocess.Popen[bytes]:
    """A process that compiles ``stages``, then ``later``; ``locked``: the caller holds the lock of the stages' mark."""
    child = head_start.compiler()
    assert child.stdin is not None
    child.stdin.write(json.dumps({"stages": stages, "locked": locked, "later": later}).encode())
    child.stdin.close()
    return child
