"""litdata chunks for its `TokensLoader`.

Layout of a chunk: u32 items N, u32 offsets[N + 1] (absolute bytes), then the items. Ours are documents, ids and
nothing else, so `TokensLoader(block_size=S)` memory-maps the tokens of a chunk and takes floor(T / S) blocks of each.
`index.json` lists the chunks (``dim`` is their tokens) and comes last. PyTorch has no uint32, so 4-byte ids are
declared int32: the same bits below 2**31.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.exports.target import UINT32_MAX, Export, empty_folder, raw, segments, whole_file, written
from pipeline.reader import TokenShards
from stages.kernels.columns.ragged import row_cuts

MAX_BYTES = 1 << 26
_FORMATS = {2: "no_header_tensor:20", 4: "no_header_tensor:15"}
"""Torch types by their number in litdata's table: uint16 and int32."""


def export_litdata(shards: TokenShards, folder: str | Path, max_bytes: int = MAX_BYTES) -> Export:
    """Chunks of about ``max_bytes``; larger ones lose fewer tokens at their ends."""
    if not 1 <= max_bytes <= UINT32_MAX:
        raise UserError(f"max_bytes must be 1 to {UINT32_MAX}, found {max_bytes}")
    folder = empty_folder(folder)
    width = shards.dtype.itemsize
    chunks: list[dict[str, Any]] = []
    for _, values, offsets in segments(shards):
        for start, stop in row_cuts(np.diff(offsets) * width + 4, max_bytes):
            name = f"chunk-0-{len(chunks)}.bin"
            tokens = values[offsets[start] : offsets[stop]]
            ends = (offsets[start : stop + 1] - offsets[start]) * width + 4 * (stop - start + 2)
            if int(ends[-1]) > UINT32_MAX:
                raise UserError(f"{name}: a document of {tokens.nbytes} bytes does not fit a chunk of 32-bit offsets")
            with whole_file(folder / name) as file:
                file.write(struct.pack("<I", stop - start) + ends.astype("<u4").tobytes())
                file.write(raw(tokens))
            size = int(ends[-1])
            chunks.append({"chunk_bytes": size, "chunk_size": stop - start, "dim": len(tokens), "filename": name})
    config = {
        "chunk_bytes": max_bytes,
        "chunk_size": None,
        "compression": None,
        "data_format": [_FORMATS[width]],
        "data_spec": '[1, {"type": null, "context": null, "children_spec": []}]',
        "encryption": None,
        "item_loader": "TokensLoader",
    }
    with whole_file(folder / "index.json") as file:
        file.write(json.dumps({"chunks": chunks, "config": config}, sort_keys=True).encode())
    read_with = f"StreamingDataset('{folder}', item_loader=TokensLoader(block_size=S + 1), shuffle=True)"
    return written(folder, "litdata", shards, read_with)
