"""Code of a page as text: its lines without the numbers before them, between fences in Markdown; inline code between ticks.

For `text`. Lines are numbered when all that have text begin with numbers that follow each other by one; then the numbers and a space
or bar behind them are no code.

Price: linear. Legend: B blocks.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import layout as h
from stages.kernels.html.rows import put_tick
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import copy_block

MAX_TICKS = 16
MIN_NUMBERED = 3
"""Lines: two may begin with numbers by chance."""


@inline_kernel
def read_number(text, i, stop):  # type: ignore[no-untyped-def]
    """(number at ``i`` behind white space or -1, position behind it and one space, tab or bar)."""
    while i < stop and (text[i] == 32 or text[i] == 9):
        i += 1
    first, value = i, np.int64(0)
    while i < stop and 48 <= text[i] <= 57 and i - first < 7:
        value = value * 10 + np.int64(text[i]) - 48
        i += 1
    if i == first or (i < stop and (text[i] == 46 or text[i] == 41 or 48 <= text[i] <= 57)):
        return np.int64(-1), i
    if i + 1 < stop and text[i] == 32 and text[i + 1] == 124:
        i += 1
    if i < stop and (text[i] == 124 or text[i] == 58 or text[i] == 9):
        i += 1
    return value, i


@inline_kernel
def are_numbered(text, start, stop):  # type: ignore[no-untyped-def]
    """Whether the lines of code begin with their numbers, and are more than those. Most code fails at its first or second line."""
    expected, i, lines, any_text = np.int64(-1), start, 0, False
    while i < stop:
        number, after = read_number(text, i, stop)
        end = after
        while end < stop and text[end] != 10:
            end += 1
        if number < 0 or (expected >= 0 and number != expected):
            return False
        sign = after
        while sign < end and text[sign] == 32:
            sign += 1
        any_text |= sign < end
        if sign + 2 < end and (42 <= text[sign] <= 47 or text[sign] == 37 or text[sign] == 61):
            k = sign + 1
            while k < end and text[k] == 32:
                k += 1
            if k < end and 48 <= text[k] <= 57:
                return False  # arithmetic, dates, versions
        expected = number + 1
        lines += 1
        i = end + 1
    return lines >= MIN_NUMBERED and any_text


@inline_kernel
def are_numbers_of(text, start, stop, first, last):  # type: ignore[no-untyped-def]
    """Whether the lines of ``text[start:stop]`` are numbers that follow each other, as many as ``text[first:last]`` has lines."""
    expected, i, lines, numbers = np.int64(-1), start, 1, 0
    while i < stop:
        number, after = read_number(text, i, stop)
        if number < 0 or (expected >= 0 and number != expected) or (after < stop and text[after] != 10):
            return False
        expected = number + 1
        numbers += 1
        i = after + 1
    for i in range(first, last):
        lines += text[i] == 10
    return lines == numbers and lines >= MIN_NUMBERED


@inline_kernel
def fence_size(text, start, stop):  # type: ignore[no-untyped-def]
    """Ticks of a fence: three, or one more than the longest run in the code, at most `MAX_TICKS`."""
    most, run = 2, 0
    for i in range(start, stop):
        run = run + 1 if text[i] == 96 else 0
        most = max(most, run)
    return min(most + 1, MAX_TICKS)


@inline_kernel
def open_fence(text, blocks, block, size, out, o):  # type: ignore[no-untyped-def]
    """Ticks, language and line feed: next o."""
    for _ in range(size):
        out[o] = 96
        o += 1
    for i in range(blocks[h.NAME_FROM, block], blocks[h.NAME_TO, block]):
        out[o] = text[i]
        o += 1
    out[o] = 10
    return o + 1


@inline_kernel
def close_fence(size, out, o):  # type: ignore[no-untyped-def]
    """Line feed and ticks: next o."""
    out[o] = 10
    for i in range(size):
        out[o + 1 + i] = 96
    return o + 1 + size


@inline_kernel
def copy_text(text, start, stop, out, o):  # type: ignore[no-untyped-def]
    """Copy as it is: next o."""
    for i in range(start, stop, 64):
        copy_block(text, i, out, o + i - start)
    return o + stop - start


@inline_kernel
def write_code(text, start, stop, out, o):  # type: ignore[no-untyped-def]
    """Code without numbers of lines: next o."""
    if not are_numbered(text, start, stop):
        return copy_text(text, start, stop, out, o)
    i = start
    # a space behind every number is none of the code's
    spaced = True
    while i < stop:
        _, after = read_number(text, i, stop)
        spaced &= after >= stop or text[after] == 32 or text[after] == 10
        i = after
        while i < stop and text[i] != 10:
            i += 1
        i += 1
    i = start
    while i < stop:
        _, i = read_number(text, i, stop)
        if spaced and i < stop and text[i] == 32:
            i += 1
        while i < stop and text[i] != 10:
            out[o] = text[i]
            o += 1
            i += 1
        if i < stop:
            out[o] = 10
            o += 1
        i += 1
    return o


@inline_kernel
def write_inline(text, blocks, block, out, o):  # type: ignore[no-untyped-def]
    """Text of a block with its inline code between ticks: next o."""
    start, stop = blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block]
    mark, marks = blocks[h.MARKS_FROM, block] // 2, blocks[h.MARKS_TO, block]
    ticked, begin = blocks[h.MARKS_FROM, block] & 1 != 0, o
    if ticked:
        o = put_tick(out, begin, o, False)
    while mark < marks:
        place, is_end = blocks[h.MARK, mark] // 2, blocks[h.MARK, mark] & 1 != 0
        mark += 1
        if place < start or place > stop or is_end != ticked:
            continue
        while place < stop and text[place] & 0xC0 == 0x80:
            place += 1  # what was written before it moved the text
        o = copy_text(text, start, place, out, o)
        o = put_tick(out, begin, o, is_end)
        ticked = not ticked
        start = place
    o = copy_text(text, start, stop, out, o)
    return put_tick(out, begin, o, True) if ticked else o
