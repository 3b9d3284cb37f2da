"""Tables of the corpus: domains and their buckets, the mixture with what was requested of it, and what is held out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stages.kernels.columns import bins
from stages.report.charts import quantile
from stages.report.columns import Column, Stats, Table, fate, make, ratio, rounded

REPEAT_DECAY = 15.387756
"""Half-life of repetition in passes (Muennighoff et al. 2023, 2305.16264)."""


def effective(tokens: float | None, unique: float | None) -> int | None:
    """Value of tokens, repeats counted for less: U + U R* (1 - exp(-R / R*)) for R = tokens / U - 1 repeats."""
    if tokens is None or not unique:
        return None
    repeats = max(0.0, tokens / unique - 1)
    return round(min(tokens, unique) + unique * REPEAT_DECAY * -math.expm1(-repeats / REPEAT_DECAY))


def mixture(stats: Stats) -> Table:
    """Requested against realised shares."""
    return taken("mixture", "The mixture, by domain", [Column("domain", "Domain", "text")], stats["mixture"])


def phases(stats: Stats) -> Table:
    """Requested against realised shares of every phase of training."""
    keys = [Column("phase", "Phase", "text"), Column("domain", "Domain", "text")]
    return taken("phases", "The mixture of every phase of training, by domain", keys, stats.get("phases") or [])


def taken(name: str, caption: str, keys: list[Column], rows: Sequence[Mapping[str, Any]]) -> Table:
    """The parts of domains in the corpus, requested and realised."""
    records = []
    for row in rows:
        requested, realised = row["requested_share"], row["realised_share"]
        difference = realised - requested if requested is not None and realised is not None else None
        worth = effective(row["tokens"], row["unique_tokens"])
        records.append({**row, "difference": difference, "effective": worth})
    columns = [
        *keys,
        Column("requested_share", "Requested", "share"),
        Column("realised_share", "Realised", "share"),
        Column("difference", "Difference", "points", help="Realised minus requested, in percentage points"),
        Column("available_tokens", "Tokens available", "count"),
        Column("epochs", "Epochs", "number", help="How many times the domain's tokens are used"),
        Column("effective", "Effective", "count", help="Tokens, repeats counted for what they are worth"),
        Column("requested_tokens", "Tokens requested", "count"),
        Column("tokens", "Tokens in the corpus", "count", bar=True),
    ]
    return make(name, caption, columns, records)


def domains(stats: Stats) -> Table:
    total = stats["totals"]["tokens"]
    medians, named = median_lengths(stats), bucket_names(stats)
    records = [
        {**row, "share": ratio(row["tokens"], total), "rate": ratio(row["bytes"], row["tokens"])}
        | {"mean": rounded(ratio(row["tokens"], row["documents"])), "languages": len(row["languages"])}
        | {"median": medians.get(row["domain"]), "bucket": named.get(row["domain"], "")}
        | {"kept_share": ratio(row["kept"], row["pages"]), "fate": fate(row)}
        for row in stats["domains"]
    ]
    columns = [
        Column("domain", "Domain", "text"),
        Column("fate", "What became of them", "parts"),
        Column("tokens", "Tokens", "count"),
        Column("share", "Share", "share"),
        Column("documents", "Documents", "count"),
        Column("bytes", "Bytes", "bytes"),
        Column("rate", "Bytes per token", "number"),
        Column("mean", "Mean tokens", "count", help="Of a document"),
        Column("median", "Median tokens", "count", help="Of a document, within a bin of the distribution"),
        Column("languages", "Languages", "count"),
        Column("pages", "Pages", "count", help="That belong to the domain, kept or not"),
        Column("kept_share", "Kept of pages", "share"),
    ]
    if named:
        help_text = "What part of each language it takes, by which measurement; the edges are in a table below"
        columns.insert(4, Column("bucket", "Bucket", "text", help=help_text))
    return make("domains", "From pages to tokens, by domain", columns, records)


def median_lengths(stats: Stats) -> dict[str, int]:
    """Tokens of the median document of each domain."""
    found = stats.get("lengths")
    if not found:
        return {}
    rows = {row["domain"]: bins.unpacked("counts", row).tolist() for row in found["domains"]}
    return {domain: round(quantile(counts, found["edges"], 0.5)) for domain, counts in rows.items()}


def bucket_names(stats: Stats) -> dict[str, str]:
    """The buckets of each domain in words."""
    found: dict[str, dict[str, str]] = {}
    for row in stats.get("buckets") or []:
        limits = f"{row['from']:.15g}–{row['to']:.15g}%"
        found.setdefault(row["domain"], {})[row["column"]] = f"{row['column']} {limits}"
    return {domain: ", ".join(columns.values()) for domain, columns in found.items()}


def buckets(stats: Stats) -> Table:
    """Edges of the buckets of each language, beside what they hold."""
    records = [row | {"part": f"{row['from']:.15g}–{row['to']:.15g}%"} for row in stats.get("buckets") or []]
    columns = [
        Column("domain", "Domain", "text"),
        Column("column", "By", "text"),
        Column("part", "Percentiles", "text"),
        Column("language", "Language", "language"),
        Column("least", "From", "number", help="The smallest value that is in the bucket; a dash: no limit"),
        Column("below", "Below", "number", help="The smallest value that is above the bucket; a dash: no limit"),
        Column("documents", "Documents", "count", bar=True),
        Column("tokens", "Tokens", "count"),
    ]
    records.sort(key=lambda row: -(row["tokens"] or 0))
    return make("buckets", "Edges of the buckets, by domain and language", columns, records)


def held_out(stats: Stats) -> Table:
    """Pages that are held out of training, for validation and tests."""
    columns = [
        Column("domain", "Domain", "text"),
        Column("split", "Split", "text"),
        Column("documents", "Documents", "count"),
        Column("text_bytes", "Bytes of text", "bytes"),
        Column("tokens", "Tokens", "count", bar=True),
        Column("folder", "Folder under the root", "reason"),
    ]
    return make("held_out", "Held out of training, by domain and split", columns, stats.get("held_out") or [])
