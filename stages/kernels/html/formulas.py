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
    names_function,
    needs_braces,
    num_primes,
    only_code,
    sign_of_fence,
    take_brackets,
)
from stages.kernels.html.mathml import (
    ANY_SCRIPT,
    BRACED,
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
    MSUP,
    MTABLE,
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
    is_letter,
    next_code,
    plain_letter,
    put_code,
    put_leaf,
    put_row,
    put_symbol,
)
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_SCRIPT, _ACCENT, _SET = 1, 2, 3


@inline_kernel
def takes_limits(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Whether node ``k`` is a sum, an integral, a union or a function such as lim: what stands under it is a subscript."""
    c = base + first_leaf(k, nodes, base)
    if nodes[M_KIND, c] <= MACTION and names_function(data, c - base, T, nodes, base, out, o):
        c += 1
    kind = nodes[M_KIND, c]
    if kind in (MUNDER, MOVER):
        return nodes[M_FLAGS, c] // MODE == _ACCENT
    if not MI <= kind <= MTEXT or nodes[M_FROM, c] < 0:
        return False
    code, pos = next_code(data, nodes[M_FROM, c], nodes[M_TO, c], T, out, o)
    if 0x220F <= code <= 0x2211 or 0x222B <= code <= 0x2233 or 0x22C0 <= code <= 0x22C3 or 0x2A00 <= code <= 0x2A1C:
        return True
    more, _ = next_code(data, pos, nodes[M_TO, c], T, out, o)
    return is_letter(code) and is_letter(more)


@inline_kernel
def accent_of(code, over, single):  # type: ignore[no-untyped-def]
    """Row of the accent that a character above or below means; 0: none."""
    if not over:
        if code == 95 or code == 0xAF or code == 0x2015 or code == 0x332 or code == 0x203E or code == 0x305:
            return tex_output.UNDERLINE
        return tex_output.UNDERBRACE if code == 0x23DF else 0
    if code == 94 or code == 0x2C6 or code == 0x302:
        return tex_output.HAT if single else tex_output.WIDEHAT
    if code == 126 or code == 0x2DC or code == 0x303 or code == 0x223C:
        return tex_output.TILDE if single else tex_output.WIDETILDE
    if (
        code == 0xAF
        or code == 0x203E
        or code == 0x2015
        or code == 0x305
        or code == 95
        or code == 0x2C9
        or code == 0x304
    ):
        stretched = code == 0x203E or code == 0x2015
        return tex_output.BAR if single and not stretched else tex_output.OVERLINE
    if code == 0x2192 or code == 0x20D7:
        return tex_output.VEC if single else tex_output.OVERARROW
    if code == 46 or code == 0x2D9 or code == 0x307:
        return tex_output.DOT
    if code == 0xA8 or code == 0x308:
        return tex_output.DDOT
    if code == 0x2C7 or code == 0x30C:
        return tex_output.CHECK
    if code == 0x2D8 or code == 0x306:
        return tex_output.BREVE
    if code == 0xB4 or code == 0x301:
        return tex_output.ACUTE
    if code == 96 or code == 0x300:
        return tex_output.GRAVE
    if code == 0x2DA or code == 0x30A:
        return tex_output.RING
    return tex_output.OVERBRACE if code == 0x23DE else 0


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
def begin_script(data, k, row, single_row, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """``_`` or ``^`` before node ``k``, with a brace unless it is one letter or digit: (next o, whether without)."""
    code, variant = plain_letter(only_code(data, k, T, nodes, base, out, o), 0, T)
    bare = variant == 0 and (is_letter(code) or 48 <= code <= 57)
    bare &= nodes[M_FLAGS, base + first_leaf(k, nodes, base)] & 15 == 0
    return put_row(single_row if bare else row, T, W, out, o), bare


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
def open_limits(data, k, over, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Begin `munder` or `mover`: an accent, a script, or something set above or below."""
    c = base + k
    second = nodes[M_SECOND, c]
    accent = 0
    if second:
        code = only_code(data, second, T, nodes, base, out, o)
        accent = accent_of(code, over, only_code(data, k + 1, T, nodes, base, out, o) != 0)
    if accent:
        nodes[M_FLAGS, c] += _ACCENT * MODE
        return put_row(accent, T, W, out, o)
    if not second or takes_limits(data, k + 1, T, nodes, base, out, o):
        nodes[M_FLAGS, c] += _SCRIPT * MODE
        return o
    nodes[M_FLAGS, c] += _SET * MODE
    o = put_row(tex_output.OVERSET if over else tex_output.UNDERSET, T, W, out, o)
    nodes[M_AT, c], nodes[M_SECOND, c] = o, -1
    return o


@inline_kernel
def open_child(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """What its parent writes before node ``k``: (next o, whether it is left out)."""
    c = base + k
    p = base + nodes[M_PARENT, c]
    kind, index = nodes[M_KIND, p], nodes[M_INDEX, c]
    if nodes[M_FLAGS, c] & SKIPPED:
        return o, True
    if kind == MFRAC and index == 1:
        o = put_row(tex_output.BETWEEN, T, W, out, o)
    elif kind == MROOT and index == 1:
        nodes[M_SECOND, p] = o
    elif MSUB <= kind <= MSUBSUP:
        if index == 0:
            if needs_braces(data, k, T, nodes, base, out, o):
                nodes[M_FLAGS, p] |= BRACED
                o = put_row(tex_output.OPEN, T, W, out, o)
            return o, False
        if index == 1 and nodes[M_FLAGS, p] & BRACED:
            o = put_row(tex_output.CLOSE, T, W, out, o)
        elif index == 1 and o == nodes[M_AT, p] and o > nodes[M_AT, base] and out[o - 1] != 32 and out[o - 1] != 123:
            o = put_row(tex_output.EMPTY, T, W, out, o)  # else what stands before would take the script
        raised = k
        if kind == MSUBSUP and index == 1:
            raised = nodes[M_END, c] if nodes[M_END, c] < nodes[M_END, p] else -1
        primes = num_primes(data, raised, T, nodes, base, out, o) if raised >= 0 and kind != MSUB else 0
        if index == 2 and primes:
            return o, True
        for _ in range(primes):
            o = put_row(tex_output.QUOTE, T, W, out, o)
        if kind == MSUP and primes:
            nodes[M_FLAGS, p] |= SINGLE
            return o, True
        if index == 2 and not nodes[M_FLAGS, p] & SINGLE:
            o = put_row(tex_output.CLOSE, T, W, out, o)
        lower = kind == MSUB or (kind == MSUBSUP and index == 1)
        o, bare = begin_script(
            data,
            k,
            tex_output.SUB if lower else tex_output.SUP,
            tex_output.SUB1 if lower else tex_output.SUP1,
            T,
            W,
            nodes,
            base,
            out,
            o,
        )
        nodes[M_FLAGS, p] = (nodes[M_FLAGS, p] & ~SINGLE) | (SINGLE if bare else 0) | ANY_SCRIPT
    elif MUNDER <= kind <= MUNDEROVER and index > 0:
        mode = nodes[M_FLAGS, p] // MODE
        if mode == _ACCENT:
            return o, True
        if mode == _SET:
            nodes[M_SECOND, p] = o
        else:
            if index == 2 and not nodes[M_FLAGS, p] & SINGLE:
                o = put_row(tex_output.CLOSE, T, W, out, o)
            lower = kind == MUNDER or (kind == MUNDEROVER and index == 1)
            o, bare = begin_script(
                data,
                k,
                tex_output.SUB if lower else tex_output.SUP,
                tex_output.SUB1 if lower else tex_output.SUP1,
                T,
                W,
                nodes,
                base,
                out,
                o,
            )
            nodes[M_FLAGS, p] = (nodes[M_FLAGS, p] & ~SINGLE) | (SINGLE if bare else 0) | ANY_SCRIPT
    elif kind == MMULTI and index > 0:
        if nodes[M_KIND, c] == NONE or nodes[M_KIND, c] == MPRESCRIPTS:
            return o, True
        o = put_row(tex_output.SUB if index & 1 else tex_output.SUP, T, W, out, o)
    elif (kind in (MTR, MLABELEDTR)) and index > (kind == MLABELEDTR):
        o = put_row(tex_output.NEW_CELL, T, W, out, o)
    elif kind == MLABELEDTR and index == 0:
        return o, True
    elif kind == MTABLE and index > 0:
        o = put_row(tex_output.NEW_ROW, T, W, out, o)
    elif kind == MFENCED and index > 0:
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
    elif kind in (MUNDER, MOVER):
        o = open_limits(data, k, kind == MOVER, T, W, nodes, base, out, o)
    elif kind == MTABLE:
        row, left, right = table_name(data, k, K, T, nodes, base, out, o)
        o = take_brackets(k, left, right, W, nodes, base, o)
        nodes[M_SECOND, c] = row
        o = put_row(tex_output.BEGIN, T, W, out, o)
        o = put_row(row, T, W, out, o)
        o = put_code(32, T, W, out, o)
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
            o = put_code(32, T, W, out, o)
    elif nodes[M_FROM, c] >= 0 and kind <= MACTION:
        nodes[M_KIND, c] = MTEXT
        o = put_leaf(data, c, T, W, nodes, out, o)
        nodes[M_KIND, c] = kind
    return o


@inline_kernel
def close_math(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """End node ``k``, and what its parent opened before it: next o."""
    c = base + k
    kind, flags = nodes[M_KIND, c], nodes[M_FLAGS, c]
    if kind in (MFRAC, MSQRT, MPHANTOM) or (kind == MENCLOSE and flags // MODE):
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == MROOT or ((kind in (MUNDER, MOVER)) and flags // MODE == _SET):
        second = nodes[M_SECOND, c] if nodes[M_SECOND, c] >= 0 else o  # where the second child, if any, was written
        o = put_row(tex_output.ROOT_OF if kind == MROOT else tex_output.BETWEEN, T, W, out, o)
        if not W[s.FULL]:
            rotate(out, nodes[M_AT, c], second, o)
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif (kind in (MUNDER, MOVER)) and flags // MODE == _ACCENT:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif MSUB <= kind <= MUNDEROVER:
        if flags & ANY_SCRIPT and not flags & SINGLE:
            o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == MTABLE:
        o = put_code(32, T, W, out, o)
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
def is_simple_fraction(data, K, nodes, W, T, out, o):  # type: ignore[no-untyped-def]
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
    o = put_code(47, T, W, out, o)
    return put_leaf(data, c + 2, T, W, nodes, out, o)
