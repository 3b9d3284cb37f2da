"""URL lists: what a list covers and what it leaves alone; the compiled matcher against a slow one; addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages.rules import url_files, url_lists
from stages.rules.url_lists import UrlList, compile_lists
from stages.rules.urls import ascii_host, host, normalise, registered_domain

LISTS = {
    "adult": UrlList(domains=("bad.com", "Worse.org."), hosts=("alone.net",)),
    "paths": UrlList(urls=("mixed.net/adult", "https://mixed.net/x?y=1")),
    "registered": UrlList(registered_domains=("www.shop.co.uk",)),
    "words": UrlList(substrings=("casino", "Poker"), expressions=(r"/tag/\d+$",)),
    "mine": UrlList(domains=("good.bad.com",), allow=True),
}


def slow(url: str) -> tuple[list[str], str | None]:
    """The lists that block an address, and the entry that decides, by the words of `url_files` and `url_lists`."""
    address = url.partition("://")[2] if "://" in url[:35] else url
    end = min((address.find(c) for c in "/?#" if c in address), default=len(address))
    name, tail = host(url), address[end:].lower()
    hits: dict[str, str] = {}
    for label, one in sorted(LISTS.items(), key=lambda item: (not item[1].allow, item[0])):
        suffixes = [entry.lower().strip(".") for entry in one.domains]
        suffixes += [registered_domain(entry) for entry in one.registered_domains]
        places = [(0, -len(e), e) for e in suffixes if name == e or name.endswith("." + e)]
        places += [(0, -len(name), name) for e in one.hosts if name == e.lower()]
        for raw in one.urls:
            entry, full = re.sub("^[a-z]+://", "", raw.lower()).rstrip("/"), name + tail
            if full == entry or (full.startswith(entry) and full[len(entry)] in "/?#" and len(entry) >= len(name)):
                places.append((1, len(entry), entry))
        for raw in one.substrings:
            if raw.lower() in url.lower():
                places.append((2, url.lower().index(raw.lower()) + len(raw), raw.lower()))
        places += [(3, number, e) for number, e in enumerate(one.expressions) if re.search(e, url)]
        if places:
            first = sorted(places, key=lambda place: (place[0], place[1] if place[0] else -place[1]))[0]
            hits[label] = f"{label}: {first[2]}"
    allowed = [label for label in hits if LISTS[label].allow]
    return ([] if allowed else list(hits)), next((hits[label] for label in (*allowed, *hits)), None)


def fast(urls: list[str | None]) -> list[tuple[list[str], str | None]]:
    compiled = compile_lists(LISTS)
    found = compiled.match(pa.array(urls, pa.string()))
    names = [[name for bit, name in enumerate(compiled.blocking) if mask >> bit & 1] for mask in found.failed.tolist()]
    return list(zip(names, found.entries.to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://bad.com/", "adult: bad.com"),
        ("https://user:pw@WWW.BAD.com:8080/x", "adult: bad.com"),
        ("http://notbad.com/", None),
        ("http://bad.com.example.org/", None),
        ("http://example.org/bad.com", None),
        ("http://worse.org./", "adult: worse.org"),
        ("http://alone.net/x", "adult: alone.net"),
        ("http://www.alone.net/x", None),
        ("http://good.bad.com/", "mine: good.bad.com"),
        ("http://a.good.bad.com/casino", "mine: good.bad.com"),
        ("http://mixed.net/adult", "paths: mixed.net/adult"),
        ("http://mixed.net/Adult/1.html", "paths: mixed.net/adult"),
        ("http://mixed.net/adults", None),
        ("http://mixed.net/", None),
        ("http://mixed.net/x?y=1", "paths: mixed.net/x?y=1"),
        ("http://help.shop.co.uk/", "registered: shop.co.uk"),
        ("http://shop2.co.uk/", None),
        ("http://e.org/CASINO.html", "words: casino"),
        ("http://e.org/po/ker", None),
        ("http://e.org/tag/12", r"words: /tag/\d+$"),
        ("http://e.org/tag/12/x", None),
        ("", None),
        ("bad.com", "adult: bad.com"),
    ],
)
def test_lists_cover_what_they_name_and_nothing_beside(url: str, entry: str | None) -> None:
    [(names, found)] = fast([url])
    assert found == entry
    assert names == ([] if entry is None or entry.startswith("mine") else [entry.partition(":")[0]])
    assert (names, found) == slow(url)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["http://", "https://", "ftp://u@", ""]),
            st.text("abdomgst.B-", max_size=14).map(lambda t: t + "bad.com")
            | st.text("abcdegio.:9", max_size=12)
            | st.sampled_from(["alone.net", "a.alone.net", "mixed.net", "x.shop.co.uk"]),
            st.text("/?#adultcsinoPkexy1=", max_size=14) | st.sampled_from(["/adult/poker", "/casino/tag/1"]),
        ),
        max_size=8,
    )
)
def test_the_kernel_agrees_with_the_slow_twin(urls: list[str]) -> None:
    assert fast([*urls]) == [slow(url) for url in urls]


def test_a_page_falls_under_every_list_that_covers_it() -> None:
    assert fast(["http://bad.com/poker/tag/7", None]) == [(["adult", "words"], "adult: bad.com"), ([], None)]


def test_compiled_lists_are_the_same_from_their_file(tmp_path: Path) -> None:
    store, place = Store(str(tmp_path)), url_lists.address(LISTS)
    url_lists.save(store, place, compile_lists(LISTS))
    urls = pa.array(["http://bad.com/", "http://e.org/casino", "http://e.org/tag/1", "http://e.org"])
    for one, other in zip(url_lists.load(store, place).match(urls), compile_lists(LISTS).match(urls), strict=True):
        assert list(one) == list(other)


def test_files_are_read_as_people_have_them(tmp_path: Path) -> None:
    category = tmp_path / "ut1" / "adult"
    category.mkdir(parents=True)
    (category / "domains").write_text("a.com\nb.com\n")
    (category / "urls").write_text("c.com/x\n")
    (tmp_path / "hosts.txt").write_text("127.0.0.1 localhost\n0.0.0.0 ads.example tracker.example # note\n")
    (tmp_path / "mixed.txt").write_text("! Adblock\n||ads.example^$third-party\nhttp://C.com/Path/\n# note\n")
    entries = UrlList(paths=str(category)).entries()  # type: ignore[arg-type]
    assert (entries["domains"], entries["urls"]) == ([b"a.com", b"b.com"], [b"c.com/x"])
    assert UrlList(paths=(str(tmp_path / "hosts.txt"),)).entries()["domains"] == [b"ads.example", b"tracker.example"]
    mixed = UrlList(paths=(str(tmp_path / "mixed.txt"),)).entries()
    assert (mixed["domains"], mixed["urls"]) == ([b"ads.example"], [b"c.com/path"])
    for name, data in (("names.txt", b"a.com\rb.com\r"), ("mixed.txt", b"# note\rhttp://c.com/x\r\nA.com\rb.com")):
        (tmp_path / name).write_bytes(data)
        assert UrlList(paths=(str(tmp_path / name),)).entries()["domains"] == [b"a.com", b"b.com"]
    assert url_files.parse(b"casino\rpoker\r\n", "substrings")["substrings"] == [b"casino", b"poker"]
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(ValueError, match="no entry"):
        UrlList(paths=(str(tmp_path / "empty"),)).entries()
    with pytest.raises(ValueError, match="give each of its categories a list of its own: adult"):
        UrlList(paths=(str(tmp_path / "ut1"),)).entries()


@pytest.mark.parametrize(
    ("kind", "entry", "covered", "beside"),
    [
        ("domains", "*.bad.com", "http://a.bad.com/", "http://notbad.com/"),
        ("domains", "https://bad.com:8443/", "https://bad.com/x", "https://bad.org/x"),
        ("domains", "user@bad.com:80", "https://bad.com:8443/x", "https://user/x"),
        ("hosts", "bad.com.:443", "https://bad.com/", "https://www.bad.com/"),
        ("domains", "münchen.de", "https://www.xn--mnchen-3ya.de/x", "https://mnchen.de/"),
        ("domains", "MÜNCHEN.de", "https://münchen.de/x", "https://munchen.de/"),
        ("domains", "xn--mnchen-3ya.de", "https://münchen.de/x", "https://xn--mnchen.de/"),
        ("hosts", "straße.de", "https://xn--strae-oqa.de/", "https://strasse.de/"),
        ("registered_domains", "www.münchen.de", "https://a.xn--mnchen-3ya.de/", "https://xn--a-3ya.de/"),
        ("registered_domains", "https://www.shop.co.uk:80", "https://a.shop.co.uk/", "https://a.co.uk/"),
        ("urls", "https://münchen.de/bad", "https://xn--mnchen-3ya.de/bad/1", "https://xn--mnchen-3ya.de/good"),
        ("urls", "http://u@mixed.net:8080/adult", "http://mixed.net/adult?x", "http://mixed.net/"),
        ("urls", "mixed.net/Ähre", "http://Mixed.net/Ähre?x", "http://mixed.net/ähre"),
        ("domains", "xn--mnchen-3ya.münchen.de", "http://xn--mnchen-3ya.xn--mnchen-3ya.de/", "http://münchen.de/"),
        ("domains", "xn--mnchen-3ya.münchen.de", "http://münchen.münchen.de/", "http://xn--mnchen-3ya.de/"),
        ("hosts", "cafe:80", "http://cafe:8080/x", "http://[cafe:80]/x"),
        ("urls", "mixed.net/adult", "http://mixed.net/adult#top", "http://mixed.net/adult1"),
        ("domains", "bad.com/path", "http://bad.com/path/1", "http://bad.com/"),
        ("hosts", "[2001:db8::1]:80", "http://[2001:DB8::1]/x", "http://[2001:db8::2]/x"),
        ("domains", "2001:db8::1", "http://[2001:db8::1]:8080/x", "http://[2001:db8::11]/x"),
    ],
)
def test_entries_cover_a_host_however_it_is_written(kind: str, entry: str, covered: str, beside: str) -> None:
    found = compile_lists({"x": UrlList(**{kind: (entry,)})}).match(pa.array([covered, beside]))
    assert found.failed.tolist() == [1, 0]


def test_hosts_have_one_spelling_and_labels_that_no_host_has_stay() -> None:
    assert ascii_host("MÜNCHEN.Example") == ascii_host("mu\u0308nchen.example") == "xn--mnchen-3ya.example"
    assert ascii_host("a.xn--kln-sna.example") == "a.xn--kln-sna.example"
    longest = "".join(chr(0x4E00 + number) for number in range(63))
    assert ascii_host(f"{longest}.example").startswith("xn--")
    hostile = "".join(chr(0x4E00 + number) for number in range(20_000))  # as punycode: 40 seconds
    assert ascii_host(f"{hostile}.köln.example") == f"{hostile}.xn--kln-sna.example"


def test_a_wrong_list_is_reported_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no expression of RE2"):
        UrlList(expressions=("(",))
    with pytest.raises(ValueError, match="expected paths or entries"):
        UrlList()
    assert list(url_lists.doubtful({"x": UrlList(domains=("co.uk", "bad.co.uk"))})) == [
        "x: co.uk covers every address under that suffix"
    ]
    (tmp_path / "table.csv").write_text("Domain,why\nbad.com,asked\ngood_one.com\nmünchen.de\n[2001:db8::1]\n*.x.com\n")
    assert list(url_lists.doubtful({"x": UrlList(paths=(str(tmp_path / "table.csv"),))})) == [
        "x: 2 entries are no names of hosts and cover nothing: 'domain,why' ..."
    ]
    (tmp_path / "latin.txt").write_bytes(b"\xe4\xf6\nbad.com\n")
    assert list(url_lists.doubtful({"x": UrlList(paths=(str(tmp_path / "latin.txt"),))})) == [
        "x: \ufffd\ufffd covers every address under that suffix"
    ]
    (tmp_path / "files.txt").write_text("bad.com\nfile:///data/pages\n")
    addresses = pa.array(["file:///data/pages/1.html", "file:///data/other", "https://bad.com/", "https://a.com/file:"])
    inline, listed = UrlList(urls=("file:///data/pages",)), UrlList(paths=(str(tmp_path / "files.txt"),))
    assert compile_lists({"x": inline}).match(addresses).failed.tolist() == [1, 0, 0, 0]
    assert compile_lists({"x": listed}).match(addresses).failed.tolist() == [1, 0, 1, 0]
    (tmp_path / "files.txt").write_text("bad.com\nfile:///\n")
    assert compile_lists({"x": listed}).match(addresses).failed.tolist() == [0, 0, 1, 0]


def test_what_decides_is_the_content_of_files_not_their_place(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "list.txt").write_text("a.com\n")
    one, two = ({"x": UrlList(paths=(str(tmp_path / name / "list.txt"),))} for name in ("one", "two"))
    assert url_lists.address(one) == url_lists.address(two)
    (tmp_path / "two" / "list.txt").write_text("a.com\nb.com\n")
    assert url_lists.address(one) != url_lists.address(two)


@pytest.mark.parametrize(
    ("name", "registered"),
    [("news.bbc.co.uk", "bbc.co.uk"), ("a.b.github.io", "b.github.io"), ("127.0.0.1", "127.0.0.1"), ("co.uk", "co.uk")],
)
def test_the_registered_domain_follows_the_public_suffix_list(name: str, registered: str) -> None:
    assert registered_domain(name) == registered


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
