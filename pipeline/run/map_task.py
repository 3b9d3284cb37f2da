"""The map over one split: text once, and every sidecar computed in the same pass over it.

The job reads the split's records, hands each batch of `documents` to every stage that still misses its file, and
commits each product as its own Parquet file, row for row beside the text. Where the text stands already,
it is read back instead: a new version of one measurement costs one read of the text and nothing else.

A record that kills the process (a fault in native code), holds it for more than ``page_seconds`` of CPU time, or takes
the memory of its node, is found in child processes when the engine asks for ``isolate``; it is then quarantined by its
position and the split completes.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.engine import cpu_limit, memory_limit
from pipeline.engine.process import give_back_memory
from pipeline.run.spool import pack
from pipeline.store.storage import Store
from pipeline.terminal import safe_line
from stages import schemas
from stages.contract import DocumentReader, Split, StageParams
from stages.formats import file_states, retries
from stages.formats.listing import check_unchanged

ISOLATED_SECONDS = 600.0
ISOLATED_SECONDS_PER_RECORD = 1.0
"""Time by the clock for a child over some records, a hundred times what they take: past it the child hangs. Pauses that
a store or server asks for are none of it."""

PAGES_IN_STEP = 60
"""Pages whose measurement may take as long as one page that hangs: a scorer of one's own may need a second for each."""

DECODED_ROWS = 64
"""Rows of a stored batch that are decoded at once."""


def measure(
    store: Store,
    *,
    split: dict[str, Any],
    documents: dict[str, Any],
    sidecars: list[dict[str, Any]],
    isolate: bool = False,
    too_large: bool = False,
    page_seconds: float = 0,
) -> dict[str, Any]:
    """Write the products of one split that are not there yet.

    Args:
        split: fields of a `stages.contract.Split`.
        documents: ``{"module", "params", "address"}`` of the stage that reads records.
        sidecars: the same, ``"product"``, and the ``"digests"`` of files (`file_states`) for each aligned stage.
        isolate: find records that kill the process first, and leave them out.
        too_large: the process was killed for its memory: so are records that take more than is reserved for the task.
        page_seconds: CPU time for a page or a few of them together, and, for measurements, for every `PAGES_IN_STEP`
            pages of a batch; past it the process ends, if it is one that may (`pipeline.engine.cpu_limit`). 0: without
            limit.

    Returns:
        ``{"reports": {product: report}, "seconds": {product: seconds}}`` of what was written.
    """
    cpu_limit.disarm()
    memory = memory_limit.reserved() if too_large else 0
    limit = 0 if isolate else page_seconds  # every page has been tried alone: what is left is slow, not hung
    missing = [entry for entry in sidecars if not store.exists(entry["address"])]
    seconds = dict.fromkeys([*(entry["product"] for entry in missing)], 0.0)
    with ExitStack() as files:
        reader: Any = None
        batches: Iterable[pa.RecordBatch]
        writers = []
        if store.exists(documents["address"]):
            batches = stored_batches(store, documents["address"])
        else:
            skip = killers(split, documents, missing, page_seconds, memory) if isolate else frozenset()
            reader = open_split(split, documents, skip=skip, step=lambda _: cpu_limit.arm(limit))
            batches = reader
            seconds["documents"] = 0.0
        text_writer = None
        alignment = xxhash.xxh3_128()
        for entry in missing:
            process = prepared(entry["module"], entry["params"], entry["address"], entry.get("digests", {}))
            schema = process(_no_documents()).schema
            writers.append(
                (entry["product"], process, files.enter_context(store.table_writer(entry["address"], schema)))
            )
        started = time.perf_counter()
        for batch in batches:
            if reader is not None:
                if text_writer is None:
                    text_writer = files.enter_context(store.table_writer(documents["address"], batch.schema))
                text_writer.write(batch)
                seconds["documents"] += time.perf_counter() - started
            alignment.update(schemas.id_bytes(batch.column("doc_id")))
            for product, process, writer in writers:
                cpu_limit.arm(limit * (1 + batch.num_rows / PAGES_IN_STEP))
                started = time.perf_counter()
                writer.write(process(batch))
                seconds[product] += time.perf_counter() - started
            cpu_limit.disarm()  # writing, reading, and the rest of the file's records take what they take
            started = time.perf_counter()
            del batch  # before the next is made
        for entry in missing:
            file_states.check_digests(entry.get("digests", {}))
        reports: dict[str, Any] = {}
        for product, _, writer in writers:
            writer.report = reports[product] = {"rows": writer.rows, "doc_ids": alignment.hexdigest()}
        if reader is not None:
            check_unchanged(Split(**split))
            if text_writer is None:
                text_writer = files.enter_context(store.table_writer(documents["address"], _no_documents().schema))
            report = {
                **reader.report,
                "doc_ids": alignment.hexdigest(),
                "source": split["source"],
                "file": split["file"],
            }
            text_writer.report = reports["documents"] = report
    return {"reports": reports, "seconds": seconds}


def measure_packed(store: Store, **args: Any) -> dict[str, Any]:
    """Job: `measure`, whose reports come back packed, with the pages read and the most rows of any product."""
    written = measure(store, **args)
    reports = written["reports"]
    tally = {"documents": args["documents"].get("tally", "")}
    return {
        "packed": {name: pack(report, tally.get(name, "")) for name, report in reports.items()},
        "rows": max((report["rows"] for report in reports.values()), default=None),
        "pages": reports.get("documents", {}).get("rows", 0),
        "seconds": written["seconds"],
    }


def prepared(
    module: str, params: Any, address: str = "", digests: Mapping[str, str] | None = None
) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The batch function of a stage with these parameters, its models loaded once per process, and again where another
    file stands under the name of one: on a disk by its state, behind a URI where its product has another address.

    Args:
        digests: SHA-256 of the files that decided the address; those behind URIs are checked when they are loaded.

    Raises:
        ValueError: what stands behind a URI was replaced while the run went on.
    """
    far = address.rpartition("/")[0] if file_states.names_uri(params) else ""
    planned = tuple((digests or {}).items())
    return _prepared(module, json.dumps(params, sort_keys=True), planned, (far, *file_states.states(params)))


@lru_cache(maxsize=32)
def _prepared(
    module: str, params: str, planned: tuple[tuple[str, str], ...], _: tuple[Any, ...]
) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    stage: Any = importlib.import_module(module)
    measure: Callable[[pa.RecordBatch], pa.RecordBatch] = stage.prepare(stage.Params.model_validate_json(params))
    file_states.check_uris(dict(planned))
    return measure


def _no_documents() -> pa.RecordBatch:
    schema = schemas.DOCUMENTS
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def open_split(split: dict[str, Any], documents: dict[str, Any], **options: Any) -> DocumentReader:
    """The reader of a split's records."""
    stage: Any = importlib.import_module(documents["module"])
    params: StageParams = stage.Params.model_validate(documents["params"])
    reader: DocumentReader = stage.read(Split(**split), params, **options)
    return reader


def stored_batches(store: Store, address: str) -> Iterator[pa.RecordBatch]:
    """The batches of a `documents` file as they were written: one row group each.

    Whoever lets go of a batch before asking for the next holds one at a time. Nothing else stays: the file is not
    mapped, whose pages would add up, and what decoding took is given back. It is done by this thread (each of Arrow's
    keeps memory of its own), some rows at a time, in memory of the C library, which gives back more than Arrow's own
    allocator: so it takes three times the batch, and otherwise six times.
    """
    pool, room = pa.default_memory_pool(), pa.system_memory_pool()
    with store.open(address, mapped=False) as file:
        pa.set_memory_pool(room)
        try:
            parquet = pq.ParquetFile(file)
        finally:
            pa.set_memory_pool(pool)
        for group in range(parquet.num_row_groups):
            give_back_memory()
            pieces = [*parquet.iter_batches(DECODED_ROWS, row_groups=[group], use_threads=False)]
            give_back_memory()
            batches = [pa.concat_batches(pieces, memory_pool=room)] if pieces else []
            del pieces
            give_back_memory()
            while batches:
                yield batches.pop()


def killers(
    split: dict[str, Any], documents: dict[str, Any], sidecars: list[dict[str, Any]], page_seconds: float, memory: int
) -> frozenset[int]:
    """Positions of the records that kill a process, hold it too long, or take more than ``memory`` bytes (0: any).

    A child process goes through the records one by one and notes each before it begins it; the one at which it ends is
    tried alone in another child, and only if it ends that too it is one of them. Where it does not (what came before
    matters), the rest of the split is halved until single records are left.
    """
    request: dict[str, Any] = {"split": split, "documents": documents, "sidecars": sidecars}
    request |= {"page_seconds": page_seconds, "memory": memory}
    stage: Any = importlib.import_module(documents["module"])
    positions = stage.positions(Split(**split), stage.Params.model_validate(documents["params"]))
    found: set[int] = set()
    first = 0
    while (number := last_begun({**request, "first": first, "last": len(positions)})) is not None:
        if survives({**request, "first": number, "last": number + 1}):
            return frozenset(found) | halved(request, positions, first)
        found.add(positions[number])
        first = number + 1
    return frozenset(found)


def halved(request: dict[str, Any], positions: list[int], first: int) -> frozenset[int]:
    """Records from ``first`` on that end a process by themselves."""
    found: set[int] = set()
    ranges = [(first, len(positions))]
    while ranges:
        first, last = ranges.pop()
        if first == last or survives({**request, "first": first, "last": last}):
            continue
        if last - first == 1:
            found.add(positions[first])
        else:
            middle = (first + last) // 2
            ranges += [(middle, last), (first, middle)]
    return frozenset(found)


def last_begun(request: dict[str, Any]) -> int | None:
    """Number of the record at which a child ended that took ``first`` to ``last`` one by one; None if none ended it."""
    if request["first"] >= request["last"]:
        return None
    with tempfile.NamedTemporaryFile() as note:
        if survives({**request, "note": note.name}):
            return None
        written = note.read(8)
    return int.from_bytes(written, "little") if written else int(request["first"])


def survives(request: dict[str, Any]) -> bool:
    """Measure records ``first`` to ``last`` in a child process, writing nothing; returns whether it lived to the end.

    Raises:
        RuntimeError: when the child raised an exception, which is no matter of one record.
    """
    command = [sys.executable, "-m", "pipeline.run.map_task"]
    seconds = ISOLATED_SECONDS + ISOLATED_SECONDS_PER_RECORD * (request["last"] - request["first"])
    with tempfile.TemporaryFile() as asked:
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        with subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE) as child:
            if not memory_limit.ends_within(child, seconds, request.get("memory", 0)):
                return False
    if child.returncode > 0:
        name = safe_line(request["split"]["file"])
        raise RuntimeError(f"the isolated run of {name} ended with exit code {child.returncode}")
    return child.returncode == 0


def _isolated() -> None:
    request = json.load(sys.stdin)
    begun = os.dup(1)
    os.dup2(2, 1)  # what functions of the user's own print is none of this process's output

    def wait(seconds: float) -> None:
        os.write(begun, memory_limit.WAITS * math.ceil(seconds))

    retries.listen(wait)
    functions = [
        prepared(entry["module"], entry["params"], entry["address"], entry.get("digests", {}))
        for entry in request["sidecars"]
    ]
    note = os.open(request["note"], os.O_WRONLY) if "note" in request else None

    def step(number: int) -> None:
        cpu_limit.arm(request["page_seconds"])
        if number == request["first"]:
            os.write(begun, memory_limit.BEGINS)
        if note is not None:
            os.pwrite(note, number.to_bytes(8, "little"), 0)

    options: dict[str, Any] = {"window": (request["first"], request["last"]), "step": step}
    if note is not None:
        options["max_rows"] = 1
    for batch in open_split(request["split"], request["documents"], **options):
        for function in functions:
            cpu_limit.arm(request["page_seconds"] * (1 + batch.num_rows / PAGES_IN_STEP))
            function(batch)


if __name__ == "__main__":
    from pipeline.engine.orphans import end_with_parent
    from pipeline.engine.process import prepare_process

    end_with_parent()  # Ray ends a worker for its memory, and what this process holds would stay
    prepare_process()
    cpu_limit.allow()
    try:
        _isolated()
    except MemoryError:  # a limit of the system's own on this process
        os.kill(os.getpid(), signal.SIGKILL)
