"""The mixture solver: what the shares, caps and policies promise."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.mixture import Mixture, MixtureError, MixtureParams, parse_tokens, read_weights, solve, swarm


def params(domains: dict[str, dict[str, Any]], **more: Any) -> MixtureParams:
    return MixtureParams.model_validate({"domains": domains, "max_epochs": 4, **more})


def test_nothing_is_repeated_unless_the_file_says_so() -> None:
    halves = {"domains": {"a": {"share": 0.5}, "b": {"share": 0.5}}}
    available = {"a": 100, "b": 900}
    once = solve(MixtureParams.model_validate(halves), available)
    assert once.targets == {"a": 100, "b": 100}
    assert [domain.max_epochs for domain in once.domains] == [1, 1]
    assert solve(MixtureParams.model_validate({**halves, "max_epochs": 4}), available).targets["a"] == 400
    with pytest.raises(MixtureError, match=r"x 1 epochs.*raise max_epochs \(1 where the file does not say"):
        solve(MixtureParams.model_validate({**halves, "budget": 400}), available)
    said = MixtureParams.model_validate({"domains": {"a": {"epochs": 3}, "b": {"share": 1}}})
    assert solve(said, available).targets == {"a": 300, "b": 900}


@st.composite
def problems(draw: st.DrawFn) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Domains with shares that sum to 1 and, sometimes, one with epochs."""
    count = draw(st.integers(1, 6))
    weights = draw(st.lists(st.integers(1, 100), min_size=count, max_size=count))
    names = [f"d{i}" for i in range(count)]
    domains: dict[str, dict[str, Any]] = {n: {"share": w / sum(weights)} for n, w in zip(names, weights, strict=True)}
    for name in names:
        if draw(st.booleans()):
            domains[name]["max_epochs"] = draw(st.sampled_from([0.5, 1, 2, 7]))
    if draw(st.booleans()):
        domains["whole"] = {"epochs": draw(st.sampled_from([0.25, 1, 3]))}
    available = {name: draw(st.integers(1, 10**6)) for name in domains}
    return domains, available


def cap(domains: dict[str, dict[str, Any]], available: dict[str, int], name: str) -> Fraction:
    return Fraction(domains[name].get("max_epochs", 4)) * available[name]


@settings(deadline=None)
@given(problems())
def test_without_a_budget_the_largest_that_keeps_the_shares_is_taken(problem: Any) -> None:
    domains, available = problem
    mixture = solve(params(domains), available)
    assert mixture.tokens == mixture.requested_budget == mixture.max_budget
    assert any(domain.binding for domain in mixture.domains)
    free = mixture.tokens - sum(d.target_tokens for d in mixture.domains if d.name == "whole")
    for domain in mixture.domains:
        assert domain.target_tokens <= cap(domains, available, domain.name)
        if domain.name != "whole":
            assert abs(domain.target_tokens - domains[domain.name]["share"] * free) <= len(domains)


@settings(deadline=None)
@given(problems(), st.integers(1, 10**7), st.sampled_from(["error", "shrink", "redistribute"]))
def test_targets_keep_caps_and_sum_to_the_tokens(problem: Any, budget: int, policy: str) -> None:
    domains, available = problem
    try:
        mixture = solve(params(domains, budget=budget, on_shortfall=policy), available)
    except MixtureError:
        assume(False)
    assert sum(mixture.targets.values()) == mixture.tokens
    assert mixture.tokens == (mixture.max_budget if policy == "shrink" and mixture.tokens < budget else budget)
    assert all(mixture.targets[name] <= cap(domains, available, name) for name in domains)
    assert sum(domain.requested_tokens for domain in mixture.domains) == mixture.requested_budget


@settings(deadline=None)
@given(problems(), st.integers(1, 10**7), st.randoms())
def test_order_of_the_domains_does_not_matter(problem: Any, budget: int, random: Any) -> None:
    domains, available = problem
    shuffled = list(domains)
    random.shuffle(shuffled)
    outcomes = []
    for order in (list(domains), shuffled):
        try:
            outcomes.append(solve(params({name: domains[name] for name in order}, budget=budget), available))
        except MixtureError as error:
            outcomes.append(error.args)  # type: ignore[arg-type]
    assert outcomes[0] == outcomes[1]


@settings(deadline=None)
@given(problems(), st.floats(1, 8), st.floats(1, 8))
def test_the_largest_budget_grows_with_the_caps(problem: Any, one: float, two: float) -> None:
    domains, available = problem
    domains = {name: {k: v for k, v in domain.items() if k != "max_epochs"} for name, domain in domains.items()}
    domains.pop("whole", None)
    low, high = (solve(params(domains, max_epochs=cap), available) for cap in sorted((one, two)))
    assert low.tokens <= high.tokens


def slow_water_fill(shares: dict[str, float], caps: dict[str, float], total: float) -> dict[str, float]:
    """Raise all levels together by bisection on the multiplier of the shares."""
    low, high = 0.0, 1e18
    for _ in range(300):
        middle = (low + high) / 2
        if sum(min(caps[n], middle * shares[n]) for n in shares) < total:
            low = middle
        else:
            high = middle
    return {n: min(caps[n], high * shares[n]) for n in shares}


@settings(deadline=None)
@given(problems(), st.floats(0.01, 1))
def test_redistribution_is_water_filling(problem: Any, part: float) -> None:
    domains, available = problem
    domains.pop("whole", None)
    caps = {name: float(cap(domains, available, name)) for name in domains}
    budget = int(part * sum(caps.values()))
    assume(budget >= 1)
    try:
        mixture = solve(params(domains, budget=budget, on_shortfall="redistribute"), available)
    except MixtureError:  # caps that are not whole numbers lose up to a token each
        assert budget > sum(int(value) for value in caps.values())
        return
    expected = slow_water_fill({n: d["share"] for n, d in domains.items()}, caps, budget)
    for name, tokens in mixture.targets.items():
        assert abs(tokens - expected[name]) <= len(domains) + 1e-6 * budget


def test_shares_divide_what_the_domains_with_epochs_leave() -> None:
    mixture = solve(
        params({"web": {"share": 0.75}, "code": {"share": 0.25}, "books": {"epochs": 2}}, budget=1000),
        {"web": 10000, "code": 10000, "books": 100},
    )
    assert mixture.targets == {"books": 200, "code": 200, "web": 600}


def test_remainders_go_to_the_largest_fractions_then_by_name() -> None:
    mixture = solve(
        params({"c": {"share": 0.25}, "a": {"share": 0.25}, "b": {"share": 0.5}}, budget=10), {"a": 9, "b": 9, "c": 9}
    )
    assert mixture.targets == {"a": 3, "b": 5, "c": 2}


def solved(policy: str, budget: int | str = "2k") -> Mixture:
    return solve(
        params({"a": {"share": 0.5}, "b": {"share": 0.5}}, budget=budget, on_shortfall=policy), {"a": 100, "b": 900}
    )


def test_each_shortfall_policy() -> None:
    with pytest.raises(MixtureError, match=r"'a' has 100 tokens x 4 epochs, 1,000 wanted.*largest budget.* is 800"):
        solved("error")
    assert solved("shrink").targets == {"a": 400, "b": 400}
    assert solved("redistribute").targets == {"a": 400, "b": 1600}
    with pytest.raises(MixtureError, match="beyond all caps: they allow 4,000 tokens"):
        solved("redistribute", 4001)


@pytest.mark.parametrize(
    ("domains", "more", "message"),
    [
        ({"a": {"share": 0.5}, "b": {"share": 0.4}}, {}, "shares must sum to 1, found 0.9"),
        ({"a": {"share": 1, "epochs": 1}}, {}, "exactly one of `share` and `epochs`"),
        ({"a": {}}, {}, "exactly one of `share` and `epochs`"),
        ({"a": {"epochs": 5}}, {"max_epochs": 4}, "epochs 5 is above max_epochs 4"),
        ({"a": {"share": 1}}, {"budget": "ten"}, "not a number of tokens"),
        ({"a": {"share": 1}}, {"budget": 0}, "whole, positive"),
        ({"a": {"share": 1}}, {"budget": "1.0001k"}, "whole, positive"),
        ({"a": {"share": 1.5}}, {}, "less than or equal to 1"),
        ({"a": {"shares": 1}}, {}, "shares"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(domains: Any, more: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        params(domains, **more)


@pytest.mark.parametrize(
    ("domains", "budget", "available", "message"),
    [
        ({"a": {"share": 1}}, None, {"b": 5}, "domain 'a' is not among those with tokens"),
        ({"a": {"share": 1}}, None, {"a": 0}, "domain 'a' has no tokens"),
        ({"a": {"epochs": 2}}, 10, {"a": 10}, "more than the budget"),
        ({"a": {"epochs": 1}}, 11, {"a": 10}, "every domain has `epochs`"),
    ],
)
def test_a_mixture_that_the_tokens_do_not_allow_is_refused(
    domains: Any, budget: Any, available: Any, message: str
) -> None:
    with pytest.raises(MixtureError, match=message):
        solve(params(domains, budget=budget), available)


def test_numbers_of_tokens_as_people_write_them() -> None:
    written = {"10M": 10**7, "2.5B": 25 * 10**8, "1_000k": 10**6, "3e9": 3 * 10**9, "1T": 10**12, " 7 ": 7, 5: 5}
    assert {text: parse_tokens(text) for text in written} == written


# Published rules


UNIMAX = {
    "fao": (549_707_867, 2_198_831_468, 0.008795325872, 4.0),
    "isl": (10_027_573_389, 40_110_293_556, 0.160441174224, 4.0),
    "ekk": (42_541_080_893, 69_230_291_658, 0.276921166635, 1.627375),
    "swe": (179_955_884_499, 69_230_291_658, 0.276921166635, 0.384707),
    "fas": (184_595_788_282, 69_230_291_658, 0.276921166635, 0.375037),
}
"""Tokens, tokens taken, share and epochs at N = 4 and 250e9 tokens: the table in the README of unimax-sampling."""


def test_unimax_gives_the_published_table() -> None:
    available = {name: row[0] for name, row in UNIMAX.items()}
    mixture = solve(params({name: {} for name in UNIMAX}, solver="unimax", budget="250B"), available)
    assert mixture.tokens == 250 * 10**9
    for domain in mixture.domains:
        _, taken, share, epochs = UNIMAX[domain.name]
        assert 0 <= domain.target_tokens - taken <= 1
        assert domain.target_share == pytest.approx(share, abs=1e-11)
        assert domain.epochs == pytest.approx(epochs, abs=1e-6)
        assert domain.binding == (domain.name in ("fao", "isl"))


def test_unimax_without_caps_is_uniform_and_beyond_all_caps_is_refused() -> None:
    domains = {"a": {"max_epochs": 1000}, "b": {"max_epochs": 1000}, "c": {"max_epochs": 1000}}
    assert solve(params(domains, solver="unimax", budget=300), {"a": 1, "b": 50, "c": 7}).targets == {
        "a": 100,
        "b": 100,
        "c": 100,
    }
    with pytest.raises(MixtureError, match="beyond all caps: they allow 40 tokens"):
        solve(params({"a": {}, "b": {}}, solver="unimax", budget=41), {"a": 5, "b": 5})
    shrunk = solve(params({"a": {}, "b": {}}, solver="unimax", budget=41, on_shortfall="shrink"), {"a": 5, "b": 5})
    assert shrunk.targets == {"a": 20, "b": 20}


def test_temperature_lifts_small_domains_past_any_cap() -> None:
    available = {name: row[0] for name, row in UNIMAX.items()}
    domains = {name: {"max_epochs": 100} for name in UNIMAX}
    mixture = solve(params(domains, solver="temperature", alpha=0.3, budget="250B"), available)
    assert next(d for d in mixture.domains if d.name == "fao").epochs == pytest.approx(24.6, abs=0.05)
    assert solve(params(domains, solver="temperature", alpha=1, budget=1000), available).targets == (
        solve(params(domains, solver="natural", budget=1000), available).targets
    )


def test_groups_multiply_their_shares() -> None:
    nested = {
        "web": {"share": 0.3, "domains": {"good": {"share": 0.7}, "poor": {"share": 0.3}}},
        "code": {"share": 0.7},
    }
    mixture = solve(params(nested, budget=1000), {"good": 999, "poor": 999, "code": 999})
    assert mixture.targets == {"good": 210, "poor": 90, "code": 700}
    with pytest.raises(ValidationError, match=r"inside group 'web' must sum to 1, found 0\.9"):
        params({"web": {"share": 1, "domains": {"a": {"share": 0.9}}}})
    with pytest.raises(ValidationError, match="stands in the mixture twice"):
        params({"web": {"share": 0.5, "domains": {"a": {"share": 1}}}, "a": {"share": 0.5}})


def test_imported_weights_warn_of_another_tokenizer() -> None:
    doremi = {"Pile-CC": 0.6057, "OpenWebText2": 0.1019, "Wikipedia": 0.0699, "Rest": 0.2226}  # rounded: sums to 1.0001
    weights = read_weights(json.dumps({"train_domain_weights": doremi}).encode())
    section = {"solver": "imported", "budget": 10**6, "imported": weights.model_dump()}
    available = dict.fromkeys(doremi, 10**6)
    mixture = solve(params({name: {} for name in doremi}, **section), available, {"sha256": "ab" * 32})
    assert mixture.targets["Pile-CC"] == round(0.6057 / 1.0001 * 10**6)
    assert "do not say which tokenizer" in mixture.warnings[0]
    section["imported"]["tokenizer_sha256"] = "cd" * 32  # type: ignore[index]
    mixture = solve(params({name: {} for name in doremi}, **section), available, {"sha256": "ab" * 32})
    assert "another tokenizer" in mixture.warnings[0]
    section["imported"]["shares"] |= {"Rest": 0.0, "Pile-CC": 0.8282}  # type: ignore[index]
    empty = {**available, "Rest": 0}  # as `fit` proposes it: an empty bucket at a share of 0
    assert solve(params({name: {} for name in doremi}, **section), empty).targets["Rest"] == 0
    with pytest.raises(MixtureError, match="domain 'Pile-CC' has no tokens"):
        solve(params({name: {} for name in doremi}, **section), {**empty, "Pile-CC": 0})
    with pytest.raises(ValidationError, match="they differ in Rest"):
        params({name: {} for name in doremi if name != "Rest"}, **section)


OLMO2_50B = {  # Dolmino mid-training, 50B column: tokens in billions, percent used, percent of the mix
    "DCLM": (752, 3.23, 47.2),
    "FLAN": (17.0, 50, 16.6),
    "StackExchange": (1.26, 100, 2.45),
    "peS2o": (58.6, 5.15, 5.85),
    "Wikipedia": (3.7, 100, 7.11),
    "Math": (10.7, 100, 20.8),
}


def test_epochs_give_the_published_mid_training_mix() -> None:
    available = {name: int(row[0] * 1e9) for name, row in OLMO2_50B.items()}
    mixture = solve(params({name: {"epochs": row[1] / 100} for name, row in OLMO2_50B.items()}), available)
    for domain in mixture.domains:
        assert 100 * domain.target_share == pytest.approx(OLMO2_50B[domain.name][2], abs=0.1)


def test_the_table_of_skywork_is_a_mixture() -> None:
    english = {"web": 0.398, "books": 0.036, "papers": 0.03, "encyclopaedia": 0.005, "misc": 0.029}
    chinese = {"web": 0.304, "social": 0.055, "encyclopaedia": 0.008, "misc": 0.031}
    domains = {
        f"{language} {name}": {"share": share}
        for language, part in (("en", english), ("zh", chinese))
        for name, share in part.items()
    }
    domains |= {"other languages": {"share": 0.024}, "code": {"share": 0.08}}
    mixture = solve(params(domains, budget="3.1T"), dict.fromkeys(domains, 10**12))
    assert mixture.targets["en web"] == 1_233_800_000_000


@given(st.integers(0, 5), st.floats(0.05, 1))
@settings(deadline=None, max_examples=30)
def test_a_swarm_keeps_caps_and_sums_to_one(seed: int, part: float) -> None:
    available = {"a": 1000, "b": 30_000, "c": 500_000}
    budget = int(part * 4 * sum(available.values()))
    mixtures = swarm(available, 10, seed=seed, budget=budget)
    assert mixtures == swarm(dict(reversed(available.items())), 10, seed=seed, budget=budget)
    for shares in mixtures:
        assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
        assert all(share * budget <= 4 * available[name] * (1 + 1e-12) for name, share in shares.items())


def test_a_swarm_scatters_around_its_prior() -> None:
    available = dict.fromkeys("abcd", 10**9)
    mixtures = swarm(available, 400, seed=1, budget=1000, prior={"a": 0.7, "b": 0.2, "c": 0.1})
    means = {name: sum(shares[name] for shares in mixtures) / 400 for name in available}
    assert means["a"] == pytest.approx(0.7, abs=0.06)
    assert means["d"] == 0
    assert len({tuple(shares.values()) for shares in mixtures}) > 150
    with pytest.raises(MixtureError, match="beyond all caps"):
        swarm({"a": 10}, 1, seed=0, budget=41)
