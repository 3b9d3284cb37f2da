"""Records framed by a kernel, many at a time: the same pages and account as of the reader that takes one by one."""

from __future__ import annotations

import gzip
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stages.documents import archives
from stages.documents.account import Account
from stages.documents.archives import Limits, archive_pages, archive_records, page_of
from stages.documents.heads import ARC, WARC
from stages.documents.page import Page
from tests.support.archives import PAGE, record
from tests.support.mutations import mutate

LIMITS = Limits(64 << 20, 5 << 20, frozenset())
Outcome = tuple[list[dict[str, Any]], dict[str, Any]]


def finished(page: Page) -> dict[str, Any]:
    assert page.finish is not None
    page.finish(page)
    page.finish = None
    return asdict(page)


def framed(path: Path) -> Outcome:
    account = Account(path.name)
    with path.open("rb") as file:
        dialect = ARC if ".arc" in path.name else WARC
        pages = [finished(page) for page in archive_pages(file, account, LIMITS, dialect)]
    account.rows = len(pages)
    account.records += len(pages)
    return pages, account.report()


def one_by_one(path: Path) -> Outcome:
    """The slow twin."""
    account = Account(path.name)
    pages = []
    with path.open("rb") as file:
        for found in archive_records(file, account, LIMITS, ARC if ".arc" in path.name else WARC):
            page = page_of(found, account, LIMITS)
            if page is not None:
                pages.append(finished(page))
    account.rows = len(pages)
    account.records += len(pages)
    return pages, account.report()


HEADS = {
    "plain": "Content-Type: text/html; charset=utf-8",
    "lower": "content-type:text/html",
    "spaced": "Content-Type : text/html",
    "folded": "Content-Type: text/html;\r\n charset=utf-8",
    "twice": "Content-Type: text/html\r\nContent-Type: image/png",
    "high": "Content-Type: text/html\r\nX-Name: b\xe9b\xe9",
    "robots": "Content-Type: text/html\r\nX-Robots-Tag: noai\r\nX-Robots-Tag: noindex\r\nTDM-Reservation: 1",
    "robot": "Content-Type: text/html\r\nX-Robots-Tag: noai, noimageai\r\nContent-Language: cs",
    "signal": "Content-Type: text/html\r\nContent-Signal: search=yes, ai-train=no",
    "usage": "Content-Type: text/html\r\ncontent-usage: train-ai=n\r\nX-Robots-Tag: noai\r\nTDM-Reservation: 1",
    "usages": "Content-Type: text/html\r\nContent-Usage: search=y\r\nContent-Usage: train-ai=n",
    "none": "Server: x",
    "codings": "Content-Type: text/html\r\nContent-Encoding: identity\r\nContent-Encoding: gzip",
    "long": "Content-Type: text/html\r\n" + "\r\n".join(f"X-{i}: {'y' * 100}" for i in range(40)),
}


@pytest.mark.parametrize("name", sorted(HEADS))
@pytest.mark.parametrize("status", ["200 OK", "200", "404 Not Found", "99999 ?", "x", ""])
def test_heads_of_every_kind_read_the_same(tmp_path: Path, name: str, status: str) -> None:
    records = [record(http=HEADS[name], status=status, url=f"https://e.org/{i}") for i in range(3)]
    path = tmp_path / "a.warc.gz"
    path.write_bytes(b"".join(map(gzip.compress, records)))
    assert framed(path) == one_by_one(path)


def test_all_kinds_of_records_are_counted_the_same(tmp_path: Path) -> None:
    kinds = ("warcinfo", "request", "metadata", "revisit", "resource", "conversion", "continuation", "Response", "x")
    records = [record(kind=kind, extra="Content-Type: text/html\r\n") for kind in kinds]
    records += [
        record(),
        record(extra="WARC-Truncated: length\r\n"),
        record(extra="WARC-Segment-Number: 1\r\n"),
        record(size=3),
        record(b""),
        record()[:-4],
    ]
    records += [record(PAGE * 20000), record() + record(), b"", b"\r\n\r\n", record()]
    path = tmp_path / "a.warc.gz"
    for seed in range(5):
        random.Random(seed).shuffle(records)
        path.write_bytes(b"".join(map(gzip.compress, records)))
        pages, report = framed(path)
        assert (pages, report) == one_by_one(path)
        assert report["dropped"]["request_record"]["records"] == 1


def test_most_records_come_framed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests here compare the slow way with itself."""
    path = tmp_path / "a.warc.gz"
    path.write_bytes(b"".join(gzip.compress(record()) for _ in range(200)))
    found: list[int] = []
    monkeypatch.setattr(archives, "framed_payloads", lambda framed, account: found.append(len(framed.places)) or ())
    with path.open("rb") as file:
        list(archives.payloads(file, Account("a"), LIMITS))
    assert sum(found) >= 190


def test_odd_and_damaged_files_read_the_same(shared: Path, tmp_path: Path) -> None:
    zoo = shared / "data" / "zoo"
    files = sorted(p for p in (*zoo.iterdir(), *(zoo / "made").iterdir()) if ".warc" in p.name or ".arc" in p.name)
    for path in files:
        assert framed(path) == one_by_one(path), path.name
    rng = random.Random(11)
    members = [path for path in files if path.suffix == ".gz" and path.stat().st_size < 100_000]
    for seed in range(150):
        source = rng.choice(members)
        path = tmp_path / source.name
        path.write_bytes(mutate(source.read_bytes(), seed))
        assert framed(path) == one_by_one(path), f"{source.name}, seed {seed}"
