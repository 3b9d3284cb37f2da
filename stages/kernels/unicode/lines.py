"""Lines that a model of language reads: pieces of texts joined by spaces; of which most letters are capitals or styled.

Legend: N bytes of data, D texts, P pieces at most. bounds_DP1 int64: where the pieces of a line begin in it, and its
end; a piece ends a byte, the space, before the next one begins.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, read_only
from stages.kernels.jit import lean_kernel
from stages.kernels.unicode import characters

_UPPER, _LOWER, _STYLED = 1, 2, 4
_SMALL_CAPITAL = "LATIN LETTER SMALL CAPITAL "


def cut_lines(
    data: Bytes, offsets: Offsets, max_bytes: int, pieces: int, divided: bool
) -> tuple[Bytes, Offsets, npt.NDArray[np.int64]]:
    """Each text as one line of at most ``max_bytes`` or so: whole, or ``pieces`` of it, spread evenly.

    Pieces are cut between characters. Line breaks are spaces.

    Args:
        divided: texts that are short enough are cut into so many pieces too.

    Returns:
        (data, offsets) of the lines, and bounds_DP1; a line of fewer pieces repeats its end.
    """
    sizes = np.minimum(np.diff(offsets), max_bytes + 8 * pieces) + pieces
    out, ends = np.empty(int(sizes.sum()), np.uint8), np.zeros(len(offsets), np.int64)
    bounds = np.zeros((len(offsets) - 1, pieces + 1), np.int64)
    _cut_lines(data, offsets, max_bytes, pieces, divided, out, ends, bounds)
    return read_only(out[: ends[-1]]), read_only(ends), bounds


def mostly_capitals(data: Bytes, offsets: Offsets) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of every text whether more letters are capitals than small, and whether most letters with case are styled.

    Where most bytes are ASCII letters, those alone are looked at. Styled letters are those of `plain_letters`.
    """
    capitals, styled = np.zeros(len(offsets) - 1, np.bool_), np.zeros(len(offsets) - 1, np.bool_)
    _mostly_capitals(data, offsets, cases(), capitals, styled)
    return capitals, styled


@cache
def cases() -> npt.NDArray[np.uint8]:
    """Of every code point 1 for a capital, 2 for a small letter, as Python has them, and 4 more for a styled one; 0 for
    all else. Planes of Unicode above the first two have no letters with case."""
    letters = list(map(chr, range(0x20000)))
    upper = np.fromiter(map(str.isupper, letters), np.bool_, len(letters))
    lower = np.fromiter(map(str.islower, letters), np.bool_, len(letters))
    found = np.zeros(characters.NUM_CODE_POINTS, np.uint8)
    found[: len(letters)] = _UPPER * upper.astype(np.uint8) + _LOWER * lower.astype(np.uint8)
    found[list(plain_letters())] |= _STYLED
    return read_only(found)


@cache
def plain_letters() -> dict[int, str]:
    """The small letter of every letter with case that is one in another style.

    ASCII letters in full width, mathematical, circled or as small capitals; Georgian ones in the letters of the church.
    """
    found = {}
    for cp in (*range(0x0250, 0x02B0), *range(0x1D00, 0x1D30), *range(0xA720, 0xA800)):
        found[cp] = unicodedata.name(chr(cp), "").removeprefix(_SMALL_CAPITAL)
    for cp in (*range(0x2100, 0x2150), *range(0x24B6, 0x24EA), *range(0xFF21, 0xFF5B), *range(0x1D400, 0x1D800)):
        found[cp] = unicodedata.normalize("NFKC", chr(cp))
    found |= {cp: unicodedata.normalize("NFKC", chr(cp)) for cp in range(0x1F130, 0x1F14A)}
    known = {cp: letter.lower() for cp, letter in found.items() if len(letter) == 1 and letter.isascii()}
    known |= {first + k: chr(0x10D0 + k) for first in (0x10A0, 0x2D00) for k in range(0x26)}
    return {cp: letter for cp, letter in known.items() if letter.isalpha() and (chr(cp).islower() or chr(cp).isupper())}


@lean_kernel
def _cut_lines(data, offsets, max_bytes, pieces, divided, out, ends, bounds):  # type: ignore[no-untyped-def]
    at = 0
    for d in range(len(offsets) - 1):
        start, stop = offsets[d], offsets[d + 1]
        size, long = stop - start, stop - start > max_bytes
        piece = size if not divided else -(-size // pieces)
        step = np.float64(max(piece, 1))
        if long:
            piece = max_bytes // pieces
            step = (size - piece) / np.float64(max(pieces - 1, 1))
        begin, num = at, 0
        for k in range(pieces):
            first = start + np.int64(k * step)
            last = min(first + piece, stop)
            while first < last and data[first] & 0xC0 == 0x80:
                first += 1
            most = min(last + 3, stop)  # bytes of characters cut in two; more are no UTF-8
            while first < last < most and data[last] & 0xC0 == 0x80:
                last += 1
            if first >= last:
                continue
            if num:
                out[at] = 32
                at += 1
            bounds[d, num] = at - begin
            num += 1
            for i in range(first, last):
                out[at] = 32 if data[i] == 10 or data[i] == 13 else data[i]
                at += 1
        for k in range(num, pieces + 1):
            bounds[d, k] = at - begin
        ends[d + 1] = at


@lean_kernel
def _mostly_capitals(data, offsets, cases, found, styled):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        start, stop = offsets[d], offsets[d + 1]
        capitals = small = styles = 0
        for i in range(start, stop):
            capitals += 65 <= data[i] <= 90
            small += 97 <= data[i] <= 122
        if (capitals + small) * 2 <= stop - start:
            i = start
            while i < stop:
                if data[i] < 128:
                    i += 1
                    continue
                cp, i = characters.code_point(data, i, stop)
                capitals += cases[cp] & 1
                small += cases[cp] >> 1 & 1
                styles += cases[cp] >> 2
        found[d] = capitals > small
        styled[d] = styles * 2 > capitals + small
