"""Formulas without a source of their own: drawn by MathJax 3, quoted in attributes, in the addresses of services, in elements for TeX."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stages.extraction.html_to_text import ExtractionParams, all_text
from stages.extraction.scanning import Scanner
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.html import layout
from tests.extraction.test_structure import text_of


def glyphs(codes: str, font: str = "") -> str:
    return "".join(f"<mjx-c class='mjx-c{code}{' TEX-' + font if font else ''}'></mjx-c>" for code in codes.split())


def leaf(kind: str, codes: str, font: str = "") -> str:
    return f"<mjx-{kind} class='mjx-n' size='s'>{glyphs(codes, font)}</mjx-{kind}>"


def chtml(body: str, attributes: str = "") -> str:
    return f"<mjx-container class='MathJax' jax='CHTML'{attributes}><mjx-math class='MJX-TEX' aria-hidden='true'>{body}</mjx-math></mjx-container>"


def node(kind: str, body: str, place: str = "") -> str:
    moved = f" transform='translate({place})'" if place else ""
    return f"<g data-mml-node='{kind}'{moved}>{body}</g>"


def use(codes: str, font: str = "I") -> str:
    return "".join(f"<use data-c='{code}' xlink:href='#MJX-1-TEX-{font}-{code}'></use>" for code in codes.split())


def svg(body: str) -> str:
    start = "<mjx-container class='MathJax' jax='SVG'><svg viewBox='0 -8 39 84'><defs><path id='MJX-1-TEX-I-1D438' d='M1 2'></path></defs><g>"
    return f"{start}{node('math', body)}</g></svg></mjx-container>"


E, C, M, X, Y, N, INDEX = (
    leaf("mi", code, "I") for code in ("1D438", "1D450", "1D45A", "1D465", "1D466", "1D45B", "1D456")
)
EQUALS, SQUARE = leaf("mo", "3D"), "<mjx-script style='vertical-align: 0.3em;'>" + leaf("mn", "32") + "</mjx-script>"
ENERGY = f"{E}{EQUALS}{M}<mjx-msup>{C}{SQUARE}</mjx-msup>"
SURD = "<mjx-surd>" + leaf("mo", "221A") + "</mjx-surd>"
DRAWN_ENERGY = (
    node("mi", use("1D438"))
    + node("mo", use("3D", "N"), "1,0")
    + node("mi", use("1D45A"))
    + node("msup", node("mi", use("1D450")) + node("mn", use("32", "N")))
)


@pytest.mark.parametrize(
    ("drawing", "tex"),
    [
        (ENERGY, "E=mc^2"),
        (f"<mjx-mfrac><mjx-frac><mjx-num><mjx-nstrut></mjx-nstrut>{X}</mjx-num><mjx-dbox><mjx-dtable><mjx-line></mjx-line><mjx-row><mjx-den>"
         f"<mjx-dstrut></mjx-dstrut><mjx-mrow>{Y}{leaf('mo', '2B')}{leaf('mn', '31')}</mjx-mrow></mjx-den></mjx-row></mjx-dtable></mjx-dbox></mjx-frac></mjx-mfrac>",
         r"\frac{x}{y+1}"),
        (f"<mjx-mrow>{leaf('mo', '28')}<mjx-mfrac><mjx-frac atop='true'><mjx-num>{N}</mjx-num><mjx-dbox><mjx-row><mjx-den>{INDEX}</mjx-den></mjx-row>"
         f"</mjx-dbox></mjx-frac></mjx-mfrac>{leaf('mo', '29')}</mjx-mrow>", r"\binom{n}{i}"),
        (f"<mjx-munderover><mjx-over>{N}</mjx-over><mjx-box><mjx-munder><mjx-row><mjx-base>{leaf('mo', '2211', 'S2')}</mjx-base></mjx-row><mjx-row><mjx-under>"
         f"<mjx-texatom>{INDEX}{EQUALS}{leaf('mn', '31')}</mjx-texatom></mjx-under></mjx-row></mjx-munder></mjx-box></mjx-munderover>"
         f"<mjx-msubsup>{X}<mjx-script>{leaf('mn', '32')}<mjx-spacer></mjx-spacer>{INDEX}</mjx-script></mjx-msubsup>", r"\sum_{i=1}^nx_i^2"),
        (f"<mjx-munderover limits='false'>{leaf('mo', '2211', 'S1')}<mjx-script>{N}<mjx-spacer></mjx-spacer>{INDEX}</mjx-script></mjx-munderover>{X}", r"\sum_i^nx"),
        (f"<mjx-msqrt><mjx-sqrt>{SURD}<mjx-box>{X}</mjx-box></mjx-sqrt></mjx-msqrt>"
         f"<mjx-mroot><mjx-sqrt><mjx-root>{leaf('mn', '33')}</mjx-root>{SURD}<mjx-box>{Y}</mjx-box></mjx-sqrt></mjx-mroot>", r"\sqrt{x}\sqrt[3]{y}"),
        (f"<mjx-mover><mjx-over>{leaf('mo', '5E')}</mjx-over><mjx-base>{X}</mjx-base></mjx-mover>", r"\hat{x}"),
        (f"{leaf('mi', '73 69 6E')}{leaf('mo', '2061')}{leaf('mi', '1D703')}{leaf('mo', '2208')}{leaf('mi', '211D', 'A')}{leaf('mo', '2C')}{leaf('mi', '4C', 'C')}"
         f"{leaf('mtext', 'A0 69 66 A0')}{leaf('mi', '1D431', 'B')}{leaf('mi', '64')}", r"\sin\theta\in\mathbb{R},\mathcal{L}\text{ if }\mathbf{x}\mathrm{d}"),
        (f"<mjx-mrow>{leaf('mo', '5B')}<mjx-mtable><mjx-table><mjx-itable><mjx-mtr><mjx-mtd>{X}<mjx-tstrut></mjx-tstrut></mjx-mtd><mjx-mtd>{Y}</mjx-mtd></mjx-mtr>"
         f"<mjx-mtr><mjx-mtd>{N}</mjx-mtd></mjx-mtr></mjx-itable></mjx-table></mjx-mtable>{leaf('mo', '5D')}</mjx-mrow>", r"\begin{bmatrix} x & y \\ n \end{bmatrix}"),
        (f"<mjx-mo><mjx-stretchy-v class='mjx-c28'><mjx-beg><mjx-c></mjx-c></mjx-beg><mjx-ext><mjx-c></mjx-c></mjx-ext></mjx-stretchy-v></mjx-mo>{X}"
         f"<mjx-mtext><mjx-utext variant='normal'>若</mjx-utext></mjx-mtext>{leaf('mo', '2223')}{Y}", r"(x\text{若}\mid y"),
        (f"<mjx-mtable><mjx-table><mjx-itable><mjx-mtr><mjx-mtd>{X}</mjx-mtd></mjx-mtr></mjx-itable></mjx-table><mjx-labels><mjx-itable><mjx-mtr><mjx-mtd>"
         f"{leaf('mtext', '28 31 29')}</mjx-mtd></mjx-mtr></mjx-itable></mjx-labels></mjx-mtable>", r"\begin{matrix} x \end{matrix}"),
    ],
)  # fmt: skip
def test_chtml_of_mathjax_is_read_back(drawing: str, tex: str) -> None:
    assert text_of(f"<p>So {chtml(drawing)} holds") == f"So ${tex}$ holds"
    assert text_of(f"<p>So <span class=math>{chtml(drawing)}</span> holds") == f"So ${tex}$ holds"


@pytest.mark.parametrize(
    ("drawing", "tex"),
    [
        (DRAWN_ENERGY, "E=mc^2"),
        (DRAWN_ENERGY.replace("<use ", "<path d='M2C 3' ").replace("</use>", "</path>"), "E=mc^2"),
        (node("mfrac", node("mi", use("1D465")) + node("mn", use("32", "N")) + "<rect width='1' height='60'></rect>"), r"\frac{x}{2}"),
        (node("munderover", node("mo", use("2211", "SO")) + node("TeXAtom", node("mi", use("1D456")) + node("mn", use("31", "N")), "148,-1087.9")
              + node("mi", use("1D45B"), "509,1150")), r"\sum_{i1}^n"),
        (node("msubsup", node("mi", use("1D465")) + node("mn", use("32", "N"), "605,363") + node("mi", use("1D456"), "605,-247")), "x_i^2"),
        (node("msqrt", f"<g transform='translate(853,0)'>{node('mi', use('1D465'))}</g>{node('mo', use('221A', 'N'))}<rect></rect>"), r"\sqrt{x}"),
        (node("mroot", f"<g>{node('mi', use('1D465'))}</g>{node('mn', use('33', 'N'))}{node('mo', use('221A', 'N'))}<rect></rect>"), r"\sqrt[3]{x}"),
        (node("mi", use("4C", "C")) + node("mover", node("mi", use("1D465")) + node("mo", use("AF", "N"))), r"\mathcal{L}\bar{x}"),
        (node("mo", use("239B 239D 239C", "S4")) + node("mi", use("1D465")) + node("mo", use("239E 23A0 239F", "S4")), "(x)"),
    ],
)  # fmt: skip
def test_svg_of_mathjax_is_read_back(drawing: str, tex: str) -> None:
    assert text_of(f"<p>So {svg(drawing)} holds") == f"So ${tex}$ holds"


def test_a_drawing_with_a_source_or_without_an_end_is_not_read() -> None:
    assert text_of("<p>" + chtml(ENERGY, " display='true'")) == "$$E=mc^2$$"
    assert text_of("<p>" + chtml(ENERGY).replace("<mjx-math ", "<mjx-math data-latex='y' ")) == "$y$"
    assistive = "<mjx-assistive-mml><math><mi>z</mi></math></mjx-assistive-mml></mjx-container>"
    assert text_of("<p>" + chtml(ENERGY).replace("</mjx-container>", assistive)) == "$z$"
    assert text_of("<p>a <mjx-container><mjx-math>" + "<mjx-mrow>" * 300 + X + "<p>b") == "a b"


QUOTED = "«math xmlns=¨http://www.w3.org/1998/Math/MathML¨»«mi»E«/mi»«mo»=«/mo»«mi»m«/mi»«msup»«mi»c«/mi»«mn»2«/mn»«/msup»«/math»"
ESCAPED = QUOTED.replace("«", "&lt;").replace("»", "&gt;").replace("¨", "&quot;")


@pytest.mark.parametrize(
    "page",
    [
        f"<img class=Wirisformula role=math alt='E equals m c squared' data-mathml='{QUOTED}' src='showimage?formula=1'>",
        f"<img class=Wirisformula alt='{QUOTED}'>",
        f"<span class='MathJax_CHTML mjx-chtml' data-mathml='{QUOTED.replace('«', '<').replace('»', '>').replace('¨', '&quot;')}'><span>E=mc2</span></span>",
        f"<span class=MathJax data-mathml='{ESCAPED}'><nobr>E=mc2</nobr></span>",
        f"<span class=MathJax data-mathml='{ESCAPED}'><nobr>E=mc2</nobr></span><script type='math/tex'>E=mc^2</script>",
        "<span class=MathJax><nobr>E=mc2</nobr></span><script type='math/tex'>E=mc^2</script>",
        "<script type='math/tex'>% <![CDATA[\nE=mc^2 %]]></script>",
        "<span class=ql-formula data-value='E=mc^2'>E=mc2</span>",
        "<img src='https://tex.z-dn.net/?f=E%3Dmc%5E2' class=latex-formula>",
        "<img src='https://latex.codecogs.com/gif.latex?%5Cdpi%7B120%7D%20%5Cbg_white%20%5Clarge%20E%3Dmc%5E2'>",
        "<img src='https://latex.codecogs.com/svg.image?\\inline&space;E=mc^2' title='\\inline E=mc^2'>",
        "<img src='http://www.sciweavers.org/tex2img.php?eq=E%3Dmc%5E2&bc=White&im=jpg'>",
        "<img src='https://i.upmath.me/svg/E%3Dmc%5E2'>",
        "<img src='/cgi-bin/mathtex.cgi?E=mc^2' alt=''>",
        "<img class=inlineformula alt='E=mc^2' src=/images/Inline1.svg>",
        "<img src='/latex.php?E%3Dmc%5E2&bg=white'>",
        "<tex>E=mc^2</tex>",
        "<tex-math>$E=mc^2$</tex-math>",
        "<la-tex>E=mc^2</la-tex>",
        "<span class=zenn-katex><embed-katex><eq class=zenn-katex>E=mc^2</eq></embed-katex></span>",
        "<img class='formula inline' alt='E=mc^2' src=https://pictures.example/a.svg>",
    ],
)
def test_formulas_in_attributes_addresses_and_elements_for_tex(page: str) -> None:
    assert text_of(f"<p>So {page} holds.") == "So $E=mc^2$ holds."


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        (
            "«mfrac»«mn»1«/mn»«mi»x«/mi»«/mfrac»«mo»§lt;«/mo»«mo»§#160;«/mo»«mi mathvariant=¨normal¨»§#960;«/mi»",
            r"\frac{1}{x}<\pi",
        ),
        ("«mfenced open=¨[¨ close=¨]¨»«mi»x«/mi»«/mfenced»«mfenced»«mi»y«/mi»«/mfenced»", "[x](y)"),
        (
            "«mi»a«/mi»«mspace linebreak=¨newline¨/»«mfrac linethickness=¨0¨»«mi»b«/mi»«mi»c«/mi»«/mfrac»",
            r"a \binom{b}{c}",
        ),
    ],
)
def test_mathml_in_the_quotes_of_mathtype(mathml: str, tex: str) -> None:
    page = f"<p>So <img class=Wirisformula data-mathml='«math»{mathml}«/math»'> holds"
    assert text_of(page) == f"So ${tex}$ holds"


def test_references_in_an_attribute_are_escaped_twice() -> None:
    page = "<p><span class=MathJax data-mathml='<math><mi>&amp;#x3B1;</mi><mo>&amp;lt;</mo><mn>1</mn></math>'>a&lt;1</span>"
    assert text_of(page) == r"$\alpha<1$"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>So <img data-mathml='«mi»x«/mi»'> holds", "So holds"),
        ("<p>So <img data-mathml='«math»«annotation»x' alt='y'> holds", "So holds"),
        ("<p>So <span class=MathJax>\\(x\\)</span> holds", "So \\(x\\) holds"),
        ("<p>So <span class=MathJax>E=mc2</span> holds", "So E=mc2 holds"),
        ("<p>So<div class=MathJax_Display><span class=MathJax>E=mc2</span></div><script type='math/tex; mode=display'>E=mc^2</script><p>b", "So\n\n$$E=mc^2$$\n\nb"),
        ("<p>a<div class=latex-rendered data-attrs='{&quot;persistentExpression&quot;:&quot;\\\\alpha=1&quot;,&quot;id&quot;:&quot;A&quot;}'></div><p>b",
         "a\n\n$$\\alpha=1$$\n\nb"),
        ("<p>a<div class=math><p><img src=_images/math/a.png alt='p(x) = x^2'></p></div><p>b", "a\n\n$$p(x) = x^2$$\n\nb"),
        ("<p>all <var>1 \\leq N \\leq 10^5</var> of <var>N</var>", "all $1 \\leq N \\leq 10^5$ of N"),
        ("<p>a<div class=math><img src=a.jpg alt=Logo></div><p>b", "a\n\nb"),
        ("<p>the <var>install_dir\\bin</var> or <var>C:\\temp</var> or <var>%ROOT%\\x</var> and <var>N\\times M</var>",
         "the install_dir\\bin or C:\\temp or %ROOT%\\x and $N\\times M$"),
        ("<p>a<div class=latex-rendered data-attrs='{&quot;persistentExpression&quot;:&quot;\\&quot;a\\\\\\\\b\\\\&quot;,&quot;id&quot;:&quot;A&quot;}'></div><p>b",
         'a\n\n$$"a\\\\b\\$$\n\nb'),
        ("<p>a <img src='/chart?type=x'> <img src='/latex.php?id=4'> <img src='/latex.png?w=12&q=75'> <img src=/latex/x?v=1> b", "a b"),
    ],
)  # fmt: skip
def test_what_is_no_formula_or_has_none_gives_its_text(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize("markdown", [True, False])
@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("$$$n$$$ and $$$1 \\le a_i$$$, $$$$$$ \\sum_i a_i $$$$$$ é", "$n$ and $1 \\le a_i$, $$ \\sum_i a_i $$ é"),
        ("$$$a$$$$$$b$$$", "$$$a$$$$$$b$$$"),
        ("$$$-$$$, $$$ or $$$, $$$ a$$$", "$$$-$$$, $$$ or $$$, $$$ a$$$"),
        ("$5, $$x$$ and $y$", "$5, $$x$$ and $y$"),
        ("F$$$J$$$N, x $$$", "F$$$J$$$N, x $$$"),
        ('=!"$$$m$$$m$J, r3+$$$F$$$k', '=!"$$$m$$$m$J, r3+$$$F$$$k'),
        ("$$$x$$$", "$x$"),
        ("$$$", "$$$"),
        ("$$$CASH$$$ and $$$Italian, French$$$", "$$$CASH$$$ and $$$Italian, French$$$"),
        ("$$$abacaba$$$, $$$\\mathtt{ABAC}$$$, $$$YES$$$", "$abacaba$, $\\mathtt{ABAC}$, $YES$"),
    ],
)
def test_three_dollars_around_a_formula_are_one_and_prices_stay(page: str, text: str, markdown: bool) -> None:
    assert text_of(f"<p>{page}</p>", markdown) == text


def test_three_dollars_are_one_in_cells_too_and_stay_in_code() -> None:
    table = "<table><tr><th>a<th>b<tr><td>$$$n$$$<td><code>$$$n$$$</code></table>"
    assert text_of(table) == "| a | b |\n| --- | --- |\n| $n$ | `$$$n$$$` |"
    assert text_of("<p>a <code>$$$n$$$</code>") == "a `$$$n$$$`"


@pytest.mark.parametrize(
    "address",
    [
        "https://chart.googleapis.com/chart?chs=150x150&cht=qr&chl=http%3A%2F%2Fexample.com",
        "https://chart.googleapis.com/chart?cht=p3&chd=t:60,40&chl=Hello|World",
        "/latex-paint.jpg?1573829",
        "/latex-paint.webp?f=auto&w=200",
        "/latex-paint.jpeg?x",
        "https://www.gore-tex.example/shop/4711?20210304",
        "/cortex.php?path=/a/b.jpg",
    ],
)
def test_pictures_whose_address_has_the_word_are_no_formulas(address: str) -> None:
    assert text_of(f"<p>So <img src='{address}'> holds.") == "So holds."


@pytest.mark.parametrize(
    "address",
    [
        "https://chart.googleapis.com/chart?cht=tx&chl=x%5E2",
        "/latex.png?tex=x%5E2",
        "/latex.php?x^2",
        "/mathtex.cgi?x^2",
    ],
)
def test_addresses_of_services_still_are(address: str) -> None:
    assert text_of(f"<p>So <img src='{address}'> holds.") == "So $x^2$ holds."


@pytest.mark.parametrize("num_letters", [4050, 4051, 4052, 9000])
def test_a_long_address_is_read_to_its_end(num_letters: int) -> None:
    tex = "x" * num_letters + "é" * 30
    assert text_of(f"<p>So <img src='//latex.codecogs.com/svg.image?{tex}'> holds") == f"So ${tex}$ holds"


@pytest.mark.parametrize(
    "nothing",
    [
        "<mjx-container><mjx-math><mjx-mtable></mjx-container>",
        "<mjx-math data-latex='$ $'></mjx-math>",
        "<math alttext='$ $'></math>",
        "<script type='math/tex'>$ $</script>",
    ],
)
@pytest.mark.parametrize("glyphs", ["éééééééééééé", "$éééééééééé$", "e" * 20])
def test_a_source_of_nothing_leaves_what_was_drawn(glyphs: str, nothing: str) -> None:
    for element in ("mjx-container", "span class=MathJax"):
        text = text_of(f"<p>So <{element}>{glyphs}{nothing}</{element.split()[0]}> holds")
        assert text in (f"So {glyphs} holds", "So holds")  # of a `data-latex` the source counts, whatever it says


@pytest.mark.parametrize(
    ("inner", "tex"),
    [
        (f"<mjx-mroot>{leaf('mi', '1D465')}{leaf('mo', '221A')}</mjx-mroot>", r"\sqrt[]{x}"),
        (f"<mjx-mroot>{leaf('mi', '1D465')}{leaf('mn', '33')}", r"\sqrt[3]{x}"),
        (f"<mjx-mover><mjx-mi>{glyphs('1D465')}</mjx-mi><mjx-mi>{glyphs('1D466')}</mjx-mi>", r"\overset{y}{x}"),
    ],
)
@pytest.mark.parametrize("num_before", [0, 100, 500])
def test_a_root_without_its_index_or_its_end_ends_with_the_drawing(inner: str, tex: str, num_before: int) -> None:
    drawn = f"<mjx-container><mjx-math>{'<mjx-mrow></mjx-mrow>' * num_before}{inner}</mjx-container>"
    assert text_of(f"<p>So {drawn} holds") == f"So ${tex}$ holds"


@pytest.mark.parametrize("code", ["D800", "DFFF", "1", "110000"])
def test_what_is_no_character_is_not_drawn(code: str) -> None:
    assert text_of(f"<p>So {chtml(X + leaf('mo', code) + Y)} holds") == "So $xy$ holds"


def test_a_formula_at_the_end_of_a_block_is_not_that_of_the_next() -> None:
    for between in ("a", "ab", "é"):
        page = f"<p><math display=block><mi>x</mi></math></p><p>{between}<script type='math/tex'>y</script></p>"
        assert text_of(page) == f"$$x$$\n\n{between}$y$"


@pytest.mark.parametrize(
    "page",
    [
        "<p>So <span class=latex-rendered data-attrs='xpression&quot{}&quot;x'></span> holds",
        "<p>So <img src='i.upmath.me/sv{}x'> holds",
    ],
)
def test_what_only_begins_like_a_source_gives_no_part_of_a_character(page: str) -> None:
    for text in ("é" * 12, "e" + "é" * 12, "日" * 12, "e日" * 6, "ee" + "日" * 12):
        assert text_of(page.format(text)) == "So holds"


@pytest.mark.parametrize(
    "page", [r"<span class=math>\(</span>", r"<p><span class=math>\[</span> 1", r"<math-field>\(</math-field>"]
)
def test_a_delimiter_at_the_beginning_of_a_page_is_one_whatever_page_stands_before(page: str) -> None:
    alone = text_of(page)
    assert not alone.startswith("$")
    for before in ("", "a", "a\\"):
        texts = all_text(pa.array([before.encode(), page.encode()], pa.large_binary()), ExtractionParams()).to_pylist()
        assert texts[1] == alone


def test_what_is_drawn_beside_a_formula_changes_no_element_of_the_page() -> None:
    """A symbol below the others, where no element of the formula is open: nothing is noted for the one it stands in."""
    inside = node("math", node("mi", use("1D465"))) + node("mi", use("1D466"), "1,-2")
    page = f"<ul><li>a<li><mjx-container jax=SVG><svg>{inside}</svg></mjx-container> b</ul>"
    scanned = Scanner().scan(*text_buffers(pa.array([page.encode()], pa.large_binary())), 0, 1)
    assert not scanned.nodes[layout.CLASS_AT, : scanned.num_nodes].any()
