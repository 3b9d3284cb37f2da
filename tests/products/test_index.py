"""Records that an index names: the rows that reading everything gives, at the price of what is wanted."""

from __future__ import annotations

import gzip
import json
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
from stages.formats.locations import locate
from stages.formats.ranges import Wanted, requests
from stages.sources import SourceError, SourceParams, costs, list_splits
from tests.support import crawl_indices as made
from tests.support.archives import PAGE, record
from tests.support.index_rows import Rows, read
from tests.support.range_server import RangeServer
from tests.support.runs import made as files_made
from tests.support.runs import run_inline

GERMAN = {"languages": ["deu"], "mime": "text/html", "status": 200}


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    folder = tmp_path_factory.mktemp("dump")
    rows = made.write_dump(folder)
    made.write_columnar(folder / "index" / "part-0.parquet", rows[: len(rows) // 2])
    made.write_columnar(folder / "index" / "part-1.parquet", rows[len(rows) // 3 :])  # some rows stand twice
    made.write_cdxj(folder / "index.cdxj.gz", rows)
    made.write_cdx(folder / "index.cdx", rows)
    return folder, rows


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
