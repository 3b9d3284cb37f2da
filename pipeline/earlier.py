"""Earlier crawls that a new one is deduplicated against: finished mixtures of the same root (`clusters.earlier`).

Their stored signatures are compared with the new ones; of their text only the pages are read that meet a candidate,
and where their `documents` are gone, signatures decide in its place. Only pages that the earlier mixture kept take
part. What both mixtures read (the same split) counts as new.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline import snapshot as snapshots
from pipeline.errors import UserError
from pipeline.storage import Store

PRODUCTS = ("documents", "signatures", "language", "quality", "kept")


def splits(store: Store, names: Iterable[str], own: Iterable[str]) -> list[dict[str, Any]]:
    """The fields of a `stages.clusters.ClusterInput` for every split of the named mixtures.

    Args:
        own: ids of the new mixture's splits; earlier ones of the same id are left out.

    Raises:
        UserError: a mixture is not there, not finished, or has no signatures.
    """
    seen = set(own)
    found: list[dict[str, Any]] = []
    for name in names:
        snapshot = snapshots.load(store, name)
        if not snapshot.complete:
            raise UserError(f"clusters.earlier: mixture {name} is not finished; run it to its end first")
        if "signatures" not in snapshot.data["products"]:
            raise UserError(f"clusters.earlier: mixture {name} was not deduplicated, so it has no signatures")
        products = (snapshot.product(product) for product in PRODUCTS)
        for split, *entries in zip(snapshot.splits(), *products, strict=True):
            if split["id"] in seen:
                continue
            seen.add(split["id"])
            files = {product: entry.address for product, entry in zip(PRODUCTS, entries, strict=True)}
            decided = files.pop("kept")
            counts = {key: entries[0].report[key] for key in ("rows", "text_bytes")}
            name_ = f"earlier-{name}-{split['id']}"
            found.append({"name": name_, "source": split["source"], **files, **counts, "decided": decided})
            if not store.exists(files["documents"]):
                found[-1]["documents"] = None
    return found
