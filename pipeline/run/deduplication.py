"""The steps of a run from what is measured to who is a duplicate: families once, then who stays among eligible pages.

What `eligible` finds decides what `clusters` decides, by the digests of its rows: an edit that moves no page into or
out of it redoes neither `clusters` nor what follows. Where domains name percentiles, those rank the pages that pass
every rule whatever their domain, duplicates left out; so who stays is decided once for the ranking, then for all else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from pipeline.recipe import Recipe, exchanges, graph
from pipeline.recipe import snapshot as snapshots
from pipeline.run import earlier, redo_reasons
from pipeline.run.exchanging import exchange, exchanged
from pipeline.run.keeping import named
from pipeline.run.kept_inputs import bucket_waves
from pipeline.run.pages import taken_down
from pipeline.run.product import Addresses, Product, files_of
from pipeline.run.steps import UNCHANGED, Step, Steps
from pipeline.store import manifest
from pipeline.store.address import Fingerprint, digest, digest_of_list, digests, encoded, encoded_lists
from pipeline.store.facts import Facts
from pipeline.store.storage import Store
from stages.contract import Each, Task, Tasks, Wave


@dataclass(frozen=True)
class Families:
    """The product `families`: where it lies, and what it was made of, own splits first."""

    folder: str
    inputs: Sequence[Any]


def check_earlier(recipe: Recipe, store: Store) -> None:
    """Raises UserError: earlier mixtures are not there, or cannot be compared with; before any page is measured."""
    if recipe.families() is not None:
        earlier.check(store, recipe.section("clusters").earlier, _signed(recipe))


def _signed(recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters that decide the signatures, source by source."""
    return [recipe.fingerprint("signatures", source).about() for source in sorted(recipe.sources)]


def find_families(recipe: Recipe, steps: Steps, measured: dict[str, Product]) -> Families | None:
    """The product `families`, where pages are deduplicated."""
    fingerprint = recipe.families()
    if fingerprint is None:
        return None
    every = files_of(measured, graph.BY_NAME["families"].inputs)
    facts = measured["documents"].facts
    sizes = {key: facts.numbers(key).tolist() for key in ("rows", "text_bytes")}
    own = exchanges.cluster_inputs(recipe, steps.ids, [split.source for split in steps.splits], every, sizes)
    entries = recipe.section("clusters").earlier
    known = _signed(recipe)
    others = earlier.splits(steps.store, entries, steps.ids, known)
    if entries:
        steps.snapshot["earlier"] = [(snapshots.elsewhere(entry) or (None, entry))[1] for entry in entries]
        if not steps.dry:
            steps.store.write_json(f"runs/earlier/{recipe.name}.json", list(entries))
    # not where another root lies, but what it holds, is part of the address
    foreign = [{**entry, "root": entry["root"] is not None} for entry in others]
    folder = f"{fingerprint.folder}-{digest_of_list(chain(own.encoded(), encoded(foreign)))}"
    inputs: Sequence[Any] = Each(lambda index: exchanges.cluster_input(own[index]), len(own))
    inputs = joined(inputs, [exchanges.earlier_input(recipe, entry) for entry in others])
    made = exchanges.family_files(sum(sizes["rows"]) + sum(entry["rows"] for entry in others), folder)
    steps.foreign = {value for entry in others for value in entry.values() if isinstance(value, str)}
    steps.snapshot["families"] = made
    missing = steps.missing(made)
    reason = steps.why_whole("families", fingerprint, bool(missing), stood=False)
    steps.planned.append(Step("families", 1, 1 if missing else 0, reason))
    if missing:
        inputs = list(inputs)
        steps.run_waves("clusters", exchanges.family_waves(recipe, inputs, folder))
    if not steps.dry:
        steps.store.remove(f"{folder}/work")  # of an interrupted run; `learnt` stays
    steps.about([fingerprint])
    return Families(folder, inputs)


def joined(first: Sequence[Any], second: Sequence[Any]) -> Sequence[Any]:
    """Two sequences as one, whose members stay where they are."""
    return Each(
        lambda index: first[index] if index < len(first) else second[index - len(first)], len(first) + len(second)
    )


def eligible_tasks(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
    inputs: Sequence[dict[str, Any]],
    fingerprints: dict[str, Fingerprint],
    more: dict[str, Any],
    removed: dict[int, list[str]],
) -> tuple[Sequence[str], Callable[[int], Task]]:
    """The addresses of `eligible`, and the task of a split by its number.

    ``more``: the domains, and of percentiles that they name the address and its mark in names of files.
    """
    finding = graph.BY_NAME["eligible"]
    matched = exchanged(steps, measured, graph.RULED)
    edges = more.pop("ranked", "")
    folders = {source: fingerprint.folder for source, fingerprint in fingerprints.items()}
    params = {source: recipe.eligible_params(source) for source in recipe.sources}
    costs = measured["documents"].facts.column("text_bytes")
    addresses = steps.addresses(folders, named(steps, matched, removed, edges))

    def make(index: int) -> Task:
        split, address = steps.splits[index], addresses[index]
        args = {**inputs[index], "params": params[split.source], "output": address, **more}
        args |= {"remove": removed[index]} if removed.get(index) else {}
        return Task(finding.task, args, (address,), split.label, costs[index], finding.memory)

    return addresses, make


def cluster(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
    inputs: Sequence[dict[str, Any]],
    edges: Any,
    families: Families | None,
) -> dict[str, Product]:
    """The products `eligible` and `clusters`, where pages are deduplicated."""
    fingerprint = recipe.clusters()
    if fingerprint is None or families is None:
        return {}
    fingerprint_of = partial(recipe.fingerprint, "eligible")
    fingerprints = {source: fingerprint_of(source) for source in recipe.sources}
    more: dict[str, Any] = {"domains": recipe.eligible_domains}
    if edges:
        more |= {"edges": steps.snapshot["buckets"], "ranked": f"-{digest(edges)}"}
    addresses, make = eligible_tasks(
        recipe, steps, measured, inputs, fingerprints, more, taken_down(steps, measured, alone=True)
    )
    eligible = Product(addresses)
    steps.map_product("eligible", eligible, make, measured["documents"].facts.column("text_bytes"), fingerprint_of)
    digests = eligible.facts.each("digest")
    folder = f"{fingerprint.folder}-{digest([families.folder, digests])}"
    names = steps.ids

    def plan() -> list[Wave]:
        return exchanges.cluster_waves(recipe, list(families.inputs), eligible.addresses, families.folder, folder)

    def check(summary: dict[str, Any]) -> None:
        for warning in exchanges.check_clusters(recipe, summary):
            steps.reporter.say(warning)

    return {"eligible": eligible, "clusters": exchange(steps, "clusters", fingerprint, folder, names, plan, check)}


def ranked_clusters(
    recipe: Recipe, steps: Steps, measured: dict[str, Product], inputs: Sequence[dict[str, Any]], families: Families
) -> Product:
    """`clusters` as decided among the pages that pass every rule whatever their domain: those percentiles rank."""
    fingerprints = {source: recipe.ranked(source) for source in recipe.sources}
    addresses, make = eligible_tasks(recipe, steps, measured, inputs, fingerprints, {"domains": None}, {})
    if steps.missing(addresses):
        plan_kept(recipe, steps, "the pages that percentiles rank are not known")
        costs = measured["documents"].facts.column("text_bytes")
        steps.run_waves("eligible: percentiles", [Wave("eligible: percentiles", Tasks(make, addresses, costs))])
    steps.about(fingerprints.values())
    decided = recipe.clusters()
    assert decided is not None
    digests = [facts["digest"] for facts in steps.reports(addresses)]
    folder = f"{decided.folder}-{digest([families.folder, digests])}"
    product = Product(Addresses([folder] * len(steps.ids), steps.ids))
    if steps.missing([*product.addresses, f"{folder}/summary.json"]):
        plan_kept(recipe, steps, "the pages that percentiles rank are not known")
        steps.run_waves(
            "clusters", exchanges.cluster_waves(recipe, families.inputs, addresses, families.folder, folder)
        )
    product.facts = Facts.of(map(manifest.facts, steps.reports(product.addresses)))
    steps.snapshot["ranked"] = [*addresses, *product.addresses, f"{folder}/summary.json"]
    return product


def plan_kept(recipe: Recipe, steps: Steps, why: str) -> None:
    """Plan a step for `kept`, which what comes next is for."""
    if steps.dry:
        fingerprints = partial(recipe.fingerprint, "kept")
        reasons = {steps.why_changed("kept", fingerprints(source)) for source in recipe.sources}
        reasons_text = redo_reasons.joined(reasons - {UNCHANGED}) or why
        steps.planned.append(Step("kept", len(steps.splits), len(steps.splits), reasons_text, exact=False))


def edges_of(
    recipe: Recipe,
    steps: Steps,
    measured: dict[str, Product],
    inputs: Sequence[dict[str, Any]],
    families: Families | None,
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
    every = files_of(ranked, graph.DECIDING)
    entries = [
        {**entry, "files": files, "params": params[split.source]}
        for entry, files, split in zip(inputs, every, steps.splits, strict=True)
    ]
    none = [None] * len(every)
    made = (every.columns.get(name, none) for name in maps)
    decides = digests(encoded_lists(*made, matched, (rules[split.source] for split in steps.splits)))
    found = bucket_waves(recipe, entries, decides, [split.label for split in steps.splits])
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
