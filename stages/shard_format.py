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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import xxhash

from stages import schemas
from stages.contract import Store
from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned
from stages.kernels.columns.rows import id_summary
from stages.reports import Realised, Shard, ShardBatch, ShardManifest, Totals
from stages.seal import DamagedFile, Seal, checked, indented_size, json_size

FORMAT = "gristmill-shards"
FORMAT_VERSION = 1
BLOCK_BYTES = 1 << 24
"""A shard has a checksum per block of so many bytes, so that a reader can check what it touches and name the place."""
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"

_DOCS_ROW_GROUP = 1 << 16


def shard_schema(dtype: str, metadata: dict[str, Any]) -> pa.Schema:
    """Columns of a token shard; ``metadata`` travels as JSON under the key ``gristmill``."""
    item = pa.field("item", pa.from_numpy_dtype(np.dtype(dtype)), nullable=False)
    return pa.schema(
        [
            pa.field("input_ids", pa.large_list(item), nullable=False),
            pa.field("doc_id", schemas.DOC_ID, nullable=False),
        ],
        metadata={b"gristmill": _compact(metadata)},
    )


def fixed_bytes(column: pa.Array | pa.ChunkedArray) -> Bytes:
    """The bytes of a fixed_size_binary column without nulls."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    width = column.type.byte_width
    buffer = column.buffers()[1]
    if buffer is None:
        return np.empty(0, np.uint8)
    return np.frombuffer(buffer, np.uint8)[column.offset * width : (column.offset + len(column)) * width]


class _PositionSink:
    """A file that counts and hashes what is written, and notes where each Arrow buffer went.

    What is to be written in the place of a buffer may come from elsewhere (`replace`): Arrow then says where it goes
    and how it is padded, and never looks at it.
    """

    closed = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._hash = xxhash.xxh3_128()
        self._block = xxhash.xxh3_64()
        self._blocks: list[str] = []
        self.position = 0
        self.buffers: dict[tuple[int, int], int] = {}
        self._instead: dict[tuple[int, int], Iterator[memoryview]] = {}

    def replace(self, buffer: pa.Buffer, parts: Iterator[memoryview]) -> None:
        """Write ``parts``, together as many bytes, once ``buffer`` is to be written."""
        self._instead[buffer.address, buffer.size] = parts

    def write(self, data: Any) -> int:
        place = (data.address, data.size) if isinstance(data, pa.Buffer) else None
        if place is None or place not in self._instead:
            parts: Iterable[memoryview] = [memoryview(data).cast("B")]
        else:
            parts = self._instead.pop(place)
        if place is not None:
            self.buffers[place] = self.position
        return sum(self._put(part) for part in parts)

    def _put(self, view: memoryview) -> int:
        self._sink.write(view)
        self._hash.update(view)
        size, done = view.nbytes, 0
        while done < size:
            step = min(size - done, BLOCK_BYTES - self.position % BLOCK_BYTES)
            self._block.update(view[done : done + step])
            done += step
            self.position += step
            if self.position % BLOCK_BYTES == 0:
                self._blocks.append(self._block.hexdigest())
                self._block = xxhash.xxh3_64()
        return size

    def tell(self) -> int:
        return self.position

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Flushing is the store's business."""

    def close(self) -> None:
        self.closed = True

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def blocks(self) -> list[str]:
        """xxh3_64 of every block of BLOCK_BYTES, the last one shorter."""
        return [*self._blocks, self._block.hexdigest()] if self.position % BLOCK_BYTES else list(self._blocks)


@dataclass
class ShardWriter:
    """A token shard being written: batches in, then `summary`."""

    schema: pa.Schema
    eos_id: int
    _sink: _PositionSink
    _stream: pa.ipc.RecordBatchStreamWriter
    batches: list[ShardBatch] = field(default_factory=list)
    smallest: int | None = None
    largest: int = 0
    eos_count: int = 0
    fim_id: int | None = None
    """The token that each document of FIM has once, where there are such."""
    fim_count: int = 0

    def write(self, blocks: Iterable[Unsigned], offsets: Offsets, doc_ids: Bytes) -> None:
        """Append a record batch.

        Args:
            blocks: the ids, some whole documents at a time; each block is done with before the next is asked for, so
                a batch needs no memory of its own size.
            offsets: of the documents among the ids, from 0.
            doc_ids: 16 bytes a document.

        Raises:
            ValueError: EOS is anywhere but at the end of every document, or the blocks are not what ``offsets`` and the
                schema say.
        """
        rows, kind = len(offsets) - 1, self.schema.field("input_ids").type
        if not rows:
            raise ValueError("a batch of no documents")
        room = np.empty(offsets[-1], kind.value_type.to_pandas_dtype())  # never touched: it only has a size
        bounds, values, names = pa.py_buffer(offsets), pa.py_buffer(room), pa.py_buffer(doc_ids)
        ids = pa.Array.from_buffers(kind.value_type, len(room), [None, values])
        lists = pa.Array.from_buffers(kind, rows, [None, bounds], children=[ids])
        batch = pa.RecordBatch.from_arrays(
            [lists, pa.Array.from_buffers(schemas.DOC_ID, rows, [None, names])], schema=self.schema
        )
        self._sink.buffers.clear()
        self._sink.replace(values, self._checked(blocks, offsets))
        self._stream.write_batch(batch)
        position = self._sink.buffers
        self.batches.append(
            {
                "rows": rows,
                "tokens": len(room),
                "offsets_position": position[bounds.address, bounds.size],
                "offsets_bytes": bounds.size,
                "values_position": position[values.address, values.size],
                "values_bytes": values.size,
                "doc_id_position": position[names.address, names.size],
            }
        )

    def _checked(self, blocks: Iterable[Unsigned], offsets: Offsets) -> Iterator[memoryview]:
        """The bytes of the blocks, each looked at while it is in the cache."""
        first = at = 0
        dtype = self.schema.field("input_ids").type.value_type.to_pandas_dtype()
        for ids in blocks:
            if ids.dtype != dtype:
                raise ValueError(f"ids of type {ids.dtype} in a shard of {np.dtype(dtype)}")
            stop = int(np.searchsorted(offsets, at + len(ids)))
            if stop == len(offsets) or offsets[stop] != at + len(ids):
                raise ValueError(f"a block of {len(ids)} ids after {at} does not end where a document does")
            smallest, largest, found = id_summary(ids, self.eos_id)
            if found != stop - first or not np.all(ids[offsets[first + 1 : stop + 1] - at - 1] == self.eos_id):
                raise ValueError(
                    f"{stop - first} documents hold {found} end tokens ({self.eos_id}); each must end with one"
                )
            self.smallest = smallest if self.smallest is None else min(self.smallest, smallest)
            self.largest = max(self.largest, largest)
            self.eos_count += found
            if self.fim_id is not None:
                self.fim_count += int(np.count_nonzero(ids == self.fim_id))
            yield ids.data.cast("B")
            first, at = stop, at + len(ids)
        if first != len(offsets) - 1:
            raise ValueError(f"the blocks hold {at} ids of {offsets[-1]}")

    def summary(self) -> dict[str, Any]:
        """The numbers of the manifest entry that the stream decides; call after the block of `open_shard`."""
        return {
            "rows": sum(batch["rows"] for batch in self.batches),
            "tokens": sum(batch["tokens"] for batch in self.batches),
            "bytes": self._sink.position,
            "xxh3_128": self._sink.hexdigest(),
            "blocks_xxh3_64": self._sink.blocks(),
            "min_id": self.smallest or 0,
            "max_id": self.largest,
            "eos_count": self.eos_count,
            **({} if self.fim_id is None else {"fim_documents": self.fim_count}),
            "batches": self.batches,
        }


@contextmanager
def open_shard(
    store: Store, address: str, schema: pa.Schema, eos_id: int, fim: Mapping[str, Any] | None = None
) -> Iterator[ShardWriter]:
    """Write one token shard; its file has its final name when the block ends without an exception.

    ``fim``: that block of the tokenizer's identity, where there is one.
    """
    with store.create(address) as file:
        sink = _PositionSink(file)
        with pa.PythonFile(sink, mode="w") as python_file, pa.ipc.new_stream(python_file, schema) as stream:
            yield ShardWriter(schema, eos_id, sink, stream, fim_id=fim["prefix_id"] if fim else None)


def write_docs(store: Store, address: str, docs: pa.Table) -> dict[str, Any]:
    """The Parquet beside a shard, row for row; its size and checksum for the manifest."""
    with store.table_writer(address, docs.schema) as writer:
        for start in range(0, max(1, len(docs)), _DOCS_ROW_GROUP):
            writer.write(docs.slice(start, _DOCS_ROW_GROUP))
    written = store.written[address]
    return {"docs_bytes": written["bytes"], "docs_xxh3_128": written["xxh3_128"]}


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
    told = {"path": names.data, "docs": names.docs, "split": names.split, **entry}
    store.write_json(names.addresses()[2], told)


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
    """What `load_from_disk` reads beside the shards, by address; nothing where the shards lie in other folders."""
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
    sums = [int(told, 16) for told in entry.get("blocks_xxh3_64", ())]
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


def _compact(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()
