"""Places in texts where a number in digits of other scripts or an address with their letters may stand.

A second pass beside `sieve`: two comparisons for 64 bytes of ASCII, four more for others; then each place is looked at.
Price: 10 GB/s and more on ASCII.

Digits: Arabic-Indic, Persian, those of the scripts of India from Devanagari to Malayalam, Thai, Lao, Tibetan, Burmese,
Khmer and full-width ones.

Legend: N bytes of data, C candidates. found_C2 int64: byte of data, kind.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import block_bits, lowest

EMAIL, NUMBER = 0, 4
"""Kinds of `sieve`; NUMBER: a telephone number or an IP address with a sign or digits of another script."""
_MIN_PHONE_DIGITS = 8  # behind a +
_HOST_BYTES = 128
_ONE, _TWO, _TOP_TWO = np.uint64(1), np.uint64(2), np.uint64(62)


def candidates(data: Bytes, offsets: Offsets) -> npt.NDArray[np.int64]:
    """found_C2, rising: plus signs before a number that is not all ASCII, dots and dashes within one, and every '@'
    behind and before which an address with a host in another script may stand."""
    room = 256
    tail = np.zeros(192, np.uint8)
    while True:
        found_C2 = np.empty((room, 2), np.int64)
        num_found = _candidates(data, offsets[0], offsets[-1], tail, found_C2)
        if num_found <= room:
            return found_C2[:num_found]
        room = num_found


@lean_inline_kernel
def _digit_bytes(data, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of the decimal digit at i, 0 where none is: of ASCII, Arabic, Persian, the scripts of India, Thai, Lao,
    Tibetan, Burmese and Khmer, and full-width ones."""
    if i < 0 or i >= stop:
        return 0
    a = data[i]
    if a < 0x80:
        return np.int64(48 <= a <= 57)
    if i + 2 > stop:
        return 0
    b = data[i + 1]
    if a == 0xD9 or a == 0xDB:
        first = 0xA0 if a == 0xD9 else 0xB0
        return 2 * np.int64(first <= b <= first + 9)
    if i + 3 > stop or not (a == 0xE0 or a == 0xE1 or a == 0xEF):
        return 0
    c = data[i + 2]
    first = 0
    if a == 0xE0:
        if 0xA5 <= b <= 0xB5 and b & 1:
            first = 0xA6
        elif b == 0xB9 or b == 0xBB:
            first = 0x90
        elif b == 0xBC:
            first = 0xA0
    elif a == 0xE1:
        first = 0x80 if b == 0x81 else (0xA0 if b == 0x9F else 0)
    elif b == 0xBC:
        first = 0x90
    return 3 * np.int64(first > 0 and first <= c <= first + 9)


@lean_inline_kernel
def _separator_bytes(data, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of the separator of a telephone number at i, 0 where none is: one of `` -.()``, a full-width
    one, the ideographic space, a hyphen or dash."""
    if i >= stop:
        return 0
    a = data[i]
    if a == 32 or a == 45 or a == 46 or a == 40 or a == 41:
        return 1
    if i + 3 > stop:
        return 0
    a, b, c = data[i], data[i + 1], data[i + 2]
    wide = a == 0xEF and b == 0xBC and (c == 0x88 or c == 0x89 or c == 0x8D or c == 0x8E)
    wide = wide or (a == 0xE3 and b == 0x80 and c == 0x80)
    return 3 * np.int64(wide or (a == 0xE2 and ((b == 0x80 and 0x90 <= c <= 0x93) or (b == 0x88 and c == 0x92))))


@lean_inline_kernel
def _international_number(data, i, others, stop):  # type: ignore[no-untyped-def]
    """Whether eight digits follow from i on with at most two separators between them; one of another script, unless
    the plus sign was (others)."""
    digits = 0
    k = i
    while digits < _MIN_PHONE_DIGITS:
        for _ in range(2):
            k += _separator_bytes(data, k, stop)
        size = _digit_bytes(data, k, stop)
        if size == 0:
            return False
        others = others or size > 1
        digits += 1
        k += size
    return others


@lean_inline_kernel
def _number_around(data, i, behind, stop):  # type: ignore[no-untyped-def]
    """Whether a number in other digits may stand around the dot or dash from i to behind: four numbers from here on,
    or three digits before and four behind."""
    size = _digit_bytes(data, behind, stop)
    if size == 0 or _digit_bytes(data, i - size, stop) != size:
        return False
    digits = 0
    while digits < 4 and _digit_bytes(data, behind + digits * size, stop) == size:
        digits += 1
    if digits == 4 and _digit_bytes(data, i - 3 * size, stop) == size:
        return True
    dots = 0
    k = i
    while dots < 3:
        size = _digit_bytes(data, k, stop)
        if size == 0:
            size = _separator_bytes(data, k, stop)
            if not (k < stop and (data[k] == 46 or (size == 3 and data[k] == 0xEF and data[k + 2] == 0x8E))):
                return False
            dots += 1
        k += size
    return True


@lean_inline_kernel
def _is_number(data, i, start, stop):  # type: ignore[no-untyped-def]
    """Whether a number in digits of another script may stand around the byte i: a plus sign, a dot, a dash."""
    wide = data[i] == 0xEF
    if wide and i + 3 > stop:
        return False
    behind = i + 3 if wide else i + 1
    if data[i] == 43 or (wide and data[i + 2] == 0x8B):
        return _international_number(data, behind, wide, stop)
    return i > start and _number_around(data, i, behind, stop)


@lean_inline_kernel
def _is_address(data, i, start, stop):  # type: ignore[no-untyped-def]
    """Whether letters of another script and a dot follow the '@' at i, within what hosts have."""
    if i == start or i + 1 == stop or data[i + 1] < 0xCA or data[i - 1] <= 32:
        return False
    for k in range(i + 1, min(i + _HOST_BYTES, stop)):
        b = data[k]
        if b == 46:
            return True
        if not (b >= 0x80 or b == 45 or 48 <= b <= 57 or 97 <= b | 32 <= 122):
            return False
    return False


@lean_inline_kernel
def _triggers(data, i, before, behind):  # type: ignore[no-untyped-def]
    """Plus signs, at signs before bytes beyond ASCII, dots and dashes between them, full-width signs, of 64 bytes."""
    look = block_bits(data, i, 43, 0, 0) | block_bits(data, i, 64, 0, 0) & behind
    look |= block_bits(data, i, 45, 1, 0) & behind & before
    wide = block_bits(data, i, 0xEF, 0, 0)
    if wide:
        look |= wide & (block_bits(data, i + 2, 0x8B, 0, 0) | block_bits(data, i + 2, 0x8D, 1, 0))
    return look


@lean_kernel
def _candidates(data, start, stop, tail, found_C2):  # type: ignore[no-untyped-def]
    """Fill ``found_C2``; how many there are, which may be more than it holds."""
    num_found = 0
    before = np.uint64(0)
    for first in range(start, stop, 64):
        if first + 80 <= stop:
            behind = block_bits(data, first + 1, 0x80, 0x7F, 0)
            ahead = block_bits(data, first + 16, 0x80, 0x7F, 0)  # behind a country code in ASCII
            if not behind | before | ahead:
                continue
            look = _triggers(data, first, behind << _TWO | before, behind)
        else:
            for t in range(192):
                tail[t] = data[first + t] if first + t < stop else 0
            behind = block_bits(tail, 1, 0x80, 0x7F, 0)
            look = _triggers(tail, 0, behind << _TWO | before, behind)
        before = behind >> _TOP_TWO
        while look:
            i = first + lowest(look)
            look &= look - _ONE
            address = data[i] == 64
            if _is_address(data, i, start, stop) if address else _is_number(data, i, start, stop):
                if num_found < len(found_C2):
                    found_C2[num_found, 0] = i
                    found_C2[num_found, 1] = EMAIL if address else NUMBER
                num_found += 1
    return num_found
