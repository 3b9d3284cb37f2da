"""Figures of rules for stats.json: reasons, thresholds in force, what each rule would drop, and what pages ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.report.funnel import Rates, Row, by_reason, record_drops, step_of
from stages.report.ledger import Ledger
from stages.rules import families, rights, robots_files

FAMILY_OF = {rule.name: family for family, rules in families.RULES.items() for rule in rules}
RULES = {rule.name: rule for rules in families.RULES.values() for rule in rules}
OUTSIDE = {
    "low_language_confidence": {"family": "language", "column": "confidence", "side": "min"},
    "near_duplicate": {"family": "clusters", "column": "similarity", "side": "from"},
}
"""Rules with a threshold outside the families; ``from``: a page fails from the threshold on."""
LIMITS = {"below_min_": "min", "above_max_": "max"}
"""Names of limits on any column (`stages.kept`), and their side."""


def reason_rows(ledger: Ledger, removed: list[Row], rules: Mapping[str, Row]) -> list[Row]:
    """One row a reason, those of records first: where the rule stands, what it dropped, what it would drop alone."""
    rows: list[Row] = [
        {"step": "documents", "bytes": None, "rule": None, "fails": None, "alone": None, **row}
        for row in record_drops(ledger)
    ]
    for row in by_reason(removed):
        counts = ledger.failed.get(row["reason"])
        rows.append(
            {
                "step": step_of(row["reason"]),
                **row,
                "raw_bytes": None,
                "rule": rules.get(row["reason"]),
                "fails": counts[0] if counts else None,
                "alone": counts[3] if counts else None,
            }
        )
    return rows


def rules_in_force(thresholds: Mapping[str, float], own: Mapping[str, Row]) -> dict[str, Row]:
    """Family, column, side and threshold of every rule that looks at a column: published ones, limits on a column that
    a mixture sets (family ``limit``), rules of the user's own (``own``), and those of `OUTSIDE`."""
    found: dict[str, Row] = {
        name: {"family": FAMILY_OF[name], "column": rule.column, "side": rule.side, "threshold": rule.threshold}
        for name, rule in RULES.items()
    }
    found |= {name: {**rule, "threshold": thresholds[name]} for name, rule in OUTSIDE.items() if name in thresholds}
    found |= {name: {"family": "own", **rule} for name, rule in own.items()}
    for name, threshold in thresholds.items():
        side = next((side for prefix, side in LIMITS.items() if name.startswith(prefix)), None)
        if name in found:
            found[name] = {**found[name], "threshold": threshold}
        elif side is not None:
            column = name[len("below_min_") :]  # the other is as long
            found[name] = {"family": "limit", "column": column, "side": side, "threshold": threshold}
    return found


def with_thresholds(
    survey: Mapping[str, Any], ledger: Ledger, thresholds: Mapping[str, float], overrides: list[Row]
) -> Row:
    """The survey, its histograms with the thresholds that were in force, and for whom where not for all."""
    histograms = []
    for entry in survey["histograms"]:
        active = [mark for mark in entry["thresholds"] if mark["rule"] in ledger.active]
        marks = [mark | {"value": thresholds[mark["rule"]], "for": ""} for mark in active]
        marks += [
            mark | {"value": other["value"], "for": other["for"]}
            for mark in active
            for other in overrides
            if other["rule"] == mark["rule"] and other["value"] != thresholds[mark["rule"]]
        ]
        histograms.append(entry | {"thresholds": marks})
    return {**survey, "histograms": histograms}


def rule_row(name: str, counts: list[int], rules: Mapping[str, Row]) -> Row:
    documents, num_bytes, first, alone = counts
    figures = {"rule": name, "documents": documents, "bytes": num_bytes, "first": first, "alone": alone}
    return figures | rules.get(name, {})


ASKED_BY = {
    rights.ASKED: "the page",
    robots_files.UNREACHABLE: "robots.txt not to be had",
    robots_files.MISSING: "no robots.txt",
    robots_files.AI: "ai.txt",
    robots_files.TDM: "tdmrep.json",
    robots_files.RESERVES: "robots.txt, of training",
}


def asked_rows(ledger: Ledger, removed: list[Row]) -> list[Row]:
    """Pages that somebody asked not to use: by who asks, for which agent, and source; most pages first."""
    rates = Rates(ledger)
    found: dict[tuple[str, str], list[Any]] = {}

    def add(rule: str, source: str, documents: int, size: int, tokens: int | None, alone: int | None) -> None:
        row = found.setdefault((rule, source), [0, 0, None, None])
        row[0] += documents
        row[1] += size
        row[2] = tokens if row[2] is None else row[2] + (tokens or 0)
        row[3] = alone if row[3] is None else row[3] + (alone or 0)

    for (source, language, rule), (documents, size, alone) in sorted(ledger.asked.items()):
        add(rule, source, documents, size, rates.estimate(language, size), alone)
    for row in removed:
        if row["reason"] == rights.ASKED:  # by the first reason: little comes before it
            add(rights.ASKED, row["source"], row["documents"], row["bytes"], row["tokens"], None)
    rows = [
        {
            "asked_by": ASKED_BY.get(rule, "robots.txt"),
            "agent": rule.removeprefix(robots_files.DISALLOWS) if rule not in ASKED_BY else None,
            "source": source,
            "documents": documents,
            "bytes": size,
            "tokens": tokens,
            "alone": alone,
        }
        for (rule, source), (documents, size, tokens, alone) in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["documents"], row["asked_by"], row["agent"] or "", row["source"]))
