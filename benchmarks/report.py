"""The report at scale: `build_stats` over the reports of many files, and a merge of surveys.

    python -m benchmarks.report --files 100000

prints seconds, bytes and peak memory. The limit in view: 100,000 files in under 2 minutes and 2 GiB. The peer in the
same process is `json.loads` of the same reports, which any reader of them must pay.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.store.storage import Store
from stages.kernels.columns import bins
from stages.report import build_stats, encode, render_html, sums
from stages.report import hosts as naming
from stages.report import survey as surveys
from tests.support.report_runs import make_run

DISTINCT = 64


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many(reports: list[bytes], files: int) -> Iterator[Any]:
    """Reports as a manifest would give them: parsed one at a time."""
    for index in range(files):
        yield json.loads(reports[index % len(reports)])


def survey_of(rng: np.random.Generator, pages: int) -> sums.Survey:
    """The survey of a split of so many pages: hosts as a crawl has them, 70 columns, groups, samples of 25 reasons."""
    names, counts = np.unique(rng.zipf(1.3, pages) % 2_000_000, return_counts=True)
    columns = [pa.array([f"www.host{name}.example" for name in names]), *(pa.array(counts) for _ in naming.OF_HOSTS)]
    hosts = pa.table(dict(zip(("host", *naming.OF_HOSTS), columns, strict=True)))
    kinds = ["fractions"] * 40 + ["counts"] * 25 + ["numbers"] * 5
    sizes = [len(bins.edges(kind)) - 1 for kind in kinds]
    found = [
        (kind, *(rng.poisson(2, size) for _ in range(2)), 1, [1, 1, 1, 1])
        for kind, size in zip(kinds, sizes, strict=True)
    ]
    groups = {
        name: {f"value-{i}": [3, 2, 1000, 900] for i in range(40)} for name in ("month", "charset", "licence", "script")
    }
    about = json.dumps(
        {"url": "https://www.example/" + "x" * 60, "documents": "documents/" + "x" * 40, "row": 1, "value": 0.5}
    )
    samples = [
        (f"reason_{i}", f"{int(key):016x}", "0" * 32, about)
        for i in range(25)
        for key in rng.integers(0, 1 << 62, sums.SAMPLES)
    ]
    histograms = sums.flattened({f"column_{i}": sums.Histogram(*entry) for i, entry in enumerate(found)})
    return sums.Survey(pages, naming.table_of(hosts, hosts), histograms, groups, samples)


def merge_one(folder: str, group: list[str], name: str) -> float:
    """One task; the CPU seconds it took."""
    started = time.process_time()
    surveys.merge(Store(folder), inputs=group, output=name)
    return time.process_time() - started


def merges(files: int, pages: int, workers: int) -> None:
    """Merge as many surveys as a run of so many files makes, level by level, on so many processes."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(workers) as processes:
        store = Store(folder)
        for number in range(DISTINCT):
            sums.write(store, f"split/{number}.arrow", survey_of(rng, pages))
        size = sum(size for _, size in store.list("split")) / DISTINCT
        hosts = sums.read(store, "split/0.arrow").hosts.num_rows
        names = [f"split/{number % DISTINCT}.arrow" for number in range(files)]
        whole, wall, level = 0.0, 0.0, 0
        while len(names) > 1 or not level:
            groups = [names[start : start + surveys.FAN_IN] for start in range(0, len(names), surveys.FAN_IN)]
            started = time.perf_counter()
            names = [f"merge-{level}/{number}.arrow" for number in range(len(groups))]
            spent = sum(processes.map(merge_one, repeat(folder), groups, names))
            wall += time.perf_counter() - started
            whole, level = whole + spent, level + 1
            print(f"  level {level}: {len(groups):,} tasks of {spent / len(groups):.3f} s of CPU")
        started = time.process_time()
        found = surveys.finish(store, names[0], texts=False)
        print(f"  finish: {time.process_time() - started:.2f} s, {len(found['hosts']):,} hosts")
    print(f"merge of {files:,} surveys ({size / 1e3:.0f} kB, {hosts:,} hosts and domains each): ", end="")
    print(
        f"{whole:.1f} s of CPU, {1000 * whole / files:.2f} ms each; {wall:.1f} s of wall clock on {workers} processes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that merge")
    parser.add_argument("--pages", type=int, default=20_000, help="pages of a split, for its hosts")
    arguments = parser.parse_args()
    languages = tuple(f"l{i}" for i in range(40))
    run = make_run(1, files=DISTINCT, pages=2000, languages=languages, sources=("web", "books", "code", "wiki"))
    packed = {key: [json.dumps(report).encode() for report in run[key]] for key in ("documents", "kept", "tokens")}
    started = time.perf_counter()
    for reports in packed.values():
        for _ in many(reports, arguments.files):
            pass
    parsing = time.perf_counter() - started
    started = time.perf_counter()
    given = {key: many(reports, arguments.files) for key, reports in packed.items()}
    stats = build_stats("scale", **given, clusters=None, corpus=run["corpus"])
    building = time.perf_counter() - started
    started = time.perf_counter()
    page = render_html(stats)
    rendering = time.perf_counter() - started
    print(
        f"{arguments.files:,} files: parsing their reports {parsing:.1f} s; build_stats {building:.1f} s in all, ",
        end="",
    )
    print(f"{building / parsing:.2f} times the parsing alone; {memory():.0f} MiB")
    print(f"page: {rendering:.2f} s, {len(page) / 1e6:.2f} MB; stats.json {len(encode(stats)) / 1e6:.2f} MB")
    merges(arguments.files, arguments.pages, arguments.workers)


if __name__ == "__main__":
    main()
