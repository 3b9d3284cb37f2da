"""A run: from a recipe and a root to the corpus and its report, doing only what is not there yet.

The story is `Run.execute`; each of its steps is a function of the recipe, the machinery (`pipeline.run.steps`) and the
products before it, and gives a product. A run is a function of the recipe and the input files: stopping it anywhere and
starting it again, or running it twice, ends in the same bytes. What differs from run to run (costs, locks, logs) lives
under ``runs/`` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from pipeline import recipe as recipes
from pipeline.engine.process import rare_collections
from pipeline.engine.scheduler import Scheduler
from pipeline.errors import RunError
from pipeline.progress import Reporter
from pipeline.recipe import Recipe, graph, listing
from pipeline.run import bad_input, deduplication, keeping, measuring, redo_reasons, writing
from pipeline.run.kept_inputs import robots_tables
from pipeline.run.pages import make_indices, page_index
from pipeline.run.part import chosen, without
from pipeline.run.product import Product
from pipeline.run.redo_reasons import NEW_INPUT
from pipeline.run.steps import Step, Steps, Unknown
from pipeline.run.writing import Solved
from pipeline.store.costs import Costs
from pipeline.store.key_index import shard_index
from pipeline.store.storage import Store
from stages.figures import listed

T = TypeVar("T")
UNPLANNED = ("report",)
"""Products that a plan does not count: written when all else is there."""


class Run:
    """One run of a recipe. ``dry`` only plans: it lists what each product needs and changes nothing."""

    def __init__(
        self, recipe: Recipe, store: Store, scheduler: Scheduler, reporter: Reporter, costs: Costs, dry: bool = False
    ) -> None:
        self.recipe = recipe
        self.made = Steps(recipe, store, scheduler, reporter, costs, dry)
        self.solved: Solved | None = None
        """The mixture, once the tokens are counted."""
        self.text_bytes: list[int] = []
        """Bytes of text of each split, once it is read."""

    @property
    def steps(self) -> list[Step]:
        """The steps of the run, in order, with the files that each product needed."""
        return self.made.planned

    def whole(self, work: Callable[[], T]) -> T:
        """The result of ``work``, begun anew when damaged files were removed."""
        return self.made.whole(work)

    @rare_collections()
    def execute(self) -> dict[str, Any]:
        """Make everything, in order; returns the snapshot of the finished run.

        Raises:
            RunError: when the result cannot be right (conservation, bad input, empty sources, an impossible mixture).
        """
        recipe, steps = self.recipe, self.made
        measured, kept = self.select()
        held = kept.facts.distinct("domains")
        lacking = recipes.lacking_domains(recipe, {name for names in held for name in names})
        if lacking and not steps.dry:
            recipe = self.recipe = self._without(lacking, measured, kept)
        writing.survey(recipe, steps, measured, kept)
        steps.save()
        tokens = writing.tokenize(recipe, steps, measured, kept)
        steps.save()
        if not tokens.facts.numbers("rows").any():
            raise RunError("no page was kept: `gristmill stats` shows why each was dropped")
        self.solved = writing.solve(recipe, steps, tokens)  # an impossible mixture is found before anything is written
        domains = writing.write_shards(recipe, steps, tokens, self.solved)
        recipe = self.recipe = self._without_held_out(domains)
        self.solved = writing.write_corpus(recipe, steps, domains, self.solved)
        corpora = steps.snapshot.get("corpora", {"": steps.snapshot["corpus"]})
        titles = {f"shards of {name}": place for name, place in domains.items()}
        titles |= {f"the corpus {phase}".rstrip(): place for phase, place in corpora.items()}
        shards = [shard_index(steps.store, place, steps.reporter.say, title) for title, place in titles.items()]
        make_indices(steps, [page_index(steps, measured["documents"]), *shards])
        steps.costs.write()
        steps.save(complete=True)
        return steps.snapshot

    def _without(self, lacking: set[str], measured: dict[str, Product], kept: Product) -> Recipe:
        """The recipe of a part without the domains of which it has no page: everything may have some.

        Raises:
            RunError: it is a run of everything, or the part has a page of none.
        """
        recipe, steps = self.recipe, self.made
        steps.save()  # for `why` and `stats`, which show more
        labelled = measured["labels"].addresses if "labels" in measured else ()
        labels = partial(recipes.labels_there, steps.store, labelled)
        reasons = recipes.empty_domains(recipe, lacking, steps.reports(kept.addresses), labels)
        if recipe.part is not None and lacking < recipes.wanted_domains(recipe):
            steps.reporter.say(f"sample: {'; '.join(reasons)}")
            return without(recipe, lacking)
        none = [] if kept.facts.numbers("kept").any() else ["no page was kept"]
        hint = "loosen what takes its pages, or take it out of the mixture; `gristmill stats` shows every reason"
        raise RunError("; ".join([*none, *reasons, hint]))

    def _without_held_out(self, domains: Mapping[str, str]) -> Recipe:
        """The recipe of a part without the domains of whose few documents in it every one is held out."""
        recipe, steps = self.recipe, self.made
        if recipe.part is None:
            return recipe
        wanted = recipes.wanted_domains(recipe)
        empty = wanted & {name for name, place in domains.items() if not steps.store.read_json(place)["tokens"]}
        if not empty or empty == wanted:
            return recipe
        whose = listed(sorted(map(repr, empty)))
        steps.reporter.say(f"sample: all that it has of {whose} is held out: its corpus is made without")
        return without(recipe, empty)

    def select(self) -> tuple[dict[str, Product], Product]:
        """Everything up to the decision which pages are kept: the measured products, and `kept`."""
        recipe, steps = self.recipe, self.made
        steps.splits = listing.list_splits(recipe, steps.reporter.say, steps.store, keep=not steps.dry)
        if recipe.part is not None:
            steps.splits = chosen(steps.splits, recipe.part)
        steps.splits = [*steps.splits, *recipe.derived_splits(steps.splits)]
        if recipe.transforms():
            steps.snapshot["transforms"] = {
                name: list(transform.inputs.sources) for name, transform in recipe.transforms().items()
            }
        deduplication.check_earlier(recipe, steps.store)
        robots_tables(recipe, steps.store, steps.reporter.say, steps.dry)  # a damaged file is reported before any work
        measuring.write_listing(recipe, steps)
        steps.save()
        measured = measuring.measure(recipe, steps)
        bad_input.check_input(recipe, steps, measured["documents"])
        measured |= measuring.contamination(recipe, steps, measured)
        measured |= measuring.recurring(recipe, steps, measured["documents"])
        measured |= measuring.score(recipe, steps, measured["documents"])
        measured |= measuring.ensembled(recipe, steps, measured)
        self.text_bytes = measured["documents"].facts.column("text_bytes")
        before = self._before()
        families = deduplication.find_families(before, steps, measured)
        inputs = keeping.rule_inputs(before, steps, measured)
        edges = deduplication.edges_of(before, steps, measured, inputs, families)
        measured |= deduplication.cluster(before, steps, measured, inputs, edges, families)
        if recipe.on("repeats"):
            taking_part = keeping.keep(before, steps, measured, inputs, edges, "kept before repeats")
            steps.snapshot["taking_part"] = list(taking_part.addresses)
            measured |= keeping.repeated(recipe, steps, measured, taking_part)
        return measured, keeping.keep(recipe, steps, measured, inputs, edges)

    def _before(self) -> Recipe:
        """The recipe up to `repeats`: whatever it measures is decided last, among the pages that all else keeps."""
        return self.recipe.before_repeats() if self.recipe.on("repeats") else self.recipe

    def plan(self) -> list[Step]:
        """The steps of `execute`, as far as they can be known before it runs."""
        try:
            self.execute()
        except Unknown:
            known = {step.product for step in self.steps}
            for name in (product.name for product in graph.PRODUCTS if product.on(self.recipe.sections)):
                if name not in known and name not in UNPLANNED:
                    bound = graph.bound(name, len(self.made.splits), len(self.recipe.domains))
                    self.steps.append(Step(name, bound, bound, self._why_likely(name), exact=False))
        return self.steps

    def _why_likely(self, name: str) -> str:
        """Why a product will be made whose addresses are not known yet: its own settings, where they changed."""
        changed: set[str] = set()
        if graph.BY_NAME[name].shape == "map" and graph.BY_NAME[name].per == "split":
            recipe = self._before() if name == "eligible" else self.recipe
            fingerprints = {source: recipe.fingerprint(name, source) for source in recipe.sources}
            changed = {self.made.why_changed(name, fingerprint) for fingerprint in fingerprints.values()} - {NEW_INPUT}
        return redo_reasons.joined(changed) or "those whose input rows change"
