"""The report at scale: `build_stats` over the reports of many files, and a merge of surveys.

    python -m benchmarks.report --files 100000

prints seconds, bytes and peak memory. The limit in view: 100,000 files in under 2 minutes and 2 GiB. The peer in the
same process is `json.loads` of the same reports, which any reader of them must pay.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from stages.report import build_stats, encode, render_html
from stages.report import survey as surveys
from tests.report_runs import make_run

DISTINCT = 64


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many(reports: list[bytes], files: int) -> Iterator[Any]:
    """Reports as a manifest would give them: parsed one at a time."""
    for index in range(files):
        yield json.loads(reports[index % len(reports)])


def survey_of(rng: np.random.Generator, hosts: int) -> tuple[pa.Table, dict[str, Any]]:
    names = np.unique(rng.zipf(1.3, hosts) % 2_000_000)
    pages = rng.integers(1, 50, len(names))
    columns = [pa.array([f"host{name}.example" for name in names]), *(pa.array(pages) for _ in range(4))]
    hosts = pa.table(dict(zip(("host", *surveys.SUMS), columns, strict=True))).sort_by("host")
    table = surveys.with_registered(hosts).cast(surveys.HOSTS)
    counts = {"first": 0, "counts": list(range(100))}
    histograms = {
        f"column_{i}_fraction": {"kind": "numbers", "nulls": 1, "all": counts, "kept": counts} for i in range(40)
    }
    report = {
        "rows": 1,
        "left_out": surveys.nothing_left_out(),
        "histograms": histograms,
        "groups": {},
        "samples": [],
    }
    return table, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--hosts", type=int, default=20_000, help="pages of a survey, each of some host")
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
    rng = np.random.default_rng(1)
    parts = [survey_of(rng, arguments.hosts) for _ in range(surveys.FAN_IN)]
    started = time.perf_counter()
    hosts, _ = surveys.add_up(parts)
    merging = time.perf_counter() - started
    merges = arguments.files / surveys.FAN_IN * (1 + 1 / (surveys.FAN_IN - 1))
    print(f"merge of {surveys.FAN_IN} surveys: {merging:.2f} s, {hosts.num_rows:,} hosts; ", end="")
    print(f"of {arguments.files:,} files: {merges * merging / 60:.1f} core minutes in tasks; {memory():.0f} MiB")


if __name__ == "__main__":
    main()
