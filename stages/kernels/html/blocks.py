"""From HTML bytes to blocks of text and the elements that hold them, in one pass.

For `stages.extraction`: `scan_pages` takes the pages of a batch as UTF-8 bytes and gives

- text: what stands between block-level tags (`br` too), references decoded, runs of white space one space, `pre` as it
  is; no script, style, comment, template, drop-down, textarea or svg; no readings of ruby, no pilcrow that links to its
  own heading, no ``[edit]`` of MediaWiki;
- blocks ``blocks_CB``: one column a block of text, rows `TEXT_START` ... `BREAK`;
- nodes ``nodes_CM``: one column an element that holds blocks, in document order, rows `TAG` ... `LAST_BLOCK`;
  the first node of a page is its root;
- pages ``pages_CD``: where a page's blocks and nodes begin and end, and spans of the HTML for title, language, licence,
  address and date.

Method: the HTML standard's tokenizer, and of its tree builder what moves text or ends elements: implied ends (`p`, `li`,
`dt`, `dd`, table parts, headings, nested `a`), scopes, raw text, foreign content. Not followed: text straight inside a table
stays where it is written (the standard moves it before the table), formatting elements are marks and not nodes,
and below `MAX_DEPTH` open elements a further one is not a node. A page that begins with an XML declaration may close
`<script/>` as XML does.

Price: time and memory linear in the bytes of the page whatever it holds. The caller reserves a column of blocks and nodes
for every `<`, `quoted.MAX_NODES` more, and `MAX_GROWTH` bytes of text for every byte of HTML; input must be valid UTF-8 for the output to be so,
but any bytes are safe.

Legend: B blocks, M nodes, D pages, C rows of a table, S slots of state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
from stages.kernels.html.copying import copy_text, fold_reference, skip_dropped
from stages.kernels.html.css_rules import forget_rules
from stages.kernels.html.elements import (
    NAMED_BY,
    VALUES,
    close_element,
    close_implied,
    element_hints,
    note_names,
    note_value,
    open_element,
    pop_to,
)
from stages.kernels.html.ends import break_text, end_block, in_code
from stages.kernels.html.entities import fill_reference_tables, read_reference
from stages.kernels.html.hints import fill_hint_table
from stages.kernels.html.katex_classes import fill_box_table
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
    fill_kind_table,
)
from stages.kernels.html.layout import (
    BLOCKS_FROM,
    BLOCKS_TO,
    HIDING,
    HINT_MASK,
    KIND_SHIFT,
    KINDS,
    LEVEL,
    NODES_FROM,
    NODES_TO,
    NUM_INPUTS,
    NUM_TAGS,
    OFF,
    PAGE_ROWS,
    PARENT,
    PARTS,
    SOCIAL_TITLE_TO,
    TITLE_FROM,
)
from stages.kernels.html.marks import end_inline, is_credit, is_edit_link, is_permalink, start_inline
from stages.kernels.html.notes import note_element
from stages.kernels.html.raw_text import copy_raw, start_raw
from stages.kernels.html.regions import (
    LANG_ATTRIBUTES,
    TEX_ATTRIBUTES,
    find_region,
    holds_command,
    is_drawn_math,
    is_tex_element,
    labelled_tex,
    note_language,
    rendered_tex,
    settle,
    titled_tex,
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
from stages.kernels.html.style_sheets import is_hidden, read_style_sheets
from stages.kernels.html.styled_code import begin_paragraphs, begins_in_font
from stages.kernels.html.symbols import fill_symbol_table
from stages.kernels.html.tables import BYTE_CLASSES, TABLE_SLOTS, TAG_FLAGS
from stages.kernels.html.tex_output import fill_math_tables
from stages.kernels.html.tokens import find_byte, find_raw_end, is_space, read_attributes, read_tag_name, skip_markup
from stages.kernels.html.written_formulas import annotated_text, boxed_formula, drawn_formula, formula_element
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

MIN_HIDDEN, HIDDEN_SHARE = 400, 1
"""A page that hides more bytes than the first, and more than so many times what it shows, is one that a script shows: read again without
its style sheets if they hide any of it, and then with all of it."""


def scan_tables() -> npt.NDArray[np.int64]:
    """T: all tables of the kernels, made once a process (about 10 ms)."""
    T = np.zeros(TABLE_SLOTS, np.int64)
    t.fill_token_tables(T)
    fill_reference_tables(T)
    fill_hint_table(T)
    fill_kind_table(T)
    fill_symbol_table(T)
    fill_math_tables(T)
    fill_box_table(T)
    classes = T[BYTE_CLASSES:]
    classes[[9, 10, 12, 13, 32]] = 1
    classes[[ord("<"), ord("&")]] = 2
    classes[0] = 3
    classes[0xC2] = 4  # may begin a no-break space
    T.flags.writeable = False
    return T


def scan_work() -> npt.NDArray[np.int64]:
    """W: fresh state; may be used for any number of calls, by one thread at a time."""
    return np.zeros(s.WORK_SLOTS, np.int64)


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


@inline_kernel
def end_tag(data, pos, end, T, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """Read the end tag at ``pos``: (position after it, next o)."""
    after, tag = read_tag_name(data, pos + 2, end, T)
    after, _, _ = read_attributes(data, after, end, T, W)
    if after < 0:
        return end, o
    flags = T[TAG_FLAGS + tag]
    if flags & t.BLOCK:
        o = break_text(data, tag, True, W, blocks, out, o)
        if flags & t.STACKED:
            close_element(W, nodes, T, tag)
    elif flags & t.STACKED:
        close_element(W, nodes, T, tag)
    else:
        if tag > 0 and tag == W[s.REGION_TAG] and W[s.REGION] != 0 and W[s.DEPTH] == W[s.REGION_DEPTH]:
            W[s.REGION_COUNT] -= 1
            if W[s.REGION_COUNT] == 0:
                W[s.REGION_OVER] = 1
                o = settle(data, W, blocks, nodes, out, o)
        if tag == t.SPAN and W[s.OPEN + t.SPAN] > 0 and W[s.REGION] == 0:
            o = close_span(data, W, blocks, nodes, out, o)
        if W[s.REGION] == 0 or W[s.REGION] == s.TEX_REGION:
            o = end_inline(data, tag, after, end, W, blocks, out, o)
        if pos == W[s.LINE_END] and in_code(W) and after < end and data[after] != 10 and data[after] != 60:
            out[o] = 10
            o += 1
        if tag == W[s.CODE_TAG] and tag > 0:
            W[s.CODE_TAG] = W[s.HAS_BREAKS] = 0
            o = end_block(data, W, blocks, out, o, PARTS)
            close_element(W, nodes, T, t.PRE)
    if W[s.RUN_TO] > 0 and after >= W[s.RUN_TO]:
        if W[s.REGION_OVER]:
            o = settle(data, W, blocks, nodes, out, o)
        o = end_block(data, W, blocks, out, o, PARTS)
        W[s.RUN_TO] = W[s.HAS_BREAKS] = 0
        close_element(W, nodes, T, t.PRE)
    if W[s.REGION_OVER] + W[s.PRE_OVER] > 0:
        o = settle(data, W, blocks, nodes, out, o)
    return after, o


@inline_kernel
def letter_at(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether a letter of ASCII stands at ``pos``."""
    return pos < end and 97 <= data[pos] | 0x20 <= 122


@inline_kernel
def begin_page(data, pos, end, W, nodes, pages, d, o):  # type: ignore[no-untyped-def]
    """Clear the state and open the root."""
    blocks_before, nodes_before, marks_before, show_all = W[s.BLOCKS], W[s.NODES], W[s.MARKS], W[s.SHOW_ALL]
    for i in range(s.NUM_SLOTS):
        W[i] = 0
    W[s.BLOCKS], W[s.NODES], W[s.MARKS], W[s.TEXT] = blocks_before, nodes_before, marks_before, o
    W[s.MARKS_FROM], W[s.SHOW_ALL] = 2 * marks_before, show_all
    W[s.MATH_TO] = W[s.LANG_LAST] = W[s.LINE_OVER] = W[s.LINE_SPAN] = OFF
    for i in range(s.LINK, s.LINK + 3):
        W[i] = OFF
    W[s.BREAK], W[s.PAGE_FROM] = PARTS, pos
    for i in range(s.OPEN, s.SPANS):
        W[i] = 0
    while pos < end and is_space(data[pos]):
        pos += 1
    W[s.XML] = (
        pos + 4 < end and data[pos] == 60 and data[pos + 1] == 63 and data[pos + 2] == 120 and data[pos + 3] == 109
    )
    for row in range(PAGE_ROWS):
        pages[row, d] = OFF if TITLE_FROM <= row <= SOCIAL_TITLE_TO else 0
    pages[BLOCKS_FROM, d] = blocks_before
    pages[NODES_FROM, d] = nodes_before
    open_element(W, nodes, t.BODY, 0, 0, 0)


@inline_kernel
def scan_page(data, pos, end, T, W, blocks, nodes, pages, d, out, o):  # type: ignore[no-untyped-def]
    """Scan one page: next o."""
    begin_page(data, pos, end, W, nodes, pages, d, o)
    if end - pos >= 3 and data[pos] == 0xEF and data[pos + 1] == 0xBB and data[pos + 2] == 0xBF:
        pos += 3
    while pos < end:
        if W[s.DROPPED]:
            pos = find_byte(data, pos, end, 60)
            if pos < end:
                pos = skip_dropped(data, pos, end, T, W)
            if W[s.DRAWN_TEX]:
                o = titled_tex(data, W, T, out, o)
                W[s.DRAWN_TEX] = 0
            continue
        hard = in_code(W)
        pos, o = copy_text(data, pos, end, T, out, o, W[s.TEXT], hard and not W[s.HAS_BREAKS], hard)
        if pos >= end:
            break
        if data[pos] == 38:
            before = o
            pos, o = read_reference(data, pos, end, T, out, o)
            o = fold_reference(out, before, o, W[s.TEXT], hard)
        elif letter_at(data, pos + 1, end):
            pos, o = start_tag(data, pos, end, T, W, blocks, nodes, pages, d, out, o)
        elif pos + 1 < end and data[pos + 1] == 47 and letter_at(data, pos + 2, end):
            pos, o = end_tag(data, pos, end, T, W, blocks, nodes, out, o)
        elif pos + 1 < end and (data[pos + 1] == 33 or data[pos + 1] == 63 or (data[pos + 1] == 47 and pos + 2 < end)):
            pos = skip_markup(data, pos, end)
        else:
            out[o] = 60
            pos, o = pos + 1, o + 1
    if W[s.REGION] != 0:
        W[s.REGION_OVER] = 1
        o = settle(data, W, blocks, nodes, out, o)
    o = end_block(data, W, blocks, out, o, PARTS)
    pop_to(W, nodes, 0)
    pages[BLOCKS_TO, d] = W[s.BLOCKS]
    pages[NODES_TO, d] = W[s.NODES]
    return o


@kernel
def scan_pages(data, offsets, first, last, T, W, blocks, nodes, pages, out):  # type: ignore[no-untyped-def]
    """Scan pages ``first`` to ``last`` of a batch; page ``first + d`` fills column ``d`` of ``pages``.

    ``blocks``, ``nodes`` and ``pages`` are int64 with `BLOCK_ROWS`, `NODE_ROWS` and `PAGE_ROWS` rows, ``out`` uint8; see the
    module for what to reserve. Gives (number of blocks, of nodes, bytes of text).
    """
    W[s.BLOCKS] = W[s.NODES] = W[s.MARKS] = 0
    o = 0
    for d in range(last - first):
        pos, end = offsets[first + d], offsets[first + d + 1]
        blocks_before, nodes_before, marks_before = W[s.BLOCKS], W[s.NODES], W[s.MARKS]
        W[s.SHOW_ALL] = 0
        read_style_sheets(data, pos, end, T, W)
        before, o = o, scan_page(data, pos, end, T, W, blocks, nodes, pages, d, out, o)
        while not W[s.SHOW_ALL] and W[s.HIDDEN_BYTES] > max(MIN_HIDDEN, HIDDEN_SHARE * (o - before)):
            W[s.BLOCKS], W[s.NODES], W[s.MARKS] = blocks_before, nodes_before, marks_before
            if W[s.NUM_HIDDEN] > 0:
                forget_rules(W)
            else:
                W[s.SHOW_ALL] = 1
            o = scan_page(data, pos, end, T, W, blocks, nodes, pages, d, out, before)
    return W[s.BLOCKS], W[s.NODES], o
