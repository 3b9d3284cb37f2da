"""Marks of list items as a page shows them: dashes, numbers in any style, and signs that stand in the text of the item itself.

For `text`. Numbers follow HTML 4.4.5 and 4.4.8 (``start``, ``value``, ``reversed``, ``type``); letters and Roman numerals are written where the page
says so by ``type``, ``list-style`` or the class that Sphinx gives, and as numbers where they have none (0, -1, 4000). An item may hold its mark as text
(LaTeXML, pages without list styles): a first block that is a bullet or ``(a)``, ``1.`` alone is the mark of what follows it.
"""

from __future__ import annotations

from stages.kernels.html import inherited as e
from stages.kernels.html import layout as h
from stages.kernels.html import tokens as t
from stages.kernels.jit import lean_inline_kernel as inline_kernel

NO_MARK, BULLET, OWN_MARK = 0, 1, 2
_BULLETS = (0x2022, 0x2023, 0x2043, 0x2013, 0x2014, 0x2219, 0x25A0, 0x25A1, 0x25AA, 0x25AB, 0x25B6, 0x25B8, 0x25BA, 0x25C6, 0x25CB,
            0x25CF, 0x25E6, 0x2605, 0x2666, 0x27A2, 0x27A4, 0xF0A7, 0xF0B7)  # fmt: skip
_VALUES = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
_FIRST, _SECOND = tuple(b"mcdccxlxxivii"), tuple(b"\0m\0d\0c\0l\0x\0v\0")
MAX_ROMAN = 3999
MAX_MARK = 8


@inline_kernel
def put_letters(out, o, number, case):  # type: ignore[no-untyped-def]
    """``a``, ``z``, ``aa``, ... for 1, 26, 27, ...: next o."""
    size, rest = 0, number
    while rest > 0:
        rest = (rest - 1) // 26
        size += 1
    for k in range(size):
        out[o + size - 1 - k] = 97 + (number - 1) % 26 - case
        number = (number - 1) // 26
    return o + size


@inline_kernel
def put_roman(out, o, number, case):  # type: ignore[no-untyped-def]
    """``iv`` for 4: next o."""
    for k in range(13):
        while number >= _VALUES[k]:
            out[o] = _FIRST[k] - case
            o += 1
            if _SECOND[k]:
                out[o] = _SECOND[k] - case
                o += 1
            number -= _VALUES[k]
    return o


@inline_kernel
def put_number(out, o, number):  # type: ignore[no-untyped-def]
    """Digits and sign of a number: next o."""
    if number < 0:
        out[o] = 45
        o += 1
        number = -number
    size = 1
    while number >= 10**size:
        size += 1
    for k in range(size):
        out[o + size - 1 - k] = 48 + number % 10
        number //= 10
    return o + size


@inline_kernel
def put_mark(nodes, node, out, o):  # type: ignore[no-untyped-def]
    """``- ``, ``3. `` or ``c. `` for the `li` at ``node``: next o."""
    value = nodes[h.VALUE, node]
    if not value & h.IS_NUMBERED:
        out[o] = 45
    else:
        number = (value & (2 * h.ZERO - 1)) - h.ZERO
        if value & h.RELATIVE:
            number += nodes[h.VALUE, nodes[h.PARENT, node]] >> h.COUNT_SHIFT
        case = 32 if value & h.CAPITAL else 0
        if value & h.LETTERS and number > 0:
            o = put_letters(out, o, number, case)
        elif value & h.ROMAN and 0 < number <= MAX_ROMAN:
            o = put_roman(out, o, number, case)
        else:
            o = put_number(out, o, number)
        out[o] = 46
    out[o + 1] = 32
    return o + 2


@inline_kernel
def own_mark(text, start, stop):  # type: ignore[no-untyped-def]
    """`BULLET` or `OWN_MARK` (``(a)``, ``iv.``, ``12)``) if ``text[start:stop]`` is one alone, else `NO_MARK`."""
    size = stop - start
    if size == 1 and (text[start] == 45 or text[start] == 42):
        return BULLET
    if size == 2 and text[start] == 0xC2 and text[start + 1] == 0xB7:
        return BULLET
    if size == 3 and text[start] >= 0xE0:
        character = (text[start] & 15) << 12 | (text[start + 1] & 63) << 6 | (text[start + 2] & 63)
        return BULLET if character in _BULLETS else NO_MARK
    if not 2 <= size <= MAX_MARK or (text[stop - 1] != 46 and text[stop - 1] != 41):
        return NO_MARK
    digits, letters = 0, 0
    for i in range(start + (text[start] == 40), stop - 1):
        digits += 48 <= text[i] <= 57
        letters += 97 <= text[i] | 0x20 <= 122
    inner = size - 1 - (text[start] == 40)
    if (inner > 0 and (digits == inner and inner <= 3)) or (letters == inner and inner == 1):
        return OWN_MARK
    return OWN_MARK if inner > 0 and letters == inner and is_roman(text, stop - 1 - inner, stop - 1) else NO_MARK


@inline_kernel
def is_roman(text, start, stop):  # type: ignore[no-untyped-def]
    """Whether all letters are i, v, x or l."""
    for i in range(start, stop):
        c = text[i] | 0x20
        if c != 105 and c != 118 and c != 120 and c != 108:
            return False
    return True


@inline_kernel
def list_around(nodes, node0, item, block, inherited):  # type: ignore[no-untyped-def]
    """The `li` of which a `dl` with ``block`` in its item ``item`` is the first thing; -1."""
    outer = inherited[e.I_ITEM, nodes[h.PARENT, node0 + item] - node0]
    if outer < 0 or nodes[h.TAG, node0 + outer] != t.LI or nodes[h.FIRST_BLOCK, node0 + outer] != block:
        return -1
    return outer
