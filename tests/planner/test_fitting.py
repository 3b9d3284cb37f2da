"""Laws fitted to runs: planted constants come back, public runs are predicted, and doubt is said where it is due."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.planner import plan, read_law
from pipeline.planner.fitting import FittedLaw, TrainingRuns, fit_law, isoflop_of, losses_at, predictions, search
from pipeline.planner.laws import BESIROGLU, effective_tokens
from pipeline.planner.own_law import law_text
from pipeline.planner.planner import Supply
from pipeline.tune.fit_law import doubts, read_runs
from stages.kernels.fitting.robust_fit import Array


def made(noise: float, unique: bool = False, seed: int = 0) -> TrainingRuns:
    """Runs of Besiroglu's law: 8 sizes x 5 numbers of tokens, some repeated up to 60 times."""
    generator = np.random.default_rng(seed)
    size = np.repeat(np.geomspace(5e7, 1.6e10, 8), 5)
    tokens = size * np.tile([2.0, 8, 20, 60, 200], 8)
    seen = tokens
    held = None
    if unique:
        held = tokens / generator.choice([1.0, 3, 12, 60], 40)
        seen = np.array([effective_tokens(u, d, 15.0) for u, d in zip(held, tokens, strict=True)])
    losses = np.array([BESIROGLU.loss(n, d) for n, d in zip(size, seen, strict=True)])
    losses = losses * np.exp(generator.normal(0, noise, 40))
    return TrainingRuns(tuple(f"r{k}" for k in range(40)), size, tokens, losses, held)


def constants(law: FittedLaw) -> list[float]:
    return [*np.exp(law.constants[:3]).tolist(), *law.constants[3:].tolist()]


def test_besiroglus_constants_come_back_from_runs_made_with_them() -> None:
    exact = fit_law(made(0.0), 20)
    assert constants(exact) == pytest.approx([1.8172, 482.01, 2085.43, 0.3478, 0.3658], rel=1e-3)
    law = fit_law(made(0.002), 200)
    assert constants(law)[0] == pytest.approx(1.8172, abs=0.03)
    assert constants(law)[3:] == pytest.approx([0.3478, 0.3658], abs=0.02)
    low, high = np.percentile(law.resamples, (1, 99), axis=0)
    truth = [np.log(1.8172), np.log(482.01), np.log(2085.43), 0.3478, 0.3658]
    assert (low <= truth).all()
    assert (truth <= high).all()
    assert law.identified.certain
    assert not [doubt for doubt in doubts(law) if "identified" in doubt]


def test_the_worth_of_repeats_comes_back_where_unique_tokens_are_given() -> None:
    law = fit_law(made(0.0005, unique=True), 50)
    assert np.exp(law.constants[5]) == pytest.approx(15.0, rel=0.1)
    assert constants(law)[3:5] == pytest.approx([0.3478, 0.3658], abs=0.01)
    text = law_text(law, "own")
    assert read_law(text, "own.json").repeats == pytest.approx(np.exp(law.constants[5]))


def test_runs_in_any_order_give_the_same_law() -> None:
    runs = made(0.002)
    order = np.random.default_rng(1).permutation(40)
    other = TrainingRuns(
        tuple(runs.names[r] for r in order), runs.parameters[order], runs.tokens[order], runs.losses[order]
    )
    assert law_text(fit_law(runs, 20), "a") == law_text(fit_law(other, 20), "a")


def test_the_profile_of_e_rises_on_both_sides_of_the_best() -> None:
    law = fit_law(made(0.01), 10)
    best = np.exp(law.constants[0])
    for side in (
        [r for e, r in law.identified.profile if e > best],
        [r for e, r in law.identified.profile if e < best],
    ):
        outward = np.array(side if side[0] < side[-1] else side[::-1])
        assert (np.diff(outward) > -0.02 * outward[:-1]).all(), outward


def test_an_interval_holds_nine_tenths_of_new_runs() -> None:
    inside = []
    for seed in range(6):
        law = fit_law(made(0.004, seed=seed), 100)
        fresh = made(0.004, seed=seed + 100)
        inside += [one.low <= (one.found or 0) <= one.high for one in predictions(law, fresh)]
    assert 0.82 <= np.mean(inside) <= 0.98


def test_one_bad_run_is_named_and_does_not_bend_the_law() -> None:
    runs = made(0.001)
    losses = runs.losses.copy()
    losses[39] *= 1.3
    law = fit_law(TrainingRuns(runs.names, runs.parameters, runs.tokens, losses), 30)
    assert constants(law)[3:] == pytest.approx([0.3478, 0.3658], abs=0.03)
    assert any("predicted outside" in doubt and "r39" in doubt for doubt in doubts(law))


def slow_loss(theta: Array, runs: TrainingRuns) -> float:
    total = 0.0
    for n, d, found in zip(runs.parameters, runs.tokens, runs.losses, strict=True):
        off = abs(
            np.log(np.exp(theta[0]) + np.exp(theta[1]) / n ** theta[3] + np.exp(theta[2]) / d ** theta[4])
            - np.log(found)
        )
        total += off**2 / 2 if off <= 1e-3 else 1e-3 * (off - 5e-4)
    return float(total)


def test_the_objective_is_hubers_loss_of_log_losses() -> None:
    runs = made(0.003)
    theta, objective, starts = search(runs)
    assert objective == pytest.approx(slow_loss(theta, runs), rel=1e-9)
    assert starts >= 144
    generator = np.random.default_rng(0)
    assert all(slow_loss(theta * (1 + generator.normal(0, 1e-3, 5)), runs) >= objective for _ in range(100))


def test_optima_of_equal_computes_are_on_the_line_they_were_put_on() -> None:
    size, tokens, losses = [], [], []
    for compute in (1e18, 1e19, 1e20, 1e21):
        best = 0.09 * compute**0.5
        for scale in (0.25, 0.5, 1.0, 2.0, 4.0):
            size.append(best * scale)
            tokens.append(compute / (6 * best * scale))
            losses.append(3.0 - 0.1 * np.log10(compute / 1e18) + 0.05 * np.log(scale) ** 2)
    runs = TrainingRuns(tuple(map(str, range(20))), np.array(size), np.array(tokens), np.array(losses))
    found = isoflop_of(runs)
    assert found is not None
    assert (found.k, found.exponent) == pytest.approx((0.09, 0.5), rel=1e-3)
    assert [loss for _, _, loss in found.levels] == pytest.approx([3.0, 2.9, 2.8, 2.7])
    assert isoflop_of(made(0.0)) is None


def test_too_few_runs_and_runs_that_do_not_vary_are_refused() -> None:
    runs = made(0.0)
    with pytest.raises(UserError, match="3 runs; at least 7 are needed; 1 model sizes; at least 3 are needed"):
        fit_law(runs.part(np.arange(40) < 3))
    alike = TrainingRuns(runs.names, runs.parameters, runs.tokens, runs.losses, runs.tokens)
    with pytest.raises(UserError, match="no run repeats any; leave the column out"):
        fit_law(alike)


def test_a_plan_by_a_law_of_ones_own_is_that_of_its_constants_with_intervals() -> None:
    own = read_law(law_text(fit_law(made(0.001), 50), "own"), "own.json")
    supplies = [Supply("web", 10**12, 1.0)]
    found = plan(supplies, compute=1e22, laws=[own, "besiroglu"])
    assert [row.law for row in found.laws] == ["own", "besiroglu"]
    assert found.laws[0].parameters == pytest.approx(found.laws[1].parameters, rel=0.1)
    assert found.laws[0].loss == pytest.approx(found.laws[1].loss or 0, rel=0.005)
    assert "of its resamples" in found.notes[0]
    assert found.constrained_by == "own"
    far = plan(supplies, compute=1e26, laws=[own])
    assert any("times beyond the runs" in note for note in far.notes)


@pytest.fixture(scope="module")
def ladder(shared: Path) -> Path:
    return shared / "reference" / "scaling"


def test_the_seven_billion_run_is_predicted_from_25_smaller_ones(ladder: Path) -> None:
    law = fit_law(read_runs(str(ladder / "olmo-ladder.csv")))
    assert constants(law) == pytest.approx([1.8590, 124.8, 33.8, 0.2720, 0.1566], rel=2e-3)
    target = read_runs(str(ladder / "olmo-ladder-target.csv"))
    one = predictions(law, target)[0]
    assert one.loss == pytest.approx(2.48291826, rel=1e-3)
    assert one.low <= 2.48291826 <= one.high
    assert one.high - one.low < 0.15
    assert not [doubt for doubt in doubts(law) if "not identified" in doubt]
    largest = law.runs.part(np.array([name == "3B-10xC" for name in law.runs.names]))
    assert losses_at(law.constants, largest.parameters, largest.tokens)[0] == pytest.approx(2.6634, abs=5e-4)


@pytest.mark.parametrize(("least", "runs"), [(0.5, 20), (1, 16)])
def test_the_ladder_without_its_largest_models_warns_that_constants_mean_nothing(
    least: float, runs: int, ladder: Path
) -> None:
    every = read_runs(str(ladder / "olmo-ladder.csv"))
    law = fit_law(every.part((every.parameters < 2e9) & (every.tokens > 19 * least * every.parameters)))
    assert len(law.runs.names) == runs
    assert any("E, A and B are not identified" in doubt for doubt in doubts(law))
    one = predictions(law, read_runs(str(ladder / "olmo-ladder-target.csv")))[0]
    assert one.low <= 2.48291826 <= one.high
