"""stats.json: the figures of a finished (or running) run, from which every other form of the report is made.

Schema (``version`` is raised when a key changes its meaning; keys are only added within a version):

    version, name
    complete         false while products are missing
    totals           files, records, raw_bytes, pages, text_bytes, kept, tokens, training_tokens (null: not known yet)
    funnel           steps in order, each {"step", "documents", "bytes", "tokens", "estimated", "removed": [...]}: what
                     is left after the step, and per reason what it took away. The step `records` counts raw bytes, all
                     others bytes of text; `removed` of the step `documents` counts raw bytes too.
    corpus           tokens from tokenization to the corpus (`stages.report.funnel.corpus_account`), null before
    removed          pages dropped: step, source, language, domain (they would have been in), reason, documents, bytes,
                     tokens (estimated)
    tokens           pages tokenized: source, language, domain, documents, bytes, tokens
    sources, languages, domains, reasons, rules
                     the same, added up by one thing: see the builders below
    listed           entries of lists of addresses that most pages fall under: {"entry", "documents"} (at least so many)
    asked            pages that somebody asked not to use: {"asked_by", "agent", "source", "documents", "bytes",
                     "tokens" (estimated), "alone"}; a page that several ask about is in several rows
    views            what was cut or replaced in kept pages: {"view", "documents", "spans", "bytes"}; of personal data,
                     {"view": "redacted: email", "spans"} and so on too, of lines of one's own by rule
    own_lines        examples of lines that rules of `lines.rules` mark: {"rule", "line", "doc_id"}
    transforms       what transforms made: {"transform", "parents", "taken", "nothing" (pages of which nothing was
                     made), "made" (pages), "left_out" (texts), "quarantined" (pages, by reason)}; empty without any
    mixture          the corpus manifest's domains: requested and realised
    phases           the same per phase of training, where the mixture has phases: {"phase", ...}
    held_out         of the domains of the mixture, what other splits hold: {"domain", "split", "folder", ...}
    buckets          where the buckets of quality lie that domains select by: {"domain", "column", "language", "from",
                     "to" (percentiles), "least", "below" (values, null: without limit), "documents", "tokens"}
    lengths          documents by number of tokens: {"edges", "documents", "domains": [{"domain", "first", "counts"}]}
    shards, tokenizer, input, clusters
    repeats          what `repeats` found, null without it: "min_bytes", "sources" {name: counts}, and the passages that
                     most pages have, "most_repeated": {"places", "bytes", "doc_id", "url", "source", "start", "text"}
    contamination    what was found of benchmarks, null without any: "benchmarks", "verdicts" (pages by benchmark,
                     source and verdict), "items" (those on most pages), "examples" (`stages.contamination`)
    survey           distributions, hosts, samples (`stages.report.survey`), where it was made

Adding up: for each step, documents before = documents after + removed, likewise bytes (of text) and tokens. Tokens of
dropped pages are estimates (`stages.report.funnel`); ``estimated`` marks every sum that holds one.

Nothing here depends on time, host or paths: the same files give the same bytes (`encode`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from stages.kernels.columns import bins
from stages.report.funnel import (
    STEPS,
    Rates,
    Row,
    build_funnel,
    by_reason,
    check_funnel,
    corpus_account,
    record_drops,
    removed_rows,
    step_of,
    token_rows,
)
from stages.report.ledger import ConservationError, Counted, Ledger, add_up
from stages.reports import DocumentsReport, KeptReport, TokensReport
from stages.rules import families, rights, robots_files

__all__ = ["VERSION", "ConservationError", "build_stats", "encode"]

VERSION = 7
MAX_ENTRIES = 200
CLUSTER_FIGURES = (
    "rows", "passing", "exact_removed", "fuzzy_removed", "pairs_compared", "pairs_verified", "pairs_by_similarity",
    "cluster_sizes", "largest_clusters", "sources", "languages",
)  # fmt: skip
CONTAMINATION_FIGURES = ("benchmarks", "num_short_items", "verdicts", "items", "examples")
REPEAT_FIGURES = ("min_bytes", "repeats", "repeats_bytes", "cut_bytes", "kept_bytes", "sources", "most_repeated")
NO_NAME = "(none)"
FAMILY_OF = {rule.name: family for family, rules in families.RULES.items() for rule in rules}
RULES = {rule.name: rule for rules in families.RULES.values() for rule in rules}
OUTSIDE = {
    "low_language_confidence": {"family": "language", "column": "confidence", "side": "min"},
    "near_duplicate": {"family": "clusters", "column": "similarity", "side": "from"},
}
"""Rules with a threshold outside the families; ``from``: a page fails from the threshold on."""
LIMITS = {"below_min_": "min", "above_max_": "max"}
"""How limits on any column are named (`stages.kept`), and their side."""


def encode(stats: Mapping[str, Any]) -> bytes:
    """stats.json: sorted keys, one space of indent, UTF-8, the same for the same figures."""
    return (json.dumps(stats, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def build_stats(
    name: str,
    documents: Iterable[DocumentsReport] | Counted[DocumentsReport],
    kept: Iterable[KeptReport] | Counted[KeptReport],
    clusters: Mapping[str, Any] | None,
    tokens: Iterable[TokensReport] | Counted[TokensReport],
    corpus: Mapping[str, Any] | None,
    *,
    repeats: Mapping[str, Any] | None = None,
    contamination: Mapping[str, Any] | None = None,
    survey: Mapping[str, Any] | None = None,
    thresholds: Mapping[str, float] | None = None,
    own: Mapping[str, Row] | None = None,
    overrides: Iterable[Row] = (),
    buckets: Iterable[Row] = (),
    held_out: Iterable[Row] = (),
    own_lines: Iterable[Row] = (),
) -> Row:
    """The figures of a run from the reports inside its files.

    Args:
        name: of the mixture.
        documents, kept, tokens: one report per split, in the same order (`stages.report.ledger` has their keys);
            ``kept`` and ``tokens`` may be empty while those products are not there; all may be added up already.
        clusters: the summary of deduplication, or None.
        corpus: the corpus manifest, or None.
        repeats, contamination: the summaries of these products, or None.
        survey: what `stages.report.survey.finish` gives, or None.
        thresholds: of rules whose threshold is not the published one, and of those that have none (`OUTSIDE`).
        own: rules of the user's own: {"column", "side", "threshold"} by name.
        overrides: other thresholds for some pages: {"rule", "value", "for"}.
        buckets, held_out, own_lines: rows of these parts of the schema above, the former without counts.

    Raises:
        ConservationError: when the counts of the products do not add up.
    """
    ledger = add_up(documents, kept, tokens)
    rules = rules_in_force(thresholds or {}, own or {})
    thresholds = {name: rule["threshold"] for name, rule in rules.items()}
    rates = Rates(ledger)
    removed, tokenized = removed_rows(ledger, rates), token_rows(ledger)
    funnel = build_funnel(ledger, removed, tokenized)
    sources = list(ledger.sources.values())
    mixture = mixture_rows(corpus)
    stats: Row = {
        "version": VERSION,
        "name": name,
        "complete": corpus is not None,
        "totals": {
            "files": sum(reading.files for reading in sources),
            "records": sum(reading.records for reading in sources),
            "raw_bytes": sum(reading.raw_bytes for reading in sources),
            "pages": sum(reading.pages for reading in sources),
            "text_bytes": sum(reading.text_bytes for reading in sources),
            "kept": sum(count for key, (count, _) in ledger.pages.items() if key[3] is None)
            if ledger.has_kept
            else None,
            "tokens": sum(row["tokens"] for row in tokenized) if ledger.has_tokens else None,
            "training_tokens": sum(row["tokens"] for row in mixture) if corpus is not None else None,
        },
        "funnel": funnel,
        "corpus": corpus_account(tokenized, mixture),
        "removed": removed,
        "tokens": tokenized,
        "sources": source_rows(ledger, removed, tokenized),
        "languages": totals_by(("language",), ledger, removed, tokenized),
        "domains": domain_rows(ledger, removed, tokenized),
        "reasons": reason_rows(ledger, removed, rules),
        "rules": [rule_row(rule, counts, rules) for rule, counts in sorted(ledger.failed.items())],
        "listed": [
            {"entry": entry, "documents": documents}
            for entry, documents in sorted(ledger.entries.items(), key=lambda item: (-item[1], item[0]))[:MAX_ENTRIES]
        ],
        "asked": asked_rows(ledger, removed),
        "views": view_rows(ledger),
        "own_lines": list(own_lines),
        "transforms": transform_rows(ledger),
        "mixture": mixture,
        "phases": phase_rows(corpus),
        "held_out": list(held_out),
        "buckets": bucket_rows(buckets, ledger),
        "lengths": length_figures(ledger),
        "shards": shard_figures(corpus),
        "tokenizer": ledger.tokenizer or (dict(corpus["tokenizer"]) if corpus and "tokenizer" in corpus else None),
        "input": input_figures(ledger),
        "clusters": {key: clusters[key] for key in CLUSTER_FIGURES if key in clusters} if clusters else None,
        "repeats": {key: repeats[key] for key in REPEAT_FIGURES} if repeats else None,
        "contamination": {key: contamination[key] for key in CONTAMINATION_FIGURES} if contamination else None,
        "survey": with_thresholds(survey, ledger, thresholds, list(overrides)) if survey else None,
    }
    check_funnel(stats)
    return stats


def totals_by(keys: tuple[str, ...], ledger: Ledger, removed: list[Row], tokenized: list[Row]) -> list[Row]:
    """Pages, those each step removed, kept pages and tokens per value of ``keys`` (of source, language, domain).

    Most pages first.
    """
    names = ("source", "language", "domain", "reason")
    sums: dict[tuple[str, ...], Row] = {}

    def entry(row: Mapping[str, Any]) -> Row:
        key = tuple(NO_NAME if row[column] is None else str(row[column]) for column in keys)
        if key not in sums:
            counts = ("pages", "text_bytes", "kept", "kept_bytes", "tokens", "tokenized_bytes", "removed_tokens")
            steps = dict.fromkeys(STEPS[1:-1], 0)
            sums[key] = dict(zip(keys, key, strict=True)) | dict.fromkeys(counts, 0) | {"removed": steps}
        return sums[key]

    for group, (documents, num_bytes) in ledger.pages.items():
        found = entry(dict(zip(names, group, strict=True)))
        found["pages"] += documents
        found["text_bytes"] += num_bytes
        if group[3] is None:
            found["kept"] += documents
            found["kept_bytes"] += num_bytes
    for row in tokenized:
        found = entry(row)
        found["tokens"] += row["tokens"]
        found["tokenized_bytes"] += row["bytes"]
    for row in removed:
        found = entry(row)
        found["removed_tokens"] += row["tokens"] or 0
        found["removed"][row["step"]] += row["documents"]
    return [sums[key] for key in sorted(sums, key=lambda key: (-sums[key]["pages"], key))]


def source_rows(ledger: Ledger, removed: list[Row], tokenized: list[Row]) -> list[Row]:
    """One row a source: from files and records to tokens, and what each step took."""
    pages = {row["source"]: row for row in totals_by(("source",), ledger, removed, tokenized)}
    rows = []
    for source, reading in sorted(ledger.sources.items()):
        found = pages.get(source, {})
        steps = found.get("removed", dict.fromkeys(STEPS[1:-1], 0))
        rows.append(
            {
                "source": source,
                "files": reading.files,
                "records": reading.records,
                "raw_bytes": reading.raw_bytes,
                "no_page": sum(records for records, _ in reading.dropped.values()) + reading.quarantined,
                "pages": reading.pages,
                "text_bytes": reading.text_bytes,
                "removed": steps if ledger.has_kept else None,
                "kept": found.get("kept", 0) if ledger.has_kept else None,
                "kept_bytes": found.get("kept_bytes", 0) if ledger.has_kept else None,
                "tokens": found.get("tokens", 0) if ledger.has_tokens else None,
                "tokenized_bytes": found.get("tokenized_bytes", 0) if ledger.has_tokens else None,
            }
        )
    return rows


def domain_rows(ledger: Ledger, removed: list[Row], tokenized: list[Row]) -> list[Row]:
    """One row a domain, most tokens first: the pages that belong to it, what each step took of them, its tokens."""
    pages = {row["domain"]: row for row in totals_by(("domain",), ledger, removed, tokenized)}
    for row in pages.values():
        row |= {"documents": 0, "bytes": row.pop("tokenized_bytes"), "languages": {}}
    for row in tokenized:
        found = pages[row["domain"]]
        found["documents"] += row["documents"]
        languages = found["languages"]
        languages[row["language"]] = languages.get(row["language"], 0) + row["tokens"]
    return sorted(pages.values(), key=lambda row: (-row["tokens"], row["domain"]))


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


def transform_rows(ledger: Ledger) -> list[Row]:
    """One row a transform."""
    counted = ("parents", "taken", "nothing", "made", "left_out")
    return [
        {"transform": name}
        | {key: counts[key] for key in counted}
        | {"quarantined": {reason: counts[reason] for reason in sorted(counts) if reason not in counted}}
        for name, counts in sorted(ledger.transforms.items())
    ]


def view_rows(ledger: Ledger) -> list[Row]:
    """One row a view, and one for each kind of personal data that was replaced."""
    columns = ("documents", "spans", "bytes")
    rows = [{"view": view, **dict(zip(columns, counts, strict=True))} for view, counts in sorted(ledger.views.items())]
    kinds = sorted(ledger.redacted.items())
    return rows + [{"view": kind, "documents": None, "spans": spans, "bytes": None} for kind, spans in kinds]


def mixture_rows(corpus: Mapping[str, Any] | None) -> list[Row]:
    """The domains of the corpus manifest, given as a list with names or as a mapping."""
    if corpus is None:
        return []
    domains = corpus["domains"]
    if isinstance(domains, Mapping):
        domains = [{"domain": name, **entry} for name, entry in domains.items()]
    columns = ["requested_share", "requested_tokens", "target_tokens", "realised_share", "epochs"]
    columns += ["available_tokens", "unique_tokens", "documents", "text_bytes"]
    return [
        {
            "domain": str(entry.get("domain", entry.get("name"))),
            **{column: entry.get(column) for column in columns},
            "tokens": int(entry["tokens"]),
        }
        for entry in sorted(domains, key=lambda entry: (-entry["tokens"], str(entry.get("domain"))))
    ]


def phase_rows(corpus: Mapping[str, Any] | None) -> list[Row]:
    """The domains of every phase of training, in order of the phases; none where there is one mixture."""
    phases: Mapping[str, Any] = (corpus or {}).get("phases") or {}
    return [{"phase": name} | row for name, domains in phases.items() for row in mixture_rows({"domains": domains})]


def bucket_rows(buckets: Iterable[Row], ledger: Ledger) -> list[Row]:
    """Buckets with what they hold, those without a page left out."""
    sums: dict[tuple[str, str], list[int]] = {}
    for (_, language, domain), (documents, _, tokens) in ledger.tokens.items():
        found = sums.setdefault((domain, language), [0, 0])
        sums[domain, language] = [found[0] + documents, found[1] + tokens]
    rows = []
    for row in buckets:
        documents, tokens = sums.get((row["domain"], row["language"]), [0, 0])
        if documents or not ledger.has_tokens:
            counts = (documents, tokens) if ledger.has_tokens else (None, None)
            rows.append({**row, "documents": counts[0], "tokens": counts[1]})
    return rows


def length_figures(ledger: Ledger) -> Row | None:
    """Documents by number of tokens, all and per domain."""
    if not ledger.lengths:
        return None
    total = sum(ledger.lengths.values(), bins.unpacked("counts", {"first": 0, "counts": []}))
    domains = [{"domain": domain, **bins.packed(counts)} for domain, counts in sorted(ledger.lengths.items())]
    return {"edges": bins.edges("counts").tolist(), "documents": total.tolist(), "domains": domains}


def shard_figures(corpus: Mapping[str, Any] | None) -> Row | None:
    """Number, sizes and tokens of the shards, as a trainer reads them."""
    if corpus is None or not corpus.get("shards"):
        return None
    shards = corpus["shards"]
    sizes = sorted(int(shard["bytes"]) for shard in shards)
    return {
        "files": len(shards),
        "bytes": sum(sizes),
        "smallest": sizes[0],
        "largest": sizes[-1],
        "rows": sum(int(shard["rows"]) for shard in shards),
        "tokens": sum(int(shard["tokens"]) for shard in shards),
    }


def input_figures(ledger: Ledger) -> Row:
    """What could not be read, and what kind of payloads there were."""
    readings = ledger.sources.values()
    return {
        "quarantined": sum(reading.quarantined for reading in readings),
        "bad": sum(reading.bad for reading in readings),
        "listed": ledger.listed,
        "content_types": dict(sorted(ledger.content_types.items())),
        "notes": dict(sorted(ledger.notes.items())),
        "reference_tokenized_files": dict(sorted(ledger.slow_files.items())),
    }
