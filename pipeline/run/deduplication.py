"""The steps of a run from what is measured to who is a duplicate: families once, then who stays among eligible pages.

What `eligible` finds decides what `clusters` decides, by the digests of its rows: an edit that moves no page into or
out of it redoes neither `clusters` nor what follows. Where domains name percentiles, those rank the pages that pass
every rule whatever their domain, duplicates left out; so who stays is decided once for the ranking, then for all else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from pipeline.engine.scheduler import Scheduler
from pipeline.progress import Reporter
from pipeline.recipe import Recipe, graph
from pipeline.run import earlier, takedown
from pipeline.run.kept_inputs import bucket_phases, url_files
from pipeline.run.steps import UNCHANGED, Maker, Product, Step
from pipeline.store import manifest
from pipeline.store import snapshot as snapshots
from pipeline.store.address import Fingerprint, digest, split_id
from pipeline.store.costs import Costs
from pipeline.store.key_index import KeyIndex, index_name
from pipeline.store.storage import Store
from stages.contract import Phase, Task


@dataclass(frozen=True)
class Families:
    """The product `families`: where it lies, and what it was made of, own splits first."""

    folder: str
    inputs: list[Any]


class Deduplication(Maker):
    """See the module."""

    def __init__(
        self, recipe: Recipe, store: Store, scheduler: Scheduler, reporter: Reporter, costs: Costs, dry: bool = False
    ) -> None:
        super().__init__(recipe, store, scheduler, reporter, costs, dry)
        self.removed: dict[int, list[str]] = {}
        """Pages taken down, by split."""

    def _find_families(self, measured: dict[str, Product]) -> Families | None:
        """The product `families`, where pages are deduplicated."""
        print_ = self.recipe.families()
        if print_ is None:
            return None
        inputs = []
        for index, split in enumerate(self.splits):
            files = {name: product.addresses[index] for name, product in measured.items()}
            report = measured["documents"].facts[index]
            inputs.append(self.recipe.cluster_input(split, split_id(split), files, report))
        entries = self.recipe.section("clusters").earlier
        known = [self.recipe.fingerprint("signatures", source).about() for source in sorted(self.recipe.sources)]
        others = earlier.splits(self.store, entries, [entry.name for entry in inputs], known)
        if entries:
            self.snapshot["earlier"] = [(snapshots.elsewhere(entry) or (None, entry))[1] for entry in entries]
            if not self.dry:
                self.store.write_json(f"runs/earlier/{self.recipe.name}.json", list(entries))
        # not where another root lies, but what it holds, is part of the address
        content = [*map(asdict, inputs), *({**entry, "root": entry["root"] is not None} for entry in others)]
        folder = f"{print_.folder}-{digest(content)}"
        inputs += [self.recipe.earlier_input(entry) for entry in others]
        phases = self.recipe.family_phases(inputs, folder)
        self.foreign = {value for entry in others for value in entry.values() if isinstance(value, str)}
        made = sorted(address for phase in phases[-2:] for task in phase.tasks for address in task.outputs)
        self.snapshot["families"] = made
        missing = self._missing(made)
        reason = self._why_global("families", print_, bool(missing), stood=False)
        self.steps.append(Step("families", 1, 1 if missing else 0, reason))
        if missing:
            self._phases("clusters", phases)
        if not self.dry:
            self.store.remove(f"{folder}/work")  # of an interrupted run; `learnt` stays
        self._about([print_])
        return Families(folder, inputs)

    def _rule_inputs(self, measured: dict[str, Product]) -> list[dict[str, Any]]:
        """Of each split what rules look at but for duplicates: files, and compiled lists of addresses."""
        urls = url_files(self.recipe, self.store, self.reporter.say, self.dry)
        return [
            {"files": files, **({"urls": urls[split.source]} if split.source in urls else {})}
            for files, split in zip(self._files(measured, graph.RULED), self.splits, strict=True)
        ]

    def _files(self, products: dict[str, Product], names: Iterable[str]) -> list[dict[str, str]]:
        """Of each split the addresses of its files of those products that there are, by name."""
        made = [name for name in names if name in products]
        return [{name: products[name].addresses[index] for name in made} for index in range(len(self.splits))]

    def _exchanged(self, products: dict[str, Product], names: Iterable[str]) -> list[str]:
        """Of each split the digests of its rows in those products that are exchanges, as they stand in addresses."""
        matched = [""] * len(self.splits)
        for product in (products[name] for name in graph.exchanged(names) if name in products):
            matched = [f"{told}-{facts['digest']}" for told, facts in zip(matched, product.facts, strict=True)]
        return matched

    def _eligible_tasks(
        self,
        measured: dict[str, Product],
        inputs: list[dict[str, Any]],
        prints: dict[str, Fingerprint],
        more: dict[str, Any],
        removed: dict[int, list[str]],
    ) -> list[Task]:
        """``more``: the domains, and the edges of the percentiles they name."""
        tasks = []
        finding = graph.BY_NAME["eligible"]
        matched = self._exchanged(measured, graph.RULED)
        edges = f"-{digest(more['edges'])}" if more.get("edges") else ""
        for index, split in enumerate(self.splits):
            gone = removed.get(index)
            suffix = matched[index] + (f"-{digest(gone)}" if gone else "") + edges
            address = f"{prints[split.source].folder}/{split_id(split)}{suffix}.parquet"
            args = {**inputs[index], "params": self.recipe.eligible_params(split.source), "output": address, **more}
            args |= {"remove": gone} if gone else {}
            cost = measured["documents"].facts[index]["text_bytes"]
            label = f"{split.source}/{split.file}"
            tasks.append(Task(finding.task, args, (address,), label, cost, finding.memory))
        return tasks

    def _cluster(
        self, measured: dict[str, Product], inputs: list[dict[str, Any]], edges: Any, families: Families | None
    ) -> dict[str, Product]:
        """The products `eligible` and `clusters`, where pages are deduplicated."""
        print_ = self.recipe.clusters()
        if print_ is None or families is None:
            return {}
        print_of = partial(self.recipe.fingerprint, "eligible")
        prints = {source: print_of(source) for source in self.recipe.sources}
        more = {"domains": self.recipe.eligible_domains(), **({"edges": edges} if edges else {})}
        tasks = self._eligible_tasks(measured, inputs, prints, more, self._taken_down(measured, alone=True))
        eligible = Product([task.outputs[0] for task in tasks])
        self._map("eligible", eligible, tasks, print_of)
        digests = [facts["digest"] for facts in eligible.facts]
        folder = f"{print_.folder}-{digest([families.folder, digests])}"
        names = [entry.name for entry in families.inputs[: len(self.splits)]]
        product = Product([f"{folder}/{name}.parquet" for name in names])
        self.snapshot["clusters"] = folder
        summary = f"{folder}/summary.json"
        missing = self._standing("clusters", product, [summary])
        reason = self._why_global("clusters", print_, bool(missing), bool(product.facts))
        self.steps.append(Step("clusters", len(product.addresses), len(product.addresses) if missing else 0, reason))
        if missing:
            phases = self.recipe.cluster_phases(families.inputs, eligible.addresses, families.folder, folder)
            self._phases("clusters", phases)
        self._tidy(folder, {*product.addresses, summary})
        self._about([print_])
        if not self.dry:
            for warning in self.recipe.check_clusters(self.store.read_json(summary)):
                self.reporter.say(warning)
        self._finish("clusters", product, {})
        return {"eligible": eligible, "clusters": product}

    def _edges(
        self, measured: dict[str, Product], inputs: list[dict[str, Any]], families: Families | None
    ) -> dict[str, Any] | None:
        """The values at the percentiles that domains name, over all splits; None where none does."""
        if not self.recipe.percentiles():
            return None
        ranked = dict(measured)
        if families is not None:
            ranked["clusters"] = self._ranked(measured, inputs, families)
        rules = {source: digest(self.recipe.kept_rules(source)) for source in self.recipe.sources}
        params = {source: self.recipe.map_params("kept", source) for source in self.recipe.sources}
        maps = [name for name in graph.RULED if graph.BY_NAME[name].shape == "map"]
        matched = self._exchanged(ranked, graph.DECIDING)
        entries, decides = [], []
        for index, (files, split) in enumerate(zip(self._files(ranked, graph.DECIDING), self.splits, strict=True)):
            entries.append({**inputs[index], "files": files, "params": params[split.source]})
            decides.append(digest([*(files.get(name) for name in maps), matched[index], rules[split.source]]))
        found = bucket_phases(self.recipe, entries, decides)
        if found is None:
            return None
        self.snapshot["buckets"], phases = found
        if self._missing(address for phase in phases for task in phase.tasks for address in task.outputs):
            self._plan_kept("the percentiles that domains name are not known")
            self._phases("kept: percentiles", phases)
        edges: dict[str, Any] = self.store.read_json(self.snapshot["buckets"])
        return edges

    def _ranked(self, measured: dict[str, Product], inputs: list[dict[str, Any]], families: Families) -> Product:
        """`clusters` as decided among the pages that pass every rule whatever their domain: those percentiles rank."""
        prints = {source: self.recipe.ranked(source) for source in self.recipe.sources}
        tasks = self._eligible_tasks(measured, inputs, prints, {"domains": None}, {})
        addresses = [task.outputs[0] for task in tasks]
        if self._missing(addresses):
            self._plan_kept("the pages that percentiles rank are not known")
            self._phases("eligible: percentiles", [Phase("eligible: percentiles", tuple(tasks))])
        decided = self.recipe.clusters()
        assert decided is not None
        digests = [facts["digest"] for facts in self._reports(addresses, {})]
        folder = f"{decided.folder}-{digest([families.folder, digests])}"
        product = Product([f"{folder}/{entry.name}.parquet" for entry in families.inputs[: len(self.splits)]])
        if self._missing([*product.addresses, f"{folder}/summary.json"]):
            self._plan_kept("the pages that percentiles rank are not known")
            self._phases("clusters", self.recipe.cluster_phases(families.inputs, addresses, families.folder, folder))
        product.facts = list(self._reports(product.addresses, {}))
        self.snapshot["ranked"] = [*addresses, *product.addresses, f"{folder}/summary.json"]
        return product

    def _plan_kept(self, why: str) -> None:
        """In a plan: a step for `kept`, which what comes next is for."""
        if self.dry:
            prints = partial(self.recipe.fingerprint, "kept")
            reasons = {self._why_print("kept", prints(source)) for source in self.recipe.sources}
            told = "; ".join(sorted(reasons - {UNCHANGED})) or why
            self.steps.append(Step("kept", len(self.splits), len(self.splits), told, exact=False))

    def _taken_down(self, measured: dict[str, Product], alone: bool = False) -> dict[int, list[str]]:
        """Pages of the root's take-down list, by split.

        Args:
            alone: only those that are to go without their copies: the others hold their copies down, so they take part
                in the choice of who stays, and `kept` drops them and the page that stays in their place.
        """
        entries = [entry for entry in takedown.load(self.store) if not (alone and entry["copies"])]
        if not entries:
            return {}
        files = measured["documents"].addresses
        index = self._page_index(measured["documents"])
        self._index([index])
        clustered = measured.get("clusters")
        return takedown.resolve(self.store, entries, index, files, clustered.addresses if clustered else None)

    def _page_index(self, documents: Product) -> KeyIndex:
        """The key index of all pages, for take-downs, `why` and their like."""
        rows = [facts["rows"] for facts in documents.facts]
        files = list(zip(documents.addresses, rows, strict=True))
        name = index_name(manifest.address_of("documents", documents.addresses))
        return KeyIndex(self.store, name, lambda: files, urls=True, say=self.reporter.say, keep=not self.dry)

    def _index(self, indices: list[KeyIndex]) -> None:
        """Make what is not there of key indices. They lie under ``runs/``: no product, and nothing to plan."""
        missing = [] if self.dry else [index for index in indices if not index.ready()]
        self._run("index", [task for index in missing for task in index.tasks()], lambda result: None)
        for index in missing:
            index.close()
