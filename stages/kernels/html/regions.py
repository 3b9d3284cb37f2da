"""Regions that are judged when they end (formulas, code, hidden parts), and what a block takes from them, for `stages.kernels.html.blocks`."""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.answers import is_spoken_answer
from stages.kernels.html.elements import shows_nothing
from stages.kernels.html.ends import end_block, in_code
from stages.kernels.html.formula_labels import is_labelled_math, rendered_tex
from stages.kernels.html.formula_texts import attribute_with_tex, begins_with_delimiter, is_name, is_tex
from stages.kernels.html.hints import HINT_BITS
from stages.kernels.html.kinds import (
    BOOK_MENU,
    CODE,
    CODE_WORD,
    DISPLAY,
    EXTRA,
    FORMULA,
    GLYPHS,
    GUTTER,
    LANGUAGE,
    LINES,
    MATH,
    NAMED,
    PROMPT,
    RENDERED,
    SOURCE,
    STYLED,
    TOOLS,
    UNSEEN,
    find_language,
    name_of_language,
)
from stages.kernels.html.layout import HIDING, HINTS, KINDS, LAST_BLOCK, OFF, PARENT, PARTS
from stages.kernels.html.signs import MAX_SIGN, is_number_text, number_ahead
from stages.kernels.html.tokens import find_byte, is_space
from stages.kernels.html.written_formulas import (
    FROM_ATTRIBUTE,
    FROM_BOXES,
    FROM_GLYPHS,
    end_tex,
    formula_span,
    json_formula,
    quoted_formula,
)
from stages.kernels.jit import lean_inline_kernel as inline_kernel

TEX_ATTRIBUTES = sum(1 << which for which in range(t.DATA_TEX, t.DATA_EQUATION + 1))
LANG_ATTRIBUTES = sum(1 << which for which in range(t.DATA_LANG, t.LANGUAGE + 1))
MAX_CELL = 1 << 14
"""Bytes of a cell that may be the numbers of lines of code."""
_UNFOLDING, _CONSENT = 1 << HINT_BITS["faq"] | 1 << HINT_BITS["hero"], HINT_BITS["consent"]


@inline_kernel
def note_language(data, tag, found, kinds, W, T):  # type: ignore[no-untyped-def]
    """The language of code, as the tag just read tells it, until the element that is open now, or the code around it, ends."""
    start, stop = 0, 0
    is_code = tag == t.PRE or tag == t.CODE or tag == t.D_CODE or (kinds & LINES != 0 and in_code(W))
    if tag == t.CODE and W[s.PRE_DEPTH] > 0 and W[s.LANG_DEPTH] > 0:
        return  # a word of code
    if is_code and (found >> t.LANG) & 1:
        start, stop = name_of_language(data, W[s.SPANS + 2 * t.LANG], W[s.SPANS + 2 * t.LANG + 1], T)
    if not (found >> t.CLASS) & 1:
        kinds = 0
    if kinds & LANGUAGE or (kinds & NAMED and (is_code or kinds & (CODE_WORD | CODE))):
        start, stop = find_language(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1], T)
    if found & LANG_ATTRIBUTES and (is_code or kinds & (CODE_WORD | CODE)):
        which = t.DATA_LANG
        while not (found >> which) & 1:
            which += 1
        if W[s.SPANS + 2 * which] < W[s.SPANS + 2 * which + 1]:
            start, stop = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
            if which == t.DATA_PARAMS:
                start, stop = find_language(data, start, stop, T)
    if start < stop:
        depth = W[s.PRE_DEPTH] if W[s.PRE_DEPTH] > 0 else W[s.DEPTH]
        if W[s.OPEN + t.PRE] > 0 and W[s.PRE_DEPTH] == 0:
            while W[s.STACK_TAGS + depth - 1] != t.PRE:
                depth -= 1
        W[s.LANG_FROM], W[s.LANG_TO], W[s.LANG_DEPTH] = start, stop, depth


@inline_kernel
def start_region(W, kind, tag, is_stacked, is_block, o):  # type: ignore[no-untyped-def]
    """From here to the end of the element just begun, text is judged as `settle` says."""
    W[s.REGION] = kind
    W[s.REGION_TAG] = 0 if is_stacked else tag
    W[s.REGION_DEPTH] = W[s.DEPTH]
    W[s.REGION_COUNT] = 1
    W[s.REGION_FROM] = o
    W[s.REGION_BLOCK] = is_block
    W[s.SCRIPT] = 0


@inline_kernel
def unfolds(data, found, W, nodes):  # type: ignore[no-untyped-def]
    """Whether the hidden element just opened is one that a page shows on demand, or by its own script.

    Those are panels with a label, what stands in tabs, accordions, carousels and the like, what is hidden while it moves (a height or an opacity
    beside ``visibility``), ``until-found``, and the parts that React sends behind a page to be put into it (``id="S:0"``).
    """
    node, hints = W[s.NODES] - 1, 0
    for _ in range(4):
        hints |= nodes[HINTS, node]
        node = nodes[PARENT, node]
    if hints & _UNFOLDING or ((found >> t.LABELLED) & 1 and not (hints >> _CONSENT) & 1):
        return True
    if (found >> t.HIDDEN) & 1:
        a = W[s.SPANS + 2 * t.HIDDEN]
        if a < W[s.SPANS + 2 * t.HIDDEN + 1] and data[a] | 0x20 == 117:
            return True
    if (found >> t.ID) & 1:
        a = W[s.SPANS + 2 * t.ID]
        if a + 2 < W[s.SPANS + 2 * t.ID + 1] and data[a] == 83 and data[a + 1] == 58:
            return True
    if (found >> t.STYLE_ATTR) & 1 and not (found >> t.HIDDEN) & 1:
        for i in range(W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1] - 7):
            b = data[i] | 0x20
            if (b == 104 and data[i + 1] | 0x20 == 101 and data[i + 2] | 0x20 == 105) or (
                b == 111 and data[i + 1] | 0x20 == 112
            ):
                return True  # height, opacity
    return False


@inline_kernel
def is_tex_element(tag):  # type: ignore[no-untyped-def]
    """Whether an element holds TeX and nothing else."""
    return tag == t.MATH_FIELD or tag == t.D_MATH


@inline_kernel
def holds_command(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether the text at ``pos``, up to the next tag, has a backslash before a letter: TeX in `var` (AtCoder).

    Behind a colon, a sign of per cent or three letters it is a folder's: ``C:\\temp``, ``%ROOT%\\x``, ``install_dir\\bin``.
    """
    stop = find_byte(data, pos, min(end, pos + 200), 60)
    i = find_byte(data, pos, stop, 92)
    if i + 1 >= stop or not 97 <= data[i + 1] | 0x20 <= 122:
        return False
    letters = 0
    while i - letters > pos and 97 <= data[i - letters - 1] | 0x20 <= 122:
        letters += 1
    return letters < 3 and (i == pos or (data[i - 1] != 58 and data[i - 1] != 37))


@inline_kernel
def prompt_ahead(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether the first text behind ``pos`` is the prompt of a notebook's cell and nothing else: ``[1]:``, ``In [ ]:``, ``Out[12]:``."""
    end = min(end, pos + 400)
    while pos < end and (data[pos] == 60 or is_space(data[pos])):
        if data[pos] == 60:
            pos = find_byte(data, pos, end, 62)
        pos += 1
    letters = 0
    while pos < end and letters < 12 and data[pos] != 91:  # In&nbsp;
        b = data[pos] | 0x20
        if not (97 <= b <= 122 or data[pos] in (32, 38, 59, 0xC2, 0xA0)):
            return False
        letters += 1
        pos += 1
    first = pos
    pos += 1
    while pos < end and (48 <= data[pos] <= 57 or data[pos] == 32 or data[pos] == 42):
        pos += 1
    if first >= end or data[first] != 91 or pos >= end or data[pos] != 93:
        return False
    pos += 1
    while pos < end and (data[pos] == 58 or is_space(data[pos])):
        pos += 1
    return pos < end and data[pos] == 60


@inline_kernel
def is_unseen(data, tag, found, kinds, after, end, W, nodes, is_stacked):  # type: ignore[no-untyped-def]
    """Whether the tag just read, which ends at ``after``, begins what nobody sees, or no part of a text: tools of code, menus, prompts."""
    if kinds & (UNSEEN | EXTRA):
        return True
    if in_code(W) and (tag == t.BUTTON or tag == t.THEAD or kinds & TOOLS):
        return True
    if kinds & BOOK_MENU and tag == t.H1:
        parent = nodes[PARENT, W[s.NODES] - 1]
        if (nodes[KINDS, parent] | nodes[KINDS, nodes[PARENT, parent]]) & BOOK_MENU:
            return True
    if kinds & PROMPT and prompt_ahead(data, after, end):
        return True
    if kinds & SOURCE or W[s.SHOW_ALL]:
        return False
    hides = kinds & STYLED != 0 or (found >> t.HIDDEN) & 1 != 0
    if not hides and (found >> t.STYLE_ATTR) & 1:
        hides = shows_nothing(data, W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1])
    return hides and not (is_stacked and unfolds(data, found, W, nodes))


@inline_kernel
def cannot_be_marked(data, W):  # type: ignore[no-untyped-def]
    """Whether the style of the tag just read holds ``user-select:none``: numbers of lines that Chroma writes without classes."""
    for i in range(W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1] - 15):
        if data[i] == 117 and data[i + 1] == 115 and data[i + 5] == 115 and data[i + 10] == 116 and data[i + 11] == 58:
            k = i + 12 + (data[i + 12] == 32)
            return data[k] == 110 and data[k + 1] == 111 and data[k + 2] == 110
    return False


@inline_kernel
def is_numbers_cell(data, after, end, W, nodes):  # type: ignore[no-untyped-def]
    """Whether the cell just opened in code, whose start tag ends at ``after``, is the first of its row, begins with a number that stands alone and has another
    cell behind it: line numbers without a class (Color Scripter)."""
    node = W[s.NODES] - 1
    if nodes[PARENT, node] != node - 1 or number_ahead(data, after, end) != 1:
        return False
    i, end = after, min(end, after + MAX_CELL)
    while i + 8 < end:
        i = find_byte(data, i, end, 60)
        if i + 8 >= end:
            return False
        closing = data[i + 1] == 47
        a, b = data[i + 1 + closing] | 0x20, data[i + 2 + closing] | 0x20
        if a == 116 and (b == 100 or b == 114):  # td, tr
            if not closing or b == 114:
                return False
            i = find_byte(data, i, end, 62) + 1
            while i < end and is_space(data[i]):
                i += 1
            return i + 2 < end and data[i] == 60 and data[i + 1] | 0x20 == 116 and data[i + 2] | 0x20 == 100
        i += 1
    return False


@inline_kernel
def begins_numbers(data, tag, found, kinds, after, end, W, nodes):  # type: ignore[no-untyped-def]
    """Whether the tag just read begins the numbers of lines of code."""
    if not kinds & GUTTER and not (
        in_code(W) and (tag == t.TH or (tag == t.SPAN and (found >> t.STYLE_ATTR) & 1 and cannot_be_marked(data, W)))
    ):
        return tag == t.TD and in_code(W) and is_numbers_cell(data, after, end, W, nodes)
    return tag != t.PRE and tag != t.CODE and tag != t.TR and number_ahead(data, after, end) > 0


@inline_kernel
def rendered_source(data, found, kinds, W, T, nodes, out, o):  # type: ignore[no-untyped-def]
    """The source that a formula MathJax rendered has in its own start tag, if any: next o."""
    W[s.TEX_SURE] = 0
    W[s.TEX_DISPLAY] = kinds & DISPLAY != 0 or (
        (found >> t.DISPLAY) & 1 != 0 and data[W[s.SPANS + 2 * t.DISPLAY]] | 0x20 == 116
    )
    if found & TEX_ATTRIBUTES:
        return rendered_tex(data, found, W, T, out, o)
    if (found >> t.DATA_MATHML) & 1:
        a, b = W[s.SPANS + 2 * t.DATA_MATHML], W[s.SPANS + 2 * t.DATA_MATHML + 1]
        return quoted_formula(data, a, b, False, T, W, nodes, out, o)
    return o


@inline_kernel
def find_region(data, tag, found, kinds, after, end, W, T, nodes, out, o, is_stacked, is_block):  # type: ignore[no-untyped-def]
    """Begin a region if the tag just read is of an element that nobody sees, of line numbers or of a formula: next o."""
    if is_unseen(data, tag, found, kinds, after, end, W, nodes, is_stacked) and not (
        kinds & UNSEEN and is_spoken_answer(data, after, end, T, W, nodes, o)
    ):
        is_sign = tag == t.A and not kinds & (UNSEEN | STYLED) and not found & HIDING
        start_region(W, s.SIGN_REGION if is_sign else s.HIDDEN_REGION, tag, is_stacked, is_block, o)
    elif begins_numbers(data, tag, found, kinds, after, end, W, nodes):
        start_region(W, s.NUMBER_REGION, tag, is_stacked, False, o)
    elif (
        kinds & RENDERED
        or tag == t.MJX_CONTAINER
        or (kinds & GLYPHS and W[s.MATH_TO] == o and W[s.MATH_SOURCE] != FROM_BOXES)
    ):
        start_region(W, s.RENDERED_REGION, tag, is_stacked, False, o)
        o = rendered_source(data, found, kinds, W, T, nodes, out, o)
    elif kinds & FORMULA and (found >> t.DATA_VALUE) & 1:
        start_region(W, s.RENDERED_REGION, tag, is_stacked, False, o)
        a, b = W[s.SPANS + 2 * t.DATA_VALUE], W[s.SPANS + 2 * t.DATA_VALUE + 1]
        o = formula_span(data, a, b, False, False, FROM_ATTRIBUTE, T, W, out, o)
    elif kinds & FORMULA and (found >> t.DATA_ATTRS) & 1:
        start_region(W, s.RENDERED_REGION, tag, is_stacked, False, o)
        o = json_formula(data, W[s.SPANS + 2 * t.DATA_ATTRS], W[s.SPANS + 2 * t.DATA_ATTRS + 1], T, W, out, o)
    elif (found >> t.ROLE) & (found >> t.ARIA_LABEL) & 1 and not in_code(W) and is_labelled_math(data, W, T, out, o):
        a, b = W[s.SPANS + 2 * t.ARIA_LABEL], W[s.SPANS + 2 * t.ARIA_LABEL + 1]
        o = formula_span(data, a, b, False, is_block or kinds & DISPLAY != 0, FROM_ATTRIBUTE, T, W, out, o)
        start_region(W, s.RENDERED_REGION, tag, is_stacked, False, o)
    elif found & TEX_ATTRIBUTES and not in_code(W):
        which = attribute_with_tex(found)
        a, b = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
        is_flag = which == t.DATA_EQUATION and is_name(data, a, b)
        if not is_flag and is_tex(data, a, b, T, out, o):
            display = is_block or kinds & DISPLAY != 0
            o = formula_span(data, a, b, False, display, FROM_ATTRIBUTE, T, W, out, o)
            start_region(W, s.RENDERED_REGION, tag, is_stacked, False, o)
    elif (kinds & (MATH | FORMULA) or is_tex_element(tag) or tag == t.VAR) and not in_code(W):
        start_region(W, s.TEX_REGION, tag, is_stacked, False, o)
        W[s.TEX_SURE] = kinds & FORMULA != 0 or is_tex_element(tag)
        W[s.TEX_DISPLAY] = is_block or kinds & DISPLAY != 0
    return o


@inline_kernel
def settle(data, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """After elements were closed: judge the text of a region that is over, end code that is over. Next o."""
    if W[s.REGION_OVER]:
        kind, start = W[s.REGION], W[s.REGION_FROM]
        W[s.REGION] = W[s.REGION_OVER] = W[s.REGION_DEPTH] = 0
        if kind == s.HIDDEN_REGION:
            W[s.HIDDEN_BYTES] += o - start
            o = start
        elif kind == s.SIGN_REGION:
            o = start if o - start <= MAX_SIGN else o
        elif kind == s.NUMBER_REGION:
            o = start if is_number_text(out, start, o) else o
        elif kind == s.RENDERED_REGION:
            if o > start and W[s.MATH_TO] != start and begins_with_delimiter(out, start, o):
                start = o  # TeX that waits for its renderer
            elif o > start and W[s.MATH_TO] != start and W[s.REGION_TAG] > 0 and not W[s.TEX_SURE]:
                W[s.MATH_FROM], W[s.MATH_TO], W[s.MATH_SOURCE] = start, o, FROM_GLYPHS
                start = o  # until a source follows
            spaced = o > start and out[o - 1] == 32 and start > W[s.TEXT] and out[start - 1] > 32
            o = start + spaced
            out[start] = 32 if spaced else out[start]
        elif kind == s.TEX_REGION:
            o = end_tex(W, out, o, W[s.TEX_SURE], W[s.TEX_DISPLAY])
            if (
                t.CODE <= W[s.REGION_TAG] <= t.SAMP
                and W[s.MATH_TO] == o
                and W[s.MATH_FROM] == start
                and W[s.CODE] == start
            ):
                W[s.MARKS] -= 1  # a formula and no code
                W[s.CODE] = OFF
        if W[s.REGION_BLOCK] and not in_code(W):
            o = end_block(data, W, blocks, out, o, PARTS)
    if W[s.PRE_OVER]:
        before = W[s.BLOCKS]
        o = end_block(data, W, blocks, out, o, PARTS)
        node, top = W[s.PRE_NODE], W[s.STACK_NODES + W[s.DEPTH] - 1]
        while W[s.BLOCKS] > before and node > top:
            nodes[LAST_BLOCK, node] = W[s.BLOCKS]
            node = nodes[PARENT, node]
        W[s.PRE_OVER] = W[s.PRE_DEPTH] = 0
        if W[s.CODE_TAG] == 0:
            W[s.HAS_BREAKS] = 0
        if W[s.DEPTH] < W[s.LANG_DEPTH]:
            W[s.LANG_DEPTH] = 0
    return o


@inline_kernel
def is_math_script(data, W, found):  # type: ignore[no-untyped-def]
    """1 for a script of type ``math/tex``, 2 for a displayed one, else 0."""
    start, stop = W[s.SPANS + 2 * t.TYPE], W[s.SPANS + 2 * t.TYPE + 1]
    if not (found >> t.TYPE) & 1 or stop - start < 8 or data[start + 4] != 47 or data[start] | 0x20 != 109:
        return 0
    if data[start + 5] | 0x20 != 116 or data[start + 6] | 0x20 != 101 or data[start + 7] | 0x20 != 120:
        return 0
    for i in range(start + 8, stop - 3):
        if data[i] | 0x20 == 100 and data[i + 1] | 0x20 == 105 and data[i + 2] | 0x20 == 115:
            return 2
    return 1
