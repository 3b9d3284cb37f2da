"""WARC files made by hand for the tests of `documents`."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages import documents
from stages.contract import Split
from stages.formats.listing import local_etag

PAGE = (
    b"<!DOCTYPE html><html lang=en><head><title>A &amp; B</title></head>"
    b"<body><p>Plain words on a page.</p></body></html>"
)


def record(
    body: bytes = PAGE,
    *,
    kind: str = "response",
    http: str = "Content-Type: text/html; charset=utf-8",
    status: str = "200 OK",
    url: str = "https://example.org/a",
    extra: str = "",
    size: int | None = None,
) -> bytes:
    """One WARC record; ``size`` overrides the true Content-Length."""
    content = body
    if kind == "response":
        content = f"HTTP/1.1 {status}\r\n{http}\r\n\r\n".encode("latin-1") + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-06-12T07:00:00Z\r\n{extra}"
        f"Content-Length: {len(content) if size is None else size}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n\r\n"


def write(path: Path, records: Iterable[bytes]) -> Split:
    """A file of these records, one gzip member each if its name ends in .gz, as one split."""
    pack = (lambda data: gzip.compress(data, 6, mtime=0)) if path.suffix == ".gz" else bytes
    path.write_bytes(b"".join(pack(item) for item in records))
    return whole(path)


def whole(path: Path) -> Split:
    return Split("web", path.name, 0, 0, "file", str(path), path.stat().st_size, local_etag(path.stat()))


def read(split: Split, **params: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All rows as dicts, and the report."""
    reader = documents.read(split, documents.Params(**params))
    rows = [row for batch in reader for row in batch.to_pylist()]
    return rows, reader.report
