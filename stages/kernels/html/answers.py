"""Cells of tables that an icon answers: ``Yes`` and ``No`` that are the text of an image, the label of an icon or words for screen readers alone. For `blocks`.

In tables that compare, such a cell says all it has to say so; without it the row is empty. Only words of `_ANSWERS` count, and only as all of a cell:
tables lay out pages, and the labels of their buttons are no text. A cell with two of them that differ (a legend, marks of a rating) has none, and the
flag of Norway is no ``no``. Price: one hash of an attribute of up to `MAX_ANSWER` bytes, and the rest of its cell where it is one.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.layout import FIRST_BLOCK, PARENT, TAG
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import find_byte, is_space, read_tag_name
from stages.kernels.jit import lean_inline_kernel as inline_kernel

ANSWERS = 1 << t.ALT | 1 << t.ARIA_LABEL
MAX_ANSWER, MAX_REST = 20, 4096
_NO = fnv(b"no")
_ANSWERS = tuple(
    fnv(word)
    for word in (
        b"yes", b"no", b"true", b"false", b"check", b"checked", b"unchecked", b"checkmark", b"check mark", b"tick", b"cross", b"x mark", b"partial",
        b"supported", b"not supported", b"unsupported", b"included", b"not included", b"available", b"not available", b"unavailable", b"nein", b"oui", b"non",
    )
)  # fmt: skip


@inline_kernel
def answer(data, start, stop):  # type: ignore[no-untyped-def]
    """The hash of a text if it is one of `_ANSWERS`, whatever its case; 0: it is none."""
    while start < stop and is_space(data[start]):
        start += 1
    while stop > start and is_space(data[stop - 1]):
        stop -= 1
    if stop - start < 2 or stop - start > MAX_ANSWER:
        return 0
    h = FNV_START
    for i in range(start, stop):
        h = mix(h, data[i] | 0x20 if 65 <= data[i] <= 90 else data[i])
    return h if h in _ANSWERS else 0


@inline_kernel
def is_rest_empty(data, pos, end, T):  # type: ignore[no-untyped-def]
    """Whether tags and white space alone, and no further image or label, stand between ``pos`` and the end of the cell, within `MAX_REST` bytes."""
    end = min(end, pos + MAX_REST)
    while pos < end:
        if data[pos] == 60:
            closing = pos + 1 < end and data[pos + 1] == 47
            after, tag = read_tag_name(data, pos + 1 + closing, end, T)
            if tag == t.TD or tag == t.TH or tag == t.TR:
                return True
            if tag == t.IMG or (pos + 1 < end and data[pos + 1] == 33):
                return False
            pos = find_byte(data, after, end, 62)
            for i in range(after, pos - 10):
                if data[i] == 97 and data[i + 4] == 45 and data[i + 5] == 108 and data[i + 9] == 108:
                    return False  # aria-label
        elif not is_space(data[pos]):
            return False
        pos += 1
    return False


@inline_kernel
def begins_cell(W, nodes, o, found):  # type: ignore[no-untyped-def]
    """Whether nothing stands before ``o`` in the cell that is open, or open two elements further out, and no other answer than ``found`` was in it."""
    if found == 0 or o > W[s.TEXT] or W[s.OPEN + t.TD] == 0:
        return False
    node = W[s.STACK_NODES + W[s.DEPTH] - 1]
    for _ in range(3):
        if nodes[TAG, node] == t.TD:
            is_other = W[s.ANSWER_NODE] == node + 1 and W[s.ANSWER] != found
            W[s.ANSWER_NODE], W[s.ANSWER] = node + 1, -1 if is_other else found
            return nodes[FIRST_BLOCK, node] == W[s.BLOCKS] and not is_other
        node = nodes[PARENT, node]
    return False


@inline_kernel
def is_flag(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether the address of an image names a flag."""
    for i in range(start, stop - 3):
        if (
            data[i] | 0x20 == 102
            and data[i + 1] | 0x20 == 108
            and data[i + 2] | 0x20 == 97
            and data[i + 3] | 0x20 == 103
        ):
            return True
    return False


@inline_kernel
def put_answer(data, found, after, end, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """The answer that is the text or label of the inline element whose start tag ends at ``after``, if it is all of its cell: next o."""
    which = t.ALT if (found >> t.ALT) & 1 else t.ARIA_LABEL
    start, stop = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
    if not begins_cell(W, nodes, o, answer(data, start, stop)) or not is_rest_empty(data, after, end, T):
        return o
    if (
        W[s.ANSWER] == _NO
        and (found >> t.SRC) & 1
        and is_flag(data, W[s.SPANS + 2 * t.SRC], W[s.SPANS + 2 * t.SRC + 1])
    ):
        return o
    for i in range(start, stop):
        if not is_space(data[i]) or (i > start and not is_space(data[i - 1])):
            out[o] = data[i]
            o += 1
    return o


@inline_kernel
def is_spoken_answer(data, after, end, T, W, nodes, o):  # type: ignore[no-untyped-def]
    """Whether what begins at ``after``, for screen readers alone, is an answer and all of its cell."""
    stop = find_byte(data, after, min(end, after + 2 * MAX_ANSWER), 60)
    return begins_cell(W, nodes, o, answer(data, after, stop)) and is_rest_empty(data, stop, end, T)
