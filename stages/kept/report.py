"""The account of one file of `kept`: what the report, `why` and early cut-off read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages.kept import failures
from stages.kept.failures import Failures
from stages.reports import AskedGroup, Cut, Failed, KeptGroup, KeptReport
from stages.rules.robots_files import is_rule

MAX_ENTRIES = 100
"""Entries of lists of addresses that a file's report names, those with most pages."""


def account(
    pages: pa.Table, kept: pa.Table, rules: list[str], belongs: pa.Array, views: Mapping[str, str] | None = None
) -> KeptReport:
    """The report of one file; see `stages.kept`.

    Args:
        belongs: the domain of each page, also where it is dropped.
        views: column of spans of each view that is on.
    """
    text_bytes = pages.column("text_bytes").to_numpy()
    failed = failures.read(kept.column("failed"), rules)
    alone = np.bincount(failed.rules[failed.counts[failed.rows] == 1], minlength=len(rules))
    first = kept.column("reason").to_numpy()
    per_rule: dict[str, Failed] = {}
    for rule, name in enumerate(rules):
        fails = failed.of(rule)
        per_rule[name] = {
            "documents": len(fails),
            "text_bytes": int(text_bytes[fails].sum()),
            "first": int((first == name).sum()),
            "alone": int(alone[rule]),
        }
    report: KeptReport = {
        "rows": kept.num_rows,
        "kept": int(kept.column("keep").to_numpy().sum()),
        "rules": rules,
        "selection_digest": selection_digest(kept),
        "kept_rows": xxhash.xxh3_64_hexdigest(np.flatnonzero(kept.column("keep").to_numpy()).astype("<i8").tobytes()),
        "groups": _groups(pages, kept, belongs),
        "failed": per_rule,
        "entries": _entries(kept),
        "views": {view: _cut(pages.column(column), kept.column("keep")) for view, column in (views or {}).items()},
    }
    if asked := _asked(pages, failed, rules):
        report["asked"] = asked
    return report


def _asked(pages: pa.Table, failed: Failures, rules: list[str]) -> list[AskedGroup]:
    """Requests of the files of services, by source, language and rule; several may concern the same page."""
    sources, text_bytes = pages.column("source").to_numpy(), pages.column("text_bytes").to_numpy()
    languages = pages.column("language").to_numpy()
    found: list[AskedGroup] = []
    for rule, name in enumerate(rules):
        if not is_rule(name):
            continue
        fails = failed.of(rule)
        for source, language in sorted(set(zip(sources[fails].tolist(), languages[fails].tolist(), strict=True))):
            own = fails[(sources[fails] == source) & (languages[fails] == language)]
            found.append(
                {
                    "source": source,
                    "language": language,
                    "rule": name,
                    "documents": len(own),
                    "text_bytes": int(text_bytes[own].sum()),
                    "alone": int((failed.counts[own] == 1).sum()),
                }
            )
    return sorted(found, key=lambda row: (row["source"], row["language"], row["rule"]))


def _entries(kept: pa.Table) -> dict[str, int]:
    """Pages under each entry of the lists of addresses."""
    counted = pc.value_counts(kept.column("listed").drop_null()).to_pylist()
    counted.sort(key=lambda row: (-row["counts"], row["values"]))
    return {row["values"]: row["counts"] for row in counted[:MAX_ENTRIES]}


def _cut(spans: pa.ChunkedArray, keep: pa.ChunkedArray) -> Cut:
    """Counts of the cuts or replacements of a view in the kept pages; of personal data, how many of each kind."""
    lists = spans.filter(keep).combine_chunks()
    flat = lists.flatten()
    cut: Cut = {
        "documents": pc.sum(pc.greater(lists.value_lengths(), 0)).as_py() or 0,
        "spans": len(flat),
        "bytes": pc.sum(pc.subtract(flat.field("stop"), flat.field("start"))).as_py() or 0,
    }
    if flat.type.get_field_index("kind") >= 0:
        counted = pc.value_counts(flat.field("kind")).to_pylist()
        cut["kinds"] = {row["values"]: row["counts"] for row in sorted(counted, key=lambda row: row["values"])}
    return cut


def selection_digest(kept: pa.Table) -> str:
    """xxh3-128 of what tokenization depends on: the kept rows, their domains, their spans; not the reasons."""
    digest = xxhash.xxh3_128()
    rows = np.flatnonzero(kept.column("keep").to_numpy())
    digest.update(np.asarray(rows, "<i8").tobytes())
    selected = kept.select(["domain", "spans"]).take(pa.array(rows))
    domains = selected.column("domain").combine_chunks().dictionary_encode()
    digest.update("\0".join(domains.dictionary.to_pylist()).encode() + b"\0")
    digest.update(np.asarray(domains.indices.to_numpy(), "<i4").tobytes())
    spans = selected.column("spans").combine_chunks()
    if spans.null_count:
        spans = spans.fill_null([])
    counts = spans.value_lengths().to_numpy()
    digest.update(np.asarray(counts, "<i4").tobytes())
    if counts.sum():
        flat = spans.flatten()
        for name in ("start", "stop"):
            digest.update(np.asarray(flat.field(name).to_numpy(), "<i4").tobytes())
        digest.update("\0".join(flat.field("replacement").to_pylist()).encode())
    return digest.hexdigest()


def _groups(pages: pa.Table, kept: pa.Table, belongs: pa.Array) -> list[KeptGroup]:
    table = pa.table(
        {
            "source": pages.column("source"),
            "language": pages.column("language"),
            "domain": belongs,
            "reason": kept.column("reason"),
            "text_bytes": pages.column("text_bytes"),
        }
    )
    keys = ["source", "language", "domain", "reason"]
    counted = table.group_by(keys, use_threads=False).aggregate([("text_bytes", "count"), ("text_bytes", "sum")])
    rows: list[KeptGroup] = [
        {
            "source": row["source"],
            "language": row["language"],
            "domain": row["domain"],
            "reason": row["reason"],
            "documents": row["text_bytes_count"],
            "text_bytes": row["text_bytes_sum"],
        }
        for row in counted.to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["source"], row["language"], row["domain"] or "", row["reason"] or ""))
