"""Nodes of a formula that KaTeX has drawn, as its boxes begin and end: for `katex`.

Legend: K nodes of the formula, ``base`` the column of its first; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.glyphs import code_of_svg, is_letter
from stages.kernels.html.katex_classes import (
    ARROW,
    ATOM,
    BOTTOM_LINE,
    BOX,
    COLUMN,
    FLUSH_RIGHT,
    FRAC,
    INDEX,
    ITALIC,
    LIMITS,
    LIST,
    OVER,
    PIECES,
    REL,
    ROOT_SIGN,
    SCRIPTS,
    STROKE,
    TABLE,
    TEXT,
    TOP_LINE,
    UNDER,
    VARIANT,
    has_left_margin,
    read_size,
)
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
from stages.kernels.html.symbols import V_NORMAL
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

OWN, IN_TEXT, ITEMS, ITEM, IN_STROKE, ROLES = 1, 2, 4, 8, 16, 5
"""Of an open element: it has a node of its own, stands in words, holds items, is one, is laid over what stands before; then the bits of its classes."""
SWAPPED, WITH_LIMITS, WITH_SCRIPTS, IN_PIECES = 1, 2, 4, 8
"""In `M_OPEN`: the first two children stand in the other order in MathML; children are limits, or scripts; only the first piece counts. Of a cell its place."""


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
    """Text at ``data[pos:lt]`` in node ``now``: number of nodes, -1 if none may stand there."""
    while pos < lt and is_space(data[pos]):
        pos += 1
    if pos >= lt:
        return K
    c = base + now
    if MI <= nodes[M_KIND, c] <= MS and nodes[M_AT, c] == 0:
        nodes[M_TO, c] = lt  # lim sup, with a space between
        return K
    if nodes[M_KIND, c] > MACTION and nodes[M_KIND, c] != MTD:
        return -1
    mask = role >> ROLES
    variant = mask >> VARIANT
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
    """Mark the holder of item ``now`` as boxed or struck."""
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
def begin_box(data, is_item, mask, before, now, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """The element just read, an item of a list or not, begins in node ``now``, in one of role ``before``: (its role, number of nodes).

    The role is -1 if it is left out, the number if it cannot be read.
    """
    role = (
        (before & (IN_TEXT | IN_STROKE))
        | (IN_TEXT if mask & TEXT else 0)
        | (IN_STROKE if mask & STROKE else 0)
        | (ITEMS if mask & LIST else 0)
        | mask << ROLES
    )
    c = base + now
    if MI <= nodes[M_KIND, c] <= MS and (is_item or kind_of_box(mask)[0]):
        return role, -1  # beside letters
    if is_item:
        marks = 0 if nodes[M_KIND, c] == MTD else nodes[M_OPEN, c]
        if marks & IN_PIECES and nodes[M_AT, c] > 0:
            return -1, K
        if marks & WITH_LIMITS and not has_left_margin(data, W):
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
