"""The steps of products that move rows between splits: all of their files are made, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipeline.recipe import graph
from pipeline.run.product import Addresses, Product
from pipeline.run.steps import Step, Steps
from pipeline.store.address import Fingerprint
from stages.contract import Wave


def exchange(
    steps: Steps,
    name: str,
    fingerprint: Fingerprint,
    folder: str,
    names: Sequence[str],
    plan: Callable[[], list[Wave]],
    check: Callable[[dict[str, Any]], None] = lambda summary: None,
) -> Product:
    """A product that moves rows between splits: a file a split and ``summary.json`` in one folder.

    Args:
        names: of the files, a split each.
        plan: the work, if any of it is missing.
        check: raises where the summary shows that the product must not be used.
    """
    product = Product(Addresses([folder] * len(names), names))
    summary = f"{folder}/summary.json"
    steps.snapshot[name] = folder
    listed = steps.listed(product.addresses, summary)
    missing = steps.standing(name, product, [summary], listed)
    reason = steps.why_whole(name, fingerprint, bool(missing), bool(product.facts))
    steps.planned.append(Step(name, len(names), len(names) if missing else 0, reason))
    if missing:
        del listed
        steps.run_waves(name, plan())
    steps.tidy(folder, product.addresses, summary, listed=None if missing else listed)
    steps.about([fingerprint])
    if not steps.dry:
        check(steps.store.read_json(summary))  # its readers will believe it
    steps.finish(name, product)
    return product


def exchanged(steps: Steps, products: dict[str, Product], names: Iterable[str]) -> Sequence[str]:
    """Digests of each split's rows in those products that are exchanges, as they stand in addresses."""
    matched = [""] * len(steps.splits)
    for product in (products[name] for name in graph.exchanged(names) if name in products):
        matched = [f"{before}-{digest}" for before, digest in zip(matched, product.facts.column("digest"), strict=True)]
    return matched
