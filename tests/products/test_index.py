"""Records that an index names: the rows that reading everything gives, at the price of what is wanted."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.status import status_text
from pipeline.answers.verify import verify_root
from pipeline.run import driver
from pipeline.store.storage import Store
from stages import documents
from stages.formats import retries, web
from stages.formats.locations import locate
from stages.formats.ranges import Wanted, requests
from stages.sources import SourceError, SourceParams, costs, list_splits
from tests.support import crawl_indices as made
from tests.support.archives import PAGE, record
from tests.support.range_server import RangeServer
from tests.support.runs import made as files_made
from tests.support.runs import run_inline

GERMAN = {"languages": ["deu"], "mime": "text/html", "status": 200}
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    folder = tmp_path_factory.mktemp("dump")
    rows = made.write_dump(folder)
    made.write_columnar(folder / "index" / "part-0.parquet", rows[: len(rows) // 2])
    made.write_columnar(folder / "index" / "part-1.parquet", rows[len(rows) // 3 :])  # some rows stand twice
    made.write_cdxj(folder / "index.cdxj.gz", rows)
    made.write_cdx(folder / "index.cdx", rows)
    return folder, rows


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.01)


def read(params: SourceParams) -> tuple[Rows, list[dict[str, Any]]]:
    """All rows of a source, sorted by file and offset, and the reports of its splits."""
    settings = documents.Params(**params.reading())
    rows, reports = [], []
    for split in list_splits("web", params):
        reader = documents.read(split, settings)
        rows += [row for batch in reader for row in batch.to_pylist()]
        reports.append(reader.report)
    return sorted(rows, key=lambda row: (row["file"], row["offset"])), reports


def everything(folder: Path) -> Rows:
    return read(SourceParams(paths=(f"{folder}/segments/*/*.warc.gz",), base=str(folder)))[0]


def is_german(row: dict[str, Any]) -> bool:
    kind = row["content_mime_detected"] or row["content_mime_type"]
    in_german = "deu" in (row["content_languages"] or "").split(",")
    return in_german and kind == "text/html" and row["fetch_status"] == 200


def places(rows: Rows, choose: Callable[[dict[str, Any]], bool]) -> set[tuple[str, int]]:
    return {(row["warc_filename"], row["warc_record_offset"]) for row in rows if choose(row)}


def of_places(rows: Rows, wanted: set[tuple[str, int]]) -> Rows:
    return [row for row in rows if (row["file"], row["offset"]) in wanted]


@pytest.mark.parametrize("index", ["index", "index/*.parquet", "index.cdxj.gz", "all.paths.gz"])
def test_rows_and_ids_are_those_of_reading_everything_and_filtering(dump: tuple[Path, Rows], index: str) -> None:
    folder, rows = dump
    with gzip.open(folder / "all.paths.gz", "wt") as listed:
        listed.write("index/part-0.parquet\nindex/part-1.parquet\n")
    expected = of_places(everything(folder), places(rows, is_german))
    found, reports = read(SourceParams(index=(f"{folder}/{index}",), base=str(folder), where=GERMAN))
    assert found == expected
    assert len(found) > 50
    assert sum(report["indexed"]["wanted"] for report in reports) == len(places(rows, is_german))


def test_a_server_that_fails_and_cuts_gives_the_same_rows_at_the_same_price(
    dump: tuple[Path, Rows], quick: None
) -> None:
    folder, rows = dump
    wanted = places(rows, is_german)
    bytes_wanted = sum(row["warc_record_length"] for row in rows if is_german(row))
    with RangeServer(folder, rate=0.3, seed=4) as server:
        index = (f"{server.address}/moved/index.cdxj.gz", f"{server.address}/index/part-1.parquet")
        params = SourceParams(index=index, base=f"{server.address}/moved/", where=GERMAN)
        splits = list_splits("web", params)
        planned = costs(splits)["web"]
        server.counts.clear()
        settings = documents.Params(**params.reading())
        found = [row for split in splits for batch in documents.read(split, settings) for row in batch.to_pylist()]
        faults = {name: server.counts[name] for name in ("503", "reset", "cut", "empty")}
    assert sorted(found, key=lambda row: (row["file"], row["offset"])) == of_places(everything(folder), wanted)
    assert min(faults.values()) > 0, faults
    assert planned.bytes_asked == server.counts["bytes"] <= 1.15 * bytes_wanted == 1.15 * planned.bytes_wanted
    assert planned.wanted == len(wanted)


def test_connections_are_used_again(dump: tuple[Path, Rows]) -> None:
    folder, _ = dump
    with RangeServer(folder) as server:
        params = SourceParams(index=(f"{folder}/index.cdxj.gz",), base=server.address, where=GERMAN, range_waste=0)
        splits = list_splits("web", params)
        server.counts.clear()
        settings = documents.Params(**params.reading())
        for split in splits:
            list(documents.read(split, settings))
    assert server.counts["requests"] > 50
    assert server.counts["connections"] <= 8 < server.counts["requests"] / 4


def test_near_records_come_in_few_requests(tmp_path: Path) -> None:
    rows = made.write_dump(tmp_path, files=2, pages=300, dense=True)
    index = made.write_columnar(tmp_path / "index.parquet", rows)
    [cost] = costs(list_splits("web", SourceParams(index=(str(index),), where={"languages": "jpn"}))).values()
    assert cost.wanted == 120
    assert cost.requests * 10 <= cost.wanted
    assert cost.bytes_asked <= 1.15 * cost.bytes_wanted


def test_s3(s3: str, dump: tuple[Path, Rows]) -> None:
    folder, rows = dump
    filesystem, _ = locate("s3://crawl" + s3)
    filesystem.create_dir("crawl")
    for path in sorted(folder.rglob("*.*")):
        if path.is_file():
            with path.open("rb") as file:
                filesystem.handler.put(f"crawl/{path.relative_to(folder)}", file, path.stat().st_size)
    params = SourceParams(index=(f"s3://crawl/index/*.parquet{s3}",), base=f"s3://crawl{s3}", where=GERMAN)
    assert read(params)[0] == of_places(everything(folder), places(rows, is_german))


CONDITIONS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({}, lambda row: True),
    ({"languages": ["de"], "main_language": True}, lambda row: (row["content_languages"] or "").startswith("deu")),
    ({"languages": ["jpn", "fra"]}, lambda row: row["content_languages"] in ("jpn", "fra")),
    ({"status": [404]}, lambda row: row["fetch_status"] == 404),
    ({"hosts": ["blog.site3.de"]}, lambda row: row["url_host_name"] == "blog.site3.de"),
    ({"hosts": ["site3.de", "EXAMPLE.com."]}, lambda row: row["url_host_name"].endswith((".site3.de", "example.com"))),
    ({"hosts": "de"}, lambda row: row["url_host_name"].endswith(".de")),
    ({"hosts": ["ite3.de"]}, lambda row: False),
    ({"min_length": 3000}, lambda row: row["warc_record_length"] >= 3000),
    ({"max_length": 2000}, lambda row: row["warc_record_length"] <= 2000),
    ({"truncated": False}, lambda row: row["content_truncated"] is None),
    (
        {"truncated": True, "mime": ["application/pdf"]},
        lambda row: row["content_truncated"] is not None and is_pdf(row),
    ),
]


def is_pdf(row: dict[str, Any]) -> bool:
    return (row["content_mime_detected"] or row["content_mime_type"]) == "application/pdf"


@pytest.mark.parametrize(
    ("where", "choose"), CONDITIONS, ids=lambda value: str(value) if isinstance(value, dict) else ""
)
@pytest.mark.parametrize("index", ["index/*.parquet", "index.cdxj.gz", "index.cdx"])
def test_each_condition_chooses_what_it_says(
    dump: tuple[Path, Rows], index: str, where: dict[str, Any], choose: Callable[[dict[str, Any]], bool]
) -> None:
    folder, rows = dump
    if index.endswith(".cdx") and {"languages", "truncated"} & set(where):
        with pytest.raises(SourceError, match=r"index\.cdx has no field"):
            list_splits("web", SourceParams(index=(f"{folder}/{index}",), base=str(folder), where=where))
        return
    expected = places(rows, choose)
    params = SourceParams(index=(f"{folder}/{index}",), base=str(folder), where=where)
    if not expected:
        with pytest.raises(SourceError, match="no row of the index meets `where`"):
            list_splits("web", params)
        return
    found = set()
    for split in list_splits("web", params):
        for (file, _, _), encoded in zip(split.parts, split.ranges, strict=True):
            found |= {(file, offset) for offset in Wanted.decoded(encoded).offsets_N.tolist()}
    assert found == expected


def test_numbers_that_are_no_text_name_a_place_and_the_first_record_of_a_file_too(tmp_path: Path) -> None:
    """As indices of WACZ packages have them."""
    lines, held = [], b""
    for page in range(3):
        data = gzip.compress(record(PAGE, url=f"https://one.example/{page}"), mtime=0)
        entry = {
            "url": f"https://one.example/{page}",
            "offset": len(held),
            "length": len(data),
            "filename": "a.warc.gz",
        }
        lines.append(json.dumps({**entry, "status": 200, "truncated": False}))
        held += data
    (tmp_path / "a.warc.gz").write_bytes(held)
    (tmp_path / "index.cdxj").write_text("\n".join(lines))
    for where in ({}, {"status": 200, "truncated": False}):
        rows, _ = read(SourceParams(index=(f"{tmp_path}/index.cdxj",), where=where))
        assert [row["url"] for row in rows] == [f"https://one.example/{page}" for page in range(3)]
        assert rows[0]["offset"] == 0


def test_a_dot_behind_a_host_changes_nothing_in_indices_without_a_column_of_hosts(tmp_path: Path) -> None:
    url = "https://One.example./a"
    data = gzip.compress(record(PAGE, url=url), mtime=0)
    (tmp_path / "a.warc.gz").write_bytes(data)
    entry = {"url": url, "offset": 0, "length": len(data), "filename": "a.warc.gz"}
    (tmp_path / "index.cdxj").write_text(json.dumps(entry))
    rows, _ = read(SourceParams(index=(f"{tmp_path}/index.cdxj",), where={"hosts": ["one.example"]}))
    assert [row["url"] for row in rows] == [url]


def test_a_list_of_addresses(dump: tuple[Path, Rows], tmp_path: Path) -> None:
    folder, rows = dump
    addresses = [row["url"] for row in rows if is_german(row)][::5]
    (tmp_path / "list.txt").write_text("# mine\n" + "\n".join(addresses) + "\nhttps://nowhere.example/\n", "utf-8")
    params = SourceParams(index=(f"{folder}/index.cdx",), base=str(folder), where={"urls": f"{tmp_path}/list.txt"})
    assert [row["url"] for row in read(params)[0]] == [
        row["url"] for row in of_places(everything(folder), places(rows, lambda row: row["url"] in addresses))
    ]


def test_groups_of_rows_without_a_wanted_host_are_not_read(dump: tuple[Path, Rows], monkeypatch: Any) -> None:
    folder, _ = dump
    read_groups: list[int] = []
    inner = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda self, i, *rest: read_groups.append(i) or inner(self, i, *rest)
    )
    params = SourceParams(index=(f"{folder}/index/*.parquet",), base=str(folder), where={"hosts": "site3.de"})
    list_splits("web", params)
    groups = sum(pq.ParquetFile(path).num_row_groups for path in (folder / "index").iterdir())
    assert 0 < len(read_groups) < groups


# Requests


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 900), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.1, 0.5, 3.0]),
    st.sampled_from([500, 4000, 1 << 30]),
)
def test_requests_cover_what_is_wanted_and_little_else(drawn: list[Any], waste: float, most: int) -> None:
    offsets, sizes, at = [], [], 0
    for gap, size, is_near in drawn:
        at += 0 if is_near else gap
        offsets.append(at)
        sizes.append(size)
        at += size
    wanted = Wanted(np.array(offsets), np.array(sizes), np.ones(len(sizes), np.uint32), waste, most)
    again = Wanted.decoded(wanted.encoded())
    assert again.digest() == wanted.digest()
    assert requests(again) == requests(wanted)
    covered, before = 0, -1
    for first, last, begin, end in requests(wanted):
        assert begin == offsets[first] >= before
        assert end == offsets[last - 1] + sizes[last - 1]
        assert end - begin <= most or last - first == 1
        covered += end - begin
        before = end
    assert [one for first, last, *_ in requests(wanted) for one in range(first, last)] == list(range(len(sizes)))
    assert covered <= (1 + waste) * sum(sizes)


def test_a_bad_index_that_names_overlapping_ranges_is_read_once(dump: tuple[Path, Rows]) -> None:
    wanted = Wanted(np.array([10, 15, 40]), np.array([10, 50, 5]), np.zeros(3, np.uint32), 0, 1 << 20)
    assert requests(wanted) == [(0, 3, 10, 65)]


# What is wrong


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


# Runs

MIXTURE = """\
name: indexed
sources:
  web: {{index: "{folder}/index/*.parquet", base: "{folder}", where: {{languages: de, status: 200}}, {extra}}}
kept: {{families: [], rules: {{low_language_confidence: false}}}}
clusters: {{enabled: false}}
domains: {{all: {{sources: [web]}}}}
mixture: {{domains: {{all: {{share: 1}}}}}}
"""


def test_a_run_keeps_the_scan_and_other_requests_redo_nothing(dump: tuple[Path, Rows], tmp_path: Path) -> None:
    folder, rows = dump
    path, root = tmp_path / "m.yaml", tmp_path / "root"
    path.write_text(MIXTURE.format(folder=folder, extra=""))
    text = driver.plan(str(path), Store(str(root)))
    wanted = places(rows, lambda row: "deu" in (row["content_languages"] or "") and row["fetch_status"] == 200)
    assert f"source web: {len(wanted)} records of 3 files in " in text
    assert not (root / "sources").exists()
    assert files_made(run_inline(path, root))["documents"] > 0
    kept = list((root / "sources").glob("index-*.parquet"))
    assert len(kept) == 1
    assert f"index of web: {len(wanted)} records wanted, " in status_text(Store(str(root)))
    verify_root(Store(str(root)), None)
    path.write_text(MIXTURE.format(folder=folder, extra="range_waste: 1"))
    assert files_made(run_inline(path, root)) == {}
    assert list((root / "sources").glob("index-*.parquet")) == kept
