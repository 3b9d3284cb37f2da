"""Remarks of the report: what is out of the ordinary is said, of whom, and why; an even run has none."""

from __future__ import annotations

from typing import Any

import pytest

from stages.figures import short
from stages.report import build_stats, charts, render_text
from stages.report.remarks import losses, remarks
from tests.support.report_runs import make_run

Row = dict[str, Any]


@pytest.fixture
def run() -> Row:
    return make_run(seed=5)


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
