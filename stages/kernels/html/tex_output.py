"""Characters, commands and fixed strings of TeX written to the text of a page: for `stages.kernels.html.formulas`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import mathml as m
from stages.kernels.html import state as s
from stages.kernels.html.entities import write_code_point
from stages.kernels.html.glyphs import is_letter, next_code
from stages.kernels.html.symbols import (
    ALPHABETS_FROM,
    ALPHABETS_TO,
    V_MONO,
    V_NORMAL,
    V_SANS,
    VARIANTS,
    symbol_byte,
    symbol_of,
)
from stages.kernels.html.tables import (
    ALPHABETS,
    COMMAND_TABLE,
    FNV_START,
    MATH_TABLE,
    SYMBOL_TEXTS,
    build_table,
    look_up,
    mix,
)
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_COMMANDS = [
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "arcsin", "arccos", "arctan", "log",
    "ln", "lg", "exp", "lim", "liminf", "limsup", "max", "min", "sup", "inf", "det", "dim", "ker", "gcd", "deg",
    "arg", "hom", "Pr",
]  # fmt: skip
# fixed strings, as rows of symbols
_STRINGS = (
    "\\frac{", "}{", "}", "\\sqrt{", "\\sqrt[", "]{", "_{", "^{", "{", "\\overset{", "\\underset{", "\\text{", " \\\\ ", " & ",
    "\\begin{", "\\end{", "matrix}", "pmatrix}", "bmatrix}", "vmatrix}", "Vmatrix}", "cases}", "aligned}", "\\hat{", "\\tilde{",
    "\\bar{", "\\overline{", "\\vec{", "\\dot{", "\\ddot{", "\\check{", "\\breve{", "\\overbrace{", "\\underline{",
    "\\underbrace{", "\\boxed{", "\\binom{", "\\widehat{", "\\widetilde{", "\\overrightarrow{", "\\phantom{", ", ", "\\limits",
    "_", "^", "'", "\\prime", "{}", "\\mathrm{", "\\acute{", "\\grave{", "\\mathring{",
    "\\cancel{",
)  # fmt: skip
_FIRST_STRING = 400
_ROW = {text: _FIRST_STRING + number for number, text in enumerate(_STRINGS)}
(FRAC, BETWEEN, CLOSE, SQRT, ROOT, ROOT_OF, SUB, SUP, OPEN, OVERSET, UNDERSET, TEXT, NEW_ROW, NEW_CELL, BEGIN,
 END, MATRIX, PMATRIX, BMATRIX, VMATRIX, VVMATRIX, CASES, ALIGNED, HAT, TILDE, BAR, OVERLINE, VEC, DOT, DDOT,
 CHECK, BREVE, OVERBRACE, UNDERLINE, UNDERBRACE, BOXED, BINOM, WIDEHAT, WIDETILDE, OVERARROW, PHANTOM, COMMA, LIMITS,
 SUB1, SUP1, QUOTE, PRIME, EMPTY, MATHRM, ACUTE, GRAVE, RING, CANCEL) = range(_FIRST_STRING, _FIRST_STRING + 53)  # fmt: skip
FIRST_VARIANT, FIRST_COMMAND = 460, 470


def _store(T: npt.NDArray[np.int64], row: int, text: str) -> None:
    content = text.encode().ljust(21, b"\0")
    for word in range(3):
        T[SYMBOL_TEXTS + 4 * row + word] = int.from_bytes(content[7 * word : 7 * word + 7], "little")
    T[SYMBOL_TEXTS + 4 * row + 3] = len(text)


def fill_math_tables(T: npt.NDArray[np.int64]) -> None:
    """Write elements, functions and fixed strings of formulas into ``T``."""
    names = [*m.MATH_NAMES, *m.VARIANT_NAMES]
    values = [
        *range(1, len(m.MATH_NAMES) + 1),
        *(m.FIRST_VARIANT_NAME + variant for variant in m.VARIANT_NAMES.values()),
    ]
    T[MATH_TABLE:COMMAND_TABLE] = build_table([name.encode() for name in names], 256, values)
    commands = build_table([name.encode() for name in _COMMANDS], 128)
    T[COMMAND_TABLE : COMMAND_TABLE + 256] = commands
    for text, row in _ROW.items():
        _store(T, row, text)
    for number, name in enumerate(VARIANTS):
        _store(T, FIRST_VARIANT + number, f"\\{name}{{")
    for number, name in enumerate(_COMMANDS):
        _store(T, FIRST_COMMAND + number, "\\" + name)


@inline_kernel
def put_row(row, T, W, out, o):  # type: ignore[no-untyped-def]
    """A fixed string or symbol: next o; past the limit nothing is written and the formula is full."""
    size = T[SYMBOL_TEXTS + 4 * row + 3]
    if o + size + 1 > W[s.LIMIT]:
        W[s.FULL] = 1
        return o
    if size == 0:
        return o
    if W[s.COMMAND] and is_letter(symbol_byte(row, 0, T)):
        out[o] = 32
        o += 1
    for k in range(size):
        out[o + k] = symbol_byte(row, k, T)
    W[s.COMMAND] = symbol_byte(row, 0, T) == 92 and is_letter(symbol_byte(row, size - 1, T))
    return o + size


@inline_kernel
def put_code(code, W, out, o):  # type: ignore[no-untyped-def]
    """One code point as it is: next o."""
    if o + (2 if code < 128 else 5) > W[s.LIMIT]:
        W[s.FULL] = 1
        return o
    if W[s.COMMAND] and is_letter(code):
        out[o] = 32
        o += 1
    W[s.COMMAND] = 0
    return write_code_point(code, out, o)


@inline_kernel
def makes_words(variant):  # type: ignore[no-untyped-def]
    """Whether letters of an alphabet that stand side by side are a word: roman, sans serif and typewriter ones are, bold and others are names."""
    return variant in (V_NORMAL, V_SANS, V_MONO)


@inline_kernel
def plain_letter(code, variant, T):  # type: ignore[no-untyped-def]
    """(letter, place of its alphabet in `VARIANTS`) of a character of the mathematical alphabets; any other as it is."""
    if ALPHABETS_FROM <= code < ALPHABETS_TO:
        letter = T[ALPHABETS + code - ALPHABETS_FROM]
        return letter & 0xFFFFFFFF, letter >> 32
    return code, variant


@inline_kernel
def is_greek(code):  # type: ignore[no-untyped-def]
    """Whether a code point is a letter of Greek or another form of one: U+03D1, U+03D5, U+03D6, U+03F0, U+03F1, U+03F5."""
    return 0x391 <= code <= 0x3C9 or code in (0x3D1, 0x3D5, 0x3D6, 0x3F0, 0x3F1, 0x3F5)


@inline_kernel
def put_symbol(code, variant, T, W, out, o):  # type: ignore[no-untyped-def]
    """A character of mathematics: next o."""
    code, variant = plain_letter(code, variant, T)
    if variant > 0 and (is_letter(code) or 48 <= code <= 57 or (variant != V_NORMAL and is_greek(code))):
        if W[s.STYLE_TO] == o and W[s.STYLE] == variant:
            o -= 1  # one more letter of a word
        else:
            o = put_row(FIRST_VARIANT + variant, T, W, out, o)
        row = symbol_of(code, T)
        o = put_row(row, T, W, out, o) if row >= 0 else put_code(code, W, out, o)
        o = put_row(CLOSE, T, W, out, o)
        if makes_words(variant) and not W[s.FULL]:  # or the next letter would step back over nothing
            W[s.STYLE], W[s.STYLE_TO] = variant, o
        return o
    row = symbol_of(code, T)
    return put_row(row, T, W, out, o) if row >= 0 else put_code(code, W, out, o)


@inline_kernel
def bar_of(code):  # type: ignore[no-untyped-def]
    """The bracket that looks like "divides" or "is parallel to", which only a bare `mo` or a relation of KaTeX means; any other code point as it is."""
    return np.int64(124) if code == 0x2223 else np.int64(0x2016) if code == 0x2225 else code


@inline_kernel
def is_drawn_norm(data, start):  # type: ignore[no-untyped-def]
    """Whether the glyph at ``start`` stands in an element without the space of a relation: the bars of a norm that MathJax drew."""
    return data[start] == 60 and data[start - 1] == 62 and data[start - 3] != 52


@inline_kernel
def negates(out, o):  # type: ignore[no-untyped-def]
    """Whether ``\\not`` stands before ``o``, behind at least one byte."""
    return out[o - 1] == 116 and out[o - 2] == 111 and out[o - 3] == 110 and out[o - 4] == 92


@inline_kernel
def put_negated(code, W, out, o):  # type: ignore[no-untyped-def]
    """Make ``\\neq`` or ``\\notin`` of the ``\\not`` before ``o``: next o."""
    if code == 61:
        out[o - 2], out[o - 1] = 101, 113
        return o
    if o + 3 > W[s.LIMIT]:
        W[s.FULL] = 1
        return o
    out[o], out[o + 1] = 105, 110
    return o + 2


@inline_kernel
def put_leaf(data, column, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """The text of `mi`, `mn`, `mo`, `mtext`, `ms`: next o."""
    kind, variant = nodes[m.KIND, column], nodes[m.FLAGS, column] & 15
    start, stop = nodes[m.FROM, column], nodes[m.TO, column]
    while stop > start and is_space(data[stop - 1]):
        stop -= 1
    code, pos = next_code(data, start, stop, T, out, o)
    if code < 0:
        return o
    if kind in (m.MTEXT, m.MS):
        return put_text(data, start, stop, T, W, out, o)
    following, _ = next_code(data, pos, stop, T, out, o)
    is_bracket = data[start] != 60 and not (data[start - 1] == 62 and data[start - 2] == 111)
    is_bracket &= nodes[m.FLAGS, column] & m.RELATION == 0
    if following < 0:
        if nodes[m.FLAGS, column] & m.RELATION and code == 47:
            code = np.int64(0xE020)  # a stroke over the sign beside it
        if (is_bracket and 0x2223 <= code <= 0x2225) or (code == 0x2225 and is_drawn_norm(data, start)):
            code = bar_of(code)
        if W[s.COMMAND] and (code == 61 or code == 0x2208) and negates(out, o):
            return put_negated(code, W, out, o)
        return put_symbol(code, variant, T, W, out, o)
    letters, h, i = True, FNV_START, start
    while True:
        code, i = next_code(data, i, stop, T, out, o)
        if code < 0:
            break
        letters &= is_letter(code)
        h = mix(h, code)
    if kind != m.MN and letters:
        command = look_up(T, COMMAND_TABLE, 128, h)
        if command >= 0:
            return put_row(FIRST_COMMAND + command, T, W, out, o)
        o = put_row(FIRST_VARIANT + max(variant, 1), T, W, out, o)
        variant = -1
    elif kind == m.MN and variant > 0:
        o = put_row(FIRST_VARIANT + variant, T, W, out, o)
        variant = -1
    i = start
    while True:
        code, i = next_code(data, i, stop, T, out, o)
        if code < 0:
            break
        code = bar_of(code) if is_bracket and 0x2223 <= code <= 0x2225 else code
        o = put_symbol(code, max(0, variant), T, W, out, o)
    return put_row(CLOSE, T, W, out, o) if variant < 0 else o


@inline_kernel
def put_text(data, start, stop, T, W, out, o):  # type: ignore[no-untyped-def]
    """Words in a formula as ``\\text{...}``: next o; white space alone is nothing."""
    before = o
    o = put_row(TEXT, T, W, out, o)
    i, space, any_text = start, False, False
    while not W[s.FULL]:
        code, i = next_code(data, i, stop, T, out, o)
        if code < 0:
            break
        if code == 0xA0 or code == 32 or 9 <= code <= 13 or 0x2000 <= code <= 0x200B or code == 0x202F:
            space = True
            continue
        if 0x2060 <= code <= 0x2064:
            continue
        code, _ = plain_letter(code, 0, T)
        if space:
            o = put_code(32, W, out, o)
            space = False
        if code == 123 or code == 125 or 35 <= code <= 38 or code == 95:
            o = put_code(92, W, out, o)
        o = put_code(code, W, out, o)
        any_text = True
    if not any_text:
        W[s.COMMAND] = 0
        return before
    if space:
        o = put_code(32, W, out, o)
    return put_row(CLOSE, T, W, out, o)
