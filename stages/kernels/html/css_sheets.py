"""Rules of a style sheet, found by its braces: what each says of display and visibility is handed to `css_rules`.

For `style_sheets`. Method: 64 bytes at a time to the next brace, string, comment, address or declaration that may matter; declarations are read only in
rules that have such a one. Blocks in blocks keep a stack of `MAX_NESTING`; deeper ones are not read.
Legend: T tables, W state; ``W[at]`` an entry of the stack.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import state as s
from stages.kernels.html.css_rules import (
    AGAIN,
    D_SHOWN,
    DISPLAYS,
    FROM,
    GROUP,
    HIDE,
    IMPORTANT,
    KIND,
    MOVES,
    RULE,
    SHOW,
    SHOWS,
    TO,
    V_SHOWN,
    take_selector,
)  # fmt: skip
from stages.kernels.html.css_words import (
    NEVER,
    UNSURE,
    is_address,
    media_kind,
    read_word,
    skip_blank,
    skip_comment,
    skip_string,
)  # fmt: skip
from stages.kernels.html.tables import fnv
from stages.kernels.html.tokens import find_byte
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import block_bits, lowest

MAX_NESTING, COLUMNS = s.SHEET_DEPTH, s.SHEET_COLUMNS
_DISPLAY, _VISIBILITY = fnv(b"display"), fnv(b"visibility")
_MOVING = tuple(fnv(name) for name in (b"opacity", b"height", b"max-height", b"transition", b"animation", b"transform"))
_NONE, _HIDDEN, _COLLAPSE, _VISIBLE = (fnv(word) for word in (b"none", b"hidden", b"collapse", b"visible"))
_MEDIA, _SUPPORTS, _LAYER, _CONTAINER, _STARTING = (
    fnv(name) for name in (b"@media", b"@supports", b"@layer", b"@container", b"@starting-style")
)


@inline_kernel
def end_rule(data, at, reading, T, W):  # type: ignore[no-untyped-def]
    """A rule, whose place in the stack is ``W[at]``, is over: take its selectors."""
    displays, shows = W[at + DISPLAYS], W[at + SHOWS]
    if W[at + MOVES] and shows & HIDE:
        shows = 0
    if displays | shows | W[at + AGAIN] == 0 or W[at + KIND] & NEVER:
        return
    i, stop, depth = W[at + FROM], W[at + TO], 0
    begin = i
    if (displays | shows) & SHOW and find_byte(data, i, stop, 38) < stop:  # `&`: the rule around
        W[at - COLUMNS + AGAIN] |= (D_SHOWN if displays & SHOW else 0) | (V_SHOWN if shows & SHOW else 0)
    while i < stop:
        b = data[i]
        if b == 34 or b == 39:
            i = skip_string(data, i, stop)
            continue
        if b == 47 and i + 1 < stop and data[i + 1] == 42:
            i = skip_comment(data, i, stop)
            continue
        if b == 92:
            i += 1
        elif b == 40 or b == 91:
            depth += 1
        elif b == 41 or b == 93:
            depth -= 1
        elif b == 44 and depth == 0:
            take_selector(data, begin, i, at, displays, shows, reading, T, W)
            begin = i + 1
        i += 1
    take_selector(data, begin, stop, at, displays, shows, reading, T, W)


@inline_kernel
def end_declaration(data, begin, colon, stop, at, W):  # type: ignore[no-untyped-def]
    """Enter the declaration ``data[begin:stop]``, with its colon at ``colon``, for the rule whose place in the stack is ``W[at]``."""
    if colon < 0 or not W[at + KIND] & RULE:
        return
    i = skip_blank(data, begin, colon)
    i, name = read_word(data, i, colon)
    if skip_blank(data, i, colon) < colon:
        return
    if name in (_DISPLAY, _VISIBILITY):
        i = skip_blank(data, colon + 1, stop)
        i, value = read_word(data, i, stop)
        state = 0
        if name == _DISPLAY:
            state = HIDE if value == _NONE else SHOW
        elif value in (_HIDDEN, _COLLAPSE):
            state = HIDE
        elif value == _VISIBLE:
            state = SHOW
        if find_byte(data, i, stop, 33) < stop:
            state |= IMPORTANT
        which = at + (DISPLAYS if name == _DISPLAY else SHOWS)
        if state and (state & IMPORTANT or not W[which] & IMPORTANT):
            W[which] = state
    elif name in _MOVING:
        W[at + MOVES] = 1


@inline_kernel
def open_block(data, begin, stop, level, W):  # type: ignore[no-untyped-def]
    """Push the block whose head is ``data[begin:stop]``, at place ``level`` of the stack."""
    at = s.SHEET + COLUMNS * level
    outer = W[at - COLUMNS + KIND]
    begin = skip_blank(data, begin, stop)
    W[at + FROM], W[at + TO] = begin, stop
    W[at + DISPLAYS] = W[at + SHOWS] = W[at + MOVES] = W[at + AGAIN] = 0
    holds = outer & 3
    if begin < stop and data[begin] == 64:
        after, name = read_word(data, begin, stop)
        if name == _MEDIA:
            holds = max(holds, media_kind(data, after, stop))
        elif name in (_CONTAINER, _STARTING):
            holds = max(holds, UNSURE)
        elif name != _SUPPORTS and name != _LAYER:
            holds = NEVER
        W[at + KIND] = holds | GROUP
        if outer & RULE:  # declarations of the rule around, which hold at times
            W[at + FROM], W[at + TO] = W[at - COLUMNS + FROM], W[at - COLUMNS + TO]
            W[at + KIND] = max(holds, UNSURE) | RULE
    else:
        W[at + KIND] = (max(holds, UNSURE) if outer & RULE else holds) | RULE


@inline_kernel
def end_declarations(data, begin, stop, at, W):  # type: ignore[no-untyped-def]
    """Read what stands between two braces, for the rule whose place in the stack is ``W[at]``: where its last part, without a semicolon, begins."""
    i, colon = begin, -1
    while i < stop:
        b = data[i]
        if b == 34 or b == 39:
            i = skip_string(data, i, stop)
        elif b == 47 and i + 1 < stop and data[i + 1] == 42:
            i = skip_comment(data, i, stop)
        elif b == 40 and i + 1 < stop and is_address(data, i, begin):
            i = find_byte(data, i, stop, 41)
        else:
            if b == 58 and colon < 0:
                colon = i
            elif b == 59:
                end_declaration(data, begin, colon, i, at, W)
                begin, colon = i + 1, -1
            i += 2 if b == 92 else 1
    end_declaration(data, begin, colon, stop, at, W)
    return begin


@inline_kernel
def speaking(data, i):  # type: ignore[no-untyped-def]
    """uint64: a bit for each of the 64 bytes from ``i`` on where ``ay`` or ``ty`` and a colon, white space or slash stand
    (``display:``, ``visibility:``); reads to ``i + 66``."""
    found = block_bits(data, i + 1, 121, 0, 32)
    if found:
        found &= block_bits(data, i, 97, 0, 32) | block_bits(data, i, 116, 0, 32)
        found &= (
            block_bits(data, i + 2, 58, 0, 0) | block_bits(data, i + 2, 9, 23, 0) | block_bits(data, i + 2, 47, 0, 0)
        )
    return found


@inline_kernel
def structure(data, i, end):  # type: ignore[no-untyped-def]
    """uint64: a bit for each of the 64 bytes from ``i`` on that is a brace, quote, bracket, slash or backslash, or that `speaking` marks."""
    if i + 68 <= end:
        found = block_bits(data, i, 123, 2, 0) | block_bits(data, i, 39, 1, 0) | block_bits(data, i, 34, 0, 0)
        found |= block_bits(data, i, 47, 0, 0) | block_bits(data, i, 92, 0, 0)
        return found | speaking(data, i)
    found = np.uint64(0)
    for k in range(min(64, end - i)):
        b = data[i + k]
        hit = 123 <= b <= 125 or b == 39 or b == 40 or b == 34 or b == 47 or b == 92
        if (b | 0x20 == 97 or b | 0x20 == 116) and i + k + 2 < end and data[i + k + 1] | 0x20 == 121:
            c = data[i + k + 2]
            hit |= c == 58 or 9 <= c <= 32 or c == 47
        found |= np.uint64(hit) << np.uint64(k)
    return found


@inline_kernel
def end_block(data, begin, stop, speaks, level, reading, T, W):  # type: ignore[no-untyped-def]
    """A closing brace at ``stop``, or the end of the style sheet."""
    at = s.SHEET + COLUMNS * level
    if W[at + KIND] & RULE:
        if speaks:
            end_declarations(data, begin, stop, at, W)
        if level > 0:
            end_rule(data, at, reading, T, W)


@inline_kernel
def head_of_block(data, begin, stop):  # type: ignore[no-untyped-def]
    """Where the head that ends at ``stop`` begins: behind the last semicolon."""
    i = stop
    while i > begin and data[i - 1] != 59:
        i -= 1
    return i


@inline_kernel
def read_sheet(data, start, stop, kind, reading, T, W):  # type: ignore[no-untyped-def]
    """Read ``data[start:stop]``, a style sheet that holds as ``kind`` says; or, with `RULE`, the ``style`` of an element into the stack."""
    level, too_deep, speaks = 0, 0, kind & RULE != 0
    W[s.SHEET + KIND] = kind
    W[s.SHEET + DISPLAYS] = W[s.SHEET + SHOWS] = W[s.SHEET + AGAIN] = 0
    i, begin, block, found = start, start, start - 64, np.uint64(0)
    while i < stop:
        if i - block >= 64:
            block = i
            found = structure(data, i, stop)
        ahead = found >> np.uint64(i - block)
        if ahead == 0:
            i = block + 64
            continue
        i += lowest(ahead)
        b = data[i]
        if b == 123:
            if speaks and too_deep == 0 and W[s.SHEET + COLUMNS * level + KIND] & RULE:
                begin = end_declarations(data, begin, i, s.SHEET + COLUMNS * level, W)
            if level + 1 >= MAX_NESTING or too_deep > 0:
                too_deep += 1
            else:
                level += 1
                open_block(data, head_of_block(data, begin, i), i, level, W)
            begin, speaks = i + 1, False
            i += 1
        elif b == 125:
            if too_deep > 0:
                too_deep -= 1
            else:
                end_block(data, begin, i, speaks, level, reading, T, W)
                level = max(0, level - 1)
            begin, speaks = i + 1, False
            i += 1
        elif b == 34 or b == 39:
            i = skip_string(data, i, stop)
        elif b == 47 and i + 1 < stop and data[i + 1] == 42:
            i = skip_comment(data, i, stop)
        elif b == 40 and i + 1 < stop and is_address(data, i, start):
            i = find_byte(data, i, stop, 41)
        elif b == 92:
            i += 2
        else:
            speaks |= b | 0x20 == 97 or b | 0x20 == 116
            i += 1
    while level >= 0:
        end_block(data, begin, stop, speaks and too_deep == 0, level, reading, T, W)
        level -= 1
        speaks = False
