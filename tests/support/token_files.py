"""Small aligned files of one split, and small folders of domain shards, for the tests of tokens, shards and corpus."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.store.storage import Store
from stages import schemas
from stages.contract import Wave
from stages.kernels.columns.ragged import offsets_of
from stages.shard_format import ShardNames, write_entry, write_manifest
from stages.shard_writer import open_shard, shard_schema, write_docs

TOKENIZER = {
    "name": "made",
    "sha256": "0" * 64,
    "library": "none",
    "library_version": "0",
    "vocab_size": 1000,
    "bos_id": None,
    "eos_id": 2,
    "pad_id": None,
    "unk_id": 0,
    "add_bos": False,
    "add_eos": True,
    "dtype": "uint16",
    "probe_version": 1,
    "probe_sha256": "0" * 64,
}


def doc_id(name: str) -> bytes:
    return xxhash.xxh3_128_digest(name.encode())


def write_split(
    store: Store,
    folder: str,
    texts: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    domains: Sequence[str | None] | None = None,
    spans: Sequence[list[dict[str, Any]] | None] | None = None,
    cluster_sizes: Sequence[int] | None = None,
    text_hashes: Sequence[bytes] | None = None,
    rows_per_group: int = 4,
) -> dict[str, Any]:
    """Aligned files of one split; returns the arguments of `stages.tokens.tokenize`. A null domain drops the page."""
    count = len(texts)
    names = names or [f"{folder}/{i}" for i in range(count)]
    domains = domains or ["en"] * count
    ids = [doc_id(name) for name in names]
    sizes = [len(text.encode()) for text in texts]
    fill: dict[str, Any] = {
        "doc_id": ids,
        "source": ["web"] * count,
        "file": ["a.warc.gz"] * count,
        "offset": [int.from_bytes(name[:4]) for name in ids],
        "url": [f"https://example.org/{name}" for name in names],
        "raw_bytes": sizes,
        "text_bytes": sizes,
        "text_hash": text_hashes or ids,
        "text": list(texts),
    }
    documents = [pa.array(fill.get(f.name, [None] * count), f.type) for f in schemas.DOCUMENTS]
    keep = [domain is not None for domain in domains]
    reasons = [None if k else "too_short" for k in keep]
    kept = [
        keep,
        reasons,
        [[] if r is None else [r] for r in reasons],
        domains,
        spans or [None] * count,
        [None] * count,
    ]
    language = [["en"] * count, ["Latn"] * count, [0.5] * count]
    clusters = [[None] * count, cluster_sizes or [1] * count, *[[None] * count] * (len(schemas.CLUSTERS) - 2)]
    files = {}
    for product, schema, columns in (
        ("documents", schemas.DOCUMENTS, documents),
        ("kept", schemas.KEPT, kept),
        ("language", schemas.LANGUAGE, language),
        ("clusters", schemas.CLUSTERS, clusters),
    ):
        arrays = [pa.array(c, f.type) if isinstance(c, list) else c for c, f in zip(columns, schema, strict=True)]
        files[product] = f"{folder}/{product}.parquet"
        with store.table_writer(files[product], schema) as writer:
            for batch in pa.table(arrays, schema=schema).to_batches(max_chunksize=rows_per_group):
                writer.write(batch)
    if cluster_sizes is None:
        del files["clusters"]
    return {"files": files, "output": f"{folder}/tokens.arrow"}


def run(store: Store, waves: list[Wave]) -> None:
    """Run waves in this process, tasks in reverse order (their order must not matter)."""
    for wave in waves:
        for task in reversed(wave.tasks):
            module, name = task.job.split(":")
            getattr(importlib.import_module(module), name)(store, **task.args)
            assert all(store.exists(output) for output in task.outputs)
        for prefix in wave.discard:
            store.remove(prefix)


Shards = list[list[tuple[bytes, list[int]]]]
"""Per shard its documents: doc_id, and ids that end with EOS."""


def write_domain(store: Store, folder: str, domain: str, shards: Shards, batch_rows: int = 3) -> str:
    """A domain's shards with the given documents; returns the address of the manifest."""
    schema = shard_schema("uint16", {})
    entries = []
    for index, documents in enumerate(shards):
        names = ShardNames(folder, index, len(shards))
        with open_shard(store, f"{folder}/{names.data}", schema, TOKENIZER["eos_id"]) as writer:
            for start in range(0, len(documents), batch_rows):
                part = documents[start : start + batch_rows]
                ids = np.array([token for _, tokens in part for token in tokens], np.uint16)
                offsets = offsets_of([len(tokens) for _, tokens in part])
                raw = np.frombuffer(b"".join(name for name, _ in part), np.uint8)
                writer.write([ids], offsets, raw)
        columns: dict[str, Any] = {
            "doc_id": [name for name, _ in documents],
            "num_tokens": [len(tokens) for _, tokens in documents],
            "text_bytes": [4 * len(tokens) for _, tokens in documents],
            "source": [domain] * len(documents),
            "file": ["f"] * len(documents),
            "offset": list(range(len(documents))),
            "language": ["en"] * len(documents),
            "confidence": [0.5] * len(documents),
            "cluster_size": [1] * len(documents),
        }
        arrays = [pa.array(columns.get(f.name, [None] * len(documents)), f.type) for f in schemas.DOCS]
        summary = writer.summary()
        size = write_docs(store, f"{folder}/{names.docs}", pa.table(arrays, schema=schemas.DOCS))
        counts = {
            "domains": {domain: summary["tokens"]},
            "domain_documents": {domain: summary["rows"]},
            "domain_text_bytes": {domain: 4 * summary["tokens"]},
        }
        entries.append({"path": names.data, "docs": names.docs, "split": "train", **summary, **size, **counts})
        write_entry(store, names, entries[-1])
    totals = {"documents": sum(e["rows"] for e in entries), "tokens": sum(e["tokens"] for e in entries)}
    totals["text_bytes"] = 4 * totals["tokens"]
    write_manifest(
        store, folder, entries, kind="domain", name=domain, seed=0, tokenizer=TOKENIZER, domains={domain: totals}
    )
    return f"{folder}/manifest.json"


def read_documents(store: Store, folder: str, manifest: dict[str, Any]) -> Shards:
    """All documents of a folder by plain pyarrow, per shard."""
    found: Shards = []
    for entry in manifest["shards"]:
        with store.open(f"{folder}/{entry['path']}") as file:
            table = pa.ipc.open_stream(file).read_all()
        table.validate(full=True)
        found.append(list(zip(table["doc_id"].to_pylist(), table["input_ids"].to_pylist(), strict=True)))
    return found


def read_docs(store: Store, folder: str, manifest: dict[str, Any]) -> list[pa.Table]:
    """The docs of every shard."""
    found = []
    for entry in manifest["shards"]:
        with store.open(f"{folder}/{entry['docs']}") as file:
            found.append(pq.ParquetFile(file).read())
    return found
