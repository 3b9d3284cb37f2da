"""Formulas of a page as TeX: read from the TeX that stands in it, or written from MathML.

For `written_formulas`. `mathml.read_math` reads a `math` element to its end: into a small tree, in columns of the nodes that are not used
yet (one for each of its start tags), and spans of the TeX that its annotation or ``data-latex`` gives; `rendered` and `quoted` read such trees
from elsewhere. `write_math` writes the tree as TeX; TeX that stands in the page is copied by `tex.copy_tex`.

MathML is read as MathML Core has it, with `mfenced`, `menclose`, `mmultiscripts` and tables. Its TeX is one that renders alike, not the
author's. What grows longer than its source allows (a hostile `mo`) is written as its bare characters.

Price: linear in the element; nesting beyond `MATH_DEPTH` is flat. Legend: K nodes of the formula; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import mathml as m
from stages.kernels.html import state as s
from stages.kernels.html import tex_output
from stages.kernels.html.entities import write_code_point
from stages.kernels.html.formula_nodes import brackets, first_leaf, shows_nothing, sign_of_fence, take_brackets
from stages.kernels.html.formula_scripts import ACCENT, SET, open_limit, open_limits, open_script
from stages.kernels.html.glyphs import is_letter, next_code
from stages.kernels.html.tex_output import put_code, put_leaf, put_row, put_symbol
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def rotate(out, first, middle, last):  # type: ignore[no-untyped-def]
    """Exchange ``out[first:middle]`` and ``out[middle:last]``."""
    for turn in range(3):
        i = first if turn != 1 else middle
        k = middle if turn == 0 else last
        k -= 1
        while i < k:
            out[i], out[k] = out[k], out[i]
            i += 1
            k -= 1


@inline_kernel
def table_name(data, k, K, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """(row of the environment of a table, whether the bracket before it belongs to it, whether the one behind does)."""
    left, right = brackets(data, k, K, T, nodes, base, out, o)
    if left == 40 and right == 41:
        return tex_output.PMATRIX, True, True
    if left == 91 and right == 93:
        return tex_output.BMATRIX, True, True
    if (left == 124 and right == 124) or (left == 0x2223 and right == 0x2223):
        return tex_output.VMATRIX, True, True
    if (left == 0x2016 and right == 0x2016) or (left == 0x2225 and right == 0x2225):
        return tex_output.VVMATRIX, True, True
    if left == 123 and right != 125:
        return tex_output.CASES, True, False
    return tex_output.ALIGNED if nodes[m.FLAGS, base + k] & m.RIGHT else tex_output.MATRIX, False, False


@inline_kernel
def open_child(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Write the separator of its parent before node ``k``: (next o, whether it is left out)."""
    c = base + k
    p = base + nodes[m.PARENT, c]
    kind, index = nodes[m.KIND, p], nodes[m.INDEX, c]
    if nodes[m.FLAGS, c] & m.SKIPPED or (kind == m.MLABELEDTR and index == 0):
        return o, True
    if m.MSUB <= kind <= m.MSUBSUP:
        return open_script(data, k, T, W, nodes, base, out, o)
    if index == 0:
        return o, False
    if m.MUNDER <= kind <= m.MUNDEROVER:
        return open_limit(data, k, T, W, nodes, base, out, o)
    if kind == m.MFRAC and index == 1:
        o = put_row(tex_output.BETWEEN, T, W, out, o)
    elif kind == m.MROOT and index == 1:
        nodes[m.SECOND, p] = o
    elif kind == m.MMULTI:
        if nodes[m.KIND, c] == m.MPRESCRIPTS and nodes[m.SECOND, p] < 0:
            nodes[m.SECOND, p] = o
            return put_row(tex_output.EMPTY, T, W, out, o), True
        if nodes[m.KIND, c] == m.NONE or nodes[m.KIND, c] == m.MPRESCRIPTS or shows_nothing(k, nodes, base):
            return o, True
        lower = (index & 1 == 1) == (nodes[m.SECOND, p] < 0)
        if index > 2 and nodes[m.SECOND, p] < 0 and (lower or shows_nothing(k - 1, nodes, base)):
            o = put_row(tex_output.EMPTY, T, W, out, o)  # the indices of a tensor stand one behind the other
        o = put_row(tex_output.SUB if lower else tex_output.SUP, T, W, out, o)
    elif kind == m.MTR or (kind == m.MLABELEDTR and index > 1):
        if k >= nodes[m.CLOSE, p]:
            return o, True  # nothing but empty cells
        o = put_row(tex_output.NEW_CELL, T, W, out, o)
    elif kind == m.MTABLE:
        o = put_row(tex_output.NEW_ROW, T, W, out, o)
    elif kind == m.MFENCED:
        o = put_row(tex_output.COMMA, T, W, out, o)
    return o, False


@inline_kernel
def row_of_mode(mode):  # type: ignore[no-untyped-def]
    """The command of a mode of `menclose`; 0: its content alone."""
    if mode == m.IN_BOX:
        return tex_output.BOXED
    if mode == m.STRUCK:
        return tex_output.CANCEL
    if mode == m.LINE_ABOVE:
        return tex_output.OVERLINE
    if mode == m.LINE_BELOW:
        return tex_output.UNDERLINE
    return tex_output.SQRT if mode == m.UNDER_ROOT else 0


@inline_kernel
def is_plain(kind):  # type: ignore[no-untyped-def]
    """Whether an element without characters shows nothing: a cell, a row of a formula, a space."""
    return kind <= m.MACTION or kind in (m.MTD, m.MSPACE)


@inline_kernel
def open_math(data, k, K, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Begin node ``k``: next o."""
    c = base + k
    kind = nodes[m.KIND, c]
    nodes[m.AT, c] = o
    if m.MI <= kind <= m.MS:
        if nodes[m.FROM, c] >= 0:
            o = put_leaf(data, c, T, W, nodes, out, o)
    elif kind == m.MFRAC and nodes[m.FLAGS, c] & m.NO_LINE:
        left, right = brackets(data, k, K, T, nodes, base, out, o)
        if left == 40 and right == 41:
            o = take_brackets(k, True, True, W, nodes, base, o)
        o = put_row(tex_output.BINOM, T, W, out, o)
    elif kind == m.MFRAC:
        o = put_row(tex_output.FRAC, T, W, out, o)
    elif kind == m.MSQRT:
        o = put_row(tex_output.SQRT, T, W, out, o)
    elif kind == m.MROOT:
        o = put_row(tex_output.ROOT, T, W, out, o)
        nodes[m.AT, c], nodes[m.SECOND, c] = o, -1
    elif kind == m.MMULTI:
        nodes[m.SECOND, c] = -1
    elif kind in (m.MUNDER, m.MOVER):
        o = open_limits(data, k, kind == m.MOVER, T, W, nodes, base, out, o)
    elif kind == m.MTABLE:
        row, left, right = table_name(data, k, K, T, nodes, base, out, o)
        o = take_brackets(k, left, right, W, nodes, base, o)
        nodes[m.SECOND, c] = row
        o = put_row(tex_output.BEGIN, T, W, out, o)
        o = put_row(row, T, W, out, o)
        o = put_code(32, W, out, o)
    elif kind in (m.MTR, m.MLABELEDTR):
        last = nodes[m.END, c]
        while last > k + 1 and nodes[m.FROM, base + last - 1] < 0 and is_plain(nodes[m.KIND, base + last - 1]):
            last -= 1
        nodes[m.CLOSE, c] = last  # behind what the row shows
    elif kind == m.MFENCED:
        sign = sign_of_fence(data, nodes[m.OPEN, c], 40, T, out, o)
        o = put_symbol(sign, 0, T, W, out, o) if sign else o
    elif kind == m.MENCLOSE:
        row = row_of_mode(nodes[m.FLAGS, c] // m.MODE)
        o = put_row(row, T, W, out, o) if row else o
    elif kind == m.MPHANTOM:
        o = put_row(tex_output.PHANTOM, T, W, out, o)
    elif kind == m.MSPACE:
        if out[o - 1] != 32 and nodes[m.END, c] < nodes[m.END, base + nodes[m.PARENT, c]]:
            o = put_code(32, W, out, o)
    elif nodes[m.FROM, c] >= 0 and kind <= m.MACTION:
        nodes[m.KIND, c] = m.MTEXT
        o = put_leaf(data, c, T, W, nodes, out, o)
        nodes[m.KIND, c] = kind
    return o


@inline_kernel
def set_before(out, first, scripts, o):  # type: ignore[no-untyped-def]
    """Put the scripts from ``scripts`` on, which begin with ``{}``, before what they stand before, ``out[first:scripts]``: next o."""
    if o == scripts + 2:
        return scripts  # none
    rotate(out, first, scripts, o)
    return o


@inline_kernel
def close_math(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """End node ``k``, and what its parent opened before it: next o."""
    c = base + k
    kind, flags = nodes[m.KIND, c], nodes[m.FLAGS, c]
    if kind in (m.MFRAC, m.MSQRT, m.MPHANTOM) or (kind == m.MENCLOSE and flags // m.MODE):
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == m.MROOT or ((kind in (m.MUNDER, m.MOVER)) and flags // m.MODE == SET):
        second = nodes[m.SECOND, c] if nodes[m.SECOND, c] >= 0 else o  # where the second child, if any, was written
        o = put_row(tex_output.ROOT_OF if kind == m.MROOT else tex_output.BETWEEN, T, W, out, o)
        if not W[s.FULL]:
            rotate(out, nodes[m.AT, c], second, o)
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif (kind in (m.MUNDER, m.MOVER)) and flags // m.MODE == ACCENT:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif m.MSUB <= kind <= m.MUNDEROVER:
        if flags & m.ANY_SCRIPT and not flags & m.SINGLE:
            o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == m.MMULTI and nodes[m.SECOND, c] >= 0 and not W[s.FULL]:
        o = set_before(out, nodes[m.AT, c], nodes[m.SECOND, c], o)
        W[s.COMMAND] = is_letter(out[o - 1])
    elif kind == m.MTABLE:
        o = put_code(32, W, out, o)
        o = put_row(tex_output.END, T, W, out, o)
        o = put_row(nodes[m.SECOND, c], T, W, out, o)
    elif kind == m.MFENCED:
        sign = 0 if flags & m.SKIPPED else sign_of_fence(data, nodes[m.CLOSE, c], 41, T, out, o)
        o = put_symbol(sign, 0, T, W, out, o) if sign else o
    p = base + nodes[m.PARENT, c]
    if nodes[m.KIND, p] == m.MMULTI and nodes[m.INDEX, c] > 0:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    return o


@inline_kernel
def write_math(data, K, T, W, nodes, out, o, limit):  # type: ignore[no-untyped-def]
    """Write the formula of ``K`` nodes as TeX, not beyond ``limit``: next o; ``W[s.FULL]`` if it did not fit. The byte before is scratch."""
    base, depth, k = W[s.NODES], 0, 0
    out[o - 1] = 32
    W[s.LIMIT], W[s.FULL], W[s.COMMAND], W[s.STYLE_TO] = limit, 0, 0, -1
    while not W[s.FULL]:
        while depth > 0 and nodes[m.END, base + W[s.MATH_STACK + depth - 1]] <= k:
            depth -= 1
            o = close_math(data, W[s.MATH_STACK + depth], T, W, nodes, base, out, o)
        if k >= K:
            break
        left_out = False
        if k > 0:
            o, left_out = open_child(data, k, T, W, nodes, base, out, o)
        if left_out:
            k = nodes[m.END, base + k]
            continue
        o = open_math(data, k, K, T, W, nodes, base, out, o)
        W[s.MATH_STACK + depth] = k
        depth += 1
        k += 1
    return o


@inline_kernel
def write_characters(data, K, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """The bare characters of a formula: next o. Never longer than its source."""
    base = W[s.NODES]
    for k in range(K):
        pos, stop = nodes[m.FROM, base + k], nodes[m.TO, base + k]
        while 0 <= pos < stop:
            code, pos = next_code(data, pos, stop, T, out, o)
            if code >= 0:
                o = write_code_point(code, out, o)
    return o


@inline_kernel
def simple_fraction(K, nodes, W):  # type: ignore[no-untyped-def]
    """The column of an `mfrac` of two numbers that is the whole formula; -1 otherwise."""
    base = W[s.NODES]
    c = base + first_leaf(0, nodes, base)
    if nodes[m.KIND, c] != m.MFRAC or c - base + 3 != K or nodes[m.KIND, c + 1] != m.MN or nodes[m.KIND, c + 2] != m.MN:
        return -1
    return c


@inline_kernel
def write_fraction(data, c, T, W, nodes, out, o, limit):  # type: ignore[no-untyped-def]
    """``1/2``: next o."""
    W[s.LIMIT], W[s.FULL], W[s.COMMAND] = limit, 0, 0
    if nodes[m.FROM, c + 1] < 0 or nodes[m.FROM, c + 2] < 0:
        return o
    o = put_leaf(data, c + 1, T, W, nodes, out, o)
    o = put_code(47, W, out, o)
    return put_leaf(data, c + 2, T, W, nodes, out, o)
