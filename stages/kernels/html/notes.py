"""Statements in the head of a page: its title and what kind of page it is, for `stages.kernels.html.blocks`."""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.elements import element_hints
from stages.kernels.html.hints import read_hints
from stages.kernels.html.layout import (
    BODY_HINTS,
    HINT_BYTES,
    HINT_MASK,
    SCHEMA_HINTS,
    SOCIAL_TITLE_FROM,
)
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_OG_TITLE, _TWITTER_TITLE, _OG_TYPE, _GENERATOR, _LINKED_DATA = (
    fnv(name) for name in (b"og:title", b"twitter:title", b"og:type", b"generator", b"application/ld+json")
)


@inline_kernel
def hash_value(data, start, stop):  # type: ignore[no-untyped-def]
    """FNV of a short attribute value, letters as small ones; longer than 40 bytes, of its beginning."""
    value = FNV_START
    for i in range(start, min(stop, start + 40)):
        b = data[i]
        value = mix(value, b | 0x20 if 65 <= b <= 90 else b)
    return value


@inline_kernel
def is_linked_data(data, W):  # type: ignore[no-untyped-def]
    return hash_value(data, W[s.SPANS + 2 * t.TYPE], W[s.SPANS + 2 * t.TYPE + 1]) == _LINKED_DATA


@inline_kernel
def note_span(pages, d, row, start, stop):  # type: ignore[no-untyped-def]
    """Keep the first span that is not empty."""
    if pages[row, d] < 0 and start < stop:
        pages[row, d] = start
        pages[row + 1, d] = stop


@inline_kernel
def note_meta(data, W, T, found, pages, d):  # type: ignore[no-untyped-def]
    """A `meta`: its content as title or kind of page, if its name or property says so."""
    if not (found >> t.CONTENT) & 1 or not (found >> t.NAME) & 0b11:
        return
    which = t.PROPERTY if (found >> t.PROPERTY) & 1 else t.NAME
    a, b = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
    start, stop = W[s.SPANS + 2 * t.CONTENT], W[s.SPANS + 2 * t.CONTENT + 1]
    name = hash_value(data, a, b)
    if name in (_OG_TITLE, _TWITTER_TITLE):
        note_span(pages, d, SOCIAL_TITLE_FROM, start, stop)
    elif name in (_OG_TYPE, _GENERATOR):
        pages[SCHEMA_HINTS, d] |= read_hints(data, start, min(stop, start + HINT_BYTES), T)


@inline_kernel
def note_linked_data(data, pos, stop, T, pages, d):  # type: ignore[no-untyped-def]
    """Words of every ``"@type"`` of a JSON-LD script."""
    i = pos
    while i + 8 < stop:
        if data[i] == 64 and data[i + 1] == 116 and data[i + 2] == 121 and data[i + 3] == 112 and data[i + 4] == 101:
            i += 6
            while i < stop and data[i] != 34 and data[i] != 125:
                i += 1
            first = i
            i += 1
            while i < stop and i < first + 40 and data[i] != 34:
                i += 1
            pages[SCHEMA_HINTS, d] |= read_hints(data, first, min(i, stop), T)
        i += 1


@inline_kernel
def note_element(data, tag, W, T, found, pages, d):  # type: ignore[no-untyped-def]
    """Note what `meta` and `body` state."""
    if tag == t.META:
        note_meta(data, W, T, found, pages, d)
    else:
        pages[BODY_HINTS, d] |= element_hints(data, W, T, found)[0] & HINT_MASK
