"""Elements that a page's own `style` sheets hide: classes and ids whose rules say ``display:none`` or ``visibility:hidden``.

For `blocks`, before a page is scanned. `read_style_sheets` reads every `style` element that a browser would (none in comments, scripts,
`noscript` or templates) and keeps the hidden selectors in the state; `is_hidden` asks for an element. Method (CSS Syntax 3, Cascade 4):

- Only a selector of one class or one id, with or without the name of an element, hides (``.a``, ``#a``, ``p.a``), in rules that hold on a
  screen of any size: outside at-rules, or in ``@media screen``, ``all``, ``@supports``, ``@layer``. ``print`` and speech do not count.
- Of the rules of that kind that match an element the cascade decides: ``!important``, then ids, names of elements, and the later one.
- What a page shows again is not hidden, it unfolds: any other rule (``.tab.active``, ``.menu:hover .list``, ``@media (min-width: ...)``,
  nested ones) that displays a class or id takes its hiding back, as do names that say so (`css_rules.UNFOLDING`), and ``visibility`` beside what
  moves (opacity, height, transition, animation).
- An element's own ``style`` is above all but ``!important``.

Price: a reading of the style sheets, three where they display more than `MAX_RULES` classes and ids, linear; then, of more than
`MAX_HIDDEN` hidden selectors, and more than `MAX_RULES` with those that show, the further ones are not read.
Legend: T tables, W state.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.css_rules import (
    BOTH,
    DISPLAYS,
    HIDES,
    IMPORTANT,
    NOTES,
    RULE,
    SHOW,
    SHOWS,
    ask,
    ask_classes,
    forget_rules,
)  # fmt: skip
from stages.kernels.html.css_sheets import read_sheet, speaking
from stages.kernels.html.css_words import NEVER, SURE, media_kind, read_word
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import find_byte, find_raw_end, is_space, read_attributes, read_tag_name, skip_markup
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import block_bits, lowest

_TEXT_CSS = fnv(b"text/css")


@inline_kernel
def hides_at(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether a colon and a value that hides may stand at ``i``."""
    while i < stop and is_space(data[i]):
        i += 1
    if i + 2 >= stop or data[i] != 58:
        return i < stop and data[i] == 47
    i += 2 if data[i + 1] == 32 else 1
    return data[i] | 0x20 in (110, 104, 99) or is_space(data[i]) or data[i] == 47


@inline_kernel
def may_hide(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether ``ay`` or ``ty``, then a colon, stand somewhere before a word with n, h or c (none, hidden, collapse), or with white space that
    is not quite as usual: no style sheet without them hides anything."""
    while i + 68 <= stop:
        found = speaking(data, i)
        while found:
            if hides_at(data, i + lowest(found) + 2, stop):
                return True
            found &= found - np.uint64(1)
        i += 64
    while i + 2 < stop:
        if (
            data[i + 1] | 0x20 == 121
            and (data[i] | 0x20 == 97 or data[i] | 0x20 == 116)
            and hides_at(data, i + 2, stop)
        ):
            return True
        i += 1
    return False


@inline_kernel
def find_style(data, i, end):  # type: ignore[no-untyped-def]
    """The first place from ``i`` on of ``<sty``, whatever its case; ``end`` if there is none."""
    while i + 68 <= end:
        found = block_bits(data, i + 3, 121, 0, 32) & block_bits(data, i, 60, 0, 0)
        if found:
            found &= block_bits(data, i + 1, 115, 0, 32) & block_bits(data, i + 2, 116, 0, 32)
            if found:
                return i + lowest(found)
        i += 64
    while i + 4 <= end:
        if data[i] == 60 and data[i + 1] | 0x20 == 115 and data[i + 2] | 0x20 == 116 and data[i + 3] | 0x20 == 121:
            return i
        i += 1
    return end


@inline_kernel
def read_style(data, i, end, reading, T, W):  # type: ignore[no-untyped-def]
    """The `style` element at ``i``, if it is one: the position behind its text."""
    after, tag = read_tag_name(data, i + 1, end, T)
    if tag != t.STYLE:
        return i + 4
    after, found, _ = read_attributes(data, after, end, T, W)
    if after < 0:
        return end
    stop = find_raw_end(data, after, end, T, t.STYLE)
    kind = SURE
    if (found >> t.MEDIA) & 1:
        kind = media_kind(data, W[s.SPANS + 2 * t.MEDIA], W[s.SPANS + 2 * t.MEDIA + 1])
    if (found >> t.TYPE) & 1 and W[s.SPANS + 2 * t.TYPE] < W[s.SPANS + 2 * t.TYPE + 1]:
        _, h = read_word(data, W[s.SPANS + 2 * t.TYPE], W[s.SPANS + 2 * t.TYPE + 1])
        if h != _TEXT_CSS:
            return stop
    if kind != NEVER:
        read_sheet(data, after, stop, kind, reading, T, W)
    return stop


@inline_kernel
def skip_other(data, i, end, T, W):  # type: ignore[no-untyped-def]
    """Behind the ``<`` at ``i``, and behind the comment, script, `noscript`, template or field of text that begins there."""
    c = data[i + 1] | 0x20 if i + 2 < end else 0
    if c == 33:
        return skip_markup(data, i, end)
    d = data[i + 2] | 0x20 if i + 2 < end else 0
    if (c == 115 and d == 99) or (c == 110 and d == 111) or (c == 116 and (d == 101 or d == 105)) or c == 120:
        after, tag = read_tag_name(data, i + 1, end, T)
        if (
            tag == t.SCRIPT
            or tag == t.NOSCRIPT
            or tag == t.TEMPLATE
            or tag == t.TEXTAREA
            or tag == t.TITLE
            or tag == t.XMP
        ):
            after, _, _ = read_attributes(data, after, end, T, W)
            return end if after < 0 else find_raw_end(data, after, end, T, tag)
    return i + 1


@inline_kernel
def read_styles(data, pos, target, end, reading, T, W):  # type: ignore[no-untyped-def]
    """Read every `style` element of ``data[pos:end]``, the first of which is at ``target`` or later."""
    i = pos
    while target < end:
        i = find_byte(data, i, target, 60)
        i = read_style(data, i, end, reading, T, W) if i >= target else skip_other(data, i, end, T, W)
        if i > target:
            target = find_style(data, i, end)


@inline_kernel
def read_style_sheets(data, pos, end, T, W):  # type: ignore[no-untyped-def]
    """Read the style sheets of the page ``data[pos:end]`` into the state, in place of those of the page before."""
    forget_rules(W)
    first = find_style(data, pos, end)
    at = first
    while at < end:
        stop = find_raw_end(data, at + 1, end, T, t.STYLE)
        if may_hide(data, at, stop):
            break
        at = find_style(data, stop, end)
    if at >= end:
        return
    reading = BOTH
    while reading > 0:
        read_styles(data, pos, first, end, reading, T, W)
        if reading == BOTH and W[s.RULES_FULL]:
            forget_rules(W)
            reading = HIDES
        else:
            reading = NOTES if reading == HIDES and W[s.NUM_HIDDEN] > 0 else 0


@inline_kernel
def is_hidden(data, tag, found, T, W):  # type: ignore[no-untyped-def]
    """Whether the style sheets hide the element whose attributes were just read."""
    displays, shows = 0, 0
    if (found >> t.CLASS) & 1:
        displays, shows = ask_classes(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1], tag, W)
    if (found >> t.ID) & 1:
        h = FNV_START
        for i in range(W[s.SPANS + 2 * t.ID], W[s.SPANS + 2 * t.ID + 1]):
            h = mix(h, data[i])
        displays, shows = ask(W, h, True, tag, displays, shows)
    if not (displays | shows) & 1 or tag == t.MAIN:
        return False
    if (found >> t.STYLE_ATTR) & 1:
        read_sheet(data, W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1], RULE, NOTES, T, W)
        displays = 0 if W[s.SHEET + DISPLAYS] & SHOW and not displays >> 41 & IMPORTANT else displays
        shows = 0 if W[s.SHEET + SHOWS] & SHOW and not shows >> 41 & IMPORTANT else shows
    return (displays | shows) & 1 != 0
