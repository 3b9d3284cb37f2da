"""Pages that show nothing without a script: their text comes from the state they carry, and from nowhere else."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from stages.extraction.html_to_text import main_text

SENTENCES = [
    "The lighthouse at the end of the pier was built in 1874 and has been painted white ever since.",
    "Its keeper wrote down the weather twice a day, and his notebooks are read by climatologists now.",
    "In winter the steps are covered with ice, so that visitors may only see it from the shore.",
]
TEXT = "\n\n".join(SENTENCES)
SHELL = '<!DOCTYPE html><html><head><title>Lighthouse</title></head><body><div id="root"></div>{}</body></html>'


def text_of(page: str | bytes) -> str:
    html = page if isinstance(page, bytes) else page.encode()
    return str(main_text(pa.array([html], pa.large_binary()))[0].as_py())


def script(value: object, attributes: str) -> str:
    return f"<script {attributes}>{json.dumps(value)}</script>"


LINKED = 'type="application/ld+json"'
NEXT = 'id="__NEXT_DATA__" type="application/json"'
BODY = {"page": {"article": {"title": "Lighthouse", "body": [{"type": "p", "text": part} for part in SENTENCES]}}}


@pytest.mark.parametrize(
    "state",
    [
        script({"@type": "NewsArticle", "articleBody": TEXT}, LINKED),
        script({"@graph": [{"@type": "WebSite", "name": "x"}, {"@type": "Article", "articleBody": TEXT}]}, LINKED),
        script({"@type": "Article", "articleBody": "".join(f"<p>{part}</p>" for part in SENTENCES)}, LINKED),
        script({"@type": "DiscussionForumPosting", "text": TEXT}, LINKED),
        script({"props": {"pageProps": BODY}}, NEXT),
        script({"props": {"html": "".join(f"<p>{part}</p>" for part in SENTENCES)}}, NEXT),
        script([{"article": 1}, {"body": 2}, [3, 4, 5], *SENTENCES], 'type="application/json" id="__NUXT_DATA__"'),
        f"<script>window.__INITIAL_STATE__ = {json.dumps(BODY)};</script>",
        f"<script>window['__PRELOADED_STATE__']=JSON.parse({json.dumps(json.dumps(BODY))})</script>",
        f"<my-story><template shadowrootmode=open><article>{''.join(f'<p>{s}</p>' for s in SENTENCES)}</article></template></my-story>",
    ],
)
def test_a_page_that_shows_nothing_gives_the_text_of_its_state(state: str) -> None:
    found = text_of(SHELL.format(state))
    assert [line for line in found.split("\n") if line in SENTENCES] == SENTENCES
    assert "<" not in found
    assert "{" not in found


def test_a_headline_stands_above_the_body_of_linked_data() -> None:
    page = SHELL.format(script({"@type": "Article", "headline": "A white tower", "articleBody": TEXT}, LINKED))
    assert text_of(page) == f"A white tower\n\n{TEXT}"


def test_what_a_page_shows_is_its_text_whatever_its_state_says() -> None:
    article = "".join(f"<p>{part} It stands in the page as everybody sees it.</p>" for part in SENTENCES)
    page = SHELL.format(article + script({"@type": "Article", "articleBody": TEXT * 3}, LINKED))
    assert text_of(page) == text_of(SHELL.format(article))


@pytest.mark.parametrize(
    "state",
    [
        script({"messages": {str(n): text for n, text in enumerate(SENTENCES)}}, NEXT),  # words of the program
        script({"@type": "Product", "description": "short"}, LINKED),
        script({"chunks": ["/static/a.js", "https://example.org/one/two"] * 50}, NEXT),
        "<script>window.__STATE__ = function() { return 'a b c d e f g h i j k l m n o p q r s t u v'; };</script>",
        f"<script {LINKED}>{{broken: {TEXT}</script>",
        f"<template><p>{TEXT}</p></template>",  # of a template that no shadow root takes
        f"<!-- {TEXT} -->",
    ],
)
def test_what_is_no_text_of_the_page_is_not_taken(state: str) -> None:
    assert text_of(SHELL.format(state)) == ""


@pytest.mark.parametrize(
    "state",
    [
        f"<script {NEXT}>{'[' * 100_000}</script>",
        "<script type=application/json>" + '{"a":' * 100_000 + "1" + "}" * 100_000 + "</script>",
        "<script>" + "window.__STATE__={" * 50_000 + "</script>",
        "<!-- __ -->" + "<script " * 200_000,
        "<!-- __ -->" + "<script>" * 200_000,
        "<!-- __ -->" + "<script a=" + "b" * 1_000_000,
        "<template shadowrootmode=open>" * 50_000,
        script({"a": "\ud800 lone \ud800 halves " * 20}, NEXT),
    ],
    ids=["lists", "objects", "assignments", "unclosed", "unended", "attribute", "shadows", "surrogates"],
)
def test_hostile_state_is_text_or_nothing(state: str) -> None:
    assert "{" not in text_of(SHELL.format(state))
