"""Reading archives: every record is a row, dropped with a reason or quarantined; damage costs only what it touches."""

from __future__ import annotations

import dataclasses
import gzip
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard

from stages import documents, extraction
from stages.kernels.html.depth import depth
from stages.schemas import DOCUMENTS
from tests.support.archives import PAGE, read, record, whole, write

TEXT = "Plain words on a page."


def test_a_page_is_a_row_with_its_place_and_what_it_says_of_itself(tmp_path: Path) -> None:
    rows, report = read(write(tmp_path / "a.warc.gz", [record(kind="warcinfo"), record()]))
    [row] = rows
    assert row["text"] == TEXT
    assert (row["title"], row["language_declared"], row["charset"]) == ("A & B", "en", "utf-8")
    assert row["url"] == "https://example.org/a"
    assert row["time"].isoformat() == "2024-06-12T07:00:00+00:00"
    assert row["offset"] == len(gzip.compress(record(kind="warcinfo"), 6, mtime=0))
    assert row["doc_id"] == documents.doc_id("web", "a.warc.gz", row["offset"])
    assert row["text_bytes"] == len(TEXT)
    assert report["dropped"]["warcinfo_record"]["records"] == 1
    assert report["records"] == 2


def test_batches_have_the_documents_schema(tmp_path: Path) -> None:
    reader = documents.read(write(tmp_path / "a.warc", [record()] * 3), documents.Params())
    assert all(batch.schema.equals(DOCUMENTS) for batch in reader)
    assert reader.report["rows"] == 3


@pytest.mark.parametrize(
    ("reason", "made"),
    [
        ("request_record", record(kind="request")),
        ("metadata_record", record(kind="metadata")),
        ("revisit_record", record(kind="revisit")),
        ("warcinfo_record", record(kind="warcinfo")),
        ("other_record", record(kind="continuation")),
        ("status_not_ok", record(status="404 Not Found")),
        ("no_body", record(b"")),
        ("not_html", record(b"%PDF-1.7", http="Content-Type: application/pdf")),
    ],
)
def test_what_is_no_page_is_dropped_with_its_reason_and_its_neighbour_stays(
    tmp_path: Path, reason: str, made: bytes
) -> None:
    rows, report = read(write(tmp_path / "a.warc.gz", [made, record()]))
    assert [row["text"] for row in rows] == [TEXT]
    assert {r: d["records"] for r, d in report["dropped"].items()} == {reason: 1}
    assert report["records"] == 2


def test_a_page_nested_too_deep_is_dropped_and_its_neighbour_stays(tmp_path: Path) -> None:
    deep = record(b"<div>" * 100_000 + b"x")
    flat = record(PAGE.replace(b"<p>", b"<p>x" * 5000 + b"<br>" * 5000 + b"<div></div>" * 5000 + b"<p>"))
    rows, report = read(write(tmp_path / "a.warc.gz", [deep, flat, record()]), extractor="resiliparse")
    assert [row["text"][-len(TEXT) :] for row in rows] == [TEXT, TEXT]
    assert report["dropped"] == {"nested_too_deep": {"records": 1, "bytes": 500060}}


def test_no_page_is_too_deep_for_an_extractor_of_linear_time(tmp_path: Path) -> None:
    rows, report = read(write(tmp_path / "a.warc.gz", [record(b"<div>" * 100_000 + b"x")]), extractor="gristmill")
    assert [row["text"] for row in rows] == ["x"]
    assert report["dropped"] == {}


@pytest.mark.parametrize(
    ("html", "levels"),
    [
        (b"", 0),
        (b"<", 0),
        (b"<div", 1),
        (b"<div>" * 9 + b"</div>" * 9, 9),
        (b"<DIV><Div></div></div><b>", 2),
        (b"<p>x<p>y<li><br><img>", 0),
        (b"<!-- <div><div><div> --><i>", 1),
        (b"<script>'<div><div>'</script><style>a<b<c</style><b></b>", 1),
        (b"<svg><g/><g/><g></g></svg>", 2),
        (b"</div></div><div>", 1),
        (b"a < b <1> <?php <b>", 1),
    ],
)
def test_depth_is_that_of_the_open_elements(html: bytes, levels: int) -> None:
    assert depth(html) == levels


@pytest.mark.parametrize("extractor", ["resiliparse", "full_text", "trafilatura"])
def test_other_extractors_are_chosen_by_name(tmp_path: Path, extractor: str) -> None:
    pytest.importorskip("trafilatura" if extractor == "trafilatura" else "resiliparse")
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(PAGE.replace(b"page.", b"page. " * 40))]), extractor=extractor)
    assert rows[0]["text"].startswith("Plain words on a page.")


def test_markdown_marks_headings_and_code_and_other_extractors_refuse_it(tmp_path: Path) -> None:
    page = PAGE.replace(b"<p>", b"<h2>Head</h2><pre>a = 1\nb = 2</pre><p>")
    path = write(tmp_path / "a.warc.gz", [record(page)])
    rows, _ = read(path, markdown=True)
    assert rows[0]["text"] == f"## Head\n\n```\na = 1\nb = 2\n```\n\n{TEXT}"
    with pytest.raises(ValueError, match="expected `extractor: gristmill`"):
        read(path, extractor="resiliparse", markdown=True)


def test_what_decides_the_text_is_in_the_identity_of_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    before = documents.identity(documents.Params(extractor="gristmill"))
    assert set(before) == {"gristmill", "model"}
    model = dataclasses.replace(extraction.load_model(), digest="another model.json")
    monkeypatch.setattr(extraction, "load_model", lambda: model)
    assert documents.identity(documents.Params(extractor="gristmill")) != before
    assert set(documents.identity(documents.Params(extractor="resiliparse"))) == {"resiliparse"}


def test_a_page_without_text_is_a_row(tmp_path: Path) -> None:
    rows, report = read(write(tmp_path / "a.warc.gz", [record(b"<html><script>1</script></html>")]))
    assert [row["text"] for row in rows] == [""]
    assert report["rows"] == 1


def test_a_head_without_length_is_quarantined_with_its_place(tmp_path: Path) -> None:
    broken = record().replace(b"Content-Length", b"Content-Size")
    rows, report = read(write(tmp_path / "a.warc.gz", [record(), broken, record()]))
    assert len(rows) == 2
    [entry] = report["quarantined"]
    assert entry["reason"] == "no_content_length"
    assert entry["offset"] == len(gzip.compress(record(), 6, mtime=0))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PAGE, mtime=0)),
        ("gzip", PAGE),
        ("deflate", zlib.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)[2:-4]),
        ("deflate", PAGE),
        ("br", brotli.compress(PAGE)),
        ("br", PAGE),
        ("zstd", zstandard.compress(PAGE)),
        ("zstd", PAGE),
        ("identity", PAGE),
        ("unheard-of", PAGE),
        ("identity", gzip.compress(PAGE, mtime=0)),
    ],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_bodies_are_decoded_whatever_the_headers_say(tmp_path: Path, coding: str, body: bytes, chunked: bool) -> None:
    http = f"Content-Type: text/html\r\nContent-Encoding: {coding}"
    if chunked:
        http += "\r\nTransfer-Encoding: chunked"
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:20], body[20:])) + b"0\r\n\r\n"
    rows, report = read(write(tmp_path / "a.warc.gz", [record(body, http=http)]))
    assert [row["text"] for row in rows] == [TEXT]
    assert report["notes"] == {}


def test_chunked_declared_over_a_plain_body_is_read_as_it_is(tmp_path: Path) -> None:
    http = "Content-Type: text/html\r\nTransfer-Encoding: chunked"
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(http=http)]))
    assert rows[0]["text"] == TEXT


def test_a_body_cut_short_is_kept_and_marked(tmp_path: Path) -> None:
    body = zlib.compress(PAGE * 50)[:-8]
    http = "Content-Type: text/html\r\nContent-Encoding: deflate"
    rows, report = read(write(tmp_path / "a.warc.gz", [record(body, http=http)]))
    assert rows[0]["note"] == "truncated"
    assert rows[0]["text"].startswith(TEXT)
    assert report["notes"] == {"truncated": 1}


def test_declared_truncation_is_marked(tmp_path: Path) -> None:
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(extra="WARC-Truncated: length\r\n")]))
    assert rows[0]["note"] == "truncated"


def test_xhtml_with_empty_script_elements_keeps_its_text(tmp_path: Path) -> None:
    page = (
        b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head>'
        b"<body><p>Text after an empty script.</p></body></html>"
    )
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(page, http="Content-Type: application/xhtml+xml")]))
    assert rows[0]["text"] == "Text after an empty script."


def test_a_page_of_50_mb_is_cut_and_marked(tmp_path: Path) -> None:
    big = record(b"<p>" + b"word " * 10_000_000)
    rows, report = read(write(tmp_path / "a.warc.gz", [big, record()]), max_html_bytes=1 << 20)
    assert rows[0]["note"] == "over_limit"
    assert rows[0]["text_bytes"] <= 1 << 20
    assert rows[0]["raw_bytes"] > 50_000_000
    assert rows[1]["text"] == TEXT
    assert report["records"] == 2


def test_a_gzip_bomb_in_a_body_comes_out_at_the_limit(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"<p>" + b"\0" * (1 << 20)) for _ in range(200)) + packer.flush()
    http = "Content-Type: text/html\r\nContent-Encoding: gzip"
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(bomb, http=http), record()]), max_html_bytes=1 << 16)
    assert rows[0]["note"] == "over_limit"
    assert rows[0]["text_bytes"] <= 3 << 16  # NUL becomes U+FFFD
    assert rows[1]["text"] == TEXT


def test_a_member_that_inflates_without_end_is_given_up_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.documents.records.MAX_SKIP", 32 << 20)
    bomb = record(b"x" * 10) + b"\0" * (64 << 20)
    rows, report = read(write(tmp_path / "a.warc.gz", [record(), bomb, record()]))
    assert [row["text"] for row in rows] == [TEXT, "x" * 10, TEXT]
    assert "inflates_without_end" in {entry["reason"] for entry in report["bad"]}


def test_a_cut_last_member_is_reported_and_what_it_holds_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    write(path, [record(), record(PAGE.replace(b"Plain", b"Other") + bytes(range(256)) * 40)])
    path.write_bytes(path.read_bytes()[:-150])
    rows, report = read(whole(path))
    assert [row["note"] for row in rows] == [None, "truncated"]
    assert [entry["reason"] for entry in report["bad"]] == ["truncated_member"]


def test_garbage_and_a_damaged_member_cost_only_themselves(tmp_path: Path) -> None:
    members = [gzip.compress(record(url=f"https://example.org/{i}"), mtime=0) for i in range(6)]
    members[1] = members[1][:-8] + b"\xff\xff\xff\xff" + members[1][-4:]
    members[4] = b"this is no gzip at all"
    path = tmp_path / "a.warc.gz"
    path.write_bytes(b"".join(members))
    rows, report = read(whole(path))
    assert [row["url"][-1] for row in rows] == ["0", "2", "3", "5"]
    assert [(e["offset"], e["reason"]) for e in report["bad"]] == [
        (len(members[0]), "damaged_member"),
        (sum(map(len, members[:4])), "garbage_between_members"),
    ]


@pytest.mark.parametrize("off", [-40, -3, 6, 40, 700, 10**9])
def test_wrong_lengths_lose_no_record(tmp_path: Path, off: int) -> None:
    wrong = record(size=len(PAGE) + 59 + off)
    rows, report = read(write(tmp_path / "a.warc", [record(), wrong, record(url="https://example.org/z")]))
    assert len(rows) == 3
    assert rows[1]["note"] == "length_mismatch"
    assert rows[2]["url"] == "https://example.org/z"
    assert report["records"] == 3


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.warc.gz", b"", "empty_file"),
        ("a.jsonl", b"", "empty_file"),
        ("a.parquet", b"", "empty_file"),
        ("a.warc.gz", PAGE, "no_record_head"),
        ("a.warc.gz", gzip.compress(b"", mtime=0), "no_records"),
        ("a.warc.gz", gzip.compress(PAGE, mtime=0), "no_record_head"),
        ("a.warc", b"\r\n" * 40, "no_records"),
        ("a.parquet", b"PAR1 not really", "truncated_file"),
        ("a.parquet", b"PAR1 not really \4\0\0\0PAR1", "damaged_footer"),
        ("a.parquet", b"PARE not really \4\0\0\0PARE", "encrypted_parquet"),
        ("a.parquet", b"ARROW1 not really", "arrow_not_parquet"),
        ("a.parquet", b"text\n" * 9, "not_parquet"),
        ("a.arrow", b"text\n" * 9, "not_arrow"),
        ("a.feather", b"FEA1 not really FEA1", "feather_v1"),
        ("a.arrow", b"PAR1 not really PAR1", "parquet_not_arrow"),
        ("a.arrow", b"\xff\xff\xff\xff\x10\0\0\0" + b"\x99" * 16, "damaged_schema"),
        ("a.jsonl.gz", b"\x1f\x8b\x08 no more", "truncated_member"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_reported(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    rows, report = read(whole(path))
    assert rows == []
    assert [entry["reason"] for entry in report["bad"]] == [reason]
    assert report["records"] == 0


def test_skipped_positions_are_quarantined_and_windows_add_up(tmp_path: Path) -> None:
    split = write(tmp_path / "a.warc.gz", [record(kind="warcinfo"), *[record(url=f"http://e/{i}") for i in range(5)]])
    places = documents.positions(split, documents.Params())
    assert len(places) == 5
    reader = documents.read(split, documents.Params(), skip=frozenset(places[2:3]))
    assert [row["url"][-1] for batch in reader for row in batch.to_pylist()] == ["0", "1", "3", "4"]
    assert reader.report["quarantined"] == [{"file": "a.warc.gz", "offset": places[2], "reason": "killed_the_process"}]
    found = []
    for window in ((0, 2), (2, 5)):
        reader = documents.read(split, documents.Params(), window=window)
        found += [row["url"][-1] for batch in reader for row in batch.to_pylist()]
    assert found == list("01234")


def test_reading_twice_gives_the_same_rows(tmp_path: Path) -> None:
    split = write(tmp_path / "a.warc.gz", [record(url=f"http://e/{i}") for i in range(3000)])
    assert read(split) == read(split)


# Records read to the end by the better of FastWARC 2.0.1 and warcio 1.8.1, from the data's README.
ZOO = {
    "aut--example.docs.warc.gz": 21,
    "aut--example.txt.warc.gz": 6,
    "aut--issue-493.warc": 32,
    "aut--issue-514.warc": 8,
    "chatnoir-resiliparse--block-sized-records.warc": 3,
    "chatnoir-resiliparse--block-sized-records.warc.gz": 3,
    "chatnoir-resiliparse--block-sized-records.warc.lz4": 3,
    "chatnoir-resiliparse--clipped.warc.gz": 1,
    "chatnoir-resiliparse--clueweb-quirk.warc.gz": 30,
    "chatnoir-resiliparse--warcfile.warc.gz": 50,
    "dolma--sample-0000.warc.gz": 48,
    "dolma--sample-0001.warc.gz": 34,
    "jwarc--cc.warc.gz": 1,
    "jwarc--gzip_extra_sl.warc.gz": 1,
    "warcio--example-bad-non-chunked.warc.gz": 6,
    "warcio--example-digest.warc": 4,
    "warcio--example-iana.org-chunked.warc": 3,
    "warcio--example-resource.warc.gz": 3,
    "warcio--example-space-in-target-uri.warc.gz": 2,
    "warcio--example-trunc.warc": 4,
    "warcio--example-wget-bad-target-uri.warc.gz": 6,
    "warcio--example-wrong-chunks.warc.gz": 2,
    "warcio--example.warc": 6,
    "warcio--example.warc.gz": 6,
    "warcio--post-test.warc.gz": 6,
    "webarchive-commons--IAH-urls-wget.warc.gz": 36,
    "webarchive-commons--link-extraction-test.warc": 8,
    "webarchive-commons--mutliple-headers.warc": 1,
    "whirlwind-python--whirlwind.warc.gz": 4,
    "whirlwind-python--whirlwind.warc.wat.gz": 2,
    "whirlwind-python--whirlwind.warc.wet.gz": 2,
    "made/bit-flip-in-member-4.warc.gz": 8,
    "made/empty-member.warc.gz": 0,
    "made/empty.warc.gz": 0,
    "made/garbage-between-members.warc.gz": 9,
    "made/gzip-and-chunked-bodies.warc.gz": 7,
    "made/html-named-warc.warc.gz": 0,
    "made/lf-only-headers.warc": 9,
    "made/plain.warc": 9,
    "made/single-member.warc.gz": 9,
    "made/truncated-in-member.warc.gz": 9,
    "made/wrong-content-length.warc": 9,
}


@pytest.mark.parametrize("name", ZOO)
def test_every_odd_file_gives_at_least_the_records_others_read(shared: Path, name: str) -> None:
    _, report = read(whole(shared / "data" / "zoo" / name))
    assert report["records"] >= ZOO[name]
    assert (report["records"] > 0) or report["bad"]


def test_the_same_pages_come_out_of_every_container(shared: Path) -> None:
    folder = shared / "data" / "zoo" / "made"
    names = ("plain.warc", "single-member.warc.gz", "lf-only-headers.warc", "garbage-between-members.warc.gz")
    texts = [[row["text"] for row in read(whole(folder / name))[0]] for name in names]
    assert all(other == texts[0] for other in texts)
