"""Charsets that a page and its header declare in odd places."""

from __future__ import annotations

import pytest

from stages.documents.charset_labels import header_label, page_label
from stages.documents.charsets import decoded

CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy."
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю."


@pytest.mark.parametrize(
    "head",
    [
        "<meta charset=iso-8859-2>",
        "<meta\ncharset\n=\n'iso-8859-2'\n/>",
        "<meta/charset=iso-8859-2>",
        "<meta charset='\"iso-8859-2\"'>",
        "<meta charset=' ISO_8859-2 '>",
        "<meta charset='iso 8859-2'>",
        "<META CONTENT='text/html; charset = latin2' HTTP-EQUIV=Content-Type>",
        "<meta http-equiv=content-type content=text/html;charset=iso-8859-2>",
        '<meta http-equiv="Content-Type" content="text/html; charset=&quot;iso-8859-2&quot;">',
        "<meta content='text/html; charset=iso-8859-2'>",
        "<!-- <meta charset=utf-8> --><meta charset=iso-8859-2>",
        "<!--><meta charset=iso-8859-2><!-- <meta charset=utf-8> -->",
        "<!--[if IE]><meta charset=big5><![endif]--><meta charset=iso-8859-2>",
        "<script>var a = '<meta charset=\"big5\">';</script><meta charset=iso-8859-2>",
        "<style>/* <meta charset=big5> */</style><title><meta charset=big5></title><meta charset=iso-8859-2>",
        "<meta name=description content='of charset=big5 and more'><meta charset=iso-8859-2>",
        "<meta name=x content='a > b; charset=big5'><meta charset=iso-8859-2>",
        "<meta charset=no-such><meta charset=iso-8859-2>",
        "<!-- " + "x" * 9000 + " --><meta charset=iso-8859-2>",
        "<?xml version='1.0' encoding='utf-8'?><meta charset=iso-8859-2>",
        "<?xml version=\"1.0\" encoding = 'ISO-8859-2' ?>",
        "<meta name=\"x'><meta charset=iso-8859-2>",
    ],
)
def test_the_declaration_of_a_page_is_found(head: str) -> None:
    page = f"{head}<p>{CZECH}</p>".encode("iso-8859-2")
    assert page_label(page) == "iso-8859-2"
    assert CZECH in decoded(page, "text/html").utf8.decode()


@pytest.mark.parametrize(
    "head",
    [
        "<!-- <meta charset=iso-8859-2> -->",
        "<script><meta charset=iso-8859-2></script>",
        "<meta name=description content='charset=iso-8859-2'>",
        "<p>charset=iso-8859-2</p>",
        "<metadata charset=iso-8859-2>",
    ],
)
def test_what_is_no_declaration_declares_nothing(head: str) -> None:
    assert page_label(head.encode()) is None


@pytest.mark.parametrize(
    "header",
    [
        "text/html; charset=iso-8859-2",
        'text/html;Charset = "iso-8859-2"; x=y',
        "text/html; charset='iso-8859-2'",
        r"text/html; charset=\"iso-8859-2\"",
        "text/html; charset=%22iso-8859-2%22",
        "text/html; charset=:iso-8859-2",
        "text/html; charset=iso-8859-2, text/html",
        "text/html; charset=unknown; charset=iso-8859-2",
    ],
)
def test_the_charset_of_a_header_is_found(header: str) -> None:
    assert header_label(header) == "iso-8859-2"


@pytest.mark.parametrize("text", [CZECH, RUSSIAN, "plain words"])
def test_a_byte_order_mark_that_the_bytes_refute_is_no_mark(text: str) -> None:
    """Programs put one before bytes that they do not convert."""
    page = f"<html><meta charset=utf-8><p>{text * 4}</p>"
    for mark in (b"\xff\xfe", b"\xfe\xff"):
        assert decoded(mark + page.encode(), "text/html").utf8.decode() == page
    for mark, codec in ((b"\xff\xfe", "utf-16-be"), (b"\xfe\xff", "utf-16-le")):
        assert decoded(mark + page.encode(codec), "text/html").utf8.decode() == page


def test_a_mark_of_utf8_before_a_page_of_windows_is_no_mark() -> None:
    page = f"<html><meta charset=windows-1251><p>{RUSSIAN * 4}</p>".encode("cp1251")
    assert decoded(b"\xef\xbb\xbf" + page, "text/html") == (page.decode("cp1251").encode(), "windows-1251", 0)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-8"])
@pytest.mark.parametrize(
    "text",
    [
        "この川は北の丘陵に源を発し、海に達する。",
        CZECH,
        "しのぶれどいろにいでにけりわがこひは",
        "的人" * 40,
        "水車小屋" * 9 + " と " * 9,
        "a",
    ],
)
def test_a_true_mark_decides(codec: str, text: str) -> None:
    assert decoded(("\ufeff" + text).encode(codec), "text/html; charset=koi8-r").utf8.decode() == text
