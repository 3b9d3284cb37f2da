"""Made-up runs for the tests of the report: reports of products that add up, as large and as odd as asked."""

from __future__ import annotations

import random
from typing import Any

LANGUAGES = ("en", "ja", "cs", "ru", "zh", "fr", "es", "de")
REASONS = (
    "empty_text", "language_not_selected", "low_language_confidence", "exact_duplicate", "near_duplicate",
    "too_few_words", "words_too_long", "too_many_bullet_lines", "too_few_alphabetic_words", "too_few_stop_words",
    "no_domain",
)  # fmt: skip
DROPS = ("not_html", "http_status_not_200", "no_payload")

Run = dict[str, Any]


def make_run(
    seed: int = 0,
    *,
    files: int = 12,
    pages: int = 300,
    languages: tuple[str, ...] = LANGUAGES,
    sources: tuple[str, ...] = ("web", "books", "code"),
) -> Run:
    """Keyword arguments of `build_stats` for a run of ``files`` files with about ``pages`` pages each."""
    rng = random.Random(seed)
    documents, kept, tokens = [], [], []
    for index in range(files):
        source = sources[index % len(sources)]
        groups: dict[tuple[str, str | None, str | None], list[int]] = {}
        for _ in range(rng.randrange(pages) + 1):
            language = languages[min(int(rng.expovariate(0.7)), len(languages) - 1)]
            reason = rng.choice(REASONS) if rng.random() < 0.4 else None
            domain = "code" if source == "code" else f"{source}-{language}"
            domain = None if reason == "no_domain" else domain
            found = groups.setdefault((language, domain, reason), [0, 0])
            found[0] += 1
            found[1] += 0 if reason == "empty_text" else int(rng.lognormvariate(8, 1.2))
        documents.append(documents_report(rng, source, index, groups))
        kept.append(kept_report(source, groups))
        tokens.append(tokens_report(rng, source, groups))
    return {
        "documents": documents,
        "kept": kept,
        "clusters": {
            "cluster_sizes": {"16": 1, "2": 8, "4": 3},
            "pairs_by_similarity": {"0.80": 7, "0.95": 12},
            "sources": {source: {"rows": 90, "exact_removed": 5, "fuzzy_removed": 7} for source in sources},
            "languages": {name: {"rows": 40, "exact_removed": 1, "fuzzy_removed": 2} for name in languages},
        },
        "tokens": tokens,
        "corpus": corpus(tokens),
    }


def documents_report(rng: random.Random, source: str, index: int, groups: dict[Any, list[int]]) -> dict[str, Any]:
    rows, text_bytes = (sum(count[i] for count in groups.values()) for i in (0, 1))
    dropped = {reason: {"records": rng.randrange(9), "bytes": rng.randrange(9999)} for reason in DROPS}
    quarantined = [{"file": f"f{index:03d}.warc.gz", "offset": 77, "reason": "extraction_failed"}] * rng.randrange(2)
    lost = sum(entry["records"] for entry in dropped.values())
    return {
        "source": source,
        "file": f"f{index:03d}.warc.gz",
        "records": rows + lost + len(quarantined),
        "rows": rows,
        "raw_bytes": text_bytes * 4 + sum(entry["bytes"] for entry in dropped.values()),
        "text_bytes": text_bytes,
        "dropped": dropped,
        "quarantined": quarantined,
        "num_quarantined": len(quarantined),
        "bad": [],
        "num_bad": 0,
        "content_types": {"text/html": rows},
        "notes": {"truncated": 1},
    }


def kept_report(source: str, groups: dict[Any, list[int]]) -> dict[str, Any]:
    rows = [
        {"source": source, "language": language, "domain": domain, "reason": reason, "documents": n, "text_bytes": size}
        for (language, domain, reason), (n, size) in sorted(groups.items(), key=str)
    ]
    failed = {
        row["reason"]: {"documents": row["documents"] + 2, "text_bytes": 9, "first": row["documents"], "alone": 1}
        for row in rows
        if row["reason"]
    }
    return {
        "rows": sum(row["documents"] for row in rows),
        "kept": sum(row["documents"] for row in rows if row["reason"] is None),
        "rules": list(REASONS),
        "groups": rows,
        "failed": failed,
    }


def tokens_report(rng: random.Random, source: str, groups: dict[Any, list[int]]) -> dict[str, Any]:
    rows, empty = [], 0
    for (language, domain, reason), (documents, size) in sorted(groups.items(), key=str):
        if reason is None:
            nothing = int(documents > 3 and rng.random() < 0.2)
            empty += nothing
            size -= rng.randrange(size // 10 + 1)
            row = {"source": source, "language": language, "domain": domain, "documents": documents - nothing}
            rows.append({**row, "text_bytes": size, "tokens": size // rng.randrange(2, 5)})
    return {
        "rows": sum(row["documents"] for row in rows),
        "tokens": sum(row["tokens"] for row in rows),
        "text_bytes": sum(row["text_bytes"] for row in rows),
        "empty_documents": empty,
        "fast": True,
        "tokenizer": {"name": "spiece-32k", "vocabulary": 32768, "dtype": "uint16"},
        "groups": rows,
    }


def corpus(tokens: list[dict[str, Any]]) -> dict[str, Any]:
    available: dict[str, int] = {}
    for report in tokens:
        for row in report["groups"]:
            available[row["domain"]] = available.get(row["domain"], 0) + row["tokens"]
    shares = {name: 1 / len(available) for name in available}
    total = sum(available.values()) * 3 // 2
    domains = {}
    for name, share in shares.items():
        taken = min(int(total * share), 4 * available[name])
        domains[name] = {
            "documents": 10,
            "tokens": taken,
            "text_bytes": taken * 4,
            "requested_share": share,
            "requested_tokens": int(total * share),
            "target_tokens": taken,
            "realised_share": 0.0,
            "epochs": taken / available[name] if available[name] else 0.0,
            "available_tokens": available[name],
            "unique_tokens": min(taken, available[name]),
        }
    realised = sum(entry["tokens"] for entry in domains.values())
    for entry in domains.values():
        entry["realised_share"] = entry["tokens"] / realised
    shards = [{"path": f"train/data-{i}.arrow", "bytes": 1 << 20, "rows": 9, "tokens": 1 << 19} for i in range(4)]
    return {"tokens": realised, "documents": 90, "domains": domains, "shards": shards, "tokenizer": {"name": "spiece"}}
