"""Every benchmark, one after another, each in a process of its own: what `make bench` runs.

    python -m benchmarks.suite [--data FOLDER] [--reference FOLDER] [--work FOLDER] [--only NAME ...] [--list]

Each reads real data where there is some, else what `benchmarks.inputs` makes; one whose input cannot be made is
skipped, and the last lines say which and why. All run, whatever one of them does; status 1 where one failed, which a
benchmark does when it cannot measure what its docstring says or a bound named there is broken. About an hour.
`BENCHMARKS` is the only list there is: a module of this folder with a `main` that is not on it fails the tests, and the
tests run every line of it on tiny inputs.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import inputs

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = 2000
"""Pages that are made where there are no real ones."""


@dataclass(frozen=True)
class Benchmark:
    """One command: ``python -m benchmarks.MODULE ARGUMENTS``.

    Words in braces stand for inputs (`benchmarks.inputs`); ``{work}`` for a folder to write into, ``{root}`` for the
    finished run that `runs` leaves there.
    """

    module: str
    arguments: str = ""
    tiny: str = ""
    """Arguments added for an input of some pages: the tests run it so."""

    @property
    def name(self) -> str:
        """The module and its subcommand."""
        first = self.arguments.split(" ")[0]
        return f"{self.module} {first}" if first.isalpha() else self.module

    def needs(self) -> list[str]:
        """Names of its inputs."""
        words = self.arguments.split()
        return [word.strip("{}") for word in words if word.startswith("{") and word.endswith("}")]


SMALL = "from stages.kernels.dedup import unionfind; unionfind.flatten(unionfind.singletons(3))"
TINY_LABELS = "--one-site --label even=[0-9]*[02468] --label odd=[0-9]*[13579] --resamples 3"
FEW_ITEMS = "--files 2 --num-items 20"
BENCHMARKS = (
    Benchmark("runs", "{mixture} --work {work}/runs --data {crawl}", "--engine inline --warm-only"),
    Benchmark("find", "{root}"),
    Benchmark("answers", "{root} --pages 10000000", "--pages 50000 --times 1 --questions 1"),
    Benchmark("labels", "{root}"),
    Benchmark("mixture_loop", "{mixture} --root {root} --work {work}/loop", f"{TINY_LABELS} --runs 15 --budget 20k"),
    Benchmark("rights", "", "--services 50 --pages 200 --most 10000"),
    Benchmark("index_ranges", "{crawl}"),
    Benchmark("index_server", "", "--pages 20"),
    Benchmark("pdf_text", "--books {books}", "--count 1"),
    Benchmark("pdf_fuzz", "", "--count 30 --engine inline"),
    Benchmark("ingest", "reading {warcs}", "--rounds 1"),
    Benchmark("ingest", "pages {warcs}", "--rounds 1"),
    Benchmark("ingest", "extraction {warcs}", "--rounds 1"),
    Benchmark("ingest", "urls {warcs}", "--rounds 1 --addresses 2000"),
    Benchmark("ingest", "fuzz {warcs} --rounds 50", "--rounds 3"),
    Benchmark("ingest_checks", "memory {warcs}", "--megabytes 1"),
    Benchmark("ingest_checks", "split {warcs} --megabytes 200", "--megabytes 1 --most 1.5"),
    Benchmark("ingest_checks", "zoo {zoo}"),
    Benchmark("ingest_checks", "charsets {transcoded}"),
    Benchmark("extraction", "speed {warcs}", "--pages 30"),
    Benchmark("extraction", "agreement {warcs}", "--pages 30"),
    Benchmark("charsets", "{languages}", "--most 60"),
    Benchmark("filters", "{pages}", "--rows 10000 --items 100"),
    Benchmark(
        "decontamination",
        "speed {wiki} {books} {pages} --items {items} --folder {work}/items --least 100",
        f"{FEW_ITEMS} --rounds 1 --least 0",
    ),
    Benchmark(
        "decontamination",
        "memory {wiki} {books} {pages} --items {items} --folder {work}/items --most 512",
        f"{FEW_ITEMS} --most 2000",
    ),
    Benchmark("quality_agreement", "{recorded}"),
    Benchmark("quality", "kernels {pages}", "--few 3"),
    Benchmark("quality", "sizes {books}", "--most 20"),
    Benchmark("quality", "redaction {pages}"),
    Benchmark("quality", "classifier {pages}", "--buckets 1000"),
    Benchmark("language", "{pages}", "--most 20 --min-same 0"),
    Benchmark("dedup", "signatures --documents {documents}", "--rounds 1"),
    Benchmark("dedup", "quality --reference {dedup}"),
    Benchmark("dedup", "growth --pages 100000 1000000 --folder {work}/dedup", "--pages 500"),
    Benchmark("dedup_peers", "--reference {dedup} --scratch {work}/dedup-peers"),
    Benchmark("repeats", "oracle --documents {texts} --folder {work}/repeats", "--windows 100"),
    Benchmark("repeats", "speed --documents {texts} --folder {work}/repeats"),
    Benchmark("repeats", "growth --megabytes 16 256 --folder {work}/repeats-growth", "--megabytes 1"),
    Benchmark("tokens", "speed {wiki}", "--rounds 1 --reference-megabytes 0.05"),
    Benchmark("tokens", "agreement {books}", "--tokenizers mistral-v1"),
    Benchmark("corpus", "", "--megabytes 20 --rounds 1"),
    Benchmark("reader", "", "--tokens 1000 --windows 500 --shard-tokens 2000000"),
    Benchmark("remote_reader", "{work}/remote", "--millions 1"),
    Benchmark("barriers", "", "--splits 500 --slots 20"),
    Benchmark("driver", "--splits 50000", "--splits 60"),
    Benchmark("exchanges", "", "--pages 2e5 --splits 60"),
    Benchmark("report", "--files 20000", "--files 20 --pages 50 --workers 1"),
    Benchmark("checks", "", "--pages 60 --rounds 1"),
    Benchmark("extraction", "compile", f"--code '{SMALL}'"),
)
PARTS = {"inputs", "suite", "dedup_pages", "dedup_datatrove"}
"""Modules of this folder that measure nothing by themselves; `dedup_datatrove` runs in datatrove's environment."""
ALONE = {"transforms", "crash_points"}
"""Benchmarks that start Rays and kill them, or take an hour: run by themselves."""


def available(data: Path, reference: Path, work: Path) -> inputs.Inputs:
    """Paths by name: the real ones, and made ones for those that are missing."""
    found = inputs.real(data, reference)
    made = inputs.make(work / "made", PAGES)
    return {**made, **found, "root": [str(work / "runs/root")]}


def command(benchmark: Benchmark, found: inputs.Inputs, work: str, tiny: bool = False) -> list[str]:
    """Its arguments with the inputs in their places.

    Raises:
        KeyError: an input that there is not.
    """
    words: list[str] = []
    for word in shlex.split(f"{benchmark.arguments} {benchmark.tiny if tiny else ''}"):
        whole = word.startswith("{") and word.endswith("}")
        words += found[word[1:-1]] if whole else [word.replace("{work}", work)]
    return words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=CHECKOUT / "../shared/data")
    parser.add_argument("--reference", type=Path, default=CHECKOUT / "../shared/reference")
    parser.add_argument("--work", type=Path, default=Path("/tmp/gristmill-bench"))
    parser.add_argument("--only", nargs="+", default=[], help="names, or their first words")
    parser.add_argument("--tiny", action="store_true", help="on inputs of some pages: whether they work at all")
    parser.add_argument("--list", action="store_true", help="say what would run")
    given = parser.parse_args()
    found = available(given.data, given.reference, given.work)
    real = inputs.real(given.data, given.reference)
    failed, skipped = [], []
    for benchmark in BENCHMARKS:
        name = benchmark.name
        if given.only and name not in given.only and benchmark.module not in given.only:
            continue
        missing = [need for need in benchmark.needs() if need not in found]
        if missing:
            skipped.append(f"{name}: no {', '.join(missing)}, which only real data has ({given.data})")
            continue
        words = command(benchmark, found, str(given.work), given.tiny)
        made = [need for need in benchmark.needs() if need not in real and need not in ("root", "texts")]
        print(f"\n== {name}{' (on made pages)' if made else ''}\n", flush=True)
        if given.list:
            continue
        started = time.perf_counter()
        status = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{benchmark.module}", *words], cwd=CHECKOUT
        ).returncode
        print(f"-- {name}: {time.perf_counter() - started:.0f} s{f', status {status}' if status else ''}", flush=True)
        failed += [name] if status else []
    print("".join(f"\nskipped: {line}" for line in skipped))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
