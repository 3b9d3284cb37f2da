"""Formulas between three or six dollars (Codeforces) or in the brackets of forums, ``[tex]x[/tex]``, get the dollars of all others. For `text`."""

from __future__ import annotations

from stages.kernels.html.tokens import find_byte, is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def is_letter(byte):  # type: ignore[no-untyped-def]
    """Whether a byte is a letter or digit of ASCII."""
    return 48 <= byte <= 57 or 97 <= byte | 0x20 <= 122


@inline_kernel
def bracket_size(out, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of ``tex]``, ``itex]``, ``math]``, ``latex]``, ``mathjax]`` or ``mathjaxinline]`` (edX) at ``i``; 0: none of them."""
    if i + 5 < stop and out[i] == 105:
        return 5 if out[i + 1] == 116 and out[i + 2] == 101 and out[i + 3] == 120 and out[i + 4] == 93 else 0
    if (
        i + 8 < stop
        and out[i] == 109
        and out[i + 4] == 106
        and out[i + 1] == 97
        and out[i + 2] == 116
        and out[i + 3] == 104
    ):
        if out[i + 5] != 97 or out[i + 6] != 120:
            return 0
        if out[i + 7] == 93:
            return 8
        is_inline = i + 14 < stop and out[i + 7] == 105 and out[i + 8] == 110 and out[i + 9] == 108
        return 14 if is_inline and out[i + 12] == 101 and out[i + 13] == 93 else 0
    if i + 6 < stop and out[i] == 108 and out[i + 1] == 97:
        return 6 if out[i + 2] == 116 and out[i + 3] == 101 and out[i + 4] == 120 and out[i + 5] == 93 else 0
    if i + 5 < stop and out[i] == 109 and out[i + 1] == 97:
        return 5 if out[i + 2] == 116 and out[i + 3] == 104 and out[i + 4] == 93 else 0
    if i + 4 < stop and out[i] == 116:
        return 4 if out[i + 1] == 101 and out[i + 2] == 120 and out[i + 3] == 93 else 0
    return 0


@inline_kernel
def end_of_bracket(out, name, size, stop):  # type: ignore[no-untyped-def]
    """Place of the ``[/`` before the ``size`` bytes at ``name`` once more; ``stop``: none, or another opens first."""
    i = name + size
    while True:
        i = find_byte(out, i, stop, 91)
        if i + 1 + size >= stop or out[i + 1] != 47:
            if i >= stop or bracket_size(out, i + 1, stop):
                return stop
            i += 1
            continue
        same = 0
        while same < size and out[i + 2 + same] == out[name + same]:
            same += 1
        if same == size:
            return i
        i += 2


@inline_kernel
def is_formula(text, start, stop):  # type: ignore[no-untyped-def]
    """Whether ``text[start:stop]`` is one formula between its delimiters, or more with a command of TeX in them: ``$x$``, not ``$ echo $`` or ``$5, 3$ or 2$``."""
    if stop - start < 3:
        return False
    a, b, y, z = text[start], text[start + 1], text[stop - 2], text[stop - 1]
    if a == 92 and b == 91:
        return stop - start >= 5 and y == 92 and z == 93
    if a != 36 or z != 36 or b == 32 or y == 32 or y == 92:
        return False
    while start < stop and text[start] == 36 and text[stop - 1] == 36:
        start += 1
        stop -= 1
    depth, apart, any_command = 0, False, False
    for i in range(start, stop):
        depth += (text[i] == 123) - (text[i] == 125)
        apart |= text[i] == 36 and depth <= 0 and text[i - 1] != 92
        any_command |= text[i] == 92 and 97 <= text[i + 1] | 0x20 <= 122
    return start < stop and (any_command or not apart)


@inline_kernel
def wraps_formula(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether ``out[start:stop]``, between a name in brackets and its end, is TeX and no words about such names.

    It has no dollar, and a backslash, or a letter of Latin or Greek or a digit and no sign of a sentence at its beginning. If it begins or ends with a space
    (``[tex] and [/tex]``), it is no word of two letters, and has none of three without a sign of TeX.
    """
    first = start
    while first < stop and is_space(out[first]):
        first += 1
    any_letter, any_command, any_sign, all_letters, run, most = False, False, False, True, 0, 0
    for i in range(first, stop):
        b = out[i]
        if b == 36:
            return False
        letter = 97 <= b | 0x20 <= 122
        run = run + 1 if letter else 0
        most = max(most, run)
        any_letter |= letter or 48 <= b <= 57 or 0xCE <= b <= 0xCF
        any_command |= b == 92
        any_sign |= b in (42, 43, 60, 61, 62, 94, 95, 123, 124)
        all_letters &= letter or b >= 128 or is_space(b)
    if not any_letter or any_command:
        return any_command
    b = out[first]
    if b in (34, 39, 41, 44, 58, 59, 63) or (b == 0xE2 and out[first + 1] == 0x80):
        return False
    if first == start and not is_space(out[stop - 1]):
        return True
    return not (all_letters and most > 1) and (any_sign or most < 3)


@inline_kernel
def dollars_around(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether text is between delimiters of its own, ``$x$``, ``\\(x\\)`` or ``\\[x\\]``, and has no dollar but those."""
    if stop - start < 3:
        return False
    a, b, z = out[start], out[start + 1], out[stop - 1]
    if a == 92 and out[stop - 2] == 92:
        return (b == 40 and z == 41) or (b == 91 and z == 93)
    return a == 36 and is_formula(out, start, stop)


@inline_kernel
def unwrap_brackets(out, start, stop, in_code):  # type: ignore[no-untyped-def]
    """``[tex]x[/tex]``, ``[itex]``, ``[latex]``, ``[math]`` and edX's ``[mathjaxinline]`` in ``out[start:stop]`` become ``$x$``, ``[mathjax]`` ``$$x$$``, but not between ticks of code, none if ``in_code``: next o.

    Price: one search for a bracket where there is none, else linear.
    """
    i = o = find_byte(out, start, stop, 91)
    if in_code:
        return stop
    seen, ticks = start, 0
    while i < stop:
        size = bracket_size(out, i + 1, stop)
        while size and seen < o:
            ticks += out[seen] == 96 and (seen == start or out[seen - 1] != 96)
            seen += 1
        end = end_of_bracket(out, i + 1, size, stop) if size and ticks & 1 == 0 else stop
        first = i + 1 + size
        last, wrapped, found = end, False, False
        if end < stop:
            found = wraps_formula(out, first, end)
            while first < end and is_space(out[first]):
                first += 1
            while last > first and is_space(out[last - 1]):
                last -= 1
            wrapped = dollars_around(out, first, last)
        if first < last and (found or wrapped) and end < stop:
            for _ in range(0 if wrapped else 2 if size == 8 else 1):
                out[o] = 36
                o += 1
            for k in range(first, last):
                out[o] = out[k]
                o += 1
            for _ in range(0 if wrapped else 2 if size == 8 else 1):
                out[o] = 36
                o += 1
            i = end + 2 + size
        else:
            out[o] = out[i]
            o += 1
            i += 1
        last = find_byte(out, i, stop, 91)
        if o == i:
            i = o = last
        while i < last:
            out[o] = out[i]
            o += 1
            i += 1
    return o


@inline_kernel
def names_latex(out, i, stop):  # type: ignore[no-untyped-def]
    """Whether ``latex`` and a space stand at ``i``: WordPress writes ``$latex x$``."""
    if i + 7 >= stop or out[i] != 108 or out[i + 1] != 97 or out[i + 2] != 116 or out[i + 3] != 101:
        return False
    return out[i + 4] == 120 and out[i + 5] == 32


@inline_kernel
def preamble_before(out, start, o):  # type: ignore[no-untyped-def]
    """Place of the ``\\documentclass`` of a document that ``\\begin{document}`` begins right before ``o``, within 600 bytes, if its class is ``minimal``
    (JATS, ``tex-math``; no example of TeX); ``o``: none."""
    i = o
    while i > start and is_space(out[i - 1]):
        i -= 1
    if i - start < 40 or out[i - 1] != 125 or out[i - 2] != 116 or out[i - 10] != 123 or out[i - 16] != 92:
        return o
    if out[i - 9] != 100 or out[i - 15] != 98:
        return o
    first = i - 17
    while first >= max(start, i - 600):
        if out[first] == 92 and out[first + 1] == 100 and out[first + 2] == 111 and out[first + 9] == 99:
            brace = find_byte(out, first, min(i, first + 40), 123)
            is_minimal = brace + 4 < i and out[brace + 1] == 109 and out[brace + 2] == 105 and out[brace + 3] == 110
            return first if is_minimal else o
        first -= 1
    return o


@inline_kernel
def behind_document(out, i, stop):  # type: ignore[no-untyped-def]
    """Place behind ``\\end{document}`` at ``i``, white space before it aside; ``i``: none."""
    k = i
    while k < stop and is_space(out[k]):
        k += 1
    is_end = k + 14 <= stop and out[k] == 92 and out[k + 1] == 101 and out[k + 4] == 123 and out[k + 5] == 100
    return k + 14 if is_end and out[k + 13] == 125 else i


@inline_kernel
def is_bare_formula(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether ``out[start:stop]``, behind ``$latex `` and before a dollar, is TeX: a sign of it, one word, or no three letters in a row; no assignment to a
    variable of PHP (``$latex = 5; $``, ``$latex .= '$'``)."""
    while start < stop and is_space(out[start]):
        start += 1
    run, most, any_sign, any_space = 0, 0, False, False
    for i in range(start, stop):
        run = run + 1 if 97 <= out[i] | 0x20 <= 122 else 0
        most = max(most, run)
        any_sign |= out[i] in (43, 60, 61, 62, 92, 94, 95, 123)
        any_space |= out[i] == 32
    if (
        start + 1 >= stop
        or (out[start] == 61 and is_space(out[start + 1]))
        or (out[start] == 46 and out[start + 1] == 61)
    ):
        return start + 1 == stop
    return any_sign or most < 3 or not any_space


@inline_kernel
def run_of_dollars(out, i, stop):  # type: ignore[no-untyped-def]
    """How many dollars stand at ``i``."""
    first = i
    while i < stop and out[i] == 36:
        i += 1
    return i - first


@inline_kernel
def holds_formula(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether ``out[start:stop]`` may be TeX: it has a letter or digit, and no word of four letters or more beside a capital, or else
    a backslash."""
    run, any_letter, any_word, any_capital, any_command = 0, False, False, False, False
    for i in range(start, stop):
        letter = 97 <= out[i] | 0x20 <= 122
        run = run + 1 if letter else 0
        any_letter |= is_letter(out[i])
        any_word |= run >= 4
        any_capital |= 65 <= out[i] <= 90
        any_command |= out[i] == 92
    return any_letter and (any_command or not (any_word and any_capital))


@inline_kernel
def shorten_dollars(out, start, stop, in_code):  # type: ignore[no-untyped-def]
    """``$$$x$$$`` in ``out[start:stop]`` becomes ``$x$``, and ``$$$$$$x$$$$$$`` ``$$x$$``: next o.

    If TeX may stand between (`holds_formula`), no letter, digit or tick of code before, no letter or digit behind and, of three, no
    space at the ends. ``$latex x$`` becomes ``$x$``, and so does a document of TeX around it (`preamble_before`). Prices (``$$$-$$$``, ``$$$CASH$$$``) stay. Price: one search for a dollar where there is none, else linear.
    """
    stop = unwrap_brackets(out, start, stop, in_code)
    i = o = find_byte(out, start, stop, 36)
    while i < stop:
        run = run_of_dollars(out, i, stop)
        last, behind = i + run, o > start and (is_letter(out[o - 1]) or out[o - 1] == 96)
        bare = run == 1 and not in_code and names_latex(out, last, stop)
        before = preamble_before(out, start, o) if run < 3 and not in_code else o
        wrapped = before < o
        end = find_byte(out, last, stop, 36) if bare or wrapped or run == 3 or run == 6 else stop
        closing = run_of_dollars(out, end, stop)
        bare &= bare and is_bare_formula(out, last + 6, end)
        is_formula = (
            closing == run
            and end > last
            and not behind
            and not (end + run < stop and is_letter(out[end + run]))
            and (bare or wrapped or run == 6 or not (is_space(out[last]) or is_space(out[end - 1])))
        )
        behind_end = end + closing
        if is_formula and (bare or wrapped):
            o = before
            behind_end = behind_document(out, behind_end, stop) if wrapped else behind_end
            last += 6 if bare else 0
            while last < end and is_space(out[last]):
                last += 1
            while end > last and is_space(out[end - 1]):
                end -= 1
        elif is_formula and run >= 3 and holds_formula(out, last, end):
            run, closing = run // 3, run // 3
        else:
            end, closing = last, 0
            behind_end = last
        for _ in range(run):
            out[o] = 36
            o += 1
        for k in range(last, end):
            out[o] = out[k]
            o += 1
        for _ in range(closing):
            out[o] = 36
            o += 1
        i = behind_end
        last = find_byte(out, i, stop, 36)
        while i < last:
            out[o] = out[i]
            o += 1
            i += 1
    return o
