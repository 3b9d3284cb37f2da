"""Character references of HTML (`&amp;`, `&#8212;`, `&copy`) decoded in place, from bytes to UTF-8 bytes.

For `blocks`, which copies the text of a page and calls `read_reference` at every ampersand. Follows the
HTML standard's "character reference state": the longest name wins, the 106 old names need no semicolon, numbers
of the C1 range mean Windows-1252, and NUL, surrogates and numbers past U+10FFFF become U+FFFD. One deviation: in
attribute values the standard leaves `&copy=1` alone; here it is decoded, which touches only titles in `content=`.

Names come from the standard library (`html.entities.html5`, 2,231 of them). Price: about 20 ns a reference.
A reference never grows by more than a fifth (`&nGt;`: 5 bytes to 6); `MAX_GROWTH` says what to reserve.

Legend: T is the array of all tables (`tables`).
"""

from __future__ import annotations

import html.entities

import numpy as np
import numpy.typing as npt

from stages.kernels.html.tables import (
    C1_CODES,
    FNV_START,
    REFERENCE_SIZE,
    REFERENCE_TABLE,
    REFERENCE_TEXTS,
    build_table,
    look_up,
    mix,
)
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_NAME_BYTES = 32
MAX_GROWTH = 1.25
"""Bytes to reserve for text per byte of HTML."""

_C1 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ"


def fill_reference_tables(T: npt.NDArray[np.int64]) -> None:
    """Write the names of the standard into ``T``; a name with its semicolon and one without are two entries.

    A text is one number: its bytes from the second lowest byte up, their count in the lowest.
    """
    names = sorted(html.entities.html5)
    T[REFERENCE_TABLE:REFERENCE_TEXTS] = build_table([name.encode() for name in names], REFERENCE_SIZE)
    for row, name in enumerate(names):
        text = html.entities.html5[name].encode()
        T[REFERENCE_TEXTS + row] = len(text) | int.from_bytes(text, "little") << 8
    T[C1_CODES : C1_CODES + 32] = [ord(c) for c in _C1]


@inline_kernel
def write_code_point(code, out, o):  # type: ignore[no-untyped-def]
    """UTF-8 of one code point at ``out[o:]``; gives the next ``o``."""
    if code < 0x80:
        out[o] = code
        return o + 1
    if code < 0x800:
        out[o] = 0xC0 | (code >> 6)
        out[o + 1] = 0x80 | (code & 0x3F)
        return o + 2
    if code < 0x10000:
        out[o] = 0xE0 | (code >> 12)
        out[o + 1] = 0x80 | ((code >> 6) & 0x3F)
        out[o + 2] = 0x80 | (code & 0x3F)
        return o + 3
    out[o] = 0xF0 | (code >> 18)
    out[o + 1] = 0x80 | ((code >> 12) & 0x3F)
    out[o + 2] = 0x80 | ((code >> 6) & 0x3F)
    out[o + 3] = 0x80 | (code & 0x3F)
    return o + 4


@inline_kernel
def read_number(data, pos, end, T, out, o):  # type: ignore[no-untyped-def]
    """A numeric reference whose ``#`` is at ``pos``: (position after it, next o). No digits: a plain ``&``."""
    i = pos + 1
    base = 10
    if i < end and (data[i] | 0x20) == 0x78:
        base = 16
        i += 1
    first = i
    code = 0
    while i < end:
        b = data[i]
        digit = 99
        if 48 <= b <= 57:
            digit = b - 48
        elif base == 16 and 97 <= (b | 0x20) <= 102:
            digit = (b | 0x20) - 87
        if digit > 15:
            break
        if code < 0x110000:
            code = code * base + digit
        i += 1
    if i == first:
        out[o] = 38
        return pos, o + 1
    if i < end and data[i] == 59:
        i += 1
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        code = 0xFFFD
    elif 128 <= code <= 159:
        code = T[C1_CODES + code - 128]
    return i, write_code_point(code, out, o)


@inline_kernel
def read_reference(data, pos, end, T, out, o):  # type: ignore[no-untyped-def]
    """Decode the reference whose ``&`` is at ``pos`` to ``out[o:]``: (position after it, next o).

    What is no reference is written as the ampersand it is, and reading goes on behind it.
    """
    i = pos + 1
    if i < end and data[i] == 35:
        return read_number(data, i, end, T, out, o)
    h = FNV_START
    found = -1
    after = i
    stop = min(end, i + MAX_NAME_BYTES)
    while i < stop:
        b = data[i]
        letter = 97 <= (b | 0x20) <= 122 or 48 <= b <= 57
        if not letter and b != 59:
            break
        h = mix(h, b)
        i += 1
        # only old names of 2 to 6 letters, and anything at its semicolon, can end here
        if b == 59 or i - pos <= 7:
            row = look_up(T, REFERENCE_TABLE, REFERENCE_SIZE, h)
            if row >= 0:
                found = row
                after = i
        if b == 59:
            break
    if found < 0:
        out[o] = 38
        return pos + 1, o + 1
    text = T[REFERENCE_TEXTS + found]
    for k in range(text & 0xFF):
        out[o + k] = (text >> (8 + 8 * k)) & 0xFF
    return after, o + (text & 0xFF)
