"""The contract of every stage with the pipeline: parameters, splits, tasks and the store.

A stage is a module named after its product (`stages/language.py` makes `language`). It offers, by kind:

*aligned map* (`language`, `quality`, `signatures`): one row out per row of `documents`, in order
    - ``VERSION: int``            raised when the same input and parameters would give other bytes
    - ``Params(StageParams)``     everything a user may set for it in the YAML
    - ``SCHEMA: pa.Schema``       from `stages.schemas`
    - ``identity(params) -> dict``  what else decides its output: hashes of model files, library versions
    - ``prepare(params) -> Callable[[pa.RecordBatch], pa.RecordBatch]``  loads models once, returns the batch function

*exchange* (`clusters`, `shards`): a ``plan`` function that lists its `Wave`s of `Task`s, files in and files out.

Nothing here knows how tasks are run, and nothing here imports Ray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, BinaryIO, ClassVar, Protocol, TypeVar, Union, get_args, get_origin, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from stages.reports import DocumentsReport

T = TypeVar("T")


def _whole_above_one(gpus: float) -> float:
    if (gpus > 1 and gpus != int(gpus)) or 0 < gpus < 0.0001:
        raise ValueError(f"expected a whole number of GPUs, or a share of one from 0.0001 on, found {gpus:g}")
    return gpus


Gpus = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_whole_above_one)]
"""GPUs of a task as Ray reserves them: a share of one, or whole ones."""


class Each(Sequence[T]):
    """A sequence whose members are made when they are looked at; elsewhere it arrives as a list of them.

    What a run holds of each split, times the splits of a dump of a crawl, is the memory of its driver.
    """

    def __init__(self, make: Callable[[int], T], count: int) -> None:
        self._make, self._count = make, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return map(self._make, range(self._count))

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._make(number) for number in range(*index.indices(self._count))]
        if 0 <= index < self._count:
            return self._make(index)
        if not -self._count <= index < 0:
            raise IndexError(index)
        return self._make(index + self._count)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


def _kinds(annotation: Any) -> set[Any]:
    """The types of a field: of a union each."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return set().union(*map(_kinds, parts)) if parts else {annotation}


class StageParams(BaseModel):
    """Base of every stage's parameters: immutable; a key nobody knows is an error, and so is a number without end, or
    true where a number is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: Any, info: ValidationInfo) -> Any:
        """``share: true`` is no share: Python takes true for 1."""
        if isinstance(value, bool) and info.field_name is not None:
            kinds = _kinds(cls.model_fields[info.field_name].annotation)
            if kinds & {int, float} and not kinds & {bool, Any}:
                raise ValueError(f"expected a number, found {str(value).lower()}")
        return value


class GrownParams(StageParams):
    """Parameters whose plain form leaves out those in ``later`` that are at their defaults: what was made before there
    were any stands."""

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        at_default = {name for name in self.later if getattr(self, name) == fields[name].default}
        return {name: value for name, value in plain.items() if name not in at_default}


@dataclass(frozen=True, order=True)
class Split:
    """A piece of input that one task reads: a whole file, or a range of it.

    ``file`` is the path relative to the source's base folder (what stands before the first wildcard), so
    doc_ids survive a move of the data. ``start``/``end`` count bytes (``unit="bytes"``), row groups
    (``"row_groups"``) or record batches (``"batches"``); ``unit="file"`` reads all, with start = end = 0.
    ``etag`` is whatever tells another content under the same name: an object store's ETag, or the time of
    last change of a local file. ``unit="files"`` reads the files named in ``parts``, many small ones, one after the
    other; ``file`` is then the first of them, ``size`` their sum, and ``etag`` a digest of all their identities.
    ``unit="ranges"`` reads records that an index names, of the files in ``parts``; ``size`` is the sum of their bytes.
    """

    source: str
    file: str
    start: int
    end: int
    unit: str
    uri: str
    size: int
    etag: str
    parts: tuple[tuple[str, str, int], ...] = ()
    """(file, uri, size) of each."""
    ranges: tuple[str, ...] = ()
    """The records to read of each part (`stages.formats.ranges.Wanted`, encoded)."""

    @property
    def label(self) -> str:
        """Source and file for people, with which part of the file or how many files more."""
        named = f"{self.source}/{self.file}"
        if len(self.parts) > 1:
            return and_more(named, len(self.parts) - 1)
        return f"{named} from {PLACES[self.unit]} {self.start:,} on" if self.start and self.unit in PLACES else named


PLACES = {"bytes": "byte", "row_groups": "row group", "batches": "batch"}
"""Units of `Split.start`, in words."""


def and_more(first: str, others: int) -> str:
    """The name of a group: that of its first member, and how many are with it."""
    return f"{first} and {others:,} more" if others else first


@dataclass(frozen=True)
class Task:
    """One call of a job function: files in, files out.

    ``job`` is ``"module:function"``; the function is called as ``function(store, **args)`` and returns a small
    JSON-able dict. It must be a pure function of ``args`` and the files they name. A task whose ``outputs``
    (addresses under the root) all exist is not run again.
    """

    job: str
    args: dict[str, Any]
    outputs: tuple[str, ...]
    label: str
    cost: int = 0
    """Bytes of input, for the order of submission (largest first) and for progress."""
    memory: int = 1 << 30
    """Bytes of memory to reserve, from measured peaks."""
    gpus: float = 0
    """GPUs, or the share of one, to reserve."""
    copies: bool = False
    """It only moves ``cost`` bytes from file to file: a few such tasks are done sooner than an engine starts."""


class Tasks(Each[Task]):
    """Tasks of one output each that are made when they are looked at.

    Args:
        make: the task of a number.
        outputs: what each of them writes.
        costs: bytes of input of each.
    """

    def __init__(self, make: Callable[[int], Task], outputs: Sequence[str], costs: Sequence[int]) -> None:
        super().__init__(make, len(outputs))
        self.outputs, self.costs = outputs, costs


@dataclass(frozen=True)
class Wave:
    """Tasks that may run in any order; the next wave starts when all are done."""

    name: str
    tasks: Sequence[Task]
    discard: tuple[str, ...] = field(default=())
    """Address prefixes of intermediate files nobody needs once this wave is whole."""


class TableWriter(Protocol):
    """A Parquet file being written: one row group per batch; set ``report`` before the block ends."""

    report: Mapping[str, Any] | None
    rows: int

    def write(self, batch: pa.RecordBatch | pa.Table) -> None: ...


class Store(Protocol):
    """Files under the root of a run, local or on an object store. Every write is whole or absent."""

    written: dict[str, dict[str, int | str]]
    """``{"bytes", "xxh3_128"}`` of the files written through this object, by address."""

    def exists(self, address: str) -> bool: ...

    def list(self, prefix: str) -> Sequence[tuple[str, int]]:
        """All files under a prefix, recursively, as (address, bytes), sorted by address."""
        ...

    def open(self, address: str) -> pa.NativeFile:
        """Random-access reader, memory-mapped where the root is local, that checks what it reads (`stages.seal`)."""
        ...

    def open_unchecked(self, address: str) -> pa.NativeFile:
        """A file opened for random reads as it is, for those who check it themselves."""
        ...

    def read_bytes(self, address: str) -> bytes: ...

    def read_json(self, address: str) -> Any:
        """A JSON file, its checksum checked."""
        ...

    def read_table(self, address: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A whole Parquet file."""
        ...

    def row_groups(self, address: str, columns: Sequence[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Row groups of a Parquet file in turn, each with the number of its first row."""
        ...

    def read_rows(
        self, address: str, rows: Sequence[int] | npt.NDArray[np.integer], columns: Sequence[str] | None = None
    ) -> Iterator[tuple[slice, pa.Table]]:
        """Rows of a Parquet file by their numbers, rising: (which of ``rows``, their table), a row group at a time.

        Row groups that hold none of them are not read.
        """
        ...

    def metadata(self, address: str) -> dict[str, Any]:
        """The report inside a Parquet or Arrow file of ours: the JSON under the schema key ``gristmill``."""
        ...

    def create(self, address: str) -> AbstractContextManager[BinaryIO]:
        """A sink under a temporary name; renamed to ``address`` when the block ends without an exception."""
        ...

    def write_bytes(self, address: str, data: bytes) -> None: ...

    def write_json(self, address: str, value: Any) -> None:
        """Indented JSON with its checksum."""
        ...

    def arrow_writer(
        self, address: str, schema: pa.Schema, options: pa.ipc.IpcWriteOptions | None = None
    ) -> AbstractContextManager[pa.ipc.RecordBatchFileWriter]:
        """An Arrow IPC file written batch by batch."""
        ...

    def write_table(self, address: str, table: pa.Table, report: Mapping[str, Any] | None = None) -> None:
        """A Parquet file (zstd) with ``report`` as JSON under the schema key ``gristmill``."""
        ...

    def table_writer(self, address: str, schema: pa.Schema) -> AbstractContextManager[TableWriter]:
        """A Parquet file (zstd) written batch by batch, one row group each; finished when the block ends."""
        ...

    def remove(self, prefix: str) -> None: ...


class DocumentReader(Protocol):
    """The reader that `stages.documents` gives for a split: batches to iterate, then an account of what made no row."""

    def __iter__(self) -> Iterator[pa.RecordBatch]: ...

    @property
    def report(self) -> DocumentsReport: ...
