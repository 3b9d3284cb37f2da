"""Rules of a robots.txt for some agents (RFC 9309), of an ai.txt (the same syntax), and of a tdmrep.json (W3C TDMRep);
preferences on training in a robots.txt (`parse_preferences`).

`parse` gives the lines that hold for the agents asked about, each with its number and its own words; `Matcher` finds
the line that decides about a path. As RFC 9309 has it: the groups of an agent are joined, `*` holds where it has none;
the longest pattern that matches decides, of two equal ones the one that allows; ``*`` and a ``$`` at the end are
special; octets beyond ASCII compare as percent-encoded, unreserved ones as decoded (2.2.2), so ``%62`` is ``b``,
``%2F`` in a path no slash; behind the ``?`` ``%3A %2F %3F %40`` are what they stand for.

Beyond the RFC, on the side of who asks: a missing colon and the spellings of `DISALLOW` and `AGENT` are understood, as
Google's parser does, and digits belong to an agent's name (``AI2Bot``). Unknown lines end no group.

Read are the first 500 KiB (2.5 of the RFC asks for no less), to the last whole line; UTF-16 by its mark; bytes that are
no UTF-8 as they are. What holds a NUL is no text and says nothing.

Preferences are Cloudflare's ``Content-Signal: ai-train=no`` and ``Content-Usage: train-ai=n`` of the IETF's AIPREF
(draft-ietf-aipref-attach: rules of a group, with a path before them or for all paths). They end the names of a group
as rules do. Before any group they hold for all agents; an agent whose own groups have none has those of ``*``. Of two
for one path the one that reserves counts.

Price: 1 µs a line; a path is looked up in a table of the patterns' lengths, and goes once through each pattern with
``*`` that is longer than what was found. No expression is compiled, so nothing backtracks.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

MAX_BYTES = 500 << 10
MAX_TEXT = 240
"""Bytes of a line's own words that are kept."""

ALLOW = frozenset((b"allow",))
DISALLOW = frozenset((b"disallow", b"dissallow", b"dissalow", b"disalow", b"diasllow", b"disallaw"))
USAGE = frozenset((b"content-signal", b"content-usage"))
TRAINING = frozenset((b"ai-train", b"train-ai", b"train-genai"))
"""Names of the use that a corpus is made for, in `USAGE`."""
AGENT = frozenset((b"user-agent", b"useragent", b"user agent"))
_LINE_END = re.compile(rb"\r\n|\n|\r")
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+")
_KNOWN = re.compile(rb"[A-Za-z0-9_.~!&'()+,;=:@/?-]*")
"""Paths of these characters are in normal form."""
_KNOWN_PATTERN = re.compile(rb"[A-Za-z0-9_.~!&'()+,;=:@/?*-]*\$?")
_ODD = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9_.~!&'()+,;=:@/?-]")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_IN_QUERY = _UNRESERVED | frozenset(b":/?@")


class Line(NamedTuple):
    """A line that allows or disallows."""

    agents: int
    """Bit i: it holds for the i-th agent."""
    allow: bool
    number: int
    """Number of the line from 1; of tdmrep.json the entry's."""
    pattern: bytes
    """The pattern in normal form (`normal_pattern`)."""
    text: str
    """The line as it stands there, at most `MAX_TEXT` bytes."""


class Parsed(NamedTuple):
    """The lines that hold for some agent, in their order, and what was odd: ``cut``, ``no_text``."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def parse(data: bytes, agents: Sequence[str]) -> Parsed:
    """Rules of a robots.txt or ai.txt for each of ``agents``, whatever the case of their names."""
    text, notes = _text(data)
    if b"\0" in text:
        return Parsed((), (*notes, "no_text"))
    common, own = _grouped(text, agents, _access, [])
    rest = sum(1 << number for number in range(len(agents)) if number not in own)
    return Parsed(_joined({rest: common} | {1 << number: lines for number, lines in own.items()}), notes)


def parse_preferences(data: bytes, agents: Sequence[str]) -> tuple[Line, ...]:
    """Preferences on training in a robots.txt for each of ``agents``: lines that reserve it, and that allow it."""
    text, _ = _text(data)
    if b"\0" in text or not _USAGE.search(text):
        return ()
    everybody: list[_Said] = []
    common, own = _grouped(text, agents, _preference, everybody)
    groups = {number: lines for number, lines in own.items() if lines}
    rest = sum(1 << number for number in range(len(agents)) if number not in groups)
    joined = {rest: everybody + common} | {1 << number: everybody + lines for number, lines in groups.items()}
    return _joined({mask: _reserving(lines) for mask, lines in joined.items()})


def reserves(value: bytes) -> bool | None:
    """Whether the value of a ``Content-Signal`` or ``Content-Usage`` reserves training; None where it says nothing
    of it."""
    found = set()
    for entry in re.split(b"[,;]", value.lower()):
        name, _, preference = entry.partition(b"=")
        if name.strip() in TRAINING:
            found.add(_PREFERENCES.get(preference.strip()))
    return True if True in found else False if False in found else None


_USAGE = re.compile(rb"(?i)content-(?:signal|usage)")
_PREFERENCES = {b"no": True, b"n": True, b"yes": False, b"y": False}


def _grouped(
    text: bytes,
    agents: Sequence[str],
    read: Callable[[bytes, bytes], tuple[bool, bytes] | None],
    ungrouped: list[_Said],
) -> tuple[list[_Said], dict[int, list[_Said]]]:
    """Lines of the groups of ``*``, and of each agent that has groups of its own, by its number.

    Args:
        read: whether a line allows, and its pattern; None for one that is left out.
        ungrouped: gets the lines before any group.
    """
    wanted = {agent.lower().encode(): number for number, agent in enumerate(agents)}
    common: list[_Said] = []
    own: dict[int, list[_Said]] = {}
    current: list[list[_Said]] = [ungrouped]
    closed = True
    for number, raw in enumerate(_LINE_END.split(text), 1):
        field, value = _field(raw)
        if field in AGENT:
            if closed:
                current, closed = [], False
            target = _group(value, wanted, common, own)
            if target is not None and all(target is not other for other in current):
                current.append(target)
        elif field in ALLOW or field in DISALLOW or field in USAGE:
            closed = True
            rule = read(field, value)
            if rule is not None:
                for lines in current:
                    lines.append((number, *rule, raw))
    return common, own


def _access(field: bytes, value: bytes) -> tuple[bool, bytes] | None:
    """Whether a line allows access, and to which paths."""
    return (field in ALLOW, value) if field not in USAGE and value.startswith((b"/", b"*")) else None


def _preference(field: bytes, value: bytes) -> tuple[bool, bytes] | None:
    """Whether a line allows training, and on which paths."""
    if field not in USAGE:
        return None
    first, *rest = value.split(None, 1) if value.startswith((b"/", b"*")) else (b"/", value)
    reserved = reserves(b"".join(rest))
    return None if reserved is None else (not reserved, first)


def _reserving(lines: list[_Said]) -> list[_Said]:
    """Lines without those that allow what another reserves for the same paths."""
    reserved = {normal_pattern(pattern) for _, allow, pattern, _ in lines if not allow}
    return [line for line in lines if not (line[1] and normal_pattern(line[2]) in reserved)]


_Said = tuple[int, bool, bytes, bytes]
"""Number, whether it allows, pattern and words of a line."""


def _group(
    value: bytes, wanted: dict[bytes, int], common: list[_Said], own: dict[int, list[_Said]]
) -> list[_Said] | None:
    """The list for the lines of the agent that a user-agent line names; None where that is nobody asked about."""
    if value == b"*" or value[:2] in (b"* ", b"*\t"):
        return common
    token = _TOKEN.match(value)
    number = wanted.get(token[0].lower()) if token else None
    return None if number is None else own.setdefault(number, [])


def _joined(groups: dict[int, list[_Said]]) -> tuple[Line, ...]:
    """Lines by number, one that holds for several agents once; ``groups``: by the bits of the agents."""
    masks: dict[int, int] = {}
    by_number: dict[int, _Said] = {}
    for mask, lines in groups.items():
        for line in lines if mask else ():
            masks[line[0]] = masks.get(line[0], 0) | mask
            by_number[line[0]] = line
    found = []
    for number in sorted(by_number):
        _, allow, pattern, raw = by_number[number]
        shown = raw.strip()[:MAX_TEXT].decode("utf-8", "replace")
        found.append(Line(masks[number], allow, number, normal_pattern(pattern), shown))
    return tuple(found)


def _field(raw: bytes) -> tuple[bytes, bytes]:
    """Name (in small letters) and value of a line; empty where it has none."""
    line = raw.partition(b"#")[0].strip()
    name, colon, value = line.partition(b":")
    if not colon:
        words = line.split(None, 1)
        if len(words) != 2:
            return b"", b""
        name, value = words
    return name.strip().lower(), value.strip()


def parse_reservations(data: bytes) -> Parsed:
    """Reservations of a tdmrep.json: a list of ``{"location": PATTERN, "tdm-reservation": 0 or 1}``.

    Patterns are matched as those of robots.txt; of those that match the first in the list decides (TDMRep, "The most
    specific match is the first in sequence").
    """
    text, notes = _text(data)
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return Parsed((), (*notes, "no_text"))
    lines = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        location = entry.get("location") if isinstance(entry, dict) else None
        if isinstance(location, str) and location.startswith(("/", "*")) and "tdm-reservation" in entry:
            shown = json.dumps(entry, ensure_ascii=False)[:MAX_TEXT].encode("utf-8", "replace").decode()
            value = entry["tdm-reservation"]
            reserved = (value.strip().lower() if isinstance(value, str) else value) in (1, "1", "true")
            pattern = normal_pattern(location.encode("utf-8", "replace"))
            lines.append(Line(~0, not reserved, number, pattern, shown))
    return Parsed(tuple(lines), notes)


def _text(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """UTF-8 without its mark, at most `MAX_BYTES`, and whether it was cut."""
    notes: tuple[str, ...] = ()
    if len(data) > MAX_BYTES:
        notes = ("cut",)
        end = max(data.rfind(b"\n", 0, MAX_BYTES), data.rfind(b"\r", 0, MAX_BYTES))
        data = data[: end if end > 0 else MAX_BYTES]
    for mark, charset in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(charset, "replace").encode("utf-8", "replace"), notes
    return data.removeprefix(codecs.BOM_UTF8), notes


def normal_path(path: bytes) -> bytes:
    """Path and query of an address in the form in which they are compared: ``*`` and ``$`` in it are plain octets."""
    return path if _KNOWN.fullmatch(path) else _escaped(path, frozenset())


def normal_pattern(pattern: bytes) -> bytes:
    """A pattern in that form; its ``*``, and a ``$`` at its end, stay."""
    if _KNOWN_PATTERN.fullmatch(pattern):
        return pattern
    end = b"$" if pattern.endswith(b"$") else b""
    return _escaped(pattern[: len(pattern) - len(end)], frozenset(b"*")) + end


def _escaped(text: bytes, special: frozenset[int]) -> bytes:
    path, mark, query = text.partition(b"?")
    return _ODD.sub(_octet(_UNRESERVED, special), path) + mark + _ODD.sub(_octet(_IN_QUERY, special), query)


def _octet(plain: frozenset[int], special: frozenset[int]) -> Callable[[re.Match[bytes]], bytes]:
    def octet(match: re.Match[bytes]) -> bytes:
        found = match[0]
        if len(found) == 3:
            code = int(found[1:], 16)
            return bytes((code,)) if code in plain else found.upper()
        return found if found[0] in special else b"%%%02X" % found[0]

    return octet


class Matcher:
    """Finds the one of some lines that decides about a path: the longest that matches, or (``ordered``) the first."""

    def __init__(self, lines: Sequence[Line], ordered: bool = False) -> None:
        self.lines = lines
        """The lines in their order."""
        self.exact: dict[bytes, tuple[int, bool, int]] = {}
        self.prefixes: dict[bytes, tuple[int, bool, int]] = {}
        self.starred: list[tuple[tuple[int, bool, int], list[bytes], bool]] = []
        for number, line in enumerate(lines):
            pattern = line.pattern
            rank = (len(lines) - number if ordered else len(pattern), line.allow, -number)
            anchored = pattern.endswith(b"$")
            body = pattern[:-1] if anchored else pattern.rstrip(b"*")
            if b"*" in body:
                self.starred.append((rank, body.split(b"*"), anchored))
            else:
                table = self.exact if anchored else self.prefixes
                table[body] = max(rank, table.get(body, rank))
        self.starred.sort(key=lambda entry: entry[0], reverse=True)
        self.lengths = sorted({len(prefix) for prefix in self.prefixes})

    def find(self, path: bytes) -> int:
        """Index of the line that decides about a path in normal form; -1 where none matches: it is allowed."""
        best: Any = self.exact.get(path, (-1, False, 1))
        for count in self.lengths:
            if count > len(path):
                break
            rank = self.prefixes.get(path[:count])
            if rank is not None and rank > best:
                best = rank
        for rank, pieces, anchored in self.starred:
            if rank <= best:
                break
            if _runs_through(path, pieces, anchored):
                best = rank
                break
        return -int(best[2])

    def disallows(self, path: bytes) -> bool:
        """Whether a path in normal form is disallowed."""
        found = self.find(path)
        return found >= 0 and not self.lines[found].allow and path != b"/robots.txt"


def _runs_through(path: bytes, pieces: Sequence[bytes], anchored: bool) -> bool:
    """Whether a path holds the pieces of a pattern in their order, the first at its beginning."""
    if not path.startswith(pieces[0]):
        return False
    at, last = len(pieces[0]), len(pieces) - 1
    for number in range(1, last if anchored else last + 1):
        at = path.find(pieces[number], at)
        if at < 0:
            return False
        at += len(pieces[number])
    return not anchored or (path.endswith(pieces[last]) and len(path) - len(pieces[last]) >= at)
