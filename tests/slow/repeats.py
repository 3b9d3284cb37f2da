"""Repeats in plain Python, from the docstrings of `stages.repeats` and its kernels: the oracle of the tests.

`repeats` hashes nothing: it looks up every window of T bytes of every page in a dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Place = tuple[int, int]
"""Number of a page in the order in which they keep, byte of its text."""


@dataclass(frozen=True)
class Marked:
    """Of one page, for every byte: the place of the kept copy if it is cut; whether it is kept for others."""

    cut: list[bool]
    kept: list[bool]


def marked(texts: Sequence[bytes], window: int, within_page: bool = False) -> list[Marked]:
    """Bytes cut and kept of every page; ``texts`` in the order in which they keep, the first one first."""
    found: dict[bytes, list[Place]] = {}
    for number, text in enumerate(texts):
        for start in range(len(text) - window + 1):
            found.setdefault(text[start : start + window], []).append((number, start))
    cut = [[False] * len(text) for text in texts]
    kept = [[False] * len(text) for text in texts]
    for places in found.values():
        holders = places if within_page else sorted({number for number, _ in places})
        if len(holders) < 2:
            continue
        for place in places:
            stays = place == places[0] if within_page else place[0] == places[0][0]
            number, start = place
            (kept if stays else cut)[number][start : start + window] = [True] * window
    for mine, stays in zip(cut, kept, strict=True):
        mine[:] = [gone and not held for gone, held in zip(mine, stays, strict=True)]
    return [Marked(*both) for both in zip(cut, kept, strict=True)]


def runs(mask: Sequence[bool]) -> list[tuple[int, int]]:
    """Where the mask is set, as (start, stop)."""
    edges = [i for i in range(len(mask) + 1) if (i > 0 and mask[i - 1]) != (i < len(mask) and mask[i])]
    return list(zip(edges[::2], edges[1::2], strict=True))


def shown(
    text: bytes, spans: Sequence[tuple[int, int]], kept: Sequence[bool], join: float, widen: str
) -> list[tuple[int, int]]:
    """Spans as the view cuts them: joined from the first one on, widened, without what is kept."""
    joined: list[tuple[int, int, int]] = []
    for start, stop in spans:
        if joined:
            first, _, covered = joined[-1]
            covered += stop - start
            if (stop - first) - covered <= join * (stop - first):
                joined[-1] = (first, stop, covered)
                continue
        joined.append((start, stop, stop - start))
    characters = {i for i in range(len(text)) if text[i] & 0xC0 != 0x80} | {len(text)}
    ends = {0, len(text)} | {i + 1 for i, byte in enumerate(text) if byte == 10}
    if widen == "sentence":
        ends |= {match.end() for match in re.finditer(rb"[.!?][ \t]+(?=[^ \t])", text)}
        ends |= {match.end() for match in re.finditer("。|！|？".encode(), text)}
    mask = [False] * len(text)
    for start, stop, _ in joined:
        for places in (characters, characters if widen == "character" else ends):
            start = max(place for place in places if place <= start)
            stop = min(place for place in places if place >= stop)
        mask[start:stop] = [True] * (stop - start)
    for start, stop in runs(kept):
        start = max(place for place in characters if place <= start)
        stop = min(place for place in characters if place >= stop)
        mask[start:stop] = [False] * (stop - start)
    return runs(mask)


def anchors(text: bytes, window: int, anchor: int, order: Callable[[bytes], int]) -> list[tuple[int, int, int]]:
    """(place, first window, last window) of every anchor, windows seen from the place."""
    found: dict[int, list[int]] = {}
    for start in range(len(text) - window + 1):
        places = range(start, start + window - anchor + 1)
        place = min(places, key=lambda at: (order(text[at : at + anchor]), -at))
        found.setdefault(place, []).append(start - place)
    return [(place, starts[0], starts[-1]) for place, starts in sorted(found.items())]
