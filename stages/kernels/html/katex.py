"""A formula that KaTeX has drawn, read back into the tree that `formulas` writes: for `written_formulas`, where no TeX and no MathML stands in the page
(``output: 'html'``).

Its output is boxes. Their classes tell what they are (`mfrac`, `sqrt`, `msupsub`, `op-limits`, `mtable`, ``mathbb``), and what lies above and below is a
`vlist`: items in the order they are drawn in, each with a ``top`` beside the height of its ``pstrut``; both together say how far it is moved down. Tables are
drawn column by column (`katex_tables`). Stretched brackets, arrows and accents are drawings, told by their size (`code_of_svg`). Struts, spaces,
lines and numbers of equations are left out. What is nested deeper than `DEPTH`, does not end or holds anything else is not read.

Price: linear in the element, which is read twice. Legend: K nodes of the formula; T tables, W state. Classes are those of KaTeX 0.10 to 0.17.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.katex_tables import in_rows, swap_first
from stages.kernels.html.mathml import (
    IN_BOX,
    LINE_ABOVE,
    LINE_BELOW,
    M_AT,
    M_CLOSE,
    M_END,
    M_FLAGS,
    M_FROM,
    M_INDEX,
    M_KIND,
    M_OPEN,
    M_PARENT,
    M_SECOND,
    M_TO,
    MACTION,
    MATH,
    MENCLOSE,
    MFRAC,
    MI,
    MN,
    MO,
    MODE,
    MOVER,
    MROOT,
    MROW,
    MS,
    MSQRT,
    MSUB,
    MSUBSUP,
    MSUP,
    MTABLE,
    MTD,
    MTEXT,
    MTR,
    MUNDER,
    MUNDEROVER,
    NO_LINE,
    RELATION,
    RIGHT,
    STRUCK,
    add_math_node,
)
from stages.kernels.html.rendered import read_name
from stages.kernels.html.symbols import V_BOLD, V_BOLD_ITALIC, V_DOUBLE, V_FRAKTUR, V_MONO, V_NORMAL, V_SANS, V_SCRIPT
from stages.kernels.html.tables import BOX_SIZE, BOX_TABLE, FNV_START, build_table, fnv, look_up, mix
from stages.kernels.html.tex_output import code_of_svg, is_letter
from stages.kernels.html.tokens import find_byte, is_space, read_attributes, skip_markup
from stages.kernels.jit import lean_inline_kernel as inline_kernel

DEPTH = s.DRAWN_DEPTH
MAX_SVG = 8192
"""Bytes of a drawing in a formula."""
(ATOM, REL, SKIP, STRUT, LINE, FRAC, ROOT_SIGN, INDEX, SCRIPTS, LIMITS, OVER, UNDER, TOP_LINE, BOTTOM_LINE, ARROW, TABLE, COLUMN, FLUSH_RIGHT, LIST, PIECES,
 BOX, TEXT, ITALIC, FORMULA, STROKE) = (1 << bit for bit in range(25))  # fmt: skip
_VARIANT = 25
_WORDS = {
    ATOM: "mord mop mbin mopen mclose mpunct minner",
    ATOM | REL: "mrel",
    SKIP: "strut mspace vlist-s nulldelimiter arraycolsep overline-line underline-line tag eqn-num fix brace-center brace-right vertical-separator hline hdashline",
    SKIP | STRUT: "pstrut",
    SKIP | LINE: "frac-line",
    FRAC: "mfrac",
    ROOT_SIGN: "sqrt",
    INDEX: "root",
    SCRIPTS: "msupsub",
    LIMITS: "op-limits",
    OVER: "accent mover",
    UNDER: "munder accentunder",
    TOP_LINE: "overline",
    BOTTOM_LINE: "underline",
    ARROW: "x-arrow",
    TABLE: "mtable",
    COLUMN: "col-align-c col-align-l",
    COLUMN | FLUSH_RIGHT: "col-align-r",
    LIST: "vlist",
    PIECES: "mult",
    BOX: "fbox",
    TEXT: "text",
    ITALIC: "mathnormal mathit mathdefault amsrm",
    STROKE: "llap",
    FORMULA: "html",  # behind `katex-`
    V_NORMAL << _VARIANT: "mathrm textrm",
    V_BOLD << _VARIANT: "mathbf textbf",
    V_BOLD_ITALIC << _VARIANT: "boldsymbol",
    V_DOUBLE << _VARIANT: "mathbb",
    V_SCRIPT << _VARIANT: "mathcal mathscr",
    V_FRAKTUR << _VARIANT: "mathfrak",
    V_SANS << _VARIANT: "mathsf textsf",
    V_MONO << _VARIANT: "mathtt texttt",
}
_SPAN, _A, _SVG = (fnv(name) for name in (b"span", b"a", b"svg"))
_PREFIX = fnv(b"katex-")
OWN, IN_TEXT, ITEMS, ITEM, IN_STROKE, _ROLES = 1, 2, 4, 8, 16, 5
"""Of an open element: it has a node of its own, stands in words, holds items, is one, is laid over what stands before; then the bits of its classes."""
SWAPPED, WITH_LIMITS, WITH_SCRIPTS, IN_PIECES = 1, 2, 4, 8
"""In `M_OPEN`: the first two children stand in the other order in MathML; children are limits, or scripts; only the first piece counts. Of a cell its place."""


def fill_box_table(T: npt.NDArray[np.int64]) -> None:
    """Write what the classes of KaTeX mean into ``T``."""
    masks = {word.encode(): mask for mask, words in _WORDS.items() for word in words.split()}
    T[BOX_TABLE : BOX_TABLE + 2 * BOX_SIZE] = build_table(list(masks), BOX_SIZE, list(masks.values()))


@inline_kernel
def read_box(data, start, stop, T):  # type: ignore[no-untyped-def]
    """What the words of a class mean; ``katex-`` before a word is passed over."""
    mask, i = 0, start
    while i < stop:
        h = FNV_START
        while i < stop and not is_space(data[i]):
            h = mix(h, data[i])
            i += 1
            if h == _PREFIX:
                h = FNV_START
        mask |= max(0, look_up(T, BOX_TABLE, BOX_SIZE, h))
        i += 1
    return mask


@inline_kernel
def read_size(data, i, stop):  # type: ignore[no-untyped-def]
    """The number at ``i``, behind white space, in ten-thousandths."""
    while i < stop and data[i] == 32:
        i += 1
    negative = i < stop and data[i] == 45
    i += negative
    value, places = np.int64(0), -1
    while i < stop and value < 1 << 40 and (48 <= data[i] <= 57 or data[i] == 46):
        if data[i] == 46:
            places = 0 if places < 0 else places
        elif places < 4:
            value = 10 * value + np.int64(data[i]) - 48
            places += places >= 0
        i += 1
    for _ in range(4 - max(0, places)):
        value *= 10
    return -value if negative else value


@inline_kernel
def begins_item(data, found, W):  # type: ignore[no-untyped-def]
    """Whether the style of the tag just read begins with ``top:``."""
    if not (found >> t.STYLE_ATTR) & 1:
        return False
    i = W[s.SPANS + 2 * t.STYLE_ATTR]
    stop = W[s.SPANS + 2 * t.STYLE_ATTR + 1]
    return i + 4 < stop and data[i] == 116 and data[i + 1] == 111 and data[i + 2] == 112 and data[i + 3] == 58


@inline_kernel
def has_left_margin(data, W):  # type: ignore[no-untyped-def]
    """Whether the style of the tag just read holds ``margin-left``: of what stands above or below an operator."""
    for i in range(W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1] - 2):
        if data[i] == 110 and data[i + 1] == 45 and data[i + 2] == 108:
            return True
    return False


@inline_kernel
def place_item(data, found, item, top, W, nodes, base):  # type: ignore[no-untyped-def]
    """At the ``pstrut`` of node ``item``, whose ``top`` is known: what its place says of its parent. False if it cannot be."""
    if not (found >> t.STYLE_ATTR) & 1:
        return False
    shift = top + read_size(data, W[s.SPANS + 2 * t.STYLE_ATTR] + 7, W[s.SPANS + 2 * t.STYLE_ATTR + 1])  # height:
    c = base + item
    p = base + nodes[M_PARENT, c]
    nodes[M_CLOSE, c] = 1
    if nodes[M_KIND, c] == MTD:
        nodes[M_OPEN, c] = shift
    elif nodes[M_OPEN, p] & WITH_SCRIPTS and nodes[M_KIND, p] != MTD:
        if nodes[M_INDEX, c] == 1:
            nodes[M_KIND, p] = MSUB if shift > 0 else MSUP
        elif nodes[M_INDEX, c] == 2 and nodes[M_KIND, p] == MSUB and shift <= 0:
            nodes[M_KIND, p] = MSUBSUP
        else:
            return False
    return True


@inline_kernel
def add_box(data, K, parent, kind, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Add node ``K``: number of nodes."""
    add_math_node(data, nodes, base, K, parent, kind, W, T, 0)
    nodes[M_OPEN, base + K] = nodes[M_CLOSE, base + K] = 0
    nodes[M_FLAGS, base + K] = 0
    return K + 1


@inline_kernel
def kind_of_box(mask):  # type: ignore[no-untyped-def]
    """(MathML element that a box draws, 0 if none; its `M_OPEN`; its `M_FLAGS`)."""
    if mask & FRAC:
        return MFRAC, SWAPPED, NO_LINE
    if mask & ROOT_SIGN:
        return MSQRT, 0, 0
    if mask & LIMITS:
        return MROW, WITH_LIMITS, 0
    if mask & OVER:
        return MOVER, 0, 0
    if mask & (UNDER | ARROW):
        return (MUNDER if mask & UNDER else MOVER), SWAPPED, 0
    if mask & (TOP_LINE | BOTTOM_LINE):
        return MENCLOSE, 0, MODE * (LINE_ABOVE if mask & TOP_LINE else LINE_BELOW)
    if mask & TABLE:
        return MTABLE, 0, 0
    if mask & COLUMN:
        return MTR, 0, 0
    return (MROW if mask & (ATOM | INDEX) else 0), 0, 0


@inline_kernel
def leaf_at(data, now, kind, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Make node ``now`` a leaf of ``kind`` if it is an empty row, else add one to it: (its column, number of nodes)."""
    c = base + now
    if now > 0 and nodes[M_KIND, c] == MROW and nodes[M_AT, c] == 0 and nodes[M_OPEN, c] == 0:
        nodes[M_KIND, c] = kind
        return c, K
    return base + K, add_box(data, K, now, kind, W, T, nodes, base)


@inline_kernel
def add_letters(data, pos, lt, now, role, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Text at ``data[pos:lt]`` in node ``now``: number of nodes."""
    while pos < lt and is_space(data[pos]):
        pos += 1
    if pos >= lt:
        return K
    c = base + now
    if MI <= nodes[M_KIND, c] <= MS:
        nodes[M_TO, c] = lt  # lim sup, with a space between
        return K
    mask = role >> _ROLES
    variant = mask >> _VARIANT
    if role & IN_TEXT:
        kind = MTEXT
    elif mask & ITALIC or 48 <= data[pos] <= 57:
        kind = MN
    else:
        kind = MI if is_letter(data[pos]) else MO
    if kind == MI and variant == 0:
        variant = V_NORMAL
    c, K = leaf_at(data, now, kind, K, W, T, nodes, base)
    nodes[M_FROM, c], nodes[M_TO, c] = pos, lt
    nodes[M_FLAGS, c] = variant | (RELATION if mask & REL or role & IN_STROKE else 0)
    if role & IN_STROKE and data[pos] == 47:
        note_stroke(c, nodes, base)
    return K


@inline_kernel
def note_stroke(c, nodes, base):  # type: ignore[no-untyped-def]
    """Leaf ``c`` is a stroke over the sign before it, which it stands before in TeX."""
    while nodes[M_INDEX, c] == 0 and nodes[M_KIND, base + nodes[M_PARENT, c]] == MROW:
        c = base + nodes[M_PARENT, c]
    p = base + nodes[M_PARENT, c]
    if nodes[M_INDEX, c] == 1 and nodes[M_KIND, p] == MROW and nodes[M_OPEN, p] == 0:
        nodes[M_OPEN, p] = SWAPPED


@inline_kernel
def add_drawing(data, pos, after, stop, now, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """The `svg` at ``data[pos:stop]``, whose start tag ends at ``after``, in node ``now``: number of nodes."""
    if code_of_svg(data, pos, stop):
        c, K = leaf_at(data, now, MO, K, W, T, nodes, base)
        nodes[M_FROM, c], nodes[M_TO, c] = pos, stop
    elif after + 3 < stop and data[after + 1] == 108 and data[after + 2] == 105:  # line
        enclose(now, STRUCK, nodes, base)
    return K


@inline_kernel
def enclose(now, mode, nodes, base):  # type: ignore[no-untyped-def]
    """What holds item ``now`` is boxed or struck."""
    p = base + nodes[M_PARENT, base + now]
    if nodes[M_KIND, p] == MROW and nodes[M_OPEN, p] == 0:
        nodes[M_KIND, p] = MENCLOSE
        nodes[M_FLAGS, p] = MODE * mode


@inline_kernel
def set_limits(c, nodes, base):  # type: ignore[no-untyped-def]
    """The kind of column ``c``, an operator with limits that has been read."""
    num, place = nodes[M_AT, c], nodes[M_CLOSE, c]
    if place == 1 and 2 <= num <= 3:
        nodes[M_KIND, c] = MUNDER if num == 2 else MUNDEROVER
        swap_first(nodes, base, c - base)
    elif place == 0 and num == 2:
        nodes[M_KIND, c] = MOVER


@inline_kernel
def end_box(k, role, K, room, nodes, base):  # type: ignore[no-untyped-def]
    """Node ``k`` has been read: number of nodes, -1 if it cannot be."""
    c = base + k
    nodes[M_END, c] = K
    kind, p = nodes[M_KIND, c], base + nodes[M_PARENT, c]
    if role & ITEM and kind == MROW and k + 1 == K and nodes[M_FROM, c] < 0:  # held a line alone
        nodes[M_AT, p] -= 1
        if nodes[M_INDEX, c] == 1:
            nodes[M_SECOND, p] = 0
        return k
    if role & ITEM and nodes[M_CLOSE, c] == 0:  # nothing says where it lies: KaTeX before 0.10
        return -1
    if kind == MTABLE:
        K = in_rows(nodes, base, k, K, room)
        nodes[M_END, c] = K
    elif kind != MTD and nodes[M_OPEN, c] & WITH_LIMITS:
        set_limits(c, nodes, base)
    elif kind == MROOT or (kind in (MROW, MFRAC, MUNDER, MOVER) and nodes[M_OPEN, c] & SWAPPED):
        swap_first(nodes, base, k)
    return K


@inline_kernel
def begin_scripts(data, now, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Scripts begin in node ``now``: number of nodes, -1 if it is not one thing that has them."""
    c = base + now
    if nodes[M_KIND, c] != MROW or nodes[M_OPEN, c] != 0 or nodes[M_FROM, c] >= 0 or nodes[M_AT, c] > 1 or now == 0:
        return -1
    if nodes[M_AT, c] == 0:
        K = add_box(data, K, now, MROW, W, T, nodes, base)
    nodes[M_OPEN, c] = WITH_SCRIPTS
    return K


@inline_kernel
def begin_box(data, found, mask, before, now, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """The element just read begins in node ``now``, in one of role ``before``: (its role, number of nodes). The role is -1 if it is left out, K if it cannot be read."""
    role = (
        (before & (IN_TEXT | IN_STROKE))
        | (IN_TEXT if mask & TEXT else 0)
        | (IN_STROKE if mask & STROKE else 0)
        | (ITEMS if mask & LIST else 0)
        | mask << _ROLES
    )
    c = base + now
    if before & ITEMS:
        if not begins_item(data, found, W) or (nodes[M_OPEN, c] & IN_PIECES and nodes[M_AT, c] > 0):
            return -1, K
        if nodes[M_OPEN, c] & WITH_LIMITS and not has_left_margin(data, W):
            nodes[M_CLOSE, c] = nodes[M_AT, c]
        kind = MTD if nodes[M_KIND, c] == MTR else MROW
        return role | OWN | ITEM, add_box(data, K, now, kind, W, T, nodes, base)
    if mask & SCRIPTS:
        return role, begin_scripts(data, now, K, W, T, nodes, base)
    if mask & PIECES and nodes[M_KIND, c] == MROW:
        nodes[M_OPEN, c] |= IN_PIECES
    if mask & BOX:
        enclose(now, IN_BOX, nodes, base)
    kind, order, flags = kind_of_box(mask)
    if kind == 0:
        return role, K
    if mask & INDEX and nodes[M_KIND, c] == MSQRT:
        nodes[M_KIND, c] = MROOT
    if mask & FLUSH_RIGHT and nodes[M_AT, c] == 0:
        nodes[M_FLAGS, c] |= RIGHT
    if kind == MTR and nodes[M_KIND, c] != MTABLE:
        return role, -1
    K = add_box(data, K, now, kind, W, T, nodes, base)
    nodes[M_OPEN, base + K - 1], nodes[M_FLAGS, base + K - 1] = order, flags
    return role | OWN, K


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
def read_boxes(data, pos, end, T, W, nodes):  # type: ignore[no-untyped-def]
    """Read what stands in the `span` of class ``katex-html`` whose start tag ends at ``pos``: (position of its end tag, number of nodes); 0 nodes if it cannot be read.

    Open elements stand in ``W[s.DRAWN:]``, three numbers each: role, node, ``top`` of an item. Nothing is read inside the one ``over``.
    """
    base, depth, over, num_tags, level = W[s.NODES], 0, -1, 1, 1
    K = add_box(data, 0, 0, MATH, W, T, nodes, base)
    while pos < end and K > 0:
        lt = find_byte(data, pos, end, 60)
        role = W[s.DRAWN + 3 * depth - 3] if depth > 0 else 0
        now = W[s.DRAWN + 3 * depth - 2] if depth > 0 else 0
        if over < 0 and (
            MI <= nodes[M_KIND, base + now] <= MS
            or nodes[M_KIND, base + now] <= MACTION
            or nodes[M_KIND, base + now] == MTD
        ):
            K = add_letters(data, pos, lt, now, role, K, W, T, nodes, base)
        pos = lt
        if pos + 2 >= end:
            break
        num_tags += 1
        if data[pos + 1] == 33:
            pos = skip_markup(data, pos, end)
            continue
        if data[pos + 1] == 47:
            if depth == 0:
                nodes[M_END, base] = K
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
        top = W[s.DRAWN + 3 * depth - 1] if depth > 0 else 0
        node = now
        if over < 0:
            mask = (
                read_box(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1], T)
                if (found >> t.CLASS) & 1
                else 0
            )
            if mask & FORMULA:
                break
            if mask & SKIP:
                over = depth
                if mask & STRUT and role & ITEM and not place_item(data, found, now, top, W, nodes, base):
                    break
                p = base + nodes[M_PARENT, base + now]
                if mask & LINE and nodes[M_KIND, p] == MFRAC:
                    nodes[M_FLAGS, p] &= ~NO_LINE
            else:
                if role & ITEMS and begins_item(data, found, W):
                    top = read_size(data, W[s.SPANS + 2 * t.STYLE_ATTR] + 4, W[s.SPANS + 2 * t.STYLE_ATTR + 1])
                role, K = begin_box(data, found, mask, role, now, K, W, T, nodes, base)
                if role < 0:
                    over = depth
                elif role & OWN:
                    node = K - 1
                    level += 1
        W[s.DRAWN + 3 * depth], W[s.DRAWN + 3 * depth + 1], W[s.DRAWN + 3 * depth + 2] = role, node, top
        depth += 1
        pos = after
    return end, 0
