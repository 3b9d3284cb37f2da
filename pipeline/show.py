"""`show`: one page through all products, found by its doc_id or URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import snapshot as snapshots
from pipeline.errors import UserError
from pipeline.storage import Store

EXCERPT = 600


@dataclass(frozen=True)
class Found:
    """A page: the position of its split in the products, its row there, and its `documents` row."""

    split: int
    row: int
    document: dict[str, Any]


def find(snapshot: snapshots.Snapshot, page: str) -> list[Found]:
    """Every row with this doc_id (32 hex digits) or URL.

    Raises:
        UserError: when there is none.
    """
    by_id = re.fullmatch(r"[0-9a-fA-F]{32}", page) is not None
    column, value = ("doc_id", bytes.fromhex(page)) if by_id else ("url", page)
    found = []
    for index, entry in enumerate(snapshot.product("documents")):
        with snapshot.store.open(entry.address) as file:
            parquet = pq.ParquetFile(file)
            start = 0
            for group in range(parquet.num_row_groups):
                keys = parquet.read_row_group(group, columns=[column]).column(column)
                scalar = pa.scalar(value, keys.type)
                for row in pc.indices_nonzero(pc.fill_null(pc.equal(keys, scalar), False)).to_pylist():
                    document = parquet.read_row_group(group).slice(row, 1).to_pylist()[0]
                    found.append(Found(index, start + row, document))
                start += len(keys)
    if not found:
        raise UserError(f"no page with {'doc_id' if by_id else 'URL'} {page} in mixture {snapshot.name}")
    return found


def page_text(store: Store, name: str | None, page: str) -> str:
    """The page's row in every product, as text."""
    snapshot = snapshots.load(store, name)
    return "\n".join(describe(snapshot, entry) for entry in find(snapshot, page))


def describe(snapshot: snapshots.Snapshot, found: Found) -> str:
    document = dict(found.document)
    text = document.pop("text")
    lines = ["documents", *fields(document), "", excerpt(text), ""]
    for product in ("language", "quality", "signatures", "clusters", "kept"):
        entry = snapshot.entry(product, found.split)
        if entry:
            row = row_of(snapshot.store, entry.address, found.row)
            row.pop("minhash", None)
            if product == "kept":
                row["failed"] = [rule for bit, rule in enumerate(entry.report["rules"]) if row["failed"] >> bit & 1]
            lines += [product, *fields(row), ""]
    tokens = snapshot.entry("tokens", found.split)
    if tokens:
        lines += ["tokens", *fields(token_row(snapshot.store, tokens.address, document["doc_id"])), ""]
    return "\n".join(lines)


def fields(row: dict[str, Any]) -> list[str]:
    width = max((len(key) for key in row), default=0)
    return [f"  {key:<{width}}  {plain(value)}" for key, value in row.items()]


def plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)


def excerpt(text: str) -> str:
    shown = text[:EXCERPT] + (f" ... ({len(text)} characters)" if len(text) > EXCERPT else "")
    return "\n".join(f"  | {line}" for line in shown.split("\n")) if shown.strip() else "  | (no text)"


def row_of(store: Store, address: str, row: int) -> dict[str, Any]:
    """One row of a Parquet file, reading only its row group."""
    with store.open(address) as file:
        parquet = pq.ParquetFile(file)
        for group in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows
            if row < rows:
                return dict(parquet.read_row_group(group).slice(row, 1).to_pylist()[0])
            row -= rows
    raise UserError(f"{address} has no such row: it is not aligned with its documents; run verify")


def token_row(store: Store, address: str, doc_id: bytes) -> dict[str, Any]:
    with store.open(address) as file:
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            rows = pc.indices_nonzero(pc.equal(batch.column("doc_id"), pa.scalar(doc_id, pa.binary(16)))).to_pylist()
            if rows:
                row = batch.slice(rows[0], 1).to_pylist()[0]
                ids = row.pop("input_ids")
                keep = {key: row[key] for key in ("domain", "order_key", "text_bytes")}
                return {**keep, "num_tokens": len(ids), "input_ids": f"{ids[:12]} ..."}
    return {"num_tokens": "none: the page was dropped"}


def raw_record(store: Store, name: str | None, page: str) -> bytes:
    """The original record of a page, byte for byte, from the input file (which must still be there)."""
    snapshot = snapshots.load(store, name)
    document = find(snapshot, page)[0].document
    raise UserError(f"{document['file']} at {document['offset']}: raw records cannot be read yet")
