"""Line numbers, and links beside headings that are but signs: no text of the page.

For `blocks` and `text`. Legend: data, out uint8.
"""

from __future__ import annotations

from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_SIGN = 9
"""Bytes of a link beside a heading that is but a sign; a longer one is the heading."""
_MARKS = (
    *(
        fnv(word)
        for word in (b"#", b"link", b"permalink", b"permanent link", b"direct link", b"copy link", b"anchor", b"top")
    ),
    *(fnv(word) for word in (b"back to top", b"edit", b"edit source", b"source", b"view source", b"src")),
    *(fnv(word) for word in (b"hide", b"show")),
)
LONGEST_SIGN = 20
"""Bytes of the text of a link that may be such a mark."""


@inline_kernel
def number_ahead(data, pos, end):  # type: ignore[no-untyped-def]
    """1 if the first text behind ``pos``, over at most some tags and white space, is a number that stands alone, 2 if
    the element that begins there ends before any (its number is drawn), else 0."""
    end, depth = min(end, pos + 400), 0
    while pos < end:
        b = data[pos]
        if b == 60:
            depth += 1 if pos + 1 < end and data[pos + 1] != 47 else -1
            if depth < 0:
                return 2
            while pos < end and data[pos] != 62:
                pos += 1
            pos += 1
        elif is_space(b):
            pos += 1
        elif b == 38 and pos + 5 < end and data[pos + 1] == 110 and data[pos + 2] == 98:
            pos += 6
        else:
            break
    first = pos
    while pos < end and 48 <= data[pos] <= 57:
        pos += 1
    if pos == first or pos - first > 6 or pos >= end:
        return 0
    b = data[pos]
    return 1 if b == 60 or is_space(b) or b == 46 or b == 58 or b == 38 or b == 124 else 0


@inline_kernel
def is_number_text(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether text holds nothing but digits, white space, dots, colons and bars."""
    for i in range(start, stop):
        b = out[i]
        if not (48 <= b <= 57 or is_space(b) or b == 46 or b == 58 or b == 124):
            return False
    return True


@inline_kernel
def _is_mark(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether a word of ASCII, in whatever case, is one of `_MARKS`."""
    h = FNV_START
    for i in range(start, stop):
        h = mix(h, out[i] | 0x20 if 65 <= out[i] <= 90 else out[i])
    return h in _MARKS


@inline_kernel
def is_sign(out, start, stop, in_heading, is_own):  # type: ignore[no-untyped-def]
    """Whether the text of a link is a pilcrow or, in a heading, another sign that links to itself or to what is done with
    it: ``#``, ``[link]``, ``[edit]`` (`_MARKS`); with ``is_own`` it leads to its own heading, behind whose text it stands, and may say so in words."""
    while start < stop and out[start] == 32:
        start += 1
    while stop > start and out[stop - 1] == 32:
        stop -= 1
    size = stop - start
    if size == 2 and out[start] == 0xC2 and out[start + 1] == 0xB6:
        return True
    if not in_heading:
        return False
    if size == 1 and out[start] == 35:
        return True
    if size == 2 and out[start] == 0xC2 and out[start + 1] == 0xA7:
        return True
    if size == 3 and out[start] == 0xE2 and out[start + 1] == 0x80 and out[start + 2] == 0x8B:
        return True
    if is_own and _is_mark(out, start, stop):
        return True
    if size > 2 and out[start] == 91 and out[stop - 1] == 93:
        return _is_mark(out, start + 1, stop - 1)
    if size > 3 and out[stop - 3] == 0xEF and out[stop - 2] == 0xB8:
        size -= 3  # as text or as a picture
    if size == 3:
        private = out[start] == 0xEE or (out[start] == 0xEF and out[start + 1] < 0xA4)  # icon fonts
        return private or (out[start] == 0xE2 and 0x86 <= out[start + 1] <= 0xAF)  # arrows, shapes and signs
    return size == 4 and out[start] == 0xF0 and out[start + 1] == 0x9F
