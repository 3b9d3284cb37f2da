"""`swarm`: mixtures to train small proxy models on, for methods that fit shares by regression (RegMix, Olmix).

Shares are drawn from Dirichlet distributions around a prior, with strengths from 0.1 to 5 on a logarithmic scale as
Olmix does: weak ones leave few domains, strong ones stay near the prior. Shares below ``min_share`` become 0. Every
mixture keeps the caps: what a domain cannot give goes to the others (water-filling). Deterministic for a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from stages.figures import listed
from stages.mixture.params import MixtureError
from stages.mixture.solvers import natural, normalised, water_fill

SHOWN = 12
"""Domains that a message lists."""


def swarm(
    available: dict[str, int],
    count: int,
    *,
    seed: int,
    budget: int,
    prior: dict[str, float] | None = None,
    max_epochs: float | Mapping[str, float] = 4.0,
    min_share: float = 0.002,
    strengths: tuple[float, float] = (0.1, 5.0),
    frozen: Sequence[str] = (),
) -> list[dict[str, float]]:
    """``count`` mixtures as shares by domain, each summing to 1 and within ``max_epochs`` at ``budget`` tokens.

    Args:
        prior: shares to scatter around; in proportion to the tokens where absent.
        max_epochs: of every domain, or by domain.
        frozen: domains drawn as one, in the proportions that they have in the prior.

    Raises:
        MixtureError: the budget is beyond all caps, or a frozen domain has no share in the prior.
    """
    most = max_epochs if isinstance(max_epochs, Mapping) else dict.fromkeys(available, max_epochs)
    caps = {name: int(Fraction(most[name]) * available[name]) for name in sorted(available)}
    centre = natural(available) if prior is None else normalised({name: Fraction(prior.get(name, 0)) for name in caps})
    parts = {name: {name: Fraction(1)} for name in caps if name not in frozen}
    if frozen:
        lacking = [name for name in frozen if not centre.get(name)]
        if lacking:
            there = listed([*caps], SHOWN)
            raise MixtureError(f"domain {lacking[0]!r} is frozen and has no share; there are {there}")
        parts[" "] = normalised({name: centre[name] for name in frozen})
    drawn = _drawn(
        {unit: int(min(caps[name] / part for name, part in inside.items())) for unit, inside in parts.items()},
        {unit: sum((centre[name] for name in inside), Fraction(0)) for unit, inside in parts.items()},
        count, seed, budget, min_share, strengths,
    )  # fmt: skip
    return [
        {name: shares[unit] * float(part) for unit, inside in parts.items() for name, part in inside.items()}
        for shares in drawn
    ]


def _drawn(
    caps: dict[str, int],
    centre: dict[str, Fraction],
    count: int,
    seed: int,
    budget: int,
    min_share: float,
    strengths: tuple[float, float],
) -> list[dict[str, float]]:
    """Mixtures drawn around ``centre`` and filled up to the caps."""
    names = sorted(caps)
    everything = sum(caps[name] for name in names if centre[name])
    if budget > everything:
        raise MixtureError(f"a swarm of {budget:,} tokens each is beyond all caps, which allow {everything:,}")
    weights = np.array([float(centre[name]) for name in names])
    inside = np.flatnonzero(weights)
    generator = np.random.Generator(np.random.PCG64(seed))
    low, high = np.log(strengths)
    found: list[dict[str, float]] = []
    for _ in range(count):
        strength = np.exp(generator.uniform(low, high))
        drawn = generator.gamma(weights[inside] * strength * len(inside))
        total = drawn.sum()
        shares = drawn / total if total > 0 else weights[inside]
        shares = np.where(shares < min_share, 0.0, shares)
        exact = normalised({names[i]: Fraction(share) for i, share in zip(inside, shares.tolist(), strict=True)})
        filled = water_fill(exact, caps, budget)
        # Where the domains drawn cannot hold the budget, the others take the rest, by the prior.
        rest = budget - sum(filled.values())
        room = {name: caps[name] - int(filled[name]) if name in filled else caps[name] for name in names}
        more = water_fill(centre, room, int(rest)) if rest else {}
        sums = {name: filled.get(name, Fraction(0)) + more.get(name, Fraction(0)) for name in names}
        found.append({name: float(tokens / budget) for name, tokens in sums.items()})
    return found
