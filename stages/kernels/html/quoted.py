"""MathML that stands in an attribute, read into the tree that `formulas` writes: for `written_formulas`.

MathType (WIRIS) writes it as ``data-mathml="«math»«mi»x«/mi»«mo»§lt;«/mo»..."``, its quotes as ``¨``; MathJax 2 with ``<`` as it is or as ``&lt;``.

Price: linear in the attribute, one pass. Legend: K nodes of the formula; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import mathml as m
from stages.kernels.html import state as s
from stages.kernels.html.mathml import add_math_node, close_math, note_math_text
from stages.kernels.html.tables import FNV_START, MATH_TABLE, fnv, look_up, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_NODES = 2000
"""Columns that `scanning.Scanner` keeps for them beside one for each ``<`` of the pages."""
_VARIANT, _OPEN, _CLOSE, _THICKNESS = (fnv(name) for name in (b"mathvariant", b"open", b"close", b"linethickness"))


@inline_kernel
def size_of_mark(data, i, stop, plain, quoted, letter):  # type: ignore[no-untyped-def]
    """Bytes of the sign at ``i`` if it is ``plain``, C2 and ``quoted``, or ``&?t;`` with ``letter``; 0."""
    if data[i] == plain:
        return 1
    if data[i] == 0xC2 and i + 1 < stop and data[i + 1] == quoted:
        return 2
    if data[i] == 38 and i + 3 < stop and data[i + 1] == letter and data[i + 2] == 116 and data[i + 3] == 59:
        return 4
    return 0


@inline_kernel
def size_of_quote(data, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of the quote at ``i``: ``"``, ``'``, ``¨``, ``&quot;``; 0."""
    if data[i] == 34 or data[i] == 39:
        return 1
    if data[i] == 0xC2 and i + 1 < stop and data[i + 1] == 0xA8:
        return 2
    return 6 if data[i] == 38 and i + 5 < stop and data[i + 1] == 113 and data[i + 5] == 59 else 0


@inline_kernel
def is_name(b):  # type: ignore[no-untyped-def]
    """Whether a byte may stand in the name of an element or attribute of MathML."""
    return 97 <= b | 0x20 <= 122 or b == 45 or b == 58


@inline_kernel
def note_attribute(data, h, start, stop, T, nodes, c):  # type: ignore[no-untyped-def]
    """An attribute of node ``c`` whose name has the hash ``h``."""
    kind = nodes[m.KIND, c]
    if h == _VARIANT:
        value = FNV_START
        for i in range(start, min(stop, start + 40)):
            value = mix(value, data[i])
        variant = look_up(T, MATH_TABLE, 256, value)
        nodes[m.FLAGS, c] &= ~15
        if variant >= m.FIRST_VARIANT_NAME:
            nodes[m.FLAGS, c] |= variant - m.FIRST_VARIANT_NAME
    elif kind == m.MFENCED and (h in (_OPEN, _CLOSE)):
        nodes[m.OPEN if h == _OPEN else m.CLOSE, c] = start << m.SIGN_SHIFT | min(stop - start, 15)
    elif kind == m.MFRAC and h == _THICKNESS and start < stop and data[start] == 48:
        nodes[m.FLAGS, c] |= m.NO_LINE


@inline_kernel
def read_attributes(data, pos, stop, c, T, nodes):  # type: ignore[no-untyped-def]
    """Read from behind a name to behind the sign that ends the tag: (position, whether it is empty); attributes of node ``c``, -1: none."""
    empty = False
    while pos < stop:
        size = size_of_mark(data, pos, stop, 62, 0xBB, 103)
        if size:
            return pos + size, empty
        empty = data[pos] == 47
        if empty or is_space(data[pos]) or not is_name(data[pos]):
            pos += 1
            continue
        h = FNV_START
        while pos < stop and is_name(data[pos]):
            h = mix(h, data[pos])
            pos += 1
        pos += 1  # an equals sign
        size = size_of_quote(data, pos, stop) if pos < stop else 0
        if size == 0:
            continue
        pos += size
        start = pos
        while pos < stop and size_of_quote(data, pos, stop) != size:
            pos += 1
        if c >= 0:
            note_attribute(data, h, start, pos, T, nodes, c)
        pos += size
    return stop, empty


@inline_kernel
def read_quoted(data, pos, stop, T, W, nodes):  # type: ignore[no-untyped-def]
    """Read ``data[pos:stop]``: number of nodes, 0 if it is no MathML that can be read."""
    base, K, depth = W[s.NODES], 0, 0
    while pos < stop:
        size = size_of_mark(data, pos, stop, 60, 0xAB, 108)
        if size == 0:
            first = pos
            while pos < stop and size_of_mark(data, pos, stop, 60, 0xAB, 108) == 0:
                pos += 1
            if depth > 0:
                note_math_text(data, first, pos, nodes, base + W[s.MATH_STACK + depth - 1])
            continue
        pos += size
        closing = pos < stop and data[pos] == 47
        pos += closing
        h = FNV_START
        while pos < stop and is_name(data[pos]):
            h = FNV_START if data[pos] == 58 else mix(h, data[pos])
            pos += 1
        kind = look_up(T, MATH_TABLE, 256, h)
        if kind <= 0 or kind >= m.ANNOTATION or K >= MAX_NODES or depth >= s.MATH_DEPTH:
            return 0
        if closing:
            pos, _ = read_attributes(data, pos, stop, -1, T, nodes)
            depth = close_math(nodes, base, K, W, depth, kind)
            continue
        if (K == 0) != (kind == m.MATH):
            return 0
        add_math_node(data, nodes, base, K, W[s.MATH_STACK + depth - 1] if depth > 0 else 0, kind, W, T, 0)
        pos, empty = read_attributes(data, pos, stop, base + K, T, nodes)
        if not empty and kind != m.MSPACE and kind != m.NONE:
            W[s.MATH_STACK + depth] = K
            depth += 1
        K += 1
    while depth > 0:
        depth -= 1
        nodes[m.END, base + W[s.MATH_STACK + depth]] = K
    return K
