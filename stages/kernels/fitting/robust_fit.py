"""Robust least squares of many small problems: Levenberg-Marquardt on Huber's loss.

For curves of 2 to 100 parameters and up to some thousand points: scaling laws, mixture regressions. A problem is one
start for one row of wanted values under one row of weights, so a bootstrap is many rows of weights.
Huber's loss is minimised by reweighting (each residual by min(1, delta / |residual|) of the present step, Holland &
Welsch 1977). A step solves (H + damping x diagonal of H) step = gradient (Marquardt 1963), and is taken only where the
loss falls; damping falls to a fifth after a step that is taken, and grows sixfold after one that is not.

Legend: S problems, N points, D numbers of a point, P parameters, K rows of wanted values, B rows of weights.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import inline_kernel, kernel

Array = npt.NDArray[np.float64]
LOG_LINEAR, POWER, CHINCHILLA, REPEATS = 0, 1, 2, 3
"""Curves. With a point x and parameters in this order:

LOG_LINEAR: e^c + e^(x . t); c, t_1 ... t_D.
POWER: c + sum F_i (a_i + LEAST_OFFSET + x_i)^-g_i; c, log F_i ..., log a_i ..., log g_i ....
CHINCHILLA: log(E + A / N^alpha + B / T^beta) of a point (log N, log T); log E, log A, log B, alpha, beta.
REPEATS: the same of a point (log N, T, U) whose T tokens are passes over U unique ones, worth
    U + U R (1 - e^(-(T / U - 1) / R)) (Muennighoff et al. 2023, eq. 5); a sixth parameter, log R.
"""
LEAST_OFFSET = 1e-3
"""Shares of 0 must not give an infinite loss."""


def minimise(
    curve: int,
    points: Array,
    wanted: Array,
    starts: Array,
    *,
    delta: float,
    row_of: npt.NDArray[np.int64] | None = None,
    weights: Array | None = None,
    weights_of: npt.NDArray[np.int64] | None = None,
    ridge: float = 0.0,
    steps: int = 200,
    tolerance: float = 1e-10,
) -> tuple[Array, Array]:
    """Parameters (S, P) and losses (S,): the least sum of weight x Huber's loss + ridge / 2 x squared parameters.

    Args:
        points: (N, D).
        wanted: (K, N), what the curve is to be at the points.
        starts: (S, P). A start at which the loss is not finite is given back with a loss of infinity.
        row_of: (S,), the row of ``wanted`` of each problem; 0 where absent.
        weights: (B, N), not negative, as how often a resample draws a point; 1 where absent.
        weights_of: (S,), the row of ``weights`` of each problem; 0 where absent.
        tolerance: a problem ends when two steps in a row lower its loss by a smaller part than this.
    """
    count = len(starts)
    none = np.zeros(count, np.int64)
    theta = np.array(starts, dtype=np.float64, order="C")
    losses = np.empty(count)
    _minimise(
        curve,
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(wanted, np.float64),
        none if row_of is None else np.ascontiguousarray(row_of, np.int64),
        np.ones((1, len(points))) if weights is None else np.ascontiguousarray(weights, np.float64),
        none if weights_of is None else np.ascontiguousarray(weights_of, np.int64),
        delta,
        ridge,
        steps,
        tolerance,
        theta,
        losses,
    )
    return theta, losses


@kernel
def _minimise(  # type: ignore[no-untyped-def]
    curve, points_ND, wanted_KN, row_S, weights_BN, weights_row_S, delta, ridge, steps, tolerance, theta_SP, loss_S
):
    parameters = theta_SP.shape[1]
    hessian_PP, factor_PP = np.empty((parameters, parameters)), np.empty((parameters, parameters))
    gradient_P, step_P = np.empty(parameters), np.empty(parameters)
    tried_P, slope_P = np.empty(parameters), np.empty(parameters)
    for s in range(theta_SP.shape[0]):
        theta_P, wanted_N, weight_N = theta_SP[s], wanted_KN[row_S[s]], weights_BN[weights_row_S[s]]
        loss = _loss(curve, points_ND, wanted_N, weight_N, delta, ridge, theta_P, slope_P)
        damping, still, fresh = 1e-2, 0, False
        for _ in range(steps):
            if not math.isfinite(loss) or still == 2 or damping > 1e10:
                break
            if not fresh:
                _normal_equations(
                    curve, points_ND, wanted_N, weight_N, delta, ridge, theta_P, slope_P, hessian_PP, gradient_P
                )
                fresh = True
            if not _solve(hessian_PP, gradient_P, damping, factor_PP, step_P):
                damping *= 6.0
                continue
            for p in range(parameters):
                tried_P[p] = theta_P[p] - step_P[p]
            found = _loss(curve, points_ND, wanted_N, weight_N, delta, ridge, tried_P, slope_P)
            if found < loss:
                still = still + 1 if loss - found <= tolerance * loss else 0
                loss, fresh = found, False
                theta_P[:] = tried_P
                damping = max(damping * 0.2, 1e-12)
            else:
                damping *= 6.0
        loss_S[s] = loss if math.isfinite(loss) else np.inf


@inline_kernel
def _loss(curve, points_ND, wanted_N, weight_N, delta, ridge, theta_P, slope_P):  # type: ignore[no-untyped-def]
    total = 0.0
    for n in range(points_ND.shape[0]):
        if weight_N[n] > 0.0:
            size = abs(_value(curve, points_ND[n], theta_P, slope_P, False) - wanted_N[n])
            total += weight_N[n] * (0.5 * size * size if size <= delta else delta * (size - 0.5 * delta))
    for p in range(theta_P.size):
        total += 0.5 * ridge * theta_P[p] * theta_P[p]
    return total


@inline_kernel
def _normal_equations(  # type: ignore[no-untyped-def]
    curve, points_ND, wanted_N, weight_N, delta, ridge, theta_P, slope_P, hessian_PP, gradient_P
):
    """The lower half of the weighted J'J, and the gradient."""
    for p in range(theta_P.size):
        gradient_P[p] = ridge * theta_P[p]
        for q in range(p + 1):
            hessian_PP[p, q] = ridge if p == q else 0.0
    for n in range(points_ND.shape[0]):
        if weight_N[n] > 0.0:
            residual = _value(curve, points_ND[n], theta_P, slope_P, True) - wanted_N[n]
            weight = weight_N[n] if abs(residual) <= delta else weight_N[n] * delta / abs(residual)
            for p in range(theta_P.size):
                left = weight * slope_P[p]
                if left != 0.0:
                    gradient_P[p] += left * residual
                    for q in range(p + 1):
                        hessian_PP[p, q] += left * slope_P[q]


@inline_kernel
def _solve(hessian_PP, gradient_P, damping, factor_PP, step_P):  # type: ignore[no-untyped-def]
    """By Cholesky's factors; False where there are none. A parameter that changes nothing stays where it is."""
    size = gradient_P.size
    largest = 1e-300
    for p in range(size):
        largest = max(largest, hessian_PP[p, p])
    for p in range(size):
        for q in range(p + 1):
            total = hessian_PP[p, q]
            if p == q:
                total += damping * max(hessian_PP[p, p], 1e-12 * largest) + 1e-14 * largest
            for k in range(q):
                total -= factor_PP[p, k] * factor_PP[q, k]
            if p > q:
                factor_PP[p, q] = total / factor_PP[q, q]
            elif total > 0.0:
                factor_PP[p, p] = math.sqrt(total)
            else:
                return False
    for p in range(size):
        total = gradient_P[p]
        for k in range(p):
            total -= factor_PP[p, k] * step_P[k]
        step_P[p] = total / factor_PP[p, p]
    for p in range(size - 1, -1, -1):
        total = step_P[p]
        for k in range(p + 1, size):
            total -= factor_PP[k, p] * step_P[k]
        step_P[p] = total / factor_PP[p, p]
    return True


@inline_kernel
def _value(curve, point_D, theta_P, slope_P, sloped):  # type: ignore[no-untyped-def]
    """The curve at a point, and with ``sloped`` its slope by every parameter."""
    if curve == LOG_LINEAR:
        exponent = 0.0
        for d in range(point_D.size):
            exponent += point_D[d] * theta_P[d + 1]
        constant, moving = math.exp(theta_P[0]), math.exp(exponent)
        if sloped:
            slope_P[0] = constant
            for d in range(point_D.size):
                slope_P[d + 1] = moving * point_D[d]
        return constant + moving
    if curve == POWER:
        domains, total = point_D.size, theta_P[0]
        slope_P[0] = 1.0
        for d in range(domains):
            offset, exponent = math.exp(theta_P[1 + domains + d]), math.exp(theta_P[1 + 2 * domains + d])
            inside = offset + LEAST_OFFSET + point_D[d]
            log_inside = math.log(inside)
            term = math.exp(theta_P[1 + d] - exponent * log_inside)
            total += term
            if sloped:
                slope_P[1 + d] = term
                slope_P[1 + domains + d] = -term * exponent * offset / inside
                slope_P[1 + 2 * domains + d] = -term * log_inside * exponent
        return total
    log_tokens, by_scale = point_D[1], 0.0
    if curve == REPEATS:
        tokens, unique, scale = point_D[1], point_D[2], max(math.exp(theta_P[5]), 1e-12)
        repeats = max(tokens / unique - 1.0, 0.0)
        shrunk = math.exp(-repeats / scale)
        worth = min(tokens, unique) + unique * scale * (1.0 - shrunk)
        log_tokens = math.log(worth)
        by_scale = unique * scale * (1.0 - shrunk - repeats / scale * shrunk) / worth
    by_size, by_tokens = theta_P[1] - theta_P[3] * point_D[0], theta_P[2] - theta_P[4] * log_tokens
    most = max(theta_P[0], by_size, by_tokens)
    first, second, third = math.exp(theta_P[0] - most), math.exp(by_size - most), math.exp(by_tokens - most)
    total = first + second + third
    if sloped:
        slope_P[0], slope_P[1], slope_P[2] = first / total, second / total, third / total
        slope_P[3], slope_P[4] = -second / total * point_D[0], -third / total * log_tokens
        if curve == REPEATS:
            slope_P[5] = -third / total * theta_P[4] * by_scale
    return most + math.log(total)
