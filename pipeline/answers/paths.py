"""`path`: the files of a product of a mixture by its name, for tools that read Parquet, Arrow or JSON."""

from __future__ import annotations

from pipeline.errors import UserError
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.mistakes import nearest
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store


def paths_of(store: Store, name: str | None, product: str) -> list[str]:
    """Paths or URIs of a product's files, in the order of the splits; of `shards` and `corpus` those of the shards.

    Raises:
        UserError: no such product, or it is not there yet.
    """
    snapshot = snapshots.load(store, name)
    found = [store.uri(address) for address in addresses(snapshot, product)]
    if not found:
        raise UserError(f"mixture {snapshot.name} has no {product} (yet); `gristmill status` shows how far it is")
    return found


def addresses(snapshot: Snapshot, product: str) -> list[str]:
    """Addresses of a product's files under the root, as `paths_of` orders them; none where there are none yet."""
    if product not in graph.BY_NAME:
        raise UserError(f"no product {product!r}{nearest(product, list(graph.BY_NAME))}")
    if product == "sources":
        return [snapshot.data["sources"]] if snapshot.data.get("sources") else []
    if product == "report":
        return [f"runs/{snapshot.name}/report.html"] if snapshot.complete else []
    if product in ("shards", "corpus"):
        shards = snapshot.data.get("shards") or {}
        manifests = list(shards.values()) if product == "shards" else list(snapshot.corpora().values())
        return [file for manifest in manifests for file in shard_files(snapshot.store, manifest)]
    if product in snapshot.data["products"]:
        return [entry.address for entry in snapshot.product(product)]
    address = snapshot.data.get(product)
    return [address] if isinstance(address, str) else []


def shard_files(store: Store, manifest: str) -> list[str]:
    """The shards of a manifest; those of other folders by their own place."""
    folder = manifest.rpartition("/")[0]
    found = []
    for entry in store.read_json(manifest)["shards"]:
        parts: list[str] = []
        for part in f"{folder}/{entry['path']}".split("/"):
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        found.append("/".join(parts))
    return found
