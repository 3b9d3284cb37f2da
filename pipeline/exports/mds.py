"""MosaicML streaming (MDS) shards.

Layout of a shard: u32 samples N, u32 offsets[N + 1] (absolute bytes, so below 4 GiB), JSON of the columns, then the
samples: a u32 size for each column of changing size, then the columns in the order of their names. An array of
changing shape begins with a byte (dimensions << 2 | log2 of the bytes of a dimension) and its shape.
`index.json` (version 2) lists the shards and comes last.

Either a sample a document (``doc_id`` and ``tokens``, for a loader that packs), or, with ``sequence_length``, a sample
a window of so many tokens, cut from each record batch in turn: what LLM Foundry's loader takes; the rest of each
batch is dropped and counted.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.exports.target import UINT32_MAX, Export, empty_folder, raw, segments, whole_file, written
from pipeline.reader import TokenShards
from stages.kernels.columns.ragged import row_cuts

MAX_BYTES = 1 << 26


def export_mds(
    shards: TokenShards, folder: str | Path, sequence_length: int | None = None, max_bytes: int = MAX_BYTES
) -> Export:
    """MDS shards of about ``max_bytes``."""
    if not 1 <= max_bytes <= UINT32_MAX:
        raise UserError(f"max_bytes must be 1 to {UINT32_MAX}, found {max_bytes}")
    if sequence_length is not None and sequence_length < 1:
        raise UserError(f"sequence_length must be 1 or more, found {sequence_length}")
    folder = empty_folder(folder)
    config = _config(shards, sequence_length, max_bytes)
    samples = _documents(shards, max_bytes) if sequence_length is None else _windows(shards, sequence_length, max_bytes)
    entries, tokens = [], 0
    for number, (bodies, sizes, held) in enumerate(samples):
        name = f"shard.{number:05d}.mds"
        with whole_file(folder / name) as file:
            size = _write_shard(file, config, bodies, sizes, name)
        raw = {"basename": name, "bytes": size, "hashes": {}}
        entries.append({**config, "raw_data": raw, "samples": len(sizes), "zip_data": None})
        tokens += held
    with whole_file(folder / "index.json") as file:
        file.write(json.dumps({"version": 2, "shards": entries}, sort_keys=True).encode())
    read_with = f"StreamingDataset(local='{folder}', shuffle=True, batch_size=B)"
    return written(folder, "mds", shards, read_with, tokens=tokens, dropped_tokens=shards.num_tokens - tokens)


def _config(shards: TokenShards, sequence_length: int | None, max_bytes: int) -> dict[str, Any]:
    name = shards.dtype.name
    windows = sequence_length is not None
    return {
        "column_encodings": [f"ndarray:{name}:{sequence_length}"] if windows else ["bytes", f"ndarray:{name}"],
        "column_names": ["tokens"] if windows else ["doc_id", "tokens"],
        "column_sizes": [sequence_length * shards.dtype.itemsize] if sequence_length else [None, None],
        "compression": None,
        "format": "mds",
        "hashes": [],
        "size_limit": max_bytes,
        "version": 2,
    }


def _write_shard(
    file: Any, config: dict[str, Any], bodies: Iterator[bytes | memoryview], sizes: npt.NDArray[np.int64], name: str
) -> int:
    head = json.dumps(config, sort_keys=True).encode()
    start = 4 + 4 * (len(sizes) + 1) + len(head)
    ends = np.concatenate([[0], np.cumsum(sizes)]) + start
    if int(ends[-1]) > UINT32_MAX:
        raise UserError(f"{name}: a document of {int(sizes.max())} bytes does not fit a shard of 32-bit offsets")
    file.write(struct.pack("<I", len(sizes)) + ends.astype("<u4").tobytes() + head)
    for body in bodies:
        file.write(body)
    return int(ends[-1])


Piece = tuple[Iterator[bytes | memoryview], npt.NDArray[np.int64], int]


def _documents(shards: TokenShards, max_bytes: int) -> Iterator[Piece]:
    width = shards.dtype.itemsize
    for segment, values, offsets in segments(shards):
        counts = np.diff(offsets)
        # Two size words, doc_id, the byte of the shape and the shape itself.
        sizes = 8 + 16 + 1 + _shape_bytes(counts) + counts * width
        names = shards.doc_ids(segment)
        for start, stop in row_cuts(sizes, max_bytes):
            bodies = _document_bodies(values, offsets, names, start, stop)
            yield bodies, sizes[start:stop], int(offsets[stop] - offsets[start])


def _document_bodies(
    values: npt.NDArray[Any], offsets: npt.NDArray[np.int64], names: npt.NDArray[np.void], start: int, stop: int
) -> Iterator[bytes]:
    for row in range(start, stop):
        tokens = values[offsets[row] : offsets[row + 1]]
        count = len(tokens)
        log = 0 if count < 1 << 8 else 1 if count < 1 << 16 else 2
        shape = bytes([1 << 2 | log]) + count.to_bytes(1 << log, "little")
        yield struct.pack("<II", 16, len(shape) + tokens.nbytes) + bytes(names[row]) + shape + tokens.tobytes()


def _shape_bytes(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.where(counts < 1 << 8, 1, np.where(counts < 1 << 16, 2, 4))


def _windows(shards: TokenShards, length: int, max_bytes: int) -> Iterator[Piece]:
    size = length * shards.dtype.itemsize
    for _, values, _ in segments(shards):
        count = len(values) // length
        for start, stop in row_cuts(np.full(count, size, np.int64), max_bytes):
            piece = raw(values[start * length : stop * length])
            yield iter([piece]), np.full(stop - start, size, np.int64), (stop - start) * length
