"""Inline text as a visitor sees it: empty lines of `br`, quotation marks, smileys, wrapped lines, characters without width."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stages.extraction import ExtractionParams
from stages.extraction.html_to_text import all_text


def text_of(page: str, markdown: bool = False) -> str:
    return str(all_text(pa.array([page.encode()], pa.large_binary()), ExtractionParams(markdown=markdown))[0].as_py())


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<div>one<br>two<br><br>three</div>", "one\ntwo\n\nthree"),
        ("<p>one<br />\n<br />\n<br />two<br>&nbsp;<br>three", "one\n\ntwo\n\nthree"),
        ("<p>one</p><br><br><p>two</p>three<br><p>four</p><br>five", "one\n\ntwo\n\nthree\n\nfour\n\nfive"),
        ("<ul><li>one<br><br>two<li>three</ul>", "- one\n\ntwo\n- three"),
        ("<pre>one<br><br>two</pre>", "one\n\ntwo"),
    ],
)
def test_two_line_breaks_are_an_empty_line(page: str, expected: str) -> None:
    assert text_of(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("He said <q>hello <q>you</q></q> to me", 'He said "hello you" to me'),
        ("<q> spaces </q>. <q><b>bold</b> text</q>, l’<q>oiseau</q>", '"spaces" . "bold text", l’"oiseau"'),
        ("<a href=/x><q>link</q></a> e<q>f</q> m <q>x</q> n<q>c</q>", '"link" e"f" m "x" n"c"'),
        ('„<q>Das</q>“ "<q>x</q>" &ldquo;<q>y</q>&rdquo; <q>«g»</q> 「<q>語</q>」', '„Das“ "x" “y” «g» 「語」'),
        ("a <q></q> b <q>open <p>c</q> <q>d</q>", 'a b open\n\nc "d"'),
        ("<q><p>one</p><p>two</p></q> three", "one\n\ntwo\n\nthree"),
        ("<pre>a <q>b</q></pre>", "a b"),
    ],
)
def test_quotations_have_marks_once(page: str, expected: str) -> None:
    assert text_of(page) == expected


def test_inline_code_keeps_its_place_beside_marks() -> None:
    page = "<p><code>a</code> <q><code>b</code> c</q> <code>d</code><q>e</q> <code>f</code>"
    assert text_of(page, markdown=True) == '`a` "`b` c" `d`"e" `f`'


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("<img class=emoji alt='😀'>", "so 😀 it is"),
        ("<img alt='👍🏽' src=/x.png>", "so 👍🏽 it is"),
        ("<img class='wp-smiley' alt=':)'>", "so :) it is"),
        ("<img src='/images/smilies/1.gif' alt='&#58;&#41;'>", "so :) it is"),
        ("<img class='reaction emoji' alt='Like'>", "so it is"),
        ("<img class='emoji' alt=':sunglasses:'>", "so it is"),
        ("<img class='smilie' alt=': )'>", "so it is"),
        ("<img src='/demo/1.gif' alt='--'>", "so it is"),
        ("<img alt='❄ snow' src=/x.png>", "so it is"),
        ("<img class=emoji alt=''>", "so it is"),
    ],
)
def test_smileys_stand_for_their_images(image: str, expected: str) -> None:
    assert text_of(f"<p>so {image} it is") == expected
    assert text_of(f"<p>{image} it is") == "it is"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("データ\n\t型を、\r\n示します。\n（注）", "データ型を、示します。（注）"),
        ("<b>数据</b>\n<a href=/x><i>类型</i></a>\n说明", "数据类型说明"),
        ("データ 型 と\npsql\nの 例\n", "データ 型 と psql の 例"),
        ("한국어\n문서 한국어\n漢字", "한국어 문서 한국어 漢字"),
        ("word\n漢字\nword", "word 漢字 word"),
        ("<pre>漢字\n漢字</pre>", "漢字\n漢字"),
        ("漢字 \n \n  漢字 <b>\n漢</b>", "漢字漢字 漢"),
        ("漢\n<br>字<p>一\n</p>二", "漢\n字\n\n一\n\n二"),
    ],
)
def test_lines_that_the_source_wraps_leave_no_space_in_chinese_and_japanese(page: str, expected: str) -> None:
    assert text_of(page) == expected
