"""Steps of a run that decide: what rules look at, what stands several times inside pages, and which pages stay."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.recipe import Recipe, graph
from pipeline.run.kept_inputs import robots_tables, url_files
from pipeline.run.pages import taken_down
from pipeline.run.steps import Product, Steps, exchange, exchanged, files_of
from pipeline.store.address import digest, split_id
from stages.contract import Task


def rule_inputs(recipe: Recipe, steps: Steps, measured: dict[str, Product]) -> list[dict[str, Any]]:
    """Of each split what rules look at but for duplicates: files, compiled lists of addresses and robots.txt."""
    about = steps.store, steps.reporter.say, steps.dry
    compiled = {"urls": url_files(recipe, *about), "robots": robots_tables(recipe, *about)}
    return [
        {"files": files, **{name: places[split.source] for name, places in compiled.items() if split.source in places}}
        for files, split in zip(files_of(steps, measured, graph.RULED), steps.splits, strict=True)
    ]


def keep(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
    inputs: list[dict[str, Any]],
    edges: Any,
    step: str = "kept",
) -> Product:
    """``inputs``: what `eligible` decides by, for each split; ``edges``: of the percentiles that domains name."""
    keeping = graph.BY_NAME["kept"]
    product = Product([])
    tasks = []
    domains = list(recipe.plain_domains.values())
    removed = taken_down(steps, measured)
    matched = exchanged(steps, measured, graph.DECIDING)
    print_of = partial(recipe.fingerprint, "kept")
    ranked = f"-{digest(edges)}" if edges else ""
    for index, (files, split) in enumerate(zip(files_of(steps, measured, graph.DECIDING), steps.splits, strict=True)):
        gone = removed.get(index)
        suffix = matched[index] + (f"-{digest(gone)}" if gone else "") + ranked
        address = f"{print_of(split.source).folder}/{split_id(split)}{suffix}.parquet"
        product.addresses.append(address)
        params = recipe.map_params("kept", split.source)
        args = {**inputs[index], "files": files, "params": params, "output": address, "domains": domains}
        args |= {"remove": gone} if gone else {}
        args |= {"edges": steps.snapshot["buckets"]} if edges else {}
        cost = measured["documents"].facts[index]["text_bytes"]
        tasks.append(Task(keeping.task, args, (address,), f"{split.source}/{split.file}", cost, keeping.memory))
    steps.map_product("kept", product, tasks, print_of, step)
    if steps.planned[-1].to_do and not steps.dry:
        stay, pages = (sum(facts[count] for facts in product.facts) for count in ("kept", "rows"))
        steps.reporter.say(f"{step}: {stay:,} of {pages:,} pages")
    return product


def repeated(recipe: Recipe, steps: Steps, measured: dict[str, Product], taking_part: Product) -> dict[str, Product]:
    """The product `repeats`, where it is asked for; ``taking_part``: `kept` without what it measures."""
    print_ = recipe.repeats()
    if print_ is None:
        return {}
    files = files_of(steps, {**measured, "kept": taking_part}, (*graph.BY_NAME["repeats"].inputs, "kept"))
    facts = measured["documents"].facts
    inputs = [
        recipe.repeats_input(split, split_id(split), *rest)
        for split, *rest in zip(steps.splits, files, facts, strict=True)
    ]
    # which pages take part decides, not the rules that say so
    content = [
        {**vars(entry), "decided": told["kept_rows"]} for entry, told in zip(inputs, taking_part.facts, strict=True)
    ]
    folder = f"{print_.folder}-{digest(content)}"
    names = [entry.name for entry in inputs]
    plan = partial(recipe.repeats_waves, inputs, folder)
    return {"repeats": exchange(steps, "repeats", print_, folder, names, plan)}
