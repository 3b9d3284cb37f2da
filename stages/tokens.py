"""`tokens`: the kept pages of one split as token ids, ordered so that a shard can read its part of them.

Input: the aligned Parquet files of one split (`documents`, `language`, `kept`, `clusters` if there was deduplication,
`quality` if ``scores`` are carried). Output: one Arrow IPC *file* with the schema `stages.schemas.tokens`, rows
ordered by (domain, order_key, doc_id), cut into record batches of about a megabyte that never hold two domains, so
that a reader finds one domain's range of keys by random access. ``order_key`` is a keyed hash of doc_id: neighbours
in a shard have nothing to do with each other, and any prefix is an unbiased sample.

Documents begin with BOS where ``bos`` asks for it, and are rearranged to fill in the middle where ``fim`` draws them
(`stages.tokenizers.arrangement`); every document ends with EOS, its only one.

The spans of `kept` are cut or replaced before tokenization. A page of which nothing is left makes no row and is
counted (``empty_documents``). A sample of the pages is encoded by the reference library too; one difference and the
whole split is encoded by the reference (``fast: false`` and why).

With ``max_document_tokens`` longer documents are cut into pieces at paragraphs (`stages.tokenizers.long_documents`), a
row each: of one doc_id and order_key, in order, numbered in the column ``piece``, each with a text_hash of its own, by
which held-out splits are drawn.

The report in the metadata of the file is `stages.reports.TokensReport`.

Price: tokenization, then two copies of the ids; memory is about twice the ids of the split.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from pydantic import Field, field_validator

from stages import schemas
from stages.contract import StageParams, Store
from stages.kernels.columns import bins
from stages.kernels.columns.gather import splice_spans
from stages.kernels.columns.keyed_hash import hash_names
from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned, offsets_of, text_buffers
from stages.kernels.columns.rows import Pieces, take_rows
from stages.reports import TokensBatch, TokensGroup, TokensReport
from stages.shard_format import fixed_bytes
from stages.tokenizers import DEFAULT, FastEncoderError, Tokenizer, load
from stages.tokenizers.arrangement import Arrangement, Cuts, FimParams, arrange, arrangement, cut
from stages.tokenizers.long_documents import LEAST_TOKENS, CutAt, cut_long

VERSION = 4
ENCODED_BYTES = 32 << 20
"""Text encoded by one call: gigatoken begins each with an empty cache of words. From 4 MB on it is a quarter faster."""
BATCH_BYTES = 1 << 20
"""A record batch is closed when its ids pass this: large enough for an object store, small enough to skip."""

PIECE = schemas.PIECE.name
READ = ("documents", "language", "kept", "clusters")
"""The products whose files it reads whatever scores are carried; `clusters` where there is such a file."""
_DOCUMENT_COLUMNS = ("doc_id", "text_hash", "url", "time", "source", "file", "offset")
_MAX_CHECKED_BYTES = 1 << 18


class Params(StageParams):
    """How kept pages become tokens."""

    tokenizer: str = Field(DEFAULT, description="a shipped name, or path or URI of a model file")
    eos: str | int | None = Field(None, description="token that ends a document, where the model names none")
    seed: int = Field(0, ge=0, lt=1 << 63, description="seed of the document order")
    scores: tuple[str, ...] = Field(
        (),
        description="columns of `quality`, `scores` or `labels`, as a classifier's, to carry into the docs beside the"
        " shards",
    )
    bos: bool = Field(False, description="begin every document with the model's BOS token")
    fim: FimParams | None = Field(None, description="fill-in-the-middle for some domains")
    max_document_tokens: int | None = Field(
        None,
        ge=LEAST_TOKENS,
        description="documents of more tokens are cut into pieces, at paragraphs; none: documents stay whole",
    )
    cut: CutAt = Field("paragraph", description="where, if there is such a place near: else at the next smaller one")
    check_one_in: int = Field(500, ge=1, description="one page in so many is compared with the reference library")

    @field_validator("scores")
    @classmethod
    def _scores(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        taken = {*schemas.tokens(pa.uint16()).names, *schemas.DOCS.names, "pass", PIECE} & set(names)
        if taken or len(set(names)) < len(names):
            raise ValueError(
                f"scores must be columns of `quality`, `scores` or `labels`, each once; found {', '.join(names)}"
            )
        return tuple(sorted(names))


def deciding(params: Params) -> dict[str, Any]:
    """The settings that decide the ids: those of cuts only where there are any."""
    cuts = {"max_document_tokens", "cut"} if params.max_document_tokens is None else set()
    return params.model_dump(mode="json", exclude=cuts)


def identity(params: Params) -> dict[str, Any]:
    """What decides the ids beside the parameters: the tokenizer's model, library and behaviour."""
    tokenizer = load(params.tokenizer, params.eos)
    return {"tokenizer": tokenizer.identity() | arrangement(tokenizer, params.bos, params.fim).identity()}


def order_keys(doc_ids: Bytes, seed: int) -> npt.NDArray[np.uint64]:
    """xxh3_64 of every 16-byte doc_id, keyed with the seed."""
    return hash_names(doc_ids, seed)


def tokenize(store: Store, *, files: dict[str, str], output: str, params: dict[str, Any]) -> dict[str, Any]:
    """Job: tokenize the kept pages of one split; returns the report without its batches.

    ``files``: addresses by product: those of `READ`, and those that have the scores to carry.
    """
    settings = Params.model_validate(params)
    tokenizer = load(settings.tokenizer, settings.eos)
    carried = _scores(store, files, settings.scores)
    try:
        encoded = _encode(_read(store, files, carried), tokenizer, settings, tokenizer.why_slow)
    except (_Difference, FastEncoderError) as difference:
        encoded = _encode(_read(store, files, carried), tokenizer, settings, str(difference))
    report = _write(store, output, encoded, tokenizer, settings)
    return {key: value for key, value in report.items() if key != "batches"}


# Reading


@dataclass
class _Pages:
    """Kept pages of one row group: their text after the spans, and the columns that travel with them."""

    data: Bytes
    offsets: Offsets
    columns: pa.Table


def _scores(store: Store, files: Mapping[str, str], names: tuple[str, ...]) -> pa.Table | None:
    """The scores to carry, as float32, and labels as they are; null where the source was not measured for them."""
    found: dict[str, pa.ChunkedArray] = {}
    rows = 0
    elsewhere = [address for name, address in files.items() if name not in READ]
    for address in elsewhere if names else ():
        with store.open(address) as file:
            parquet = pq.ParquetFile(file)
            rows = parquet.metadata.num_rows
            table = parquet.read(columns=[name for name in names if name in parquet.schema_arrow.names])
            found |= dict(zip(table.column_names, table.columns, strict=True))
    if not names or not elsewhere:
        return None
    kinds = schemas.tokens(pa.uint16(), names)
    columns = [
        found[name].cast(kinds.field(name).type) if name in found else pa.nulls(rows, kinds.field(name).type)
        for name in names
    ]
    return pa.table(columns, names=list(names))


def _read(store: Store, files: Mapping[str, str], scores: pa.Table | None) -> Iterator[_Pages]:
    documents = files["documents"]
    decisions = store.read_table(files["kept"], ["keep", "domain", "spans"])
    sidecars = store.read_table(files["language"], ["language", "confidence"])
    sizes = store.read_table(files["clusters"], ["cluster_size"]) if "clusters" in files else None
    with store.open(documents) as file:
        parquet = pq.ParquetFile(file)
        found = {"documents": parquet.metadata.num_rows, "kept": len(decisions), "language": len(sidecars)}
        found |= {"clusters": len(sizes)} if sizes is not None else {}
        found |= {"scores": len(scores)} if scores is not None else {}
        if len(set(found.values())) > 1:
            raise ValueError(f"files of one split must have the same rows, found {found} ({documents})")
        row = 0
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            keep = decisions["keep"].slice(row, count)
            if pc.any(keep).as_py():
                table = parquet.read_row_group(group, columns=[*_DOCUMENT_COLUMNS, "text"])
                for name in ("language", "confidence"):
                    table = table.append_column(name, sidecars[name].slice(row, count))
                one = pa.repeat(pa.scalar(1, pa.int32()), count)
                table = table.append_column(
                    "cluster_size", sizes["cluster_size"].slice(row, count) if sizes is not None else one
                )
                if scores is not None:
                    for name in scores.column_names:
                        table = table.append_column(name, scores[name].slice(row, count))
                for name in ("domain", "spans"):
                    table = table.append_column(name, decisions[name].slice(row, count))
                yield _pages(table.filter(keep), documents)
            row += count


def _pages(table: pa.Table, documents: str) -> _Pages:
    """Text with the spans cut or replaced; pages without text fall away later, in `_encode`."""
    table = table.combine_chunks()
    data, offsets = text_buffers(table["text"])
    spans = table["spans"].combine_chunks() if table["spans"].num_chunks != 1 else table["spans"].chunk(0)
    counts = pc.fill_null(pc.list_value_length(spans), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if counts.any():
        flat = spans.flatten()
        replacement, replaced = text_buffers(flat.field("replacement"))

        try:
            data, offsets = splice_spans(
                data,
                offsets,
                offsets_of(counts),
                flat.field("start").to_numpy(zero_copy_only=False),
                flat.field("stop").to_numpy(zero_copy_only=False),
                replacement,
                replaced,
            )
            pa.LargeStringArray.from_buffers(len(table), pa.py_buffer(offsets), pa.py_buffer(data)).validate(full=True)
        except (ValueError, pa.ArrowInvalid) as error:
            raise ValueError(f"{documents}: spans of `kept` do not fit the text: {error}") from error
    return _Pages(data, offsets, table.drop_columns(["text", "spans"]))


def page_ids(
    store: Store, *, documents: str, kept: str, row: int, params: Mapping[str, Any], piece: int = 0
) -> npt.NDArray[np.integer]:
    """Ids of one page, or one piece of it, as a shard must hold them, from its text by the reference library."""
    settings = Params.model_validate(params)
    with store.open(documents) as file:
        parquet = pq.ParquetFile(file)
        before = 0
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            if row < before + count:
                break
            before += count
        table = parquet.read_row_group(group, columns=["doc_id", "text_hash", "text"]).slice(row - before, 1)
    decided = store.read_table(kept, ["domain", "spans"]).slice(row, 1)
    for name in ("domain", "spans"):
        table = table.append_column(name, decided[name])
    pages, tokenizer = _pages(table, documents), load(settings.tokenizer, settings.eos)
    if settings.max_document_tokens is not None:
        pages = _divided(pages, tokenizer, settings, fast=False)
        pages = _Pages(pages.data, pages.offsets[piece : piece + 2], pages.columns.slice(piece, 1))
    made = arrangement(tokenizer, settings.bos, settings.fim)
    cuts = _cuts_of(made, pages)
    ids, bounds = tokenizer.encode(pages.data, cuts.offsets, fast=False)
    return arrange(made, cuts, ids, bounds)[0]


def _cuts_of(made: Arrangement, pages: _Pages) -> Cuts:
    domains = pages.columns["domain"].to_numpy() if made.fim else np.empty(0, object)
    return cut(made, pages.data, pages.offsets, fixed_bytes(pages.columns["doc_id"]), domains)


# Encoding


@dataclass
class _Encoded:
    """All pages of the split: their ids (with EOS), how many each has, and the columns beside them."""

    ids: Pieces
    sizes: Offsets
    columns: pa.Table
    keys: npt.NDArray[np.uint64]
    empty: int
    further: int
    """Pieces of documents beyond the first of each."""
    checked: int
    why_slow: str | None


def _encode(groups: Iterator[_Pages], tokenizer: Tokenizer, settings: Params, why_slow: str | None) -> _Encoded:
    """Encode a split, by the reference where ``why_slow`` is given; else stop with `_Difference` at the first one."""
    made = arrangement(tokenizer, settings.bos, settings.fim)
    ids: list[Bytes] = []
    sizes: list[Offsets] = [np.empty(0, np.int64)]
    columns: list[pa.Table] = []
    keys: list[npt.NDArray[np.uint64]] = []
    empty = checked = further = 0
    for group in _gathered(groups):
        rows = np.flatnonzero(np.diff(group.offsets))
        if len(rows) < len(group.columns):
            empty += len(group.columns) - len(rows)
            data, offsets = take_rows(group.data, group.offsets, rows)
            group = _Pages(data, offsets, group.columns.take(pa.array(rows)))
        if settings.max_document_tokens is not None:
            group = _divided(group, tokenizer, settings, fast=why_slow is None)
            further += int((group.columns[PIECE].to_numpy() > 0).sum())
        group_keys = order_keys(fixed_bytes(group.columns["doc_id"]), settings.seed)
        cuts = _cuts_of(made, group)
        found, bounds = tokenizer.encode(group.data, cuts.offsets, fast=why_slow is None)
        if why_slow is None:
            chosen = _sample(group, group_keys, settings.check_one_in, first=not checked)
            _compare(group, chosen, cuts, found, bounds, tokenizer)
            checked += len(chosen)
        if not made.plain:
            found, bounds = arrange(made, cuts, found, bounds)
        ids.append(found.view(np.uint8))
        sizes.append(np.diff(bounds))
        keys.append(group_keys)
        columns.append(group.columns.append_column("text_bytes", pa.array(np.diff(group.offsets), pa.int64())))
    all_sizes = np.concatenate(sizes)
    return _Encoded(
        ids=Pieces(ids, offsets_of(all_sizes), tokenizer.dtype),
        sizes=all_sizes,
        columns=pa.concat_tables(columns).combine_chunks() if columns else None,
        keys=np.concatenate(keys) if keys else np.empty(0, np.uint64),
        empty=empty,
        further=further,
        checked=checked,
        why_slow=why_slow,
    )


def _divided(group: _Pages, tokenizer: Tokenizer, settings: Params, fast: bool) -> _Pages:
    """The pages with long ones cut into pieces, in order: one doc_id, `PIECE` from 0 on, a text_hash for each.

    The hash decides held-out splits: equal texts have equal pieces, which fall into one split; those of one text need
    not, so that a split has the size that was asked for.
    """
    most = settings.max_document_tokens or 0
    offsets, parents = cut_long(group.data, group.offsets, tokenizer, most, settings.cut, fast)
    numbers = np.arange(len(parents)) - np.searchsorted(parents, parents)
    columns = group.columns.take(pa.array(parents))
    hashes = columns["text_hash"].to_pylist()
    for row in np.flatnonzero(np.bincount(parents)[parents] > 1).tolist():
        hashes[row] = xxhash.xxh3_128_digest(hashes[row] + int(numbers[row]).to_bytes(8, "little"))
    place = columns.column_names.index("text_hash")
    columns = columns.set_column(place, columns.schema.field("text_hash"), pa.array(hashes, pa.binary(16)))
    return _Pages(group.data, offsets, columns.append_column(schemas.PIECE, pa.array(numbers, pa.int32())))


class _Difference(Exception):
    """The fast encoder gave other ids than the reference; the message names the document."""


def _gathered(groups: Iterator[_Pages]) -> Iterator[_Pages]:
    """The same pages in groups of about ENCODED_BYTES of text."""
    waiting: list[_Pages] = []
    for group in groups:
        waiting.append(group)
        if sum(int(pages.offsets[-1] - pages.offsets[0]) for pages in waiting) >= ENCODED_BYTES:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(groups: list[_Pages]) -> _Pages:
    if len(groups) == 1:
        return groups[0]
    data = np.concatenate([pages.data[pages.offsets[0] : pages.offsets[-1]] for pages in groups])
    offsets = offsets_of(np.concatenate([np.diff(pages.offsets) for pages in groups]))
    return _Pages(data, offsets, pa.concat_tables([pages.columns for pages in groups]).combine_chunks())


def _sample(group: _Pages, keys: npt.NDArray[np.uint64], one_in: int, first: bool) -> Offsets:
    """The pages to compare with the reference, by order_key.

    ``first`` adds the page of the smallest key, so that a split with few pages is checked too.
    """
    small = np.diff(group.offsets) <= _MAX_CHECKED_BYTES
    chosen = small & (keys % np.uint64(one_in) == 0)
    if first and small.any():
        chosen[np.flatnonzero(small)[np.argmin(keys[small])]] = True
    return np.flatnonzero(chosen)


def _compare(group: _Pages, rows: Offsets, cuts: Cuts, ids: Unsigned, bounds: Offsets, tokenizer: Tokenizer) -> None:
    """Stop with `_Difference` at the first of the rows whose ids are not the reference's."""
    for row in rows.tolist():
        for text in range(cuts.first[row], cuts.first[row + 1]):
            data = group.data[cuts.offsets[text] : cuts.offsets[text + 1]]
            if not tokenizer.is_right(data, ids[bounds[text] : bounds[text + 1]]):
                doc_id = group.columns["doc_id"][row].as_py().hex()
                raise _Difference(f"the fast encoder differs from {tokenizer.reference.library} on document {doc_id}")


# Writing


def _write(store: Store, output: str, encoded: _Encoded, tokenizer: Tokenizer, settings: Params) -> TokensReport:
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


def _batches(encoded: _Encoded, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
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
