"""The driver at scale: a run of many splits whose tasks are only pretended; all time and memory is the driver's.

    python -m benchmarks.driver --splits 360000

Pretends a source of so many WARC files (one dump of Common Crawl, by its segments' files). Tasks return reports of the
usual size at once, and product files exist by name alone, but for what the driver reads itself: summaries, manifests of
shards and the survey are pretended too. Scheduling, manifests, address arithmetic, planning of the exchanges, the
solved mixture and the report are the real ones. Prints seconds (CPU time without the tasks' own) and peak memory of a
plan, a first run, its report, and an unchanged second run; the limits in view are 4 minutes, 40 seconds and 1.5 GiB at
360,000 splits, and a peer that any
driver must pay: `json.loads` of the same reports. Status 1 where a run does not come to its end, leaves a product out
or counts other files of it than there are splits, or where the second run runs a task.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.report import survey_of
from pipeline import recipe as recipes
from pipeline.answers import stats
from pipeline.engine.process import rare_collections
from pipeline.engine.scheduler import Outcome, Scheduler
from pipeline.progress import Reporter
from pipeline.recipe import graph
from pipeline.run.run import UNPLANNED, Run
from pipeline.run.spool import Packed, pack
from pipeline.store import manifest
from pipeline.store.costs import Costs
from pipeline.store.sinks import Checksum, encode
from pipeline.store.storage import Store
from stages import seal
from stages.contract import Split, Task
from stages.report import sums
from stages.shard_format import ShardNames

MIXTURE = """\
sources: {web: {paths: "/nowhere/*.warc.gz"}}
domains: {en: {languages: [en]}, rest: {}}
mixture: {budget: BUDGET, domains: {en: {share: 0.7}, rest: {share: 0.3}}}
"""
MANY = 1000
LANGUAGES = [f"l{n:02}" for n in range(40)]
REASONS = [None, "too_few_words", "near_duplicate", "exact_duplicate", "words_too_long"]
SUM: Checksum = {"bytes": 1, "xxh3_128": "0" * 32}
TOKENIZER = {"name": "pretended", "dtype": "uint16", "vocab_size": 32000, "eos_id": 2}


class PretendedStore(Store):
    """Files that tasks would write exist by name, or in memory where the driver reads them; manifests are real."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.pretended: dict[str, dict[str, int]] = {}
        self.spilt: dict[str, IO[str]] = {}
        """Names in folders of many files, which are on the disk: this process is the driver alone."""
        self.contents: dict[str, bytes] = {}

    def pretend(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            folder = address.rpartition("/")[0]
            if folder in self.spilt:
                self.spilt[folder].write(address + "\n")
                continue
            names = self.pretended.setdefault(folder, {})
            names[address] = len(self.contents.get(address, b"."))
            if len(names) == MANY:
                self.spilt[folder] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - gone with the store
                self.spilt[folder].writelines(name + "\n" for name in self.pretended.pop(folder))

    def hold(self, address: str, value: Any) -> None:
        """A JSON file, in memory."""
        self.contents[address] = seal.encode_json(value)

    def exists(self, address: str) -> bool:
        if address.rpartition("/")[0] in self.spilt and not address.endswith(".json"):
            raise AssertionError(f"{address}: the driver asks for single files of {MANY}")
        return address in self.pretended.get(address.rpartition("/")[0], ()) or super().exists(address)

    def sizes(self, prefix: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder, held in self.pretended.items():
            if f"{folder}/".startswith(f"{prefix}/"):
                found |= held
        for folder, file in self.spilt.items():
            if f"{folder}/".startswith(f"{prefix}/"):
                file.seek(0)
                found.update((name[:-1], 1) for name in file)
        return found | super().sizes(prefix)

    def remove(self, address: str) -> None:
        self.pretended.pop(address, None)
        super().remove(address)

    def read_bytes(self, address: str) -> bytes:
        return self.contents[address] if address in self.contents else super().read_bytes(address)

    def metadata(self, address: str) -> dict[str, Any]:
        return report_of(address)

    def whole(self, address: str) -> bool:
        return self.exists(address)

    def checksum(self, address: str) -> Checksum:
        return SUM


def domain_of(language: str) -> str:
    return "en" if int(language[1:]) % 2 else "rest"


def report_of(address: str) -> dict[str, Any]:
    """A report of the usual size for a product's file."""
    product = address.partition("/")[0]
    if product == "documents":
        dropped = {reason: {"records": 9, "bytes": 900} for reason in ("not_html", "request_record", "metadata_record")}
        counts = {
            "records": 1027,
            "rows": 1000,
            "raw_bytes": 10**8,
            "text_bytes": 10**7,
            "num_quarantined": 0,
            "num_bad": 0,
        }
        return {
            **counts,
            "dropped": dropped,
            "quarantined": [],
            "bad": [],
            "doc_ids": "0" * 32,
            "source": "web",
            "file": address,
        }
    if product == "kept":
        groups = [
            {
                "source": "web",
                "language": language,
                "domain": domain_of(language),
                "reason": reason,
                "documents": 5,
                "text_bytes": 50_000,
            }
            for language in LANGUAGES
            for reason in REASONS
        ]
        return {"rows": 1000, "kept": 200, "rules": [], "selection_digest": "0" * 32, "groups": groups, "failed": {}}
    if product == "tokens":
        groups = [
            {
                "source": "web",
                "language": n,
                "domain": domain_of(n),
                "documents": 5,
                "text_bytes": 50_000,
                "tokens": 24_000,
            }
            for n in LANGUAGES
        ]
        digests = {"en": address[-32:], "rest": address[-32:]}
        return {"rows": 200, "tokens": 960_000, "groups": groups, "domain_digests": digests, "tokenizer": TOKENIZER}
    return {"rows": 1000, "doc_ids": "0" * 32, "digest": "0" * 32}


def result_of(task: Task) -> dict[str, Any]:
    """A made-up result of the job of a task."""
    if task.job.endswith(":measure_packed"):
        names = [address.partition("/")[0] for address in task.outputs]
        tally = {"documents": task.args["documents"]["tally"]}
        packed = {name: packed_once(name, tally.get(name, "")) for name in names}
        return {"packed": packed, "rows": 1000, "pages": 1000, "seconds": dict.fromkeys(packed, 2.0)}
    if task.job.endswith(":packed"):
        return {"packed": packed_of(task.outputs[0], task.args["tally"]), "rows": 1000}
    return {"rows": 1000}


def packed_of(address: str, tally: str) -> Packed:
    """A report as a worker packs it; those that are alike but for digests are packed once."""
    product = address.partition("/")[0]
    if product != "tokens":
        return packed_once(product, tally)
    digests = {"en": address[-32:], "rest": address[-32:]}
    once = packed_once(product, tally)
    facts = manifest.facts(report_of("tokens/x")) | {"domain_digests": digests}
    return replace(once, facts=once.facts | {"domain_digests": json.dumps(digests)}, encoded=encode(facts))


@cache
def packed_once(product: str, tally: str) -> Packed:
    return pack(report_of(f"{product}/x"), tally)


def clusters_summary(store: PretendedStore, task: Task) -> None:
    counts = {"rows": 1000, "passing": 900, "exact_removed": 5, "fuzzy_removed": 50, "url_removed": 5}
    per = {"sources": {"web": counts}, "languages": dict.fromkeys(LANGUAGES, counts), "earlier": {}, "examples": {}}
    found = {"cluster_sizes": {"2": 100}, "largest_clusters": [], "largest_shown": [], "candidates": {}}
    compared = {"pairs_compared": 1000, "pairs_verified": 100}
    store.hold(task.outputs[0], {**counts, **per, **found, **compared})


def shard_entry(store: PretendedStore, task: Task) -> None:
    """The line that a shard leaves beside it."""
    names = ShardNames(task.args["directory"], task.args["index"], task.args["count"], task.args.get("split", "train"))
    domains = [task.args["domain"]] if "domain" in task.args else list(task.args["domains"])
    sums = {"domains": 10**8, "domain_documents": 10**5, "domain_text_bytes": 4 * 10**8}
    entry = {"path": names.data, "docs": names.docs, "split": names.split, "bytes": 1, "docs_bytes": 1}
    entry |= {"rows": 10**5 * len(domains), "tokens": 10**8 * len(domains), "xxh3_128": "0" * 32, "batches": []}
    store.hold(names.addresses()[2], entry | {name: dict.fromkeys(domains, value) for name, value in sums.items()})


def job_itself(store: PretendedStore, task: Task) -> None:
    """The job as it is: it reads what is pretended and writes what the driver reads."""
    module, _, function = task.job.partition(":")
    getattr(importlib.import_module(module), function)(store, **task.args)


def survey_sums(store: PretendedStore, task: Task) -> None:
    """The survey of all pages, without samples; those of single splits and groups are read by tasks alone."""
    if task.outputs[0].endswith("/survey.arrow"):
        Store.remove(store, task.outputs[0])
        sums.write(store, task.outputs[0], replace(survey_of(np.random.default_rng(1), 2000), samples=[]))


JOBS = {
    "stages.clusters.output:summarise": clusters_summary,
    "stages.report.survey:merge": survey_sums,
    "stages.shards:shard": shard_entry,
    "stages.corpus.jobs:shard": shard_entry,
    "stages.shards:manifest": job_itself,
    "stages.corpus.jobs:manifest": job_itself,
}
"""Jobs that leave something which the driver reads."""


class Pretender:
    """An executor whose tasks are done when they are submitted."""

    name = "pretender"

    def __init__(self, store: PretendedStore) -> None:
        self.store = store
        self.done: list[Outcome] = []
        self.tasks = 0
        self.seconds = 0.0
        """CPU time of the tasks, which is not the driver's."""

    def slots(self) -> int:
        return 1000

    def submit(self, index: int, task: Task) -> None:
        started = time.process_time()
        self.tasks += 1
        if task.job in JOBS:
            JOBS[task.job](self.store, task)
        self.store.pretend(task.outputs)
        cost = {"seconds": 10.0, "cpu_seconds": 10.0, "peak_bytes": 1e9}
        self.done.append(Outcome(index, "done", result_of(task), cost, dict.fromkeys(task.outputs, SUM)))
        self.seconds += time.process_time() - started

    def wait(self, seconds: float) -> list[Outcome]:
        done, self.done = self.done, []
        return done

    def cancel(self) -> None:
        pass


def make_recipe(folder: Path, store: PretendedStore, count: int) -> Any:
    """The mixture over a pretended source of so many files."""
    mixture = folder / "m.yaml"
    mixture.write_text(MIXTURE.replace("BUDGET", str(240_000 * count)))  # two thirds of what one pass gives
    recipe = recipes.load(mixture, store)
    files = (f"s{n % 100:02}/{n:06}.warc.gz" for n in range(count))
    splits = [Split("web", file, 0, 0, "file", f"/nowhere/{file}", 10**9, f"{n}") for n, file in enumerate(files)]
    recipe.listed["web"] = (splits, [])
    return recipe


def one_run(recipe: Any, store: PretendedStore, dry: bool = False) -> tuple[Run, Pretender]:
    """A run, or a plan of one, and what ran its tasks."""
    executor = Pretender(store)
    quiet = Reporter(quiet=True)
    costs = Costs(store, graph.PAGED)
    job = Run(recipe, store, Scheduler(lambda _: executor, quiet.say), quiet, costs, dry=dry)
    if dry:
        job.plan()
    else:
        job.execute()
    return job, executor


def check_steps(job: Run, recipe: Any, splits: int) -> None:
    """End with status 1 where a run left a product out, or planned another number of files of it."""
    planned = {step.product: step.total for step in job.steps}
    for product in graph.PRODUCTS:
        if product.on(recipe.sections) and product.name not in UNPLANNED:
            if product.name not in planned:
                sys.exit(f"{product.name}: no step of the run, which measured something else")
            if product.per == "split" and planned[product.name] != splits:
                sys.exit(f"{product.name}: {planned[product.name]} files of {splits} splits")


@rare_collections()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=360_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        store = PretendedStore(f"{name}/root")
        recipe = make_recipe(Path(name), store, options.splits)

        def timed(label: str, work: Callable[[], Pretender | None]) -> Pretender | None:
            started, cpu = time.perf_counter(), time.process_time()
            done = work()
            seconds, spent = time.perf_counter() - started, time.process_time() - cpu
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            tasks, own = (done.tasks, done.seconds) if done else (0, 0.0)
            print(
                f"{label}: {tasks:,} tasks, {seconds:.1f} s ({spent - own:.1f} s CPU, and {own:.1f} s of the tasks'),"
                f" peak {peak:.0f} MiB",
                flush=True,
            )
            return done

        def run(dry: bool = False) -> Pretender:
            job, executor = one_run(recipe, store, dry)
            check_steps(job, recipe, options.splits)
            return executor

        def report() -> None:
            if not Path(stats.write(store, recipe.name)).read_bytes():
                sys.exit("no report was written")

        timed("plan", lambda: run(dry=True))
        timed("first run", run)
        timed("report", report)
        started = time.perf_counter()
        line = json.dumps(report_of("kept/x"))
        for _ in range(1000):
            json.loads(line)
        seconds = (time.perf_counter() - started) * options.splits / 1000

        def unchanged() -> Pretender:
            executor = run()
            stats.write(store, recipe.name)
            return executor

        done = timed("second run and report", unchanged)
        print(f"json.loads of the reports of kept alone: {seconds:.1f} s")
        if done and done.tasks:
            sys.exit(f"the second run ran {done.tasks} tasks, though nothing changed")


if __name__ == "__main__":
    main()
