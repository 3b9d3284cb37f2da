"""Places in texts where an address, a number or a key may stand: a fast sieve before exact patterns.

Legend: N bytes of data, D documents, C candidates. found_C2 int64: byte of data, kind.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.ragged import Bytes, Offsets

EMAIL, IP, PHONE, SECRET = range(4)
_TRIGGERS = b"@.-+A_"


@cache
def _triggers() -> npt.NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[list(_TRIGGERS)] = 1
    return table


def candidates(data: Bytes, offsets: Offsets) -> npt.NDArray[np.int64]:
    """found_C2, rising: every '@' between characters that an address may have beside it, every dotted run of four
    numbers, every separator of a telephone number, every beginning of a well-known key."""
    room = 1024
    while True:
        found_C2 = np.empty((room, 2), np.int64)
        num_found = _candidates(data, offsets[0], offsets[-1], _triggers(), found_C2)
        if num_found <= room:
            return found_C2[:num_found]
        room = num_found


@lean_inline_kernel
def _digits(data, start, stop, size):  # type: ignore[no-untyped-def]
    """Whether ``size`` digits stand at start, within the data up to stop."""
    if start < 0 or start + size > stop:
        return False
    digits = 0
    for i in range(start, start + size):
        digits += 48 <= data[i] <= 57
    return digits == size


@lean_inline_kernel
def _first_dot(data, i, start, stop):  # type: ignore[no-untyped-def]
    """Whether the dot at i is the first of at least three in a run of digits and dots."""
    k = i - 1
    while k >= start and 48 <= data[k] <= 57:
        k -= 1
    if k >= start and data[k] == 46:
        return False
    dots = 0
    k = i
    while k < stop and (data[k] == 46 or 48 <= data[k] <= 57):
        dots += data[k] == 46
        k += 1
    return dots >= 3


@lean_inline_kernel
def _is(data, i, stop, a, b, c):  # type: ignore[no-untyped-def]
    return i >= 0 and i + 3 <= stop and data[i] == a and data[i + 1] == b and data[i + 2] == c


@lean_inline_kernel
def _kind(data, i, start, stop):  # type: ignore[no-untyped-def]
    """What may stand around the trigger byte i, -1 for nothing."""
    b = data[i]
    kind = -1
    if b == 64:
        kind = EMAIL if i > start and i + 1 < stop and data[i - 1] > 32 and data[i + 1] > 32 else -1
    elif b == 43:
        kind = PHONE if i + 1 < stop and (data[i + 1] == 40 or 48 <= data[i + 1] <= 57) else -1
    elif b == 65:  # AKIA, ASIA, AIza
        begins = _is(data, i + 1, stop, 75, 73, 65) or _is(data, i + 1, stop, 83, 73, 65)
        kind = SECRET if begins or _is(data, i + 1, stop, 73, 122, 97) else -1
    elif b == 95:  # gh?_ and sk_live_
        github = i >= start + 3 and data[i - 3] == 103 and data[i - 2] == 104
        kind = SECRET if github or (i >= start + 2 and _is(data, i - 2, stop, 115, 107, 95)) else -1
    elif _digits(data, i - 3, stop, 3) and _digits(data, i + 1, stop, 4):
        kind = PHONE
    elif b == 45:  # xox?- and -BEGIN
        slack = i >= start + 4 and _is(data, i - 4, stop, 120, 111, 120)
        kind = SECRET if slack or _is(data, i + 1, stop, 66, 69, 71) else -1
    elif b == 46 and i > start and _digits(data, i - 1, stop, 1) and _digits(data, i + 1, stop, 1):
        kind = IP if _first_dot(data, i, start, stop) else -1
    return kind


@lean_kernel
def _candidates(data, start, stop, triggers, found_C2):  # type: ignore[no-untyped-def]
    """Fill ``found_C2``; how many there are, which may be more than it holds."""
    num_found = 0
    for i in range(start, stop):
        b = data[i]
        if triggers[b] == 0:
            continue
        kind = _kind(data, i, start, stop)
        if kind >= 0:
            if num_found < len(found_C2):
                found_C2[num_found, 0] = i
                found_C2[num_found, 1] = kind
            num_found += 1
    return num_found
