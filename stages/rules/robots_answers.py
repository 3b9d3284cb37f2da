"""Rules of services in robots.txt, ai.txt and tdmrep.json, found among captured answers.

A service is scheme, host (labels beyond ASCII in punycode) and port. Its newest answer counts (a 304 is none); what
came of it is its state (RFC 9309, 2.3.1):

| state | when | what follows |
|---|---|---|
| `said` | 2xx, at once or behind up to `MAX_REDIRECTS` redirects | its lines hold for the service asked first |
| `free` | 4xx, more redirects than that, a redirect without a place to go | nothing is forbidden |
| `closed` | 5xx | everything is, until somebody asks again: a reason of its own |
| (none) | no answer, or a redirect that leads out of the answers | ``missing`` decides |

What answers to ``http`` stands in for ``https`` where that has no answer of its own, and the other way round. Of ai.txt
and tdmrep.json only what is `said` counts, and so of preferences on training in robots.txt (kind `use`).

`compile_answers` keeps of every file the lines that hold for the agents named. Price: 1 µs a line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import xxhash

from stages.rules.robots_txt import Line, Parsed, parse, parse_preferences, parse_reservations
from stages.rules.urls import ascii_host

MAX_REDIRECTS = 5
UNCHANGED = 304
"""Status of an answer that says nothing new: the one before it counts."""
KINDS = {"/robots.txt": "robots", "/ai.txt": "ai", "/.well-known/tdmrep.json": "tdm"}
USE = "use"
"""Kind of the preferences in a robots.txt."""
PORTS = {"http": "80", "https": "443"}


class Answer(NamedTuple):
    """A server's answer to the request for an address."""

    url: str
    date: str
    """Time as ISO 8601; of two answers the later counts."""
    status: int
    location: str
    """Target of a redirect; empty where none is given."""
    body: bytes
    """At most `MAX_BYTES` and a byte."""
    file: str
    """Its place, for people: a file's name, and the offset of the record in an archive."""


def parts_of(url: str) -> tuple[str, str] | None:
    """Service and path (with the query) of an address; None where it is none of the web."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), ascii_host((parts.hostname or "").rstrip("."))
    if scheme not in PORTS or not host:
        return None
    named = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or str(port) == PORTS[scheme] else f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{named}{suffix}", f"{parts.path or '/'}{query}"


class Row(NamedTuple):
    """Rules of a service in one kind of file."""

    service: str
    kind: str
    state: str
    url: str
    """Address of the file that was read in the end."""
    file: str
    lines: tuple[Line, ...]


class _Kept(NamedTuple):
    """The part of an answer that stays in memory."""

    date: str
    status: int
    location: str
    file: str
    parsed: Parsed
    preferences: tuple[Line, ...]
    digest: bytes


def compile_answers(answers: Iterable[Answer], agents: Sequence[str]) -> tuple[list[Row], Counter[str]]:
    """Rules of each service, sorted, and counts: of states, and of files that were cut or no text.

    The order of the answers does not matter.
    """
    known: dict[str, _Kept] = {}
    for answer in answers:
        parts = parts_of(answer.url)
        if parts is None or answer.status == UNCHANGED:
            continue
        reads = parse_reservations(answer.body) if parts[1].endswith(".json") else parse(answer.body, agents)
        is_found = 200 <= answer.status < 300
        parsed = reads if is_found else Parsed(())
        preferences = parse_preferences(answer.body, agents) if is_found else ()
        digest = xxhash.xxh3_128_digest(answer.body)
        kept = _Kept(answer.date, answer.status, answer.location, answer.file, parsed, preferences, digest)
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
        if row is not None and row.kind == "robots" and row.state == "said" and (lines := known[row.url].preferences):
            rows[service, USE] = row._replace(kind=USE, lines=lines)
            counts[f"{USE} said"] += 1
    answered = set(rows)
    for (service, kind), row in list(rows.items()):
        scheme, _, rest = service.partition("://")
        twin = f"{'http' if scheme == 'https' else 'https'}://{rest}"
        if (twin, "robots" if kind == USE else kind) not in answered:
            rows[twin, kind] = row._replace(service=twin)
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
    is_found = 200 <= answer.status < 300
    state = "said" if is_found else "closed" if answer.status >= 500 or answer.status < 200 else "free"
    counts[f"{kind} {state}"] += 1
    counts.update(f"{kind} {note}" for note in answer.parsed.notes)
    return Row(service, kind, state, url, answer.file, answer.parsed.lines if is_found else ())
