"""The shard format: Arrow IPC streams of token ids, the Parquet beside them, and the manifest that vouches for both.

A folder of shards (one domain, or a whole corpus) holds

- ``train/data-00000-of-00004.arrow``: an Arrow IPC *stream*, uncompressed, of few large record batches with the
  columns ``input_ids`` (large_list of uint16 or uint32, EOS once at the end of every document) and ``doc_id``;
- ``train/docs-00000-of-00004.parquet``: row for row beside it, the text metadata (`stages.schemas.DOCS`);
- ``train/data-00000-of-00004.json``: the shard's entry of the manifest, written last of the three;
- ``train/state.json``, ``train/dataset_info.json``, ``dataset_dict.json``: for Hugging Face `load_from_disk`;
- ``manifest.json``, written last of all: rows, tokens, bytes and checksums of every file, the tokenizer's identity, and
  absolute byte positions of the buffers, so that ``numpy.memmap(path, dtype, offset=values_position)`` is the tokens.

A stream that was cut at a batch boundary reads as a shorter valid stream: only the manifest can tell, see `verify`.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from stages.contract import Store
from stages.kernels.columns.ragged import Bytes
from stages.reports import Realised, Shard, ShardManifest, Totals
from stages.seal import DamagedFile, Seal, checked, indented_size, json_size

FORMAT = "gristmill-shards"
FORMAT_VERSION = 1
BLOCK_BYTES = 1 << 24
"""A shard has a checksum per block of so many bytes, so that a reader can check what it touches and name the place."""
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def fixed_bytes(column: pa.Array | pa.ChunkedArray) -> Bytes:
    """The bytes of a fixed_size_binary column without nulls."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    width = column.type.byte_width
    buffer = column.buffers()[1]
    if buffer is None:
        return np.empty(0, np.uint8)
    return np.frombuffer(buffer, np.uint8)[column.offset * width : (column.offset + len(column)) * width]


@dataclass(frozen=True)
class ShardNames:
    """Addresses of the files of shard ``index`` of ``count`` in a folder."""

    directory: str
    index: int
    count: int
    split: str = "train"

    def _name(self, kind: str, extension: str) -> str:
        return f"{self.split}/{kind}-{self.index:05d}-of-{self.count:05d}.{extension}"

    @property
    def data(self) -> str:
        return self._name("data", "arrow")

    @property
    def docs(self) -> str:
        return self._name("docs", "parquet")

    @property
    def entry(self) -> str:
        return self._name("data", "json")

    def addresses(self) -> tuple[str, str, str]:
        return tuple(f"{self.directory}/{name}" for name in (self.data, self.docs, self.entry))  # type: ignore[return-value]


def write_entry(store: Store, names: ShardNames, entry: dict[str, Any]) -> None:
    """The shard's own line of the manifest, beside it: its presence says that the shard is whole."""
    record = {"path": names.data, "docs": names.docs, "split": names.split, **entry}
    store.write_json(names.addresses()[2], record)


def read_entries(store: Store, directory: str, counts: dict[str, int]) -> list[Shard]:
    """The lines of all shards, in order, of the given number of shards per split."""
    names = [ShardNames(directory, k, count, split) for split, count in counts.items() for k in range(count)]
    return [store.read_json(name.addresses()[2]) for name in names]


def sum_domains(entries: Iterable[Shard]) -> dict[str, Totals]:
    """Documents, tokens and text_bytes per domain over all shards, each as often as it is read."""
    totals: dict[str, Totals] = {}
    for entry in entries:
        times = entry.get("multiplicity", 1)
        for domain, tokens in entry["domains"].items():
            total = totals.setdefault(domain, {"documents": 0, "tokens": 0, "text_bytes": 0})
            total["tokens"] += times * tokens
            total["documents"] += times * entry["domain_documents"][domain]
            total["text_bytes"] += times * entry["domain_text_bytes"][domain]
    return dict(sorted(totals.items()))


def write_manifest(
    store: Store,
    directory: str,
    entries: list[Shard],
    *,
    kind: str,
    name: str,
    seed: int,
    tokenizer: dict[str, Any],
    domains: Mapping[str, Totals | Realised],
) -> ShardManifest:
    """Write the files Hugging Face reads, then the manifest; returns the manifest.

    ``documents``, ``tokens`` and ``domains`` of a manifest speak of the split ``train``; ``splits`` of all.
    """
    by_split: dict[str, list[Shard]] = {}
    for entry in entries:
        by_split.setdefault(entry.get("split", "train"), []).append(entry)
    for address, data in hugging_face(directory, entries).items():
        store.write_bytes(address, data)
    train = by_split.get("train", [])
    manifest: ShardManifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": kind,
        "name": name,
        "seed": seed,
        "tokenizer": tokenizer,
        "domains": dict(domains),
        "documents": _totals(train)["documents"],
        "tokens": _totals(train)["tokens"],
        "splits": {split: _totals(held) for split, held in by_split.items()},
        "shards": entries,
    }
    store.write_json(f"{directory}/manifest.json", manifest)
    return manifest


def _totals(entries: list[Shard]) -> dict[str, int]:
    times = [entry.get("multiplicity", 1) for entry in entries]
    pairs = list(zip(times, entries, strict=True))
    totals = {
        "documents": sum(n * entry["rows"] for n, entry in pairs),
        "tokens": sum(n * entry["tokens"] for n, entry in pairs),
        "text_bytes": sum(n * sum(entry["domain_text_bytes"].values()) for n, entry in pairs),
    }
    if entries and all("fim_documents" in entry for entry in entries):
        totals["fim_documents"] = sum(n * entry["fim_documents"] for n, entry in pairs)
    return totals


def hugging_face(directory: str, entries: list[Shard]) -> dict[str, bytes]:
    """Files that `load_from_disk` reads beside the shards, by address; none where the shards lie in other folders."""
    return {address: _pretty(value) for address, value in _hugging_face(directory, entries).items()}


def _hugging_face(directory: str, entries: list[Shard]) -> dict[str, Any]:
    if any("multiplicity" in entry for entry in entries):
        return {}
    by_split: dict[str, list[Shard]] = {}
    for entry in entries:
        by_split.setdefault(entry.get("split", "train"), []).append(entry)
    files: dict[str, Any] = {}
    for split, held in by_split.items():
        files[f"{directory}/{split}/state.json"] = _state(split, held)
        files[f"{directory}/{split}/dataset_info.json"] = {}
    return files | {f"{directory}/dataset_dict.json": {"splits": list(by_split)}}


def hugging_face_names(directory: str, splits: Iterable[str]) -> tuple[str, ...]:
    """The addresses of those files."""
    inner = [f"{directory}/{split}/{name}" for split in splits for name in ("state.json", "dataset_info.json")]
    return (*inner, f"{directory}/dataset_dict.json")


def _state(split: str, entries: list[Shard]) -> dict[str, Any]:
    """The description of a split; its fingerprint is that of the contents."""
    content = xxhash.xxh3_64()
    for entry in entries:
        content.update(entry["xxh3_128"].encode())
    holding = [entry for entry in entries if entry["rows"]] or entries[:1]
    return {
        "_data_files": [{"filename": entry["path"].split("/")[-1]} for entry in holding],
        "_fingerprint": content.hexdigest(),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }


def files_of(directory: str, manifest: ShardManifest) -> dict[str, int]:
    """Every file a folder of shards must hold beside its manifest, and its size.

    Shards that a corpus only refers to lie in other folders.
    """
    entries = manifest["shards"]
    files: dict[str, int] = {}
    for entry in entries:
        for path, size in ((entry["path"], entry["bytes"]), (entry["docs"], entry["docs_bytes"])):
            files[posixpath.normpath(f"{directory}/{path}")] = size
        if "multiplicity" not in entry:
            files[f"{directory}/{entry['path'].removesuffix('.arrow')}.json"] = json_size(dict(entry))
    return files | {address: indented_size(value) + 1 for address, value in _hugging_face(directory, entries).items()}


def open_data(store: Store, address: str, entry: Shard) -> pa.NativeFile:
    """A shard whose every block is checked against its line of the manifest before it is handed out."""
    sums = [int(digits, 16) for digits in entry.get("blocks_xxh3_64", ())]
    sealed = Seal(address, sums, BLOCK_BYTES, entry["bytes"]) if sums else None
    file = store.open_unchecked(address)
    if file.size() != entry["bytes"]:
        raise DamagedFile(address, f"{file.size():,} bytes, {entry['bytes']:,} in its manifest")
    return checked(file, sealed, isinstance(file, pa.MemoryMappedFile)) if sealed else file


def read_manifest(store: Store, address: str) -> ShardManifest:
    """A manifest of a version this code knows.

    Raises:
        ValueError: it is not one, or a newer one.
    """
    manifest: ShardManifest = store.read_json(address)
    if manifest.get("format") != FORMAT or manifest.get("version") != FORMAT_VERSION:
        found = (manifest.get("format"), manifest.get("version"))
        raise ValueError(f"{address}: expected {FORMAT} version {FORMAT_VERSION}, found {found}")
    return manifest


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()
