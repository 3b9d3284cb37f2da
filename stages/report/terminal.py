"""The report for a terminal: the funnel, what was removed, tokens per domain and the mixture, as plain tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from stages.figures import exact, fixed, percent, short, size
from stages.report import grids, remarks
from stages.untrusted import whole_line

SHOWN = 12
"""Rows of a table; the rest is added up in its last line."""
COLUMNS = 100


def render_text(stats: Mapping[str, Any]) -> str:
    """Tables of at most 100 columns; ends with a line feed."""
    parts = [
        headline(stats),
        funnel(stats),
        reasons(stats),
        listed(stats),
        asked(stats),
        views(stats),
        own_lines(stats),
        repeats(stats),
        transforms(stats),
        sources(stats),
        languages(stats),
        domains(stats),
        phases(stats),
        "\n".join(wrapped(one["text"]) for one in remarks.mixture(stats) if one["level"] == "warn"),
        trouble(stats),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def wrapped(text: str) -> str:
    """A remark in lines of at most 100 columns, all but the first set in."""
    return textwrap.fill(text, COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def headline(stats: Mapping[str, Any]) -> str:
    totals = stats["totals"]
    read = f"{exact(totals['records'])} records, {exact(totals['pages'])} pages"
    if totals["tokens"] is None:
        return f"{stats['name']}: {read}; not finished"
    left = f"{exact(totals['kept'])} kept, {exact(totals['tokens'])} tokens"
    if totals["training_tokens"] is None:
        return f"{stats['name']}: {read}, {left}; the corpus is not there yet"
    return f"{stats['name']}: {read}, {left}, {exact(totals['training_tokens'])} in the corpus"


def funnel(stats: Mapping[str, Any]) -> str:
    """Figures of what is left after each step."""
    rows = []
    start = stats["totals"]["pages"]
    before = None
    for step in stats["funnel"]:
        mark = "~" if step["estimated"] else ""
        tokens = mark + short(step["tokens"]) if step["tokens"] is not None else ""
        of_pages = percent(step["documents"], start) if step["step"] != "records" else ""
        if before is not None and step["documents"] is not None and step["documents"] > before:
            of_pages = "pieces"  # long documents were cut
        before = step["documents"]
        rows.append([step["step"], exact(step["documents"]), of_pages, size(step["bytes"]), tokens])
    return table(["left after", "documents", "of pages", "bytes", "tokens"], rows)


def reasons(stats: Mapping[str, Any]) -> str:
    """Removed records and pages, with reasons."""
    rows = sorted(stats["reasons"], key=lambda row: (-row["documents"], row["reason"]))
    lines = []
    for row in rows[:SHOWN]:
        num_bytes = row["bytes"] if row["bytes"] is not None else row["raw_bytes"]
        tokens = f"~{short(row['tokens'])}" if row["tokens"] is not None else ""
        lines.append([row["reason"], row["step"], exact(row["documents"]), size(num_bytes), tokens])
    if len(rows) > SHOWN:
        lines.append([f"{len(rows) - SHOWN} more", "", exact(sum(row["documents"] for row in rows[SHOWN:])), "", ""])
    return table(["removed because", "step", "documents", "bytes", "tokens"], lines) if lines else ""


def listed(stats: Mapping[str, Any]) -> str:
    """Entries of lists of addresses that most pages fall under."""
    lines = [[row["entry"], exact(row["documents"])] for row in (stats.get("listed") or [])[:SHOWN]]
    return table(["list: entry", "pages"], lines) if lines else ""


def asked(stats: Mapping[str, Any]) -> str:
    """Pages that somebody asked not to use."""
    lines = []
    for row in (stats.get("asked") or [])[:SHOWN]:
        tokens = f"~{short(row['tokens'])}" if row["tokens"] is not None else ""
        lines.append([row["asked_by"], row["agent"] or "", row["source"], exact(row["documents"]), tokens])
    return table(["asked not to be used by", "agent", "source", "pages", "tokens"], lines) if lines else ""


def views(stats: Mapping[str, Any]) -> str:
    """Cuts and replacements in the pages kept, where any view is on."""
    lines = [
        [row["view"], exact(row["documents"]) if row["documents"] is not None else "", exact(row["spans"])]
        for row in stats.get("views") or []
    ]
    return table(["cut or replaced in kept pages", "documents", "places"], lines) if lines else ""


def own_lines(stats: Mapping[str, Any]) -> str:
    """Examples of lines that rules of one's own mark."""
    lines = [[row["rule"], row["line"][:70]] for row in (stats.get("own_lines") or [])[:SHOWN]]
    return table(["rule of lines", "for example"], lines) if lines else ""


def repeats(stats: Mapping[str, Any]) -> str:
    """Text that stands in several places, by source, where that was looked for."""
    found = (stats.get("repeats") or {}).get("sources") or {}
    lines = [
        [
            name,
            exact(counts["pages_with_repeats"]),
            size(counts["repeats_bytes"]),
            percent(counts["repeats_bytes"], counts["text_bytes"]),
        ]
        for name, counts in sorted(found.items(), key=lambda entry: (-entry[1]["repeats_bytes"], entry[0]))
    ]
    return table(["repeats in source", "pages", "bytes that stay elsewhere", "of text"], lines) if lines else ""


def transforms(stats: Mapping[str, Any]) -> str:
    """Pages that functions made of pages, where the mixture has any."""
    lines = [
        [
            row["transform"],
            *(exact(row[key]) for key in ("parents", "taken", "nothing", "made", "left_out")),
            ", ".join(f"{reason} {exact(pages)}" for reason, pages in row["quarantined"].items()),
        ]
        for row in stats.get("transforms") or []
    ]
    return (
        table(["transform", "pages", "taken", "gave nothing", "made", "left out", "quarantined"], lines)
        if lines
        else ""
    )


def sources(stats: Mapping[str, Any]) -> str:
    """Fate of each source's pages, where there are several sources."""
    rows = sorted(stats["sources"], key=lambda row: (-row["pages"], row["source"]))
    if stats["totals"]["tokens"] is None or len(rows) < 2:
        return ""
    lines = []
    for row in rows[:SHOWN]:
        kept, tokens = percent(row["kept"], row["pages"]), exact(row["tokens"])
        share = percent(row["tokens"], stats["totals"]["tokens"])
        lines.append([row["source"], exact(row["records"]), exact(row["pages"]), kept, tokens, share])
    if len(rows) > SHOWN:
        counts = [exact(sum(row[name] for row in rows[SHOWN:])) for name in ("records", "pages", "tokens")]
        lines.append([f"{len(rows) - SHOWN} more", *counts[:2], "", counts[2], ""])
    return table(["source", "records", "pages", "kept", "tokens", "share"], lines)


def languages(stats: Mapping[str, Any]) -> str:
    """Tokens per language."""
    rows = sorted(stats["languages"], key=lambda row: (-row["tokens"], -row["pages"], row["language"]))
    if stats["totals"]["tokens"] is None or not rows:
        return ""
    lines = [language_line(row["language"], row, stats) for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        columns = ("pages", "kept", "tokens", "tokenized_bytes")
        rest = {column: sum(row[column] for row in rows[SHOWN:]) for column in columns}
        lines.append(language_line(f"{len(rows) - SHOWN} more", rest, stats))
    return table(["language", "pages", "kept", "tokens", "share", "bytes/token"], lines)


def language_line(name: str, row: Mapping[str, Any], stats: Mapping[str, Any]) -> list[str]:
    share = percent(row["tokens"], stats["totals"]["tokens"])
    rate = fixed(row["tokenized_bytes"] / row["tokens"], 2) if row["tokens"] else "–"
    return [name, exact(row["pages"]), percent(row["kept"], row["pages"]), exact(row["tokens"]), share, rate]


def domains(stats: Mapping[str, Any]) -> str:
    """Tokens per domain: what there is and, once the corpus is there, what it takes."""
    if stats["totals"]["tokens"] is None:
        return ""
    mixture = stats["mixture"]
    lines = []
    for row in grids.folded(stats, grids.large(row["domain"] for row in [*mixture, *stats["domains"]])):
        name = row["domain"] if row["domains"] == 1 else f"{row['domain']} ({row['domains']} buckets)"
        line = [name, exact(row["documents"]), exact(row["tokens"])]
        if row["corpus"] is not None:
            epochs = fixed(row["epochs"], 2) if row["epochs"] is not None else "–"
            shares = [percent(row["requested"], 1), percent(row["realised"], 1)]
            line += [exact(row["corpus"]), *shares, epochs]
        elif mixture:
            line += ["0", "–", "0%", "–"]
        lines.append(line)
    total = ["total", *(exact(sum(row[c] for row in stats["domains"])) for c in ("documents", "tokens"))]
    if mixture:
        total += [exact(stats["totals"]["training_tokens"]), "", "", ""]
    heads = ["domain", "documents", "tokens"] + (["corpus", "requested", "realised", "epochs"] if mixture else [])
    repeats_line = remarks.repeated({row["domain"]: row["epochs"] for row in stats["mixture"]})
    return "\n\n".join([table(heads, [*lines, total]), *([repeats_line] if repeats_line else [])])


def phases(stats: Mapping[str, Any]) -> str:
    """The part of each domain in every phase of training, where there are phases."""
    lines = []
    for phase, parts in groupby(stats.get("phases") or [], key=lambda row: row["phase"]):
        rows = sorted(parts, key=lambda row: -row["tokens"])
        lines += [phase_line(f"{phase}: {row['domain']}", [row]) for row in rows[:SHOWN]]
        if rows[SHOWN:]:
            lines.append(phase_line(f"{phase}: {len(rows) - SHOWN} more", rows[SHOWN:]))
    return table(["phase", "corpus", "requested", "realised", "epochs"], lines) if lines else ""


def phase_line(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What some domains have of a phase together; passes over one alone."""
    epochs = rows[0]["epochs"] if len(rows) == 1 else None
    shares = [percent(sum(row[column] or 0 for row in rows), 1) for column in ("requested_share", "realised_share")]
    return [name, exact(sum(row["tokens"] for row in rows)), *shares, "–" if epochs is None else fixed(epochs, 2)]


def trouble(stats: Mapping[str, Any]) -> str:
    """Input that could not be read, and where."""
    figures = stats["input"]
    if not figures["quarantined"] and not figures["bad"]:
        return ""
    lines = [f"{exact(figures['quarantined'])} records quarantined, {exact(figures['bad'])} bad stretches of files:"]
    for entry in figures["listed"][:SHOWN]:
        lines.append(f"  {entry['source']}/{whole_line(entry['file'])} at {entry['offset']}: {entry['reason']}")
    return "\n".join(lines)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns set by width, the first to the left, numbers to the right; names that run over 40 columns are cut."""
    cells = [[clean(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    textual = {0} | {i for i, head in enumerate(heads) if head == "step"}
    lines = [
        "  ".join(
            cell.ljust(width) if i in textual else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def clean(cell: str) -> str:
    """One line without control characters, which names from outside might hold."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in cell)
    return text if len(text) <= 40 else text[:39] + "…"
