"""Braces of a line of text that stand outside its formulas.

For C4's rule, which takes a brace for a sign of code: text of pages has its formulas as TeX, between dollars or ``\\(``
and ``\\)``; a page is not dropped for them. A dollar opens a formula only before what is no white space, and the
next one closes it only behind such and not before a digit, as in pandoc, so that prices are none.

Price: linear in the line.
"""

from __future__ import annotations

from stages.kernels.jit import lean_inline_kernel


@lean_inline_kernel
def _is_white(b):  # type: ignore[no-untyped-def]
    return b == 32 or 9 <= b <= 13


@lean_inline_kernel
def _end_of_dollars(data, i, end, width):  # type: ignore[no-untyped-def]
    """Behind the formula whose opening ``width`` dollars stand at ``i``; ``i`` if none does."""
    first = i + width
    if first >= end or _is_white(data[first]) or data[first] == 36:
        return i
    k = first
    while k < end:
        if data[k] == 92:
            k += 2
            continue
        if data[k] == 36:
            if width == 2:
                if k + 1 < end and data[k + 1] == 36:
                    return k + 2
            elif _is_white(data[k - 1]) or (k + 1 < end and 48 <= data[k + 1] <= 57):
                return i
            else:
                return k + 1
        k += 1
    return i


@lean_inline_kernel
def brace_outside(data, begin, end):  # type: ignore[no-untyped-def]
    """Whether ``data[begin:end]``, a line, has a ``{`` outside formulas."""
    no_pair, no_round, no_square = False, False, False
    i = begin
    while i < end:
        b = data[i]
        if b == 123:
            return True
        if b == 36:
            width = 2 if i + 1 < end and data[i + 1] == 36 else 1
            after = i
            if not (width == 2 and no_pair) and (width == 2 or i == begin or data[i - 1] != 36):
                after = _end_of_dollars(data, i, end, width)
                opened = i + width < end and not _is_white(data[i + width]) and data[i + width] != 36
                no_pair |= width == 2 and after == i and opened
            i = max(after, i + 1)
        elif b == 92 and i + 1 < end and data[i + 1] != 123:
            close = 41 if data[i + 1] == 40 and not no_round else 93 if data[i + 1] == 91 and not no_square else 0
            k = i + 2
            if close:
                while k + 1 < end and not (data[k] == 92 and data[k + 1] == close):
                    k += 1
                if k + 1 >= end:
                    no_round |= close == 41
                    no_square |= close == 93
                    k = i
                k += 2
            i = k
        else:
            i += 1
    return False
