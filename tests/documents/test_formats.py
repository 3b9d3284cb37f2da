"""Every container gives its rows, and a file read in parts gives the rows of the whole file, once each, in order."""

from __future__ import annotations

import bz2
import gzip
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stages import documents
from stages.contract import Split
from stages.documents.readers import READERS
from stages.formats import CONTAINERS, Format, format_of
from stages.sources import SourceParams, list_splits
from tests.support.archives import PAGE, read, record, whole
from tests.support.tables_of_rows import FILES, ROWS, delimited, jsonl


def parts(split: Split, count: int, size: int, unit: str) -> list[Split]:
    edges = [size * part // count for part in range(count + 1)]
    return [replace(split, start=a, end=b, unit=unit) for a, b in pairwise(edges)]


def check_parts(split: Split, count: int, size: int, unit: str = "bytes") -> None:
    """The parts' rows are the whole's, and their accounts add up."""
    rows, report = read(split)
    found, records = [], 0
    for part in parts(split, count, size, unit):
        some, account = read(part)
        found += some
        records += account["records"]
    assert found == rows
    assert records == report["records"]


@pytest.mark.parametrize("name", FILES)
def test_every_table_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    rows, report = read(whole(path))
    assert [(r["text"], r["url"], r["licence"]) for r in rows] == [(r["text"], r["url"], "MIT") for r in ROWS]
    assert len({row["doc_id"] for row in rows}) == len(rows) == report["records"]
    assert not report["bad"]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_byte_ranges_of_json_lines_conserve_rows(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(ROWS)[:-1])
    check_parts(whole(path), count, path.stat().st_size)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_byte_ranges_of_csv_conserve_rows(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(delimited(",", [row | {"text": row["text"].replace("\n", " ")} for row in ROWS]))
    check_parts(whole(path), count, path.stat().st_size)


def test_row_groups_and_batches_conserve_rows(tmp_path: Path) -> None:
    for name, unit in (("a.parquet", "row_groups"), ("a.arrow", "batches")):
        path = tmp_path / name
        path.write_bytes(FILES[name]())
        check_parts(whole(path), 4, 9, unit)


def archive(kind: str) -> list[bytes]:
    """Compressed members: pages of many sizes, one split over two members, one damaged, garbage, an empty one."""
    pack: Any = (lambda data: gzip.compress(data, mtime=0)) if kind == "gz" else zstandard.compress
    members = []
    for i in range(300):
        page = record(PAGE + bytes(range(32, 127)) * (i * i % 50), url=f"https://e.org/{i}")
        if i % 41 == 7:
            members += [pack(page[:200]), pack(page[200:])]
        elif i % 53 == 5:
            members.append(pack(page)[:-9] + b"\xff" * 9)
        elif i % 61 == 3:
            members.append(b"no member at all" * 20)
        else:
            members.append(pack(record(kind="request") if i % 3 == 0 else page))
    return members


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("count", [2, 5, 30])
def test_byte_ranges_of_warc_conserve_rows_even_where_it_is_damaged(tmp_path: Path, kind: str, count: int) -> None:
    path = tmp_path / f"a.warc.{kind}"
    path.write_bytes(b"".join(archive(kind)))
    split = whole(path)
    rows, report = read(split)
    assert len(rows) > 150
    found: list[Any] = []
    bad: list[Any] = []
    for part in parts(split, count, path.stat().st_size, "bytes"):
        some, account = read(part)
        found += some
        bad += account["bad"]
    assert found == rows
    assert bad == report["bad"]


def test_a_single_member_is_read_by_one_part(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(b"".join(record(url=f"https://e.org/{i}") for i in range(2000))))
    check_parts(whole(path), 3, path.stat().st_size)


def test_ranges_of_a_real_crawl_conserve_rows(shared: Path) -> None:
    path = shared / "data" / "crawl" / "crawl-00005.warc.gz"
    split = whole(path)
    edges = parts(split, 5, split.size, "bytes")
    assert documents.positions(split, documents.Params()) == [
        place for part in edges for place in documents.positions(part, documents.Params())
    ]


def test_zstd_archives_with_a_dictionary_are_read(tmp_path: Path) -> None:
    pages = [record(url=f"https://e.org/{i}") for i in range(200)]
    dictionary = zstandard.train_dictionary(4096, pages * 5)
    compressor = zstandard.ZstdCompressor(dict_data=dictionary)
    content = dictionary.as_bytes()
    frame = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
    path = tmp_path / "a.warc.zst"
    path.write_bytes(frame + b"".join(compressor.compress(page) for page in pages))
    assert len(read(whole(path))[0]) == 200
    check_parts(whole(path), 4, path.stat().st_size)


ARC = {
    "aut--badexample.arc.gz": 1,
    "warcio--bad.arc": 4,
    "warcio--example-space-in-url.arc": 2,
    "warcio--example.arc": 2,
    "warcio--example.arc.gz": 2,
    "webarchive-commons--IAH-20080430204825-00000-blackbook-truncated.arc": 6,
}


@pytest.mark.parametrize("name", ARC)
def test_every_arc_file_gives_at_least_the_records_others_read(shared: Path, name: str) -> None:
    _, report = read(whole(shared / "data" / "zoo" / name))
    assert report["records"] >= ARC[name]


def test_an_arc_page_is_a_row(shared: Path) -> None:
    rows, _ = read(whole(shared / "data" / "zoo" / "warcio--example-space-in-url.arc"))
    assert rows[0]["url"].endswith("EmailTitle=Examples From The Live Web&IsPopUp=False")
    assert rows[0]["time"].isoformat() == "2014-02-16T05:02:21+00:00"
    assert "This domain is established to be used for illustrative examples" in rows[0]["text"]


def test_folders_of_files_are_grouped_and_each_file_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_bytes(PAGE)
    (tmp_path / "b.md").write_text("# Heading\n\nWords.")
    (tmp_path / "sub" / "c.txt").write_bytes("naïve".encode("latin-1"))
    (tmp_path / "d.html").write_bytes(b"")
    splits = list_splits("web", SourceParams(paths=(str(tmp_path),)))
    rows, damage = [], []
    for split in splits:
        some, report = read(split)
        rows += some
        damage += report["bad"]
    assert {(row["file"], row["text"]) for row in rows} == {
        ("a.html", "Plain words on a page."),
        ("b.md", "# Heading\n\nWords."),
        ("sub/c.txt", "naïve"),
    }
    assert damage == [{"file": "d.html", "offset": 0, "reason": "empty_file"}]
    assert all(row["doc_id"] == documents.doc_id("web", row["file"], 0) for row in rows)


def test_positions_in_a_group_name_the_file(tmp_path: Path) -> None:
    for name in ("a.html", "b.html", "c.html"):
        (tmp_path / name).write_bytes(PAGE)
    files = tuple((name, str(tmp_path / name), len(PAGE)) for name in ("a.html", "b.html", "c.html"))
    split = Split("web", "a.html", 0, 3, "files", files[0][1], 3 * len(PAGE), "x", files)
    places = documents.positions(split, documents.Params())
    reader = documents.read(split, documents.Params(), skip=frozenset(places[1:2]))
    assert [row["file"] for batch in reader for row in batch.to_pylist()] == ["a.html", "c.html"]
    assert reader.report["quarantined"] == [{"file": "b.html", "offset": 0, "reason": "killed_the_process"}]


DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">
<siteinfo><base>https://en.example.org/wiki/Main_Page</base></siteinfo>
<page><title>First page</title><ns>0</ns><id>7</id><revision><id>1</id><timestamp>2024-01-02T03:04:05Z</timestamp>
<model>wikitext</model><text>'''Bold''' and [[Target|a link]].{{cut|this}}

== Section ==
* item
[[Category:Cut]]</text></revision></page>
<page><title>Talk:First page</title><ns>1</ns><id>8</id><revision><text>x</text></revision></page>
<page><title>Other</title><ns>0</ns><id>9</id><redirect title="First page" /><revision><text>x</text></revision></page>
</mediawiki>"""


def test_articles_of_a_dump_are_rows_without_markup(tmp_path: Path) -> None:
    pytest.importorskip("mwparserfromhell")
    (tmp_path / "wiki.xml.bz2").write_bytes(bz2.compress(DUMP.encode()))
    rows, report = read(whole(tmp_path / "wiki.xml.bz2"))
    assert [(row["offset"], row["title"], row["url"]) for row in rows] == [
        (7, "First page", "https://en.example.org/wiki/First_page")
    ]
    assert rows[0]["text"].startswith("Bold and a link.")
    assert "Cut" not in rows[0]["text"]
    assert sorted(report["dropped"]) == ["other_namespace", "redirect"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{not json", "not_json"),
        (b"[1, 2]", "not_json_object"),
        (b'{"text": 5}', "text_not_string"),
        (b'{"text": "' + b"x" * 70_000 + b'"}', "line_over_limit"),
        (b"[" * 5000, "not_json"),
    ],
)
def test_a_line_that_is_no_row_is_quarantined_with_its_place(tmp_path: Path, line: bytes, reason: str) -> None:
    good = b'{"text": "good"}\n'
    (tmp_path / "a.jsonl").write_bytes(good + line + b"\n" + good)
    rows, report = read(whole(tmp_path / "a.jsonl"), max_record_bytes=1 << 16)
    assert [row["text"] for row in rows] == ["good", "good"]
    assert report["quarantined"] == [{"file": "a.jsonl", "offset": len(good), "reason": reason, "line": 2}]


def test_lines_are_numbered_from_the_start_of_the_file_in_every_part(tmp_path: Path) -> None:
    lines = [b"{broken" if number % 7 == 3 else b'{"text": "%d"}' % number for number in range(100)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    size = path.stat().st_size
    found = []
    for start, end in pairwise([0, 1, size // 3, size // 2, size]):
        _, report = read(Split("web", path.name, start, end, "bytes", str(path), end - start, "0"))
        found += [entry["line"] for entry in report["quarantined"]]
    assert found == [number + 1 for number in range(100) if number % 7 == 3]


def test_ids_that_repeat_are_kept_and_have_doc_ids_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 7, "text": "a"}\n' * 3)
    rows, _ = read(whole(tmp_path / "a.jsonl"))
    assert [row["record_id"] for row in rows] == ["7"] * 3
    assert len({row["doc_id"] for row in rows}) == 3


def test_parquet_files_of_different_schemas_are_one_source(tmp_path: Path) -> None:
    tables = {
        "a": pa.table({"text": ["one"], "url": ["u"]}),
        "b": pa.table({"id": [1], "text": pa.array(["two"], pa.large_string()), "extra": [[1, 2]]}),
        "c": pa.table({"text": pa.array(["three"]).dictionary_encode(), "url": pa.nulls(1)}),
        "d": pa.table({"text": pa.array([4], pa.int64())}),
        "e": pa.table({"text": pa.nulls(1, pa.string())}),
        "f": pa.table({"text": pa.array([b"six"], pa.binary())}),
    }
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    [split] = list_splits("web", SourceParams(paths=(str(tmp_path),)))
    rows, report = read(split)
    assert [(row["text"], row["url"], row["record_id"]) for row in rows[:3]] == [
        ("one", "u", None),
        ("two", None, "1"),
        ("three", None, None),
    ]
    assert [(entry["file"], entry["reason"]) for entry in report["quarantined"]][:1] == [
        ("d.parquet", "text_not_string")
    ]
    assert report["dropped"]["no_text"]["records"] == 1


def test_a_row_without_text_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": null}\n{"text": ""}\n\n{"text": "\\ud800 x"}\n')
    rows, report = read(whole(tmp_path / "a.jsonl"))
    assert [row["text"] for row in rows] == ["", "� x"]
    assert report["dropped"] == {"no_text": {"records": 1, "bytes": 14}}


def test_a_csv_row_of_the_wrong_width_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,url\nfine,u\nthree,fields,here\n"multi\nline",u\n')
    rows, report = read(whole(tmp_path / "a.csv"))
    assert [row["text"] for row in rows] == ["fine", "multi\nline"]
    assert [entry["reason"] for entry in report["quarantined"]] == ["wrong_number_of_fields"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "a.arrow"])
def test_a_wrong_column_name_says_which_there_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name]())
    with pytest.raises(documents.ColumnError, match=r"'body'.*text.*url.*license|'body'.*url.*license.*text"):
        read(whole(tmp_path / name), columns={"text": "body"})


def test_nested_and_renamed_columns_are_found(tmp_path: Path) -> None:
    row = {"doc": {"body": "words"}, "meta": {"href": "u", "when": 1718175600}, "tags": ["CC0"]}
    columns = {"text": "doc.body", "url": "meta.href", "time": "meta.when", "licence": "tags"}
    (tmp_path / "a.jsonl").write_bytes(jsonl([row]))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        [found] = read(whole(tmp_path / name), columns=columns)[0]
        assert (found["text"], found["url"], found["licence"]) == ("words", "u", "CC0")
        assert found["time"].isoformat() == "2024-06-12T07:00:00+00:00"


def test_a_missing_file_is_an_error_or_counted_as_configured(tmp_path: Path) -> None:
    split = Split("web", "gone.jsonl", 0, 0, "file", str(tmp_path / "gone.jsonl"), 1, "0")
    with pytest.raises(FileNotFoundError):
        read(split)
    assert read(split, missing="skip")[1]["bad"] == [{"file": "gone.jsonl", "offset": 0, "reason": "missing_file"}]


def test_every_container_has_a_reader_and_the_other_way_round() -> None:
    assert set(READERS) == set(CONTAINERS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.tgz", Format("tar", "gzip")),
        ("A.TXZ", Format("tar", "xz")),
        ("a.tbz2", Format("tar", "bz2")),
        ("a.tzst", Format("tar", "zstd")),
        ("a.b.tar.xz", Format("tar", "xz")),
        ("txz", None),
        ("a.warc.xz", Format("warc", "xz")),
        ("a.xz", None),
    ],
)
def test_suffixes_tell_container_and_compression(name: str, kind: Format | None) -> None:
    assert format_of(name) == kind
