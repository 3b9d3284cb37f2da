"""A study of proxy runs: laws compared, the best mixture by one of them, and how sure all of it is. No files.

Laws are compared on runs they were not fitted to (five folds): rank correlation and root mean square error of every
metric. The proposal is solved (`stages.mixture.proposal`) for the law fitted to all runs, and again for every bootstrap
resample of the runs: the interval of a share holds nine tenths of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.kernels.fitting.robust_fit import Array
from stages.mixture.params import MixtureError
from stages.mixture.proposal import PULL, Objective, propose, realisable
from stages.mixture.regression import LAWS, Law, Regression, cross_validated, fit, rank_correlation, resamples_of

INTERVAL = (5.0, 95.0)
LEAST_CORRELATION = 0.5
"""Rank correlation, on runs not fitted, below which a law predicts nothing."""
RUNS_A_DOMAIN = 5
WORST_RUNS = 8


@dataclass(frozen=True)
class Runs:
    """Proxy runs, sorted by name: shares (R, M) whose rows sum to 1, and losses (R, K)."""

    names: tuple[str, ...]
    domains: tuple[str, ...]
    metrics: tuple[str, ...]
    shares: Array
    losses: Array


@dataclass(frozen=True)
class Wishes:
    """Settings of a study."""

    law: Law = "log-linear"
    weights: Mapping[str, float] | None = None
    """Weights of metrics; those not named count nothing. None: all alike."""
    higher: Sequence[str] = ()
    """Metrics of which more is better."""
    not_worse: Sequence[str] = ()
    frozen: Sequence[str] = ()
    pull: float = PULL
    resamples: int = 50
    seed: int = 0


@dataclass(frozen=True)
class Trial:
    """Quality of a law's predictions for runs to which it was not fitted, metric by metric."""

    law: Law
    correlations: tuple[float, ...]
    errors: tuple[float, ...]
    """Root mean square."""
    objective: float
    """Rank correlation of what is to be as low as possible."""


@dataclass(frozen=True)
class Study:
    """Results of a study. Shares are by domain, losses by metric, both in the order of the runs'."""

    runs: Runs
    law: Law
    trials: tuple[Trial, ...]
    prior: Array
    """The prior as far as the caps allow it."""
    proposed: Array
    low: Array
    high: Array
    caps: Array
    losses_of_prior: Array
    losses_of_proposed: Array
    effects: Array
    """(K, M): what a hundredth of the tokens, moved to a domain from all in proportion, changes at the prior."""
    worst: tuple[tuple[str, float, float], ...]
    """Runs that are predicted worst: name, objective as predicted and as found."""
    fitted: Regression
    higher: tuple[bool, ...]
    """Metrics of which more is better."""

    def ranks(self, unseen: Runs) -> tuple[float, ...]:
        """Rank correlation of prediction and result of each metric, on runs that had no part in the study.

        Raises:
            MixtureError: when they have other domains or metrics.
        """
        if unseen.domains != self.runs.domains or unseen.metrics != self.runs.metrics:
            raise MixtureError("the unseen runs have other domains or metrics than the fitted ones")
        predicted = self.fitted.predict(unseen.shares)
        signs = np.where(self.higher, -1.0, 1.0)
        return tuple(
            rank_correlation(predicted[:, k], signs[k] * unseen.losses[:, k]) for k in range(len(unseen.metrics))
        )

    @property
    def trial(self) -> Trial:
        return next(trial for trial in self.trials if trial.law == self.law)

    @property
    def binding(self) -> tuple[str, ...]:
        """Domains that the caps keep from more; what is all of a mixture lacks nothing."""
        shares = zip(self.runs.domains, self.proposed, self.caps, strict=True)
        return tuple(name for name, share, cap in shares if cap < 1 and share >= cap * 0.9999)

    @property
    def predicts(self) -> bool:
        return self.trial.objective >= LEAST_CORRELATION


def study(runs: Runs, wishes: Wishes, prior: Mapping[str, float], caps: Mapping[str, float]) -> Study:
    """Compare the laws, and propose a mixture by the one that is wished.

    Args:
        prior: shares that sum to 1, what the proposal is pulled to.
        caps: the largest share of each domain.

    Raises:
        MixtureError: naming a metric that is constant or none, or caps that no mixture meets.
    """
    weights, lower = _objective(runs, wishes), _lower_is_better(runs, wishes)
    _check(runs, lower, wishes)
    whole = fit(wishes.law, runs.shares, lower)
    foreseen = cross_validated(wishes.law, runs.shares, lower, whole)
    trials = (_trial(wishes.law, foreseen, lower, weights), *_others(wishes.law, runs.shares, lower, weights))
    centre = np.array([prior.get(name, 0.0) for name in runs.domains])
    limits = np.array([min(caps.get(name, 1.0), 1.0) for name in runs.domains])
    guarded = tuple(runs.metrics.index(name) for name in wishes.not_worse)
    objective = Objective(weights, guarded, wishes.pull)
    frozen = tuple(runs.domains.index(name) for name in wishes.frozen)
    one = Regression(wishes.law, whole.parameters[None])
    proposed = propose(one, centre, limits, objective, frozen)[0]
    low = high = proposed
    if wishes.resamples:
        draws = resamples_of(len(runs.names), wishes.resamples, wishes.seed)
        many = propose(fit(wishes.law, runs.shares, lower, draws, whole), centre, limits, objective, frozen)
        low, high = np.percentile(many, INTERVAL, axis=0)
    reached = realisable(centre, limits)
    slopes = one.at(reached[None])[1][0]
    effects = 0.01 * (slopes - (slopes @ reached)[:, None])
    sign, top = _mirror(runs, wishes)
    before, after = (top + sign * whole.predict(x[None])[0] for x in (reached, proposed))
    return Study(
        runs, wishes.law, trials, reached, proposed, low, high, limits, before, after, sign[:, None] * effects,
        _worst(runs, foreseen @ weights, lower @ weights), whole, tuple((sign < 0).tolist()),
    )  # fmt: skip


def _objective(runs: Runs, wishes: Wishes) -> Array:
    named = wishes.weights or dict.fromkeys(runs.metrics, 1.0)
    for kind, names in (("--weight", named), ("--higher", wishes.higher), ("--not-worse", wishes.not_worse)):
        for name in names:
            if name not in runs.metrics:
                raise MixtureError(f"{kind}: no metric {name!r}; there are {', '.join(runs.metrics)}")
    for name in wishes.frozen:
        if name not in runs.domains:
            raise MixtureError(f"--freeze: no domain {name!r}; there are {', '.join(runs.domains)}")
    weights = np.array([named.get(name, 0.0) for name in runs.metrics])
    if weights.min() < 0 or not weights.sum() > 0:
        raise MixtureError("weights of metrics must not be negative, and one must be above 0")
    return np.asarray(weights / weights.sum())


def _mirror(runs: Runs, wishes: Wishes) -> tuple[Array, Array]:
    """A sign and a top for every metric, so that top + sign x value is lower where it is better, and above 0."""
    higher = np.isin(runs.metrics, list(wishes.higher))
    least, most = runs.losses.min(axis=0), runs.losses.max(axis=0)
    return np.where(higher, -1.0, 1.0), np.where(higher, 2 * most - least, 0.0)


def _lower_is_better(runs: Runs, wishes: Wishes) -> Array:
    sign, top = _mirror(runs, wishes)
    return np.asarray(top + sign * runs.losses)


def _check(runs: Runs, lower: Array, wishes: Wishes) -> None:
    for k, name in enumerate(runs.metrics):
        if np.ptp(lower[:, k]) == 0:
            raise MixtureError(f"metric {name!r} is {runs.losses[0, k]:g} in every run; leave it out with --metric")
        if wishes.law == "log-linear" and lower[:, k].min() <= 0:
            worst = runs.names[int(lower[:, k].argmin())]
            raise MixtureError(
                f"metric {name!r} of run {worst} is {runs.losses[int(lower[:, k].argmin()), k]:g}; the log-linear law"
                " needs losses above 0: name metrics of which more is better with --higher, or choose another --law"
            )
    if len(runs.names) < 3:
        raise MixtureError(f"{len(runs.names)} runs are too few to fit; {RUNS_A_DOMAIN} a domain are enough")


def _others(law: Law, shares: Array, lower: Array, weights: Array) -> tuple[Trial, ...]:
    """Trials of the laws beside the one that is wished, where they can be fitted."""
    others = [other for other in LAWS if other != law and (other != "log-linear" or lower.min() > 0)]
    return tuple(
        _trial(other, cross_validated(other, shares, lower, fit(other, shares, lower)), lower, weights)
        for other in others
    )


def _trial(law: Law, foreseen: Array, lower: Array, weights: Array) -> Trial:
    correlations = tuple(rank_correlation(foreseen[:, k], lower[:, k]) for k in range(lower.shape[1]))
    errors = tuple(np.sqrt(((foreseen - lower) ** 2).mean(axis=0)).tolist())
    return Trial(law, correlations, errors, rank_correlation(foreseen @ weights, lower @ weights))


def _worst(runs: Runs, foreseen: Array, found: Array) -> tuple[tuple[str, float, float], ...]:
    order = sorted(range(len(found)), key=lambda r: (-abs(foreseen[r] - found[r]), runs.names[r]))[:WORST_RUNS]
    return tuple((runs.names[r], float(foreseen[r]), float(found[r])) for r in order)
