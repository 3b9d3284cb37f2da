"""WACZ packages: their records are those of the archives in them, however they are packed, divided or damaged."""

from __future__ import annotations

import gzip
import random
import struct
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

from stages import documents
from stages.contract import Split
from stages.documents import zip_entries
from stages.formats.locations import locate, s3_of
from stages.sources import SourceParams, list_splits
from tests.documents.test_formats import check_parts
from tests.support.archives import read, record, whole
from tests.support.mutations import mutate
from tests.support.range_server import RangeServer

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def records(name: str, count: int) -> list[bytes]:
    return [
        record(url=f"https://example.org/{name}/{i}", body=f"<p>Page {i} of {name}.".encode()) for i in range(count)
    ]


ONE, TWO = records("one", 40), records("two", 30)


def zipped(parts: list[bytes]) -> bytes:
    return b"".join(gzip.compress(part, 6, mtime=0) for part in parts)


def package(path: Path, *members: tuple[str, bytes, int]) -> Split:
    with zipfile.ZipFile(path, "w") as file:
        for name, content, how in members:
            file.writestr(zipfile.ZipInfo(name), content, how)
    return whole(path)


def usual(path: Path, how: int = STORED) -> Split:
    return package(
        path,
        ("datapackage.json", b"{}", DEFLATED),
        ("archive/one.warc.gz", zipped(ONE), how),
        ("indexes/index.cdx", b"x" * 1000, STORED),
        ("archive/two.warc.gz", zipped(TWO), how),
        ("pages/pages.jsonl", b"{}\n", DEFLATED),
    )


def texts(rows: list[dict[str, Any]]) -> list[tuple[bytes, int, str]]:
    return [(row["doc_id"], row["offset"], row["text"]) for row in rows]


def urls(rows: list[dict[str, Any]]) -> list[str]:
    return [row["url"] for row in rows]


WANTED = [f"https://example.org/{name}/{i}" for name, count in (("one", 40), ("two", 30)) for i in range(count)]


@pytest.mark.parametrize("how", [STORED, DEFLATED, zipfile.ZIP_BZIP2])
def test_records_have_places_of_their_own_that_lead_back_to_their_bytes(tmp_path: Path, how: int) -> None:
    split = usual(tmp_path / "a.wacz", how)
    rows, report = read(split)
    assert urls(rows) == WANTED
    assert report["records"] == 70
    assert not report["bad"]
    offsets = [row["offset"] for row in rows]
    assert offsets == sorted(set(offsets))
    for row, raw in ((rows[0], ONE[0]), (rows[39], ONE[39]), (rows[40], TWO[0]), (rows[69], TWO[29])):
        assert documents.raw_record(split, documents.Params(), "a.wacz", row["offset"]) == raw[:-4]
    if how == STORED:
        content = (tmp_path / "a.wacz").read_bytes()
        assert gzip.decompress(content[offsets[50] :][: offsets[51] - offsets[50]]) == TWO[10]


@pytest.mark.parametrize("how", [STORED, DEFLATED])
@pytest.mark.parametrize("count", [2, 5, 23])
def test_parts_of_a_package_conserve_rows(tmp_path: Path, how: int, count: int) -> None:
    split = usual(tmp_path / "a.wacz", how)
    check_parts(split, count, split.size)


def test_archives_of_all_kinds_are_read_in_the_order_of_their_places(tmp_path: Path) -> None:
    pack = zstandard.ZstdCompressor().compress
    split = package(
        tmp_path / "a.wacz",
        ("archive/z.warc", b"".join(records("z", 3)), STORED),
        ("archive/y.warc.zst", b"".join(map(pack, records("y", 3))), STORED),
        ("archive/x.warc", b"".join(records("x", 3)), DEFLATED),
        ("archive/empty.warc.gz", b"", STORED),
        ("archive/plain-in-name-only.warc.gz", b"".join(records("w", 3)), STORED),
        ("other/v.warc.gz", zipped(records("v", 3)), STORED),
    )
    rows, report = read(split)
    assert urls(rows) == [f"https://example.org/{name}/{i}" for name in "zyxw" for i in range(3)]
    assert [one["reason"] for one in report["bad"]] == ["empty_file"]
    check_parts(split, 7, split.size)


def test_large_packages_are_divided(tmp_path: Path) -> None:
    noise = random.Random(1)
    many = [record(url=f"https://example.org/{i}", body=noise.randbytes(2000).hex().encode()) for i in range(100)]
    split = package(tmp_path / "a.wacz", ("archive/a.warc.gz", zipped(many), STORED))
    params = SourceParams(paths=[str(tmp_path)], split_bytes=1 << 16)
    found = list_splits("web", params)
    assert [(one.start, one.end, one.unit) for one in found] == [
        (a, b, "bytes") for a, b in pairwise(split.size * i // len(found) for i in range(len(found) + 1))
    ]
    assert len(found) > 1
    assert [url for one in found for url in urls(read(one)[0])] == [f"https://example.org/{i}" for i in range(100)]


def test_packages_on_web_servers_and_s3_are_read_by_ranges(tmp_path: Path, s3: str) -> None:
    split = usual(tmp_path / "a.wacz")
    rows, _ = read(split)
    with RangeServer(tmp_path) as server:
        assert read(replace(split, uri=f"{server.address}/a.wacz"))[0] == rows
    place = f"s3://packages/a.wacz{s3}"
    filesystem, path = locate(place)
    filesystem.create_dir("packages")
    with (tmp_path / "a.wacz").open("rb") as file:
        s3_of(filesystem).put(path, file, split.size)
    assert read(replace(split, uri=place))[0] == rows


# What is wrong


class Pipe:
    """A file that only goes forwards: what writes to it does not know sizes beforehand."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None: ...


@pytest.mark.parametrize("known", [True, False], ids=["sizes before entries", "sizes behind entries"])
def test_of_a_package_that_was_cut_every_whole_record_is_read(tmp_path: Path, known: bool) -> None:
    path = tmp_path / "a.wacz"
    signs = record(body=b"PK\3\4" * 20, kind="resource", url="https://example.org/signs")
    parts = {"pages/pages.jsonl": b"{}\n", "archive/1.warc": b"".join([signs, *ONE]), "archive/2.warc.gz": zipped(TWO)}
    pipe = Pipe()
    with zipfile.ZipFile(path if known else pipe, "w") as file:  # type: ignore[arg-type]
        for name, content in parts.items():
            with file.open(name, "w", force_zip64=not known) as entry:
                entry.write(content)
    data = path.read_bytes() if known else pipe.data
    rows, report = read(changed(path, data))
    assert urls(rows) == WANTED
    assert not report["bad"]
    for cut in (len(data) - 30, rows[60]["offset"] + 40, rows[60]["offset"], rows[20]["offset"] + 3, len(data) // 9):
        split = changed(path, data[:cut])
        left, report = read(split)
        ends = [row["offset"] for row in rows[1:]] + [data.index(b"PK\1\2")]
        whole_ones = [row for row, end in zip(rows, ends, strict=True) if end <= cut]
        assert texts(left)[: len(whole_ones)] == texts(whole_ones)
        assert len(left) <= len(whole_ones) + 1
        assert "truncated_file" in {one["reason"] for one in report["bad"]}
        check_parts(split, 3, split.size)
        if left:
            assert documents.raw_record(split, documents.Params(), "a.wacz", left[-1]["offset"]) is not None


def test_deflated_archives_of_a_package_that_was_cut_are_counted(tmp_path: Path) -> None:
    content = (usual(tmp_path / "a.wacz", DEFLATED), (tmp_path / "a.wacz").read_bytes())[1]
    found = reasons(changed(tmp_path / "a.wacz", content[:-30]))
    assert found == ["0 rows", "truncated_file", "damaged_member", "damaged_member"]


def reasons(split: Split) -> list[str]:
    rows, report = read(split)
    return [f"{len(rows)} rows", *(one["reason"] for one in report["bad"])]


def changed(path: Path, content: bytes) -> Split:
    path.write_bytes(content)
    return whole(path)


def test_what_is_no_whole_package_is_damage_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.wacz"
    usual(path)
    content = path.read_bytes()
    assert reasons(changed(path, content[:20])) == ["0 rows", "truncated_file"]
    assert reasons(changed(path, b"<!DOCTYPE html>" + b"x" * 500)) == ["0 rows", "not_a_zip"]
    assert reasons(package(path, ("warc/one.warc.gz", zipped(ONE), STORED))) == ["0 rows", "no_archive_folder"]
    assert reasons(changed(path, b"")) == ["0 rows", "empty_file"]


def directory(content: bytes, number: int) -> int:
    """Start of the number-th entry of the directory."""
    at = content.index(b"PK\1\2")
    for _ in range(number):
        at = content.index(b"PK\1\2", at + 4)
    return at


def test_members_that_cannot_be_read_are_counted_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wacz"
    usual(path, DEFLATED)
    content = bytearray(path.read_bytes())
    entry = directory(bytes(content), 1)

    def with_field(place: int, layout: str, value: int) -> Split:
        other = bytearray(content)
        struct.pack_into(layout, other, entry + place, value)
        return changed(path, bytes(other))

    assert reasons(with_field(8, "<H", 1)) == ["30 rows", "encrypted_member"]
    assert reasons(with_field(10, "<H", 99)) == ["30 rows", "unknown_compression"]
    assert reasons(with_field(42, "<I", 7)) == ["30 rows", "damaged_member"]
    assert reasons(with_field(20, "<I", 1 << 30)) == ["30 rows", "damaged_member"]
    first = content.index(b"archive/one.warc.gz") + 200
    content[first : first + 50] = b"\xff" * 50
    found = reasons(changed(path, bytes(content)))
    assert "damaged_member" in found
    assert 30 <= int(found[0].split()[0]) < 70


def test_members_that_overlap_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.wacz"
    usual(path, DEFLATED)
    content = bytearray(path.read_bytes())
    first, second = directory(bytes(content), 1), directory(bytes(content), 3)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    assert reasons(changed(path, bytes(content))) == ["40 rows", "overlapping_members"]


@pytest.mark.parametrize("how", [STORED, DEFLATED])
def test_any_bytes_give_rows_or_reasons(tmp_path: Path, how: int) -> None:
    path = tmp_path / "a.wacz"
    usual(path, how)
    content = path.read_bytes()
    for seed in range(150):
        rows, report = read(changed(path, mutate(content, seed)))
        assert len(rows) + sum(one["records"] for one in report["dropped"].values()) <= report["records"]
        assert (
            len(rows) == 70
            or report["bad"]
            or report["num_quarantined"]
            or report["notes"]
            or report["dropped"]
            or rows
        )


def test_a_directory_of_absurd_size_is_not_read() -> None:
    class Huge:
        def seek(self, *_: int) -> int:
            return 0

        def read(self, size: int) -> bytes:
            raise AssertionError(size)

    with pytest.raises(ValueError, match="too many"):
        zip_entries._Bounded(Huge()).read(zip_entries.MAX_DIRECTORY + 1)
