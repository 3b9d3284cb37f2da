"""Code of pages: elements that are no `pre`, line numbers, languages, and what stands beside code."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stages.extraction import ExtractionParams
from stages.extraction.html_to_text import all_text
from tests.extraction.test_structure import CODE, numbered, text_of

FENCED = f"```\n{CODE}\n```"
PYTHON = f"```python\n{CODE}\n```"
HARD = CODE.replace("    ", "&nbsp;" * 4)
NL = "\n"
BROKEN = HARD.replace("\n", "<br />\n")


def lines(line: str, joint: str = "", empty: str = "&nbsp;") -> str:
    return joint.join(line.format(n=n, text=text or empty) for n, text in enumerate(HARD.split("\n"), 1))


PASTED = lines("<div>{text}</div>").replace("<div>&nbsp;</div>", "<br>")


@pytest.mark.parametrize(
    "page",
    [
        f"<div class='source python'><ol class=python>{lines('<li class=li1><div class=de1>{text}</div></li>')}</ol></div>",
        f"<div class=python style='font-family:monospace;'><ol>{lines('<li class=li1><div class=de1>{text}</div></li>&#10;')}</ol></div>",
        f"<div class='python geshi'><ol>{lines('<li class=li2><pre class=de1>{text}</pre></li>')}</ol></div>",
        f"<div class=python style='font-family:monospace;'>{BROKEN}</div>",
        f"<div class=geshifilter><div class='python geshifilter-python'><ol>{lines('<li>{text}</li>')}</ol></div></div>",
        f"<d-code block language=python>\n{CODE}\n</d-code>",
        f"<div class=highlight-source-python><table>{lines('<tr><td class=vc_file_line_number>{n}</td><td>{text}</td></tr>')}</table></div>",
        f"<pre data-language=python><code>{lines('<span class=line>{text}</span>', empty='')}</code></pre>",
        f"<pre class=lang-python><code>{lines('<span class=line lang=python>{text}</span>', NL, '')}</code></pre>",
        f"<div class='dp-highlighter python'><div class=bar><div class=tools><a>view plain</a><a>print</a></div></div><ol class=dp-py>{lines('<li>{text}</li>')}</ol></div>",
        f"<textarea name=code class=python rows=9>{CODE.replace('>', '&gt;')}</textarea>",
        f"<script type=syntaxhighlighter class='brush: python'><![CDATA[\n{CODE}\n]]></script>",
    ],
)  # fmt: skip
def test_code_without_pre_names_its_language(page: str) -> None:
    assert text_of(f"<p>a</p>{page}<p>b</p>").replace("```py\n", "```python\n") == f"a\n\n{PYTHON}\n\nb"


@pytest.mark.parametrize(
    "page",
    [
        f"<div style='font-family: Consolas, monospace;white-space: pre;'>{PASTED}</div>",
        f"<p style='white-space: pre-wrap; font: 12px Courier New'>{CODE}</p>",
        f"<div class=page_body>\n{lines('<div class=pre><a class=linenr>{n}</a>{text}</div>&#10;')}</div>",
        "<table class=code><thead><tr><th class=lineno>Line</th><th>&nbsp;</th></tr></thead>"
        f"<tbody>{lines('<tr><th id=L{n}><a href=#L{n}>{n}</a></th><td>{text}</td></tr>')}</tbody></table>",
        f"<table class=FileContents>{lines('<tr><td class=u-lineNum data-line-number={n}></td><td>{text}</td></tr>')}</table>",
        f"<table>{lines('<tr><th class=phabricator-source-line><a>{n}</a></th><td>{text}&#10;</td></tr>')}</table>",
        f"<table class=rouge-line-table>{lines('<tr class=lineno><td class=rouge-gutter><pre>{n}</pre></td><td><pre>{text}</pre></td></tr>')}</table>",
        f"<pre>{lines('<span class=source-line-no>00{n}</span><span id=line-{n}>{text}</span>', NL, '')}</pre>",
        f"<div class=w3-code>\n{BROKEN}<br>\n</div>",
        f"<div class=verbatim>{BROKEN}</div>",
        f"<blockquote><table class=RktBlk>{lines('<tr><td><span>{text}</span></td></tr>')}</table></blockquote>",
        f"<div class=title>Code:<br></div><div class=codemain>{BROKEN}</div>",
        f"<div>PHP Code:</div><pre>{CODE}</pre>",
        f"<pre>{lines('<code>{text}</code>', empty='')}</pre>",
        f"<table><tr><td><b>Code:</b></td></tr><tr><td class=code>{BROKEN}</td></tr></table>",
    ],
)  # fmt: skip
def test_code_without_pre_keeps_its_lines(page: str) -> None:
    assert text_of(f"<p>a</p>{page}<p>b</p>").replace("> `", "`").replace("> ", "") == f"a\n\n{FENCED}\n\nb"


def test_lines_of_gatsby_what_editors_measure_and_pre_of_tex() -> None:
    line = "<span class=gatsby-highlight-code-line><span>y</span></span>"
    assert text_of(f"<pre>x\n{line}z\n{line}</pre>") == "```\nx\ny\nz\ny\n```"
    assert (
        text_of("<pre class='code math js-render-math'><code><span class=line>x^2</span></code></pre>")
        == "```math\nx^2\n```"
    )


def test_spans_of_medium_are_parted_by_an_empty_line_and_words_of_code_are_not() -> None:
    assert text_of("<pre><span id=a>x<br>y</span><span id=b>z</span></pre>") == "```\nx\ny\n\nz\n```"
    assert text_of("<pre><span class=k>x</span><span class=o>y</span></pre>") == "```\nxy\n```"
    assert (
        text_of("<pre><span class=line>x\n</span><span class=line>\n</span><span class=line>y</span></pre>")
        == "```\nx\n\ny\n```"
    )


@pytest.mark.parametrize(
    "prompt", ["[1]:", "In&nbsp;[ ]:", "Out[12]:", "<div class=highlight><pre>\n<span></span>[3]:\n</pre></div>"]
)
def test_prompts_of_notebooks_are_no_code(prompt: str) -> None:
    assert (
        text_of(f"<div class=prompt>{prompt}</div><pre>x</pre><div class=prompt>Write of a day.</div>")
        == "```\nx\n```\n\nWrite of a day."
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<table><tr><td class=gutter></td><td>a</td></tr></table>", "a"),
        ("<div style='white-space: pre-wrap'>a\nb</div>", "a b"),
        ("<div class=python style='color: red'>a<br>b</div>", "a\nb"),
        ("<div style='white-space: pre-wrap; font-family: Monotype Corsiva'>a\nb</div>", "a b"),
        ("<div style='white-space: pre-wrap; background: url(/courses/icons/monarch.png)'>a\nb</div>", "a b"),
        ("<section class=highlight><div class=line></div><h2>a</h2><p>b  c</section>", "## a\n\nb c"),
        ("<div class=prompt>[1] Write of a day.</div><p>a", "[1] Write of a day.\n\na"),
        ("<pre>a b<code role=language-c>c</code></pre>", "```\na bc\n```"),
        ("<ol class=nav><li class=li1>a<li class=li2>b</ol>", "1. a\n2. b"),
        (
            "<div class=toolbar>a</div><textarea name=text>b</textarea><h3 class=menu-title>c</h3><p>Code:<p>d",
            "a\n\n### c\n\nCode:\n\nd",
        ),
    ],
)
def test_words_for_code_elsewhere_mean_no_code(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    "page",
    [
        "<dl class=codebox><dt>x</dt><dd><code>{}</code></dd></dl>".format(CODE.replace("\n", "<br>").replace("    ", "&nbsp; &nbsp; ")),
        "<p>x<div><code class=bbc_code>{}</code></div>".format(CODE.replace("\n", "<br />").replace("    ", "&nbsp;&nbsp;&nbsp;&nbsp;")),
        f"<p>x<p><code><span>\n{CODE[:9]}</span>{CODE[9:]}\n</code></p>",
        f"<p>x<div><tt style='color: red; white-space: pre-wrap'>{CODE}</tt></div>",
    ],
)  # fmt: skip
def test_code_of_several_lines_that_is_alone_in_its_block_is_fenced(page: str) -> None:
    assert text_of(page).replace("x\n\n", "x\n") == f"x\n{FENCED}"


def test_white_space_between_lines_that_br_parts_is_no_line() -> None:
    assert (
        text_of("<p><code>\n  a \\<br />\n     b=1<br>\n&nbsp; &nbsp; c   d\n  e<br>\n</code></p>")
        == "```\na \\\nb=1\n    c d e\n```"
    )


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p><code>a<br>b</code> and more", "`a`\n`b` and more"),
        ("<p>see <code>a<br>b</code>", "see `a`\n`b`"),
        ("<p><code>one\nlong name</code></p>", "`one long name`"),
        ("<table><tr><td>a<td>b<tr><td><code>x<br>y</code><td>z</table>", "| a | b |\n| --- | --- |\n| `x` `y` | z |"),
        ("<p><code>a<div>b</div>c\n\nd</code></p>", "`a`\n\n`b`\n\n`c d`"),
    ],
)
def test_code_in_a_sentence_or_a_cell_or_around_blocks_stays_inline(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    "page",
    [
        f"<pre class=prettyprint><code class='prism language-python'>{CODE}</code><ul class=pre-numbering><li>1</li><li>2</li><li>3</li></ul></pre>",
        "<pre><code class='hljs language-python'><table class=hljs-ln>"
        + numbered("<tr><td class=hljs-ln-numbers data-line-number={n}><div class=hljs-ln-n data-line-number={n}></div></td>"
                   "<td class=hljs-ln-code>{text}\n</td></tr>").replace("1\n</td>", "1</td>").replace(":\n</td>", ":</td>")
        + "</table></code></pre>",
        "<div class=CodeMirror-code data-language=python>"
        + numbered("<div><div class=CodeMirror-gutter-wrapper><div class=CodeMirror-linenumber>{n}</div></div><pre>{text}</pre></div>")
        + "</div>",
        f"<div><pre class=src-line-numbers><a>1</a>\n<a>2</a>\n<a>3</a>\n<a>4</a></pre><pre class=lang-python>{CODE}</pre></div>",
        "<div class=ql-code-block-container>" + numbered("<div class=ql-code-block data-language=python>{text}</div>") + "</div>",
        f"<pre lang=python><code>{CODE}</code></pre>",
        f"<pre class=EnlighterJSRAW data-enlighter-language=python>{CODE}</pre>",
        f"<pre data-syntaxhighlighter-params='brush: python; gutter: false; theme: Confluence'>{CODE}</pre>",
        f"<div class='language-python line-numbers-mode'><button class=copy></button><span class=lang>python</span><pre><code>{CODE}</code>"
        "</pre><div class=line-numbers-wrapper><span>1</span><br><span>2</span><br></div></div>",
        f"<div><div>Python:</div><div>Copy code</div><pre><code class=language-python>{CODE}</code></pre><button>Copy</button></div>",
        f"<pre><div>python</div><div><button>Copy code</button></div><div><code class='x! language-python'>{CODE}</code></div></pre>",
        f"<pre><code class='hljs language-python' lang=python>{CODE}\n<span class=copy-code-btn>Copy it</span></code></pre>",
    ],
)  # fmt: skip
def test_tools_add_numbers_labels_and_buttons_that_are_no_code_and_name_the_language(page: str) -> None:
    assert text_of(f"<p>a{page}<p>b") == f"a\n\n```python\n{CODE}\n```\n\nb"


def test_numbers_alone_are_output_of_a_program() -> None:
    assert text_of("<pre>1\n2\n3\n4</pre><p>a") == "```\n1\n2\n3\n4\n```\n\na"
    assert text_of("<pre>1\n2\n3</pre><pre>a\nb</pre>") == "```\n1\n2\n3\n```\n\n```\na\nb\n```"
    assert text_of("<pre>1\n2\n4</pre><pre>a\nb\nc</pre>") == "```\n1\n2\n4\n```\n\n```\na\nb\nc\n```"


def test_words_of_an_author_before_code_stay() -> None:
    code = "<pre class=lang-python>x</pre>"
    for label in ("<p>Python</p>", "<h3>Python</h3>", "<ul><li>Python</ul>", "<div>Ruby</div>", "<div>Python 3</div>"):
        assert text_of(label + code).strip("#- ").startswith(("Python", "Ruby"))


@pytest.mark.parametrize(
    ("label", "name", "is_its_name"),
    [
        ("JavaScript", "js", True), ("C++", "cpp", True), ("C#:", "csharp", True), ("Shell", "sh", True), ("YAML", "yml", True), ("py", "python", True),
        ("C", "c", True), ("C", "css", False), ("R", "rust", False), ("Java", "python", False), ("Script", "typescript", False), ("Ja va", "java", False),
        ("Jsx", "js", True), ("sj", "js", False), ("Python", "", False),
    ],
)  # fmt: skip
def test_a_label_is_the_name_of_the_language_or_a_form_of_it(label: str, name: str, is_its_name: bool) -> None:
    page = f"<div>{label}</div><pre class=language-{name}>x</pre>"
    assert text_of(page) == f"{'' if is_its_name else label + chr(10) * 2}```{name}\nx\n```"


def test_formulas_in_code_elements_are_formulas() -> None:
    assert (
        text_of("<p>so <code class='language-math math-inline'>E=mc^2</code> and <code>x</code>")
        == "so $E=mc^2$ and `x`"
    )


def test_code_of_nothing_leaves_no_ticks_in_the_next_block() -> None:
    text = all_text(
        pa.array(["<pre><code>\n\n\n<img></code></pre><h4>最佳实践</h4><p>a".encode()], pa.large_binary()),
        ExtractionParams(markdown=True),
    )
    assert text.to_pylist() == ["#### 最佳实践\n\na"]
    assert text_of("<p><code> </code><p>bcdef <code>x</code>") == "bcdef `x`"


@pytest.mark.parametrize(
    "font", ["Menlo", "'DejaVu Sans Mono'", "ui-monospace", "Monaco", "Consolas", "Courier New", "Roboto Mono"]
)
def test_code_by_its_style_wherever_the_properties_stand(font: str) -> None:
    for style in (
        f"white-space:pre;font-family:{font}",
        f"font-family:{font};white-space:pre",
        f"font:9px {font}; white-space: pre-wrap;",
    ):
        assert text_of(f'<p>x<div style="{style}">a\n  b</div>') == "x\n\n```\na\n  b\n```"


def test_the_title_of_a_book_stands_in_its_bar_and_is_no_heading() -> None:
    bar = "<div id=menu-bar class='menu-bar sticky'><div class=left-buttons></div>{}</div><h1>a</h1><p>b"
    assert text_of(bar.format("<h1 class=menu-title>Book</h1>")) == "# a\n\nb"
    assert (
        text_of("<div class=menu><h1 class=menu-title>Dinner</h1><h4 class=menu-title>Grilled fish</h4></div>")
        == "# Dinner\n\n#### Grilled fish"
    )


@pytest.mark.parametrize(
    "page", ["x<sup>a日<code>b</code></sup>", "<tex>日<code>b", "<a href=#x><code>#</code></a>日本"]
)
def test_a_mark_of_code_stands_between_characters(page: str) -> None:
    for around in ("<h2>é{}", "<table><tr><th>a<th>b<tr><td>é{}<td>c</table>"):
        assert "�" not in text_of(around.format(page))


@pytest.mark.parametrize("page", ["éx<sup>a</sup>", "日<sub>b", "<pre>  <span class=classifier>c"])
def test_nothing_before_the_text_is_looked_at(page: str) -> None:
    """A debug build raises `IndexError` where a page begins with these; here other text stands before."""
    alone = text_of(page)
    for before in ("<p>:</p>", "<p>\u2019</p>", "<p>\u3000\u2000a</p>"):
        assert text_of(before + page).endswith(alone.strip())


def test_words_of_code_in_a_line_of_its_own_are_no_lines() -> None:
    """SyntaxHighlighter draws every word and every indent as `code` in the `div` of its line."""
    rows = "".join(
        f"<div class='line number{n}'><code class='python spaces'>{'&nbsp;' * spaces}</code><code class='python keyword'>{a}</code><code class='python plain'>{b}</code></div>"
        for n, (spaces, a, b) in enumerate(((0, "if", " x:"), (4, "return", " 1")), 1)
    )
    page = f"<div class='syntaxhighlighter python'><table><tr><td class=code><div class=container>{rows}</div></td></tr></table></div>"
    assert text_of(page) == "```python\nif x:\n    return 1\n```"


@pytest.mark.parametrize(
    "page",
    [
        "<pre><code data-language=go><span data-line>a</span><span data-line='2'>b</span></code></pre>",
        "<pre><code class=language-go><span class=highlight-line>a</span><span class=highlight-line><span>b</span>\n</span></code></pre>",
        "<pre><code class=language-go><span style='display:flex;'><span style='white-space:pre;-webkit-user-select:none;user-select:none;color:#7f7f7f'>1</span><span>a\n</span></span>"
        "<span style='display:flex;'><span style='user-select: none'>2</span><span>b\n</span></span></code></pre>",
        "<textarea class='Documentation-exampleCode code language-go' spellcheck=false>a\nb\n</textarea>",
        "<pre class=language-go><code>a\nb</code></pre><a class=test-arrow href=/play>Run</a>",
    ],
)  # fmt: skip
def test_lines_numbers_and_text_fields_that_tools_write_into_code(page: str) -> None:
    assert text_of(f"<p>x</p>{page}<p>y</p>") == "x\n\n```go\na\nb\n```\n\ny"


def test_what_cannot_be_marked_and_is_no_number_is_code() -> None:
    for shown in ("$ ", "1 a", ">>>"):
        assert text_of(f"<pre><span style='user-select:none'>{shown}</span>x</pre>") == f"```\n{shown}x\n```"
    assert text_of("<pre><span data-lines>a</span><span data-line-x>b</span></pre>") == "```\nab\n```"
    assert text_of("<p>a<textarea class=code>b</textarea>") == "a"


SCRIPTER = (
    "<div class=colorscripter-code style='font-family:Consolas,monospace !important'><table class=colorscripter-code-table><tr><td style='padding:6px'><div style='line-height:130%'>{numbers}</div></td>"
    "<td><div>{rows}</div><div style='text-align:right'><a href='http://colorscripter.com/info#e'>Colored by Color Scripter</a></div></td><td><a href='http://colorscripter.com/info#e'><span>cs</span></a></td></tr></table></div>"
)  # fmt: skip


def test_numbers_in_a_cell_before_code_and_what_it_was_drawn_with_are_no_code() -> None:
    page = SCRIPTER.format(
        numbers=lines("<div>{n}</div>"), rows=lines("<div style='white-space:pre'>{text}</div>", empty=" ")
    )
    assert text_of(f"<p>a{page}<p>b") == f"a\n\n{FENCED}\n\nb"
    assert text_of("<pre>x <a href=http://colorscripters.example>y</a></pre>") == "```\nx y\n```"


def test_a_line_of_code_that_is_a_number_alone_stays() -> None:
    rows = "<tr><td class=blob-num data-line-number=1></td><td class=blob-code>1</td></tr><tr><td class=blob-num data-line-number=2></td><td class=blob-code>2</td></tr>"
    assert text_of(f"<table class=js-file-line-container>{rows}</table>") == "```\n1\n2\n```"
    assert text_of("<table class=RktBlk><tr><td>5</td></tr><tr><td>x</td></tr></table>") == "```\n5\nx\n```"


@pytest.mark.parametrize(
    "page",
    [
        f"<div class=code>{BROKEN}</div>",
        f"<div style='font-family: courier new'>{BROKEN}</div>",
        f"<p style='font: 12px Consolas, serif'>{BROKEN}</p>",
        f"<p><span style='font-family: Courier New'>{BROKEN}</span></p>",
        f"<font size=2 face='Courier New'>{BROKEN}</font>",
        f"<p><code class=editor>{CODE.replace(NL, '<br>')}</code></p>",
    ],
)  # fmt: skip
def test_lines_in_a_font_or_class_for_code_that_read_as_code_are_code(page: str) -> None:
    assert text_of(f"<p>a</p>{page}<p>b</p>") == f"a\n\n{FENCED}\n\nb"


@pytest.mark.parametrize(
    "page",
    [
        "<p style='font-family: Courier New'>Shall I compare thee to a summer day?<br>\nThou art more lovely (and more temperate);</p>",
        "<div class=example>Street of the mill behind the river (north) 12;<br>\n12345 Some town of that name</div>",
        "<p><font face='Courier New'>Ann Miller<br>\n12 High Street (rear)<br>\nTel: (555) 123-4567<br>\nFax: (555) 123-4568</font></p>",
        "<div class=listing>3 rooms (2 baths)<br>\n$450,000 + fees<br>\n(555) 123-4567</div>",
        "<div class=source>Reuters (2015)<br>\nAP (2016)<br>\nSmith &amp; Sons [1]</div>",
        "<div class=example>(1) Ann sees Mary.<br>\n(2) *Mary sees.<br>\n(3) #Sees [Mary].</div>",
        "<table><tr><th>Function<th>Does<tr><td><font face=Courier>fopen();<br>fclose();</font><td>opens and closes</table>",
        "<p><span style='font-family: Georgia'>f(x) = g[y];<br>\nh(x) = {1}</span></p>",
        "<p><span style='font-family: Courier'>f(x) = g[y];<br>\nh(x) = {1}</span> stands in a sentence</p>",
    ],
)  # fmt: skip
def test_lines_that_read_as_prose_or_stand_in_a_sentence_are_no_code(page: str) -> None:
    assert "```" not in text_of(f"<p>a</p>{page}<p>b</p>")


PARAGRAPHS = lines("<p class=MsoNormal><span style='font-family:\"Courier New\"'>{text}<o:p></o:p></span></p>", "\n")


@pytest.mark.parametrize(
    "page",
    [
        PARAGRAPHS,
        PARAGRAPHS.replace("<span ", "<span\nlang=EN-US "),
        lines("<p class=c4><span style='font-family:&quot;Consolas&quot;'>{text}</span></p>"),
        lines("<p style='margin-bottom: 0cm'><font face='Courier New, monospace'><font size=2>{text}</font></font></p>", "\n"),
        lines("<div style='font-family: monospace'>{text}</div>", empty="<br>"),
        f"<table><tr><td>{PARAGRAPHS}</td></tr></table>",
    ],
)  # fmt: skip
def test_paragraphs_in_a_font_for_code_that_read_as_code_are_one_block(page: str) -> None:
    assert text_of(f"<p>a</p>{page}<p>b</p>") == f"a\n\n{FENCED}\n\nb"


def in_font(*texts: str) -> str:
    return "".join(f"<p><font face=Courier>{text}</font></p>" for text in texts)


@pytest.mark.parametrize(
    "page",
    [
        in_font("Dear Ann,", "I write about the house (again); it is cold.", "Yours;"),
        in_font("Ann Miller (Jr.)", "Tel: (555) 123-4567", "Fax: (555) 123-4568"),
        in_font("(a) the Buyer;", "(b) the Seller;", "(c) the part(s);", "(d) the box(es);"),
        in_font("Name: ___", "Yes __X__ No ____", "Large __ Small __"),
        in_font("Tel: (555) 123-4567;", "Fax: (555) 123-4568;"),
        in_font("=-=-=-=-=-=", "Hello", "=*=*=*=*=*="),
        in_font("x = f(1);"),
        in_font("x = f(1);") + "<p>and</p>" + in_font("y = g[x];"),
        "<p><font face=Courier>f(x) = 1;</font> is one</p><p><font face=Courier>g(x) = {2};</font> is two</p>",
        f"<table><tr><th>Code<th>Does<tr><td>{in_font('x = f(1);', 'y = g[x];')}<td>calls both</table>",
    ],
)  # fmt: skip
def test_paragraphs_in_a_font_for_code_that_read_otherwise_or_stand_alone_are_none(page: str) -> None:
    assert "```" not in text_of(f"<p>a</p>{page}<p>b</p>")


def test_signs_of_code_that_forms_and_clauses_have_too_leave_code_as_it_is() -> None:
    for texts in (("a_b.c(s_t);", "d -= 1;"), ("print(x)", "my_var"), ("int i;", "f(s, t);"), ("x = y", "z =-1")):
        assert text_of(in_font(*texts)) == "```\n" + "\n".join(texts) + "\n```"


def test_hidden_paragraphs_of_code_are_no_text() -> None:
    code = in_font("x = f(1);", "y = {};").replace("<p>", "<p hidden>")
    assert text_of(f"<p>a</p>{code}<p>b") == "a\n\nb"
    last = in_font("x = f(1);", "y = {};") + in_font("z = {};").replace("<p>", "<p style='display:none'>")
    assert text_of(f"<p>a</p>{last}<p>b") == "a\n\n```\nx = f(1);\ny = {};\n```\n\nb"


def test_an_entity_before_the_end_of_a_paragraph_hides_no_tag() -> None:
    code = in_font("x = f(1);", "y &n", "z = {};")
    assert text_of(code) == "```\nx = f(1);\ny &n\nz = {};\n```"


def test_what_follows_paragraphs_of_code_is_outside() -> None:
    code = in_font("x = f(1);", "y = g[x];")
    assert text_of(f"<div>{code}</div><p>b<p>c") == "```\nx = f(1);\ny = g[x];\n```\n\nb\n\nc"
    assert text_of(f"{code}<ul><li>b</ul>") == "```\nx = f(1);\ny = g[x];\n```\n\n- b"
    assert text_of(code.removesuffix("</p>") + "<p>b") == "x = f(1);\n\ny = g[x];\n\nb"
