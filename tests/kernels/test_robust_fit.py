"""Robust least squares: what was planted is found, the slow twin finds nothing better, and outliers bend nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels.fitting.robust_fit import CHINCHILLA, LEAST_OFFSET, LOG_LINEAR, POWER, REPEATS, Array, minimise


def slow_value(curve: int, point: Array, theta: Array) -> float:
    """A curve from its docstring."""
    if curve == LOG_LINEAR:
        return float(np.exp(theta[0]) + np.exp(point @ theta[1:]))
    if curve == POWER:
        factor, offset, exponent = np.exp(theta[1:]).reshape(3, -1)
        return float(theta[0] + (factor * (offset + LEAST_OFFSET + point) ** -exponent).sum())
    e, a, b, alpha, beta = theta[:5]
    if curve == CHINCHILLA:
        return float(np.log(np.exp(e) + np.exp(a - alpha * point[0]) + np.exp(b - beta * point[1])))
    size, tokens, unique = point
    scale = np.exp(theta[5])
    worth = tokens if tokens <= unique else unique + unique * scale * (1 - np.exp(-(tokens / unique - 1) / scale))
    return float(np.log(np.exp(e) + np.exp(a - alpha * size) + worth**-beta * np.exp(b)))


def slow_loss(curve: int, points: Array, wanted: Array, theta: Array, delta: float) -> float:
    total = 0.0
    for point, value in zip(points, wanted, strict=True):
        size = abs(slow_value(curve, point, theta) - value)
        total += size**2 / 2 if size <= delta else delta * (size - delta / 2)
    return total


def problem(curve: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Points of a curve, and parameters."""
    if curve in (LOG_LINEAR, POWER):
        points = generator.dirichlet(np.ones(3), 40)
        theta = generator.normal(0, 0.5, 4 if curve == LOG_LINEAR else 10)
        return points, theta
    size, tokens = generator.uniform(18, 24, 40), generator.uniform(21, 27, 40)
    theta = np.array([0.6, 6.0, 7.5, 0.35, 0.37])
    if curve == CHINCHILLA:
        return np.stack([size, tokens], axis=1), theta
    unique = np.exp(tokens - generator.uniform(-1, 4, 40))
    return np.stack([size, np.exp(tokens), unique], axis=1), np.append(theta, np.log(15.0))


@pytest.mark.parametrize("curve", [LOG_LINEAR, POWER, CHINCHILLA, REPEATS])
def test_no_step_in_any_direction_is_better_than_what_is_found(curve: int) -> None:
    generator = np.random.default_rng(curve)
    points, theta = problem(curve, generator)
    wanted = np.array([slow_value(curve, point, theta) for point in points]) + generator.normal(0, 0.01, len(points))
    found, losses = minimise(curve, points, wanted[None], theta[None] + 0.01, delta=0.01, steps=2000, tolerance=1e-14)
    least = slow_loss(curve, points, wanted, found[0], 0.01)
    assert losses[0] == pytest.approx(least, rel=1e-9)
    assert least <= slow_loss(curve, points, wanted, theta, 0.01)
    for _ in range(200):
        moved = found[0] + generator.normal(0, 1, theta.size) * 10.0 ** generator.uniform(-5, -1)
        assert slow_loss(curve, points, wanted, moved, 0.01) >= least * (1 - 1e-7)


@pytest.mark.parametrize("curve", [LOG_LINEAR, CHINCHILLA, REPEATS])
def test_what_was_planted_is_found_whatever_a_few_points_say(curve: int) -> None:
    points, theta = problem(curve, np.random.default_rng(7))
    wanted = np.array([slow_value(curve, point, theta) for point in points])
    wanted[:3] += 5
    found, _ = minimise(curve, points, wanted[None], theta[None] + 0.05, delta=1e-6, steps=5000, tolerance=1e-15)
    assert found[0] == pytest.approx(theta, abs=2e-3)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=30, max_size=30).filter(lambda drawn: sum(map(bool, drawn)) > 12))
def test_weights_are_points_written_so_often(drawn: list[int]) -> None:
    points, theta = problem(LOG_LINEAR, np.random.default_rng(3))
    points = points[:30]
    wanted = np.array([slow_value(LOG_LINEAR, point, theta) for point in points])
    wanted += np.random.default_rng(4).normal(0, 0.05, 30)
    start = np.zeros((1, 4))
    _, loss = minimise(LOG_LINEAR, points, wanted[None], start, delta=0.02, weights=np.array([drawn], float))
    _, other = minimise(LOG_LINEAR, np.repeat(points, drawn, 0), np.repeat(wanted, drawn)[None], start, delta=0.02)
    assert loss == pytest.approx(other, rel=1e-6)


def test_problems_do_not_touch_each_other_and_a_hopeless_start_is_reported() -> None:
    points, theta = problem(LOG_LINEAR, np.random.default_rng(5))
    wanted = np.array([[slow_value(LOG_LINEAR, point, theta + k) for point in points] for k in range(3)])
    starts = np.array([theta, theta, np.full(4, 1e4), theta])
    found, losses = minimise(LOG_LINEAR, points, wanted, starts, delta=0.02, row_of=np.array([0, 1, 1, 2]))
    alone, _ = minimise(LOG_LINEAR, points, wanted[1:2], starts[1:2], delta=0.02)
    assert (found[1] == alone[0]).all()
    assert losses[2] == np.inf
    assert (found[2] == 1e4).all()
    none, of_none = minimise(LOG_LINEAR, np.empty((0, 3)), np.empty((1, 0)), theta[None], delta=0.02)
    assert (none[0] == theta).all()
    assert of_none[0] == 0
