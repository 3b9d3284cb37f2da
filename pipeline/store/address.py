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
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.contract import Split


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
"""Made once: `json.dumps` makes one a call, half its time on a value as short as a split."""


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8."""
    return _CANONICAL.encode(value).encode()


def digest(value: Any, digits: int = 16) -> str:
    """Hex digits of SHA-256 over the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value)).hexdigest()[:digits]


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
    return digest([split.source, split.file, split.start, split.end, split.unit, split.size, split.etag])
