"""Rules of services for their pages, as a table that workers map into memory: for a column of URLs.

`save` and `load` a table of what `robots_answers` finds; a service's patterns are made ready when a page of
it comes. An ``http`` service and its ``https`` twin, states and what follows from them: see there.

Price: 2 µs a page of a service that forbids nothing, some more where it does (docs/decisions/rights.md). Memory: about
200 bytes a service, and its lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages.contract import Store
from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of, read_only, text_buffers
from stages.kernels.urls.patterns import ALLOWS, ANCHORED, disallowed
from stages.rules.robots_answers import USE, Row
from stages.rules.robots_txt import MAX_BYTES, Line, Matcher, normal_path
from stages.rules.urls import ascii_host

VERSION = 3
DISALLOWS = "robots_txt_disallows_"
"""With the name of an agent behind it: the rule of pages that robots.txt disallows it."""
UNREACHABLE, MISSING, AI, TDM = "robots_txt_unreachable", "robots_txt_missing", "ai_txt_disallows", "tdmrep_reserves"
RESERVES = "robots_txt_reserves"
_RULE_OF = {"ai": AI, "tdm": TDM, USE: RESERVES}
"""Rules by the kind of their lines, but for those of robots.txt, which has one an agent."""
ORDERED = ("tdm",)
"""Kinds of files of which the first line that matches decides."""
MAX_AGENTS = 48
_URL = (
    r"(?s)^\s*(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?:[^/?#@]*@)?(?P<host>[^/?#:\[\]@]+|\[[^\]]*\])"
    r"(?::(?P<port>[0-9]*))?(?P<path>[/?][^#]*)?(?:#.*)?$"
)


def rules_of(agents: Sequence[str], drop_missing: bool) -> tuple[str, ...]:
    """The rules that pages may fail, in the order of their bits (`Asked`)."""
    named = tuple(DISALLOWS + agent for agent in agents)
    return (*named, UNREACHABLE, *((MISSING,) if drop_missing else ()), AI, TDM, RESERVES)


def is_rule(name: str) -> bool:
    """Whether a rule is one of these."""
    return name.startswith(DISALLOWS) or name in (UNREACHABLE, MISSING, AI, TDM, RESERVES)


# The compiled table: an Arrow IPC file, mapped into memory where the root is local

_LINE = pa.struct(
    [
        pa.field("agents", pa.uint64()),
        pa.field("allow", pa.bool_()),
        pa.field("number", pa.int32()),
        pa.field("pattern", pa.binary()),
        pa.field("text", pa.string()),
    ]
)
_GROUP = pa.struct(
    [
        pa.field("agents", pa.uint64()),
        pa.field("patterns", pa.binary()),  # those that decide first first, without the `$` of `ANCHORED`
        pa.field("sizes", pa.binary()),  # int64 each
        pa.field("flags", pa.binary()),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("hash", pa.uint64()),  # of the service, xxh3-64; sorted
        *(pa.field(name, pa.string()) for name in ("service", "kind", "state", "url", "file")),
        pa.field("lines", pa.list_(_LINE)),
        pa.field("groups", pa.list_(_GROUP)),  # the same lines by the agents they hold for
    ]
)
ROWS_A_BATCH = 50_000
_ALL = (1 << 64) - 1


def address(agents: Sequence[str], identity: Sequence[Any]) -> str:
    """Address of the compiled table under a root; ``identity``: of the files, their content."""
    key = json.dumps([VERSION, MAX_BYTES, list(agents), list(identity)])
    return f"robots/{hashlib.sha256(key.encode()).hexdigest()[:24]}.arrow"


def save(store: Store, place: str, rows: Sequence[Row], agents: Sequence[str]) -> None:
    """Write the table of `compile_answers` to an address."""
    hashed = sorted((xxhash.xxh3_64_intdigest(row.service.encode()), row) for row in rows)
    schema = SCHEMA.with_metadata({"agents": json.dumps(list(agents))})
    with store.arrow_writer(place, schema) as writer:
        for start in range(0, len(hashed), ROWS_A_BATCH):
            part = hashed[start : start + ROWS_A_BATCH]
            lines = [[line._replace(agents=line.agents & _ALL)._asdict() for line in row.lines] for _, row in part]
            columns = [pa.array([number for number, _ in part], pa.uint64())]
            columns += [pa.array([row[at] for _, row in part], pa.string()) for at in range(5)]
            columns.append(pa.array(lines, SCHEMA.field("lines").type))
            groups = [[_packed(*group, row.kind in ORDERED) for group in _groups(row, len(agents))] for _, row in part]
            columns.append(pa.array(groups, SCHEMA.field("groups").type))
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _groups(row: Row, agents: int) -> list[tuple[int, tuple[Line, ...]]]:
    """Agents (as bits) to whom the same lines hold, and those lines, where any of them disallows."""
    groups: dict[tuple[Line, ...], int] = {}
    for number in range(agents):
        own = tuple(line for line in row.lines if line.agents >> number & 1)
        groups[own] = groups.get(own, 0) | 1 << number
    return [(mask, lines) for lines, mask in groups.items() if not all(line.allow for line in lines)]


def _packed(mask: int, lines: Sequence[Line], ordered: bool) -> dict[str, Any]:
    rank = lambda line: (0 if ordered else len(line.pattern), line.allow and not ordered, -line.number)  # noqa: E731
    ranked = sorted(lines, key=rank, reverse=True)
    patterns = [line.pattern.removesuffix(b"$") for line in ranked]
    flags = [line.allow * ALLOWS | line.pattern.endswith(b"$") * ANCHORED for line in ranked]
    sizes = np.array([len(pattern) for pattern in patterns], np.int64)
    return {"agents": mask, "patterns": b"".join(patterns), "sizes": sizes.tobytes(), "flags": bytes(flags)}


class Asked(NamedTuple):
    """For each page the rules of `rules_of` that it fails (bit i)."""

    failed: npt.NDArray[np.uint64]


class _Group(NamedTuple):
    """Lines that hold for some agents, made ready."""

    mask: int
    """Bits of what they disallow."""
    patterns: bytes
    """Patterns, those that decide first in front."""
    sizes: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint8]
    matcher: Matcher | None
    """Matcher of whole patterns, where there is so much with ``*`` that looking for each as a whole is better."""


class _Service(NamedTuple):
    """A service made ready: bits that every page fails, and its groups of lines."""

    always: int
    groups: tuple[_Group, ...]


class RobotsTable:
    """A compiled table: the rules of services for ``agents``, by service."""

    def __init__(self, table: pa.Table, agents: Sequence[str]) -> None:
        self.table, self.agents = table, tuple(agents)
        self.hashes = table.column("hash").to_numpy()
        self._ready: dict[tuple[str, bool], _Service] = {}

    def rows(self, service: str) -> list[Row]:
        """Rules of a service, a row a kind of file."""
        found = []
        for row in self._of([service], SCHEMA.names[2:-1]):
            lines = tuple(Line(**line) for line in row.pop("lines"))
            if row["service"] == service:
                found.append(Row(**row, lines=lines))
        return found

    def _of(self, services: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of the table, of all these services at once; of others too whose hash is the same."""
        wanted = np.array([xxhash.xxh3_64_intdigest(service.encode()) for service in services], np.uint64)
        firsts, lasts = (np.searchsorted(self.hashes, wanted, side) for side in ("left", "right"))
        counts = lasts - firsts
        ends = np.cumsum(counts)
        places = np.repeat(firsts - (ends - counts), counts) + np.arange(int(counts.sum()))
        found: list[dict[str, Any]] = self.table.select(["service", *columns]).take(pa.array(places)).to_pylist()
        return found

    def match(self, urls: pa.Array | pa.ChunkedArray, drop_missing: bool) -> Asked:
        """Rules that the pages at these addresses fail; a page without an address of the web has no robots.txt."""
        column = urls.combine_chunks() if isinstance(urls, pa.ChunkedArray) else urls
        services, paths = split_urls(column)
        codes, names = services.indices.fill_null(-1).to_numpy(zero_copy_only=False), services.dictionary.to_pylist()
        ready = [*self._services(names, drop_missing), self._made([], drop_missing)]
        failed = np.array([one.always for one in ready], np.uint64)[codes]
        counts = np.array([len(one.groups) for one in ready], np.int64)[codes]
        live = np.flatnonzero(counts)
        data, offsets = text_buffers(normal_paths(paths.take(pa.array(live))))
        groups = [group for one in ready for group in one.groups]
        firsts = offsets_of(np.array([len(one.groups) for one in ready], np.int64))
        rows = np.repeat(np.arange(len(live)), counts[live])
        within = np.arange(len(rows)) - np.repeat(offsets_of(counts[live])[:-1], counts[live])
        own = np.repeat(firsts[codes[live]], counts[live]) + within
        hit = _disallowed(data, offsets, rows, own, groups)
        masks = np.array([group.mask for group in groups], np.uint64)
        np.bitwise_or.at(failed, live[rows[hit]], masks[own[hit]])
        return Asked(failed)

    def _services(self, names: Sequence[str], drop_missing: bool) -> list[_Service]:
        """These services made ready; those of earlier calls are."""
        new = [name for name in names if (name, drop_missing) not in self._ready]
        rows_of: dict[str, list[dict[str, Any]]] = {name: [] for name in new}
        for row in self._of(new, ["kind", "state", "groups"]):
            rows_of.get(row["service"], []).append(row)
        made = {name: self._made(rows, drop_missing) for name, rows in rows_of.items()}
        found = [made[name] if name in made else self._ready[name, drop_missing] for name in names]
        if len(self._ready) + len(made) > MAX_READY:
            self._ready.clear()
        self._ready.update({(name, drop_missing): service for name, service in made.items()})
        return found

    def _made(self, rows: Sequence[dict[str, Any]], drop_missing: bool) -> _Service:
        bit = {name: 1 << number for number, name in enumerate(rules_of(self.agents, drop_missing))}
        state = next((row["state"] for row in rows if row["kind"] == "robots"), "")
        always = bit[UNREACHABLE] if state == "closed" else bit.get(MISSING, 0) if not state else 0
        other = {kind: bit[rule] for kind, rule in _RULE_OF.items()}
        groups = [
            _ready(other.get(row["kind"], group["agents"]), group)  # bit i is that of the i-th agent's rule
            for row in rows
            for group in row["groups"]
        ]
        return _Service(always, tuple(groups))

    def explain(self, url: str | None, drop_missing: bool) -> list[dict[str, Any]]:
        """``{"rule", "url", "file", "line", "text"}`` of every rule that a page at ``url`` fails, in their order."""
        services, paths = split_urls(pa.array([url], pa.string()))
        service = services[0].as_py()
        rows = self.rows(service) if service else []
        cited: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row.kind == "robots" and row.state == "closed":
                cited[UNREACHABLE] = _cited(row, None)
        if drop_missing and not any(row.kind == "robots" for row in rows):
            cited[MISSING] = dict.fromkeys(("url", "file", "line", "text"))
        path = normal_path(paths[0].as_py() or b"/")
        for row in rows:
            for mask, lines in _groups(row, len(self.agents)):
                matcher = Matcher(lines, row.kind in ORDERED)
                if not matcher.disallows(path):
                    continue
                own = [DISALLOWS + agent for at, agent in enumerate(self.agents) if mask >> at & 1]
                for name in own if row.kind == "robots" else [_RULE_OF[row.kind]]:
                    cited.setdefault(name, _cited(row, lines[matcher.find(path)]))
        return [{"rule": name, **cited[name]} for name in rules_of(self.agents, drop_missing) if name in cited]


def _ready(mask: int, group: dict[str, Any]) -> _Group:
    sizes, flags = np.frombuffer(group["sizes"], np.int64), np.frombuffer(group["flags"], np.uint8)
    patterns: bytes = group["patterns"]
    return _Group(mask, patterns, sizes, flags, _matcher(group) if len(patterns) > HEAVY and b"*" in patterns else None)


def _matcher(group: dict[str, Any]) -> Matcher:
    """The matcher of a packed group."""
    ends = np.cumsum(np.frombuffer(group["sizes"], np.int64)).tolist()
    lines, at = [], 0
    for number, (end, flag) in enumerate(zip(ends, group["flags"], strict=True)):
        pattern = group["patterns"][at:end] + (b"$" if flag & ANCHORED else b"")
        lines.append(Line(0, bool(flag & ALLOWS), number, pattern, ""))
        at = end
    return Matcher(lines, ordered=True)


def _disallowed(
    data: Bytes, offsets: Offsets, rows: npt.NDArray[np.int64], own: npt.NDArray[np.int64], groups: Sequence[_Group]
) -> npt.NDArray[np.bool_]:
    """Whether the group disallows the path, for pairs of a path and a group."""
    if not len(rows):
        return np.zeros(0, np.bool_)
    bytes_of = np.frombuffer(b"".join(group.patterns for group in groups), np.uint8)
    sizes = np.concatenate([group.sizes for group in groups])
    flags = np.concatenate([group.flags for group in groups])
    bounds = offsets_of(np.array([len(group.sizes) for group in groups], np.int64))
    heavy = np.array([group.matcher is not None for group in groups])[own]
    hit = np.zeros(len(rows), np.bool_)
    patterns = (read_only(bytes_of), offsets_of(sizes), flags)
    hit[~heavy] = disallowed(data, offsets, rows[~heavy], own[~heavy], patterns, bounds)
    for pair in np.flatnonzero(heavy).tolist():
        matcher = groups[own[pair]].matcher
        path = data[offsets[rows[pair]] : offsets[rows[pair] + 1]].tobytes()
        hit[pair] = matcher is not None and matcher.disallows(path)
    short = offsets[rows + 1] - offsets[rows] == len(ITSELF)
    for pair in np.flatnonzero(hit & short).tolist():
        hit[pair] = data[offsets[rows[pair]] : offsets[rows[pair] + 1]].tobytes() != ITSELF
    return hit


def normal_paths(paths: pa.Array) -> pa.Array:
    """`normal_path` of each."""
    odd = np.flatnonzero(~pc.match_substring_regex(paths, _NORMAL).to_numpy(zero_copy_only=False))
    if not len(odd):
        return paths
    changed = [normal_path(path) for path in paths.take(pa.array(odd)).to_pylist()]
    mask = np.zeros(len(paths), np.bool_)
    mask[odd] = True
    return pc.replace_with_mask(paths, pa.array(mask), pa.array(changed, paths.type))


ITSELF = b"/robots.txt"
"""Is always allowed."""
_NORMAL = r"^[A-Za-z0-9_.~!&'()+,;=:@/?-]*$"
HEAVY = 16 << 10
"""Bytes of a group's patterns, some with ``*``, from which on each is looked for by itself: the kernel's worst case is
their product with the bytes of a path."""
MAX_READY = 100_000
"""Services made ready that a process keeps."""


def _cited(row: Row, line: Line | None) -> dict[str, Any]:
    return {
        "url": row.url,
        "file": row.file,
        "line": line.number if line else None,
        "text": line.text if line else None,
    }


def split_urls(urls: pa.Array) -> tuple[pa.DictionaryArray, pa.Array]:
    """Service of each URL as a dictionary (null where it has none), and its path as bytes."""
    found = pc.extract_regex(urls.cast(pa.string()), _URL)
    scheme, host = (pc.utf8_lower(found.field(name)) for name in ("scheme", "host"))
    if not pc.all(pc.string_is_ascii(host), min_count=0).as_py():
        hosts = host.dictionary_encode()
        host = pa.array([ascii_host(name) for name in hosts.dictionary.to_pylist()], pa.string()).take(hosts.indices)
    port = found.field("port")
    plain = pc.or_(
        pc.equal(port, ""),
        pc.or_(
            pc.and_(pc.equal(scheme, "http"), pc.equal(port, "80")),
            pc.and_(pc.equal(scheme, "https"), pc.equal(port, "443")),
        ),
    )
    suffix = pc.if_else(plain, "", pc.binary_join_element_wise("", port, ":"))
    service = pc.binary_join_element_wise(scheme, "://", pc.utf8_rtrim(host, "."), suffix, "")
    service = pc.if_else(found.is_valid(), service, pa.scalar(None, service.type))
    path = found.field("path")
    path = pc.if_else(pc.starts_with(path, "?"), pc.binary_join_element_wise("", path, "/"), path)
    path = pc.if_else(pc.equal(path, ""), "/", path)
    return service.dictionary_encode(), path.cast(pa.binary())


def load(store: Store, place: str) -> RobotsTable:
    """A compiled table by its address, which fixes its content: kept in the process, whatever root it came from."""
    if place not in _LOADED:
        while len(_LOADED) >= MAX_LOADED:
            _LOADED.pop(next(iter(_LOADED)))
        reader = pa.ipc.open_file(store.open(place))
        agents = json.loads(reader.schema.metadata[b"agents"])
        _LOADED[place] = RobotsTable(reader.read_all(), agents)
    return _LOADED[place]


_LOADED: dict[str, RobotsTable] = {}
MAX_LOADED = 4
