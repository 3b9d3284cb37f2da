"""Damaged files: no exception, no hang, and every record accounted for, whatever is broken."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
import zstandard

from tests.support.archives import PAGE, read, record, whole
from tests.support.mutations import mutate

VARIANTS = 60


def samples() -> dict[str, bytes]:
    pages = [record(PAGE * (i + 1), url=f"https://e.org/{i}") for i in range(6)]
    pages.insert(2, record(kind="request"))
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(gzip.compress(PAGE)), gzip.compress(PAGE))
    encoded = "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip"
    pages.append(record(chunked, http=encoded))
    lines = b"".join(json.dumps({"text": f"words {i}", "url": "u"}).encode() + b"\n" for i in range(30))
    return {
        "a.warc": b"".join(pages),
        "a.warc.gz": b"".join(gzip.compress(page, mtime=0) for page in pages),
        "single.warc.gz": gzip.compress(b"".join(pages), mtime=0),
        "a.warc.zst": b"".join(zstandard.compress(page) for page in pages),
        "a.jsonl": lines,
        "a.jsonl.gz": gzip.compress(lines, mtime=0),
        "a.csv": b'text,url\n"multi\nline",u\n' + b"words,u\n" * 20,
    }


HEAD_HIT = ("no row has", "no text column", "its lines end with", "its values are separated by")
"""What is said of a file whose head line or rows name no text."""


def survive(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    rows, report = read(whole(path))  # `report` itself checks that records add up
    assert len(rows) == report["rows"]
    assert len({row["doc_id"] for row in rows}) == len(rows)
    assert report["records"] or report["bad"] or not content.strip()


@pytest.mark.parametrize("name", sorted(samples()))
def test_made_files_survive_damage(tmp_path: Path, name: str) -> None:
    content = samples()[name]
    for seed in range(VARIANTS):
        try:
            survive(tmp_path / name, mutate(content, seed))
        except Exception as error:
            if any(message in str(error) for message in HEAD_HIT):
                continue
            raise AssertionError(f"{name}, seed {seed}") from error


@pytest.mark.slow
def test_odd_files_survive_damage(shared: Path, tmp_path: Path) -> None:
    zoo = shared / "data" / "zoo"
    files = sorted(p for p in (*zoo.iterdir(), *(zoo / "made").iterdir()) if ".warc" in p.name or ".arc" in p.name)
    rng = random.Random(7)
    for seed in range(400):
        source = rng.choice(files)
        survive(tmp_path / source.name, mutate(source.read_bytes(), seed))
