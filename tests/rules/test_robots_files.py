"""Services and their states, from answers to verdicts on a column of URLs."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages.rules import robots_files
from stages.rules.robots_answers import Answer, compile_answers
from stages.rules.robots_files import rules_of

AGENTS = ("ccbot", "gptbot")
DENY = b"User-agent: CCBot\nDisallow: /private/\n\nUser-agent: *\nAllow: /\n"


def answer(url: str, body: bytes = b"", status: int = 200, location: str = "", date: str = "2024-01-01") -> Answer:
    return Answer(url, date, status, location, body, "robots.warc.gz at 0")


HOPS = [
    answer(f"https://hop{n}.example/robots.txt", status=301, location=f"//hop{n + 1}.example/robots.txt")
    for n in range(9)
]
ANSWERS = [
    answer("https://plain.example/robots.txt", DENY),
    answer("http://PLAIN.example:80/robots.txt", status=301, location="https://plain.example/robots.txt"),
    answer("https://only-https.example/robots.txt", DENY),
    answer("https://port.example:8443/robots.txt", b"user-agent: *\ndisallow: /"),
    answer("https://gone.example/robots.txt", b"user-agent: *\ndisallow: /", 404),
    answer("https://down.example/robots.txt", status=503),
    answer("https://moved.example/robots.txt", status=302, location="/elsewhere?x=1"),
    answer("https://moved.example/elsewhere?x=1", b"user-agent: gptbot\ndisallow: /"),
    answer("https://lost.example/robots.txt", status=302, location="https://not-here.example/robots.txt"),
    answer("https://nowhere.example/robots.txt", status=302),
    answer("https://loop.example/robots.txt", status=302, location="/robots.txt"),
    answer("https://ai.example/ai.txt", b"user-agent: *\ndisallow: /"),
    answer("https://ai.example/robots.txt"),
    answer("https://tdm.example/.well-known/tdmrep.json", b'[{"location": "/a*", "tdm-reservation": 1}]'),
    answer("https://tdm.example/ai.txt", status=503),
    answer(
        "https://first.example/.well-known/tdmrep.json",
        b'[{"location": "/b*", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": "1"},'
        b' {"location": "/open/", "tdm-reservation": 0}, {"location": "/bad/", "tdm-reservation": 1}]',
    ),
    answer("https://twice.example/robots.txt", b"user-agent: *\ndisallow: /", date="2024-01-02"),
    answer("https://twice.example/robots.txt", b"user-agent: *\ndisallow:", date="2024-03-01"),
    answer("https://same.example/robots.txt", b"user-agent: *\ndisallow: /", date="2024-01-02"),
    answer("https://same.example/robots.txt", status=304, date="2024-03-01"),
    answer("https://münchen.example/robots.txt", b"user-agent: *\ndisallow: /"),
    answer("https://xn--kln-sna.example/robots.txt", b"user-agent: *\ndisallow: /"),
    answer("https://under_score.example/robots.txt", b"user-agent: *\ndisallow: /"),
    answer("https://signal.example/robots.txt", b"user-agent: *\ncontent-signal: ai-train=no\nallow: /"),
    answer("http://signal.example/robots.txt", b"user-agent: *\ndisallow: /x"),
    answer("https://usage.example/robots.txt", b"user-agent: gptbot\ncontent-usage: /a train-ai=n\ndisallow: /b"),
    *HOPS,
    answer("https://hop9.example/robots.txt", b"user-agent: *\ndisallow: /"),
]
CC, GPT = "robots_txt_disallows_ccbot", "robots_txt_disallows_gptbot"
EXPECTED = {
    "https://plain.example/private/a": {CC},
    "https://plain.example/public": set(),
    " https://plain.example/private/a\n": {CC},
    "https://plain.example/private/a#one\ntwo": {CC},
    "https://same.example/": {CC, GPT},
    "https://first.example/open/a": {"robots_txt_missing", "tdmrep_reserves"},
    "https://first.example/bad/a": {"robots_txt_missing"},
    "https://xn--mnchen-3ya.example/": {CC, GPT},
    "https://MÜNCHEN.example/": {CC, GPT},
    "https://Ko\u0308ln.example/": {CC, GPT},
    "https://under_score.example/a": {CC, GPT},
    "https://signal.example/a": {"robots_txt_reserves"},
    "http://signal.example/a": set(),
    "http://usage.example/a/b": {"robots_txt_reserves"},
    "https://usage.example/b": {GPT},
    "https://usage.example/c": set(),
    "HTTP://user@plain.example.:80/private/a#x": {CC},
    "http://only-https.example/private/": {CC},
    "https://port.example:8443": {CC, GPT},
    "https://port.example/": {"robots_txt_missing"},
    "https://gone.example/": set(),
    "https://down.example/x": {"robots_txt_unreachable"},
    "https://moved.example?q": {GPT},
    "https://lost.example/": {"robots_txt_missing"},
    "https://nowhere.example/": set(),
    "https://loop.example/": set(),
    "https://hop3.example/": set(),
    "https://hop4.example/": {CC, GPT},
    "https://ai.example/x": {"ai_txt_disallows"},
    "https://tdm.example/about": {"tdmrep_reserves", "robots_txt_missing"},
    "https://tdm.example/b": {"robots_txt_missing"},
    "https://twice.example/": set(),
    "ftp://plain.example/private/": {"robots_txt_missing"},
    "no address": {"robots_txt_missing"},
}


def table_of(tmp_path: Path, answers: list[Answer]) -> robots_files.RobotsTable:
    rows, _ = compile_answers(answers, AGENTS)
    store = Store(str(tmp_path / "root"))
    place = robots_files.address(AGENTS, [str(tmp_path)])
    robots_files.save(store, place, rows, AGENTS)
    return robots_files.load(store, place)


def test_every_state_has_its_verdict_whatever_the_order_of_answers(tmp_path: Path) -> None:
    urls = [*EXPECTED, None]
    names = rules_of(AGENTS, True)
    mixed = list(ANSWERS)
    random.Random(1).shuffle(mixed)
    for number, answers in enumerate((ANSWERS, mixed)):
        table = table_of(tmp_path / str(number), answers)
        for kind in (pa.string(), pa.large_string()):
            failed = table.match(pa.array(urls, kind), True).failed
            found = [{name for bit, name in enumerate(names) if bits >> bit & 1} for bits in failed.tolist()]
            assert dict(zip(urls, found, strict=True)) == {**EXPECTED, None: {"robots_txt_missing"}}
    for url in urls:
        entries = table.explain(url, True)
        assert {entry["rule"] for entry in entries} == EXPECTED.get(url, {"robots_txt_missing"})  # type: ignore[arg-type]
    kept = table.match(pa.array(urls), False).failed
    names = rules_of(AGENTS, False)
    wanted = [sum(1 << names.index(rule) for rule in EXPECTED.get(url, ()) if rule in names) for url in urls]  # type: ignore[call-overload]
    assert np.array_equal(kept, wanted)


def test_what_decides_is_quoted(tmp_path: Path) -> None:
    table = table_of(tmp_path, ANSWERS)
    assert table.explain("http://plain.example/private/a", False) == [
        {
            "rule": CC,
            "url": "https://plain.example/robots.txt",
            "file": "robots.warc.gz at 0",
            "line": 2,
            "text": "Disallow: /private/",
        }
    ]
    assert table.explain("http://usage.example/a/b", False) == [
        {
            "rule": "robots_txt_reserves",
            "url": "https://usage.example/robots.txt",
            "file": "robots.warc.gz at 0",
            "line": 2,
            "text": "content-usage: /a train-ai=n",
        }
    ]


def test_states_are_counted() -> None:
    counts = compile_answers(ANSWERS, AGENTS)[1]
    assert {key: counts[f"robots {key}"] for key in ("said", "free", "closed", "elsewhere")} == {
        "said": 20,
        "free": 7,
        "closed": 1,
        "elsewhere": 1,
    }


@pytest.mark.parametrize(
    "url", ["http://[::1/robots.txt", "http://x:99999999/robots.txt", "mailto:a@b", "", "http:///robots.txt"]
)
def test_answers_without_a_service_say_nothing(url: str) -> None:
    assert compile_answers([answer(url, DENY)], AGENTS)[0] == []


PATH = st.text("/ab%*$?é", max_size=6).map(lambda text: f"/{text}")
LINES = st.lists(st.tuples(st.sampled_from(["Allow", "Disallow"]), PATH), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=4), st.lists(PATH, min_size=1, max_size=4), st.booleans())
def test_the_kernel_says_what_the_lines_quoted_say(files: list[Any], paths: list[str], heavy: bool) -> None:
    answers = []
    for number, lines in enumerate(files):
        said = "".join(f"{name}: {pattern}\n" for name, pattern in lines)
        body = f"User-agent: {('*', 'CCBot')[number % 2]}\n{said}".encode()
        answers.append(answer(f"https://h{number}.example/robots.txt", body))
        entries = [{"location": pattern, "tdm-reservation": int(name == "Disallow")} for name, pattern in lines]
        answers.append(answer(f"https://h{number}.example/.well-known/tdmrep.json", json.dumps(entries).encode()))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(robots_files, "HEAVY", -1 if heavy else 1 << 14)
        table = table_of(Path(folder), answers)
        urls = [f"https://h{number}.example{path}" for number in range(len(files)) for path in [*paths, "/robots.txt"]]
        failed = table.match(pa.array(urls), False).failed.tolist()
        names = rules_of(AGENTS, False)
        for url, bits in zip(urls, failed, strict=True):
            rules = {entry["rule"] for entry in table.explain(url, False)}
            assert rules == {name for bit, name in enumerate(names) if bits >> bit & 1}, url
