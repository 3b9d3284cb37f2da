"""The tables of the report as files for other tools: CSV for people and spreadsheets, Parquet for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.report.columns import Table
from stages.report.tables import build_tables

FLOATS = ("number", "number_change", "seconds", "share", "points")
TEXTS = ("text", "reason", "language")


def export_tables(stats: Mapping[str, Any], costs: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """File name -> content: every table of the page in full, and the base table of tokens.

    Numbers are exact; a value that is not known is an empty field in CSV and a null in Parquet.
    """
    files: dict[str, bytes] = {}
    for table in build_tables(stats, costs):
        columns = [column.key for column in table.columns if column.kind != "parts"]
        files[f"{table.name}.csv"] = csv_bytes(list(table.records()), columns)
        files[f"{table.name}.parquet"] = parquet_bytes(typed(table))
    rows = stats["tokens"]
    if rows:
        files["tokens_groups.csv"] = csv_bytes(rows, list(rows[0]))
        files["tokens_groups.parquet"] = parquet_bytes(pa.Table.from_pylist([encodable(row) for row in rows]))
    return files


def csv_bytes(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    """RFC 4180 with a head line; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([harmless(row[column]) for column in columns] for row in rows)
    return sink.getvalue().encode("utf-8", "replace")


def harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def typed(table: Table) -> pa.Table:
    columns = {}
    for index, column in enumerate(table.columns):
        if column.kind == "parts":
            continue
        values = [row[index] for row in table.rows]
        if column.kind in TEXTS:
            columns[column.key] = pa.array(encodable(values), pa.string())
        else:
            kind = pa.float64() if column.kind in FLOATS else pa.int64()
            columns[column.key] = pa.array(values, kind)
    return pa.table(columns)


def encodable(value: Any) -> Any:
    """Plain data with lone surrogates in its strings replaced, which UTF-8 cannot hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: encodable(entry) for key, entry in value.items()}
    return [encodable(entry) for entry in value] if isinstance(value, list) else value


def parquet_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())
