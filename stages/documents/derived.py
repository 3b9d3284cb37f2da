"""Derived documents: pages that a function makes of other pages, as `documents` files of a source of their own.

For whom: whoever rewrites, translates, asks questions about, or cleans by a model what was read. An entry under
``transforms:`` is a source whose input is the pages of other sources (``inputs``), not files:

    def rewrite(rows: pa.RecordBatch, **params) -> Iterable[None | str | Iterable[str]]   # for each row its new texts

``rows`` has the columns text, title, url, language (null where it is not measured). What comes out are rows of
`schemas.DOCUMENTS` with `DERIVED` behind them, one file a split of the parents, which go through language, quality,
deduplication, decontamination, rules and domains like all others. A child keeps its parent's url, time, rights
(licence, robots) and place (file, offset): lists of addresses, take-downs and `trace` find it where they find that.

doc_id: xxh3_128 of transform, digest of what decides (`Transform.deciding`), the parent's doc_id and the number of the
text, separated by NUL. What decides the bytes: that, the source of the function's module, the files that its
arguments name, and the parents' files. What answers otherwise the second time (a server that samples) is asked once.

A page for which the function raises, ends or holds its process, or gives what is no text, is quarantined with a reason
(`stages.transforms.process`); the others of its batch are not. Not rows, and counted: a text that is the parent's
(``unchanged``) or a sibling's (``repeats_a_sibling``), one in which nothing can be seen (``empty_text``), a page of
which nothing is made (``made_nothing``), and a page on the take-down list of the root when the file is made
(``taken_down``): the function does not get it. (`kept` drops such pages and all that was made of them whatever the
file holds, so the list decides no address, and a longer list asks nobody again.)

Price: what the function costs, and a copy of the rows to its process and back (about 1 GB/s). Memory: a few batches.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from pydantic import Field, field_validator

from stages import schemas
from stages.contract import Gpus, StageParams, Store
from stages.documents.account import Account
from stages.documents.batches import MAX_BYTES, MAX_ROWS, measure
from stages.documents.characters import clean
from stages.formats.file_states import is_file
from stages.rules import own_functions
from stages.rules.names import check_languages, some
from stages.rules.rule import as_stored
from stages.rules.urls import host
from stages.transforms.process import Limits, rewriter

VERSION = 1
LIMITS_VERSION = 2
"""Of transforms whose inputs have a least or largest value, beside `VERSION`: others are not made anew."""
DERIVED = (
    pa.field("derived_from", schemas.DOC_ID, nullable=False),  # the page it was made of
    pa.field("transform", pa.string(), nullable=False),
    pa.field("ordinal", pa.int32(), nullable=False),  # its number among the texts made of that page, from 0
)
SCHEMA = pa.schema([*schemas.DOCUMENTS, *DERIVED])
INHERITED = ("url", "time", "title", "licence", "canonical", "published", "robots", "offset")
"""Columns that a child has of its parent; its ``file`` is that of the parent behind its source."""


class Inputs(StageParams):
    """Pages that are rewritten: those that meet every condition, whatever `kept` decides about them."""

    sources: tuple[str, ...] = Field(min_length=1)
    """Sources whose pages are taken; no transform can be one."""
    languages: tuple[str, ...] | None = None
    """Languages of the pages; none: all."""
    min: dict[str, float] = Field(default={})
    """Smallest values of columns of `documents`, `language`, `quality` or `labels`; a page without one is not taken."""
    max: dict[str, float] = Field(default={})
    """Largest values, in the same way."""

    _some = field_validator("languages")(some)
    _languages = field_validator("languages")(check_languages)

    def columns(self) -> tuple[str, ...]:
        """Columns that conditions name."""
        return tuple(dict.fromkeys([*(("language",) if self.languages is not None else ()), *self.min, *self.max]))


class Transform(StageParams):
    """A function of pages whose texts become pages of a source named like it; may override sections as sources do."""

    function: str
    """As `module:function`, found as Python finds modules; `stages.transforms` has some."""
    params: dict[str, Any] = Field(default={})
    """Its arguments by name. Text without white space that has a known suffix, or a slash and is below a folder that
    is there, is a path, relative to the mixture file; so is any that begins with ``./``."""
    inputs: Inputs
    gpus: Gpus = 0
    """GPUs its process reserves; 0.25: four share one."""
    memory: int = Field(default=2 << 30, ge=1)
    """Bytes of memory a process reserves."""
    batch: int = Field(default=64, ge=1)
    """Pages given at once."""
    seconds: float = Field(default=300, gt=0)
    """Seconds by the clock that a batch may take; past it its pages are tried one by one, each for as long."""
    max_rows: int = Field(default=1000, ge=1)
    """Texts that may be made of a page; a page of which more are made is quarantined."""
    max_bytes: int = Field(default=16 << 20, ge=1, le=1 << 30)
    """Bytes of text that may be made of a page, in the same way."""
    resume_rows: int = Field(default=0, ge=0)
    """Pages after which what was made is kept, for a run that is killed; 0: a split is made at once. For functions
    whose answers cost money or hours."""

    _named = field_validator("function")(own_functions.checked)

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the rows: not where files lie, nor what is reserved, nor what the function names
        in its attribute ``EFFORT`` (a server's address, say)."""
        effort = getattr(own_functions.load(self.function), "EFFORT", ())
        named = {key: value for key, value in self.params.items() if key not in effort}
        plain = {key: value for key, value in named.items() if not is_file(value)}
        limits = {"max_rows": self.max_rows, "max_bytes": self.max_bytes}
        return {"function": self.function, "params": plain, "inputs": self.inputs.model_dump(mode="json"), **limits}


def identity(transform: Transform) -> dict[str, str]:
    """SHA-256 of the function's module and of the files its arguments name (`own_functions.identity`).

    Raises:
        ValueError: the module or the function is not there.
    """
    return own_functions.identity(transform.function, transform.params)


def decided(transform: Transform) -> str:
    """Digest of what decides, as it stands in doc_ids."""
    return xxhash.xxh3_128_hexdigest(json.dumps(transform.deciding(), sort_keys=True).encode())


def child_id(name: str, settings: str, parent: bytes, ordinal: int) -> bytes:
    """The 16 bytes that name a derived page; ``settings``: digest of what decides."""
    return xxhash.xxh3_128_digest(f"{name}\0{settings}\0{parent.hex()}\0{ordinal}".encode())


def pieces_of(output: str) -> str:
    """The folder that holds what is made of a file until it is whole (`Transform.resume_rows`)."""
    return f"runs/transforms/{xxhash.xxh3_128_hexdigest(output.encode())}"


def derive(
    store: Store,
    *,
    name: str,
    transform: dict[str, Any],
    settings: str,
    files: dict[str, str],
    file: str,
    output: str,
    removed: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Job: the pages that a transform makes of one split. Returns the report of the file.

    Args:
        settings: `decided` of the transform: here its module is not loaded but by its own process.
        files: addresses of the parents' `documents` and of the sidecars that conditions name, by product.
        file: the parents' file, for the report.
        removed: entries of the take-down list, ``{"kind": "doc_id" | "url" | "host", "value"}``.
    """
    own = Transform(**transform)
    work = pieces_of(output)
    account, alignment = Account(file), xxhash.xxh3_128()
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    number = 0
    with store.table_writer(output, SCHEMA) as writer:
        for rows in _taken_rows(store, own, files, counts):
            parts = [SCHEMA.empty_table()]
            step = own.resume_rows or MAX_ROWS
            for start in range(0, rows.num_rows, step):
                piece = f"{work}/{number:06d}.parquet" if own.resume_rows else ""
                table, made = _kept_piece(store, piece, name, own, settings, rows.slice(start, step), removed)
                _add(account, made)
                reasons.update(place["reason"] for place in made["quarantined"])
                parts.append(table)
                number += 1
            table = pa.concat_tables(parts).combine_chunks()
            for start, stop in _cuts(table):
                [batch] = table.slice(start, stop - start).to_batches()
                alignment.update(schemas.id_bytes(batch.column("doc_id")))
                writer.write(batch)
        report = {**account.report(), "doc_ids": alignment.hexdigest(), "source": name, "file": file}
        report |= {"parents": counts["pages"], "parents_taken": counts["taken"]}
        report["reasons"] = dict(sorted(reasons.items()))
        writer.report = report
    if own.resume_rows:
        store.remove(work)
    return report


def _taken_rows(
    store: Store, settings: Transform, files: dict[str, str], counts: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """The pages taken, in order, of each batch of the parents' `documents`."""
    columns_of = {"language": ["language"]} if "language" in files else {}
    measured = {product: _columns(store, address) for product, address in files.items()}
    for column in settings.inputs.columns():
        holder = next((product for product, columns in measured.items() if column in columns), None)
        if holder is None:
            raise ValueError(f"transform: no product of {', '.join(files)} has the column {column!r}")
        if holder != "documents":
            columns_of.setdefault(holder, []).append(column)
    sidecars = {
        column: store.read_table(files[product], [column]).column(0)
        for product, columns in columns_of.items()
        for column in dict.fromkeys(columns)
    }
    own = [
        "doc_id",
        "source",
        "file",
        *INHERITED,
        "text_bytes",
        "text",
        *(c for c in settings.inputs.columns() if c not in sidecars),
    ]
    for first, table in store.row_groups(files["documents"], list(dict.fromkeys(own))):
        for column, values in sidecars.items():
            table = table.append_column(column, values.slice(first, table.num_rows))
        taken = table.filter(_taken(table, settings.inputs))
        counts.update(pages=table.num_rows, taken=taken.num_rows)
        if taken.num_rows:
            yield taken.combine_chunks().to_batches()[0]


def _columns(store: Store, address: str) -> set[str]:
    with store.open(address) as file:
        return set(pq.read_schema(file).names)


def _taken(table: pa.Table, inputs: Inputs) -> pa.Array:
    """A mask of the rows that meet every condition."""
    meets = np.ones(table.num_rows, np.bool_)
    if inputs.languages is not None:
        among = pc.is_in(table.column("language"), pa.array(inputs.languages, pa.string()))
        meets &= among.to_numpy(zero_copy_only=False)
    for limits, side in ((inputs.min, 1), (inputs.max, -1)):
        for column, limit in limits.items():
            found = table.column(column)
            values = found.cast(pa.float64()).to_numpy(zero_copy_only=False)
            meets &= side * values >= side * as_stored(limit, found.type)
    return pa.array(meets)


def _kept_piece(
    store: Store,
    address: str,
    name: str,
    transform: Transform,
    settings: str,
    rows: pa.RecordBatch,
    removed: Sequence[dict[str, Any]],
) -> tuple[pa.Table, dict[str, Any]]:
    """The children of some pages and their report: from a run that was killed, or made now and kept."""
    if address and store.exists(address):
        return store.read_table(address).cast(SCHEMA), store.metadata(address)
    gone = taken_down(rows, removed)
    table, report = children(name, transform, settings, rows.filter(pc.invert(gone)))
    for _ in range(gone.true_count):
        _drop(report["dropped"], "taken_down", 0)
    if address:
        store.write_table(address, table, report=report)
    return table, report


def children(name: str, transform: Transform, settings: str, rows: pa.RecordBatch) -> tuple[pa.Table, dict[str, Any]]:
    """`SCHEMA` of what is made of some pages, and counts: dropped (reason to records and bytes), quarantined."""
    limits = Limits(transform.seconds, transform.max_rows, transform.max_bytes)
    apply = rewriter(transform.function, transform.params, limits)
    seen = {column: rows.column(column) for column in ("text", "title", "url")}
    languages = rows.column("language") if "language" in rows.schema.names else pa.nulls(rows.num_rows, pa.string())
    given = pa.record_batch({**seen, "language": languages})
    made: list[list[bytes] | str] = []
    for start in range(0, rows.num_rows, transform.batch):
        made += apply(given.slice(start, transform.batch))
    dropped: dict[str, list[int]] = {}
    quarantined: list[dict[str, Any]] = []
    found: list[tuple[int, int, str]] = []
    parents = rows.column("text").to_pylist()
    files = pc.binary_join_element_wise(rows.column("source"), rows.column("file"), "/")
    for row, texts in enumerate(made):
        if isinstance(texts, str):
            place = {"file": files[row].as_py(), "offset": rows.column("offset")[row].as_py()}
            quarantined.append({**place, "reason": texts, "bytes": len(parents[row].encode())})
            continue
        if not texts:
            _drop(dropped, "made_nothing", 0)
        known: set[str] = set()
        for ordinal, raw in enumerate(texts):
            text = clean(raw.decode())
            reason = _no_row(text, parents[row], known)
            known.add(text)
            if reason:
                _drop(dropped, reason, len(raw))
            else:
                found.append((row, ordinal, text))
    table = _table(name, settings, rows, found)
    size = pc.sum(table.column("text_bytes")).as_py() or 0
    return table, {"dropped": dropped, "quarantined": quarantined, "rows": len(found), "text_bytes": size}


def taken_down(rows: pa.RecordBatch, removed: Sequence[dict[str, Any]]) -> pa.BooleanArray:
    """A mask of the rows that entries of the take-down list name."""
    named: dict[str, set[str]] = {"doc_id": set(), "url": set(), "host": set()}
    for entry in removed:
        named[entry["kind"]].add(entry["value"])
    gone = np.zeros(rows.num_rows, np.bool_)
    if named["doc_id"]:
        ids = pa.array([bytes.fromhex(doc_id) for doc_id in sorted(named["doc_id"])], schemas.DOC_ID)
        gone |= pc.is_in(rows.column("doc_id"), ids).to_numpy(zero_copy_only=False)
    if named["url"] or named["host"]:
        urls = rows.column("url").to_pylist()
        gone |= np.array([url is not None and (url in named["url"] or host(url) in named["host"]) for url in urls])
    return pa.array(gone)


def _no_row(text: str, parent: str, siblings: set[str]) -> str:
    """The reason why a text becomes no page; '' where it becomes one."""
    if not text.strip():
        return "empty_text"
    if text == parent:
        return "unchanged"
    return "repeats_a_sibling" if text in siblings else ""


def _drop(dropped: dict[str, list[int]], reason: str, num_bytes: int) -> None:
    count = dropped.setdefault(reason, [0, 0])
    count[0] += 1
    count[1] += num_bytes


def _table(name: str, settings: str, rows: pa.RecordBatch, found: Sequence[tuple[int, int, str]]) -> pa.Table:
    count = len(found)
    of = pa.array([row for row, _, _ in found], pa.int64())
    texts = pa.array([text for _, _, text in found], pa.large_string())
    sizes, hashes = measure(texts) if count else (pa.array([], pa.int64()), pa.array([], pa.binary(16)))
    parents = rows.column("doc_id").take(of)
    ids = [child_id(name, settings, parent, n) for parent, (_, n, _) in zip(parents.to_pylist(), found, strict=True)]
    columns: dict[str, Any] = {column: rows.column(column).take(of) for column in INHERITED}
    columns |= {"doc_id": pa.array(ids, schemas.DOC_ID), "source": pa.array([name] * count, pa.string())}
    columns |= {"raw_bytes": sizes, "text_bytes": sizes, "text_hash": hashes, "text": texts, "derived_from": parents}
    files = pc.binary_join_element_wise(rows.column("source"), rows.column("file"), "/")
    columns |= {"file": files.take(of), "transform": pa.array([name] * count, pa.string())}
    columns |= {"ordinal": pa.array([ordinal for _, ordinal, _ in found], pa.int32())}
    arrays = [columns.get(field.name, pa.nulls(count, field.type)).cast(field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _add(account: Account, report: dict[str, Any]) -> None:
    """A piece's counts in the account of the file."""
    for reason, (records, num_bytes) in report["dropped"].items():
        account.drop(reason, num_bytes, records)
    for place in report["quarantined"]:
        account.quarantine(place["offset"], place["reason"], place["bytes"], place["file"])
    account.records += report["rows"]
    account.rows += report["rows"]
    account.raw_bytes += report["text_bytes"]
    account.text_bytes += report["text_bytes"]


def _cuts(table: pa.Table) -> Iterator[tuple[int, int]]:
    """(first, behind the last) row of batches of at most `MAX_ROWS` rows and about `MAX_BYTES` of text."""
    sizes = table.column("text_bytes").to_numpy()
    bounds = [0]
    held = 0
    for row, size in enumerate(sizes.tolist()):
        if row > bounds[-1] and (held + size > MAX_BYTES or row - bounds[-1] >= MAX_ROWS):
            bounds.append(row)
            held = 0
        held += size
    yield from pairwise([*bounds, table.num_rows] if table.num_rows else [])
