"""`verify`: whether a folder of shards is what its manifest says, byte for byte.

Checks every file: presence, size, checksum, the end-of-stream marker (a stream cut at a batch boundary reads as a
shorter valid one), rows and tokens against the buffers at the recorded positions, EOS once per document and at its
end, ids within the vocabulary, and the totals of the manifest. Price: one read of all files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stages.contract import Store
from stages.kernels.columns.rows import id_summary
from stages.reports import Shard, ShardBatch
from stages.seal import DamagedFile
from stages.shard_format import BLOCK_BYTES, END_OF_STREAM, hugging_face, read_manifest


def verify(store: Store, manifest_address: str, tokenizer: dict[str, Any] | None = None) -> list[str]:
    """Problems found, each naming the file and, where there is one, the byte; an empty list is a clean bill.

    ``tokenizer`` is the identity (`stages.tokenizers.Tokenizer.identity`) that the shards should have.
    """
    try:
        manifest = read_manifest(store, manifest_address)
    except (OSError, ValueError, KeyError, DamagedFile) as error:
        return [f"{manifest_address}: cannot be read as a manifest: {error}"]
    directory = manifest_address.rpartition("/")[0]
    problems: list[str] = []
    vocabulary, dtype = manifest["tokenizer"]["vocab_size"], manifest["tokenizer"]["dtype"]
    if vocabulary > np.iinfo(dtype).max + 1:
        problems.append(f"{manifest_address}: a vocabulary of {vocabulary:,} does not fit its ids of {dtype}")
    for key, value in (tokenizer or {}).items():
        if manifest["tokenizer"].get(key) != value:
            found = manifest["tokenizer"].get(key)
            problems.append(f"{manifest_address}: another tokenizer: {key} is {found!r}, expected {value!r}")
    for entry in manifest["shards"]:
        problems += _check_data(store, f"{directory}/{entry['path']}", entry, manifest["tokenizer"])
        problems += _check_docs(store, f"{directory}/{entry['docs']}", entry)
        problems += _check_entry(store, directory, entry)
    for address, data in hugging_face(directory, manifest["shards"]).items():
        if not store.exists(address) or store.read_bytes(address) != data:
            problems.append(f"{address}: missing, or not what the manifest leads to")
    train = [entry for entry in manifest["shards"] if entry.get("split", "train") == "train"]
    documents = sum(entry["rows"] * entry.get("multiplicity", 1) for entry in train)
    tokens = sum(entry["tokens"] * entry.get("multiplicity", 1) for entry in train)
    for what, stated, found in (
        ("documents", manifest["documents"], documents),
        ("tokens", manifest["tokens"], tokens),
    ):
        if found != stated:
            problems.append(f"{manifest_address}: {what} is {stated}, its shards for training sum to {found}")
    return problems


def _check_entry(store: Store, directory: str, entry: Shard) -> list[str]:
    """The shard's own line beside it; shards that a corpus only refers to have theirs elsewhere."""
    if "multiplicity" in entry:
        return []
    address = f"{directory}/{entry['path'].removesuffix('.arrow')}.json"
    if not store.exists(address):
        return [f"{address}: missing"]
    try:
        same = store.read_json(address) == entry
    except DamagedFile as damage:
        return [f"{address}: {damage.what}"]
    return [] if same else [f"{address}: not the line of its manifest"]


def _check_data(store: Store, address: str, entry: Shard, tokenizer: dict[str, Any]) -> list[str]:
    problem = _check_bytes(store, address, entry["bytes"], entry["xxh3_128"], entry.get("blocks_xxh3_64"))
    if problem:
        return [problem]
    problems = []
    with store.open_unchecked(address) as file:
        if file.read_at(len(END_OF_STREAM), entry["bytes"] - len(END_OF_STREAM)) != END_OF_STREAM:
            problems.append(f"{address}: no end-of-stream marker at byte {entry['bytes'] - len(END_OF_STREAM)}")
        file.seek(0)  # a file far away is read from where the last read ended
        try:
            found = [batch.num_rows for batch in pa.ipc.open_stream(file)]
        except pa.ArrowInvalid as error:
            return [*problems, f"{address}: not a readable Arrow stream: {error}"]
        if found != [batch["rows"] for batch in entry["batches"]]:
            problems.append(f"{address}: batches of {found} rows, the manifest says otherwise")
    rows = tokens = 0
    with store.open_unchecked(address) as file:
        for batch in entry["batches"]:
            problems += _check_batch(file, address, batch, tokenizer)
            rows += batch["rows"]
            tokens += batch["tokens"]
    if (rows, tokens) != (entry["rows"], entry["tokens"]) or entry["eos_count"] != entry["rows"]:
        problems.append(f"{address}: rows, tokens or EOS count of the manifest do not agree with its batches")
    return problems


def _check_batch(file: pa.NativeFile, address: str, batch: ShardBatch, tokenizer: dict[str, Any]) -> list[str]:
    dtype = np.dtype(tokenizer["dtype"])
    where = f"{address}: batch at byte {batch['values_position']}"
    offsets = np.frombuffer(file.read_at(batch["offsets_bytes"], batch["offsets_position"]), np.int64)
    ids = np.frombuffer(file.read_at(batch["values_bytes"], batch["values_position"]), dtype)
    if len(offsets) != batch["rows"] + 1 or len(ids) != batch["tokens"] or offsets[0] or offsets[-1] != len(ids):
        return [f"{where}: offsets do not span the {batch['tokens']} tokens of {batch['rows']} rows"]
    if np.any(np.diff(offsets) < 1):
        return [f"{where}: an empty document"]
    problems = []
    _, largest, found = id_summary(ids, tokenizer["eos_id"])
    if largest >= tokenizer["vocab_size"]:
        problems.append(f"{where}: id {largest} is outside the vocabulary of {tokenizer['vocab_size']}")
    if tokenizer.get("add_bos") and np.any(ids[offsets[:-1]] != tokenizer["bos_id"]):
        problems.append(f"{where}: a document that does not begin with BOS ({tokenizer['bos_id']})")
    if found != batch["rows"] or np.any(ids[offsets[1:] - 1] != tokenizer["eos_id"]):
        problems.append(f"{where}: {found} end tokens in {batch['rows']} documents, or not at their ends")
    return problems


def _check_docs(store: Store, address: str, entry: Shard) -> list[str]:
    problem = _check_bytes(store, address, entry["docs_bytes"], entry["docs_xxh3_128"])
    if problem:
        return [problem]
    with store.open(address) as file:
        rows = pq.ParquetFile(file).metadata.num_rows
    return [] if rows == entry["rows"] else [f"{address}: {rows} rows, {entry['rows']} documents in the shard"]


def _check_bytes(store: Store, address: str, size: int, checksum: str, blocks: list[str] | None = None) -> str | None:
    """Size and checksum; of the blocks of a shard, the first that is damaged is named."""
    if not store.exists(address):
        return f"{address}: missing"
    hasher = xxhash.xxh3_128()
    with store.open_unchecked(address) as file:
        found = file.size()
        if found != size:
            return f"{address}: {found} bytes, the manifest says {size}"
        for position in range(0, size, BLOCK_BYTES):
            piece = file.read_at(min(BLOCK_BYTES, size - position), position)
            hasher.update(piece)
            if blocks and xxhash.xxh3_64_hexdigest(piece) != blocks[position // BLOCK_BYTES]:
                return f"{address}: damaged between byte {position} and byte {position + len(piece)}"
    if hasher.hexdigest() != checksum:
        return f"{address}: checksum {hasher.hexdigest()}, the manifest says {checksum}"
    return None
