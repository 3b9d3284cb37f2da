"""Stages made ready in a process: models loaded, and kernels compiled once per node (`docs/decisions/numba-cache.md`).

What a stage compiles comes in pieces, and a mark beside the compiled kernels says of each that it is there. A process
whose pieces lack marks has a child compile them (`pipeline.compiling`) while it holds a file lock; the others load
what they need, wait for the marks of their own pieces, and take the kernels from disk. The driver starts such a child
before Ray.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import head_start

Batch = Callable[[pa.RecordBatch], pa.RecordBatch]
Stage = dict[str, Any]
"""``{"module", "params"}`` of a stage; other keys are not looked at."""
WAIT_SECONDS = 0.02
WHOLE = "all"
"""The one piece of a stage that does not say which it has."""
_warmed: set[str] = set()


@dataclass(frozen=True)
class Piece:
    """Some of the kernels of a stage; picklable as `told`."""

    module: str
    params: str
    """The parameters of the stage, as JSON."""
    name: str = WHOLE
    seconds: float = 1.0
    """Of one core, to compile it."""

    @cached_property
    def mark(self) -> Path:
        """The file whose presence says that it is compiled, of these sources and for this kind of processor."""
        from stages.kernels.cache import digest, folder

        name = self.name if self.name != WHOLE else hashlib.sha256(self.params.encode()).hexdigest()[:8]
        made_of = hashlib.sha256(f"{digest((self.module,))} {processor()}".encode()).hexdigest()[:16]
        return folder() / f"warm-{self.module.rpartition('.')[2]}-{name}-{made_of}"

    def compile(self, batch: pa.RecordBatch) -> None:
        """Compile it, by a call on some pages."""
        stage: Any = importlib.import_module(self.module)
        if self.name == WHOLE:
            prepared(self.module, self.params)(batch)
        else:
            stage.compile_parts(stage.Params.model_validate_json(self.params))[self.name][1](batch)

    def told(self) -> list[Any]:
        return [self.module, self.params, self.name, self.seconds]


@lru_cache(maxsize=1)
def processor() -> str:
    """What Numba tells machine code apart by: nodes of several kinds may share a home."""
    import llvmlite.binding

    features = llvmlite.binding.get_host_cpu_features().flatten()
    return f"{llvmlite.binding.get_host_cpu_name()} {features}"


def pieces_of(stages: Iterable[Stage]) -> list[Piece]:
    """The pieces that ``stages`` compile, the costliest first.

    A stage tells its own with ``compile_parts(params)``: by a name that says all that decides what is compiled, the
    seconds it takes and a function of a batch of `documents`; another stage is one piece.
    """
    pieces = []
    for entry in stages:
        stage: Any = importlib.import_module(entry["module"])
        params = json.dumps(entry["params"], sort_keys=True)
        if hasattr(stage, "compile_parts"):
            parts = stage.compile_parts(stage.Params.model_validate(entry["params"]))
            pieces += [Piece(entry["module"], params, name, seconds) for name, (seconds, _) in parts.items()]
        else:
            pieces.append(Piece(entry["module"], params))
    return sorted(pieces, key=lambda piece: -piece.seconds)


def lacking(pieces: Iterable[Piece]) -> list[Piece]:
    """Those that are not compiled, in order, of several with one mark one."""
    return list({piece.mark: piece for piece in pieces if not piece.mark.exists()}.values())


def warm(stages: list[Stage]) -> None:
    """Have compiled what ``stages`` call, or wait for the process that does; return once it is there."""
    key = json.dumps([[stage["module"], stage["params"]] for stage in stages], sort_keys=True)
    if key in _warmed:
        return
    _warmed.add(key)
    pieces = pieces_of(stages)
    if not lacking(pieces):
        return
    for stage in stages:
        if hasattr(importlib.import_module(stage["module"]), "prepare"):
            prepared(stage["module"], json.dumps(stage["params"], sort_keys=True))
    while missing := lacking(pieces):
        with lock() as is_mine:
            if is_mine and (missing := lacking(missing)) and _child(missing, locked=True, later=[]).wait():
                from pipeline.compiling import compile_pieces

                compile_pieces(missing)  # its error is seen here
        if not is_mine:
            time.sleep(WAIT_SECONDS)


def start(groups: list[list[Stage]], later: list[Stage]) -> bool:
    """Begin to compile in a child process what this machine lacks.

    Args:
        groups: stages, those that the first tasks wait for before others.
        later: what follows beside the first tasks.

    Returns:
        Whether tasks will wait for it.
    """
    missing = lacking(piece for stages in groups for piece in pieces_of(stages))
    after = lacking(pieces_of(later))
    if missing or after:
        _child(missing, locked=False, later=after)
    return bool(missing)


@lru_cache(maxsize=32)
def prepared(module: str, params: str) -> Batch:
    """The batch function of a stage, its models loaded once per process."""
    stage: Any = importlib.import_module(module)
    return stage.prepare(stage.Params.model_validate_json(params))


@contextmanager
def lock(wait: bool = False) -> Iterator[bool]:
    """Hold the lock of those who compile on this machine; whether it is held, where another may have it."""
    from stages.kernels.cache import folder

    with open(folder() / "warm.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def _child(pieces: list[Piece], *, locked: bool, later: list[Piece]) -> subprocess.Popen[Any]:
    """A process that compiles ``pieces``, then ``later``; ``locked``: the caller holds the lock."""
    told = {"pieces": [piece.told() for piece in pieces], "later": [piece.told() for piece in later]}
    words = json.dumps(told | {"locked": locked}).encode()
    child = head_start.compiler()
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin as listening:  # who died is missed by whoever waits for its pieces
        listening.write(words)
    return child
