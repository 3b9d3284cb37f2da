"""Shares from the tokens available: the published rules, as exact arithmetic.

| solver | rule | source |
|---|---|---|
| `natural` | share in proportion to tokens | |
| `temperature` | share in proportion to tokens ** alpha | XLM-R, mT5 (alpha 0.3) |
| `unimax` | equal parts, none above its cap, what is left to the larger | Chung et al. 2023, arXiv 2304.09151 |
| `quality-curve` | multiplicity (x - a) ** p * e ** (r * (x - a)) over percentile x | Olmo 3, arXiv 2512.13961 |

Where p and r are not given, they are solved for (`stages.mixture.curve`), for each group of buckets by itself.
Limits: `temperature` and `quality-curve` use floating-point powers, whose last digit may differ between machines;
shares enter as the exact value of the float that came out.
"""

from __future__ import annotations

from fractions import Fraction

from stages.mixture.curve import Bucket, flattest, integral, solve_curve

Shares = dict[str, Fraction]


def normalised(shares: Shares) -> Shares:
    """Shares in their proportions with sum 1, sorted by name; all zero stays all zero."""
    total = sum(shares.values(), Fraction(0))
    return {name: share / total if total else share for name, share in sorted(shares.items())}


def natural(available: dict[str, int]) -> Shares:
    """Shares in proportion to the tokens there are."""
    return normalised({name: Fraction(tokens) for name, tokens in available.items()})


def temperature(available: dict[str, int], alpha: float) -> Shares:
    """Shares in proportion to tokens ** alpha: 1 is natural, 0 is uniform."""
    return normalised(
        {name: Fraction(float(tokens) ** alpha) if tokens else Fraction(0) for name, tokens in available.items()}
    )


def unimax(caps: Shares, budget: int | Fraction) -> Shares:
    """Tokens (not shares) per domain: the budget in equal parts, capped, smallest cap first.

    Where the budget is above all caps together, every domain gets its cap.
    """
    left, targets = Fraction(budget), {}
    ordered = sorted(caps, key=lambda name: (caps[name], name))
    for position, name in enumerate(ordered):
        targets[name] = min(left / (len(ordered) - position), caps[name])
        left -= targets[name]
    return targets


def quality_curve(percentiles: dict[str, tuple[float, float]], start: float, power: float, rate: float = 0.0) -> Shares:
    """Shares of quality buckets: the integral of (x - start) ** power * e ** (rate * (x - start)) over each."""
    width = 1 - start  # distances as parts of it, so that no power underflows

    def upto(x: float) -> Fraction:
        return Fraction(integral((x - start) / width, power, rate * width))

    return normalised({name: upto(high) - upto(low) for name, (low, high) in percentiles.items()})


def solved_curve(
    percentiles: dict[str, tuple[float, float]],
    available: dict[str, int],
    wanted: Fraction | None,
    cap: float,
    start: float,
) -> Shares:
    """Shares of quality buckets by the steepest curve that takes ``wanted`` tokens within ``cap`` repeats of the best.

    Where no curve does, or no number of tokens is wanted, the flattest: it takes most.
    """
    names = sorted(percentiles)
    buckets = [Bucket(*percentiles[name], available[name]) for name in names]
    solved = solve_curve(buckets, float(wanted), cap, start) if wanted else None
    multiplicities = (solved or flattest(buckets, start)).multiplicities
    return normalised({name: Fraction(m) * available[name] for name, m in zip(names, multiplicities, strict=True)})


def water_fill(shares: Shares, caps: dict[str, int], total: int) -> Shares:
    """Each its share of ``total`` up to its cap; what the capped leave goes to the others in proportion."""
    filled: Shares = {}
    rest = {name: share for name, share in shares.items() if share}
    left = Fraction(total)
    while rest:
        proportions = normalised(rest)
        full = [name for name in rest if proportions[name] * left > caps[name]]
        if not full:
            return dict.fromkeys(shares, Fraction(0)) | filled | {n: p * left for n, p in proportions.items()}
        for name in full:
            filled[name] = Fraction(caps[name])
            left -= filled[name]
            del rest[name]
    return dict.fromkeys(shares, Fraction(0)) | filled


def apportion(amounts: Shares, total: int, caps: dict[str, int] | None = None) -> dict[str, int]:
    """Whole numbers near ``amounts`` (which sum to ``total``) that sum to it: largest remainder, ties by name.

    With ``caps``, a token that rounding put above a cap goes to the first domain by name with room.
    """
    whole = {name: int(amount) for name, amount in amounts.items()}
    left = total - sum(whole.values()) if amounts else 0
    for name in sorted(amounts, key=lambda name: (whole[name] - amounts[name], name))[:left]:
        whole[name] += 1
    if caps is None:
        return whole
    spare = sum(max(0, whole[name] - caps[name]) for name in whole)
    whole = {name: min(tokens, caps[name]) for name, tokens in whole.items()}
    for name in sorted(name for name, amount in amounts.items() if amount):
        step = min(spare, caps[name] - whole[name])
        whole[name] += step
        spare -= step
    return whole
