"""Which stretches of text may hold one of some expressions, told by four bytes of each: a sieve before expressions.

Expressions cost ten times what a look at the bytes does, and find nothing in most sentences and lines. So for each
expression four bytes that any match of it holds are hashed into a table of 65,536 bits, and only stretches with a hash
of it are asked the expression itself. False alarms cost time alone. Price: about 1 ns a byte.

Legend: N bytes of data, S stretches. starts_S, stops_S int64 (bytes of data); found_S bool.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes
from stages.kernels.jit import lean_inline_kernel, lean_kernel

GRAM = 4
"""Bytes that are hashed."""
SMALL_LETTERS = 0x20
"""The bit that tells small letters of ASCII from capitals."""
_BITS = 16
_MULTIPLIER = np.uint32(0x9E3779B1)
_SHIFT = np.uint32(32 - _BITS)
_SIX, _EIGHT, _LOW = np.uint32(6), np.uint32(8), np.uint32(63)
_ONE = np.uint64(1)
_THREE_BYTES = np.uint32(0xFFFFFF)


class Grams(NamedTuple):
    """A sieve made ready."""

    table: npt.NDArray[np.uint64]
    """A set of hashes, 64 in a number."""
    fold: int
    """Bits that are set in every byte first: `SMALL_LETTERS` where capitals are as small letters, else 0."""
    three: int
    """Three bytes as a number, which find a stretch too; -1: none."""
    gap: int
    """Bytes that may stand from one comma to the next where five in a row find a stretch; 0: they do not."""


def sieve(grams: Sequence[bytes], fold: int = 0, three: bytes = b"", gap: int = 0) -> Grams:
    """A sieve of grams of `GRAM` bytes, and what else finds a stretch (see `Grams`).

    Raises:
        ValueError: a gram of another size.
    """
    table = np.zeros(1 << _BITS - 6, np.uint64)
    for gram in grams:
        if len(gram) != GRAM:
            raise ValueError(f"expected grams of {GRAM} bytes, found {gram!r}")
        key = np.uint32(int.from_bytes(bytes(byte | fold for byte in gram), "big"))
        with np.errstate(over="ignore"):
            place = int(key * _MULTIPLIER >> _SHIFT)
        table[place >> 6] |= np.uint64(1 << (place & 63))
    number = int.from_bytes(bytes(byte | fold for byte in three), "big") if three else -1
    return Grams(table, fold, number, gap)


def may_hold(
    data: Bytes, starts_S: npt.NDArray[np.int64], stops_S: npt.NDArray[np.int64], grams: Grams
) -> npt.NDArray[np.bool_]:
    """Whether each stretch holds a gram, the three bytes, or five commas near one another; some others do, too."""
    found_S = np.zeros(len(starts_S), np.bool_)
    _may_hold(data, starts_S, stops_S, grams.table, grams.fold, grams.three, grams.gap, found_S)
    return found_S


@lean_inline_kernel
def _is_in(table, key):  # type: ignore[no-untyped-def]
    place = np.uint32(key * _MULTIPLIER) >> _SHIFT
    return table[place >> _SIX] >> np.uint64(place & _LOW) & _ONE != 0


@lean_kernel
def _may_hold(data, starts_S, stops_S, table, fold, three, gap, found_S):  # type: ignore[no-untyped-def]
    bits, wanted = np.uint32(fold), np.uint32(three & 0xFFFFFFFF)
    for s in range(len(starts_S)):
        key = np.uint32(0)
        commas, last = 0, starts_S[s] - gap - 1
        for at in range(starts_S[s], stops_S[s]):
            byte = data[at]
            key = np.uint32(key << _EIGHT) | np.uint32(byte) | bits
            if _is_in(table, key) or key & _THREE_BYTES == wanted:
                found_S[s] = True
                break
            if gap and byte == 44:
                commas = commas + 1 if at - last <= gap else 1
                last = at
                if commas == 5:
                    found_S[s] = True
                    break
