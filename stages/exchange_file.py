"""Intermediate files of an exchange: a mapper writes one, its records ordered by partition; reducers read their part.

Layout: for each partition the bytes of each column; then a table, one row of 64-bit numbers a partition (count of each
column, position, checksum); then JSON (column types, totals, ``about``); then its size and the checksum of it and of
the file's name (8 bytes each, little-endian; `stages.seal.name_of`) and the mark. Columns are one-dimensional NumPy
arrays; they need not have equal counts, so a ragged column is a column of sizes and one of values. What a reader reads
does not grow with the number of partitions.

A part that does not match its checksum is never used: the file is removed, so the next run makes it anew, and
`CorruptIntermediate` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import xxhash

from stages.contract import Store
from stages.kernels.columns.ragged import offsets_of
from stages.seal import MISPLACED, DamagedFile, name_of

MARK = b"GMXCHG02"
TAIL_BYTES = 1 << 16
"""Read at once from the end of a file: its footer, and the table where that is small."""
MAX_GROUP = 256
"""Splits that one task of an exchange reads at most."""

Array = npt.NDArray[Any]
Columns = dict[str, Array]


class Gathered(Protocol):
    """A column that is put together while it is written, so that it never stands in memory as a whole."""

    dtype: np.dtype[Any]

    def blocks(self, start: int, stop: int) -> Iterator[Array]:
        """The values from ``start`` to ``stop - 1``, piece by piece; a piece may be overwritten by the next one."""


class CorruptIntermediate(DamagedFile):
    """An intermediate file is damaged; it has been removed and will be made again."""


def order_by_partition(partitions: Array, count: int) -> tuple[Array, Array]:
    """Stable order of records by partition number, and the bounds of each partition in it (count + 1)."""
    narrow = partitions.astype(np.uint16 if count <= 1 << 16 else np.uint32)
    bounds = offsets_of(np.bincount(partitions.astype(np.int64), minlength=count))
    return np.argsort(narrow, kind="stable"), bounds


def partition_of(hashes: Array, count: int) -> Array:
    """The one of ``count`` equal ranges of the 64-bit numbers in which a hash lies: order and partition agree."""
    return ((hashes >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)


def write_partitioned(
    store: Store, address: str, columns: Columns, partitions: Array, count: int, about: dict[str, Any] | None = None
) -> None:
    """Write equally long columns, ordered (stably) by the partition number of each record."""
    if count == 1:
        write_ordered(store, address, columns, dict.fromkeys(columns, np.array([0, len(partitions)])), about)
        return
    order, bounds = order_by_partition(partitions, count)
    ordered = {name: column[order] for name, column in columns.items()}
    write_ordered(store, address, ordered, dict.fromkeys(columns, bounds), about)


def write_ordered(
    store: Store,
    address: str,
    columns: Mapping[str, Array | Gathered],
    bounds: Mapping[str, Array],
    about: dict[str, Any] | None = None,
) -> None:
    """Write columns whose records already stand in partition order; ``bounds`` gives each column's P + 1 limits."""
    names = list(columns)
    num_partitions = len(bounds[names[0]]) - 1
    table = np.zeros((num_partitions, len(names) + 2), "<u8")
    position = 0
    with store.create(address) as sink:
        for partition in range(num_partitions):
            limits = [bounds[name][partition : partition + 2].tolist() for name in names]
            table[partition, :-1] = [*(stop - start for start, stop in limits), position]
            digest = xxhash.xxh3_64(table[partition, :-1].tobytes())
            for name, (start, stop) in zip(names, limits, strict=True):
                for values in _blocks(columns[name], start, stop):
                    view = values.view(np.uint8).data
                    digest.update(view)
                    sink.write(view)
                    position += len(view)
            table[partition, -1] = digest.intdigest()
        sink.write(table.tobytes())
        footer = {
            "about": about or {},
            "columns": [[name, columns[name].dtype.str] for name in names],
            "totals": table[:, : len(names)].sum(axis=0).tolist(),
            "partitions": num_partitions,
        }
        encoded = json.dumps(footer, sort_keys=True, separators=(",", ":")).encode()
        own = xxhash.xxh3_64_digest(encoded + name_of(address))
        sink.write(encoded + len(encoded).to_bytes(8, "little") + own + MARK)


def _blocks(column: Array | Gathered, start: int, stop: int) -> Iterator[Array]:
    if isinstance(column, np.ndarray):
        yield np.ascontiguousarray(column[start:stop])
    else:
        yield from column.blocks(start, stop)


def read_about(store: Store, address: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The writer's notes about the file, and the number of values of each column over all partitions."""
    with store.open(address) as file:
        footer = _Reader(store, address, file).footer
    totals = {name: total for (name, _), total in zip(footer["columns"], footer["totals"], strict=True)}
    return footer["about"], totals


def read_partition(store: Store, address: str, partition: int) -> Columns:
    """The columns of one partition; views of the file where the root is local."""
    with store.open(address) as file:
        return next(_Reader(store, address, file).parts(partition, partition + 1))


def read_partitions(store: Store, address: str) -> list[Columns]:
    """The columns of every partition of a file, by one read."""
    with store.open(address) as file:
        reader = _Reader(store, address, file)
        return list(reader.parts(0, reader.footer["partitions"]))


def read_all(store: Store, addresses: Sequence[str], partition: int) -> Columns:
    """One partition of several files, their columns one after another in the order of the addresses."""
    return concatenate(read_partition(store, address, partition) for address in addresses)


def concatenate(parts: Iterable[Columns]) -> Columns:
    """Join equal sets of columns end to end."""
    found = list(parts)
    if len(found) == 1:
        return found[0]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


class _Reader:
    """An open file and its footer."""

    def __init__(self, store: Store, address: str, file: Any) -> None:
        self.store, self.address, self.file = store, address, file
        size = file.size()
        self.tail_start = max(0, size - TAIL_BYTES)
        self.tail = self._read(self.tail_start, size)
        tail = bytes(self.tail[-24:])
        self.end = size - 24 - int.from_bytes(tail[:8], "little")
        if len(tail) < 24 or tail[16:] != MARK or self.end < 0:
            raise _corrupt(store, address, "no footer")
        encoded = self._bytes(self.end, size - 24)
        sums = xxhash.xxh3_64_digest(bytes(encoded) + name_of(address)), xxhash.xxh3_64_digest(encoded)
        if tail[8:16] not in sums:  # the second in older files
            raise _corrupt(store, address, f"the footer does not match its checksum, {MISPLACED}")
        self.footer: dict[str, Any] = json.loads(bytes(encoded))

    def parts(self, first: int, last: int) -> Iterator[Columns]:
        """The columns of partitions ``first`` to ``last - 1``."""
        names = self.footer["columns"]
        row_bytes = 8 * (len(names) + 2)
        table_start = self.end - self.footer["partitions"] * row_bytes
        rows = self._bytes(table_start + first * row_bytes, min(table_start + (last + 1) * row_bytes, self.end))
        table = np.frombuffer(rows, "<u8").reshape(-1, len(names) + 2)
        bounds = [*table[:, -2].tolist(), table_start][: last - first + 1]
        data = self._read(bounds[0], bounds[-1])
        for number in range(last - first):
            row = table[number]
            part = data[bounds[number] - bounds[0] : bounds[number + 1] - bounds[0]]
            digest = xxhash.xxh3_64(row[:-1].tobytes())
            digest.update(part)
            if digest.intdigest() != row[-1]:
                raise _corrupt(self.store, self.address, f"partition {first + number} does not match its checksum")
            columns: Columns = {}
            position = 0
            for (name, dtype), count in zip(names, row[:-2].tolist(), strict=True):
                columns[name] = np.frombuffer(part, dtype, count, position)
                position += columns[name].nbytes
            yield columns

    def _bytes(self, start: int, stop: int) -> memoryview:
        """Bytes of the file, from the tail where it holds them."""
        if start >= self.tail_start:
            return self.tail[start - self.tail_start : stop - self.tail_start]
        return self._read(start, stop)

    def _read(self, start: int, stop: int) -> memoryview:
        self.file.seek(max(0, start))
        return memoryview(self.file.read_buffer(max(0, stop - start)))


def _corrupt(store: Store, address: str, what: str) -> CorruptIntermediate:
    store.remove(address)
    return CorruptIntermediate(address, what)


def problem(store: Store, address: str) -> str:
    """The fault of a file, read from end to end; '' if there is none. It is left where it is."""
    looking: Any = SimpleNamespace(open=store.open, remove=lambda address: None)
    try:
        read_partitions(looking, address)
    except CorruptIntermediate as damage:
        return str(damage.what)
    except (ValueError, IndexError, OverflowError, OSError) as error:  # positions that lead nowhere
        return f"cannot be read: {error}"
    return ""


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
