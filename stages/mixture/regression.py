"""Laws of mixtures from the losses of proxy runs: the loss to expect at other shares. Pure arithmetic, no files.

| law | loss at shares x | fitted by | source |
|---|---|---|---|
| `log-linear` | e^c + e^(x . t) | Huber's loss, 8 starts | Olmix, arXiv 2602.12237; data mixing laws, 2403.16952 |
| `linear` | x . b | least squares | RegMix, arXiv 2407.01492 |
| `quadratic` | x . b + sum q_ij x_i x_j | ridge (1e-2) | |
| `power` | c + sum F_i (a_i + x_i / .3)^-g_i | Huber's loss, ridge to 1 (7.5e-3) | AutoScale, 2407.20177 |

On RegMix's public runs (512 mixtures of 17 domains, models of 1M parameters) the log-linear law ranks unseen mixtures
of 1B models best, and five runs a domain are nearly as good as thirty; hence the default. Every metric has its own law.
Rows are taken in the order of the runs' names, so that any order in a file gives the same bytes.

Shapes: R runs, M domains, K metrics, B resamples, P parameters, S problems fitted at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.kernels.fitting.robust_fit import LEAST_OFFSET, LOG_LINEAR, POWER, Array, minimise

Law = Literal["log-linear", "linear", "quadratic", "power"]
LAWS: tuple[Law, ...] = ("log-linear", "linear", "quadratic", "power")
HUBER = 0.02
"""Residual, in units of the loss, above which a run counts linearly: a diverged run does not bend the law."""
RIDGE = 1e-2
FOLDS = 5
_WARM_STEPS = 25


@dataclass(frozen=True)
class Regression:
    """A fitted law of every metric."""

    law: Law
    parameters: Array
    """(K, P), or (B, K, P) of resamples."""

    def predict(self, shares: Array) -> Array:
        """Losses (..., R, K) at mixtures (R, M)."""
        flat = self.parameters.reshape(-1, self.parameters.shape[-1])
        values = _FORMS[self.law].values(flat, shares)
        return np.swapaxes(values.reshape(*self.parameters.shape[:-1], len(shares)), -1, -2)

    def at(self, shares: Array) -> tuple[Array, Array]:
        """Losses (B, K) and their slopes (B, K, M) at one mixture (B, M) for each resample."""
        resamples, metrics, size = self.parameters.shape
        theta = self.parameters.reshape(-1, size)
        values, slopes = _FORMS[self.law].at(theta, np.repeat(shares, metrics, axis=0))
        return values.reshape(resamples, metrics), slopes.reshape(resamples, metrics, -1)


def fit(
    law: Law, shares: Array, losses: Array, draws: Array | None = None, warm: Regression | None = None
) -> Regression:
    """Fit a law to every metric, and to every resample of the runs.

    Args:
        shares: (R, M), rows sum to 1.
        losses: (R, K), above 0 for the log-linear law.
        draws: (B, R), how often each resample takes a run; None: one fit of all.
        warm: a fit to all runs, where the resamples start.

    Returns:
        Parameters (K, P), or (B, K, P) with ``draws``.
    """
    weights = np.ones((1, len(shares))) if draws is None else draws
    form = _FORMS[law]
    if form.solve is not None:
        parameters = np.stack([form.solve(shares, losses, weight) for weight in weights])
    else:
        parameters = _search(form, shares, losses, weights, None if warm is None else warm.parameters)
    return Regression(law, parameters[0] if draws is None else parameters)


def cross_validated(law: Law, shares: Array, losses: Array, whole: Regression) -> Array:
    """Losses (R, K) of every run as predicted by a fit to the other folds, begun where the fit to all runs ended."""
    runs = len(shares)
    folds = min(FOLDS, runs)
    fold_of = np.random.Generator(np.random.PCG64(0)).permutation(np.arange(runs) % folds)
    draws = (fold_of != np.arange(folds)[:, None]).astype(np.float64)
    predicted = fit(law, shares, losses, draws, whole).predict(shares)
    return np.asarray(predicted[fold_of, np.arange(runs)])


def resamples_of(runs: int, count: int, seed: int) -> Array:
    """Number of times that each of ``count`` bootstrap resamples draws each run: (count, runs)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = generator.integers(0, runs, size=(count, runs))
    return np.stack([np.bincount(row, minlength=runs) for row in drawn]).astype(np.float64)


def rank_correlation(predicted: Array, found: Array) -> float:
    """Spearman's, ties at their mean rank; 0 where either is constant."""
    first, second = _ranks(predicted), _ranks(found)
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size else 0.0


def _ranks(values: Array) -> Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse], dtype=np.float64)


@dataclass(frozen=True)
class _Form:
    """Form of a law: its values, its slopes, and where a fit starts."""

    values: Callable[[Array, Array], Array]
    """(S, P), (R, M) -> (S, R)."""
    at: Callable[[Array, Array], tuple[Array, Array]]
    """(S, P), (S, M) -> (S,) and (S, M)."""
    solve: Callable[[Array, Array, Array], Array] | None = None
    """(R, M), (R, K), weights (R,) -> (K, P), where least squares solve it."""
    starts: Callable[[Array, Array], Array] | None = None
    """(R, M), losses (R,) -> (starts, P)."""
    steps: int = 150
    """Most steps from each start."""
    curve: int = -1
    """Number of the curve in `stages.kernels.fitting.robust_fit`, where a search fits it."""
    unit: float = 1.0
    """The share that counts as 1 in the curve."""
    huber: float = HUBER
    ridge: float = 0.0


def _search(form: _Form, shares: Array, losses: Array, weights: Array, warm: Array | None) -> Array:
    """The best fit from several starts, for each resample and metric: (B, K, P)."""
    assert form.starts is not None
    resamples, metrics = len(weights), losses.shape[1]
    starts = np.stack(
        [warm[k][None] if warm is not None else form.starts(shares, losses[:, k]) for k in range(metrics)]
    )
    each, size = starts.shape[1:]
    rows = np.tile(np.repeat(np.arange(metrics), each), resamples)
    draws = np.repeat(np.arange(resamples), metrics * each)
    theta, reached = minimise(
        form.curve,
        shares / form.unit,
        losses.T,
        np.tile(starts.reshape(-1, size), (resamples, 1)),
        delta=form.huber,
        row_of=rows,
        weights=weights,
        weights_of=draws,
        ridge=form.ridge,
        steps=form.steps if warm is None else _WARM_STEPS,
        tolerance=1e-8,
    )
    best = reached.reshape(-1, each).argmin(axis=1)
    chosen = theta.reshape(-1, each, size)[np.arange(len(best)), best]
    return np.asarray(chosen.reshape(resamples, metrics, size))


# Log-linear


def _log_linear_values(theta: Array, shares: Array) -> Array:
    return np.asarray(np.exp(theta[:, :1]) + np.exp(theta[:, 1:] @ shares.T))


def _log_linear_at(theta: Array, x: Array) -> tuple[Array, Array]:
    moving = np.exp((theta[:, 1:] * x).sum(axis=1))
    return np.exp(theta[:, 0]) + moving, moving[:, None] * theta[:, 1:]


def _log_linear_starts(shares: Array, losses: Array) -> Array:
    """For eight values of e^c below the least loss, the t that least squares give to log(loss - e^c)."""
    starts = []
    for part in np.linspace(0.2, 0.97, 8):
        constant = losses.min() * part
        slopes = np.linalg.lstsq(shares, np.log(losses - constant), rcond=None)[0]
        starts.append(np.concatenate([[np.log(constant)], slopes]))
    return np.array(starts)


# Linear and quadratic


def _solve(features: Array, losses: Array, weight: Array, ridge: float) -> Array:
    """Least squares, (K, P); with a ridge by its normal equations, which it keeps regular, 50 times faster."""
    if ridge:
        weighted = features.T * weight
        return np.asarray(np.linalg.solve(weighted @ features + ridge * np.eye(features.shape[1]), weighted @ losses).T)
    root = np.sqrt(weight)[:, None]
    return np.asarray(np.linalg.lstsq(features * root, losses * root, rcond=None)[0].T)


def _products(shares: Array) -> Array:
    """Shares, and their squares and products: (R, M + M (M + 1) / 2)."""
    first, second = np.triu_indices(shares.shape[1])
    return np.concatenate([shares, shares[:, first] * shares[:, second]], axis=1)


def _quadratic_at(theta: Array, x: Array) -> tuple[Array, Array]:
    domains = x.shape[1]
    first, second = np.triu_indices(domains)
    square = np.zeros((len(x), domains, domains))
    square[:, first, second] = theta[:, domains:]
    square = square + np.swapaxes(square, 1, 2)
    turned = (square @ x[:, :, None])[:, :, 0]
    return ((theta[:, :domains] + turned / 2) * x).sum(axis=1), theta[:, :domains] + turned


# Power laws: parameters c, log F, log a, log g, of shares in units of .3. Three numbers a domain follow noise where
# nothing holds them: a ridge draws their logarithms to 0, and Huber's loss bends where their residuals are (.05).
_POWER_UNIT, _POWER_HUBER, _POWER_RIDGE = 0.3, 0.05, 7.5e-3


def _power_terms(theta: Array, shares: Array) -> tuple[Array, Array, Array]:
    """(S, P), (S or 1, R, M) -> c (S, 1), terms and their slopes by the share (S, R, M)."""
    domains = shares.shape[-1]
    factor, offset, exponent = (
        np.exp(theta[:, None, 1 + part * domains : 1 + (part + 1) * domains]) for part in range(3)
    )
    inside = offset + LEAST_OFFSET + shares / _POWER_UNIT
    terms = factor * inside**-exponent
    return theta[:, :1], terms, -terms * exponent / inside / _POWER_UNIT


def _power_values(theta: Array, shares: Array) -> Array:
    constant, terms, _ = _power_terms(theta, shares[None])
    return np.asarray(constant + terms.sum(axis=2))


def _power_at(theta: Array, x: Array) -> tuple[Array, Array]:
    constant, terms, slopes = _power_terms(theta, x[:, None])
    return constant[:, 0] + terms[:, 0].sum(axis=1), slopes[:, 0]


def _power_starts(shares: Array, losses: Array) -> Array:
    """Starts with all domains alike, two of them: no domain starts with so small a factor that no step moves it."""
    domains = shares.shape[1]
    ends = [np.repeat(np.log(alike), domains) for alike in ((0.6, 0.2, 1.0), (0.3, 0.1, 1.0))]
    return np.array([np.concatenate([[0.9 * losses.min()], end]) for end in ends])


_FORMS: dict[str, _Form] = {
    "log-linear": _Form(_log_linear_values, _log_linear_at, starts=_log_linear_starts, curve=LOG_LINEAR),
    "linear": _Form(
        lambda theta, shares: theta @ shares.T,
        lambda theta, x: ((theta * x).sum(axis=1), theta),
        solve=lambda shares, losses, weight: _solve(shares, losses, weight, 0.0),
    ),
    "quadratic": _Form(
        lambda theta, shares: theta @ _products(shares).T,
        _quadratic_at,
        solve=lambda shares, losses, weight: _solve(_products(shares), losses, weight, RIDGE),
    ),
    "power": _Form(
        _power_values,
        _power_at,
        starts=_power_starts,
        steps=60,
        curve=POWER,
        unit=_POWER_UNIT,
        huber=_POWER_HUBER,
        ridge=_POWER_RIDGE,
    ),
}
