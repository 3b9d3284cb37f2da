"""Pages with chosen columns of any product side by side, and their text as `kept` leaves it.

For `pipeline.api` and `export parquet|jsonl|arrow`: every product with a row a page is aligned with `documents`, row
for row, so a column is known by its name, or as ``product.column`` where two products have it. ``text`` is the text as
extracted with the views of the mixture applied (spans cut or replaced), or as it stands. A column that some sources are
not measured for is null there. Price: a read of the columns asked for; memory is one row group.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.recipe import graph
from pipeline.recipe.mistakes import nearest
from pipeline.recipe.snapshot import Snapshot
from stages.kernels.columns.gather import splice_spans
from stages.kernels.columns.ragged import offsets_of, text_buffers

DOC_ID = "doc_id"
PAGED = ("documents", *graph.sidecars())


@dataclass(frozen=True)
class Column:
    """A column asked for: its name in the output, the product that has it, its name there and its type."""

    name: str
    product: str
    field: str
    type: pa.DataType


class Pages:
    """The pages of a mixture, split by split."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot, self.store = snapshot, snapshot.store
        self.files = {name: [entry.address for entry in snapshot.product(name)] for name in PAGED}
        self.files = {name: found for name, found in self.files.items() if found}
        if "documents" not in self.files or "kept" not in self.files:
            raise UserError(f"mixture {snapshot.name} is not finished: no pages are kept yet; run it to the end first")
        self.schemas = {name: self._schema(addresses) for name, addresses in self.files.items()}

    def _schema(self, addresses: Sequence[str]) -> dict[str, pa.DataType]:
        """Columns of a product: of one file a folder, since sources may be measured by settings of their own."""
        found: dict[str, pa.DataType] = {}
        for address in {address.rpartition("/")[0]: address for address in addresses}.values():
            with self.store.open(address) as file:
                for field in pq.read_schema(file):
                    found.setdefault(field.name, field.type)
        return found

    def columns(self, names: Sequence[str]) -> list[Column]:
        """Columns by name.

        Raises:
            UserError: naming every unknown column with the nearest known one.
        """
        found, unknown = [], []
        for name in names:
            product, dot, field = name.partition(".")
            holders = [product] if dot and product in self.schemas else list(self.schemas)
            wanted = field if dot and product in self.schemas else name
            holder = next((one for one in holders if wanted in self.schemas[one]), None)
            if holder is None:
                known = list(dict.fromkeys(column for columns in self.schemas.values() for column in columns))
                unknown.append(f"no column {name!r}{nearest(wanted, known)}")
            else:
                found.append(Column(name, holder, wanted, self.schemas[holder][wanted]))
        if unknown:
            raise UserError("; ".join(unknown))
        return found

    def batches(
        self, split: int, columns: Sequence[Column], *, kept: bool = True, domain: str | None = None, views: bool = True
    ) -> Iterator[pa.Table]:
        """Tables of one split, a row group each, with these columns, ``doc_id`` as 32 hex digits.

        Args:
            kept: leave out pages that are dropped.
            domain: of this domain alone.
            views: apply the spans of `kept` to the text.
        """
        aside = self._aside(split, columns)
        decided = self.store.read_table(self.files["kept"][split], ["keep", "domain", "spans"])
        mask = decided["keep"].combine_chunks() if kept else pa.array(np.ones(len(decided), np.bool_))
        if domain is not None:
            mask = pc.fill_null(pc.and_(mask, pc.equal(decided["domain"], domain).combine_chunks()), False)
        own = list(dict.fromkeys(column.field for column in columns if column.product == "documents"))
        with self.store.open(self.files["documents"][split]) as file:
            parquet = pq.ParquetFile(file)
            row = 0
            for group in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(group).num_rows
                here = mask.slice(row, count)
                if pc.any(here).as_py():
                    table = parquet.read_row_group(group, columns=own or [DOC_ID]).filter(here)
                    beside = {name: one.slice(row, count).filter(here) for name, one in aside.items()}
                    spans = decided["spans"].slice(row, count).filter(here) if views else None
                    yield self._table(columns, table, beside, spans)
                row += count

    def _aside(self, split: int, columns: Sequence[Column]) -> dict[str, pa.Table]:
        """The columns of each sidecar that the split's file has."""
        found = {}
        for product in dict.fromkeys(column.product for column in columns if column.product != "documents"):
            address = self.files[product][split]
            with self.store.open(address) as file:
                there = set(pq.read_schema(file).names)
            fields = list(dict.fromkeys(c.field for c in columns if c.product == product and c.field in there))
            found[product] = self.store.read_table(address, fields) if fields else pa.table({})
        return found

    def _table(
        self, columns: Sequence[Column], own: pa.Table, beside: dict[str, pa.Table], spans: pa.ChunkedArray | None
    ) -> pa.Table:
        made = {}
        for column in columns:
            table = own if column.product == "documents" else beside[column.product]
            if column.field not in table.column_names:
                made[column.name] = pa.nulls(len(own), column.type)
            elif column.product == "documents" and column.field == "text" and spans is not None:
                made[column.name] = viewed(table["text"], spans)
            else:
                made[column.name] = hexed(table[column.field].combine_chunks())
        return pa.table(made)


def viewed(text: pa.ChunkedArray, spans: pa.ChunkedArray) -> pa.Array:
    """Texts with spans cut or replaced, as `tokens` reads them."""
    data, offsets = text_buffers(text.combine_chunks())
    listed = spans.combine_chunks()
    counts = pc.fill_null(pc.list_value_length(listed), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if counts.any():
        flat = listed.flatten()
        replacement, replaced = text_buffers(flat.field("replacement"))
        starts, stops = (flat.field(name).to_numpy(zero_copy_only=False) for name in ("start", "stop"))
        data, offsets = splice_spans(data, offsets, offsets_of(counts), starts, stops, replacement, replaced)
    return pa.LargeStringArray.from_buffers(len(text), pa.py_buffer(offsets), pa.py_buffer(data))


def hexed(column: pa.Array) -> pa.Array:
    """Names of 16 bytes as 32 hex digits; other columns as they are."""
    if not pa.types.is_fixed_size_binary(column.type) or column.null_count:
        return column
    width = column.type.byte_width
    raw = column.buffers()[1]
    start = column.offset * width
    digits = binascii.hexlify(memoryview(raw)[start : start + len(column) * width]) if len(column) else b""
    offsets = np.arange(len(column) + 1, dtype=np.int32) * (2 * width)
    return pa.StringArray.from_buffers(len(column), pa.py_buffer(offsets), pa.py_buffer(digits))


def shown_type(column: Column) -> pa.DataType:
    """The type of a column in the output."""
    if column.product == "documents" and column.field == "text":
        return pa.large_string()
    return pa.string() if pa.types.is_fixed_size_binary(column.type) else column.type


def facts(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The counts of `kept` in each split: bytes and pages kept of every domain."""
    found = []
    for entry in snapshot.product("kept"):
        domains: dict[str, list[int]] = {}
        for group in entry.report["groups"]:
            if group["reason"] is None:
                counts = domains.setdefault(group["domain"], [0, 0])
                counts[0] += group["documents"]
                counts[1] += group["text_bytes"]
        found.append({"address": entry.address, "domains": domains})
    return found
