"""Zip archives of pages, tables and archives: each member as it is read alone, and what is wrong with a place."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages import documents
from stages.sources import SourceParams, list_splits
from tests.support.archives import PAGE, read, record, whole

TEXT = b"Plain words of a file.\n" * 20
ROWS = [{"text": f"Row {number} of a table.", "url": f"https://e.org/{number}"} for number in range(300)]
JSONL = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


def warc() -> bytes:
    return b"".join(gzip.compress(record(url=row["url"])) for row in ROWS[:40])


TABLES: dict[str, bytes] = {
    "x.jsonl": JSONL,
    "x.jsonl.gz": gzip.compress(JSONL),
    "x.parquet": parquet(),
    "x.csv": b"url,text\n" + b"".join(f"{row['url']},{row['text']}\n".encode() for row in ROWS),
    "x.warc.gz": warc(),
}
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sink.getvalue()


def reasons(report: dict[str, Any]) -> list[tuple[int, str]]:
    return [(entry["offset"], entry["reason"]) for entry in report["bad"]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", TABLES)
def test_members_of_a_zip_are_what_they_are_alone(tmp_path: Path, name: str, method: int) -> None:
    (tmp_path / name).write_bytes(TABLES[name])
    alone, _ = read(whole(tmp_path / name))
    members = {
        "a/one.txt": TEXT,
        "a/": b"",
        f"b/{name}": TABLES[name],
        "c.html": PAGE,
        "d.bin": b"1",
        "e.md": b"# Last",
    }
    (tmp_path / "a.zip").write_bytes(zipped(members, method))
    split = whole(tmp_path / "a.zip")
    rows, report = read(split)
    columns = ("text", "url", "title")
    assert [[row[c] for c in columns] for row in rows[1:-2]] == [[row[c] for c in columns] for row in alone]
    assert len(alone) in (40, 300)
    assert [rows[0]["url"], rows[-2]["url"], rows[-1]["url"]] == ["a/one.txt", "c.html", "e.md"]
    assert rows[0]["text"] == TEXT.decode()
    assert len({row["doc_id"] for row in rows}) == len({row["offset"] for row in rows}) == len(rows)
    assert report["bad"] == []
    assert {reason: count["records"] for reason, count in report["dropped"].items()} == {"other_file": 1}
    for number, known in ((0, TEXT), (20, b"https://e.org/19"), (-2, PAGE), (-1, b"# Last")):
        raw = documents.raw_record(split, documents.Params(), "a.zip", rows[number]["offset"])
        assert raw == known if number != 20 else known in raw


def test_a_zip_in_a_folder_is_found_and_may_be_compressed_again(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.zip").write_bytes(zipped({"x.jsonl": JSONL}))
    (tmp_path / "in" / "b.zip.gz").write_bytes(gzip.compress(zipped({"x.jsonl": JSONL})))
    [split] = list_splits("web", SourceParams(paths=(str(tmp_path / "in"),)))
    assert [row["text"] for row in read(split)[0]] == 2 * [row["text"] for row in ROWS]


def test_what_a_macintosh_leaves_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"__MACOSX/._a.txt": b"Mac", "b/._a.txt": b"Mac", "a.txt": TEXT}))
    rows, report = read(whole(tmp_path / "a.zip"))
    assert [row["url"] for row in rows] == ["a.txt"]
    assert report["dropped"]["other_file"]["records"] == 2


def test_a_damaged_member_keeps_what_came_before_and_the_next_is_read(tmp_path: Path) -> None:
    rng = random.Random(3)
    lines = b"".join(json.dumps({"text": f"Row {rng.random()}"}).encode() + b"\n" for _ in range(9000))
    data = bytearray(zipped({"x.jsonl": lines, "y.txt": TEXT}))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        entry, place = archive.getinfo("x.jsonl"), archive.getinfo("x.jsonl").header_offset
    middle = 60 + entry.compress_size // 2
    data[middle : middle + 8] = b"\xff" * 8
    (tmp_path / "a.zip").write_bytes(bytes(data))
    rows, report = read(whole(tmp_path / "a.zip"))
    assert len(rows) > 1000
    assert rows[-1]["url"] == "y.txt"
    assert (place, "damaged_member") in reasons(report)


def test_members_that_are_locked_or_of_unknown_compression_are_reported(tmp_path: Path) -> None:
    data = bytearray(zipped({"x.txt": TEXT, "y.txt": TEXT, "z.txt": TEXT}, zipfile.ZIP_STORED))
    heads = [place for place in range(len(data)) if data[place : place + 4] == b"PK\1\2"]
    data[heads[0] + 8] |= 1  # encrypted
    data[heads[1] + 10] = 97
    (tmp_path / "a.zip").write_bytes(bytes(data))
    rows, report = read(whole(tmp_path / "a.zip"))
    assert [row["url"] for row in rows] == ["z.txt"]
    assert [reason for _, reason in reasons(report)] == ["encrypted_member", "unknown_compression"]


def test_what_is_no_whole_zip_is_damage_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    sound = zipped({"x.txt": TEXT, "y.txt": TEXT})
    wrong = bytearray(sound)
    wrong[sound.rfind(b"PK\1\2")] ^= 1
    for content, reason, urls in (
        (sound[:-30], "truncated_file", ["x.txt", "y.txt"]),
        (bytes(wrong), "damaged_directory", ["x.txt", "y.txt"]),
        (b"no zip at all", "not_a_zip", []),
    ):
        path.write_bytes(content)
        rows, report = read(whole(path))
        assert ([row["url"] for row in rows], reasons(report)) == (urls, [(0, reason)])


def test_a_page_of_a_zip_unfolds_to_no_more_than_is_held(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"x.txt": b"a word " * 3_000_000, "y.txt": TEXT}))
    rows, _ = read(whole(tmp_path / "a.zip"), max_html_bytes=70_000, max_record_bytes=100_000)
    assert [row["note"] for row in rows] == ["over_limit", None]
    assert len(rows[0]["text"]) <= 70_000


def test_pictures_under_names_of_text_are_counted_by_type(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"x.txt": b"\x89PNG\r\n\x1a\n" + bytes(200), "y.txt": TEXT}))
    rows, report = read(whole(tmp_path / "a.zip"))
    assert [row["url"] for row in rows] == ["y.txt"]
    assert report["content_types"] == {"image/png": 1}


def test_a_zip_of_tables_without_text_says_which_columns_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"labels.csv": b"id,label\n1,dog\n"}))
    with pytest.raises(documents.ColumnError, match=r"labels.csv.*id, label"):
        read(whole(tmp_path / "a.zip"))


def test_any_bytes_give_rows_or_reasons(tmp_path: Path) -> None:
    rng = random.Random(5)
    sound = zipped({"x.jsonl": JSONL, "y.txt": TEXT, "z.html": PAGE})
    path = tmp_path / "a.zip"
    for _ in range(120):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data[: rng.choice([len(data), rng.randrange(len(data))])]))
        rows, report = read(whole(path))
        assert report["rows"] == len(rows)
        assert rows or report["num_bad"] or report["num_quarantined"] or report["dropped"]
