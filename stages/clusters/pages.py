"""First exchange: pages by the hash of their text. Gives every distinct text a number, and finds exact copies.

`map_pages` (a group of splits) writes one record per page that has a shingle; `reduce_texts` (a range of hashes)
sorts them by text and survivor policy, the smaller doc_id where that leaves a tie. A text's number is its place in
the order of hashes (scope mixed in), so it depends on the texts alone, not on splits or tasks. Of each text one page is
read further on; no result depends on which, for all have the same text.

Record columns: hash_hi, hash_lo (exact_hash; scope mixed into hi), id_hi, id_lo (doc_id, big-endian), split, row,
source (hash of its name; ``about`` has the names), shingles, unread (its text is not at hand), preference_0.. (float64,
smaller is better); with ``urls`` url_hi, url_lo (hash of address and scope; zeros where there is none).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from stages import schemas
from stages.clusters.params import Params
from stages.contract import Store
from stages.exchange_file import (
    Array,
    Columns,
    concatenate,
    partition_of,
    read_about,
    read_all,
    write_ordered,
    write_partitioned,
)

RECORD_BYTES = 240
"""Bytes of memory a page costs in either job, sort included."""

URL_COLUMNS = ("url_hi", "url_lo")

DERIVED = "preference_derived"
"""Criterion before the policy where there are transforms: a page that was read stays before one made of another."""

METHOD_KEY = b"signatures"
"""Key in the schema metadata of `signatures` that holds how they were made."""


def map_pages(
    store: Store,
    *,
    params: dict[str, Any],
    splits: list[dict[str, Any]],
    partitions: int,
    output: str,
) -> dict[str, Any]:
    """Write the page records of a group of splits (ClusterInputs with their number), ordered by hash range."""
    settings = Params.model_validate(params)
    parts = []
    method: str | None = None
    sources: dict[str, str] = {}
    for split in splits:
        columns, found, names = page_records(store, settings, split)
        parts.append(columns)
        sources |= names
        method = method or found
        _check_method(method, found, split["signatures"])
    records = concatenate(parts)
    del parts
    where = partition_of(records["hash_hi"], partitions)
    about = {"method": method, "signatures": splits[0]["signatures"], "sources": sources}
    write_partitioned(store, output, records, where, partitions, about)
    return {"pages": len(where)}


def reduce_texts(
    store: Store, *, params: dict[str, Any], inputs: list[str], partition: int, groups: list[int], texts: str, rows: str
) -> dict[str, Any]:
    """Number the texts of one hash range.

    Writes ``texts``, one record per text in hash order: what ranks it (id_hi, id_lo, preferences: those of its best
    page), the page to read (split, row), shingles, the number of its copies; and ``rows``, one record per page (split,
    row, text within this range, chosen: the one to read, and what decides), partitioned by group and in this order.
    ``groups[s]`` is split s's group.
    """
    sources = _check_methods(store, inputs)
    records = read_all(store, inputs, partition)
    settings = Params.model_validate(params)
    names = preference_names(settings)
    keys = [records[name] for name in ("hash_hi", "hash_lo", *names, "id_hi", "id_lo")]
    order = order_by(keys)
    sorted_hi, sorted_lo = keys[0][order], keys[1][order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (sorted_hi[1:] != sorted_hi[:-1]) | (sorted_lo[1:] != sorted_lo[:-1])
    starts = np.flatnonzero(first)
    copies = np.diff(np.append(starts, len(order)))
    text_numbers = np.cumsum(first) - 1
    columns = {name: records[name][order[starts]] for name in ("id_hi", "id_lo", "shingles", *names)}
    read = _at_hand(records["unread"][order], text_numbers, starts)
    columns |= {name: records[name][order[read]] for name in ("split", "row")}
    columns["copies"] = copies.astype(np.int64)
    whole = np.array([0, len(starts)], np.int64)
    write_ordered(store, texts, columns, dict.fromkeys(columns, whole))
    chosen = np.zeros(len(order), np.bool_)
    chosen[read] = True
    splits, page_rows = records["split"][order], records["row"][order]
    by_place = np.argsort(splits.astype(np.int64) << 32 | page_rows)
    pages: Columns = {
        "split": splits[by_place],
        "row": page_rows[by_place],
        "text": text_numbers[by_place].astype(np.int32),
        "chosen": chosen[by_place],
        **{name: records[name][order][by_place] for name in page_columns(settings)},
    }
    bounds = np.searchsorted(np.array(groups)[pages["split"]], np.arange(max(groups) + 2))
    write_ordered(store, rows, pages, dict.fromkeys(pages, bounds), {"sources": sources})
    return {"pages": len(order), "texts": len(starts)}


def _at_hand(unread: Array, text_numbers: Array, starts: Array) -> Array:
    """The place of each text's first page whose text is at hand; of its first page where none is."""
    if not unread.any():
        return starts
    order = np.lexsort((unread, text_numbers))
    read: Array = order[starts]
    return read


def page_columns(settings: Params) -> list[str]:
    """Columns of a page that decide whether it stays, or stand in its record."""
    return ["id_hi", "id_lo", "source", *preference_names(settings), *(URL_COLUMNS if settings.urls else ())]


def text_bases(store: Store, texts: list[str]) -> npt.NDArray[np.int64]:
    """Number of the first text of every hash range, and the total."""
    bases = np.zeros(len(texts) + 1, np.int64)
    for index, address in enumerate(texts):
        bases[index + 1] = read_about(store, address)[1]["copies"]
    return np.cumsum(bases)


def id_columns(column: pa.Array | pa.ChunkedArray) -> tuple[Array, Array]:
    """A column of 16-byte values as two uint64 columns whose order is the order of the bytes."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    data = np.frombuffer(column.buffers()[1] or b"", ">u8")[2 * column.offset : 2 * (column.offset + len(column))]
    pairs = data.reshape(-1, 2)
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)


def scope_salts(
    settings: Params, sources: pa.ChunkedArray, languages: pa.ChunkedArray | None
) -> npt.NDArray[np.uint64]:
    """A 64-bit number per page; pages of different numbers are never compared. 0 where the scope is everything."""
    salts = np.zeros(len(sources), np.uint64)
    group_of = {source: name for name, members in settings.groups.items() for source in members}
    if settings.scope != "everything":
        in_group = group_of if settings.scope == "group" else {}
        salts ^= _hashed(sources, lambda name: f"group {in_group[name]}" if name in in_group else f"source {name}")
    if languages is not None and settings.per_language:
        salts ^= _hashed(languages, lambda name: f"language {name}")
    return salts


def _hashed(column: pa.ChunkedArray, label: Callable[[str], str]) -> npt.NDArray[np.uint64]:
    """A hash of each value's label."""
    encoded = column.combine_chunks().dictionary_encode()
    labels = [label(value).encode() for value in encoded.dictionary.to_pylist()]
    values = np.array([xxhash.xxh3_64_intdigest(name) for name in labels], np.uint64)
    places: npt.NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
    return values[places]


def document_columns(store: Store, split: dict[str, Any], names: list[str]) -> pa.Table:
    """Columns of a split's `documents`; of an earlier split without them, its source and nulls."""
    if split["documents"] is not None:
        return store.read_table(split["documents"], names)
    if not split["earlier"]:
        raise ValueError(f"split {split['name']} has no documents; only splits marked `earlier` may go without")
    columns = {name: pa.nulls(split["rows"], schemas.DOCUMENTS.field(name).type) for name in names}
    if "source" in columns:
        columns["source"] = pa.array([split["source"]] * split["rows"], pa.string())
    if "doc_id" in columns:
        columns["doc_id"] = store.read_table(split["signatures"], ["doc_id"]).column(0).combine_chunks()
    return pa.table(columns)


def source_hash(name: str) -> int:
    """The number that stands for a source in records."""
    return xxhash.xxh3_64_intdigest(name.encode())


def page_records(store: Store, settings: Params, split: dict[str, Any]) -> tuple[Columns, str, dict[str, str]]:
    """Records of one split, how its signatures were made, and the names of its sources by hash (hexadecimal)."""
    with store.open(split["signatures"]) as file:
        reader = pq.ParquetFile(file)
        method = (reader.schema_arrow.metadata or {}).get(METHOD_KEY, b"{}").decode()
        _check_bands(settings, reader.schema_arrow, split["signatures"])
        signed = reader.read(columns=["doc_id", "exact_hash", "num_shingles"])
    wanted = ["source", "time", "text_bytes", *(["url"] if settings.urls else [])]
    documents = document_columns(store, split, wanted)
    if documents.num_rows != signed.num_rows:
        found = f"{signed.num_rows} rows, but {split['documents']} has {documents.num_rows}"
        raise ValueError(f"{split['signatures']}: {found}")
    languages = None
    if settings.per_language:
        if split["language"] is None:
            raise ValueError(f"per_language needs the language of every page; {split['name']} has none")
        languages = store.read_table(split["language"], ["language"]).column("language")
    hash_hi, hash_lo = id_columns(signed.column("exact_hash"))
    id_hi, id_lo = id_columns(signed.column("doc_id"))
    shingles = signed.column("num_shingles").to_numpy()
    exempt = pc.is_in(documents.column("source"), pa.array(settings.exempt, pa.string())).to_numpy()
    takes_part = (shingles > 0) & ~exempt
    if split["decided"] is not None:
        takes_part &= _stayed(store, split["decided"])
    rows = np.flatnonzero(takes_part)
    salts = scope_salts(settings, documents.column("source"), languages)
    columns: Columns = {
        "hash_hi": hash_hi ^ salts,
        "hash_lo": hash_lo,
        "id_hi": id_hi,
        "id_lo": id_lo,
        "split": np.full(len(shingles), split["number"], np.int32),
        "row": np.arange(len(shingles), dtype=np.int32),
        "source": _hashed(documents.column("source"), str),
        "shingles": shingles,
        "unread": np.full(len(shingles), split["documents"] is None),
    }
    names = {f"{source_hash(name):016x}": name for name in documents.column("source").unique().to_pylist()}
    is_derived = pc.is_in(documents.column("source"), pa.array(settings.derived, pa.string()))
    if settings.derived:
        columns[DERIVED] = is_derived.to_numpy().astype(np.float64)
    for name, preference in zip(preference_names(settings)[bool(settings.derived) :], settings.survivor, strict=True):
        columns[name] = _preference(store, settings, preference, documents, split)
    if settings.urls:
        urls = pc.if_else(is_derived, pa.scalar(None, pa.string()), documents.column("url"))
        columns |= dict(zip(URL_COLUMNS, address_hashes(urls, salts), strict=True))
    return {name: column[rows] for name, column in columns.items()}, method, names


def address_hashes(urls: pa.ChunkedArray, salts: Array) -> tuple[Array, Array]:
    """XXH3 (128 bit) of scope and address without its fragment; zeros where there is no address."""
    whole = pc.replace_substring_regex(urls, "#.*$", "").to_pylist()
    seeds = zip(salts.tolist(), whole, strict=True)
    digests = [0 if url is None else xxhash.xxh3_128_intdigest(url.encode(), seed=salt) for salt, url in seeds]
    high = np.array([digest >> 64 for digest in digests], np.uint64)
    return high, np.array([digest & (2**64 - 1) for digest in digests], np.uint64)


def _stayed(store: Store, decided: str) -> Array:
    """A mask of the pages that an earlier run left, by its `kept` file, or by its `clusters` file."""
    with store.open(decided) as file:
        reader = pq.ParquetFile(file)
        if "keep" in reader.schema_arrow.names:
            column = reader.read(columns=["keep"]).column(0)
        else:
            column = pc.is_null(reader.read(columns=["survivor"]).column(0))
    stayed: Array = column.to_numpy()
    return stayed


def preference_names(settings: Params) -> list[str]:
    """Names of the record columns that hold the survivor policy's criteria, most important first."""
    own = [f"preference_{index}" for index in range(len(settings.survivor))]
    return [DERIVED, *own] if settings.derived else own


def _preference(store: Store, settings: Params, name: str, documents: pa.Table, split: dict[str, Any]) -> Array:
    """One criterion of the survivor policy as float64, smaller is better; what is unknown comes last."""
    if name in ("earlier", "later"):
        return np.full(documents.num_rows, float(split["earlier"] == (name == "later")))
    if name == "longest":
        sizes = documents.column("text_bytes").to_numpy(zero_copy_only=False)
        return _unknown_last(-sizes.astype(np.float64))
    if name in ("newest", "oldest"):
        seconds = pc.cast(documents.column("time"), pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
        return _unknown_last(-seconds if name == "newest" else seconds)
    if name == "source":
        ranks = {source: rank for rank, source in enumerate(settings.source_priority)}
        encoded = documents.column("source").combine_chunks().dictionary_encode()
        values = [ranks.get(source, len(ranks)) for source in encoded.dictionary.to_pylist()]
        places: npt.NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
        return np.array(values, np.float64)[places]
    if split["quality"] is None:
        raise ValueError(f"clusters.survivor needs {settings.quality_column}; {split['name']} has no quality file")
    found = store.read_table(split["quality"], [str(settings.quality_column)])
    if found.num_columns == 0:
        raise ValueError(f"{split['quality']} has no column {settings.quality_column!r} (clusters.quality_column)")
    values = pc.cast(found.column(0), pa.float64()).to_numpy(zero_copy_only=False)
    return _unknown_last(-values)


def _unknown_last(values: Array) -> Array:
    return np.where(np.isnan(values), np.inf, values) + 0.0  # + 0.0: no negative zero


def order_by(keys: list[Array]) -> Array:
    """`np.lexsort` of keys, the first one first, where few records share the first: four times as fast there."""
    order = np.argsort(keys[0])
    tied = np.zeros(len(order), np.bool_)
    tied[1:] = keys[0][order[1:]] == keys[0][order[:-1]]
    tied[:-1] |= tied[1:]
    some = order[tied]
    order[tied] = some[np.lexsort([key[some] for key in reversed(keys)])]
    return order


def _check_bands(settings: Params, schema: pa.Schema, address: str) -> None:
    found = schema.field("minhash").type.list_size
    if settings.bands * settings.rows > found:
        raise ValueError(
            f"{address}: signatures of {found} permutations, but clusters.bands x clusters.rows ="
            f" {settings.bands} x {settings.rows} needs {settings.bands * settings.rows}"
        )


def _check_methods(store: Store, inputs: list[str]) -> dict[str, str]:
    """Refuse signatures of different kinds; return the names of all sources by hash."""
    first = read_about(store, inputs[0])[0]
    sources: dict[str, str] = {}
    for address in inputs:
        about = read_about(store, address)[0]
        _check_method(first["method"], about["method"], about["signatures"])
        sources |= about["sources"]
    return sources


def _check_method(expected: str, found: str, address: str) -> None:
    if expected == found:
        return
    one, other = json.loads(expected), json.loads(found)
    differing = [
        f"{key} {other.get(key)} instead of {one.get(key)}"
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    ]
    raise ValueError(f"{address}: signatures that cannot be compared with the others: {', '.join(differing)}")
