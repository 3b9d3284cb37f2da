"""A formula that MathJax 3 has drawn, read back into the tree that `formulas` writes: for `written_formulas`, where no TeX and no MathML stands in the page.

Its output names what it drew: in CHTML the elements are MathML's with `mjx-` before them, and classes are code points (``mjx-c1D465``); in SVG
``data-mml-node`` and ``data-c`` are the same. What stands above is drawn before what it stands above, and superscripts before subscripts; `reorder`
puts them back. Size marks, surds, struts and numbers of equations are left out. What is nested deeper than `DEPTH`, does not end, or has MathML
or TeX beside it is not read.

Price: linear in the element, which is read twice. Legend: K nodes of the formula; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import mathml as m
from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.glyphs import code_of_glyph, glyph_of, is_letter
from stages.kernels.html.mathml import add_math_node
from stages.kernels.html.symbols import V_FRAKTUR, V_MONO, V_NORMAL, V_SANS, V_SCRIPT
from stages.kernels.html.tables import FNV_START, MATH_TABLE, fnv, look_up, mix
from stages.kernels.html.tokens import find_byte, is_space, read_attributes, skip_markup
from stages.kernels.jit import lean_inline_kernel as inline_kernel

DEPTH = s.DRAWN_DEPTH
_CONTAINER, _G, _SVG, _USE, _PATH, _RECT, _LINE = (
    fnv(name) for name in (b"mjx-container", b"g", b"svg", b"use", b"path", b"rect", b"mjx-line")
)
_SOURCES = tuple(fnv(name) for name in (b"math", b"mjx-assistive-mml"))
_LEFT_OUT = tuple(
    fnv(name) for name in (b"mjx-surd", b"mjx-labels", b"defs", b"mjx-speech", b"mjx-mark", b"title", b"desc")
)
_ABOVE = tuple(fnv(name) for name in (b"mjx-over", b"mjx-root"))
_ROLES = tuple(fnv(name) for name in (b"mjx-num", b"mjx-den", b"mjx-over", b"mjx-under", b"mjx-base", b"mjx-root"))
_TEXATOM, _VOID = fnv(b"texatom"), (_USE, _PATH, _RECT)
_PREFIX = fnv(b"mjx-")
OVER_FIRST, LOWER_FIRST = 1, 2
"""In `m.OPEN`: how a node's children stand where MathML has them in another order."""


@inline_kernel
def read_name(data, pos, end):  # type: ignore[no-untyped-def]
    """(position behind the name at ``pos``, its hash, the hash of what stands behind ``mjx-`` in it or 0)."""
    h, inner = FNV_START, 0
    while pos < end and data[pos] != 62 and data[pos] != 47 and not is_space(data[pos]):
        b = data[pos] | 0x20 if 65 <= data[pos] <= 90 else data[pos]
        h = mix(h, b)
        inner = mix(inner, b) if inner else FNV_START if h == _PREFIX else 0
        pos += 1
    return pos, h, inner


@inline_kernel
def kind_of(data, h, inner, found, W, T):  # type: ignore[no-untyped-def]
    """The MathML element that the tag just read draws, 0 if none."""
    if h in (_G, _SVG):
        if not (found >> t.DATA_MML_NODE) & 1:
            return 0
        inner = FNV_START
        for i in range(W[s.SPANS + 2 * t.DATA_MML_NODE], W[s.SPANS + 2 * t.DATA_MML_NODE + 1]):
            inner = mix(inner, data[i] | 0x20 if 65 <= data[i] <= 90 else data[i])
    if inner == 0:
        return 0
    if inner == _TEXATOM:
        return m.MROW
    kind = look_up(T, MATH_TABLE, 256, inner)
    if kind <= 0 or kind >= m.FIRST_VARIANT_NAME:
        return 0
    if kind == m.MFENCED:
        return m.MROW
    return m.MTR if kind == m.MLABELEDTR else kind


@inline_kernel
def reverse(nodes, first, last):  # type: ignore[no-untyped-def]
    """Turn the columns of ``nodes[:, first:last]`` round."""
    last -= 1
    while first < last:
        for row in range(nodes.shape[0]):
            nodes[row, first], nodes[row, last] = nodes[row, last], nodes[row, first]
        first += 1
        last -= 1


@inline_kernel
def exchange(nodes, base, p, a, b, c):  # type: ignore[no-untyped-def]
    """Exchange the children of node ``p`` that are the nodes ``a`` to ``b`` and ``b`` to ``c``."""
    reverse(nodes, base + a, base + b)
    reverse(nodes, base + b, base + c)
    reverse(nodes, base + a, base + c)
    for k in range(a, c):
        shift = a - b if k < a + c - b else c - b
        nodes[m.END, base + k] += shift
        if nodes[m.PARENT, base + k] != p:
            nodes[m.PARENT, base + k] += shift
        if nodes[m.SECOND, base + k]:
            nodes[m.SECOND, base + k] += shift


@inline_kernel
def number_children(nodes, base, p):  # type: ignore[no-untyped-def]
    """Note which child of node ``p``, which has two or more, is which."""
    k, index = p + 1, 0
    nodes[m.SECOND, base + p] = nodes[m.END, base + k]
    while k < nodes[m.END, base + p]:
        nodes[m.INDEX, base + k] = index
        index += 1
        k = nodes[m.END, base + k]


@inline_kernel
def reorder(nodes, base, p):  # type: ignore[no-untyped-def]
    """Put the children of node ``p``, which has been read, into MathML's order."""
    order, end = nodes[m.OPEN, base + p], nodes[m.END, base + p]
    a = p + 1
    if a >= end:
        return
    b = nodes[m.END, base + a]
    if b >= end:
        return
    c = nodes[m.END, base + b]
    if order == OVER_FIRST:
        exchange(nodes, base, p, a, b, end)
    elif (
        order == 0
        and c < end
        and nodes[m.END, base + c] == end
        and nodes[m.KIND, base + p] in (m.MSUBSUP, m.MUNDEROVER)
    ):
        exchange(nodes, base, p, b, c, end)
    number_children(nodes, base, p)


@inline_kernel
def stands_below(data, pos, after):  # type: ignore[no-untyped-def]
    """Whether the tag at ``data[pos:after]`` moves what it holds down: ``translate(1,-2)``."""
    i = find_byte(data, pos, after, 40)
    while i < after and data[i] != 44 and data[i] != 41:
        i += 1
    return i + 1 < after and data[i] == 44 and data[i + 1] == 45


@inline_kernel
def variant_of_font(data, pos, after):  # type: ignore[no-untyped-def]
    """The alphabet that the font of a glyph, ``TEX-C`` and the like, gives to a plain letter; 0: none."""
    for i in range(pos, after - 6):
        if data[i] == 84 and data[i + 1] == 69 and data[i + 2] == 88 and data[i + 3] == 45:
            first, second = data[i + 4], data[i + 5]
            if first == 67:
                return V_SCRIPT
            if first == 70:
                return V_FRAKTUR
            if first == 83 and second == 83:
                return V_SANS
            return V_MONO if first == 84 else 0
    return 0


@inline_kernel
def note_glyph(data, pos, after, nodes, column):  # type: ignore[no-untyped-def]
    """A glyph of a leaf, drawn by the tag at ``data[pos:after]``."""
    code = glyph_of(data, pos, after)
    if code == 0:
        return
    if nodes[m.FROM, column] < 0:
        nodes[m.FROM, column] = pos
        if nodes[m.KIND, column] == m.MI and is_letter(code):
            nodes[m.FLAGS, column] = max(V_NORMAL, variant_of_font(data, pos, after))
    elif nodes[m.KIND, column] == m.MO and is_piece(data, nodes[m.FROM, column], after):
        return
    nodes[m.TO, column] = after


@inline_kernel
def is_piece(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether the glyph at ``pos`` is the first piece of a tall bracket."""
    return 0x239B <= code_of_glyph(data, pos, find_byte(data, pos, end, 62)) <= 0x23B3


@inline_kernel
def end_node(data, k, K, nodes, base):  # type: ignore[no-untyped-def]
    """Node ``k`` has been read: number of nodes, without a surd."""
    c = base + k
    nodes[m.END, c] = K
    p = base + nodes[m.PARENT, c]
    if nodes[m.KIND, c] == m.MO and k > 0 and nodes[m.FROM, c] >= 0 and (nodes[m.KIND, p] in (m.MSQRT, m.MROOT)):
        start = nodes[m.FROM, c]
        if glyph_of(data, start, nodes[m.TO, c]) == 0x221A:
            nodes[m.AT, p] -= 1
            if nodes[m.SECOND, p] == k:
                nodes[m.SECOND, p] = 0
            return k
    if nodes[m.KIND, c] in (m.MSUBSUP, m.MOVER, m.MROOT, m.MUNDEROVER):
        reorder(nodes, base, k)
    return K


@inline_kernel
def note_drawn_text(data, pos, lt, nodes, leaf):  # type: ignore[no-untyped-def]
    """Plain text at ``data[pos:lt]`` in a leaf."""
    while pos < lt and is_space(data[pos]):
        pos += 1
    if pos < lt:
        if nodes[m.FROM, leaf] < 0:
            nodes[m.FROM, leaf] = pos
        nodes[m.TO, leaf] = lt


@inline_kernel
def end_drawn(data, h, depth, over, K, W, nodes, base):  # type: ignore[no-untyped-def]
    """The end tag of an element named ``h``: closes the innermost that is open, and all in it. (how many stay open, ``over``, number of nodes)."""
    k = 0 if h == _CONTAINER else depth - 1
    while k >= 0 and h != _CONTAINER and W[s.DRAWN + 3 * k] != h:
        k -= 1
    while k >= 0 and depth > k:
        depth -= 1
        node = W[s.DRAWN + 3 * depth + 1]
        if over == depth:
            over = -1
        elif over < 0 and node >= 0 and (depth == 0 or W[s.DRAWN + 3 * depth - 2] != node):
            K = end_node(data, node, K, nodes, base)
    return depth, over, K


@inline_kernel
def begins_node(data, h, inner, found, K, now, is_svg, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """The MathML element that the tag just read begins in node ``now``; 0: none."""
    kind = kind_of(data, h, inner, found, W, T)
    if kind == 0 and h in _ROLES and now >= 0:
        kind = m.MROW
    if kind == m.MUNDER and now >= 0 and nodes[m.KIND, base + now] == m.MUNDEROVER and not is_svg:
        kind = 0  # of what it draws itself
    in_leaf = now >= 0 and m.MI <= nodes[m.KIND, base + now] <= m.MS
    return kind if (kind != m.MATH) != (K == 0) and not in_leaf else 0


@inline_kernel
def is_right(data, pos, after):  # type: ignore[no-untyped-def]
    """Whether the tag at ``data[pos:after]`` says ``text-align: right; padding-right: 0``: the left side of an aligned equation."""
    for i in range(pos, after - 34):
        if data[i] == 97 and data[i + 5] == 58 and data[i + 1] == 108 and data[i + 2] == 105 and data[i + 7] == 114:
            return data[i + 14] == 112 and data[i + 22] == 114 and data[i + 29] == 48
    return False


@inline_kernel
def begin_node(data, pos, after, h, kind, K, now, is_svg, W, T, nodes, base):  # type: ignore[no-untyped-def]
    """Add node ``K`` of ``kind`` to node ``now``, and what its tag at ``data[pos:after]`` tells of the order it is drawn in."""
    add_math_node(data, nodes, base, K, max(0, now), kind, W, T, 0)
    nodes[m.FLAGS, base + K] |= m.NO_LINE if kind == m.MFRAC else 0
    if kind == m.MTD and now >= 0 and nodes[m.INDEX, base + K] == 0 and is_right(data, pos, after):
        nodes[m.FLAGS, base + nodes[m.PARENT, base + now]] |= m.RIGHT
    nodes[m.OPEN, base + K] = 0
    if now < 0:  # the formula itself, or what stands beside it
        return
    if nodes[m.INDEX, base + K] == 0 and h in _ABOVE:
        nodes[m.OPEN, base + now] = OVER_FIRST
    elif is_svg and nodes[m.INDEX, base + K] == 1 and stands_below(data, pos, after):
        nodes[m.OPEN, base + now] = LOWER_FIRST


@inline_kernel
def read_drawn(data, pos, end, T, W, nodes):  # type: ignore[no-untyped-def]
    """Read what stands in the `mjx-container` whose start tag ends at ``pos``: (position where
    it ends, number of nodes); 0 nodes if it has another source or cannot be read.

    Open elements stand in ``W[s.DRAWN:]``, three numbers each: name, node, nodes around it. Nothing is read inside the one ``over``.
    """
    base, K, depth, over, is_svg = W[s.NODES], 0, 0, -1, False
    while pos < end:
        lt = find_byte(data, pos, end, 60)
        now = W[s.DRAWN + 3 * depth - 2] if depth > 0 else -1
        kind_now = nodes[m.KIND, base + now] if over < 0 and now >= 0 else 0
        if m.MI <= kind_now <= m.MS:
            note_drawn_text(data, pos, lt, nodes, base + now)
        pos = lt
        if pos + 2 >= end:
            break
        closing = data[pos + 1] == 47
        if not closing and not 97 <= data[pos + 1] | 0x20 <= 122:
            pos = skip_markup(data, pos, end)
            continue
        after, h, inner = read_name(data, pos + 1 + closing, end)
        after, found, empty = read_attributes(data, after, end, T, W)
        if after < 0:
            break
        if closing:
            depth, over, K = end_drawn(data, h, depth, over, K, W, nodes, base)
            if h == _CONTAINER:
                return pos, K
            pos = after
            continue
        if h == _CONTAINER or h in _SOURCES or depth >= DEPTH or (found >> t.DATA_LATEX) & 1:
            break
        is_svg |= h == _SVG
        if m.MI <= kind_now <= m.MS:
            note_glyph(data, pos, after, nodes, base + now)
        elif kind_now == m.MFRAC and (h in (_LINE, _RECT)):
            nodes[m.FLAGS, base + now] &= ~m.NO_LINE
        if empty or h in _VOID:
            pos = after if empty else skip_end(data, after, end)
            continue
        node, level = now, W[s.DRAWN + 3 * depth - 1] if depth > 0 else 0
        if over < 0 and (h in _LEFT_OUT or (found >> t.DATA_LABELS) & 1):
            over = depth
        elif over < 0:
            kind = begins_node(data, h, inner, found, K, now, is_svg, W, T, nodes, base)
            if kind:
                begin_node(data, pos, after, h, kind, K, now, is_svg, W, T, nodes, base)
                node, level = K, level + 1
                K += 1
        if level >= s.MATH_DEPTH:
            break
        W[s.DRAWN + 3 * depth], W[s.DRAWN + 3 * depth + 1], W[s.DRAWN + 3 * depth + 2] = h, node, level
        depth += 1
        pos = after
    return end, 0


@inline_kernel
def skip_end(data, pos, end):  # type: ignore[no-untyped-def]
    """Position behind the end tag at ``pos``, if there is one."""
    if pos + 1 < end and data[pos] == 60 and data[pos + 1] == 47:
        return find_byte(data, pos, end, 62) + 1
    return pos
