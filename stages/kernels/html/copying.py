"""Text and what is left out of it, from the bytes of a page: for `stages.kernels.html.blocks`."""

from __future__ import annotations

import numpy as np

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.tables import BYTE_CLASSES, TAG_FLAGS
from stages.kernels.html.tokens import find_byte, find_raw_end, is_space, read_attributes, read_tag_name, skip_markup
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import block_bits, copy_block, lowest

_U1 = np.uint64(1)
MAX_TAGS, MAX_TAG = 4, 300
"""Tags, and bytes of each, between a line feed and the wide character behind it."""


@inline_kernel
def skip_spaces(data, pos, end):  # type: ignore[no-untyped-def]
    """Position of the first byte from ``pos`` on that is no white space."""
    while pos < end and is_space(data[pos]):
        if pos + 64 > end:
            pos += 1
        else:
            spaces = block_bits(data, pos, 32, 0, 0) | block_bits(data, pos, 9, 1, 0) | block_bits(data, pos, 12, 1, 0)
            pos += lowest(~spaces)
    return pos


@inline_kernel
def is_wide(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether a character of Chinese or Japanese (Han, kana, their signs, wide forms; not Hangul, which parts words by spaces) begins at ``i``."""
    if i + 2 >= stop:
        return False
    b, c = data[i], data[i + 1]
    if b == 0xE3:
        return c < 0x84 or c > 0x86 or (c == 0x84 and data[i + 2] < 0xB0)
    return 0xE4 <= b <= 0xE9 or (b == 0xEF and (c == 0xBC or c == 0xBD or (c == 0xBE and data[i + 2] < 0xA0)))


@inline_kernel
def is_break(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether U+200B, where a line may break, stands at ``i``."""
    return i + 2 < stop and data[i] == 0xE2 and data[i + 1] == 0x80 and data[i + 2] == 0x8B


@inline_kernel
def is_wrapped(data, first, pos, end, out, o, start):  # type: ignore[no-untyped-def]
    """Whether the white space ``data[first:pos]`` is where the source wraps a line between two wide characters, or beside a U+200B (Khmer, Thai), tags
    aside: a browser shows nothing there (CSS Text 3, segment breaks). Between two elements (links, items) a margin parts them."""
    if o - 3 < start or out[o - 2] < 128:
        return False
    has_feed = False
    for i in range(first, pos):
        has_feed |= data[i] == 10 or data[i] == 13
    if not has_feed or (data[first - 1] == 62 and pos + 1 < end and data[pos] == 60 and data[pos + 1] != 47):
        return False
    for _ in range(MAX_TAGS):
        if pos >= end or data[pos] != 60:
            break
        pos = min(end, find_byte(data, pos, min(end, pos + MAX_TAG), 62) + 1)
    if is_break(out, o - 3, o):  # behind dots AsciiDoctor writes one, whatever follows
        return not (o - 6 >= start and out[o - 6] == 0xE2 and out[o - 5] == 0x80 and out[o - 4] == 0xA6)
    if is_break(data, pos, end):
        return True
    return is_wide(out, o - 3, o) and is_wide(data, pos, end)


@inline_kernel
def copy_text(data, pos, end, T, out, o, start, pre, hard):  # type: ignore[no-untyped-def]
    """Copy text up to the next ``<`` or ``&``, white space normalised: (position there, next o).

    With ``pre`` white space is kept; with ``hard`` no-break spaces are, and the single space that is left beside one.
    """
    while pos < end:
        b = data[pos]
        k = T[BYTE_CLASSES + b]
        if k == 0:
            plain = 0
            if not pre and pos + 64 <= end:
                spaces = block_bits(data, pos, 32, 0, 0)
                ends = spaces & (spaces >> _U1) | block_bits(data, pos, 0, 31, 0) | block_bits(data, pos, 60, 0, 0)
                ends |= block_bits(data, pos, 38, 0, 0) | block_bits(data, pos, 0xC2, 0, 0)
                plain = lowest(ends)
            if plain > 0:
                copy_block(data, pos, out, o)
                pos += plain
                o += plain
                continue
            out[o] = b
            o += 1
        elif k == 1:
            if pre:
                if b != 13:
                    out[o] = b
                    o += 1
                elif pos + 1 >= end or data[pos + 1] != 10:
                    out[o] = 10
                    o += 1
            else:
                first, pos = pos, skip_spaces(data, pos + 1, end)
                if o > start and (out[o - 1] > 32 or (hard and out[o - 1] != 10)):
                    if out[o - 1] < 128 or hard or not is_wrapped(data, first, pos, end, out, o, start):
                        out[o] = 32
                        o += 1
                elif (
                    not hard and o - 1 > start and data[first - 1] == 32 and out[o - 2] >= 128
                ):  # a space before the line feed
                    o -= is_wrapped(data, first, pos, end, out, o - 1, start)
                continue
        elif k == 2:
            break
        elif k == 4:
            if pos + 1 < end and data[pos + 1] == 0xA0:
                pos += 1
                if hard or (o > start and out[o - 1] > 32):
                    out[o] = 32
                    o += 1
            elif pos + 1 < end and data[pos + 1] == 0xAD:
                pos += 1  # a soft hyphen
            else:
                out[o] = b
                o += 1
        pos += 1
    return pos, o


@inline_kernel
def fold_reference(out, before, o, start, hard):  # type: ignore[no-untyped-def]
    """White space written by a reference at ``out[before:o]`` becomes a space: next o."""
    if o - before == 1 and is_space(out[before]):
        if hard:
            return o
    elif not (o - before == 2 and out[before] == 0xC2 and out[before + 1] == 0xA0):
        return before if o - before == 2 and out[before] == 0xC2 and out[before + 1] == 0xAD else o
    if not hard and (before == start or out[before - 1] <= 32):
        return before
    out[before] = 32
    return before + 1


@inline_kernel
def is_drawing(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether an id is that of the title MathJax 2 gives to its drawings: ``MathJax-SVG-1-Title``."""
    return (
        stop - start > 17
        and data[start] == 77
        and data[start + 4] == 74
        and data[start + 7] == 45
        and data[start + 8] == 83
        and data[stop - 5] == 84
    )


@inline_kernel
def skip_dropped(data, pos, end, T, W):  # type: ignore[no-untyped-def]
    """Inside a dropped element: read one tag at ``pos``, or move on to the next; gives the next position.

    Ends the element at its end tag, or (svg, select) at a tag that cannot stand in it; such a tag is read again.
    """
    drop = W[s.DROPPED]
    closing = pos + 1 < end and data[pos + 1] == 47
    first = pos + 2 if closing else pos + 1
    if first >= end or not 97 <= data[first] | 0x20 <= 122:
        if first < end and data[pos + 1] != 47 and data[pos + 1] != 33 and data[pos + 1] != 63:
            return pos + 1
        if drop == t.SVG and is_cdata(data, pos, end):
            return find_cdata_end(data, pos, end)
        return skip_markup(data, pos, end)
    after, tag = read_tag_name(data, first, end, T)
    flags = T[TAG_FLAGS + tag]
    leaves = False
    if drop == t.SVG:
        leaves = W[s.INSIDE] == 0 and not closing and (flags & t.BREAKOUT) != 0
    elif drop == t.A or drop == t.SPAN or t.RT <= drop <= t.RTC:  # whose end tag may be missing
        leaves = (flags & t.BLOCK) != 0 or (tag == drop and drop != t.SPAN and not closing)
        leaves |= drop >= t.RT and tag != drop and (tag == t.RUBY or t.RT <= tag <= t.RBC)
    elif drop != t.TEMPLATE and tag != drop:
        # parts of a table end a drop-down that stands in one; outside they are nothing (standard: "in select in table")
        leaves = tag == t.INPUT or tag == t.TEXTAREA or tag == t.FORM or tag == t.BODY
        if t.TABLE <= tag <= t.TFOOT and W[s.OPEN + t.TABLE] > 0:
            leaves |= not closing or W[s.OPEN + tag] > 0
    elif drop == t.SELECT and tag == t.SELECT:
        leaves = not closing
    if leaves:
        W[s.DROPPED] = 0
        return pos
    after, found, empty = read_attributes(data, after, end, T, W)
    if after < 0:
        return end
    W[s.DRAWN_TEX] = 0
    if drop == t.SVG and not closing:
        if (found >> t.DATA_LATEX) & 1:
            W[s.DRAWN_TEX] = W[s.REGION] == s.RENDERED_REGION
        elif (
            tag == t.TITLE
            and (found >> t.ID) & 1
            and is_drawing(data, W[s.SPANS + 2 * t.ID], W[s.SPANS + 2 * t.ID + 1])
        ):
            W[s.SPANS + 2 * t.DATA_LATEX], W[s.SPANS + 2 * t.DATA_LATEX + 1] = after, find_byte(data, after, end, 60)
            W[s.DRAWN_TEX] = 2
    if tag == drop:
        if not (empty and drop == t.SVG and not closing):
            W[s.DROP_DEPTH] += -1 if closing else 1
        if W[s.DROP_DEPTH] == 0:
            W[s.DROPPED] = 0
    elif drop == t.SVG and tag == t.FOREIGNOBJECT and not empty:
        W[s.INSIDE] = max(0, W[s.INSIDE] + (-1 if closing else 1))
    elif not closing and flags & (t.RAW | t.ESCAPABLE) and (drop != t.SVG or W[s.INSIDE] > 0):
        return find_raw_end(data, after, end, T, tag)
    return after


@inline_kernel
def is_cdata(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether ``<![CDATA[`` stands at ``pos``."""
    return (
        pos + 9 <= end and data[pos + 1] == 33 and data[pos + 2] == 91 and data[pos + 3] == 67 and data[pos + 8] == 91
    )


@inline_kernel
def find_cdata_end(data, pos, end):  # type: ignore[no-untyped-def]
    """Position after the ``]]>`` of the CDATA section at ``pos``."""
    i = pos + 9
    while i + 2 < end:
        if data[i] == 93 and data[i + 1] == 93 and data[i + 2] == 62:
            return i + 3
        i += 1
    return end
