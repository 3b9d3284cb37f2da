"""The steps of a run from what is measured to who is a duplicate: families once, then who stays among eligible pages.

What `eligible` finds decides what `clusters` decides, by the digests of its rows: an edit that moves no page into or
out of it redoes neither `clusters` nor what follows. Where domains name percentiles, those rank the pages that pass
every rule whatever their domain, duplicates left out; so who stays is decided once for the ranking, then for all else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from pipeline.recipe import Recipe, graph
from pipeline.recipe import snapshot as snapshots
from pipeline.run import earlier
from pipeline.run.kept_inputs import bucket_waves
from pipeline.run.pages import taken_down
from pipeline.run.steps import UNCHANGED, Product, Step, Steps, exchange, exchanged, files_of
from pipeline.store.address import Fingerprint, digest, split_id
from stages.contract import Task, Wave


@dataclass(frozen=True)
class Families:
    """The product `families`: where it lies, and what it was made of, own splits first."""

    folder: str
    inputs: list[Any]


def find_families(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
) -> Families | None:
    """The product `families`, where pages are deduplicated."""
    print_ = recipe.families()
    if print_ is None:
        return None
    inputs = []
    for index, split in enumerate(steps.splits):
        files = {name: product.addresses[index] for name, product in measured.items()}
        report = measured["documents"].facts[index]
        inputs.append(recipe.cluster_input(split, split_id(split), files, report))
    entries = recipe.section("clusters").earlier
    known = [recipe.fingerprint("signatures", source).about() for source in sorted(recipe.sources)]
    others = earlier.splits(steps.store, entries, [entry.name for entry in inputs], known)
    if entries:
        steps.snapshot["earlier"] = [(snapshots.elsewhere(entry) or (None, entry))[1] for entry in entries]
        if not steps.dry:
            steps.store.write_json(f"runs/earlier/{recipe.name}.json", list(entries))
    # not where another root lies, but what it holds, is part of the address
    content = [*map(asdict, inputs), *({**entry, "root": entry["root"] is not None} for entry in others)]
    folder = f"{print_.folder}-{digest(content)}"
    inputs += [recipe.earlier_input(entry) for entry in others]
    waves = recipe.family_waves(inputs, folder)
    steps.foreign = {value for entry in others for value in entry.values() if isinstance(value, str)}
    made = sorted(address for wave in waves[-2:] for task in wave.tasks for address in task.outputs)
    steps.snapshot["families"] = made
    missing = steps.missing(made)
    reason = steps.why_whole("families", print_, bool(missing), stood=False)
    steps.planned.append(Step("families", 1, 1 if missing else 0, reason))
    if missing:
        steps.run_waves("clusters", waves)
    if not steps.dry:
        steps.store.remove(f"{folder}/work")  # of an interrupted run; `learnt` stays
    steps.about([print_])
    return Families(folder, inputs)


def eligible_tasks(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
    inputs: list[dict[str, Any]],
    prints: dict[str, Fingerprint],
    more: dict[str, Any],
    removed: dict[int, list[str]],
) -> list[Task]:
    """``more``: the domains, and of percentiles that they name the address and how names of files tell them."""
    tasks = []
    finding = graph.BY_NAME["eligible"]
    matched = exchanged(steps, measured, graph.RULED)
    edges = more.pop("ranked", "")
    for index, split in enumerate(steps.splits):
        gone = removed.get(index)
        suffix = matched[index] + (f"-{digest(gone)}" if gone else "") + edges
        address = f"{prints[split.source].folder}/{split_id(split)}{suffix}.parquet"
        args = {**inputs[index], "params": recipe.eligible_params(split.source), "output": address, **more}
        args |= {"remove": gone} if gone else {}
        cost = measured["documents"].facts[index]["text_bytes"]
        label = f"{split.source}/{split.file}"
        tasks.append(Task(finding.task, args, (address,), label, cost, finding.memory))
    return tasks


def cluster(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
    inputs: list[dict[str, Any]],
    edges: Any,
    families: Families | None,
) -> dict[str, Product]:
    """The products `eligible` and `clusters`, where pages are deduplicated."""
    print_ = recipe.clusters()
    if print_ is None or families is None:
        return {}
    print_of = partial(recipe.fingerprint, "eligible")
    prints = {source: print_of(source) for source in recipe.sources}
    more: dict[str, Any] = {"domains": recipe.eligible_domains}
    if edges:
        more |= {"edges": steps.snapshot["buckets"], "ranked": f"-{digest(edges)}"}
    tasks = eligible_tasks(recipe, steps, measured, inputs, prints, more, taken_down(steps, measured, alone=True))
    eligible = Product([task.outputs[0] for task in tasks])
    steps.map_product("eligible", eligible, tasks, print_of)
    digests = [facts["digest"] for facts in eligible.facts]
    folder = f"{print_.folder}-{digest([families.folder, digests])}"
    names = [entry.name for entry in families.inputs[: len(steps.splits)]]
    plan = partial(recipe.cluster_waves, families.inputs, eligible.addresses, families.folder, folder)

    def check(summary: dict[str, Any]) -> None:
        for warning in recipe.check_clusters(summary):
            steps.reporter.say(warning)

    return {"eligible": eligible, "clusters": exchange(steps, "clusters", print_, folder, names, plan, check)}


def ranked_clusters(
    recipe: Recipe, steps: Steps, measured: dict[str, Product], inputs: list[dict[str, Any]], families: Families
) -> Product:
    """`clusters` as decided among the pages that pass every rule whatever their domain: those percentiles rank."""
    prints = {source: recipe.ranked(source) for source in recipe.sources}
    tasks = eligible_tasks(recipe, steps, measured, inputs, prints, {"domains": None}, {})
    addresses = [task.outputs[0] for task in tasks]
    if steps.missing(addresses):
        plan_kept(recipe, steps, "the pages that percentiles rank are not known")
        steps.run_waves("eligible: percentiles", [Wave("eligible: percentiles", tuple(tasks))])
    steps.about(prints.values())
    decided = recipe.clusters()
    assert decided is not None
    digests = [facts["digest"] for facts in steps.reports(addresses)]
    folder = f"{decided.folder}-{digest([families.folder, digests])}"
    product = Product([f"{folder}/{entry.name}.parquet" for entry in families.inputs[: len(steps.splits)]])
    if steps.missing([*product.addresses, f"{folder}/summary.json"]):
        plan_kept(recipe, steps, "the pages that percentiles rank are not known")
        steps.run_waves("clusters", recipe.cluster_waves(families.inputs, addresses, families.folder, folder))
    product.facts = list(steps.reports(product.addresses))
    steps.snapshot["ranked"] = [*addresses, *product.addresses, f"{folder}/summary.json"]
    return product


def plan_kept(
    recipe: Recipe,
    steps: Steps,
    why: str,
) -> None:
    """In a plan: a step for `kept`, which what comes next is for."""
    if steps.dry:
        prints = partial(recipe.fingerprint, "kept")
        reasons = {steps.why_changed("kept", prints(source)) for source in recipe.sources}
        told = "; ".join(sorted(reasons - {UNCHANGED})) or why
        steps.planned.append(Step("kept", len(steps.splits), len(steps.splits), told, exact=False))


def edges_of(
    recipe: Recipe, steps: Steps, measured: dict[str, Product], inputs: list[dict[str, Any]], families: Families | None
) -> dict[str, Any] | None:
    """The values at the percentiles that domains name, over all splits; None where none does."""
    if not recipe.percentiles():
        return None
    ranked = dict(measured)
    if families is not None:
        ranked["clusters"] = ranked_clusters(recipe, steps, measured, inputs, families)
    rules = {source: digest(recipe.kept_rules(source)) for source in recipe.sources}
    params = {source: recipe.map_params("kept", source) for source in recipe.sources}
    maps = [name for name in graph.RULED if graph.BY_NAME[name].shape == "map"]
    matched = exchanged(steps, ranked, graph.DECIDING)
    entries, decides = [], []
    for index, (files, split) in enumerate(zip(files_of(steps, ranked, graph.DECIDING), steps.splits, strict=True)):
        entries.append({**inputs[index], "files": files, "params": params[split.source]})
        decides.append(digest([*(files.get(name) for name in maps), matched[index], rules[split.source]]))
    found = bucket_waves(recipe, entries, decides)
    if found is None:
        return None
    steps.snapshot["buckets"], waves = found
    outputs = [address for wave in waves for task in wave.tasks for address in task.outputs]
    sizes = steps.snapshot["buckets"].removesuffix(".json") + ".sizes.json"
    if steps.unsound(sizes, outputs):
        plan_kept(recipe, steps, "the percentiles that domains name are not known")
        steps.run_waves("kept: percentiles", waves)
    steps.keep_sizes(sizes, outputs)
    edges: dict[str, Any] = steps.store.read_json(steps.snapshot["buckets"])
    return edges
