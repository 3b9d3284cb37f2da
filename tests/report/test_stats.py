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
from stages.figures import short
from stages.kept import params
from stages.report import build_stats, charts, encode, render_html, render_text
from stages.report.corpus_tables import effective
from stages.report.funnel import ADDRESSES, STEPS, step_of
from stages.report.ledger import ConservationError
from stages.report.remarks import losses, remarks
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


def test_remarks_say_what_is_out_of_the_ordinary_and_nothing_of_an_even_run(run: Row) -> None:
    stats = build_stats("made-up", **run)
    for row in stats["mixture"]:
        row["realised_share"] = row["requested_share"]
    assert not any("short" in remark["text"] for remark in remarks(stats))
    row = stats["mixture"][0]
    row["realised_share"], row["requested_share"], row["epochs"] = 0.1, 0.2, 5.5
    row["requested_tokens"] = 2 * row["tokens"]
    stats["input"]["bad"] = 3
    emails = {"column": "privacy_num_secrets", "totals": [9, 4, 3, 2], "thresholds": []}
    groups = {"contamination_benchmark": [{"value": "gsm8k", "kept": 7}, {"value": "", "kept": 99}]}
    stats["survey"] = {"histograms": [emails], "groups": groups, "registered": []}
    found = remarks(stats)
    texts = " | ".join(remark["text"] for remark in found)
    short = f"{row['domain']} came out short: 10.0%"
    for part in (short, "5.50 times", "3 stretches", "7 pages with text", "2 kept"):
        assert part in texts
    levels = [remark["level"] for remark in found]
    assert levels == sorted(levels, reverse=True)
    assert {"warn", "note"} >= set(levels)


def test_a_domain_whose_last_document_is_large_explains_why_others_have_less(run: Row) -> None:
    stats = build_stats("made-up", **run)
    for row in stats["mixture"]:
        row["target_tokens"], row["realised_share"] = row["tokens"], 0.9 * row["requested_share"]
        row["requested_tokens"] = row["tokens"]
    large = stats["mixture"][0]
    others = sum(row["tokens"] for row in stats["mixture"][1:])
    large |= {"tokens": others // 2, "documents": 2, "target_tokens": others // 4, "requested_tokens": others // 4}
    large |= {"requested_share": 0.2, "realised_share": 0.3}
    [found] = [one["text"] for one in remarks(stats) if one["level"] == "warn" and one["anchor"] == "mixture"]
    assert found.startswith(f"Domain {large['domain']} takes more than its part: 30.0% of the corpus, 20.0% requested")
    assert f"taken whole, {short(others / 4)} tokens on average" in found
    assert found in " ".join(render_text(stats).split())
    assert not any(bar["short"] for bar in charts.shares(stats))  # as the text: all have what they are to have
    large |= {"requested_share": 0.001, "realised_share": 0.0013}  # a page too many in a corpus of thousands
    assert "takes more than its part" not in render_text(stats)
    large |= {"requested_share": 0.2, "realised_share": 0.3}
    large["tokens"] = large["target_tokens"] * 1.005  # within a hundredth
    assert "came out short" not in " ".join(one["text"] for one in remarks(stats))  # the tokens are there
    other = stats["mixture"][1]
    other["requested_tokens"] = 2 * other["tokens"]
    assert "came out short" not in " ".join(one["text"] for one in remarks(stats))  # its part of a smaller corpus
    part = other["target_tokens"] / sum(row["target_tokens"] for row in stats["mixture"])
    other |= {"requested_share": 2 * part, "realised_share": part}
    assert f"Domain {other['domain']} came out short" in " ".join(one["text"] for one in remarks(stats))


def made_up_mixture(run: Row, *rows: tuple[str, int, int, int]) -> Row:
    """Stats of domains in even shares: name, requested, given and realised tokens."""
    stats = build_stats("made-up", **run)
    total = sum(row[3] for row in rows)
    columns = ("domain", "requested_tokens", "target_tokens", "tokens")
    stats["mixture"] = [
        {**stats["mixture"][0], **dict(zip(columns, row, strict=True)), "documents": 9}
        | {"requested_share": 1 / len(rows), "realised_share": row[3] / total, "epochs": 1.0}
        | {"available_tokens": row[2]}
        for row in rows
    ]
    stats["domains"] = []
    return stats


def warnings_of_mixture(stats: Row) -> list[str]:
    return [one["text"] for one in remarks(stats) if one["level"] == "warn" and one["anchor"] == "mixture"]


def test_whole_documents_of_a_smaller_corpus_leave_no_domain_short(run: Row) -> None:
    """``on_shortfall: shrink``: every domain has what it is to have and the rest of its last document."""
    rows = [(f"d{k:02}", 4_000, 2_000, 2_000 + 300 * (k % 2)) for k in range(60)]
    stats = made_up_mixture(run, *rows)
    stats["mixture"][7]["available_tokens"] = 500
    smaller = "The corpus is smaller than requested, as max_epochs allows: 120 K of 240 K tokens"
    assert warnings_of_mixture(stats) == [f"{smaller}; of the domains with less, d07 is read most often: 4.00 times"]
    assert not any(bar["short"] for bar in charts.shares(stats))
    assert warnings_of_mixture(made_up_mixture(run, *((name, 2_000, given, got) for name, _, given, got in rows))) == []


def test_the_domain_that_lacks_most_is_named_and_whole_shards_are_blamed(run: Row) -> None:
    """``materialise: false``: a domain has the whole shards that come nearest."""
    rows = [
        ("even", 1_000, 1_000, 1_100),
        ("near", 1_000, 1_000, 980),
        ("far", 1_000, 1_000, 300),
        ("none", 1_000, 1_000, 0),
    ]
    found = [text for text in warnings_of_mixture(made_up_mixture(run, *rows)) if "short" in text]
    assert found == [
        "Domain none came out short: 0% of the corpus, 25.0% requested; so did far;"
        " shards are taken whole, shards.target_tokens makes them smaller"
    ]


def test_a_domain_of_little_is_named_where_whole_shards_leave_it_nothing(run: Row) -> None:
    rows = [("large", 9_970, 9_970, 9_970), ("tiny", 30, 30, 0)]
    stats = made_up_mixture(run, *rows)
    for row, (_, asked, *_) in zip(stats["mixture"], rows, strict=True):
        row["requested_share"] = asked / 10_000
    [found] = warnings_of_mixture(stats)
    assert found.startswith("Domain tiny came out short: 0% of the corpus, 0.3% requested; shards are taken whole")
    stats["mixture"][1] |= {"tokens": 20, "realised_share": 0.002}
    assert warnings_of_mixture(stats) == []


def test_a_domain_that_caps_keep_from_a_small_phase_is_named_though_the_whole_lacks_little(run: Row) -> None:
    stats = made_up_mixture(run, ("a", 10_000, 9_950, 9_950), ("b", 10_000, 10_050, 10_050))
    shares = {"requested_share": 0.5, "epochs": 1.0}
    stats["phases"] = [
        {"phase": phase, "domain": domain, "tokens": tokens, "target_tokens": tokens, "realised_share": share, **shares}
        for phase, domain, tokens, share in [
            ("main", "a", 9_950, 0.5),
            ("main", "b", 9_950, 0.5),
            ("end", "a", 0, 0.0),
            ("end", "b", 100, 1.0),
        ]
    ]
    assert warnings_of_mixture(stats) == ["Domain a came out short in phase end: 0% of it, 50.0% requested"]


def test_a_phase_that_has_nothing_of_a_domain_is_named_and_its_table_ends_with_the_rest(run: Row) -> None:
    stats = made_up_mixture(run, ("a", 1_000, 1_000, 1_000), ("b", 1_000, 1_000, 1_000))
    share = {"requested_share": 0.05, "realised_share": 0.05, "epochs": 0.5, "target_tokens": 100}
    stats["phases"] = [
        {"phase": "decay", "domain": f"d{k:02}", "tokens": 100 * (k > 1), **share} for k in range(20)
    ] + [{"phase": "last", "domain": "none", "tokens": 0, **share, "target_tokens": 0}]
    [found] = warnings_of_mixture(stats)
    assert found.startswith("Phase decay has no document of d00, d01: its part of each is smaller than what the last")
    lines = render_text(stats).splitlines()
    assert [line.split() for line in lines if line.startswith("decay: 8 more")] == [
        ["decay:", "8", "more", "600", "40.0%", "40.0%", "–"]
    ]
    assert sum(line.startswith("decay: ") for line in lines) == 13
    assert max(len(line) for line in lines) <= 100


def test_a_split_of_few_documents_is_blamed_on_long_ones_only_where_they_are_long(run: Row) -> None:
    stats = build_stats("made-up", **run)
    row = stats["domains"][0]
    row |= {"documents": 12, "tokens": 6_000}
    stats["held_out"] = [{"domain": row["domain"], "split": "valid", "documents": 1, "tokens": 500}]
    said = f"Split valid of domain {row['domain']} is 1 document with "
    assert f"{said}8.3% of its tokens; the domain has 12 in all" in [one["text"] for one in remarks(stats)]
    stats["held_out"][0]["tokens"] = 3_000
    assert f"{said}50.0% of its tokens; tokens.max_document_tokens cuts long ones" in [
        one["text"] for one in remarks(stats)
    ]


def test_what_others_lack_and_a_domain_takes_is_no_fault_of_its_documents(run: Row) -> None:
    """``on_shortfall: redistribute``: one domain has a fifth of what it was to give, the others take the rest."""
    stats = build_stats("made-up", **run)
    small, large = (400, 80), (600, 920)
    rows = [{**stats["mixture"][0], "documents": 50} for _ in (small, large)]
    for row, name, asked, got in zip(rows, ("small", "large"), (small[0], large[0]), (small[1], large[1]), strict=True):
        row |= {"domain": name, "requested_tokens": asked, "target_tokens": got, "tokens": got}
        row |= {"requested_share": asked / 1000, "realised_share": got / 1000}
    stats["mixture"] = rows
    found = [one["text"] for one in remarks(stats) if one["level"] == "warn" and one["anchor"] == "mixture"]
    assert found == ["Domain small came out short: 8.0% of the corpus, 40.0% requested"]
    rows[1] |= {"tokens": 1420, "realised_share": 1420 / 1500}
    rows[0] |= {"realised_share": 80 / 1500}
    found = [one["text"] for one in remarks(stats) if one["level"] == "warn" and one["anchor"] == "mixture"]
    assert found[0].startswith(
        "Domain large takes more than its part: 94.7% of the corpus, 60.0% requested, 92.0% to take because others"
    )
    assert found[1] == "Domain small came out short: 5.3% of the corpus, 40.0% requested"
    stats["domains"] = []
    assert {bar["domain"]: bar["short"] for bar in charts.shares(stats)} == {"small": True, "large": False}


def test_a_source_is_said_to_have_lost_pages_to_what_took_most_of_its_own(run: Row) -> None:
    """Others may have lost more to something else."""
    stats = build_stats("made-up", **run)
    stats["sources"] = [{**stats["sources"][0], "source": "wiki", "pages": 900, "kept": 9}]
    stats["sources"][0]["removed"] = {"documents": 0, "language": 800, "quality": 91}
    counts = {
        "wiki": {"low_language_confidence": 500, "language_not_selected": 300},
        "web": {"language_not_selected": 999},
    }
    stats["removed"] = [
        {"source": source, "language": "xx", "domain": "d", "reason": reason, "documents": documents}
        for source, reasons in counts.items()
        for reason, documents in reasons.items()
    ]
    text = next(one["text"] for one in remarks(stats) if one["text"].startswith("Source wiki"))
    assert text.endswith("most others had a label of too little confidence")
    stats["removed"][0]["documents"] = 400
    text = next(one["text"] for one in remarks(stats) if one["text"].startswith("Source wiki"))
    assert "many others" in text


def test_a_language_that_rules_drop_is_named_with_the_rule_that_took_most_of_it(run: Row) -> None:
    stats = build_stats("made-up", **run)
    stats["languages"] = [{**stats["languages"][0], "language": "ja", "pages": 900, "kept": 9}]
    stats["languages"][0]["removed"] = {"documents": 0, "language": 10, "quality": 881}
    counts = {"ja": {"too_few_sentences": 400, "words_too_short": 481, "near_duplicate": 999}, "en": {"curly": 999}}
    stats["removed"] = [
        {"source": "web", "language": language, "domain": domain, "reason": reason, "documents": documents // 2}
        for language, reasons in counts.items()
        for reason, documents in reasons.items()
        for domain in ("a", "b")
    ]
    text = next(one["text"] for one in remarks(stats) if one["text"].startswith("Language ja"))
    assert text.endswith("most others failed a rule (words_too_short: 53.3% of its pages)")


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


def test_a_language_lost_to_low_confidence_is_not_called_unwanted(run: Row) -> None:
    stats = build_stats("made-up", **run)
    stats["removed"] = []
    for row in stats["languages"]:
        steps = dict.fromkeys(row["removed"], 0) | {"language": 90}
        row |= {"pages": 100, "kept": 10, "removed": steps}
        lost = {"language": row["language"], "source": "web", "domain": "d", "reason": "low_language_confidence"}
        stats["removed"].append(lost | {"documents": 90})
    stats["totals"]["pages"] = 200
    texts = [one["text"] for one in losses(stats) if one["text"].startswith("Language")]
    assert texts
    assert all("had a label of too little confidence" in text for text in texts)


def test_effective_tokens_are_those_of_the_planner() -> None:
    for unique, seen in ((10, 5), (10, 10), (1000, 4000), (1000, 44_000)):
        assert effective(seen, unique) == round(effective_tokens(unique, seen))
    assert effective(None, 3) is None
