"""A domain's documents as one endless sequence: its shards in order, pass after pass, found by buffer positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stages.contract import Store
from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of
from stages.reports import Shard, ShardBatch, ShardManifest
from stages.shard_format import open_data


@dataclass
class Piece:
    """Neighbouring documents of one record batch: where they are, and which rows of the docs describe them."""

    domain: str
    number: int
    """Number of the pass over the domain."""
    values: Bytes
    """Token bytes of the rows, from the first row's on."""
    offsets: Offsets
    """Tokens, from 0."""
    doc_ids: Bytes
    docs: str
    """Address of the Parquet beside the shard."""
    row: int
    """Row of the first document in it."""


class Sequence:
    """A domain's documents in order, by the buffer positions in its manifest; nothing is read before it is needed."""

    def __init__(self, store: Store, folder: str, manifest: ShardManifest, domain: str) -> None:
        self._store = store
        self._folder = folder
        self._domain = domain
        self._width = np.dtype(manifest["tokenizer"]["dtype"]).itemsize
        self._batches: list[tuple[Shard, ShardBatch, int]] = []  # shard, batch, row in the shard
        for entry in manifest["shards"]:
            if entry.get("split", "train") != "train":
                continue
            row = 0
            for batch in entry["batches"]:
                self._batches.append((entry, batch, row))
                row += batch["rows"]
        self._starts = offsets_of(np.array([batch["tokens"] for _, batch, _ in self._batches], np.int64))
        self._first, self._stop = 0, int(self._starts[-1])

    def narrow(self, first: int, stop: int, start: int) -> int:
        """Keep to the documents that begin at tokens ``first`` to ``stop - 1``; returns ``start``.

        A pass has ``stop - first`` positions, whatever these documents hold: so many tokens, which caps count, read
        each of them once, also where the first of them begins behind ``first``.
        """
        self._first, self._stop = first, stop
        return start

    def _open(self, entry: Shard) -> pa.NativeFile:
        return open_data(self._store, f"{self._folder}/{entry['path']}", entry)

    @property
    def bounds(self) -> tuple[int, int]:
        """First token of the part that is read, and the end of its last document."""
        return self._next_document(self._first), self._next_document(self._stop)

    def unique(self, tokens: int) -> int:
        """Number of different tokens in so many tokens of whole documents in a row."""
        first, stop = self.bounds
        return min(tokens, stop - first)

    def _next_document(self, position: int) -> int:
        """Start of the first document that does not begin before ``position``; the end if there is none."""
        if position >= self._starts[-1]:
            return int(self._starts[-1])
        k = int(np.searchsorted(self._starts, position, side="right")) - 1
        entry, batch, _ = self._batches[k]
        with self._open(entry) as file:
            offsets = np.frombuffer(file.read_at(batch["offsets_bytes"], batch["offsets_position"]), np.int64)
        begin = int(self._starts[k])
        return begin + int(offsets[np.searchsorted(offsets, position - begin)])

    def pieces(self, first: int, stop: int) -> list[Piece]:
        """The documents whose first token is number ``first`` to ``stop - 1`` of the endlessly repeated sequence."""
        length = self._stop - self._first
        found: list[Piece] = []
        if first >= stop or not length:
            return found
        for number in range(first // length, (stop - 1) // length + 1):
            low = self._first + max(0, first - number * length)
            high = self._first + min(length, stop - number * length)
            begin = int(np.searchsorted(self._starts, low, side="right")) - 1
            for k in range(begin, int(np.searchsorted(self._starts, high, side="left"))):
                piece = self._piece(k, number, low - int(self._starts[k]), high - int(self._starts[k]))
                if piece:
                    found.append(piece)
        return found

    def _piece(self, k: int, number: int, low: int, high: int) -> Piece | None:
        """The documents of batch k that start at its tokens ``low`` to ``high - 1``."""
        entry, batch, row = self._batches[k]
        with self._open(entry) as file:
            raw = file.read_at(batch["offsets_bytes"], batch["offsets_position"])
            offsets = np.frombuffer(raw, np.int64)
            begin, end = (int(row) for row in np.searchsorted(offsets[:-1], (low, high)))
            if begin == end:
                return None
            width = self._width
            size = int(offsets[end] - offsets[begin]) * width
            file.seek(batch["values_position"] + int(offsets[begin]) * width)
            values = np.frombuffer(file.read_buffer(size), np.uint8)
            file.seek(batch["doc_id_position"] + 16 * begin)
            doc_ids = np.frombuffer(file.read_buffer(16 * (end - begin)), np.uint8)
        return Piece(
            domain=self._domain,
            number=number,
            values=values,
            offsets=offsets[begin : end + 1] - offsets[begin],
            doc_ids=doc_ids,
            docs=f"{self._folder}/{entry['docs']}",
            row=row + begin,
        )
