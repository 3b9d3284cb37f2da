"""The target of an export: a folder that is new or empty, files that are whole or absent, and an account at the end.

Every export is a pure function of the shards and its options: the same bytes each time, no clock, no host. Files
get their names when they are whole and an index file comes last, so a killed export is seen as one; run it
again into an empty folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.reader import TokenShards

UINT32_MAX = (1 << 32) - 1


@dataclass(frozen=True)
class Export:
    """Files and counts of an export."""

    trainer: str
    folder: Path
    files: tuple[str, ...]
    documents: int
    tokens: int
    """Tokens a trainer can reach in it; fewer than the shards hold only where `dropped_tokens` is above 0."""
    dropped_tokens: int
    bytes_written: int
    read_with: str
    """A line to paste into the trainer's configuration or code."""


def empty_folder(folder: str | Path) -> Path:
    """Make a folder, or refuse one that has something in it."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not an empty folder; an export never writes over files")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when the block ends without an exception."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def written(folder: Path, trainer: str, shards: TokenShards, read_with: str, **changes: Any) -> Export:
    """The account of an export, from the files that are there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    account: dict[str, Any] = {
        "trainer": trainer,
        "folder": folder,
        "files": tuple(str(path.relative_to(folder)) for path in files),
        "documents": shards.num_documents,
        "tokens": shards.num_tokens,
        "dropped_tokens": 0,
        "bytes_written": sum(path.stat().st_size for path in files if not path.is_symlink()),
        "read_with": read_with,
    }
    return Export(**{**account, **changes})


def segments(shards: TokenShards) -> Iterator[tuple[int, npt.NDArray[Any], npt.NDArray[np.int64]]]:
    """(record batch, ids, list offsets from 0) in the order of the shards, those without rows left out."""
    for segment in range(shards.num_segments):
        values, offsets = shards.arrays(segment)
        if len(offsets) > 1:
            yield segment, values, offsets


def raw(values: npt.NDArray[Any]) -> memoryview:
    """The bytes of ids, which are little-endian in the shards and everywhere else here; nothing is copied."""
    return values.view(np.uint8).data


def parts(shards: TokenShards, max_tokens: int) -> list[list[int]]:
    """Consecutive record batches grouped into files of at most ``max_tokens`` (a larger batch is alone)."""
    groups: list[list[int]] = []
    held = 0
    for segment, values, _ in segments(shards):
        if not groups or held + len(values) > max_tokens:
            groups.append([])
            held = 0
        groups[-1].append(segment)
        held += len(values)
    return groups
