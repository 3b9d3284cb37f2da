"""Questions about all bytes of a page, sixty-four at a time.

Legend: data_N uint8. The inner loops have 64 turns, unsigned indices and a maximum or sum in a byte, which is the form
that LLVM turns into vector instructions: 20 GB/s and more; the same with comparisons joined by ``|=`` runs at 1.5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.kernels.jit import inline_kernel, kernel
from stages.kernels.simd import block_bits, lowest, ones

BLOCK = 64
_B = np.uint64(BLOCK)
_RAW_LETTERS = np.frombuffer(b"scsttitexmifno", np.uint8)
"""How names begin of script, style, title, textarea, xmp, iframe, noscript, noembed and noframes."""
_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)


class Survey(NamedTuple):
    """The kinds of bytes that a page has."""

    is_ascii: bool
    has_nul: bool
    has_escape: bool
    """ESC, with which stateful charsets begin."""
    may_shift: bool
    """A tilde or SO (0E), with which those begin that are ASCII throughout (HZ, ISO-2022-KR)."""
    valid: int
    """Bytes from the start that are UTF-8; the page's size if all are."""


def survey(page: bytes) -> Survey:
    """One pass over a page. Price: 0.1 ns a byte; a second pass of 1 ns a byte where it is not UTF-8."""
    flags, valid = _survey(np.frombuffer(page, np.uint8))
    return Survey(not flags & 1, bool(flags & 2), bool(flags & 4), bool(flags & 8), valid)


def start_tags(page: bytes) -> int:
    """``<`` that no ``/`` follows, without those of a, p, li, br, td, tr, th, dd, dt and hr (a space or ``>`` after
    the name), which `depth` leaves out too: other elements nest no deeper than that."""
    return int(_start_tags(np.frombuffer(page, np.uint8)))


def utf8_characters(page: bytes) -> tuple[int, int]:
    """(characters of UTF-8 outside ASCII, wrong ones); bytes that are none, in a row, are one wrong character for four
    of them, the longest there is. Price: 1 ns a byte outside ASCII."""
    right, wrong = _utf8_characters(np.frombuffer(page, np.uint8))
    return int(right), int(wrong)


def closes_itself(page: bytes) -> bool:
    """Whether a tag that may be one of an element of raw text (``<script``, by its first two letters) ends in ``/>``.
    Price: 0.1 ns a byte, and 1 ns a byte of tags that do."""
    return bool(_closes_itself(np.frombuffer(page, np.uint8), _RAW_LETTERS))


@kernel
def count_byte(data, byte):  # type: ignore[no-untyped-def]
    """How often a byte occurs. Price: a tenth of what a comparison of whole arrays takes."""
    count, i = 0, 0
    while i + BLOCK <= len(data):
        count += ones(block_bits(data, i, byte, 0, 0))
        i += BLOCK
    while i < len(data):
        count += data[i] == byte
        i += 1
    return count


@kernel
def _survey(data):  # type: ignore[no-untyped-def]
    """(1: bytes above 127, 2: NUL, 4: ESC, 8: a tilde or SO, together; bytes from the start that are UTF-8)."""
    size = np.uint64(len(data))
    high, nul, escape, shift, wrong = np.uint8(0), np.uint8(0), np.uint8(0), np.uint8(0), np.uint8(0)
    base = np.uint64(0)
    while base < size:
        stop = min(base + _B, size)
        block_high = np.uint8(0)
        if stop - base == _B:
            for j in range(BLOCK):
                byte = data[base + np.uint64(j)]
                block_high = max(block_high, byte)
                nul = max(nul, np.uint8(byte == np.uint8(0)))
                escape = max(escape, np.uint8(byte == np.uint8(27)))
                shift = max(shift, np.uint8(byte == np.uint8(126)), np.uint8(byte == np.uint8(14)))
        else:
            for k in range(base, stop):
                byte = data[k]
                block_high = max(block_high, byte)
                nul = max(nul, np.uint8(byte == np.uint8(0)))
                escape = max(escape, np.uint8(byte == np.uint8(27)))
                shift = max(shift, np.uint8(byte == np.uint8(126)), np.uint8(byte == np.uint8(14)))
        # A character that begins in a block is looked at in the next one too, unless the page ends between.
        if (block_high >= 128 or (base > 0 and data[base - _1] >= 128)) and not wrong:
            if base > 0 and stop - base == _B:
                wrong = _wrong_block(data, base)
            else:
                wrong = np.uint8(_valid_to(data, base, stop, size) < stop)
        high = max(high, block_high)
        base = stop
    flags = np.int64(high >= 128) | np.int64(nul) << 1 | np.int64(escape) << 2 | np.int64(shift) << 3
    if size > 0 and _is_open(data, size):
        wrong = np.uint8(1)
    return flags, np.int64(_valid_to(data, np.uint64(0), size, size)) if wrong else np.int64(size)


@inline_kernel
def _wrong_block(data, base):  # type: ignore[no-untyped-def]
    """Whether one of the `BLOCK` bytes at ``base`` does not follow from the three before it (Unicode 16, table 3-7)."""
    wrong = np.uint8(0)
    for j in range(BLOCK):
        k = base + np.uint64(j)
        byte, one, two, three = data[k], data[k - _1], data[k - _2], data[k - _3]
        expected = np.uint8(one >= 0xC0) | np.uint8(two >= 0xE0) | np.uint8(three >= 0xF0)
        follows = np.uint8(byte & np.uint8(0xC0) == np.uint8(0x80))
        bad = (expected ^ follows) | np.uint8(byte > 0xF4)
        bad |= np.uint8(byte == 0xC0) | np.uint8(byte == 0xC1)
        bad |= np.uint8(one == 0xE0) & np.uint8(byte < 0xA0)
        bad |= np.uint8(one == 0xED) & np.uint8(byte > 0x9F)
        bad |= np.uint8(one == 0xF0) & np.uint8(byte < 0x90)
        bad |= np.uint8(one == 0xF4) & np.uint8(byte > 0x8F)
        wrong = max(wrong, np.uint8(bad))
    return wrong


@inline_kernel
def _is_open(data, size):  # type: ignore[no-untyped-def]
    """Whether the page ends within a character."""
    if data[size - _1] >= 0xC0:
        return True
    if size >= _2 and data[size - _2] >= 0xE0:
        return True
    return size >= _3 and data[size - _3] >= 0xF0


@inline_kernel
def _valid_to(data, start, stop, size):  # type: ignore[no-untyped-def]
    """Where the first character that is none begins; ``stop`` or more if there is none before it. From within a
    character its beginning is looked at again."""
    i = start
    for back in (_1, _2, _3):
        if start < back or data[start - back] < 128:
            break
        if data[start - back] >= 0xC0:
            i = start - back
            break
    while i < stop:
        if data[i] < 128:
            i += _1
            continue
        width = _character(data, i, size)
        if width == 0:
            return i
        i += width
    return i


@inline_kernel
def _character(data, i, size):  # type: ignore[no-untyped-def]
    """Bytes of the character outside ASCII at ``i`` (Unicode 16, table 3-7); 0 if there is none."""
    first = data[i]
    if first < 0xC2 or first > 0xF4 or i + _1 >= size:
        return np.uint64(0)
    second = data[i + _1]
    if first < 0xE0:
        return np.uint64(2) if second & 0xC0 == 0x80 else np.uint64(0)
    low, high = np.uint8(0x80), np.uint8(0xBF)
    if first == 0xE0:
        low = np.uint8(0xA0)
    elif first == 0xED:
        high = np.uint8(0x9F)
    elif first == 0xF0:
        low = np.uint8(0x90)
    elif first == 0xF4:
        high = np.uint8(0x8F)
    if not low <= second <= high or i + _2 >= size or data[i + _2] & 0xC0 != 0x80:
        return np.uint64(0)
    if first < 0xF0:
        return np.uint64(3)
    if i + _3 >= size or data[i + _3] & 0xC0 != 0x80:
        return np.uint64(0)
    return np.uint64(4)


@kernel
def _utf8_characters(data):  # type: ignore[no-untyped-def]
    size, i = np.uint64(len(data)), np.uint64(0)
    right, wrong, run = np.int64(0), np.int64(0), np.int64(0)
    while i < size:
        width = _1 if data[i] < 128 else _character(data, i, size)
        if width == 0:
            run += 1
            i += _1
            continue
        wrong += (run + 3) // 4
        run = np.int64(0)
        right += np.int64(width > _1)
        i += width
    return right, wrong + (run + 3) // 4


@kernel
def _closes_itself(data, letters):  # type: ignore[no-untyped-def]
    i, size = np.int64(0), np.int64(len(data))
    while i < size:
        bits = np.uint64(1)
        step = np.int64(1)
        if i + BLOCK < size:
            bits = block_bits(data, i, 47, 0, 0) & block_bits(data, i + 1, 62, 0, 0)
            step = np.int64(BLOCK)
        elif i + 1 == size or data[i] != 47 or data[i + 1] != 62:
            bits = np.uint64(0)
        while bits:
            first = i + lowest(bits) - 1
            while first >= 0 and data[first] != 60 and data[first] != 62:
                first -= 1
            if first >= 0 and data[first] == 60:
                for k in range(0, len(letters), 2):
                    if data[first + 1] == letters[k] and data[first + 2] == letters[k + 1]:
                        return True
            bits &= bits - np.uint64(1)
        i += step
    return False


@kernel
def _start_tags(data):  # type: ignore[no-untyped-def]
    size = np.uint64(len(data))
    count = np.int64(0)
    base = np.uint64(0)
    while base + _B + _2 < size:
        opens = np.uint8(0)
        for j in range(BLOCK):
            k = base + np.uint64(j)
            opens = np.uint8(opens + _is_start(data[k], data[k + _1], data[k + _2], data[k + _3]))
        count += np.int64(opens)
        base += _B
    space = np.uint8(32)
    for i in range(base, size):
        one = data[i + _1] if i + _1 < size else space
        two = data[i + _2] if i + _2 < size else space
        count += np.int64(_is_start(data[i], one, two, data[i + _3] if i + _3 < size else space))
    return count


@inline_kernel
def _is_start(first, one, two, three):  # type: ignore[no-untyped-def]
    """1 if these four bytes begin a start tag of an element that may hold itself, 0 if not."""
    case = np.uint8(32)
    a, b = one | case, two | case
    short = (np.uint8(a == 97) | np.uint8(a == 112)) & (np.uint8(two == 62) | np.uint8(two == 32))  # a, p
    long = np.uint8(a == 108) & np.uint8(b == 105)  # li
    long |= (np.uint8(a == 98) | np.uint8(a == 104)) & np.uint8(b == 114)  # br, hr
    long |= np.uint8(a == 116) & (np.uint8(b == 100) | np.uint8(b == 114) | np.uint8(b == 104))  # td, tr, th
    long |= np.uint8(a == 100) & (np.uint8(b == 100) | np.uint8(b == 116))  # dd, dt
    flat = short | (long & (np.uint8(three == 62) | np.uint8(three == 32)))
    return np.uint8(first == 60) & np.uint8(one != 47) & np.uint8(flat == 0)


@inline_kernel
def has_three(data, base, first, second, third):  # type: ignore[no-untyped-def]
    """Whether these three bytes begin in the `BLOCK` bytes at ``base`` (uint64), which two more must follow."""
    hit = np.uint8(0)
    for j in range(BLOCK):
        k = base + np.uint64(j)
        wrong = np.uint8((data[k] ^ first) | (data[k + _1] ^ second) | (data[k + _2] ^ third))
        hit = max(hit, np.uint8(wrong == np.uint8(0)))
    return hit != 0
