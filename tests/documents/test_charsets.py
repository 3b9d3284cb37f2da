"""Charsets: the bytes decide, then what is declared, then detection."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from stages.documents.charsets import known, to_utf8
from tests.support.archives import read, whole

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 5


def page(text: str, charset: str | None = None, language: str | None = None) -> str:
    lang = f' lang="{language}"' if language else ""
    meta = f'<meta charset="{charset}">' if charset else ""
    return f"<html{lang}><head>{meta}</head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize(
    ("codec", "header", "meta"),
    [
        ("windows-1251", "windows-1251", None),
        ("windows-1251", None, "windows-1251"),
        ("windows-1251", "utf-8", "windows-1251"),
        ("windows-1251", "iso-8859-1", "windows-1251"),
        ("windows-1251", "windows-1251", "utf-8"),
        ("koi8-r", "koi8-r", None),
        ("koi8-r", None, None),
        ("windows-1251", None, None),
        ("utf-8", "windows-1251", None),
        ("utf-8", "iso-8859-1", "windows-1251"),
        ("utf-8", None, None),
        ("utf-8-sig", "windows-1251", None),
        ("utf-16", None, "utf-8"),
        ("utf-16-le", "text/html", None),
        ("utf-16-be", None, "utf-16"),
    ],
)
def test_russian_is_read_however_it_is_declared(codec: str, header: str | None, meta: str | None) -> None:
    html = page(RUSSIAN, meta)
    utf8, _ = to_utf8(html.encode(codec), f"text/html; charset={header}" if header else "text/html")
    assert utf8.decode("utf-8") == html


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ISO-8859-1", "windows-1252"),
        ("latin1", "windows-1252"),
        ("gb2312", "gbk"),
        ("TIS-620", "windows-874"),
        ("ks_c_5601-1987", "euc-kr"),
        ("x-sjis", "shift_jis"),
        ("UTF8", "utf-8"),
        ("no-such-charset", None),
        ("rot13", None),
        ("base64", None),
    ],
)
def test_labels_are_read_as_browsers_read_them(label: str, name: str | None) -> None:
    assert known(label) == name


def test_utf8_cut_inside_a_character_is_still_utf8() -> None:
    whole_text = "日本語のページ"
    utf8, charset = to_utf8(whole_text.encode()[:-1])
    assert (utf8.decode(), charset) == (whole_text[:-1], "utf-8")


def test_free_bytes_of_windows_1252_are_controls() -> None:
    utf8, _ = to_utf8(b"caf\xe9 \x81", "text/html; charset=iso-8859-1")
    assert utf8.decode() == "café \x81"


def test_korean_without_declaration_follows_the_declared_language() -> None:
    html = page("번역물의 텍스트 크기", language="ko")
    utf8, charset = to_utf8(html.encode("cp949"))
    assert (utf8.decode(), charset) == (html, "euc-kr")


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\xff", b"\xff\xfe", b"\x1b$B", bytes(range(256)) * 3, b"\xef\xbb\xbf\xff"]
)
@pytest.mark.parametrize(
    "header", ["", "text/html; charset=utf-16", "text/html; charset=utf-7", "x; charset=iso-2022-jp"]
)
def test_any_bytes_give_valid_utf8(data: bytes, header: str) -> None:
    to_utf8(data, header)[0].decode("utf-8")


def test_98_percent_of_transcoded_pages_give_the_text_of_the_original(shared: Path) -> None:
    folder = shared / "data" / "zoo" / "charsets"
    truth = {}
    with gzip.open(folder / "transcoded.jsonl.gz") as lines:
        for line in lines:
            case = json.loads(line)
            truth[case["url"]] = " ".join(case["text"].split())[:2000]
    rows, _ = read(whole(folder / "transcoded.warc.gz"), extractor="resiliparse")  # as the truth was made
    right = [" ".join(row["text"].split()).startswith(truth[row["url"]]) for row in rows]
    assert len(right) == len(truth) == 197
    assert sum(right) >= 0.98 * len(right)
