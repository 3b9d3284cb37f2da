"""The stack of open elements: the tree builder's implied ends and scopes, hints of class and id, values of cells and items.

For `stages.kernels.html.blocks`; the HTML standard, 13.2.4.2 and 13.2.6."""

from __future__ import annotations

import numpy as np

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.hints import NOT_SHOWN, read_hints
from stages.kernels.html.kinds import read_kinds
from stages.kernels.html.layout import (
    CAPITAL,
    CLASS_AT,
    COUNT_SHIFT,
    DEPTH,
    FIRST_BLOCK,
    HINT_BYTES,
    HINT_MASK,
    HINTS,
    ID_AT,
    IS_NUMBERED,
    KIND_SHIFT,
    KINDS,
    LAST_BLOCK,
    LETTERS,
    LEVEL,
    MAX_DEPTH,
    NAME_SHIFT,
    PARENT,
    RELATIVE,
    REVERSED,
    ROMAN,
    SIGNATURE,
    TAG,
    VALUE,
    ZERO,
)
from stages.kernels.html.tables import TAG_FLAGS, hash_span
from stages.kernels.jit import lean_inline_kernel as inline_kernel

VALUES = 1 << t.COLSPAN | 1 << t.ROWSPAN
NAMED_BY = 1 << t.CLASS | 1 << t.ID


@inline_kernel
def pop_to(W, nodes, depth):  # type: ignore[no-untyped-def]
    """Close open elements until ``depth`` are left."""
    while W[s.DEPTH] > depth:
        W[s.DEPTH] -= 1
        W[s.OPEN + W[s.STACK_TAGS + W[s.DEPTH]]] -= 1
        nodes[LAST_BLOCK, W[s.STACK_NODES + W[s.DEPTH]]] = W[s.BLOCKS]
    if depth < W[s.REGION_DEPTH]:
        W[s.REGION_OVER] = 1
    if depth < W[s.PRE_DEPTH]:
        W[s.PRE_OVER] = 1
    if depth < W[s.LANG_DEPTH] and not W[s.PRE_OVER]:
        W[s.LANG_DEPTH] = 0


@inline_kernel
def find_open(W, T, first_tag, last_tag, boundary):  # type: ignore[no-untyped-def]
    """Stack place of the innermost open element from ``first_tag`` to ``last_tag``, not looking beyond a scope
    (``boundary`` SCOPE), beyond a table (0) or beyond a list (``boundary`` -1); -1 if there is none."""
    i = W[s.DEPTH] - 1
    while i > 0:
        tag = W[s.STACK_TAGS + i]
        if first_tag <= tag <= last_tag:
            return i
        if boundary > 0:
            if T[TAG_FLAGS + tag] & t.SCOPE:
                return -1
        elif tag == t.TABLE or (
            boundary < 0 and (tag == t.UL or tag == t.OL or tag == t.DL or T[TAG_FLAGS + tag] & t.SCOPE)
        ):
            return -1
        i -= 1
    return -1


@inline_kernel
def close_implied(W, nodes, T, tag):  # type: ignore[no-untyped-def]
    """End the elements that a start tag ends before it begins: a paragraph, a list item, a cell, a heading, ..."""
    if T[TAG_FLAGS + tag] & t.CLOSES_P and W[s.OPEN + t.P] > 0:
        i = find_open(W, T, t.P, t.P, t.SCOPE)
        if i > 0:
            pop_to(W, nodes, i)
    i = -1
    if t.H1 <= tag <= t.H6:
        i = W[s.DEPTH] - 1
        if not t.H1 <= W[s.STACK_TAGS + i] <= t.H6:
            i = -1
    elif tag == t.LI:
        if W[s.OPEN + t.LI] > 0:
            i = find_open(W, T, t.LI, t.LI, -1)
    elif tag == t.DD or tag == t.DT:
        if W[s.OPEN + t.DD] + W[s.OPEN + t.DT] > 0:
            i = find_open(W, T, t.DD, t.DT, -1)
    elif tag == t.BUTTON:
        if W[s.OPEN + t.BUTTON] > 0:
            i = find_open(W, T, t.BUTTON, t.BUTTON, 0)
    elif t.TABLE <= tag <= t.TFOOT and W[s.OPEN + t.TABLE] > 0:
        top = W[s.STACK_TAGS + W[s.DEPTH] - 1]
        if tag == t.TABLE:
            if top == t.TABLE or top == t.TR or t.TBODY <= top <= t.TFOOT:
                i = find_open(W, T, t.TABLE, t.TABLE, t.SCOPE)
        elif tag == t.TD or tag == t.TH:
            i = find_open(W, T, t.TD, t.CAPTION, 0)
        elif tag == t.TR:
            i = find_open(W, T, t.TR, t.TR, 0)
            if i < 0:
                i = find_open(W, T, t.TD, t.CAPTION, 0)
        else:
            i = W[s.DEPTH]
            while i > 1 and W[s.STACK_TAGS + i - 1] != t.TABLE:
                i -= 1
    if i > 0:
        pop_to(W, nodes, i)


@inline_kernel
def open_element(W, nodes, tag, hints, signature, kinds):  # type: ignore[no-untyped-def]
    """Push an element and make its node; too deep, it is only counted and False."""
    depth = W[s.DEPTH]
    if depth >= MAX_DEPTH:
        W[s.OVERFLOW] += 1
        return False
    node = W[s.NODES]
    parent = W[s.STACK_NODES + depth - 1] if depth > 0 else node
    nodes[TAG, node] = tag
    nodes[PARENT, node] = parent
    nodes[HINTS, node] = hints
    nodes[SIGNATURE, node] = signature
    nodes[FIRST_BLOCK, node] = W[s.BLOCKS]
    nodes[LAST_BLOCK, node] = W[s.BLOCKS]
    nodes[DEPTH, node] = depth
    W[s.STACK_TAGS + depth] = tag
    W[s.STACK_NODES + depth] = node
    W[s.OPEN + tag] += 1
    nodes[VALUE, node] = 0
    nodes[KINDS, node] = kinds
    nodes[CLASS_AT, node] = 0
    nodes[ID_AT, node] = 0
    nodes[LEVEL, node] = 0
    W[s.NODES] = node + 1
    W[s.DEPTH] = depth + 1
    return True


@inline_kernel
def close_element(W, nodes, T, tag):  # type: ignore[no-untyped-def]
    """An end tag: close the innermost such element in scope; without one it closes nothing."""
    first, last = tag, tag
    if t.H1 <= tag <= t.H6:
        first, last = t.H1, t.H6
    if W[s.OVERFLOW] > 0:
        W[s.OVERFLOW] -= 1
        return
    is_open = False
    for k in range(first, last + 1):
        is_open |= W[s.OPEN + k] > 0
    if not is_open:
        return
    boundary = t.SCOPE
    if t.TABLE <= tag <= t.TFOOT:
        boundary = 0
    elif tag == t.LI:
        boundary = -1
    i = find_open(W, T, first, last, boundary)
    if i > 0:
        pop_to(W, nodes, i)


@inline_kernel
def cached_hints(data, start, stop, W, T):  # type: ignore[no-untyped-def]
    """(hints, and kinds above `KIND_SHIFT`; hash) of a class or id value."""
    stop = min(stop, start + HINT_BYTES)
    h = hash_span(data, start, stop)
    slot = (h >> 32) & (s.CACHE_SIZE - 1)
    if W[s.CACHE + slot] != h:
        W[s.CACHE + slot] = h
        W[s.CACHE + s.CACHE_SIZE + slot] = (
            read_hints(data, start, stop, T) | read_kinds(data, start, stop, T) << KIND_SHIFT
        )
    return W[s.CACHE + s.CACHE_SIZE + slot], h


@inline_kernel
def element_hints(data, W, T, found):  # type: ignore[no-untyped-def]
    """(hints, and kinds above `KIND_SHIFT`; hash of the class) of the tag whose attributes were just read."""
    hints, signature = 0, 0
    for which in range(t.CLASS, t.ITEMTYPE + 1):
        if (found >> which) & 1:
            more, h = cached_hints(data, W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1], W, T)
            hints |= more if which == t.CLASS or which == t.ROLE else more & HINT_MASK
            if which == t.CLASS:
                signature = h
    if (found >> t.STYLE_ATTR) & 0b111:
        if (found >> t.HIDDEN) & 1:
            hints |= 1 << NOT_SHOWN
        if (found >> t.ARIA_HIDDEN) & 1 and W[s.SPANS + 2 * t.ARIA_HIDDEN] < W[s.SPANS + 2 * t.ARIA_HIDDEN + 1]:
            if data[W[s.SPANS + 2 * t.ARIA_HIDDEN]] | 0x20 == 116:
                hints |= 1 << NOT_SHOWN
        if (found >> t.STYLE_ATTR) & 1 and shows_nothing(
            data, W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1]
        ):
            hints |= 1 << NOT_SHOWN
    return hints, signature


@inline_kernel
def shows_nothing(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a style holds ``display:none`` or ``visibility:hidden``."""
    i = start
    while i + 4 < stop:
        if data[i] == 58:
            k = i + 1
            while k < stop and data[k] == 32:
                k += 1
            if k + 4 <= stop and data[i - 1] | 0x20 == 121:
                if (
                    data[k] | 0x20 == 110
                    and data[k + 1] | 0x20 == 111
                    and data[k + 2] | 0x20 == 110
                    and data[k + 3] | 0x20 == 101
                ):
                    return True
                if data[k] | 0x20 == 104 and data[k + 1] | 0x20 == 105 and data[k + 2] | 0x20 == 100:
                    return True
        i += 1
    return False


@inline_kernel
def note_names(found, W, nodes):  # type: ignore[no-untyped-def]
    """Where class and id of the node just opened stand."""
    node = W[s.NODES] - 1
    if (found >> t.CLASS) & 1:
        start, stop = W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1]
        nodes[CLASS_AT, node] = start << NAME_SHIFT | min(HINT_BYTES, stop - start)
    if (found >> t.ID) & 1:
        start, stop = W[s.SPANS + 2 * t.ID], W[s.SPANS + 2 * t.ID + 1]
        nodes[ID_AT, node] = start << NAME_SHIFT | min(HINT_BYTES, stop - start)


@inline_kernel
def read_integer(data, start, stop, most):  # type: ignore[no-untyped-def]
    """The whole number an attribute holds, at most ``most`` either way; 0 where it holds none."""
    negative = start < stop and data[start] == 45
    value = 0
    for i in range(start + (start < stop and (data[start] == 45 or data[start] == 43)), min(stop, start + 12)):
        if not 48 <= data[i] <= 57:
            break
        value = min(most, value * 10 + np.int64(data[i]) - 48)
    return -value if negative else value


@inline_kernel
def holds_integer(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether an attribute begins with a whole number."""
    start += start < stop and (data[start] == 45 or data[start] == 43)
    return start < stop and 48 <= data[start] <= 57


@inline_kernel
def style_of_list(data, start, stop):  # type: ignore[no-untyped-def]
    """Bits for the first ``lower-roman``, ``upperalpha`` or the like in a class or style; 0."""
    for i in range(start, stop - 9):
        c = data[i] | 0x20
        if (c == 108 or c == 117) and data[i + 3] | 0x20 == 101 and data[i + 4] | 0x20 == 114:  # lower, upper
            k = i + 5 + (data[i + 5] == 45)
            kind = data[k] | 0x20
            if kind == 114 and data[k + 1] | 0x20 == 111:
                return ROMAN | (CAPITAL if c == 117 else 0)
            if (kind == 97 and data[k + 1] | 0x20 == 108) or (kind == 108 and data[k + 1] | 0x20 == 97):
                return LETTERS | (CAPITAL if c == 117 else 0)
    return 0


@inline_kernel
def note_list(data, found, W):  # type: ignore[no-untyped-def]
    """Value of an `ol` whose attributes were just read: its first number and how its items are numbered."""
    style = 0
    if (found >> t.TYPE) & 1 and W[s.SPANS + 2 * t.TYPE] < W[s.SPANS + 2 * t.TYPE + 1]:
        c = data[W[s.SPANS + 2 * t.TYPE]]
        style = LETTERS if c | 0x20 == 97 else ROMAN if c | 0x20 == 105 else 0
        style |= CAPITAL if c < 97 else 0
    for which in (t.CLASS, t.STYLE_ATTR):
        if (found >> which) & 1 and not style & (LETTERS | ROMAN):
            style = style_of_list(data, W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1])
    start, stop = W[s.SPANS + 2 * t.START], W[s.SPANS + 2 * t.START + 1]
    if (found >> t.REVERSED) & 1:
        style |= REVERSED
    if (found >> t.START) & 1 and holds_integer(data, start, stop):
        return style | (ZERO + read_integer(data, start, stop, 999999))
    return style | RELATIVE | ZERO if style & REVERSED else style | (ZERO + 1)


@inline_kernel
def note_item(data, found, W, nodes, node, holder):  # type: ignore[no-untyped-def]
    """Number of an item of the `ol` ``holder``."""
    state = nodes[VALUE, holder]
    if (found >> t.VALUE) & 1:
        start, stop = W[s.SPANS + 2 * t.VALUE], W[s.SPANS + 2 * t.VALUE + 1]
        if holds_integer(data, start, stop):
            state = (state & ~(RELATIVE | 2 * ZERO - 1)) | (ZERO + read_integer(data, start, stop, 999999))
    nodes[VALUE, node] = IS_NUMBERED | (state & (IS_NUMBERED - 1))
    nodes[VALUE, holder] = state + (1 << COUNT_SHIFT) + (-1 if state & REVERSED else 1)


@inline_kernel
def note_value(data, tag, found, W, nodes):  # type: ignore[no-untyped-def]
    """Number of an item, or how far a cell spans, into the node just opened."""
    node = W[s.NODES] - 1
    if tag == t.LI:
        holder = nodes[PARENT, node]
        if nodes[TAG, holder] == t.OL:
            note_item(data, found, W, nodes, node, holder)
    elif tag == t.OL:
        nodes[VALUE, node] = note_list(data, found, W)
    elif found & VALUES:
        columns, rows = 1, 1
        if (found >> t.COLSPAN) & 1:
            columns = max(1, read_integer(data, W[s.SPANS + 2 * t.COLSPAN], W[s.SPANS + 2 * t.COLSPAN + 1], 1000))
        if (found >> t.ROWSPAN) & 1:
            a, b = W[s.SPANS + 2 * t.ROWSPAN], W[s.SPANS + 2 * t.ROWSPAN + 1]
            rows = read_integer(data, a, b, 65534)
            if rows == 0 and a < b and data[a] == 48:
                rows = 65534
            rows = max(1, rows)
        nodes[VALUE, node] = columns | rows << 20
