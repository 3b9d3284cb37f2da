"""The documents of one corpus shard, from the pieces of its domains' sequences, in their final order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stages import schemas
from stages.contract import Store
from stages.corpus.sequence import Piece
from stages.kernels.columns.keyed_hash import hash_names
from stages.kernels.columns.ragged import Offsets, Unsigned, offsets_of
from stages.kernels.columns.rows import Pieces

DOCS = pa.schema(
    [*schemas.DOCS, pa.field("domain", pa.string(), nullable=False), pa.field("pass", pa.int32(), nullable=False)]
)


class Selection:
    """The documents of one corpus shard in their final order."""

    def __init__(self, pieces: list[Piece], seed: int, dtype: np.dtype) -> None:
        self._pieces = pieces
        rows = [len(piece.offsets) - 1 for piece in pieces]
        names = [piece.doc_ids for piece in pieces] or [np.empty(0, np.uint8)]
        doc_ids = np.concatenate(names).view("V16")
        halves = doc_ids.view(">u8").reshape(-1, 2)
        keys = np.concatenate([_keys(piece, seed) for piece in pieces] or [np.empty(0, np.uint64)])
        passes = np.repeat([piece.number for piece in pieces], rows)
        order = np.lexsort((passes, halves[:, 1], halves[:, 0], keys))
        sizes: Offsets = np.concatenate([np.diff(piece.offsets) for piece in pieces] or [np.empty(0, np.int64)])
        self.sizes: Offsets = sizes[order]
        self.doc_ids = doc_ids[order]
        self._order = order
        self._values = Pieces([piece.values for piece in pieces], offsets_of(sizes), dtype)
        for piece in pieces:  # or what an object store sent might be held twice
            piece.values = np.empty(0, np.uint8)

    def blocks(self, start: int, stop: int) -> Iterator[Unsigned]:
        """Ids of documents start to stop, some of them at a time; a block is overwritten by the next one."""
        return self._values.blocks(self._order[start:stop])

    def docs(self, store: Store) -> pa.Table:
        """The docs of the documents, with domain and pass, in their final order."""
        parts = []
        for piece in self._pieces:
            rows = len(piece.offsets) - 1
            part = _read_rows(store, piece.docs, piece.row, rows)
            part = part.append_column("domain", pa.repeat(pa.scalar(piece.domain), rows))
            parts.append(part.append_column("pass", pa.repeat(pa.scalar(piece.number, pa.int32()), rows)))
        if not parts:
            return DOCS.empty_table()
        scores = schemas.score_fields(parts[0].schema)
        described = pa.schema([*schemas.DOCS, *scores, *list(DOCS)[len(schemas.DOCS) :]])
        return pa.concat_tables(parts).take(pa.array(self._order)).cast(described).combine_chunks()


def _keys(piece: Piece, seed: int) -> npt.NDArray[np.uint64]:
    """xxh3_64 of every doc_id, keyed with the seed and the pass."""
    keyed = xxhash.xxh3_64_intdigest(f"{seed} {piece.number}".encode())
    return hash_names(piece.doc_ids, keyed)


def _read_rows(store: Store, address: str, row: int, count: int) -> pa.Table:
    """Rows of a Parquet file, reading only the row groups they are in."""
    with store.open(address) as file:
        parquet = pq.ParquetFile(file)
        groups, before, skipped = [], 0, 0
        for group in range(parquet.num_row_groups):
            size = parquet.metadata.row_group(group).num_rows
            if before + size <= row:
                skipped += size
            elif before < row + count:
                groups.append(group)
            before += size
        return parquet.read_row_groups(groups).slice(row - skipped, count)
