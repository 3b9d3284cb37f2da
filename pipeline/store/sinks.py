"""Sinks that files of a root are written through: sums, seals, an early way to the disk; and Parquet as we write it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.store.address import canonical
from stages import seal

METADATA_KEY = b"gristmill"
_EARLY_BYTES = 1 << 23
Checksum = dict[str, int | str]
"""``{"bytes": n, "xxh3_128": hex}`` of a file."""


def encode(report: Mapping[str, Any]) -> bytes:
    """A report as the bytes that go into a file."""
    return canonical(report)


class TableWriter:
    """A Parquet file being written, one row group per batch; set ``report`` before the block ends."""

    def __init__(self, sink: HashingSink, schema: pa.Schema) -> None:
        self.report: Mapping[str, Any] | None = None
        self.rows = 0
        self._sink = sink
        # without dictionaries: hashes and counts repeat too little for them, and zstd finds what does
        options = {"compression": "zstd", "compression_level": 3, "use_dictionary": False, "write_page_checksum": True}
        self._writer = pq.ParquetWriter(sink, schema, **options)

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.rows += table.num_rows

    def close(self) -> None:
        if self.report is not None:
            self._writer.add_key_value_metadata({METADATA_KEY: encode(self.report)})
        self._sink.begin_footer()
        self._writer.close()

    def abandon(self) -> None:
        """End a file that nobody will see while its sink is still open: later Arrow would complain on stderr."""
        with suppress(OSError, pa.ArrowException):
            self._writer.close()


class EarlySink:
    """A local file whose bytes go on their way to the disk as they come: its flush to the disk waits for the last only.

    Linux begins to write what is marked as not needed soon, and lets go only of what is written already.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = self._advised = 0

    def write(self, data: Any) -> int:
        count = self._file.write(data)
        self._size += count
        if self._size - self._advised >= _EARLY_BYTES and hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # it is advice: a file system need not take it
                os.posix_fadvise(self._file.fileno(), self._advised, self._size - self._advised, os.POSIX_FADV_DONTNEED)
            self._advised = self._size
        return count

    def flush(self) -> None:
        self._file.flush()


class HashingSink:
    """A sink that takes the size and xxh3-128 of what is written through it, in order, from start to end.

    From `begin_footer` on it holds back what comes, until `seal` puts the seal of a Parquet or Arrow file before it.
    """

    closed = False

    def __init__(self, sink: BinaryIO, sealed: str = "") -> None:
        """``sealed``: the address of a file to be sealed: the sum of every block is taken too."""
        self._sealed = sealed
        self._sink = sink
        self._hash = xxhash.xxh3_128()
        self._blocks = seal.Blocks() if sealed else None
        self._footer: bytearray | None = None
        self.size = 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self._footer is not None:
            self._footer += view
        else:
            self._put(view)
            if self._blocks is not None:
                self._blocks.update(view)
        return view.nbytes

    def _put(self, view: memoryview) -> None:
        self._hash.update(view)
        self.size += view.nbytes
        self._sink.write(view)

    def begin_footer(self) -> None:
        """Hold back what comes from here on: the end of the file and its footer."""
        self._footer = bytearray()

    def seal(self) -> None:
        """Write what was held back, its seal before the footer; nothing where nothing was."""
        if self._footer is None or self._blocks is None:
            return
        held = bytes(self._footer)
        self._footer = None
        size = seal.footer_bytes(held)
        if size is None or size > len(held):
            raise ValueError("what was to be sealed ends in no footer")
        self.write(held[: len(held) - size])
        footer = held[len(held) - size :]
        self._put(memoryview(seal.footer_seal(self._blocks, footer, self._sealed) + footer))

    def tell(self) -> int:
        return self.size + len(self._footer or b"")

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._sink.flush()

    def close(self) -> None:
        """The store closes the file; writers that close their sink only flush it."""
        self._sink.flush()

    def digest(self) -> bytes:
        """xxh3_128 of what was written so far."""
        return self._hash.digest()

    def checksum(self) -> Checksum:
        return {"bytes": self.size, "xxh3_128": self._hash.hexdigest()}
