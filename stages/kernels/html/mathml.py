"""A `math` element read into a small tree: for `stages.kernels.html.formulas`, as MathML Core has it.

The tree stands in the columns of the nodes that are not used yet, one for each start tag. Legend: K nodes; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.symbols import V_BOLD, V_BOLD_ITALIC, V_DOUBLE, V_FRAKTUR, V_MONO, V_NORMAL, V_SANS, V_SCRIPT
from stages.kernels.html.tables import FNV_START, MATH_TABLE, TAG_FLAGS, look_up, mix
from stages.kernels.html.tokens import find_byte, find_raw_end, is_space, read_attributes, read_tag_name, skip_markup
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MATH_NAMES = ["math", "mrow", "mstyle", "mpadded", "semantics", "merror", "maction", "mi", "mn", "mo", "mtext", "ms", "mspace",
              "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none",
              "mtable", "mtr", "mlabeledtr", "mtd", "mfenced", "menclose", "mphantom", "annotation", "annotation-xml"]  # fmt: skip
(MATH, MROW, MSTYLE, MPADDED, SEMANTICS, MERROR, MACTION, MI, MN, MO, MTEXT, MS, MSPACE, MFRAC, MSQRT, MROOT, MSUB, MSUP,
 MSUBSUP, MUNDER, MOVER, MUNDEROVER, MMULTI, MPRESCRIPTS, NONE, MTABLE, MTR, MLABELEDTR, MTD, MFENCED, MENCLOSE, MPHANTOM,
 ANNOTATION, ANNOTATION_XML) = range(1, 35)  # fmt: skip
# rows of a formula's nodes
KIND, PARENT, FROM, TO, END, SECOND, INDEX, FLAGS, AT, OPEN, CLOSE = range(11)
"""`OPEN`, `CLOSE`: where the brackets of `mfenced` stand in the page << `SIGN_SHIFT`, and their size; -1: they are round."""
SIGN_SHIFT = 4
# what FLAGS holds beside a variant (lowest 4 bits) and a mode
BRACED, SKIPPED, RIGHT, SINGLE, ANY_SCRIPT, NO_LINE, RELATION = 16, 32, 64, 128, 256, 512, 1024
MODE = 1 << 12
IN_BOX, STRUCK, LINE_ABOVE, LINE_BELOW, UNDER_ROOT = 1, 2, 3, 4, 5
"""Modes of `menclose`."""
VARIANT_NAMES = {"normal": V_NORMAL, "bold": V_BOLD, "double-struck": V_DOUBLE, "script": V_SCRIPT, "fraktur": V_FRAKTUR,
                 "sans-serif": V_SANS, "monospace": V_MONO, "bold-italic": V_BOLD_ITALIC, "-tex-calligraphic": V_SCRIPT,
                 "bold-script": V_SCRIPT, "bold-fraktur": V_FRAKTUR, "-tex-bold-calligraphic": V_SCRIPT}  # fmt: skip
FIRST_VARIANT_NAME = 100


@inline_kernel
def read_math_name(data, pos, end, T):  # type: ignore[no-untyped-def]
    """(position after the name at ``pos``, number of the MathML element or -1); a prefix up to a colon is passed over."""
    h = FNV_START
    while pos < end:
        b = data[pos]
        if b == 62 or b == 47 or is_space(b):
            break
        if b == 58:
            h = FNV_START
        else:
            h = mix(h, b | 0x20 if 65 <= b <= 90 else b)
        pos += 1
    number = look_up(T, MATH_TABLE, 256, h)
    return pos, number if number < FIRST_VARIANT_NAME else -1


@inline_kernel
def holds_tex(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether the name of an encoding holds ``tex`` and does not begin with ``text/``."""
    if stop - start >= 5 and data[start + 3] | 0x20 == 116 and data[start + 4] == 47:
        return False
    for i in range(start, min(stop, start + 40) - 2):
        if data[i] | 0x20 == 116 and data[i + 1] | 0x20 == 101 and data[i + 2] | 0x20 == 120:
            return True
    return False


@inline_kernel
def skip_annotation(data, pos, end, T, W, tag):  # type: ignore[no-untyped-def]
    """From behind the start tag of an annotation: (position where it ends, whether markup stood in it)."""
    marked = False
    i = pos
    if W[s.NO_END]:
        return pos, True
    while i < end:
        i = find_byte(data, i, end, 60)
        if i + 2 < end and data[i + 1] == 47:
            _, number = read_math_name(data, i + 2, end, T)
            if number == tag:
                return i, marked
            if number in (SEMANTICS, MATH):
                return i, True
        elif i + 1 < end and 97 <= data[i + 1] | 0x20 <= 122:
            marked = True
        i += 1
    W[s.NO_END] = 1
    return pos, True


@inline_kernel
def mode_of_notation(data, start, stop):  # type: ignore[no-untyped-def]
    """The shape that `menclose` draws, if it is one that TeX has a command for, else 0."""
    if stop - start >= 6 and data[stop - 1] | 0x20 == 101 and data[stop - 2] | 0x20 == 107:
        return STRUCK  # updiagonalstrike and the like
    for i in range(start, stop):
        if is_space(data[i]):
            return 0
    size = stop - start
    if size == 3 and data[start] == 116:
        return LINE_ABOVE
    if size == 6 and data[start] == 98:
        return LINE_BELOW
    if (size == 3 and data[start] == 98) or (size == 10 and data[start] == 114):
        return IN_BOX
    return UNDER_ROOT if size == 7 and data[start] == 114 else 0


@inline_kernel
def add_math_node(data, nodes, base, K, parent, kind, W, T, found):  # type: ignore[no-untyped-def]
    """Fill column ``base + K`` for an element whose attributes were just read."""
    c = base + K
    nodes[KIND, c] = kind
    nodes[PARENT, c] = parent
    nodes[FROM, c] = -1
    nodes[TO, c] = -1
    nodes[END, c] = K + 1
    nodes[SECOND, c] = 0
    nodes[FLAGS, c] = 0
    nodes[AT, c] = 0
    nodes[INDEX, c] = 0
    if K > 0:
        p = base + parent
        nodes[INDEX, c] = nodes[AT, p]
        nodes[AT, p] += 1  # number of children, until it is written
        if nodes[INDEX, c] == 1:
            nodes[SECOND, p] = K
        if kind >= MI and nodes[KIND, p] <= MACTION:
            nodes[FLAGS, c] |= nodes[FLAGS, p] & 15
    if (found >> t.MATHVARIANT) & 1:
        h = FNV_START
        for i in range(
            W[s.SPANS + 2 * t.MATHVARIANT], min(W[s.SPANS + 2 * t.MATHVARIANT + 1], W[s.SPANS + 2 * t.MATHVARIANT] + 40)
        ):
            h = mix(h, data[i])
        variant = look_up(T, MATH_TABLE, 256, h)
        nodes[FLAGS, c] &= ~15
        if variant >= FIRST_VARIANT_NAME:
            nodes[FLAGS, c] |= variant - FIRST_VARIANT_NAME
    if kind == MTABLE and (found >> t.COLUMNALIGN) & 1:
        start = W[s.SPANS + 2 * t.COLUMNALIGN]
        if start < W[s.SPANS + 2 * t.COLUMNALIGN + 1] and data[start] == 114:
            nodes[FLAGS, c] |= RIGHT
    if kind == MTABLE and (found >> t.DISPLAYSTYLE) & 1:
        start = W[s.SPANS + 2 * t.DISPLAYSTYLE]
        if start < W[s.SPANS + 2 * t.DISPLAYSTYLE + 1] and data[start] == 116:
            nodes[FLAGS, c] |= RIGHT
    if kind == MFENCED:
        for row, which in ((OPEN, t.OPEN), (CLOSE, t.CLOSE)):
            start, stop = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
            nodes[row, c] = start << SIGN_SHIFT | min(stop - start, 15) if (found >> which) & 1 else -1
    if kind == MENCLOSE and (found >> t.NOTATION) & 1:
        start, stop = W[s.SPANS + 2 * t.NOTATION], W[s.SPANS + 2 * t.NOTATION + 1]
        nodes[FLAGS, c] += MODE * mode_of_notation(data, start, stop)
    if kind == MFRAC and (found >> t.LINETHICKNESS) & 1:
        start = W[s.SPANS + 2 * t.LINETHICKNESS]
        if start < W[s.SPANS + 2 * t.LINETHICKNESS + 1] and data[start] == 48:
            nodes[FLAGS, c] |= NO_LINE


@inline_kernel
def note_math_text(data, start, stop, nodes, column):  # type: ignore[no-untyped-def]
    """Text inside an element: its own while it holds no other element."""
    while start < stop and is_space(data[start]):
        start += 1
    if start >= stop or nodes[AT, column] > 0:
        return
    if nodes[FROM, column] < 0:
        nodes[FROM, column] = start
    nodes[TO, column] = stop


@inline_kernel
def close_math(nodes, base, K, W, depth, kind):  # type: ignore[no-untyped-def]
    """The end tag of an element of ``kind`` behind ``K`` nodes: closes the innermost that is open, and all in it; how many stay open."""
    k = depth - 1
    while k > 0 and nodes[KIND, base + W[s.MATH_STACK + k]] != kind:
        k -= 1
    while k > 0 and depth > k:
        depth -= 1
        nodes[END, base + W[s.MATH_STACK + depth]] = K
    return depth


@inline_kernel
def ends_formula(flags, closing, kind):  # type: ignore[no-untyped-def]
    """Whether a tag that is none of MathML, with ``flags`` (`tokens`), ends a formula whose innermost element is of ``kind``."""
    if MTEXT <= kind <= MS and not flags & t.BLOCK:
        return False
    return flags & (t.BLOCK if closing else t.BREAKOUT) != 0


@inline_kernel
def skip_foreign(data, name_end, end, closing, T, W, tag):  # type: ignore[no-untyped-def]
    """Position behind the tag that is none of MathML and whose name ends at ``name_end``, and behind its raw text; -1 if it does not end."""
    pos, _, _ = read_attributes(data, name_end, end, T, W)
    if pos >= 0 and not closing and T[TAG_FLAGS + tag] & (t.RAW | t.ESCAPABLE):
        return find_raw_end(data, pos, end, T, tag)
    return pos


@inline_kernel
def read_annotation(data, pos, end, kind, found, T, W):  # type: ignore[no-untyped-def]
    """Note where the TeX of the annotation at ``pos`` stands, if it is the first that has any: position behind it."""
    stop, marked = skip_annotation(data, pos, end, T, W, kind)
    is_first = kind == ANNOTATION and not marked and W[s.TEX_FROM] < 0 and stop > pos
    if is_first and (found >> t.ENCODING) & 1:
        if holds_tex(data, W[s.SPANS + 2 * t.ENCODING], W[s.SPANS + 2 * t.ENCODING + 1]):
            W[s.TEX_FROM], W[s.TEX_TO] = pos, stop
    return stop


@inline_kernel
def read_math(data, pos, end, T, W, nodes):  # type: ignore[no-untyped-def]
    """Read a formula from behind its start tag, its attributes in ``W``: (position after it, number of its nodes).

    ``W[s.TEX_FROM:s.TEX_TO]`` becomes the span of its TeX, unless it is known. HTML that cannot stand in a formula ends it.
    """
    base, K, depth, overflow, inner = W[s.NODES], 1, 1, 0, 0
    add_math_node(data, nodes, base, 0, 0, MATH, W, T, 0)
    W[s.MATH_STACK] = 0
    after = end
    while pos < end:
        lt = find_byte(data, pos, end, 60)
        top = base + W[s.MATH_STACK + depth - 1]
        note_math_text(data, pos, lt, nodes, top)
        pos = lt
        if pos + 1 >= end:
            break
        c = data[pos + 1]
        closing = c == 47
        first = pos + 2 if closing else pos + 1
        if first >= end or not 97 <= data[first] | 0x20 <= 122:
            pos = skip_markup(data, pos, end) if c == 33 or c == 63 or closing else pos + 1
            continue
        name_end, kind = read_math_name(data, first, end, T)
        if kind < 0:
            _, tag = read_tag_name(data, first, end, T)
            if ends_formula(T[TAG_FLAGS + tag], closing, nodes[KIND, top]):
                after = pos
                break
            pos = skip_foreign(data, name_end, end, closing, T, W, tag)
            if pos < 0:
                break
            continue
        pos, found, empty = read_attributes(data, name_end, end, T, W)
        if pos < 0:
            break
        if kind == MATH:
            if not closing:
                inner += 1
            elif inner == 0:
                after = pos
                break
            else:
                inner -= 1
            continue
        if closing:
            if overflow > 0:
                overflow -= 1
                continue
            depth = close_math(nodes, base, K, W, depth, kind)
            continue
        if kind >= ANNOTATION:
            pos = read_annotation(data, pos, end, kind, found, T, W)
            continue
        if MI <= nodes[KIND, top] <= MS and (nodes[KIND, top] > MO or nodes[FROM, top] >= 0):
            continue  # in a leaf
        if K == 1 and (found >> t.DATA_LATEX) & 1 and W[s.TEX_FROM] < 0:
            W[s.TEX_FROM] = W[s.SPANS + 2 * t.DATA_LATEX]
            W[s.TEX_TO] = W[s.SPANS + 2 * t.DATA_LATEX + 1]
        if depth >= s.MATH_DEPTH:
            overflow += not empty
            continue
        add_math_node(data, nodes, base, K, W[s.MATH_STACK + depth - 1], kind, W, T, found)
        if not empty and kind != MSPACE and kind != NONE and kind != MPRESCRIPTS:
            W[s.MATH_STACK + depth] = K
            depth += 1
        K += 1
    while depth > 0:
        depth -= 1
        nodes[END, base + W[s.MATH_STACK + depth]] = K
    for k in range(K):
        if MI <= nodes[KIND, base + k] <= MO and nodes[END, base + k] > k + 1:
            nodes[KIND, base + k] = MROW  # KaTeX wraps what it underlines in `mo`
    return after, K
