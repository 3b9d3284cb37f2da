"""Addresses: where a product's file lives, made only of what decides its bytes.

fingerprint of a stage = hash(name, version, its own parameters, its identity, fingerprints of the stages before it).
Never the whole configuration, never host, worker count or executor: so an edit redoes exactly what depends on it,
and going back to old parameters finds the old files.

Where a stage reads a global product (`kept` reads `clusters`, `tokens` reads `kept`), the address holds the digest of
the rows it reads instead of that stage's fingerprint: equal rows give equal addresses, so a new input
file that touches no old page redoes nothing of the old pages (`docs/decisions/early-cutoff.md`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from json.encoder import encode_basestring as _quoted
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.contract import Split


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_list)
"""Made once: `json.dumps` makes one a call, half its time on a value as short as a split."""


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8; any sequence counts as a list."""
    if value.__class__ is str:  # what the encoder does, without its preparations
        return _quoted(value).encode()
    if value.__class__ is list and len(value) < FEW and all(member.__class__ is str for member in value):
        return f"[{','.join(map(_quoted, value))}]".encode()
    return _CANONICAL.encode(value).encode()


FEW = 8
AT_ONCE = 4096
"""Members of a long list that are encoded together: the JSON of all addresses of a dump is a hundred megabytes."""


def digest(value: Any, digits: int = 16) -> str:
    """Hex digits of SHA-256 over the canonical JSON of ``value``."""
    if not _has_long(value):
        return hashlib.sha256(canonical(value)).hexdigest()[:digits]
    total = hashlib.sha256()
    for part in _parts(value):
        total.update(part)
    return total.hexdigest()[:digits]


def _parts(value: Any) -> Iterator[bytes]:
    """The canonical JSON of a value, in pieces where it is a long sequence or holds one."""
    if not _has_long(value):
        yield canonical(value)
        return
    mark = b"["
    if _is_long(value):
        for start in range(0, len(value), AT_ONCE):
            yield mark + canonical(list(value[start : start + AT_ONCE]))[1:-1]
            mark = b","
    else:
        for member in value:
            yield mark
            yield from _parts(member)
            mark = b","
    yield b"]"


def _has_long(value: Any) -> bool:
    return _is_long(value) or (isinstance(value, (list, tuple)) and any(map(_is_long, value)))


def _is_long(value: Any) -> bool:
    return value.__class__ not in _PLAIN and isinstance(value, Sequence) and len(value) > AT_ONCE


_PLAIN = {str, int, float, bool, dict, type(None)}


FORMAT = 2
"""Raised when the files of every product get other bytes: 2 is since they carry their seals (`stages.seal`)."""


@dataclass(frozen=True)
class Fingerprint:
    """What decides a stage's output, and the short name of it."""

    stage: str
    version: int
    params: dict[str, Any]
    identity: dict[str, Any]
    upstream: tuple[str, ...] = ()

    def about(self) -> dict[str, Any]:
        """The content of ``about.json`` beside the product, from which `plan` tells what changed."""
        return {
            "stage": self.stage,
            "version": self.version,
            "format": FORMAT,
            "params": self.params,
            "identity": self.identity,
            "upstream": list(self.upstream),
        }

    @cached_property
    def hex(self) -> str:
        return digest(self.about())

    @property
    def folder(self) -> str:
        return f"{self.stage}/{self.hex}"


def split_id(split: Split) -> str:
    """Name of a split's files: its content's identity, wherever it lies (the absolute URI plays no part)."""
    texts = (_quoted(text) for text in (split.source, split.file, split.unit, split.etag))
    source, file, unit, etag = texts  # `canonical` would take three times as long
    listed = f"[{source},{file},{split.start},{split.end},{unit},{split.size},{etag}]"
    return hashlib.sha256(listed.encode()).hexdigest()[:16]
