"""Words looked up by hash: tag names, attribute names, character references, hint words, class words, symbols.

All tables of the family stand in one int64 array T, each at a fixed place (`TAG_TABLE`, ...): passing one array instead
of a dozen halves the time of the scanner and of its compilation. A word table is a power of two of keys (0: free) and as many
values; a word's place is found from its 64-bit FNV-1a hash by linear probing. Two words of one table never share a hash (checked when it is built); a word
of a page that is in no table meets the hash of one that is with a chance of about 1e-16.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import load_8

FNV_START = -3750763034362895579  # 0xcbf29ce484222325 as int64: products wrap around
FNV_PRIME = 1099511628211

# sizes of the word tables, and where everything stands in T
TAG_SIZE, ATTRIBUTE_SIZE, HINT_SIZE, REFERENCE_SIZE, KIND_SIZE, SYMBOL_SIZE, BOX_SIZE = (
    512, 128, 2048, 8192, 2048, 1024, 256,
)  # fmt: skip
TAG_TABLE = 0
ATTRIBUTE_TABLE = TAG_TABLE + 2 * TAG_SIZE
HINT_TABLE = ATTRIBUTE_TABLE + 2 * ATTRIBUTE_SIZE
REFERENCE_TABLE = HINT_TABLE + 2 * HINT_SIZE
REFERENCE_TEXTS = REFERENCE_TABLE + 2 * REFERENCE_SIZE  # a row of 2304
C1_CODES = REFERENCE_TEXTS + 2304  # 32
TAG_FLAGS = C1_CODES + 32  # 160
BYTE_CLASSES = TAG_FLAGS + 160  # 256
KIND_TABLE = BYTE_CLASSES + 256
SYMBOL_TABLE = KIND_TABLE + 2 * KIND_SIZE
SYMBOL_TEXTS = SYMBOL_TABLE + 2 * SYMBOL_SIZE  # 4 for each of at most 512: bytes, then their count
ALPHABETS = SYMBOL_TEXTS + 4 * 512  # 1024
MATH_TABLE = ALPHABETS + 1024  # elements of MathML
COMMAND_TABLE = MATH_TABLE + 2 * 256  # names of functions
BOX_TABLE = COMMAND_TABLE + 2 * 128  # classes of KaTeX
TABLE_SLOTS = BOX_TABLE + 2 * BOX_SIZE


def fnv(word: bytes, start: int = FNV_START) -> int:
    """FNV-1a of ``word`` as a signed 64-bit number: what the kernels compute with wrap-around products."""
    value = start
    for byte in word:
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


def build_table(words: Sequence[bytes], size: int, values: Sequence[int] | None = None) -> npt.NDArray[np.int64]:
    """Keys, then values, of an open-addressed table of ``size`` places; a word's value defaults to its index.

    Raises:
        ValueError: if two words share a hash, or the table would be more than half full.
    """
    keys, held = np.zeros(size, np.int64), np.zeros(size, np.int64)
    if 2 * len(words) > size:
        raise ValueError(f"expected at most {size // 2} words for a table of {size} places, found {len(words)}")
    for index, word in enumerate(words):
        key = fnv(word)
        slot = (key >> 32) & (size - 1)
        while keys[slot] != 0:
            if keys[slot] == key:
                raise ValueError(f"two words share the hash of {word!r}")
            slot = (slot + 1) & (size - 1)
        keys[slot] = key
        held[slot] = index if values is None else values[index]
    return np.concatenate([keys, held])


_PRIME, _MULTIPLIER, _SHIFT = np.uint64(FNV_PRIME), np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


@inline_kernel
def mix(h, value):  # type: ignore[no-untyped-def]
    """One step of FNV-1a. Unsigned inside: LLVM takes a signed product for one that never overflows."""
    return np.int64((np.uint64(h) ^ np.uint64(value)) * _PRIME)


@inline_kernel
def hash_span(data, start, stop):  # type: ignore[no-untyped-def]
    """A hash of ``data[start:stop]``, eight bytes at a time; not FNV's, and the same on every machine."""
    h = np.uint64(stop - start)
    i = start
    while i + 8 <= stop:
        h = (h ^ load_8(data, i)) * _MULTIPLIER
        h ^= h >> _SHIFT
        i += 8
    while i < stop:
        h = (h ^ np.uint64(data[i])) * _PRIME
        i += 1
    return np.int64(h * _MULTIPLIER)


@inline_kernel
def look_up(T, table, size, key):  # type: ignore[no-untyped-def]
    """Value of ``key`` in the word table of ``size`` places that begins at ``T[table]``; -1: not there."""
    mask = size - 1
    slot = (key >> 32) & mask
    while T[table + slot] != 0:
        if T[table + slot] == key:
            return T[table + size + slot]
        slot = (slot + 1) & mask
    return -1
