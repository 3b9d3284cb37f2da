"""Small folders of token shards for tests, written by plain pyarrow and measured by reading them back.

Independent of the writer of the pipeline on purpose: buffer positions come from the addresses that a memory-mapped
Arrow reader shows, not from counting what was written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

EOS = 2
Documents = list[np.ndarray]


def random_documents(count: int, seed: int = 0, vocabulary: int = 30000, mean: int = 60) -> Documents:
    """Documents of random ids that end with EOS and hold it nowhere else; the shortest is EOS alone."""
    rng = np.random.default_rng(seed)
    sizes = rng.geometric(1 / mean, count) - 1
    return [np.append(rng.integers(EOS + 1, vocabulary, size), EOS) for size in sizes]


def write_folder(
    folder: Path,
    shards: Sequence[Sequence[Documents]],
    dtype: str = "uint16",
    split: str = "train",
    block_bytes: int = 0,
    **tokenizer: Any,
) -> dict[str, Any]:
    """A folder of shards; ``shards[s][b]`` are the documents of record batch b of shard s. Returns the manifest."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    entries = [
        _write_shard(folder, split, number, len(shards), batches, dtype, block_bytes)
        for number, batches in enumerate(shards)
    ]
    files = [{"filename": Path(entry["path"]).name} for entry in entries]
    state = dict.fromkeys(("_format_columns", "_format_type")) | {
        "_data_files": files,
        "_fingerprint": "0123456789abcdef",
        "_format_kwargs": {},
        "_output_all_columns": False,
        "_split": split,
    }
    (folder / split / "state.json").write_text(json.dumps(state))
    (folder / split / "dataset_info.json").write_text("{}")
    documents, tokens = sum(e["rows"] for e in entries), sum(e["tokens"] for e in entries)
    block = {"name": "made", "sha256": "a" * 64, "probe_sha256": "b" * 64, "vocab_size": 32000, "dtype": dtype}
    ids = {"bos_id": 1, "eos_id": EOS, "pad_id": None, "unk_id": 0, "add_bos": False, "add_eos": True}
    manifest = {
        "format": "gristmill-shards",
        "version": 1,
        "kind": "domain",
        "name": "made",
        "seed": 0,
        "tokenizer": {**block, "library": "none", "library_version": "0", **ids, **tokenizer},
        "domains": {"made": {"documents": documents, "tokens": tokens, "text_bytes": 4 * tokens}},
        "tokens": tokens,
        "documents": documents,
        "shards": entries,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def _write_shard(
    folder: Path, split: str, number: int, total: int, batches: Sequence[Documents], dtype: str, block_bytes: int
) -> dict[str, Any]:
    path = folder / split / f"data-{number:05d}-of-{total:05d}.arrow"
    item = pa.field("item", pa.from_numpy_dtype(np.dtype(dtype)), nullable=False)
    schema = pa.schema([("input_ids", pa.large_list(item)), ("doc_id", pa.binary(16))])
    names = [[_doc_id(number, b, row) for row in range(len(batch))] for b, batch in enumerate(batches)]
    with pa.ipc.new_stream(str(path), schema) as stream:
        for batch, ids in zip(batches, names, strict=True):
            offsets = np.cumsum([0, *map(len, batch)], dtype=np.int64)
            values = pa.array(np.concatenate([np.empty(0, dtype), *batch]).astype(dtype))
            lists = pa.LargeListArray.from_arrays(pa.array(offsets), values, type=schema.field(0).type)
            stream.write_batch(pa.record_batch([lists, pa.array(ids, pa.binary(16))], schema=schema))
    flat = [name for ids in names for name in ids]
    docs = path.with_name(path.name.replace("data", "docs").replace(".arrow", ".parquet"))
    columns = {"doc_id": pa.array(flat, pa.binary(16)), "file": [f"page {i}" for i in range(len(flat))]}
    pq.write_table(pa.table({**columns, "offset": pa.array(range(len(flat)), pa.int64())}), docs)
    data = path.read_bytes()
    every = np.concatenate([np.empty(0, np.int64), *[d for batch in batches for d in batch]])
    entry = {
        "path": f"{split}/{path.name}",
        "split": split,
        "docs": f"{split}/{docs.name}",
        "rows": len(flat),
        "tokens": len(every),
        "bytes": len(data),
        "xxh3_128": xxhash.xxh3_128_hexdigest(data),
        "min_id": int(every.min(initial=1 << 31)),
        "max_id": int(every.max(initial=0)),
        "eos_count": int((every == EOS).sum()),
        "domains": {"made": len(every)},
        "batches": _batches(path),
    }
    if block_bytes:
        cuts = range(0, len(data), block_bytes)
        entry["blocks_xxh3_64"] = [xxhash.xxh3_64_hexdigest(data[at : at + block_bytes]) for at in cuts]
    return entry


def _doc_id(shard: int, batch: int, row: int) -> bytes:
    return xxhash.xxh3_128_digest(f"{shard}/{batch}/{row}".encode())


def _batches(path: Path) -> list[dict[str, int]]:
    with pa.memory_map(str(path)) as file:
        start = file.read_buffer().address
        file.seek(0)
        found = []
        for batch in pa.ipc.open_stream(file):
            _, offsets, _, values = batch["input_ids"].buffers()
            names = batch["doc_id"].buffers()[1]
            found.append(
                {
                    "rows": batch.num_rows,
                    "tokens": len(batch["input_ids"].values),
                    "offsets_position": offsets.address - start,
                    "offsets_bytes": offsets.size,
                    "values_position": values.address - start if values.size else 0,
                    "values_bytes": values.size,
                    "doc_id_position": names.address - start if names.size else 0,
                }
            )
    return found
