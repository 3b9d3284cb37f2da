"""Megatron-LM's indexed dataset: `.bin` and `.idx` per prefix, by link or merged. Also what GPT-NeoX,
Megatron-DeepSpeed, NeMo, nanotron and OneFlow LiBai read.

Layout of `.idx`, little-endian (megatron/core/datasets/indexed_dataset.py): ``MMIDIDX\\0\\0``, u64 version 1, u8 type
code, u64 sequences N, u64 documents + 1, i32 lengths[N], i64 byte offsets[N], i64 document bounds[N + 1]. We write
one sequence per document.

`link` copies no tokens: byte offsets are absolute and nothing in the read path wants them contiguous, so the `.idx`
points into the Arrow file and `.bin` is a link to it; one prefix per shard. The merge tool of Megatron and slices
across sequences do want contiguity: for these, and for the 10 GB a prefix that NVIDIA advises, `merge` copies all
shards into one prefix.

Prefixes carry the head of a checksum: Megatron caches its shuffle by path, so new content must have a new path.
uint16 is code 8. uint32 has none and is declared int32 (code 4): the same bits below 2**31. Megatron's own
reader takes uint16 for vocabularies of 65,500 to 65,536 where its writer would have written int32; ours is uint16
there too, so both agree.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.exports.target import Export, empty_folder, raw, segments, whole_file, written
from pipeline.reader import TokenShards

MAGIC = b"MMIDIDX\x00\x00"
_CODES = {2: 8, 4: 4}
_MAX_DOCUMENTS = (1 << 31) - 1


def link(shards: TokenShards, folder: str | Path, hard: bool = False) -> Export:
    """One prefix per shard: `.bin` links to the Arrow file (symbolic and relative, or ``hard``)."""
    folder = empty_folder(folder)
    batches: dict[str, list[int]] = {}
    for segment, _, _ in segments(shards):
        batches.setdefault(shards.segment_shard(segment)[0].path, []).append(segment)
    stems = []
    for number, shard in enumerate(shards.shards):
        if not shard.rows:
            continue
        stem = f"{shards.manifest.name.replace('/', '-')}-{shards.manifest.kind}-{number:05d}-{shard.xxh3_128[:12]}"
        source = shards.manifest.folder / shard.path
        if hard:
            os.link(source, folder / f"{stem}.bin")
        else:
            (folder / f"{stem}.bin").symlink_to(os.path.relpath(source.resolve(), folder.resolve()))
        mine = batches[shard.path]
        write_idx(folder / f"{stem}.idx", shards, mine, [shards.segment_shard(s)[1].values_position for s in mine])
        stems.append(f"{shard.tokens * shard.multiplicity} {folder / stem}")
    return written(folder, "megatron", shards, "--data-path " + " ".join(stems))


def merge(shards: TokenShards, folder: str | Path) -> Export:
    """All shards copied into one prefix."""
    folder = empty_folder(folder)
    stem = f"{shards.manifest.name.replace('/', '-')}-{shards.manifest.kind}-{shards.manifest.identity[:12]}"
    positions, at = [], 0
    with whole_file(folder / f"{stem}.bin") as file:
        for _, values, _ in segments(shards):
            positions.append(at)
            at += file.write(raw(values))
    write_idx(folder / f"{stem}.idx", shards, [segment for segment, _, _ in segments(shards)], positions)
    return written(folder, "megatron", shards, f"--data-path {folder / stem}")


def prefixes(folder: str | Path) -> list[str]:
    """The prefixes of an exported folder, in the order of the shards."""
    found = sorted(str(path.with_suffix("")) for path in Path(folder).glob("*.idx"))
    if not found:
        raise UserError(f"{folder}: no .idx here; expected a Megatron export")
    return found


def write_idx(path: Path, shards: TokenShards, numbers: Iterable[int], positions: list[int]) -> None:
    """The index of the documents of some record batches; ``positions`` is the byte in `.bin` where each starts."""
    numbers = list(numbers)
    size = shards.dtype.itemsize

    def offsets() -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        yield from ((at, shards.arrays(number)[1]) for number, at in zip(numbers, positions, strict=True))

    count = sum(len(part) - 1 for _, part in offsets())
    if count > _MAX_DOCUMENTS:
        raise UserError(f"{path.name}: {count} documents, Megatron takes {_MAX_DOCUMENTS} in a prefix; use link")
    with whole_file(path) as file:
        file.write(MAGIC + struct.pack("<QBQQ", 1, _CODES[size], count, count + 1))
        # Three passes over the offsets, so memory is that of one record batch.
        for _, part in offsets():
            file.write(np.diff(part).astype("<i4").tobytes())
        for at, part in offsets():
            file.write((part[:-1] * size + at).astype("<i8").tobytes())
        for start in range(0, count + 1, 1 << 20):
            file.write(np.arange(start, min(start + (1 << 20), count + 1), dtype="<i8").tobytes())


def read_idx(path: str | Path) -> dict[str, Any]:
    """`.idx` parsed from its layout: dtype, lengths, byte offsets, document bounds. For checks, not for training."""
    data = Path(path).read_bytes()
    if not data.startswith(MAGIC):
        raise UserError(f"{path}: does not begin with MMIDIDX")
    version, code, count, bounds = struct.unpack_from("<QBQQ", data, 9)
    dtype = {8: np.dtype("<u2"), 4: np.dtype("<i4")}.get(code)
    if version != 1 or dtype is None or len(data) != 34 + 12 * count + 8 * bounds:
        raise UserError(f"{path}: version {version}, type code {code}, {len(data)} bytes for {count} sequences")
    return {
        "dtype": dtype,
        "lengths": np.frombuffer(data, "<i4", count, 34),
        "pointers": np.frombuffer(data, "<i8", count, 34 + 4 * count),
        "documents": np.frombuffer(data, "<i8", bounds, 34 + 12 * count),
    }
