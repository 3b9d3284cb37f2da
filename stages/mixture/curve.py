"""The quality curve, solved: how often each quality bucket is repeated so that a label reaches its tokens.

Olmo 3 (arXiv 2512.13961, appendix A.2.4; as their code does it): the multiplicity of a page is
f(x) = C x^p e^(rate x), x being how far its percentile lies above the cut. p is the largest of 20 equal steps from 0 to
5 for which some rate in [.01, 2] keeps the mean of f over the best twentieth at or below the cap; the rate is the
largest that does; C follows from the tokens wanted. So the curve is as steep as the cap allows: the more tokens are
wanted, the flatter.

Ours differs in two points. Buckets count by the tokens they hold, so that what is taken sums to the tokens wanted where
buckets of equal percentiles differ in tokens (for equal ones it is the same). And where the best bucket is narrower
than a twentieth, the cap holds for it: no bucket is ever above its cap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

STEPS = 20
LARGEST_POWER = 5.0
RATES = (0.01, 2.0)
TAIL = 0.05


@dataclass(frozen=True)
class Bucket:
    """Pages between two percentiles of quality, of worst (0) to best (1), and the tokens of them."""

    low: float
    high: float
    tokens: float


@dataclass(frozen=True)
class Curve:
    """A solved curve and the multiplicity of every bucket, in their order."""

    power: float
    rate: float
    scale: float
    multiplicities: tuple[float, ...]
    tail_mean: float
    """Mean multiplicity of the best pages: at most the cap."""


@lru_cache(maxsize=1 << 16)  # buckets share their ends, and labels of a grid their buckets
def integral(x: float, power: float, rate: float) -> float:
    """Integral of t^power e^(rate t) from 0 to x: a series of positive terms without the last ones of no account."""
    if x <= 0:
        return 0.0
    total, term, k = 1.0 / (power + 1), 1.0, 0
    while term > total * 1e-18:
        k += 1
        term *= rate * x / k
        total += term / (power + 1 + k)
    return float(x ** (power + 1)) * total


def mean(low: float, high: float, start: float, power: float, rate: float) -> float:
    """Mean of (x - start)^power e^(rate (x - start)) over percentiles, 0 below ``start``."""
    return (integral(high - start, power, rate) - integral(low - start, power, rate)) / (high - low)


def solve_curve(buckets: Sequence[Bucket], tokens: float, cap: float, start: float) -> Curve | None:
    """The steepest curve that takes ``tokens`` of the buckets and repeats the best pages ``cap`` times at most.

    Args:
        buckets: any that do not overlap; those wholly below ``start`` take nothing.
        start: percentile, 0 to 1, below which nothing is taken.

    Returns:
        None where not even the flattest curve (p 0, rate .01) stays below the cap.
    """
    best = max(buckets, key=lambda bucket: bucket.high)
    tail = min(TAIL, best.high - best.low, best.high - start)

    def scale(power: float, rate: float) -> float:
        taken = sum(bucket.tokens * mean(bucket.low, bucket.high, start, power, rate) for bucket in buckets)
        return tokens / taken if taken > 0 else float("inf")

    def top(power: float, rate: float) -> float:
        return scale(power, rate) * mean(best.high - tail, best.high, start, power, rate)

    powers = [LARGEST_POWER * step / (STEPS - 1) for step in range(STEPS)]
    power = next((power for power in reversed(powers) if top(power, RATES[0]) <= cap), None)
    if power is None:
        return None
    low, high = RATES
    if top(power, high) <= cap:
        low = high
    for _ in range(60):
        middle = (low + high) / 2
        if top(power, middle) <= cap:
            low = middle
        else:
            high = middle
    return _curve(buckets, start, power, low, scale(power, low), top(power, low))


def flattest(buckets: Sequence[Bucket], start: float) -> Curve:
    """The curve that takes most under any cap; its scale is 1."""
    return _curve(buckets, start, 0.0, RATES[0], 1.0, mean(1 - TAIL, 1.0, start, 0.0, RATES[0]))


def _curve(buckets: Sequence[Bucket], start: float, power: float, rate: float, scale: float, top: float) -> Curve:
    found = tuple(scale * mean(bucket.low, bucket.high, start, power, rate) for bucket in buckets)
    return Curve(power, rate, scale, found, top)
