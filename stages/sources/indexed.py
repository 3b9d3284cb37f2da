"""Splits of an index: of many WARC files only the records that are wanted, as ranges of bytes.

`find` reads the index files (`crawl_index`) and keeps the place of every row that meets all conditions of ``where``;
`splits` makes splits of them, file by file in the order of their offsets. A record keeps the name of its file and its
offset, so its doc_id is the one that reading the whole file gives it. Files of which little is wanted are read in
groups, files of which much is wanted in parts.

Price: one scan of the index, of the columns that are asked for. Memory: 24 bytes a wanted record.
Limits: records without a length cannot be read by ranges and are counted; a place named twice is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.contract import Split
from stages.formats import format_of, splitting
from stages.formats.listing import Say, stat
from stages.formats.locations import below, is_http, is_uri, locate, place_of
from stages.formats.ranges import MAX_RECORD, Wanted, check_of, requests
from stages.sources import crawl_index
from stages.sources.crawl_index import surt
from stages.sources.files import COMMON_CRAWL, Found, one_line, opened_text
from stages.sources.params import SourceError, SourceParams, Where

READERS = 4
"""Index files read at once."""
STATS = 32
"""Files asked for at once whether they are there, and how large."""
MAX_RECORDS = 16_384
"""Records of one split: its places travel with its task."""
FOUND = pa.schema([("file", pa.string()), ("offset", pa.int64()), ("length", pa.int64()), ("check", pa.uint32())])


@dataclass
class Index:
    """Content of an index: the wanted places (`FOUND`), and figures of all its rows."""

    places: pa.Table
    rows: int = 0
    useless: int = 0
    """Rows that meet the conditions and name no place that can be read."""
    ends: dict[str, int] = field(default_factory=dict)
    """The last byte of each file that an index row ends with."""


class Cost(NamedTuple):
    """Cost of reading the wanted records of a source."""

    wanted: int
    files: int
    requests: int
    bytes_wanted: int
    bytes_asked: int
    bytes_there: int
    """Bytes of the files, as far as the index or a store states them."""


def listed_indices(
    name: str, params: SourceParams, found: Callable[[str, str, SourceParams, Say], list[Found]], say: Say
) -> list[Found]:
    """The index files of a source, each once."""
    reading = params.model_copy(update={"format": "parquet", "base": None})  # any suffix will do
    each = {one.uri: one for path in params.index for one in found(name, path, reading, say)}
    return [each[uri] for uri in sorted(each)]


def identity(params: SourceParams, indices: Sequence[Found]) -> str:
    """Everything that decides `find`: the index files, the conditions, and the content of a list of addresses."""
    conditions = params.where.model_dump(mode="json")
    listed = splitting.digest(sorted(_addresses(params.where).to_pylist())) if params.where.urls else ""
    return splitting.digest([[[one.file, one.size, one.etag] for one in indices], conditions, listed, 1])


def find(name: str, params: SourceParams, indices: Sequence[Found], say: Say) -> Index:
    """The wanted places of all index files.

    Raises:
        SourceError: a file that cannot be read, or has not what the conditions need.
    """
    where = params.where
    try:
        choose = chooser(where)
    except (OSError, ValueError) as error:
        raise SourceError(f"source {name}: cannot read where.urls {where.urls}: {one_line(error)}") from error
    whole = Index(FOUND.empty_table())
    with ThreadPoolExecutor(READERS) as threads:
        parts = list(threads.map(lambda one: _read(name, one, where, choose), indices))
    for part in parts:
        whole.rows += part.rows
        whole.useless += part.useless
        for file, end in part.ends.items():
            whole.ends[file] = max(end, whole.ends.get(file, 0))
    places = pa.concat_tables([part.places for part in parts] or [whole.places])
    order = [("file", "ascending"), ("offset", "ascending"), ("length", "descending"), ("check", "ascending")]
    places = places.take(pc.sort_indices(places, sort_keys=order))
    whole.places = places.filter(_first_of_each(places))
    twice = places.num_rows - whole.places.num_rows
    summary = f"source {name}: {whole.places.num_rows:,} of {whole.rows:,} rows of the index are wanted"
    summary += f"; {twice:,} places are named twice" if twice else ""
    say(summary + (f"; {whole.useless:,} rows name no file, offset and length" if whole.useless else ""))
    return whole


def _first_of_each(places: pa.Table) -> Any:
    """The first row of each file and offset, of rows in order."""
    if not places.num_rows:
        return pa.array([], pa.bool_())
    file = places["file"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    offset = places["offset"].to_numpy()
    same = (file[1:] == file[:-1]) & (offset[1:] == offset[:-1])
    return pa.array(np.concatenate([[True], ~same]))


def _read(name: str, one: Found, where: Where, choose: Callable[[pa.Table], Any]) -> Index:
    found = Index(FOUND.empty_table())
    parts: list[pa.Table] = []
    try:
        for table in crawl_index.tables(one.uri, needed(where), sort_keys(where)):
            found.rows += table.num_rows
            sound = _sound(table)
            for row in _ends(table.filter(sound)):
                found.ends[row["file"]] = max(row["end_max"], found.ends.get(row["file"], 0))
            chosen = choose(table)
            found.useless += pc.sum(pc.and_(chosen, pc.invert(sound))).as_py() or 0
            wanted = table.filter(pc.and_(chosen, sound))
            checks = pa.array([check_of(url.encode()) if url else 0 for url in wanted["url"].to_pylist()], pa.uint32())
            parts.append(pa.table([wanted["file"], wanted["offset"], wanted["length"], checks], FOUND))
    except crawl_index.MissingColumns as error:
        raise SourceError(f"source {name}: the index {one.uri} {error}") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceError(f"source {name}: cannot read the index {one.uri}: {one_line(error)}") from error
    found.places = pa.concat_tables(parts) if parts else found.places
    return found


def _sound(table: pa.Table) -> Any:
    """A mask of the rows that name a place."""
    length, offset = table["length"], table["offset"]
    fits = pc.and_(pc.and_(pc.greater(length, 0), pc.less_equal(length, MAX_RECORD)), pc.greater_equal(offset, 0))
    named = pc.greater(pc.binary_length(table["file"]), 0)
    return pc.fill_null(pc.and_(fits, named), False)


def _ends(table: pa.Table) -> list[dict[str, Any]]:
    ends = pc.add(table["offset"], table["length"])
    last = pa.table({"file": table["file"], "end": ends}).group_by("file").aggregate([("end", "max")])
    rows: list[dict[str, Any]] = last.to_pylist()
    return rows


# Conditions


def needed(where: Where) -> list[str]:
    """The columns of `crawl_index.COLUMNS` that the conditions look at."""
    conditions = {
        "url": where.urls is not None,
        "host": bool(where.hosts),
        "languages": bool(where.languages),
        "mime": bool(where.mime),
        "status": bool(where.status),
        "truncated": where.truncated is not None,
    }
    return [name for name, is_set in conditions.items() if is_set]


def sort_keys(where: Where) -> list[str] | None:
    """Beginnings of the sort keys that wanted rows have; None where they may have any."""
    if not where.hosts:
        return None
    keys = [surt(_ascii(host)) for host in where.hosts]
    return None if None in keys else sorted({key for key in keys if key is not None})


def chooser(where: Where) -> Callable[[pa.Table], Any]:
    """A function from a table of `crawl_index.COLUMNS` to a column that is true where every condition is met."""
    conditions: list[Callable[[pa.Table], Any]] = []
    if where.languages:
        codes = "|".join(where.languages)
        pattern = f"^({codes})(,|$)" if where.main_language else f"(^|,)({codes})(,|$)"
        conditions.append(lambda table: pc.match_substring_regex(table["languages"], pattern))
    if where.mime:
        types = pa.array(where.mime)
        conditions.append(lambda table: pc.is_in(pc.utf8_lower(table["mime"]), types))
    if where.status:
        codes_ = pa.array(where.status, pa.int64())
        conditions.append(lambda table: pc.is_in(table["status"], codes_))
    if where.hosts:
        hosts = frozenset(map(_ascii, where.hosts))
        conditions.append(lambda table: _under(table["host"], hosts))
    if where.urls is not None:
        addresses = _addresses(where)
        conditions.append(lambda table: pc.is_in(table["url"], addresses))
    if where.min_length is not None:
        conditions.append(lambda table: pc.greater_equal(table["length"], where.min_length))
    if where.max_length is not None:
        conditions.append(lambda table: pc.less_equal(table["length"], where.max_length))
    if where.truncated is not None:
        conditions.append(lambda table: _is_cut(table["truncated"], bool(where.truncated)))

    def choose(table: pa.Table) -> Any:
        met = pa.chunked_array([pa.repeat(pa.scalar(True), table.num_rows)])
        for condition in conditions:
            met = pc.and_(met, pc.fill_null(condition(table), False))
        return met

    return choose


def _is_cut(column: Any, is_wanted: bool) -> Any:
    cut = pc.fill_null(pc.greater(pc.binary_length(column), 0), False)
    return cut if is_wanted else pc.invert(cut)


def _under(column: Any, hosts: frozenset[str]) -> Any:
    """Whether each host is one of these or below one; looked at once a host."""
    coded = column.combine_chunks().dictionary_encode()
    is_under = pa.array([any(part in hosts for part in _above(host)) for host in coded.dictionary.to_pylist()])
    return is_under.take(coded.indices) if len(is_under) else pa.nulls(len(column), pa.bool_())


def _above(host: str) -> Iterator[str]:
    """A host and all it is below: ``a.b.c``, ``b.c``, ``c``."""
    while host:
        yield host
        host = host.partition(".")[2]


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _addresses(where: Where) -> pa.Array:
    """The addresses of a list, without what is empty or begins with ``#``."""
    assert where.urls is not None
    lines = (line.strip() for line in opened_text(where.urls).split("\n"))
    return pa.array(sorted({line for line in lines if line and not line.startswith("#")}), pa.string())


# Splits


def splits(name: str, params: SourceParams, index: Index) -> list[Split]:
    """The splits of the wanted records, sorted.

    Raises:
        SourceError: a file that is not there (unless ``missing: skip``), or is neither WARC nor ARC.
    """
    wanted = list(_by_file(index.places, params))
    for file, _ in wanted:
        kind = format_of(file, params.format)
        if kind is None or kind.container not in ("warc", "arc"):
            raise SourceError(f"source {name}: the index names {file}, which is neither WARC nor ARC; set `format:`")
    places = _there(name, params, [file for file, _ in wanted], index.ends)
    small = min(params.group_bytes // 16, params.split_bytes)
    made: list[Split] = []
    grouped: list[tuple[Found, Wanted]] = []
    for file, records in wanted:
        place = places.get(file)
        if place is None:
            continue
        if int(records.sizes_N.sum()) < small and len(records) <= MAX_RECORDS:
            grouped.append((place, records))
        else:
            made += [_split(name, [(place, part)]) for part in _parts(records, params.split_bytes)]
    sizes = [(place.file, int(records.sizes_N.sum())) for place, records in grouped]
    made += [_split(name, [grouped[i] for i in group]) for group in splitting.groups(sizes, params.group_bytes)]
    return sorted(made)


def _by_file(places: pa.Table, params: SourceParams) -> Iterator[tuple[str, Wanted]]:
    """The records of each file, from places in order of file and offset."""
    if not places.num_rows:
        return
    coded = places["file"].combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    edges = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
    columns = [places[column].to_numpy() for column in ("offset", "length", "check")]
    for first, last in pairwise(edges):
        offsets, lengths, checks = (column[first:last] for column in columns)
        records = Wanted(offsets, lengths, checks, params.range_waste, params.range_bytes)
        yield coded.dictionary[codes[first]].as_py(), records


def _parts(records: Wanted, target: int) -> Iterable[Wanted]:
    """Records in parts of about ``target`` bytes, and at most `MAX_RECORDS`."""
    ends = np.cumsum(records.sizes_N)
    first = 0
    while first < len(records):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + target, side="right")))
        last = min(last, first + MAX_RECORDS)
        yield records.part(first, last)
        first = last


def _split(name: str, members: list[tuple[Found, Wanted]]) -> Split:
    """One split of records of one or several files; how they are joined is no part of its identity."""
    place, first = members[0]
    start = int(first.offsets_N[0])
    end = int(first.offsets_N[-1] + first.sizes_N[-1]) if len(members) == 1 else len(members)
    etag = splitting.digest([(one.file, one.etag, records.digest()) for one, records in members])
    size = sum(int(records.sizes_N.sum()) for _, records in members)
    parts = tuple((one.file, one.uri, one.size) for one, _ in members)
    encoded = tuple(records.encoded() for _, records in members)
    return Split(name, place.file, start, end, "ranges", place.uri, size, etag, parts, encoded)


def _there(name: str, params: SourceParams, files: list[str], ends: dict[str, int]) -> dict[str, Found]:
    """The files of the index as they lie, by name; those of web servers are not asked for."""
    base = params.base
    if base is None:
        base = COMMON_CRAWL if files and files[0].startswith("crawl-data/") else _folder(params.index[0])

    def look(file: str) -> Found | None:
        uri = file if is_uri(file) or file.startswith("/") else below(base, file)
        if is_http(uri):
            return Found(file, uri, ends.get(file, 0), "indexed")
        filesystem, path = locate(uri)
        about = stat(filesystem, path)
        if about is not None:
            return Found(file, uri, about.size, about.tag)
        if params.missing == "skip":
            return Found(file, uri, 0, "missing")
        raise SourceError(
            f"source {name}: the index names {file}, but {uri} does not exist; set `base:` to where the files lie,"
            " or `missing: skip` to pass over those that are gone"
        )

    with ThreadPoolExecutor(STATS) as threads:
        try:
            found = list(threads.map(look, files))
        except SourceError:
            raise
        except (OSError, ValueError) as error:
            raise SourceError(f"source {name}: cannot look for the files under {base}: {one_line(error)}") from error
    return {one.file: one for one in found if one is not None}


def _folder(path: str) -> str:
    """The folder of an index file, in which the files it names are looked for."""
    if is_http(path):
        return path.rpartition("/")[0]
    place = place_of(path)
    return place.beside(place.path.rpartition("/")[0]).uri()


def costs(made: Iterable[Split]) -> dict[str, Cost]:
    """Costs of the splits of each source with an index."""
    found: dict[str, Cost] = {}
    sizes: dict[str, dict[str, int]] = {}
    for split in made:
        for (file, _, size), encoded in zip(split.parts, split.ranges, strict=bool(split.ranges)):
            records = Wanted.decoded(encoded)
            reads = requests(records)
            sizes.setdefault(split.source, {})[file] = size
            old = found.get(split.source, Cost(0, 0, 0, 0, 0, 0))
            found[split.source] = old._replace(
                wanted=old.wanted + len(records),
                requests=old.requests + len(reads),
                bytes_wanted=old.bytes_wanted + int(records.sizes_N.sum()),
                bytes_asked=old.bytes_asked + sum(end - begin for _, _, begin, end in reads),
            )
    return {
        source: cost._replace(files=len(sizes[source]), bytes_there=sum(sizes[source].values()))
        for source, cost in found.items()
    }


def to_table(index: Index) -> tuple[pa.Table, dict[str, Any]]:
    """An index as a table and a report, to be kept under a root."""
    return index.places, {"rows_of_index": index.rows, "useless": index.useless, "ends": index.ends}


def from_table(places: pa.Table, report: dict[str, Any]) -> Index:
    """The index of which `to_table` made this table and report."""
    return Index(places.cast(FOUND), report["rows_of_index"], report["useless"], report["ends"])
