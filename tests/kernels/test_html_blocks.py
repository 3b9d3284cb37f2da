"""The HTML scanner: what is text, what never is, where blocks end, and its price on hostile pages."""

from __future__ import annotations

import html
import html.entities
import random
import re
import time

import pyarrow as pa
import pytest

from stages.extraction.html_to_text import ExtractionParams, all_text
from stages.extraction.scanning import Scanner
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.html import layout


def blocks_of(page: bytes | str) -> list[str]:
    content = page.encode() if isinstance(page, str) else page
    data, offsets = text_buffers(pa.array([content], pa.large_binary()))
    scanned = Scanner().scan(data, offsets, 0, 1)
    return [scanned.block_text(block) for block in range(scanned.num_blocks)]


def text_of(page: bytes | str) -> str:
    content = page.encode() if isinstance(page, str) else page
    return str(all_text(pa.array([content], pa.large_binary()), ExtractionParams())[0].as_py())


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("<p>a<p>b", ["a", "b"]),
        ("a<br>b<br/>c</br>d", ["a", "b", "c", "d"]),
        ("<p>a \n\t b&nbsp; c</p>", ["a b c"]),
        ("<pre>\n a\r\n\tb </pre>", [" a\n\tb"]),
        ("<p>a<b>b</b>c <i> d</i></p>", ["abc d"]),
        ("1 < 2 & 3 <3 </ x> y", ["1 < 2 & 3 <3 y"]),
        ("<table><tr><td>a<td>b<tr><th>c</table>d", ["a", "b", "c", "d"]),
        ("<p title='>'>a<p title=\">\">b<p title=x>c", ["a", "b", "c"]),
        ("a<!-- b --!>c<!-->d<!--->e<!-- f", ["acde"]),
        ("a<!doctype html>b<?php echo '1'; ?>c</3>d", ["abcd"]),
        ("a<script>b</scripty></script >c", ["ac"]),
        ("a<script><!--<script>b</script>c</script>d--></script>e", ["ad-->e"]),
        ("a<style>b<p></style>c<title>d<b></title>e<iframe>f</iframe>g", ["aceg"]),
        ("a<textarea>b</textarea>c<select><option>d</select>e", ["a", "c", "e"]),
        ("<table><tr><td><select><option>a<td>b</select>c</table>", ["b", "c"]),
        ("<select><option>a<td>b</select>c", ["c"]),
        ("<table><tr><td><select><option>a</tr>b</select>c</table>", ["b", "c"]),
        ("a<svg><title>b</title><style>c</style><path/></svg>d<svg/>e", ["ade"]),
        ("<svg><path><p>a", ["a"]),
        ("a<template>b<template>c</template>d</template>e", ["ae"]),
        ("<noscript>a</noscript>", ["a"]),
        ("a<plaintext>b<c>&amp;", ["a", "b<c>&amp;"]),
        ("<xmp><b>&lt;</xmp>a", ["<b>&lt;", "a"]),
        ("a\x00b", ["ab"]),
        ("a<b", ["a"]),
        ("a<b title='", ["a"]),
        ("a<script>b", ["a"]),
        ("مرحبا <b>بالعالم</b>", ["مرحبا بالعالم"]),
    ],
)
def test_blocks_are_what_stands_between_block_level_tags(page: str, blocks: list[str]) -> None:
    assert blocks_of(page) == blocks


def test_every_named_reference_is_decoded_as_the_standard_library_does() -> None:
    names = sorted(html.entities.html5)
    page = "".join(f"<p>x&{name}x" for name in names)
    expected = [" ".join(html.unescape(f"x&{name}x").replace("\xad", "").split()) for name in names]
    assert [" ".join(block.split()) for block in blocks_of(page)] == expected


def test_numbers_and_prefixes_of_references_are_decoded_as_the_standard_library_does() -> None:
    cases = [
        "&#65;", "&#x41;", "&#x1F600;", "&#0;", "&#xD800;", "&#1114112;", "&#150;", "&#;", "&#x;", "&notit;", "&ampx",
        "&copy2", "&unknown;", "&", "&;", "&#65x",
    ]  # fmt: skip
    assert blocks_of("".join(f"<p>{case}z" for case in cases)) == [html.unescape(case + "z") for case in cases]


@pytest.mark.slow
def test_text_agrees_with_a_plain_regular_expression_on_simple_pages() -> None:
    rng = random.Random(7)
    for _ in range(200):
        pieces = [rng.choice(("a", "bc ", " d\n", "é", "<b>", "</b>", "<p>", "</p>", "<div class='x>y'>", "<!--x-->", "日本"))
                  for _ in range(30)]  # fmt: skip
        page = "".join(pieces)
        cut = re.sub(r"<div class='x>y'>|</?p>", "\n\n", re.sub(r"<!--x-->|</?b>", "", page).replace("\n", " "))
        expected = [" ".join(part.split()) for part in cut.split("\n\n")]
        assert blocks_of(page) == [part for part in expected if part]


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    assert text_of(b"<p>a\xffb\xc3") == "a\ufffdb\ufffd"


def test_utf16_and_nul_pages_give_text_or_nothing() -> None:
    for page in ("<p>hello".encode("utf-16"), b"\0" * 1000, b"\0<\0p\0>\0a"):
        text_of(page).encode()


def test_marks_and_hints_of_blocks_and_elements_are_noted() -> None:
    page = b"<div class='postComments' aria-hidden=true><p>ab <a href=x>cd</a> <b>e</b> <code>fg</code><img></div>"
    data, offsets = text_buffers(pa.array([page], pa.large_binary()))
    s = Scanner().scan(data, offsets, 0, 1)
    row = s.blocks[:, 0].tolist()
    assert [row[layout.LINK_BYTES], row[layout.NUM_LINKS], row[layout.BOLD_BYTES]] == [2, 1, 1]
    assert [row[layout.CODE_BYTES], row[layout.NUM_IMAGES]] == [2, 1]
    from stages.kernels.html.hints import HINT_BITS, NOT_SHOWN

    hints = int(s.nodes[layout.HINTS, 1])
    assert hints >> HINT_BITS["comment"] & 1
    assert hints >> HINT_BITS["article"] & 1
    assert hints >> NOT_SHOWN & 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["<div>", "<p><b>", "<table><tr><td>", "<li>", "</p>", "<a href='", "<!--", "<script>", "<svg>", "<select>", "&", "&#", "<",
     "<template>", "<x ", "texttext", "<p class='texttext", "</div>", "<div></p></table>", "<![CDATA[", "\u3000"],
)  # fmt: skip
def test_time_is_linear_in_the_page_whatever_it_repeats(unit: str) -> None:
    def seconds(times: int) -> float:
        pages = pa.array([(unit * times).encode()], pa.large_binary())
        start = time.process_time()
        all_text(pages, ExtractionParams())
        return time.process_time() - start

    seconds(10)
    small = min(seconds(50_000) for _ in range(3))
    large = min(seconds(400_000) for _ in range(2))
    assert large < 8 * 6 * max(small, 0.004)  # a quadratic scanner would take 64 times as long


def test_a_million_nested_elements_and_a_huge_attribute_are_scanned() -> None:
    assert text_of(b"<div>" * 1_000_000 + b"x" + b"</div>" * 1_000_000 + b"y") == "x\n\ny"
    assert text_of(b"<img src='data:" + b"A" * 40_000_000 + b"'>x") == "x"
