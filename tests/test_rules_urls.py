"""URL lists: what a list covers and what it leaves alone; the compiled matcher against a slow one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.rules.urls import UrlList, compile_lists, normalise, read_list

LISTS = [
    UrlList("adult", "domains", ("bad.com", "Worse.org.")),
    UrlList("paths", "urls", ("mixed.net/adult", "https://mixed.net/x?y=1")),
    UrlList("words", "substrings", ("casino", "Poker")),
    UrlList("mine", "domains", ("good.bad.com",), allow=True),
]


def slow(url: str, lists: list[UrlList]) -> str | None:
    """The first list, allow-lists before others, that covers ``url``."""
    address = url.partition("://")[2] if "://" in url[:35] else url
    end = min((address.find(c) for c in "/?#" if c in address), default=len(address))
    host, tail = address[:end].rpartition("@")[2].lower(), address[end:].lower()
    name, colon, port = host.rpartition(":")
    if colon and len(port) <= 5 and all(c in "0123456789" for c in port):
        host = name
    host = host.removesuffix(".")
    for one in sorted(lists, key=lambda item: not item.allow):
        for raw in one.entries:
            entry = raw.lower()
            if one.kind == "substrings":
                hit = entry in url.lower()
            elif one.kind == "domains":
                hit = host == entry.strip(".") or host.endswith("." + entry.strip("."))
            else:
                entry = entry.removeprefix("https://").rstrip("/")
                full = host + tail
                hit = full == entry or (full.startswith(entry) and full[len(entry)] in "/?" and len(entry) >= len(host))
            if hit:
                return None if one.allow else one.name
    return None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://bad.com/", "adult"),
        ("https://user:pw@WWW.BAD.com:8080/x", "adult"),
        ("http://notbad.com/", None),
        ("http://bad.com.example.org/", None),
        ("http://example.org/bad.com", None),
        ("http://worse.org./", "adult"),
        ("http://good.bad.com/", None),
        ("http://a.good.bad.com/", None),
        ("http://mixed.net/adult", "paths"),
        ("http://mixed.net/Adult/1.html", "paths"),
        ("http://mixed.net/adults", None),
        ("http://mixed.net/", None),
        ("http://mixed.net/x?y=1", "paths"),
        ("http://e.org/CASINO.html", "words"),
        ("http://e.org/po/ker", None),
        ("", None),
        ("bad.com", "adult"),
    ],
)
def test_lists_cover_what_they_name_and_nothing_beside(url: str, name: str | None) -> None:
    compiled = compile_lists(LISTS)
    [found] = compiled.match(pa.array([url]))
    assert (compiled.names[found] if found >= 0 else None) == name == slow(url, LISTS)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["http://", "https://", "ftp://u@", ""]),
            st.text("abdomgst.B-", max_size=14).map(lambda t: t + "bad.com") | st.text("abcdegio.:9", max_size=12),
            st.text("/?#adultcsinoPkexy1=", max_size=14),
        ),
        max_size=8,
    )
)
def test_the_kernel_agrees_with_the_slow_twin(urls: list[str]) -> None:
    compiled = compile_lists(LISTS)
    found = compiled.match(pa.array(urls, pa.string()))
    assert [compiled.names[i] if i >= 0 else None for i in found] == [slow(url, LISTS) for url in urls]


def test_counts_are_per_list() -> None:
    compiled = compile_lists(LISTS)
    found = compiled.match(pa.array(["http://bad.com", "http://x.bad.com", "http://poker.org", None]))
    assert compiled.counts(found) == {"adult": 2, "words": 1}


def test_files_are_read_as_people_have_them(tmp_path: Path) -> None:
    (tmp_path / "ut1" / "adult").mkdir(parents=True)
    (tmp_path / "ut1" / "adult" / "domains").write_text("a.com\nb.com\n")
    (tmp_path / "ut1" / "adult" / "urls").write_text("c.com/x\n")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n0.0.0.0 ads.example tracker.example # note\n")
    assert read_list(tmp_path / "ut1") == [
        UrlList("adult", "domains", ("a.com", "b.com")),
        UrlList("adult", "urls", ("c.com/x",)),
    ]
    assert read_list(tmp_path / "hosts") == [UrlList("hosts", "domains", ("ads.example", "tracker.example"))]
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(ValueError, match="no entry"):
        read_list(tmp_path / "empty")
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="domains"):
        read_list(tmp_path / "none")


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("HTTP://Example.ORG:80/a/./b/../c?utm_source=x&q=1#top", "http://example.org/a/c?q=1"),
        ("https://example.org:443", "https://example.org/"),
        ("https://example.org/?", "https://example.org/"),
        ("https://example.org:8443/A", "https://example.org:8443/A"),
        ("http://e.org/../../x", "http://e.org/x"),
        ("http://e.org/a/..", "http://e.org/"),
        ("mailto:a@b", "mailto:a@b"),
    ],
)
def test_one_address_has_one_spelling(url: str, same: str) -> None:
    assert normalise(url) == same
    assert normalise(same) == same
