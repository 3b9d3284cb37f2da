"""The map over one split: text once, and every sidecar computed in the same pass over it.

The job reads the split's records, hands each batch of `documents` to every stage that still misses its file, and
commits each product as its own Parquet file, row for row beside the text. Where the text stands already,
it is read back instead: a new version of one measurement costs one read of the text and nothing else.

A record that kills the process (a fault in native code) is found by bisection in child processes when the engine
asks for ``isolate``; it is then quarantined by its position and the split completes.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.storage import Store
from pipeline.warm import prepared, warm
from stages.contract import Split, StageParams

ISOLATED_SECONDS = 120.0
ISOLATED_SECONDS_PER_RECORD = 0.25
"""Time for a child over some records, some fifty times what they take: past it a record hangs."""


def measure(
    store: Store,
    *,
    split: dict[str, Any],
    documents: dict[str, Any],
    sidecars: list[dict[str, Any]],
    isolate: bool = False,
) -> dict[str, Any]:
    """Write the products of one split that are not there yet.

    Args:
        split: fields of a `stages.contract.Split`.
        documents: ``{"module", "params", "address"}`` of the stage that reads records.
        sidecars: the same and ``"product"`` for each aligned stage.
        isolate: find records that kill the process first, and leave them out.

    Returns:
        ``{"reports": {product: report}, "seconds": {product: seconds}}`` of what was written.
    """
    warm(sidecars)
    missing = [entry for entry in sidecars if not store.exists(entry["address"])]
    seconds = dict.fromkeys([*(entry["product"] for entry in missing)], 0.0)
    with ExitStack() as files:
        reader: Any = None
        batches: Iterable[pa.RecordBatch]
        writers = []
        if store.exists(documents["address"]):
            batches = stored_batches(store, documents["address"])
        else:
            skip = killers(split, documents, missing) if isolate else frozenset()
            reader = open_split(split, documents, skip)
            batches = reader
            seconds["documents"] = 0.0
        text_writer = None
        alignment = xxhash.xxh3_128()
        for entry in missing:
            process = prepared(entry["module"], json.dumps(entry["params"], sort_keys=True))
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
            alignment.update(id_bytes(batch.column("doc_id")))
            for product, process, writer in writers:
                started = time.perf_counter()
                writer.write(process(batch))
                seconds[product] += time.perf_counter() - started
            started = time.perf_counter()
        reports: dict[str, Any] = {}
        for product, _, writer in writers:
            writer.report = reports[product] = {"rows": writer.rows, "doc_ids": alignment.hexdigest()}
        if reader is not None:
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


def id_bytes(doc_ids: pa.FixedSizeBinaryArray) -> memoryview:
    """The bytes of a doc_id column, 16 a row, whatever it is a slice of."""
    start = doc_ids.offset * 16
    return memoryview(doc_ids.buffers()[1])[start : start + len(doc_ids) * 16]


def _no_documents() -> pa.RecordBatch:
    schema = importlib.import_module("stages.schemas").DOCUMENTS
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def open_split(
    split: dict[str, Any], documents: dict[str, Any], skip: frozenset[int], window: tuple[int, int] | None = None
) -> Any:
    """The reader of a split's records (`stages.contract.DocumentReader`)."""
    stage: Any = importlib.import_module(documents["module"])
    params: StageParams = stage.Params.model_validate(documents["params"])
    return stage.read(Split(**split), params, skip=skip, window=window)


def stored_batches(store: Store, address: str) -> Iterator[pa.RecordBatch]:
    """The batches of a `documents` file as they were written: one row group each."""
    with store.open(address) as file:
        parquet = pq.ParquetFile(file)
        for group in range(parquet.num_row_groups):
            yield from parquet.read_row_group(group).combine_chunks().to_batches()


def killers(split: dict[str, Any], documents: dict[str, Any], sidecars: list[dict[str, Any]]) -> frozenset[int]:
    """Positions of the records that kill a process, found by halving the split in child processes."""
    request = {"split": split, "documents": documents, "sidecars": sidecars}
    stage: Any = importlib.import_module(documents["module"])
    positions = stage.positions(Split(**split), stage.Params.model_validate(documents["params"]))
    found: set[int] = set()
    ranges = [(0, len(positions))]
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


def survives(request: dict[str, Any]) -> bool:
    """Measure records ``first`` to ``last`` in a child process, writing nothing; whether it lived to the end.

    Raises:
        RuntimeError: when the child raised an exception, which is no matter of one record.
    """
    command = [sys.executable, "-m", "pipeline.measure"]
    limit = ISOLATED_SECONDS + ISOLATED_SECONDS_PER_RECORD * (request["last"] - request["first"])
    try:
        child = subprocess.run(command, input=json.dumps(request).encode(), timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return False
    if child.returncode > 0:
        raise RuntimeError(f"the isolated run of {request['split']['file']} ended with exit code {child.returncode}")
    return child.returncode == 0


def _isolated() -> None:
    request = json.load(sys.stdin)
    functions = [
        prepared(entry["module"], json.dumps(entry["params"], sort_keys=True)) for entry in request["sidecars"]
    ]
    window = (request["first"], request["last"])
    for batch in open_split(request["split"], request["documents"], frozenset(), window):
        for function in functions:
            function(batch)


if __name__ == "__main__":
    from pipeline.process import prepare_process

    prepare_process()
    _isolated()
