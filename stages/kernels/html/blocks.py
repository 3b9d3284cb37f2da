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
from stages.kernels.html.copying import copy_text, fold_reference, skip_dropped
from stages.kernels.html.css_rules import forget_rules
from stages.kernels.html.elements import (
    close_element,
    open_element,
    pop_to,
)
from stages.kernels.html.ends import break_text, end_block, in_code
from stages.kernels.html.entities import fill_reference_tables, read_reference
from stages.kernels.html.formula_labels import titled_tex
from stages.kernels.html.hints import fill_hint_table
from stages.kernels.html.katex_classes import fill_box_table
from stages.kernels.html.kinds import (
    fill_kind_table,
)
from stages.kernels.html.layout import (
    BLOCKS_FROM,
    BLOCKS_TO,
    NODES_FROM,
    NODES_TO,
    OFF,
    PAGE_ROWS,
    PARTS,
    SOCIAL_TITLE_TO,
    TITLE_FROM,
)
from stages.kernels.html.marks import end_inline
from stages.kernels.html.regions import (
    settle,
)
from stages.kernels.html.stand_ins import (
    close_span,
)
from stages.kernels.html.start_tags import start_tag
from stages.kernels.html.style_sheets import read_style_sheets
from stages.kernels.html.symbols import fill_symbol_table
from stages.kernels.html.tables import BYTE_CLASSES, TABLE_SLOTS, TAG_FLAGS
from stages.kernels.html.tex_output import fill_math_tables
from stages.kernels.html.tokens import find_byte, is_space, read_attributes, read_tag_name, skip_markup
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
