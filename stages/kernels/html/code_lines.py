"""Code of several lines in an element that is no `pre`: `code` or `tt` alone in its block. For `blocks`.

Forums write it with `br`, pages whose style sheet keeps white space with line feeds. It becomes a `pre` of its own; where `br` parts the lines,
white space is the page's and only no-break spaces are the code's. Price: such an element is read twice, up to `MAX_LINES`.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.elements import open_element
from stages.kernels.html.ends import end_block, in_code
from stages.kernels.html.kinds import FORMULA, LANGUAGE, MATH, find_language
from stages.kernels.html.labels import names_language
from stages.kernels.html.layout import HINT_MASK, KIND_SHIFT, PARTS
from stages.kernels.html.tables import TAG_FLAGS
from stages.kernels.html.tokens import find_byte, is_space, read_tag_name
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_LINES = 1 << 16
"""Bytes of code that is no `pre` and is looked at for lines."""
BY_BREAKS, BY_FEEDS = 1, 2


@inline_kernel
def keeps_lines(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a style holds ``white-space: pre`` or the like."""
    for i in range(start + 5, stop - 4):
        if data[i] == 58 and data[i - 1] | 0x20 == 101 and data[i - 5] | 0x20 == 115 and data[i - 6] == 45:
            k = i + 1
            while k + 2 < stop and data[k] == 32:
                k += 1
            if data[k] | 0x20 == 112 and data[k + 1] | 0x20 == 114 and data[k + 2] | 0x20 == 101:
                return True
    return False


@inline_kernel
def stands_alone(data, pos, end, T):  # type: ignore[no-untyped-def]
    """Whether the end tag at ``pos`` is followed by further ones and white space alone until the block ends."""
    while pos < end:
        if data[pos] == 60:
            closing = pos + 1 < end and data[pos + 1] == 47
            after, other = read_tag_name(data, pos + 1 + closing, end, T)
            if T[TAG_FLAGS + other] & t.BLOCK:
                return True
            if not closing:
                return False
            pos = find_byte(data, after, end, 62)
        elif not is_space(data[pos]):
            return False
        pos += 1
    return True


@inline_kernel
def lines_ahead(data, pos, end, tag, is_sure, T):  # type: ignore[no-untyped-def]
    """Whether the `code` (or `tt`) whose text begins at ``pos`` is several lines that stand alone in their block: `BY_BREAKS`,
    `BY_FEEDS`, 0. Two line feeds in it tell so, or one if ``is_sure`` (its style or class says that it is code)."""
    end = min(end, pos + MAX_LINES)
    breaks, feeds, waiting, any_text = 0, 0, 0, False
    while pos < end:
        b = data[pos]
        if b == 60:
            closing = pos + 1 < end and data[pos + 1] == 47
            after, other = read_tag_name(data, pos + 1 + closing, end, T)
            if closing and other == tag:
                break
            if other == t.BR:
                breaks += any_text
            elif other == tag or T[TAG_FLAGS + other] & ~(t.VOID | t.BREAKOUT):
                return 0
            pos = find_byte(data, after, end, 62)
        elif b == 10:
            waiting += any_text
        elif not is_space(b):
            feeds += waiting
            waiting, any_text = 0, True
        pos += 1
    if pos >= end or (breaks == 0 and feeds < 2 - is_sure) or not stands_alone(data, pos, end, T):
        return 0
    return BY_BREAKS if breaks else BY_FEEDS


@inline_kernel
def begin_code(data, tag, after, end, found, hints, signature, T, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """At the start tag of `code`: in a `pre`, drop the name of its language before it; else, if it is alone in its block and of several
    lines, make it one. Next o."""
    kinds = hints >> KIND_SHIFT
    if in_code(W):
        if kinds & LANGUAGE and W[s.TEXT] < o:
            a, b = find_language(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1], T)
            if names_language(out, W[s.TEXT], o, data, a, b):
                return W[s.TEXT]
        return o
    top = W[s.STACK_TAGS + W[s.DEPTH] - 1]
    if o > W[s.TEXT] or W[s.REGION] != 0 or top == t.TD or top == t.TH or kinds & (MATH | FORMULA):
        return o
    is_sure = kinds & LANGUAGE != 0
    if (found >> t.STYLE_ATTR) & 1:
        is_sure |= keeps_lines(data, W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1])
    lines = lines_ahead(data, after, end, tag, is_sure, T)
    if lines:
        o = end_block(data, W, blocks, out, o, PARTS)
        if open_element(W, nodes, T, t.PRE, hints & HINT_MASK, signature, kinds):
            W[s.CODE_TAG], W[s.HAS_BREAKS] = tag, lines == BY_BREAKS
    return o
