"""Formulas written into the text: where their source stands, and each of them once.

For `blocks`. Everything here works on the text written so far, ``out[:o]``, and gives the next ``o``. A formula is written between
dollars, on a line of its own if it is displayed. The same formula often stands in a page two to four times (MathML, glyphs, image,
script): the place and source of the last one are kept in the state, and another source of it right behind replaces it or is dropped.

Legend: T tables, W state (`state`).
"""

from __future__ import annotations

from stages.kernels.html import formulas, katex, mathml, quoted, rendered, tex
from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.formula_sources import query_of_formula, skip_settings
from stages.kernels.html.formula_texts import (
    attribute_with_tex,
    begins_with_delimiter,
    holds_command,
    inside_dollars,
    is_delimited,
    is_pictured,
    is_tex,
    is_word,
    opens_formula,
)
from stages.kernels.html.kinds import DISPLAY, FORMULA, MATH, PICTURE
from stages.kernels.html.layout import KINDS, PARENT
from stages.kernels.html.tokens import find_byte, is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

FROM_MATHML, FROM_IMAGE, FROM_SCRIPT, FROM_ATTRIBUTE, FROM_DRAWING, FROM_GLYPHS, FROM_BOXES = 1, 2, 3, 4, 5, 6, 7


@inline_kernel
def put_dollars(W, out, place, start, stop, display, source):  # type: ignore[no-untyped-def]
    """Make TeX at ``out[start:stop]`` a formula at ``place``, at least three bytes before it: next o.

    TeX is written behind the text first, three bytes beyond its end, even where it takes the place of what stands there: if nothing
    of it is left, that stays as it was.
    """
    start, stop = tex.skip_wrapper(out, start, stop)
    o = place
    displayed = display != 0
    if stop - start > 2 and out[stop - 1] == 92 and out[stop - 2] == 92 and out[stop - 3] != 92:
        stop -= 2  # a line that ends: Zhihu's sign of a displayed formula
        while stop > start and out[stop - 1] == 32:
            stop -= 1
        displayed |= source in (FROM_ATTRIBUTE, FROM_IMAGE)
    if start >= stop:
        return place
    if displayed:
        while o > W[s.TEXT] and out[o - 1] == 32:
            o -= 1
        if o > W[s.TEXT] and out[o - 1] != 10:
            out[o] = 10
            o += 1
        out[o] = 36
        o += 1
    W[s.MATH_FROM] = o
    out[o] = 36
    o += 1
    for i in range(start, stop):
        out[o] = out[i]
        o += 1
    out[o] = 36
    o += 1
    if displayed:
        out[o] = 36
        out[o + 1] = 10
        o += 2
    W[s.MATH_FROM] = place
    W[s.MATH_TO] = o
    W[s.MATH_SOURCE] = source
    return o


@inline_kernel
def place_of_formula(W, out, o, source):  # type: ignore[no-untyped-def]
    """Where a formula from ``source`` is written; -1 if it stands there already."""
    place = W[s.REGION_FROM] if W[s.REGION] == s.RENDERED_REGION else o
    last = W[s.MATH_TO]
    is_here = last > W[s.TEXT] and W[s.MATH_FROM] >= W[s.TEXT]  # a displayed one ends one byte behind its block
    if is_here and (last == place or (last + 1 == place and out[last] == 32)) and W[s.MATH_SOURCE] != source:
        if W[s.MATH_SOURCE] == FROM_GLYPHS or (source == FROM_SCRIPT and W[s.MATH_SOURCE] != FROM_ATTRIBUTE):
            return W[s.MATH_FROM]
        return -1
    return place


@inline_kernel
def written(W, now):  # type: ignore[no-untyped-def]
    """A formula was written up to ``now``: what a renderer adds to it is dropped from there on."""
    if W[s.REGION] == s.RENDERED_REGION:
        W[s.REGION_FROM] = now
    return now


@inline_kernel
def formula_element(data, tag_at, pos, end, found, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """A `math` element whose start tag, its attributes in ``W``, ends at ``pos``: (position after it, next o)."""
    alt_from, alt_to = -1, -1
    if (found >> t.ALTTEXT) & 1:
        alt_from, alt_to = W[s.SPANS + 2 * t.ALTTEXT], W[s.SPANS + 2 * t.ALTTEXT + 1]
    W[s.TEX_FROM] = -1
    if (found >> t.DATA_LATEX) & 1:
        W[s.TEX_FROM], W[s.TEX_TO] = W[s.SPANS + 2 * t.DATA_LATEX], W[s.SPANS + 2 * t.DATA_LATEX + 1]
    display = False
    if (found >> t.DISPLAY) & 1:
        a = W[s.SPANS + 2 * t.DISPLAY]
        display = a < W[s.SPANS + 2 * t.DISPLAY + 1] and data[a] | 0x20 == 98
    after, K = mathml.read_math(data, pos, end, T, W, nodes)
    if W[s.REGION] == s.HIDDEN_REGION:
        return after, o
    place = place_of_formula(W, out, o, FROM_MATHML)
    if place < 0:
        return after, o
    start = o + 3
    stop = start
    if W[s.TEX_FROM] >= 0:
        stop = tex.copy_tex(data, W[s.TEX_FROM], W[s.TEX_TO], False, T, out, start)
    if stop == start and alt_from >= 0:
        stop = tex.copy_tex(data, alt_from, alt_to, False, T, out, start)
        if not tex.looks_like_tex(out, start, stop):
            stop = start
    if stop == start:
        limit = start + after - tag_at - (8 if display else 2)  # room for what stands around it
        c = formulas.simple_fraction(K, nodes, W)
        if c >= 0:
            stop = formulas.write_fraction(data, c, T, W, nodes, out, start, limit)
        else:
            stop = formulas.write_math(data, K, T, W, nodes, out, start, limit)
        if W[s.FULL]:
            return after, written(W, formulas.write_characters(data, K, T, W, nodes, out, place))
    now = put_dollars(W, out, place, start, stop, display, FROM_MATHML)
    return after, written(W, now) if now > place else o


@inline_kernel
def formula_tree(data, K, size, display, source, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """A formula of ``K`` nodes that was read from ``size`` bytes of the page: next o."""
    place = place_of_formula(W, out, o, source)
    if K == 0 or place < 0 or W[s.REGION] == s.HIDDEN_REGION:
        return o
    start = o + 3
    stop = formulas.write_math(data, K, T, W, nodes, out, start, start + size - 8)
    if W[s.FULL]:
        return o
    now = put_dollars(W, out, place, start, stop, display, source)
    return written(W, now) if now > place else o


@inline_kernel
def drawn_formula(data, pos, end, found, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """The formula that MathJax drew in the `mjx-container` whose start tag, its attributes in ``W``, ends at ``pos``, if its source is not there too:
    (position behind what was read, next o)."""
    display = (found >> t.DISPLAY) & 1 != 0 and data[W[s.SPANS + 2 * t.DISPLAY]] | 0x20 == 116
    stop, K = rendered.read_drawn(data, pos, end, T, W, nodes)
    now = formula_tree(data, K, stop - pos, display, FROM_DRAWING, T, W, nodes, out, o)
    return (stop if now > o else pos), now


@inline_kernel
def is_displayed(data, tag_at, first):  # type: ignore[no-untyped-def]
    """Whether ``katex-display`` stands in the 80 bytes before the tag at ``tag_at``, not before ``first`` or the end of another element."""
    i = tag_at - 1
    while i >= max(first + 7, tag_at - 80) and not (data[i] == 47 and data[i - 1] == 60):
        if data[i] == 121 and data[i - 7] == 45 and data[i - 6] == 100 and data[i - 5] == 105 and data[i - 4] == 115:
            return True
        i -= 1
    return False


@inline_kernel
def boxed_formula(data, tag_at, pos, end, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """The formula that KaTeX drew in the `span` of class ``katex-html`` at ``tag_at``, whose start tag ends at ``pos``: (position behind what was read, next o)."""
    display = W[s.DISPLAY] == 1 or is_displayed(data, tag_at, W[s.PAGE_FROM])
    W[s.DISPLAY] = 0
    stop, K = katex.read_boxes(data, pos, end, T, W, nodes)
    now = formula_tree(data, K, stop - pos, display, FROM_BOXES, T, W, nodes, out, o)
    return (stop if now > o else pos), now


@inline_kernel
def is_blank(data, pos, stop):  # type: ignore[no-untyped-def]
    """Whether ``data[pos:stop]`` is white space alone."""
    while pos < stop and is_space(data[pos]):
        pos += 1
    return pos >= stop


@inline_kernel
def boxes_ahead(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether a `span` of class ``katex-html`` follows the end tag at ``pos`` at once."""
    i = find_byte(data, pos, end, 62) + 1
    if i + 24 >= end or data[i] != 60 or data[i + 1] | 0x20 != 115 or data[i + 2] | 0x20 != 112:
        return False
    i += 12  # <span class=
    i += data[i] == 34 or data[i] == 39
    return data[i] == 107 and data[i + 1] == 97 and data[i + 5] == 45 and data[i + 6] == 104 and data[i + 7] == 116


@inline_kernel
def annotated_text(data, tag_at, pos, end, T, W, out, o):  # type: ignore[no-untyped-def]
    """The text of the `span` of class ``katex-mathml`` at ``tag_at``, whose start tag ends at ``pos``, if its elements are lost (CSDN): lines with the characters of
    the formula, each apart, and then its TeX. Where both run together and `katex.read_boxes` can read the formula behind it, it is passed over. (position behind what was read, next o)."""
    lt = find_byte(data, pos, end, 60)
    if lt + 2 >= end or data[lt + 1] != 47 or data[lt + 2] | 0x20 != 115:
        return pos, o
    stop = lt
    while stop > pos and is_space(data[stop - 1]):
        stop -= 1
    start, line, is_apart = stop, stop, False
    while start > pos and not is_apart:
        line = start - 1
        while line > pos and data[line - 1] != 10:
            line -= 1
        if is_blank(data, line, start):
            is_apart = start < stop
            break
        start = line
    display = is_displayed(data, tag_at, W[s.PAGE_FROM])
    if not is_apart:
        W[s.DISPLAY] = display
        return (lt if boxes_ahead(data, lt, end) else pos), o
    now = formula_span(data, start, stop, False, display, FROM_MATHML, T, W, out, o)
    return (lt if now > o else pos), now


@inline_kernel
def quoted_formula(data, start, stop, display, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """MathML in an attribute: next o."""
    K = quoted.read_quoted(data, start, stop, T, W, nodes)
    return formula_tree(data, K, stop - start, display, FROM_DRAWING, T, W, nodes, out, o)


@inline_kernel
def json_formula(data, start, stop, T, W, out, o):  # type: ignore[no-untyped-def]
    """TeX under the first name that ends with ``xpression`` of a JSON object in an attribute (Substack): next o."""
    i = start
    while i + 22 < stop and not (
        data[i] == 120
        and data[i + 1] == 112
        and data[i + 8] == 110
        and data[i + 9] == 38
        and data[i + 15] == 58
        and data[i + 21] == 59
    ):
        i += 1
    if i + 22 >= stop:
        return o
    i += 22  # xpression&quot;:&quot;
    last = i
    while last < stop and not (data[last] == 38 and data[last + 1] == 113):
        last += 1 + (data[last] == 92 and last + 1 < stop)
    place = place_of_formula(W, out, o, FROM_ATTRIBUTE)
    if last >= stop or place < 0:
        return o
    first = o + 3
    end = tex.copy_tex(data, i, last, False, T, out, first)
    to, k = first, first
    while k < end:
        if out[k] == 92 and k + 1 < end:
            k += 1
            out[to] = 32 if out[k] == 110 else out[k]
        else:
            out[to] = out[k]
        to += 1
        k += 1
    now = put_dollars(W, out, place, first, to, True, FROM_ATTRIBUTE)
    return written(W, now) if now > place else o


@inline_kernel
def formula_span(data, start, stop, is_url, display, source, T, W, out, o):  # type: ignore[no-untyped-def]
    """TeX in an attribute, an address or a script: next o."""
    if W[s.REGION] == s.HIDDEN_REGION:
        return o
    place = place_of_formula(W, out, o, source)
    if place < 0:
        return o
    stop = tex.copy_tex(data, start, stop, is_url, T, out, o + 3)
    start = skip_settings(out, o + 3, stop) if is_url else o + 3
    now = put_dollars(W, out, place, start, stop, display, source)
    return written(W, now) if now > place else o


@inline_kernel
def formula_image(data, found, kinds, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """An image of a formula: next o."""
    if (found >> t.DATA_MATHML) & 1:
        before, which = o, t.DATA_MATHML
        o = quoted_formula(data, W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1], False, T, W, nodes, out, o)
        if o > before:
            return o
    start, stop, is_url = 0, 0, False
    which = attribute_with_tex(found)
    if which >= 0:
        start, stop = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
    has_alt = (found >> t.ALT) & 1 and W[s.SPANS + 2 * t.ALT] < W[s.SPANS + 2 * t.ALT + 1]
    alt, alt_stop = W[s.SPANS + 2 * t.ALT], W[s.SPANS + 2 * t.ALT + 1]
    if stop == 0 and has_alt and alt + 6 < alt_stop and data[alt] == 0xC2 and data[alt + 1] == 0xAB:
        return quoted_formula(data, alt, alt_stop, False, T, W, nodes, out, o)
    top = W[s.STACK_NODES + W[s.DEPTH] - 1]
    around = nodes[KINDS, top] | nodes[KINDS, nodes[PARENT, top]]
    if not (has_alt and is_word(data, alt, alt_stop)):
        if W[s.REGION] == s.TEX_REGION:
            kinds |= PICTURE | (DISPLAY if W[s.TEX_DISPLAY] else 0)
        elif around & (MATH | FORMULA):
            kinds |= PICTURE | DISPLAY
    if (
        stop == 0
        and has_alt
        and (
            (kinds & PICTURE and is_pictured(data, alt, alt_stop, T, out, o))
            or is_delimited(data, alt, alt_stop)
            or holds_command(data, alt, alt_stop)
        )
    ):
        start, stop = alt, alt_stop
    if stop == 0 and (found >> t.SRC) & 1:
        start, stop = query_of_formula(data, W[s.SPANS + 2 * t.SRC], W[s.SPANS + 2 * t.SRC + 1])
        is_url = stop > 0
        if is_url and has_alt and is_tex(data, alt, alt_stop, T, out, o):
            start, stop, is_url = alt, alt_stop, False
    if stop == 0:
        return o
    display = kinds & DISPLAY != 0 or (data[start] == 36 and start + 1 < stop and data[start + 1] == 36)
    is_environment = start + 3 < stop and data[start + 1] == 98 and data[start + 2] == 101 and data[start + 3] == 103
    display |= data[start] == 92 and start + 1 < stop and (data[start + 1] == 91 or is_environment)
    return formula_span(data, start, stop, is_url, display, FROM_IMAGE, T, W, out, o)


@inline_kernel
def end_tex(W, out, o, sure, display):  # type: ignore[no-untyped-def]
    """The end of an element whose text may be bare TeX: next o."""
    start = W[s.REGION_FROM]
    if start < W[s.TEXT]:  # a line of it ended
        return o
    while start < o and is_space(out[start]):
        start += 1
    stop = o
    while stop > start and is_space(out[stop - 1]):
        stop -= 1
    if start >= stop or W[s.MATH_TO] > start:
        return o
    first, last = inside_dollars(out, start, stop) if stop - start > 4 else (0, 0)
    if first < last and (sure or tex.looks_like_tex(out, first, last) or tex.has_no_word(out, first, last)):
        shift = max(0, start + 3 - first)
        for i in range(last - 1, first - 1, -1):
            out[i + shift] = out[i]
        return put_dollars(W, out, start, first + shift, last + shift, display, FROM_ATTRIBUTE)
    is_bare = sure and out[start] == 92 and out[start + 1] == 98  # an environment: no delimiter where all is TeX
    if begins_with_delimiter(out, start, stop) and not is_bare:
        return o
    for i in range(start, stop):
        if out[i] == 36 or (i + 1 < stop and out[i] == 92 and opens_formula(out, i, start)):
            return o
    if not sure and not tex.looks_like_tex(out, start, stop):
        return o
    for i in range(stop - 1, start - 1, -1):
        out[i + 3] = out[i]
    return put_dollars(W, out, start, start + 3, stop + 3, display, FROM_ATTRIBUTE)
