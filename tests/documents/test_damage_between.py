"""What stands on both sides of a damaged place of a compressed file: nothing is joined over it, no row lost."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from stages.documents import members
from tests.documents.test_damage import PACK
from tests.support.archives import read, record, whole

WORDS = ("river", "mill", "wheel", "stone", "water", "grain", "flour", "sack", "bread", "field", "barley", "oats")


def texts(count: int) -> list[str]:
    rng = random.Random(count)
    return [f"Row {i}: {' '.join(rng.choices(WORDS, k=rng.randrange(5, 60)))} of {i}" for i in range(count)]


def json_line(text: str) -> bytes:
    return json.dumps({"text": text}).encode() + b"\n"


def reasons(report: dict[str, Any]) -> list[str]:
    return [one["reason"] for one in report["bad"]]


def found(path: Path, *parts: bytes) -> tuple[list[str], dict[str, Any]]:
    path.write_bytes(b"".join(parts))
    rows, report = read(whole(path))
    return [row["text"] for row in rows], report


@pytest.mark.parametrize("codec", ["gz", "xz"])
def test_bytes_of_the_next_member_are_none_of_a_cut_one(tmp_path: Path, codec: str) -> None:
    lines = [*map(json_line, texts(300))]
    groups = [b"".join(lines[at : at + 100]) for at in (0, 100, 200)]
    packed = [PACK[codec](group) for group in groups]
    for cut in range(30, len(packed[1]), len(packed[1]) // 40):
        got, report = found(tmp_path / f"a.jsonl.{codec}", packed[0], packed[1][:cut], packed[2])
        assert got[:100] + got[-100:] == texts(300)[:100] + texts(300)[200:]
        assert got[100:-100] == texts(300)[100 : len(got) - 100]
        assert len(reasons(report)) == 1


def test_members_that_a_cut_one_swallows_up_to_the_files_end_are_read(tmp_path: Path) -> None:
    stored = zlib.compressobj(0, zlib.DEFLATED, 31)
    first = stored.compress(b"".join(map(json_line, texts(60)))) + stored.flush()  # a block that states its size
    rest = b"".join(map(json_line, ["after", "it"]))
    got, report = found(tmp_path / "a.jsonl.gz", first[:3000], PACK["gz"](rest))
    assert got == [*texts(60)[: len(got) - 2], "after", "it"]
    assert 2 < len(got) < 40
    assert reasons(report) == ["truncated_member"]


def test_what_only_looks_like_the_next_member_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = gzip.compress(b"text inside a text", mtime=0).decode("latin-1")
    page = f"<p>{inner}</p>".encode("latin-1") + b"<p>sound</p>" * 9000
    stored = zlib.compressobj(0, zlib.DEFLATED, 31)
    whole_page = stored.compress(page) + stored.flush()
    for held in (members.HELD, 1000):
        monkeypatch.setattr(members, "HELD", held)
        got, report = found(tmp_path / "a.html.gz", whole_page)
        assert got[0].count("sound") == 9000
        assert report["bad"] == []


def test_a_record_of_a_cut_member_has_nothing_of_the_next_one(tmp_path: Path) -> None:
    pages = [record(f"<p>{' '.join(texts(200)[i:])}</p>".encode(), url=f"https://e.org/{i}") for i in range(3)]
    packed = [gzip.compress(page, mtime=0) for page in pages]
    for cut in range(200, len(packed[1]), 97):
        path = tmp_path / "a.warc.gz"
        path.write_bytes(packed[0] + packed[1][:cut] + packed[2])
        rows, report = read(whole(path))
        assert [row["url"][-1] for row in rows if row["note"] is None] == ["0", "2"]
        assert len(reasons(report)) >= 1
        for row in rows:
            assert row["text"] in " ".join(texts(200))


def test_no_block_of_bz2_is_read_before_its_checksum(tmp_path: Path) -> None:
    rng = random.Random(1)
    packed = PACK["bz2"](b"".join(map(json_line, texts(400))))
    for _ in range(60):
        damaged = bytearray(packed)
        damaged[rng.randrange(20, len(packed))] ^= 1 << rng.randrange(8)
        got, report = found(tmp_path / "a.jsonl.bz2", bytes(damaged), PACK["bz2"](json_line("after")))
        assert got in (["after"], [*texts(400), "after"])  # the last: damage behind the only block
        assert len(reasons(report)) == 1


@pytest.mark.parametrize("codec", list(PACK))
@pytest.mark.parametrize("between", [b"garbage", b""])
def test_a_whole_line_behind_damage_is_read_and_half_a_line_is_none(tmp_path: Path, codec: str, between: bytes) -> None:
    lines = [json_line(text) for text in texts(9)]
    parts = [b"".join(lines[:3]), b"".join(lines[3:6]), b"".join(lines[6:])]
    packed = [PACK[codec](part) for part in parts]
    damaged = packed[1] if between else packed[1][:-6]
    got, report = found(tmp_path / f"a.jsonl.{codec}", packed[0], damaged, between, packed[2])
    assert got[:3] + got[-3:] == texts(9)[:3] + texts(9)[6:]
    assert set(got) <= set(texts(9))
    assert len(reasons(report)) == 1
    halves = [PACK[codec](b"text\n" + b"\n".join(map(str.encode, ["one", "tw"]))), PACK[codec](b"lve\nthree")]
    got, report = found(tmp_path / f"a.csv.{codec}", halves[0], b"garbage", halves[1])
    assert (got, reasons(report)) == (["one", "three"], ["garbage_between_members"])
    got, report = found(tmp_path / f"a.csv.{codec}", halves[0], b"garbage")
    assert (got, reasons(report)) == (["one", "tw"], ["garbage_between_members"])


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_no_record_of_a_csv_goes_over_a_damaged_place(tmp_path: Path, quoting: Any) -> None:
    values = [f'Row {i} says "hi"\nsecond line of {i}\nthird, line of {i}\n, "" ,"x",\n' for i in range(300)]
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting).writerows([["id", "text"], *([i, value] for i, value in enumerate(values))])
    content = out.getvalue().encode()
    rng = random.Random(2)
    for _ in range(40):
        cuts = [0, *sorted(rng.randrange(2000, len(content)) for _ in range(2)), len(content)]
        packed = [PACK["gz"](content[a:b]) for a, b in itertools.pairwise(cuts)]
        packed[1] = packed[1][: rng.randrange(12, len(packed[1]))]
        got, report = found(tmp_path / "a.csv.gz", *packed)
        assert set(got) <= set(values)
        assert len(reasons(report)) == 1
        whole_before = content[: cuts[1]].count(b"\r\n") - 2
        whole_behind = content[cuts[2] :].count(b"\r\n") - 1
        assert len(got) >= whole_before + whole_behind


def test_a_table_without_its_head_line_is_bad_and_its_rows_are_not_taken_for_one(tmp_path: Path) -> None:
    head = PACK["gz"](b"id,text\n1,one\n")
    got, report = found(tmp_path / "a.csv.gz", head[:12], PACK["gz"](b"2,two\n3,three\n4,four\n"))
    assert (got, reasons(report)) == ([], ["damaged_member", "no_head_line"])
