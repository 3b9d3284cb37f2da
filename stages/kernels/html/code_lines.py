"""Code of several lines in an element that is no `pre`: by its class, its style, its numbered rows, or `code` or `tt` alone in its block. For `blocks`.

Forums write it with `br`, pages whose style sheet keeps white space with line feeds. It becomes a `pre` of its own; where `br` parts the lines,
white space is the page's and only no-break spaces are the code's. Price: such an element is read twice, up to `MAX_LINES`; of others at most
`MAX_AHEAD` bytes.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.elements import open_element
from stages.kernels.html.ends import end_block, in_code
from stages.kernels.html.kinds import (
    CODE,
    CODE_WORD,
    FORMULA,
    ITEM_LINES,
    LANGUAGE,
    LINES,
    MATH,
    NAMED,
    find_language,
)
from stages.kernels.html.labels import names_language, says_code
from stages.kernels.html.layout import (
    CLASS_AT,
    FIRST_BLOCK,
    HINT_MASK,
    KIND_SHIFT,
    KINDS,
    NAME_SHIFT,
    OFF,
    PARENT,
    PARTS,
    TAG,
    TEXT_START,
    TEXT_STOP,
)
from stages.kernels.html.signs import number_ahead
from stages.kernels.html.styled_code import MAX_LINES, end_of_lines, is_monospaced, may_hold_code, reads_as_code
from stages.kernels.html.tables import TAG_FLAGS
from stages.kernels.html.tokens import find_byte, is_space, read_tag_name
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_AHEAD = 2048
"""Bytes in which the first end of a line must stand, to say what parts the lines."""
GATSBY = len("gatsby-highlight-code-line")
BY_BREAKS, BY_FEEDS, BY_BREAKS_ALONE = 1, 2, 3


@inline_kernel
def keeps_lines(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a style holds ``white-space: pre`` or the like."""
    for i in range(start + 6, stop - 3):
        if data[i] == 58 and data[i - 1] | 0x20 == 101 and data[i - 5] | 0x20 == 115 and data[i - 6] == 45:
            k = i + 1
            while k + 2 < stop and data[k] == 32:
                k += 1
            if data[k] | 0x20 == 112 and data[k + 1] | 0x20 == 114 and data[k + 2] | 0x20 == 101:
                return True
    return False


@inline_kernel
def parted_by_breaks(data, pos, end, T):  # type: ignore[no-untyped-def]
    """Whether the first tag behind ``pos`` that ends a line is a `br`."""
    end = min(end, pos + MAX_AHEAD)
    while pos < end:
        pos = find_byte(data, pos, end, 60)
        closing = pos + 1 < end and data[pos + 1] == 47
        after, tag = read_tag_name(data, pos + 1 + closing, end, T)
        if tag == t.BR:
            return True
        if T[TAG_FLAGS + tag] & t.BLOCK:
            return False
        pos = max(after, pos + 1)
    return False


@inline_kernel
def is_code_of_forum(tag, kinds, W, blocks, out):  # type: ignore[no-untyped-def]
    """Whether a cell of class ``code`` stands under ``Code:`` (phpBB 2)."""
    if tag != t.TD or not kinds & CODE_WORD or W[s.BLOCKS] == 0:
        return False
    last = W[s.BLOCKS] - 1
    return says_code(out, blocks[TEXT_START, last], blocks[TEXT_STOP, last])


@inline_kernel
def is_code_by_style(data, tag, found, kinds, W):  # type: ignore[no-untyped-def]
    """Whether the style of the block just begun says that it shows code: it keeps white space, or its class names a language, and it is in a font for code."""
    if not (found >> t.STYLE_ATTR) & 1 or (tag != t.DIV and tag != t.P):
        return False
    start, stop = W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1]
    return (kinds & NAMED != 0 or keeps_lines(data, start, stop)) and is_monospaced(data, start, stop)


@inline_kernel
def open_code(data, W, nodes, depth, breaks, T):  # type: ignore[no-untyped-def]
    """The open element at place ``depth`` shows code, as `pre` does; ``breaks``: `br` parts its lines."""
    node = W[s.STACK_NODES + depth - 1]
    W[s.PRE_DEPTH], W[s.PRE_NODE], W[s.HAS_BREAKS] = depth, node, breaks
    W[s.LINE_OVER] = W[s.LINE_SPAN] = OFF
    nodes[KINDS, node] |= CODE
    for _ in range(3):
        if W[s.LANG_DEPTH] == 0 and nodes[KINDS, node] & NAMED:
            start = nodes[CLASS_AT, node] >> NAME_SHIFT
            start, stop = find_language(data, start, start + nodes[CLASS_AT, node] % (1 << NAME_SHIFT), T)
            if start < stop:
                W[s.LANG_FROM], W[s.LANG_TO], W[s.LANG_DEPTH] = start, stop, depth
        node = nodes[PARENT, node]


@inline_kernel
def begins_lines(data, tag, kinds, pos, after, end, W, nodes, o):  # type: ignore[no-untyped-def]
    """The place of the open element that shows code because the block at ``pos``, whose start tag ends at ``after``, is its first line; 0: none.

    That is a `div` of class ``line`` first in an element that says that it is code, an item of GeSHi's, or a table's first cell if it is the number of a line.
    """
    depth = W[s.DEPTH]
    if depth < 2 or o > W[s.TEXT]:
        return 0
    if tag == t.TD or tag == t.TH or tag == t.THEAD:
        while depth > 2 and t.TABLE < W[s.STACK_TAGS + depth - 1] <= t.TFOOT:
            depth -= 1
        table = W[s.STACK_NODES + depth - 1]
        if nodes[TAG, table] != t.TABLE or nodes[FIRST_BLOCK, table] != W[s.BLOCKS]:
            return 0
        if tag == t.THEAD:
            return depth if nodes[KINDS, table] & CODE_WORD and names_numbers(data, after, end) else 0
        shown = number_ahead(data, after, end)
        return depth if shown == 1 or (shown == 2 and names_numbers(data, pos, after)) else 0
    holder = W[s.STACK_NODES + depth - 1]
    if nodes[FIRST_BLOCK, holder] != W[s.BLOCKS]:
        return 0
    around = nodes[KINDS, holder] | nodes[KINDS, nodes[PARENT, holder]]
    if kinds & ITEM_LINES:
        if tag == t.LI and W[s.STACK_TAGS + depth - 1] == t.OL and around & (NAMED | CODE_WORD | CODE):
            return depth
        return depth if tag == t.DIV and around & (CODE_WORD | CODE) else 0
    is_empty = after + 1 < end and data[after] == 60 and data[after + 1] == 47  # a rule between parts of a page
    return depth if tag == t.DIV and not is_empty and (W[s.LANG_DEPTH] > 0 or around & (CODE_WORD | CODE)) else 0


@inline_kernel
def names_numbers(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether the 100 bytes at ``pos`` hold ``data-line`` or ``lineno``: an attribute or class of a number that is drawn, or of what stands above numbers."""
    for i in range(pos, min(end, pos + 100) - 8):
        if data[i] == 108 and data[i + 1] == 105 and data[i + 2] == 110 and data[i + 3] == 101:
            if (data[i + 4] == 110 and data[i + 5] == 111) or (i > pos and data[i - 1] == 45 and data[i - 2] == 97):
                return True
    return False


@inline_kernel
def is_data_line(data, pos, after):  # type: ignore[no-untyped-def]
    """Whether the first attribute of the `span` at ``data[pos:after]`` is ``data-line`` (rehype-pretty-code)."""
    i = pos + 6
    if after - i < 10 or data[i] != 100 or data[i + 4] != 45 or data[i + 5] != 108 or data[i + 8] != 101:
        return False
    return data[i + 9] == 61 or data[i + 9] == 62 or data[i + 9] == 32


@inline_kernel
def begin_line(data, pos, after, end, tag, found, kinds, W, out, o):  # type: ignore[no-untyped-def]
    """At the start tag at ``pos`` in code: end the line before it if nothing but the end tag before it does. Next o.

    Those are `span` of class ``line`` or with ``data-line`` and `code` that a style sheet makes blocks, and the `span` with an id of Medium, between which a line is empty.
    Behind Gatsby's ``gatsby-highlight-code-line`` the line feed is missing.
    """
    in_pre = W[s.STACK_TAGS + W[s.DEPTH] - 1] == t.PRE  # else words of code: SyntaxHighlighter
    is_line = kinds & LINES != 0 or (tag == t.CODE and in_pre) or (tag == t.SPAN and is_data_line(data, pos, after))
    was_empty = is_line and W[s.LINE_SPAN] == o
    closed = pos > 7 and data[pos - 1] == 62 and data[pos - 7] == 60 and data[pos - 6] == 47
    if closed and o > W[s.TEXT] and (was_empty or out[o - 1] != 10):
        before = data[pos - 5]
        if (tag == t.CODE and before == 99 and in_pre) or (tag == t.SPAN and before == 115 and is_line):
            out[o] = 10
            o += 1
        elif tag == t.SPAN and before == 115 and (found >> t.ID) & 1 and in_pre:
            out[o] = 10
            out[o + 1] = 10
            o += 2
    if is_line:
        W[s.LINE_SPAN] = o
    if kinds & LINES and tag == t.SPAN and W[s.SPANS + 2 * t.CLASS + 1] - W[s.SPANS + 2 * t.CLASS] == GATSBY:
        W[s.LINE_END] = end_of_span(data, after, end)
    return o


@inline_kernel
def end_of_span(data, pos, end):  # type: ignore[no-untyped-def]
    """The end tag of the `span` whose text begins at ``pos``, within `MAX_AHEAD` bytes; -1: none."""
    depth, end = 1, min(end, pos + MAX_AHEAD)
    while pos + 6 < end:
        pos = find_byte(data, pos, end, 60)
        if pos + 6 >= end:
            break
        closing = data[pos + 1] == 47
        if data[pos + 1 + closing] == 115 and data[pos + 2 + closing] == 112:
            depth += -1 if closing else 1
            if depth == 0:
                return pos
        pos += 1
    return -1


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
def lines_ahead(data, pos, end, tag, sure, T):  # type: ignore[no-untyped-def]
    """Whether the `code` (or `tt`) whose text begins at ``pos`` is several lines that stand alone in their block: `BY_BREAKS`,
    `BY_BREAKS_ALONE` (two spaces side by side and no line feed stand in it, so its spaces are its own), `BY_FEEDS`, 0. Two line feeds in it tell so, one if ``sure`` is 1 (its style or class says that it is code), none if it is 2."""
    end = min(end, pos + MAX_LINES)
    breaks, feeds, waiting, any_text, any_feed, any_run = 0, 0, 0, False, False, False
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
            any_feed = True
            waiting += any_text
        elif b == 32:
            any_run |= data[pos - 1] == 32
        elif not is_space(b):
            feeds += waiting
            waiting, any_text = 0, True
        pos += 1
    if pos >= end or (breaks == 0 and feeds < 2 - sure) or not stands_alone(data, pos, end, T):
        return 0
    if breaks == 0:
        return BY_FEEDS
    return BY_BREAKS_ALONE if any_run and not any_feed else BY_BREAKS


@inline_kernel
def lines_of_code(data, pos, after, end, tag, found, kinds, W, T):  # type: ignore[no-untyped-def]
    """`BY_BREAKS` or `BY_BREAKS_ALONE` if the element whose start tag is ``data[pos:after]`` holds nothing but lines that `br` parts and that read as code, and is of a class for code or
    in a font for it (``style``, ``face``); else 0."""
    by_class = kinds & CODE_WORD != 0 and (tag == t.DIV or tag == t.P)
    if not by_class:
        if tag == t.FONT:
            if not is_monospaced(data, pos + 5, after):
                return 0
        elif not (found >> t.STYLE_ATTR) & 1 or not is_monospaced(
            data, W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1]
        ):
            return 0
    lines = lines_ahead(data, after, end, tag, 0, T)
    return lines if lines & BY_BREAKS and reads_as_code(data, after, end_of_lines(data, after, end, tag, T), T) else 0


@inline_kernel
def begin_code(data, tag, after, end, found, hints, signature, T, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """At the start tag of `code`: in a `pre`, drop the name of its language before it; else, if it is alone in its block and of several
    lines, make it one. Next o."""
    kinds = hints >> KIND_SHIFT
    if in_code(W):
        if kinds & LANGUAGE and (found >> t.CLASS) & 1 and W[s.TEXT] < o:
            a, b = find_language(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1], T)
            if names_language(out, W[s.TEXT], o, data, a, b):
                return W[s.TEXT]
        return o
    top = W[s.STACK_TAGS + W[s.DEPTH] - 1]
    if o > W[s.TEXT] or W[s.REGION] != 0 or top == t.TD or top == t.TH or kinds & (MATH | FORMULA):
        return o
    is_sure = kinds & LANGUAGE != 0 or tag == t.D_CODE
    if (found >> t.STYLE_ATTR) & 1:
        is_sure |= keeps_lines(data, W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1])
    holder = nodes[PARENT, W[s.STACK_NODES + W[s.DEPTH] - 1]]
    boxed = top == t.DD and nodes[KINDS, holder] & CODE_WORD != 0  # phpBB 3.0
    lines = lines_ahead(data, after, end, tag, 2 if boxed else 1 if is_sure else 0, T)
    return open_lines(data, tag, lines, hints, signature, W, blocks, nodes, out, o) if lines else o


@inline_kernel
def open_lines(data, tag, lines, hints, signature, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """Make the inline element just begun a `pre` of its own: next o."""
    o = end_block(data, W, blocks, out, o, PARTS)
    if open_element(W, nodes, t.PRE, hints & HINT_MASK, signature, hints >> KIND_SHIFT):
        W[s.CODE_TAG], W[s.HAS_BREAKS] = tag, lines == BY_BREAKS
    return o


@inline_kernel
def begin_styled_code(data, tag, pos, after, end, found, hints, signature, T, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """At the start tag of a `span` or `font`: make it code if it is first in its block, in a font for code, and its lines read as code. Next o."""
    if in_code(W) or o > W[s.TEXT] or W[s.REGION] != 0 or not may_hold_code(W, nodes):
        return o
    lines = lines_of_code(data, pos, after, end, tag, found, 0, W, T)
    return open_lines(data, tag, lines, hints, signature, W, blocks, nodes, out, o) if lines else o
