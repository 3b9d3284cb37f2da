"""Figures of the corpus for stats.json: domains asked for and realised, phases, buckets, lengths, shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stages.kernels.columns import bins
from stages.report.funnel import Row
from stages.report.ledger import Ledger


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
