"""Earlier crawls that a new one is deduplicated against: finished mixtures of any root (`clusters.earlier`).

Their stored signatures are compared with the new ones. Of a mixture of this root the text is read of pages that meet
a candidate; where its `documents` are gone, and of another root always, signatures decide in its place. Only pages
that the earlier mixture kept take part. What both mixtures read (the same split) counts as new.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.errors import UserError
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.run import redo_reasons
from pipeline.store.storage import Store
from stages.seal import DamagedFile

PRODUCTS = (*graph.BY_NAME["families"].inputs, "kept")


def splits(
    store: Store, entries: Iterable[str], own: Iterable[str], known: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The fields of a `stages.clusters.ClusterInput` for every split of earlier mixtures, and its ``root``, if another.

    Args:
        entries: names of mixtures, or their snapshots as ROOT/mixtures/NAME.json.
        own: ids of the new mixture's splits; earlier ones of the same id are left out.
        known: what decides the new mixture's signatures, source by source.

    Raises:
        UserError: a mixture is not there, not finished, or has no signatures, or none that can be compared with those.
    """
    seen = set(own)
    found: list[dict[str, Any]] = []
    for entry in entries:
        found += _splits(store, entry, seen, known)
    return found


def check(store: Store, entries: Iterable[str], known: list[dict[str, Any]]) -> None:
    """Look at earlier mixtures before any work is done; arguments and errors are those of `splits`."""
    for entry in entries:
        try:
            snapshot = _finished(store, entry)
            kinds = {file.address.rpartition("/")[0] for file in snapshot.product("signatures")}
            for kind in sorted(kinds):
                _check(snapshot, entry, kind, known)
        except DamagedFile as damage:
            raise _damaged(entry, damage) from damage


def _damaged(entry: str, damage: DamagedFile) -> UserError:
    """This run does not make such a file, and may not remove it."""
    return UserError(f"clusters.earlier: mixture {entry}: {damage.address} is damaged: {damage.what}")


def _splits(store: Store, entry: str, seen: set[str], known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The splits of one mixture; ``seen`` are the ids that are left out, and grows."""
    found: list[dict[str, Any]] = []
    try:
        snapshot = _finished(store, entry)
        root = snapshot.store.root if snapshots.elsewhere(entry) else None
        kinds: set[str] = set()
        products = (snapshot.product(product) for product in PRODUCTS)
        for split, *files in zip(snapshot.splits(), *products, strict=True):
            if split["id"] in seen:
                continue
            seen.add(split["id"])
            addresses: dict[str, Any] = {name: file.address for name, file in zip(PRODUCTS, files, strict=True)}
            decided = addresses.pop("kept")
            kinds.add(addresses["signatures"].rpartition("/")[0])
            counts = {key: files[0].report[key] for key in ("rows", "text_bytes")}
            name = f"earlier-{snapshot.name}-{split['id']}"
            found.append({"name": name, "source": split["source"], **addresses, **counts, "decided": decided})
            found[-1]["root"] = root
            if root is not None or not store.exists(addresses["documents"]):
                found[-1]["documents"] = None
        for kind in sorted(kinds):
            _check(snapshot, entry, kind, known)
    except DamagedFile as damage:
        raise _damaged(entry, damage) from damage
    return found


def _finished(store: Store, entry: str) -> Snapshot:
    try:
        snapshot = snapshots.find(store, entry)
    except UserError as error:
        raise UserError(f"clusters.earlier: {error}") from error
    if not snapshot.complete:
        raise UserError(f"clusters.earlier: mixture {entry} is not finished; run it to its end first")
    if "signatures" not in snapshot.data["products"]:
        raise UserError(f"clusters.earlier: mixture {entry} was not deduplicated, so it has no signatures")
    return snapshot


def _check(snapshot: Snapshot, entry: str, kind: str, known: list[dict[str, Any]]) -> None:
    """Refuse signatures that were made in another way than every one of ``known``."""
    address = f"{kind}/about.json"
    if not snapshot.store.exists(address):
        raise UserError(f"clusters.earlier: mixture {entry}: {snapshot.store.uri(address)} is not there")
    about = snapshot.store.read_json(address)
    kept = ("version", "params", "identity")
    for own in known:
        changes = redo_reasons.differences({key: about[key] for key in kept}, {key: own[key] for key in kept})
        if changes:
            raise UserError(
                f"clusters.earlier: mixture {entry} has signatures that cannot be compared with these:"
                f" {', '.join(changes)}; sign its pages again, or set the parameters as they were"
            )
