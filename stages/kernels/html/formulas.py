"""Formulas of a page as TeX: read from the TeX that stands in it, or written from MathML.

For `blocks`. `read_math` reads a `math` element to its end: into a small tree, in columns of the nodes that are not used yet
(one for each of its start tags), and spans of the TeX that its annotation or ``data-latex`` gives. `write_math` writes the tree
as TeX, `write_tex` TeX from the page: references decoded, white space single, comments and the wrappers of renderers taken off.

MathML is read as MathML Core has it, with `mfenced`, `menclose`, `mmultiscripts` and tables. Its TeX is one that renders alike, not the
author's. What grows longer than its source allows (a hostile `mo`) is written as its bare characters.

Price: linear in the element; nesting beyond `MATH_DEPTH` is flat. Legend: K nodes of the formula; T tables, W state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import tokens as t
from stages.kernels.html.entities import read_reference, write_code_point
from stages.kernels.html.state import (
    MATH_DEPTH,
    MATH_STACK,
    S_COMMAND,
    S_FULL,
    S_LIMIT,
    S_NO_END,
    S_NODES,
    S_TEX_FROM,
    S_TEX_TO,
    SPANS,
)
from stages.kernels.html.symbols import ALPHABETS_FROM, ALPHABETS_TO, VARIANTS, symbol_byte, symbol_of
from stages.kernels.html.tables import (
    ALPHABETS,
    COMMAND_TABLE,
    FNV_START,
    MATH_TABLE,
    SYMBOL_TEXTS,
    TAG_FLAGS,
    build_table,
    look_up,
    mix,
)
from stages.kernels.html.tokens import find_byte, find_raw_end, is_space, read_attributes, read_tag_name, skip_markup
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_NAMES = [
    "math",
    "mrow",
    "mstyle",
    "mpadded",
    "semantics",
    "merror",
    "maction",
    "mi",
    "mn",
    "mo",
    "mtext",
    "ms",
    "mspace",
    "mfrac",
    "msqrt",
    "mroot",
    "msub",
    "msup",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mmultiscripts",
    "mprescripts",
    "none",
    "mtable",
    "mtr",
    "mlabeledtr",
    "mtd",
    "mfenced",
    "menclose",
    "mphantom",
    "annotation",
    "annotation-xml",
]
(MATH, MROW, MSTYLE, MPADDED, SEMANTICS, MERROR, MACTION, MI, MN, MO, MTEXT, MS, MSPACE, MFRAC, MSQRT, MROOT, MSUB, MSUP,
 MSUBSUP, MUNDER, MOVER, MUNDEROVER, MMULTI, MPRESCRIPTS, NONE, MTABLE, MTR, MLABELEDTR, MTD, MFENCED, MENCLOSE, MPHANTOM,
 ANNOTATION, ANNOTATION_XML) = range(1, 35)  # fmt: skip
_COMMANDS = [
    "sin",
    "cos",
    "tan",
    "cot",
    "sec",
    "csc",
    "sinh",
    "cosh",
    "tanh",
    "coth",
    "arcsin",
    "arccos",
    "arctan",
    "log",
    "ln",
    "lg",
    "exp",
    "lim",
    "liminf",
    "limsup",
    "max",
    "min",
    "sup",
    "inf",
    "det",
    "dim",
    "ker",
    "gcd",
    "deg",
    "arg",
    "hom",
    "Pr",
]
# rows of a formula's nodes
M_KIND, M_PARENT, M_FROM, M_TO, M_END, M_SECOND, M_INDEX, M_FLAGS, M_AT = range(9)
# fixed strings, as rows of symbols
_STRINGS = (
    "\\frac{", "}{", "}", "\\sqrt{", "\\sqrt[", "]{", "_{", "^{", "{", "\\overset{", "\\underset{", "\\text{", " \\\\ ", " & ",
    "\\begin{", "\\end{", "matrix}", "pmatrix}", "bmatrix}", "vmatrix}", "Vmatrix}", "cases}", "aligned}", "\\hat{", "\\tilde{",
    "\\bar{", "\\overline{", "\\vec{", "\\dot{", "\\ddot{", "\\check{", "\\breve{", "\\overbrace{", "\\underline{",
    "\\underbrace{", "\\boxed{", "\\binom{", "\\widehat{", "\\widetilde{", "\\overrightarrow{", "\\phantom{", ", ", "\\limits",
    "_", "^", "'", "\\prime", "{}", "\\mathrm{", "\\acute{", "\\grave{", "\\mathring{",
)  # fmt: skip
_FIRST_STRING = 400
_ROW = {text: _FIRST_STRING + number for number, text in enumerate(_STRINGS)}
(_FRAC, _BETWEEN, _CLOSE, _SQRT, _ROOT, _ROOT_OF, _SUB, _SUP, _OPEN, _OVERSET, _UNDERSET, _TEXT, _NEW_ROW, _NEW_CELL, _BEGIN,
 _END, _MATRIX, _PMATRIX, _BMATRIX, _VMATRIX, _VVMATRIX, _CASES, _ALIGNED, _HAT, _TILDE, _BAR, _OVERLINE, _VEC, _DOT, _DDOT,
 _CHECK, _BREVE, _OVERBRACE, _UNDERLINE, _UNDERBRACE, _BOXED, _BINOM, _WIDEHAT, _WIDETILDE, _OVERARROW, _PHANTOM, _COMMA, _LIMITS,
 _SUB1, _SUP1, _QUOTE, _PRIME, _EMPTY, _MATHRM, _ACUTE, _GRAVE, _RING) = range(_FIRST_STRING, _FIRST_STRING + 52)  # fmt: skip
_FIRST_VARIANT, _FIRST_COMMAND = 460, 470
# what M_FLAGS holds beside a variant (lowest 4 bits) and a mode
_BRACED, _SKIPPED, _RIGHT, _SINGLE, _ANY_SCRIPT, _NO_LINE = 16, 32, 64, 128, 256, 512
_MODE = 1 << 12
_SCRIPT, _ACCENT, _SET = 1, 2, 3
_BOLD, _BOLD_ITALIC, _NORMAL, _DOUBLE, _CALLIGRAPHIC, _FRAKTUR, _SANS, _MONO = range(1, 9)
_VARIANT_NAMES = {"normal": 1, "bold": 2, "double-struck": 3, "script": 4, "fraktur": 5, "sans-serif": 6, "monospace": 7,
                  "bold-italic": 8, "-tex-calligraphic": 4, "bold-script": 4, "bold-fraktur": 5, "-tex-bold-calligraphic": 4}  # fmt: skip
(_V_NORMAL, _V_BOLD, _V_DOUBLE, _V_SCRIPT, _V_FRAKTUR, _V_SANS, _V_MONO, _V_BOLD_ITALIC) = range(1, 9)
_FIRST_VARIANT_NAME = 100


def _store(T: npt.NDArray[np.int64], row: int, text: str) -> None:
    content = text.encode().ljust(21, b"\0")
    for word in range(3):
        T[SYMBOL_TEXTS + 4 * row + word] = int.from_bytes(content[7 * word : 7 * word + 7], "little")
    T[SYMBOL_TEXTS + 4 * row + 3] = len(text)


def fill_math_tables(T: npt.NDArray[np.int64]) -> None:
    """Write elements, functions and fixed strings of formulas into ``T``."""
    names = [*_NAMES, *_VARIANT_NAMES]
    values = [*range(1, len(_NAMES) + 1), *(_FIRST_VARIANT_NAME + variant for variant in _VARIANT_NAMES.values())]
    T[MATH_TABLE:COMMAND_TABLE] = build_table([name.encode() for name in names], 256, values)
    commands = build_table([name.encode() for name in _COMMANDS], 128)
    T[COMMAND_TABLE : COMMAND_TABLE + 256] = commands
    for text, row in _ROW.items():
        _store(T, row, text)
    for number, name in enumerate(VARIANTS):
        _store(T, _FIRST_VARIANT + number, f"\\{name}{{")
    for number, name in enumerate(_COMMANDS):
        _store(T, _FIRST_COMMAND + number, "\\" + name)


# ---- reading


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
    return pos, number if number < _FIRST_VARIANT_NAME else -1


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
    if W[S_NO_END]:
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
    W[S_NO_END] = 1
    return pos, True


@inline_kernel
def add_math_node(data, nodes, base, K, parent, kind, W, T, found):  # type: ignore[no-untyped-def]
    """Fill column ``base + K`` for an element whose attributes were just read."""
    c = base + K
    nodes[M_KIND, c] = kind
    nodes[M_PARENT, c] = parent
    nodes[M_FROM, c] = -1
    nodes[M_TO, c] = -1
    nodes[M_END, c] = K + 1
    nodes[M_SECOND, c] = 0
    nodes[M_FLAGS, c] = 0
    nodes[M_AT, c] = 0
    nodes[M_INDEX, c] = 0
    if K > 0:
        p = base + parent
        nodes[M_INDEX, c] = nodes[M_AT, p]
        nodes[M_AT, p] += 1  # number of children, until it is written
        if nodes[M_INDEX, c] == 1:
            nodes[M_SECOND, p] = K
        if kind >= MI and nodes[M_KIND, p] <= MACTION:
            nodes[M_FLAGS, c] |= nodes[M_FLAGS, p] & 15
    if (found >> t.MATHVARIANT) & 1:
        h = FNV_START
        for i in range(
            W[SPANS + 2 * t.MATHVARIANT], min(W[SPANS + 2 * t.MATHVARIANT + 1], W[SPANS + 2 * t.MATHVARIANT] + 40)
        ):
            h = mix(h, data[i])
        variant = look_up(T, MATH_TABLE, 256, h)
        nodes[M_FLAGS, c] &= ~15
        if variant >= _FIRST_VARIANT_NAME:
            nodes[M_FLAGS, c] |= variant - _FIRST_VARIANT_NAME
    if kind == MTABLE and (found >> t.COLUMNALIGN) & 1:
        start = W[SPANS + 2 * t.COLUMNALIGN]
        if start < W[SPANS + 2 * t.COLUMNALIGN + 1] and data[start] == 114:
            nodes[M_FLAGS, c] |= _RIGHT
    if kind == MFRAC and (found >> t.LINETHICKNESS) & 1:
        start = W[SPANS + 2 * t.LINETHICKNESS]
        if start < W[SPANS + 2 * t.LINETHICKNESS + 1] and data[start] == 48:
            nodes[M_FLAGS, c] |= _NO_LINE


@inline_kernel
def note_math_text(data, start, stop, nodes, column):  # type: ignore[no-untyped-def]
    """Text inside an element: its own while it holds no other element."""
    while start < stop and is_space(data[start]):
        start += 1
    if start >= stop or nodes[M_AT, column] > 0:
        return
    if nodes[M_FROM, column] < 0:
        nodes[M_FROM, column] = start
    nodes[M_TO, column] = stop


@inline_kernel
def read_math(data, pos, end, T, W, nodes):  # type: ignore[no-untyped-def]
    """Read a formula from behind its start tag, its attributes in ``W``: (position after it, number of its nodes).

    ``W[S_TEX_FROM:S_TEX_TO]`` becomes the span of its TeX, unless it is known. HTML that cannot stand in a formula ends it.
    """
    base, K, depth, overflow, inner = W[S_NODES], 1, 1, 0, 0
    add_math_node(data, nodes, base, 0, 0, MATH, W, T, 0)
    W[MATH_STACK] = 0
    after = end
    while pos < end:
        lt = find_byte(data, pos, end, 60)
        top = base + W[MATH_STACK + depth - 1]
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
            flags = T[TAG_FLAGS + tag]
            if flags & (t.BREAKOUT if not closing else t.BLOCK) and not (
                MTEXT <= nodes[M_KIND, top] <= MS and not flags & t.BLOCK
            ):
                after = pos
                break
            pos, _, _ = read_attributes(data, name_end, end, T, W)
            if pos < 0:
                break
            if not closing and flags & (t.RAW | t.ESCAPABLE):
                pos = find_raw_end(data, pos, end, T, tag)
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
            k = depth - 1
            while k > 0 and nodes[M_KIND, base + W[MATH_STACK + k]] != kind:
                k -= 1
            while k > 0 and depth > k:
                depth -= 1
                nodes[M_END, base + W[MATH_STACK + depth]] = K
            continue
        if kind >= ANNOTATION:
            stop, marked = skip_annotation(data, pos, end, T, W, kind)
            if kind == ANNOTATION and not marked and W[S_TEX_FROM] < 0 and stop > pos and (found >> t.ENCODING) & 1:
                if holds_tex(data, W[SPANS + 2 * t.ENCODING], W[SPANS + 2 * t.ENCODING + 1]):
                    W[S_TEX_FROM] = pos
                    W[S_TEX_TO] = stop
            pos = stop
            continue
        if MI <= nodes[M_KIND, top] <= MS:
            continue  # in a leaf
        if K == 1 and (found >> t.DATA_LATEX) & 1 and W[S_TEX_FROM] < 0:
            W[S_TEX_FROM] = W[SPANS + 2 * t.DATA_LATEX]
            W[S_TEX_TO] = W[SPANS + 2 * t.DATA_LATEX + 1]
        if depth >= MATH_DEPTH:
            overflow += not empty
            continue
        add_math_node(data, nodes, base, K, W[MATH_STACK + depth - 1], kind, W, T, found)
        if not empty and kind != MSPACE and kind != NONE and kind != MPRESCRIPTS:
            W[MATH_STACK + depth] = K
            depth += 1
        K += 1
    while depth > 0:
        depth -= 1
        nodes[M_END, base + W[MATH_STACK + depth]] = K
    return after, K


# ---- writing


@inline_kernel
def next_code(data, pos, stop, T, out, o):  # type: ignore[no-untyped-def]
    """(code point at ``pos`` of the text of a leaf or -1, position behind it); ``out[o:]`` is scratch."""
    while pos < stop and data[pos] == 60:
        pos = find_byte(data, pos, stop, 62) + 1
    if pos >= stop:
        return -1, stop
    b = np.int64(data[pos])
    if b == 38:
        pos, _ = read_reference(data, pos, stop, T, out, o)
        return code_at(out, o), pos
    size = 1 if b < 0xC0 else 2 if b < 0xE0 else 3 if b < 0xF0 else 4
    if pos + size > stop:
        return 0xFFFD, stop
    return code_at(data, pos), pos + size


@inline_kernel
def code_at(data, i):  # type: ignore[no-untyped-def]
    """The code point of valid UTF-8 at ``i``."""
    b = np.int64(data[i])
    if b < 0x80:
        return b
    if b < 0xE0:
        return (b & 31) << 6 | np.int64(data[i + 1]) & 63
    if b < 0xF0:
        return (b & 15) << 12 | (np.int64(data[i + 1]) & 63) << 6 | np.int64(data[i + 2]) & 63
    return (
        (b & 7) << 18
        | (np.int64(data[i + 1]) & 63) << 12
        | (np.int64(data[i + 2]) & 63) << 6
        | np.int64(data[i + 3]) & 63
    )


@inline_kernel
def is_letter(code):  # type: ignore[no-untyped-def]
    return 65 <= code <= 90 or 97 <= code <= 122


@inline_kernel
def put_row(row, T, W, out, o):  # type: ignore[no-untyped-def]
    """A fixed string or symbol: next o; past the limit nothing is written and the formula is full."""
    size = T[SYMBOL_TEXTS + 4 * row + 3]
    if o + size + 1 > W[S_LIMIT]:
        W[S_FULL] = 1
        return o
    if size == 0:
        return o
    if W[S_COMMAND] and is_letter(symbol_byte(row, 0, T)):
        out[o] = 32
        o += 1
    for k in range(size):
        out[o + k] = symbol_byte(row, k, T)
    W[S_COMMAND] = symbol_byte(row, 0, T) == 92 and is_letter(symbol_byte(row, size - 1, T))
    return o + size


@inline_kernel
def put_code(code, T, W, out, o):  # type: ignore[no-untyped-def]
    """One code point as it is: next o."""
    if o + (2 if code < 128 else 5) > W[S_LIMIT]:
        W[S_FULL] = 1
        return o
    if W[S_COMMAND] and is_letter(code):
        out[o] = 32
        o += 1
    W[S_COMMAND] = 0
    return write_code_point(code, out, o)


@inline_kernel
def put_symbol(code, variant, T, W, out, o):  # type: ignore[no-untyped-def]
    """A character of mathematics: next o."""
    if ALPHABETS_FROM <= code < ALPHABETS_TO:
        letter = T[ALPHABETS + code - ALPHABETS_FROM]
        code = letter & 0xFFFFFFFF
        variant = letter >> 32
    if variant > 0 and (is_letter(code) or 48 <= code <= 57 or (variant != _V_NORMAL and 0x391 <= code <= 0x3C9)):
        o = put_row(_FIRST_VARIANT + variant, T, W, out, o)
        row = symbol_of(code, T)
        o = put_row(row, T, W, out, o) if row >= 0 else put_code(code, T, W, out, o)
        return put_row(_CLOSE, T, W, out, o)
    row = symbol_of(code, T)
    return put_row(row, T, W, out, o) if row >= 0 else put_code(code, T, W, out, o)


@inline_kernel
def put_leaf(data, column, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """The text of `mi`, `mn`, `mo`, `mtext`, `ms`: next o."""
    kind, variant = nodes[M_KIND, column], nodes[M_FLAGS, column] & 15
    start, stop = nodes[M_FROM, column], nodes[M_TO, column]
    while stop > start and is_space(data[stop - 1]):
        stop -= 1
    code, pos = next_code(data, start, stop, T, out, o)
    if code < 0:
        return o
    if kind in (MTEXT, MS):
        return put_text(data, start, stop, T, W, out, o)
    following, _ = next_code(data, pos, stop, T, out, o)
    if following < 0:
        return put_symbol(code, variant, T, W, out, o)
    letters, h, i = True, FNV_START, start
    while True:
        code, i = next_code(data, i, stop, T, out, o)
        if code < 0:
            break
        letters &= is_letter(code)
        h = mix(h, code)
    if kind != MN and letters:
        command = look_up(T, COMMAND_TABLE, 128, h)
        if command >= 0:
            return put_row(_FIRST_COMMAND + command, T, W, out, o)
        o = put_row(_FIRST_VARIANT + max(variant, 1), T, W, out, o)
        variant = -1
    elif kind == MN and variant > 0:
        o = put_row(_FIRST_VARIANT + variant, T, W, out, o)
        variant = -1
    i = start
    while True:
        code, i = next_code(data, i, stop, T, out, o)
        if code < 0:
            break
        o = put_symbol(code, max(0, variant), T, W, out, o)
    return put_row(_CLOSE, T, W, out, o) if variant < 0 else o


@inline_kernel
def put_text(data, start, stop, T, W, out, o):  # type: ignore[no-untyped-def]
    """Words in a formula as ``\\text{...}``: next o; white space alone is nothing."""
    before = o
    o = put_row(_TEXT, T, W, out, o)
    i, space, any_text = start, False, False
    while not W[S_FULL]:
        code, i = next_code(data, i, stop, T, out, o)
        if code < 0:
            break
        if code == 0xA0 or code == 32 or 9 <= code <= 13:
            space = True
            continue
        if space:
            o = put_code(32, T, W, out, o)
            space = False
        if code == 123 or code == 125 or 35 <= code <= 38 or code == 95:
            o = put_code(92, T, W, out, o)
        o = put_code(code, T, W, out, o)
        any_text = True
    if not any_text:
        W[S_COMMAND] = 0
        return before
    if space:
        o = put_code(32, T, W, out, o)
    return put_row(_CLOSE, T, W, out, o)


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
            return _UNDERLINE
        return _UNDERBRACE if code == 0x23DF else 0
    if code == 94 or code == 0x2C6 or code == 0x302:
        return _HAT if single else _WIDEHAT
    if code == 126 or code == 0x2DC or code == 0x303 or code == 0x223C:
        return _TILDE if single else _WIDETILDE
    if (
        code == 0xAF
        or code == 0x203E
        or code == 0x2015
        or code == 0x305
        or code == 95
        or code == 0x2C9
        or code == 0x304
    ):
        return _BAR if single else _OVERLINE
    if code == 0x2192 or code == 0x20D7:
        return _VEC if single else _OVERARROW
    if code == 46 or code == 0x2D9 or code == 0x307:
        return _DOT
    if code == 0xA8 or code == 0x308:
        return _DDOT
    if code == 0x2C7 or code == 0x30C:
        return _CHECK
    if code == 0x2D8 or code == 0x306:
        return _BREVE
    if code == 0xB4 or code == 0x301:
        return _ACUTE
    if code == 96 or code == 0x300:
        return _GRAVE
    if code == 0x2DA or code == 0x30A:
        return _RING
    return _OVERBRACE if code == 0x23DE else 0


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
        return _PMATRIX, True, True
    if before == 91 and behind == 93:
        return _BMATRIX, True, True
    if (before == 124 and behind == 124) or (before == 0x2223 and behind == 0x2223):
        return _VMATRIX, True, True
    if (before == 0x2016 and behind == 0x2016) or (before == 0x2225 and behind == 0x2225):
        return _VVMATRIX, True, True
    if before == 123 and behind != 125:
        return _CASES, True, False
    return _ALIGNED if nodes[M_FLAGS, c] & _RIGHT else _MATRIX, False, False


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
    o = put_row(_OVERSET if over else _UNDERSET, T, W, out, o)
    nodes[M_AT, c] = o
    return o


@inline_kernel
def open_child(data, k, T, W, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """What its parent writes before node ``k``: (next o, whether it is left out)."""
    c = base + k
    p = base + nodes[M_PARENT, c]
    kind, index = nodes[M_KIND, p], nodes[M_INDEX, c]
    if nodes[M_FLAGS, c] & _SKIPPED:
        return o, True
    if kind == MFRAC and index == 1:
        o = put_row(_BETWEEN, T, W, out, o)
    elif kind == MROOT and index == 1:
        nodes[M_SECOND, p] = o
    elif MSUB <= kind <= MSUBSUP:
        if index == 0:
            if needs_braces(data, k, T, nodes, base, out, o):
                nodes[M_FLAGS, p] |= _BRACED
                o = put_row(_OPEN, T, W, out, o)
            return o, False
        if index == 1 and nodes[M_FLAGS, p] & _BRACED:
            o = put_row(_CLOSE, T, W, out, o)
        if index == 2 and not nodes[M_FLAGS, p] & _SINGLE:
            o = put_row(_CLOSE, T, W, out, o)
        if kind == MSUP and index == 1 and only_code(data, k, T, nodes, base, out, o) in (0x2032, 39, 0x2019):
            nodes[M_FLAGS, p] |= _SINGLE
            return put_row(_QUOTE, T, W, out, o), True
        lower = kind == MSUB or (kind == MSUBSUP and index == 1)
        o, bare = begin_script(data, k, _SUB if lower else _SUP, _SUB1 if lower else _SUP1, T, W, nodes, base, out, o)
        nodes[M_FLAGS, p] = (nodes[M_FLAGS, p] & ~_SINGLE) | (_SINGLE if bare else 0) | _ANY_SCRIPT
    elif MUNDER <= kind <= MUNDEROVER and index > 0:
        mode = nodes[M_FLAGS, p] // _MODE
        if mode == _ACCENT:
            return o, True
        if mode == _SET:
            nodes[M_SECOND, p] = o
        else:
            if index == 2 and not nodes[M_FLAGS, p] & _SINGLE:
                o = put_row(_CLOSE, T, W, out, o)
            lower = kind == MUNDER or (kind == MUNDEROVER and index == 1)
            o, bare = begin_script(
                data, k, _SUB if lower else _SUP, _SUB1 if lower else _SUP1, T, W, nodes, base, out, o
            )
            nodes[M_FLAGS, p] = (nodes[M_FLAGS, p] & ~_SINGLE) | (_SINGLE if bare else 0) | _ANY_SCRIPT
    elif kind == MMULTI and index > 0:
        if nodes[M_KIND, c] == NONE or nodes[M_KIND, c] == MPRESCRIPTS:
            return o, True
        o = put_row(_SUB if index & 1 else _SUP, T, W, out, o)
    elif (kind in (MTR, MLABELEDTR)) and index > (kind == MLABELEDTR):
        o = put_row(_NEW_CELL, T, W, out, o)
    elif kind == MLABELEDTR and index == 0:
        return o, True
    elif kind == MTABLE and index > 0:
        o = put_row(_NEW_ROW, T, W, out, o)
    elif kind == MFENCED and index > 0:
        o = put_row(_COMMA, T, W, out, o)
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
        o = put_row(_BINOM if nodes[M_FLAGS, c] & _NO_LINE else _FRAC, T, W, out, o)
    elif kind == MSQRT:
        o = put_row(_SQRT, T, W, out, o)
    elif kind == MROOT:
        o = put_row(_ROOT, T, W, out, o)
        nodes[M_AT, c] = o
    elif kind in (MUNDER, MOVER):
        o = open_limits(data, k, kind == MOVER, T, W, nodes, base, out, o)
    elif kind == MTABLE:
        row, before, behind = table_name(data, k, K, T, nodes, base, out, o)
        if before:
            o = nodes[M_AT, c - 1]
            W[S_COMMAND] = 0
        if behind:
            nodes[M_FLAGS, base + nodes[M_END, c]] |= _SKIPPED
        nodes[M_SECOND, c] = row
        o = put_row(_BEGIN, T, W, out, o)
        o = put_row(row, T, W, out, o)
        o = put_code(32, T, W, out, o)
    elif kind == MFENCED:
        o = put_code(40, T, W, out, o)
    elif kind == MENCLOSE:
        o = put_row(_BOXED, T, W, out, o)
    elif kind == MPHANTOM:
        o = put_row(_PHANTOM, T, W, out, o)
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
        o = put_row(_CLOSE, T, W, out, o)
    elif kind == MROOT or ((kind in (MUNDER, MOVER)) and flags // _MODE == _SET):
        o = put_row(_ROOT_OF if kind == MROOT else _BETWEEN, T, W, out, o)
        if nodes[M_SECOND, c] >= nodes[M_AT, c] and not W[S_FULL]:
            rotate(out, nodes[M_AT, c], nodes[M_SECOND, c], o)
        o = put_row(_CLOSE, T, W, out, o)
    elif (kind in (MUNDER, MOVER)) and flags // _MODE == _ACCENT:
        o = put_row(_CLOSE, T, W, out, o)
    elif MSUB <= kind <= MUNDEROVER:
        if flags & _ANY_SCRIPT and not flags & _SINGLE:
            o = put_row(_CLOSE, T, W, out, o)
    elif kind == MTABLE:
        o = put_code(32, T, W, out, o)
        o = put_row(_END, T, W, out, o)
        o = put_row(nodes[M_SECOND, c], T, W, out, o)
    elif kind == MFENCED:
        o = put_code(41, T, W, out, o)
    p = base + nodes[M_PARENT, c]
    if nodes[M_KIND, p] == MMULTI and nodes[M_INDEX, c] > 0:
        o = put_row(_CLOSE, T, W, out, o)
    return o


@inline_kernel
def write_math(data, K, T, W, nodes, out, o, limit):  # type: ignore[no-untyped-def]
    """Write the formula of ``K`` nodes as TeX, not beyond ``limit``: next o; ``W[S_FULL]`` if it did not fit."""
    base, depth, k = W[S_NODES], 0, 0
    W[S_LIMIT], W[S_FULL], W[S_COMMAND] = limit, 0, 0
    while not W[S_FULL]:
        while depth > 0 and nodes[M_END, base + W[MATH_STACK + depth - 1]] <= k:
            depth -= 1
            o = close_math(W[MATH_STACK + depth], T, W, nodes, base, out, o)
        if k >= K:
            break
        left_out = False
        if k > 0:
            o, left_out = open_child(data, k, T, W, nodes, base, out, o)
        if left_out:
            k = nodes[M_END, base + k]
            continue
        o = open_math(data, k, K, T, W, nodes, base, out, o)
        W[MATH_STACK + depth] = k
        depth += 1
        k += 1
    return o


@inline_kernel
def write_characters(data, K, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """The bare characters of a formula: next o. Never longer than its source."""
    base = W[S_NODES]
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
    base = W[S_NODES]
    c = base + first_leaf(0, nodes, base)
    if nodes[M_KIND, c] != MFRAC or c - base + 3 != K or nodes[M_KIND, c + 1] != MN or nodes[M_KIND, c + 2] != MN:
        return -1
    return c


@inline_kernel
def write_fraction(data, c, T, W, nodes, out, o, limit):  # type: ignore[no-untyped-def]
    """``1/2``: next o."""
    W[S_LIMIT], W[S_FULL], W[S_COMMAND] = limit, 0, 0
    if nodes[M_FROM, c + 1] < 0 or nodes[M_FROM, c + 2] < 0:
        return o
    o = put_leaf(data, c + 1, T, W, nodes, out, o)
    o = put_code(47, T, W, out, o)
    return put_leaf(data, c + 2, T, W, nodes, out, o)


@inline_kernel
def skip_wrapper(out, start, o):  # type: ignore[no-untyped-def]
    """Take ``\\displaystyle`` and the braces around it, or dollars, off TeX at ``out[start:o]``: (start, stop) of what is left."""
    stop = o
    for _ in range(4):
        while start < stop and out[start] == 32:
            start += 1
        while stop > start and out[stop - 1] == 32 and not (stop - 2 >= start and out[stop - 2] == 92):
            stop -= 1
        size = stop - start
        if (
            size >= 3
            and out[start] == 36
            and out[stop - 1] == 36
            and out[stop - 2] != 92
            and are_outer(out, start, stop)
        ):
            start += 1
            stop -= 1
        elif (
            size >= 5
            and out[start] == 92
            and (
                (out[start + 1] == 40 and out[stop - 2] == 92 and out[stop - 1] == 41)
                or (out[start + 1] == 91 and out[stop - 2] == 92 and out[stop - 1] == 93)
            )
        ):
            start += 2
            stop -= 2
        elif (
            size > 15
            and out[start] == 123
            and out[start + 1] == 92
            and out[stop - 1] == 125
            and begins_style(out, start + 1, stop)
            and are_outer(out, start, stop)
        ):
            start += 1
            stop -= 1
        elif size > 11 and out[start] == 92 and begins_style(out, start, stop):
            start += 10 if out[start + 1] == 116 else 13
        else:
            break
    return start, stop


@inline_kernel
def are_outer(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether the braces, or dollars, at both ends of ``out[start:stop]`` belong together."""
    depth = 0
    dollars = out[start] == 36 and out[start + 1] != 36
    for i in range(start, stop - 1):
        if i > start and out[i - 1] == 92:
            continue
        if dollars:
            if i > start and out[i] == 36:
                return False
        elif out[i] == 123:
            depth += 1
        elif out[i] == 125:
            depth -= 1
            if depth == 0:
                return False
    return True


@inline_kernel
def begins_style(out, i, stop):  # type: ignore[no-untyped-def]
    """Whether ``\\displaystyle`` or ``\\textstyle`` stands at ``i``, and no letter behind it."""
    text = out[i + 1] == 116 and out[i + 2] == 101 and out[i + 3] == 120 and out[i + 5] == 115 and out[i + 9] == 101
    if text:
        return out[i + 6] == 116 and not is_letter(out[i + 10])
    display = out[i + 1] == 100 and out[i + 2] == 105 and out[i + 3] == 115 and out[i + 4] == 112 and out[i + 8] == 115
    return display and i + 13 < stop and out[i + 12] == 101 and not is_letter(out[i + 13])


@inline_kernel
def copy_tex(data, pos, stop, is_url, T, out, o):  # type: ignore[no-untyped-def]
    """TeX from the page: references decoded, white space single, a comment up to its line's end dropped; next o.

    With ``is_url`` it stands in an address: ``%5C`` is one byte and ``+`` a space.
    """
    first = o
    while pos < stop:
        b = data[pos]
        if b == 38 and not is_url:
            before = o
            pos, o = read_reference(data, pos, stop, T, out, o)
            if (o - before == 2 and out[before] == 0xC2 and out[before + 1] == 0xA0) or (
                o - before == 1 and is_space(out[before])
            ):
                o = before
                if o > first and out[o - 1] != 32:
                    out[o] = 32
                    o += 1
            continue
        pos += 1
        if is_url and b == 37 and pos + 1 < stop:
            high, low = hex_digit(data[pos]), hex_digit(data[pos + 1])
            if high >= 0 and low >= 0 and 0 < high * 16 + low < 128:
                b = np.uint8(high * 16 + low)
                pos += 2
        elif is_url and b == 43:
            b = np.uint8(32)
        elif (
            b == 37
            and not is_url
            and pos < stop
            and (data[pos] == 10 or data[pos] == 13)
            and (o == first or out[o - 1] != 92)
        ):
            while pos < stop and is_space(data[pos]):
                pos += 1
            continue
        if b == 0:
            continue
        if is_space(b):
            if o > first and out[o - 1] != 32:
                out[o] = 32
                o += 1
            continue
        out[o] = b
        o += 1
    return o


@inline_kernel
def hex_digit(b):  # type: ignore[no-untyped-def]
    if 48 <= b <= 57:
        return np.int64(b) - 48
    b |= 0x20
    return np.int64(b) - 87 if 97 <= b <= 102 else -1


@inline_kernel
def looks_like_tex(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether text has the signs of TeX (a command, a script, braces) or is one short word without spaces."""
    spaces, signs, commands = 0, 0, 0
    for i in range(start, stop):
        b = out[i]
        spaces += b == 32
        signs += b == 94 or b == 95 or b == 61 or b == 43 or b == 60 or b == 62 or b == 123
        commands += b == 92
    if commands > 0:
        return True
    if signs > 0:
        return spaces <= 6 * signs + 2
    return spaces == 0 and stop - start <= 6
