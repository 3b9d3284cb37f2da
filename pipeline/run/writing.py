"""Steps of a run that write what is read: the survey of the report, token ids, shards of domains, the corpus."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipeline.errors import RunError
from pipeline.recipe import Recipe, dump, exchanges, graph, mixing
from pipeline.run.exchanging import exchanged
from pipeline.run.product import Product, files_of
from pipeline.run.steps import UNCHANGED, Step, Steps
from pipeline.store.address import digest, digests, encoded_lists
from stages.contract import Each, Task, Wave
from stages.reports import ShardManifest
from stages.shard_format import files_of as shard_files_of


def survey(recipe: Recipe, steps: Steps, measured: dict[str, Product], kept: Product) -> None:
    """Distributions, hosts and samples for the report."""
    files = files_of({**measured, "kept": kept}, graph.BY_NAME["survey"].inputs)
    labels = Each(lambda index: steps.splits[index].label, len(steps.splits))
    address, outputs, phases = exchanges.surveyed(files, kept.addresses, labels)
    steps.snapshot["survey"] = address
    sizes = f"{address.rpartition('/')[0]}/sizes.json"
    missing = steps.unsound(sizes, [*outputs, address])
    if address not in missing and not steps.store.whole(address):
        missing |= steps.lacking({address: 0}, {address: 1})
    to_do = len(missing - {address}) or 1 if missing else 0
    steps.planned.append(Step("survey", len(outputs), to_do, "what it describes changed" if missing else UNCHANGED))
    if missing and not steps.dry:  # nothing else waits for it: a plan looks on
        steps.run_waves("survey", phases())
    if not steps.dry or not missing:
        steps.keep_sizes(sizes, [*outputs, address])
    steps.tidy(address.rpartition("/")[0], address, sizes)


def tokenize(recipe: Recipe, steps: Steps, measured: dict[str, Product], kept: Product) -> Product:
    fingerprint_of = partial(recipe.fingerprint, "tokens")
    tokens = graph.BY_NAME["tokens"]
    files = files_of({**measured, "kept": kept}, tokens.inputs)
    suffixes = exchanged(steps, measured, ["clusters"])
    chosen = digests(encoded_lists(kept.facts.each("selection_digest"), suffixes))
    names = list(map("{}-{}".format, steps.ids, chosen))
    folders = {source: fingerprint_of(source).folder for source in recipe.sources}
    product = Product(steps.addresses(folders, names, ".arrow"))
    costs = measured["documents"].facts.column("text_bytes")
    params = dump(recipe.section("tokens"))
    model = {source: fingerprint_of(source).identity["tokenizer"]["sha256"] for source in recipe.sources}

    def make(index: int) -> Task:
        split, address = steps.splits[index], product.addresses[index]
        args = {"files": files[index], "output": address, "params": params, "tokenizer": model[split.source]}
        return Task(tokens.task, args, (address,), split.label, costs[index], tokens.memory)

    steps.map_product("tokens", product, make, costs, fingerprint_of)
    return product


@dataclass
class Solved:
    """Tokens of each domain that the corpus takes.

    Attributes:
        available: tokens of each domain: counted, and once there are shards of it, those for training.
        documents: documents of each domain.
        tokenizer: the identity of the tokenizer.
        mixture: the solved mixture.
        phases: the solved phases of training, where the mixture has any.
        held: tokens for training in the shards of each domain that stood before this run.
    """

    available: dict[str, int]
    documents: dict[str, int]
    tokenizer: dict[str, Any]
    mixture: Any
    phases: list[Any] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)


def solve(recipe: Recipe, steps: Steps, tokens: Product) -> Solved:
    """The mixture by the counts of `tokens`, held-out ones included."""
    available = dict.fromkeys(recipe.domains, 0)
    documents: dict[str, int] = {}
    for groups in tokens.facts.stream("groups"):
        for group in groups:
            available[group["domain"]] += group["tokens"]
            documents[group["domain"]] = documents.get(group["domain"], 0) + group["documents"]
    holder = tokens.addresses[int(tokens.facts.numbers("rows").nonzero()[0][0])]
    tokenizer = steps.report(holder)["tokenizer"]
    mixture = mixing.solve(recipe, available, tokenizer)
    return Solved(available, documents, tokenizer, mixture, mixing.solve_phases(recipe, available, tokenizer))


def write_shards(recipe: Recipe, steps: Steps, tokens: Product, solved: Solved) -> dict[str, str]:
    """Token shards of every domain the mixture takes anything of; the addresses of their manifests."""
    fingerprint = recipe.shards()
    seed = recipe.section("tokens").seed
    manifests: dict[str, str] = {}
    lacking: dict[str, str] = {}
    wanted = sorted(domain for domain, target in solved.mixture.targets.items() if target)
    for name, contents in tokens.facts.values("domain_digests", wanted):
        folder = f"{fingerprint.folder}/{name}-{digest([solved.tokenizer, seed, sorted(contents)])}"
        manifests[name] = f"{folder}/manifest.json"
        standing = holds(steps, manifests[name])
        if standing is not None:
            solved.held[name] = standing["tokens"]
        else:
            lacking[name] = folder
    holding = held_by(tokens, lacking)
    plans = [
        exchanges.shard_waves(recipe, name, holding.pop(name), folder, solved.tokenizer)
        for name, folder in lacking.items()
    ]
    stood = all(map(steps.store.exists, manifests.values()))
    reason = steps.why_whole("shards", fingerprint, bool(plans), stood)
    steps.planned.append(Step("shards", len(manifests), len(plans), reason))
    steps.snapshot["shards"] = manifests
    steps.run_waves("shards", side_by_side(plans))
    steps.about([fingerprint])
    return manifests


def held_by(tokens: Product, domains: Collection[str]) -> dict[str, list[tuple[str, int, int]]]:
    """The files of `tokens` that hold any of each of some domains: address, documents, tokens."""
    found: dict[str, list[tuple[str, int, int]]] = {name: [] for name in domains}
    for address, groups in zip(tokens.addresses, tokens.facts.stream("groups") if domains else (), strict=False):
        for group in groups:
            if group["domain"] in found:
                found[group["domain"]].append((address, group["documents"], group["tokens"]))
    return found


def holds(steps: Steps, address: str) -> ShardManifest | None:
    """The manifest of a folder of shards that holds all it states, None of another; what does not belong there is
    removed."""
    folder = address.rpartition("/")[0]
    listed = dict(steps.store.list(folder))
    if address not in listed:
        return None
    manifest: ShardManifest = steps.store.read_json(address)
    expected = shard_files_of(folder, manifest)
    inside = {file: size for file, size in expected.items() if file.startswith(f"{folder}/")}
    if steps.lacking(listed, inside):
        return None
    steps.tidy(folder, address, list(inside))
    return manifest


def write_corpus(recipe: Recipe, steps: Steps, domains: dict[str, str], solved: Solved) -> Solved:
    """Solve the mixture again from what the shards hold for training, and write it, phase by phase."""
    fresh = {name: address for name, address in domains.items() if name not in solved.held}
    held = solved.held | {name: steps.store.read_json(address)["tokens"] for name, address in fresh.items()}
    if any(solved.available[name] != tokens for name, tokens in held.items()):
        solved.available |= held
        solved.mixture = mixing.solve(recipe, solved.available, solved.tokenizer)
        solved.phases = mixing.solve_phases(recipe, solved.available, solved.tokenizer)
    phases = solved.phases
    for remark in mixing.taken_nothing_of(recipe, solved.mixture):
        steps.reporter.say(remark)
    late = {name for name, target in solved.mixture.targets.items() if target} - {*domains}
    for name in sorted(late):
        raise RunError(f"domain {name!r}: its share rounds to no token, and to one once others are held out: raise it")
    fingerprint = recipe.corpus(solved.mixture, phases)
    folder = f"{fingerprint.folder}-{digest(sorted(domains.items()))}"
    corpora = exchanges.corpora(recipe, solved.mixture, phases, domains, folder, solved.tokenizer)
    steps.snapshot["corpus"] = list(corpora)[-1]
    if phases:
        steps.snapshot["phases"] = [phase.name for phase in phases]
        steps.snapshot["corpora"] = {phase.name: place for phase, place in zip(phases, corpora, strict=True)}
    missing = [work for place, work in corpora.items() if holds(steps, place) is None]
    stood = all(map(steps.store.exists, corpora))
    reason = steps.why_whole("corpus", fingerprint, bool(missing), stood)
    steps.planned.append(Step("corpus", len(corpora), len(missing), reason))
    if missing:
        steps.run_waves("corpus", side_by_side(missing))
    steps.about([fingerprint])
    return solved


def side_by_side(plans: list[list[Wave]]) -> list[Wave]:
    """Plans that do not depend on each other as one: the first phases together, then the second ones, and so on.

    They are lined up at their ends, so that each plan's last phase (its manifest) comes when all else is done.
    """
    depth = max((len(plan) for plan in plans), default=0)
    merged = []
    for back in range(depth, 0, -1):
        together = [plan[-back] for plan in plans if len(plan) >= back]
        tasks = tuple(task for phase in together for task in phase.tasks)
        discard = tuple(prefix for phase in together for prefix in phase.discard)
        merged.append(Wave(together[0].name, tasks, discard))
    return merged
