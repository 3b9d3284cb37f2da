"""`remove`: put pages on the list (`pipeline.run.takedown`), run the mixture, prove that they are gone."""

from __future__ import annotations

from pipeline import recipe as recipes
from pipeline.progress import Reporter
from pipeline.recipe import lineage
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.pages import addresses, index_of
from pipeline.run import driver, takedown
from pipeline.store.key_index import KeyIndex
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store
from stages.figures import listed

SHOWN = 10


def _is_there(index: KeyIndex, entry: takedown.Entry) -> bool:
    """Whether a page may have the address, host or doc_id of an entry."""
    return any(index.find(one["kind"], takedown.sought(one), 1) for one in takedown.spelled([entry]))


def remove(listing: str, mixture: str, store: Store, copies: bool, engine: str, workers: int | None) -> str:
    """Remove the pages of a list from a mixture; returns the outcome as text.

    Raises:
        UserError: the list or the mixture file is wrong.
        RunError: a shard still holds one of the pages.
    """
    entries = takedown.read_list(listing, copies)
    name = recipes.load(mixture, store).name
    with RootLock(store, Reporter().say):
        new = takedown.add(store, entries)
    driver.run(mixture, store, engine, workers, quiet=False)
    snapshot = snapshots.load(store, name)
    index = index_of(snapshot)
    clusters = addresses(snapshot, "clusters") or None
    parents = lineage.parents(snapshot)
    removed = takedown.resolve(store, takedown.load(store), index, addresses(snapshot), clusters, parents)
    address, receipt = takedown.receipt(snapshot, removed)
    missing = [entry["value"] for entry in entries if not _is_there(index, entry)]
    lines = [
        f"{len(entries)} entries, {new} of them new on the list of {store.root}, which every run heeds from now on",
        f"{len(receipt['pages'])} pages taken down; {len(receipt['shards'])} shards searched, none holds any of them",
        f"receipt  {store.uri(address)}",
    ]
    if receipt.get("asked"):
        pages = len({line["doc_id"] for line in receipt["asked"]})
        lines.append(f"{pages} of them are asked not to be used by their services; the receipt cites the lines")
    if receipt.get("derived"):
        lines.insert(2, f"{len(receipt['derived'])} of them are what transforms made of the others")
    if missing:
        lines.append(f"no page of mixture {name}: {listed(missing, SHOWN)}")
    if receipt["superseded"]:
        lines.append(
            f"not searched, so they may hold some: {len(receipt['superseded'])} folders of shards of other runs and"
            " mixtures; run the others that held the pages again, then `gristmill prune` removes these, and the tokens"
            " and reports of before:"
        )
        lines += [f"  {store.uri(folder)}" for folder in receipt["superseded"]]
    return "\n".join(lines) + "\n"
