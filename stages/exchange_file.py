"""Intermediate files of an exchange: a mapper writes one, its records ordered by partition; reducers read their part.

Layout: for each partition the bytes of each column; then a JSON footer (column types, counts, positions, a checksum
per partition, and ``about``); then its size (8 bytes, little-endian) and the mark. Columns are one-dimensional NumPy
arrays; they need not have equal counts, so a ragged column is a column of sizes and one of values.

A part that does not match its checksum is never used: the file is removed, so the next run makes it anew, and
`CorruptIntermediate` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from stages.contract import Store

MARK = b"GMXCHG01"
MAX_GROUP = 256
"""Splits that one task of an exchange reads at most."""

Array = npt.NDArray[Any]
Columns = dict[str, Array]


class CorruptIntermediate(RuntimeError):
    """An intermediate file is damaged; it has been removed and will be made again."""


def order_by_partition(partitions: Array, count: int) -> tuple[Array, Array]:
    """Stable order of records by partition number, and the bounds of each partition in it (count + 1)."""
    narrow = partitions.astype(np.uint16 if count <= 1 << 16 else np.uint32)
    bounds = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(partitions.astype(np.int64), minlength=count), out=bounds[1:])
    return np.argsort(narrow, kind="stable"), bounds


def partition_of(hashes: Array, count: int) -> Array:
    """Which of ``count`` equal ranges of the 64-bit numbers a hash lies in, so that order and partition agree."""
    return ((hashes >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)


def write_partitioned(
    store: Store, address: str, columns: Columns, partitions: Array, count: int, about: dict[str, Any] | None = None
) -> None:
    """Write equally long columns, ordered (stably) by the partition number of each record."""
    order, bounds = order_by_partition(partitions, count)
    if count == 1:
        write_ordered(store, address, columns, dict.fromkeys(columns, bounds), about)
    else:
        ordered = {name: column[order] for name, column in columns.items()}
        write_ordered(store, address, ordered, dict.fromkeys(columns, bounds), about)


def write_ordered(
    store: Store, address: str, columns: Columns, bounds: Mapping[str, Array], about: dict[str, Any] | None = None
) -> None:
    """Write columns whose records already stand in partition order; ``bounds`` gives each column's P + 1 limits."""
    names = list(columns)
    num_partitions = len(bounds[names[0]]) - 1
    positions, checksums = [0], []
    with store.create(address) as sink:
        for partition in range(num_partitions):
            digest = xxhash.xxh3_64()
            size = 0
            for name in names:
                limits = bounds[name]
                part = np.ascontiguousarray(columns[name][limits[partition] : limits[partition + 1]])
                view = part.view(np.uint8).data
                digest.update(view)
                sink.write(view)
                size += len(view)
            positions.append(positions[-1] + size)
            checksums.append(digest.hexdigest())
        footer = {
            "about": about or {},
            "columns": [[name, columns[name].dtype.str] for name in names],
            "counts": [np.diff(bounds[name]).tolist() for name in names],
            "positions": positions,
            "checksums": checksums,
        }
        encoded = json.dumps(footer, sort_keys=True, separators=(",", ":")).encode()
        sink.write(encoded + len(encoded).to_bytes(8, "little") + MARK)


def read_about(store: Store, address: str) -> tuple[dict[str, Any], dict[str, int]]:
    """What the writer said of the file, and how many values each column has over all partitions."""
    with store.open(address) as file:
        footer = _footer(store, address, file)
    counts = {name: sum(found) for (name, _), found in zip(footer["columns"], footer["counts"], strict=True)}
    return footer["about"], counts


def read_partition(store: Store, address: str, partition: int) -> Columns:
    """The columns of one partition; views of the file where the root is local."""
    with store.open(address) as file:
        footer = _footer(store, address, file)
        start, stop = footer["positions"][partition : partition + 2]
        file.seek(start)
        data = file.read_buffer(stop - start)
        if len(data) != stop - start or xxhash.xxh3_64_hexdigest(memoryview(data)) != footer["checksums"][partition]:
            raise _corrupt(store, address, f"partition {partition} does not match its checksum")
    columns: Columns = {}
    position = 0
    for (name, dtype), counts in zip(footer["columns"], footer["counts"], strict=True):
        columns[name] = np.frombuffer(data, dtype, counts[partition], position)
        position += columns[name].nbytes
    return columns


def read_all(store: Store, addresses: Sequence[str], partition: int) -> Columns:
    """One partition of several files, their columns one after another in the order of the addresses."""
    return concatenate(read_partition(store, address, partition) for address in addresses)


def concatenate(parts: Iterable[Columns]) -> Columns:
    """Join equal sets of columns end to end."""
    found = list(parts)
    if len(found) == 1:
        return found[0]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _footer(store: Store, address: str, file: Any) -> dict[str, Any]:
    size = file.size()
    if size >= 16:
        file.seek(size - 16)
        tail = bytes(file.read(16))
        length = int.from_bytes(tail[:8], "little")
        if tail[8:] == MARK and length <= size - 16:
            file.seek(size - 16 - length)
            try:
                footer: dict[str, Any] = json.loads(bytes(file.read(length)))
            except ValueError as error:
                raise _corrupt(store, address, f"unreadable footer ({error})") from error
            return footer
    raise _corrupt(store, address, "no footer")


def _corrupt(store: Store, address: str, what: str) -> CorruptIntermediate:
    store.remove(address)
    return CorruptIntermediate(f"{address}: {what}; the file has been removed and will be made again")


def grouped(costs: Sequence[int], budget: int) -> tuple[tuple[int, ...], ...]:
    """Consecutive splits in groups of at most ``budget``, or of one."""
    groups: list[list[int]] = []
    used = 0
    for index, cost in enumerate(costs):
        if not groups or used + cost > budget or len(groups[-1]) == MAX_GROUP:
            groups.append([])
            used = 0
        groups[-1].append(index)
        used += cost
    return tuple(tuple(group) for group in groups)
