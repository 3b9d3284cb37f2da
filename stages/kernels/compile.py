"""Compile all kernels, once, when an environment is made: `python -m stages.kernels.compile [--into FOLDER]`.

`make`, the image, the set-up of a cluster's nodes and the build of a wheel call it; without a FOLDER it fills
`stages.kernels.cache.SET_UP`. What is compiled says `signatures.txt` beside this module: a line for every kernel and
types of arguments that runs with the default settings call it with. Every core takes the next line until none is left;
what is there is left alone, so after an edit only what it touches is compiled, and files that no line leads to any more
are removed. All of it takes about a minute of one core and 4 MB.

`--learn` writes that list anew after kernels were added or changed: it drops what is no kernel, or takes another number
of arguments, and adds what runs had to compile by themselves, which is what lies in the user's folder:

    export NUMBA_CACHE_DIR=/tmp/kernels
    python -m pipeline run mixtures/demo.yaml --root /tmp/demo
    python -m stages.kernels.compile --learn
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numba import types
from numba.core.registry import cpu_target

from stages.kernels import cache
from stages.kernels.jit import KERNELS

SIGNATURES = Path(__file__).with_name("signatures.txt")
Line = tuple[str, ...]
"""``module.function`` of a kernel, and its argument types as `spelling` writes them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=cache.SET_UP, help="the folder to fill")
    parser.add_argument("--learn", action="store_true", help="write the list of what is compiled anew")
    options = parser.parse_args()
    if options.learn:
        SIGNATURES.write_text("".join(" ".join(line) + "\n" for line in learned(lines(), cache.own_folder())))
    else:
        fill(options.into)


def lines() -> list[Line]:
    return [tuple(line.split()) for line in SIGNATURES.read_text().splitlines()]


def fill(folder: Path, wanted: Iterable[Line] | None = None) -> None:
    """Compile into ``folder`` what it lacks of the lines wanted (all), and remove what is out of date there."""
    started = time.monotonic()
    wanted = lines() if wanted is None else wanted
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)  # where processes started from here put what they compile
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.imap_unordered(compile_line, sorted(wanted, key=_largest_first)))
    for problem in (problem for _, problem in results if problem):
        print(problem, file=sys.stderr)
    current = {name for name, _ in results}
    outdated = [path for path in folder.glob("*.nbc") if path.name not in current]
    for path in [*outdated, *folder.glob(".*.tmp")]:
        path.unlink(missing_ok=True)
    print(f"{len(current)} kernels in {folder} ({time.monotonic() - started:.0f} s)")


def _largest_first(line: Line) -> tuple[int, Line]:
    module = line[0].rpartition(".")[0]
    return -sum(path.stat().st_size for path in cache.made_from(module)), line


def compile_line(line: Line) -> tuple[str, str]:
    """Have one kernel in the folder of this process (`cache.own_folder`); its file, and what is wrong with the line."""
    dispatcher = kernel(line[0])
    if dispatcher is None or num_arguments(dispatcher) != len(line) - 1:
        return "", f"{line[0]} has changed: python -m stages.kernels.compile --learn, see {__file__}"
    signature = tuple(map(kind_of, line[1:]))
    dispatcher.compile(signature)
    cpu_target.target_context.refresh()
    name = dispatcher._cache.file_name(signature, cpu_target.target_context.codegen())
    if not (cache.own_folder() / name).exists():
        shutil.copyfile(cache.SET_UP / name, cache.own_folder() / name)
    return name, ""


def kernel(name: str) -> Any:
    """The kernel ``module.function``; None where there is none of that name."""
    module = name.rpartition(".")[0]
    if cache.is_stage(module):
        importlib.import_module(module)
    return KERNELS.get(name)


def num_arguments(dispatcher: Any) -> int:
    return len(inspect.signature(dispatcher.py_func).parameters)


def learned(known: Iterable[Line], folder: Path) -> list[Line]:
    """The lines still true, and those of kernels in ``folder`` that are compiled from the sources as they are."""
    codegen = cpu_target.target_context.codegen()
    found = {line for line in known if (one := kernel(line[0])) and num_arguments(one) == len(line) - 1}
    for path in folder.glob("*.nbc"):
        name = path.name.rpartition("-")[0]
        dispatcher, stored = kernel(name), cache.read(path)
        if dispatcher is not None and stored is not None:
            signature = stored[3].args
            if dispatcher._cache.file_name(signature, codegen) == path.name:
                found.add((name, *map(spelling, signature)))
    return sorted(found)


def spelling(kind: Any) -> str:
    """A type as a word: `int64`, arrays as ``uint8[]`` and ``int64[,]``, read-only ones as ``uint8[]!``, tuples as
    ``(uint8[];int64)``."""
    if isinstance(kind, types.BaseTuple):
        members: Any = kind
        return f"({';'.join(map(spelling, members))})"
    if isinstance(kind, types.Array) and kind.layout == "C":
        return f"{kind.dtype}[{',' * (kind.ndim - 1)}]{'' if kind.mutable else '!'}"
    return str(kind)


def kind_of(word: str) -> Any:
    """The type that `spelling` writes as ``word``."""
    if word.startswith("("):
        return types.BaseTuple.from_types(tuple(map(kind_of, word[1:-1].split(";"))))
    element, bracket, rest = word.partition("[")
    kind = getattr(types, element)
    return types.Array(kind, rest.count(",") + 1, "C", readonly=rest.endswith("!")) if bracket else kind


if __name__ == "__main__":
    main()
