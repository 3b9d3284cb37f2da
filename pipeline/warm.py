"""Stages made ready in a process: models loaded, and kernels compiled once per node (`docs/decisions/numba-cache.md`).

The first process that finds no mark beside the compiled kernels runs every stage on a few lines of text while it
holds a file lock; the others wait, then load from disk. The driver does the same in a child while Ray starts.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

TEXTS = (
    "The quick brown fox jumps over the lazy dog. It was said that this is a sentence, and so it is, of the language.",
    "Fünf ähnliche Übungen\nBegründung: „groß“ – naïve café … ½ № Ⅷ\n\n• one\n- two\n# three",
    "これは日本語の文章です。短い文。\n这是一个中文句子。ภาษาไทย 한국어 문장입니다. Русский текст, ещё раз.",
    "",
    "https://example.org/path?q=1 someone@example.org 203.0.113.9 0123456789 {a: [1, 2]}",
) * 3


Batch = Callable[[pa.RecordBatch], pa.RecordBatch]
_warmed: set[tuple[str, ...]] = set()


def warm(stages: list[dict[str, Any]]) -> None:
    """Compile what ``stages`` (``{"module", "params"}`` each) call, or wait for the process that does."""
    modules = tuple(stage["module"] for stage in stages)
    if modules in _warmed:
        return
    _warmed.add(modules)
    mark = mark_of(modules)
    if mark.exists():
        return
    mark.parent.mkdir(parents=True, exist_ok=True)
    with open(mark.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists():
            return
        parts = parts_of(stages, len(os.sched_getaffinity(0)))
        children = [_child(part, "part") for part in parts] if len(parts) > 1 else []
        ended = [child.wait() for child in children]
        if not ended or any(ended):  # what one that failed left is compiled here, where its error is seen
            compile_all([piece for part in parts for piece in part])
        mark.write_text("")


@lru_cache(maxsize=32)
def prepared(module: str, params: str) -> Batch:
    """The batch function of a stage, its models loaded once per process."""
    stage: Any = importlib.import_module(module)
    return stage.prepare(stage.Params.model_validate_json(params))


def parts_of(stages: list[dict[str, Any]], processes: int) -> list[list[dict[str, Any]]]:
    """What ``stages`` compile, dealt out to at most ``processes``: the costliest piece first, to whoever has least.

    A piece is ``{"module", "params", "part"}``. A stage tells its own with ``compile_parts(params)``: by name the
    seconds it takes and a function of a batch of `documents` that compiles it; another stage is one piece.
    """
    pieces = []
    for stage in stages:
        for part, (cost, _) in _parts(stage).items():
            pieces.append((cost, {**stage, "part": part}))
    pieces.sort(key=lambda piece: -piece[0])
    dealt: list[tuple[float, list[dict[str, Any]]]] = [(0.0, []) for _ in range(max(1, processes))]
    for cost, piece in pieces:
        least = min(range(len(dealt)), key=lambda number: dealt[number][0])
        dealt[least] = (dealt[least][0] + cost, [*dealt[least][1], piece])
    return [part for _, part in dealt if part]


def _parts(stage: dict[str, Any]) -> dict[str, tuple[float, Callable[[pa.RecordBatch], object]]]:
    module: Any = importlib.import_module(stage["module"])
    if hasattr(module, "compile_parts"):
        return dict(module.compile_parts(module.Params.model_validate(stage["params"])))
    return {"": (1.0, prepared(stage["module"], json.dumps(stage["params"], sort_keys=True)))}


def compile_all(pieces: list[dict[str, Any]]) -> None:
    batch = pages()
    for piece in pieces:
        _parts(piece)[piece["part"]][1](batch)


def mark_of(modules: tuple[str, ...]) -> Path:
    """The file whose presence says that these stages' kernels are compiled for these sources."""
    from stages.kernels.cache import digest, folder

    return folder() / f"warm-{'-'.join(module.rpartition('.')[2] for module in modules)}-{digest(modules)}"


def pages() -> pa.RecordBatch:
    """A batch of `documents` with `TEXTS`."""
    from stages.schemas import DOCUMENTS

    columns = []
    for field in DOCUMENTS:
        if field.name == "text":
            columns.append(pa.array(TEXTS, field.type))
        elif pa.types.is_fixed_size_binary(field.type):
            columns.append(pa.array([number.to_bytes(16, "big") for number in range(len(TEXTS))], field.type))
        elif pa.types.is_integer(field.type):
            columns.append(pa.array([len(text.encode()) for text in TEXTS], field.type))
        elif field.nullable:
            columns.append(pa.nulls(len(TEXTS), field.type))
        else:
            columns.append(pa.array(["warm"] * len(TEXTS), field.type))
    return pa.RecordBatch.from_arrays(columns, schema=DOCUMENTS)


def start(stages: list[dict[str, Any]]) -> None:
    """Begin to compile in a child process, if this machine has not yet."""
    if not mark_of(tuple(stage["module"] for stage in stages)).exists():
        _child(stages, "all")


def _child(stages: list[dict[str, Any]], what: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-m", "pipeline.warm", what], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(json.dumps(stages).encode())
    child.stdin.close()
    return child


if __name__ == "__main__":
    gc.disable()  # a seventh of the time to compile: Numba makes millions of small objects, and the process ends soon
    from pipeline.process import prepare_process

    prepare_process()
    (compile_all if sys.argv[1] == "part" else warm)(json.load(sys.stdin))
