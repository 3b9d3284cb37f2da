"""Whether a text is a formula: attributes, labels and texts of images, and what stands in an element for formulas. For `written_formulas` and `regions`."""

from __future__ import annotations

from stages.kernels.html import tex
from stages.kernels.html import tokens as t
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def attribute_with_tex(found):  # type: ignore[no-untyped-def]
    """The first of the attributes that hold TeX; -1."""
    for which in range(t.DATA_TEX, t.DATA_EQUATION + 1):
        if (found >> which) & 1:
            return which
    return -1


@inline_kernel
def is_tex(data, start, stop, T, out, o):  # type: ignore[no-untyped-def]
    """Whether an attribute looks like TeX; ``out[o:]`` is scratch."""
    stop = tex.copy_tex(data, start, min(stop, start + 400), False, T, out, o)
    return stop > o and tex.looks_like_tex(out, o, stop)


@inline_kernel
def is_source(data, start, stop, T, out, o):  # type: ignore[no-untyped-def]
    """Whether what an element names as a formula's source looks like TeX or holds no word; ``out[o:]`` is scratch."""
    stop = tex.copy_tex(data, start, min(stop, start + 400), False, T, out, o)
    return stop > o and (tex.looks_like_tex(out, o, stop) or tex.has_no_word(out, o, stop))


@inline_kernel
def is_pictured(data, start, stop, T, out, o):  # type: ignore[no-untyped-def]
    """`is_source` of an image, whose text may be that of a figure (``No. 1``); ``out[o:]`` is scratch."""
    stop = tex.copy_tex(data, start, min(stop, start + 400), False, T, out, o)
    if stop <= o:
        return False
    return tex.looks_like_tex(out, o, stop) or (tex.has_no_word(out, o, stop) and tex.holds_operator(out, o, stop))


@inline_kernel
def holds_command(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether the text of any image is TeX: a command of two letters or more, first or behind a sign (no folder), a brace, a script or an equals sign,
    and no word of four letters but in the braces of a command or as a script. ``\\ud83d`` and what is not ASCII are none."""
    any_command, any_sign, depth, run, i = False, False, 0, 0, start
    while i < stop:
        b = data[i]
        before = data[i - 1] if i > start else 32
        letter = 97 <= b | 0x20 <= 122
        any_sign |= b == 123 or b == 94 or b == 95 or b == 61
        if b == 92 and i + 2 < stop and 97 <= data[i + 1] | 0x20 <= 122:
            first = i + 1
            while i + 1 < stop and 97 <= data[i + 1] | 0x20 <= 122:
                i += 1
            if i > first:
                is_part = 97 <= before | 0x20 <= 122 or before in (37, 46, 58, 92, 126)
                any_command |= not is_part and not (
                    first + 2 < stop and data[first] == 117 and data[first + 1] == 100 and 48 <= data[first + 2] <= 57
                )
        elif b == 123:
            depth += depth > 0 or 97 <= before | 0x20 <= 122 or before in (42, 93, 94, 95, 125)
        elif b == 125:
            depth -= depth > 0
        run = run + 1 if letter and depth == 0 and data[i] == b else 0
        if run > 3 or b >= 128:
            return False
        i += 1
    return any_command and any_sign


@inline_kernel
def is_delimited(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether an attribute begins with a delimiter, and ends with a dollar if it begins with one: no price."""
    while stop > start and is_space(data[stop - 1]):
        stop -= 1
    return begins_with_delimiter(data, start, stop) and (data[start] != 36 or data[stop - 1] == 36)


@inline_kernel
def is_word(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether an attribute is two letters or more and nothing else."""
    for i in range(start, stop):
        if not 97 <= data[i] | 0x20 <= 122:
            return False
    return stop > start + 1


@inline_kernel
def is_name(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether an attribute is letters, digits and hyphens alone, two or more: ``true``, ``eq-1``."""
    for i in range(start, stop):
        if not (97 <= data[i] | 0x20 <= 122 or 48 <= data[i] <= 57 or data[i] == 45):
            return False
    return stop > start + 1


@inline_kernel
def begins_with_delimiter(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether ``$``, ``\\(``, ``\\[`` or ``\\begin{`` stands at ``i``."""
    if stop - i < 3:
        return False
    if data[i] == 36:
        return True
    is_begin = data[i + 1] == 98 and data[i + 2] == 101 and i + 3 < stop and data[i + 3] == 103  # not \beta
    return data[i] == 92 and (data[i + 1] == 40 or data[i + 1] == 91 or is_begin)


@inline_kernel
def opens_formula(out, i, start):  # type: ignore[no-untyped-def]
    """Whether the backslash at ``i`` begins ``\\(`` or ``\\[``, behind the number of an equation for example; ``\\\\[2pt]`` does not.
    Nothing before ``start`` is looked at."""
    return (out[i + 1] == 40 or out[i + 1] == 91) and (i == start or out[i - 1] != 92)


@inline_kernel
def inside_dollars(out, start, stop):  # type: ignore[no-untyped-def]
    """(start, stop) of TeX between dollars that a reader would not take for its delimiters, ``$ x $`` and ``\\$x\\$``; (0, 0): other text."""
    escaped = out[start] == 92 and out[start + 1] == 36
    first, last = start + 1 + escaped, stop - 1 - escaped
    if last <= first or out[first - 1] != 36 or out[stop - 1] != 36 or (escaped and out[last] != 92):
        return 0, 0
    if not escaped and out[first] != 32 and out[last - 1] != 32:
        return 0, 0
    while first < last and out[first] == 32:
        first += 1
    while last > first and out[last - 1] == 32:
        last -= 1
    for i in range(first, last):
        if out[i] == 36:
            return 0, 0
    return first, last
