"""Make splits of `documents` and `signatures` from texts, and run the waves of `clusters` in this process."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from pipeline.store.storage import Store
from stages import clusters, schemas, signatures
from stages.contract import Wave


@dataclass(frozen=True)
class Page:
    """A page of a test: its doc_id is the MD5 of ``key``."""

    key: str
    text: str
    source: str = "web"
    seconds: int = 0
    language: str = "en"
    quality: float = 0.0
    url: str | None = None

    @property
    def doc_id(self) -> bytes:
        return hashlib.md5(self.key.encode()).digest()


def documents_table(pages: Sequence[Page]) -> pa.Table:
    columns: dict[str, Any] = {name: [None] * len(pages) for name in schemas.DOCUMENTS.names}
    columns["doc_id"] = [page.doc_id for page in pages]
    columns["source"] = [page.source for page in pages]
    columns["url"] = [page.url for page in pages]
    columns["time"] = [page.seconds for page in pages]
    columns["text"] = [page.text for page in pages]
    columns["file"] = ["file"] * len(pages)
    columns["text_hash"] = [hashlib.md5(page.text.encode()).digest() for page in pages]
    columns["text_bytes"] = [len(page.text.encode()) for page in pages]
    for name in ("offset", "raw_bytes"):
        columns[name] = [0] * len(pages)
    return pa.Table.from_pydict(columns, schema=schemas.DOCUMENTS)


def write_split(
    store: Store, name: str, pages: Sequence[Page], params: signatures.Params, batch_rows: int = 1024
) -> clusters.ClusterInput:
    """Write the four files of a split; several row groups when it has more than ``batch_rows`` pages."""
    table = documents_table(pages)
    sign = signatures.prepare(params)
    addresses = {product: f"{product}/{name}.parquet" for product in ("documents", "signatures", "language", "quality")}
    batches = table.to_batches(max_chunksize=batch_rows)
    with store.table_writer(addresses["documents"], schemas.DOCUMENTS) as writer:
        for batch in batches:
            writer.write(batch)
    with store.table_writer(addresses["signatures"], signatures.schema(params)) as writer:
        for batch in batches:
            writer.write(sign(batch))
    languages = pa.table({"language": pa.array([page.language for page in pages], pa.string())})
    store.write_table(addresses["language"], languages)
    scores = pa.table({"score": pa.array([page.quality for page in pages], pa.float32())})
    store.write_table(addresses["quality"], scores)
    text_bytes = sum(len(page.text.encode()) for page in pages)
    return clusters.ClusterInput(name=name, source="web", rows=len(pages), text_bytes=text_bytes, **addresses)


def run_phases(store: Store, waves: Sequence[Wave], discard: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Run every task whose outputs are missing, wave by wave, dropping what each wave declares superfluous."""
    results: dict[str, list[dict[str, Any]]] = {}
    for wave in waves:
        for task in wave.tasks:
            if all(store.exists(address) for address in task.outputs):
                continue
            module, _, function = task.job.partition(":")
            job = getattr(importlib.import_module(module), function)
            results.setdefault(wave.name, []).append(job(store, **task.args))
            assert all(store.exists(address) for address in task.outputs), task
        if discard:
            for prefix in wave.discard:
                store.remove(prefix)
    return results


def cluster(
    store: Store, inputs: Sequence[clusters.ClusterInput], params: clusters.Params, directory: str = "clusters/run"
) -> dict[bytes, dict[str, Any]]:
    """Run `clusters` and give its row for every doc_id."""
    run_phases(store, clusters.plan(params, list(inputs), directory))
    rows: dict[bytes, dict[str, Any]] = {}
    for entry in inputs:
        ids = store.read_table(entry.documents, ["doc_id"]).column("doc_id").to_pylist()
        found = store.read_table(f"{directory}/{entry.name}.parquet").to_pylist()
        assert len(ids) == len(found) == entry.rows
        rows |= dict(zip(ids, found, strict=True))
    return rows


def split_up(store: Store, pages: Sequence[Page], cuts: int, batch_rows: int = 100) -> list[clusters.ClusterInput]:
    return [write_split(store, f"s{i}", pages[i::cuts], signatures.Params(), batch_rows) for i in range(cuts)]


def many_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan as if every page were huge: several groups, ranges and places even for a small test."""
    from stages.clusters import work

    monkeypatch.setattr(work, "RECORD_BYTES", 80_000)
    monkeypatch.setattr(work, "REDUCE_RECORD_BYTES", 6_000)
    monkeypatch.setattr(work, "MAP_RECORD_BYTES", 6_000)
    monkeypatch.setattr(work, "SHINGLE_BYTES", 120.0)
    monkeypatch.setattr(work, "SHELF_ROWS", 40)
