"""Formulas of a page as TeX: read from the TeX that stands in it, or written from MathML.

For `written_formulas`. `mathml.read_math` reads a `math` element to its end: into a small tree, in columns of the nodes that are not used
yet (one for each of its start tags), and spans of the TeX that its annotation or ``data-latex`` gives; `rendered` and `quoted` read such trees
from elsewhere. `write_math` writes the tree as TeX; TeX that stands in the page is copied by `tex.copy_tex`.

MathML is read as MathML Core has it, with `mfenced`, `menclose`, `mmultiscripts` and tables. Its TeX is one that renders alike, not the
author's. What grows longer than its source allows (a hostile `mo`) is written as its bare characters.

Price: linear in the element; nesting beyond `MATH_DEPTH` is flat. Legend: K nodes of the formula; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tex_output
from stages.kernels.html.entities import write_code_point
from stages.kernels.html.formula_nodes import (
    brackets,
    first_leaf,
    shows_nothing,
    sign_of_fence,
    take_brackets,
)
from stages.kernels.html.formula_scripts import ACCENT, SET, open_limit, open_limits, open_script
from stages.kernels.html.glyphs import is_letter, next_code
from stages.kernels.html.mathml import (
    ANY_SCRIPT,
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
    MFENCED,
    MFRAC,
    MI,
    MLABELEDTR,
    MMULTI,
    MN,
    MODE,
    MOVER,
    MPHANTOM,
    MPRESCRIPTS,
    MROOT,
    MS,
    MSPACE,
    MSQRT,
    MSUB,
    MSUBSUP,
    MTABLE,
    MTD,
    MTEXT,
    MTR,
    MUNDER,
    MUNDEROVER,
    NO_LINE,
    NONE,
    RIGHT,
    SINGLE,
    SKIPPED,
    STRUCK,
    UNDER_ROOT,
)
from stages.kernels.html.tex_output import (
    put_code,
    put_leaf,
    put_row,
    put_symbol,
)
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
    return tex_output.ALIGNED if nodes[M_FLAGS, base + k] & RIGHT else tex_output.MATRIX, False, False


@inline_kernel
def open_child(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Write the separator of its parent before node ``k``: (next o, whether it is left out)."""
    c = base + k
    p = base + nodes[M_PARENT, c]
    kind, index = nodes[M_KIND, p], nodes[M_INDEX, c]
    if nodes[M_FLAGS, c] & SKIPPED or (kind == MLABELEDTR and index == 0):
        return o, True
    if MSUB <= kind <= MSUBSUP:
        return open_script(data, k, T, W, nodes, base, out, o)
    if index == 0:
        return o, False
    if MUNDER <= kind <= MUNDEROVER:
        return open_limit(data, k, T, W, nodes, base, out, o)
    if kind == MFRAC and index == 1:
        o = put_row(tex_output.BETWEEN, T, W, out, o)
    elif kind == MROOT and index == 1:
        nodes[M_SECOND, p] = o
    elif kind == MMULTI:
        if nodes[M_KIND, c] == MPRESCRIPTS and nodes[M_SECOND, p] < 0:
            nodes[M_SECOND, p] = o
            return put_row(tex_output.EMPTY, T, W, out, o), True
        if nodes[M_KIND, c] == NONE or nodes[M_KIND, c] == MPRESCRIPTS or shows_nothing(k, nodes, base):
            return o, True
        lower = (index & 1 == 1) == (nodes[M_SECOND, p] < 0)
        if index > 2 and nodes[M_SECOND, p] < 0 and (lower or shows_nothing(k - 1, nodes, base)):
            o = put_row(tex_output.EMPTY, T, W, out, o)  # the indices of a tensor stand one behind the other
        o = put_row(tex_output.SUB if lower else tex_output.SUP, T, W, out, o)
    elif kind == MTR or (kind == MLABELEDTR and index > 1):
        if k >= nodes[M_CLOSE, p]:
            return o, True  # nothing but empty cells
        o = put_row(tex_output.NEW_CELL, T, W, out, o)
    elif kind == MTABLE:
        o = put_row(tex_output.NEW_ROW, T, W, out, o)
    elif kind == MFENCED:
        o = put_row(tex_output.COMMA, T, W, out, o)
    return o, False


@inline_kernel
def row_of_mode(mode):  # type: ignore[no-untyped-def]
    """The command of a mode of `menclose`; 0: its content alone."""
    if mode == IN_BOX:
        return tex_output.BOXED
    if mode == STRUCK:
        return tex_output.CANCEL
    if mode == LINE_ABOVE:
        return tex_output.OVERLINE
    if mode == LINE_BELOW:
        return tex_output.UNDERLINE
    return tex_output.SQRT if mode == UNDER_ROOT else 0


@inline_kernel
def is_plain(kind):  # type: ignore[no-untyped-def]
    """Whether an element without characters shows nothing: a cell, a row of a formula, a space."""
    return kind <= MACTION or kind in (MTD, MSPACE)


@inline_kernel
def open_math(data, k, K, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Begin node ``k``: next o."""
    c = base + k
    kind = nodes[M_KIND, c]
    nodes[M_AT, c] = o
    if MI <= kind <= MS:
        if nodes[M_FROM, c] >= 0:
            o = put_leaf(data, c, T, W, nodes, out, o)
    elif kind == MFRAC and nodes[M_FLAGS, c] & NO_LINE:
        left, right = brackets(data, k, K, T, nodes, base, out, o)
        if left == 40 and right == 41:
            o = take_brackets(k, True, True, W, nodes, base, o)
        o = put_row(tex_output.BINOM, T, W, out, o)
    elif kind == MFRAC:
        o = put_row(tex_output.FRAC, T, W, out, o)
    elif kind == MSQRT:
        o = put_row(tex_output.SQRT, T, W, out, o)
    elif kind == MROOT:
        o = put_row(tex_output.ROOT, T, W, out, o)
        nodes[M_AT, c], nodes[M_SECOND, c] = o, -1
    elif kind == MMULTI:
        nodes[M_SECOND, c] = -1
    elif kind in (MUNDER, MOVER):
        o = open_limits(data, k, kind == MOVER, T, W, nodes, base, out, o)
    elif kind == MTABLE:
        row, left, right = table_name(data, k, K, T, nodes, base, out, o)
        o = take_brackets(k, left, right, W, nodes, base, o)
        nodes[M_SECOND, c] = row
        o = put_row(tex_output.BEGIN, T, W, out, o)
        o = put_row(row, T, W, out, o)
        o = put_code(32, W, out, o)
    elif kind in (MTR, MLABELEDTR):
        last = nodes[M_END, c]
        while last > k + 1 and nodes[M_FROM, base + last - 1] < 0 and is_plain(nodes[M_KIND, base + last - 1]):
            last -= 1
        nodes[M_CLOSE, c] = last  # behind what the row shows
    elif kind == MFENCED:
        sign = sign_of_fence(data, nodes[M_OPEN, c], 40, T, out, o)
        o = put_symbol(sign, 0, T, W, out, o) if sign else o
    elif kind == MENCLOSE:
        row = row_of_mode(nodes[M_FLAGS, c] // MODE)
        o = put_row(row, T, W, out, o) if row else o
    elif kind == MPHANTOM:
        o = put_row(tex_output.PHANTOM, T, W, out, o)
    elif kind == MSPACE:
        if out[o - 1] != 32 and nodes[M_END, c] < nodes[M_END, base + nodes[M_PARENT, c]]:
            o = put_code(32, W, out, o)
    elif nodes[M_FROM, c] >= 0 and kind <= MACTION:
        nodes[M_KIND, c] = MTEXT
        o = put_leaf(data, c, T, W, nodes, out, o)
        nodes[M_KIND, c] = kind
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
    kind, flags = nodes[M_KIND, c], nodes[M_FLAGS, c]
    if kind in (MFRAC, MSQRT, MPHANTOM) or (kind == MENCLOSE and flags // MODE):
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == MROOT or ((kind in (MUNDER, MOVER)) and flags // MODE == SET):
        second = nodes[M_SECOND, c] if nodes[M_SECOND, c] >= 0 else o  # where the second child, if any, was written
        o = put_row(tex_output.ROOT_OF if kind == MROOT else tex_output.BETWEEN, T, W, out, o)
        if not W[s.FULL]:
            rotate(out, nodes[M_AT, c], second, o)
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif (kind in (MUNDER, MOVER)) and flags // MODE == ACCENT:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif MSUB <= kind <= MUNDEROVER:
        if flags & ANY_SCRIPT and not flags & SINGLE:
            o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == MMULTI and nodes[M_SECOND, c] >= 0 and not W[s.FULL]:
        o = set_before(out, nodes[M_AT, c], nodes[M_SECOND, c], o)
        W[s.COMMAND] = is_letter(out[o - 1])
    elif kind == MTABLE:
        o = put_code(32, W, out, o)
        o = put_row(tex_output.END, T, W, out, o)
        o = put_row(nodes[M_SECOND, c], T, W, out, o)
    elif kind == MFENCED:
        sign = 0 if flags & SKIPPED else sign_of_fence(data, nodes[M_CLOSE, c], 41, T, out, o)
        o = put_symbol(sign, 0, T, W, out, o) if sign else o
    p = base + nodes[M_PARENT, c]
    if nodes[M_KIND, p] == MMULTI and nodes[M_INDEX, c] > 0:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    return o


@inline_kernel
def write_math(data, K, T, W, nodes, out, o, limit):  # type: ignore[no-untyped-def]
    """Write the formula of ``K`` nodes as TeX, not beyond ``limit``: next o; ``W[s.FULL]`` if it did not fit. The byte before is scratch."""
    base, depth, k = W[s.NODES], 0, 0
    out[o - 1] = 32
    W[s.LIMIT], W[s.FULL], W[s.COMMAND], W[s.STYLE_TO] = limit, 0, 0, -1
    while not W[s.FULL]:
        while depth > 0 and nodes[M_END, base + W[s.MATH_STACK + depth - 1]] <= k:
            depth -= 1
            o = close_math(data, W[s.MATH_STACK + depth], T, W, nodes, base, out, o)
        if k >= K:
            break
        left_out = False
        if k > 0:
            o, left_out = open_child(data, k, T, W, nodes, base, out, o)
        if left_out:
            k = nodes[M_END, base + k]
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
        pos, stop = nodes[M_FROM, base + k], nodes[M_TO, base + k]
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
    if nodes[M_KIND, c] != MFRAC or c - base + 3 != K or nodes[M_KIND, c + 1] != MN or nodes[M_KIND, c + 2] != MN:
        return -1
    return c


@inline_kernel
def write_fraction(data, c, T, W, nodes, out, o, limit):  # type: ignore[no-untyped-def]
    """``1/2``: next o."""
    W[s.LIMIT], W[s.FULL], W[s.COMMAND] = limit, 0, 0
    if nodes[M_FROM, c + 1] < 0 or nodes[M_FROM, c + 2] < 0:
        return o
    o = put_leaf(data, c + 1, T, W, nodes, out, o)
    o = put_code(47, W, out, o)
    return put_leaf(data, c + 2, T, W, nodes, out, o)
