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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, repeat
from json.encoder import encode_basestring as _quoted
from operator import attrgetter
from typing import TYPE_CHECKING, Any, overload

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
    return _digest_of(_parts(value), digits)


def digest_of_list(members: Iterable[str]) -> str:
    """`digest` of a list, its members given as their canonical JSON."""
    return _digest_of(_listed(members), 16)


def digests(values: Iterable[str], digits: int = 16) -> list[str]:
    """`digest` of each of some values, given as their canonical JSON: several times faster where there are many."""
    sha256 = hashlib.sha256
    return [sha256(value.encode()).hexdigest()[:digits] for value in values]


def _digest_of(parts: Iterable[bytes], digits: int) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:digits]


def _parts(value: Any) -> Iterator[bytes]:
    """The canonical JSON of a value, in pieces where it is a long sequence or holds one."""
    if not _has_long(value):
        yield canonical(value)
        return
    if _is_long(value):
        yield from _listed(value.encoded() if isinstance(value, Rows) else encoded(value))
        return
    mark = b"["
    for member in value:
        yield mark
        yield from _parts(member)
        mark = b","
    yield b"]"


def _listed(members: Iterable[str]) -> Iterator[bytes]:
    """The canonical JSON of a list in pieces, by that of its members."""
    rest = iter(members)
    yield b"["
    mark = ""
    while part := ",".join(islice(rest, AT_ONCE)):
        yield f"{mark}{part}".encode()
        mark = ","
    yield b"]"


def _has_long(value: Any) -> bool:
    return _is_long(value) or (isinstance(value, (list, tuple)) and any(map(_is_long, value)))


def _is_long(value: Any) -> bool:
    return value.__class__ not in _PLAIN and isinstance(value, Sequence) and len(value) > AT_ONCE


_PLAIN = {str, int, float, bool, dict, type(None)}


class Rows(Sequence[dict[str, Any]]):
    """Dicts of the same keys, kept as columns and made when they are looked at; `digest` takes them column by column.

    Args:
        columns: by key, a value a row; one at least.
        same: by key, what is alike in all rows.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], **same: Any) -> None:
        self.columns, self.same = columns, same
        [self._count] = {len(column) for column in columns.values()}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names, same = tuple(self.columns), self.same
        return ({**dict(zip(names, row, strict=True)), **same} for row in zip(*self.columns.values(), strict=True))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [*Rows({name: column[index] for name, column in self.columns.items()}, **self.same)]
        return {**{name: column[index] for name, column in self.columns.items()}, **self.same}

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def encoded(self) -> Iterator[str]:
        """The canonical JSON of each row."""
        parts: list[Iterable[str]] = []
        text = "{"
        for name in sorted({*self.columns, *self.same}):
            text += f"{_quoted(name)}:"
            if name in self.columns:
                parts += [repeat(text), encoded(self.columns[name])]
                text = ""
            else:
                text += canonical(self.same[name]).decode()
            text += ","
        return map("".join, zip(*parts, repeat(f"{text[:-1]}}}"), strict=False))


def encoded(values: Iterable[Any]) -> Iterator[str]:
    """The canonical JSON of each of some values; those of one plain type are encoded together."""
    rest = iter(values)
    return chain.from_iterable(map(_encoded, iter(lambda: list(islice(rest, AT_ONCE)), [])))


def _encoded(values: list[Any]) -> Iterable[str]:
    kinds = {*map(type, values)}
    if kinds == {str}:
        return map(_quoted, values)
    return map(str, values) if kinds == {int} else (canonical(value).decode() for value in values)


def encoded_lists(*columns: Iterable[Any]) -> Iterator[str]:
    """The canonical JSON of lists, of which each column has a member."""
    return map("[{}]".format, map(",".join, zip(*map(encoded, columns), strict=True)))


FORMAT = 2
"""Raised when the files of every product get other bytes: 2 is since they carry their seals (`stages.seal`)."""


@dataclass(frozen=True)
class Fingerprint:
    """The name, version, parameters and identity that decide a stage's output, and a short name for them."""

    stage: str
    version: int
    params: dict[str, Any]
    identity: dict[str, Any]
    upstream: tuple[str, ...] = ()

    def about(self) -> dict[str, Any]:
        """The content of ``about.json`` beside the product, by which `plan` names what changed."""
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
    return split_ids([split])[0]


def split_ids(splits: Sequence[Split]) -> list[str]:
    """`split_id` of each."""
    return digests(encoded_lists(*(map(attrgetter(name), splits) for name in IDENTITY)))


IDENTITY = ("source", "file", "start", "end", "unit", "size", "etag")
"""The fields of a split that make its identity."""
