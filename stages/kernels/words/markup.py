"""One character of a text, however it is written: as itself, as a reference or an escape; markup is none.

For `stages.kernels.words.folded_words`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np

from stages.kernels.jit import lean_inline_kernel
from stages.kernels.unicode import characters

_MOST_TAG = 200


@lean_inline_kernel
def hex_value(c):  # type: ignore[no-untyped-def]
    """The value of a hexadecimal digit, -1 of another byte."""
    if 48 <= c <= 57:
        return np.int64(c) - 48
    c |= 32
    if 97 <= c <= 102:
        return np.int64(c) - 87
    return np.int64(-1)


@lean_inline_kernel
def behind_tag(data, i, stop):  # type: ignore[no-untyped-def]
    if i + 1 >= stop:
        return i + 1
    n = data[i + 1] | 32
    if not (97 <= n <= 122 or data[i + 1] == 47 or data[i + 1] == 33):
        return i + 1
    k = i + 1
    while k < stop and k < i + _MOST_TAG:
        if data[k] == 62:
            return k + 1
        if data[k] == 60:
            break
        k += 1
    return i + 1


@lean_inline_kernel
def entity(data, i, stop):  # type: ignore[no-untyped-def]
    """(code point or 0, first byte behind) of what ``&`` begins."""
    k = i + 1
    if k < stop and data[k] == 35:
        k += 1
        base = 10
        if k < stop and data[k] | 32 == 120:
            base = 16
            k += 1
        cp = np.int64(0)
        begin = k
        while k < stop and k < begin + 7:
            value = hex_value(data[k])
            if value < 0 or value >= base:
                break
            cp = cp * base + value
            k += 1
        if begin < k < stop and data[k] == 59 and cp < 0x110000:
            return cp, k + 1
        return np.int64(0), i + 1
    while k < stop and k < i + 9 and 97 <= data[k] | 32 <= 122:
        k += 1
    if k > i + 2 and k < stop and data[k] == 59:
        return np.int64(0), k + 1
    return np.int64(0), i + 1


@lean_inline_kernel
def next_character(data, i, stop):  # type: ignore[no-untyped-def]
    """(code point, first byte behind it) of what stands at i; 0 for markup."""
    c = np.int64(data[i])
    if c >= 0x80:
        return characters.code_point(data, i, stop)
    if c == 60:
        return np.int64(0), behind_tag(data, i, stop)
    if c == 38:
        return entity(data, i, stop)
    if c == 92 and i + 1 < stop:
        n = data[i + 1]
        if n == 110 or n == 116 or n == 114:
            return np.int64(0), i + 2
        if n == 117 and i + 6 <= stop:
            cp = np.int64(0)
            for k in range(2, 6):
                value = hex_value(data[i + k])
                if value < 0:
                    return np.int64(0), i + 1
                cp = cp * 16 + value
            return cp, i + 6
        return np.int64(0), i + 1
    return c, i + 1
