"""Quotation marks around `q`, and images that are an emoji or a smiley: for `marks`.

A browser draws the marks of `q`, in a form that depends on language and style sheet; here they are ``"``, around the outermost `q` that stands in one block:
what ends a block ends its quotations.
Where the author wrote a mark himself there is no second one. An image whose ``alt`` is a few signs and no letter of ASCII (``😀``, ``:)``) is those signs if its class
or address says that it is a smiley, or the signs are an emoji; at the beginning of a block, where buttons and reactions stand, it stays an image.
Price: linear in the quotation and the marks of code inside it, and in class and address of an image with such an ``alt``.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.ends import in_code
from stages.kernels.html.entities import read_reference
from stages.kernels.html.layout import MARK, OFF
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_SIGNS, MAX_READ = 40, 200
"""Bytes of an ``alt`` that is a sign, as written, and of a class or an address that are read."""


@inline_kernel
def insert_byte(W, blocks, out, at, o, byte):  # type: ignore[no-untyped-def]
    """A byte at ``at`` of the text that is read, with the marks of inline code, links and bold behind it moved: next o."""
    for i in range(o - 1, at - 1, -1):
        out[i + 1] = out[i]
    out[at] = byte
    for mark in range(s.LINK, s.LINK + 3):
        if W[mark] != OFF and W[mark] > at:
            W[mark] += 1
    last, is_open = W[s.MARKS] - 1, W[s.CODE] != OFF
    for mark in range(last, W[s.MARKS_FROM] // 2 - 1, -1):
        place, is_end = blocks[MARK, mark] // 2, blocks[MARK, mark] & 1
        if place < at:
            break
        if place > at or not (is_end or (is_open and mark == last)):  # code that goes on began before the quotation
            blocks[MARK, mark] += 2
    if W[s.MATH_TO] > at:
        W[s.MATH_TO] = OFF
    return o + 1


@inline_kernel
def size_of_mark(data, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of the quotation mark (``"``, ``«»``, ``‹›``, ``‘`` to ``‟`` but for the apostrophe ``’``, ``「`` to ``』``) that begins at ``i``; 0: none does."""
    if i >= stop:
        return 0
    if data[i] == 34:
        return 1
    if i + 1 < stop and data[i] == 0xC2:
        return 2 * (data[i + 1] == 0xAB or data[i + 1] == 0xBB)
    if i + 2 >= stop or data[i + 1] != 0x80:
        return 0
    last = data[i + 2]
    if data[i] == 0xE2:
        return 3 * ((0x98 <= last <= 0x9F and last != 0x99) or last == 0xB9 or last == 0xBA)
    return 3 * (data[i] == 0xE3 and 0x8C <= last <= 0x8F)


@inline_kernel
def ends_with_mark(out, start, i):  # type: ignore[no-untyped-def]
    """Whether one ends before ``i``."""
    found = False
    for size in range(1, 4):
        found |= i - size >= start and size_of_mark(out, i - size, i) == size
    return found


@inline_kernel
def numbers_mark(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether ``&#8216;`` to ``&#8223;``, ``&#8249;``, ``&#8250;`` or ``&#x2018;`` to ``&#x201F;`` stands at ``i``, but for the apostrophe."""
    if i + 7 > stop:
        return False
    a, b = data[i + 4], data[i + 5]
    if data[i + 2] | 0x20 == 120:
        last = data[i + 6] | 0x20
        return data[i + 3] == 50 and a == 48 and b == 49 and (last == 56 or 97 <= last <= 102)
    if data[i + 2] != 56 or data[i + 3] != 50 or data[i + 6] != 59:
        return False
    if a == 49:
        return b == 54 or b == 56 or b == 57
    return (a == 50 and 48 <= b <= 51) or (a == 52 and b == 57) or (a == 53 and b == 48)


@inline_kernel
def references_mark(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether a reference to one stands at ``i``: ``&quot;``, ``&rdquo;``, ``&#8221;`` and the like."""
    if i + 5 > stop or data[i] != 38:
        return False
    a, b, c = data[i + 1], data[i + 2], data[i + 3]
    if a == 35:
        return (b == 51 and c == 52 and data[i + 4] == 59) or numbers_mark(data, i, stop)  # &#34;
    if b == 97 and c == 113:  # laquo, raquo
        return a == 108 or a == 114
    if b == 115 and c == 113:  # lsquo; rsquo is the apostrophe
        return a == 108
    return (a == 113 and b == 117) or ((a == 108 or a == 114 or a == 98) and b == 100 and c == 113)


@inline_kernel
def start_quotation(W, o):  # type: ignore[no-untyped-def]
    """The start tag of a `q`."""
    if W[s.NUM_QUOTATIONS] == 0:
        W[s.QUOTATION] = o if W[s.REGION] == 0 else OFF  # TeX is written anew at its end
    W[s.NUM_QUOTATIONS] += 1


@inline_kernel
def end_quotation(data, after, end, W, blocks, out, o):  # type: ignore[no-untyped-def]
    """The end tag of a `q`, ``after`` behind it: marks around its text if it is the outermost, all of it in this block and without any. Next o."""
    if W[s.NUM_QUOTATIONS] == 0:
        return o
    W[s.NUM_QUOTATIONS] -= 1
    first, last, start = W[s.QUOTATION], o, W[s.TEXT]
    if W[s.NUM_QUOTATIONS] > 0 or first < start or W[s.SCRIPT] > 0 or W[s.REGION] != 0 or in_code(W):
        return o
    while first < last and out[first] == 32:
        first += 1
    while last > first and out[last - 1] == 32:
        last -= 1
    if (
        first >= last  # text was taken back
        or out[first] & 0xC0 == 0x80
        or size_of_mark(out, first, last) > 0
        or ends_with_mark(out, first, last)
        or ends_with_mark(out, start, first)
        or size_of_mark(data, after, end) > 0
        or references_mark(data, after, end)
    ):
        return o
    o = insert_byte(W, blocks, out, last, o, 34)
    return insert_byte(W, blocks, out, first, o, 34)


@inline_kernel
def says_smiley(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether ``smil`` or ``emo`` (emoji, emoticon) begins a word of a class or address."""
    for i in range(start, min(stop, start + MAX_READ) - 3):
        if i > start and 97 <= data[i - 1] | 0x20 <= 122 and data[i - 1] != 45 and data[i - 1] != 95:
            continue
        a, b, c = data[i] | 0x20, data[i + 1] | 0x20, data[i + 2] | 0x20
        if (a == 115 and b == 109 and c == 105 and data[i + 3] | 0x20 == 108) or (a == 101 and b == 109 and c == 111):
            return True
    return False


@inline_kernel
def is_emoji(data, start):  # type: ignore[no-untyped-def]
    """Whether a character of U+1F000 and above, or of U+2600 to U+27BF, begins at ``start``."""
    if data[start] == 0xF0:
        return data[start + 1] == 0x9F
    return data[start] == 0xE2 and 0x98 <= data[start + 1] <= 0x9E


@inline_kernel
def emoji_image(data, found, T, W, out, o):  # type: ignore[no-untyped-def]
    """The signs of an image that is an emoji or a smiley, inside a text: next o."""
    start, stop = W[s.SPANS + 2 * t.ALT], W[s.SPANS + 2 * t.ALT + 1]
    if not (found >> t.ALT) & 1 or not 2 <= stop - start <= MAX_SIGNS or o <= W[s.TEXT]:
        return o
    emoji = is_emoji(data, start)
    if not emoji:
        named = (found >> t.CLASS) & 1 and says_smiley(data, W[s.SPANS + 2 * t.CLASS], W[s.SPANS + 2 * t.CLASS + 1])
        if not named and not (
            (found >> t.SRC) & 1 and says_smiley(data, W[s.SPANS + 2 * t.SRC], W[s.SPANS + 2 * t.SRC + 1])
        ):
            return o
    last = o
    i = start
    while i < stop:
        if data[i] == 38:
            i, last = read_reference(data, i, stop, T, out, last)
        else:
            out[last] = data[i]
            i, last = i + 1, last + 1
    for k in range(o, last):
        if out[k] <= 32 or 97 <= out[k] | 0x20 <= 122:
            return o
    return last
