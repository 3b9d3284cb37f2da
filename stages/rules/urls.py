"""URL lists: which of a set of named lists a page's address falls under, with allow-lists that overrule them.

Lists come as people have them (`read_list`): UT1-style folders (a folder a category, with ``domains`` and ``urls``),
hosts files (``0.0.0.0 name``), one domain a line, substrings of addresses. A domain covers its subdomains; an address
in a ``urls`` list covers what lies below it; comparison is in lower case. Everything is compiled once
(`compile_lists`) and matched a column at a time (`UrlLists.match`), at more than a million addresses a second and
core.

Method: hash tables over host suffixes and address prefixes, Aho-Corasick over substrings (`stages.kernels.urls`).
Limit: names are compared as the crawl wrote them: punycode is not decoded, percent signs neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.kernels import urls as kernels
from stages.kernels.ragged import text_buffers

Kind = Literal["domains", "urls", "substrings"]
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")
_LOCAL = frozenset(("localhost", "localhost.localdomain", "broadcasthost", "local", "0.0.0.0", "::1"))


@dataclass(frozen=True)
class UrlList:
    """One named list of one kind; ``allow`` ones overrule all others."""

    name: str
    kind: Kind
    entries: tuple[str, ...]
    allow: bool = False


@dataclass(frozen=True)
class UrlLists:
    """Compiled lists. ``names[i]`` is the list whose entries carry the value i."""

    names: tuple[str, ...]
    num_allow: int
    suffixes: tuple[Any, Any]
    prefixes: tuple[Any, Any]
    automaton: tuple[Any, Any]

    def match(self, urls: pa.Array) -> npt.NDArray[np.int64]:
        """For each URL the number of the first blocking list it falls under; -1 if none, or if it is allowed."""
        data, offsets = text_buffers(urls)
        found = kernels.match(data, offsets, self.suffixes, self.prefixes, self.automaton)
        return np.where(found < self.num_allow, -1, found)

    def counts(self, found: npt.NDArray[np.int64]) -> dict[str, int]:
        """How many matched each list."""
        numbers = np.bincount(found[found >= 0], minlength=len(self.names))
        return {name: int(number) for name, number in zip(self.names, numbers, strict=True) if number}


def compile_lists(lists: Sequence[UrlList]) -> UrlLists:
    """Allow-lists get the smallest numbers, so the kernel's smallest match is theirs."""
    ordered = sorted(lists, key=lambda one: not one.allow)
    names = tuple(dict.fromkeys((one.allow, one.name) for one in ordered))
    entries: dict[str, tuple[list[bytes], list[int]]] = {"domains": ([], []), "urls": ([], []), "substrings": ([], [])}
    for one in ordered:
        number = names.index((one.allow, one.name))
        found, values = entries[one.kind]
        for entry in one.entries:
            found.append(_normal(entry, one.kind).encode("utf-8"))
            values.append(number)
    return UrlLists(
        tuple(name for _, name in names),
        sum(allow for allow, _ in names),
        kernels.table(*entries["domains"], from_end=True),
        kernels.table(*entries["urls"], from_end=False),
        kernels.automaton(*entries["substrings"]),
    )


def _normal(entry: str, kind: Kind) -> str:
    entry = entry.strip().lower()
    if kind == "substrings":
        return entry
    entry = _SCHEME.sub("", entry)
    return entry.strip(".") if kind == "domains" else entry.rstrip("/")


def read_list(path: Path, name: str | None = None, *, allow: bool = False) -> list[UrlList]:
    """The lists in a file or UT1-style folder.

    Raises:
        FileNotFoundError: the path is not there.
        ValueError: a folder without ``domains`` or ``urls`` files, or a file without entries.
    """
    if path.is_dir():
        found = [
            UrlList(file.parent.name, kind, tuple(_lines(file)), allow)
            for kind in ("domains", "urls")
            for file in sorted((*path.glob(kind), *path.glob(f"*/{kind}")))
        ]
        if not found:
            raise ValueError(
                f"{path}: a folder of lists has files called `domains` or `urls`, itself or one level down"
            )
        return found
    entries = tuple(_lines(path))
    if not entries:
        raise ValueError(f"{path}: no entry in this list")
    kind: Kind = "urls" if path.name == "urls" else "substrings" if "substring" in path.name else "domains"
    if kind == "domains" and any("/" in _SCHEME.sub("", entry) for entry in entries):
        kind = "urls"
    return [UrlList(name or path.stem, kind, entries, allow)]


def _lines(path: Path) -> list[str]:
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("#", 1)[0].split()
        if len(words) > 1 and re.fullmatch(r"[0-9.:a-f]+", words[0]):  # a hosts file: address, names
            found += [word for word in words[1:] if word not in _LOCAL]
        elif words and words[0] not in _LOCAL:
            found.append(words[0])
    return found


def normalise(url: str, *, drop: Mapping[str, bool] | None = None) -> str:
    """One spelling of an address, to find repeats (RFC 3986, 6.2.2): scheme and host in lower case, no default port,
    no fragment, dot segments resolved, an empty path as ``/``, query kept but for tracking parameters (``drop``)."""
    scheme, mark, rest = url.strip().partition("://")
    if not mark:
        return url.strip()
    scheme = scheme.lower()
    end = min((rest.find(c) for c in "/?#" if c in rest), default=len(rest))
    host, tail = rest[:end].lower(), rest[end:].partition("#")[0]
    host = host.removesuffix(":80" if scheme == "http" else ":443" if scheme == "https" else "\0").rstrip(".")
    path, question, query = tail.partition("?")
    kept = [part for part in query.split("&") if part and not _is_tracking(part.partition("=")[0].lower(), drop)]
    segments: list[str] = []
    for segment in (path or "/").split("/"):
        if segment == ".." and len(segments) > 1:
            segments.pop()
        elif segment not in (".", ".."):
            segments.append(segment)
    if path.endswith(("/.", "/..")):
        segments.append("")
    return f"{scheme}://{host}{'/'.join(segments) or '/'}" + (f"{question}{'&'.join(kept)}" if kept else "")


TRACKING = frozenset(("fbclid", "gclid", "dclid", "msclkid", "yclid", "igshid", "mc_cid", "mc_eid", "_ga", "ref_src"))


def _is_tracking(name: str, drop: Mapping[str, bool] | None) -> bool:
    if drop is not None and name in drop:
        return drop[name]
    return name.startswith("utm_") or name in TRACKING
