"""Places in texts where an address, a number or a key may stand: a fast sieve before exact patterns.

Sixty-four bytes at a time; then each place is looked at. Price: 2 GB/s. What has characters of other scripts beside
it is found by a second pass (`other_scripts`).

Legend: N bytes of data, D documents, C candidates. found_C2 int64: byte of data, kind.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import block_bits, lowest
from stages.kernels.words import other_scripts

EMAIL, IP, PHONE, SECRET = range(4)
NUMBER = other_scripts.NUMBER
_MIN_PHONE_DIGITS = 8  # behind a +
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_TOP = np.uint64(63)


def _email_bytes() -> npt.NDArray[np.uint8]:
    """1: may stand before the '@' of an address; 2: may stand behind it."""
    table = np.zeros(256, np.uint8)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    table[list(letters)] = 3
    table[list(b"!#$%&'*+/=?^_`{|}~-")] = 1
    table[list(b"[")] = 2
    table[0x80:] = 1  # the end of an accented letter, or of what stands before '@'
    table[0xC3:0xCA] = 3
    return table


_EMAIL_BYTES = _email_bytes()


def candidates(data: Bytes, offsets: Offsets) -> npt.NDArray[np.int64]:
    """found_C2, rising: every '@' between characters that an address may have beside it, every dotted run of four
    numbers, every separator of a telephone number, every beginning of a well-known key; those of `other_scripts`."""
    room = 1024
    tail = np.zeros(192, np.uint8)
    while True:
        found_C2 = np.empty((room, 2), np.int64)
        num_found = _candidates(data, offsets[0], offsets[-1], tail, found_C2)
        if num_found <= room:
            others_C2 = other_scripts.candidates(data, offsets)
            return _with_beginnings(data, offsets, found_C2[:num_found], others_C2)
        room = num_found


def _with_beginnings(
    data: Bytes, offsets: Offsets, found_C2: npt.NDArray[np.int64], others_C2: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """With those of other scripts, and the places at which a text begins: the kernel takes the text before it for what
    precedes them."""
    starts = offsets[:-1][offsets[:-1] < offsets[1:]]
    extra = [(int(at), PHONE) for at in starts[data[starts] == 43]]
    for at in starts[(data[starts] >= 48) & (data[starts] <= 57)].tolist():
        dot = bytes(data[at : at + 4]).find(b".")
        if dot > 0:
            extra.append((at + dot, IP))
    if not extra and not len(others_C2):
        return found_C2
    both = np.concatenate([found_C2, others_C2, np.asarray(extra, np.int64).reshape(-1, 2)])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    once: npt.NDArray[np.int64] = both[np.any(np.diff(both, axis=0, prepend=-1) != 0, axis=1)]
    return once


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
    """Whether the dot at i is the first behind a digit of at least three in a run of digits and dots."""
    k = i - 1
    while k >= start and 48 <= data[k] <= 57:
        k -= 1
    if k > start and data[k] == 46 and 48 <= data[k - 1] <= 57:
        return False
    dots = 0
    k = i
    while k < stop and dots < 3 and (data[k] == 46 or 48 <= data[k] <= 57):
        dots += data[k] == 46
        k += 1
    return dots >= 3


@lean_inline_kernel
def _is(data, i, stop, a, b, c):  # type: ignore[no-untyped-def]
    return i >= 0 and i + 3 <= stop and data[i] == a and data[i + 1] == b and data[i + 2] == c


@lean_inline_kernel
def _is_digit(data, i, start, stop):  # type: ignore[no-untyped-def]
    return start <= i < stop and 48 <= data[i] <= 57


@lean_inline_kernel
def _is_separator(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether one of `` -.()`` is at i."""
    return i < stop and (data[i] == 32 or data[i] == 45 or data[i] == 46 or data[i] == 40 or data[i] == 41)


@lean_inline_kernel
def _international(data, i, start, stop):  # type: ignore[no-untyped-def]
    """Whether a telephone number may begin with the + at i."""
    if i > start:
        b = data[i - 1]
        if b == 43 or b == 45 or b == 46 or _EMAIL_BYTES[b] == 3:
            return False
    digits = 0
    k = i + 1
    if k < stop and data[k] == 48:
        return False
    while digits < _MIN_PHONE_DIGITS:
        if digits > 0 and _is_separator(data, k, stop):
            k += 1
            if _is_separator(data, k, stop):  # `` (`` and ``) ``
                k += 1
        if not _is_digit(data, k, start, stop):
            return False
        digits += 1
        k += 1
    return True


@lean_inline_kernel
def _american(data, i, start, stop):  # type: ignore[no-untyped-def]
    """Whether the separator at i is the last of ``212-555-0199`` or ``(212) 555-0199``."""
    if not (_digits(data, i - 3, stop, 3) and _digits(data, i + 1, stop, 4)):
        return False
    k = i - 4
    if k < start + 3:
        return False
    b = data[k]
    if b == 32:
        k -= 1
        b = data[k]
        return b == 41
    return b == 41 or b == 45 or b == 46


@lean_inline_kernel
def _kind(data, i, start, stop):  # type: ignore[no-untyped-def]
    """The pattern that may stand around the trigger byte i, -1 for none."""
    b = data[i]
    if b == 64:
        if i == start or i + 1 == stop:
            return -1
        return EMAIL if _EMAIL_BYTES[data[i - 1]] & 1 and _EMAIL_BYTES[data[i + 1]] & 2 else -1
    if b == 43:
        return PHONE if _international(data, i, start, stop) else -1
    if b == 65:  # AKIA, ASIA, AIza
        begins = _is(data, i + 1, stop, 75, 73, 65) or _is(data, i + 1, stop, 83, 73, 65)
        return SECRET if begins or _is(data, i + 1, stop, 73, 122, 97) else -1
    if b == 95:  # gh?_, github_, hf_, sk_live_ and rk_live_
        github = i >= start + 3 and data[i - 3] == 103 and data[i - 2] == 104
        github = github or (i >= start + 6 and _is(data, i - 3, stop, 104, 117, 98))
        hugging_face = i >= start + 2 and _is(data, i - 2, stop, 104, 102, 95)
        stripe = i >= start + 2 and (data[i - 2] == 114 or data[i - 2] == 115) and data[i - 1] == 107
        return SECRET if github or hugging_face or stripe else -1
    if _american(data, i, start, stop):
        return PHONE
    if b == 45:  # xox?-, sk- and -BEGIN
        slack = i >= start + 4 and _is(data, i - 4, stop, 120, 111, 120)
        openai = i >= start + 2 and _is(data, i - 2, stop, 115, 107, 45)
        return SECRET if slack or openai or _is(data, i + 1, stop, 66, 69, 71) else -1
    if b == 46 and i > start and _digits(data, i - 1, stop, 1) and _digits(data, i + 1, stop, 1):
        return IP if _first_dot(data, i, start, stop) else -1
    return -1


@lean_inline_kernel
def _triggers(data, i):  # type: ignore[no-untyped-def]
    """(places to look at, dots and dashes before a digit, digits, dashes, low lines) of 64 bytes; three are read
    behind them."""
    digit = block_bits(data, i, 48, 9, 0)
    next_digit = block_bits(data, i + 1, 48, 9, 0)
    dash = block_bits(data, i, 45, 0, 0)
    look = block_bits(data, i, 64, 0, 0) | (block_bits(data, i, 43, 0, 0) & next_digit)
    look |= dash & block_bits(data, i + 1, 66, 0, 0)
    key = block_bits(data, i + 1, 75, 0, 0) | block_bits(data, i + 1, 83, 0, 0) | block_bits(data, i + 1, 73, 0, 0)
    # AKIA, ASIA and AIza: the last letter in either case.
    look |= block_bits(data, i, 65, 0, 0) & key & block_bits(data, i + 3, 97, 0, 32)
    return look, (dash | block_bits(data, i, 46, 0, 0)) & next_digit, digit, dash, block_bits(data, i, 95, 0, 0)


@lean_kernel
def _candidates(data, start, stop, tail, found_C2):  # type: ignore[no-untyped-def]
    """Fill ``found_C2``; how many there are, which may be more than it holds."""
    num_found = 0
    b_before = digit_before = h_before = k_before = x_before = np.uint64(0)
    for first in range(start, stop, 64):
        if first + 67 <= stop:
            look, split, digit, dash, low = _triggers(data, first)
            b, h, k, x = (
                block_bits(data, first, 98, 0, 0),
                block_bits(data, first, 104, 0, 0),
                block_bits(data, first, 107, 0, 0),
                block_bits(data, first, 120, 0, 0),
            )
        else:
            for t in range(192):
                tail[t] = data[first + t] if first + t < stop else 0
            look, split, digit, dash, low = _triggers(tail, 0)
            b, h = block_bits(tail, 0, 98, 0, 0), block_bits(tail, 0, 104, 0, 0)
            k, x = block_bits(tail, 0, 107, 0, 0), block_bits(tail, 0, 120, 0, 0)
        look |= split & (digit << _ONE | digit_before)
        look |= dash & (x << _TWO | x_before | k << _ONE | k_before)
        look |= low & (h << _TWO | h_before | (b | k) << _ONE | b_before | k_before)
        digit_before, b_before, k_before = digit >> _TOP, b >> _TOP, k >> _TOP
        h_before, x_before = h >> (_TOP - _ONE), x >> (_TOP - _ONE)
        while look:
            i = first + lowest(look)
            look &= look - _ONE
            kind = _kind(data, i, start, stop)
            if kind >= 0:
                if num_found < len(found_C2):
                    found_C2[num_found, 0] = i
                    found_C2[num_found, 1] = kind
                num_found += 1
    return num_found
