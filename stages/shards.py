"""`shards`: all documents of one domain as trainer-ready token shards, in keyed-hash order.

Input: the `tokens` files of every split. Output: a folder in the format of `stages.shard_format` with
K = ceil(tokens / target_tokens) shards. Shard k holds the documents whose order_key lies in the k-th of K equal
ranges of the 64-bit keys, sorted by (order_key, doc_id). So the order does not depend on how the input was divided,
shard k is a random 1/K of the domain, and any prefix of the sequence is an unbiased sample.

Method: an exchange. Each shard's task opens every tokens file, reads from its metadata which record batches
overlap its range, and copies their rows into place. Where inputs x shards would pass ``max_reads`` a merge level
comes first: groups of inputs become files of one range of keys each (the record batches of a tokens file again).

Documents held out for validation and tests go to folders of their own. A hash of the extracted text alone decides,
so neither seed nor tokenizer nor new input moves a text between splits, and exact copies of a text are in one
split even where nothing was deduplicated. Pieces of a long document (`tokens.max_document_tokens`) are held out each by
its own text, so that a domain of books has the split asked for, and parts of a book are then on both sides; or, with
``hold_out: documents``, all as the first of them. The manifest's documents and tokens are those of training.

Price: one sequential read of the tokens, one write; memory of a task is at most twice its shard. Nothing is compiled,
so a fresh process begins at once. Shard sizes scatter around the target like a sample of their documents: by
sqrt((1 + c**2) / n) for n documents a shard whose sizes have the coefficient of variation c (about 1% at 100,000
documents of very mixed sizes).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from stages import schemas
from stages.contract import GrownParams, Store, Task, Wave
from stages.kernels.columns.keyed_hash import hash_names
from stages.kernels.columns.ragged import Offsets, Unsigned, offsets_of, row_cuts
from stages.kernels.columns.rows import Pieces
from stages.reports import Totals
from stages.shard_format import (
    ShardNames,
    fixed_bytes,
    hugging_face_names,
    read_entries,
    sum_domains,
    write_entry,
    write_manifest,
)
from stages.shard_writer import open_shard, shard_schema, write_docs

VERSION = 2
KEY_SPACE = 1 << 64
MERGED_BATCH_BYTES = 1 << 20
_HELD_OUT_SEED = 0x68656C64
"""Fixed: whatever else changes, a text that was held out once is never trained on."""


class Params(GrownParams):
    """Settings by which a domain's tokens are cut into shards."""

    later = frozenset({"hold_out"})

    target_tokens: int = Field(1 << 28, ge=1, description="tokens a shard, about")
    batch_tokens: int = Field(1 << 27, ge=1, lt=1 << 31, description="tokens a record batch of a shard, at most")
    max_reads: int = Field(1_000_000, ge=1, description="inputs x shards above which inputs are merged first")
    merged_bytes: int = Field(1 << 29, ge=1, description="size to aim at for merged inputs")
    valid_fraction: float = Field(0.0, ge=0, lt=0.5, description="part of the documents held out for validation")
    test_fraction: float = Field(0.0, ge=0, lt=0.5, description="part of the documents held out for tests")
    hold_out: Literal["pieces", "documents"] = Field(
        "pieces",
        description="of documents that `tokens.max_document_tokens` cuts: each piece by itself, so that splits of a "
        "domain of books have the size asked for, or the document whole, so that no part of it is trained on",
    )

    def parts(self) -> dict[str, tuple[int, int]]:
        """Splits and their ranges of the 64-bit hash that decides them: validation lowest, then test, then training."""
        valid = int(self.valid_fraction * KEY_SPACE)
        test = valid + int(self.test_fraction * KEY_SPACE)
        ranges = {"train": (test, KEY_SPACE), "valid": (0, valid), "test": (valid, test)}
        return {split: (first, stop) for split, (first, stop) in ranges.items() if stop > first}


@dataclass(frozen=True, slots=True)
class Input:
    """Facts about one tokens file for `plan`: its address and, for this domain, what its report counts."""

    address: str
    documents: int
    tokens: int


def plan(
    params: Params, domain: str, inputs: list[Input], directory: str, *, tokenizer: dict[str, Any], seed: int
) -> list[Wave]:
    """Phases that write the shards and the manifest of one domain into ``directory``.

    Args:
        inputs: sorted by address.
        tokenizer: the `tokenizer` block of the inputs' reports.
        seed: the seed of their order keys.

    Raises:
        ValueError: the domain has no tokens.
    """
    tokens = sum(item.tokens for item in inputs)
    documents = sum(item.documents for item in inputs)
    if not documents:
        raise ValueError(f"domain {domain!r} has no tokens: no page was kept for it")
    parts = params.parts()
    fractions = {split: (stop - first) / KEY_SPACE for split, (first, stop) in parts.items()}
    counts = {
        split: max(1, min(-(-int(tokens * part) // params.target_tokens), documents))
        for split, part in fractions.items()
    }
    width = np.dtype(tokenizer["dtype"]).itemsize
    merge, sources = _merge_level(params, domain, inputs, directory, sum(counts.values()), width)
    tasks = tuple(
        _shard_task(params, domain, sources, ShardNames(directory, k, count, split), tokenizer, tokens * width)
        for split, count in counts.items()
        for k in range(count)
    )
    finish = Task(
        job="stages.shards:manifest",
        args={"directory": directory, "counts": counts, "domain": domain, "tokenizer": tokenizer, "seed": seed},
        outputs=(f"{directory}/manifest.json", *hugging_face_names(directory, counts)),
        label=f"manifest of {domain}",
        copies=True,
    )
    shards = Wave("shards", tasks, discard=(f"{directory}/merged",) if merge else ())
    return [*merge, shards, Wave("manifest", (finish,))]


def key_range(index: int, count: int) -> tuple[int, int]:
    """First key of part ``index`` of ``count`` equal parts of the key space, and the first key behind it."""
    return -(-index * KEY_SPACE // count), -(-(index + 1) * KEY_SPACE // count)


def _shard_task(
    params: Params,
    domain: str,
    sources: list[list[str]],
    names: ShardNames,
    tokenizer: dict[str, Any],
    total_bytes: int,
) -> Task:
    # Merged files are listed by ranges of keys; a shard reads those that overlap its own.
    first, stop = key_range(names.index, names.count)
    ranges = len(sources)
    overlapping = [k for k in range(ranges) if key_range(k, ranges)[0] < stop and first < key_range(k, ranges)[1]]
    return Task(
        job="stages.shards:shard",
        args={
            "inputs": [address for k in overlapping for address in sources[k]],
            "domain": domain,
            "directory": names.directory,
            "split": names.split,
            "hashes": list(params.parts()[names.split]),
            **({"whole": True} if params.hold_out == "documents" else {}),
            "index": names.index,
            "count": names.count,
            "batch_tokens": params.batch_tokens,
            "tokenizer": tokenizer,
        },
        outputs=names.addresses(),
        label=f"{domain} {names.split} shard {names.index + 1}/{names.count}",
        cost=total_bytes // names.count,
        memory=(1 << 28) + 2 * total_bytes // names.count,
        copies=True,
    )


def _merge_level(
    params: Params, domain: str, inputs: list[Input], directory: str, count: int, width: int
) -> tuple[list[Wave], list[list[str]]]:
    """The merge wave, if one is needed, and the addresses to read per range of keys (one range: no merging)."""
    if len(inputs) * count <= params.max_reads or len(inputs) == 1:
        return [], [[item.address for item in inputs]]
    total = sum(item.tokens for item in inputs) * width
    wanted = -(-total // params.merged_bytes)
    ranges = max(1, min(params.max_reads // len(inputs), count, wanted))
    groups = max(1, min(params.max_reads // count, len(inputs), -(-wanted // ranges)))
    tasks: list[Task] = []
    sources: list[list[str]] = []
    for k in range(ranges):
        outputs = []
        for group in range(groups):
            part = inputs[group * len(inputs) // groups : (group + 1) * len(inputs) // groups]
            output = f"{directory}/merged/{k:05d}-{group:05d}.arrow"
            size = sum(item.tokens for item in part) * width // ranges
            task = Task(
                job="stages.shards:merge",
                args={
                    "inputs": [item.address for item in part],
                    "domain": domain,
                    "index": k,
                    "count": ranges,
                    "output": output,
                },
                outputs=(output,),
                label=f"merge {domain} {len(tasks) + 1}/{ranges * groups}",
                cost=size,
                memory=(1 << 28) + 2 * size,
                copies=True,
            )
            tasks.append(task)
            outputs.append(output)
        sources.append(outputs)
    return [Wave("merge", tuple(tasks))], sources


# Jobs


def shard(
    store: Store,
    *,
    inputs: list[str],
    domain: str,
    directory: str,
    split: str,
    hashes: list[int],
    index: int,
    count: int,
    batch_tokens: int,
    tokenizer: dict[str, Any],
    whole: bool = False,
) -> dict[str, Any]:
    """Job: write shard ``index`` of ``count`` of one split of a domain, the docs beside it and its entry.

    ``hashes`` is the range of the split's held-out hashes; ``whole``: all pieces of a document go where its first goes.
    """
    rows = _Rows(store, inputs, domain, key_range(index, count), (hashes[0], hashes[1]), whole)
    names = ShardNames(directory, index, count, split)
    schema = shard_schema(tokenizer["dtype"], {"kind": "domain", "name": domain, "tokenizer": tokenizer})
    with open_shard(store, f"{directory}/{names.data}", schema, tokenizer["eos_id"], tokenizer.get("fim")) as writer:
        for start, stop in row_cuts(rows.sizes, batch_tokens):
            doc_ids = fixed_bytes(rows.columns["doc_id"].slice(start, stop - start))
            writer.write(rows.blocks(start, stop), offsets_of(rows.sizes[start:stop]), doc_ids)
        entry = writer
    described = pa.schema([*schemas.DOCS, *schemas.score_fields(rows.columns.schema)])
    docs = rows.columns.append_column("num_tokens", pa.array(rows.sizes, pa.int64())).select(described.names)
    size = write_docs(store, f"{directory}/{names.docs}", docs.cast(described))
    keys = rows.columns["order_key"]
    summary = entry.summary()
    write_entry(
        store,
        names,
        summary
        | size
        | {
            "domains": {domain: summary["tokens"]},
            "domain_documents": {domain: summary["rows"]},
            "domain_text_bytes": {domain: pc.sum(rows.columns["text_bytes"]).as_py() or 0},
            "first_key": f"{keys[0].as_py():016x}" if len(keys) else None,
            "last_key": f"{keys[-1].as_py():016x}" if len(keys) else None,
        },
    )
    return {"rows": summary["rows"], "tokens": summary["tokens"], "bytes": summary["bytes"]}


def merge(store: Store, *, inputs: list[str], domain: str, index: int, count: int, output: str) -> dict[str, Any]:
    """Job: the rows of one range of keys of several tokens files, sorted, as one tokens file."""
    rows = _Rows(store, inputs, domain, key_range(index, count))
    schema = rows.schema
    item = schema.field("input_ids").type
    parts, listed = [], []
    for start, stop in row_cuts(rows.sizes, MERGED_BATCH_BYTES // (item.value_type.bit_width // 8)):
        ids, offsets = rows.ids(start, stop)
        values = pa.Array.from_buffers(item.value_type, len(ids), [None, pa.py_buffer(ids)])
        lists = pa.LargeListArray.from_arrays(pa.array(offsets), values, type=item)
        part = rows.columns.slice(start, stop - start).append_column("input_ids", lists).select(schema.names)
        parts.append(part.cast(schema).combine_chunks().to_batches()[0])
        keys = part["order_key"]
        listed.append(
            {
                "domain": domain,
                "first_key": f"{keys[0].as_py():016x}",
                "last_key": f"{keys[-1].as_py():016x}",
                "rows": len(part),
                "tokens": len(ids),
            }
        )
    report = json.dumps({"batches": listed}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with store.arrow_writer(output, schema.with_metadata({b"gristmill": report})) as writer:
        for batch in parts:
            writer.write_batch(batch)
    return {"rows": len(rows.columns), "tokens": int(rows.sizes.sum())}


def manifest(
    store: Store, *, directory: str, counts: dict[str, int], domain: str, tokenizer: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Job: the manifest of a domain, written last."""
    entries = read_entries(store, directory, counts)
    train = [entry for entry in entries if entry["split"] == "train"]
    domains: dict[str, Totals] = {domain: {"documents": 0, "tokens": 0, "text_bytes": 0}, **sum_domains(train)}
    written = write_manifest(
        store, directory, entries, kind="domain", name=domain, seed=seed, tokenizer=tokenizer, domains=domains
    )
    return {"documents": written["documents"], "tokens": written["tokens"], "shards": len(entries)}


class _Rows:
    """One domain's rows of a range of keys from several tokens files, in order; ids are put in it when asked for."""

    def __init__(
        self,
        store: Store,
        inputs: list[str],
        domain: str,
        keys: tuple[int, int],
        hashes: tuple[int, int] = (0, KEY_SPACE),
        whole: bool = False,
    ) -> None:
        batches, self.schema = _overlapping(store, inputs, domain, *keys)
        tables = [pa.Table.from_batches([batch]).drop_columns("input_ids") for batch in batches]
        parts, sizes = [], []
        for batch in batches:
            lists = batch["input_ids"]
            width = lists.type.value_type.bit_width // 8
            offsets = np.frombuffer(lists.buffers()[1], np.int64)[lists.offset : lists.offset + len(lists) + 1]
            first, last = (int(place + lists.values.offset) * width for place in (offsets[0], offsets[-1]))
            parts.append(np.frombuffer(lists.values.buffers()[1], np.uint8)[first:last])
            sizes.append(np.diff(offsets))
        columns = (
            pa.concat_tables(tables)
            if tables
            else self.schema.remove(self.schema.get_field_index("input_ids")).empty_table()
        )
        order = pc.sort_indices(columns, [("order_key", "ascending"), ("doc_id", "ascending")])
        if hashes != (0, KEY_SPACE):
            texts = _deciding(columns.take(order), whole)
            order = order.filter(_within(texts, *hashes))
        self._order = order.to_numpy().astype(np.int64)
        self.columns = columns.take(order).combine_chunks()
        found: Offsets = np.concatenate(sizes or [np.empty(0, np.int64)])
        self.sizes: Offsets = found[self._order]
        dtype = np.dtype(self.schema.field("input_ids").type.value_type.to_pandas_dtype())
        self._values = Pieces(parts, offsets_of(found), dtype)

    def ids(self, start: int, stop: int) -> tuple[Unsigned, Offsets]:
        """Ids of rows start to stop, copied together; offsets count tokens."""
        return self._values.take(self._order[start:stop])

    def blocks(self, start: int, stop: int) -> Iterator[Unsigned]:
        """The ids of these rows, some rows at a time; a block is overwritten by the next one."""
        return self._values.blocks(self._order[start:stop])


def _deciding(columns: pa.Table, whole: bool) -> pa.ChunkedArray:
    """The text hash by which each row is held out: its own, or with ``whole`` that of its document's first piece."""
    texts, piece = columns["text_hash"], schemas.PIECE.name
    if not whole or piece not in columns.column_names:
        return texts
    first = columns[piece].to_numpy() == 0
    return texts.take(pa.array(np.flatnonzero(first)[np.cumsum(first) - 1]))


def _within(text_hashes: pa.ChunkedArray, first: int, stop: int) -> pa.Array:
    """A mask of the texts that a split of held-out hashes from ``first`` to ``stop - 1`` takes."""
    hashes = hash_names(fixed_bytes(text_hashes), _HELD_OUT_SEED)
    return pa.array((hashes >= np.uint64(first)) & (hashes <= np.uint64(stop - 1)))


def _overlapping(
    store: Store, inputs: list[str], domain: str, first: int, stop: int
) -> tuple[list[pa.RecordBatch], pa.Schema]:
    """The record batches that hold rows of the range, sliced to it, and their schema without metadata."""
    found, schema = [], None
    for address in inputs:
        reader = pa.ipc.open_file(store.open(address))
        here = reader.schema.remove_metadata()
        if schema is not None and here != schema:
            raise ValueError(
                f"{address}: its columns differ from those of {inputs[0]}; tokenized by another tokenizer?"
            )
        schema = here
        report = json.loads(reader.schema.metadata[b"gristmill"])
        for number, batch in enumerate(report["batches"]):
            if batch["domain"] == domain and int(batch["first_key"], 16) < stop and int(batch["last_key"], 16) >= first:
                rows = reader.get_batch(number)
                keys = rows["order_key"].to_numpy()
                start = int(np.searchsorted(keys, np.uint64(first)))
                end = len(keys) if stop >= KEY_SPACE else int(np.searchsorted(keys, np.uint64(stop)))
                if end > start:
                    found.append(rows.slice(start, end - start))
    if schema is None:
        raise ValueError("no inputs")
    return found, schema
