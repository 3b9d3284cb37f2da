"""The best mixture by a fitted law, within the caps: a small convex program, solved in place. Pure arithmetic.

    least  sum_k weight_k loss_k(x) + pull x KL(x, prior)
    over   x >= 0, sum x = 1, x_d <= cap_d, loss_k(x) <= loss_k(prior) for the metrics that may not get worse

as Olmix does (arXiv 2602.12237), whose ``pull`` is .05: without it the best mixture is a corner that no run came near.
Mirror descent with the entropy of the shares (Bauschke et al. 2017): a step weighs every share by e^-slope, pulls it to
the prior and scales all to sum 1 below the caps; its size halves until the step does not overshoot. Guard rails by an
augmented Lagrangian. Domains that are frozen keep their proportions in the prior: they are one domain to the program.
A domain without share in the prior stays at 0. For the linear, log-linear and power laws the program is convex and its
solution the only one; for the quadratic law it is the one next to the prior.

Shapes: M domains, G domains or frozen groups, K metrics, B resamples: all resamples are solved at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.kernels.fitting.robust_fit import Array
from stages.mixture.params import MixtureError
from stages.mixture.regression import Regression

PULL = 0.05
_STEPS, _ROUNDS = 2000, 40
_SETTLED = 1e-9
_SETTLED_OF_MANY = 1e-5
"""Largest movement of a share in a step that counts as settled: of one proposal, and of each of many resamples."""


@dataclass(frozen=True)
class Objective:
    """Goal of a proposal."""

    weights: Array
    """(K,), of the metrics; they sum to 1."""
    not_worse: tuple[int, ...] = ()
    """Metrics that may not be worse than with the prior."""
    pull: float = PULL


def propose(
    regression: Regression, prior: Array, caps: Array, objective: Objective, frozen: tuple[int, ...] = ()
) -> Array:
    """The best mixture (B, M) by each resample of a regression (parameters B, K, P).

    Args:
        prior: (M,), shares that sum to 1. Where the caps do not allow them, the nearest that they do stand for it.
        caps: (M,), the largest share of each domain: max_epochs x available / budget.
        frozen: domains that keep their proportions.

    Raises:
        MixtureError: when the caps come to less than 1, or the frozen domains have no share in the prior.
    """
    units_GM = _units(prior, frozen)
    prior_G = ((units_GM > 0) * prior).sum(axis=1)
    with np.errstate(divide="ignore"):
        caps_G = np.where(units_GM > 0, caps / np.where(units_GM > 0, units_GM, 1.0), np.inf).min(axis=1)
    inside = prior_G > 0
    if np.minimum(caps_G, 1.0)[inside].sum() < 1 - 1e-12:
        raise MixtureError(
            f"no mixture meets the caps: together they allow {100 * caps_G[inside].sum():.3g}% of the budget; lower the"
            " budget, or raise max_epochs"
        )
    problem = _Problem(regression, units_GM[inside], prior_G[inside], np.minimum(caps_G[inside], 1.0), objective)
    return np.asarray(problem.solve() @ units_GM[inside])


def realisable(shares: Array, caps: Array) -> Array:
    """The nearest shares below the caps: what a domain cannot give goes to the others in proportion."""
    return np.asarray(_capped(shares[None], caps)[0])


def _units(prior: Array, frozen: tuple[int, ...]) -> Array:
    """(G, M): what a unit of each free domain, and of all frozen ones together, is made of."""
    rows = [row for domain, row in enumerate(np.eye(len(prior))) if domain not in frozen]
    if frozen:
        together = np.zeros(len(prior))
        together[list(frozen)] = prior[list(frozen)]
        if not together.sum():
            raise MixtureError("the domains that are frozen have no share in the prior")
        rows.append(together / together.sum())
    return np.array(rows)


class _Problem:
    """The program over free domains and the frozen ones as one, G of them, for B resamples."""

    def __init__(self, regression: Regression, units: Array, prior: Array, caps: Array, objective: Objective) -> None:
        self.regression, self.units, self.prior, self.caps, self.objective = regression, units, prior, caps, objective
        self.guards = list(objective.not_worse)
        resamples = len(regression.parameters)
        self.settled, self.rounds = (_SETTLED, _ROUNDS) if resamples == 1 else (_SETTLED_OF_MANY, _ROUNDS // 4)
        self.start = np.repeat(_capped(prior[None], caps), resamples, axis=0)
        self.limits = self._losses(self.start)[0][:, self.guards]

    def _losses(self, x: Array) -> tuple[Array, Array]:
        """Losses (B, K) and slopes (B, K, G)."""
        losses, slopes = self.regression.at(x @ self.units)
        return losses, slopes @ self.units.T

    def solve(self) -> Array:
        x = self.start
        prices = np.zeros_like(self.limits)
        stiffness = np.full(len(x), 10.0)
        worst = np.full(len(x), np.inf)
        for _ in range(self.rounds if self.guards else 1):
            x = self._descend(x, prices, stiffness)
            if not self.guards:
                break
            over = self._losses(x)[0][:, self.guards] - self.limits
            prices = np.maximum(0, prices + stiffness[:, None] * over)
            now = np.maximum(over, 0).max(axis=1)
            if (now <= 1e-8 * np.abs(self.limits).max()).all():
                break
            stiffness = np.where(now > worst / 4, stiffness * 4, stiffness)
            worst = now
        return x

    def _value(self, x: Array, prices: Array, stiffness: Array) -> tuple[Array, Array]:
        """The objective without its pull, and its slope."""
        losses, slopes = self._losses(x)
        weights = np.repeat(self.objective.weights[None], len(x), axis=0)
        value = losses @ self.objective.weights
        if self.guards:
            pressed = np.maximum(0, prices + stiffness[:, None] * (losses[:, self.guards] - self.limits))
            value = value + ((pressed**2 - prices**2) / (2 * stiffness[:, None])).sum(axis=1)
            weights[:, self.guards] += pressed
        return value, (weights[:, :, None] * slopes).sum(axis=1)

    def _descend(self, x: Array, prices: Array, stiffness: Array) -> Array:
        """Mirror descent until no share moves."""
        pull, log_prior = self.objective.pull, np.log(self.prior)
        size = np.ones(len(x))
        value, slope = self._value(x, prices, stiffness)
        for _ in range(_STEPS // (4 if self.guards else 1)):
            with np.errstate(divide="ignore"):
                log_x = np.log(x)
            inverse = 1 / size[:, None]
            log_weights = (log_x * inverse + pull * log_prior - slope) / (inverse + pull)
            tried = _capped(np.exp(log_weights - log_weights.max(axis=1, keepdims=True)), self.caps)
            moved = tried - x
            with np.errstate(divide="ignore", invalid="ignore"):
                distance = np.where(tried > 0, tried * (np.log(tried) - log_x), 0).sum(axis=1)
            found, new_slope = self._value(tried, prices, stiffness)
            bound = value + (slope * moved).sum(axis=1) + distance / size
            good = found <= bound + 1e-12 * np.abs(value)
            x = np.where(good[:, None], tried, x)
            value, slope = np.where(good, found, value), np.where(good[:, None], new_slope, slope)
            size = np.clip(np.where(good, size * 1.5, size / 2), 1e-12, 1e6)
            if good.all() and np.abs(moved).max() < self.settled:
                break
        return x


def _capped(weights: Array, caps: Array) -> Array:
    """Rows in proportion to weights (B, G), none above its cap, that sum to 1."""
    full = np.zeros(weights.shape, dtype=np.bool_)
    shares = weights
    for _ in range(weights.shape[1] + 1):
        left = 1 - np.where(full, caps, 0).sum(axis=1, keepdims=True)
        free = np.where(full, 0, weights).sum(axis=1, keepdims=True)
        scale = np.divide(left, free, out=np.zeros_like(left), where=free > 1e-200)
        shares = np.where(full, caps, weights * scale)
        over = ~full & (shares > caps)
        if not over.any():
            break
        full |= over
    return shares
