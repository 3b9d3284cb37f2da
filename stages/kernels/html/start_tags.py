"""What a start tag does: ends what it ends, opens its element, begins code, regions and formulas, and notes what it states. For `blocks`."""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.answers import ANSWERS, put_answer
from stages.kernels.html.code_lines import (
    BY_BREAKS,
    begin_code,
    begin_line,
    begin_styled_code,
    begins_lines,
    is_code_by_style,
    is_code_of_forum,
    lines_of_code,
    open_code,
    parted_by_breaks,
)
from stages.kernels.html.elements import (
    NAMED_BY,
    VALUES,
    close_implied,
    element_hints,
    note_names,
    note_value,
    open_element,
)
from stages.kernels.html.ends import break_text, in_code
from stages.kernels.html.formula_labels import is_drawn_math, labelled_tex, rendered_tex
from stages.kernels.html.kinds import (
    CODE,
    CODE_WORD,
    GLYPHS,
    GRID,
    GUTTER,
    ITEM_LINES,
    LANGUAGE,
    LINES,
    NAMED,
    SOURCE,
    STYLED,
)
from stages.kernels.html.layout import (
    HIDING,
    HINT_MASK,
    KIND_SHIFT,
    KINDS,
    LEVEL,
    NUM_INPUTS,
    NUM_TAGS,
    OFF,
    PARENT,
)
from stages.kernels.html.marks import is_credit, is_edit_link, is_permalink, start_inline
from stages.kernels.html.notes import note_element
from stages.kernels.html.raw_text import copy_raw, start_raw
from stages.kernels.html.regions import (
    LANG_ATTRIBUTES,
    TEX_ATTRIBUTES,
    find_region,
    holds_command,
    is_tex_element,
    note_language,
    settle,
)
from stages.kernels.html.stand_ins import (
    begin_item,
    close_span,
    level_of_list,
    note_grid,
    note_role,
    open_span,
    put_box,
)
from stages.kernels.html.style_sheets import is_hidden
from stages.kernels.html.styled_code import begin_paragraphs, begins_in_font
from stages.kernels.html.tables import TAG_FLAGS
from stages.kernels.html.tokens import find_raw_end, read_attributes, read_tag_name
from stages.kernels.html.written_formulas import annotated_text, boxed_formula, drawn_formula, formula_element
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def begin_named_code(data, tag, pos, found, kinds, after, end, T, W, blocks, nodes, out):  # type: ignore[no-untyped-def]
    """Begin code in the element just opened, if its class or style says that it is code: its kinds."""
    if W[s.REGION] != 0 or in_code(W):
        return kinds
    kinds |= CODE if is_code_of_forum(tag, kinds, W, blocks, out) else 0
    by_style = is_code_by_style(data, tag, found, kinds, W)
    if kinds & CODE or by_style:
        breaks = parted_by_breaks(data, after, end, T)
        open_code(data, W, nodes, W[s.DEPTH], breaks and not (by_style and not kinds & NAMED), T)
    elif tag == t.DIV or tag == t.P:
        lines = lines_of_code(data, pos, after, end, tag, found, kinds, W, T)
        if lines:
            open_code(data, W, nodes, W[s.DEPTH], lines == BY_BREAKS, T)
            kinds |= CODE
    return kinds


@inline_kernel
def start_tag(data, pos, end, T, W, blocks, nodes, pages, d, out, o):  # type: ignore[no-untyped-def]
    """Read the start tag at ``pos``: (position after it and any raw text, next o).

    In one piece: with what is noted of an element, and whether it is dropped, in functions of their own, the scanner is 5 to 10 % slower.
    """
    after, tag = read_tag_name(data, pos + 1, end, T)
    after, found, empty = read_attributes(data, after, end, T, W)
    if after < 0:
        return end, o
    flags = T[TAG_FLAGS + tag]
    pages[NUM_TAGS, d] += 1
    if tag == t.META or tag == t.BODY:
        note_element(data, tag, W, T, found, pages, d)
    if tag == t.MATH or tag == t.MML_MATH or tag == t.M_MATH:
        return (after, o) if empty else formula_element(data, pos, after, end, found, T, W, nodes, out, o)
    hints, signature, kinds = 0, 0, 0
    if found & 0xFF:
        hints, signature = element_hints(data, W, T, found)
        kinds = hints >> KIND_SHIFT
    is_stacked, is_block = flags & t.STACKED != 0, flags & t.BLOCK != 0
    opened = not flags & (t.VOID | t.RAW | t.ESCAPABLE | t.DROPPED) and (is_stacked or (not is_block and tag > 0))
    if is_block:
        o = break_text(data, tag, False, W, blocks, out, o)
        if flags & t.CLOSES_P or t.TABLE <= tag <= t.TFOOT or tag == t.BUTTON:
            close_implied(W, nodes, T, tag)
            if W[s.REGION_OVER] + W[s.PRE_OVER] > 0:
                o = settle(data, W, blocks, nodes, out, o)
        if (
            (tag == t.P or tag == t.DIV)
            and pos >= W[s.RUN_SEEN]
            and W[s.REGION] == 0
            and begins_in_font(data, after, end, found, W)
        ):
            if not in_code(W):
                begin_paragraphs(data, pos, after, end, tag, T, W, nodes)
    if tag == t.SPAN and W[s.REGION] == 0 and (kinds & GRID or (found >> t.ROLE) & 1 or W[s.OPEN + t.SPAN] > 0):
        o = open_span(data, found, kinds, hints, signature, W, blocks, nodes, out, o)
        if empty and W[s.XML] and W[s.OPEN + t.SPAN] > 0:
            o = close_span(data, W, blocks, nodes, out, o)
    if is_stacked:
        orphan = t.TABLE < tag <= t.TFOOT and W[s.OPEN + t.TABLE] == 0
        opened = not orphan and not (tag == t.FORM and W[s.OPEN + t.FORM] > 0)
        if opened:
            if (kinds & (LINES | ITEM_LINES | GUTTER) or tag == t.THEAD) and W[s.REGION] == 0 and not in_code(W):
                depth = begins_lines(data, tag, kinds, pos, after, end, W, nodes, o)
                if depth:
                    open_code(data, W, nodes, depth, False, T)
            opened = open_element(
                W, nodes, tag, hints & HINT_MASK, signature, kinds & ~GRID if tag == t.TABLE else kinds
            )
            if opened:
                if found & NAMED_BY:
                    note_names(found, W, nodes)
                if tag == t.LI or tag == t.OL or found & VALUES:
                    note_value(data, tag, found, W, nodes)
                if (tag == t.UL or tag == t.OL) and (found >> t.CLASS) & 1:
                    start, stop = W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1]
                    nodes[LEVEL, W[s.NODES] - 1] = level_of_list(data, start, stop)
                if tag == t.DIV and (found >> t.ROLE) & 1:
                    note_role(data, W, nodes)
                if tag == t.DIV and (kinds | nodes[KINDS, nodes[PARENT, W[s.NODES] - 1]]) & GRID:
                    note_grid(data, kinds, W, nodes)
                if kinds & (CODE | CODE_WORD) or found & (1 << t.STYLE_ATTR):
                    kinds = begin_named_code(data, tag, pos, found, kinds, after, end, T, W, blocks, nodes, out)
    elif not is_block and (W[s.REGION] == 0 or W[s.REGION] == s.TEX_REGION):
        if (tag == t.SPAN or tag == t.CODE) and in_code(W):
            o = begin_line(data, pos, after, end, tag, found, kinds, W, out, o)
        if tag == t.CODE or tag == t.TT or tag == t.SAMP or tag == t.D_CODE:
            o = begin_code(data, tag, after, end, found, hints, signature, T, W, blocks, nodes, out, o)
        elif tag == t.FONT or (tag == t.SPAN and (found >> t.STYLE_ATTR) & 1):
            o = begin_styled_code(data, tag, pos, after, end, found, hints, signature, T, W, blocks, nodes, out, o)
        before, o = o, start_inline(data, tag, found, hints, W, T, blocks, nodes, out, o)
        if found & ANSWERS and o == before and W[s.REGION] == 0 and tag != t.INPUT:
            o = put_answer(data, found, after, end, T, W, nodes, out, o)
    if kinds & (LANGUAGE | NAMED) or found & (LANG_ATTRIBUTES | 1 << t.LANG):
        note_language(data, tag, found, kinds, W, T)
    dropped = flags & t.DROPPED != 0 and not (tag == t.SVG and empty)
    dropped &= not (tag == t.TEMPLATE and (found >> t.SHADOWROOTMODE) & 1 != 0)
    if tag == t.A:
        dropped |= (found >> t.HREF) & 1 != 0 and is_permalink(data, W[s.SPANS + 2 * t.HREF], after, end)
        dropped |= (found >> t.HREF) & 1 != 0 and in_code(W) and is_credit(data, W[s.SPANS + 2 * t.HREF], end)
        if dropped and W[s.LINK] != OFF:
            W[s.LINK] = OFF
            W[s.LINKS] -= 1 - W[s.SELF_LINK]
            W[s.SELF_LINK] = 0
    elif tag == t.SPAN and (found >> t.CLASS) & 1:
        dropped |= is_edit_link(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1])
        if dropped and W[s.OPEN + t.SPAN] > 0 and W[s.REGION] == 0:
            o = close_span(data, W, blocks, nodes, out, o)
    if opened and not dropped and not (empty and W[s.XML]):
        if W[s.REGION] == 0:
            if W[s.NUM_HIDDEN] > 0 and found & NAMED_BY and is_hidden(data, tag, found, T, W):
                kinds |= STYLED
            if (
                kinds | found & (HIDING | TEX_ATTRIBUTES)
                or tag == t.MJX_CONTAINER
                or tag == t.BUTTON
                or tag == t.THEAD
                or tag == t.TH
                or is_tex_element(tag)
                or (tag == t.VAR and holds_command(data, after, end))
                or (found >> t.ROLE) & (found >> t.ARIA_LABEL) & 1
            ):
                o = find_region(data, tag, found, kinds, after, end, W, T, nodes, out, o, is_stacked, is_block)
        else:
            if tag == W[s.REGION_TAG] and W[s.DEPTH] == W[s.REGION_DEPTH]:
                W[s.REGION_COUNT] += 1
            if W[s.REGION] == s.RENDERED_REGION:
                if found & TEX_ATTRIBUTES and tag == t.MJX_MATH:
                    o = rendered_tex(data, found, W, T, out, o)
                elif (found >> t.ARIA_LABEL) & 1 and tag == t.SPAN and is_drawn_math(data, found, W):
                    o = labelled_tex(data, W, T, out, o)
        if tag == t.MJX_CONTAINER and (W[s.REGION] == s.RENDERED_REGION or W[s.REGION] == s.TEX_REGION):
            after, o = drawn_formula(data, after, end, found, T, W, nodes, out, o)
        elif kinds & (GLYPHS | SOURCE) and tag == t.SPAN and (W[s.REGION] == 0 or W[s.REGION] == s.TEX_REGION):
            if kinds & GLYPHS:
                after, o = boxed_formula(data, pos, after, end, T, W, nodes, out, o)
            else:
                after, o = annotated_text(data, pos, after, end, T, W, out, o)
    if tag == t.INPUT:
        pages[NUM_INPUTS, d] += 1
        if W[s.REGION] == 0 and (found >> t.TYPE) & 1:
            o = put_box(data, found, kinds, W, nodes, out, o)
    if flags & (t.RAW | t.ESCAPABLE):
        return start_raw(data, tag, found, kinds, empty, after, end, W, T, blocks, nodes, pages, d, out, o)
    if tag == t.XMP or tag == t.PLAINTEXT:
        stop = find_raw_end(data, after, end, T, tag) if tag == t.XMP else end
        return stop, copy_raw(data, after, stop, 0, 0, False, W, nodes, blocks, T, out, o)
    if dropped:
        W[s.DROPPED] = tag
        W[s.DROP_DEPTH] = 1
        W[s.INSIDE] = 0
    elif (tag == t.PRE or tag == t.LISTING) and after < end and data[after] == 10:
        after += 1
    elif tag == t.P and opened and W[s.REGION] == 0 and found & (1 << t.STYLE_ATTR | 1 << t.CLASS) and not in_code(W):
        after = begin_item(data, found, after, end, W, nodes)
    return after, o
