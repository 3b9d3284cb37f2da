"""Classes and styles of the boxes that KaTeX draws: for `katex` and `katex_nodes`.

Legend: T tables, W state. Classes are those of KaTeX 0.10 to 0.17.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.symbols import V_BOLD, V_BOLD_ITALIC, V_DOUBLE, V_FRAKTUR, V_MONO, V_NORMAL, V_SANS, V_SCRIPT
from stages.kernels.html.tables import BOX_SIZE, BOX_TABLE, FNV_START, build_table, fnv, look_up, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

(ATOM, REL, SKIP, STRUT, LINE, FRAC, ROOT_SIGN, INDEX, SCRIPTS, LIMITS, OVER, UNDER, TOP_LINE, BOTTOM_LINE, ARROW, TABLE, COLUMN, FLUSH_RIGHT, LIST, PIECES,
 BOX, TEXT, ITALIC, FORMULA, STROKE) = (1 << bit for bit in range(25))  # fmt: skip
VARIANT = 25
_WORDS = {
    ATOM: "mord mop mbin mopen mclose mpunct minner",
    ATOM | REL: "mrel",
    SKIP: "strut mspace vlist-s nulldelimiter arraycolsep overline-line underline-line tag eqn-num fix brace-center brace-right vertical-separator hline hdashline",
    SKIP | STRUT: "pstrut",
    SKIP | LINE: "frac-line",
    FRAC: "mfrac",
    ROOT_SIGN: "sqrt",
    INDEX: "root",
    SCRIPTS: "msupsub",
    LIMITS: "op-limits",
    OVER: "accent mover",
    UNDER: "munder accentunder",
    TOP_LINE: "overline",
    BOTTOM_LINE: "underline",
    ARROW: "x-arrow",
    TABLE: "mtable",
    COLUMN: "col-align-c col-align-l",
    COLUMN | FLUSH_RIGHT: "col-align-r",
    LIST: "vlist",
    PIECES: "mult",
    BOX: "fbox",
    TEXT: "text",
    ITALIC: "mathnormal mathit mathdefault amsrm",
    STROKE: "llap",
    FORMULA: "html",  # behind `katex-`
    V_NORMAL << VARIANT: "mathrm textrm",
    V_BOLD << VARIANT: "mathbf textbf",
    V_BOLD_ITALIC << VARIANT: "boldsymbol",
    V_DOUBLE << VARIANT: "mathbb",
    V_SCRIPT << VARIANT: "mathcal mathscr",
    V_FRAKTUR << VARIANT: "mathfrak",
    V_SANS << VARIANT: "mathsf textsf",
    V_MONO << VARIANT: "mathtt texttt",
}
_PREFIX = fnv(b"katex-")


def fill_box_table(T: npt.NDArray[np.int64]) -> None:
    """Write what the classes of KaTeX mean into ``T``."""
    masks = {word.encode(): mask for mask, words in _WORDS.items() for word in words.split()}
    T[BOX_TABLE : BOX_TABLE + 2 * BOX_SIZE] = build_table(list(masks), BOX_SIZE, list(masks.values()))


@inline_kernel
def read_box(data, start, stop, T):  # type: ignore[no-untyped-def]
    """The meaning of the words of a class; ``katex-`` before a word is passed over."""
    mask, i = 0, start
    while i < stop:
        h = FNV_START
        while i < stop and not is_space(data[i]):
            h = mix(h, data[i])
            i += 1
            if h == _PREFIX:
                h = FNV_START
        mask |= max(0, look_up(T, BOX_TABLE, BOX_SIZE, h))
        i += 1
    return mask


@inline_kernel
def read_size(data, i, stop):  # type: ignore[no-untyped-def]
    """The number at ``i``, behind white space, in ten-thousandths."""
    while i < stop and data[i] == 32:
        i += 1
    negative = i < stop and data[i] == 45
    i += negative
    value, places = np.int64(0), -1
    while i < stop and value < 1 << 40 and (48 <= data[i] <= 57 or data[i] == 46):
        if data[i] == 46:
            places = 0 if places < 0 else places
        elif places < 4:
            value = 10 * value + np.int64(data[i]) - 48
            places += places >= 0
        i += 1
    for _ in range(4 - max(0, places)):
        value *= 10
    return -value if negative else value


@inline_kernel
def top_of_item(data, found, W):  # type: ignore[no-untyped-def]
    """Position behind ``top:`` in the style of the tag just read, at its beginning or behind a semicolon; -1: it has none and is no item."""
    if not (found >> t.STYLE_ATTR) & 1:
        return -1
    begin, stop = W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1]
    for i in range(begin, stop - 4):
        if data[i] == 116 and data[i + 1] == 111 and data[i + 2] == 112 and data[i + 3] == 58:
            k = i
            while k > begin and data[k - 1] == 32:
                k -= 1
            if k == begin or data[k - 1] == 59:
                return i + 4
    return -1


@inline_kernel
def has_left_margin(data, W):  # type: ignore[no-untyped-def]
    """Whether the style of the tag just read holds ``margin-left``: of what stands above or below an operator."""
    for i in range(W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1] - 2):
        if data[i] == 110 and data[i + 1] == 45 and data[i + 2] == 108:
            return True
    return False
