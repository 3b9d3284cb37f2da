"""Facts of a product's files as columns, beside its manifest: a run of many splits looks at these alone.

``manifests/<product>-<hash of the addresses>.facts.parquet``: a row a file, in the order of the manifest, with its
``address``, ``bytes``, ``xxh3_128``, the parts of its report that later steps use (`KEYS`; nested ones as JSON), and
what its counts must agree with (``held_*``). The report inside names the manifest it was made with, by the xxh3-128 of
that, and holds the counts of all reports together where the product's reports are counted (`stages.report.tally`).

It holds nothing that the manifest does not: a root made by an earlier program has none, and one that belongs to another
manifest or is damaged is passed over, and the next run makes it again; till then all is read from the manifest, at
thirty times the price.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.store import manifest
from pipeline.store.sinks import METADATA_KEY, Checksum
from pipeline.store.storage import Store
from stages.seal import DamagedFile

NESTED = ("reasons", "domains", "domain_digests", "groups")
KEYS = (*manifest.FACTS, "bad", "unread_bytes", "domains", "tokenizer", "groups")
CHUNK = 4096
AT_ONCE = 1 << 20
"""Values of nested facts held at once: about 90 MB of digests."""
SUFFIX = ".facts.parquet"
Row = dict[str, Any]
_MANIFEST = re.compile(rb'"manifest": ?"([0-9a-f]{32})"\}\Z')
"""The last member of the report inside: its keys are sorted."""


class Facts(Sequence[Row]):
    """Facts of files, in their order: as dicts one by one, or as whole columns."""

    def __init__(self, table: pa.Table | None = None, beside: bool = False, rows: Sequence[Row] = ()) -> None:
        """Facts of a table, or of rows as `flat` makes them. ``beside``: they stand beside a manifest."""
        self.beside = beside
        self._rows = rows
        if table is not None:
            self.table = table

    @cached_property
    def table(self) -> pa.Table:
        """A table of the rows, made only when asked for: an array of values loads pandas, where that is installed."""
        builder = Builder()
        for row in self._rows:
            builder.add(row)
        return builder.table()

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Facts:
        """Facts of files whose checksums do not matter."""
        return cls(rows=[{"bytes": 0} | flat(row) for row in rows])

    def __len__(self) -> int:
        return int(self.table.num_rows) if "table" in vars(self) else len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return _nested(self.table.slice(index % max(1, len(self)), 1).to_pylist()[0])

    def __iter__(self) -> Iterator[Row]:
        for batch in self.table.to_batches(CHUNK):
            yield from map(_nested, batch.to_pylist())

    def column(self, key: str) -> list[Any]:
        """One fact of every file; None where it has none."""
        values: list[Any]
        if "table" not in vars(self):
            values = [row.get(key) for row in self._rows]
        elif key not in self.table.column_names:
            return [None] * len(self)
        else:
            values = self.table.column(key).to_pylist()
        return _decoded(values) if key in NESTED else values

    def stream(self, key: str) -> Iterator[Any]:
        """One fact of every file, of which few are held at a time."""
        if "table" not in vars(self) or key not in self.table.column_names:
            yield from self.column(key)
            return
        for chunk in self.table.column(key).chunks:
            for start in range(0, len(chunk), CHUNK):
                values = chunk.slice(start, CHUNK).to_pylist()
                yield from _decoded(values) if key in NESTED else values

    def each(self, key: str) -> Sequence[Any]:
        """`column`, each value made when it is looked at: strings of the files of a dump take a hundred megabytes."""
        if "table" not in vars(self) or key not in self.table.column_names or key in NESTED:
            return self.column(key)
        return Held(self.table.column(key))

    def distinct(self, key: str) -> list[Any]:
        """The different values of one fact."""
        if "table" not in vars(self) or key not in self.table.column_names:
            found: dict[str, Any] = {json.dumps(value): value for value in self.column(key)}
            return list(found.values())
        values = self.table.column(key).unique().to_pylist()
        return _decoded(values) if key in NESTED else values

    def without(self, *keys: str) -> Facts:
        """These facts without those that nobody asks for again, which take memory."""
        if "table" not in vars(self):
            return self
        return Facts(self.table.select([name for name in self.table.column_names if name not in keys]), self.beside)

    def values(self, key: str, names: Sequence[str]) -> Iterator[tuple[str, list[Any]]]:
        """The values of a fact that is a dict, name by name, in the files that have one, in their order.

        The files are gone through once for every `AT_ONCE` values that there may be.
        """
        step = max(1, AT_ONCE // max(1, len(self)))
        for first in range(0, len(names), step):
            found: dict[str, list[Any]] = {name: [] for name in names[first : first + step]}
            for fact in self.stream(key):
                for name, value in fact.items():
                    if name in found:
                        found[name].append(value)
            yield from found.items()

    def numbers(self, key: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """One number of every file; 0 where it has none."""
        if "table" in vars(self) and key in self.table.column_names:
            known: np.ndarray[Any, np.dtype[np.int64]] = self.table.column(key).fill_null(0).to_numpy().astype(np.int64)
            return known
        return np.array([value or 0 for value in self.column(key)], np.int64)


class Held(Sequence[Any]):
    """The values of a column, made when they are looked at."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(batch.to_pylist() for batch in self._batches())

    def _batches(self) -> Iterator[pa.ChunkedArray]:
        return (self._column.slice(start, CHUNK) for start in range(0, len(self), CHUNK))

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._column.slice(start, max(0, stop - start)).to_pylist()
            return [self[number] for number in range(start, stop, step)]
        return self._column[index].as_py()

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


def _decoded(values: list[str | None]) -> list[Any]:
    """Values of nested facts; all at once, which takes half the time where they are short."""
    decoded: list[Any] = json.loads(f"[{','.join(value or 'null' for value in values)}]")
    return decoded


def _nested(row: Row) -> Row:
    return {
        key: json.loads(value) if key in NESTED else value
        for key, value in row.items()
        if value is not None and key in KEYS
    }


def flat(facts: Mapping[str, Any]) -> Row:
    """Facts as values of columns."""
    return {key: json.dumps(value, ensure_ascii=False) if key in NESTED else value for key, value in facts.items()}


class Builder:
    """Collects rows in any order; columns are as many as the rows have keys."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._chunks: list[pa.Table] = []
        self._places = array("q")

    def add(self, row: Row, place: int | None = None) -> None:
        """``place``: of the row in the table; None: behind the last."""
        self._places.append(len(self._places) if place is None else place)
        self._rows.append(row)
        if len(self._rows) == CHUNK:
            self._flush()

    def _flush(self) -> None:
        names = dict.fromkeys(key for row in self._rows for key in row)
        self._chunks.append(pa.table({name: pa.array([row.get(name) for row in self._rows]) for name in names}))
        self._rows = []

    def places(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.asarray(self._places, np.int64)

    def table(self) -> pa.Table:
        """All rows by their places; columns by name, whatever the order in which rows came."""
        if self._rows:
            self._flush()
        if not self._chunks:
            return pa.table({"bytes": pa.nulls(0, pa.int64())})
        whole = pa.concat_tables(self._chunks, promote_options="permissive")
        named = sorted(name for name in whole.column_names if not pa.types.is_null(whole.schema.field(name).type))
        places = self.places()
        if not bool((places == np.arange(len(places))).all()):
            whole = whole.take(pa.array(np.argsort(places, kind="stable")))
        return whole.select(named).combine_chunks()


def address_of(address: str) -> str:
    """Address of the facts of a manifest's files."""
    return address.removesuffix(".jsonl.zst") + SUFFIX


def write(store: Store, address: str, table: pa.Table, digest: str, counts: Mapping[str, Sequence[int]] | None) -> None:
    """Write the facts beside the manifest ``address``, whose xxh3-128 is ``digest``."""
    store.write_table(address_of(address), table, {"manifest": digest, "counts": counts})


def read(store: Store, address: str, columns: Sequence[str] | None = None) -> Facts:
    """The facts of a manifest's files, or at least those of some columns: from beside it, or from itself.

    Raises:
        DamagedFile: the manifest is not what its seal says.
    """
    found = beside(store, address)
    if found is not None:
        return Facts(found.read(columns), beside=True)
    builder = Builder()
    for entry in manifest.read(store, address):
        builder.add(row_of(entry.address, entry.checksum, flat(entry.facts)))
    return Facts(builder.table())


def row_of(address: str, checksum: Checksum, facts: Row) -> Row:
    return {"address": address, "bytes": checksum["bytes"], "xxh3_128": checksum["xxh3_128"], **facts}


class Beside:
    """The facts that stand beside a manifest, column by column."""

    def __init__(self, store: Store, address: str, report: bytes) -> None:
        self._store, self._address, self._report = store, address, report

    @property
    def counts(self) -> dict[str, list[int]] | None:
        """The counts of all reports together, by name: megabytes of JSON where there are hundreds of domains."""
        found: dict[str, list[int]] | None = json.loads(self._report)["counts"]
        return found

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All facts, or those of some columns that are there."""
        return self._store.read_table(self._address, columns)


def beside(store: Store, address: str) -> Beside | None:
    """The facts beside a manifest; None where there are none of this very manifest.

    Raises:
        DamagedFile: the manifest is not what its seal says.
    """
    place = address_of(address)
    if not store.exists(place):
        return None
    try:
        with store.open(place) as file:
            report = (pq.ParquetFile(file).metadata.metadata or {}).get(METADATA_KEY, b"")
    except (DamagedFile, pa.ArrowException, ValueError, OSError):
        return None
    named = _MANIFEST.search(report)
    return Beside(store, place, report) if named and named[1].decode() == digest(store, address) else None


def digest(store: Store, address: str) -> str:
    """The xxh3-128 of a manifest's lines, its seal checked."""
    return xxhash.xxh3_128_hexdigest(manifest.frames(store, address))
