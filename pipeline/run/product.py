"""A product of every split as a run knows it: the addresses of its files, and the facts of their reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import overload

from pipeline.store import manifest
from pipeline.store.address import Rows
from pipeline.store.facts import Facts


class Addresses(Sequence[str]):
    """Addresses of a file a split, made when they are looked at: a folder and a name of each."""

    def __init__(self, folders: Sequence[str], names: Sequence[str], suffix: str = ".parquet") -> None:
        self._folders, self._names, self._suffix = folders, names, suffix

    def __len__(self) -> int:
        return len(self._folders)

    def __iter__(self) -> Iterator[str]:
        if len(self._folders) != len(self._names):
            raise ValueError(f"{len(self._folders)} folders of {len(self._names)} names")
        return map("".join, zip(self._folders, repeat("/"), self._names, repeat(self._suffix), strict=False))

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [*Addresses(self._folders[index], self._names[index], self._suffix)]
        return f"{self._folders[index]}/{self._names[index]}{self._suffix}"

    def folders(self) -> set[str]:
        return {*self._folders}


@dataclass
class Product:
    """A product of every split: addresses, and the facts of each file's report, in the order of the splits."""

    addresses: Sequence[str]
    facts: Facts = field(default_factory=Facts)
    _manifest: str = ""

    def manifest(self, name: str) -> str:
        """Address of the manifest of these files, of the product of that name."""
        if not self._manifest:
            self._manifest = manifest.address_of(name, self.addresses)
        return self._manifest


Numbers = Sequence[int]
"""Splits by their numbers, in order."""


def files_of(products: dict[str, Product], names: Iterable[str]) -> Rows:
    """Addresses of each split's files of those products that there are, by name."""
    return Rows({name: products[name].addresses for name in names if name in products})
