"""A small dump of a crawl, and the indices that name its captures: Common Crawl's columns, CDXJ, CDX."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.archives import record

LANGUAGES = ("eng", "deu", "eng,deu", "fra", "jpn", None)
WORDS = ("der", "die", "und", "den", "von", "das", "mit", "sich", "auf", "ist", "nicht", "ein", "als", "auch")
Row = dict[str, Any]


def write_dump(folder: Path, files: int = 3, pages: int = 150, dense: bool = False) -> list[Row]:
    """WARC files with request, response and metadata records; the rows of an index of their responses.

    Args:
        dense: pages of a language stand together.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    draw = random.Random(files * 1000 + pages)
    for number in range(files):
        name = f"segments/{number}/CC-{number:05d}.warc.gz"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(gzip.compress(record(b"software: made", kind="warcinfo"), mtime=0))
            for page in range(pages):
                row = _page(draw, number, page, LANGUAGES[page * 5 // pages] if dense else draw.choice(LANGUAGES))
                body = row.pop("body")
                kinds = ("request", "response", "metadata")
                for kind in kinds:
                    data = record(
                        body if kind == "response" else b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                        kind=kind,
                        http=f"Content-Type: {row['content_mime_type']}; charset=utf-8",
                        status=f"{row['fetch_status']} X",
                        url=row["url"],
                    )
                    packed = gzip.compress(data, 6, mtime=0)
                    if kind == "response":
                        rows.append({**row, "warc_filename": name, **_place(file.tell(), len(packed))})
                    file.write(packed)
    return rows


def _place(offset: int, length: int) -> Row:
    return {"warc_record_offset": offset, "warc_record_length": length}


def _page(draw: random.Random, number: int, page: int, language: str | None) -> Row:
    host = f"{draw.choice(('www', 'blog', 'shop'))}.site{page % 7}.{draw.choice(('de', 'org', 'example.com'))}"
    kind = draw.choice(("text/html", "text/html", "text/html", "application/pdf"))
    words = " ".join(draw.choice(WORDS) + str(draw.randrange(100)) for _ in range(draw.randrange(100, 2500)))
    return {
        "body": f"<html><head><title>{page}</title></head><body><p>{words}</p></body></html>".encode(),
        "url": f"https://{host}/{number}/{page}?q=ä",
        "url_host_name": host,
        "fetch_status": draw.choice((200, 200, 200, 404)),
        "content_mime_type": kind,
        "content_mime_detected": kind if draw.random() < 0.9 else None,
        "content_languages": language,
        "content_truncated": draw.choice((None, None, "length")),
    }


def surt_of(url: str) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    return ",".join(reversed(host.split("."))) + ")" + parts.path


def write_columnar(path: Path, rows: Iterable[Row], group: int = 100, leave_out: tuple[str, ...] = ()) -> Path:
    """Rows as Common Crawl's table has them, sorted by their sort keys."""
    found = sorted(({"url_surtkey": surt_of(row["url"]), **row} for row in rows), key=lambda row: row["url_surtkey"])
    table = pa.Table.from_pylist(found)
    types = {"fetch_status": pa.int16(), "warc_record_offset": pa.int32(), "warc_record_length": pa.int32()}
    for name, kind in types.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.drop_columns([name for name in leave_out if name in table.column_names]), path, group)
    return path


NAMES = {
    "url": "url",
    "mime": "content_mime_type",
    "mime-detected": "content_mime_detected",
    "status": "fetch_status",
    "length": "warc_record_length",
    "offset": "warc_record_offset",
    "filename": "warc_filename",
    "languages": "content_languages",
    "truncated": "content_truncated",
}


def cdxj_lines(rows: Iterable[Row]) -> Iterator[str]:
    for row in sorted(rows, key=lambda row: surt_of(row["url"])):
        fields = {ours: str(row[theirs]) for ours, theirs in NAMES.items() if row[theirs] is not None}
        yield f"{surt_of(row['url'])} 20260101000000 {json.dumps(fields)}\n"


def write_cdxj(path: Path, rows: Iterable[Row]) -> Path:
    """Blocks of lines in gzip members, as Common Crawl has them."""
    lines = list(cdxj_lines(rows))
    blocks = (lines[at : at + 50] for at in range(0, len(lines), 50))
    path.write_bytes(b"".join(gzip.compress("".join(block).encode(), mtime=0) for block in blocks))
    return path


def write_cdx(path: Path, rows: Iterable[Row]) -> Path:
    lines = [" CDX N b a m s k r M S V g\n"]
    for row in rows:
        place = f"{row['warc_record_length']} {row['warc_record_offset']} {row['warc_filename']}"
        mime = row["content_mime_detected"] or row["content_mime_type"]
        lines.append(f"{surt_of(row['url'])} 20260101000000 {row['url']} {mime} {row['fetch_status']} X - - {place}\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path
