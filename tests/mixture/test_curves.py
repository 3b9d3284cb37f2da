"""The solver `quality-curve`: buckets of quality under a curve, solved as published, and groups of them."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.mixture import MixtureError, solve
from stages.mixture.curve import Bucket, solve_curve
from stages.mixture.solvers import quality_curve
from tests.mixture.test_mixture import params


def test_quality_curve_is_the_integral_over_the_buckets() -> None:
    buckets = {"low": (0.0, 0.4), "mid": (0.4, 0.7), "good": (0.7, 0.95), "top": (0.95, 1.0)}
    domains = {name: {"percentiles": list(range_)} for name, range_ in buckets.items()}
    available = {name: int(1e9 * (high - low)) for name, (low, high) in buckets.items()}
    mixture = solve(
        params(domains, solver="quality-curve", curve_start=0.4, curve_power=1, budget=10**6, max_epochs=7), available
    )
    steps = 200_000
    weights = [max(0.0, (k + 0.5) / steps - 0.4) for k in range(steps)]
    for name, (low, high) in buckets.items():
        part = sum(weights[int(low * steps) : int(high * steps)]) / sum(weights)
        assert mixture.targets[name] == pytest.approx(part * 10**6, abs=20)
    assert mixture.targets["low"] == 0


@pytest.mark.parametrize(("power", "rate"), [(1, 0.0), (0, 2.0), (1, 3.5), (2.7, 1.2), (5, 40.0)])
def test_quality_curve_with_an_exponential_factor_is_the_integral_over_the_buckets(power: float, rate: float) -> None:
    buckets = {"low": (0.0, 0.5), "mid": (0.5, 0.8), "top": (0.8, 1.0)}
    shares = quality_curve(buckets, 0.4, power, rate)
    steps = 100_000
    above = [max(0.0, (k + 0.5) / steps - 0.4) for k in range(steps)]
    weights = [x**power * math.exp(rate * x) if x else 0.0 for x in above]
    for name, (low, high) in buckets.items():
        part = sum(weights[int(low * steps) : int(high * steps)]) / sum(weights)
        assert float(shares[name]) == pytest.approx(part, abs=2e-5)


def test_quality_curve_of_power_one_is_its_closed_form() -> None:
    def integral(x: float) -> float:
        return math.exp(3 * x) * (3 * x - 1) + 1

    shares = quality_curve({"low": (0.4, 0.7), "top": (0.7, 1.0)}, 0.4, 1, 3)
    assert float(shares["low"]) == pytest.approx(integral(0.3) / integral(0.6), rel=1e-12)


OLMO_3 = (
    # kept share, cap, tokens wanted of those there are; p, rate, C; mean multiplicity of the best twentieths
    (0.6, 7, 2.0, 1.052632, 0.402161, 9.944211, (4.794, 5.499, 6.234, 7.000)),
    (0.6, 7, 1.0, 3.684211, 0.558543, 38.847679, (2.120, 3.280, 4.872, 7.000)),
    (1.0, 7, 1.5, 3.947368, 0.285107, 5.849445, (3.470, 4.440, 5.607, 7.000)),
    (0.6, 7, 0.5, 5.0, 2.0, 22.751738, (0.751, 1.443, 2.624, 4.563)),
)
"""Curves that Olmo 3's own code solves."""


@pytest.mark.parametrize("vector", OLMO_3)
def test_the_curve_is_solved_as_olmo_3_does(vector: tuple[Any, ...]) -> None:
    kept, most, wanted, power, rate, scale, best = vector
    curve = solve_curve([Bucket(k / 20, (k + 1) / 20, 0.05) for k in range(20)], wanted, most, 1 - kept)
    assert curve is not None
    assert (curve.power, curve.rate) == pytest.approx((power, rate), abs=1e-5)
    assert curve.scale == pytest.approx(scale, rel=1e-4)
    assert curve.multiplicities[-4:] == pytest.approx(best, abs=1e-3)
    assert curve.tail_mean <= most


def slow_curve(buckets: list[Bucket], tokens: float, most: float, start: float) -> tuple[float, list[float]] | None:
    """The steepest curve by trying every power and 400 rates, means by sums over a fine grid."""
    steps = 20_000
    x = np.maximum((np.arange(steps) + 0.5) / steps - start, 0)
    tail = min(0.05, buckets[-1].high - buckets[-1].low, 1 - start)

    def means(power: float, rate: float) -> tuple[float, list[float]]:
        heights = np.where(x > 0, x**power * np.exp(rate * x), 0)
        found = [float(heights[round(b.low * steps) : round(b.high * steps)].mean()) for b in buckets]
        scale = tokens / sum(mean * b.tokens for mean, b in zip(found, buckets, strict=True))
        return scale * float(heights[round((1 - tail) * steps) :].mean()), [scale * mean for mean in found]

    for power in (5 * step / 19 for step in reversed(range(20))):
        if means(power, 0.01)[0] <= most:
            return next(
                (power, each) for rate in np.linspace(2, 0.01, 400) for top, each in [means(power, rate)] if top <= most
            )
    return None


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=8),
    st.lists(st.integers(1, 1000), min_size=8, max_size=8),
    st.sampled_from([0.0, 0.2, 0.4]),
    st.floats(0.05, 3),
)
def test_curves_of_any_buckets_are_those_of_the_slow_twin(
    widths: list[int], tokens: list[int], start: float, wanted: float
) -> None:
    edges = [round(sum(widths[:k]) / sum(widths), 3) for k in range(len(widths) + 1)]
    assume(all(b > a for a, b in itertools.pairwise(edges)))
    buckets = [Bucket(low, high, held) for low, high, held in zip(edges, edges[1:], tokens, strict=False)]
    total = wanted * sum(bucket.tokens for bucket in buckets)
    curve, slow = solve_curve(buckets, total, 7, start), slow_curve(buckets, total, 7, start)
    assert (curve is None) == (slow is None)
    if curve and slow:
        assert curve.power == pytest.approx(slow[0])
        assert curve.multiplicities == pytest.approx(slow[1], rel=0.02, abs=0.02)
        assert sum(m * b.tokens for m, b in zip(curve.multiplicities, buckets, strict=True)) == pytest.approx(total)
        assert max(curve.multiplicities) <= 7 * (1 + 1e-9)


def test_groups_get_their_shares_and_each_its_own_curve() -> None:
    def buckets(name: str) -> dict[str, Any]:
        return {f"{name}_{k}": {"percentiles": [k / 20, (k + 1) / 20]} for k in range(20)}

    nested = {
        "science": {"share": 0.75, "domains": buckets("science")},
        "fashion": {"share": 0.25, "domains": buckets("fashion")},
    }
    section = params(nested, solver="quality-curve", curve_start=0.4, max_epochs=7, budget=4_000_000)
    available = {name: 100_000 if name.startswith("fashion") else 75_000 for name in section.domains}
    mixture = solve(section, available)
    plans = {domain.name: domain for domain in mixture.domains}
    assert sum(plan.target_tokens for name, plan in plans.items() if name.startswith("science")) == 3_000_000
    science = solve_curve([Bucket(k / 20, (k + 1) / 20, 0.05) for k in range(20)], 2.0, 7, 0.4)
    fashion = solve_curve([Bucket(k / 20, (k + 1) / 20, 0.05) for k in range(20)], 0.5, 7, 0.4)
    assert science
    assert fashion
    for k in range(20):
        assert plans[f"science_{k}"].epochs == pytest.approx(science.multiplicities[k], abs=1e-4)
        assert plans[f"fashion_{k}"].epochs == pytest.approx(fashion.multiplicities[k], abs=1e-4)
    with pytest.raises(MixtureError, match="The largest budget for these shares is"):
        solve(section.model_copy(update={"budget": 9_000_000}), available)
    assert solve(section.model_copy(update={"budget": None}), available).tokens > 4_000_000


@pytest.mark.parametrize(
    ("domains", "more", "message"),
    [
        ({"a": {"percentiles": [0, 1]}}, {"curve_rate": 1}, "`curve_rate` needs `curve_power`"),
        ({"a": {"percentiles": [0, 1], "group": "g"}}, {}, "they differ in g"),
        (
            {"g": {"share": 0.5, "domains": {"a": {"percentiles": [0, 1]}}}},
            {},
            "groups must sum to 1, found 0.5: g 0.5",
        ),
        ({"g": {"domains": {"a": {"percentiles": [0, 1]}}}}, {}, "group 'g' needs a `share` and `domains`"),
        ({"a": {}}, {"solver": "natural", "groups": {"a": 1}}, "`groups` are for the solver `quality-curve`"),
    ],
)
def test_mistakes_in_groups_of_buckets_are_named(domains: Any, more: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        params(domains, **{"solver": "quality-curve", **more})


def test_a_curve_that_starts_above_every_bucket_is_refused() -> None:
    section = params({"a": {"percentiles": [0, 0.3]}}, solver="quality-curve", budget=10)
    with pytest.raises(MixtureError, match=r"every bucket lies below curve_start 0\.4"):
        solve(section, {"a": 100})
