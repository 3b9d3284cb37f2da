"""Kinds of characters at every byte of many texts: one bit a byte and class, found once for all kernels.

ASCII goes sixty-four bytes at a time (`stages.kernels.simd`), other characters one by one through `unicode.classes()`.
The kernels behind (`words`, `lines`, `line_kinds`, `c4_lines`) then count bits instead of reading bytes.

Price: about 2 GB/s of ASCII, 0.4 of other text; 1.5 bytes a byte of text.

Legend: N bytes of data, D documents, B blocks of 64 bytes from ``offsets_D1[0]`` on, K planes. planes_BK uint64: bit p
of block b is byte ``64 b + p`` of these. One block more, of zeros, follows the last. Numbers of blocks are unsigned
where they are indices: of others Numba asks at every use whether they count from the end.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import block_bits, lowest, ones
from stages.kernels.unicode import characters

STARTS, SPACE, ALPHA, TEXT, UPPER, LOWER, DIGIT, UNSPACED, FEED, BREAK, TERMINAL, RARE, WORD = range(13)
"""The planes. `SPACE` marks all bytes of a character of white space, the others a character's first byte: `STARTS`
each character (an invalid byte is one), `TEXT` what is neither white space nor a symbol, `FEED` a line feed, `WORD`
letters, digits, combining marks and ``_``; the other names are flags of `unicode`. `RARE` marks what few texts have
many of: ``#``, brackets, ``...`` and ``…``, and two letters of each phrase of `c4_lines` (`PAIRS`)."""
NUM_PLANES = 13
IN_WORD = characters.ALPHA | characters.DIGIT | characters.MARK
PAIRS = (b"ja", b"ps", b"ms", b"cy", b"ki")
"""Letters in a row, in either case, where `RARE` marks the first."""

Planes = npt.NDArray[np.uint64]
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_SIX = np.uint64(6)
_LOW = np.uint64(63)
_WIDTH = np.uint64(64)


def find_planes(data: Bytes, offsets: Offsets) -> Planes:
    """planes_BK of the documents of (data, offsets), which follow each other."""
    num_blocks = -(-int(offsets[-1] - offsets[0]) // 64)
    planes_BK = np.empty((num_blocks + 1, NUM_PLANES), np.uint64)
    _planes(data, offsets, characters.classes(), np.zeros(192, np.uint8), np.zeros(128, np.uint8), planes_BK)
    return planes_BK


@lean_inline_kernel
def window(planes_BK, plane, at):  # type: ignore[no-untyped-def]
    """The 64 bits of a plane from byte ``at`` (of the piece) on."""
    block, shift = np.uint64(at) >> _SIX, np.uint64(at) & _LOW
    # Two shifts, since one by 64 is undefined.
    return planes_BK[block, plane] >> shift | planes_BK[block + _ONE, plane] << _ONE << (_LOW - shift)


@lean_inline_kernel
def first_bits(size):  # type: ignore[no-untyped-def]
    """A mask of 1 to 64 bits."""
    return _FULL >> np.uint64(64 - size)


@lean_inline_kernel
def count(planes_BK, plane, start, stop):  # type: ignore[no-untyped-def]
    """How many bits of a plane are set in start:stop (bytes of the piece)."""
    if stop - start <= 64:
        return ones(window(planes_BK, plane, start) & first_bits(stop - start)) if stop > start else 0
    block, last = np.uint64(start) >> _SIX, np.uint64(stop) >> _SIX
    found = ones(planes_BK[block, plane] >> (np.uint64(start) & _LOW))
    for b in range(block + _ONE, last):
        found += ones(planes_BK[b, plane])
    if stop & 63:
        found += ones(planes_BK[last, plane] & first_bits(stop & 63))
    return found


@lean_inline_kernel
def at_bit(planes_BK, plane, at):  # type: ignore[no-untyped-def]
    """Whether the bit of byte ``at`` (of the piece) is set."""
    return planes_BK[np.uint64(at) >> _SIX, plane] >> (np.uint64(at) & _LOW) & _ONE != _ZERO


@lean_inline_kernel
def next_bit(planes_BK, plane, flip, start, stop):  # type: ignore[no-untyped-def]
    """The first byte of start:stop whose bit is set (``flip`` = 0) or is not (all ones), or ``stop``."""
    at = start
    while at < stop:
        bits = (planes_BK[np.uint64(at) >> _SIX, plane] ^ flip) >> (np.uint64(at) & _LOW)
        if bits:
            return min(at + lowest(bits), stop)
        at = (at | 63) + 1
    return stop


@lean_inline_kernel
def count_words(planes_BK, start, stop):  # type: ignore[no-untyped-def]
    """How many words (runs without white space) stand in start:stop."""
    words = 0
    before = _ONE  # white space stands before the first
    at = start
    while at < stop:
        size = min(stop - at, 64)
        blank = window(planes_BK, SPACE, at)
        words += ones(~blank & (blank << _ONE | before) & first_bits(size))
        before = blank >> _LOW
        at += 64
    return words


@lean_inline_kernel
def _ascii(data, i, planes_BK, block):  # type: ignore[no-untyped-def]
    """The planes of 64 bytes (another is read behind them) as far as they are ASCII."""
    upper = block_bits(data, i, 65, 25, 0)
    lower = block_bits(data, i, 97, 25, 0)
    digit = block_bits(data, i, 48, 9, 0)
    feed = block_bits(data, i, 10, 0, 0)
    stop = block_bits(data, i, 46, 0, 0)
    planes_BK[block, STARTS] = block_bits(data, i, 0, 127, 0)
    planes_BK[block, SPACE] = (
        block_bits(data, i, 32, 0, 0) | block_bits(data, i, 9, 4, 0) | block_bits(data, i, 28, 3, 0)
    )
    planes_BK[block, ALPHA] = upper | lower
    planes_BK[block, TEXT] = upper | lower | digit
    planes_BK[block, WORD] = upper | lower | digit | block_bits(data, i, 95, 0, 0)
    planes_BK[block, UPPER] = upper
    planes_BK[block, LOWER] = lower
    planes_BK[block, DIGIT] = digit
    planes_BK[block, UNSPACED] = np.uint64(0)
    planes_BK[block, FEED] = feed
    planes_BK[block, BREAK] = block_bits(data, i, 10, 3, 0) | block_bits(data, i, 28, 2, 0)
    planes_BK[block, TERMINAL] = stop | block_bits(data, i, 33, 0, 0) | block_bits(data, i, 63, 0, 0)
    # # [ { } and the pairs.
    rare = block_bits(data, i, 35, 0, 0) | block_bits(data, i, 91, 0, 0)
    rare |= block_bits(data, i, 123, 0, 0) | block_bits(data, i, 125, 0, 0)
    rare |= block_bits(data, i, 106, 0, 32) & block_bits(data, i + 1, 97, 0, 32)
    rare |= block_bits(data, i, 112, 0, 32) & block_bits(data, i + 1, 115, 0, 32)
    rare |= block_bits(data, i, 109, 0, 32) & block_bits(data, i + 1, 115, 0, 32)
    rare |= block_bits(data, i, 99, 0, 32) & block_bits(data, i + 1, 121, 0, 32)
    rare |= block_bits(data, i, 107, 0, 32) & block_bits(data, i + 1, 105, 0, 32)
    if stop:
        rare |= stop & block_bits(data, i + 1, 46, 0, 0) & block_bits(data, i + 2, 46, 0, 0)
    planes_BK[block, RARE] = rare


@lean_kernel
def _planes(data, offsets, classes, tail, flags, planes_BK):  # type: ignore[no-untyped-def]
    base, end = offsets[0], offsets[-1]
    num_blocks = len(planes_BK) - 1
    for k in range(NUM_PLANES):
        planes_BK[num_blocks, k] = np.uint64(0)
    for block in range(num_blocks):
        i = base + 64 * block
        if i + 66 <= end:
            _ascii(data, i, planes_BK, block)
        else:
            for k in range(192):
                tail[k] = data[i + k] if i + k < end else 0
            _ascii(tail, 0, planes_BK, block)
    d = 0
    done = base  # bytes before are part of a character met already
    for block in range(num_blocks):
        high = ~planes_BK[block, STARTS]
        if not high:
            continue
        first = base + 64 * block
        if done > first:
            high &= _FULL << np.uint64(done - first) if done < first + 64 else _ZERO
        starts = rare = _ZERO
        for k in range(128):  # flags of the characters, low bytes and high bytes
            flags[k] = np.uint8(0)
        while high:
            p = lowest(high)
            i = first + p
            while i >= offsets[d + 1]:
                d += 1
            cp, done = characters.code_point(data, i, offsets[d + 1])
            starts |= _ONE << np.uint64(p)
            flags[p], flags[64 + p] = np.uint8(classes[cp] & 0xFF), np.uint8(classes[cp] >> 8)
            if cp == 0x2026:
                rare |= _ONE << np.uint64(p)
            high &= _FULL << np.uint64(p + done - i) if p + done - i < 64 else _ZERO
        alpha, digit = _flagged(flags, 0, characters.ALPHA), _flagged(flags, 0, characters.DIGIT)
        blank = _flagged(flags, 0, characters.SPACE)
        planes_BK[block, STARTS] |= starts
        planes_BK[block, ALPHA] |= alpha
        planes_BK[block, DIGIT] |= digit
        planes_BK[block, TEXT] |= starts & ~blank & ~_flagged(flags, 0, characters.SYMBOL)
        planes_BK[block, UPPER] |= _flagged(flags, 64, characters.UPPER >> 8)
        planes_BK[block, LOWER] |= _flagged(flags, 64, characters.LOWER >> 8)
        planes_BK[block, UNSPACED] |= _flagged(flags, 0, characters.UNSPACED)
        planes_BK[block, BREAK] |= _flagged(flags, 0, characters.BREAK)
        planes_BK[block, TERMINAL] |= _flagged(flags, 0, characters.TERMINAL)
        planes_BK[block, RARE] |= rare
        planes_BK[block, WORD] |= alpha | digit | _flagged(flags, 0, characters.MARK)
        while blank:
            p = lowest(blank)
            blank &= blank - _ONE
            for k in range(p, p + (2 if data[first + p] < 0xE0 else 3)):  # white space has no more bytes
                planes_BK[block + (k >> 6), SPACE] |= _ONE << (np.uint64(k) & _LOW)


@lean_inline_kernel
def _flagged(flags, first, flag):  # type: ignore[no-untyped-def]
    """Which of 64 bytes have a flag."""
    return block_bits(flags, first, 255, 0, 255 ^ flag)
