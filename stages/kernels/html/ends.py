"""Where a block of text ends, and where lines end in code: for `stages.kernels.html.blocks`."""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.layout import (
    BOLD_BYTES,
    BREAK,
    CODE_BYTES,
    EMPTY_LINE,
    INLINE_HINTS,
    LINE,
    LINK_BYTES,
    MARK,
    MARKS_FROM,
    MARKS_TO,
    NAME_FROM,
    NAME_TO,
    NODE,
    NUM_IMAGES,
    NUM_LINKS,
    NUM_TIMES,
    OFF,
    PARTS,
    TEXT_START,
    TEXT_STOP,
)
from stages.kernels.html.scripts import is_alnum
from stages.kernels.html.tokens import is_space
from stages.kernels.html.written_formulas import end_tex
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_NAME = 24


@inline_kernel
def mark_off(W, mark, o):  # type: ignore[no-untyped-def]
    """End an inline mark (link, bold or code): its bytes in this block are added up."""
    if W[mark] != OFF:
        W[mark + 3] += max(0, o - W[mark])
        W[mark] = OFF


@inline_kernel
def in_code(W):  # type: ignore[no-untyped-def]
    """Whether white space and lines are kept: in `pre`, or in an element that shows code (`kinds.CODE`)."""
    return W[s.OPEN + t.PRE] + W[s.OPEN + t.LISTING] + W[s.PRE_DEPTH] > 0


@inline_kernel
def note_name(data, W, blocks, b, out, o):  # type: ignore[no-untyped-def]
    """Write the name of the language of code block ``b`` behind it, once for each place that tells it: next o."""
    if W[s.LANG_LAST] != W[s.LANG_FROM]:
        W[s.LANG_LAST] = W[s.LANG_FROM]
        W[s.LANG_AT] = o
        for i in range(W[s.LANG_FROM], min(W[s.LANG_TO], W[s.LANG_FROM] + MAX_NAME)):
            c = data[i]
            if not (is_alnum(c) or c == 35 or c == 43 or c == 45 or c == 46 or c == 95):
                break
            out[o] = c | 0x20 if 65 <= c <= 90 else c
            o += 1
        W[s.LANG_TO] = W[s.LANG_FROM] + o - W[s.LANG_AT]
    blocks[NAME_FROM, b] = W[s.LANG_AT]
    blocks[NAME_TO, b] = W[s.LANG_AT] + W[s.LANG_TO] - W[s.LANG_FROM]
    return o


@inline_kernel
def mark_code(W, blocks, o, is_end):  # type: ignore[no-untyped-def]
    """Note where inline code begins or ends."""
    blocks[MARK, W[s.MARKS]] = 2 * o + is_end
    W[s.MARKS] += 1


@inline_kernel
def end_block(data, W, blocks, out, o, strength):  # type: ignore[no-untyped-def]
    """Close the block of text that ends at ``o``, if there is any: next o."""
    start = W[s.TEXT]
    stop = o
    while stop > start and is_space(out[stop - 1]):
        stop -= 1
    if stop > start:
        for mark in range(s.LINK, s.LINK + 3):
            if W[mark] != OFF:
                W[mark + 3] += max(0, stop - W[mark])
                W[mark] = stop
        b = W[s.BLOCKS]
        first = start
        while out[first] == 10:  # pre: empty lines at its beginning
            first += 1
        blocks[TEXT_START, b] = first
        blocks[TEXT_STOP, b] = stop
        blocks[NODE, b] = W[s.PRE_NODE] if W[s.PRE_DEPTH] > 0 else W[s.STACK_NODES + W[s.DEPTH] - 1]
        blocks[BREAK, b] = W[s.BREAK]
        blocks[LINK_BYTES, b] = min(W[s.LINK_BYTES], stop - first)
        blocks[NUM_LINKS, b] = W[s.LINKS]
        blocks[BOLD_BYTES, b] = min(W[s.BOLD_BYTES], stop - first)
        blocks[CODE_BYTES, b] = min(W[s.CODE_BYTES], stop - first)
        blocks[INLINE_HINTS, b] = W[s.HINTS]
        blocks[NUM_IMAGES, b] = W[s.IMAGES]
        blocks[NUM_TIMES, b] = W[s.TIMES]
        blocks[NAME_FROM, b] = 0
        blocks[NAME_TO, b] = 0
        if W[s.LANG_DEPTH] > 0 and in_code(W):
            stop = note_name(data, W, blocks, b, out, stop)
        blocks[MARKS_FROM, b] = W[s.MARKS_FROM]
        blocks[MARKS_TO, b] = W[s.MARKS]
        W[s.MARKS_FROM] = 2 * W[s.MARKS] + (W[s.CODE] != OFF)
        W[s.BLOCKS] = b + 1
        W[s.HINTS] = 0
        W[s.LINKS] = 1 if W[s.LINK] != OFF else 0
        W[s.IMAGES] = 0
        W[s.TIMES] = 0
        W[s.BREAK] = 0
    else:
        stop = start
        W[s.MARKS] = W[s.MARKS_FROM] // 2  # of nothing
        W[s.MARKS_FROM] = 2 * W[s.MARKS] + (W[s.CODE] != OFF)
        for mark in range(s.LINK, s.LINK + 3):
            if W[mark] != OFF:
                W[mark] = stop
    W[s.SCRIPT] = 0
    W[s.NUM_QUOTATIONS] = 0
    W[s.LINK_BYTES] = 0
    W[s.BOLD_BYTES] = 0
    W[s.CODE_BYTES] = 0
    W[s.TEXT] = stop
    W[s.BREAK] = max(W[s.BREAK], strength)
    return stop


@inline_kernel
def is_line_tag(tag, W):  # type: ignore[no-untyped-def]
    """Whether an element parts lines of code and not blocks of text."""
    if tag == t.DIV or tag == t.LI or tag == t.OL or tag == t.UL or t.TABLE <= tag <= t.TFOOT:
        return True
    return (W[s.PRE_DEPTH] > 0 and (tag == t.PRE or tag == t.FIGURE)) or (W[s.RUN_TO] > 0 and tag == t.P)


@inline_kernel
def break_line(tag, closing, W, out, o):  # type: ignore[no-untyped-def]
    """A tag that parts lines of code: next o. An empty element is an empty line; cells stand in one line."""
    start = W[s.TEXT]
    if tag == t.TABLE or tag == t.TD or tag == t.TH or tag == t.CAPTION or t.TBODY <= tag <= t.TFOOT:
        last = o
        while last > max(start, W[s.LINE_FROM]) and is_space(out[last - 1]):
            last -= 1
        for i in range(last, o):
            if out[i] == 10 and not (W[s.LINE_OVER] == o or i + 1 == W[s.LINE_OVER]):
                return last  # between tags
        return o
    if closing:
        if W[s.LINE_OVER] == o:
            return o
        last = o
        while last > max(start, W[s.LINE_FROM]) and (out[last - 1] == 32 or out[last - 1] == 10 or out[last - 1] == 9):
            last -= 1
        if last > start or o > start:
            o = last
            out[o] = 10
            o += 1
        W[s.LINE_OVER] = o
        return o
    if W[s.LINE_OVER] >= start:
        last = o
        while last > W[s.LINE_OVER] and is_space(out[last - 1]):
            last -= 1
        if last == W[s.LINE_OVER]:
            o = last
    if o > start and out[o - 1] != 10:
        out[o] = 10
        o += 1
    W[s.LINE_FROM] = o
    W[s.LINE_OVER] = OFF
    return o


@inline_kernel
def break_text(data, tag, closing, W, blocks, out, o):  # type: ignore[no-untyped-def]
    """A tag before or after which text stands apart: end the block, or write a line feed in code. Next o."""
    if W[s.REGION] != 0:
        if W[s.REGION] != s.TEX_REGION:
            return o
        if tag != t.BR:
            if closing:
                o = end_tex(W, out, o, W[s.TEX_SURE], W[s.TEX_DISPLAY])
            W[s.REGION] = W[s.REGION_DEPTH] = 0
    if in_code(W):
        if tag == t.BR:
            while W[s.HAS_BREAKS] and o > W[s.TEXT] and out[o - 1] == 32:
                o -= 1
            out[o] = 10
            if W[s.LINE_OVER] == o:  # an empty line between those that are elements
                W[s.LINE_OVER] = o + 1
            return o + 1
        if tag == t.BUTTON:
            return o
        if is_line_tag(tag, W):
            return break_line(tag, closing, W, out, o)
    if tag == t.BR:
        b, begins = W[s.BLOCKS], o == W[s.REGION_FROM]
        o = end_block(data, W, blocks, out, o, LINE)
        if W[s.REGION] != 0:  # TeX over several lines is left as it is
            W[s.REGION_FROM] = o if begins else OFF
        if W[s.BLOCKS] == b and W[s.BREAK] == LINE:
            W[s.BREAK] = EMPTY_LINE
        return o
    o = end_block(data, W, blocks, out, o, PARTS)
    if t.TD <= tag <= t.CAPTION or tag == t.TABLE:
        for mark in range(s.LINK, s.LINK + 3):
            W[mark] = OFF
    return o
