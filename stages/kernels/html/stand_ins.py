"""Elements that stand for others: tables by ``role``, of Javadoc and LaTeXML, paragraphs of Word that are items of lists, check boxes before tasks, levels of lists in Google Docs.

For `blocks`. The node of such an element gets the tag that it stands for, and `layout.LEVEL`; the stack of open elements keeps its own.
Word writes the mark of an item as text and fills the rest of its width with spaces of 7 points: from that the mark is known for one, whatever
list it is of. Price: linear in the tag, and at most `MAX_MARK` bytes behind it.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.elements import open_element, pop_to
from stages.kernels.html.ends import break_text, in_code
from stages.kernels.html.kinds import GRID, TASK
from stages.kernels.html.layout import (
    CAPITAL,
    CLASS_AT,
    HINT_MASK,
    IS_NUMBERED,
    KINDS,
    LETTERS,
    LEVEL,
    MAX_DEPTH,
    NAME_SHIFT,
    PARENT,
    TAG,
    VALUE,
    ZERO,
)
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import find_byte, is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_MARK, MAX_LEVEL = 600, 8
_TABLES = tuple(fnv(name) for name in (b"table", b"grid", b"treegrid"))
_ROW, _CELLS = fnv(b"row"), tuple(fnv(name) for name in (b"cell", b"gridcell"))
_SUMMARY = fnv(b"summary-table ")
_HEADERS = tuple(fnv(name) for name in (b"columnheader", b"rowheader"))


@inline_kernel
def tag_of_role(data, W):  # type: ignore[no-untyped-def]
    """The element of a table that the role of the tag just read names; 0."""
    start, stop = W[s.SPANS + 2 * t.ROLE], W[s.SPANS + 2 * t.ROLE + 1]
    h = FNV_START
    for i in range(start, min(stop, start + 16)):
        h = mix(h, data[i] | 0x20)
    if h in _TABLES:
        return t.TABLE
    return t.TR if h == _ROW else t.TD if h in _CELLS else t.TH if h in _HEADERS else 0


@inline_kernel
def note_role(data, W, nodes):  # type: ignore[no-untyped-def]
    """The `div` just opened has a role: its node is a table, or a row or cell of one, if it says so."""
    tag, node = tag_of_role(data, W), W[s.NODES] - 1
    if tag == t.TABLE:
        nodes[TAG, node] = tag
        return
    around = nodes[PARENT, node]
    for _ in range(4):
        if tag and nodes[TAG, around] == (t.TABLE if tag == t.TR else t.TR):
            nodes[TAG, node] = tag
        around = nodes[PARENT, around]


@inline_kernel
def tag_of_span(data, found, kinds, W):  # type: ignore[no-untyped-def]
    """The element of a table that the `span` just read stands for, by its role or by LaTeXML's ``ltx_tabular``, ``ltx_tr``, ``ltx_td``; 0."""
    if kinds & GRID and (found >> t.CLASS) & 1:
        i = W[s.SPANS + 2 * t.CLASS]
        if i + 5 < W[s.SPANS + 2 * t.CLASS + 1] and data[i] == 108 and data[i + 4] == 116:
            return t.TABLE if data[i + 5] == 97 else t.TR if data[i + 5] == 114 else t.TD if data[i + 5] == 100 else 0
    return tag_of_role(data, W) if (found >> t.ROLE) & 1 else 0


@inline_kernel
def open_span(data, found, kinds, hints, signature, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """A `span` that is a table, or a row or cell in one, becomes an element; any other right inside of one is counted in `LEVEL`, so that its end tag ends
    nothing else. Next o."""
    top, depth = W[s.STACK_NODES + W[s.DEPTH] - 1], W[s.DEPTH]
    tag = tag_of_span(data, found, kinds, W)
    fits = tag == t.TABLE or (tag > 0 and nodes[TAG, top] == (t.TABLE if tag == t.TR else t.TR))
    if fits and depth < MAX_DEPTH and not in_code(W):
        o = break_text(data, tag, False, W, blocks, out, o)
        open_element(W, nodes, t.SPAN, hints & HINT_MASK, signature, kinds & ~GRID)
        nodes[TAG, W[s.NODES] - 1] = tag
    elif W[s.STACK_TAGS + depth - 1] == t.SPAN:
        nodes[LEVEL, top] += 1
    return o


@inline_kernel
def close_span(data, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """The end tag of a `span` where one is an open element: it ends that one if none inside is open. Next o."""
    depth = W[s.DEPTH] - 1
    node = W[s.STACK_NODES + depth]
    if W[s.STACK_TAGS + depth] != t.SPAN:
        return o
    if nodes[LEVEL, node] > 0:
        nodes[LEVEL, node] -= 1
        return o
    o = break_text(data, nodes[TAG, node], True, W, blocks, out, o)
    pop_to(W, nodes, depth)
    return o


@inline_kernel
def is_summary(data, class_at):  # type: ignore[no-untyped-def]
    """Whether a class (`layout.CLASS_AT`) is ``summary-table two-column-summary``, or another number."""
    start, stop = class_at >> NAME_SHIFT, (class_at >> NAME_SHIFT) + (class_at & ((1 << NAME_SHIFT) - 1))
    h = FNV_START
    for i in range(start, min(stop, start + 14)):
        h = mix(h, data[i])
    if h != _SUMMARY:
        return False
    for i in range(start + 14, stop - 7):  # -column-
        if data[i] == 45 and data[i + 1] == 99 and data[i + 2] == 111 and data[i + 3] == 108 and data[i + 7] == 45:
            return True
    return False


@inline_kernel
def note_grid(data, kinds, W, nodes):  # type: ignore[no-untyped-def]
    """The `div` just opened is a table of Javadoc's by its class (`is_summary`), or a cell of one: its node becomes it. Of any other the word means nothing.

    No element holds a row: one ends behind a cell of class ``col-last``. `LEVEL` of a cell is how many nodes before it its row begins; `VALUE` of the table is
    the node of the first cell of the row that is not full, 0 if none is.
    """
    node = W[s.NODES] - 1
    table = nodes[PARENT, node]
    if nodes[TAG, table] == t.TABLE and nodes[KINDS, table] & GRID:
        first = nodes[VALUE, table] if nodes[VALUE, table] else node
        nodes[TAG, node], nodes[LEVEL, node] = t.TD, node - first
        nodes[VALUE, table] = 0 if kinds & GRID else first
    elif is_summary(data, nodes[CLASS_AT, node]):
        nodes[TAG, node] = t.TABLE
    else:
        nodes[KINDS, node] &= ~GRID


@inline_kernel
def level_of_list(data, start, stop):  # type: ignore[no-untyped-def]
    """The level that a class ``lst-kix_...-2`` of Google Docs gives to a list; 0."""
    for i in range(start, stop - 5):
        if data[i] == 107 and data[i + 1] == 105 and data[i + 2] == 120 and data[i + 3] == 95:
            while i < stop and not is_space(data[i]):
                i += 1
            level = np.int64(data[i - 1]) - 48
            return level if data[i - 2] == 45 and 0 < level <= MAX_LEVEL else 0
    return 0


@inline_kernel
def level_of_item(data, found, W):  # type: ignore[no-untyped-def]
    """The level, from 1, of a `p` of Word that is an item by its style (``mso-list:l0 level2 lfo1``) or class (``MsoListParagraph``); 0: none."""
    if (found >> t.STYLE_ATTR) & 1:
        stop = W[s.SPANS + 2 * t.STYLE_ATTR + 1]
        for i in range(W[s.SPANS + 2 * t.STYLE_ATTR], stop - 9):
            if (
                data[i] == 109
                and data[i + 1] == 115
                and data[i + 2] == 111
                and data[i + 4] == 108
                and data[i + 5] == 105
            ):
                while i < stop - 6 and not (data[i] == 108 and data[i + 1] == 101 and data[i + 4] == 108):
                    i += 1
                level = np.int64(data[min(i + 5, stop - 1)]) - 48
                return level if 1 <= level <= MAX_LEVEL else 1
    if (found >> t.CLASS) & 1:
        start = W[s.SPANS + 2 * t.CLASS]
        if W[s.SPANS + 2 * t.CLASS + 1] - start >= 16 and data[start] == 77 and data[start + 1] == 115:
            return 1 if data[start + 3] == 76 and data[start + 7] == 80 else 0
    return 0


@inline_kernel
def mark_ahead(data, pos, end):  # type: ignore[no-untyped-def]
    """(start, stop) of the first text behind ``pos``, and where the text behind it and its spaces of 7 points begins; -1 there: it is no mark."""
    end = min(end, pos + MAX_MARK)
    while pos < end and (data[pos] == 60 or is_space(data[pos])):
        if data[pos] == 60:
            pos = find_byte(data, pos, end, 62)
        pos += 1
    start = pos
    while pos < end and data[pos] != 60:
        pos += 1
    stop = pos
    after = find_byte(data, pos, end, 62)
    wide = False
    for i in range(pos, after - 4):
        wide |= data[i] == 58 and data[i + 1] == 55 and data[i + 2] == 46 and data[i + 3] == 48  # font:7.0pt
    if not wide or stop - start > 8 or stop == start:
        return start, stop, -1
    pos = behind = after + 1
    while pos < end:
        if data[pos] == 38 and pos + 5 < end and data[pos + 1] == 110 and data[pos + 5] == 59:
            pos += 6
        elif (
            data[pos] == 60
            and pos + 2 < end
            and pos > behind
            and (data[pos + 1] == 33 or (data[pos + 1] == 47 and data[pos + 2] | 0x20 == 115))
        ):
            pos = find_byte(data, pos, end, 62) + 1
        elif is_space(data[pos]):
            pos += 1
        elif data[pos] == 0xC2 and pos + 1 < end and data[pos + 1] == 0xA0:
            pos += 2
        else:
            break
    return start, stop, pos if behind < pos < end else -1


@inline_kernel
def value_of_mark(data, start, stop):  # type: ignore[no-untyped-def]
    """`VALUE` of an item whose mark is ``data[start:stop]``: a number, one letter, or 0 for a bullet; -1: none of these."""
    last = data[stop - 1]
    if last != 46 and last != 41:
        return 0
    number, letters = np.int64(0), 0
    for i in range(start, stop - 1):
        b = data[i]
        if 48 <= b <= 57:
            number = number * 10 + np.int64(b) - 48
        elif 97 <= b | 0x20 <= 122:
            letters += 1
            number = np.int64(b | 0x20) - 96
        else:
            return -1
    if number == 0 or letters > 1 or (letters and stop - start > 2):
        return -1
    style = LETTERS | (CAPITAL if data[start] < 97 else 0) if letters else 0
    return IS_NUMBERED | style | (ZERO + number)


@inline_kernel
def begin_item(data, found, after, end, W, nodes):  # type: ignore[no-untyped-def]
    """The `p` just opened is an item of Word's if its style or class and its beginning say so: position behind its mark, else ``after``."""
    level = level_of_item(data, found, W)
    if level == 0:
        return after
    start, stop, behind = mark_ahead(data, after, end)
    if behind < 0:
        return after
    value = value_of_mark(data, start, stop)
    if value < 0:
        return after
    node = W[s.NODES] - 1
    nodes[TAG, node], nodes[VALUE, node], nodes[LEVEL, node] = t.LI, value, level - 1
    return behind


@inline_kernel
def put_box(data, found, kinds, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """A check box that begins an item and is no part of a form, as ``[x] `` or ``[ ] ``: next o."""
    start = W[s.SPANS + 2 * t.TYPE]
    if (
        o > W[s.TEXT]
        or W[s.SPANS + 2 * t.TYPE + 1] - start != 8
        or data[start] | 0x20 != 99
        or data[start + 5] | 0x20 != 98
    ):
        return o
    node = W[s.STACK_NODES + W[s.DEPTH] - 1]
    if nodes[TAG, node] == t.P:
        node = nodes[PARENT, node]
    around = kinds | nodes[KINDS, node] | nodes[KINDS, nodes[PARENT, node]]
    if nodes[TAG, node] != t.LI or not ((found >> t.DISABLED) & 1 or around & TASK):
        return o
    for c in (91, 120 if (found >> t.CHECKED) & 1 else 32, 93, 32):
        out[o] = c
        o += 1
    return o
