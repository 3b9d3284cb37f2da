"""Elements whose content is no markup: scripts, titles, `xmp`, and the scripts and text fields that are code or formulas. For `blocks`.

Code stands in text fields of a class for it (pkg.go.dev); SyntaxHighlighter takes it from ``<textarea name="code" class="python">`` and ``<script type="syntaxhighlighter" class="brush: python">``; MathJax 2
formulas from ``<script type="math/tex">``. Price: linear in the content.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.copying import copy_text
from stages.kernels.html.elements import close_element, open_element
from stages.kernels.html.ends import end_block, in_code
from stages.kernels.html.entities import read_reference
from stages.kernels.html.kinds import CODE
from stages.kernels.html.layout import NUM_SCRIPTS, PARTS, TITLE_FROM
from stages.kernels.html.notes import hash_value, is_linked_data, note_linked_data, note_span
from stages.kernels.html.regions import is_math_script, note_language
from stages.kernels.html.tables import fnv
from stages.kernels.html.tokens import find_raw_end, is_space
from stages.kernels.html.written_formulas import FROM_SCRIPT, formula_span
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_CODE, _HIGHLIGHTER = fnv(b"code"), fnv(b"syntaxhighlighter")


@inline_kernel
def copy_raw(data, pos, stop, found, kinds, references, W, nodes, blocks, T, out, o):  # type: ignore[no-untyped-def]
    """Text that stands for itself as a preformatted block, its references decoded if ``references``. Next o."""
    o = end_block(data, W, blocks, out, o, PARTS)
    open_element(W, nodes, t.PRE, 0, 0, kinds)
    if kinds:
        note_language(data, t.PRE, found, kinds, W, T)
    start = W[s.TEXT]
    while pos < stop:
        pos, o = copy_text(data, pos, stop, T, out, o, start, True, True)
        if pos < stop and references and data[pos] == 38:
            pos, o = read_reference(data, pos, stop, T, out, o)
        elif pos < stop:
            out[o] = data[pos]
            o += 1
            pos += 1
    o = end_block(data, W, blocks, out, o, PARTS)
    close_element(W, nodes, T, t.PRE)
    return o


@inline_kernel
def skip_cdata(data, pos, stop):  # type: ignore[no-untyped-def]
    """(start, stop) of what stands in ``<![CDATA[``, which kramdown writes into a comment of TeX (``% <![CDATA[``), or all."""
    first, last = pos, stop
    while first < stop and (is_space(data[first]) or data[first] == 37):
        first += 1
    if first + 9 > stop or data[first] != 60 or data[first + 1] != 33 or data[first + 2] != 91 or data[first + 8] != 91:
        return pos, stop
    while last > first and is_space(data[last - 1]):
        last -= 1
    if last - first >= 12 and data[last - 1] == 62 and data[last - 2] == 93 and data[last - 3] == 93:
        last -= 3
    while last > first + 9 and (is_space(data[last - 1]) or (data[last - 1] == 37 and data[last - 2] != 92)):
        last -= 1
    return first + 9, last


@inline_kernel
def start_raw(data, tag, found, kinds, empty, after, end, W, T, blocks, nodes, pages, d, out, o):  # type: ignore[no-untyped-def]
    """Script, style, title and the like, whose start tag ends at ``after``: (position of the end tag, next o)."""
    if tag == t.SCRIPT and empty and W[s.XML]:
        return after, o
    stop = find_raw_end(data, after, end, T, tag)
    if tag == t.TITLE:
        note_span(pages, d, TITLE_FROM, after, stop)
    elif tag == t.TEXTAREA and ((found >> t.NAME) & 1 or kinds & CODE) and W[s.REGION] == 0 and not in_code(W):
        a, b = W[s.SPANS + 2 * t.NAME], W[s.SPANS + 2 * t.NAME + 1]
        if kinds & CODE or hash_value(data, a, b) == _CODE:
            o = copy_raw(data, after, stop, found, kinds, True, W, nodes, blocks, T, out, o)
    elif tag == t.SCRIPT:
        pages[NUM_SCRIPTS, d] += 1
        if (found >> t.TYPE) & 1:
            if is_linked_data(data, W):
                note_linked_data(data, after, stop, T, pages, d)
            is_math = is_math_script(data, W, found)
            first, last = skip_cdata(data, after, stop)
            if is_math:
                o = formula_span(data, first, last, False, is_math == 2, FROM_SCRIPT, T, W, out, o)
            elif W[s.REGION] == 0 and not in_code(W):
                a, b = W[s.SPANS + 2 * t.TYPE], W[s.SPANS + 2 * t.TYPE + 1]
                if hash_value(data, a, b) == _HIGHLIGHTER:
                    o = copy_raw(data, first, last, found, kinds, False, W, nodes, blocks, T, out, o)
    return stop, o
