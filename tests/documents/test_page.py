"""A page's own metadata, and the kinds of its bytes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.documents.charsets import plain_survey
from stages.documents.page import date, directives, header_directives
from stages.kernels.html import page_head
from stages.kernels.html.byte_scan import start_tags, survey
from stages.kernels.html.depth import depth
from tests.support.archives import read, record, write


def row_of(tmp_path: Path, head: str, http: str = "", body: str = "<p>Words.") -> dict[str, Any]:
    html = f"<!DOCTYPE html><html lang='de-AT'><head>{head}</head><body>{body}</body></html>".encode()
    lines = "\r\n".join(line for line in ("Content-Type: text/html", http) if line)
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(html, http=lines, url="https://e.org/a/b?x"), record()]))
    return rows[0]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('<link rel="canonical" href="https://e.org/c?a=1&amp;b=2">', "https://e.org/c?a=1&b=2"),
        ("<LINK HREF=/c REL=Canonical>", "https://e.org/c"),
        ("<link href='../c' rel='x canonical y'/>", "https://e.org/c"),
        ('<link rel="canonical-x" href="/c">', None),
        ('<!-- <link rel="canonical" href="/c"> -->', None),
        ('<script>"<link rel=canonical href=/c>"</script>', None),
        ('<link rel="canonical" href="javascript:x">', None),
        ('<link rel="canonical" href="http://[broken">', "http://[broken"),
        ('<link rel="canonical" href="/first"><link rel="canonical" href="/second">', "https://e.org/first"),
    ],
)
def test_canonical_address(tmp_path: Path, head: str, expected: str | None) -> None:
    assert row_of(tmp_path, head)["canonical"] == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('<meta property="article:published_time" content="2021-03-04T05:06:07+01:00">', "2021-03-04T04:06:07"),
        ('<meta name="date" content="2020-01-01"><meta itemprop=datePublished content=2021-03-04>', "2021-03-04"),
        ('<meta itemprop=datePublished content=2021-03-04><meta name="date" content="2020-01-01">', "2021-03-04"),
        ('<meta name="DC.date" content="2021/03/04">', "2021-03-04"),
        ('<meta content="Thu, 04 Mar 2021 05:06:07 GMT" name=pubdate>', "2021-03-04T05:06:07"),
        ('<script type="application/ld+json">{"a":1, "datePublished" : "2021-03-04"}</script>', "2021-03-04"),
        ('<script>{"datePublished": "2021-03-04"}</script>', None),
        ('<meta name="date" content="yesterday">', None),
        ('<meta name="date" content="0001-01-01">', None),
        ('<meta name="date">', None),
    ],
)
def test_date_of_publication(tmp_path: Path, head: str, expected: str | None) -> None:
    when = datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None
    assert row_of(tmp_path, head)["published"] == when


@pytest.mark.parametrize(
    ("head", "http", "expected"),
    [
        ('<meta name="robots" content="NoAI, noindex">', "", "noai,noindex"),
        ('<meta name="robots" content="noai">', "X-Robots-Tag: noimageai, noai", "noai,noimageai"),
        ("", "X-Robots-Tag: otherbot: noindex\r\nX-Robots-Tag: noai", "noai,otherbot:noindex"),
        ('<meta name="CCBot" content="nofollow">', "", "ccbot:nofollow"),
        ('<meta name="tdm-reservation" content="1">', "", "tdm-reservation"),
        ('<meta name="tdm-reservation" content="0">', "TDM-Reservation: 1", "tdm-reservation"),
        ('<meta name="robots" content=" , ">', "", None),
        ('<meta name="robots" content="noai noimageai">', "", "noai,noimageai"),
        ("", "X-Robots-Tag: OtherBot: noindex, NoAI", "otherbot:noai,otherbot:noindex"),
        (
            "",
            "X-Robots-Tag: a: noai; b: noindex nofollow\r\nX-Robots-Tag: noimageai",
            "a:noai,b:nofollow,b:noindex,noimageai",
        ),
        ("", "X-Robots-Tag: max-snippet: 50, noai", "max-snippet:50,noai"),
        ("", "X-Robots-Tag: *: noai", "noai"),
        ("", "X-Robots-Tag: revisit-after: 7 days, NOAI", "noai,revisit-after:7 days"),
        ("", "X-Robots-Tag: revisit-after: weekly, preview: 20, noai", "noai,preview:20,revisit-after:weekly"),
        ("", "X-Robots-Tag: tdm-policy: https://a.example/p, noai", "noai,tdm-policy:https://a.example/p"),
        ("", "X-Robots-Tag: unavailable_after: 2026-08-03, 17:00, noai", "17:00,noai,unavailable_after:2026-08-03"),
        ("", "X-Robots-Tag: index: follow, noai", "index:follow,noai"),
        ('<meta name="robots" content="generator: x, noai">', "", "generator:x,noai"),
        ('<meta name="GPTBot" content="index:follow, noai">', "", "gptbot:index:follow,gptbot:noai"),
        (
            "",
            "X-Robots-Tag: unavailable_after: 25 Jun 2010 15:00:00 PST, noai",
            "noai,unavailable_after:25 jun 2010 15:00:00 pst",
        ),
        (
            "".join(f'<meta name="{name}" content="noindex">' for name in ("robots", "googlebot", "bingbot", "AI2Bot"))
            + '<meta name="GPTBot" content="noai"><meta name="tdm-reservation" content="1">',
            "",
            "ai2bot:noindex,bingbot:noindex,googlebot:noindex,gptbot:noai,noindex,tdm-reservation",
        ),
        ("<style>" + "x" * 100_000 + '</style><meta name="robots" content="noai">', "", "noai"),
        ('<meta name="description" content="noai">', "", None),
    ],
)
def test_what_is_asked_of_robots(tmp_path: Path, head: str, http: str, expected: str | None) -> None:
    assert row_of(tmp_path, head, http)["robots"] == expected


def test_many_requests_are_cut_behind_those_to_all_robots(tmp_path: Path) -> None:
    robots = "\r\n".join(f"X-Robots-Tag: bot-{number:03}: noindex" for number in range(300))
    asked = row_of(tmp_path, "", f"{robots}\r\nX-Robots-Tag: noai\r\nTDM-Reservation: 1")["robots"].split(",")
    assert asked[-2:] == ["noai", "tdm-reservation"]
    assert asked[:-2] == [f"bot-{number:03}:noindex" for number in range(len(asked) - 2)]
    assert 3900 < len(",".join(asked)) <= 4000


def test_a_request_that_finds_no_room_takes_none_from_the_others() -> None:
    assert directives(None, [("robots", f"{'a' * 5000}, noai"), ("ccbot", "noindex")]) == "ccbot:noindex,noai"


def test_requests_to_all_robots_find_room_behind_those_to_many(tmp_path: Path) -> None:
    names = page_head.ROBOT_NAMES[page_head.NUM_COMMON :][:20]
    head = "".join(f'<meta name="{name}" content="noindex">' for name in names)
    head += '<meta name="robots" content="noai"><meta name="tdm-reservation" content="1">'
    asked = [*(f"{name}:noindex" for name in names[: page_head.MAX_NAMED]), "noai", "tdm-reservation"]
    assert row_of(tmp_path, head)["robots"] == ",".join(sorted(asked))


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ("X-Robots-Tag: NoIndex,  NoAI", "noai,noindex"),
        (
            "X-Robots-Tag: CCBot: noai\r\nX-Robots-Tag: NOINDEX\r\nTDM-Reservation: 1",
            "ccbot:noai,noindex,tdm-reservation",
        ),
        ("X-Robots-Tag: ,", None),
        ("Content-Signal: search=yes, ai-train=no", "ai-train=no"),
        ("content-usage: train-ai=n\r\nX-Robots-Tag: noai", "ai-train=no,noai"),
        ("Content-Signal: search=yes\r\nContent-Signal: ai-train=no", "ai-train=no"),
        ("Content-Signal: ai-train=yes, search=no", None),
    ],
)
def test_what_is_asked_for_files_that_are_no_html(tmp_path: Path, name: str, http: str, expected: str | None) -> None:
    answer = record(b"Plain words in a file of text.", http=f"Content-Type: text/plain\r\n{http}")
    rows, _ = read(write(tmp_path / name, [answer]), text_types=["text/plain"])
    assert [row["robots"] for row in rows] == [expected]


_COMMONS = "https://creativecommons.org/licenses"
_PHOTO = f'<a href="{_COMMONS}/by-nc/2.0/">photo</a>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f'{_PHOTO} <a class=x rel="license" href="{_COMMONS}/by-sa/4.0/">x</a>', "by-sa/4.0"),
        (f'{_PHOTO} <a href="{_COMMONS}/by-sa/4.0/" rel=\'nofollow License\'>x</a>', "by-sa/4.0"),
        (f'{_PHOTO} <a href="{_COMMONS}/by-sa/4.0/" rel="licensed">x</a>', "by-nc/2.0"),
        (f'{_PHOTO} <a rel=license href="/terms">x</a>', "by-nc/2.0"),
        (r'<script>{"license":"https:\/\/creativecommons.org\/licenses\/by-nc\/4.0\/"}</script>', "by-nc/4.0"),
        ("creativecommons.org, creativecommons.org/licenses, creativecommons.org/licenses/by/3.0/de/", "by/3.0/de"),
    ],
)  # fmt: skip
def test_the_licence_is_the_one_that_a_link_states_else_the_first_address(
    tmp_path: Path, body: str, expected: str
) -> None:
    assert row_of(tmp_path, "", body=body)["licence"] == f"creativecommons.org/licenses/{expected}"


def test_title_language_and_licence(tmp_path: Path) -> None:
    link = '<a rel="license" href="https://creativecommons.org/licenses/by-sa/4.0/deed.en">'
    row = row_of(tmp_path, "<title>\n A &lt;b&gt;\n</title>", body="x" * 5000 + link)
    assert (row["title"], row["language_declared"]) == ("A <b>", "de-AT")
    assert row["licence"] == "creativecommons.org/licenses/by-sa/4.0"
    stated = '<link rel="license" href="//creativecommons.org/publicdomain/zero/1.0/">'
    assert row_of(tmp_path, stated, body=link)["licence"] == "creativecommons.org/publicdomain/zero/1.0"
    assert row_of(tmp_path, "", "Content-Language: fr", "creativecommons.org/about")["licence"] is None


@pytest.mark.parametrize(
    "head", ["<title>never closed", "<meta name='robots' content='noai", "<link rel=", "<", "<!--"]
)
def test_heads_that_end_in_the_middle_say_nothing(tmp_path: Path, head: str) -> None:
    rows, _ = read(write(tmp_path / "a.warc", [record(f"<html><head>{head}".encode())]))
    assert (rows[0]["title"], rows[0]["robots"], rows[0]["canonical"]) == (None, None, None)


def test_directives_are_sorted_and_listed_once() -> None:
    assert header_directives(["noai"], "1", ["search=yes, ai-train=no"]) == "ai-train=no,noai,tdm-reservation"
    assert header_directives([], "", ["train-ai=y", "search=n"]) is None
    header = header_directives(["noindex;NOAI , noai"], "")
    assert header == "noai,noindex"
    assert directives(header, [("robots", "all"), ("gptbot", "noindex")]) == "all,gptbot:noindex,noai,noindex"


@settings(deadline=None)
@given(st.text())
def test_any_date_is_read_or_not(value: str) -> None:
    found = date(value)
    assert found is None or isinstance(found, int)


BYTES = st.lists(
    st.sampled_from(
        [
            b"a" * 40,
            "é".encode(),
            "中".encode(),
            "😀".encode(),
            b"\xf0\x9f",
            b"\xff",
            b"\0",
            b"<",
            b"</",
            b"<p>",
            b"<Br ",
            b"<div",
            b"<tr",
            b"\x1b",
            b"~",
            b"\x0e",
        ]
    )
)


@settings(deadline=None)
@given(
    st.one_of(
        BYTES.map(b"".join),
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    )
)
def test_survey_equals_python_s_own_answers(page: bytes) -> None:
    try:
        page.decode("utf-8")
        valid = len(page)
    except UnicodeDecodeError as error:
        valid = error.start
    may_shift = not {14, 126}.isdisjoint(page)
    assert survey(page) == plain_survey(page) == (page.isascii(), b"\0" in page, b"\x1b" in page, may_shift, valid)
    padded = page + b"   "
    kept = re.findall(rb"<(?!/)(?!(?:[ap]|li|[bh]r|t[dhr]|d[dt])[ >])", padded, re.IGNORECASE)
    assert depth(padded) <= start_tags(padded) == len(kept)
