"""Marks inside a block: links, bold, code; and links that are no text (pilcrows, ``[edit]``), for `stages.kernels.html.blocks`."""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.ends import in_code, mark_code, mark_off
from stages.kernels.html.kinds import CLASSIFIER
from stages.kernels.html.layout import HINT_MASK, KIND_SHIFT, OFF
from stages.kernels.html.quotations import emoji_image, end_quotation, start_quotation
from stages.kernels.html.scripts import end_script, start_script
from stages.kernels.html.signs import LONGEST_SIGN, is_sign
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.html.written_formulas import formula_image
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_EDIT_SECTION = fnv(b"mw-editsection")
_MARKS = tuple(
    fnv(name)
    for name in (b"para", b"#182", b"#xB6", b"#xb6", b"#8617", b"#x21a9", b"#x21A9", b"larrhk", b"#8593", b"uarr")
)


@inline_kernel
def is_credit(data, href, end):  # type: ignore[no-untyped-def]
    """Whether the address at ``href`` is that of Color Scripter, which stands below the code that it drew."""
    i = href + 7 + (href + 4 < end and data[href + 4] == 115)  # http://, https://
    if i + 13 >= end:
        return False
    return (
        data[i] == 99
        and data[i + 1] == 111
        and data[i + 4] == 114
        and data[i + 5] == 115
        and data[i + 12] == 114
        and data[i + 13] == 46
    )


@inline_kernel
def is_permalink(data, href, pos, end):  # type: ignore[no-untyped-def]
    """Whether the link whose address begins at ``href`` leads into the page and its text, from ``pos`` on, is a mark
    alone: a pilcrow or the arrow behind a footnote, as bytes or references, `#` or `^`."""
    if href >= end or data[href] != 35:
        return False
    while pos < end and is_space(data[pos]):
        pos += 1
    if pos + 3 >= end:
        return False
    if data[pos] == 0xC2 and data[pos + 1] == 0xB6:  # ¶
        pos += 2
    elif (data[pos] == 35 or data[pos] == 94) and is_name(data[href + 1]):
        pos += 1
    elif data[pos] == 0xE2 and data[pos + 1] == 0x86 and (data[pos + 2] == 0xA9 or data[pos + 2] == 0x91):  # ↩ ↑
        pos += 3
    elif data[pos] == 38:  # &para; &#182; &#xB6; &#8617;
        begin = pos
        while pos < end and data[pos] != 59 and pos - begin < 7:
            pos += 1
        if not _is_mark(data, begin + 1, pos):
            return False
        pos += 1
    else:
        return False
    while pos < end and is_space(data[pos]):
        pos += 1
    if pos + 2 < end and data[pos] == 0xEF and data[pos + 1] == 0xB8:
        pos += 3
    elif pos + 7 < end and data[pos] == 38 and data[pos + 1] == 35 and data[pos + 2] | 0x20 == 120:  # &#xfe0e;
        pos += 8
    return pos + 2 < end and data[pos] == 60 and data[pos + 1] == 47 and data[pos + 2] | 0x20 == 97


@inline_kernel
def is_name(byte):  # type: ignore[no-untyped-def]
    """Whether a byte may begin the name of a place in a page."""
    return byte >= 128 or byte == 95 or byte == 37 or 48 <= byte <= 57 or 97 <= byte | 0x20 <= 122


@inline_kernel
def _is_mark(data, start, stop):  # type: ignore[no-untyped-def]
    h = FNV_START
    for i in range(start, stop):
        h = mix(h, data[i])
    return h in _MARKS


@inline_kernel
def is_edit_link(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a class is MediaWiki's ``mw-editsection``: the links beside headings, ``[edit]`` in any language."""
    h = FNV_START
    while start < stop and is_space(data[start]):
        start += 1
    for i in range(start, min(stop, start + 14)):
        h = mix(h, data[i])
    return h == _EDIT_SECTION and (stop - start == 14 or is_space(data[start + 14]))


@inline_kernel
def leads_to_place(data, W):  # type: ignore[no-untyped-def]
    """Whether the link just read leads to a place of its own page."""
    start = W[s.SPANS + 2 * t.HREF]
    return start + 1 < W[s.SPANS + 2 * t.HREF + 1] and data[start] == 35


@inline_kernel
def put_colon(W, out, o):  # type: ignore[no-untyped-def]
    """`` : `` behind text that does not end with one: next o."""
    last = o
    while last > W[s.TEXT] and out[last - 1] == 32:
        last -= 1
    if last > W[s.TEXT] and out[last - 1] == 58:
        return o
    out[last] = 32
    out[last + 1] = 58
    out[last + 2] = 32
    return last + 3


@inline_kernel
def start_inline(data, tag, found, hints, W, T, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """A start tag that does not break the text: marks of links, bold, code and scripts, and hints for the block. Next o."""
    if found & 0b1111:
        W[s.HINTS] |= hints & HINT_MASK
    if hints >> KIND_SHIFT & CLASSIFIER and o > W[s.TEXT]:
        o = put_colon(W, out, o)
    if tag == t.A:
        mark_off(W, s.LINK, o)
        if (found >> t.HREF) & 1:
            W[s.LINK] = o
            W[s.SELF_LINK] = t.H1 <= W[s.STACK_TAGS + W[s.DEPTH] - 1] <= t.H6 and leads_to_place(data, W)
            W[s.LINKS] += 1 - W[s.SELF_LINK]
            W[s.SCRIPT_LINK] = 1
    elif tag == t.B or tag == t.STRONG:
        if W[s.BOLD] == OFF:
            W[s.BOLD] = o
    elif tag == t.CODE or tag == t.TT or tag == t.KBD or tag == t.SAMP:
        if W[s.CODE] == OFF:
            W[s.CODE] = o
            mark_code(W, blocks, o, 0)
    elif tag == t.IMG:
        W[s.IMAGES] += 1
        before, o = o, formula_image(data, found, hints >> KIND_SHIFT, T, W, nodes, out, o)
        if o == before and (found >> t.ALT) & 1:
            o = emoji_image(data, found, T, W, out, o)
    elif tag == t.TIME:
        W[s.TIMES] += 1
    elif tag == t.Q:
        start_quotation(W, o)
    elif tag == t.SUP or tag == t.SUB:
        if W[s.REGION] == s.TEX_REGION:
            W[s.REGION] = W[s.REGION_DEPTH] = 0  # markup, not TeX
        if not in_code(W):
            start_script(tag, W, o)
    return o


@inline_kernel
def end_inline(data, tag, after, end, W, blocks, out, o):  # type: ignore[no-untyped-def]
    """An end tag that does not break the text. Next o."""
    if tag == t.A:
        if W[s.LINK] != OFF and W[s.LINK] >= W[s.TEXT] and 0 < o - W[s.LINK] <= LONGEST_SIGN:
            top = W[s.STACK_TAGS + W[s.DEPTH] - 1]
            if is_sign(out, W[s.LINK], o, t.H1 <= top <= t.H6 or top == t.DT, W[s.SELF_LINK] and W[s.LINK] > W[s.TEXT]):
                o = W[s.LINK]
        if W[s.SELF_LINK]:
            W[s.LINK] = OFF
            W[s.SELF_LINK] = 0
        mark_off(W, s.LINK, o)
    elif tag == t.B or tag == t.STRONG:
        mark_off(W, s.BOLD, o)
    elif tag == t.CODE or tag == t.TT or tag == t.KBD or tag == t.SAMP:
        if W[s.CODE] != OFF:
            mark_code(W, blocks, o, 1)
        mark_off(W, s.CODE, o)
    elif tag == t.Q:
        o = end_quotation(data, after, end, W, blocks, out, o)
    elif tag == W[s.SCRIPT] and tag > 0 and W[s.SCRIPT_DEPTH] == W[s.DEPTH]:
        o = end_script(data, after, end, W, out, o)
    return o
