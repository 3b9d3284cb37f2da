"""The jobs of `corpus`: write a shard, write the manifest, or write a manifest that refers to the domains' shards.

Nothing here compiles or loads a kernel: copying is all that is done, and a fresh process should be at it at once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stages.contract import Store
from stages.corpus.selection import Selection
from stages.corpus.sequence import Piece, Sequence
from stages.kernels.columns.ragged import offsets_of, row_cuts
from stages.reports import Realised, Shard, ShardManifest, Totals
from stages.shard_format import ShardNames, read_entries, read_manifest, sum_domains, write_entry, write_manifest
from stages.shard_writer import open_shard, shard_schema, write_docs


def shard(
    store: Store,
    *,
    name: str,
    domains: dict[str, dict[str, Any]],
    directory: str,
    index: int,
    count: int,
    seed: int,
    batch_tokens: int,
    tokenizer: dict[str, Any],
) -> dict[str, Any]:
    """Job: write corpus shard ``index`` of ``count``."""
    names = ShardNames(directory, index, count)
    pieces: list[Piece] = []
    for domain, wanted in domains.items():
        manifest = _read_domain(store, wanted, tokenizer)
        target = wanted["target"]
        folder = wanted["manifest"].rpartition("/")[0]
        source = Sequence(store, folder, manifest, domain)
        start = source.narrow(*wanted["window"]) if wanted["window"] else 0
        pieces += source.pieces(start + index * target // count, start + (index + 1) * target // count)
    selection = Selection(pieces, seed, np.dtype(tokenizer["dtype"]))
    schema = shard_schema(tokenizer["dtype"], {"kind": "corpus", "name": name, "tokenizer": tokenizer})
    with open_shard(store, f"{directory}/{names.data}", schema, tokenizer["eos_id"], tokenizer.get("fim")) as writer:
        for start, stop in row_cuts(selection.sizes, batch_tokens):
            doc_ids = np.ascontiguousarray(selection.doc_ids[start:stop]).view(np.uint8).reshape(-1)
            writer.write(selection.blocks(start, stop), offsets_of(selection.sizes[start:stop]), doc_ids)
    summary = writer.summary()
    docs = selection.docs(store)
    size = write_docs(store, f"{directory}/{names.docs}", docs)
    write_entry(store, names, summary | size | _per_domain(docs))
    return {"rows": summary["rows"], "tokens": summary["tokens"], "bytes": summary["bytes"]}


def _read_domain(store: Store, wanted: dict[str, Any], tokenizer: dict[str, Any]) -> ShardManifest:
    """A domain's manifest, if it is what the mixture was solved for."""
    manifest = read_manifest(store, wanted["manifest"])
    if manifest["tokenizer"] != tokenizer:
        raise ValueError(f"{wanted['manifest']}: its tokenizer differs from the one the corpus was planned with")
    if wanted.get("window") is None and manifest["tokens"] != wanted["available"]:
        raise ValueError(
            f"{wanted['manifest']}: it has {manifest['tokens']:,} tokens to train on, "
            f"the mixture was solved for {wanted['available']:,}"
        )
    return manifest


def _per_domain(docs: pa.Table) -> dict[str, dict[str, int]]:
    sums = docs.group_by("domain").aggregate([("num_tokens", "sum"), ("num_tokens", "count"), ("text_bytes", "sum")])
    columns = {
        "domains": "num_tokens_sum",
        "domain_documents": "num_tokens_count",
        "domain_text_bytes": "text_bytes_sum",
    }
    rows = sums.to_pylist()
    return {key: {row["domain"]: row[column] for row in rows} for key, column in columns.items()}


def manifest(
    store: Store,
    *,
    name: str,
    directory: str,
    count: int,
    seed: int,
    mixture: dict[str, Any],
    tokenizer: dict[str, Any],
    windows: dict[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Job: the manifest of the corpus, written last: requested against realised, per domain.

    ``windows``: of a phase of training, the manifest and the window of every domain.
    """
    entries = read_entries(store, directory, {"train": count})
    domains = _realised(mixture, sum_domains(entries))
    for domain, wanted in sorted((windows or {}).items()):
        folder = wanted["manifest"].rpartition("/")[0]
        source = Sequence(store, folder, _read_domain(store, wanted, tokenizer), domain)
        source.narrow(*wanted["window"])
        domains[domain] |= {"window": [*source.bounds], "unique_tokens": source.unique(domains[domain]["tokens"])}
    written = write_manifest(
        store, directory, entries, kind="corpus", name=name, seed=seed, tokenizer=tokenizer, domains=domains
    )
    return {"documents": written["documents"], "tokens": written["tokens"], "shards": count}


def _realised(mixture: dict[str, Any], sums: Mapping[str, Totals]) -> dict[str, Realised]:
    """Requested against realised, per domain."""
    total = sum(found["tokens"] for found in sums.values())
    domains: dict[str, Realised] = {}
    for domain, wanted in sorted(mixture["domains"].items()):
        found = sums.get(domain, Totals(documents=0, tokens=0, text_bytes=0))
        available = wanted["available_tokens"]
        domains[domain] = {
            "documents": found["documents"],
            "tokens": found["tokens"],
            "text_bytes": found["text_bytes"],
            "requested_share": wanted["requested_share"],
            "requested_tokens": wanted["requested_tokens"],
            "target_tokens": wanted["target_tokens"],
            "realised_share": found["tokens"] / total if total else 0.0,
            "epochs": found["tokens"] / available if available else 0.0,
            "available_tokens": available,
            "unique_tokens": min(found["tokens"], available),
        }
    return domains


def refer(
    store: Store,
    *,
    name: str,
    directory: str,
    seed: int,
    mixture: dict[str, Any],
    domains: dict[str, dict[str, Any]],
    tokenizer: dict[str, Any],
) -> dict[str, Any]:
    """Job: a corpus that copies nothing: the domains' own shards, each with how often it is read.

    Every shard is a random part of its domain, so whole passes and then the shards whose tokens come nearest to the
    rest make the share; the error is at most half a shard per domain. Paths are relative to the manifest.
    """
    entries: list[Shard] = []
    for _, wanted in sorted(domains.items()):
        folder = wanted["manifest"].rpartition("/")[0]
        source = _read_domain(store, wanted, tokenizer)
        train = [entry for entry in source["shards"] if entry.get("split", "train") == "train"]
        passes, rest = divmod(wanted["target"], source["tokens"])
        ends = offsets_of(np.array([entry["tokens"] for entry in train], np.int64))
        more = int(np.argmin(np.abs(ends - rest)))
        for position, entry in enumerate(train):
            times = passes + (position < more)
            if times:
                path, docs = (
                    posixpath.relpath(f"{folder}/{name}", directory) for name in (entry["path"], entry["docs"])
                )
                entries.append({**entry, "path": path, "docs": docs, "split": "train", "multiplicity": times})
    written = write_manifest(
        store,
        directory,
        entries,
        kind="corpus",
        name=name,
        seed=seed,
        tokenizer=tokenizer,
        domains=_realised(mixture, sum_domains(entries)),
    )
    return {"documents": written["documents"], "tokens": written["tokens"], "shards": len(entries)}
