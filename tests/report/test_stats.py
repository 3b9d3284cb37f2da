"""The figures of the report: everything adds up, and what does not is named."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.planner.laws import effective_tokens
from stages.kept import params
from stages.report import build_stats, encode, render_html, render_text
from stages.report.corpus_tables import effective
from stages.report.funnel import ADDRESSES, STEPS, step_of
from stages.report.ledger import ConservationError
from stages.report.stats import VERSION
from stages.report.tables import build_tables
from stages.rules import families
from stages.rules.reasons import words_of
from tests.support.report_runs import make_run

Row = dict[str, Any]


def total(rows: list[Row], column: str, **where: Any) -> int:
    return sum(row[column] or 0 for row in rows if all(row[key] == value for key, value in where.items()))


@pytest.fixture
def run() -> Row:
    return make_run(seed=5)


@given(seed=st.integers(0, 10_000), files=st.integers(1, 6), pages=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_every_table_adds_up_to_the_same_totals(seed: int, files: int, pages: int) -> None:
    run = make_run(seed, files=files, pages=pages)
    stats = build_stats("made-up", **run)
    totals = stats["totals"]
    removed, tokens = stats["removed"], stats["tokens"]
    assert totals["records"] == sum(report["records"] for report in run["documents"])
    assert totals["pages"] == totals["kept"] + total(removed, "documents")
    assert totals["tokens"] == sum(report["tokens"] for report in run["tokens"]) == total(stats["domains"], "tokens")
    for table in ("sources", "languages", "domains"):
        for column in ("pages", "text_bytes", "kept"):
            assert total(stats[table], column) == totals[column]
        assert total(stats[table], "tokens") == totals["tokens"]
    assert total(stats["reasons"], "documents") == totals["records"] - totals["kept"]
    assert total(stats["languages"], "removed_tokens") == total(removed, "tokens")
    for table in ("sources", "languages", "domains"):
        assert sum(sum(row["removed"].values()) for row in stats[table]) == total(removed, "documents")
        assert all(row["pages"] == row["kept"] + sum(row["removed"].values()) for row in stats[table])
    account = stats["corpus"] or dict.fromkeys(
        ("tokenized", "held_out", "not_taken", "unique", "training", "repeated"), 0
    )
    assert account["tokenized"] == totals["tokens"] == account["held_out"] + account["not_taken"] + account["unique"]
    assert account["training"] == totals["training_tokens"] == account["unique"] + account["repeated"]
    assert total(stats["sources"], "no_page") == totals["records"] - totals["pages"]
    assert total(tokens, "bytes") == sum(report["text_bytes"] for report in run["tokens"])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_funnel_ends_in_the_exact_count_of_tokens(seed: int) -> None:
    run = make_run(seed, files=4, pages=80)
    funnel = build_stats("made-up", **run)["funnel"]
    assert [step["step"] for step in funnel] == [step for step in STEPS if step != ADDRESSES]
    for before, after in pairwise(funnel[1:]):
        for column in ("documents", "bytes", "tokens"):
            assert before[column] == after[column] + total(after["removed"], column)
    assert funnel[-1]["tokens"] == sum(report["tokens"] for report in run["tokens"])
    assert not funnel[-1]["estimated"]
    assert not [step for step in funnel[1:-1] if step["tokens"] != funnel[-1]["tokens"] and not step["estimated"]]


def test_estimates_use_the_bytes_per_token_of_the_language(run: Row) -> None:
    stats = build_stats("made-up", **run)
    language = stats["languages"][0]["language"]
    tokens = total(stats["tokens"], "tokens", language=language)
    num_bytes = total(stats["tokens"], "bytes", language=language)
    rows = [row for row in stats["removed"] if row["language"] == language]
    assert rows
    for row in rows:
        assert row["tokens"] == row["bytes"] * tokens // num_bytes


def test_a_language_without_kept_pages_is_estimated_by_all_of_them() -> None:
    run = make_run(1, files=1, pages=50)
    group = {
        "source": "web",
        "language": "tlh",
        "domain": None,
        "reason": "no_domain",
        "documents": 1,
        "text_bytes": 900,
    }
    run["kept"][0]["groups"].append(group)
    run["kept"][0]["rows"] += 1
    for column, count in (("records", 1), ("rows", 1), ("text_bytes", 900)):
        run["documents"][0][column] += count
    stats = build_stats("made-up", **run)
    row = next(row for row in stats["removed"] if row["language"] == "tlh")
    assert row["tokens"] == 900 * stats["totals"]["tokens"] // total(stats["tokens"], "bytes")


def break_records(run: Row) -> None:
    run["documents"][3]["records"] += 1


def break_rows(run: Row) -> None:
    run["kept"][3]["rows"] -= 1


def break_groups(run: Row) -> None:
    run["kept"][3]["groups"].pop()


def break_bytes(run: Row) -> None:
    run["kept"][3]["groups"][0]["text_bytes"] += 1


def break_kept(run: Row) -> None:
    run["kept"][3]["kept"] += 1


def break_tokenized(run: Row) -> None:
    run["tokens"][3]["empty_documents"] += 1


def break_token_sum(run: Row) -> None:
    run["tokens"][3]["groups"][0]["tokens"] += 1


def break_domain(run: Row) -> None:
    run["tokens"][3]["groups"][0]["domain"] = "elsewhere"


def lose_a_file(run: Row) -> None:
    run["tokens"].pop()


def find_a_file(run: Row) -> None:
    run["kept"].append(copy.deepcopy(run["kept"][0]))


@pytest.mark.parametrize(
    ("break_it", "product", "where"),
    [
        (break_records, "documents", "web/f003"),
        (break_rows, "kept", "web/f003"),
        (break_groups, "kept", "web/f003"),
        (break_bytes, "kept", "web/f003"),
        (break_kept, "kept", "web/f003"),
        (break_tokenized, "tokens", "web/f003"),
        (break_token_sum, "tokens", "web/f003"),
        (break_domain, "tokens", "domain elsewhere"),
        (lose_a_file, "tokens", "all files"),
        (find_a_file, "kept", "more than the 12 files"),
    ],
)
def test_lost_rows_are_named_with_product_and_file(run: Row, break_it: Any, product: str, where: str) -> None:
    break_it(run)
    with pytest.raises(ConservationError, match=rf"^{product}: .*{where}"):
        build_stats("made-up", **run)


def test_a_run_without_later_products_says_what_is_known(run: Row) -> None:
    whole = build_stats("made-up", **run)
    early = build_stats("made-up", run["documents"], [], None, [], None)
    assert early["totals"]["pages"] == whole["totals"]["pages"]
    assert early["totals"]["tokens"] is None
    assert not early["complete"]
    half = build_stats("made-up", run["documents"], run["kept"], None, [], None)
    assert half["totals"]["kept"] == whole["totals"]["kept"]
    assert [step["step"] for step in half["funnel"]] == [step for step in STEPS[:-1] if step != ADDRESSES]
    assert all(row["tokens"] is None for row in half["removed"])
    for stats in (early, half, whole):
        assert "made-up" in render_text(stats)


def test_nothing_at_all_is_a_report_too() -> None:
    stats = build_stats("nothing", [], [], None, [], None)
    assert stats["totals"]["records"] == 0
    assert render_text(stats).startswith("nothing: 0 records")


def test_a_run_that_keeps_nothing_has_no_tokens_and_says_so() -> None:
    run = make_run(2, files=2, pages=20)
    for report in run["kept"]:
        for row in report["groups"]:
            row["reason"], row["domain"] = row["reason"] or "no_domain", None
        report["kept"] = 0
    for report in run["tokens"]:
        report.update(rows=0, tokens=0, text_bytes=0, empty_documents=0, groups=[])
    stats = build_stats("made-up", run["documents"], run["kept"], None, run["tokens"], None)
    assert stats["totals"]["tokens"] == 0
    assert stats["funnel"][-1]["tokens"] == 0
    assert render_text(stats)


def test_equal_figures_give_equal_bytes_whatever_the_order_of_groups(run: Row) -> None:
    first = encode(build_stats("made-up", **run))
    for report in (*run["kept"], *run["tokens"]):
        report["groups"].reverse()
    assert encode(build_stats("made-up", **run)) == first
    assert json.loads(first)["version"] == VERSION


def test_every_published_rule_is_counted_under_quality_and_the_fixed_reasons_under_their_product() -> None:
    assert {step_of(rule.name) for rules in families.RULES.values() for rule in rules} == {"quality"}
    assert step_of("exact_duplicate") == "clusters"
    assert step_of("low_language_confidence") == "language"


def test_quarantined_records_are_counted_all_and_listed_up_to_a_limit() -> None:
    run = make_run(3, files=2, pages=5)
    entry = {"file": "f000.warc.gz", "offset": 5, "reason": "extraction_failed"}
    report = run["documents"][0]
    report["records"] += 5000 - report["num_quarantined"]
    report["num_quarantined"], report["quarantined"] = 5000, [entry] * 1000
    stats = build_stats("made-up", **run)
    assert stats["input"]["quarantined"] >= 5000
    assert len(stats["input"]["listed"]) == 100
    assert total(stats["reasons"], "documents", reason="quarantined") == stats["input"]["quarantined"]


def test_the_terminal_shows_tokens_per_domain_requested_and_realised(run: Row) -> None:
    stats = build_stats("made-up", **run)
    text = render_text(stats)
    assert max(len(line) for line in text.splitlines()) <= 100
    sources, domains = (text[text.index(f"\n{head}") :].partition("\n\n")[0] for head in ("source ", "domain "))
    for name, part in (("mixture", domains), ("sources", sources)):
        for row in stats[name]:
            key = row["domain" if name == "mixture" else "source"]
            line = next(line for line in part.splitlines() if line.startswith(f"{key} "))
            assert f"{row['tokens']:,}" in line
    assert f"{stats['totals']['training_tokens']:,}" in text


def test_control_characters_of_names_do_not_reach_the_terminal(run: Row) -> None:
    for report in (*run["kept"], *run["tokens"]):
        for row in report["groups"]:
            row["language"] = "e\x1b[31mn\u202e"
    assert "\x1b" not in render_text(build_stats("made-up", **run))


def test_what_a_list_of_addresses_took_is_a_step_of_its_own(run: Row) -> None:
    for report in run["kept"]:
        for group in report["groups"]:
            if group["reason"] == "too_few_words":
                group["reason"] = "listed_in_blocked"
    funnel = build_stats("made-up", **run)["funnel"]
    assert [step["step"] for step in funnel] == list(STEPS)
    step = next(step for step in funnel if step["step"] == ADDRESSES)
    assert [row["reason"] for row in step["removed"]] == ["listed_in_blocked"]


def test_limits_and_rules_of_ones_own_have_their_thresholds_beside_their_reasons(run: Row) -> None:
    for report in run["kept"]:
        for group in report["groups"]:
            names = {"too_few_words": "below_min_text_bytes", "too_many_hashes": "too_loud"}
            group["reason"] = names.get(group["reason"], group["reason"])
    own = {"too_loud": {"column": "capital_fraction", "side": "max", "threshold": 0.3}}
    stats = build_stats("made-up", **run, thresholds={"below_min_text_bytes": 40.0, "too_loud": 0.4}, own=own)
    rules = {row["reason"]: row["rule"] for row in stats["reasons"]}
    assert rules["below_min_text_bytes"] == {
        "family": "limit",
        "column": "text_bytes",
        "side": "min",
        "threshold": 40.0,
    }
    if "too_loud" in rules:
        assert rules["too_loud"] == {"family": "own", **own["too_loud"], "threshold": 0.4}
    assert "text_bytes < 40" in render_html(stats, {}).replace("<wbr>", "").replace("&lt;", "<")


def test_every_reason_of_the_report_says_when_a_page_fails(run: Row) -> None:
    stats = build_stats("made-up", **run, thresholds={"low_language_confidence": 0.65, "near_duplicate": 0.8})
    [table] = [table for table in build_tables(stats) if table.name == "reasons"]
    said = {row["reason"]: row["fails_when"] for row in table.records()}
    assert said["low_language_confidence"] == "confidence < 0.65"
    assert said["near_duplicate"] == "similarity ≥ 0.8"
    assert said["no_domain"] == "it meets the conditions of no domain; always on"
    assert not [reason for reason, words in said.items() if not words]
    own = ["listed_in_ours", "unwanted_topic", "robots_txt_disallows_GPTBot", "below_min_text_bytes", "tdmrep_reserves"]
    for reason in [*params.ORDER, *own, "quarantined", "taken_down"]:
        assert " " in words_of(reason), reason


def test_effective_tokens_are_those_of_the_planner() -> None:
    for unique, seen in ((10, 5), (10, 10), (1000, 4000), (1000, 44_000)):
        assert effective(seen, unique) == round(effective_tokens(unique, seen))
    assert effective(None, 3) is None
