"""Wrong indices, records and servers: each costs what it touches, and is told in one line."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages.formats import web
from stages.formats.ranges import Wanted
from stages.sources import SourceError, SourceParams, list_splits
from tests.support import crawl_indices as made
from tests.support.archives import PAGE, record
from tests.support.index_rows import read
from tests.support.range_server import RangeServer


def small(folder: Path, **changes: Any) -> SourceParams:
    """A file of four pages, and an index of them in which ``changes`` of the third row are made."""
    members = [
        gzip.compress(record(PAGE + b"<p>%d</p>" % number, url=f"https://a.example/{number}")) for number in range(4)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "a.warc.gz").write_bytes(b"".join(members))
    rows = []
    for number, member in enumerate(members):
        at = sum(map(len, members[:number]))
        row = {"warc_filename": "a.warc.gz", "warc_record_offset": at, "warc_record_length": len(member)}
        rows.append({"url": f"https://a.example/{number}", "fetch_status": 200, **row})
    rows[2] |= {key: rows[2][key] + value if isinstance(value, int) else value for key, value in changes.items()}
    return SourceParams(index=(str(made.write_columnar(folder / "index.parquet", rows)),))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"warc_record_length": 1 << 20}, "past_the_end"),
        ({"warc_record_offset": 1 << 20}, "past_the_end"),
        ({"warc_record_length": -9}, "truncated_member"),
        ({"warc_record_offset": 5}, "not_a_record"),
        ({"url": "https://other.example/"}, "other_page_than_indexed"),
    ],
)
@pytest.mark.parametrize("place", ["local", "http"])
def test_a_record_that_is_not_what_the_index_says_is_quarantined(
    tmp_path: Path, place: str, changes: dict[str, Any], reason: str
) -> None:
    params = small(tmp_path, **changes)
    with RangeServer(tmp_path) as server:
        base = server.address if place == "http" else str(tmp_path)
        rows, [report] = read(params.model_copy(update={"base": base}))
    assert [row["url"][-1] for row in rows] == ["0", "1", "3"]
    assert report["records"] == report["indexed"]["wanted"] == 4
    [quarantined] = report["quarantined"]
    assert quarantined["reason"] == reason


def test_a_longer_length_than_the_record_has_harms_nobody(tmp_path: Path) -> None:
    rows, [report] = read(small(tmp_path, warc_record_length=30))
    assert len(rows) == 4
    assert report["quarantined"] == []


def test_damage_costs_the_record_it_touches(tmp_path: Path) -> None:
    params = small(tmp_path)
    [split] = list_splits("web", params)
    data = bytearray((tmp_path / "a.warc.gz").read_bytes())
    second = int(Wanted.decoded(split.ranges[0]).offsets_N[1])
    data[second + 60] ^= 255
    (tmp_path / "a.warc.gz").write_bytes(data)
    rows, [report] = read(params)
    assert [row["url"][-1] for row in rows] == ["0", "2", "3"]
    assert [entry["offset"] for entry in report["quarantined"]] == [second]


@pytest.mark.parametrize("kind", ["zstd", "plain"])
def test_other_compressions_are_read_by_ranges_too(tmp_path: Path, kind: str) -> None:
    import zstandard

    plain = [record(PAGE + b"<p>%d</p>" % number, url=f"https://a.example/{number}") for number in range(40)]
    dictionary = zstandard.train_dictionary(1 << 12, [bytes(one) for one in plain] * 20)
    packer = zstandard.ZstdCompressor(dict_data=dictionary)
    members = [packer.compress(one) if kind == "zstd" else one for one in plain]
    content = dictionary.as_bytes()
    head = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content if kind == "zstd" else b""
    name = "a.warc.zst" if kind == "zstd" else "a.warc"
    (tmp_path / name).write_bytes(head + b"".join(members))
    rows = []
    for number in range(0, 40, 3):
        at = len(head) + sum(map(len, members[:number]))
        place = {"warc_filename": name, "warc_record_offset": at, "warc_record_length": len(members[number])}
        rows.append({"url": f"https://a.example/{number}", "fetch_status": 200, **place})
    index = made.write_columnar(tmp_path / "index.parquet", rows)
    found, _ = read(SourceParams(index=(str(index),)))
    whole, _ = read(SourceParams(paths=(f"{tmp_path}/{name}",)))
    assert found == [row for row in whole if int(row["url"].rpartition("/")[2]) % 3 == 0]
    assert len(found) == 14


@pytest.mark.parametrize(("status", "said"), [(403, "HTTP 403"), (404, "HTTP 404"), (500, "HTTP 500")])
def test_a_server_that_refuses_is_reported_in_one_line(tmp_path: Path, quick: None, status: int, said: str) -> None:
    params = small(tmp_path)
    with RangeServer(tmp_path, status=status) as server:
        params = params.model_copy(update={"base": server.address})
        with pytest.raises(OSError, match=said) as caught:
            read(params)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_too_slow_is_given_up_in_one_line(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "TIMEOUT", 0.1)
    web._pool.cache_clear()
    params = small(tmp_path)
    with RangeServer(tmp_path, answering=0.5) as server, pytest.raises(OSError, match=r"timed out.*5 times") as caught:
        read(params.model_copy(update={"base": server.address}))
    web._pool.cache_clear()
    assert server.address in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["local", "http"])
def test_a_wrong_base_names_the_first_file_that_is_not_there(tmp_path: Path, place: str) -> None:
    params = small(tmp_path)
    with RangeServer(tmp_path) as server:
        base = f"{server.address if place == 'http' else tmp_path}/wrong"
        with pytest.raises((SourceError, FileNotFoundError), match=r"wrong/a\.warc\.gz"):
            read(params.model_copy(update={"base": base}))


def test_a_server_without_ranges_is_reported(tmp_path: Path) -> None:
    with RangeServer(tmp_path, ranges=False) as server:
        params = small(tmp_path).model_copy(update={"base": server.address})
        with pytest.raises(OSError, match="does not answer range requests"):
            read(params)


@pytest.mark.parametrize("place", ["local", "http"])
def test_files_that_are_gone_are_an_error_or_counted(tmp_path: Path, place: str) -> None:
    params = small(tmp_path)
    (tmp_path / "a.warc.gz").rename(tmp_path / "elsewhere")
    with RangeServer(tmp_path) as server:
        gone = params.model_copy(update={"base": server.address} if place == "http" else {})
        with pytest.raises((SourceError, FileNotFoundError), match=r"a\.warc\.gz"):
            read(gone)
        rows, [report] = read(gone.model_copy(update={"missing": "skip"}))
    assert rows == []
    assert report["dropped"]["missing_file"]["records"] == report["indexed"]["wanted"] == 4 if place == "http" else True
    assert report["dropped"]["missing_file"]["records"] == report["records"] == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("missing", "has no warc_record_length and no fetch_status; what it has: url_surtkey, url, warc_filename"),
        (b"PAR1 but no more", "is no Parquet"),
        (b"<html><body>Not found</body></html>", "is neither Parquet nor CDXJ nor CDX; it begins '<html>"),
        (b'a 2026 {"url": "https://a.example/"}', "has no filename and no offset and no length and no status"),
        (b" CDX N b a\nx 2026 y\n", "has no field g (file)"),
        (b"", "holds no line of an index"),
        (gzip.compress(b"x" * 9, mtime=0)[:-5], "that cannot be read to its end"),
    ],
)
def test_what_is_no_index_is_reported_with_what_it_lacks(tmp_path: Path, content: Any, said: str) -> None:
    params = small(tmp_path)
    path = tmp_path / "index.parquet"
    if content == "missing":
        table = pq.read_table(path).drop_columns(["warc_record_length", "fetch_status"])
        pq.write_table(table, path)
    else:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=re.escape(said)) as caught:
        list_splits("web", params.model_copy(update={"where": params.where.model_copy(update={"status": (200,)})}))
    assert "\n" not in str(caught.value)
    assert "index.parquet" in str(caught.value)


def test_rows_that_name_no_place_are_counted(tmp_path: Path) -> None:
    said: list[str] = []
    [split] = list_splits("web", small(tmp_path, warc_record_length=-(1 << 20)), said.append)
    assert len(Wanted.decoded(split.ranges[0])) == 3
    assert said == ["source web: 3 of 4 rows of the index are wanted; 1 rows name no file, offset and length"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "expected either `paths` or `index`, found neither"),
        ({"paths": ["a"], "index": ["b"]}, "found both"),
        ({"paths": ["a"], "where": {"status": 200}}, "`where` selects rows of an `index`"),
        ({"index": ["b"], "where": {"languages": ["german"]}}, "expected codes of ISO 639"),
    ],
)
def test_wrong_settings_are_reported(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        SourceParams(**settings)
