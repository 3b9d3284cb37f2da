"""`dedup-report`: what deduplication did to a mixture, read from its files."""

from __future__ import annotations

from pipeline.errors import UserError
from pipeline.recipe import duplicates_text, graph
from pipeline.store import snapshot as snapshots
from pipeline.store.storage import Store


def text(store: Store, name: str | None, largest: int) -> str:
    """The report as text, with the ``largest`` clusters explained.

    Raises:
        UserError: when the mixture was not deduplicated (yet).
    """
    snapshot = snapshots.load(store, name)
    folder = snapshot.data.get("clusters")
    if not folder or not store.exists(f"{folder}/summary.json"):
        raise UserError(f"mixture {snapshot.name} has no clusters: deduplication is off, or its run is not so far")
    splits = []
    read = graph.BY_NAME["clusters"].inputs
    for split, *files in zip(snapshot.splits(), *(snapshot.product(product) for product in read), strict=True):
        addresses = {product: entry.address for product, entry in zip(read, files, strict=True)}
        documents = files[0].report
        counts = {"rows": documents["rows"], "text_bytes": documents["text_bytes"]}
        splits.append({"name": split["id"], "source": split["source"], **addresses, **counts})
    return duplicates_text(store, folder, splits, largest)
