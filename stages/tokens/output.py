"""The file of a split's ids: record batches of one domain each, in the order of their keys, and its report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages import schemas
from stages.contract import Store
from stages.kernels.columns import bins
from stages.kernels.columns.ragged import Offsets
from stages.reports import TokensBatch, TokensGroup, TokensReport
from stages.tokenizers import Tokenizer
from stages.tokenizers.arrangement import arrangement
from stages.tokens.encoding import Encoded
from stages.tokens.params import PIECE, Params

BATCH_BYTES = 1 << 20
"""A record batch is closed when its ids pass this: large enough for an object store, small enough to skip."""


def write(store: Store, output: str, encoded: Encoded, tokenizer: Tokenizer, settings: Params) -> TokensReport:
    schema = schemas.tokens(pa.from_numpy_dtype(tokenizer.dtype), settings.scores)
    if settings.max_document_tokens is not None:
        schema = schema.append(schemas.PIECE)
    batches = list(_batches(encoded, schema)) if encoded.columns is not None and len(encoded.columns) else []
    digests: dict[str, xxhash.xxh3_128] = {}
    listed: list[TokensBatch] = []
    for batch in batches:
        domain = batch["domain"][0].as_py()
        digests.setdefault(domain, xxhash.xxh3_128()).update(batch.serialize())
        listed.append(
            {
                "domain": domain,
                "first_key": f"{batch['order_key'][0].as_py():016x}",
                "last_key": f"{batch['order_key'][-1].as_py():016x}",
                "rows": len(batch),
                "tokens": len(batch["input_ids"].values),
            }
        )
    groups = _groups(batches)
    report: TokensReport = {
        "rows": sum(group["documents"] for group in groups),
        "tokens": sum(group["tokens"] for group in groups),
        "text_bytes": sum(group["text_bytes"] for group in groups),
        "empty_documents": encoded.empty,
        "checked_documents": encoded.checked,
        "fast": encoded.why_slow is None,
        "why_slow": encoded.why_slow,
        "tokenizer": tokenizer.identity() | arrangement(tokenizer, settings.bos, settings.fim).identity(),
        "seed": settings.seed,
        "groups": groups,
        "lengths": _lengths(batches),
        "batches": listed,
        "domain_digests": {domain: digest.hexdigest() for domain, digest in digests.items()},
    }
    if settings.max_document_tokens is not None:
        report["further_pieces"] = encoded.further
    metadata = {b"gristmill": json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()}
    with store.arrow_writer(output, schema.with_metadata(metadata)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return report


def _batches(encoded: Encoded, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows in order of (domain, order_key, doc_id), cut at domains and whenever a batch passes BATCH_BYTES."""
    columns = encoded.columns.append_column("order_key", pa.array(encoded.keys, pa.uint64()))
    order = pc.sort_indices(columns, [(name, "ascending") for name in ("domain", "order_key", "doc_id")])
    rows = order.to_numpy().astype(np.int64)
    columns = columns.take(order).combine_chunks()
    domains = pc.dictionary_encode(columns["domain"].combine_chunks()).indices.to_numpy()
    kind = schema.field("input_ids").type
    start = 0
    for stop in _cuts(domains, encoded.sizes[rows] * (kind.value_type.bit_width // 8)):
        ids, bounds = encoded.ids.take(rows[start:stop])
        values = pa.Array.from_buffers(kind.value_type, len(ids), [None, pa.py_buffer(ids)])
        lists = pa.LargeListArray.from_arrays(pa.array(bounds, pa.int64()), values, type=kind)
        part = columns.slice(start, stop - start).append_column(schema.field("input_ids"), lists)
        yield part.select(schema.names).cast(schema).combine_chunks().to_batches()[0]
        start = stop


def _cuts(domains: npt.NDArray[np.integer], sizes: Offsets) -> Iterator[int]:
    """Ends of the batches."""
    filled = 0
    for row in range(len(sizes)):
        filled += int(sizes[row])
        if row + 1 == len(sizes) or domains[row + 1] != domains[row] or filled >= BATCH_BYTES:
            yield row + 1
            filled = 0


def _lengths(batches: list[pa.RecordBatch]) -> dict[str, dict[str, Any]]:
    """Documents by number of tokens, per domain."""
    found: dict[str, npt.NDArray[np.int64]] = {}
    for batch in batches:
        tokens = pc.list_value_length(batch["input_ids"]).to_numpy().astype(np.float64)
        domain = batch["domain"][0].as_py()
        found[domain] = found.get(domain, 0) + bins.count("counts", tokens)
    return {domain: bins.packed(counts) for domain, counts in sorted(found.items())}


def _groups(batches: list[pa.RecordBatch]) -> list[TokensGroup]:
    """Documents, bytes and tokens per source, language and domain, sorted."""
    keys = ["source", "language", "domain"]
    if not batches:
        return []
    cut = PIECE in batches[0].schema.names
    parts = [
        pa.table(
            {name: batch[name] for name in (*keys, "text_bytes")}
            | {"tokens": pc.list_value_length(batch["input_ids"])}
            | ({"further": pc.cast(pc.greater(batch[PIECE], 0), pa.int64())} if cut else {})
        )
        for batch in batches
    ]
    wanted = [("tokens", "count"), ("text_bytes", "sum"), ("tokens", "sum"), *([("further", "sum")] if cut else [])]
    sums = pa.concat_tables(parts).group_by(keys).aggregate(wanted)
    names = {"tokens_count": "documents", "text_bytes_sum": "text_bytes", "tokens_sum": "tokens"}
    named = sums.rename_columns(names | ({"further_sum": "further_pieces"} if cut else {}))
    groups: list[TokensGroup] = named.sort_by([(name, "ascending") for name in keys]).to_pylist()
    return groups
