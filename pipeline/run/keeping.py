"""Steps of a run that decide: what rules look at, what stands several times inside pages, and which pages stay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pipeline.recipe import Recipe, exchanges, graph
from pipeline.run.exchanging import exchange, exchanged
from pipeline.run.kept_inputs import robots_tables, url_files
from pipeline.run.pages import taken_down
from pipeline.run.product import Product, files_of
from pipeline.run.steps import Steps
from pipeline.store.address import digest
from stages.contract import Each, Task


def rule_inputs(recipe: Recipe, steps: Steps, measured: dict[str, Product]) -> Sequence[dict[str, Any]]:
    """Inputs of the rules for each split but for duplicates: files, compiled lists of addresses and robots.txt."""
    about = steps.store, steps.reporter.say, steps.dry
    compiled = {"urls": url_files(recipe, *about), "robots": robots_tables(recipe, *about)}
    more = {
        source: {name: places[source] for name, places in compiled.items() if source in places}
        for source in recipe.sources
    }
    files = files_of(measured, graph.RULED)
    return Each(lambda index: {"files": files[index], **more[steps.splits[index].source]}, len(steps.splits))


def named(steps: Steps, matched: Sequence[str], removed: dict[int, list[str]], ranked: str) -> Sequence[str]:
    """Names of files that hold what is decided of a split: its id, and the digests of all else that decides."""
    if not ranked and not removed and not any(matched):
        return steps.ids
    gone = {index: f"-{digest(pages)}" for index, pages in removed.items() if pages}
    return [
        f"{name}{decided_by}{gone.get(index, '')}{ranked}"
        for index, (name, decided_by) in enumerate(zip(steps.ids, matched, strict=True))
    ]


def keep(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
    inputs: Sequence[dict[str, Any]],
    edges: Any,
    step: str = "kept",
) -> Product:
    """``inputs``: what `eligible` decides by, for each split; ``edges``: of the percentiles that domains name."""
    keeping = graph.BY_NAME["kept"]
    domains = list(recipe.plain_domains.values())
    removed = taken_down(steps, measured)
    matched = exchanged(steps, measured, graph.DECIDING)
    fingerprint_of = partial(recipe.fingerprint, "kept")
    ranked = f"-{digest(edges)}" if edges else ""
    folders = {source: fingerprint_of(source).folder for source in recipe.sources}
    params = {source: recipe.map_params("kept", source) for source in recipe.sources}
    product = Product(steps.addresses(folders, named(steps, matched, removed, ranked)))
    files = files_of(measured, graph.DECIDING)
    costs = measured["documents"].facts.column("text_bytes")

    def make(index: int) -> Task:
        split, address = steps.splits[index], product.addresses[index]
        args = {**inputs[index], "files": files[index], "params": params[split.source], "output": address}
        args |= {"domains": domains}
        args |= {"remove": removed[index]} if removed.get(index) else {}
        args |= {"edges": steps.snapshot["buckets"]} if edges else {}
        return Task(keeping.task, args, (address,), split.label, costs[index], keeping.memory)

    steps.map_product("kept", product, make, costs, fingerprint_of, step)
    if steps.planned[-1].to_do and not steps.dry:
        stay, pages = (int(product.facts.numbers(count).sum()) for count in ("kept", "rows"))
        steps.reporter.say(f"{step}: {stay:,} of {pages:,} pages")
    return product


def repeated(recipe: Recipe, steps: Steps, measured: dict[str, Product], taking_part: Product) -> dict[str, Product]:
    """The product `repeats`, where it is asked for; ``taking_part``: `kept` without what it measures."""
    fingerprint = recipe.repeats()
    if fingerprint is None:
        return {}
    files = files_of({**measured, "kept": taking_part}, (*graph.BY_NAME["repeats"].inputs, "kept"))
    facts = measured["documents"].facts
    decided = taking_part.facts.column("kept_rows")
    inputs = [
        exchanges.repeats_input(recipe, split, name, *rest)
        for split, name, *rest in zip(steps.splits, steps.ids, files, facts, strict=True)
    ]
    # the pages that take part decide, not the rules behind them
    content = [{**vars(entry), "decided": rows} for entry, rows in zip(inputs, decided, strict=True)]
    folder = f"{fingerprint.folder}-{digest(content)}"
    names = [entry.name for entry in inputs]
    plan = partial(exchanges.repeats_waves, recipe, inputs, folder)
    return {"repeats": exchange(steps, "repeats", fingerprint, folder, names, plan)}
