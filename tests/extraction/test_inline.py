"""Inline text as a visitor sees it: empty lines of `br`, quotation marks, smileys, wrapped lines, characters without width."""

from __future__ import annotations

import time

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
        ("a <q><p>日本</q> <q>語</q>", 'a\n\n日本 "語"'),
        ("<p><q>open <p>a <q>b</q><br>c <q>d<br>e</q> <q>f</q>", 'open\n\na "b"\nc d\ne "f"'),
        ("<h2>日本<a href=#x>#<q></a></q></h2>", "日本"),
        ("<h2>日本<a href=#x>#<q></a>語</q></h2>", "日本語"),
        ("<span class=math>\\frac<q>{a}</span>日本</q>", "$\\frac{a}$日本"),
        ("<table><tr><th>a<th>b<tr><td><q>c</q><td>d</table>", 'a | b\n"c" | d'),
        ("a<sup><q>2</q></sup> <q>b<sup>2</sup></q>", 'a^2 "b^2"'),
        ("<q>a</q>&#8212;<q>b</q>&#8230; <q>c</q>&rsquo;s <q>d</q>&#8217;s", '"a"—"b"… "c"’s "d"’s'),
        ("<q>a</q>&#34; <q>b</q>&#8221; <q>c</q>&#x201D; <q>d</q>&lsquo; <q>e</q>&#8250;", 'a" b” c” d‘ e›'),
    ],
)
def test_quotations_have_marks_once(page: str, expected: str) -> None:
    assert text_of(page) == expected


def test_inline_code_keeps_its_place_beside_marks() -> None:
    page = "<p><code>a</code> <q><code>b</code> c</q> <code>d</code><q>e</q> <code>f</code>"
    assert text_of(page, markdown=True) == '`a` "`b` c" `d`"e" `f`'
    page = "<p><code><q>a</q></code> <code>b <q>c</q></code> <q><code>d</code></q> <q>e<code>f</q></code>"
    assert text_of(page, markdown=True) == '`"a"` `b "c"` "`d`" "e`f"`'


@pytest.mark.parametrize("unit", ["<code>a</code><q>b</q>", "<q><code>a</code> b</q>", "<q><q>a</q>", "a</q>"])
def test_time_grows_with_the_page_for_many_quotations(unit: str) -> None:
    def seconds(num: int) -> float:
        start = time.process_time()
        text_of("<p><q>" + unit * num)
        return time.process_time() - start

    few, many = (min(seconds(num) for _ in range(3)) for num in (4_000, 64_000))
    assert many < 80 * few + 0.2


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>x <span class=math>\\alphaé<br></span>", "x \\alphaé"),
        ("<p>x <span class=math>\\alpha é<br>b</span> c", "x \\alpha é\nb c"),
        ("<p>x <span class=math><br>\\alpha_é</span> c", "x\n$\\alpha_é$ c"),
        ("<p>x <span class=math>é<br>\\alpha_1</span> <span class=math>\\alpha_2</span>", "x é\n\\alpha_1 $\\alpha_2$"),
    ],
)
def test_tex_over_several_lines_is_cut_nowhere(page: str, expected: str) -> None:
    assert text_of(page) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("<img class=emoji alt='😀'>", "so 😀 it is"),
        ("<img alt='👍🏽' src=/x.png>", "so 👍🏽 it is"),
        ("<img alt='👨\u200d👩\u200d👧\u200d👦' src=/x.png>", "so 👨\u200d👩\u200d👧\u200d👦 it is"),
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
        ("<b>数据</b>\n类型\n<a href=/x><i>说明</i></a>\n说明", "数据类型说明说明"),
        ("<a href=1>首页</a> \n<a href=2>新闻</a>\n<span>作者</span>", "首页 新闻 作者"),
        ("ﾃﾞｰﾀ\nﾀｲﾌﾟ ㄅㄆ\nㄇ Ａ\nＢ", "ﾃﾞｰﾀﾀｲﾌﾟ ㄅㄆㄇ ＡＢ"),
        ("ㄱㄴ\nㄷ ﾡ\nﾢ", "ㄱㄴ ㄷ ﾡ ﾢ"),
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


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("เรา\u200b\nรัก", "เรา\u200bรัก"),
        ("ខ្ញុំ\r\n\t\u200bស្រលាញ់", "ខ្ញុំ\u200bស្រលាញ់"),
        ("ខ្ញុំ&#8203; \n <b>ស្រលាញ់</b>\n\u200b<i>គេ</i>", "ខ្ញុំ\u200bស្រលាញ់\u200bគេ"),
        ("ក\u200b ខ \u200bគ", "ក\u200b ខ \u200bគ"),
        ("<a href=1>ក\u200b</a>\n<a href=2>ខ</a>", "ក\u200b ខ"),
        ("so &#8230;&#8203;\nIf \u2026\u200b<b>if</b>", "so …\u200b If …\u200bif"),
        ("เรา\nรัก ខ្ញុំ\nស្រលាញ់", "เรา รัก ខ្ញុំ ស្រលាញ់"),
        ("é\n\u200cx é\n\u2009x", "é \u200cx é \u2009x"),
    ],
)
def test_lines_that_the_source_wraps_at_a_place_to_break_leave_no_space(page: str, expected: str) -> None:
    """U+200B says that no space is meant, but for that of AsciiDoctor behind its dots; between Thai or Khmer letters alone a browser shows one."""
    assert text_of(page) == expected
