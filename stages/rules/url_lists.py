"""URL lists: which of a set of named lists a page's address falls under; allow-lists overrule all others.

A list of the mixture file (`UrlList`) names files (`stages.rules.url_files` says which are understood), entries of its
own, or both. All are compiled once, into one file under the root (`compile_lists`, `save`), which every worker maps
into memory (`load`), and matched a column at a time (`UrlLists.match`), at more than a million addresses a second and
core. A page under a list that blocks fails the rule ``listed_in_<name>``; one that any allow-list covers fails none.

Method: hash tables over host suffixes and address prefixes, Aho-Corasick over substrings
(`stages.kernels.urls.lists`), RE2 for expressions. Hosts are compared without user, port and dots at their end; a name
beyond ASCII covers its punycode and the other way round. Limits: percent signs are not decoded; a host of an address
with capitals beyond ASCII is in no list, and those of a path are compared as they are; an expression costs a pass over
the addresses of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator, model_validator

from stages.contract import StageParams, Store
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.urls import lists as kernels
from stages.rules import url_files
from stages.rules.url_files import KINDS, Entries, Kind
from stages.rules.urls import is_public_suffix, registered_domain, suffix_list_version

VERSION = 4
RULE = "listed_in_"
"""With the name of a list behind it: the rule that its pages fail."""


class UrlList(StageParams):
    """A list of addresses: pages under it are dropped as `listed_in_NAME`; or, with `allow`, under no list at all."""

    paths: tuple[str, ...] = ()
    """Files, or folders as UT1 has them: domains, hosts files, addresses, one entry a line."""
    kind: Kind | None = None
    """Kind of the entries of its files; none: recognised by their names and lines."""
    domains: tuple[str, ...] = ()
    """Hosts, with all below them."""
    hosts: tuple[str, ...] = ()
    """Hosts alone."""
    registered_domains: tuple[str, ...] = ()
    """Hosts, with all of the domains that somebody registered for them."""
    urls: tuple[str, ...] = ()
    """Addresses, with what lies below them."""
    substrings: tuple[str, ...] = ()
    """Texts that an address may not contain, in any case."""
    expressions: tuple[str, ...] = ()
    """Regular expressions (RE2) that may not be found in an address; `(?i)` for any case."""
    allow: bool = False
    """Addresses under it fall under no list."""

    @field_validator("paths", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _some(self) -> UrlList:
        if not any((self.paths, *(getattr(self, kind) for kind in KINDS))):
            raise ValueError(f"expected paths or entries ({', '.join(KINDS)}), found none")
        _check_expressions(self.expressions, "expressions")
        return self

    def entries(self) -> Entries:
        """All entries, read anew.

        Raises:
            FileNotFoundError, ValueError: a file is not there, has no entry, or a wrong expression.
        """
        found: Entries = {kind: [] for kind in KINDS}
        for path in self.paths:
            read = url_files.read(path, self.kind)
            _check_expressions([entry.decode("utf-8", "replace") for entry in read["expressions"]], path)
            for kind in KINDS:
                found[kind] += read[kind]
        for kind in KINDS:
            own = ("\n".join(getattr(self, kind))).encode()
            for meant, entries in url_files.parse(own, kind, kind).items():
                found[meant] += entries
        return found


def _check_expressions(expressions: Any, where: str) -> None:
    for expression in expressions:
        try:
            pc.match_substring_regex(pa.array([""]), expression)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{where}: {expression!r} is no expression of RE2: {error}") from error


Lists = Mapping[str, UrlList]


def deciding(lists: Lists) -> dict[str, Any]:
    """The lists as plain data, the content of their files (SHA-256) in the place of their paths.

    Raises:
        FileNotFoundError, ValueError: a file is not there, or a folder is no list.
    """
    return {
        name: one.model_dump(mode="json")
        | {"paths": [f"sha256:{digest}" for path in one.paths for digest in url_files.identity(path)]}
        for name, one in sorted(lists.items())
    }


def address(lists: Lists) -> str:
    """Address of the compiled lists under a root."""
    key = json.dumps([VERSION, suffix_list_version(), deciding(lists)], sort_keys=True)
    return f"urls/{hashlib.sha256(key.encode()).hexdigest()[:24]}.arrow"


class Found(NamedTuple):
    """For each URL the lists that block it (bit i: `UrlLists.blocking`), and the entry that decided; null if none."""

    failed: npt.NDArray[np.uint64]
    entries: pa.Array
    """``list: entry``, of the first list, or of the allow-list."""


@dataclass(frozen=True)
class UrlLists:
    """Compiled lists: bit i of a mask is ``names[i]``, allow-lists first, each group sorted by name."""

    names: tuple[str, ...]
    num_allow: int
    expressions: tuple[tuple[int, str], ...]
    suffixes: tuple[kernels.Keys, kernels.Masks]
    prefixes: tuple[kernels.Keys, kernels.Masks]
    automaton: kernels.Automaton

    @property
    def blocking(self) -> tuple[str, ...]:
        """The lists that block, in the order of their bits."""
        return self.names[self.num_allow :]

    def match(self, urls: pa.Array | pa.ChunkedArray) -> Found:
        """Lists under which each URL falls; none for null."""
        column = urls.combine_chunks() if isinstance(urls, pa.ChunkedArray) else urls
        found = kernels.match(*text_buffers(column), self.suffixes, self.prefixes, self.automaton)
        masks = found.masks_U
        first = np.full(len(masks), -1, np.int64)  # the expression that stands for the first list, where one does
        for number, (bit, expression) in enumerate(self.expressions):
            hit = pc.match_substring_regex(column, expression).fill_null(False).to_numpy(zero_copy_only=False)
            mask = np.uint64(1 << bit)
            before = (masks & (mask | (mask - np.uint64(1)))) != 0
            first[hit & ~before] = number
            masks = np.where(hit, masks | mask, masks)
        allowed = (masks & np.uint64((1 << self.num_allow) - 1)) != 0
        failed = np.where(allowed, np.uint64(0), masks >> np.uint64(self.num_allow))
        return Found(failed, self._entries(column, found._replace(masks_U=masks), first))

    def _entries(self, column: pa.Array, found: kernels.Matches, first: npt.NDArray[np.int64]) -> pa.Array:
        """``list: entry`` of every row that has a list; ``first``: the expression that decides, -1 where none does."""
        rows = np.flatnonzero(found.masks_U)
        masks = found.masks_U[rows]
        lists = np.bitwise_count((masks & (~masks + np.uint64(1))) - np.uint64(1)).astype(np.int64)
        names = pa.array(self.names, pa.string()).take(pa.array(lists))
        entries = _slices(*text_buffers(column), rows, found.starts_U[rows], found.stops_U[rows])
        if self.expressions:
            wanted = pa.array(first[rows], mask=first[rows] < 0)
            expressions = pa.array([expression for _, expression in self.expressions], pa.string())
            entries = pc.coalesce(expressions.take(wanted), entries)
        labels = pc.binary_join_element_wise(names, entries, ": ")
        places = np.full(len(column), -1, np.int64)
        places[rows] = np.arange(len(rows))
        return labels.take(pa.array(places, mask=places < 0))


def _slices(data: Bytes, offsets: Offsets, rows: npt.NDArray[np.int64], starts: Any, stops: Any) -> pa.Array:
    """Bytes [start, stop) of each row, in lower case."""
    counts = (stops - starts).astype(np.int64)
    ends = np.cumsum(counts)
    at = np.repeat(offsets[rows] + starts - (ends - counts), counts) + np.arange(int(counts.sum()))
    found = data[at]
    found = np.where((found >= 65) & (found <= 90), found + np.uint8(32), found).astype(np.uint8)
    limits = np.concatenate(([0], ends)).astype(np.int32)
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(limits.tobytes()), pa.py_buffer(found.tobytes()))


def compile_lists(lists: Lists) -> UrlLists:
    """Read and compile lists; what the YAML names is read from its files.

    Raises:
        FileNotFoundError, ValueError: see `UrlList.entries`; and more than 64 lists.
    """
    ordered = sorted(lists.items(), key=lambda item: (not item[1].allow, item[0]))
    if len(ordered) > 64:
        raise ValueError(f"expected at most 64 lists of addresses, found {len(ordered)}")
    names: dict[str, tuple[list[list[bytes]], list[int], list[bool]]] = {}
    expressions = []
    words: tuple[list[bytes], list[int]] = ([], [])
    for bit, (_, one) in enumerate(ordered):
        for kind, entries in one.entries().items():
            if kind == "expressions":
                expressions += [(bit, entry.decode("utf-8", "replace")) for entry in entries]
            elif kind == "substrings":
                words[0].extend(entries)
                words[1].extend([1 << bit] * len(entries))
            else:
                table = names.setdefault("prefixes" if kind == "urls" else "suffixes", ([], [], []))
                table[0].append(_named(kind, entries))
                table[1].append(bit)
                table[2].append(kind == "hosts")
    automaton = kernels.automaton(*words)
    for array in automaton:
        array.setflags(write=False)  # as arrays are that are mapped from a file: one kernel for both
    return UrlLists(
        tuple(name for name, _ in ordered),
        sum(one.allow for _, one in ordered),
        tuple(expressions),
        _table(*names.get("suffixes", ([], [], [])), from_end=True),
        _table(*names.get("prefixes", ([], [], [])), from_end=False),
        automaton,
    )


def _named(kind: Kind, entries: list[bytes]) -> list[bytes]:
    """The names that are looked up: of hosts beyond ASCII every spelling."""
    if kind == "registered_domains":
        entries = [registered_domain(entry.decode("utf-8", "replace").strip(".")).encode() for entry in entries]
    elif kind != "urls":
        entries = [entry.strip(b".") for entry in entries]
    return [name for entry in entries for name in url_files.spellings(entry)]


def _table(
    parts: list[list[bytes]], bits: list[int], whole: list[bool], *, from_end: bool
) -> tuple[kernels.Keys, kernels.Masks]:
    names = [name for part in parts for name in part]
    counts = [len(part) for part in parts]
    offsets = np.concatenate(([0], np.cumsum([len(name) for name in names], dtype=np.int64))).astype(np.int64)
    data = np.frombuffer(b"".join(names), np.uint8)
    masks = np.repeat(np.array([1 << bit for bit in bits], np.uint64), counts)
    table = kernels.table(data, offsets, masks, np.repeat(np.array(whole, np.bool_), counts), from_end=from_end)
    for array in table:
        array.setflags(write=False)
    return table


def doubtful(lists: Lists) -> Iterator[str]:
    """Remarks about entries that are meant, or a mistake: those that cover all that is registered under a suffix
    (`com`, `co.uk`), and those that are no names of hosts (rows of a table) and cover nothing."""
    for name, one in sorted(lists.items()):
        entries = one.entries()
        kinds: tuple[Kind, ...] = ("domains", "hosts", "registered_domains")
        odd: list[bytes] = []
        for kind in kinds:
            wrong = b"".join(entries[kind]).translate(None, _HOST_BYTES)
            odd += [entry for entry in entries[kind] if entry.translate(None, _HOST_BYTES)] if wrong else []
            for entry in entries[kind] if kind != "hosts" else ():
                if entry.count(b".") < 3 and len(entry) < 16 and _is_suffix(entry):
                    yield f"{name}: {entry.decode('utf-8', 'replace')} covers every address under that suffix"
        if odd:
            more = " ..." if len(odd) > 1 else ""
            shown = odd[0][:80].decode("utf-8", "replace")
            yield f"{name}: {len(odd):,} entries are no names of hosts and cover nothing: {shown!r}{more}"


def _is_suffix(entry: bytes) -> bool:
    plain = not entry.startswith(b"[") and not entry.translate(None, _HOST_BYTES)
    return plain and is_public_suffix(entry.decode("utf-8", "replace"))


_HOST_BYTES = bytes(byte for byte in range(256) if byte >= 128 or chr(byte).isalnum() or chr(byte) in ".-_:[]")


# The compiled file: an Arrow IPC file of one row an array, mapped into memory where the root is local

_SCHEMA = pa.schema(
    [pa.field("name", pa.string()), pa.field("dtype", pa.string()), pa.field("data", pa.large_binary())]
)


def save(store: Store, place: str, lists: UrlLists) -> None:
    """Write compiled lists to an address."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "suffix_keys": lists.suffixes[0],
        "suffix_masks": lists.suffixes[1],
        "prefix_keys": lists.prefixes[0],
        "prefix_masks": lists.prefixes[1],
        "next": lists.automaton.next_S256.reshape(-1),
        "masks": lists.automaton.masks_S,
        "bytes": lists.automaton.bytes_S,
    }
    about = {"names": lists.names, "num_allow": lists.num_allow, "expressions": lists.expressions}
    schema = _SCHEMA.with_metadata({"urls": json.dumps(about)})
    with store.arrow_writer(place, schema) as writer:
        for name, array in arrays.items():
            row = [pa.array([name]), pa.array([str(array.dtype)]), pa.array([array.tobytes()], pa.large_binary())]
            writer.write_batch(pa.RecordBatch.from_arrays(row, schema=schema))


def load(store: Store, place: str) -> UrlLists:
    """Compiled lists by their address, which fixes their content: kept in the process, whatever root they came from."""
    if place not in _LOADED:
        while len(_LOADED) >= MAX_LOADED:
            _LOADED.pop(next(iter(_LOADED)))
        _LOADED[place] = _load(store, place)
    return _LOADED[place]


_LOADED: dict[str, UrlLists] = {}
MAX_LOADED = 4


def _load(store: Store, place: str) -> UrlLists:
    reader = pa.ipc.open_file(store.open(place))
    about = json.loads(reader.schema.metadata[b"urls"])
    arrays = {}
    for number in range(reader.num_record_batches):
        name, dtype, data = (column[0] for column in reader.get_batch(number).columns)
        arrays[name.as_py()] = np.frombuffer(data.as_buffer(), dtype.as_py())
    return UrlLists(
        tuple(about["names"]),
        about["num_allow"],
        tuple((bit, expression) for bit, expression in about["expressions"]),
        (arrays["suffix_keys"], arrays["suffix_masks"]),
        (arrays["prefix_keys"], arrays["prefix_masks"]),
        kernels.Automaton(arrays["next"].reshape(-1, 256), arrays["masks"], arrays["bytes"]),
    )
