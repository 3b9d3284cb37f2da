"""Mutated pages through the HTML kernels: no crash, nothing written out of bounds, valid UTF-8 out.

    NUMBA_BOUNDSCHECK=1 python -m tests.support.html_fuzz --pages 100000 [folder of .html files]

Buffers get a canary behind the bytes they may use. Run with NUMBA_BOUNDSCHECK=1 every index is checked as well.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from stages.extraction import ExtractionParams
from stages.extraction.html_to_text import all_text, main_text

SEEDS = (
    b"<p><font face=Courier>x = f(1);&nbsp;</font></p><p><font face=Courier><br></font></p> <p><font face=Courier>y = g[x];</font></p><div style='font:1px monospace'>a{}</div><div style='font:1px monospace'>b = <b>{c}</b></div><table><tr><th>a<td><img alt=Yes><td><i aria-label=no></i><td><span class=sr-only>yes</span></table>"
    b"[mathjaxinline]x[/mathjaxinline] [mathjax]y[/mathjax]<span role=math aria-label='x^2'>x</span><math-inline>x</math-inline><span data-equation='x_i'></span><span class=katex-eq>\\begin{array}{r} a \\end{array}</span><img alt='\\frac{a}{b}'><img alt='\\ud83d a_b'><p>$latex x$ $latex .= $<div class=code>x();<br>y = {};</div>",
    "日本 <span class=math>\\alphaé<br>é</span> é <span class=math><br>é_\\beta</span> <q><p>語</q><p>é <a href=#x>#<q></a>é</q> <code><q>é</q></code><q>é<br>é</q><h2>é<a href=#y>#<q></a></q></h2>".encode(),
    "<p>a <q>b <code>c</code></q> „<q>d</q>“<q> e<p>f</q><br><br>&nbsp;<br>g​h ﻿<code>i​j</code> ខ​ខ <img class=emoji alt=':)'><img alt='👍'><a href=x>K</a><a href=y><b>L</b></a><a href=z>1</a><a href=w>2</a>".encode(),
    b"<p>So <span class=mjx-chtml><span class=mjx-math aria-label='\\frac{a}{b}'><span class=mjx-char>a</span></span></span><svg><title id=MathJax-SVG-1-Title>E = mc^2</title><g/></svg>"
    b"<img class=math alt='(a, b)'><img src='/svg.image?X%20%E2%8B%99%207'>[tex]x[/tex] [itex]y[itex] [/itex]<dl class=codebox><dt>Code: <a>Select all</a></dt><dd><code>a<br>b</code></dd></dl>"
    b"<math><munderover><mo>\xe2\x86\x92</mo><mrow/><mrow/></munderover><mtable><mtr><mtd/><mtd><mi>a</mi></mtd><mtd/></mtr></mtable><mo>=\xcc\xb8</mo></math><tt class=math>x_i</tt>"
    b"<math><mmultiscripts><mi>F</mi><mn>1</mn><none/><mprescripts/><mn>2</mn><mrow/></mmultiscripts><msubsup><mi>x</mi><mrow/><mo>\xe2\x80\xb2</mo></msubsup></math><code>a [tex]x[/tex]</code> [math]$y$[/math]",
    b"<!doctype html><html lang=en><head><title>A &amp; B</title><meta property=og:type content=article></head><body>"
    b"<nav><ul><li><a href=/>Home</a><li><a href=/x>News</a></ul></nav><article><h1>Title</h1><p>One &mdash; two, "
    b"<b>three</b>.<br>Four<pre>\n  code &lt;x&gt;\r\n\ty</pre><table><tr><th>a<td>b<tr><td>c<table><td>d</table></table>"
    b"<script>if (a<b) '<!--<script></script>-->'</script><style>p{}</style><!-- c --!><svg><title>t</title>x</svg>"
    b"<select><option>o</select><template><p>t</template><textarea>x</textarea><noscript>n</noscript></article></body>",
    b"<?xml version='1.0'?><html><script src='x'/><p class='comment-list' style='display:none'>a<dl><dt>b<dd>c</dl>"
    b"<math><mi>x</mi></math><![CDATA[ y ]]><plaintext>rest <b>",
    "<p>日本語の文章。<p>Ελληνικά &nGt; &#x1F600; &#0; &#55555555555; &nbsp;&notit;</p>".encode(),
    "<p>a <math display=block alttext='x'><semantics><mrow><msup><mi>x</mi><mn>2</mn></msup><mfrac><mi>α</mi><mtext>b c</mtext></mfrac>"
    "<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><mover><mo>=</mo><mi>d</mi></mover><mroot><mi>y</mi><mn>3</mn></mroot>"
    "<mo>(</mo><mtable><mtr><mtd><mi>q</mi></mtd><mtd/></mtr></mtable><mo>)</mo></mrow><annotation encoding='application/x-tex'>"
    "{\\displaystyle x^2}</annotation></semantics></math><script type='math/tex; mode=display'>\\alpha</script>"
    "<span class='math inline'>\\beta_1</span><img class=tex alt='$\\gamma$' src='/latex.php?latex=%5Cx+y'> 10<sup>6</sup>/<sub>2</sub>"
    "<mjx-container display=true><mjx-math data-latex='y'>r</mjx-math><svg><g data-latex=z></svg></mjx-container>".encode(),
    b"<ol start=3 reversed><li value=7>a<ul><li>b</ol><dl><dt>c<dd>d</dl><blockquote>q</blockquote><table><tr><th colspan=2>A|B<th>C<tr>"
    b"<td rowspan=3>1<td>2<td><pre>3</pre><tr><td><code>4</code><td></table><table class=highlighttable><tr><td class=linenos><pre>1\n2\n3"
    b"<td class=code><div class=highlight-python><pre>x\n y\n z</pre></div></table><div class='language-c fragment'><div class=line><span "
    b"class=lineno>1</span>&#160;i</div>\n<div class=line></div></div><pre>1 a\n2 b\n3 c ```</pre><ruby>a<rt>b</ruby>"
    b"<h2>T<a class=headerlink>\xc2\xb6</a></h2><span class=sr-only>s</span><div hidden>n<p>m</div><span style='display:none'>k</span>",
    b"<style media=screen>/* c */ @import url(x;y); .a, #b{display:none!important} p.c{visibility:hidden;opacity:0} @media print{.d{display:none}}"
    b"@media screen{.e{color:red;&:hover{display:block} display : none}} .f::before{content:'}';display:block} .g\\:h{background:url(data:{);"
    b"display:none} .i .a{display:flex}</style><noscript><style>.z{display:none}</style></noscript><p class='a x'>one<div id=b>two</div><p class=c>"
    b"three<p class=e>four<p class='g:h' style='display:block'>five<span class=f>six</span><ol reversed type=i class=lowerroman><li>a<li value=9>b"
    b"<ol type=A start=27><li>c</ol></ol><ul><li><span>\xe2\x80\xa2</span><p>d<li>(a)<p>e<li><dl><dt>f<dd>g</dl></ul>",
    "<p>a <mjx-container jax=CHTML display=true><mjx-math><mjx-mi class=mjx-n><mjx-c class='mjx-c1D465 TEX-I'></mjx-c></mjx-mi><mjx-munderover><mjx-over><mjx-mn>"
    "<mjx-c class=mjx-c32></mjx-c></mjx-mn></mjx-over><mjx-box><mjx-munder><mjx-row><mjx-base><mjx-mo><mjx-c class=mjx-c2211></mjx-c></mjx-mo></mjx-base></mjx-row>"
    "<mjx-row><mjx-under><mjx-texatom><mjx-mtext><mjx-utext>若</mjx-utext></mjx-mtext></mjx-texatom></mjx-under></mjx-row></mjx-munder></mjx-box></mjx-munderover>"
    "<mjx-msubsup><mjx-mi><mjx-c class='mjx-c4C TEX-C'></mjx-c></mjx-mi><mjx-script><mjx-mn>1</mjx-mn><mjx-mi>i</mjx-mi></mjx-script></mjx-msubsup><mjx-mroot><mjx-sqrt>"
    "<mjx-root><mjx-mn>3</mjx-mn></mjx-root><mjx-surd><mjx-mo>s</mjx-mo></mjx-surd><mjx-box><mjx-mi>y</mjx-mi></mjx-box></mjx-sqrt></mjx-mroot></mjx-math></mjx-container>"
    "<span class=math><mjx-container jax=SVG><svg><g><g data-mml-node=math><g data-mml-node=mfrac><g data-mml-node=mi><use data-c=78 xlink:href='#MJX-1-TEX-C-78'></use>"
    "</g><g data-mml-node=mo><path data-c='239B' d='M1'/></g><rect></rect></g><g data-mml-node=munderover><g data-mml-node=mo><use data-c=2211></use></g><g "
    "data-mml-node=mi transform='translate(1,-2)'><use data-c=69></use></g><g data-mml-node=mi><text>n</text></g></g></g></g></svg></mjx-container></span>".encode(),
    "<img data-mathml='«math xmlns=¨x¨»«mfenced open=¨[¨ close=¨¨»«mi mathvariant=¨bold¨»§#945;«/mi»«mfrac linethickness=¨0¨»«mn»1«/mn»«mo»§lt;«/mo»«/mfrac»«/mfenced»«/math»'>"
    "<span class=MathJax data-mathml='&lt;math&gt;&lt;mi&gt;&amp;#x3B1;&lt;/mi&gt;&lt;/math&gt;'>x</span><span class=ql-formula data-value='x^2'>y</span><div class=latex-rendered "
    "data-attrs='{&quot;persistentExpression&quot;:&quot;\\\\alpha\\n&quot;,&quot;id&quot;:1}'></div><img src='//latex.codecogs.com/svg.image?\\inline&space;\\dpi{9}x&amp;plus;y'>"
    "<img src='//i.upmath.me/svg/x%5E2'><var>a \\leq b</var><tex>x</tex><script type='math/tex'>% <![CDATA[\nx %]]></script><p class=MsoListParagraph style='mso-list:l0 level2'>"
    "<![if !supportLists]><span>1.<span style='font:7.0pt \"T\"'>&nbsp; </span></span><![endif]>©x<o:p></o:p></p><ul class='lst-kix_a-2'><li>a</ul><ul><li><input type=checkbox "
    "disabled checked> b</ul><div role=table><div role=row><div role=columnheader>a</div><div role=cell>b</div></div><div role=row><div role=cell>1</div><div role=cell>2</div></div></div>"
    "<div class='source python'><ol class=python><li class=li1><div class=de1>a</div></li><li class=li2><div class=de1>&nbsp;</div></li></ol></div><div class=verbatim>a<br>&nbsp;b</div>"
    "<table class=code><thead><tr><th class=lineno>L</th><tbody><tr><th>1</th><td>a</td></tr></table><table><tr><td class=lineno>1</td><td>b</td></table><div class=prompt>[1]:</div>"
    "<pre><span class=line></span><span class=line>a</span><span id=a>b</span><span id=c>d</span><code>e</code><code>f</code></pre><div style='white-space:pre;font:9px mono'><div>a</div>"
    "<br></div><textarea name=code class=python>a &lt; b\n c</textarea><script type=syntaxhighlighter class='brush: js'><![CDATA[\nx]]></script><d-code block>a\nb</d-code>".encode(),
    "<p>a <span class=katex-display><span class=katex><span class=katex-html><span class=base><span class=strut style='height:1em'></span><span class='mord'><span class='mord mathnormal'>xé</span><span class=msupsub>"
    "<span class='vlist-t vlist-t2'><span class=vlist-r><span class=vlist style='height:1em'><span style='top:-2.44em;margin-left:0em;'><span class=pstrut style='height:2.7em'></span><span class='mord mtight'>i</span></span>"
    "<span style='top:-3.06em'><span class=pstrut style='height:2.7em'></span><span class='mord mtight'>2</span></span></span><span class=vlist-s>​</span></span></span></span></span><span class=mfrac><span class=vlist>"
    "<span style='top:-2em'><span class=pstrut style='height:3em'></span><span class=mord>b</span></span><span style='top:-3em'><span class=pstrut style='height:3em'></span><span class=frac-line></span></span><span style='top:-4em'>"
    "<span class=pstrut style='height:3em'></span><span class='mop op-limits'><span class=vlist><span style='top:-1em;margin-left:0em'><span class=pstrut style='height:3em'></span>n</span><span style='top:-3em'><span class=pstrut "
    "style='height:3em'></span><span><span class=mop>∑</span></span></span></span></span></span></span></span><span class=minner><span class='mopen'><span class='delimsizing mult'><span class=vlist><span style='top:-3em'><span "
    "class=pstrut style='height:3em'></span><span><svg width='1em' viewBox='0 0 875 6000'><path d='M863,9c0'/></svg></span></span></span></span></span><span class=mtable><span class=col-align-r><span class=vlist><span style='top:-3.6em'>"
    "<span class=pstrut style='height:3em'></span><span class=mord>p</span></span><span style='top:-2.4em'><span class=pstrut style='height:3em'></span><span class=mord>q</span></span></span></span><span class=col-align-l><span class=vlist>"
    "<span style='top:-2.4em'><span class=pstrut style='height:3em'></span><span class='mord text'><span class=mord>日 r</span></span></span></span></span></span><span class=mclose>)</span></span><span class='mord sqrt'><span class=root>"
    "<span class=vlist><span style='top:-2em'><span class=pstrut style='height:2em'></span>3</span></span></span><span class=vlist><span class=svg-align style='top:-3em'><span class=pstrut style='height:3em'></span><span class=mord>y</span></span></span>"
    "</span><span class=mrel><span class=mrel>∈</span><span class=mord><span class=llap><span class=inner><span class=mord>/</span></span></span></span></span><span class='mord accent'><span class=vlist><span style='top:-3em'><span class=pstrut "
    "style='height:3em'></span>z</span><span style='top:-3em'><span class=pstrut style='height:3em'></span><span class=accent-body>^</span></span></span></span></span></span></span></span><span class=katex-mathml>\n\n x\n\n x^2\n</span>"
    "<span class=katex-mathml>xx</span><span class='katex-html'><span class=mord>x</span></span><table><tfoot><tr><td>a<td>b<tbody><tr><td rowspan=2>c<td>d<tr><td>e</table><div class='summary-table two-column-summary'><div class='table-header col-first'>a</div>"
    "<div class='table-header col-last'>b</div><div class=col-first>c</div><div class='col-last'>d</div></div><pre><code><span data-line>a</span><span data-line=''>b</span><span style='user-select:none'>1</span></code></pre>"
    "<span class=ltx_tabular><span class=ltx_tr><span class=ltx_td>a<span>é</span></span><span class=ltx_td>b</span></span><span role=row><span role=cell>c</span></span></span>"
    "<textarea class='Documentation-exampleCode'>a &lt; b</textarea><div class='syntaxhighlighter js'><div class=line><code class=spaces>&nbsp;</code><code>x</code></div></div>".encode(),
)
PIECES = (
    b"<", b">", b"</", b"<!--", b"-->", b"&", b"&#", b";", b'"', b"'", b"=", b"<script>", b"</script>", b"<pre>", b"<table>",
    b"<td>", b"<tr>", b"</table>", b"<svg>", b"<select>", b"<template>", b"<textarea>", b"<title>", b"<plaintext>", b"<a href=",
    b"<q>", b"</q>", b"<img class=smilie alt=", b"</a><a href=x>", b"\xe2\x80\x8b", b"&#8203;", b"<![CDATA[", b"]]>", b"\x00", b"\xff", b"\xc2", b"\xc2\xa0", b"\xe3\x80", b"\xef\xbb\xbf", b"&nGt;", b"&#x10FFFF;",
    b"<math>", b"</math>", b"<mrow>", b"<mover>", b"</mover>", b"<mtable>", b"<mi>", b"<annotation encoding=tex>", b"<sup>", b"</sup>", b"<sub>",
    b"<rt>", b"<code>", b"</code>", b"<ol>", b"<td colspan=9 rowspan=9>", b" class=math", b" class=gutter", b" class='line code'", b" hidden",
    b"</div>", b"</span>", b"<span class=katex-html>", b" class='highlighttable lang-x'", b"$", b"\\", b"`", b"|", b"<mjx-container>", b" data-tex='a'",
    b"<style>", b"</style>", b".a{", b"}", b"{", b"display:none", b"@media ", b"/*", b"*/", b"url(", b" class=a", b"<ol reversed>", b"<dt>",
    b"<p class=", b" style='display:none'", b"<br>", b"<li>", b"<h1>", b"</p>", b"\r\n", b'<script type="application/ld+json">"@type":"',
    b"<mjx-mi>", b"</mjx-mi>", b"<mjx-mover>", b"<mjx-over>", b"<mjx-script>", b"</mjx-container>", b"<mjx-c class=mjx-c78>", b" data-mml-node=mroot", b" data-c=41",
    "«".encode(), "»".encode(), "¨".encode(), "§lt;".encode(), b"&quot;", b" role=row", b" role=table", b"<textarea name=code>", b" class='li1 python'", b" class=verbatim",
    "<mjx-container>éé".encode(), b" alttext='$ $'", b"<math alttext='$ $'></math>", b"<script type='math/tex'>$ $</script>", b"<mjx-mroot>", b"<mjx-mtable>",
    b" style='mso-list:l0;font:7.0pt'", b"<input type=checkbox disabled>", b"<img src='/latex.php?a=b&", b"<span class=line>", b"<tex>", b"<var>\\a", b"<thead>",
    b"<span class=katex-html>", b"<span class=mfrac>", b"<span class=vlist>", b"<span style='top:-3em'>", b"<span class=pstrut style='height:3em'>", b"<span class=msupsub>", b"<span class=mtable>",
    b"<span class=col-align-c>", b"<svg viewBox='0 0 333 9'><path d='M1'/></svg>", b"<span class=mord>", b"<tfoot>", b"<div class='summary-table two-column-summary'>", b"<div class='s col-last'>", b"<span/>", b"<?xml version='1.0'?>", b"<span class=mw-editsection>", b"<span style='width:1em;top:-3em'>", b"<div class=col-last>", b"<span class=ltx_tabular>", b"$$$", b"$$$x$$$", b"<table class=colorscripter-code-table><tr><td>1</td><td>x</td>", b"<span class=ltx_tr>", b"<span class=ltx_td>", b"<span role=table>", b"<span>", b"\n\n", "∣∥".encode(),
)  # fmt: skip


def mutate(page: bytes, rng: random.Random) -> bytes:
    """A few cuts, copies, pieces and changed bytes."""
    page_bytes = bytearray(page)
    for _ in range(rng.randint(1, 12)):
        at = rng.randint(0, len(page_bytes))
        kind = rng.randrange(5)
        if kind == 0:
            page_bytes[at:at] = rng.choice(PIECES) * rng.choice((1, 1, 1, 5))
        elif kind == 1:
            del page_bytes[at : at + rng.randint(1, 40)]
        elif kind == 2 and at < len(page_bytes):
            page_bytes[at] = rng.randrange(256)
        elif kind == 3:
            page_bytes[at:at] = page_bytes[at : at + rng.randint(1, 200)]
        else:
            del page_bytes[at:]
    return bytes(page_bytes)


MARKDOWN = ExtractionParams(markdown=True)


def batches(seeds: list[bytes], num_pages: int, seed: int) -> Iterator[list[bytes]]:
    """Mutated pages, 500 at a time."""
    rng = random.Random(seed)
    for first in range(0, num_pages, 500):
        yield [mutate(rng.choice(seeds), rng) for _ in range(min(500, num_pages - first))]


def run(seeds: list[bytes], num_pages: int, seed: int = 1) -> int:
    """Extract every mutated page in all ways; number of bytes of text. Raises on the first thing wrong."""
    written = 0
    for pages in batches(seeds, num_pages, seed):
        column = pa.array(pages, pa.large_binary())
        for result in (main_text(column), main_text(column, MARKDOWN), all_text(column, ExtractionParams())):
            result.validate(full=True)  # UTF-8 and offsets
            if len(result) != len(pages):
                raise AssertionError(f"expected {len(pages)} texts, found {len(result)}")
            written += result.nbytes
        backwards = main_text(pa.array(pages[::-1], pa.large_binary()), MARKDOWN)
        if backwards.to_pylist()[::-1] != main_text(column, MARKDOWN).to_pylist():
            raise AssertionError("expected each page's text to be the same whatever stands beside it")
    return written


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    seeds = list(SEEDS)
    if args.folder:
        seeds += [path.read_bytes() for path in sorted(args.folder.glob("*.html"))]
    print(f"{args.pages} pages, {run(seeds, args.pages, args.seed)} bytes of text")


if __name__ == "__main__":
    main()
