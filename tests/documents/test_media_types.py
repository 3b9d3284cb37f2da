"""Which bodies are pages: by the type the crawler identified, the first bytes, and headers as servers write them."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import pytest

from stages.documents.media_types import MAGIC, magic, media_type
from tests.support.archives import PAGE, read, record, whole, write


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("text/html", "text/html"),
        ("Text/HTML ; charset=utf-8", "text/html"),
        ("text/html, text/html; charset=utf-8", "text/html"),
        ("text/plain, text/html", "text/html"),
        ('"text/html"', "text/html"),
        ("text/html charset=utf-8", "text/html"),
        ("text/html:charset=UTF-8", "text/html"),
        ("html", "text/html"),
        ("text/htm", "text/html"),
        ("*/*", "*/*"),
        ("", ""),
        ("application/pdf", "application/pdf"),
        ("nonsense", "nonsense"),
    ],
)
def test_headers_are_read_as_browsers_read_them(header: str, kind: str) -> None:
    assert media_type(header) == kind


@pytest.mark.parametrize("identified", ["WARC-Identified-Payload-Type: text/html\r\n", ""])
@pytest.mark.parametrize(
    "header",
    [
        *("text/html, text/html; charset=utf-8", "text/html,text/html", "text/html charset=utf-8", '"text/html"'),
        *("html", "text/htm", "*/*", "application/x-httpd-php", "application/force-download", "binary/octet-stream"),
        *("", "nonsense", "text/html:charset=UTF-8", "text/htlm", "txt/html", "text/x-server-parsed-html"),
        *(
            "application/vnd.wap.xhtml+xml",
            "httpd/unix-directory",
            "magnus-internal/cgi",
            "application/x-jsp",
            "text/asp",
        ),
    ],
)
def test_a_page_under_an_odd_header_is_a_page(tmp_path: Path, header: str, identified: str) -> None:
    made = record(PAGE, http=f"Content-Type: {header}", extra=identified)
    rows, report = read(write(tmp_path / "a.warc.gz", [made]))
    assert [row["content_type"] for row in rows] == ["text/html"]
    assert report["dropped"] == {}


def test_the_identified_type_decides(tmp_path: Path) -> None:
    def made(header: str, identified: str, body: bytes = b"Words, words.") -> bytes:
        extra = f"WARC-Identified-Payload-Type: {identified}\r\n"
        return record(body, http=f"Content-Type: {header}", extra=extra)

    records = [
        made("text/plain", "text/html", PAGE),
        made("text/html", "application/json"),
        made("text/html", "text/plain"),
        made("application/pdf", "application/xhtml+xml", PAGE),
    ]
    rows, report = read(write(tmp_path / "a.warc.gz", records))
    assert [row["content_type"] for row in rows] == ["text/html", "text/html", "application/xhtml+xml"]
    assert report["dropped"]["not_text"]["records"] == 1
    assert report["content_types"] == {"application/json": 1}


PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 9, 9, 8, 2, 0, 0, 0) + zlib.compress(b"\0" * 300)
BINARIES = {
    "image/png": PNG,
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
    "application/zip": b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(range(200)),
    "font/woff2": b"wOF2\0\1\0\0\0\0\1\2\3\4\5\6" + bytes(200),
    "font/ttf": b"\0\1\0\0\0\x0c\0\x80" + bytes(200),
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)),
    "image/gif": b"GIF89a\1\0\1\0\x80\0\0" + bytes(range(256)),
    "video/mp4": b"\0\0\0\x18ftypmp42\0\0\0\0",
    "application/octet-stream": bytes(range(256)) * 4,
    "application/zlib": zlib.compress(b"words and words " * 40),
    "video/mp2t": (b"\x47\x40\x00\x10" + b"\xff" * 184) * 20,
    "application/x-bittorrent": b"d8:announce35:udp://tracker.example:80/13:creation datei1e4:infod6:pieces20:"
    + bytes(20),
    "image/jxl": b"\xff\x0a" + bytes(range(250)),
    "application/x-lz4": b"\x04\x22\x4d\x18" + bytes(range(200)),
}


@pytest.mark.parametrize("kind", BINARIES)
@pytest.mark.parametrize("header", ["text/html", "text/html; charset=utf-8", ""])
def test_bytes_that_are_no_text_are_no_page(tmp_path: Path, kind: str, header: str) -> None:
    made = record(BINARIES[kind], http=f"Content-Type: {header}")
    rows, report = read(write(tmp_path / "a.warc.gz", [made]))
    assert rows == []
    assert report["content_types"] == {kind: 1}
    reason = "not_text" if header else "not_html"
    assert report["dropped"] == {reason: {"records": 1, "bytes": report["raw_bytes"]}}


def test_random_bytes_are_no_text_and_pdfs_behind_something_are_pdfs() -> None:
    for seed in range(300):
        data = random.Random(seed).randbytes(200 + 30 * seed)
        assert magic(data) is not None, seed
    for before in (b"junk\n", b"\0\0\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
        assert magic(before + BINARIES["application/pdf"] + bytes(range(128, 256))) == "application/pdf"
    assert magic(b"A PDF begins with\n%PDF-1.4\nand a comment.") is None


@pytest.mark.parametrize("before", [b"", b"\0" * 10, b"\n\0 "])
def test_bytes_of_padding_around_a_page_are_nothing(tmp_path: Path, before: bytes) -> None:
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(before + PAGE + bytes(5000), http="Content-Type: text/html")]))
    assert [row["text"] for row in rows] == ["Plain words on a page."]
    assert magic(b"Plain words. " * 9 + bytes(4000)) is None


@pytest.mark.parametrize("charset", ["utf-32", "utf-32-be", "utf-32-le"])
def test_utf32_with_a_mark_is_read(tmp_path: Path, charset: str) -> None:
    body = ("\ufeff" if charset != "utf-32" else "") + "<html><body><p>Wörter, 漢字 und Worte</p></body></html>"
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(body.encode(charset), http="Content-Type: text/html")]))
    assert [row["text"] for row in rows] == ["Wörter, 漢字 und Worte"]


@pytest.mark.parametrize("name", ["a.html", "a.txt", "a.md"])
def test_files_that_are_no_text_are_no_page(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PNG)
    rows, report = read(whole(tmp_path / name))
    assert rows == []
    assert report["dropped"]["not_text"]["records"] == 1


@pytest.mark.parametrize(
    "text",
    [
        b"BZh is how bz2 files begin.", b"PK is short for Pakistan.", b"MM0 and II0, ID3 tags", b"GIF is a format.",
        b"LP" * 40, "ÿØÿ is how".encode(), "words".encode("utf-16"), "words".encode("utf-16-le"),
        "漢字".encode("iso-2022-jp"), b"\x0c\x0cA form feed", b"one\0NUL in a long enough line of text", b"",
        b"   <html><body>%PDF-1.7</body>", b"RIFF....WEBP is a format", b"CWS and FWS are Flash",
    ],
)  # fmt: skip
def test_neighbours_that_are_text(text: bytes) -> None:
    assert magic(text) is None


def test_every_magic_is_recognised(tmp_path: Path) -> None:
    for place, needle, kind in MAGIC:
        assert magic((bytes(place) + needle).ljust(300, b"\0")) in {kind, *(k for p, n, k in MAGIC if p == 0)}


@pytest.mark.parametrize("interim", ["100 Continue", "103 Early Hints", "102 Processing"])
@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
def test_interim_heads_are_passed_over(tmp_path: Path, interim: str, suffix: str) -> None:
    final = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Robots-Tag: noai\r\n\r\n" + PAGE
    made = record(b"HTTP/1.1 100 Continue\r\n\r\n" + final, status=interim, http="Link: </a.css>")
    rows, report = read(write(tmp_path / f"a{suffix}", [made, record(PAGE), record(b"", status="100 Continue")]))
    assert [row["robots"] for row in rows] == ["noai", None]
    assert rows[0]["text"] == rows[1]["text"]
    assert {reason: count["records"] for reason, count in report["dropped"].items()} == {"status_not_ok": 1}


def test_a_final_failure_after_an_interim_head_is_one(tmp_path: Path) -> None:
    made = record(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n" + PAGE, status="100 Continue")
    rows, report = read(write(tmp_path / "a.warc.gz", [made]))
    assert rows == []
    assert report["dropped"]["status_not_ok"]["records"] == 1


def test_odd_headers_of_the_case(shared: Path) -> None:
    rows, report = read(whole(shared / "cases" / "content-type-oddities" / "a.warc.gz"))
    assert len(rows) == 12
    assert report["dropped"] == {}
