"""A formula that KaTeX has drawn, read back into the tree that `formulas` writes: for `written_formulas`, where no TeX and no MathML stands in the page
(``output: 'html'``).

Its output is boxes. Their classes tell what they are (`mfrac`, `sqrt`, `msupsub`, `op-limits`, `mtable`, ``mathbb``), and what lies above and below is a
`vlist`: items in the order they are drawn in, each with a ``top`` beside the height of its ``pstrut``; both together say how far it is moved down. Tables are
drawn column by column (`katex_tables`). Stretched brackets, arrows and accents are drawings, recognised by their size (`code_of_svg`). Struts, spaces,
lines and numbers of equations are left out. What is nested deeper than `DEPTH`, does not end or holds anything else is not read.

Price: linear in the element, which is read twice. Legend: K nodes of the formula; T tables, W state. Classes are those of KaTeX 0.10 to 0.17.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import katex_classes as box
from stages.kernels.html import mathml as m
from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.katex_classes import read_box, read_size, top_of_item
from stages.kernels.html.katex_nodes import (
    ITEM,
    ITEMS,
    OWN,
    add_box,
    add_drawing,
    add_letters,
    begin_box,
    end_box,
    place_item,
)
from stages.kernels.html.rendered import read_name
from stages.kernels.html.tables import fnv
from stages.kernels.html.tokens import find_byte, read_attributes, skip_markup
from stages.kernels.jit import lean_inline_kernel as inline_kernel

DEPTH = s.DRAWN_DEPTH
MAX_SVG = 8192
"""Bytes of a drawing in a formula."""
_SPAN, _A, _SVG = (fnv(name) for name in (b"span", b"a", b"svg"))


@inline_kernel
def end_of_svg(data, pos, end):  # type: ignore[no-untyped-def]
    """Position behind the end tag of the `svg` at ``pos``, within `MAX_SVG` bytes; -1."""
    end = min(end, pos + MAX_SVG)
    while pos + 5 < end:
        pos = find_byte(data, pos + 1, end, 60)
        if pos + 5 < end and data[pos + 1] == 47 and data[pos + 2] == 115 and data[pos + 3] == 118:
            return pos + 6
    return -1


@inline_kernel
def open_box(data, found, depth, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """The tag just read begins open element number ``depth``.

    (Number of nodes, -1 if it cannot be read; whether nothing is read inside; whether it has a node.)
    """
    role, now, top, at = np.int64(0), np.int64(0), np.int64(0), s.DRAWN + 3 * depth
    if depth > 0:
        role, now, top = W[at - 3], W[at - 2], W[at - 1]
    node, is_over, mask = now, False, 0
    if (found >> t.CLASS) & 1:
        mask = read_box(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1], T)
    if mask & box.FORMULA:
        K = -1
    elif mask & box.SKIP:
        is_over = True
        if mask & box.STRUT and role & ITEM and not place_item(data, found, now, top, W, nodes, base):
            K = -1
        p = base + nodes[m.PARENT, base + now]
        if mask & box.LINE and nodes[m.KIND, p] == m.MFRAC:
            nodes[m.FLAGS, p] &= ~m.NO_LINE
    else:
        i = top_of_item(data, found, W) if role & ITEMS else -1
        if i >= 0:
            top = read_size(data, i, W[s.SPANS + 2 * t.STYLE_ATTR + 1])
        role, K = begin_box(data, i >= 0, mask, role, now, K, W, T, nodes, base)
        is_over = role < 0
        if not is_over and role & OWN:
            node = K - 1
    W[at], W[at + 1], W[at + 2] = role, node, top
    return K, is_over, node != now


@inline_kernel
def read_boxes(data, pos, end, T, W, nodes):  # type: ignore[no-untyped-def]
    """Read what stands in the `span` of class ``katex-html`` whose start tag ends at ``pos``: (position of its end tag, number of
    nodes); 0 nodes if it cannot be read.

    Open elements stand in ``W[s.DRAWN:]``, three numbers each: role, node, ``top`` of an item. Nothing is read inside the one ``over``.
    """
    base, depth, over, num_tags, level = W[s.NODES], 0, -1, 1, 1
    K = add_box(data, 0, 0, m.MATH, W, T, nodes, base)
    while pos < end and K > 0:
        lt = find_byte(data, pos, end, 60)
        role = W[s.DRAWN + 3 * depth - 3] if depth > 0 else 0
        now = W[s.DRAWN + 3 * depth - 2] if depth > 0 else 0
        if over < 0:
            K = add_letters(data, pos, lt, now, role, K, W, T, nodes, base)
        pos = lt
        if pos + 2 >= end or K < 0:
            break
        num_tags += 1
        if data[pos + 1] == 33:
            pos = skip_markup(data, pos, end)
            continue
        if data[pos + 1] == 47:
            if depth == 0:
                nodes[m.END, base] = K
                return pos, K
            depth -= 1
            if over == depth:
                over = -1
            elif over < 0 and role & OWN:
                level -= 1
                K = end_box(now, role, K, num_tags, nodes, base)
            pos = find_byte(data, pos, end, 62) + 1
            continue
        after, h, _ = read_name(data, pos + 1, end)
        if h != _SPAN and h != _A and h != _SVG:
            break
        after, found, empty = read_attributes(data, after, end, T, W)
        if after < 0 or empty or depth >= DEPTH or level + 3 >= s.MATH_DEPTH:
            break
        if h == _SVG:
            stop = end_of_svg(data, after - 1, end)
            if stop < 0:
                break
            if over < 0:
                K = add_drawing(data, pos, after, stop, now, K, W, T, nodes, base)
            pos = stop
            continue
        if over < 0:
            K, is_over, has_node = open_box(data, found, depth, K, W, T, nodes, base)
            over = depth if is_over else -1
            level += has_node
        depth += 1
        pos = after
    return end, 0
