"""The tables of the report: one description serves the page, its script, and CSV and Parquet files.

A column's ``kind`` says how a value is shown: text, reason, language; count, bytes, estimate (of a count), change (of
a count), bytes_change, number, seconds; share (0..1) and points (a difference of shares). A null is shown as a dash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.report.figures import duration, exact, percent, short, size

Stats = Mapping[str, Any]
GROUPS = {"month": "Month", "licence": "Licence", "script": "Script", "charset": "Charset"}


@dataclass(frozen=True)
class Column:
    key: str
    label: str
    kind: str
    bar: bool = False
    """Draw a bar beside the number, as long as its part of the column's largest."""
    help: str = ""


@dataclass(frozen=True)
class Table:
    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: list[list[Any]]

    def records(self) -> list[dict[str, Any]]:
        """The rows with the columns' keys."""
        return [dict(zip((column.key for column in self.columns), row, strict=True)) for row in self.rows]


def shown(value: Any, kind: str) -> tuple[str, str]:
    """A value as the page shows it, and in full. `page.js.j2` does the same; a test compares them."""
    if value is None:
        return "–", ""
    match kind:
        case "count":
            return short(value), exact(value)
        case "estimate":
            return f"~{short(value)}", f"about {exact(value)}"
        case "change":
            return sign(value) + short(abs(value)), sign(value) + exact(abs(value))
        case "bytes_change":
            return sign(value) + size(abs(value)), f"{sign(value)}{exact(abs(value))} bytes"
        case "bytes":
            return size(value), f"{exact(value)} bytes"
        case "number":
            return f"{value:.2f}", f"{value:.6f}"
        case "seconds":
            return duration(value), f"{value:.3f} s"
        case "share":
            return percent(value, 1), f"{100 * value:.4f}%"
        case "points":
            points = f"{abs(100 * value):.2f}"
            before = "" if points == "0.00" else sign(value)
            return before + points, f"{sign(value)}{abs(100 * value):.4f} percentage points"
        case _:
            return str(value), ""


def sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else ""


def build_tables(stats: Stats, costs: Mapping[str, Any] | None = None) -> list[Table]:
    """Every table that has a row."""
    builders = (reasons, listed, views, mixture, phases, domains, languages, sources, content_types, hosts, trouble)
    tables = [builder(stats) for builder in builders] + [duplicates(stats, kind) for kind in ("source", "language")]
    tables += [group(stats, name, label) for name, label in GROUPS.items()]
    if costs:
        tables.append(costs_table(costs))
    return [table for table in tables if table.rows]


def make(name: str, caption: str, columns: Sequence[Column], records: Sequence[Mapping[str, Any]]) -> Table:
    return Table(name, caption, tuple(columns), [[record.get(column.key) for column in columns] for record in records])


def ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def reasons(stats: Stats) -> Table:
    """Why records and pages were removed."""
    pages = stats["totals"]["pages"]
    records = []
    for row in stats["reasons"]:
        rule = row.get("rule")
        sign = {"min": "<", "max": ">"}[rule["side"]] if rule else ""
        fails_when = f"{rule['column']} {sign} {rule['threshold']:g}" if rule else ""
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
        Column("fails_when", "Fails when", "text"),
    ]
    caption = "Records and pages removed, by the first reason that applied"
    return make("reasons", caption, columns, sorted(records, key=lambda row: (-row["documents"], row["reason"])))


def listed(stats: Stats) -> Table:
    """Which entries of which lists of addresses pages fall under."""
    columns = [Column("entry", "List and entry", "text"), Column("documents", "Pages, at least", "count", bar=True)]
    return make("listed", "Pages under lists of addresses, by entry", columns, stats.get("listed") or [])


def views(stats: Stats) -> Table:
    """What was cut or replaced in the pages kept."""
    columns = [
        Column("view", "View", "text"),
        Column("documents", "Documents changed", "count"),
        Column("spans", "Places", "count", bar=True),
        Column("bytes", "Bytes cut or replaced", "bytes"),
    ]
    return make("views", "Cut or replaced in kept pages, by view", columns, stats.get("views") or [])


def mixture(stats: Stats) -> Table:
    """Requested against realised shares."""
    return taken("mixture", "The mixture, by domain", [Column("domain", "Domain", "text")], stats["mixture"])


def phases(stats: Stats) -> Table:
    """Requested against realised shares of every phase of training."""
    keys = [Column("phase", "Phase", "text"), Column("domain", "Domain", "text")]
    return taken("phases", "The mixture of every phase of training, by domain", keys, stats.get("phases") or [])


def taken(name: str, caption: str, keys: list[Column], rows: Sequence[Mapping[str, Any]]) -> Table:
    """What a corpus takes of its domains."""
    records = []
    for row in rows:
        asked, got = row["requested_share"], row["realised_share"]
        records.append({**row, "difference": got - asked if asked is not None and got is not None else None})
    columns = [
        *keys,
        Column("requested_share", "Requested", "share"),
        Column("realised_share", "Realised", "share"),
        Column("difference", "Difference", "points", help="Realised minus requested, in percentage points"),
        Column("available_tokens", "Tokens available", "count"),
        Column("epochs", "Epochs", "number", help="How many times the domain's tokens are used"),
        Column("requested_tokens", "Tokens requested", "count"),
        Column("tokens", "Tokens in the corpus", "count", bar=True),
    ]
    return make(name, caption, columns, records)


def domains(stats: Stats) -> Table:
    total = stats["totals"]["tokens"]
    records = [
        {**row, "share": ratio(row["tokens"], total), "rate": ratio(row["bytes"], row["tokens"])}
        | {"mean": rounded(ratio(row["tokens"], row["documents"])), "languages": len(row["languages"])}
        for row in stats["domains"]
    ]
    columns = [
        Column("domain", "Domain", "text"),
        Column("tokens", "Tokens", "count", bar=True),
        Column("share", "Share", "share"),
        Column("documents", "Documents", "count"),
        Column("bytes", "Bytes", "bytes"),
        Column("rate", "Bytes per token", "number"),
        Column("mean", "Tokens per document", "count"),
        Column("languages", "Languages", "count"),
    ]
    return make("domains", "Tokens available, by domain", columns, records)


def languages(stats: Stats) -> Table:
    total = stats["totals"]["tokens"]
    records = [
        {**row, "share": ratio(row["tokens"], total), "rate": ratio(row["tokenized_bytes"], row["tokens"])}
        | {"kept_share": ratio(row["kept"], row["pages"])}
        for row in sorted(stats["languages"], key=lambda row: (-row["tokens"], -row["pages"], row["language"]))
    ]
    columns = [
        Column("language", "Language", "language"),
        Column("tokens", "Tokens", "count", bar=True),
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
        for row in stats["sources"]
    ]
    columns = [
        Column("source", "Source", "text"),
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
        Column("tokens", "Tokens", "count", bar=True),
        Column("rate", "Bytes per token", "number"),
    ]
    return make("sources", "From files to tokens, by source", columns, records)


def content_types(stats: Stats) -> Table:
    found = stats["input"]["content_types"]
    records = [{"content_type": name, "records": found[name]} for name in sorted(found, key=lambda k: (-found[k], k))]
    columns = [Column("content_type", "Content type", "text"), Column("records", "Records", "count", bar=True)]
    return make("content_types", "Payloads read, by content type", columns, records)


def hosts(stats: Stats) -> Table:
    """Largest hosts, with their share of pages before and after."""
    records = (stats["survey"] or {}).get("hosts", [])
    columns = [
        Column("host", "Host", "text"),
        Column("pages", "Pages", "count", bar=True),
        Column("share", "Share of pages", "share"),
        Column("kept", "Kept", "count"),
        Column("kept_share", "Kept of pages", "share"),
        Column("share_kept", "Share of kept", "share"),
        Column("text_bytes", "Bytes of pages", "bytes"),
    ]
    return make("hosts", "Hosts, by pages", columns, records)


def duplicates(stats: Stats, kind: str) -> Table:
    """What deduplication removed, per source or language."""
    found = (stats["clusters"] or {}).get(f"{kind}s") or {}
    records = [
        {kind: name, **counts, "removed": counts["exact_removed"] + counts["fuzzy_removed"]}
        for name, counts in found.items()
    ]
    for record in records:
        record["share"] = ratio(record["removed"], record["rows"])
    columns = [
        Column(kind, kind.capitalize(), "language" if kind == "language" else "text"),
        Column("rows", "Pages", "count"),
        Column("exact_removed", "Exact copies", "count"),
        Column("fuzzy_removed", "Near copies", "count"),
        Column("removed", "Removed", "count", bar=True),
        Column("share", "Of pages", "share"),
    ]
    records.sort(key=lambda record: (-record["removed"], record[kind]))
    return make(f"duplicates_by_{kind}", f"Duplicates found, by {kind}", columns, records)


def group(stats: Stats, name: str, label: str) -> Table:
    """Pages and bytes by something the survey counted; months in order of time, others by size."""
    found = (stats["survey"] or {}).get("groups", {}).get(name, [])
    records = [
        {**row, "value": row["value"] or "(none)", "kept_share": ratio(row["kept"], row["pages"])}
        for row in found
        if len(found) > 1 or row["value"]
    ]
    columns = [
        Column("value", label, "text"),
        Column("pages", "Pages", "count", bar=True),
        Column("kept", "Kept", "count"),
        Column("kept_share", "Kept of pages", "share"),
        Column("bytes", "Bytes of pages", "bytes"),
        Column("kept_bytes", "Bytes of kept", "bytes"),
    ]
    records.sort(key=lambda row: row["value"] if name == "month" else (-row["pages"], row["value"]))
    return make(f"by_{name}", f"Pages by {label.lower()}", columns, records)


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
