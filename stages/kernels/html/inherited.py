"""Properties that each element takes from those around it: its containers, the row and cell, the item and its indent, the code, the section.

For `features`, which asks what a block stands in, and for the writer (`text`, `rows`, `items`). Rows of ``inherited_IM`` are the `I_*` of each node;
elements are named by their number in the page, `_NONE` where there is none.

Legend: M nodes of the page; L table of logarithms and bits (`features.measure_tables`).
"""

from __future__ import annotations

from stages.kernels.html import layout as h
from stages.kernels.html import tokens as t
from stages.kernels.html.kinds import CODE, GRID
from stages.kernels.html.measures import NUM_LOGS, SUM_CHARS
from stages.kernels.jit import lean_inline_kernel as inline_kernel

INSIDE = {
    "article": (t.ARTICLE,), "main": (t.MAIN,), "nav": (t.NAV,), "aside": (t.ASIDE,), "header": (t.HEADER,),
    "footer": (t.FOOTER,), "form": (t.FORM, t.FIELDSET), "list": (t.UL, t.OL, t.MENU), "item": (t.LI,), "table": (t.TABLE,),
    "quote": (t.BLOCKQUOTE,), "figure": (t.FIGURE, t.FIGCAPTION), "pre": (t.PRE, t.LISTING), "definitions": (t.DL,),
    "button": (t.BUTTON, t.SUMMARY), "noscript": (t.NOSCRIPT,), "heading": (t.H1, t.H2, t.H3, t.H4, t.H5, t.H6),
    "paragraph": (t.P,), "section": (t.SECTION,), "dialog": (t.DIALOG, t.VIDEO, t.AUDIO, t.CANVAS),
}  # fmt: skip
"""Names of what a block may stand in, and the elements that say so: bits of `I_INSIDE`."""
ELEMENTS, NUM_ELEMENTS = NUM_LOGS, 128
"""Where bits of elements stand in ``L``, and how many there are."""
I_HINTS, I_INSIDE, I_TABLE, I_ROW, I_CELL, I_ITEM, I_PRE, I_SECTION, I_QUOTE, I_INDENT, I_CONTENT = range(11)
INHERITED = 11
"""`I_INDENT` and `I_CONTENT`: spaces before the items of the innermost list, and before what stands in them."""
MAX_INDENT, LEVEL_INDENT = 24, 3
_NONE = -1


@inline_kernel
def inherit(nodes, first, last, inherited, L, chars_total, measures, base):  # type: ignore[no-untyped-def]
    """Fill in what each node takes from those around it; a parent stands before its children."""
    for n in range(first, last):
        m = n - first
        tag, parent = nodes[h.TAG, n], nodes[h.PARENT, n] - first
        if n == first:
            for row in range(INHERITED):
                inherited[row, m] = _NONE
            inherited[I_HINTS, m] = 0
            inherited[I_INSIDE, m] = 0
            inherited[I_SECTION, m] = m
            inherited[I_INDENT, m] = 0
            inherited[I_CONTENT, m] = 0
            continue
        for row in range(INHERITED):
            inherited[row, m] = inherited[row, parent]
        inherited[I_HINTS, m] |= nodes[h.HINTS, n]
        inherited[I_INSIDE, m] |= L[ELEMENTS + tag]
        if tag == t.TABLE:
            inherited[I_TABLE, m] = m
            inherited[I_ROW, m] = _NONE
            inherited[I_CELL, m] = _NONE
        elif tag == t.TR:
            inherited[I_ROW, m] = m
        elif t.TD <= tag <= t.CAPTION:
            inherited[I_CELL, m] = m
            if tag == t.TD and nodes[h.TAG, parent + first] == t.TABLE and nodes[h.KINDS, parent + first] & GRID:
                inherited[I_ROW, m] = m - nodes[h.LEVEL, n]
        elif tag == t.LI or tag == t.DD or tag == t.DT:
            inherited[I_ITEM, m] = m
            inherited[I_INDENT, m] += LEVEL_INDENT * nodes[h.LEVEL, n]
        elif tag == t.UL or tag == t.OL or tag == t.MENU:
            width = 3 if tag == t.OL else 2
            inherited[I_INDENT, m] = min(MAX_INDENT, inherited[I_CONTENT, m] + LEVEL_INDENT * nodes[h.LEVEL, n])
            inherited[I_CONTENT, m] = min(MAX_INDENT, inherited[I_INDENT, m] + width)
        elif tag == t.BLOCKQUOTE:
            inherited[I_QUOTE, m] = m
        elif (tag == t.PRE or tag == t.LISTING) and inherited[I_PRE, m] < 0:
            inherited[I_PRE, m] = m
        if nodes[h.KINDS, n] & CODE and inherited[I_PRE, m] < 0:
            inherited[I_PRE, m] = m
        held = measures[SUM_CHARS, nodes[h.LAST_BLOCK, n] - base] - measures[SUM_CHARS, nodes[h.FIRST_BLOCK, n] - base]
        if held * 3 >= chars_total:
            inherited[I_SECTION, m] = m
