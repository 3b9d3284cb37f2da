"""Every container gives its rows, and a file read in parts gives the rows of the whole file, once each, in order."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
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

ROWS: list[dict[str, Any]] = [
    {"text": f'Document {i}\nwith, a "quote" and é' * (i % 7 + 1), "url": f"https://e.org/{i}", "license": "MIT"}
    for i in range(500)
]


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


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def delimited(delimiter: str, rows: list[dict[str, Any]] = ROWS) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["url", "license", "text"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def arrow_bytes(kind: str) -> bytes:
    table = pa.Table.from_pylist(ROWS)
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink, row_group_size=60)
        return sink.getvalue()
    opener = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with opener(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=60)
    return sink.getvalue()


FILES = {
    "a.jsonl": lambda: jsonl(ROWS),
    "a.jsonl.gz": lambda: gzip.compress(jsonl(ROWS[:250])) + gzip.compress(jsonl(ROWS[250:])),
    "a.jsonl.zst": lambda: zstandard.compress(jsonl(ROWS[:250])) + zstandard.compress(jsonl(ROWS[250:])),
    "a.jsonl.xz": lambda: lzma.compress(jsonl(ROWS[:250])) + lzma.compress(jsonl(ROWS[250:])),
    "a.jsonl.bz2": lambda: bz2.compress(jsonl(ROWS[:250])) + bz2.compress(jsonl(ROWS[250:])),
    "misnamed.jsonl": lambda: gzip.compress(jsonl(ROWS)),
    "a.csv": lambda: delimited(","),
    "a.tsv.gz": lambda: gzip.compress(delimited("\t")),
    "a.parquet": lambda: arrow_bytes("parquet"),
    "a.arrow": lambda: arrow_bytes("file"),
    "stream.arrow": lambda: arrow_bytes("stream"),
}


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


def tar_of(*members: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive_file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive_file.addfile(info, io.BytesIO(content))
    return sink.getvalue()


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
