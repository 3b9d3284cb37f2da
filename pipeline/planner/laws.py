"""Scaling laws as pure functions: how good a model of N parameters trained on D tokens is expected to be.

Compute is C = 6 N D floating-point operations (dense, without attention). N counts all parameters, embeddings
included, except in Kaplan's law, which leaves embeddings out. Losses are in nats per token of each paper's own
tokenizer and data: compare them with each other, never with a run.

Sources of the constants:
    Kaplan et al. 2020 (arXiv 2001.08361), section 6.1: N = 1.3e9 C^0.73, C in PF-days. Shown for history.
    Hoffmann et al. 2022 (2203.15556): approaches 1 and 2 as power laws through their tables 3 and A3; approach 3 with
        the unrounded exponents of the paper's TeX source. The constants as printed are 1.6 to 2.2 times off the
        paper's own table and are here only to show that.
    Besiroglu et al. 2024 (2404.10102): approach 3 fitted again; the default here.
    Muennighoff et al. 2023 (2305.16264): alpha = beta, and what repeated tokens are worth (`effective_tokens`).
Fitted on runs of at most 16e9 (Hoffmann) and 9e9 parameters (Muennighoff); beyond that they are extrapolations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, expm1, inf, log, sqrt

from pipeline.errors import UserError

PF_DAY = 1e15 * 86400.0
R_STAR_TOKENS = 15.387756
"""Muennighoff: scale, in repeats, on which repeated tokens lose their worth."""
R_STAR_PARAMETERS = 5.309743
UNIQUE_PARAMETERS_PER_TOKEN = 0.051
"""Parameters that a unique token is compute-optimal for (1 / 19.6)."""
TOLERANCE = 1e-9
"""Width at which `golden_section` stops."""


@dataclass(frozen=True)
class Optimum:
    """The compute-optimal model of a budget."""

    parameters: float
    tokens: float
    loss: float | None = None


@dataclass(frozen=True)
class Parametric:
    """L(N, D) = E + A / N**alpha + B / D**beta."""

    name: str
    source: str
    e: float
    a: float
    b: float
    alpha: float
    beta: float

    def loss(self, parameters: float, tokens: float) -> float:
        """Expected loss in nats per token."""
        return float(self.e + self.a * parameters**-self.alpha + self.b * tokens**-self.beta)

    def optimum(self, compute: float) -> Optimum:
        """Least loss for 6 N D = compute."""
        total = self.alpha + self.beta
        g = (self.alpha * self.a / (self.beta * self.b)) ** (1 / total)
        parameters = g * (_positive(compute, "compute") / 6) ** (self.beta / total)
        tokens = compute / (6 * parameters)
        return Optimum(parameters, tokens, self.loss(parameters, tokens))

    def optimum_for_model(self, parameters: float) -> Optimum:
        """The tokens for which this model is compute-optimal."""
        slope = self.beta * self.b / (self.alpha * self.a)
        tokens = (slope * _positive(parameters, "model size") ** self.alpha) ** (1 / self.beta)
        return Optimum(parameters, tokens, self.loss(parameters, tokens))

    def interval(self, compute: float, excess: float = 1e-3) -> tuple[float, float]:
        """Smallest and largest model whose loss is within ``excess`` nats of the optimum: it is flat."""
        best = self.optimum(compute)
        limit = (best.loss or 0.0) + excess

        def over(scale: float) -> float:
            parameters = best.parameters * exp(scale)
            return self.loss(parameters, compute / (6 * parameters)) - limit

        low, high = bisect(lambda s: over(-s), 0.0, 20.0), bisect(over, 0.0, 20.0)
        return best.parameters * exp(-low), best.parameters * exp(high)


@dataclass(frozen=True)
class PowerLaw:
    """N = k * C**exponent; a law of the optimum alone, without a loss."""

    name: str
    source: str
    k: float
    exponent: float

    def optimum(self, compute: float) -> Optimum:
        parameters = self.k * _positive(compute, "compute") ** self.exponent
        return Optimum(parameters, compute / (6 * parameters))

    def optimum_for_model(self, parameters: float) -> Optimum:
        compute = (_positive(parameters, "model size") / self.k) ** (1 / self.exponent)
        return Optimum(parameters, compute / (6 * parameters))


Law = Parametric | PowerLaw

BESIROGLU = Parametric("besiroglu", "Besiroglu et al. 2024, arXiv 2404.10102", 1.8172, 482.01, 2085.43, 0.3478, 0.3658)
HOFFMANN_1 = PowerLaw("hoffmann-1", "Hoffmann et al. 2022, arXiv 2203.15556, table 3", 0.0992, 0.4981)
HOFFMANN_2 = PowerLaw("hoffmann-2", "Hoffmann et al. 2022, arXiv 2203.15556, table A3", 0.1449, 0.4899)
HOFFMANN_3 = Parametric(
    "hoffmann-3", "Hoffmann et al. 2022, arXiv 2203.15556, TeX source", 1.6934, 406.4, 410.7, 0.3392, 0.2849
)
HOFFMANN_3_PRINTED = Parametric(
    "hoffmann-3-printed", "Hoffmann et al. 2022, arXiv 2203.15556, as printed (rounded)", 1.69, 406.4, 410.7, 0.34, 0.28
)
MUENNIGHOFF = Parametric(
    "muennighoff", "Muennighoff et al. 2023, arXiv 2305.16264", exp(0.6254804), exp(6.255414), exp(7.3049974),
    0.3526596, 0.3526596,
)  # fmt: skip
KAPLAN = PowerLaw("kaplan", "Kaplan et al. 2020, arXiv 2001.08361; N without embeddings", 1.3e9 * PF_DAY**-0.73, 0.73)

LAWS: dict[str, Law] = {
    law.name: law for law in (BESIROGLU, HOFFMANN_1, HOFFMANN_2, HOFFMANN_3, MUENNIGHOFF, KAPLAN, HOFFMANN_3_PRINTED)
}
DEFAULT_LAWS = ("besiroglu", "hoffmann-1", "hoffmann-2", "hoffmann-3", "muennighoff", "kaplan")


def effective_tokens(unique: float, seen: float, scale: float = R_STAR_TOKENS) -> float:
    """The worth of ``seen`` tokens drawn from ``unique`` ones, in unique tokens (Muennighoff, equation 5)."""
    if unique <= 0 or seen <= 0:
        return 0.0
    return _saturating(unique, seen, scale)


def effective_parameters(unique: float, parameters: float) -> float:
    """The worth of parameters when there are only ``unique`` tokens to learn from (Muennighoff, equation 6)."""
    return _saturating(min(UNIQUE_PARAMETERS_PER_TOKEN * unique, parameters), parameters, R_STAR_PARAMETERS)


def _saturating(unique: float, seen: float, scale: float) -> float:
    if seen <= unique:
        return seen
    if seen == inf:
        return unique * (1 + scale)
    return unique * (1 - scale * expm1(-(seen / unique - 1) / scale))


def data_constrained_optimum(compute: float, unique: float, law: Parametric = MUENNIGHOFF) -> Optimum:
    """Least loss for 6 N D = compute when only ``unique`` tokens exist and are repeated.

    Minimises L(N', D') over N by golden section on log N. ``tokens`` are the tokens seen, so tokens / unique is the
    number of epochs. The objective is flat: a model 25% larger or smaller loses about 1e-3 nats.
    """
    _positive(unique, "unique tokens")

    def loss(log_parameters: float) -> float:
        parameters = exp(log_parameters)
        tokens = _positive(compute, "compute") / (6 * parameters)
        return law.loss(effective_parameters(unique, parameters), effective_tokens(unique, tokens))

    centre = log(law.optimum(compute).parameters)
    best = golden_section(loss, centre - 12, centre + 12)
    parameters = exp(best)
    return Optimum(parameters, compute / (6 * parameters), loss(best))


def golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """The place of the least value of a function that has one minimum between low and high."""
    ratio = (sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > TOLERANCE:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """The place where a function that is negative at low and positive at high changes sign."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


def _positive(value: float, what: str) -> float:
    if not value > 0 or value == inf:
        raise UserError(f"{what} must be above 0 and finite, found {value!r}")
    return value
