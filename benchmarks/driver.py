"""The driver at scale: a run of many splits whose tasks are only pretended; all time and memory is the driver's.

    python -m benchmarks.driver --splits 100000

Pretends a source of so many WARC files. Tasks return reports of the usual size at once and product files exist by name
alone; scheduling, manifests, address arithmetic and planning of the exchanges are the real ones. Prints
seconds and peak memory of a first run and of an unchanged second one. The limits in view: 2 minutes and 1 GiB at
100,000 splits, and a peer that any driver must pay: `json.loads` of the same reports.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from pipeline import recipe as recipes
from pipeline.engine.scheduler import Outcome, Scheduler
from pipeline.progress import Reporter
from pipeline.recipe import graph
from pipeline.run.run import Run
from pipeline.store.costs import Costs
from pipeline.store.storage import Checksum, Store
from stages.contract import Split, Task

MIXTURE = """\
sources: {web: {paths: "/nowhere/*.warc.gz"}}
domains: {en: {languages: [en]}, rest: {}}
mixture: {budget: 1B, domains: {en: {share: 0.7}, rest: {share: 0.3}}}
"""
LANGUAGES = [f"l{n:02}" for n in range(40)]
REASONS = [None, "too_few_words", "near_duplicate", "exact_duplicate", "words_too_long"]
SUM: Checksum = {"bytes": 1, "xxh3_128": "0" * 32}
TOKENIZER = {"name": "pretended", "dtype": "uint16", "vocab_size": 32000, "eos_id": 2}


class PretendedStore(Store):
    """Files that tasks would write exist by name alone; manifests are real."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.pretended: dict[str, set[str]] = {}

    def pretend(self, addresses: tuple[str, ...]) -> None:
        for address in addresses:
            self.pretended.setdefault(address.rpartition("/")[0], set()).add(address)

    def exists(self, address: str) -> bool:
        return address in self.pretended.get(address.rpartition("/")[0], ()) or super().exists(address)

    def list(self, prefix: str) -> Any:
        return [(address, 1) for address in sorted(self.pretended.get(prefix, ()))] or super().list(prefix)

    def metadata(self, address: str) -> dict[str, Any]:
        return report_of(address)

    def checksum(self, address: str) -> Checksum:
        return SUM


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
                "domain": "rest",
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
            {"source": "web", "language": n, "domain": d, "documents": 5, "text_bytes": 50_000, "tokens": 12_000}
            for n in LANGUAGES
            for d in ("en", "rest")
        ]
        digests = {"en": address[-32:], "rest": address[-32:]}
        return {"rows": 200, "tokens": 960_000, "groups": groups, "domain_digests": digests, "tokenizer": TOKENIZER}
    return {"rows": 1000, "doc_ids": "0" * 32, "digest": "0" * 32}


class Pretender:
    """An executor whose tasks are done when they are submitted."""

    name = "pretender"

    def __init__(self, store: PretendedStore) -> None:
        self.store = store
        self.done: list[Outcome] = []
        self.tasks = 0

    def slots(self) -> int:
        return 1000

    def submit(self, index: int, task: Task) -> None:
        self.tasks += 1
        self.store.pretend(task.outputs)
        reports = {address.partition("/")[0]: report_of(address) for address in task.outputs}
        value = {"reports": reports} if task.job.endswith(":measure") else next(iter(reports.values()), {})
        cost = {"seconds": 10.0, "cpu_seconds": 10.0, "peak_bytes": 1e9}
        self.done.append(Outcome(index, "done", value, cost, dict.fromkeys(task.outputs, SUM)))

    def wait(self, seconds: float) -> list[Outcome]:
        done, self.done = self.done, []
        return done

    def cancel(self) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mixture = Path(folder) / "m.yaml"
        mixture.write_text(MIXTURE)
        store = PretendedStore(f"{folder}/root")
        recipe = recipes.load(mixture, store)
        splits = [
            Split("web", f"s{n % 100:02}/{n:06}.warc.gz", 0, 0, "file", f"/nowhere/{n:06}", 10**9, f"{n}")
            for n in range(options.splits)
        ]
        object.__setattr__(recipe, "list_splits", lambda *_: splits)
        for label in ("first run", "second run"):
            executor = Pretender(store)
            quiet = Reporter(quiet=True)
            job = Run(recipe, store, Scheduler(lambda _: executor, quiet.say), quiet, Costs(store, graph.PAGED))  # noqa: B023
            started, cpu = time.perf_counter(), time.process_time()
            try:
                job.execute()
            except Exception as error:  # noqa: BLE001 - the manifests of the shards are pretended: nothing to read
                print(f"{label} ended at {job.steps[-1].product}: {error}")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            seconds = time.perf_counter() - started
            spent = time.process_time() - cpu
            print(
                f"{label}: {executor.tasks:,} tasks, {seconds:.1f} s ({spent:.1f} s CPU), peak {peak:.0f} MiB",
                flush=True,
            )
        line = json.dumps(report_of("kept/x"))
        started = time.perf_counter()
        for _ in range(1000):
            json.loads(line)
        seconds = (time.perf_counter() - started) * options.splits / 1000
        print(f"json.loads of the reports of kept alone: {seconds:.1f} s")


if __name__ == "__main__":
    main()
