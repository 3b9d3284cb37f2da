"""Structure of pages in their text: formulas, code, tables, lists, raised text, and what nobody sees."""

from __future__ import annotations

import random
import time

import pyarrow as pa
import pytest

from stages.extraction import ExtractionParams
from stages.extraction.html_to_text import all_text


def text_of(page: str | bytes, markdown: bool = True) -> str:
    content = page.encode() if isinstance(page, str) else page
    return str(all_text(pa.array([content], pa.large_binary()), ExtractionParams(markdown=markdown))[0].as_py())


MATHML = "<mrow><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></mrow>"
ANNOTATED = f'<semantics>{MATHML}<annotation encoding="application/x-tex">E=mc^2</annotation></semantics>'


@pytest.mark.parametrize(
    "page",
    [
        f"<math>{MATHML}</math>",
        f"<math>{ANNOTATED}</math>",
        f"<mml:math>{MATHML}</mml:math>",
        f'<span class=katex><span class=katex-mathml><math>{ANNOTATED}</math></span><span class="katex-html" aria-hidden=true>'
        "<span>E</span><span>=mc2</span></span></span>",
        "<script type='math/tex'>E=mc^2</script>",
        "<span class=MathJax_Preview>E=mc2</span><span class=MathJax><nobr>E=mc<sup>2</sup></nobr>"
        f"<span class=MJX_Assistive_MathML><math>{MATHML}</math></span></span><script type='math/tex'>E=mc^2</script>",
        "<mjx-container class=MathJax jax=CHTML><mjx-math><mjx-mi>E</mjx-mi></mjx-math><mjx-assistive-mml>"
        f"<math>{MATHML}</math></mjx-assistive-mml></mjx-container>",
        "<mjx-container jax=CHTML><mjx-math data-latex='E=mc^2'><mjx-mi data-latex=E>E</mjx-mi></mjx-math></mjx-container>",
        "<mjx-container jax=SVG><svg><g data-mml-node=math data-latex='E=mc^2'><path/></g></svg></mjx-container>",
        '<span class="mwe-math-element"><span class="mwe-math-mathml-inline mwe-math-mathml-a11y" style="display: none;">'
        f"<math alttext='{{\\displaystyle E=mc^2}}'>{MATHML}</math></span>"
        "<img class='mwe-math-fallback-image-inline' aria-hidden=true alt='{\\displaystyle E=mc^2}'></span>",
        f'<math class=ltx_Math alttext="E=mc^2"><semantics>{MATHML}<annotation-xml encoding="MathML-Content"><apply><ci>E</ci>'
        '</apply></annotation-xml><annotation encoding="application/x-tex">E=mc^2</annotation>'
        '<annotation encoding="application/x-llamapun">italic_E = italic_m</annotation></semantics></math>',
        "<img class=latex alt='E=mc^2'>",
        "<img alt='$E=mc^2$'>",
        "<img src='https://latex.codecogs.com/svg.latex?E%3Dmc%5E2'>",
        "<img src='//www.zhihu.com/equation?tex=E%3Dmc%5E2' eeimg=1>",
        "<img src='https://s0.wp.com/latex.php?latex=E%3Dmc%5E2&#038;bg=ffffff'>",
        "<span class='math inline'>E=mc^2</span>",
        "<span class=ztext-math data-tex='E=mc^2'><span class=x>E=mc2</span></span>",
        "<math-field>E=mc^2</math-field>",
    ],
)
def test_every_formula_stands_once_as_its_tex(page: str) -> None:
    assert text_of(f"<p>So {page} holds.") == "So $E=mc^2$ holds."


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mn>1</mn></mrow></mfrac>", r"\frac{a}{b+1}"),
        ("<msqrt><mi>x</mi></msqrt><mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt{x}\sqrt[3]{x}"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>", r"\sum_i^nx_i^2"),
        ("<mover><mi>v</mi><mo>→</mo></mover><mover><mrow><mi>a</mi><mi>b</mi></mrow><mo>¯</mo></mover>", r"\vec{v}\overline{ab}"),
        ("<mover><mo>=</mo><mtext>def</mtext></mover>", r"\overset{\text{def}}{=}"),
        ("<mo>[</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr><mtr><mtd><mn>2</mn></mtd></mtr></mtable><mo>]</mo>",
         r"\begin{bmatrix} 1 & 0 \\ 2 \end{bmatrix}"),
        ("<mi>sin</mi><mi>θ</mi><mo>∈</mo><mi mathvariant='double-struck'>R</mi>", r"\sin\theta\in\mathbb{R}"),
        ("<mi>𝑥</mi><mi>ℝ</mi><mo>&le;</mo><mi>α</mi><mi>b</mi>", r"x\mathbb{R}\leq\alpha b"),
        ("<msup><mi>f</mi><mo>′</mo></msup><msup><mrow><mo>(</mo><mi>x</mi><mo>)</mo></mrow><mn>2</mn></msup>", "f'(x)^2"),
        ("<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>", r"\binom{n}{k}"),
        ("<mtext>if $5 &amp; more</mtext>", r"\text{if \$5 \& more}"),
        ("<munder><mi>lim</mi><mi>x</mi></munder>", r"\lim_x"),
    ],
)  # fmt: skip
def test_mathml_without_tex_is_written_as_tex(mathml: str, tex: str) -> None:
    assert text_of(f"<p><math>{mathml}</math>") == f"${tex}$"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a <math><annotation encoding=TeX><p>evil</p>x</annotation><mi>y</mi></math> b", "a $y$ b"),
        ("<p>c <math><mi>y<p>d", "c $y$\n\nd"),
        ("<p>c <math></math>d <math/>e", "c d e"),
        ("<p>It costs $5 and $6.", "It costs $5 and $6."),
        ("<p><math><mo>" + "⟹" * 50, "⟹" * 50),
        ("<div class=math>We teach it to children every day here</div>", "We teach it to children every day here"),
        ("<p>a <img class=photo alt='cat_dog and friends'> b", "a b"),
    ],
)
def test_mathematics_that_is_none_or_lies_gives_its_text_once(page: str, text: str) -> None:
    assert text_of(page) == text


def test_displayed_formulas_stand_on_their_own_line() -> None:
    assert text_of(f"<p>So <math display=block>{MATHML}</math> holds") == "So\n$$E=mc^2$$\nholds"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("10<sup>6</sup> and 2<sup>10</sup>=1024", "10^6 and 2^10=1024"),
        ("x<sup>n+1</sup>, x<sub>ij</sub>, 10<sup>-3</sup>", "x^(n+1), x_ij, 10^-3"),
        ("half is 2<sup>1</sup>&frasl;<sub>2</sub>", "half is 2 1/2"),
        ("the 5<sup>th</sup> and 1<sup>st</sup>, Brand<sup>®</sup>", "the 5th and 1st, Brand®"),
        ("le 19<sup>ème</sup> et la 1<sup>ère</sup>, x<sup>2</sup>", "le 19ème et la 1ère, x^2"),
        ("H<sub>2</sub>O is water", "H2O is water"),
        (
            "as said.<sup><a href=#n>12</a></sup> Then<sup class=reference><a href=#m>[3]</a></sup>",
            "as said.[12] Then[3]",
        ),
        ("<ruby>漢<rt>かん</rt></ruby>と<ruby>字<rp>(</rp><rt>じ</rt><rp>)</rp></ruby>", "漢と字"),
        ("ex&shy;am\u00adple", "example"),
    ],
)
def test_raised_and_lowered_text_keeps_its_meaning(page: str, text: str) -> None:
    assert text_of("<p>" + page) == text


CODE = "def f(x):\n    if x:\n\n        return 1"


def numbered(line: str, joint: str = "") -> str:
    return joint.join(line.format(n=n, text=text) for n, text in enumerate(CODE.split("\n"), 1))


@pytest.mark.parametrize(
    "page",
    [
        f"<pre><code class=language-python>{CODE}</code></pre>",
        f"<div class=highlight-python><pre>{CODE}</pre></div>",
        "<table class=highlighttable><tr><td class=linenos><pre>1\n2\n3\n4</pre></td><td class=code><div class=highlight-python>"
        f"<pre>{CODE}</pre></div></td></tr></table>",
        f"<table><tr><td><pre>1\n2\n3\n4</pre></td><td><pre class=lang-python>{CODE}</pre></td></tr></table>",
        "<pre class=lang-python>" + numbered("<span class=lineno>{n} </span>{text}", "\n") + "</pre>",
        "<pre class=lang-python>" + numbered("<b>{n}</b> {text}", "\n") + "</pre>",
        "<pre class='prettyprint lang-python'><ol class=linenums>" + numbered("<li>{text}</li>") + "</ol></pre>",
        "<div class='syntaxhighlighter python'><table><tr><td class=gutter>" + numbered("<div class=line>{n}</div>")
        + "</td><td class=code><div class=container>" + numbered("<div class=line>{text}</div>").replace("    ", "&nbsp;" * 4)
        + "</div></td></tr></table></div>",
        "<table class='highlight js-file-line-container' data-tagsearch-lang=Python>\n"
        + numbered("<tr>\n<td class=blob-num data-line-number={n}></td>\n<td class=blob-code>{text}</td>\n</tr>\n") + "</table>",
        "<pre><code class='hljs language-python'><table class=hljs-ln>"
        + numbered("<tr><td class=hljs-ln-numbers>{n}</td><td class=hljs-ln-code>{text}</td></tr>") + "</table></code></pre>",
        "<div class=language-python><div class=fragment>" + numbered("<div class=line><span class=lineno>{n}</span>{text}</div>\n")
        + "</div></div>",
        f"<pre class=language-python><button>Copy</button>{CODE}</pre>",
    ],
)  # fmt: skip
def test_code_keeps_its_lines_without_numbers_in_one_fence_with_its_language(page: str) -> None:
    assert text_of(f"<p>a{page}<p>b") == f"a\n\n```python\n{CODE}\n```\n\nb"
    assert text_of(f"<p>a{page}<p>b", markdown=False) == f"a\n\n{CODE}\n\nb"


def test_code_that_begins_with_numbers_of_its_own_keeps_them() -> None:
    for code in ("1 + 1\n2 + 2\n3 + 3", "7 a\n9 b\n10 c", "1. a\n2. b\n3. c", "1 a\n2 b"):
        assert text_of(f"<pre>{code}</pre>") == f"```\n{code}\n```"


def test_inline_code_has_ticks_and_a_fence_is_longer_than_any_in_the_code() -> None:
    assert text_of("<p>use <code>a b</code>, not <tt>c</tt>") == "use `a b`, not `c`"
    assert text_of("<pre>a ``` b</pre>") == "````\na ``` b\n````"


def test_code_at_the_beginning_of_a_page_keeps_its_tick_behind_a_page_that_ends_with_a_fence() -> None:
    column = pa.array([b"<pre>a\nb</pre>", b"<p><code>c</code> d", b"<p>e <code>f</code>"] * 2, pa.large_binary())
    expected = ["```\na\nb\n```", "`c` d", "e `f`"] * 2
    assert all_text(column, ExtractionParams(markdown=True)).to_pylist() == expected


def test_lists_keep_numbers_and_nesting() -> None:
    page = "<ol start=3><li>c<li value=7>g<ul><li>x<li>y</ul><li>h</ol><dl><dt>T<dd>D</dl><blockquote><p>q</blockquote>"
    assert text_of(page) == "3. c\n7. g\n   - x\n   - y\n8. h\n\nT\n: D\n\n> q"
    assert text_of("<ul><li>a<ol><li>b</ol></ul>", markdown=False) == "- a\n  1. b"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ol reversed><li>a<li>b<li>c</ol>", "3. a\n2. b\n1. c"),
        ("<ol reversed><li>a<li value=9>b<li>c</ol>", "3. a\n9. b\n8. c"),
        ("<ol reversed start=10 type=A><li>a<li>b<li value=3>c<li>d</ol>", "J. a\nI. b\nC. c\nB. d"),
        ("<ol reversed><li>a<ol reversed><li>b<li>c</ol><li>d</ol>", "2. a\n   2. b\n   1. c\n1. d"),
        (
            "<ol type=i start=4><li>a<li>b<ol type=a><li>x<li value=27>y</ol><li>c</ol>",
            "iv. a\nv. b\n   a. x\n   aa. y\nvi. c",
        ),
        (
            "<ol type=I start=3999><li>a<li>b</ol><ol type=a start=0><li>a<li>b</ol>",
            "MMMCMXCIX. a\n4000. b\n0. a\na. b",
        ),
        ("<ol class='loweralpha simple'><li><p>a<li><p>b</ol>", "a. a\nb. b"),
        ("<ol style='list-style-type: upper-roman'><li>a<li>b</ol>", "I. a\nII. b"),
        (
            "<ol start=x><li>a<li value=z>b<li value=-3>c<li>d</ol><ol start=+5><li>e</ol>",
            "1. a\n2. b\n-3. c\n-2. d\n5. e",
        ),
        ("<ul><li><span>•</span><div><p>text</div><li><span>•</span><div>more</div></ul>", "- text\n- more"),
        ("<ul><li><span>(a)</span><div><p>text</div><li><span>ii.</span><div>more</div></ul>", "(a) text\nii. more"),
        ("<ul><li>1.</ul><ol><li>3)<li><p>no<p>mark</ol>", "- 1.\n1. 3)\n2. no\n\nmark"),
        ("<ol><li><dl><dt>term<dd>def</dl><li>b</ol>", "1. term\n: def\n2. b"),
        ("<ul><li>a<dl><dt>t<dd>d<dt>u<dd>e</dl><li>b</ul>", "- a\n\nt\n: d\nu\n: e\n- b"),
        ("<dl><dt>1.<dd>one<dt>•<dd>two<dt>t<dd>d</dl>", "1. one\n- two\nt\n: d"),
        ("<table><tr><td><td>1.<td>one<tr><td><td>2.<td><p>two</table>", "1. one\n\n2. two"),
    ],
)
def test_items_have_the_mark_that_their_page_shows(page: str, text: str) -> None:
    assert text_of(page) == text


def test_headings_have_no_signs_that_link_to_themselves() -> None:
    page = (
        "<h2>A<a class=headerlink href=#a>¶</a></h2><h3>B <span class=mw-editsection>[<a href=e>edit</a>]</span></h3>"
    )
    page += "<h4><a class=heading-anchor href=#c>All of the heading</a></h4>"
    assert text_of(page) == "## A\n\n### B\n\n#### All of the heading"
    for sign in ("⚓︎", "∞", "🔗", "\ue9cb", "Copy link", "[#]"):
        assert text_of(f"<h2>Title <a href=#title>{sign}</a></h2>") == "## Title"
    assert (
        text_of("<h2><a href=#link>Link</a></h2><h2>From <a href=/a>A</a> to <a href=/b>B</a></h2>")
        == "## Link\n\n## From A to B"
    )


def test_links_from_a_footnote_back_to_its_place_are_no_text() -> None:
    for link in ("↩", "↩︎", "&#8617;", "&#x21a9;&#xfe0e;", "^", "↑"):
        assert text_of(f"<p>It grows. <a href=#fnref1>{link}</a></p>") == "It grows."
    assert text_of("<p>See <a href=/up>↑</a> 2 <a href=#a>↩ back</a></p>") == "See ↑ 2 ↩ back"


def test_terms_are_parted_from_their_types() -> None:
    assert text_of("<dl><dt>a<span class=classifier>int</span><dd>x</dl>") == "a : int\n: x"
    assert text_of("<dl><dt>a : <span class=classifier>int</span><dd>x</dl>") == "a : int\n: x"


def test_layout_tables_are_paragraphs_and_nested_data_tables_are_tables() -> None:
    page = "<table><tr><td>menu<td><table><tr><th>a<th>b<tr><td>1<td></table></table>"
    assert text_of(page) == "menu\n\n| a | b |\n| --- | --- |\n| 1 |  |"


def test_a_table_of_one_row_is_layout() -> None:
    assert text_of("<table><tr><td>Note<td><p>Mind it.</table>") == "Note\n\nMind it."
    assert text_of("<table><tr><td>a<td>b<tr><td><td></table>") == "a\n\nb"
    assert text_of("<table><tr><th><h4>a</h4><th>b<tr><td>1<td>2</table>").startswith("| a | b |")


def test_the_foot_of_a_table_that_stands_before_its_body_is_shown_last() -> None:
    foot, body = "<tfoot><tr><td>sum<td>3</tfoot>", "<tbody><tr><td rowspan=2>p<td>1<tr><td>2</tbody>"
    expected = "| a | b |\n| --- | --- |\n| p | 1 |\n|  | 2 |\n| sum | 3 |"
    for rows in (foot + body, body + foot, foot + body.replace("<tbody>", "").replace("</tbody>", "")):
        assert text_of(f"<table><thead><tr><th>a<th>b</thead>{rows}</table>") == expected
    nested = f"<table><tr><td>x<td><table>{foot}{body}</table></table>"
    assert text_of(nested) == "x\n\n| p | 1 |\n| --- | --- |\n|  | 2 |\n| sum | 3 |"
    assert text_of(f"<table>{foot}<tbody></table>") == "sum\n\n3"


def slow_grid(rows: list[list[tuple[str, int, int]]]) -> list[list[str]]:
    """Rows of (text, columns, rows spanned) as the HTML standard lays them out, spanned places empty."""
    grid: dict[tuple[int, int], str] = {}
    for y, row in enumerate(rows):
        x = 0
        for text, columns, height in row:
            while (y, x) in grid:
                x += 1
            for dy in range(height):
                for dx in range(columns):
                    grid.setdefault((y + dy, x + dx), "")
            grid[y, x] = text
            x += columns
    width = max(x for y, x in grid if y < len(rows)) + 1
    return [[grid.get((y, x), "") for x in range(width)] for y in range(len(rows))]


def test_tables_equal_a_slow_layout_of_cells_and_spans() -> None:
    rng = random.Random(5)
    for _ in range(300):
        rows = [
            [(rng.choice(("", "a", "b c", "1")), rng.choice((1, 1, 1, 2, 3)), rng.choice((1, 1, 1, 2))) for _ in range(rng.randint(2, 5))]
            for _ in range(rng.randint(2, 6))
        ]  # fmt: skip
        rows[0][:2] = [("h", 1, 1), ("i", 1, 1)]
        rows[1][0] = ("j", 1, 1)
        cells = ["".join(f"<td colspan={w} rowspan={h}>{t}</td>" for t, w, h in row) for row in rows]
        expected = [row for row, source in zip(slow_grid(rows), rows, strict=True) if any(t for t, _, _ in source)]
        found = text_of("<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>").split("\n")
        assert set(found[1]) == set("|- ")
        del found[1]
        assert [[cell.strip() for cell in line[1:-1].split("|")] for line in found] == expected


def test_bars_in_cells_are_escaped_and_lines_joined() -> None:
    page = "<table><tr><td>a|b<td>c<br>d<tr><td><code>x|y</code><td><pre>z</pre></table>"
    assert text_of(page) == "| a\\|b | c d |\n| --- | --- |\n| `x\\|y` | `z` |"
    assert text_of(page, markdown=False) == "a|b | c d\nx|y | z"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a <span style='display: none'>no</span>b", "a b"),
        ("<p>a<div hidden><p>no<ul><li>no</div>b", "a\n\nb"),
        ("<p>a<p style='visibility:hidden'>no<p>b", "a\n\nb"),
        ("<p>Read <span class=sr-only>no</span> more", "Read more"),
        ("<ul><li hidden>no<li>b</ul>", "- b"),
        ("<p>a<div class=accordion><div style='display:none'>yes</div></div>", "a\n\nyes"),
        (
            "<p>a<div hidden=until-found>yes</div><div role=tabpanel aria-labelledby=t hidden>yes</div>",
            "a\n\nyes\n\nyes",
        ),
        ("<p>a<div hidden id='S:0'>yes</div>", "a\n\nyes"),
        ("<p>a<details><summary>s</summary>yes</details>", "a\n\ns\n\nyes"),
        ("<x-card><template shadowrootmode=open><p>yes</template></x-card>", "yes"),
        ("<div style='display:none'><p>" + "all of it " * 60 + "</div>", ("all of it " * 60).strip()),
    ],
)
def test_what_nobody_sees_is_not_text_and_what_unfolds_is(page: str, text: str) -> None:
    assert text_of(page) == text


HOSTILE = (
    "<math><mrow>", "<math>", "<math><msup><mi>x</mi>", "<math><annotation encoding=TeX>", "<mover><mi>a</mi><mo>^</mo>",
    "<table><tr><td colspan=1000 rowspan=65534>x", "<tr><td colspan=1000>x<td>y", "<td rowspan=65534>x<tr>",
    "<span class=math>x", "<span hidden>", "<div hidden>", "<sup>x</sup>", "<pre><div class=line>", "<ol><li>", "<span class=katex-html>",
    "<img alt='$x'>", "<a class=headerlink>¶", "<script type=math/tex>x</script>", "<td class=gutter>1", "<code>`</code>", "<rt>",
    "<div class=fragment><div class=line>", "<pre class=language-abcdefghijklmnop>x</pre>", "<blockquote>", "<mjx-container>",
    "<code>", "<code>a<br>", "<tt>a\n\n<code>", "<mfenced open=[>", "<dt>1.<dd>", "<tr><td>1.<td>x", "<pre>1\n2\n3</pre>", "<div>Copy</div>",
    "<msup><mi>x</mi><mo>′</mo>", "<mo>(</mo><mrow>", "<td class=gutter><i>",
    "<mjx-container><mjx-math><mjx-mover><mjx-over>", "<mjx-container><mjx-math><mjx-mi><mjx-c class=mjx-c78></mjx-container>", "<img data-mathml='«math»«mi»x'>",
    "<span class=katex-html><span class=base>", "<span class=katex-html><span class=mord>x</span></span>", "<span class=katex-html><span class=mtable><span class=col-align-c>",
    "<span class=katex-html><svg>", "<span class=katex-mathml>\n\nx</span>", "<tfoot><tr><td>x<tbody><tr><td>y", "<pre><table><tr><td>1<b>", "$$$x ", "$$$x$$$", "<div class='summary-table two-column-summary'><div class=col-first>x", "<div class='s col-last'><div>x", "<div role=summary-table><div>x", "<p>`$$$x$$$", "<span class=ltx_tabular><span class=ltx_tr><span class=ltx_td>x",
    "<pre><span data-line>x</span>", "<p style='mso-list:l0 level2'>", "<div role=table><div role=row><div role=cell>x", "<textarea name=code>x</textarea>", "<table><td class=lineno>1", "<var>\\a",
    "<div class=verbatim>", "<div class=prompt>[", "<pre><span class=line>x</span>", "<li><input type=checkbox disabled>", "<img src='/latex.php?a=b&a=b&a=b'>",
    "$latex x$", "$latex ", r"\begin{document}$x$\end{document}", r"\documentclass{a}\usepackage{amsmath}\begin{document} $x$", "<span class=tex>$ x $</span>", r"<span class=tex>\$x\$", "<span class=math><img alt=x^2>", r"<img alt='\frac{x}'>", "<font face=Courier>x;<br>", "<div class=code>x(){}<br>", "[tex]x ", "[tex]x[/tex]", "[tex][/x", "<svg><title id=MathJax-SVG-1-Title>x", "<span class=mjx-chtml><span class=mjx-math aria-label=x>", "<dl class=codebox><dt>Code:<dd><code>x</code>",
    "<p><font face=Courier>x = f(1);</font></p>", "<p><font face=Courier>words </font></p>", "<p><font face=Courier></font></p>", "<p style='font:1px mono'>x(){};", "<div style='font:1px mono'>x(){};<br>", "<tr><td><img alt=yes>", "<td><i aria-label=no>", "<i aria-label=yes><b>", "<td><span class=sr-only>yes",
    "[mathjaxinline]x", "[mathjax]x[/mathjax]", "<span role=math aria-label='x^2'>", "<math-inline>x", r"<span class=katex-eq>\begin{x}", r"<img alt='{\a{{\bc^'>",
    "<mtable><mtr><mtd><mtd>", "<msubsup><mi>x</mi><mrow></mrow>", "<pre>x</pre><p>a</p>", "<math><mmultiscripts><mi>x<mprescripts/><mi>a", "[tex]`x[/tex]", "[math] x [/math]", "[math] and [/math]", "<img src='/latex.php?latex=%E2%8B%99%E2'>", "<mjx-container><mjx-mtable><mjx-mtr><mjx-mtd style='text-align: right; padding-right: 0'>",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_structure_takes_linear_time(unit: str) -> None:
    def seconds(times: int) -> float:
        start = time.process_time()
        for prefix in ("", "<table>", "<math>"):
            text_of(prefix + unit * times)
        return time.process_time() - start

    seconds(10)
    small = min(seconds(10_000) for _ in range(2))
    assert seconds(80_000) < 8 * 6 * max(small, 0.01)


def test_a_million_cells_and_five_megabytes_of_one_line_are_written() -> None:
    text = text_of("<table>" + "<tr><td>1<td>2" * 500_000 + "</table>")
    assert text.count("\n| 1 | 2 |") == 499_999
    line = "x = 1; " * 700_000
    assert line.strip() in text_of(f"<pre>{line}</pre>")
