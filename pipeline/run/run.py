"""A run: from a recipe and a root to the corpus and its report, doing only what is not there yet.

Each step computes the addresses of its product and has what is missing made (`pipeline.run.steps`). A run is a function
of the recipe and the input files: stopping it anywhere and starting it again, or running it twice, ends in the same
bytes. What differs from run to run (costs, locks, logs) lives under ``runs/`` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

from pipeline.engine.scheduler import Done, Scheduler
from pipeline.errors import RunError
from pipeline.progress import Reporter
from pipeline.recipe import Recipe, dump, graph
from pipeline.run.deduplication import Deduplication
from pipeline.run.steps import UNCHANGED, Product, Step, Unknown
from pipeline.store.address import digest, split_id
from pipeline.store.costs import Costs
from pipeline.store.key_index import shard_index
from pipeline.store.storage import Store, encode
from stages.contract import Phase, Split, Task
from stages.shard_format import files_of

MAP_MEMORY = 1536 << 20
UNPLANNED = ("report",)
"""Products that a plan does not count: written when all else is there."""


class Run(Deduplication):
    """One run of a recipe. ``dry`` only plans: it fills ``steps`` and changes nothing."""

    def __init__(
        self, recipe: Recipe, store: Store, scheduler: Scheduler, reporter: Reporter, costs: Costs, dry: bool = False
    ) -> None:
        super().__init__(recipe, store, scheduler, reporter, costs, dry)
        self.blend: Any = None
        self.documents: dict[str, int] = {}
        """The solved mixture, once the tokens are counted."""
        self.phases: list[Any] = []
        """The solved phases of training, where the mixture has any."""
        self.available: dict[str, int] = {}
        """Tokens of each domain: counted, and once there are shards of it, those for training."""
        self.tokenizer: dict[str, Any] = {}
        """The identity of the tokenizer, once a page is tokenized."""
        self.text_bytes: list[int] = []
        """Bytes of text of each split, once it is read."""

    def again(self) -> None:
        super().again()
        self.documents = {}

    def execute(self) -> dict[str, Any]:
        """Make everything, in order; the snapshot of the finished run.

        Raises:
            RunError: when the result cannot be right (conservation, bad input, empty sources, an impossible mixture).
        """
        measured, kept = self.select()
        self._survey(measured, kept)
        self._save()
        tokens = self._tokenize(measured, kept)
        self._save()
        if not any(report["rows"] for report in tokens.facts):
            raise RunError("no page was kept: `gristmill stats` shows why each was dropped")
        self._solve(tokens)  # an impossible mixture is found before anything is written for it
        domains = self._shard(tokens)
        self._corpus(domains)
        corpora = self.snapshot.get("corpora", {"": self.snapshot["corpus"]})
        shards = [shard_index(self.store, place, self.reporter.say) for place in (*domains.values(), *corpora.values())]
        self._index([self._page_index(measured["documents"]), *shards])
        self._save(complete=True)
        return self.snapshot

    def select(self) -> tuple[dict[str, Product], Product]:
        """Everything up to the decision which pages are kept: the measured products, and `kept`."""
        self.splits = self.recipe.list_splits(self.reporter.say)
        self._write_listing()
        self._save()
        measured = self._measure()
        self._check_input(measured["documents"])
        measured |= self._recurring(measured["documents"])
        measured |= self._score(measured["documents"])
        self.text_bytes = [facts["text_bytes"] for facts in measured["documents"].facts]
        whole = self.recipe
        taking_part = None
        try:
            self.recipe = whole.before_repeats() if whole.on("repeats") else whole
            families = self._find_families(measured)
            inputs = self._rule_inputs(measured)
            edges = self._edges(measured, inputs, families)
            measured |= self._cluster(measured, inputs, edges, families)
            if whole.on("repeats"):
                taking_part = self._keep(measured, inputs, edges, "kept before repeats")
        finally:
            self.recipe = whole
        if taking_part is not None:
            measured |= self._repeated(measured, taking_part)
        return measured, self._keep(measured, inputs, edges)

    def plan(self) -> list[Step]:
        """What `execute` would do, as far as it can be known before it is done."""
        try:
            self.execute()
        except Unknown:
            known = {step.product for step in self.steps}
            for name in (product.name for product in graph.PRODUCTS if product.on(self.recipe.sections)):
                if name not in known and name not in UNPLANNED:
                    bound = graph.bound(name, len(self.splits), len(self.recipe.domains))
                    self.steps.append(Step(name, bound, bound, "those whose input rows change", exact=False))
        return self.steps

    def _write_listing(self) -> None:
        listing = [vars(split) | {"id": split_id(split)} for split in self.splits]
        address = f"sources/{digest([[s['id'], s['file']] for s in listing])}.json"
        self.snapshot["sources"] = address
        self.steps.append(Step("sources", len(listing), 0, "listed"))
        if not self.dry:
            stable = [
                {key: value for key, value in entry.items() if key != "uri"}
                | {"parts": [[file, size] for file, _, size in entry["parts"]]}
                for entry in listing
            ]
            self.store.keep_json(address, stable)
        if not self.dry:
            self.store.write_json(f"runs/inputs/{self.recipe.name}.json", places(self.splits))

    def _measure(self) -> dict[str, Product]:
        names = graph.together(self.recipe.sections)
        products = {name: Product([]) for name in names}
        for name in names:
            prints = {source: self.recipe.fingerprint(name, source) for source in self.recipe.sources}
            products[name].addresses = [f"{prints[s.source].folder}/{split_id(s)}.parquet" for s in self.splits]
        missing = {name: self._standing(name, product) for name, product in products.items()}
        for name, product in products.items():
            reason = self._why(name, product, missing[name], partial(self.recipe.fingerprint, name))
            self.steps.append(Step(name, len(product.addresses), len(missing[name]), reason))
        tasks = [
            self._measure_task(index, split, products)
            for index, split in enumerate(self.splits)
            if any(product.addresses[index] in missing[name] for name, product in products.items())
        ]
        fresh: dict[str, bytes] = {}

        def done(result: Done) -> None:
            for name, report in result.value["reports"].items():
                address = result.task.outputs[names.index(name)]
                fresh[address] = encode(report)

        self._save({name: product.addresses for name, product in products.items()})
        self._run("measure", tasks, done)
        for name, product in products.items():
            self._finish(name, product, fresh)
        self._save()
        return products

    def _measure_task(self, index: int, split: Split, products: dict[str, Product]) -> Task:
        recipe = self.recipe
        args = {
            "split": dict(vars(split)),  # `asdict` would copy the names of every small file
            "documents": {
                "module": graph.BY_NAME["documents"].module.__name__,
                "params": recipe.map_params("documents", split.source),
                "address": products["documents"].addresses[index],
            },
            "sidecars": [
                {
                    "product": name,
                    "module": graph.BY_NAME[name].module.__name__,
                    "params": recipe.map_params(name, split.source),
                    "address": product.addresses[index],
                }
                for name, product in products.items()
                if name != "documents"
            ],
            "isolate": False,
            "page_seconds": recipe.section("run").page_seconds,
        }
        outputs = tuple(product.addresses[index] for product in products.values())
        return Task(
            "pipeline.run.map_task:measure", args, outputs, f"{split.source}/{split.file}", split.size, MAP_MEMORY
        )

    def _check_input(self, documents: Product) -> None:
        """Fail on a source that is too bad or yields nothing."""
        limits = self.recipe.section("run")
        for source in sorted(self.recipe.sources):
            pairs = [
                (split, report)
                for split, report in zip(self.splits, documents.facts, strict=True)
                if split.source == source
            ]
            rows = sum(report["rows"] for _, report in pairs)
            records = max(1, sum(report["records"] for _, report in pairs))
            quarantined = sum(report["num_quarantined"] for _, report in pairs) / records
            unread = [(split, report) for split, report in pairs if report["bad"] and not report["records"]]
            unreadable = sum(split.size for split, _ in unread) / max(1, sum(split.size for split, _ in pairs))
            worst = max(quarantined, unreadable)
            if worst > limits.max_bad_fraction:
                example = unread[0][0].uri if unread else next(s.uri for s, r in pairs if r["num_quarantined"])
                raise RunError(
                    f"source {source}: {worst:.2%} of its input is bad (for example {example}), above"
                    f" run.max_bad_fraction = {limits.max_bad_fraction:.2%}; `gristmill status` lists the files"
                )
            if rows == 0 and source not in limits.allow_empty:
                raise RunError(
                    f"source {source}: no document in its {len(pairs)} files; check `paths` and `format`, or name it in"
                    " run.allow_empty"
                )

    def _score(self, documents: Product) -> dict[str, Product]:
        """The product `scores`, where the mixture has a scorer."""
        if not self.recipe.on("scores"):
            return {}
        prints = {source: self.recipe.fingerprint("scores", source) for source in self.recipe.sources}
        params, gpus, memory = self.recipe.scorers()
        product = Product([f"{prints[split.source].folder}/{split_id(split)}.parquet" for split in self.splits])
        tasks = [
            Task(
                graph.BY_NAME["scores"].task,
                {"documents": text, "output": address, "params": params},
                (address,),
                f"{split.source}/{split.file}",
                facts["text_bytes"],
                memory,
                gpus,
            )
            for split, text, facts, address in zip(
                self.splits, documents.addresses, documents.facts, product.addresses, strict=True
            )
        ]
        self._map("scores", product, tasks, prints.__getitem__)
        return {"scores": product}

    def _recurring(self, documents: Product) -> dict[str, Product]:
        """The product `lines`, where it is asked for."""
        print_ = self.recipe.lines()
        if print_ is None:
            return {}
        inputs = [
            self.recipe.lines_input(split, split_id(split), address, report)
            for split, address, report in zip(self.splits, documents.addresses, documents.facts, strict=True)
        ]
        folder = f"{print_.folder}-{digest([asdict(entry) for entry in inputs])}"
        product = Product([f"{folder}/{entry.name}.parquet" for entry in inputs])
        self.snapshot["lines"] = folder
        summary = f"{folder}/summary.json"
        missing = self._standing("lines", product, [summary])
        reason = self._why_global("lines", print_, bool(missing), bool(product.facts))
        self.steps.append(Step("lines", len(product.addresses), len(product.addresses) if missing else 0, reason))
        if missing:
            self._phases("lines", self.recipe.lines_phases(inputs, folder))
        if not self.dry:
            self.store.read_json(summary)  # whoever asks for the lines that recur most will believe it
        self._tidy(folder, {*product.addresses, summary})
        self._about([print_])
        self._finish("lines", product, {})
        return {"lines": product}

    def _repeated(self, measured: dict[str, Product], taking_part: Product) -> dict[str, Product]:
        """The product `repeats`, where it is asked for; ``taking_part``: `kept` without what it measures."""
        print_ = self.recipe.repeats()
        if print_ is None:
            return {}
        files = self._files({**measured, "kept": taking_part}, (*graph.BY_NAME["repeats"].inputs, "kept"))
        facts = measured["documents"].facts
        inputs = [
            self.recipe.repeats_input(split, split_id(split), *rest)
            for split, *rest in zip(self.splits, files, facts, strict=True)
        ]
        # which pages take part decides, not the rules that say so
        content = [
            asdict(entry) | {"decided": told["kept_rows"]}
            for entry, told in zip(inputs, taking_part.facts, strict=True)
        ]
        folder = f"{print_.folder}-{digest(content)}"
        product = Product([f"{folder}/{entry.name}.parquet" for entry in inputs])
        self.snapshot["repeats"] = folder
        summary = f"{folder}/summary.json"
        missing = self._standing("repeats", product, [summary])
        reason = self._why_global("repeats", print_, bool(missing), bool(product.facts))
        self.steps.append(Step("repeats", len(product.addresses), len(product.addresses) if missing else 0, reason))
        if missing:
            self._phases("repeats", self.recipe.repeats_phases(inputs, folder))
        if not self.dry:
            self.store.read_json(summary)  # the report will believe it
        self._tidy(folder, {*product.addresses, summary})
        self._about([print_])
        self._finish("repeats", product, {})
        return {"repeats": product}

    def _keep(
        self, measured: dict[str, Product], inputs: list[dict[str, Any]], edges: Any, step: str = "kept"
    ) -> Product:
        """``inputs``: what `eligible` decides by, for each split; ``edges``: of the percentiles that domains name."""
        keeping = graph.BY_NAME["kept"]
        product = Product([])
        tasks = []
        domains = [dump(domain) for domain in self.recipe.domains.values()]
        self.removed = self._taken_down(measured)
        matched = self._exchanged(measured, graph.DECIDING)
        print_of = partial(self.recipe.fingerprint, "kept")
        for index, (files, split) in enumerate(zip(self._files(measured, graph.DECIDING), self.splits, strict=True)):
            gone = self.removed.get(index)
            suffix = matched[index] + (f"-{digest(gone)}" if gone else "") + (f"-{digest(edges)}" if edges else "")
            address = f"{print_of(split.source).folder}/{split_id(split)}{suffix}.parquet"
            product.addresses.append(address)
            params = self.recipe.map_params("kept", split.source)
            args = {**inputs[index], "files": files, "params": params, "output": address, "domains": domains}
            args |= {"remove": gone} if gone else {}
            args |= {"edges": edges} if edges else {}
            cost = measured["documents"].facts[index]["text_bytes"]
            tasks.append(Task(keeping.task, args, (address,), f"{split.source}/{split.file}", cost, keeping.memory))
        self._map("kept", product, tasks, print_of, step)
        if self.steps[-1].to_do and not self.dry:
            stay, pages = (sum(facts[count] for facts in product.facts) for count in ("kept", "rows"))
            self.reporter.say(f"{step}: {stay:,} of {pages:,} pages")
        return product

    def _survey(self, measured: dict[str, Product], kept: Product) -> None:
        """Distributions, hosts and samples for the report."""
        files = self._files({**measured, "kept": kept}, graph.BY_NAME["survey"].inputs)
        address, outputs, phases = self.recipe.survey(files, kept.addresses)
        self.snapshot["survey"] = address
        missing = self._missing([*outputs, address])
        if address not in missing and not self.store.whole(address):
            missing |= self._lacking({address: 0}, {address: 1})
        to_do = len(missing - {address}) or 1 if missing else 0
        self.steps.append(Step("survey", len(outputs), to_do, "what it describes changed" if missing else UNCHANGED))
        if missing and not self.dry:  # nothing else waits for it: a plan looks on
            self._phases("survey", phases)
        self._tidy(address.rpartition("/")[0], {address})

    def _tokenize(self, measured: dict[str, Product], kept: Product) -> Product:
        print_of = partial(self.recipe.fingerprint, "tokens")
        product = Product([])
        tasks = []
        tokens = graph.BY_NAME["tokens"]
        files = self._files({**measured, "kept": kept}, tokens.inputs)
        clustered = measured.get("clusters")
        for index, split in enumerate(self.splits):
            selection = kept.facts[index]["selection_digest"]
            suffix = f"-{clustered.facts[index]['digest']}" if clustered else ""
            folder = print_of(split.source).folder
            address = f"{folder}/{split_id(split)}-{digest([selection, suffix])}.arrow"
            product.addresses.append(address)
            args = {"files": files[index], "output": address, "params": dump(self.recipe.section("tokens"))}
            cost = measured["documents"].facts[index]["text_bytes"]
            label = f"{split.source}/{split.file}"
            tasks.append(Task(tokens.task, args, (address,), label, cost, tokens.memory))
        self._map("tokens", product, tasks, print_of)
        return product

    def _solve(self, tokens: Product) -> None:
        """How many tokens of each domain the corpus takes, by the counts of `tokens`, held-out ones included."""
        available = dict.fromkeys(self.recipe.domains, 0)
        for facts in tokens.facts:
            for group in facts["groups"]:
                available[group["domain"]] += group["tokens"]
                self.documents[group["domain"]] = self.documents.get(group["domain"], 0) + group["documents"]
        self.available = available
        holder = next(address for address, facts in zip(tokens.addresses, tokens.facts, strict=True) if facts["rows"])
        self.tokenizer = self._report(holder)["tokenizer"]
        self.blend = self.recipe.solve(available, self.tokenizer)
        self.phases = self.recipe.solve_phases(available, self.tokenizer)

    def _shard(self, tokens: Product) -> dict[str, str]:
        """Token shards of every domain the mixture takes anything of; the addresses of their manifests."""
        print_ = self.recipe.shards()
        seed = self.recipe.section("tokens").seed
        manifests: dict[str, str] = {}
        plans: list[list[Phase]] = []
        pairs = list(zip(tokens.addresses, tokens.facts, strict=True))
        for name in sorted(domain for domain, target in self.blend.targets.items() if target):
            holding = [(address, facts) for address, facts in pairs if name in facts["domain_digests"]]
            content = sorted(facts["domain_digests"][name] for _, facts in holding)
            folder = f"{print_.folder}/{name}-{digest([self.tokenizer, seed, content])}"
            manifests[name] = f"{folder}/manifest.json"
            if not self._holds(manifests[name]):
                plans.append(self.recipe.shard_phases(name, holding, folder, self.tokenizer))
        stood = all(map(self.store.exists, manifests.values()))
        reason = self._why_global("shards", print_, bool(plans), stood)
        self.steps.append(Step("shards", len(manifests), len(plans), reason))
        self.snapshot["shards"] = manifests
        self._phases("shards", side_by_side(plans))
        self._about([print_])
        return manifests

    def _holds(self, address: str) -> bool:
        """Whether a folder of shards holds all that its manifest says; what does not belong there is removed."""
        folder = address.rpartition("/")[0]
        listed = dict(self.store.list(folder))
        if address not in listed:
            return False
        expected = files_of(folder, self.store.read_json(address))
        inside = {file: size for file, size in expected.items() if file.startswith(f"{folder}/")}
        if self._lacking(listed, inside):
            return False
        self._tidy(folder, {address, *inside})
        return True

    def _corpus(self, domains: dict[str, str]) -> None:
        """Solve the mixture again from what the shards hold for training, and write it, phase by phase."""
        self.available |= {name: self.store.read_json(address)["tokens"] for name, address in domains.items()}
        self.blend = self.recipe.solve(self.available, self.tokenizer)
        self.phases = phases = self.recipe.solve_phases(self.available, self.tokenizer)
        for remark in self.recipe.taken_nothing_of(self.blend):
            self.reporter.say(remark)
        late = {name for name, target in self.blend.targets.items() if target} - {*domains}
        for name in sorted(late):
            raise RunError(
                f"domain {name!r}: its share rounds to no token, and to one once others are held out: raise it"
            )
        print_ = self.recipe.corpus(self.blend, phases)
        folder = f"{print_.folder}-{digest(sorted(domains.items()))}"
        corpora = self.recipe.corpora(self.blend, phases, domains, folder, self.tokenizer)
        self.snapshot["corpus"] = list(corpora)[-1]
        if phases:
            self.snapshot["phases"] = [phase.name for phase in phases]
            self.snapshot["corpora"] = {phase.name: place for phase, place in zip(phases, corpora, strict=True)}
        missing = [work for place, work in corpora.items() if not self._holds(place)]
        stood = all(map(self.store.exists, corpora))
        reason = self._why_global("corpus", print_, bool(missing), stood)
        self.steps.append(Step("corpus", len(corpora), len(missing), reason))
        if missing:
            self._phases("corpus", side_by_side(missing))
        self._about([print_])


def side_by_side(plans: list[list[Phase]]) -> list[Phase]:
    """Plans that do not depend on each other as one: the first phases together, then the second ones, and so on.

    They are lined up at their ends, so that each plan's last phase (its manifest) comes when all else is done.
    """
    depth = max((len(plan) for plan in plans), default=0)
    merged = []
    for back in range(depth, 0, -1):
        together = [plan[-back] for plan in plans if len(plan) >= back]
        tasks = tuple(task for phase in together for task in phase.tasks)
        discard = tuple(prefix for phase in together for prefix in phase.discard)
        merged.append(Phase(together[0].name, tasks, discard))
    return merged


def places(splits: Iterable[Split]) -> dict[str, Any]:
    """Where the input files of a run are: per source the folders their names are relative to, and the exceptions."""
    found: dict[str, Any] = {}
    for split in splits:
        mine = found.setdefault(split.source, {"folders": [], "files": {}})
        for file, uri, _ in split.parts or ((split.file, split.uri, split.size),):
            if not uri.endswith(file):
                mine["files"][file] = uri
            elif uri.removesuffix(file) not in mine["folders"]:
                mine["folders"].append(uri.removesuffix(file))
    return found
