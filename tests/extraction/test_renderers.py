"""What tools that draw formulas and code leave in a page: MathJax 2 without scripts, docutils, forums, drawn characters, images that are all of a formula."""

from __future__ import annotations

import pytest

from tests.extraction.test_drawn_formulas import EQUALS, E, X, Y, chtml, leaf
from tests.extraction.test_structure import text_of


@pytest.mark.parametrize(
    ("page", "text"),
    [
        # MathJax 2 drawn beforehand: its source is a label or a title
        (r"<p>So <span class=mjx-chtml><span class=mjx-math aria-label='\frac{a}{b}'><span class=mjx-mrow aria-hidden=true><span class=mjx-char>a</span>"
         r"<span class=mjx-char>b</span></span></span></span> holds", r"So $\frac{a}{b}$ holds"),
        ("<p>So <span class=mjx-chtml><span class=mjx-math aria-label='(a, b)'><span class=mjx-char>(a,b)</span></span></span> holds", "So $(a, b)$ holds"),
        ("<p>So <span class=mjx-chtml><span class=mjx-math aria-label='a plus b'><span class=mjx-char>a+b</span></span></span> holds", "So a+b holds"),
        ("<p>So <span class=mjx-chtml><span class=mjx-math aria-label=alpha><span class=mjx-char>α</span></span></span> holds", "So α holds"),
        (r"<p>So <svg role=img aria-labelledby=MathJax-SVG-1-Title><title id=MathJax-SVG-1-Title>E = mc^2 &lt; 1</title><g><path d='M1'/></g></svg> holds",
         "So $E = mc^2 < 1$ holds"),
        ("<p>So <span class='mjpage mjpage__block'><svg><title id=MathJax-SVG-2-Title>x^2</title><path d='M1'/></svg></span> holds", "So\n$$x^2$$\nholds"),
        ("<p>So <div class=MathJax_SVG_Display><span class=MathJax_SVG><svg><title id=MathJax-SVG-3-Title>x^2</title></svg></span></div> holds", "So\n\n$$x^2$$\nholds"),
        ("<p>So <svg role=img><title id=logo>x^2</title><path d='M1'/></svg> holds", "So holds"),
        # docutils
        (r"<p>So <tt class=math>\alpha_i</tt> and <samp class=math>b^2</samp> hold", r"So $\alpha_i$ and $b^2$ hold"),
        # an image that is all of a formula
        ("<p>On <img class=math src=a.png alt='[-1, 1]'> it is", "On $[-1, 1]$ it is"),
        ("<p>On <img class=math src=a.png alt='(a, b, c, d)'> it is", "On $(a, b, c, d)$ it is"),
        ("<p>On <img class=math src=a.png alt='Two lines'> it is", "On it is"),
        # an image whose text is TeX, of any class, and one in an element for formulas
        (r"<p>So <img class=url src=a.png alt='\frac{a}{b}'> and <img src=b.png alt='x = \alpha'> hold", r"So $\frac{a}{b}$ and $x = \alpha$ hold"),
        (r"<p>So <img src=a.png alt='C:\temp\new_file'> and <img src=b.png alt='in\dir_a'> and <img src=c.png alt='\frac'> and <img src=d.png alt='a_b'> hold", "So and and and hold"),
        ("<p>So <span class=math><img src=a.svg alt='x^2'></span> and <span class=math><img src=a.svg alt='Figure one'></span> hold", "So $x^2$ and hold"),
        (r"<p>So <img src=a.png alt='~\Documents\my_file'> and <img src=b.png alt='%APPDATA%\Roaming\my_app'> and <img src=c.png alt='What is it?\nNext line: a_b = 3'> hold",
         "So and and hold"),
        (r"<p>So <img src=a.png alt='\ud83d\ude00 a_b'> and <img src=b.png alt='Click \Insert = done'> and <img src=c.png alt='v_{max} = \text{speed of it}'> hold",
         r"So and and $v_{max} = \text{speed of it}$ hold"),
        # a label that is TeX and no speech, an attribute, elements of editors, edX before it is drawn
        (r"<p>So <span role=math aria-label='\frac{a}{b}'><svg></svg></span> and <span role=math aria-label='x squared = 5'>x<sup>2</sup> = 5</span> hold", r"So $\frac{a}{b}$ and x^2 = 5 hold"),
        ("<p>So <span data-equation='x^2'></span> and <math-inline>y</math-inline> and <span class=ne-math><img src=a.svg alt='(a, b)'></span> hold", "So $x^2$ and $y$ and $(a, b)$ hold"),
        (r"<p>So [mathjaxinline]x+y[/mathjaxinline] and [mathjax]\int x[/mathjax] hold, and [mathjax] is open", r"So $x+y$ and $$\int x$$ hold, and [mathjax] is open"),
        ("<p>So <span class=katex-eq>\\begin{array}{r} a &amp; b \\end{array}</span> holds", r"So $\begin{array}{r} a & b \end{array}$ holds"),
        # dollars with spaces, and escaped ones, in an element for formulas
        ("<p>So <span class=tex>$ (a, b) $</span> holds", "So $(a, b)$ holds"),
        (r"<p>So <span class=math>\beta + 1</span> and <img class=tex alt='\beta_i'> and <span data-equation=true>words</span> and <span data-equation=eq-1>more</span> hold",
         r"So $\beta + 1$ and $\beta_i$ and words and more hold"),
        (r"<p>So <span class=tex dir=ltr>$ x+\frac12 $</span> and <span class=math-container>\$V = IR\$</span> hold", r"So $x+\frac12$ and $V = IR$ hold"),
        ("<p>So <span class=math>$ 5 or $ 6</span> and <span class=math>$ many of the words $</span> hold", "So $ 5 or $ 6 and $ many of the words $ hold"),
        # WordPress that did not draw, and a document of TeX around a formula (JATS)
        (r"<p>So $latex \alpha + b$ and $latex E=mc^2$ hold for $5 and $6", r"So $\alpha + b$ and $E=mc^2$ hold for $5 and $6"),
        ("<p>So <code>$latex x$</code> and $latexmk x$ and $latex without end", "So `$latex x$` and $latexmk x$ and $latex without end"),
        (r"<p>So <tex-math>\documentclass[12pt]{minimal} \usepackage{amsmath} \setlength{\oddsidemargin}{-69pt} \begin{document}$$x+1$$ \end{document}</tex-math> holds",
         "So $$x+1$$ holds"),
        (r"<p>So \documentclass[12pt]{minimal} \usepackage{amsmath} \begin{document} $ x+1 $ \end{document} holds", "So $x+1$ holds"),
        (r"<pre>\documentclass[12pt]{minimal} \usepackage{amsmath} \begin{document} $x$ \end{document}</pre>",
         "```\n\\documentclass[12pt]{minimal} \\usepackage{amsmath} \\begin{document} $x$ \\end{document}\n```"),
        ("<p>Set $latex to 1 and pay 5$ or $latex .= '$' or $latex = 5; $", "Set $latex to 1 and pay 5$ or $latex .= '$' or $latex = 5; $"),
        (r"<p>Write \documentclass{article} \begin{document} $x$ \end{document}", r"Write \documentclass{article} \begin{document} $x$ \end{document}"),
        # Zhihu: a line that ends is a displayed formula
        (r"<p>So <span class=ztext-math data-tex='E=mc^2\\'>x</span> holds", "So\n$$E=mc^2$$\nholds"),
        (r"<p>So <img src='https://www.zhihu.com/equation?tex=E%3Dmc%5E2%5C%5C' alt='E=mc^2 \\' eeimg=1> holds", "So\n$$E=mc^2$$\nholds"),
        (r"<p>So <script type='math/tex'>a \\</script> and <span class=math-tex>\(b\\ \)</span> hold", r"So $a$ and \(b\\ \) hold"),
        # an address in UTF-8
        (r"<p>So <img src='https://latex.codecogs.com/svg.image?X%20%E2%8B%99%207'> holds", "So $X ⋙ 7$ holds"),
        (r"<p>So <img src='https://latex.codecogs.com/svg.image?X%5E2%E2%8B'> holds", "So $X^2%E2%8B$ holds"),
        ("<p>So <img src='https://latex.codecogs.com/svg.image?X%5E2%C2%80'> holds", "So $X^2%C2%80$ holds"),
        (r"<p>So <img src='https://latex.codecogs.com/svg.image?X%5E2%E%ED%A0%80'> holds", "So $X^2%E%ED%A0%80$ holds"),
        # forums
        (r"<p>If [tex] x = \sqrt{2} [/tex] and [itex]y[/itex], [latex]z^2[/latex] or [math]w[/math], then", r"If $x = \sqrt{2}$ and $y$, $z^2$ or $w$, then"),
        ("<p>Use <code>[tex]x[/tex]</code>, [tex] without end, [tex][/tex] or [url]x[/url]", "Use `[tex]x[/tex]`, [tex] without end, [tex][/tex] or [url]x[/url]"),
        ("<p>one [tex]a[itex]b[/itex] two [/tex]", "one [tex]a$b$ two [/tex]"),
        ("<p>The tags [math] opens and [/math] closes, \"[tex]\" and \"[/tex]\", [math]-Tag und [/math], [tex] or [/tex], [tex]和[/tex], [math]...[/math]",
         'The tags [math] opens and [/math] closes, "[tex]" and "[/tex]", [math]-Tag und [/math], [tex] or [/tex], [tex]和[/tex], [math]...[/math]'),
        (r"<p>If [tex]$x$[/tex], [math]\(y\)[/math], [tex]sin a[/tex], [tex] v = speed [/tex] or [tex]α[/tex]", r"If $x$, \(y\), $sin a$, $v = speed$ or $α$"),
        ("<p>price [math]5 $ [/math] of <code>a [tex]x[/tex] b</code> is [tex]y[/tex]", "price [math]5 $ [/math] of `a [tex]x[/tex] b` is $y$"),
        # an image of something else
        ("<p>On <img class=math alt='No. 1'><img class=math alt='UK, US'><img class=tex alt='11/12/2003'><img alt='$5 off'><img alt='$x$'> it is", "On $x$ it is"),
        # raised letters behind one letter, and a product as an exponent
        ("<p>in ℝ<sup>n</sup> and ℝ<sup>1 × <em>n</em></sup>, Ω<sub>i</sub>", "in ℝ^n and ℝ^(1 × n), Ω_i"),
        ("<p>le 1<sup>er</sup> mot, Mr<sup>s</sup>, пер<sup>й</sup>, x<sup>n</sup>", "le 1er mot, Mrs, перй, x^n"),
        ("<p>à<sup>a</sup> я<sup>а</sup> 表<sup>a</sup> 5€<sup>a</sup> “5”<sup>a</sup> 10°<sup>C</sup> №<sup>a</sup> π<sup>i</sup> ∂<sup>n</sup>", "àa яа 表a 5€a “5”a 10°C №a π^i ∂^n"),
        ("<p>x∈ℝ<sup>n</sup>×ℤ<sup>m</sup>, 𝕂<sup>n</sup>, Brand™<sup>a</sup>, 5℃<sup>a</sup>, ≥<sup>a</sup>", "x∈ℝ^n×ℤ^m, 𝕂^n, Brand™a, 5℃a, ≥a"),
        ("<p>SO<sub>4</sub><sup>2−</sup>, x<sub>n′</sub>, x<sup>n−1</sup>, 5<sup>99€</sup>", "SO4^2−, x_n′, x^(n−1), 5^99€"),
    ],
)  # fmt: skip
def test_sources_of_formulas_are_found(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<munderover><mo>→</mo><mrow></mrow><mrow></mrow></munderover><mi>x</mi>", r"\to x"),
        ("<munderover><mo>∑</mo><mrow></mrow><mi>n</mi></munderover>", r"\sum^n"),
        ("<msubsup><mi>x</mi><mrow></mrow><mi>n</mi></msubsup><msubsup><mi>y</mi><mi>i</mi><mrow/></msubsup>", "x^ny_i"),
        ("<msubsup><mi>x</mi><mrow></mrow><mo>′</mo></msubsup><mi>T</mi><msubsup><mrow/><mrow/><mi>j</mi></msubsup>", "x'T{}^j"),
        ("<mi>a</mi><mmultiscripts><mi>F</mi><mn>1</mn><none/><mprescripts/><mn>2</mn><none/></mmultiscripts><mi>b</mi>", "a{}_{2}F_{1}b"),
        ("<mmultiscripts><mi>Γ</mi><mi>i</mi><mi>j</mi><mprescripts/><mrow/><none/></mmultiscripts><mi>x</mi>", r"\Gamma_{i}^{j}x"),
        ("<mmultiscripts><mi>R</mi><mi>i</mi><none/><none/><mi>j</mi><mi>k</mi><mi>l</mi></mmultiscripts>", "R_{i}{}^{j}{}_{k}^{l}"),
        ("<mmultiscripts><mi>Γ</mi><mprescripts/><mi>i</mi><mi>j</mi></mmultiscripts><mi>x</mi>", r"{}_{i}^{j}\Gamma x"),
        ("<mi>a</mi><mo>⊕︎</mo><mi>b</mi>", r"a\oplus b"),
        ("<mi>a</mi><mo>≠</mo><mi>b</mi><mo>∉</mo><mi>C</mi><mo>≢</mo><mi>d</mi>", r"a\neq b\notin C\not\equiv d"),
        ("<mi>𝜙</mi><mi>𝜑</mi><mi>𝜖</mi><mi>𝜀</mi><mi>𝜗</mi>", r"\phi\varphi\epsilon\varepsilon\vartheta"),
        ("<mi>𝛟</mi><mi>𝝓</mi><mi>𝚹</mi><mi mathvariant=bold>ϵ</mi>", r"\mathbf{\phi}\boldsymbol{\phi}\mathbf{\Theta}\mathbf{\epsilon}"),
        ("<mtable><mtr><mtd><mi>a</mi></mtd><mtd><mi>b</mi></mtd><mtd></mtd></mtr><mtr><mtd></mtd><mtd><mrow></mrow></mtd><mtd><mi>c</mi></mtd></mtr>"
         "<mtr><mtd></mtd><mtd></mtd><mtd></mtd></mtr></mtable>", r"\begin{matrix} a & b \\  &  & c \\  \end{matrix}"),
    ],
)  # fmt: skip
def test_mathml_writes_nothing_for_what_is_empty(mathml: str, tex: str) -> None:
    assert text_of(f"<p>So <math>{mathml}</math> holds") == f"So ${tex}$ holds"


def test_norms_and_aligned_equations_that_mathjax_drew() -> None:
    bar, parallel = leaf("mo", "2225"), "<mjx-mo class='mjx-n' space='4'><mjx-c class='mjx-c2225'></mjx-c></mjx-mo>"
    assert text_of(f"<p>So {chtml(bar + X + bar + EQUALS + Y)} holds") == r"So $\|x\|=y$ holds"
    assert text_of(f"<p>So {chtml(X + parallel + Y)} holds") == r"So $x\parallel y$ holds"
    left, right = "text-align: right; padding-right: 0; padding-bottom: 0.15em;", "text-align: left; padding-left: 0;"
    cells = f"<mjx-mtd style='{left}'>{E}</mjx-mtd><mjx-mtd style='{right}'>{EQUALS}{X}</mjx-mtd>"
    table = "<mjx-mtable><mjx-table><mjx-itable><mjx-mtr>{}</mjx-mtr></mjx-itable></mjx-table></mjx-mtable>"
    assert text_of(f"<p>So {chtml(table.format(cells))}") == r"So $\begin{aligned} E & =x \end{aligned}$"
    assert (
        text_of(f"<p>So {chtml(table.format(cells.replace(left, right)))}")
        == r"So $\begin{matrix} E & =x \end{matrix}$"
    )
    words = f"<div class=math>Solve {chtml(X)} for y <br>and<p>more</p></div><p>z"
    assert text_of(words) == "Solve $x$ for y\nand\n\nmore\n\nz"


def test_code_of_phpbb_is_a_block_without_its_label() -> None:
    label = "<dl class=codebox><dt>Code: <a href=#>Select all</a></dt><dd><code>{}</code></dd></dl>"
    page = "<p>Run" + label.format("make all") + "<p>or" + label.format("if x:<br>&nbsp;&nbsp;y()") + "<p>now"
    assert text_of(page) == "Run\n\n```\nmake all\n```\n\nor\n\n```\nif x:\n  y()\n```\n\nnow"
    terms = "<dl><dt>Copy</dt><dd><pre>cp a b</pre></dd><dt>Code</dt><dd><pre>x</pre></dd></dl>"
    assert text_of(terms, False) == "Copy\ncp a b\nCode\nx"
    assert text_of("<p>in <code>[tex]x[/tex]</code>", False) == "in [tex]x[/tex]"
    assert text_of("<dl><dt>Code: x</dt><dd><code>make</code></dd></dl>") == "Code: x\n: `make`"
