"""The S-curve: with which probability two texts of a similarity are found, for a choice of bands and rows.

Two texts of Jaccard index J share a band of r minima with probability J**r, so at least one of b bands with
1 - (1 - J**r)**b; then their sketches must differ in no more bits than `buckets.bit_bounds` allows (binomial). What
is found is verified, so bands cost time, never precision.
"""

from __future__ import annotations

from math import comb

from stages.clusters.params import Params
from stages.kernels.dedup.band_buckets import bit_bounds
from stages.kernels.dedup.minhash import SKETCH_BITS

SIMILARITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
STEPS = 200


def found_probability(params: Params, similarity: float, permutations: int = 112) -> float:
    """Probability that a pair of this Jaccard index becomes a candidate."""
    meets: float = 1.0 - (1.0 - similarity**params.rows) ** params.bands
    bits = min(permutations, SKETCH_BITS)
    _, far = bit_bounds(params.threshold, permutations)
    differs = (1.0 - similarity) / 2.0
    passes = sum(comb(bits, k) * differs**k * (1.0 - differs) ** (bits - k) for k in range(min(far, bits) + 1))
    return meets * passes


def mean_recall(params: Params, permutations: int = 112) -> float:
    """Mean of `found_probability` from the threshold to 1: recall if similarities are spread evenly."""
    width = (1.0 - params.threshold) / STEPS
    points = [params.threshold + (step + 0.5) * width for step in range(STEPS)] if width else [1.0]
    return sum(found_probability(params, point, permutations) for point in points) / len(points)


def curve_lines(params: Params, permutations: int = 112) -> list[str]:
    """The curve as text for ``plan``: similarity, probability, bar; the threshold is marked."""
    lines = [
        f"{params.bands} bands x {params.rows} rows of {permutations} permutations; pairs of Jaccard similarity (J)"
        f" {params.threshold:g} and more are removed after verification"
    ]
    for similarity in sorted({*SIMILARITIES, params.threshold}):
        found = found_probability(params, similarity, permutations)
        mark = "  <- threshold" if similarity == params.threshold else ""
        lines.append(f"  J {similarity:4.2f}  found {found:8.4%}  {'#' * round(40 * found)}{mark}")
    lines.append(f"  mean recall from the threshold up: {mean_recall(params, permutations):.3%}")
    if mean_recall(params, permutations) < 0.99:
        lines.append("  below 99%: take more bands or fewer rows (bands x rows may not exceed the permutations)")
    return lines
