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

from stages.report.corpus_figures import bucket_rows, length_figures, mixture_rows, phase_rows, shard_figures
from stages.report.funnel import STEPS, Rates, Row, build_funnel, check_funnel, corpus_account, removed_rows, token_rows
from stages.report.ledger import ConservationError, Counted, Ledger, add_up
from stages.report.rule_figures import asked_rows, reason_rows, rule_row, rules_in_force, with_thresholds
from stages.reports import DocumentsReport, KeptReport, TokensReport

__all__ = ["VERSION", "ConservationError", "build_stats", "encode", "shard_figures"]

VERSION = 8
MAX_ENTRIES = 200
CLUSTER_FIGURES = (
    "rows", "passing", "exact_removed", "fuzzy_removed", "pairs_compared", "pairs_verified", "pairs_by_similarity",
    "cluster_sizes", "largest_clusters", "sources", "languages",
)  # fmt: skip
CONTAMINATION_FIGURES = ("benchmarks", "num_short_items", "verdicts", "items", "examples")
REPEAT_FIGURES = ("min_bytes", "repeats", "repeats_bytes", "cut_bytes", "kept_bytes", "sources", "most_repeated")
NO_NAME = "(none)"


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
    mixture = mixture_rows(corpus)
    stats: Row = {
        "version": VERSION,
        "name": name,
        "complete": corpus is not None,
        "totals": total_figures(ledger, tokenized, mixture if corpus is not None else None),
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


def total_figures(ledger: Ledger, tokenized: list[Row], mixture: list[Row] | None) -> Row:
    """Figures from files and records to tokens, all sources together; None for those not known yet."""
    sources = ledger.sources.values()
    kept = sum(documents for group, (documents, _) in ledger.pages.items() if group[3] is None)
    return {
        "files": sum(reading.files for reading in sources),
        "records": sum(reading.records for reading in sources),
        "raw_bytes": sum(reading.raw_bytes for reading in sources),
        "pages": sum(reading.pages for reading in sources),
        "text_bytes": sum(reading.text_bytes for reading in sources),
        "kept": kept if ledger.has_kept else None,
        "tokens": sum(row["tokens"] for row in tokenized) if ledger.has_tokens else None,
        "training_tokens": None if mixture is None else sum(row["tokens"] for row in mixture),
    }


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


def input_figures(ledger: Ledger) -> Row:
    """Figures of what could not be read, and of the kinds of payloads."""
    readings = ledger.sources.values()
    return {
        "quarantined": sum(reading.quarantined for reading in readings),
        "bad": sum(reading.bad for reading in readings),
        "listed": ledger.listed,
        "content_types": dict(sorted(ledger.content_types.items())),
        "notes": dict(sorted(ledger.notes.items())),
        "reference_tokenized_files": dict(sorted(ledger.slow_files.items())),
    }
