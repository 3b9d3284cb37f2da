"""The process that compiles kernels ahead: `python -m pipeline.compiling`, told what by its standard input.

It loads what compiling needs, which takes a second and goes on while the command line still reads the mixture file
(`pipeline.head_start`), waits for ``{"stages": [{"module", "params"}], "locked": bool, "later": like "stages"}``, and
compiles the pieces of those stages in as many copies of itself as there are cores. The copies share what is loaded;
each takes the next piece, the costliest first, when it is done with one. What no worker needs before the map is done
(``later``) follows, with the time that the first tasks leave. What is compiled lies in the cache on disk
(`stages.kernels.cache`); a mark beside it says that all of it is there (`pipeline.warm`).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pyarrow as pa
from numba.core.registry import cpu_target

from pipeline.process import prepare_process
from pipeline.warm import mark_of, prepared, sole

USUAL = ("stages.documents", "stages.extraction", "stages.language", "stages.quality", "stages.signatures")
"""What is loaded before it is known what to compile: nearly every mixture needs it."""
TEXTS = (
    "The quick brown fox jumps over the lazy dog. It was said that this is a sentence, and so it is, of the language.",
    "Fünf ähnliche Übungen\nBegründung: „groß“ – naïve café … ½ № Ⅷ\n\n• one\n- two\n# three",
    "これは日本語の文章です。短い文。\n这是一个中文句子。ภาษาไทย 한국어 문장입니다. Русский текст, ещё раз.",
    "",
    "https://example.org/path?q=1 someone@example.org 203.0.113.9 0123456789 {a: [1, 2]}",
) * 3


Piece = Callable[[pa.RecordBatch], object]


def main() -> None:
    """Compile what standard input names, once it does."""
    from stages.kernels.haste import hasten

    gc.disable()  # a seventh of the time to compile: Numba makes millions of small objects, and the process ends soon
    prepare_process()
    hasten()
    for module in USUAL:
        importlib.import_module(module)
    cpu_target.typing_context.refresh()  # half a second of imports
    cpu_target.target_context.refresh()
    asked = sys.stdin.read()
    if not asked:
        return
    stages, locked, later = (json.loads(asked)[key] for key in ("stages", "locked", "later"))
    _compile_marked(stages, locked, len(os.sched_getaffinity(0)))
    if later:
        os.nice(19)  # others have begun to work
        _compile_marked(later, False, 1)


def _compile_marked(stages: list[dict[str, Any]], locked: bool, processes: int) -> None:
    """Compile ``stages`` unless another process has, and leave the mark that says so."""
    mark = mark_of(stages)
    with nullcontext(True) if locked else sole(mark) as is_sole:
        if is_sole:
            compile_stages(stages, processes)
            mark.write_text("")


def compile_stages(stages: list[dict[str, Any]], processes: int = 1) -> None:
    """Compile what ``stages`` call, in this process and, if there are to be more, in copies of it.

    Raises:
        RuntimeError: a copy failed; it has printed why.
    """
    pieces = pieces_of(stages)
    batch = pages()
    numbers, source = os.pipe()
    os.write(source, bytes(range(len(pieces))))
    os.close(source)
    children = [_fork(pieces, numbers, batch) for _ in range(1, min(processes, len(pieces)))]
    try:
        _compile_next(pieces, numbers, batch)
    finally:
        os.close(numbers)
        failed = [child for child in children if os.waitpid(child, 0)[1]]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(children)} copies could not compile their kernels")


def pieces_of(stages: list[dict[str, Any]]) -> list[Piece]:
    """Functions of a batch of `documents` that compile what ``stages`` call, the costliest first; at most 256.

    A stage tells its own with ``compile_parts(params)``, by name the seconds it takes and the function; another stage
    is one piece.
    """
    pieces: list[tuple[float, Piece]] = []
    for stage in stages:
        module: Any = importlib.import_module(stage["module"])
        if hasattr(module, "compile_parts"):
            pieces += module.compile_parts(module.Params.model_validate(stage["params"])).values()
        else:
            pieces.append((1.0, prepared(stage["module"], json.dumps(stage["params"], sort_keys=True))))
    return [piece for _, piece in sorted(pieces, key=lambda entry: -entry[0])]


def _compile_next(pieces: list[Piece], numbers: int, batch: pa.RecordBatch) -> None:
    """Take numbers of pieces out of a pipe, one byte each, and compile them, until it is empty."""
    while number := os.read(numbers, 1):
        pieces[number[0]](batch)


def _fork(pieces: list[Piece], numbers: int, batch: pa.RecordBatch) -> int:
    """The process number of a copy of this process that compiles pieces and ends."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        _compile_next(pieces, numbers, batch)
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it is
        traceback.print_exc()
    finally:
        os._exit(code)


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


if __name__ == "__main__":
    main()
    os._exit(0)  # taking a million objects apart would cost a second, while the first tasks run
