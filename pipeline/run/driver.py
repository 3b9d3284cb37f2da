"""`run` and `plan` around `pipeline.run.run`: lock, sample, engine, report, and the words at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rich.table import Table

from pipeline import planner
from pipeline import recipe as recipes
from pipeline import sample as samples
from pipeline.answers import stats
from pipeline.engine.process import rare_collections
from pipeline.engine.ray import RayExecutor, shutdown
from pipeline.engine.scheduler import Executor, InlineExecutor, Scheduler
from pipeline.errors import UserError, one_line
from pipeline.progress import Reporter, human_bytes, human_seconds, render
from pipeline.recipe import doubts, exchanges, graph, listing
from pipeline.recipe import snapshot as snapshots
from pipeline.run import outlook
from pipeline.run import part as parts
from pipeline.run.run import Run
from pipeline.run.steps import PROGRESS, Step
from pipeline.run.writing import Solved
from pipeline.store.costs import Costs
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store
from stages.contract import Task
from stages.formats import retries

FAILURE_LINES = 20


COPIED_HERE = 512 << 20
"""Bytes that are copied in this process within a second or two; a Ray of this machine starts in three."""


class LazyExecutor:
    """Starts the engine when the first task comes that is worth it.

    A run with nothing to do starts no Ray; nor does one that only mixes anew what lies in shards on this machine's
    disk, up to `COPIED_HERE`.
    """

    def __init__(self, engine: str, store: Store, workers: int | None, reporter: Reporter) -> None:
        self.engine, self.store, self.workers, self.reporter = engine, store, workers, reporter
        self._executor: Executor | None = None
        self._closing: Thread | None = None

    def __call__(self, tasks: Collection[Task]) -> Executor:
        if self._closing is not None:  # the report found damage: there is more to do
            self.close()
        if self._executor is None:
            here = all(task.copies for task in tasks) and sum(task.cost for task in tasks) <= COPIED_HERE
            if here and self.store.local and not os.environ.get("RAY_ADDRESS"):
                return InlineExecutor(self.store.root)
            if self.engine == "inline":
                self._executor = InlineExecutor(self.store.root)
            else:
                self._executor = self._start()
        return self._executor

    def _start(self) -> RayExecutor:
        started = time.monotonic()
        executor = RayExecutor(self.store.root, self.workers, self.reporter.say)
        where = os.environ.get("RAY_ADDRESS", "this machine")
        self.reporter.say(f"Ray on {where}: {executor.cpus()} CPUs ({time.monotonic() - started:.1f} s)")
        return executor

    def start(self) -> None:
        """Start Ray before there is a task, where one is known to come."""
        if self._executor is None and self.engine == "ray":
            self._executor = self._start()

    def leave(self) -> None:
        """Begin to stop the engine, which takes Ray a second: a caller without more tasks need not wait for it."""
        if self._executor is not None and self.engine == "ray" and self._closing is None:
            self._closing = Thread(target=shutdown)
            self._closing.start()

    def close(self) -> None:
        """Stop the engine; the next task starts it anew."""
        self.leave()
        if self._closing is not None:
            self._closing.join()
        self._executor = self._closing = None


@rare_collections()
def run(mixture: str, store: Store, engine: str, workers: int | None, quiet: bool, part: float | None = None) -> str:
    """Run a mixture file, or a part of its input; returns the text that ends the run."""
    reporter = Reporter(quiet)
    started, repeated = time.monotonic(), retries.repeated()
    whole = recipes.load(mixture, store, look=True)
    recipe = parts.of_part(whole, part) if part is not None else whole
    for warning in doubts.warnings(recipe):
        reporter.say(warning)
    executor = LazyExecutor(engine, store, workers, reporter)
    with RootLock(store, reporter.say):
        store.sweep()
        recipes.note_tried(whole, store)
        for left in (snapshots.FAILURE, PROGRESS):
            store.remove(left)
        try:
            make_sample(recipe, store, reporter, executor)
            costs = Costs(store, graph.PAGED)
            job = Run(recipe, store, Scheduler(executor, reporter.say), reporter, costs)
            store.write_json("runs/current.json", {"mixture": recipe.name})

            def work() -> tuple[dict[str, Any], str]:
                made = job.execute()
                executor.leave()
                return made, stats.write(store, recipe.name)

            snapshot, pages = job.whole(work)
            store.sweep()  # what workers that were killed on the way left behind
        except Exception as error:  # who stops a run (Ctrl-C, SIGTERM) knows that it did not fail
            messages = [*reporter.last_lines, (time.time(), one_line(error) or type(error).__name__)]
            with suppress(OSError):  # on a full disk: the error under way is the one to see
                store.write_json(snapshots.FAILURE, {"time": time.time(), "said": messages[-FAILURE_LINES:]})
            raise
        finally:
            # A signal ends the run with a message and gives up the root first: while Ray stops, another may be the last
            if not isinstance(sys.exception(), SystemExit):
                executor.close()
            again = retries.repeated() - repeated
            if again:
                reporter.say(f"{again:,} {'request' if again == 1 else 'requests'} to stores had no answer: made again")
    made = sum(step.to_do for step in job.steps)
    seconds = time.monotonic() - started
    done = f"{made} {'file' if made == 1 else 'files'} made" if costs.tasks else "nothing to do: everything was there"
    reporter.say(f"{recipe.name}: {done} in {human_seconds(seconds) if seconds >= 10 else f'{seconds:.1f} s'}")
    corpora = snapshot.get("corpora", {"": snapshot["corpus"]})
    shards = "\nshards  ".join(store.uri(place.rpartition("/")[0]) for place in corpora.values())
    held_out = "".join(f"{line}\n" for line in stats.held_out_lines(store, recipe.name))
    whole_text = "" if part is None else f"{parts.extrapolated(recipe, store)}\n"
    return f"{stats.text(store, recipe.name)}\n{whole_text}{held_out}shards  {shards}\nreport  {pages}\n"


def make_sample(recipe: recipes.Recipe, store: Store, reporter: Reporter, executor: LazyExecutor) -> None:
    """The demo corpus under the root, where the mixture asks for it; the engine starts while it is made."""
    if recipe.sample is None:
        return
    if not store.local:
        raise UserError(f"{recipe.path}: `sample` makes files on a local or shared disk; root {store.root} is neither")
    folder, pages, stop = Path(store.path("sample")), recipe.sample.pages, Event()
    with ThreadPoolExecutor(1) as beside:
        making = beside.submit(samples.make_sample, folder, pages=pages, stop=stop)
        try:
            if not samples.is_made(folder, pages=pages):
                executor.start()
            made = making.result()
        finally:
            stop.set()
    reporter.say(f"sample: {sample_text(made)}")


def sample_text(made: dict[str, Any]) -> str:
    """The content of the demo corpus, in one line."""
    parts = [
        f"{name} {entry['documents']:,} documents in {entry['files']} files ({human_bytes(entry['bytes'])})"
        for name, entry in made.items()
        if isinstance(entry, dict)
    ]
    return ", ".join(parts) + ("" if made["made"] else "; it was there")


@dataclass(frozen=True)
class Training:
    """The training to plan for: a compute in FLOP, or GPUs and days, or a number of parameters."""

    compute: float | None = None
    gpus: int | None = None
    days: float | None = None
    gpu: str = "h100"
    utilisation: float = 0.4
    parameters: float | None = None
    sequence_length: int = 4096
    laws: tuple[str, ...] = ()
    """Names of published laws, or files that `fit-law` wrote; the first decides the domains' table."""

    def requested(self) -> bool:
        return any(value is not None for value in (self.compute, self.gpus, self.days, self.parameters))

    def chosen_laws(self) -> list[str | planner.Law]:
        """The laws to plan by: those named, and after a law of one's own the published ones.

        Raises:
            UserError: for a file that cannot be read or is no law.
        """
        if not self.laws:
            return list(planner.DEFAULT_LAWS)
        found = [law if law in planner.LAWS else _own_law(law) for law in self.laws]
        own = any(not isinstance(law, str) for law in found)
        return [*found, *(law for law in planner.DEFAULT_LAWS if own and law not in found)]

    def flop(self) -> float | None:
        """The compute, from whichever way it was given.

        Raises:
            UserError: when GPUs come without days, or days without GPUs.
        """
        if (self.gpus is None) != (self.days is None):
            raise UserError("give --gpus and --days together")
        if self.gpus is not None and self.days is not None:
            return planner.compute_of_gpus(self.gpus, self.days, self.gpu, self.utilisation)
        return self.compute


def plan(mixture: str, store: Store, training: Training | None = None, prices: outlook.Prices | None = None) -> str:
    """A plan of `run`, and of what it takes, as a table; for a training run, too, what its compute and these tokens are
    worth."""
    recipe = recipes.load(mixture, store, look=True)
    if recipe.sample is not None and not store.exists("sample/sample.json"):
        return "sample: the demo corpus is made first; then everything is made for the first time\n"
    job = dry_run(recipe, store)
    steps = job.plan()
    known = outlook.rates(recipe, store, steps)
    needs = outlook.needs(steps, job.made.splits, known)
    left_out = [line for _, lines in recipe.listed.values() for line in lines]
    remarks = [*left_out, *doubts.warnings(recipe), *doubts.idle(recipe)]
    text = plan_text(steps, needs) + "".join(f"\n{remark}\n" for remark in remarks)
    sums = outlook.text(recipe, store, needs, job.made.splits, known, prices or outlook.Prices())
    text += f"\n{sums}" if sums else ""
    text += "".join(f"\n{moved.line()}\n" for moved in job.made.traffic)
    index_lines = listing.index_costs(job.made.splits)
    text += "\n" + "\n".join(index_lines) + "\n" if index_lines else ""
    if job.solved and job.solved.phases:
        text += "\n" + planner.render(planner.phase_table(job.solved.phases)) + "\n"
    repeated = stats.repeated({row.name: row.epochs for row in job.solved.mixture.domains}) if job.solved else ""
    text += f"\n{repeated}\n" if repeated else ""
    if job.text_bytes and recipe.on("repeats"):
        text += f"\n{exchanges.repeats_cost(recipe, job.text_bytes)}\n"
    curve = exchanges.duplicate_curve(recipe)
    text += "\n" + "\n".join(curve) + "\n" if curve else ""
    if training is not None and training.requested():
        if job.solved is None:
            raise UserError(f"the tokens of {recipe.name} are not counted yet: run it once, then plan a training run")
        text += "\n" + training_text(job.solved, recipe.section("corpus").target_tokens, training)
    return text


def dry_run(recipe: recipes.Recipe, store: Store) -> Run:
    """A run that only plans."""
    reporter = Reporter(quiet=True)

    def no_engine(tasks: Collection[Task]) -> Executor:
        raise AssertionError("a plan runs no task")

    return Run(recipe, store, Scheduler(no_engine, reporter.say), reporter, Costs(store, graph.PAGED), dry=True)


def planned(mixture: str, store: Store) -> list[Step]:
    """The steps of `run`, product by product; none where the demo corpus of a mixture is not made yet."""
    recipe = recipes.load(mixture, store, look=True)
    if recipe.sample is not None and not store.exists("sample/sample.json"):
        return []
    return dry_run(recipe, store).plan()


def _own_law(path: str) -> planner.OwnLaw:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(planner.LAWS)
        raise UserError(f"--law {path}: no such law ({known}), and no file that can be read") from error
    return planner.read_law(text, path)


def training_text(solved: Solved, size: int, training: Training) -> str:
    """Model and corpus sizes by each law, what of it the domains can give, its disk and what trainers make of it."""
    found = planner.plan(
        planner.supplies_of(solved.mixture),
        compute=training.flop(),
        parameters=training.parameters,
        laws=training.chosen_laws(),
    )
    whole, rest = divmod(int(found.tokens), size)
    needed = {row.domain: row.needed_tokens for row in found.domains}
    documents = sum(
        needed[name] * count / max(1, solved.available.get(name, 0))
        for name, count in solved.documents.items()
        if name in needed
    )
    tables = (
        planner.law_table(found),
        planner.domain_table(found),
        planner.disk_table(needed, solved.tokenizer["vocab_size"], size),
        planner.yield_table([size] * whole + [rest] * bool(rest), int(documents), training.sequence_length),
        planner.repeats_table(),
    )
    return "\n\n".join(planner.render(table) for table in tables) + "\n"


def plan_text(steps: list[Step], needs: Mapping[str, outlook.Need]) -> str:
    known = any(need.seconds is not None and need.files for need in needs.values())
    takes = ("core time", "disk") if known else ()
    table = Table("product", "files", "reused", "to do", *takes, "why", box=None, pad_edge=False)
    for step in steps:
        to_do = str(step.to_do) if step.exact else f"at most {step.to_do}"
        reused = str(step.total - step.to_do) if step.exact else "?"
        takes_text = outlook.shown(needs.get(step.product)) if known else ()
        table.add_row(step.product, str(step.total), reused, to_do, *takes_text, step.why)
    return render(table)
