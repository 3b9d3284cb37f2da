"""Members of tar archives that are compressed pages, or archives of pages themselves."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from stages import documents
from stages.documents.tar_members import members
from tests.support.archives import PAGE, read, record, whole

TEXT = b"Plain words of a file.\n" * 20


def tar_of(**members: bytes) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def warc() -> bytes:
    return b"".join(gzip.compress(record(url=f"https://e.org/{number}")) for number in range(40))


def wacz() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as package:
        package.writestr("archive/a.warc.gz", warc())
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt.gz", gzip.compress(TEXT, mtime=0)),
        ("x.md.bz2", bz2.compress(TEXT)),
        ("x.txt.zst", zstandard.compress(TEXT)),
        ("x.html.gz", gzip.compress(PAGE, mtime=0)),
    ],
)
def test_compressed_pages_of_a_tar_are_pages(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(**{"one.txt": TEXT, name: content, "two.html": PAGE}))
    split = whole(tmp_path / "a.tar")
    rows, report = read(split)
    is_html = ".html" in name
    assert rows[1]["text"] == rows[2 if is_html else 0]["text"]
    assert [row["url"] for row in rows] == ["one.txt", name, "two.html"]
    assert report["dropped"] == {}
    raw = documents.raw_record(split, documents.Params(), "a.tar", rows[1]["offset"])
    assert raw == (PAGE if is_html else TEXT)


@pytest.mark.parametrize("name", ["x.warc.gz", "x.warc", "x.wacz"])
def test_archives_in_a_tar_give_the_pages_they_give_alone(tmp_path: Path, name: str) -> None:
    content = {"x.warc.gz": warc(), "x.warc": gzip.decompress(warc()), "x.wacz": wacz()}[name]
    (tmp_path / name).write_bytes(content)
    alone, before = read(whole(tmp_path / name))
    (tmp_path / "a.tar").write_bytes(tar_of(**{"one.txt": TEXT, name: content, "two.txt": TEXT}))
    split = whole(tmp_path / "a.tar")
    rows, report = read(split)
    assert len(rows) == len(alone) + 2 == 42
    columns = ("text", "url", "time", "title")
    assert [[row[c] for c in columns] for row in rows[1:-1]] == [[row[c] for c in columns] for row in alone]
    assert len({row["doc_id"] for row in rows}) == 42
    assert report["records"] == before["records"] + 2
    raw = documents.raw_record(split, documents.Params(), "a.tar", rows[21]["offset"])
    assert rows[21]["url"] == "https://e.org/20"
    assert b"https://e.org/20\r\n" in raw


def test_damage_in_a_compressed_member_is_reported_with_its_place(tmp_path: Path) -> None:
    cut = gzip.compress(b"".join(b"%d words\n" % (number * 7919) for number in range(5000)))[:-3000]
    (tmp_path / "a.tar").write_bytes(tar_of(**{"x.txt.gz": cut, "y.txt": TEXT}))
    rows, report = read(whole(tmp_path / "a.tar"))
    assert [row["note"] for row in rows] == ["truncated", None]
    assert [(entry["offset"], entry["reason"]) for entry in report["bad"]] == [(0, "truncated_member")]


def test_names_that_are_no_utf8_are_names(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        for name, content in (("caf\xe9.txt", TEXT), ("caf\xe9.jsonl", b'{"text": "Row."}\n')):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (tmp_path / "a.tar").write_bytes(sink.getvalue())
    rows, _ = read(whole(tmp_path / "a.tar"))
    assert [row["url"] for row in rows] == ["caf\ufffd.txt", "caf\ufffd.jsonl"]


@pytest.mark.parametrize("table", [b"", b"PAR1 nope"])
def test_what_stands_behind_a_table_that_cannot_be_read_is_found(tmp_path: Path, table: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(**{"x.parquet": table, "y.txt": TEXT}))
    split = whole(tmp_path / "a.tar")
    [row], _ = read(split)
    assert documents.raw_record(split, documents.Params(), "a.tar", row["offset"]) == TEXT


def texts_of(path: Path) -> list[tuple[str, str]]:
    return [(row["url"], row["text"]) for row in read(whole(path))[0]]


@pytest.mark.parametrize("between", [0, 1 << 17])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_archives_one_behind_the_other_are_all_read(tmp_path: Path, between: int, pack: Any) -> None:
    first = tar_of(**{"a.txt": b"Words one.", "b.jsonl": b'{"text": "Words two."}\n'})
    path = tmp_path / "a.tar"
    path = path if pack is bytes else path.with_suffix(".tar.gz")
    path.write_bytes(pack(first) + pack(bytes(between)) + pack(tar_of(**{"c.txt": b"Words three."})) + pack(first))
    rows, report = read(whole(path))
    found = [("a.txt", "Words one."), ("b.jsonl", "Words two."), ("c.txt", "Words three.")]
    assert [(row["url"], row["text"]) for row in rows] == found + found[:2]
    assert len({row["doc_id"] for row in rows}) == 5
    assert report["num_bad"] == 0
    for row in rows:
        raw = documents.raw_record(whole(path), documents.Params(), path.name, row["offset"])
        assert row["text"].encode() in raw


def test_garbage_behind_the_end_of_a_tar_is_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of(**{"a.txt": b"Words."}) + b"signature" * 1000 + tar_of(**{"b.txt": b"Others."}))
    assert texts_of(path) == [("a.txt", "Words.")]


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_damaged_header_costs_its_member_alone(tmp_path: Path, kind: int) -> None:
    sink = io.BytesIO()
    content = {f"{number:02}-{'long' * 40}.txt": b"Words %d. " % number * 300 for number in range(40)}
    with tarfile.open(fileobj=sink, mode="w", format=kind) as archive:
        for name, text in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    data = bytearray(sink.getvalue())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        places = {info.name: info.offset for info in archive}
    names = list(content)
    for number in (0, 17, 18, 39):  # the first of the blocks of a long name
        data[places[names[number]]] ^= 0xFF
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(data))
    rows, report = read(whole(path))
    sound = {row["url"]: row["text"].encode() for row in rows if row["url"] in content}
    assert sound == {name: text for name, text in content.items() if names.index(name) not in (0, 17, 18, 39)}
    assert len(rows) == 36  # without its long name, the short one behind it ends before the suffix
    assert [bad["offset"] for bad in report["bad"]] == [places[names[number]] for number in (0, 17, 18, 39)]
    assert {bad["reason"] for bad in report["bad"]} == {"damaged_tar"}


@pytest.mark.parametrize("lost", [0, 1, 299, 300, 511, 512])
def test_a_page_at_the_end_of_a_cut_tar_keeps_what_is_there(tmp_path: Path, lost: int) -> None:
    text = b"x" * 11 + b" words" * 200
    whole_tar = tar_of(**{"a.txt": b"First.", "b.txt": text})
    size = whole_tar.index(text) + len(text) - lost
    (tmp_path / "a.tar").write_bytes(whole_tar[:size])
    rows, report = read(whole(tmp_path / "a.tar"))
    assert [row["text"].encode() for row in rows] == [b"First.", text[: len(text) - lost]]
    assert [row["note"] for row in rows] == [None, "truncated" if lost else None]
    assert {bad["reason"] for bad in report["bad"]} <= {"damaged_tar"}
    assert report["num_bad"] == 1 or not lost


def test_however_many_members_there_are_no_more_is_held(tmp_path: Path) -> None:
    stream = io.BytesIO(tar_of(**{f"{number}.bin": b"x" for number in range(2000)}))
    most = [len(member.archive.members) for member in members(stream, lambda *_: None)]
    assert (len(most), max(most)) == (2000, 0)


def test_a_damaged_first_header_of_a_second_archive_is_told_and_costs_its_member_alone(tmp_path: Path) -> None:
    first = tar_of(**{"a.txt": b"Words."})
    second = bytearray(tar_of(**{"b.txt": b"Lost.", "c.txt": b"Others."}))
    second[150] ^= 1
    path = tmp_path / "a.tar"
    path.write_bytes(first + bytes(second))
    rows, report = read(whole(path))
    assert [(row["url"], row["text"]) for row in rows] == [("a.txt", "Words."), ("c.txt", "Others.")]
    assert [(bad["offset"], bad["reason"]) for bad in report["bad"]] == [(len(first), "damaged_tar")]


def test_a_size_of_exabytes_ends_the_archive_and_not_the_patience(tmp_path: Path) -> None:
    data = bytearray(tar_of(**{"a.txt": b"Words.", "b.bin": b"x", "c.txt": b"Others."}))
    head = data[1024:1536]
    head[124:136] = b"\x80" + (1 << 62).to_bytes(11, "big")
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    data[1024:1536] = head
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(data))
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == ["Words."]
    assert [(bad["offset"], bad["reason"]) for bad in report["bad"]] == [(1024, "damaged_tar")]
