"""Nodes of a formula that KaTeX has drawn, as its boxes begin and end: for `katex`.

Legend: K nodes of the formula, ``base`` the column of its first; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import katex_classes as box
from stages.kernels.html import mathml as m
from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.glyphs import code_of_svg, is_letter
from stages.kernels.html.katex_classes import has_left_margin, read_size
from stages.kernels.html.katex_tables import in_rows, swap_first
from stages.kernels.html.mathml import add_math_node
from stages.kernels.html.symbols import V_NORMAL
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

OWN, IN_TEXT, ITEMS, ITEM, IN_STROKE, ROLES = 1, 2, 4, 8, 16, 5
"""Of an open element: it has a node of its own, stands in words, holds items, is one, is laid over what stands before; then the bits of its classes."""
SWAPPED, WITH_LIMITS, WITH_SCRIPTS, IN_PIECES = 1, 2, 4, 8
"""In `m.OPEN`: the first two children stand in the other order in MathML; children are limits, or scripts; only the first piece counts. Of a cell its place."""


@inline_kernel
def place_item(data, found, item, top, W, nodes, base):  # type: ignore[no-untyped-def]
    """At the ``pstrut`` of node ``item``, whose ``top`` is known: what its place says of its parent. False if it cannot be."""
    if not (found >> t.STYLE_ATTR) & 1:
        return False
    shift = top + read_size(data, W[s.SPANS + 2 * t.STYLE_ATTR] + 7, W[s.SPANS + 2 * t.STYLE_ATTR + 1])  # height:
    c = base + item
    p = base + nodes[m.PARENT, c]
    nodes[m.CLOSE, c] = 1
    if nodes[m.KIND, c] == m.MTD:
        nodes[m.OPEN, c] = shift
    elif nodes[m.OPEN, p] & WITH_SCRIPTS and nodes[m.KIND, p] != m.MTD:
        if nodes[m.INDEX, c] == 1:
            nodes[m.KIND, p] = m.MSUB if shift > 0 else m.MSUP
        elif nodes[m.INDEX, c] == 2 and nodes[m.KIND, p] == m.MSUB and shift <= 0:
            nodes[m.KIND, p] = m.MSUBSUP
        else:
            return False
    return True


@inline_kernel
def add_box(data, K, parent, kind, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Add node ``K``: number of nodes."""
    add_math_node(data, nodes, base, K, parent, kind, W, T, 0)
    nodes[m.OPEN, base + K] = nodes[m.CLOSE, base + K] = 0
    nodes[m.FLAGS, base + K] = 0
    return K + 1


@inline_kernel
def kind_of_box(mask):  # type: ignore[no-untyped-def]
    """(MathML element that a box draws, 0 if none; its `m.OPEN`; its `m.FLAGS`)."""
    if mask & box.FRAC:
        return m.MFRAC, SWAPPED, m.NO_LINE
    if mask & box.ROOT_SIGN:
        return m.MSQRT, 0, 0
    if mask & box.LIMITS:
        return m.MROW, WITH_LIMITS, 0
    if mask & box.OVER:
        return m.MOVER, 0, 0
    if mask & (box.UNDER | box.ARROW):
        return (m.MUNDER if mask & box.UNDER else m.MOVER), SWAPPED, 0
    if mask & (box.TOP_LINE | box.BOTTOM_LINE):
        return m.MENCLOSE, 0, m.MODE * (m.LINE_ABOVE if mask & box.TOP_LINE else m.LINE_BELOW)
    if mask & box.TABLE:
        return m.MTABLE, 0, 0
    if mask & box.COLUMN:
        return m.MTR, 0, 0
    return (m.MROW if mask & (box.ATOM | box.INDEX) else 0), 0, 0


@inline_kernel
def leaf_at(data, now, kind, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Make node ``now`` a leaf of ``kind`` if it is an empty row, else add one to it: (its column, number of nodes)."""
    c = base + now
    if now > 0 and nodes[m.KIND, c] == m.MROW and nodes[m.AT, c] == 0 and nodes[m.OPEN, c] == 0:
        nodes[m.KIND, c] = kind
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
    if m.MI <= nodes[m.KIND, c] <= m.MS and nodes[m.AT, c] == 0:
        nodes[m.TO, c] = lt  # lim sup, with a space between
        return K
    if nodes[m.KIND, c] > m.MACTION and nodes[m.KIND, c] != m.MTD:
        return -1
    mask = role >> ROLES
    variant = mask >> box.VARIANT
    if role & IN_TEXT:
        kind = m.MTEXT
    elif mask & box.ITALIC or 48 <= data[pos] <= 57:
        kind = m.MN
    else:
        kind = m.MI if is_letter(data[pos]) else m.MO
    if kind == m.MI and variant == 0:
        variant = V_NORMAL
    c, K = leaf_at(data, now, kind, K, W, T, nodes, base)
    nodes[m.FROM, c], nodes[m.TO, c] = pos, lt
    nodes[m.FLAGS, c] = variant | (m.RELATION if mask & box.REL or role & IN_STROKE else 0)
    if role & IN_STROKE and data[pos] == 47:
        note_stroke(c, nodes, base)
    return K


@inline_kernel
def note_stroke(c, nodes, base):  # type: ignore[no-untyped-def]
    """Leaf ``c`` is a stroke over the sign before it, which it stands before in TeX."""
    while nodes[m.INDEX, c] == 0 and nodes[m.KIND, base + nodes[m.PARENT, c]] == m.MROW:
        c = base + nodes[m.PARENT, c]
    p = base + nodes[m.PARENT, c]
    if nodes[m.INDEX, c] == 1 and nodes[m.KIND, p] == m.MROW and nodes[m.OPEN, p] == 0:
        nodes[m.OPEN, p] = SWAPPED


@inline_kernel
def add_drawing(data, pos, after, stop, now, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """The `svg` at ``data[pos:stop]``, whose start tag ends at ``after``, in node ``now``: number of nodes."""
    if code_of_svg(data, pos, stop):
        c, K = leaf_at(data, now, m.MO, K, W, T, nodes, base)
        nodes[m.FROM, c], nodes[m.TO, c] = pos, stop
    elif after + 3 < stop and data[after + 1] == 108 and data[after + 2] == 105:  # line
        enclose(now, m.STRUCK, nodes, base)
    return K


@inline_kernel
def enclose(now, mode, nodes, base):  # type: ignore[no-untyped-def]
    """Mark the holder of item ``now`` as boxed or struck."""
    p = base + nodes[m.PARENT, base + now]
    if nodes[m.KIND, p] == m.MROW and nodes[m.OPEN, p] == 0:
        nodes[m.KIND, p] = m.MENCLOSE
        nodes[m.FLAGS, p] = m.MODE * mode


@inline_kernel
def set_limits(c, nodes, base):  # type: ignore[no-untyped-def]
    """The kind of column ``c``, an operator with limits that has been read."""
    num, place = nodes[m.AT, c], nodes[m.CLOSE, c]
    if place == 1 and 2 <= num <= 3:
        nodes[m.KIND, c] = m.MUNDER if num == 2 else m.MUNDEROVER
        swap_first(nodes, base, c - base)
    elif place == 0 and num == 2:
        nodes[m.KIND, c] = m.MOVER


@inline_kernel
def end_box(k, role, K, room, nodes, base):  # type: ignore[no-untyped-def]
    """Node ``k`` has been read: number of nodes, -1 if it cannot be."""
    c = base + k
    nodes[m.END, c] = K
    kind, p = nodes[m.KIND, c], base + nodes[m.PARENT, c]
    if role & ITEM and kind == m.MROW and k + 1 == K and nodes[m.FROM, c] < 0:  # held a line alone
        nodes[m.AT, p] -= 1
        if nodes[m.INDEX, c] == 1:
            nodes[m.SECOND, p] = 0
        return k
    if role & ITEM and nodes[m.CLOSE, c] == 0:  # nothing says where it lies: KaTeX before 0.10
        return -1
    if kind == m.MTABLE:
        K = in_rows(nodes, base, k, K, room)
        nodes[m.END, c] = K
    elif kind != m.MTD and nodes[m.OPEN, c] & WITH_LIMITS:
        set_limits(c, nodes, base)
    elif kind == m.MROOT or (kind in (m.MROW, m.MFRAC, m.MUNDER, m.MOVER) and nodes[m.OPEN, c] & SWAPPED):
        swap_first(nodes, base, k)
    return K


@inline_kernel
def begin_scripts(data, now, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Scripts begin in node ``now``: number of nodes, -1 if it is not one thing that has them."""
    c = base + now
    if nodes[m.KIND, c] != m.MROW or nodes[m.OPEN, c] != 0 or nodes[m.FROM, c] >= 0 or nodes[m.AT, c] > 1 or now == 0:
        return -1
    if nodes[m.AT, c] == 0:
        K = add_box(data, K, now, m.MROW, W, T, nodes, base)
    nodes[m.OPEN, c] = WITH_SCRIPTS
    return K


@inline_kernel
def begin_box(data, is_item, mask, before, now, K, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """The element just read, an item of a list or not, begins in node ``now``, in one of role ``before``: (its role, number of nodes).

    The role is -1 if it is left out, the number if it cannot be read.
    """
    role = (
        (before & (IN_TEXT | IN_STROKE))
        | (IN_TEXT if mask & box.TEXT else 0)
        | (IN_STROKE if mask & box.STROKE else 0)
        | (ITEMS if mask & box.LIST else 0)
        | mask << ROLES
    )
    c = base + now
    if m.MI <= nodes[m.KIND, c] <= m.MS and (is_item or kind_of_box(mask)[0]):
        return role, -1  # beside letters
    if is_item:
        marks = 0 if nodes[m.KIND, c] == m.MTD else nodes[m.OPEN, c]
        if marks & IN_PIECES and nodes[m.AT, c] > 0:
            return -1, K
        if marks & WITH_LIMITS and not has_left_margin(data, W):
            nodes[m.CLOSE, c] = nodes[m.AT, c]
        kind = m.MTD if nodes[m.KIND, c] == m.MTR else m.MROW
        return role | OWN | ITEM, add_box(data, K, now, kind, W, T, nodes, base)
    if mask & box.SCRIPTS:
        return role, begin_scripts(data, now, K, W, T, nodes, base)
    if mask & box.PIECES and nodes[m.KIND, c] == m.MROW:
        nodes[m.OPEN, c] |= IN_PIECES
    if mask & box.BOX:
        enclose(now, m.IN_BOX, nodes, base)
    kind, order, flags = kind_of_box(mask)
    if kind == 0:
        return role, K
    if mask & box.INDEX and nodes[m.KIND, c] == m.MSQRT:
        nodes[m.KIND, c] = m.MROOT
    if mask & box.FLUSH_RIGHT and nodes[m.AT, c] == 0:
        nodes[m.FLAGS, c] |= m.RIGHT
    if kind == m.MTR and nodes[m.KIND, c] != m.MTABLE:
        return role, -1
    K = add_box(data, K, now, kind, W, T, nodes, base)
    nodes[m.OPEN, base + K - 1], nodes[m.FLAGS, base + K - 1] = order, flags
    return role | OWN, K
