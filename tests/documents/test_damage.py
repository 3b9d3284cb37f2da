"""Compressed files with padding, garbage, a wrong checksum, a cut: every whole record before the damage is read."""

from __future__ import annotations

import bz2
import csv
import functools
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stages import documents
from tests.support.archives import read, whole

TEXTS = [f"Document {i} of many, with words {i * 7919 % 1000} that are not all the same" * 3 for i in range(6000)]


def lz4(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1, mtime=0),
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4,
}


def json_lines(texts: list[str]) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def comma_separated(texts: list[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["text"], *([text] for text in texts)])
    return out.getvalue().encode()


def tar(texts: list[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number, text in enumerate(texts):
            member = tarfile.TarInfo(f"{number}.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


KINDS: dict[str, Callable[[list[str]], bytes]] = {"jsonl": json_lines, "csv": comma_separated, "tar": tar}


@functools.cache
def written(kind: str) -> bytes:
    return KINDS[kind](TEXTS)


@functools.cache
def packed(kind: str, codec: str) -> bytes:
    return PACK[codec](written(kind))


@pytest.mark.slow
@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_the_end(tmp_path: Path, kind: str, codec: str) -> None:
    path = tmp_path / f"a.{kind}.{codec}"
    path.write_bytes(packed(kind, codec) + bytes(5000))
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS
    assert report["bad"] == []


def skippable(size: int) -> bytes:
    return b"\x5e\x2a\x4d\x18" + size.to_bytes(4, "little") + b"s" * size


@pytest.mark.parametrize("codec", ["zst", "lz4"])
@pytest.mark.parametrize("end", [skippable(0), skippable(9) + skippable(600_000), b"\0" * 5 + skippable(1), b"\0" * 9])
def test_skippable_frames_at_the_end_and_zero_bytes_are_no_damage(tmp_path: Path, codec: str, end: bytes) -> None:
    path = tmp_path / f"a.jsonl.{codec}"  # a seek table, a seal
    first, second = (PACK[codec](json_lines([text])) for text in ("one", "two"))
    path.write_bytes(first + skippable(4) + b"\0" * 3 + second + end)
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == ["one", "two"]
    assert report["bad"] == []
    path.write_bytes(first + second + skippable(20)[:-1])
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == ["one", "two"]
    assert [one["reason"] for one in report["bad"]] == ["truncated_member"]


@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_garbage_behind_costs_nothing_and_is_reported(tmp_path: Path, kind: str, codec: str) -> None:
    path = tmp_path / f"a.{kind}.{codec}"
    path.write_bytes(packed(kind, codec) + b"trailing garbage")
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS
    assert [(bad["offset"], bad["reason"]) for bad in report["bad"]] == [
        (len(written(kind)), "garbage_between_members")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_checksum_costs_nothing_and_is_reported(tmp_path: Path, kind: str) -> None:
    data = bytearray(packed(kind, "gz"))
    data[-6] ^= 0xFF
    path = tmp_path / f"a.{kind}.gz"
    path.write_bytes(bytes(data))
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS
    assert [bad["reason"] for bad in report["bad"]] == ["damaged_member"]


@pytest.mark.slow
@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lost", [1, 60, 5000])
def test_of_a_cut_file_all_is_read_that_can_be_inflated(tmp_path: Path, kind: str, codec: str, lost: int) -> None:
    path = tmp_path / f"a.{kind}.{codec}"
    path.write_bytes(packed(kind, codec)[:-lost])
    rows, report = read(whole(path))
    if rows[-1]["note"] == "truncated":  # of a tar, a page that is cut
        assert TEXTS[len(rows) - 1].startswith(rows.pop()["text"])
    assert [row["text"] for row in rows] == TEXTS[: len(rows)]
    assert [bad["reason"] for bad in report["bad"]] == ["truncated_member"]
    assert report["num_quarantined"] == 0
    block = {"gz": lost * 40, "zst": 140_000 + lost * 200, "bz2": 900_000, "lz4": 4 << 20, "xz": 70_000 + lost * 200}
    assert sum(map(len, TEXTS[len(rows) :])) <= block[codec]


def test_reading_goes_on_at_the_next_sound_member(tmp_path: Path) -> None:
    damaged = bytearray(packed("jsonl", "gz"))
    damaged[-6] ^= 0xFF
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(bytes(damaged) + b"garbage" + PACK["gz"](json_lines(["after", "it"])))
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == [*TEXTS, "after", "it"]
    assert [bad["reason"] for bad in report["bad"]] == ["damaged_member"]


def test_a_tar_whose_header_is_damaged_is_reported(tmp_path: Path) -> None:
    data = bytearray(written("tar"))
    place = data.index(b"200.txt")
    data[place : place + 300] = b"\xff" * 300
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(data))
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS[:200] + TEXTS[201:]  # the header is lost, and its member with it
    assert [(bad["offset"], bad["reason"]) for bad in report["bad"]] == [(place, "damaged_tar")]


def test_a_cut_page_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.html.gz"
    path.write_bytes(gzip.compress(b"<html><body><p>" + TEXTS[0].encode() * 50, mtime=0)[:-20])
    rows, report = read(whole(path))
    assert [row["note"] for row in rows] == ["truncated"]
    assert [bad["reason"] for bad in report["bad"]] == ["truncated_member"]


def test_padding_behind_a_small_file(shared: Path) -> None:
    folder = shared / "cases" / "gzip-padding"
    rows, report = read(whole(folder / "pad.jsonl.gz"))
    assert (len(rows), report["bad"]) == (50, [])
    rows, report = read(whole(folder / "cut.jsonl.gz"))
    assert len(rows) >= 20
    assert [bad["reason"] for bad in report["bad"]] == ["truncated_member"]


def test_padding_between_members_costs_no_line(tmp_path: Path) -> None:
    data = json_lines(TEXTS[:900])
    for name, pack in PACK.items():
        path = tmp_path / f"a.jsonl.{name}"
        path.write_bytes(pack(data[:7001]) + bytes(512) + pack(data[7001:40000]) + bytes(3) + pack(data[40000:]))
        rows, report = read(whole(path))
        assert [row["text"] for row in rows] == TEXTS[:900]
        assert (report["bad"], report["num_quarantined"]) == ([], 0)


@pytest.mark.parametrize("suffix", ["gz", "zst", "bz2", "lz4", "xz"])
@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream.arrow"])
def test_tables_that_are_entered_at_their_end_may_be_compressed(tmp_path: Path, kind: str, suffix: str) -> None:
    table = pa.table({"text": TEXTS[:50]})
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink)
    else:
        with (pa.ipc.new_stream if "stream" in kind else pa.ipc.new_file)(sink, table.schema) as writer:
            writer.write_table(table)
    path = tmp_path / f"a.{kind}.{suffix}"
    path.write_bytes(PACK[suffix](sink.getvalue()))
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS[:50]
    assert report["bad"] == []
    assert TEXTS[7].encode() in documents.raw_record(whole(path), documents.Params(), path.name, 7)
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as whole_archive:
        whole_archive.add(path, path.name)
    assert [row["text"] for row in read(whole(archive))[0]] == TEXTS[:50]
