"""Brakes: a deduplication that would take too much stops the run and says what, why and which setting decides.

Whole sources have been lost to a template that all their pages share. `check` looks at ``summary.json`` before anything
downstream believes the removals: per source and per language the share that may go, and the size a cluster may have.
Exact copies count like near ones; what counts is the share of the pages that pass every
other rule. The summary and the `clusters` files stay, to be looked at.
"""

from __future__ import annotations

from typing import Any

from stages.clusters.params import Params

CLUSTERS_TOLD = 3


class BrakeError(RuntimeError):
    """Deduplication would remove more than its parameters allow."""


def check(params: Params, summary: dict[str, Any]) -> None:
    """Raise `BrakeError` if a brake of ``params`` holds against ``summary``, naming every reason."""
    found = violations(params, summary)
    if found:
        raise BrakeError("deduplication stopped:\n" + "\n".join(f"  - {reason}" for reason in found))


def violations(params: Params, summary: dict[str, Any]) -> list[str]:
    """Every brake that holds, as a sentence with figures, examples and the setting to change; empty if none."""
    found = []
    for kind, setting, allowed_each, allowed_all in (
        ("sources", "max_source_loss", params.max_source_losses, params.max_source_loss),
        ("languages", "max_language_loss", params.max_language_losses, params.max_language_loss),
    ):
        for name, counts in sorted(summary[kind].items()):
            lost = counts["exact_removed"] + counts["fuzzy_removed"] + counts["url_removed"]
            allowed = allowed_each.get(name, allowed_all)
            key = f"{setting}es.{name}" if name in allowed_each else setting
            pages = counts["passing"]
            if pages < max(params.min_brake_rows, 1) or lost <= allowed * pages:
                continue
            found.append(
                f"{kind[:-1]} {name} would lose {lost:,} of {pages:,} pages ({lost / pages:.1%}:"
                f" {counts['exact_removed']:,} exact, {counts['fuzzy_removed']:,} similar,"
                f" {counts['url_removed']:,} of one address), more than"
                f" clusters.{key} = {allowed:.1%}{_examples(summary, kind, name)}; look at them, then raise the"
                f" setting, raise clusters.threshold, or name the source in clusters.exempt"
            )
    if params.max_cluster_size is not None:
        large = [entry for entry in summary["largest_clusters"] if entry["pages"] > params.max_cluster_size]
        for number, entry in enumerate(large[:CLUSTERS_TOLD]):
            more = f" (one of {len(large)} or more such)" if len(large) > 1 and number == 0 else ""
            found.append(
                f"cluster {entry['cluster']} has {entry['pages']:,} pages, more than clusters.max_cluster_size ="
                f" {params.max_cluster_size:,}{more}, for example {', '.join(entry['examples'])}; `dedup-report` shows"
                f" excerpts and the shingles that join it; then raise the setting or clusters.threshold"
            )
    return found


def _examples(summary: dict[str, Any], kind: str, name: str) -> str:
    entries = summary["examples"].get(kind, {}).get(name, [])
    if not entries:
        return ""
    shown = [
        f"{entry['url'] or entry['doc_id']} for {entry['survivor']} (similarity {entry['similarity']})"
        for entry in entries
    ]
    return ", for example " + "; ".join(shown)
