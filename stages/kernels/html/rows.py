"""Tables of a page: which of them hold data, and their rows as lines.

For `text`. A table is for layout, and its cells are paragraphs, when it holds another table, a heading outside of `th`, code of several lines, a
cell of more than `MAX_CELL_BYTES` or of more than `MAX_CELL_BLOCKS` blocks with much text, never two cells with text in a row, only one
row with text, or in every row a bullet or number and what it marks. One that holds nothing but `pre`
is code with its line numbers.

A data table is written by row: cells joined by `` | ``, empty ones included; with Markdown between bars, a rule under the first row, rows
filled up to the same number of cells. A cell that spans several stands in the first and leaves the others empty, as long as the table
grows no more than `MAX_GROWTH` times by it; else spans are not looked at (``colspan=1000`` in every cell).

Price: linear in nodes and text. Legend: M nodes of the page, B blocks.
"""

from __future__ import annotations

from stages.kernels.html import inherited as e
from stages.kernels.html import layout as h
from stages.kernels.html import tokens as t
from stages.kernels.html.dollars import shorten_dollars
from stages.kernels.html.items import NO_MARK, own_mark
from stages.kernels.html.kinds import CODE, LAYOUT
from stages.kernels.html.tokens import find_byte
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_CELL_BLOCKS, MAX_LIST_BYTES, MAX_CELL_BYTES = 3, 300, 1500
MAX_COLUMNS, MAX_GROWTH = 1024, 8
IS_LAYOUT, HAS_COLUMNS, HAS_TEXT, IS_CODE, HAS_ROWS, IS_NO_LIST = 1, 2, 4, 8, 16, 32
ROW_SHIFT = 8
"""Bits of a table in ``layout_M``; above them its first row with text, plus one."""


@inline_kernel
def is_data(layout):  # type: ignore[no-untyped-def]
    """Whether a table with these bits is written by row."""
    return layout & (IS_LAYOUT | IS_CODE) == 0 and layout & (HAS_COLUMNS | HAS_ROWS) == HAS_COLUMNS | HAS_ROWS


@inline_kernel
def mark_tables(text, blocks, nodes, first, last, inherited, layout_M, block0, num):  # type: ignore[no-untyped-def]
    """Fill ``layout_M`` at the tables among nodes ``first`` to ``last``; False if there is none."""
    any_table = False
    for n in range(first, last):
        layout_M[n - first] = 0
        any_table |= nodes[h.TAG, n] == t.TABLE
    if not any_table:
        return False
    row, cells = -1, 0
    for n in range(first, last):
        tag = nodes[h.TAG, n]
        table = inherited[e.I_TABLE, n - first]
        if table < 0:
            continue
        held = nodes[h.LAST_BLOCK, n] - nodes[h.FIRST_BLOCK, n]
        if tag == t.TABLE:
            outer = inherited[e.I_TABLE, nodes[h.PARENT, n] - first]
            if outer >= 0 and held > 0:
                layout_M[outer] |= IS_LAYOUT
            if nodes[h.KINDS, n] & (CODE | LAYOUT):
                layout_M[table] |= IS_LAYOUT
        elif t.H1 <= tag <= t.H6 and held > 0:
            cell = inherited[e.I_CELL, n - first]
            if cell < 0 or nodes[h.TAG, first + cell] != t.TH:
                layout_M[table] |= IS_LAYOUT
        elif tag == t.TD or tag == t.TH:
            if held > 0:
                if inherited[e.I_ROW, n - first] == row and row >= 0:
                    layout_M[table] |= HAS_COLUMNS
                    cells += 1
                else:
                    cells = 1
                row = inherited[e.I_ROW, n - first]
                note_row(text, blocks, nodes, n, row, cells, table, layout_M)
                size = blocks[h.TEXT_STOP, nodes[h.LAST_BLOCK, n] - 1] - blocks[h.TEXT_START, nodes[h.FIRST_BLOCK, n]]
                if (held > MAX_CELL_BLOCKS and size > MAX_LIST_BYTES) or size > MAX_CELL_BYTES:
                    layout_M[table] |= IS_LAYOUT
    for b in range(block0, block0 + num):
        n = blocks[h.NODE, b] - first
        table = inherited[e.I_TABLE, n]
        if table < 0 or layout_M[table] & IS_LAYOUT:
            continue
        if inherited[e.I_PRE, n] < 0:
            layout_M[table] |= HAS_TEXT
        elif find_byte(text, blocks[h.TEXT_START, b], blocks[h.TEXT_STOP, b], 10) < blocks[h.TEXT_STOP, b]:
            layout_M[table] |= IS_LAYOUT
    join_code(nodes, first, last, inherited, layout_M)
    for n in range(last - first):
        if layout_M[n] & (HAS_ROWS | IS_NO_LIST) == HAS_ROWS:
            layout_M[n] |= IS_LAYOUT
    return True


@inline_kernel
def note_row(text, blocks, nodes, n, row, cells, table, layout_M):  # type: ignore[no-untyped-def]
    """Note for its table that cell ``n``, the ``cells``-th with text of row ``row``, has text."""
    if layout_M[table] >> ROW_SHIFT == 0:
        layout_M[table] |= (row + 1) << ROW_SHIFT
    elif layout_M[table] >> ROW_SHIFT != row + 1:
        layout_M[table] |= HAS_ROWS
    block = nodes[h.FIRST_BLOCK, n]
    if cells > 2 or (
        cells == 1
        and (
            nodes[h.LAST_BLOCK, n] > block + 1
            or own_mark(text, blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block]) == NO_MARK
        )
    ):
        layout_M[table] |= IS_NO_LIST


@inline_kernel
def join_code(nodes, first, last, inherited, layout_M):  # type: ignore[no-untyped-def]
    """A table of nothing but `pre` is one piece of code: all that stands in it gets the same number."""
    for n in range(last - first):
        table = inherited[e.I_TABLE, n]
        if table < 0 or layout_M[table] & (IS_LAYOUT | HAS_TEXT):
            continue
        if nodes[h.LAST_BLOCK, first + table] - nodes[h.FIRST_BLOCK, first + table] > 1:
            layout_M[table] |= IS_CODE
            if inherited[e.I_PRE, n] >= table:
                inherited[e.I_PRE, n] = table


@inline_kernel
def end_of_element(nodes, n, last):  # type: ignore[no-untyped-def]
    """The first node behind ``n`` that does not stand in it."""
    k = n + 1
    while k < last and nodes[h.DEPTH, k] > nodes[h.DEPTH, n]:
        k += 1
    return k


@inline_kernel
def early_foot(nodes, n, end):  # type: ignore[no-untyped-def]
    """(node, number of nodes) of the `tfoot` of the table at node ``n`` that stands before a `tbody` or a row (HTML 4): it is shown last. (``end``, 0) if none does."""
    foot, size, k = end, 0, n + 1
    while k < end:
        tag = nodes[h.TAG, k]
        if tag == t.TFOOT and size == 0 and nodes[h.PARENT, k] == n:
            foot = k
            k = end_of_element(nodes, k, end)
            size = k - foot
            continue
        if (tag == t.TBODY or tag == t.TR) and size > 0 and nodes[h.PARENT, k] == n:
            return foot, size
        k += 1
    return end, 0


@inline_kernel
def in_order(step, foot, size, end):  # type: ignore[no-untyped-def]
    """The node that is written at ``step``: the ``size`` nodes from ``foot`` on come last."""
    if step < foot:
        return step
    return step + size if step + size < end else step + size - end + foot


@inline_kernel
def fits(nodes, n, end, inherited, node0, columns):  # type: ignore[no-untyped-def]
    """(number of columns, whether spans may be looked at) of the table at node ``n``."""
    row, last_row, c, width, cells, steps = -1, -2, 0, 0, 0, 0
    for k in range(MAX_COLUMNS):
        columns[k] = 0
    foot, size = early_foot(nodes, n, end)
    for step in range(n + 1, end):
        k = in_order(step, foot, size, end)
        tag = nodes[h.TAG, k]
        if tag != t.TD and tag != t.TH:
            continue
        if inherited[e.I_ROW, k - node0] != last_row:
            last_row = inherited[e.I_ROW, k - node0]
            row += 1
            c = 0
        cells += 1
        c, steps = next_free(columns, c, row, steps)
        span, rows = max(1, nodes[h.VALUE, k] & 0xFFFFF), max(1, nodes[h.VALUE, k] >> 20)
        span = min(span, MAX_COLUMNS - c)
        if span <= 0 or steps > 8 * cells + MAX_COLUMNS:
            return 0, False
        for i in range(c, c + span):
            columns[i] = row + rows
        c += span
        steps += span
        width = max(width, c)
    return width, (row + 1) * width <= MAX_GROWTH * cells + 8


@inline_kernel
def next_free(columns, c, row, steps):  # type: ignore[no-untyped-def]
    """(first column from ``c`` on that no cell of an earlier row spans, ``steps`` and those it took)."""
    while c < MAX_COLUMNS and columns[c] > row:
        c += 1
        steps += 1
    return c, steps


@inline_kernel
def put_bar(out, o, is_first, markdown):  # type: ignore[no-untyped-def]
    """Write the separator before a cell: next o."""
    if is_first:
        if markdown:
            out[o] = 124
            out[o + 1] = 32
            return o + 2
        return o
    out[o] = 32
    out[o + 1] = 124
    out[o + 2] = 32
    return o + 3


@inline_kernel
def write_cell(text, blocks, first, last, inherited, node0, markdown, out, o):  # type: ignore[no-untyped-def]
    """Text of the blocks of a cell in one line: next o."""
    for b in range(first, last):
        if b > first:
            out[o] = 32
            o += 1
        begin = o
        mark, marks = blocks[h.MARKS_FROM, b] // 2, blocks[h.MARKS_TO, b]
        is_pre = inherited[e.I_PRE, blocks[h.NODE, b] - node0] >= 0
        ticked = markdown and (is_pre or blocks[h.MARKS_FROM, b] & 1 != 0)
        if ticked:
            o = put_tick(out, begin, o, False)
        if is_pre:
            marks = 0
        start = blocks[h.TEXT_START, b]
        for i in range(start, blocks[h.TEXT_STOP, b]):
            while markdown and mark < marks and blocks[h.MARK, mark] // 2 <= i and text[i] & 0xC0 != 0x80:
                is_end = blocks[h.MARK, mark] & 1 != 0
                if is_end == ticked:
                    o = put_tick(out, begin, o, is_end)
                    ticked = not ticked
                mark += 1
            c = text[i]
            if c == 124 and markdown:
                out[o] = 92
                o += 1
            out[o] = 32 if c == 10 or c == 9 else c
            o += 1
        if ticked:
            o = put_tick(out, begin, o, True)
        if not is_pre:
            o = shorten_dollars(out, begin, o, not markdown and holds_code(blocks, b))
    return o


@inline_kernel
def holds_code(blocks, block):  # type: ignore[no-untyped-def]
    """Whether any of a block is inline code."""
    return blocks[h.MARKS_FROM, block] & 1 != 0 or blocks[h.MARKS_TO, block] > blocks[h.MARKS_FROM, block] // 2


@inline_kernel
def put_tick(out, begin, o, is_end):  # type: ignore[no-untyped-def]
    """A tick where inline code begins or ends; behind its own beginning both are nothing, in text that begins at ``begin``. Next o."""
    if o > begin and out[o - 1] == 96:
        return o - 1  # nothing between, or two that touch: one
    if is_end and o > begin and out[o - 1] == 32:
        out[o - 1] = 96
        out[o] = 32
        return o + 1
    out[o] = 96
    return o + 1


@inline_kernel
def put_rule(out, o, width):  # type: ignore[no-untyped-def]
    """The rule under the first row: next o."""
    out[o] = 124
    o += 1
    for _ in range(width):
        for c in (32, 45, 45, 45, 32, 124):
            out[o] = c
            o += 1
    out[o] = 10
    return o + 1


@inline_kernel
def end_row(out, o, start, c, width, any_text, markdown):  # type: ignore[no-untyped-def]
    """Fill and end the row that began at ``start``; one without text is taken back. Next o."""
    if not any_text:
        return start
    if markdown:
        while c < width:
            o = put_bar(out, o, c == 0, markdown)
            c += 1
        out[o] = 32
        out[o + 1] = 124
        o += 2
    out[o] = 10
    return o + 1


@inline_kernel
def write_rows(text, blocks, nodes, n, end, inherited, node0, columns, markdown, out, o):  # type: ignore[no-untyped-def]
    """Write the rows of the table at node ``n``, whose last node is before ``end``: next o, without a line feed."""
    width, spans = fits(nodes, n, end, inherited, node0, columns)
    for k in range(MAX_COLUMNS):
        columns[k] = 0
    row, last_row, c, start, any_text, steps, written, begin = -1, -2, 0, o, False, 0, 0, o
    if not spans:
        width = 0
    foot, size = early_foot(nodes, n, end)
    for step in range(n + 1, end):
        k = in_order(step, foot, size, end)
        tag = nodes[h.TAG, k]
        if tag != t.TD and tag != t.TH:
            continue
        if inherited[e.I_ROW, k - node0] != last_row:
            last_row = inherited[e.I_ROW, k - node0]
            if row >= 0:
                cells = max(c, width)
                now = end_row(out, o, start, c, width, any_text, markdown)
                if now > start:
                    written += 1
                    if written == 1 and markdown:
                        now = put_rule(out, now, cells)
                o = now
            row += 1
            c, start, any_text = 0, o, False
        if spans:
            free, steps = next_free(columns, c, row, steps)
            while c < free:
                o = put_bar(out, o, c == 0, markdown)
                c += 1
        o = put_bar(out, o, c == 0, markdown)
        first, last = nodes[h.FIRST_BLOCK, k], nodes[h.LAST_BLOCK, k]
        any_text |= last > first
        o = write_cell(text, blocks, first, last, inherited, node0, markdown, out, o)
        c += 1
        if spans:
            span, rows = max(1, nodes[h.VALUE, k] & 0xFFFFF), max(1, nodes[h.VALUE, k] >> 20)
            span = min(span, MAX_COLUMNS - c + 1)
            for i in range(c - 1, c - 1 + span):
                columns[i] = row + rows
            for _ in range(span - 1):
                o = put_bar(out, o, False, markdown)
                c += 1
    cells = max(c, width)
    o = end_row(out, o, start, c, width, any_text, markdown)
    if o > start and written == 0 and markdown:
        o = put_rule(out, o, cells)
    return o - 1 if o > begin and out[o - 1] == 10 else o
