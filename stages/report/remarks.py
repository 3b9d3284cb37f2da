"""Remarks: the few facts of a run that somebody would want to know before reading any table.

Each remark is true by its numbers alone, and says where to read on. Limits are ours, chosen on real crawls so that an
ordinary run has about five remarks; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stages.figures import exact, fixed, listed, percent, short
from stages.report.funnel import step_of
from stages.report.shortfall import SHORT, came_short, given_tokens, is_capped, most_read, over_filled, short_in_phases

Stats = Mapping[str, Any]
MOST, NAMED = 10, 3
"""Remarks in all, and domains that one of them names."""
LARGE_REASON, LARGE_HOST = 0.15, 0.10
FEW_KEPT, LARGE_LANGUAGE = 0.35, 0.01
FEW_HELD_OUT, LARGE_HELD_OUT = 10, 0.02
LONG = 2
"""Times the mean from which a document is a long one."""
ONCE = 1.005
"""Epochs above which a domain counts as repeated: the last document of a pass is taken whole."""
FELL = {
    "documents": "had no text",
    "addresses": "stood on a list of addresses",
    "language": "were in no wanted language",
    "clusters": "were duplicates",
    "quality": "failed a rule",
    "kept": "were in no domain",
}
LABELLED = {
    "low_language_confidence": "had a label of too little confidence",
    "language_not_selected": FELL["language"],
}


def remarks(stats: Stats) -> list[dict[str, str]]:
    """``{"text", "anchor", "level"}``, the gravest first; level is ``warn`` or ``note``."""
    found = [*trouble(stats), *mixture(stats), *harm(stats), *losses(stats), *concentration(stats)]
    found.sort(key=lambda remark: remark["level"] != "warn")
    return found[:MOST]


def remark(text: str, anchor: str, level: str = "note") -> dict[str, str]:
    return {"text": text, "anchor": anchor, "level": level}


def warning(text: str) -> dict[str, str]:
    """A grave remark on the mixture."""
    return remark(text, "mixture", "warn")


def trouble(stats: Stats) -> Iterator[dict[str, str]]:
    figures = stats["input"]
    if figures["quarantined"] or figures["bad"]:
        notes = [some(figures["quarantined"], "record", "quarantined"), some(figures["bad"], "stretch", "unreadable")]
        yield remark(" and ".join(part for part in notes if part), "trouble", "warn")
    for why, files in sorted(figures["reference_tokenized_files"].items()):
        counted = "1 file was" if files == 1 else f"{exact(files)} files were"
        yield remark(f"{counted} tokenized by the slow reference library: {why}", "about")


def some(count: int, thing: str, state: str) -> str:
    """``2 records were quarantined``; nothing of nothing."""
    one, many = {"record": ("record", "records"), "stretch": ("stretch of a file", "stretches of files")}[thing]
    named = f"1 {one} was" if count == 1 else f"{exact(count)} {many} were"
    return f"{named} {state}" if count else ""


def mixture(stats: Stats) -> Iterator[dict[str, str]]:
    given = given_tokens(stats)
    for row in over_filled(stats)[:1]:
        realised, requested = percent(row["realised_share"], 1), percent(row["requested_share"], 1)
        solved = percent(row["target_tokens"] / given, 1)
        more = f", {solved} to take because others are short" if solved != requested else ""
        mean = short(row["tokens"] / row["documents"])
        yield warning(
            f"Domain {row['domain']} takes more than its part: {realised} of the corpus, {requested} requested{more};"
            f" documents are taken whole, {mean} tokens on average; tokens.max_document_tokens cuts long ones"
        )
    short_of = came_short(stats)
    for row in short_of[:1]:
        realised, requested = percent(row["realised_share"], 1), percent(row["requested_share"], 1)
        others = f"; so did {listed([other['domain'] for other in short_of[1:]], NAMED)}" if len(short_of) > 1 else ""
        why = "" if is_capped(row, given) else "; shards are taken whole, shards.target_tokens makes them smaller"
        yield warning(
            f"Domain {row['domain']} came out short: {realised} of the corpus, {requested} requested{others}{why}"
        )
    for phase, rows in short_in_phases(stats).items():
        realised, requested = percent(rows[0]["realised_share"], 1), percent(rows[0]["requested_share"], 1)
        others = f"; so did {listed([row['domain'] for row in rows[1:]], NAMED)}" if len(rows) > 1 else ""
        yield warning(
            f"Domain {rows[0]['domain']} came out short in phase {phase}: {realised} of it, {requested} requested"
            f"{others}"
        )
    yield from empty_in_phases(stats)
    wanted = sum(row.get("requested_tokens") or 0 for row in stats["mixture"])
    if max(given, sum(row["tokens"] for row in stats["mixture"])) < (1 - SHORT) * wanted:
        most = most_read(stats)
        reads = fixed(most["target_tokens"] / most["available_tokens"], 2) if most else ""
        why = f"; of the domains with less, {most['domain']} is read most often: {reads} times" if most else ""
        yield warning(
            f"The corpus is smaller than requested, as max_epochs allows: {short(given)} of {short(wanted)} tokens{why}"
        )
    domains = {row["domain"]: row for row in stats["domains"]}
    for row in stats.get("held_out") or []:
        whole = domains.get(row["domain"], {})
        share = row["tokens"] / max(1, whole.get("tokens") or 0)
        if row["documents"] < FEW_HELD_OUT and share > LARGE_HELD_OUT:
            what = "1 document" if row["documents"] == 1 else f"{row['documents']} documents"
            there = whole.get("documents") or 0
            long = share > LONG * row["documents"] / max(1, there)  # than those of the domain are on average
            why = "tokens.max_document_tokens cuts long ones" if long else f"the domain has {exact(there)} in all"
            yield warning(
                f"Split {row['split']} of domain {row['domain']} is {what} with {percent(share, 1)} of its tokens;"
                f" {why}"
            )
            break
    repeats = repeated({row["domain"]: row["epochs"] for row in stats["mixture"]})
    if repeats:
        yield remark(repeats, "mixture")


def empty_in_phases(stats: Stats) -> Iterator[dict[str, str]]:
    """Domains that a phase was to take a part of and has nothing of, because an earlier phase's last document of them
    reaches beyond it."""
    empty: dict[str, list[str]] = {}
    for row in stats.get("phases") or []:
        if row.get("target_tokens") and not row["tokens"]:
            empty.setdefault(row["phase"], []).append(row["domain"])
    for phase, names in empty.items():
        yield warning(
            f"Phase {phase} has no document of {listed(names, NAMED)}: its part of each is smaller than what the last"
            " document of an earlier phase, taken whole, has of it; raise the budget, or cut long documents with"
            " tokens.max_document_tokens"
        )


def repeated(epochs: Mapping[str, float | None]) -> str:
    """Domains that are read more than once, the most repeated first, in a line; nothing where none is."""
    over = sorted((-number, name) for name, number in epochs.items() if number is not None and number > ONCE)
    return f"Repeated: {listed([f'{name} {fixed(-number, 2)} times' for number, name in over], NAMED)}" if over else ""


def harm(stats: Stats) -> Iterator[dict[str, str]]:
    survey = stats["survey"] or {}
    kept = sum(row["kept"] for row in survey.get("groups", {}).get("contamination_benchmark", []) if row["value"])
    if kept:
        yield remark(f"{exact(kept)} pages with text of a benchmark were kept", "harm", "warn")
    redacted = any(row["view"] == "redacted" for row in stats.get("views") or [])
    for entry in survey.get("histograms", []):
        if entry["column"] == "privacy_num_secrets" and entry.get("totals") and entry["totals"][3] and not redacted:
            yield remark(f"{exact(entry['totals'][3])} kept pages hold keys or passwords", "harm", "warn")


def losses(stats: Stats) -> Iterator[dict[str, str]]:
    pages = stats["totals"]["pages"]
    for row in stats["reasons"]:
        if row["bytes"] is not None and row["documents"] > LARGE_REASON * pages:
            share = percent(row["documents"], pages)
            yield remark(f"{share} of all pages were removed as {row['reason'].replace('_', ' ')}", "removed")
    if stats["totals"]["kept"] is None:
        return
    for name in ("source", "language", "domain"):
        for row in stats[f"{name}s"]:
            few = row["pages"] > LARGE_LANGUAGE * pages and (row["kept"] or 0) < FEW_KEPT * row["pages"]
            if few and row["removed"]["documents"] < row["pages"]:
                steps = {step: count for step, count in row["removed"].items() if step in FELL}
                most = max(steps, key=lambda step: steps[step])
                reasons = {entry["reason"] for entry in stats["reasons"]}
                if name == "language" and most == "language" and not row["kept"] and "language_not_selected" in reasons:
                    continue  # nobody asked for it
                share = percent(row["kept"], row["pages"])
                whole = f"{share} of {short(row['pages'])} pages stayed"
                count, fell = labelled(stats, name, row[name]) if most == "language" else (steps[most], FELL[most])
                others = "most others" if 2 * count > row["pages"] - (row["kept"] or 0) else "many others"
                fell += worst_rule(stats, name, row) if most == "quality" else ""
                text = f"{name.capitalize()} {row[name]}: {whole}, {others} {fell}"
                yield remark(text, "sources" if name == "source" else "tokens")


def worst_rule(stats: Stats, name: str, row: Mapping[str, Any]) -> str:
    """The rule that took most pages of a source, language or domain, in brackets: one whose threshold does not suit
    a language drops most of it."""
    counts: dict[str, int] = {}
    for lost in stats["removed"]:
        if lost[name] == row[name] and step_of(lost["reason"]) == "quality":
            counts[lost["reason"]] = counts.get(lost["reason"], 0) + lost["documents"]
    if not counts:
        return ""
    reason = max(counts, key=counts.__getitem__)
    return f" ({reason}: {percent(counts[reason], row['pages'])} of its pages)"


def labelled(stats: Stats, name: str, value: str) -> tuple[int, str]:
    """Number of pages of a source, language or domain that the label of their language took, by its larger reason."""
    counts = dict.fromkeys(LABELLED, 0)
    for row in stats["removed"]:
        if row[name] == value and row["reason"] in counts:
            counts[row["reason"]] += row["documents"]
    reason = max(counts, key=counts.__getitem__)
    return counts[reason], LABELLED[reason]


def concentration(stats: Stats) -> Iterator[dict[str, str]]:
    for row in (stats["survey"] or {}).get("registered", []):
        if row["host"] != "(none)" and (row["share_kept"] or 0) > LARGE_HOST:
            before, after = percent(row["share"], 1), percent(row["share_kept"], 1)
            yield remark(f"{row['host']} has {after} of the kept pages, {before} of all", "hosts")
