"""The kept pages of one split, a row group at a time: their text after the spans of `kept`, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages import schemas
from stages.contract import Store
from stages.kernels.columns.gather import splice_spans
from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of, text_buffers

READ = ("documents", "language", "kept", "clusters")
"""The products whose files it reads whatever scores are carried; `clusters` where there is such a file."""
_DOCUMENT_COLUMNS = ("doc_id", "text_hash", "url", "time", "source", "file", "offset")


@dataclass
class Pages:
    """Kept pages of one row group: their text after the spans, and the columns that travel with them."""

    data: Bytes
    offsets: Offsets
    columns: pa.Table


def read_scores(store: Store, files: Mapping[str, str], names: tuple[str, ...]) -> pa.Table | None:
    """The scores to carry, as float32, and labels as they are; null where the source was not measured for them."""
    found: dict[str, pa.ChunkedArray] = {}
    rows = 0
    elsewhere = [address for name, address in files.items() if name not in READ]
    for address in elsewhere if names else ():
        with store.open(address) as file:
            parquet = pq.ParquetFile(file)
            rows = parquet.metadata.num_rows
            table = parquet.read(columns=[name for name in names if name in parquet.schema_arrow.names])
            found |= dict(zip(table.column_names, table.columns, strict=True))
    if not names or not elsewhere:
        return None
    kinds = schemas.tokens(pa.uint16(), names)
    columns = [
        found[name].cast(kinds.field(name).type) if name in found else pa.nulls(rows, kinds.field(name).type)
        for name in names
    ]
    return pa.table(columns, names=list(names))


def read_pages(store: Store, files: Mapping[str, str], scores: pa.Table | None) -> Iterator[Pages]:
    documents = files["documents"]
    decisions = store.read_table(files["kept"], ["keep", "domain", "spans"])
    sidecars = store.read_table(files["language"], ["language", "confidence"])
    sizes = store.read_table(files["clusters"], ["cluster_size"]) if "clusters" in files else None
    with store.open(documents) as file:
        parquet = pq.ParquetFile(file)
        found = {"documents": parquet.metadata.num_rows, "kept": len(decisions), "language": len(sidecars)}
        found |= {"clusters": len(sizes)} if sizes is not None else {}
        found |= {"scores": len(scores)} if scores is not None else {}
        if len(set(found.values())) > 1:
            raise ValueError(f"files of one split must have the same rows, found {found} ({documents})")
        row = 0
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            keep = decisions["keep"].slice(row, count)
            if pc.any(keep).as_py():
                table = parquet.read_row_group(group, columns=[*_DOCUMENT_COLUMNS, "text"])
                for name in ("language", "confidence"):
                    table = table.append_column(name, sidecars[name].slice(row, count))
                one = pa.repeat(pa.scalar(1, pa.int32()), count)
                table = table.append_column(
                    "cluster_size", sizes["cluster_size"].slice(row, count) if sizes is not None else one
                )
                if scores is not None:
                    for name in scores.column_names:
                        table = table.append_column(name, scores[name].slice(row, count))
                for name in ("domain", "spans"):
                    table = table.append_column(name, decisions[name].slice(row, count))
                yield pages_of(table.filter(keep), documents)
            row += count


def pages_of(table: pa.Table, documents: str) -> Pages:
    """Text with the spans cut or replaced; pages without text fall away later, in `encoding.encode`."""
    table = table.combine_chunks()
    data, offsets = text_buffers(table["text"])
    spans = table["spans"].combine_chunks() if table["spans"].num_chunks != 1 else table["spans"].chunk(0)
    counts = pc.fill_null(pc.list_value_length(spans), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if counts.any():
        flat = spans.flatten()
        replacement, replaced = text_buffers(flat.field("replacement"))

        try:
            data, offsets = splice_spans(
                data,
                offsets,
                offsets_of(counts),
                flat.field("start").to_numpy(zero_copy_only=False),
                flat.field("stop").to_numpy(zero_copy_only=False),
                replacement,
                replaced,
            )
            pa.LargeStringArray.from_buffers(len(table), pa.py_buffer(offsets), pa.py_buffer(data)).validate(full=True)
        except (ValueError, pa.ArrowInvalid) as error:
            raise ValueError(f"{documents}: spans of `kept` do not fit the text: {error}") from error
    return Pages(data, offsets, table.drop_columns(["text", "spans"]))
