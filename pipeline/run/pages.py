"""Single pages in the middle of a run: the key indices of its pages and shards, and the pages that are taken down."""

from __future__ import annotations

from pipeline.recipe.lineage import parents_of
from pipeline.run import takedown
from pipeline.run.product import Product
from pipeline.run.steps import Steps
from pipeline.store.key_index import KeyIndex, index_name


def page_index(steps: Steps, documents: Product) -> KeyIndex:
    """The key index of all pages, for take-downs, `why` and their like."""

    def files() -> list[tuple[str, int]]:
        return list(zip(documents.addresses, documents.facts.column("rows"), strict=True))

    name = index_name(documents.manifest("documents"))
    return KeyIndex(steps.store, name, files, urls=True, say=steps.reporter.say, keep=not steps.dry)


def make_indices(steps: Steps, indices: list[KeyIndex]) -> None:
    """Make what is not there of key indices. They lie under ``runs/``: no product, and nothing to plan."""
    missing = [] if steps.dry else [index for index in indices if not index.ready()]
    steps.run("index", [task for index in missing for task in index.tasks()], lambda result: None)
    for index in missing:
        index.close()


def taken_down(steps: Steps, measured: dict[str, Product], alone: bool = False) -> dict[int, list[str]]:
    """Pages of the root's take-down list, by split.

    Args:
        alone: only those that are to go without their copies: the others hold their copies down, so they take part
            in the choice of who stays, and `kept` drops them and the page that stays in their place.
    """
    entries = [entry for entry in takedown.load(steps.store) if not (alone and entry["copies"])]
    if not entries:
        return {}
    files = measured["documents"].addresses
    index = page_index(steps, measured["documents"])
    make_indices(steps, [index])
    clustered = measured.get("clusters")
    parents = parents_of([split.source for split in steps.splits], steps.snapshot.get("transforms", {}))
    return takedown.resolve(steps.store, entries, index, files, clustered.addresses if clustered else None, parents)
