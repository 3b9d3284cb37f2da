"""The funnel: what was left after each step of a run, and what each step took away, in numbers that add up.

Steps are the products whose finding a drop rests on, in the order in which `kept` gives its reasons. Tokens of a
dropped page are not known: they are estimated as bytes * tokens / bytes of the tokenized pages of its language (of
all, where its language has none), rounded down per (source, language, domain, reason). The funnel is built from its
end, so every sum of estimates ends in the exact number of tokens.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from stages.report.ledger import ConservationError, Group, Ledger
from stages.rules.robots_files import is_rule

ADDRESSES = "addresses"
"""Only where a list of addresses, or a service's robots.txt, took something: most mixtures have none."""
STEPS = ("records", "documents", ADDRESSES, "language", "quality", "kept", "clusters", "tokens")
STEP_OF = {
    "empty_text": "documents",
    "language_not_selected": "language",
    "low_language_confidence": "language",
    "exact_duplicate": "clusters",
    "near_duplicate": "clusters",
    "same_address": "clusters",
    "no_domain": "kept",
    "taken_down": "kept",
}
CUT = "text_cut"
"""Between kept and tokens: bytes of spans that were cut, and pages of which nothing was left."""

Row = dict[str, Any]


def step_of(reason: str) -> str:
    """The product whose finding a reason rests on: what the funnel counts a drop under."""
    return ADDRESSES if reason.startswith("listed_in_") or is_rule(reason) else STEP_OF.get(reason, "quality")


class Rates:
    """Tokens per byte of text, by language, from the pages that were tokenized."""

    def __init__(self, ledger: Ledger) -> None:
        self.known = ledger.has_tokens
        self.by_language: dict[str, list[int]] = {}
        self.all = [0, 0]
        for (_, language, _), (_, num_bytes, tokens) in ledger.tokens.items():
            for rate in (self.by_language.setdefault(language, [0, 0]), self.all):
                rate[0] += num_bytes
                rate[1] += tokens

    def estimate(self, language: str, num_bytes: int) -> int | None:
        """Tokens that so many bytes would have been; None before anything was tokenized."""
        num, tokens = self.by_language.get(language, self.all)
        if not num:
            num, tokens = self.all
        return num_bytes * tokens // num if num else (0 if self.known else None)


def removed_rows(ledger: Ledger, rates: Rates) -> list[Row]:
    """Dropped pages by step, source, language, domain (that they would have been in) and reason."""
    rows = []
    for key in sorted(ledger.pages, key=group_order):
        source, language, domain, reason = key
        documents, num_bytes = ledger.pages[key]
        if reason is None:
            continue
        rows.append(
            {
                "step": step_of(reason),
                "source": source,
                "language": language,
                "domain": domain,
                "reason": reason,
                "documents": documents,
                "bytes": num_bytes,
                "tokens": rates.estimate(language, num_bytes),
            }
        )
    return rows


def group_order(key: Group) -> tuple[str, ...]:
    return tuple(part or "" for part in key)


def token_rows(ledger: Ledger) -> list[Row]:
    """Tokenized pages by source, language and domain."""
    names = ("source", "language", "domain")
    counts = ("documents", "bytes", "tokens")
    return [
        dict(zip(names, key, strict=True)) | dict(zip(counts, values, strict=True))
        for key, values in sorted(ledger.tokens.items())
    ]


def build_funnel(ledger: Ledger, removed: list[Row], tokenized: list[Row]) -> list[Row]:
    """Figures of what is left after each step, from the end backwards, so that estimates add up to the exact count."""
    readings = list(ledger.sources.values())
    first = {
        "step": "records",
        "documents": sum(reading.records for reading in readings),
        "bytes": sum(reading.raw_bytes for reading in readings),
        "tokens": None,
        "estimated": False,
        "removed": [],
    }
    before = record_drops(ledger)
    if not ledger.has_kept:
        pages = sum(reading.pages for reading in readings)
        text = sum(reading.text_bytes for reading in readings)
        return [first, {**empty_step("documents", before), "documents": pages, "bytes": text, "tokens": None}]
    kept = [values for key, values in ledger.pages.items() if key[3] is None]
    kept_documents, kept_bytes = sum(values[0] for values in kept), sum(values[1] for values in kept)
    steps: list[Row] = []
    known = ledger.has_tokens
    tokens = sum(row["tokens"] for row in tokenized)
    documents, num_bytes = sum(row["documents"] for row in tokenized), sum(row["bytes"] for row in tokenized)
    if known:
        cut = {"reason": CUT, "documents": kept_documents - documents, "bytes": kept_bytes - num_bytes, "tokens": 0}
        reasons = [cut] if cut["documents"] or cut["bytes"] else []
        steps.append({**empty_step("tokens", reasons), "documents": documents, "bytes": num_bytes, "tokens": tokens})
    documents, num_bytes, gone = kept_documents, kept_bytes, 0
    for step in reversed(STEPS[1:-1]):
        reasons = by_reason([row for row in removed if row["step"] == step])
        if step == ADDRESSES and not reasons:
            continue
        listed = [*before, *reasons] if step == "documents" else reasons
        left = {"documents": documents, "bytes": num_bytes, "tokens": tokens + gone if known else None}
        steps.append({**empty_step(step, listed), **left, "estimated": gone > 0})
        documents += sum(row["documents"] for row in reasons)
        num_bytes += sum(row["bytes"] for row in reasons)
        gone += sum(row["tokens"] or 0 for row in reasons)
    return [first, *reversed(steps)]


def empty_step(step: str, removed: list[Row]) -> Row:
    return {"step": step, "estimated": False, "removed": removed}


def record_drops(ledger: Ledger) -> list[Row]:
    """Records that made no page, by reason; bytes are raw, and a quarantined record's are not counted."""
    drops: dict[str, list[int]] = {}
    for reading in ledger.sources.values():
        for reason, (records, num_bytes) in reading.dropped.items():
            found = drops.setdefault(reason, [0, 0])
            found[0] += records
            found[1] += num_bytes
        if reading.quarantined:
            drops.setdefault("quarantined", [0, 0])[0] += reading.quarantined
    return [
        {"reason": reason, "documents": records, "raw_bytes": num_bytes, "tokens": None}
        for reason, (records, num_bytes) in sorted(drops.items())
    ]


def by_reason(rows: list[Row]) -> list[Row]:
    """Added up per reason, the largest first."""
    sums: dict[str, Row] = {}
    for row in rows:
        found = sums.setdefault(row["reason"], {"reason": row["reason"], "documents": 0, "bytes": 0, "tokens": None})
        found["documents"] += row["documents"]
        found["bytes"] += row["bytes"]
        if row["tokens"] is not None:
            found["tokens"] = (found["tokens"] or 0) + row["tokens"]
    return sorted(sums.values(), key=lambda row: (-row["documents"], row["reason"]))


def corpus_account(tokenized: list[Row], mixture: list[Row]) -> Row | None:
    """Tokens between tokenization and the corpus, which add up:

    tokenized = held_out + not_taken + unique; training = unique + repeated. Held out are other splits of the domains
    of the mixture, not taken what it leaves of them and domains it does not name.
    """
    if any(row["unique_tokens"] is None or row["available_tokens"] is None for row in mixture) or not mixture:
        return None
    held = dict.fromkeys((row["domain"] for row in tokenized), 0)
    for row in tokenized:
        held[row["domain"]] += row["tokens"]
    available = sum(row["available_tokens"] for row in mixture)
    unique = sum(row["unique_tokens"] for row in mixture)
    training = sum(row["tokens"] for row in mixture)
    named = {row["domain"] for row in mixture}
    of_mixture = sum(tokens for domain, tokens in held.items() if domain in named)
    return {
        "tokenized": sum(held.values()),
        "held_out": of_mixture - available,
        "not_taken": sum(held.values()) - of_mixture + available - unique,
        "unique": unique,
        "repeated": training - unique,
        "training": training,
    }


def check_funnel(stats: Row) -> None:
    """Documents, bytes and tokens before each step equal those after it and those it removed.

    Raises:
        ConservationError: naming the step.
    """
    steps = stats["funnel"]
    for before, after in pairwise(steps):
        for column in ("documents", "bytes", "tokens"):
            if before["step"] == "records" and column != "documents":
                continue  # raw bytes become text there
            if before[column] is None or after[column] is None:
                continue
            gone = sum(row.get(column) or 0 for row in after["removed"])
            if before[column] != after[column] + gone:
                left = f"{after[column]:,} left and {gone:,} removed"
                raise ConservationError(f"{after['step']}: {before[column]:,} {column} before, but {left}")
