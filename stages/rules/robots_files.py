"""What services say: robots.txt, ai.txt and tdmrep.json, found among captured answers, for a column of URLs.

A service is scheme, host and port. Its newest answer counts; what came of it is its state (RFC 9309, 2.3.1):

| state | when | what follows |
|---|---|---|
| `said` | 2xx, at once or behind up to `MAX_REDIRECTS` redirects | its lines hold for the service asked first |
| `free` | 4xx, more redirects than that, a redirect without a place to go | nothing is forbidden |
| `closed` | 5xx | everything is, until somebody asks again: a reason of its own |
| (none) | no answer, or a redirect that leads out of the answers | ``missing`` decides |

What answers to ``http`` stands in for ``https`` where that has no answer of its own, and the other way round. Of ai.txt
and tdmrep.json only what is `said` counts.

`compile_answers` keeps of every file the lines that hold for the agents named; `save` and `load` make a table of them
that workers map into memory; a service's patterns are made ready when a page of it comes.

Price: 1 µs a line to compile; 2 µs a page of a service that forbids nothing, some more where it does
(docs/decisions/rights.md). Memory: about 200 bytes a service, and its lines.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages.contract import Store
from stages.rules.robots_txt import MAX_BYTES, Line, Matcher, Parsed, normal_path, parse, parse_reservations

VERSION = 1
MAX_REDIRECTS = 5
KINDS = {"/robots.txt": "robots", "/ai.txt": "ai", "/.well-known/tdmrep.json": "tdm"}
DISALLOWS = "robots_txt_disallows_"
"""And the name of an agent: the rule of pages that robots.txt disallows it."""
UNREACHABLE, MISSING, AI, TDM = "robots_txt_unreachable", "robots_txt_missing", "ai_txt_disallows", "tdmrep_reserves"
MAX_AGENTS = 48
_URL = (
    r"^(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?:[^/?#@]*@)?(?P<host>[^/?#:\[\]@]+|\[[^\]]*\])"
    r"(?::(?P<port>[0-9]*))?(?P<path>[/?][^#]*)?(?:#.*)?$"
)
_PORTS = {"http": "80", "https": "443"}


class Answer(NamedTuple):
    """What a server answered when it was asked for an address."""

    url: str
    date: str
    """As ISO 8601; of two answers the later counts."""
    status: int
    location: str
    """Of a redirect; empty where none is given."""
    body: bytes
    """At most `MAX_BYTES` and a byte."""
    file: str
    """Where it stands, for people: a file's name, and the offset of the record in an archive."""


def rules_of(agents: Sequence[str], drop_missing: bool) -> tuple[str, ...]:
    """The rules that pages may fail, in the order of their bits (`Asked`)."""
    named = tuple(DISALLOWS + agent for agent in agents)
    return (*named, UNREACHABLE, *((MISSING,) if drop_missing else ()), AI, TDM)


def is_rule(name: str) -> bool:
    """Whether a rule is one of these."""
    return name.startswith(DISALLOWS) or name in (UNREACHABLE, MISSING, AI, TDM)


def parts_of(url: str) -> tuple[str, str] | None:
    """Service and path (with the query) of an address; None where it is none of the web."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if scheme not in _PORTS or not host:
        return None
    named = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or str(port) == _PORTS[scheme] else f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{named}{suffix}", f"{parts.path or '/'}{query}"


# From answers to services


class Row(NamedTuple):
    """What a service says in one kind of file."""

    service: str
    kind: str
    state: str
    url: str
    """Of the file that was read in the end."""
    file: str
    lines: tuple[Line, ...]


class _Kept(NamedTuple):
    """What stays of an answer in memory."""

    date: str
    status: int
    location: str
    file: str
    parsed: Parsed
    digest: bytes


def compile_answers(answers: Iterable[Answer], agents: Sequence[str]) -> tuple[list[Row], Counter[str]]:
    """What each service says, sorted, and counts: of states, and of files that were cut or no text.

    The order of the answers does not matter.
    """
    known: dict[str, _Kept] = {}
    for answer in answers:
        parts = parts_of(answer.url)
        if parts is None:
            continue
        reads = parse_reservations(answer.body) if parts[1].endswith(".json") else parse(answer.body, agents)
        parsed = reads if 200 <= answer.status < 300 else Parsed(())
        digest = xxhash.xxh3_128_digest(answer.body)
        kept = _Kept(answer.date, answer.status, answer.location, answer.file, parsed, digest)
        other = known.get("".join(parts))
        if other is None or _later(kept) > _later(other):
            known["".join(parts)] = kept
    counts: Counter[str] = Counter()
    rows = {}
    for url in sorted(known):
        service, path = parts_of(url) or ("", "")
        kind = KINDS.get(path)
        row = _resolved(service, kind, url, known, counts) if kind else None
        if row is not None:
            rows[service, row.kind] = row
    for (service, kind), row in list(rows.items()):
        scheme, _, rest = service.partition("://")
        twin = f"{'http' if scheme == 'https' else 'https'}://{rest}"
        rows.setdefault((twin, kind), row._replace(service=twin))
    return [rows[key] for key in sorted(rows)], counts


def _later(kept: _Kept) -> tuple[Any, ...]:
    return kept.date, kept.status, kept.digest, kept.file


def _resolved(service: str, kind: str, url: str, known: Mapping[str, _Kept], counts: Counter[str]) -> Row | None:
    """One file of a service, redirects followed."""
    answer: _Kept | None = None
    for _ in range(MAX_REDIRECTS + 1):
        answer = known.get(url)
        if answer is None:
            counts[f"{kind} elsewhere"] += 1
            return None
        if not 300 <= answer.status < 400:
            break
        place = parts_of(urljoin(url, answer.location)) if answer.location else None
        if place is None:
            counts[f"{kind} free"] += 1
            return Row(service, kind, "free", url, answer.file, ())
        url = "".join(place)
    assert answer is not None
    if 300 <= answer.status < 400:  # another redirect after all these
        counts[f"{kind} free"] += 1
        return Row(service, kind, "free", url, answer.file, ())
    said = 200 <= answer.status < 300
    state = "said" if said else "closed" if answer.status >= 500 or answer.status < 200 else "free"
    counts[f"{kind} {state}"] += 1
    counts.update(f"{kind} {note}" for note in answer.parsed.notes)
    return Row(service, kind, state, url, answer.file, answer.parsed.lines if said else ())


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
SCHEMA = pa.schema(
    [
        pa.field("hash", pa.uint64()),  # of the service, xxh3-64; sorted
        *(pa.field(name, pa.string()) for name in ("service", "kind", "state", "url", "file")),
        pa.field("lines", pa.list_(_LINE)),
    ]
)
ROWS_A_BATCH = 50_000
_ALL = (1 << 64) - 1


def address(agents: Sequence[str], identity: Sequence[Any]) -> str:
    """Where the compiled table lies under a root; ``identity``: of the files, their content."""
    told = json.dumps([VERSION, MAX_BYTES, list(agents), list(identity)])
    return f"robots/{hashlib.sha256(told.encode()).hexdigest()[:24]}.arrow"


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
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


class Asked(NamedTuple):
    """For each page the rules of `rules_of` that it fails (bit i)."""

    failed: npt.NDArray[np.uint64]


class _Service(NamedTuple):
    """A service made ready: bits that every page fails, and the matchers with the bits of what they disallow."""

    always: int
    matchers: tuple[tuple[int, Matcher], ...]


class RobotsTable:
    """A compiled table: what services say to ``agents``, by service."""

    def __init__(self, table: pa.Table, agents: Sequence[str]) -> None:
        self.table, self.agents = table, tuple(agents)
        self.hashes = table.column("hash").to_numpy()
        self._ready: OrderedDict[tuple[str | None, bool], _Service] = OrderedDict()

    def rows(self, service: str) -> list[Row]:
        """What a service says, a row a kind of file."""
        wanted = np.uint64(xxhash.xxh3_64_intdigest(service.encode()))
        first, last = (int(np.searchsorted(self.hashes, wanted, side)) for side in ("left", "right"))
        found = []
        for row in self.table.slice(first, last - first).to_pylist():
            if row.pop("hash") == wanted and row["service"] == service:
                lines = tuple(Line(**line) for line in row.pop("lines"))
                found.append(Row(**row, lines=lines))
        return found

    def match(self, urls: pa.Array | pa.ChunkedArray, drop_missing: bool) -> Asked:
        """What the pages at these addresses fail; a page without an address of the web has no robots.txt."""
        column = urls.combine_chunks() if isinstance(urls, pa.ChunkedArray) else urls
        services, paths = split_urls(column)
        codes, names = services.indices.fill_null(-1).to_numpy(zero_copy_only=False), services.dictionary.to_pylist()
        ready = [self._service(name, drop_missing) for name in (*names, None)]
        failed = np.array([one.always for one in ready], np.uint64)[codes]
        live = np.flatnonzero(np.array([bool(one.matchers) for one in ready])[codes])
        wanted = paths.take(pa.array(live)).to_pylist()
        for row, path in zip(live.tolist(), wanted, strict=True):
            normal = normal_path(path)
            bits = 0
            for mask, matcher in ready[codes[row]].matchers:
                if matcher.disallows(normal):
                    bits |= mask
            failed[row] |= np.uint64(bits)
        return Asked(failed)

    def _service(self, name: str | None, drop_missing: bool) -> _Service:
        key = (name, drop_missing)
        if key in self._ready:
            self._ready.move_to_end(key)
            return self._ready[key]
        while len(self._ready) >= MAX_READY:
            self._ready.popitem(last=False)
        self._ready[key] = found = self._made(self.rows(name) if name else [], drop_missing)
        return found

    def _made(self, rows: Sequence[Row], drop_missing: bool) -> _Service:
        bit = {name: 1 << number for number, name in enumerate(rules_of(self.agents, drop_missing))}
        state = next((row.state for row in rows if row.kind == "robots"), "")
        always = bit[UNREACHABLE] if state == "closed" else bit.get(MISSING, 0) if not state else 0
        matchers = [
            (sum(bit[rule] for rule in rules), Matcher(lines))
            for rules, _, lines in self._groups(rows)
            if any(not line.allow for line in lines)
        ]
        return _Service(always, tuple(matchers))

    def _groups(self, rows: Sequence[Row]) -> list[tuple[tuple[str, ...], Row, tuple[Line, ...]]]:
        """The rules that stand for agents to whom the same lines hold, the file, and those lines."""
        found: list[tuple[tuple[str, ...], Row, tuple[Line, ...]]] = []
        for row in rows:
            if row.kind == "tdm":
                found.append(((TDM,), row, row.lines))
                continue
            groups: dict[tuple[Line, ...], list[str]] = {}
            for number, agent in enumerate(self.agents):
                own = tuple(line for line in row.lines if line.agents >> number & 1)
                groups.setdefault(own, []).append(agent)
            for lines, agents in groups.items():
                rules = tuple(DISALLOWS + agent for agent in agents) if row.kind == "robots" else (AI,)
                found.append((rules, row, lines))
        return found

    def explain(self, url: str | None, drop_missing: bool) -> list[dict[str, Any]]:
        """``{"rule", "url", "file", "line", "text"}`` of every rule that a page at ``url`` fails, in their order."""
        services, paths = split_urls(pa.array([url], pa.string()))
        service = services[0].as_py()
        rows = self.rows(service) if service else []
        told: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row.kind == "robots" and row.state == "closed":
                told[UNREACHABLE] = _cited(row, None)
        if drop_missing and not any(row.kind == "robots" for row in rows):
            told[MISSING] = dict.fromkeys(("url", "file", "line", "text"))
        path = normal_path(paths[0].as_py() or b"/")
        for rules, row, lines in self._groups(rows):
            matcher = Matcher(lines)
            if matcher.disallows(path):
                for name in rules:
                    told.setdefault(name, _cited(row, lines[matcher.find(path)]))
        return [{"rule": name, **told[name]} for name in rules_of(self.agents, drop_missing) if name in told]


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
    """A compiled table from an address, which tells its content: kept in the process, whatever root it came from."""
    if place not in _LOADED:
        while len(_LOADED) >= MAX_LOADED:
            _LOADED.pop(next(iter(_LOADED)))
        reader = pa.ipc.open_file(store.open(place))
        agents = json.loads(reader.schema.metadata[b"agents"])
        _LOADED[place] = RobotsTable(reader.read_all(), agents)
    return _LOADED[place]


_LOADED: dict[str, RobotsTable] = {}
MAX_LOADED = 4
