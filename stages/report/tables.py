"""The tables of the report: one description serves the page, its script, and CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stages.report import crossed, grids
from stages.report.columns import Column, Stats, Table, fate, make, ratio, rounded
from stages.report.corpus_tables import buckets, domains, held_out, mixture, phases
from stages.report.surveyed import (
    GROUPS,
    benchmarks,
    group,
    group_names,
    hosts,
    overlaps,
    personal_data,
    registered_domains,
    verdicts,
)
from stages.rules.reasons import words_of

SIGNS = {"min": "<", "max": ">", "from": "≥"}


def build_tables(stats: Stats, costs: Mapping[str, Any] | None = None) -> list[Table]:
    """Every table that has a row."""
    tables = [builder(stats) for builder in BUILDERS]
    tables += [duplicates(stats, kind) for kind in ("source", "language")]
    tables += [group(stats, name, GROUPS.get(name, name.replace("_", " "))) for name in group_names(stats)]
    tables += [grids.grids(stats), *crossed.tables(stats)]
    if costs:
        tables.append(costs_table(costs))
    return [table for table in tables if table.rows]


def removed(stats: Stats) -> Table:
    """Everything that was removed, one row each: what filters and sorts to any question."""
    columns = [
        Column("reason", "Reason", "reason"),
        Column("step", "Step", "text"),
        Column("source", "Source", "text"),
        Column("language", "Language", "language"),
        Column("domain", "Domain", "text", help="The domain the pages would have been in"),
        Column("documents", "Documents", "count", bar=True),
        Column("bytes", "Bytes", "bytes"),
        Column("tokens", "Tokens", "estimate"),
    ]
    rows = sorted(stats["removed"], key=lambda row: -row["documents"])  # stable: ties stay in the order of names
    caption = "Pages removed, by reason, source, language and domain"
    return make("removed", caption, columns, rows)


def reasons(stats: Stats) -> Table:
    """Reasons why records and pages were removed."""
    pages = stats["totals"]["pages"]
    records = []
    for row in stats["reasons"]:
        rule = row.get("rule")
        fails_when = (
            f"{rule['column']} {SIGNS[rule['side']]} {rule['threshold']:g}"
            if rule
            else words_of(row["reason"]).replace("`", "")
        )
        num_bytes = row["bytes"] if row["bytes"] is not None else row["raw_bytes"]
        share = ratio(row["documents"], pages) if row["bytes"] is not None else None
        records.append({**row, "bytes": num_bytes, "share": share, "fails_when": fails_when})
    columns = [
        Column("reason", "Reason", "reason"),
        Column("documents", "Documents", "count", bar=True),
        Column("share", "Of pages", "share"),
        Column("bytes", "Bytes", "bytes"),
        Column("tokens", "Tokens", "estimate"),
        Column("fails", "Fail it", "count", help="All pages that fail the rule, whatever else they fail"),
        Column("alone", "Fail only it", "count", help="What comes back when this rule alone is turned off"),
        Column("step", "Step", "text"),
        Column("fails_when", "Fails when", "reason"),
    ]
    caption = "Records and pages removed, by the first reason that applied"
    return make("reasons", caption, columns, sorted(records, key=lambda row: (-row["documents"], row["reason"])))


def listed(stats: Stats) -> Table:
    """Pages by the entries of lists of addresses under which they fall."""
    columns = [Column("entry", "List and entry", "text"), Column("documents", "Pages, at least", "count", bar=True)]
    return make("listed", "Pages under lists of addresses, by entry", columns, stats.get("listed") or [])


def asked(stats: Stats) -> Table:
    """Pages that somebody asked not to use, by who asks, for whom, and source."""
    columns = [
        Column("asked_by", "Asked by", "text"),
        Column("agent", "Agent", "text"),
        Column("source", "Source", "text"),
        Column("documents", "Pages", "count", bar=True),
        Column("bytes", "Text", "bytes"),
        Column("tokens", "Tokens (estimated)", "count"),
        Column("alone", "For nothing else", "count"),
    ]
    return make(
        "asked", "Asked not to be used: a page may be asked about by several", columns, stats.get("asked") or []
    )


def transforms(stats: Stats) -> Table:
    """Pages that functions made of pages."""
    rows = [
        {**row, "quarantined": ", ".join(f"{reason} {pages:,}" for reason, pages in row["quarantined"].items())}
        for row in stats.get("transforms") or []
    ]
    columns = [
        Column("transform", "Transform", "text"),
        Column("parents", "Pages of its sources", "count"),
        Column("taken", "Pages taken", "count"),
        Column("nothing", "Nothing made of", "count"),
        Column("made", "Pages made", "count", bar=True),
        Column(
            "left_out", "Texts left out", "count", help="Equal to their page or to another text made of it, or empty"
        ),
        Column("quarantined", "Quarantined", "text"),
    ]
    return make("transforms", "Pages that transforms made of pages", columns, rows)


def views(stats: Stats) -> Table:
    """Cuts and replacements in the pages kept."""
    columns = [
        Column("view", "View", "text"),
        Column("documents", "Documents changed", "count"),
        Column("spans", "Places", "count", bar=True),
        Column("bytes", "Bytes cut or replaced", "bytes"),
    ]
    return make("views", "Cut or replaced in kept pages, by view", columns, stats.get("views") or [])


def own_lines(stats: Stats) -> Table:
    """Examples of lines that rules of one's own mark."""
    columns = [Column("rule", "Rule", "text"), Column("line", "Line", "text"), Column("doc_id", "Page", "text")]
    return make(
        "own_lines",
        "Lines of one's own rules, some of each, from the first sixteen splits",
        columns,
        stats.get("own_lines") or [],
    )


def languages(stats: Stats) -> Table:
    total = stats["totals"]["tokens"]
    records = [
        {**row, "share": ratio(row["tokens"], total), "rate": ratio(row["tokenized_bytes"], row["tokens"])}
        | {"kept_share": ratio(row["kept"], row["pages"]), "fate": fate(row)}
        for row in sorted(stats["languages"], key=lambda row: (-row["tokens"], -row["pages"], row["language"]))
    ]
    columns = [
        Column("language", "Language", "language"),
        Column("fate", "What became of them", "parts"),
        Column("tokens", "Tokens", "count"),
        Column("share", "Share", "share"),
        Column("pages", "Pages", "count"),
        Column("kept", "Kept", "count"),
        Column("kept_share", "Kept of pages", "share"),
        Column("text_bytes", "Bytes of pages", "bytes"),
        Column("rate", "Bytes per token", "number"),
    ]
    return make("languages", "Pages and tokens, by language", columns, records)


def sources(stats: Stats) -> Table:
    records = [
        {**row, **{f"removed_{step}": count for step, count in (row["removed"] or {}).items()}}
        | {"kept_share": ratio(row["kept"], row["pages"]), "rate": ratio(row["tokenized_bytes"], row["tokens"])}
        | {"fate": fate(row)}
        for row in stats["sources"]
    ]
    columns = [
        Column("source", "Source", "text"),
        Column("fate", "What became of them", "parts"),
        Column("files", "Files", "count"),
        Column("raw_bytes", "Raw bytes", "bytes"),
        Column("records", "Records", "count"),
        Column("no_page", "No page", "count", help="Records without text: other types, other statuses, quarantined"),
        Column("pages", "Pages", "count"),
        Column("text_bytes", "Bytes of text", "bytes"),
        Column("removed_language", "Language", "count", help="Pages removed by their language"),
        Column("removed_clusters", "Duplicates", "count", help="Pages removed as duplicates"),
        Column("removed_quality", "Quality", "count", help="Pages removed by quality rules"),
        Column("kept", "Kept", "count"),
        Column("kept_share", "Kept of pages", "share"),
        Column("tokens", "Tokens", "count"),
        Column("rate", "Bytes per token", "number"),
    ]
    return make("sources", "From files to tokens, by source", columns, records)


def content_types(stats: Stats) -> Table:
    found = stats["input"]["content_types"]
    records = [{"content_type": name, "records": found[name]} for name in sorted(found, key=lambda k: (-found[k], k))]
    columns = [Column("content_type", "Content type", "text"), Column("records", "Records", "count", bar=True)]
    return make("content_types", "Payloads that were no pages, by content type", columns, records)


REMOVED = ("exact_removed", "fuzzy_removed", "url_removed")


def duplicates(stats: Stats, kind: str) -> Table:
    """Pages that deduplication removed, per source or language."""
    found = (stats["clusters"] or {}).get(f"{kind}s") or {}
    records = [
        {kind: name, "url_removed": 0, **counts, "removed": sum(counts.get(part, 0) for part in REMOVED)}
        for name, counts in found.items()
    ]
    for record in records:
        record["share"] = ratio(record["removed"], record.get("passing", record["rows"]))
    columns = [
        Column(kind, kind.capitalize(), "language" if kind == "language" else "text"),
        Column("rows", "Pages", "count"),
        Column("passing", "Pass all other rules", "count"),
        Column("exact_removed", "Exact copies", "count"),
        Column("fuzzy_removed", "Near copies", "count"),
        Column("url_removed", "Same address", "count"),
        Column("removed", "Removed", "count", bar=True),
        Column("share", "Of those that pass", "share"),
    ]
    records.sort(key=lambda record: (-record["removed"], record[kind]))
    return make(f"duplicates_by_{kind}", f"Duplicates found, by {kind}", columns, records)


def repeats(stats: Stats) -> Table:
    """Text that stands in several places, per source."""
    found = (stats.get("repeats") or {}).get("sources") or {}
    records = [{"source": name, **counts} for name, counts in found.items()]
    for record in records:
        record["share"] = ratio(record["repeats_bytes"], record["text_bytes"])
    columns = [
        Column("source", "Source", "text"),
        Column("pages", "Pages", "count", help="Pages that all other rules keep"),
        Column("pages_with_repeats", "With repeats", "count"),
        Column("text_bytes", "Text", "bytes"),
        Column("repeats_bytes", "Repeated", "bytes", bar=True, help="Bytes whose copy stays elsewhere"),
        Column("share", "Of text", "share"),
        Column("cut_bytes", "Cut by the view", "bytes", help="Joined and widened"),
        Column("kept_bytes", "Kept for others", "bytes"),
    ]
    records.sort(key=lambda record: (-record["repeats_bytes"], record["source"]))
    return make("repeats_by_source", "Repeats found, by source", columns, records)


def passages(stats: Stats) -> Table:
    """The passages that most pages have, with the page that keeps each."""
    columns = [
        Column("places", "Pages", "count", bar=True),
        Column("bytes", "Bytes", "bytes"),
        Column("source", "Source", "text"),
        Column("url", "Stays on", "text"),
        Column("text", "Begins", "text"),
    ]
    found = (stats.get("repeats") or {}).get("most_repeated") or []
    return make("passages", "Passages that most pages have", columns, found)


def trouble(stats: Stats) -> Table:
    columns = [
        Column("source", "Source", "text"),
        Column("file", "File", "text"),
        Column("offset", "Position", "plain"),
        Column("kind", "Kind", "text"),
        Column("reason", "Reason", "reason"),
    ]
    return make("trouble", "Records and stretches of files that could not be read", columns, stats["input"]["listed"])


def costs_table(costs: Mapping[str, Any]) -> Table:
    """Seconds are of one core, summed over tasks."""
    records = []
    for stage, entry in costs.items():
        seconds = entry.get("seconds")
        speed = {f"{what}_per_second": rounded(ratio(entry.get(what), seconds)) for what in ("bytes", "pages")}
        records.append({"stage": stage, **entry, **speed})
    columns = [
        Column("stage", "Stage", "text"),
        Column("seconds", "Core time", "seconds", bar=True),
        Column("tasks", "Tasks", "count"),
        Column("bytes", "Bytes read", "bytes"),
        Column("bytes_per_second", "Bytes a second", "bytes", help="Per core"),
        Column("pages_per_second", "Pages a second", "count", help="Per core"),
        Column("peak_memory", "Peak memory", "bytes", help="Of the largest task"),
        Column("retries", "Retries", "count"),
    ]
    known = [column for column in columns if any(record.get(column.key) is not None for record in records)]
    return make("costs", "What the run cost, by stage", known, records)


BUILDERS: tuple[Callable[[Stats], Table], ...] = (
    reasons, listed, asked, views, own_lines, transforms, mixture, phases, held_out, domains, buckets, languages,
    sources, removed,
    content_types, hosts, registered_domains, personal_data, benchmarks, verdicts, overlaps, repeats,
    passages, trouble,
)  # fmt: skip
