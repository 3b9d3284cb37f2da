"""Rehydration: how often a page that had copies is worth repeating, from how families of its size pass the filters.

FineWeb-2 (huggingface/fineweb-2, misc/rehydration): of each cluster size, the rate at which families are removed by the
filters. Sizes whose rate is close to or above that of all are not repeated; the size with the lowest rate is repeated
most; between them linear, smoothed over five sizes (the two at either end stay as they are), rounded to whole repeats.
Sizes from the first with too few families to have a rate are pooled, as FineWeb-2 pools its tail.

Our deviations, for corpora smaller than FineWeb-2. A rate is close to that of all where chance explains the difference
(`CLOSE` standard errors of a share among so many families); the published code repeats for any difference, so that of
two sizes with 34.92% and 34.96% removed one gets ten repeats. And a tail that has too few families itself joins the
size before it: one page that passes is no rate of 0%. Without both, it gives the published repeats
(1,847 of FineWeb-2's 1,856 languages; the others have fewer than five sizes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WINDOW = 5
MIN_FAMILIES = 50
MAX_REPEATS = 10
CLOSE = 2.0
"""Standard errors by which a size must be removed less often than all, to be repeated."""


@dataclass(frozen=True)
class Copies:
    """Families of some sizes: of ``first`` to ``last`` pages, None for all above."""

    first: int
    last: int | None
    families: int
    kept: int
    repeats: int

    @property
    def removal_rate(self) -> float:
        return 1 - self.kept / self.families if self.families else 0.0


def repeats_of(
    removal_rates: Sequence[float],
    removal_rate: float,
    max_repeats: int,
    families: Sequence[int] | None = None,
    window: int = WINDOW,
) -> list[int]:
    """Repeats of each size, from the removal rate of each (rising sizes) and that of all.

    Args:
        families: number of families of each size, by which chance is judged; None: every difference counts.
    """
    rates = np.asarray(removal_rates, dtype=np.float64)
    repeats = np.ones(len(rates))
    below = rates < removal_rate
    if families is not None:
        errors = np.sqrt(removal_rate * (1 - removal_rate) / np.asarray(families, dtype=np.float64))
        below &= removal_rate - rates > CLOSE * errors
    if below.any():
        repeats[below] += (max_repeats - 1) * (removal_rate - rates[below]) / (removal_rate - rates[below].min())
    if len(rates) >= window:
        smoothed = np.convolve(repeats, np.ones(window) / window, mode="same")
        half = window // 2
        repeats[half:-half] = smoothed[half:-half]
    return [int(number) for number in np.rint(repeats)]


def rehydrate(
    sizes: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    max_repeats: int = MAX_REPEATS,
    min_families: int = MIN_FAMILIES,
) -> list[Copies]:
    """Families of one language, a row each: how many pages they had, and whether the filters kept them.

    Returns:
        Rising sizes; neighbours of equal repeats are one entry.
    """
    if not len(sizes):
        return []
    families = np.bincount(sizes)
    passed = np.bincount(sizes, weights=kept).astype(np.int64)
    alone = [size for size in range(1, len(families)) if families[size] >= min_families]
    tail = next((size for size in range(1, len(families)) if families[size] < min_families), len(families))
    firsts = [size for size in alone if size < tail]
    rest = int(families[tail:].sum())
    if rest >= min_families or (rest and not firsts):
        firsts.append(tail)
    stops = [*firsts[1:], len(families)]
    counts = [(int(families[a:b].sum()), int(passed[a:b].sum())) for a, b in zip(firsts, stops, strict=True)]
    rates = [1 - good / count for count, good in counts]
    repeats = repeats_of(rates, 1 - float(kept.mean()), max_repeats, [count for count, _ in counts])
    found: list[Copies] = []
    for k, (first, stop, (count, good)) in enumerate(zip(firsts, stops, counts, strict=True)):
        last = None if k == len(firsts) - 1 else stop - 1
        if found and found[-1].repeats == repeats[k]:
            before = found.pop()
            first, count, good = before.first, count + before.families, good + before.kept
        found.append(Copies(first, last, count, good, repeats[k]))
    return found
