"""Tables of what the survey counted: hosts, groups of pages, personal data, benchmarks."""

from __future__ import annotations

from stages.report.columns import Column, Stats, Table, make, ratio

GROUPS = {"month": "Month", "licence": "Licence", "script": "Script", "charset": "Charset"}


def hosts(stats: Stats) -> Table:
    return names(stats, "hosts", "Host", "Hosts, by pages")


def registered_domains(stats: Stats) -> Table:
    return names(stats, "registered", "Registered domain", "Registered domains, by pages")


def names(stats: Stats, name: str, label: str, caption: str) -> Table:
    """The largest hosts or registered domains, with their share of pages before and after."""
    records = [
        {**row, "gain": row["share_kept"] - row["share"] if row["share_kept"] is not None else None}
        for row in (stats["survey"] or {}).get(name, [])
    ]
    columns = [
        Column("host", label, "text"),
        Column("pages", "Pages", "count", bar=True),
        Column("share", "Share before", "share", help="Of all pages"),
        Column("share_kept", "Share after", "share", help="Of all kept pages"),
        Column("gain", "Change", "points", help="Share after minus share before, in percentage points"),
        Column("kept", "Kept", "count"),
        Column("kept_share", "Kept of pages", "share"),
        Column("text_bytes", "Bytes of pages", "bytes"),
    ]
    return make(name, caption, columns, records)


def personal_data(stats: Stats) -> Table:
    """Findings of `privacy`: addresses, numbers, keys."""
    totals = stats["totals"]
    records = []
    for entry in (stats["survey"] or {}).get("histograms", []):
        if entry["column"].startswith("privacy_num_") and entry.get("totals"):
            found, of_kept, pages, kept = entry["totals"]
            records.append(
                {"kind": entry["column"].removeprefix("privacy_num_"), "found": found, "pages": pages}
                | {"share": ratio(pages, totals["pages"]), "found_kept": of_kept, "kept": kept}
                | {"share_kept": ratio(kept, totals["kept"])}
            )
    columns = [
        Column("kind", "Kind", "text"),
        Column("found", "Found", "count", bar=True),
        Column("pages", "Pages with any", "count"),
        Column("share", "Of pages", "share"),
        Column("found_kept", "Found in kept pages", "count"),
        Column("kept", "Kept pages with any", "count"),
        Column("share_kept", "Of kept pages", "share"),
    ]
    return make("personal_data", "Personal data and credentials found", columns, records)


def benchmarks(stats: Stats) -> Table:
    """Pages that hold a piece of a benchmark, by benchmark."""
    found = (stats["survey"] or {}).get("groups", {}).get("contamination_benchmark", [])
    records = [row | {"removed": row["pages"] - row["kept"]} for row in found if row["value"]]
    columns = [
        Column("value", "Benchmark", "text"),
        Column("pages", "Pages", "count", bar=True),
        Column("kept", "Kept", "count"),
        Column("removed", "Removed", "count", help="By whichever reason"),
        Column("bytes", "Bytes of pages", "bytes"),
    ]
    records.sort(key=lambda row: (-row["pages"], row["value"]))
    return make("contamination", "Contaminated pages, by benchmark", columns, records)


VERDICTS = {
    "found": "An item stands there",
    "passage_alone": "The passage of an item alone",
    "common_text": "Text that is common in the corpus",
    "shared_by_items": "Words that many items share",
    "in_part": "Too little of an item",
}


def verdicts(stats: Stats) -> Table:
    """Text of benchmarks in pages, by benchmark and source: items, and what looks like them and is not counted."""
    found = (stats.get("contamination") or {}).get("verdicts") or []
    columns = [
        Column("benchmark", "Benchmark", "text"),
        Column("source", "Source", "text"),
        Column("what", "What pages hold", "text", help="Only the first is marked, unless thresholds say otherwise"),
        Column("pages", "Pages", "count", bar=True),
    ]
    records = [{**row, "what": VERDICTS[row["verdict"]]} for row in found]
    records.sort(key=lambda row: (row["verdict"] != "found", -row["pages"], row["benchmark"], row["source"]))
    return make("contamination_verdicts", "Overlap with benchmarks, and what became of it", columns, records)


def overlaps(stats: Stats) -> Table:
    """Places of pages that overlap with an item, a few for each benchmark and verdict."""
    found = (stats.get("contamination") or {}).get("examples") or []
    columns = [
        Column("benchmark", "Benchmark", "text"),
        Column("item", "Item", "plain"),
        Column("score", "Score", "number"),
        Column("what", "Verdict", "text"),
        Column("source", "Source", "text"),
        Column("url", "Page", "text"),
        Column("text", "Begins", "text"),
    ]
    records = [{**row, "what": VERDICTS[row["verdict"]]} for row in found]
    return make("contamination_examples", "Overlap with benchmarks, examples", columns, records)


def group_names(stats: Stats) -> list[str]:
    """Names of the groups by which pages were counted: the usual, then whatever else the survey met, but benchmarks."""
    found = (stats["survey"] or {}).get("groups", {})
    return [*GROUPS, *(name for name in found if name not in (*GROUPS, "contamination_benchmark"))]


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
