"""Tar archives: members are rows, their tables give the rows that they give alone, and of cut ones what came before."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages import documents
from tests.support.archives import PAGE, read, whole
from tests.support.tables_of_rows import FILES, ROWS, jsonl


def tarred() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive_file:
        for name, content in (("x/a.html", PAGE), ("x/b.bin", b"\0" * 10), ("x/c.md", b"# Words")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive_file.addfile(info, io.BytesIO(content))
    return sink.getvalue()


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
def test_members_of_a_tar_are_rows(tmp_path: Path, name: str) -> None:
    content = tarred()
    (tmp_path / name).write_bytes(content if name == "a.tar" else gzip.compress(content))
    rows, report = read(whole(tmp_path / name))
    assert [(row["url"], row["text"]) for row in rows] == [
        ("x/a.html", "Plain words on a page."),
        ("x/c.md", "# Words"),
    ]
    assert report["dropped"]["other_file"]["records"] == 1


def test_a_tar_cut_short_keeps_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tarred()[:700])
    rows, report = read(whole(tmp_path / "a.tar"))
    assert [row["url"] for row in rows] == ["x/a.html"]
    assert report["num_bad"] == 1


def tar_of(*members: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive_file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive_file.addfile(info, io.BytesIO(content))
    return sink.getvalue()


TABLES = ["a.parquet", "a.arrow", "stream.arrow", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv"]


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", TABLES)
def test_tables_in_a_tar_give_the_rows_they_give_alone(tmp_path: Path, name: str, compress: Any) -> None:
    (tmp_path / name).write_bytes(FILES[name]())
    path = tmp_path / ("b.tar" if compress is bytes else "b.tar.gz")
    path.write_bytes(compress(tar_of(("x/p.html", PAGE), (f"x/{name}", FILES[name]()), ("x/q.md", b"# Last"))))
    alone, before = read(whole(tmp_path / name))
    rows, report = read(whole(path))
    columns = ("text", "url", "licence")
    assert [[row[c] for c in columns] for row in rows[1:-1]] == [[row[c] for c in columns] for row in alone]
    assert (rows[0]["url"], rows[-1]["text"]) == ("x/p.html", "# Last")
    assert len({row["doc_id"] for row in rows}) == len({row["offset"] for row in rows}) == len(alone) + 2
    assert report["records"] == before["records"] + 2
    assert report["dropped"] == {}
    for number in (0, 1, 123, len(alone), len(alone) + 1):
        raw = documents.raw_record(whole(path), documents.Params(), path.name, rows[number]["offset"])
        known = PAGE if number == 0 else b"# Last" if number > len(alone) else rows[number]["url"].encode()
        assert known in raw


def test_rows_of_a_tar_that_are_more_than_its_bytes_have_places_of_their_own(tmp_path: Path) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["the same words"] * 9000}), sink)
    assert len(sink.getvalue()) < 4000
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of(("a.parquet", sink.getvalue()), ("b.txt", b"between"), ("c.parquet", sink.getvalue())))
    rows, _ = read(whole(path))
    places = [row["offset"] for row in rows]
    assert places == sorted(set(places))
    assert len(places) == 18001
    assert [row["url"] for row in rows[8999:9002]] == ["a.parquet", "b.txt", "c.parquet"]
    assert documents.raw_record(whole(path), documents.Params(), "a.tar", places[9000]) == b"between"
    assert b"the same" in documents.raw_record(whole(path), documents.Params(), "a.tar", places[18000])


def test_what_is_wrong_in_a_table_of_a_tar_is_said_with_its_place(tmp_path: Path) -> None:
    lines = b'{"text": "good"}\nbroken\n{"text": null}\n'
    path = tmp_path / "a.tar"
    path.write_bytes(
        tar_of(("x.jsonl", lines), ("labels.csv", b"id,label\n1,dog\n"), ("y.parquet", b"PAR1 no"), ("z.arrow", b""))
    )
    rows, report = read(whole(path))
    assert [(row["text"], row["url"], row["offset"]) for row in rows] == [("good", "x.jsonl", 0)]
    assert report["quarantined"] == [{"file": "a.tar", "offset": 17, "reason": "not_json", "line": 2}]
    assert {reason: count["records"] for reason, count in report["dropped"].items()} == {
        "no_text": 1,
        "no_text_column": 1,
    }
    assert [(entry["offset"], entry["reason"]) for entry in report["bad"]] == [
        (2048, "truncated_file"),
        (3072, "empty_file"),
    ]


def test_a_tar_of_tables_without_text_says_which_columns_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(("labels.csv", b"id,label\n1,dog\n")))
    with pytest.raises(documents.ColumnError, match=r"labels.csv.*id, label"):
        read(whole(tmp_path / "a.tar"))


def test_a_table_at_the_end_of_a_cut_tar_gives_its_whole_lines(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(("a.jsonl", jsonl(ROWS)))[:30_000])
    rows, report = read(whole(tmp_path / "a.tar"))
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS[: len(rows)]]
    assert len(rows) > 100
    assert "truncated_file" in {entry["reason"] for entry in report["bad"]}
