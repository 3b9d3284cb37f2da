"""Formulas that KaTeX has drawn without MathML or TeX beside them, and those whose MathML lost its elements."""

from __future__ import annotations

import pytest

from tests.extraction.test_structure import text_of


def katex(body: str, prefix: str = "") -> str:
    base, strut = prefix + "base", prefix + "strut"
    return f'<span class="katex"><span class="katex-html" aria-hidden="true"><span class="{base}"><span class="{strut}" style="height:1em;"></span>{body}</span></span></span>'


def atom(kind: str, body: str) -> str:
    return f'<span class="{kind}">{body}</span>'


def italic(letters: str) -> str:
    return atom("mord mathnormal", letters)


def item(top: float, body: str, strut: float = 2.7, style: str = "", kind: str = "") -> str:
    return f'<span class="{kind}" style="top:{-top}em;{style}"><span class="pstrut" style="height:{strut}em;"></span>{body}</span>'


def stack(*items: str, depth: bool = True) -> str:
    below = '<span class="vlist-s">\u200b</span></span><span class="vlist-r"><span class="vlist" style="height:0.2em;"><span></span></span>'
    return f'<span class="vlist-t{" vlist-t2" if depth else ""}"><span class="vlist-r"><span class="vlist" style="height:1em;">{"".join(items)}</span>{below if depth else ""}</span></span>'


def small(body: str) -> str:
    return f'<span class="sizing reset-size6 size3 mtight">{body}</span>'


def scripts(nucleus: str, lower: str = "", upper: str = "", kind: str = "mord") -> str:
    parts = ([item(2.44, small(lower), style="margin-left:0em;")] if lower else []) + (
        [item(3.06, small(upper))] if upper else []
    )
    return atom(kind, f'{nucleus}<span class="msupsub">{stack(*parts, depth=bool(lower))}</span>')


def fraction(above: str, below: str, line: bool = True) -> str:
    rule = [item(3.23, '<span class="frac-line" style="border-bottom-width:0.04em;"></span>', 3)] if line else []
    stacked = stack(item(2.655, small(below), 3), *rule, item(3.394, small(above), 3))
    return f'<span class="mfrac">{stacked}</span>'


def drawing(width: int, height: int, path: str, more: str = "") -> str:
    return f"<svg xmlns='x' width='1em' viewBox=\"0 0 {width} {height}\"{more}><path d='{path}c1-2 3-4'/></svg>"


NOT = "\ue020"
NULL = '<span class="mopen nulldelimiter"></span>'
X, Y, J, N, TWO = italic("x"), italic("y"), atom("mord mathnormal mtight", "i"), italic("n"), atom("mord mtight", "2")


def column(*cells: str | None, side: str = "c") -> str:
    rows = [
        item(3.61 - 1.2 * n, f'<span class="mord">{cell}</span>', 3) for n, cell in enumerate(cells) if cell is not None
    ]
    return f'<span class="col-align-{side}">{stack(*rows)}</span>'


def table(*columns: str) -> str:
    return f'<span class="mord"><span class="mtable">{"<span class=arraycolsep></span>".join(columns)}</span></span>'


def between(left: str, body: str, right: str) -> str:
    size = '<span class="m{} delimcenter" style="top:0em;"><span class="delimsizing size3">{}</span></span>'
    return f'<span class="minner">{size.format("open", left)}{body}{size.format("close", right)}</span>'


@pytest.mark.parametrize(
    ("body", "tex"),
    [
        (f'{italic("E")}<span class="mspace" style="margin-right:0.2em;"></span>{atom("mrel", "=")}{italic("m")}{scripts(italic("c"), upper=TWO)}', "E=mc^2"),
        (scripts(X, J, TWO) + scripts(X, J) + scripts(atom("mord", ""), upper=TWO), "x_i^2x_i{}^2"),
        (f"{atom('mord', NULL + fraction(italic('a'), italic('b')) + NULL)}", r"\frac{a}{b}"),
        (atom("mord", atom("mopen", "(") + fraction(N, italic("k"), False) + atom("mclose", ")")), r"\binom{n}{k}"),
        (atom("mord sqrt", stack(item(3, X, 3, kind="svg-align"), item(2.9, "<span class=hide-tail>" + drawing(400000, 1080, "M95,702") + "</span>", 3))), r"\sqrt{x}"),
        (atom("mord sqrt", f'<span class="root">{stack(item(2.8, small(atom("mord mtight", "3")), 2.5), depth=False)}</span>{stack(item(3, Y, 3, kind="svg-align"))}'), r"\sqrt[3]{y}"),
        (atom("mop op-limits", stack(item(1.87, small(J), 3.05, "margin-left:0em;"), item(3.05, "<span>" + atom("mop op-symbol large-op", "∑") + "</span>", 3.05),
                                     item(4.3, small(N), 3.05, "margin-left:0em;"))) + X, r"\sum_i^nx"),
        (atom("mop op-limits", stack(item(2.4, small(X), 3, "margin-left:0em;"), item(3, "<span>" + atom("mop", "lim") + "</span>", 3))), r"\lim_x"),
        (scripts(atom("mop", "∑"), J, N, "mop") + atom("mop", "lo<span style='margin-right:0.1em'>g</span>") + X, r"\sum_i^n\log x"),
        (atom("mord accent", stack(item(3, X, 3), item(3, '<span class="accent-body" style="left:-0.2em;"><span class="mord">^</span></span>', 3), depth=False)), r"\hat{x}"),
        (atom("mord accent", stack(item(3, Y, 3), item(3, f'<span class="accent-body"><span class="overlay">{drawing(471, 714, "M377 20")}</span></span>', 3))), r"\vec{y}"),
        (atom("mord accent", stack(item(3, atom("mord", italic("ab")), 3), item(3.7, f"<span>{drawing(2364, 300, 'M1181 0h2l')}</span>", 3, kind="svg-align"))), r"\widehat{ab}"),
        (atom("mord overline", stack(item(3, X, 3), item(3.8, '<span class="overline-line"></span>', 3))), r"\overline{x}"),
        (atom("minner mover", stack(item(3, X, 3), item(3.5, f"<span class=stretchy><span class=brace-left>{drawing(400000, 548, 'M6 548l-6')}</span><span class=brace-center>"
                                    f"{drawing(400000, 548, 'M200428 334')}</span></span>", 3, kind="svg-align"))), r"\overbrace{x}"),
        (f"{atom('mord mathbb', 'R')}{atom('mord mathcal', 'L')}{atom('mord', atom('mord mathrm', 'ab'))}{atom('mord text', atom('mord', ' if '))}{atom('mord', '12')}{italic('ab')}",
         r"\mathbb{R}\mathcal{L}\mathrm{ab}\text{ if }12ab"),
        (f"{X}{atom('mrel', '∣')}{Y}{atom('mord', '∣')}{X}{atom('mord', '∣/∣')}{atom('mord', '∥')}", r"x\mid y|x|/|\|"),
        (f"{X}{atom('mrel', atom('mrel', atom('mord', '<span class=rlap><span class=inner>' + atom('mrel', NOT) + '</span></span>')) + atom('mrel', '='))}{Y}", r"x\neq y"),
        (f"{X}{atom('mrel', atom('mrel', '∈') + atom('mord', '<span class=llap><span class=inner>' + atom('mord', '/') + '</span></span>'))}{Y}", r"x\notin y"),
        (between("(", table(column(X, Y), column(N, TWO)), ")"), r"\begin{pmatrix} x & n \\ y & 2 \end{pmatrix}"),
        (between("{", table(column(X, Y, side="l"), column(N, None, side="l")), ""), r"\begin{cases} x & n \\ y \end{cases}"),
        (table(column(X, Y, side="r"), column(None, N, side="l")), r"\begin{aligned} x \\ y & n \end{aligned}"),
        (f'<span class="minner"><span class="mopen"><span class="delimsizing mult">{stack(item(2.2, "<span class=delimsizinginner><span>⎝</span></span>", 3), item(3, "<span><span>⎛</span></span>", 3))}'
         f'</span></span>{X}<span class="mclose"><span class="delimsizing mult">{stack(item(3, "<span>" + drawing(875, 6000, "M76,0c") + "</span>", 3))}</span></span></span>', "(x)"),
    ],
)  # fmt: skip
def test_boxes_of_katex_are_read_back(body: str, tex: str) -> None:
    assert text_of(f"<p>So {katex(body)} holds") == f"So ${tex}$ holds"
    assert text_of(f"<p>So <span class='math inline'>{katex(body)}</span> holds") == f"So ${tex}$ holds"
    assert text_of(f"<p>So <span class=katex-display>{katex(body)}</span> holds") == f"So\n$${tex}$$\nholds"


def test_classes_of_later_versions_begin_with_its_name() -> None:
    root = f'<span class="katex-root">{stack(item(2.8, f"<span class=katex-sizing>{TWO}</span>", 2.5), depth=False)}</span>'
    assert text_of(f"<p>{katex(atom('mord sqrt', root + stack(item(3, X, 3))), 'katex-')}") == r"$\sqrt[2]{x}$"


def test_formulas_that_stand_side_by_side_are_all_read() -> None:
    assert text_of(f"<p>{katex(X)}{katex(Y)} a") == "$x$$y$ a"


def test_words_beside_formulas_in_an_element_for_formulas_stay() -> None:
    page = f"<span class=math>Let {katex(X)} and {katex(Y)} be so</span> z"
    assert text_of(f"<p>{page}") == "Let $x$ and $y$ be so z"
    page = f"<div class=math>Solve {katex(X)} for y <br>and<p>more</p></div><p>z"
    assert text_of(page) == "Solve $x$ for y\nand\n\nmore\n\nz"


def test_the_place_of_an_item_may_stand_behind_its_width() -> None:
    """Wide accents over slanted letters."""
    hat = f'<span class="svg-align" style="width:calc(100% - 0.1em);margin-left:0.1em;top:-3.7em;"><span class="pstrut" style="height:3em;"></span><span>{drawing(2364, 300, "M1181 0h2l")}</span></span>'
    assert text_of(f"<p>{katex(atom('mord accent', stack(item(3, X, 3), hat)))} a") == r"$\hat{x}$ a"
    other = f'<span style="margin-top:-3em">{Y}</span>'
    assert text_of(f"<p>{katex(atom('mord', stack(item(3, X, 3), other)))} a") == "$xy$ a"


def test_a_cell_may_be_a_list_itself() -> None:
    """Where a cell lies is no mark of what its children are."""
    cells = column(X, N).replace('<span class="mord"><span', '<span class="vlist"><span')
    assert text_of(f"<p>{katex(table(cells, column(Y, TWO)))} a") == r"$\begin{matrix} x & y \\ n & 2 \end{matrix}$ a"


OLD = '<span class="msupsub"><span class="vlist"><span style="top:-0.36em;"><span class="fontsize-ensurer"></span><span class="mtight">2</span></span></span></span>'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (atom("mord", X + OLD), "x2"),  # before 0.10: no struts that say where it lies
        (atom("mord", X + Y + '<span class="msupsub"></span>'), "xy"),
        (f"{X}<img src=a>{Y}", "xy"),
        ("<span>" * 300 + "x" + "</span>" * 300, "x"),
        (f"<span class=mtable>{column(X)}{Y}</span>", "xy"),
        ("<span class=mord>a<span class=mord>b</span>c</span>", "abc"),
        (f"<span class=mfrac>a{stack(item(2, Y, 3), item(3, X, 3))}</span>", "ayx"),
    ],
)
def test_what_cannot_be_read_stays_as_it_was_drawn(body: str, text: str) -> None:
    assert text_of(f"<p>So {katex(body)} holds").replace("\u200b", "") == f"So {text} holds"


@pytest.mark.parametrize("letters", ["abcde+", "abcde9", "abcde", "abcdefghi+"])
def test_letters_without_room_for_their_tex_take_nothing_from_the_text_before(letters: str) -> None:
    """Each letter of a word stepped back by one: the fifth stood in the place of half a letter before them."""
    assert text_of(f"<p>é<span class=katex-html>{letters}</a>") == f"é{letters}"


def test_a_formula_without_an_end_takes_no_other() -> None:
    page = '<p>a <span class="katex-html"><span class="base"><span class="mord">x</span>'
    assert text_of(f"{page}<p>b {katex(Y)}") == "a x\n\nb $y$"


LINES = "\n     \n      \n       \n        x\n       \n       \n        2\n       \n      \n      x^2 \\\\\n+ 1\n     \n    "


@pytest.mark.parametrize(("text", "tex"), [(LINES, r"x^2 \\ + 1"), ("x2x^2", "x^2")])
def test_mathml_whose_elements_are_lost_has_its_tex_at_its_end(text: str, tex: str) -> None:
    drawn = katex(scripts(X, upper=TWO)).replace(
        '<span class="katex">', f'<span class="katex"><span class="katex-mathml">{text}</span>'
    )
    assert text_of(f"<p>设<span class=katex--inline>{drawn}</span>则") == f"设${tex}$则"
    assert (
        text_of(f"<p>设 <span class=katex--display><span class=katex-display>{drawn}</span></span>则")
        == f"设\n$${tex}$$\n则"
    )


def test_words_in_place_of_mathml_stay_where_no_formula_follows() -> None:
    assert text_of("<p>a <span class=katex-mathml>x2x^2</span> b") == "a x2x^2 b"
