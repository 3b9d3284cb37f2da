"""The process that compiles kernels ahead: `python -m pipeline.compiling`, told what by its standard input.

It loads what compiling needs, which takes a second and goes on while the command line still reads the mixture file
(`pipeline.head_start`), waits for ``{"pieces": [...], "locked": bool, "later": [...]}`` (`pipeline.warm.Piece.told`),
and compiles the pieces in as many copies of itself as there are cores. The copies share what is loaded; each takes the
next piece, in the order given, when it is done with one, and leaves the mark that says so: a task that needs no other
piece begins. What no worker needs before the map is done (``later``) follows, with the time that the first tasks
leave. What is compiled lies in the cache on disk (`stages.kernels.cache`).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import struct
import sys
import traceback
import warnings
from contextlib import nullcontext

import pyarrow as pa
from numba.core.registry import cpu_target

from pipeline.engine.process import prepare_process
from pipeline.warm import Piece, lacking, lock

USUAL = ("stages.documents", "stages.extraction", "stages.language", "stages.quality", "stages.signatures")
"""What is loaded before it is known what to compile: nearly every mixture needs it."""
NICENESS = 19
"""Below that of Ray's workers, which is 15: what starts Ray goes first, then tasks that have the kernels they need."""
TEXTS = (
    "The quick brown fox jumps over the lazy dog. It was said that this is a sentence, and so it is, of the language.",
    "Fünf ähnliche Übungen\nBegründung: „groß“ – naïve café … ½ № Ⅷ\n\n• one\n- two\n# three",
    "これは日本語の文章です。短い文。\n这是一个中文句子。ภาษาไทย 한국어 문장입니다. Русский текст, ещё раз.",
    "",
    "https://example.org/path?q=1 someone@example.org 203.0.113.9 0123456789 {a: [1, 2]}",
) * 3


def main() -> None:
    """Compile what standard input names, once it does."""
    from stages.kernels.haste import hasten

    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    gc.disable()  # a seventh of the time to compile: Numba makes millions of small objects, and the process ends soon
    prepare_process()
    hasten()
    for module in USUAL:
        importlib.import_module(module)
    cpu_target.typing_context.refresh()  # half a second of imports
    cpu_target.target_context.refresh()
    told = sys.stdin.read()
    if not told:
        return
    asked = json.loads(told)
    pieces, later = ([Piece(*entry) for entry in asked[key]] for key in ("pieces", "later"))
    if pieces:
        with nullcontext(True) if asked["locked"] else lock(wait=True):
            compile_pieces(lacking(pieces), len(os.sched_getaffinity(0)))
    _step_back()
    compile_pieces(lacking(later))


def _step_back() -> None:
    """Take only what others leave of the processors: they have begun to work."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


def compile_pieces(pieces: list[Piece], processes: int = 1) -> None:
    """Compile ``pieces`` in this process and, if there are to be more, in copies of it.

    Raises:
        RuntimeError: a copy failed; it has printed why.
    """
    batch = pages()
    numbers, source = os.pipe()
    os.write(source, b"".join(struct.pack("<H", number) for number in range(len(pieces))))
    os.close(source)
    children = [_fork(pieces, numbers, batch) for _ in range(1, min(processes, len(pieces)))]
    try:
        _compile_next(pieces, numbers, batch)
    finally:
        os.close(numbers)
        failed = [child for child in children if os.waitpid(child, 0)[1]]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(children)} copies could not compile their kernels")


def _compile_next(pieces: list[Piece], numbers: int, batch: pa.RecordBatch) -> None:
    """Take numbers of pieces out of a pipe, two bytes each, and compile them, until it is empty."""
    while number := os.read(numbers, 2):
        piece = pieces[struct.unpack("<H", number)[0]]
        piece.compile(batch)
        piece.mark.write_text("")


def _fork(pieces: list[Piece], numbers: int, batch: pa.RecordBatch) -> int:
    """The process number of a copy of this process that compiles pieces and ends."""
    with warnings.catch_warnings():  # the threads are OpenBLAS's and jemalloc's, which know about forks
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
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
