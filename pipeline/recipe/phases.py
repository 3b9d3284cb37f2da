"""Phases of training as `stats`, `status` and `export` see them: several corpora added up to one.

Every phase has a corpus of its own (``corpus/<address>/<phase>/manifest.json``), which a trainer reads one after the
other. Reports want the sums: what the whole of the training takes of each domain, and the parts beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

SUMMED = ("tokens", "documents", "text_bytes", "requested_tokens", "target_tokens")


def unique(parts: Iterable[Mapping[str, Any]], held: int) -> int:
    """Different tokens of a domain that phases read: of each window as many as they read of it together, or all.

    Manifests of earlier programs name no windows: then as if every phase could read all that is ``held``.
    """
    read: dict[tuple[int, int], int] = {}
    for part in parts:
        first, stop = part.get("window", (0, held))
        read[first, stop] = read.get((first, stop), 0) + part["tokens"]
    return sum(min(stop - first, tokens) for (first, stop), tokens in read.items())


def whole(name: str, manifests: Mapping[str, Mapping[str, Any]], available: Mapping[str, int]) -> dict[str, Any]:
    """The manifests of all phases as that of one corpus, with their own domains under ``phases``.

    Args:
        available: tokens for training of every domain; a phase knows only the part that it may read.
    """
    first = next(iter(manifests.values()))
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for manifest in manifests.values():
        for domain, entry in manifest["domains"].items():
            parts.setdefault(domain, []).append(entry)
    sums = {domain: {key: sum(part[key] for part in found) for key in SUMMED} for domain, found in parts.items()}
    requested = sum(entry["requested_tokens"] for entry in sums.values())
    tokens = sum(entry["tokens"] for entry in sums.values())
    domains = {}
    for domain, entry in sorted(sums.items()):
        held = available.get(domain, 0)
        domains[domain] = entry | {
            "requested_share": entry["requested_tokens"] / requested if requested else 0.0,
            "realised_share": entry["tokens"] / tokens if tokens else 0.0,
            "epochs": entry["tokens"] / held if held else 0.0,
            "available_tokens": held,
            "unique_tokens": unique(parts[domain], held),
        }
    shards = [
        {**shard, **{key: f"{phase}/{shard[key]}" for key in ("path", "docs")}}
        for phase, manifest in manifests.items()
        for shard in manifest["shards"]
    ]
    counts = {key: sum(manifest[key] for manifest in manifests.values()) for key in ("documents", "tokens")}
    split = counts | {"text_bytes": sum(entry["text_bytes"] for entry in sums.values())}
    return {
        **{key: first[key] for key in ("format", "version", "kind", "seed", "tokenizer")},
        "name": name,
        "domains": domains,
        **counts,
        "splits": {"train": split},
        "shards": shards,
        "phases": {phase: manifest["domains"] for phase, manifest in manifests.items()},
    }
