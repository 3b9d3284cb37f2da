"""The results of a mixture under a root: the snapshot of its last run, and the manifests it names.

``runs/current.json`` names the mixture run last and holds the snapshot so far; ``mixtures/NAME.json`` is
the snapshot of a finished run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RunError, UserError
from pipeline.recipe import phases
from pipeline.store import facts, manifest
from pipeline.store.manifest import Entry
from pipeline.store.storage import Store

VERSION = 1
PREVIOUS = "runs/previous"
"""Snapshots of mixtures as they were before the last run that changed them."""
FAILURE = "runs/failure.json"
"""Last messages of a run that failed; gone once another one starts."""
ELSEWHERE = r"(?P<root>.+)/mixtures/(?P<name>[^/?]+)\.json(?P<query>\?.*)?"
"""A finished mixture of another root, by path or URI."""


class OtherVersion(UserError):
    """A root whose snapshots this program cannot read."""


@dataclass(frozen=True)
class Snapshot:
    """The products of one mixture: where its files are, and their reports."""

    store: Store
    name: str
    data: dict[str, Any]
    complete: bool

    def product(self, name: str) -> Iterator[Entry]:
        """The files of a product, one a split, in order; none when the product is not there (yet).

        Raises:
            RunError: the mixture is finished, and the manifest is gone.
        """
        address = self.manifest_of(name)
        if address is not None:
            yield from manifest.read(self.store, address)

    def addresses(self, name: str) -> list[str]:
        """Addresses of the files of a product, one a split, in order."""
        address = self.manifest_of(name)
        if address is None:
            return []
        return facts.read(self.store, address, ["address"]).column("address")

    def entry(self, name: str, split: int) -> Entry | None:
        """The file of one split, by its number."""
        address = self.manifest_of(name)
        if address is None:
            return None
        return manifest.nth(self.store, address, split)

    def check_there(self) -> None:
        """Refuse a finished mixture whose manifests are not all there: else what is left would pass for all there is.

        Raises:
            RunError: naming the first that is missing.
        """
        places = [*self.data["products"].values(), *self.corpora().values()] if self.complete else []
        for address in places:
            if not self.store.exists(address):
                raise self._gone(address)

    def manifest_of(self, name: str) -> str | None:
        """Address of the manifest of a product; None where it is not there (yet).

        Raises:
            RunError: the mixture is finished, and the manifest is gone.
        """
        address: str | None = self.data["products"].get(name)
        if address is None or self.store.exists(address):
            return address
        if self.complete:
            raise self._gone(address)
        return None

    def _gone(self, address: str) -> RunError:
        message = f"{self.store.uri(address)} is missing: mixture {self.name} is not whole"
        return RunError(f"{message}; its next run makes it again")

    def splits(self) -> list[dict[str, Any]]:
        return list(self.store.read_json(self.data["sources"]))

    def corpora(self) -> dict[str, str]:
        """Addresses of the corpus manifests by phase of training, in their order; of the one corpus under ''."""
        if "corpora" in self.data:
            return {phase: self.data["corpora"][phase] for phase in self.data["phases"]}
        return {"": self.data["corpus"]} if self.data.get("corpus") else {}

    def corpus(self) -> dict[str, Any] | None:
        """The corpus manifest, or None before it is there; phases of training are added up (`phases.whole`)."""
        found = self.corpora()
        if not found or not all(self.store.exists(address) for address in found.values()):
            return None
        manifests = {phase: self.store.read_json(address) for phase, address in found.items()}
        if "" in manifests:
            return dict(manifests[""])
        held = {name: self.store.read_json(address)["tokens"] for name, address in self.data["shards"].items()}
        return phases.whole(self.name, manifests, held)


def elsewhere(entry: str) -> tuple[str, str] | None:
    """Root and name of a mixture given as `ELSEWHERE`; None of one given by its name."""
    other = re.fullmatch(ELSEWHERE, entry)
    return (other["root"] + (other["query"] or ""), other["name"]) if other else None


def find(store: Store, entry: str) -> Snapshot:
    """A mixture by name, or by the path of its snapshot in another root (`ELSEWHERE`).

    Raises:
        UserError: as `load`.
    """
    other = elsewhere(entry)
    return load(Store(other[0]), other[1]) if other else load(store, entry)


def load(store: Store, name: str | None = None) -> Snapshot:
    """The snapshot of a mixture, or of the one run last.

    Raises:
        UserError: when the root holds no run, no such mixture, or one of another version.
    """
    current = store.read_json("runs/current.json") if store.exists("runs/current.json") else None
    if name is None or (current and current["mixture"] == name and not store.exists(f"mixtures/{name}.json")):
        if current is None:
            raise UserError(f"{store.root} holds no run; start one with: gristmill run MIXTURE --root {store.root}")
        name = str(current["mixture"])
        if not current.get("complete"):
            begun = {"version": VERSION, "name": name, "products": {}}
            return checked(store, Snapshot(store, name, current.get("snapshot", begun), False))
    address = f"mixtures/{name}.json"
    if not store.exists(address):
        raise UserError(
            f"{store.root} holds no finished mixture {name!r}; it holds: {', '.join(names(store)) or 'none'}"
        )
    return checked(store, Snapshot(store, name, store.read_json(address), True))


def keep(store: Store, name: str, data: dict[str, Any]) -> None:
    """Write the snapshot of a finished mixture; the one before, where it is another, is kept for `previous`."""
    address = f"mixtures/{name}.json"
    before = store.read_json(address) if store.exists(address) else data
    if before != data:
        store.write_json(f"{PREVIOUS}/{name}.json", before)
    store.write_json(address, data)


def previous(store: Store, name: str) -> Snapshot:
    """A mixture as it was before its last run that changed anything.

    Raises:
        UserError: there is nothing before it, or its files are gone.
    """
    address = f"{PREVIOUS}/{name}.json"
    if not store.exists(address):
        raise UserError(f"{store.root}: mixture {name!r} has not changed since its first run")
    found = checked(store, Snapshot(store, name, store.read_json(address), True))
    if not all(store.exists(place) for place in found.data["products"].values()):
        raise UserError(f"{store.root}: files of mixture {name!r} before its last run are gone; `prune` removes them")
    return found


def names(store: Store) -> list[str]:
    """The finished mixtures of a root."""
    return [found.removeprefix("mixtures/").removesuffix(".json") for found, _ in store.list("mixtures")]


def checked(store: Store, snapshot: Snapshot) -> Snapshot:
    version = snapshot.data.get("version")
    if version != VERSION:
        raise OtherVersion(
            f"{snapshot.name} in {store.root} was written by another version (format {version}, this program knows"
            f" {VERSION}): ask the program that wrote it, or run the mixture again with this one"
        )
    return snapshot
