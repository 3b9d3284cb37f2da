"""MathML without TeX beside it, as the tools of the web write it, becomes the TeX that an author would write."""

from __future__ import annotations

import pytest

from tests.extraction.test_structure import text_of


def words(text: str, variant: str) -> str:
    return "".join(f"<mi mathvariant='{variant}'>{letter}</mi>" for letter in text)


TABLE = "<mtable><mtr><mtd><mi>a</mi></mtd></mtr></mtable>"
BINOM = "<mfrac linethickness='0px'><mi>n</mi><mi>k</mi></mfrac>"


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<mi>a</mi><mo>∗</mo><mi>b</mi>", "a*b"),
        ("<msubsup><mi>X</mi><mn>1</mn><mo>′</mo></msubsup>", "X'_1"),
        ("<msup><mi>H</mi><mrow><mo>′</mo><mo>′</mo></mrow></msup><msup><mi>f</mi><mo>″</mo></msup>", "H''f''"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup><mi>y</mi>", "x_i^2y"),
        (words("dom", "normal") + "<mi>E</mi>", r"\mathrm{dom}E"),
        (words("xy", "bold"), r"\mathbf{x}\mathbf{y}"),
        (f"<msub><mrow>{words('ID', 'sans-serif')}</mrow><mi>i</mi></msub>", r"\mathsf{ID}_i"),
        ("<msub><mrow><mi>log</mi><mo>&#x2061;</mo></mrow><mn>2</mn></msub><mi>x</mi>", r"\log_2x"),
        ("<munder><mrow><mi>max</mi><mo>⁡</mo></mrow><mi>a</mi></munder>", r"\max_a"),
        ("<mrow><mi mathvariant=normal>m</mi><mspace></mspace></mrow><mrow><mi mathvariant=normal>a</mi><mspace></mspace></mrow>", r"\mathrm{ma}"),
        ("<mover><mi>x</mi><mo>‾</mo></mover><mover><mi>x</mi><mo>¯</mo></mover>", r"\overline{x}\bar{x}"),
        ("<menclose notation='top'><mi>x</mi></menclose>", r"\overline{x}"),
        ("<menclose notation='updiagonalstrike'><mi>x</mi></menclose>", r"\cancel{x}"),
        ("<menclose notation='box'><mi>x</mi></menclose><menclose notation='left right'><mi>y</mi></menclose>", r"\boxed{x}y"),
        (f"<mtable displaystyle='true'>{TABLE[8:]}", r"\begin{aligned} a \end{aligned}"),
        (f"<mrow><mo>(</mo>{BINOM}<mo>)</mo></mrow><mi>x</mi>", r"\binom{n}{k}x"),
        (f"<mrow><mrow><mo>(</mo></mrow>{BINOM}<mrow><mo>)</mo></mrow></mrow>", r"\binom{n}{k}"),
        (f"<mfenced>{BINOM}</mfenced><mfenced open='[' close=''>{BINOM}</mfenced>", r"\binom{n}{k}[\binom{n}{k}"),
        (f"<mo>(</mo><mrow>{TABLE}</mrow><mo>)</mo>", r"\begin{pmatrix} a \end{pmatrix}"),
        (f"<mfenced open='{{' close=''><mrow>{TABLE}</mrow></mfenced>", r"\begin{cases} a \end{cases}"),
        ("<mfenced open='[' close=')'><mi>a</mi><mi>b</mi></mfenced>", "[a, b)"),
        ("<mfenced open='&#x27E8;' close='⟩'><mi>y</mi></mfenced>", r"\langle y\rangle"),
        ("<mi>c</mi><msup><mrow></mrow><mo>∗</mo></msup>", "c{}^{*}"),
        ("<mi mathvariant=normal>∣</mi><mi>x</mi><mi mathvariant=normal>∣</mi><mo>∣</mo><mi>y</mi>", r"|x|\mid y"),
        ("<mtext>𝖢𝗈</mtext><mtext>\u2009</mtext><mi>ℎ</mi>", r"\text{Co}h"),
        ("<mi><munder><mo><munder><mi>a</mi><mo>⏟</mo></munder></mo><mi>b</mi></munder></mi><mi>i</mi>", r"\underset{b}{\underbrace{a}}i"),
    ],
)  # fmt: skip
def test_mathml_of_the_tools_is_the_tex_of_authors(mathml: str, tex: str) -> None:
    assert text_of(f"<p><math>{mathml}</math>") == f"${tex}$"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<div class='math notranslate'><span class=eqno>(1)<a class=headerlink href=#e>¶</a></span>\\[E = mc^2\\]</div>", "(1)\\[E = mc^2\\]"),
        ("<p>so <span class=formula><i>E</i> = <i>mc</i><sup>2</sup></span> is", "so E = mc^2 is"),
        ("<p>so <d-math>E=mc^2</d-math> is", "so $E=mc^2$ is"),
        ("<p>so <img alt='\\begin{displaymath}E=mc^2\\end{displaymath}'>", "so\n$$E=mc^2$$"),
        ("<p>so <img alt='$\\begin{equation}a\\end{equation} + \\begin{equation}b\\end{equation}$'>",
         "so $\\begin{equation}a\\end{equation} + \\begin{equation}b\\end{equation}$"),
        ("<div class=math>a \\\\[2pt] x^2</div>", "$$a \\\\[2pt] x^2$$"),
        ("<p>E\u2004=\u2004mc<sup>2</sup>", "E\u2004=\u2004mc^2"),
    ],
)  # fmt: skip
def test_formulas_that_are_markup_and_numbers_of_equations_are_no_tex(page: str, text: str) -> None:
    assert text_of(page) == text
