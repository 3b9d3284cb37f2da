"""Scaling laws fitted to a user's own runs: constants, predictions with intervals, and whether the constants mean much.

Law: loss = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv 2203.15556, approach 3), fitted as there: the
log of the loss by log-sum-exp, Huber's loss with delta 1e-3, many starts. Where unique tokens are given, D is what the
tokens seen are worth (Muennighoff et al. 2023, arXiv 2305.16264, equation 5), its scale R fitted too. Beside it, where
runs stand at levels of equal compute: the optimum of each level by a parabola over log N, and N* = k C^a through them
(approach 2).

Doubt is shown in three ways: a bootstrap over runs gives intervals of *predictions*, which stay narrow where constants
trade off against each other; the fit without the largest runs is held against them; every run's leverage is what
leaving it out does to the prediction. E, A and B count as identified only if the loss supports it: see `Identified`.

Pure functions over arrays: R runs, P constants (log E, log A, log B, alpha, beta, and log R), B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, inf, log

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from stages.kernels.fitting.robust_fit import CHINCHILLA, REPEATS, Array, minimise

DELTA = 1e-3
INTERVAL = (5.0, 95.0)
RESAMPLES = 400
LEAST_RUNS = 7
_STARTS = tuple(product((0.0, 0.7), (3.0, 7.0, 14.0), (3.0, 7.0, 14.0), (0.15, 0.4, 0.8), (0.15, 0.4, 0.8)))
NAMES = ("E", "A", "B", "alpha", "beta", "R")
_LOGARITHMS = np.array([True, True, True, False, False, True])
_LEAST_PART = 0.25
"""Part of E: where its range reaches below, it is not identified."""
_GAIN = 0.01
"""Part of the loss of a search: one that fell by as much is gone on from."""
_LEVEL = 0.1
"""Runs whose computes differ by less than this part are of one level."""


@dataclass(frozen=True)
class TrainingRuns:
    """Sizes, tokens and losses of trained models: all (R,). ``unique`` are the tokens before they were repeated."""

    names: tuple[str, ...]
    parameters: Array
    tokens: Array
    losses: Array
    unique: Array | None = None

    @property
    def compute(self) -> Array:
        """FLOP, 6 N D."""
        return 6 * self.parameters * self.tokens

    def part(self, which: Sequence[int] | npt.NDArray[np.bool_] | Array) -> TrainingRuns:
        """The runs for which a mask (R,) is true, or those of these numbers, in their order."""
        unique = None if self.unique is None else self.unique[which]
        names = tuple(np.array(self.names, object)[which].tolist())
        return TrainingRuns(names, self.parameters[which], self.tokens[which], self.losses[which], unique)


@dataclass(frozen=True)
class Prediction:
    """A loss as predicted, its interval over the resamples, and as found where that is known."""

    name: str
    parameters: float
    tokens: float
    loss: float
    low: float
    high: float
    found: float | None = None


@dataclass(frozen=True)
class Identified:
    """Whether the constants mean anything beyond the fit.

    ``e_low`` to ``e_high``: values of E with which the law, all else fitted again, has a loss of at most
    1 + 2 / (R - P) of the least. Not identified where that range reaches below a quarter of E: then the runs cannot
    tell the limit of the loss from none, and A, B and the exponents go with it.
    """

    e_low: float
    e_high: float
    condition: float
    """Condition number of the normal equations at the fit, parameters scaled alike."""
    profile: tuple[tuple[float, float], ...]
    """E, and the least loss with it over the least of all."""
    certain: bool


@dataclass(frozen=True)
class IsoFlop:
    """Optimal sizes at levels of compute, and N* = k C^exponent through them."""

    levels: tuple[tuple[float, float, float], ...]
    """Compute, N*, least loss."""
    k: float
    exponent: float
    low: float
    high: float
    """Interval of the exponent, leaving out single levels (jackknife)."""


@dataclass(frozen=True)
class FittedLaw:
    """A law and what is known about it."""

    runs: TrainingRuns
    constants: Array
    """(P,)."""
    resamples: Array
    """(B, P)."""
    objective: float
    starts: int
    identified: Identified
    held_out: tuple[Prediction, ...]
    """The runs of the largest model and that of most compute, as predicted by the fit to the others."""
    leverage: tuple[tuple[str, float, float], ...]
    """Run, and the change from leaving it out of beta and of the loss predicted for ten times the largest compute."""
    isoflop: IsoFlop | None

    @property
    def repeats(self) -> bool:
        return len(self.constants) == 6

    @property
    def named(self) -> dict[str, float]:
        """The constants by name, themselves and not their logarithms; R where repeats were fitted."""
        values = np.where(_LOGARITHMS[: len(self.constants)], np.exp(self.constants), self.constants)
        return dict(zip(NAMES, values.tolist(), strict=False))


def fit_law(runs: TrainingRuns, resamples: int = RESAMPLES, seed: int = 0) -> FittedLaw:
    """Fit the law to runs.

    Raises:
        UserError: too few runs, or runs that do not vary in size or in tokens.
    """
    _check(runs)
    order = sorted(range(len(runs.names)), key=lambda r: (runs.compute[r], runs.parameters[r], runs.losses[r]))
    runs = runs.part(order)
    constants, objective, starts = search(runs)
    draws = _draws(len(runs.names), resamples, seed)
    return FittedLaw(
        runs,
        constants,
        _refits(runs, constants, draws),
        objective,
        starts,
        _identified(runs, constants, objective),
        _held_out(runs, resamples, seed),
        _leverage(runs, constants),
        isoflop_of(runs),
    )


def search(runs: TrainingRuns) -> tuple[Array, float, int]:
    """Constants with the least loss from all starts, the loss, and how many starts there were."""
    starts = np.array(_STARTS)
    if runs.unique is not None:
        starts = np.concatenate([np.column_stack([starts, np.full(len(starts), log(scale))]) for scale in (5.0, 20.0)])
    curve, points = _points(runs)
    found, losses = minimise(curve, points, np.log(runs.losses)[None], starts, delta=DELTA, steps=600, tolerance=1e-9)
    best = found[[int(losses.argmin())]]
    final, least = minimise(curve, points, np.log(runs.losses)[None], best, delta=DELTA, steps=5000, tolerance=1e-13)
    return final[0], float(least[0]), len(starts)


def losses_at(constants: Array, parameters: Array, tokens: Array, unique: Array | None = None) -> Array:
    """Losses (..., R) of a law or of many (..., P) at sizes and tokens (R,)."""
    log_e, log_a, log_b, alpha, beta = (constants[..., k, None] for k in range(5))
    seen = np.broadcast_to(np.asarray(tokens, dtype=np.float64), np.shape(parameters))
    if unique is not None and constants.shape[-1] == 6:
        scale = np.exp(constants[..., 5, None])
        again = np.maximum(seen / unique - 1, 0)
        seen = np.minimum(seen, unique) + unique * scale * -np.expm1(-again / scale)
    return np.asarray(np.exp(log_e) + np.exp(log_a - alpha * np.log(parameters)) + np.exp(log_b - beta * np.log(seen)))


def predictions(law: FittedLaw, wanted: TrainingRuns, known: bool = True) -> tuple[Prediction, ...]:
    """Losses of runs by the law, with the interval of the resamples and the scatter of the fitted runs."""
    return _predict(law.constants, law.resamples, law.runs, wanted, known)


def _predict(
    constants: Array, resamples: Array, fitted: TrainingRuns, wanted: TrainingRuns, known: bool
) -> tuple[Prediction, ...]:
    """The interval covers a new run: the spread of the resamples, and the residuals of the runs on top of it."""
    loss = losses_at(constants, wanted.parameters, wanted.tokens, wanted.unique)
    many = losses_at(resamples, wanted.parameters, wanted.tokens, wanted.unique)
    residuals = np.log(fitted.losses / losses_at(constants, fitted.parameters, fitted.tokens, fitted.unique))
    residuals = residuals * (len(residuals) / max(1, len(residuals) - constants.size)) ** 0.5
    spread = (many[:, None, :] * np.exp(residuals)[None, :, None]).reshape(-1, len(loss))
    low, high = np.percentile(spread, INTERVAL, axis=0)
    return tuple(
        Prediction(
            wanted.names[r],
            float(wanted.parameters[r]),
            float(wanted.tokens[r]),
            float(loss[r]),
            float(low[r]),
            float(high[r]),
            float(wanted.losses[r]) if known else None,
        )
        for r in range(len(loss))
    )


def isoflop_of(runs: TrainingRuns) -> IsoFlop | None:
    """Approach 2, where at least three levels of compute have a minimum inside; else None."""
    levels = []
    for members in _levels(runs.compute):
        size, loss = np.log(runs.parameters[members]), runs.losses[members]
        if len(np.unique(size)) < 4:
            continue
        bend, slope, base = np.polyfit(size - size.mean(), loss, 2)
        best = size.mean() - slope / (2 * bend) if bend > 0 else inf
        if size.min() <= best <= size.max():
            compute = float(np.exp(np.log(runs.compute[members]).mean()))
            levels.append((compute, float(np.exp(best)), float(base - slope**2 / (4 * bend))))
    if len(levels) < 3:
        return None
    x, y = np.log([level[0] for level in levels]), np.log([level[1] for level in levels])
    exponent, base = np.polyfit(x, y, 1)
    without = [float(np.polyfit(np.delete(x, k), np.delete(y, k), 1)[0]) for k in range(len(levels))]
    spread = 1.645 * ((len(x) - 1) * float(np.var(without))) ** 0.5
    return IsoFlop(tuple(levels), exp(base), float(exponent), float(exponent) - spread, float(exponent) + spread)


def _levels(compute: Array) -> list[list[int]]:
    groups: list[list[int]] = []
    for run in np.argsort(compute, kind="stable").tolist():
        if groups and compute[run] <= compute[groups[-1][0]] * (1 + _LEVEL):
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _points(runs: TrainingRuns) -> tuple[int, Array]:
    if runs.unique is None:
        return CHINCHILLA, np.column_stack([np.log(runs.parameters), np.log(runs.tokens)])
    return REPEATS, np.column_stack([np.log(runs.parameters), runs.tokens, runs.unique])


def _check(runs: TrainingRuns) -> None:
    problems = []
    if len(runs.names) < LEAST_RUNS + (runs.unique is not None):
        problems.append(f"{len(runs.names)} runs; at least {LEAST_RUNS + (runs.unique is not None)} are needed")
    for what, values in (("model sizes", runs.parameters), ("numbers of tokens", runs.tokens)):
        if len(np.unique(values)) < 3:
            problems.append(f"{len(np.unique(values))} {what}; at least 3 are needed")
    if runs.unique is not None and not (runs.tokens > runs.unique).any():
        problems.append("unique tokens are given, and no run repeats any; leave the column out")
    if len(runs.losses) and (runs.losses == runs.losses[0]).all():
        problems.append(f"every run has the loss {runs.losses[0]:g}")
    if problems:
        raise UserError("; ".join(problems))


def _draws(runs: int, count: int, seed: int) -> Array:
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, runs, size=(count, runs))
    return np.stack([np.bincount(row, minlength=runs) for row in drawn]).astype(np.float64)


def _refits(runs: TrainingRuns, constants: Array, draws: Array) -> Array:
    """Constants (B, P) of resamples, from the fit to all runs and from two points beside it."""
    curve, points = _points(runs)
    beside = np.tile(constants, (3, 1))
    beside[1, 0] -= 1.0
    beside[2, 3:5] *= 1.5
    found, losses = minimise(
        curve, points, np.log(runs.losses)[None], np.tile(beside, (len(draws), 1)), delta=DELTA, weights=draws,
        weights_of=np.repeat(np.arange(len(draws)), len(beside)), steps=400, tolerance=1e-8,
    )  # fmt: skip
    best = losses.reshape(-1, len(beside)).argmin(axis=1)
    return np.asarray(found.reshape(-1, len(beside), len(constants))[np.arange(len(best)), best])


def _held_out(runs: TrainingRuns, resamples: int, seed: int) -> tuple[Prediction, ...]:
    """The largest model's runs, and the run of most compute, by a fit to all others; none where too few are left."""
    largest = (runs.parameters >= runs.parameters.max() * 0.99) | (runs.compute >= runs.compute.max())
    rest = runs.part(~largest)
    try:
        _check(rest)
    except UserError:
        return ()
    constants = search(rest)[0]
    many = _refits(rest, constants, _draws(len(rest.names), resamples, seed))
    return _predict(constants, many, rest, runs.part(largest), True)


def _leverage(runs: TrainingRuns, constants: Array) -> tuple[tuple[str, float, float], ...]:
    count = len(runs.names)
    refits = _refits(runs, constants, 1.0 - np.eye(count))
    far = 10**0.5
    size, tokens = np.array([runs.parameters.max() * far]), np.array([runs.tokens.max() * far])
    before, after = losses_at(constants, size, tokens), losses_at(refits, size, tokens)[:, 0]
    rows = [(runs.names[r], float(refits[r, 4] - constants[4]), float(after[r] - before[0])) for r in range(count)]
    return tuple(sorted(rows, key=lambda row: (-abs(row[2]), row[0])))


def _identified(runs: TrainingRuns, constants: Array, objective: float) -> Identified:
    """Profile of E: its values held fixed, all else fitted again."""
    curve, points = _points(runs)
    best = exp(constants[0])
    grid = np.linspace(0.02, 0.995, 40) * runs.losses.min()
    heavy = 1e4  # a point at infinite N and D, whose loss is E
    beyond = np.array([[700.0, 700.0]]) if curve == CHINCHILLA else np.array([[700.0, 1e300, 1e300]])
    wanted = np.column_stack([np.tile(np.log(runs.losses), (len(grid), 1)), np.log(grid)])
    start = np.tile(constants, (len(grid), 1))
    start[:, 0] = np.log(grid)
    weights = np.append(np.ones(len(runs.names)), heavy)[None]
    rows, losses = np.arange(len(grid)), np.full(len(grid), np.inf)
    held = start.copy()
    while len(rows):  # a search that ended early goes on from where its neighbours nearer to the best E ended
        found, reached = minimise(
            curve, np.concatenate([points, beyond]), wanted, start, delta=DELTA, row_of=rows, weights=weights,
            steps=3000, tolerance=1e-10,
        )  # fmt: skip
        better = reached < losses[rows] * (1 - _GAIN)
        held[rows[better]], losses[rows[better]] = found[better], reached[better]
        rows, start = _from_neighbours(rows[better], held, grid, best)
    ratio = losses / max(objective, 1e-300)
    good = grid[ratio <= 1 + 2 / max(1, len(runs.names) - len(constants))]
    low, high = (min(best, float(good.min())), max(best, float(good.max()))) if len(good) else (best, best)
    profile = tuple(zip(grid.tolist(), ratio.tolist(), strict=True))
    certain = bool(low >= _LEAST_PART * best and best > grid[0])
    return Identified(low, high, _condition(runs, constants), profile, certain)


def _from_neighbours(
    moved: npt.NDArray[np.int64], held: Array, grid: Array, best: float
) -> tuple[npt.NDArray[np.int64], Array]:
    """The values of E to try again, those one step further from the best than ``moved``, and where to start."""
    outward = np.where(grid[moved] < best, moved - 1, moved + 1)
    inside = (outward >= 0) & (outward < len(grid))
    start = held[moved[inside]].copy()
    start[:, 0] = np.log(grid[outward[inside]])
    return outward[inside], start


def _condition(runs: TrainingRuns, constants: Array) -> float:
    def value(moved: Array) -> Array:
        return np.log(losses_at(moved, runs.parameters, runs.tokens, runs.unique))

    step = 1e-5
    slopes = np.column_stack(
        [(value(constants + step * row) - value(constants - step * row)) / (2 * step) for row in np.eye(len(constants))]
    )
    slopes = slopes / np.maximum(np.linalg.norm(slopes, axis=0), 1e-300)
    return float(np.linalg.cond(slopes))
