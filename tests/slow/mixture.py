"""What the corpus takes of each domain, from the rows beside its shards and the mixture file: for `slow_report`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tests.slow.files import Files
from tests.slow.survey import edges_of

Row = dict[str, Any]


def available(files: Files, domain: str) -> int:
    """Tokens of a domain for training: those held out are no part of it."""
    return int(
        files.one("SELECT coalesce(sum(num_tokens), 0)::BIGINT FROM held WHERE domain = ? AND split = 'train'", domain)
    )


def windows(files: Files, domain: str) -> dict[str, int]:
    """Tokens of a domain that each phase may read: what is reserved for it, else what is reserved for none."""
    whole = available(files, domain)
    listed = (files.mixture or {}).get("phases", {}).get("phases", [])
    kept = {p["name"]: int(p["reserve"][domain] * whole) for p in listed if domain in p.get("reserve", {})}
    return {phase: kept.get(phase, whole - sum(kept.values())) for phase in files.snapshot.corpora()}


def asked(files: Files, phase: str) -> dict[str, tuple[float, int]]:
    """Requested share and tokens of each domain, from the mixture file; only where it names a budget."""
    budget = count(files.mixture["phases"]["budget"])
    before = 0.0
    for entry in files.mixture["phases"]["phases"]:
        if entry["name"] == phase:
            part = budget * (entry["until"] - before)
            taken = entry["mixture"]["domains"]
            return {domain: (wish["share"], round(wish["share"] * part)) for domain, wish in taken.items()}
        before = entry["until"]
    raise KeyError(phase)


def count(text: str | int) -> int:
    units = {"k": 1_000, "M": 1_000_000, "B": 1_000_000_000}
    return round(float(text[:-1]) * units[text[-1]]) if isinstance(text, str) else text


def taken(files: Files, where: str, *given: Any) -> dict[str, Row]:
    text = f"""
        SELECT domain, count(*) AS documents, sum(num_tokens)::BIGINT AS tokens, sum(text_bytes)::BIGINT AS text_bytes,
            sum(num_tokens) / (SELECT sum(num_tokens) FROM corpus WHERE {where}) AS realised_share
        FROM corpus WHERE {where} GROUP BY ALL
    """
    return {row["domain"]: row for row in files.rows(text, *given, *given)}


def unique(files: Files, where: str, *given: Any) -> dict[str, int]:
    once = f"SELECT domain, any_value(num_tokens) AS n FROM corpus WHERE {where} GROUP BY domain, doc_id"
    return {
        row["domain"]: row["n"]
        for row in files.rows(f"SELECT domain, sum(n)::BIGINT AS n FROM ({once}) GROUP BY ALL", *given)
    }


def phases(files: Files) -> list[Row]:
    found = []
    for phase in files.snapshot.corpora():
        if not phase:
            return []
        once, wishes = unique(files, "phase = ?", phase), asked(files, phase)
        for domain, row in taken(files, "phase = ?", phase).items():
            held = windows(files, domain)[phase]
            share, wanted = wishes[domain]
            found.append(
                row
                | {"phase": phase, "available_tokens": held, "unique_tokens": once[domain]}
                | {"epochs": row["tokens"] / held, "requested_share": share}
                | {"requested_tokens": wanted, "target_tokens": wanted}
            )
    return found


def mixture(files: Files) -> list[Row]:
    once, rows = unique(files, "true"), taken(files, "true")
    parts = phases(files)
    if parts:
        wishes = {d: sum(part["requested_tokens"] for part in parts if part["domain"] == d) for d in rows}
    else:
        parts_of = {domain: wish["share"] for domain, wish in files.mixture["mixture"]["domains"].items()}
        # without a budget, the largest that keeps every domain within its cap
        most = min(max_epochs(files, domain) * available(files, domain) / part for domain, part in parts_of.items())
        wishes = apportioned(parts_of, math.floor(most))
    shares = {domain: wanted / sum(wishes.values()) for domain, wanted in wishes.items()}
    found = []
    for domain, row in rows.items():
        held = available(files, domain)
        wanted = {
            "requested_share": shares[domain],
            "requested_tokens": wishes[domain],
            "target_tokens": wishes[domain],
        }
        found.append(
            row | wanted | {"available_tokens": held, "unique_tokens": once[domain], "epochs": row["tokens"] / held}
        )
    return found


def max_epochs(files: Files, domain: str) -> float:
    whole = files.mixture["mixture"]
    own = whole["domains"][domain]
    return float(own.get("max_epochs", whole.get("max_epochs", max(1, own.get("epochs", 0)))))


def apportioned(shares: dict[str, float], total: int) -> dict[str, int]:
    """Largest remainder."""
    exact = {domain: share * total for domain, share in shares.items()}
    found = {domain: math.floor(value + 1e-9) for domain, value in exact.items()}
    order = sorted(exact, key=lambda domain: (found[domain] - exact[domain], domain))
    for domain in order[: total - sum(found.values())]:
        found[domain] += 1
    return found


def corpus_account(files: Files) -> Row:
    """Held out are the other splits of the domains that the mixture names; not taken, what no shard of it holds."""
    named = "(SELECT DISTINCT domain FROM corpus)"
    training = files.one("SELECT sum(num_tokens)::BIGINT FROM corpus")
    once = sum(unique(files, "true").values())
    held = f"SELECT coalesce(sum(num_tokens), 0)::BIGINT FROM held WHERE split <> 'train' AND domain IN {named}"
    left = """
        SELECT coalesce(sum(num_tokens), 0)::BIGINT FROM tokens WHERE doc_id NOT IN (SELECT doc_id FROM corpus)
        AND doc_id NOT IN (SELECT doc_id FROM held WHERE split <> 'train')
    """
    return {
        "tokenized": files.one("SELECT sum(num_tokens)::BIGINT FROM tokens"),
        "held_out": files.one(held),
        "not_taken": files.one(left),
        "unique": once,
        "repeated": training - once,
        "training": training,
    }


def held_out(files: Files) -> list[Row]:
    text = """
        SELECT domain, split, count(*) AS documents, sum(num_tokens)::BIGINT AS tokens,
            sum(text_bytes)::BIGINT AS text_bytes
        FROM held WHERE split <> 'train' GROUP BY ALL
    """
    folders = {domain: place.rpartition("/")[0] for domain, place in files.snapshot.data["shards"].items()}
    return [row | {"folder": f"{folders[row['domain']]}/{row['split']}"} for row in files.rows(text)]


def buckets(files: Files) -> list[Row]:
    found = []
    for (domain, column), edges in files.edges.items():
        low, high = files.domains[domain]["percentiles"][column]
        for language, (least, below) in edges.items():
            text = "SELECT count(*) AS documents, coalesce(sum(num_tokens), 0)::BIGINT AS tokens FROM tokens"
            row = files.rows(f"{text} WHERE domain = ? AND language = ?", domain, language)[0]
            if row["documents"]:
                place = {"domain": domain, "column": column, "language": language, "from": low, "to": high}
                found.append(row | place | {"least": least, "below": below})
    return found


def lengths(files: Files) -> Row:
    edges = edges_of("counts")
    counts: dict[str, list[int]] = {}
    for row in files.rows("SELECT domain, list(num_tokens) AS n FROM tokens GROUP BY ALL"):
        counts[row["domain"]] = np.histogram(row["n"], [*edges[:-1], np.inf])[0].tolist()
    domains = []
    for domain, found in counts.items():
        used = [place for place, count in enumerate(found) if count]
        domains.append({"domain": domain, "first": used[0], "counts": found[used[0] : used[-1] + 1]})
    return {"edges": edges, "documents": np.sum(list(counts.values()), axis=0).tolist(), "domains": domains}


def shards(files: Files) -> Row:
    sizes = []
    for address in files.snapshot.corpora().values():
        folder = Path(files.store.path(address.rpartition("/")[0]))
        sizes += [path.stat().st_size for path in folder.glob("train/data-*.arrow")]
    figures = {"files": len(sizes), "bytes": sum(sizes), "smallest": min(sizes), "largest": max(sizes)}
    return figures | files.rows("SELECT count(*) AS rows, sum(num_tokens)::BIGINT AS tokens FROM corpus")[0]
