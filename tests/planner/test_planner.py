"""The laws give the figures their papers print, and a plan says truly what is missing and what binds."""

from __future__ import annotations

from math import exp, inf, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.planner import (
    DEFAULT_LAWS,
    LAWS,
    Law,
    compute_of_gpus,
    disk_table,
    domain_table,
    law_table,
    phase_table,
    plan,
    render,
    repeats_table,
    supplies_of,
    yield_table,
)
from pipeline.planner.laws import (
    BESIROGLU,
    HOFFMANN_1,
    HOFFMANN_2,
    HOFFMANN_3,
    HOFFMANN_3_PRINTED,
    KAPLAN,
    MUENNIGHOFF,
    Parametric,
    data_constrained_optimum,
    effective_tokens,
)
from pipeline.planner.planner import Supply, domain_rows, largest_corpus, mixture_optimum
from pipeline.planner.tables import amount
from stages.mixture import MixtureParams, PhasesParams, solve, solve_phases

HOFFMANN_TABLES = [
    # parameters; then FLOP and tokens of approach 1 (table 3), 2 and 3 (table A3)
    (400e6, 1.92e19, 8.0e9, 1.84e19, 7.7e9, 2.21e19, 9.2e9),
    (1e9, 1.21e20, 20.2e9, 1.20e20, 20.0e9, 1.62e20, 27.1e9),
    (10e9, 1.23e22, 205.1e9, 1.32e22, 219.5e9, 2.46e22, 410.1e9),
    (67e9, 5.76e23, 1.5e12, 6.88e23, 1.7e12, 1.71e24, 4.1e12),
    (175e9, 3.85e24, 3.7e12, 4.54e24, 4.3e12, 1.26e25, 12.0e12),  # printed 1.26e24, which is not 6ND
    (280e9, 9.90e24, 5.9e12, 1.18e25, 7.1e12, 3.52e25, 20.1e12),
    (520e9, 3.43e25, 11.0e12, 4.19e25, 13.4e12, 1.36e26, 43.5e12),
    (1e12, 1.27e26, 21.2e12, 1.59e26, 26.5e12, 5.65e26, 94.1e12),
    (10e12, 1.30e28, 216.2e12, 1.75e28, 292.0e12, 8.55e28, 1425.5e12),
]


@pytest.mark.parametrize(("law", "column", "tolerance"), [(HOFFMANN_1, 1, 0.06), (HOFFMANN_2, 3, 0.05)])
def test_power_laws_follow_hoffmanns_tables(law: Law, column: int, tolerance: float) -> None:
    for row in HOFFMANN_TABLES:
        best = law.optimum(row[column])
        assert best.parameters == pytest.approx(row[0], rel=tolerance)
        assert best.tokens == pytest.approx(row[column + 1], rel=tolerance)


def test_unrounded_approach_three_follows_its_table_and_the_printed_constants_do_not() -> None:
    for row in HOFFMANN_TABLES:
        assert HOFFMANN_3.optimum_for_model(row[0]).tokens == pytest.approx(row[6], rel=0.2)
        ratio = HOFFMANN_3_PRINTED.optimum_for_model(row[0]).tokens / row[6]
        assert 1.5 < ratio < 2.3


def test_every_row_of_hoffmanns_tables_is_six_n_d() -> None:
    for row in HOFFMANN_TABLES:
        for column in (1, 3, 5):
            assert 6 * row[0] * row[column + 1] == pytest.approx(row[column], rel=0.05)


@pytest.mark.parametrize(
    ("law", "parameters", "tokens"),
    [
        (HOFFMANN_3_PRINTED, 32.2e9, 2.98e12),
        (HOFFMANN_3, 40.3e9, 2.38e12),
        (BESIROGLU, 72.2e9, 1.33e12),
        (MUENNIGHOFF, 70.0e9, 1.37e12),
    ],
)
def test_laws_at_the_compute_of_gopher(law: Parametric, parameters: float, tokens: float) -> None:
    best = law.optimum(5.76e23)
    assert best.parameters == pytest.approx(parameters, rel=2e-3)
    assert best.tokens == pytest.approx(tokens, rel=4e-3)


def test_muennighoffs_ratio_is_the_same_at_every_compute() -> None:
    for compute in (1e18, 1e22, 1e26):
        best = MUENNIGHOFF.optimum(compute)
        assert best.tokens / best.parameters == pytest.approx(19.6, abs=0.05)


def test_kaplan_at_a_petaflop_day() -> None:
    assert KAPLAN.optimum(86400e15).parameters == pytest.approx(1.3e9)


@pytest.mark.parametrize(
    ("parameters", "tokens", "compute"), [(412e6, 8.2e9, 2.0e19), (6.9e9, 138e9, 5.7e21), (6.9e9, 276e9, 1.1e22)]
)
def test_six_n_d_gives_the_compute_of_the_dclm_scales(parameters: float, tokens: float, compute: float) -> None:
    assert 6 * parameters * tokens == pytest.approx(compute, rel=0.05)


@pytest.mark.parametrize(
    ("epochs", "worth"),
    [
        (2, 1.9682),
        (3, 2.8755),
        (4, 3.7257),
        (5, 4.5224),
        (8, 6.6241),
        (10, 7.8141),
        (16, 10.5825),
        (20, 11.9113),
        (32, 14.3354),
        (44, 15.4468),
        (100, 16.3630),
        (inf, 16.3878),
    ],
)
def test_repeated_tokens_are_worth_what_muennighoff_says(epochs: float, worth: float) -> None:
    assert effective_tokens(1.0, epochs) == pytest.approx(worth, abs=5e-5)


@pytest.mark.parametrize(
    ("compute", "unique", "parameters", "tokens", "epochs"),
    [(9.3e21, 25e9, 6.82e9, 227e9, 9.1), (1e24, 1e12, 85.7e9, 1.95e12, 1.94), (1e24, 300e9, 72.4e9, 2.30e12, 7.68)],
)
def test_data_constrained_optimum(
    compute: float, unique: float, parameters: float, tokens: float, epochs: float
) -> None:
    best = data_constrained_optimum(compute, unique)
    assert best.parameters == pytest.approx(parameters, rel=3e-3)
    assert best.tokens == pytest.approx(tokens, rel=3e-3)
    assert best.tokens / unique == pytest.approx(epochs, rel=5e-3)


# Properties

POSITIVE = st.floats(1e15, 1e28)
PARAMETRIC = st.sampled_from([BESIROGLU, HOFFMANN_3, MUENNIGHOFF])


@given(law=PARAMETRIC, compute=POSITIVE, scale=st.floats(0.3, 3))
def test_no_other_model_of_the_same_compute_is_better(law: Parametric, compute: float, scale: float) -> None:
    best = law.optimum(compute)
    other = law.loss(best.parameters * scale, best.tokens / scale)
    assert best.loss is not None
    assert other >= best.loss * (1 - 1e-12)


@given(law=st.sampled_from(list(LAWS.values())), compute=POSITIVE)
def test_compute_and_model_size_ask_the_same_question(law: Law, compute: float) -> None:
    best = law.optimum(compute)
    again = law.optimum_for_model(best.parameters)
    assert again.tokens == pytest.approx(best.tokens, rel=1e-6)
    assert 6 * best.parameters * best.tokens == pytest.approx(compute)


@given(law=PARAMETRIC, compute=POSITIVE)
def test_the_interval_ends_where_the_loss_is_a_thousandth_higher(law: Parametric, compute: float) -> None:
    best, ends = law.optimum(compute), law.interval(compute)
    assert ends[0] < best.parameters < ends[1]
    for end in ends:
        assert law.loss(end, compute / (6 * end)) == pytest.approx((best.loss or 0) + 1e-3, abs=1e-7)


@given(unique=st.floats(1, 1e13), seen=st.floats(0, 1e15), more=st.floats(1, 2))
def test_more_tokens_are_worth_more_but_never_more_than_they_are(unique: float, seen: float, more: float) -> None:
    worth = effective_tokens(unique, seen)
    assert worth <= seen * (1 + 1e-12)
    assert effective_tokens(unique, seen * more) >= worth * (1 - 1e-12)
    assert worth <= unique * 16.3878


@given(compute=st.floats(1e20, 1e26))
@settings(max_examples=20)
def test_without_scarcity_the_constrained_optimum_is_the_law_itself(compute: float) -> None:
    # Muennighoff's parameters saturate beyond 0.051 of the unique tokens, which the optimum does not reach then.
    free, best = MUENNIGHOFF.optimum(compute), data_constrained_optimum(compute, 1e18)
    assert best.parameters == pytest.approx(free.parameters, rel=1e-3)


# Plans

SUPPLIES = [
    Supply("web", 1_000_000_000_000, 0.5),
    Supply("code", 200_000_000_000, 0.25),
    Supply("books", 26_000_000_000, 0.2),
    Supply("math", 10_000_000_000, 0.05),
]


def test_a_plan_names_the_domain_that_binds_and_what_is_missing() -> None:
    found = plan(SUPPLIES, compute=1e24)
    assert (found.binding, found.largest_corpus) == ("books", pytest.approx(4 * 26e9 / 0.2))
    rows = {row.domain: row for row in found.domains}
    assert [name for name, row in rows.items() if row.binding] == ["books"]
    books = rows["books"]
    assert books.needed_tokens == pytest.approx(0.2 * found.tokens)
    assert 4 * (books.available_tokens + books.missing_tokens) == pytest.approx(books.needed_tokens)
    assert rows["web"].missing_tokens == 0
    assert not any(row.feasible for row in found.laws if row.law == "besiroglu")


def test_with_what_was_missing_the_corpus_can_be_made() -> None:
    found = plan(SUPPLIES, compute=1e24)
    missing = {row.domain: row.missing_tokens for row in found.domains}
    fuller = [Supply(s.name, s.available_tokens + int(missing[s.name]) + 1, s.share) for s in SUPPLIES]
    assert largest_corpus(fuller)[0] >= found.tokens


@given(
    tokens=st.lists(st.integers(1, 10**12), min_size=1, max_size=5),
    weights=st.lists(st.integers(1, 100), min_size=5, max_size=5),
    cap=st.floats(0.5, 8),
)
def test_the_largest_corpus_uses_up_one_domain_and_overdraws_none(
    tokens: list[int], weights: list[int], cap: float
) -> None:
    total = sum(weights[: len(tokens)])
    supplies = [Supply(f"d{i}", n, weights[i] / total, cap) for i, n in enumerate(tokens)]
    limit, binding = largest_corpus(supplies)
    epochs = {row.domain: row.epochs for row in domain_rows(supplies, limit)}
    assert max(epochs.values()) == pytest.approx(cap)
    assert epochs[binding or ""] == pytest.approx(cap)
    assert largest_corpus(list(reversed(supplies)))[0] == limit
    raised = [Supply(s.name, s.available_tokens, s.share, s.max_epochs * 1.5) for s in supplies]
    assert largest_corpus(raised)[0] >= limit


def test_a_model_size_alone_is_enough_and_both_fix_the_tokens() -> None:
    alone = plan(SUPPLIES, parameters=7e9)
    assert all(row.parameters == 7e9 for row in alone.laws)
    both = plan(SUPPLIES, parameters=7e9, compute=6 * 7e9 * 1e12)
    assert all(row.tokens == pytest.approx(1e12) for row in both.laws)


def test_the_best_model_of_a_mixture_respects_the_caps() -> None:
    best = mixture_optimum(SUPPLIES, 1e24)
    assert best.tokens <= largest_corpus(SUPPLIES)[0] * (1 + 1e-9)
    free = mixture_optimum([Supply("all", 300_000_000_000, 1.0, 100.0)], 1e24)
    assert free.parameters == pytest.approx(data_constrained_optimum(1e24, 300e9).parameters, rel=1e-6)
    nearby = [mixture_optimum(SUPPLIES, 1e21).parameters, plan(SUPPLIES, compute=1e21).constrained]
    assert nearby[1] is not None
    assert nearby[1].parameters == nearby[0]


def test_gpus_and_days_are_compute() -> None:
    assert compute_of_gpus(1024, 30, "h100", 0.4) == pytest.approx(1024 * 30 * 86400 * 989e12 * 0.4)
    assert compute_of_gpus(8, 1, 1e15, 0.5) == pytest.approx(8 * 86400 * 5e14)


def test_the_seed_of_two_trillion_parameters() -> None:
    assert pytest.approx(3.6e26) == 6 * 2e12 * 30e12
    assert exp(log(30e12) - log(2e12)) == pytest.approx(15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plan(SUPPLIES), "give compute"),
        (lambda: plan(SUPPLIES, compute=1e20, laws=["chinchilla"]), "unknown law chinchilla; known are besiroglu"),
        (lambda: plan([Supply("a", 5, 0.7)], compute=1e20), "shares must sum to 1, found 0.7"),
        (lambda: plan(SUPPLIES, compute=-1.0), "compute must be above 0"),
        (lambda: compute_of_gpus(8, 1, "h1000"), "no peak known for 'h1000'"),
        (lambda: compute_of_gpus(8, 1, "h100", 1.4), "utilisation 1.4"),
    ],
)
def test_what_cannot_be_planned_says_why(call: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()  # type: ignore[operator]


def test_a_domain_without_tokens_binds_everything() -> None:
    found = plan([Supply("full", 10**9, 0.5), Supply("empty", 0, 0.5)], compute=1e18)
    assert (found.largest_corpus, found.binding, found.constrained) == (0, "empty", None)
    assert "inf" in render(domain_table(found))


# Mixtures of the pipeline


def test_a_solved_mixture_is_planned_at_the_shares_it_asks_for() -> None:
    params = MixtureParams.model_validate(
        {"budget": 1000, "on_shortfall": "redistribute", "domains": {"a": {"share": 0.5}, "b": {"share": 0.5}}}
    )
    supplies = supplies_of(solve(params, {"a": 10, "b": 10_000}))
    assert supplies == [Supply("a", 10, 0.5, 1.0), Supply("b", 10_000, 0.5, 1.0)]
    assert largest_corpus(supplies) == (20, "a")


def test_phases_are_shown_with_the_part_they_read() -> None:
    stable = {"name": "stable", "until": 0.8, "mixture": {"domains": {"web": {"share": 1}}}}
    last = {"domains": {"web": {"share": 0.5}, "gold": {"share": 0.5}}}
    anneal = {"name": "anneal", "until": 1, "mixture": last, "reserve": {"gold": 0.5}}
    params = PhasesParams.model_validate({"budget": 1000, "phases": [stable, anneal]})
    text = render(phase_table(solve_phases(params, {"web": 1000, "gold": 400})))
    assert "phases of 1,000 tokens" in text
    (line,) = [line for line in text.splitlines() if "gold" in line]
    assert line.split() == ["anneal", "(20%)", "gold", "100", "50.00%", "200", "to", "400", "0.50"]


# Tables


def test_tables_print_laws_sources_and_spread() -> None:
    text = render(law_table(plan(SUPPLIES, compute=1e24)))
    assert all(name in text for name in DEFAULT_LAWS)
    assert "spread: N " in text
    assert "arXiv 2404.10102" in text
    assert "with repeats up to the caps" in text
    assert max(map(len, text.splitlines())) <= 120


def test_every_table_renders_in_aligned_columns() -> None:
    found = plan(SUPPLIES, parameters=1e9)
    tables = [
        domain_table(found),
        repeats_table(),
        yield_table([1 << 29], 500_000, 4096),
        disk_table({"web": 1e12, "code": 5e9}, 32000),
    ]
    for table in tables:
        lines = render(table).splitlines()
        assert len(lines) == 3 + len(table.rows) + len(table.notes)
        assert all(len(line) <= len(lines[2]) for line in lines[1 : 3 + len(table.rows)])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (912_000, "912 K"),
        (999_950, "1.00 M"),
        (1.33e12, "1.33 T"),
        (inf, "inf"),
        (None, "-"),
    ],
)
def test_amounts_are_for_people(value: float | None, text: str) -> None:
    assert amount(value) == text
