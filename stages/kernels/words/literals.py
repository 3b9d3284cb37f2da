"""Where some fixed strings of bytes stand in texts: all places of all of them, in one pass.

The pass is the one of Hyperscan's Teddy (as in Rust's aho-corasick): strings are dealt to eight buckets; of each, three
bytes are the fingerprint; a table for either half of each of these bytes says which buckets it may be of, and a shuffle
looks sixty-four bytes up at once. Where a bucket is left, its strings are compared byte for byte. So strings are found
wherever they stand, in words too, and over each other; case and every byte count. Price: about 0.3 ns a byte, and 10 ns
a place where a fingerprint may stand; choose fingerprints that are rare.

Legend: N bytes of data, D documents, P strings, H hits. places_H int64 (first byte of the fingerprint), strings_H
int32.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_kernel
from stages.kernels.simd import bucket_bits, buckets_at, lowest

PRINT = 3
"""Bytes of a fingerprint."""
BUCKETS = 8
_ONE = np.uint64(1)


class Literals(NamedTuple):
    """Strings made ready."""

    nibbles: npt.NDArray[np.uint8]
    """See `stages.kernels.simd.buckets_at`."""
    data: Bytes
    offsets_P1: npt.NDArray[np.int64]
    prints_P: npt.NDArray[np.int64]
    """Where in the string its fingerprint begins."""
    members: npt.NDArray[np.int64]
    """Strings by bucket: those of bucket b are ``members[bounds[b]:bounds[b + 1]]``."""
    bounds: npt.NDArray[np.int64]


class Hits(NamedTuple):
    """Where strings stand, by `places_H`; one that stands there begins ``prints_P`` bytes before."""

    places_H: npt.NDArray[np.int64]
    strings_H: npt.NDArray[np.int32]


def literals(fingerprints: Mapping[str, str]) -> Literals:
    """Strings, and of each a part of three bytes that is rare in ordinary text.

    Raises:
        ValueError: a fingerprint is of another size or no part of its string.
    """
    texts = [text.encode() for text in fingerprints]
    prints = [text.find(part.encode()) for text, part in zip(texts, fingerprints.values(), strict=True)]
    for text, place, part in zip(texts, prints, fingerprints.values(), strict=True):
        if place < 0 or len(part.encode()) != PRINT:
            raise ValueError(f"expected {PRINT} bytes of {text.decode()!r}, found {part!r}")
    buckets = _buckets([text[place : place + PRINT] for text, place in zip(texts, prints, strict=True)])
    nibbles = np.zeros(6 * 16, np.uint8)
    for number, (table, _) in enumerate(buckets):
        nibbles |= (table << number).astype(np.uint8)
    members = np.array([p for _, strings in buckets for p in strings], np.int64)
    bounds = np.cumsum([0, *(len(strings) for _, strings in buckets)])
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    data = np.frombuffer(b"".join(texts), np.uint8)
    return Literals(nibbles, data, offsets, np.array(prints, np.int64), members, bounds)


def _buckets(prints: list[bytes]) -> list[tuple[npt.NDArray[np.uint8], list[int]]]:
    """(table of halves of bytes, strings) of `BUCKETS` buckets or fewer: from one a string, the two are joined that
    let pass the fewest other bytes, by how usual bytes are."""
    usual = np.where(np.arange(256) < 128, 0.002, 0.004)
    usual[np.frombuffer(b" etaoinsrhldcumfpgwybvkxjqz", np.uint8)] = 0.16 / (1 + 0.35 * np.arange(27))
    by_halves = usual.reshape(16, 16)

    def cost(table: npt.NDArray[np.uint8]) -> float:
        return float(np.prod([high @ by_halves @ low for low, high in table.reshape(PRINT, 2, 16)]))

    found = []
    for number, three in enumerate(prints):
        table = np.zeros((PRINT, 2, 16), np.uint8)
        for k, byte in enumerate(three):
            table[k, 0, byte & 15] = table[k, 1, byte >> 4] = 1
        found.append((table.reshape(-1), [number]))
    while len(found) > BUCKETS:
        pairs = [(i, j) for i in range(len(found)) for j in range(i)]
        alone = [cost(table) for table, _ in found]
        i, j = min(pairs, key=lambda pair: cost(found[pair[0]][0] | found[pair[1]][0]) - sum(alone[k] for k in pair))
        table, strings = found.pop(i)
        found[j] = (found[j][0] | table, found[j][1] + strings)
    return found


def find_literals(data: Bytes, offsets: Offsets, known: Literals) -> Hits:
    """All places in (data, offsets); one may run over the end of a document into the next."""
    room = int(offsets[-1] - offsets[0]) // 64 + 64
    tail = np.zeros(192, np.uint8)
    while True:
        places_H, strings_H = np.empty(room, np.int64), np.empty(room, np.int32)
        found = _find(data, offsets[0], offsets[-1], *known, tail, places_H, strings_H)
        if found <= room:
            return Hits(places_H[:found], strings_H[:found])
        room = found


@lean_kernel
def _find(  # type: ignore[no-untyped-def]
    data, start, stop, nibbles, text, offsets_P1, prints_P, members, bounds, tail, places_H, strings_H
):
    """Writes what fits; returns how many there are."""
    found = 0
    for i in range(start, stop, 64):
        if i + 66 <= stop:
            bits = bucket_bits(data, i, nibbles)
        else:
            for k in range(len(tail)):
                tail[k] = data[i + k] if i + k < stop else 0
            bits = bucket_bits(tail, 0, nibbles)
        while bits:
            at = i + lowest(bits)
            bits &= bits - _ONE
            if at + PRINT > stop:
                continue
            buckets = np.uint64(buckets_at(data, at, nibbles))
            while buckets:
                b = lowest(buckets)
                buckets &= buckets - _ONE
                for m in range(bounds[b], bounds[b + 1]):
                    p = members[m]
                    first, size = at - prints_P[p], offsets_P1[p + 1] - offsets_P1[p]
                    if first < start or first + size > stop:
                        continue
                    k = 0
                    while k < size and data[first + k] == text[offsets_P1[p] + k]:
                        k += 1
                    if k == size:
                        if found < len(places_H):
                            places_H[found], strings_H[found] = at, p
                        found += 1
    return found
