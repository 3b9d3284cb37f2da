"""Slow, obvious twins of the deduplication kernels, in plain Python, written from their docstrings."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from math import inf

import numpy as np

from stages.kernels.unicode.normal_tables import SPACELESS_RANGES
from stages.kernels.unicode.normalise import SPACELESS_SHARE

MASK = (1 << 64) - 1
UNIT_SIZE_WEIGHT = 0xD6E8FEB86659FD93
MULTIPLIER = 0x9E3779B97F4A7C15


def normal_form(text: str) -> str:
    lowered = unicodedata.normalize("NFKC", text).lower()
    return " ".join("".join(c for c in lowered.replace("\u1361", " ") if not is_deleted(c)).split())


@cache
def is_deleted(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


@cache
def in_spaceless_script(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in SPACELESS_RANGES)


def is_spaceless(normal: str) -> bool:
    share = sum(len(c.encode()) for c in normal if in_spaceless_script(c))
    return share > SPACELESS_SHARE * len(normal.encode())


def comparable(text: str) -> tuple[str, bool]:
    normal = normal_form(text)
    spaceless = is_spaceless(normal)
    return (normal.replace(" ", "") if spaceless else normal), spaceless


def units(text: str) -> list[str]:
    normal, spaceless = comparable(text)
    return list(normal) if spaceless else normal.split()


def shingles(text: str, ngram: int) -> set[tuple[str, ...]]:
    found = units(text)
    if not found:
        return set()
    return {tuple(found[i : i + ngram]) for i in range(max(1, len(found) - ngram + 1))}


def mix64(value: int) -> int:
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & MASK
    return value ^ value >> 31


def unit_hash(unit: str) -> int:
    data = unit.encode()
    hashed = 0
    whole = len(data) // 8 * 8
    for start in range(0, whole, 8):
        hashed = mix64((hashed + int.from_bytes(data[start : start + 8], "big")) & MASK)
    rest = int.from_bytes(data[whole:], "big")
    return mix64((hashed + rest + len(data) * UNIT_SIZE_WEIGHT) & MASK)


def shingle_hash(shingle: Sequence[str]) -> int:
    size = len(shingle)
    total = sum(unit_hash(unit) * MULTIPLIER ** (size - 1 - i) for i, unit in enumerate(shingle))
    return mix64((total + size) & MASK)


def shingle_hashes(text: str, ngram: int) -> list[int]:
    return sorted({shingle_hash(shingle) for shingle in shingles(text, ngram)})


def minima(text: str, ngram: int, multipliers: Sequence[int], increments: Sequence[int]) -> list[int]:
    inputs = [value >> 32 for value in shingle_hashes(text, ngram)]
    return [
        min((a * x + b) % 2**32 for x in inputs) if inputs else 2**32 - 1
        for a, b in zip(multipliers, increments, strict=True)
    ]


def sketch(found: Sequence[int]) -> list[int]:
    bits = [(value * 0x9E3779B1 % 2**32) >> 31 for value in found[:128]]
    words = [0, 0]
    for index, bit in enumerate(bits):
        words[index // 64] |= bit << index % 64
    return words


def band_keys(found: Sequence[int], bands: int, rows: int, salt: int) -> list[int]:
    keys = []
    for band in range(bands):
        key = mix64((salt + band + 1) & MASK)
        for value in found[band * rows : (band + 1) * rows]:
            key = mix64((key + value) & MASK)
        keys.append(key)
    return keys


def jaccard(a: set, b: set) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def components(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    labels = list(range(count))
    changed = True
    while changed:
        changed = False
        for a, b in edges:
            low = min(labels[a], labels[b])
            changed |= labels[a] != low or labels[b] != low
            labels[a] = labels[b] = low
    return labels


def small_bucket_pairs(keys: np.ndarray, texts: np.ndarray, sketches: np.ndarray, far: int) -> set[tuple[int, int]]:
    """All pairs of equal key that differ in at most ``far`` bits: right as long as every bucket is small."""
    pairs = set()
    for i in range(len(keys)):
        for j in range(i):
            bits = sum(int(a ^ b).bit_count() for a, b in zip(sketches[i].tolist(), sketches[j].tolist(), strict=True))
            if keys[i] == keys[j] and bits <= far:
                pairs.add((min(int(texts[i]), int(texts[j])), max(int(texts[i]), int(texts[j]))))
    return pairs


def choose_survivors(
    sets: Sequence[set[int]], edges: Sequence[tuple[int, int]], ranks: Sequence[int], thresholds: Sequence[float]
) -> list[tuple[int, float] | None]:
    """Greedy choice in order of rank, first those that never go, without a limit of comparisons.

    Components are over the edges that reach the lower threshold of their two nodes.
    """
    count = len(sets)
    beside = {
        node: sorted({a + b - node for a, b in edges if node in (a, b)}, key=lambda n: ranks[n])
        for node in range(count)
    }
    same = [(a, b) for a, b in edges if jaccard(sets[a], sets[b]) >= min(thresholds[a], thresholds[b])]
    cluster = components(count, same)
    result: list[tuple[int, float] | None] = [None] * count
    visited: list[int] = []
    for node in sorted(range(count), key=lambda n: (thresholds[n] < inf, ranks[n])):
        candidates, threshold = set(), thresholds[node]
        for other in beside[node]:
            for near in (other, result[other][0] if result[other] else other, *beside[other]):
                if near in visited and result[near] is None and near != node:
                    candidates.add(near)
        scored = [(-jaccard(sets[node], sets[c]), ranks[c], c) for c in candidates]
        if not scored or -min(scored)[0] < threshold:
            for other in visited:  # in order of visit
                if cluster[other] == cluster[node] and result[other] is None and other not in candidates:
                    scored.append((-jaccard(sets[node], sets[other]), ranks[other], other))
                    if -scored[-1][0] >= threshold:
                        break
        visited.append(node)
        if scored and -min(scored)[0] >= threshold:
            best = min(scored)
            result[node] = (best[2], -best[0])
    return result
