"""Formulas between three or six dollars (Codeforces) get the dollars of all others. For `text`."""

from __future__ import annotations

from stages.kernels.html.tokens import find_byte, is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def is_letter(byte):  # type: ignore[no-untyped-def]
    """Whether a byte is a letter or digit of ASCII."""
    return 48 <= byte <= 57 or 97 <= byte | 0x20 <= 122


@inline_kernel
def run_of_dollars(out, i, stop):  # type: ignore[no-untyped-def]
    """How many dollars stand at ``i``."""
    first = i
    while i < stop and out[i] == 36:
        i += 1
    return i - first


@inline_kernel
def shorten_dollars(out, start, stop):  # type: ignore[no-untyped-def]
    """``$$$x$$$`` in ``out[start:stop]`` becomes ``$x$``, and ``$$$$$$x$$$$$$`` ``$$x$$``, if a letter or digit stands between, no letter or digit before and, of three, no space
    at the ends: next o. Prices (``$$$-$$$``) stay. Price: one search for a dollar where there is none, else linear."""
    i = o = find_byte(out, start, stop, 36)
    while i < stop:
        run = run_of_dollars(out, i, stop)
        last, behind = i + run, o > start and is_letter(out[o - 1])
        end = find_byte(out, last, stop, 36) if run == 3 or run == 6 else stop
        closing = run_of_dollars(out, end, stop)
        is_formula = (
            closing == run
            and end > last
            and not behind
            and (run == 6 or not (is_space(out[last]) or is_space(out[end - 1])))
        )
        any_letter = False
        for k in range(last, end if is_formula else last):
            any_letter |= is_letter(out[k])
        if is_formula and any_letter:
            run, closing = run // 3, run // 3
        else:
            end, closing = last, 0
        for _ in range(run):
            out[o] = 36
            o += 1
        for k in range(last, end):
            out[o] = out[k]
            o += 1
        for _ in range(closing):
            out[o] = 36
            o += 1
        i = end + 3 * closing
        last = find_byte(out, i, stop, 36)
        while i < last:
            out[o] = out[i]
            o += 1
            i += 1
    return o
