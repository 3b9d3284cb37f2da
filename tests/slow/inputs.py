"""What the input files of a run hold, record by record, read by other libraries than ours."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from fastwarc.warc import ArchiveIterator

from pipeline.recipe.snapshot import Snapshot

STEP = 1 << 14
HTML = ("text/html", "application/xhtml+xml")
PLAIN = ("warcinfo", "request", "metadata", "revisit")


def folders(snapshot: Snapshot) -> dict[str, Path]:
    """Every input file by (source, name), from where the last run found it."""
    given = snapshot.store.read_json(f"runs/inputs/{snapshot.name}.json")
    places = {source: Path(entry["folders"][0]) for source, entry in given.items()}
    return {f"{s['source']}\0{s['file']}": places[s["source"]] / s["file"] for s in snapshot.splits()}


def records(snapshot: Snapshot) -> pa.Table:
    """source, raw_bytes (of the payload), lost (why no page was made of it), content_type."""
    rows: list[dict[str, Any]] = []
    for key, path in folders(snapshot).items():
        source = key.partition("\0")[0]
        found = warc(path) if path.name.endswith(".warc.gz") else table(path)
        rows += [{"source": source, "lost": None, "content_type": None} | row for row in found]
    return pa.Table.from_pylist(rows)


def warc(path: Path) -> list[dict[str, Any]]:
    rows = []
    with path.open("rb") as file:
        for record in ArchiveIterator(file, parse_http=False):
            size = record.content_length
            kind = record.headers["WARC-Type"].lower()
            kind = f"{kind}_record" if kind in PLAIN else None
            row: dict[str, Any] = {"raw_bytes": size, "lost": kind}
            if kind is None:
                body = record.reader.read()
                row["raw_bytes"] = len(body)
                head, _, payload = body.partition(b"\r\n\r\n")
                status = int(head.split(None, 2)[1])
                fields = dict(
                    (part.strip().lower() for part in line.split(b":", 1))
                    for line in head.split(b"\r\n")[1:]
                    if b":" in line
                )
                media = fields.get(b"content-type", b"").split(b";")[0].strip().decode()
                if not 200 <= status < 300:
                    row["lost"] = "status_not_ok"
                elif not payload:
                    row["lost"] = "no_body"
                elif media not in HTML:
                    row |= {"lost": "not_html", "content_type": media}
            rows.append(row)
    return rows


def table(path: Path) -> list[dict[str, Any]]:
    """Rows of a table, which count the bytes of their text, or lines of a file."""
    if path.suffix == ".parquet":
        return [{"raw_bytes": len(row.encode())} for row in pq.read_table(path, columns=["text"])["text"].to_pylist()]
    opened: Any = {".gz": gzip.open, ".zst": zstandard.open}.get(path.suffix, open)
    with opened(path, "rb") as file:
        data = file.read()
    return [{"raw_bytes": len(line)} for line in data.split(b"\n") if line.strip()]


def cut_members(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Where the last member of a gzip file begins that ends too early."""
    found = []
    for key, path in folders(snapshot).items():
        source, _, name = key.partition("\0")
        if path.name.endswith(".gz") and (start := unfinished(path)) is not None:
            found.append({"source": source, "file": name, "offset": start})
    return found


def unfinished(path: Path) -> int | None:
    """The first byte of a last member without an end."""
    data = path.read_bytes()
    start, place, member = 0, 0, zlib.decompressobj(31)
    while place < len(data):
        chunk = data[place : place + STEP]
        member.decompress(chunk)
        place += len(chunk)
        while member.eof:
            rest = member.unused_data
            start, member = place - len(rest), zlib.decompressobj(31)
            if not rest:
                break
            member.decompress(rest)
    return start if start < len(data) else None
