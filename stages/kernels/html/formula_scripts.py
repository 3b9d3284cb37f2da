"""Scripts, limits and accents of a formula as TeX: its parts beside, above and below others. For `formulas`.

Legend: k a node, K nodes of the formula; T tables, W state; ``out[o:]`` is scratch where nothing is written.
"""

from __future__ import annotations

from stages.kernels.html import mathml as m
from stages.kernels.html import tex_output
from stages.kernels.html.formula_nodes import (
    first_leaf,
    names_function,
    needs_braces,
    num_primes,
    only_code,
    shows_nothing,
)
from stages.kernels.html.glyphs import is_letter, next_code
from stages.kernels.html.tex_output import plain_letter, put_row
from stages.kernels.jit import lean_inline_kernel as inline_kernel

SCRIPT, ACCENT, SET = 1, 2, 3
"""Meanings of `munder` and `mover`, in their flags from `MODE` on: scripts, an accent, something set above or below."""


@inline_kernel
def takes_limits(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Whether node ``k`` is a sum, an integral, a union or a function such as lim: what stands under it is a subscript."""
    c = base + first_leaf(k, nodes, base)
    if nodes[m.KIND, c] <= m.MACTION and names_function(data, c - base, T, nodes, base, out, o):
        c += 1
    kind = nodes[m.KIND, c]
    if kind in (m.MUNDER, m.MOVER):
        return nodes[m.FLAGS, c] // m.MODE == ACCENT
    if not m.MI <= kind <= m.MTEXT or nodes[m.FROM, c] < 0:
        return False
    code, pos = next_code(data, nodes[m.FROM, c], nodes[m.TO, c], T, out, o)
    if 0x220F <= code <= 0x2211 or 0x222B <= code <= 0x2233 or 0x22C0 <= code <= 0x22C3 or 0x2A00 <= code <= 0x2A1C:
        return True
    more, _ = next_code(data, pos, nodes[m.TO, c], T, out, o)
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
    if code == 0xB4 or code == 0x301 or code == 0x2CA:
        return tex_output.ACUTE
    if code == 96 or code == 0x300 or code == 0x2CB:
        return tex_output.GRAVE
    if code == 0x2DA or code == 0x30A:
        return tex_output.RING
    return tex_output.OVERBRACE if code == 0x23DE else 0


@inline_kernel
def begin_script(data, k, lower, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """``_`` or ``^`` before node ``k``, behind the end of a script before it, with a brace unless it is one letter or digit: next o."""
    c = base + k
    p = base + nodes[m.PARENT, c]
    if nodes[m.INDEX, c] == 2 and not nodes[m.FLAGS, p] & m.SINGLE:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    code, variant = plain_letter(only_code(data, k, T, nodes, base, out, o), 0, T)
    bare = variant == 0 and (is_letter(code) or 48 <= code <= 57)
    bare &= nodes[m.FLAGS, base + first_leaf(k, nodes, base)] & 15 == 0
    if lower:
        row = tex_output.SUB1 if bare else tex_output.SUB
    else:
        row = tex_output.SUP1 if bare else tex_output.SUP
    nodes[m.FLAGS, p] = (nodes[m.FLAGS, p] & ~m.SINGLE) | (m.SINGLE if bare else 0) | m.ANY_SCRIPT
    return put_row(row, T, W, out, o)


@inline_kernel
def open_script(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Before child ``k`` of `msub`, `msup` or `msubsup`: (next o, whether it is left out). Primes are written at once."""
    c = base + k
    p = base + nodes[m.PARENT, c]
    kind, index = nodes[m.KIND, p], nodes[m.INDEX, c]
    if index == 0:
        if needs_braces(data, k, T, nodes, base, out, o):
            nodes[m.FLAGS, p] |= m.BRACED
            o = put_row(tex_output.OPEN, T, W, out, o)
        return o, False
    if index == 1 and nodes[m.FLAGS, p] & m.BRACED:
        o = put_row(tex_output.CLOSE, T, W, out, o)
    nothing = shows_nothing(k, nodes, base)
    if (
        index == 1
        and (not nothing or kind == m.MSUBSUP)
        and not nodes[m.FLAGS, p] & m.BRACED
        and o == nodes[m.AT, p]
        and o > nodes[m.AT, base]
        and out[o - 1] != 32
        and out[o - 1] != 123
    ):
        o = put_row(tex_output.EMPTY, T, W, out, o)  # else what stands before would take the script
    raised = k
    if kind == m.MSUBSUP and index == 1:
        raised = nodes[m.END, c] if nodes[m.END, c] < nodes[m.END, p] else -1
    primes = num_primes(data, raised, T, nodes, base, out, o) if raised >= 0 and kind != m.MSUB else 0
    if index == 2 and primes:
        return o, True
    for _ in range(primes):
        o = put_row(tex_output.QUOTE, T, W, out, o)
    if nothing or (kind == m.MSUP and primes):
        nodes[m.FLAGS, p] |= m.SINGLE if index == 1 else 0
        return o, True
    return begin_script(data, k, kind == m.MSUB or (kind == m.MSUBSUP and index == 1), T, W, nodes, base, out, o), False


@inline_kernel
def open_limits(data, k, over, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Begin `munder` or `mover`: an accent, a script, or something set above or below."""
    c = base + k
    second = nodes[m.SECOND, c]
    accent = 0
    if second:
        code = only_code(data, second, T, nodes, base, out, o)
        accent = accent_of(code, over, only_code(data, k + 1, T, nodes, base, out, o) != 0)
    if accent:
        nodes[m.FLAGS, c] += ACCENT * m.MODE
        return put_row(accent, T, W, out, o)
    if not second or takes_limits(data, k + 1, T, nodes, base, out, o):
        nodes[m.FLAGS, c] += SCRIPT * m.MODE
        return o
    nodes[m.FLAGS, c] += SET * m.MODE
    o = put_row(tex_output.OVERSET if over else tex_output.UNDERSET, T, W, out, o)
    nodes[m.AT, c], nodes[m.SECOND, c] = o, -1
    return o


@inline_kernel
def open_limit(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Before what stands above or below, child ``k`` of `munder`, `mover` or `munderover`: (next o, whether it is left out)."""
    c = base + k
    p = base + nodes[m.PARENT, c]
    kind, mode = nodes[m.KIND, p], nodes[m.FLAGS, p] // m.MODE
    if mode == ACCENT:
        return o, True
    if mode == SET:
        nodes[m.SECOND, p] = o
        return o, False
    if shows_nothing(k, nodes, base):
        nodes[m.FLAGS, p] |= m.SINGLE if nodes[m.INDEX, c] == 1 else 0
        return o, True
    lower = kind == m.MUNDER or (kind == m.MUNDEROVER and nodes[m.INDEX, c] == 1)
    return begin_script(data, k, lower, T, W, nodes, base, out, o), False
