"""Code points of what stands in a leaf of a formula: characters, references, and the glyphs and drawings of MathJax and KaTeX. For `tex_output`."""

from __future__ import annotations

import numpy as np

from stages.kernels.html.entities import read_reference
from stages.kernels.html.tokens import find_byte
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def next_code(data, pos, stop, T, out, o):  # type: ignore[no-untyped-def]
    """(code point at ``pos`` of the text of a leaf or -1, position behind it); ``out[o:]`` is scratch."""
    while pos < stop and data[pos] == 60:
        after = find_byte(data, pos, stop, 62) + 1
        if pos + 1 < stop and (data[pos + 1] == 109 or data[pos + 1] == 117 or data[pos + 1] == 112):
            code = glyph_of(data, pos, min(after, stop))
            if code:
                return code, after
        elif pos + 2 < stop and data[pos + 1] == 115 and data[pos + 2] == 118:
            code = code_of_svg(data, pos, stop)
            if code:
                return code, stop
        pos = after
    while pos + 2 < stop and data[pos] == 0xEF and data[pos + 1] == 0xB8 and data[pos + 2] <= 0x8F:
        pos += 3  # how the character before is to be drawn: U+FE0E
    if pos >= stop:
        return -1, stop
    b = np.int64(data[pos])
    if b == 38:
        if pos + 5 < stop and data[pos + 1] == 97 and data[pos + 3] == 112 and is_reference(data, pos + 4, stop):
            pos += 4  # `&amp;lt;`: MathML in an attribute
        pos, _ = read_reference(data, pos, stop, T, out, o)
        return code_at(out, o), pos
    if (
        b == 0xC2 and pos + 2 < stop and data[pos + 1] == 0xA7 and is_reference(data, pos + 1, stop)
    ):  # MathType's quoting
        pos, _ = read_reference(data, pos + 1, stop, T, out, o)
        return code_at(out, o), pos
    size = 1 if b < 0xC0 else 2 if b < 0xE0 else 3 if b < 0xF0 else 4
    if pos + size > stop:
        return 0xFFFD, stop
    code, pos = code_at(data, pos), pos + size
    if pos + 1 < stop and data[pos] == 0xCC and data[pos + 1] == 0xB8 and negated(code):
        return negated(code), pos + 2  # a stroke that is drawn over it, U+0338
    return whole_bracket(code), pos


@inline_kernel
def negated(code):  # type: ignore[no-untyped-def]
    """The relation that a sign with a stroke over it is, as Unicode composes it; 0: none."""
    if code == 61:
        return 0x2260
    if code == 60 or code == 62:
        return 0x226E + (code == 62)
    if code in (0x2208, 0x220B, 0x2223, 0x2225, 0x223C, 0x2261):
        return code + 1
    if code in (0x2282, 0x2283, 0x2286, 0x2287):
        return code + 2
    if code == 0x2248:
        return 0x2249
    return 0x2270 + (code == 0x2265) if code in (0x2264, 0x2265) else 0


@inline_kernel
def is_reference(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether what stands behind the byte at ``i`` would be a reference behind an ampersand."""
    first = i + 1
    i = first
    while i < stop and i < first + 12 and (data[i] == 35 or 48 <= data[i] <= 57 or 97 <= data[i] | 0x20 <= 122):
        i += 1
    return i > first and i < stop and data[i] == 59 and not 48 <= data[first] <= 57


@inline_kernel
def code_of_glyph(data, pos, after):  # type: ignore[no-untyped-def]
    """The code point that the tag at ``data[pos:after]`` draws, by class ``mjx-c1D465`` or ``data-c="1D465"`` (MathJax 3); 0: none."""
    for i in range(pos + 2, after - 1):
        if data[i] != 99 or data[i - 1] != 45:
            continue
        k, code = i + 1, np.int64(0)
        if data[k] == 61:
            k += 1 + (k + 1 < after and (data[k + 1] == 34 or data[k + 1] == 39))
        elif data[i - 2] != 120:
            continue
        first = k
        while k < after and k < first + 6 and (48 <= data[k] <= 57 or 65 <= data[k] <= 70):
            code = code * 16 + np.int64(data[k]) - (48 if data[k] <= 57 else 55)
            k += 1
        if k > first and k < after and (data[k] in (34, 39, 32, 62)):
            return code if 32 <= code < 0xD800 or 0xE000 <= code < 0x110000 else np.int64(0)
    return np.int64(0)


@inline_kernel
def glyph_of(data, pos, after):  # type: ignore[no-untyped-def]
    """`code_of_glyph`, of the first piece of a tall bracket the bracket."""
    code = code_of_glyph(data, pos, after)
    return whole_bracket(code)


@inline_kernel
def whole_bracket(code):  # type: ignore[no-untyped-def]
    """The bracket of which a code point is the uppermost or lowest piece; any other as it is."""
    if not 0x239B <= code <= 0x23AD:
        return code
    if code == 0x239B or code == 0x239D:
        return np.int64(40)
    if code == 0x239E or code == 0x23A0:
        return np.int64(41)
    if code == 0x23A1 or code == 0x23A3:
        return np.int64(91)
    if code == 0x23A4 or code == 0x23A6:
        return np.int64(93)
    if code == 0x23A7 or code == 0x23A9:
        return np.int64(123)
    return np.int64(125) if code == 0x23AB or code == 0x23AD else code


@inline_kernel
def number_at(data, i, stop):  # type: ignore[no-untyped-def]
    """(the number at ``i``, behind white space, position behind it)."""
    while i < stop and data[i] == 32:
        i += 1
    value = np.int64(0)
    while i < stop and 48 <= data[i] <= 57 and value < 1 << 40:
        value = 10 * value + np.int64(data[i]) - 48
        i += 1
    return value, i


@inline_kernel
def code_of_svg(data, pos, stop):  # type: ignore[no-untyped-def]
    """The code point that the `svg` at ``data[pos:stop]`` of KaTeX draws, by the size of its ``viewBox`` and the beginning of its path; 0: none."""
    after = find_byte(data, pos, stop, 62)
    i = pos
    while i + 12 < after and not (data[i] == 119 and data[i + 1] == 66 and data[i + 4] == 61):  # viewBox=
        i += 1
    if i + 12 >= after:
        return np.int64(0)
    width, k = number_at(data, i + 10, after)
    height, _ = number_at(data, k, after)
    path = after
    while path + 9 < stop and path < after + 20 and not (data[path] == 100 and data[path + 1] == 61):  # d=
        path += 1
    if path + 9 >= stop or data[path + 3] != 77:
        return np.int64(0)
    first, k = number_at(data, path + 4, stop)
    if width == 333 or width == 556:
        return np.int64(124) if width == 333 else np.int64(0x2016)
    if width == 875:
        return np.int64(40) if first == 863 else np.int64(41) if first == 76 else np.int64(0)
    if width == 667 and k + 1 < stop and data[k + 1] == 49:  # M403 1759, M347 1759; not those of floors
        return np.int64(91) if first == 403 else np.int64(93) if first == 347 else np.int64(0)
    if width == 471 and height == 714:
        return np.int64(0x2192)
    if width == 1062 or width == 2364:
        return np.int64(94)
    if width in (600, 1033, 2339, 2340):
        return np.int64(126)
    if width == 400000 and height == 548:
        return np.int64(0x23DF) if first == 0 else np.int64(0x23DE)
    if width == 400000 and height == 522:
        return np.int64(0x2192) if first == 0 else np.int64(0x2190)
    return np.int64(0)


@inline_kernel
def code_at(data, i):  # type: ignore[no-untyped-def]
    """The code point of valid UTF-8 at ``i``."""
    b = np.int64(data[i])
    if b < 0x80:
        return b
    if b < 0xE0:
        return (b & 31) << 6 | np.int64(data[i + 1]) & 63
    if b < 0xF0:
        return (b & 15) << 12 | (np.int64(data[i + 1]) & 63) << 6 | np.int64(data[i + 2]) & 63
    return (
        (b & 7) << 18
        | (np.int64(data[i + 1]) & 63) << 12
        | (np.int64(data[i + 2]) & 63) << 6
        | np.int64(data[i + 3]) & 63
    )


@inline_kernel
def is_letter(code):  # type: ignore[no-untyped-def]
    return 65 <= code <= 90 or 97 <= code <= 122
