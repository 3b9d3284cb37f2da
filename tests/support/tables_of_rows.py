"""The same rows in every format of tables."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

ROWS: list[dict[str, Any]] = [
    {"text": f'Document {i}\nwith, a "quote" and é' * (i % 7 + 1), "url": f"https://e.org/{i}", "license": "MIT"}
    for i in range(500)
]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def delimited(delimiter: str, rows: list[dict[str, Any]] = ROWS) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["url", "license", "text"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def arrow_bytes(kind: str) -> bytes:
    table = pa.Table.from_pylist(ROWS)
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink, row_group_size=60)
        return sink.getvalue()
    opener = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with opener(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=60)
    return sink.getvalue()


FILES = {
    "a.jsonl": lambda: jsonl(ROWS),
    "a.jsonl.gz": lambda: gzip.compress(jsonl(ROWS[:250])) + gzip.compress(jsonl(ROWS[250:])),
    "a.jsonl.zst": lambda: zstandard.compress(jsonl(ROWS[:250])) + zstandard.compress(jsonl(ROWS[250:])),
    "a.jsonl.xz": lambda: lzma.compress(jsonl(ROWS[:250])) + lzma.compress(jsonl(ROWS[250:])),
    "a.jsonl.bz2": lambda: bz2.compress(jsonl(ROWS[:250])) + bz2.compress(jsonl(ROWS[250:])),
    "misnamed.jsonl": lambda: gzip.compress(jsonl(ROWS)),
    "a.csv": lambda: delimited(","),
    "a.tsv.gz": lambda: gzip.compress(delimited("\t")),
    "a.parquet": lambda: arrow_bytes("parquet"),
    "a.arrow": lambda: arrow_bytes("file"),
    "stream.arrow": lambda: arrow_bytes("stream"),
}
