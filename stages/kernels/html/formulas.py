"""Formulas of a page as TeX: read from the TeX that stands in it, or written from MathML.

For `blocks`. `read_math` reads a `math` element to its end: into a small tree, in columns of the nodes that are not used yet
(one for each of its start tags), and spans of the TeX that its annotation or ``data-latex`` gives. `write_math` writes the tree
as TeX, `write_tex` TeX from the page: references decoded, white space single, comments and the wrappers of renderers taken off.

MathML is read as MathML Core has it, with `mfenced`, `menclose`, `mmultiscripts` and tables. Its TeX is one that renders alike, not the
author's. What grows longer than its source allows (a hostile `mo`) is written as its bare characters.

Price: linear in the element; nesting beyond `MATH_DEPTH` is flat. Legend: K nodes of the formula; T tables, W state.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tex_output
from stages.kernels.html.entities import write_code_point
from stages.kernels.html.mathml import (
    ANY_SCRIPT,
    BRACED,
    M_AT,
    M_END,
    M_FLAGS,
    M_FROM,
    M_INDEX,
    M_KIND,
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
)
from stages.kernels.html.tex_output import is_letter, next_code, put_code, put_leaf, put_row
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_MODE = 1 << 12
_SCRIPT, _ACCENT, _SET = 1, 2, 3


@inline_kernel
def only_code(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """The one character that node ``k`` holds, through rows of one child; 0 where it holds more or none."""
    c = base + k
    while nodes[M_KIND, c] <= MACTION:
        if nodes[M_FROM, c] >= 0 or nodes[M_END, c] == c - base + 1 or nodes[M_END, c + 1] != nodes[M_END, c]:
            return 0
        c += 1
    if nodes[M_KIND, c] > MS or nodes[M_FROM, c] < 0:
        return 0
    stop = nodes[M_TO, c]
    code, pos = next_code(data, nodes[M_FROM, c], stop, T, out, o)
    more, pos = next_code(data, pos, stop, T, out, o)
    while more == 32 or 9 <= more <= 13:
        more, pos = next_code(data, pos, stop, T, out, o)
    return code if more < 0 else 0


@inline_kernel
def first_leaf(k, nodes, base):  # type: ignore[no-untyped-def]
    """Node ``k``, or what a row of one child holds."""
    c = base + k
    while nodes[M_KIND, c] <= MACTION and nodes[M_END, c] > c - base + 1 and nodes[M_END, c + 1] == nodes[M_END, c]:
        c += 1
    return c - base


@inline_kernel
def takes_limits(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Whether node ``k`` is a sum, an integral, a union or a function such as lim: what stands under it is a subscript."""
    c = base + first_leaf(k, nodes, base)
    kind = nodes[M_KIND, c]
    if kind in (MUNDER, MOVER):
        return nodes[M_FLAGS, c] // _MODE == _ACCENT
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
        return tex_output.BAR if single else tex_output.OVERLINE
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
def needs_braces(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Whether a script's base is more than one thing: a leaf, a bracketed row and a sum with limits are one."""
    c = base + first_leaf(k, nodes, base)
    kind = nodes[M_KIND, c]
    if kind > MACTION:
        return not (kind <= MSQRT or kind in (MTABLE, MFENCED, MUNDER, MOVER, MUNDEROVER))
    if nodes[M_END, c] <= c - base + 1:
        return False
    first = only_code(data, c - base + 1, T, nodes, base, out, o)
    return not (first == 40 or first == 91 or first == 123 or first == 124 or first == 0x27E8 or first == 0x2016)


@inline_kernel
def begin_script(data, k, row, single_row, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """``_`` or ``^`` before node ``k``, with a brace unless it is one letter or digit: (next o, whether without)."""
    code = only_code(data, k, T, nodes, base, out, o)
    bare = is_letter(code) or 48 <= code <= 57
    bare &= nodes[M_FLAGS, base + first_leaf(k, nodes, base)] & 15 == 0
    return put_row(single_row if bare else row, T, W, out, o), bare


@inline_kernel
def table_name(data, k, K, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """(row of the environment of a table, whether the bracket before it belongs to it, whether the one behind does)."""
    c = base + k
    before, behind = 0, 0
    if nodes[M_INDEX, c] > 0 and nodes[M_PARENT, c - 1] == nodes[M_PARENT, c]:
        before = only_code(data, k - 1, T, nodes, base, out, o)
    after = nodes[M_END, c]
    if after < K and nodes[M_PARENT, base + after] == nodes[M_PARENT, c]:
        behind = only_code(data, after, T, nodes, base, out, o)
    if before == 40 and behind == 41:
        return tex_output.PMATRIX, True, True
    if before == 91 and behind == 93:
        return tex_output.BMATRIX, True, True
    if (before == 124 and behind == 124) or (before == 0x2223 and behind == 0x2223):
        return tex_output.VMATRIX, True, True
    if (before == 0x2016 and behind == 0x2016) or (before == 0x2225 and behind == 0x2225):
        return tex_output.VVMATRIX, True, True
    if before == 123 and behind != 125:
        return tex_output.CASES, True, False
    return tex_output.ALIGNED if nodes[M_FLAGS, c] & RIGHT else tex_output.MATRIX, False, False


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
        nodes[M_FLAGS, c] += _ACCENT * _MODE
        return put_row(accent, T, W, out, o)
    if not second or takes_limits(data, k + 1, T, nodes, base, out, o):
        nodes[M_FLAGS, c] += _SCRIPT * _MODE
        return o
    nodes[M_FLAGS, c] += _SET * _MODE
    o = put_row(tex_output.OVERSET if over else tex_output.UNDERSET, T, W, out, o)
    nodes[M_AT, c] = o
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
        if index == 2 and not nodes[M_FLAGS, p] & SINGLE:
            o = put_row(tex_output.CLOSE, T, W, out, o)
        if kind == MSUP and index == 1 and only_code(data, k, T, nodes, base, out, o) in (0x2032, 39, 0x2019):
            nodes[M_FLAGS, p] |= SINGLE
            return put_row(tex_output.QUOTE, T, W, out, o), True
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
        mode = nodes[M_FLAGS, p] // _MODE
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
def open_math(data, k, K, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Begin node ``k``: next o."""
    c = base + k
    kind = nodes[M_KIND, c]
    nodes[M_AT, c] = o
    if MI <= kind <= MS:
        if nodes[M_FROM, c] >= 0:
            o = put_leaf(data, c, T, W, nodes, out, o)
    elif kind == MFRAC:
        o = put_row(tex_output.BINOM if nodes[M_FLAGS, c] & NO_LINE else tex_output.FRAC, T, W, out, o)
    elif kind == MSQRT:
        o = put_row(tex_output.SQRT, T, W, out, o)
    elif kind == MROOT:
        o = put_row(tex_output.ROOT, T, W, out, o)
        nodes[M_AT, c] = o
    elif kind in (MUNDER, MOVER):
        o = open_limits(data, k, kind == MOVER, T, W, nodes, base, out, o)
    elif kind == MTABLE:
        row, before, behind = table_name(data, k, K, T, nodes, base, out, o)
        if before:
            o = nodes[M_AT, c - 1]
            W[s.COMMAND] = 0
        if behind:
            nodes[M_FLAGS, base + nodes[M_END, c]] |= SKIPPED
        nodes[M_SECOND, c] = row
        o = put_row(tex_output.BEGIN, T, W, out, o)
        o = put_row(row, T, W, out, o)
        o = put_code(32, T, W, out, o)
    elif kind == MFENCED:
        o = put_code(40, T, W, out, o)
    elif kind == MENCLOSE:
        o = put_row(tex_output.BOXED, T, W, out, o)
    elif kind == MPHANTOM:
        o = put_row(tex_output.PHANTOM, T, W, out, o)
    elif kind == MSPACE:
        if o > 0 and out[o - 1] != 32:
            o = put_code(32, T, W, out, o)
    elif nodes[M_FROM, c] >= 0 and kind <= MACTION:
        nodes[M_KIND, c] = MTEXT
        o = put_leaf(data, c, T, W, nodes, out, o)
        nodes[M_KIND, c] = kind
    return o


@inline_kernel
def close_math(k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """End node ``k``, and what its parent opened before it: next o."""
    c = base + k
    kind, flags = nodes[M_KIND, c], nodes[M_FLAGS, c]
    if kind in (MFRAC, MSQRT, MENCLOSE, MPHANTOM):
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == MROOT or ((kind in (MUNDER, MOVER)) and flags // _MODE == _SET):
        o = put_row(tex_output.ROOT_OF if kind == MROOT else tex_output.BETWEEN, T, W, out, o)
        if nodes[M_SECOND, c] >= nodes[M_AT, c] and not W[s.FULL]:
            rotate(out, nodes[M_AT, c], nodes[M_SECOND, c], o)
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif (kind in (MUNDER, MOVER)) and flags // _MODE == _ACCENT:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    elif MSUB <= kind <= MUNDEROVER:
        if flags & ANY_SCRIPT and not flags & SINGLE:
            o = put_row(tex_output.CLOSE, T, W, out, o)
    elif kind == MTABLE:
        o = put_code(32, T, W, out, o)
        o = put_row(tex_output.END, T, W, out, o)
        o = put_row(nodes[M_SECOND, c], T, W, out, o)
    elif kind == MFENCED:
        o = put_code(41, T, W, out, o)
    p = base + nodes[M_PARENT, c]
    if nodes[M_KIND, p] == MMULTI and nodes[M_INDEX, c] > 0:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    return o


@inline_kernel
def write_math(data, K, T, W, nodes, out, o, limit):  # type: ignore[no-untyped-def]
    """Write the formula of ``K`` nodes as TeX, not beyond ``limit``: next o; ``W[s.FULL]`` if it did not fit."""
    base, depth, k = W[s.NODES], 0, 0
    W[s.LIMIT], W[s.FULL], W[s.COMMAND] = limit, 0, 0
    while not W[s.FULL]:
        while depth > 0 and nodes[M_END, base + W[s.MATH_STACK + depth - 1]] <= k:
            depth -= 1
            o = close_math(W[s.MATH_STACK + depth], T, W, nodes, base, out, o)
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
