"""Writing token shards (`stages.shard_format`): the Arrow stream of ids, and the Parquet beside it.

Where each buffer went and what the blocks sum up to is known when the last byte is written, and nothing is read again.
"""

from __future__ import annotations

import json
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
from stages.reports import ShardBatch
from stages.seal import Blocks
from stages.shard_format import BLOCK_BYTES

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


class _PositionSink:
    """A file that counts and hashes what is written, and notes where each Arrow buffer went.

    What is to be written in the place of a buffer may come from elsewhere (`replace`): Arrow then says where it goes
    and how it is padded, and never looks at it.
    """

    closed = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._hash = xxhash.xxh3_128()
        self._blocks = Blocks(BLOCK_BYTES)
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
        self._blocks.update(view)
        self.position += view.nbytes
        return view.nbytes

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
        return [f"{total:016x}" for total in self._blocks.sums()]


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


def _compact(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
