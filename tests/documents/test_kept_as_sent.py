"""Answers that tools kept as they were sent, under heads that say otherwise or nothing: the page that was sent."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest

from stages.documents.http import decode_body, is_chunked, parse_response
from tests.support.archives import read, record, write

LIMIT = 5 << 20
WORDS = " ".join(f"word{number * 7919 % 10007}" for number in range(900))
HTML = f"<!DOCTYPE html><html><head><title>Mills</title></head><body><p>{WORDS}</p></body></html>".encode()
TYPE = b"Content-Type: text/html; charset=utf-8\r\n"


def chunks(body: bytes, size: int, end: bytes = b"\r\n") -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x" % len(part) + end + part + end for part in parts) + b"0" + end + end


def answer(path: Path, content: bytes, kind: str = "x", **more: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Pages of a record whose content is these bytes, head and body."""
    made = record(content, kind=kind, **{"extra": "Content-Type: application/http\r\n", **more})
    return read(write(path, [made.replace(b"WARC-Type: x", b"WARC-Type: response")]))


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
@pytest.mark.parametrize("size", [100, 1 << 20])
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("before", [b"", b"\r\n"])
def test_sizes_of_chunks_that_no_header_tells_are_no_text(
    tmp_path: Path, suffix: str, size: int, line_end: bytes, before: bytes
) -> None:
    content = b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n" + before + chunks(HTML, size, line_end)
    rows, _ = answer(tmp_path / f"a{suffix}", content)
    assert [row["text"] for row in rows] == [WORDS]
    assert rows[0]["note"] is None


@pytest.mark.parametrize("pack", [gzip.compress, brotli.compress, zlib.compress])
def test_chunks_of_a_coded_body_are_joined_first(pack: Any) -> None:
    name = {gzip.compress: "gzip", brotli.compress: "br", zlib.compress: "deflate"}[pack]
    assert decode_body(chunks(pack(HTML), 500), "", name, LIMIT) == (HTML, None)


def test_a_cut_body_of_chunks_keeps_what_is_there() -> None:
    assert decode_body(chunks(HTML, 1 << 20)[:1000], "", "", LIMIT) == (HTML[:994], "truncated")
    assert decode_body(chunks(HTML, 300)[:1000], "", "", LIMIT)[0] == HTML[: 1000 - 4 * 5 - 3 * 2]


@pytest.mark.parametrize(
    "text",
    [
        b"1\r\n2\r\n3\r\n4\r\n5\r\n",
        b"1\n2\n0\n\n",
        b"10\n" + b"sixteen letters.\n20\n" * 3,
        b"Add\r\nwater",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"2024\r\nA year",
        b"5\r\n<p>no such length</p>\r\n",
        b"face\n<b>bold</b>, deed",
        b"99999\r\n" + HTML,
        b"99999\r\n" + HTML + b"\r\n",
        b"99999\n" + HTML[:500],
        HTML,
        b"",
    ],
)
def test_lines_of_numbers_are_no_chunks(text: bytes) -> None:
    """Not even before a page: it is whole, or its lines end as no sizes do."""
    assert not is_chunked(text)
    assert decode_body(text, "", "", LIMIT) == (text, None)


def test_a_cut_page_behind_the_size_of_its_chunk_is_chunks() -> None:
    assert decode_body(b"99999\r\n" + HTML[:500], "", "", LIMIT) == (HTML[:500], "truncated")
    assert decode_body(b"99999\n" + gzip.compress(HTML), "", "", LIMIT) == (HTML, "truncated")


@pytest.mark.parametrize(
    "status",
    [
        "ICY 200 OK",
        "HTTP 200 OK",
        "\r\nHTTP/1.1 200 OK",
        "\n\nHTTP/1.1 200",
        "\r\n\r\nHTTP/1.1 200",
        "HTTP/2 200",
        "http/1.0 200",
    ],
)
@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
def test_status_lines_of_all_kinds_are_read(tmp_path: Path, suffix: str, status: str) -> None:
    content = status.encode() + b"\r\n" + TYPE + b"\r\n" + HTML
    rows, _ = answer(tmp_path / f"a{suffix}", content)
    assert [row["text"] for row in rows] == [WORDS]
    rows, report = answer(tmp_path / f"a{suffix}", content.replace(b" 200", b" 404"))
    assert rows == []
    assert report["dropped"]["status_not_ok"]["records"] == 1


@pytest.mark.parametrize("first", [b"", b":status: 200\r\n", b"status: 200\r\n", b"server: x\r\n"])
def test_a_head_of_fields_alone_is_a_head(tmp_path: Path, first: bytes) -> None:
    rows, _ = answer(tmp_path / "a.warc.gz", first + TYPE + b"content-encoding: gzip\r\n\r\n" + gzip.compress(HTML))
    assert [row["text"] for row in rows] == [WORDS]


@pytest.mark.parametrize(
    "text",
    [
        b"Status: draft\nAuthor: A. Miller\n\nThe body.",
        b"Status: 2000 pieces left\n\nThe body.",
        b"Note: a page\nwith words between\nContent-Type: text/plain\n\nThe body.",
        b"200 OK\n\nThe body.",
        b"HTTP status codes: 200\n\nThe body.",
        b"Title: a page\n\nThe body.",
        b"Status: 404",
    ],
)
def test_lines_of_a_text_are_no_head(text: bytes) -> None:
    found = parse_response(text, 0, len(text))
    assert (found.status, found.body) == (None, text)


@pytest.mark.parametrize("line", [b"x-a: b\r\n c\r\n", b"X.Y_z : 1\n", b""])
def test_a_head_of_fields_ends_at_its_blank_line(line: bytes) -> None:
    found = parse_response(b":status: 404\r\n" + line + b"\r\nBody: text\r\n\r\nmore", 0, 1 << 10)
    assert (found.status, found.body) == (404, b"Body: text\r\n\r\nmore")


def test_a_failure_that_a_field_tells_is_one(tmp_path: Path) -> None:
    rows, report = answer(tmp_path / "a.warc.gz", b":status: 503\r\n" + TYPE + b"\r\n" + HTML)
    assert (rows, list(report["dropped"])) == ([], ["status_not_ok"])


def test_a_resource_that_is_a_whole_answer_is_read_as_one(tmp_path: Path) -> None:
    content = b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n" + HTML
    rows, _ = answer(tmp_path / "a.warc.gz", content, kind="resource")
    assert [row["text"] for row in rows] == [WORDS]
    rows, report = answer(tmp_path / "a.warc.gz", content.replace(b" 200", b" 500"), kind="resource")
    assert (rows, list(report["dropped"])) == ([], ["status_not_ok"])


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
@pytest.mark.parametrize("names", [("br", "gzip"), ("gzip", "br"), ("identity", "br"), ("deflate", "gzip")])
def test_codings_on_two_lines_are_all_undone(tmp_path: Path, suffix: str, names: tuple[str, str]) -> None:
    pack = {"gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress, "identity": bytes}
    lines = "".join(f"Content-Encoding: {name}\r\n" for name in names).encode()
    content = b"HTTP/1.1 200 OK\r\n" + TYPE + lines + b"\r\n" + pack[names[1]](pack[names[0]](HTML))
    rows, _ = answer(tmp_path / f"a{suffix}", content)
    assert [row["text"] for row in rows] == [WORDS]


@pytest.mark.parametrize("pack", [brotli.compress, zlib.compress, lambda data: gzip.compress(gzip.compress(data))])
def test_codings_that_no_header_tells_are_undone(tmp_path: Path, pack: Any) -> None:
    renamed = b"X-Crawler-Content-Encoding: br\r\n"
    rows, _ = answer(tmp_path / "a.warc.gz", b"HTTP/1.1 200 OK\r\n" + TYPE + renamed + b"\r\n" + pack(HTML))
    assert [row["text"] for row in rows] == [WORDS]


def test_random_bytes_stay_what_they_are(tmp_path: Path) -> None:
    body = bytes(number * number * 7919 % 251 for number in range(5000))
    rows, report = answer(tmp_path / "a.warc.gz", b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n" + body)
    assert (rows, list(report["dropped"])) == ([], ["not_text"])


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_wide_pages_without_a_type_are_pages(tmp_path: Path, codec: str) -> None:
    content = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + HTML.decode().encode(codec)
    rows, _ = answer(tmp_path / "a.warc.gz", content)
    assert [row["text"] for row in rows] == [WORDS]


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
def test_the_first_of_several_segments_is_noted_as_cut(tmp_path: Path, suffix: str) -> None:
    content = b"HTTP/1.1 200 OK\r\n" + TYPE + b"\r\n" + HTML[:2000]
    rows, _ = answer(tmp_path / f"a{suffix}", content, extra="WARC-Segment-Number: 1\r\n")
    assert [row["note"] for row in rows] == ["truncated"]
