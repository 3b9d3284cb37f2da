"""`corpus`: the mixture made real: interleaved token shards with exact shares, every shard a sample of the whole.

Input: the manifests of the domains' shards and the tokens to take of each (`stages.mixture`). Output: a folder in
the format of `stages.shard_format`, whose docs carry two columns more: ``domain`` and ``pass`` (0 for the first time
a document is used).

Method. The documents of a domain form a sequence: its shards in order, pass after pass where the mixture repeats
it. Of K corpus shards, shard k takes of each domain the documents whose first token lies in
[k*T/K, (k+1)*T/K), T being the domain's target; so every shard has the mixture's shares to one document per domain,
and the corpus exceeds a target by less than one document. No document is cut. Inside a shard documents are ordered
by a keyed hash of (seed, doc_id, pass).

Price: one read of the tokens used, one write; a task holds one record batch of its output. Copying is bound by
memory and disk; `benchmarks/corpus.py` measures it.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from pydantic import Field

from stages import schemas
from stages.contract import Phase, StageParams, Store, Task
from stages.kernels.gather import Unsigned, copy_rows, offsets_of
from stages.kernels.keyed_hash import hash_names
from stages.kernels.ragged import Bytes, Offsets
from stages.mixture import Mixture, PhasePlan, Window
from stages.shard_format import (
    ShardNames,
    batch_cuts,
    open_shard,
    read_entries,
    read_manifest,
    shard_batch,
    shard_schema,
    sum_domains,
    write_docs,
    write_entry,
    write_manifest,
)

VERSION = 2

DOCS = pa.schema(
    [*schemas.DOCS, pa.field("domain", pa.string(), nullable=False), pa.field("pass", pa.int32(), nullable=False)]
)


class Params(StageParams):
    """How the corpus is written."""

    target_tokens: int = Field(1 << 28, ge=1, description="tokens a shard, about")
    batch_tokens: int = Field(1 << 27, ge=1, lt=1 << 31, description="tokens a record batch of a shard, at most")
    seed: int = Field(0, ge=0, lt=1 << 63, description="seed of the order inside a shard")
    materialise: bool = Field(
        True, description="write the interleaved shards; else a manifest that refers to the domains'"
    )


def plan(
    params: Params,
    name: str,
    mixture: Mixture,
    manifests: dict[str, str],
    directory: str,
    *,
    tokenizer: dict[str, Any],
    windows: dict[str, Window] | None = None,
) -> list[Phase]:
    """Phases that write the corpus into ``directory``.

    Args:
        manifests: address of the shard manifest of every domain of the mixture.
        tokenizer: the `tokenizer` block that all those manifests must have.
        windows: of a phase of training, the part of each domain's sequence it reads (`stages.mixture.solve_phases`).
    """
    missing = sorted(domain for domain, target in mixture.targets.items() if target and domain not in manifests)
    if missing:
        raise ValueError(f"no shards for the domains {', '.join(missing)}")
    domains = {
        part.name: {
            "manifest": manifests[part.name],
            "target": part.target_tokens,
            "available": part.available_tokens,
            "window": list(vars(windows[part.name]).values()) if windows else None,
        }
        for part in mixture.domains
        if part.target_tokens
    }
    if not domains:
        raise ValueError("the mixture takes no tokens of any domain")
    described = {"name": name, "directory": directory, "seed": params.seed, "mixture": mixture.as_dict()}
    manifest_address = f"{directory}/manifest.json"
    if not params.materialise:
        if windows:
            raise ValueError(
                "phases take parts of domains, which a corpus of references cannot; set corpus.materialise"
            )
        args = {**described, "domains": domains, "tokenizer": tokenizer}
        task = Task("stages.corpus:refer", args, (manifest_address,), "corpus manifest")
        return [Phase("manifest", (task,))]
    count = max(1, -(-mixture.tokens // params.target_tokens))
    width = np.dtype(tokenizer["dtype"]).itemsize
    tasks = []
    for k in range(count):
        names = ShardNames(directory, k, count)
        args = {
            "name": name,
            "domains": domains,
            "directory": directory,
            "index": k,
            "count": count,
            "seed": params.seed,
            "batch_tokens": params.batch_tokens,
            "tokenizer": tokenizer,
        }
        size = mixture.tokens * width // count
        memory = (1 << 28) + min(size, params.batch_tokens * width) + size
        tasks.append(
            Task("stages.corpus:shard", args, names.addresses(), f"corpus shard {k + 1}/{count}", size, memory)
        )
    finish = Task(
        job="stages.corpus:manifest",
        args={**described, "count": count, "tokenizer": tokenizer},
        outputs=(manifest_address,),
        label="corpus manifest",
    )
    return [Phase("corpus", tuple(tasks)), Phase("manifest", (finish,))]


def plan_phases(
    params: Params,
    name: str,
    phases: list[PhasePlan],
    manifests: dict[str, str],
    directory: str,
    *,
    tokenizer: dict[str, Any],
) -> dict[str, list[Phase]]:
    """For every phase of training the `Phase`s of work that write its corpus, into a folder of its name."""
    return {
        phase.name: plan(
            params,
            f"{name}/{phase.name}",
            phase.mixture,
            manifests,
            f"{directory}/{phase.name}",
            tokenizer=tokenizer,
            windows=phase.windows,
        )
        for phase in phases
    }


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
    pieces: list[_Piece] = []
    for domain, wanted in domains.items():
        manifest = _read_domain(store, wanted, tokenizer)
        target = wanted["target"]
        folder = wanted["manifest"].rpartition("/")[0]
        source = _Sequence(store, folder, manifest, domain)
        start = source.narrow(*wanted["window"]) if wanted["window"] else 0
        pieces += source.pieces(start + index * target // count, start + (index + 1) * target // count)
    selection = _Selection(pieces, seed)
    schema = shard_schema(tokenizer["dtype"], {"kind": "corpus", "name": name, "tokenizer": tokenizer})
    with open_shard(store, f"{directory}/{names.data}", schema, tokenizer["eos_id"]) as writer:
        for start, stop in batch_cuts(selection.sizes, batch_tokens):
            ids, offsets = selection.ids(start, stop, np.dtype(tokenizer["dtype"]))
            doc_ids = np.ascontiguousarray(selection.doc_ids[start:stop]).view(np.uint8).reshape(-1)
            writer.write(shard_batch(schema, ids, offsets, doc_ids))
    summary = writer.summary()
    docs = selection.docs(store)
    size = write_docs(store, f"{directory}/{names.docs}", docs)
    write_entry(store, names, summary | size | _per_domain(docs))
    return {"rows": summary["rows"], "tokens": summary["tokens"], "bytes": summary["bytes"]}


def _read_domain(store: Store, wanted: dict[str, Any], tokenizer: dict[str, Any]) -> dict[str, Any]:
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


_PER_DOMAIN = ("domains", "domain_documents", "domain_text_bytes")


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
) -> dict[str, Any]:
    """Job: the manifest of the corpus, written last: requested against realised, per domain."""
    entries = read_entries(store, directory, {"train": count})
    domains = _realised(mixture, sum_domains(entries))
    written = write_manifest(
        store, directory, entries, kind="corpus", name=name, seed=seed, tokenizer=tokenizer, domains=domains
    )
    return {"documents": written["documents"], "tokens": written["tokens"], "shards": count}


def _realised(mixture: dict[str, Any], sums: dict[str, dict[str, int]]) -> dict[str, dict[str, Any]]:
    """Requested against realised, per domain."""
    total = sum(found["tokens"] for found in sums.values())
    domains = {}
    for domain, wanted in sorted(mixture["domains"].items()):
        found = sums.get(domain, {"documents": 0, "tokens": 0, "text_bytes": 0})
        available = wanted["available_tokens"]
        domains[domain] = found | {
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
    entries: list[dict[str, Any]] = []
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
                paths = {key: posixpath.relpath(f"{folder}/{entry[key]}", directory) for key in ("path", "docs")}
                entries.append({**entry, **paths, "split": "train", "multiplicity": times})
    repeated = [
        {key: {d: n * entry["multiplicity"] for d, n in entry[key].items()} for key in _PER_DOMAIN} for entry in entries
    ]
    written = write_manifest(
        store,
        directory,
        entries,
        kind="corpus",
        name=name,
        seed=seed,
        tokenizer=tokenizer,
        domains=_realised(mixture, sum_domains(repeated)),
    )
    return {"documents": written["documents"], "tokens": written["tokens"], "shards": len(entries)}


# The documents of a domain as one sequence


@dataclass
class _Piece:
    """Neighbouring documents of one record batch: where they are, and which rows of the docs describe them."""

    domain: str
    number: int
    """Which pass over the domain."""
    values: Bytes
    """Token bytes of the rows, from the first row's on."""
    offsets: Offsets
    """Tokens, from 0."""
    doc_ids: Bytes
    docs: str
    """Address of the Parquet beside the shard."""
    row: int
    """Row of the first document in it."""


class _Sequence:
    """A domain's documents in order, by the buffer positions in its manifest; nothing is read before it is needed."""

    def __init__(self, store: Store, folder: str, manifest: dict[str, Any], domain: str) -> None:
        self._store = store
        self._folder = folder
        self._domain = domain
        self._width = np.dtype(manifest["tokenizer"]["dtype"]).itemsize
        self._batches: list[tuple[dict[str, Any], dict[str, int], int]] = []  # shard, batch, row in the shard
        for entry in manifest["shards"]:
            if entry.get("split", "train") != "train":
                continue
            row = 0
            for batch in entry["batches"]:
                self._batches.append((entry, batch, row))
                row += batch["rows"]
        self._starts = offsets_of(np.array([batch["tokens"] for _, batch, _ in self._batches], np.int64))
        self._first, self._stop = 0, int(self._starts[-1])

    def narrow(self, first: int, stop: int, start: int) -> int:
        """Keep to the documents that begin at tokens ``first`` to ``stop - 1``; returns ``start``."""
        self._first, self._stop = self._next_document(first), self._next_document(stop)
        return start

    def _next_document(self, position: int) -> int:
        """Where the first document begins that does not begin before ``position``; the end if there is none."""
        if position >= self._starts[-1]:
            return int(self._starts[-1])
        k = int(np.searchsorted(self._starts, position, side="right")) - 1
        entry, batch, _ = self._batches[k]
        with self._store.open(f"{self._folder}/{entry['path']}") as file:
            offsets = np.frombuffer(file.read_at(batch["offsets_bytes"], batch["offsets_position"]), np.int64)
        begin = int(self._starts[k])
        return begin + int(offsets[np.searchsorted(offsets, position - begin)])

    def pieces(self, first: int, stop: int) -> list[_Piece]:
        """The documents whose first token is number ``first`` to ``stop - 1`` of the endlessly repeated sequence."""
        length = self._stop - self._first
        found: list[_Piece] = []
        if first >= stop or not length:
            return found
        for number in range(first // length, (stop - 1) // length + 1):
            low = self._first + max(0, first - number * length)
            high = self._first + min(length, stop - number * length)
            begin = int(np.searchsorted(self._starts, low, side="right")) - 1
            for k in range(begin, int(np.searchsorted(self._starts, high, side="left"))):
                piece = self._piece(k, number, low - int(self._starts[k]), high - int(self._starts[k]))
                if piece:
                    found.append(piece)
        return found

    def _piece(self, k: int, number: int, low: int, high: int) -> _Piece | None:
        """The documents of batch k that start at its tokens ``low`` to ``high - 1``."""
        entry, batch, row = self._batches[k]
        with self._store.open(f"{self._folder}/{entry['path']}") as file:
            raw = file.read_at(batch["offsets_bytes"], batch["offsets_position"])
            offsets = np.frombuffer(raw, np.int64)
            begin, end = (int(row) for row in np.searchsorted(offsets[:-1], (low, high)))
            if begin == end:
                return None
            width = self._width
            size = int(offsets[end] - offsets[begin]) * width
            file.seek(batch["values_position"] + int(offsets[begin]) * width)
            values = np.frombuffer(file.read_buffer(size), np.uint8)
            file.seek(batch["doc_id_position"] + 16 * begin)
            doc_ids = np.frombuffer(file.read_buffer(16 * (end - begin)), np.uint8)
        return _Piece(
            domain=self._domain,
            number=number,
            values=values,
            offsets=offsets[begin : end + 1] - offsets[begin],
            doc_ids=doc_ids,
            docs=f"{self._folder}/{entry['docs']}",
            row=row + begin,
        )


# The documents of a shard, shuffled


class _Selection:
    """The documents of one corpus shard in their final order."""

    def __init__(self, pieces: list[_Piece], seed: int) -> None:
        self._pieces = pieces
        rows = [len(piece.offsets) - 1 for piece in pieces]
        none = [np.empty(0, np.int64)]
        names = [piece.doc_ids for piece in pieces] or [np.empty(0, np.uint8)]
        doc_ids = np.concatenate(names).view("V16")
        halves = doc_ids.view(">u8").reshape(-1, 2)
        keys = np.concatenate([_keys(piece, seed) for piece in pieces] or [np.empty(0, np.uint64)])
        passes = np.repeat([piece.number for piece in pieces], rows)
        order = np.lexsort((passes, halves[:, 1], halves[:, 0], keys))
        self._piece = np.repeat(np.arange(len(pieces)), rows)[order]
        self._starts: Offsets = np.concatenate([piece.offsets[:-1] for piece in pieces] or none)[order]
        self.sizes: Offsets = np.concatenate([np.diff(piece.offsets) for piece in pieces] or none)[order]
        self.doc_ids = doc_ids[order]
        self._order = order

    def ids(self, start: int, stop: int, dtype: np.dtype) -> tuple[Unsigned, Offsets]:
        """Ids of documents start to stop, copied together; offsets count tokens."""
        width = dtype.itemsize
        offsets = offsets_of(self.sizes[start:stop])
        out = np.empty(offsets[-1], dtype)
        owner = self._piece[start:stop]
        grouped = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[grouped], np.arange(len(self._pieces) + 1))
        for k in np.flatnonzero(np.diff(bounds)):
            rows = grouped[bounds[k] : bounds[k + 1]]
            starts, sizes = self._starts[start:stop][rows] * width, self.sizes[start:stop][rows] * width
            copy_rows(self._pieces[k].values, starts, sizes, offsets[rows] * width, out.view(np.uint8))
        return out, offsets

    def docs(self, store: Store) -> pa.Table:
        """The docs of the documents, with domain and pass, in their final order."""
        parts = []
        for piece in self._pieces:
            rows = len(piece.offsets) - 1
            part = _read_rows(store, piece.docs, piece.row, rows)
            part = part.append_column("domain", pa.repeat(pa.scalar(piece.domain), rows))
            parts.append(part.append_column("pass", pa.repeat(pa.scalar(piece.number, pa.int32()), rows)))
        if not parts:
            return DOCS.empty_table()
        scores = schemas.score_fields(parts[0].schema)
        described = pa.schema([*schemas.DOCS, *scores, *list(DOCS)[len(schemas.DOCS) :]])
        return pa.concat_tables(parts).take(pa.array(self._order)).cast(described).combine_chunks()


def _keys(piece: _Piece, seed: int) -> npt.NDArray[np.uint64]:
    """xxh3_64 of every doc_id, keyed with the seed and the pass."""
    keyed = xxhash.xxh3_64_intdigest(f"{seed} {piece.number}".encode())
    return hash_names(piece.doc_ids, keyed)


def _read_rows(store: Store, address: str, row: int, count: int) -> pa.Table:
    """Rows of a Parquet file, reading only the row groups they are in."""
    with store.open(address) as file:
        parquet = pq.ParquetFile(file)
        groups, before, skipped = [], 0, 0
        for group in range(parquet.num_row_groups):
            size = parquet.metadata.row_group(group).num_rows
            if before + size <= row:
                skipped += size
            elif before < row + count:
                groups.append(group)
            before += size
        return parquet.read_row_groups(groups).slice(row - skipped, count)
