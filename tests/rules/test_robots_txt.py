"""RFC 9309 as facts: files, agents, addresses and verdicts, and what no file may do."""

from __future__ import annotations

import re
import time
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.rules.robots_txt import (
    MAX_BYTES,
    Matcher,
    normal_path,
    normal_pattern,
    parse,
    parse_preferences,
    parse_reservations,
    reserves,
)


def allows(file: str | bytes, agent: str, path: str) -> bool:
    data = file.encode() if isinstance(file, str) else file
    return not Matcher(parse(data, [agent]).lines).disallows(normal_path(path.encode()))


def rules(*lines: str, agent: str = "mill") -> str:
    return "\n".join((f"user-agent: {agent}", *lines))


GROUPS = """allow: /early/

user-agent: mill
disallow: /
allow: /a/
user-agent: loom
disallow: /
allow: /b/


allow: /c/
user-agent: kiln

user-agent: mill
allow: /d/
disallow: /
"""
OTHERS = "user-agent: loom\nsitemap: https://x/s\nuser-agent: *\ndisallow: /\n"
UNKNOWN = "user-agent: mill\nno-such-line: 1\nuser-agent: *\ndisallow: /\n"
COMMON = "user-agent: *\nallow: /\nuser-agent: mill\ndisallow: /\n"
SPECIFIC = "user-agent: *\ndisallow: /x/\nuser-agent: mill\ndisallow: /y/\n"
ENCODED = "user-agent: mill\ndisallow: /\nallow: {}\n"

VECTORS = [
    # the line, its parts, and what stands in their place
    ("", "mill", "/", True),
    (rules("disallow: /"), "mill", "/x/y", False),
    ("foo: mill\nbar: /\n", "mill", "/x/y", True),
    ("user-agent mill\ndisallow /\n", "mill", "/x/y", False),
    ("USER-AGENT: mill\nDISALLOW: /\nALLOW: /x/", "mill", "/x/y", True),
    ("uSeR-aGeNt: MiLL\ndIsAlLoW: /", "mill", "/", False),
    ("user-agent: mill\rdisallow: /a\r\ndisallow: /b\n", "mill", "/b", False),
    ("\ufeffuser-agent: mill\ndisallow: /", "mill", "/", False),
    ("user-agent: mill\ndisallow: /".encode("utf-16"), "mill", "/", False),
    ("disalow: /\nuser agent: mill\ndissallow: /x", "mill", "/x", False),
    # groups
    *((GROUPS, "mill", path, good) for path, good in (("/a/1", True), ("/d/1", True), ("/b/1", False))),
    *((GROUPS, "loom", path, good) for path, good in (("/b/1", True), ("/c/1", True), ("/d/1", False))),
    (GROUPS, "kiln", "/d/1", True),
    *((GROUPS, agent, "/early/", False) for agent in ("mill", "loom", "kiln")),
    *((OTHERS, agent, "/", False) for agent in ("mill", "loom")),
    *((UNKNOWN, agent, "/", False) for agent in ("mill", "loom")),
    # agents
    (COMMON, "mill", "/x", False),
    (COMMON, "loom", "/x", True),
    (rules("disallow: /"), "loom", "/x", True),
    (SPECIFIC, "mill", "/x/page", True),
    (SPECIFIC, "mill", "/y/page", False),
    (rules("disallow: /", agent="mill/2.1"), "mill", "/", False),
    (rules("disallow: /", agent="mill wheel"), "mill", "/", False),
    (rules("disallow: /", agent="mi"), "mill", "/", True),
    (rules("disallow: /", agent="mill-news"), "mill", "/", True),
    ("user-agent: *\ndisallow: /\nuser-agent: mill\ndisallow:", "mill", "/", True),
    (rules("disallow: /", agent="AI2Bot"), "ai2bot", "/", False),
    # the longest match
    (rules("disallow: /x"), "mill", "/X", True),
    (rules("disallow: /x/page.html", "allow: /x/"), "mill", "/x/page.html", False),
    (rules("allow: /x/page.html", "disallow: /x/"), "mill", "/x/page.html", True),
    (rules("allow: /x/page.html", "disallow: /x/"), "mill", "/x/", False),
    (rules("disallow: ", "allow: "), "mill", "/x", True),
    (rules("disallow: /", "allow: /"), "mill", "/x", True),
    (rules("disallow: /x", "allow: /x/"), "mill", "/x", False),
    (rules("disallow: /x", "allow: /x/"), "mill", "/x/", True),
    (rules("allow: /page", "disallow: /*.html"), "mill", "/page.html", False),
    (rules("allow: /page", "disallow: /*.html"), "mill", "/page", True),
    (rules("allow: /x/page.", "disallow: /*.html"), "mill", "/x/page.html", True),
    (rules("allow: /x/page.", "disallow: /*.html"), "mill", "/x/y.html", False),
    (rules("allow: /$", "disallow: /"), "mill", "/", True),
    (rules("allow: /$", "disallow: /"), "mill", "/page", False),
    (rules("disallow: /"), "mill", "/robots.txt", True),
    # octets (table 2 of the RFC)
    (ENCODED.format("/p?q=r&s=http://a?b&c"), "mill", "/p?q=r&s=http://a?b&c", True),
    (ENCODED.format("/foo/bar?baz=https://foo.bar"), "mill", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", True),
    (ENCODED.format("/foo/bar/ツ"), "mill", "/foo/bar/%E3%83%84", True),
    (ENCODED.format("/foo/bar/ツ"), "mill", "/foo/bar/ツ", True),
    (ENCODED.format("/foo/bar/%e3%83%84"), "mill", "/foo/bar/%E3%83%84", True),
    (ENCODED.format("/foo/bar/%62%61%7A"), "mill", "/foo/bar/baz", True),
    (ENCODED.format("/a%2Fb"), "mill", "/a/b", False),
    # special characters
    (rules("disallow: /foo/bar/quz", "allow: /foo/*/qux"), "mill", "/foo/bar/quz", False),
    (rules("disallow: /foo/bar$", "allow: /foo/bar/qux"), "mill", "/foo/bar", False),
    (rules("disallow: /foo/bar$"), "mill", "/foo/bar/", True),
    (rules("# disallow: /", "disallow: /foo/quz#qux", "allow: /"), "mill", "/foo/bar", True),
    (rules("# disallow: /", "disallow: /foo/quz#qux", "allow: /"), "mill", "/foo/quz", False),
    (rules("disallow: /file-with-a-%2A.html"), "mill", "/file-with-a-*.html", False),
    (rules("disallow: /foo-%24"), "mill", "/foo-$", False),
    (rules("disallow: /a$b"), "mill", "/a$b", False),
    *((rules("disallow: /", "allow: /fish"), "mill", path, True) for path in ("/fish", "/fish.html", "/fishheads/x?y")),
    *((rules("disallow: /", "allow: /fish*"), "mill", path, True) for path in ("/fish", "/fish/x", "/fish.html?i=a")),
    *((rules("disallow: /", "allow: /fish"), "mill", path, False) for path in ("/Fish.asp", "/catfish", "/?id=fish")),
    *((rules("disallow: /", "allow: /fish/"), "mill", path, False) for path in ("/fish", "/fish.html", "/Fish/")),
    *((rules("disallow: /", "allow: /*.php"), "mill", path, True) for path in ("/f.php", "/a/f.php?p", "/i?f=f.php/")),
    *((rules("disallow: /", "allow: /*.php"), "mill", path, False) for path in ("/php/", "/i?php", "/windows.PHP")),
    *((rules("disallow: /", "allow: /*.php$"), "mill", path, True) for path in ("/f.php", "/a/f.php", "/f.php.php")),
    *((rules("disallow: /", "allow: /*.php$"), "mill", path, False) for path in ("/f.php?p", "/f.php/", "/f.php5")),
    *((rules("disallow: /", "allow: /fish*.php"), "mill", path, True) for path in ("/fish.php", "/fishes/cat.php?p")),
    (rules("disallow: /", "allow: /fish*.php"), "mill", "/Fish.PHP", False),
]


@pytest.mark.parametrize(("file", "agent", "path", "good"), VECTORS)
def test_a_file_allows_what_the_rfc_says(file: str | bytes, agent: str, path: str, good: bool) -> None:
    assert allows(file, agent, path) is good


def test_lines_are_quoted_with_their_numbers_and_the_agents_they_hold_for() -> None:
    file = b"# us\r\nUser-agent: GPTBot\r\nUser-agent: CCBot\r\n\r\nDisallow: /a # not this\r\n"
    file += b"user-agent: *\rdisallow:/b\n"
    lines = parse(file, ["ccbot", "gptbot", "other"]).lines
    assert [(line.number, line.agents, line.text) for line in lines] == [
        (5, 0b011, "Disallow: /a # not this"),
        (7, 0b100, "disallow:/b"),
    ]


def slow(path: bytes, patterns: list[tuple[bool, bytes]]) -> bool:
    """Whether a path is allowed, by the RFC's words: an expression a pattern, the longest match, of two the allow."""

    def expression(pattern: bytes) -> bytes:
        end = b"\\Z" if pattern.endswith(b"$") else b""
        return b".*".join(map(re.escape, pattern.removesuffix(b"$").split(b"*"))) + end

    hits = [(len(p), allow) for allow, p in patterns if re.match(expression(p), path, re.DOTALL)]
    return max(hits, default=(0, True))[1]


PATH = st.text("/ab%*$?é", max_size=7).map(lambda text: f"/{text}".encode())


@given(PATH, st.lists(st.tuples(st.booleans(), PATH), max_size=6))
def test_the_matcher_equals_its_slow_twin(path: bytes, patterns: list[tuple[bool, bytes]]) -> None:
    file = b"user-agent: *\n" + b"".join((b"allow: " if a else b"disallow: ") + p + b"\n" for a, p in patterns)
    normal = [(allow, normal_pattern(pattern)) for allow, pattern in patterns]
    found = Matcher(parse(file, ["mill"]).lines)
    assert found.disallows(normal_path(path)) is not slow(normal_path(path), normal)


@given(PATH)
def test_normal_forms_stay(path: bytes) -> None:
    assert reduce(lambda text, _: normal_path(text), range(3), path) == normal_path(path)
    assert normal_pattern(normal_pattern(path)) == normal_pattern(path)


@pytest.mark.parametrize(
    ("file", "notes"),
    [
        (b"user-agent: *\ndisallow: /\n" + b"# filler\n" * 6_000_000, ("cut",)),
        (b"user-agent: a\ndisallow: /x\n" * 1_000_000, ("cut",)),
        (b"user-agent: *\ndisallow: /" + b"*a" * 10_000_000, ("cut",)),
        (b"\x89PNG\0\0\0user-agent: *\ndisallow: /\n", ("no_text",)),
        (b"user-agent: *\ndisallow: /caf\xe9\n", ()),
        (b"<html><body>not found</body></html>", ()),
        (b"\r" * MAX_BYTES, ()),
    ],
)
def test_no_file_costs_more_than_its_first_half_megabyte(file: bytes, notes: tuple[str, ...]) -> None:
    started = time.process_time()
    found = parse(file, ["ccbot", "gptbot"])
    Matcher(found.lines).find(b"/" + b"a" * 2000)
    assert found.notes == notes
    assert time.process_time() - started < 5


def test_reservations_of_tdmrep() -> None:
    file = b'[{"location": "/open/*", "tdm-reservation": 0}, {"location": "/open/not/", "tdm-reservation": 1},'
    file += b' {"location": "/", "tdm-reservation": 1.0, "tdm-policy": "https://x/p"}]'
    found = Matcher(parse_reservations(file).lines, ordered=True)
    assert [found.disallows(path) for path in (b"/a", b"/open/a", b"/open/not/a")] == [True, False, False]
    assert found.lines[found.find(b"/a")].text.startswith('{"location": "/"')
    assert parse_reservations(b"[[[").notes == ("no_text",)
    for value, reserved in ((b'"1"', True), (b'" TRUE "', True), (b"true", True), (b'"0"', False), (b"[1]", False)):
        [line] = parse_reservations(b'{"location": "/", "tdm-reservation": %s, "x": "\\ud800"}' % value).lines
        assert line.allow is not reserved
        assert line.text.endswith('"x": "?"}')
    for odd in (b"", b"7", b'{"location": 3}', b'[{"location": "/"}]', b"\xff\xfe\0\0", b"[" * 100_000):
        assert parse_reservations(odd).lines == ()


def reserved(file: str, path: str = "/a/b") -> str:
    """Numbers of the agents, of mill, loom and kiln, for whom a path is reserved."""
    lines = parse_preferences(file.encode(), ["mill", "loom", "kiln"])
    own = [[line for line in lines if line.agents >> agent & 1] for agent in range(3)]
    return "".join(str(agent) for agent, some in enumerate(own) if Matcher(some).disallows(normal_path(path.encode())))


@pytest.mark.parametrize(
    ("file", "agents"),
    [
        ("user-agent: *\ncontent-signal: search=yes, ai-train=no\nallow: /\n", "012"),
        ("User-Agent: *\nContent-Signal: AI-Train = No ; x=1,search=yes\n", "012"),
        ("user-agent: *\nContent-Usage: train-ai=n\n", "012"),
        ("user-agent: *\nContent-Usage: /a train-ai=n, search=y\n", "012"),
        ("user-agent: *\nContent-Usage: /a\t train-ai=n\n", "012"),
        ("user-agent: *\nContent-Usage: /b train-ai=n\nContent-Usage: search=n\n", ""),
        ("user-agent: *\nContent-Usage: /%61 train-ai=n\nContent-Usage: /a train-ai=y\n", "012"),
        ("user-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /a/ train-ai=y\n", ""),
        ("user-agent: *\nContent-Usage: train-ai=y\nContent-Usage: /a/*b$ train-ai=n\n", "012"),
        ("user-agent: *\nContent-Signal: ai-train=yes\nContent-Usage: train-ai=n\n", "012"),
        ("user-agent: *\nContent-Signal: ai-train=maybe, ai-input=no, search=no\n", ""),
        ("Content-Usage: train-ai=n\nuser-agent: mill\ndisallow: /\n", "012"),
        ("user-agent: *\ncontent-signal: ai-train=no\nuser-agent: mill\ncontent-signal: ai-train=yes\n", "12"),
        ("user-agent: *\ncontent-signal: ai-train=no\nuser-agent: mill\ndisallow: /\n", "012"),
        ("user-agent: loom\nuser-agent: kiln\ncontent-signal: ai-train=no\n", "12"),
        ("# content-signal: ai-train=no\nuser-agent: *\nallow: /\n", ""),
    ],
)
def test_preferences_on_training(file: str, agents: str) -> None:
    assert reserved(file) == agents


def test_a_preference_ends_the_names_of_a_group() -> None:
    assert allows("user-agent: *\ncontent-signal: ai-train=no\nuser-agent: loom\ndisallow: /\n", "mill", "/x")
    assert not allows("user-agent: *\nunknown: 1\nuser-agent: loom\ndisallow: /\n", "mill", "/x")
    assert reserves(b"search=yes") is None
    assert reserves(b"search=yes; ai-train=no") is True
    assert reserves(b"ai-train=no, train-ai=y") is True
    assert reserves(b"ai-train") is None
