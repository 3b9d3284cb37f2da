"""`find` beside what any scan of the same texts must do: read the files' bytes, and decode their column of text.

    python -m benchmarks.find ROOT [--phrase TEXT]

ROOT is a finished run on a local disk. In one run, each the best of three, wall clock and CPU: the files read through
as bytes (from the page cache, and once past it, where the disk is asked), the column of text decoded by pyarrow on
as many threads as `find` has, and `find` of a phrase that no page has, as it stands, ignoring case, and as a pattern.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.answers import find
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store

BLOCK = 1 << 22


def best(what: Callable[[], object], times: int = 3) -> tuple[float, float]:
    found = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        what()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(found)


def through(path: Path, flags: int = 0) -> int:
    """Read a file to its end."""
    file = os.open(path, os.O_RDONLY | flags)
    try:
        while os.read(file, BLOCK):
            pass
        return 0
    finally:
        os.close(file)


def forget(paths: list[Path]) -> None:
    """Drop the files from the page cache."""
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def decode(path: Path) -> int:
    """The column of text of a file, row group by row group, on this thread."""
    parquet = pq.ParquetFile(path)
    groups = range(parquet.num_row_groups)
    return sum(parquet.read_row_group(group, columns=["text"], use_threads=False).nbytes for group in groups)


def searching(snapshot: snapshots.Snapshot, phrase: find.Phrase, workers: int) -> Callable[[], object]:
    return lambda: list(find.find(snapshot, phrase, None, workers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--phrase", default="a phrase that stands in no page")
    arguments = parser.parse_args()
    workers = os.cpu_count() or 1
    snapshot = snapshots.load(Store(arguments.root))
    paths = [Path(snapshot.store.path(entry.address)) for entry in snapshot.product("documents")]
    text = sum(entry.report["text_bytes"] for entry in snapshot.product("documents"))
    stored = sum(path.stat().st_size for path in paths)
    print(f"{len(paths)} files, {stored / 1e6:.0f} MB on the disk, {text / 1e6:.0f} MB of text; {workers} threads")

    def report(name: str, spent: tuple[float, float]) -> None:
        wall, cpu = spent
        rate = f"{text / wall / 1e6:,.0f} MB of text a second ({stored / wall / 1e6:,.0f} MB of files)"
        print(f"{name:38s} {wall:6.3f} s, {cpu:6.3f} s of CPU: {rate}")

    def each(what: Callable[[Path], object]) -> Callable[[], object]:
        def run() -> None:
            with ThreadPoolExecutor(workers) as threads:
                list(threads.map(what, paths))

        return run

    forget(paths)
    report("bytes, from the disk", best(each(through), 1))
    report("bytes, from the page cache", best(each(through)))
    report("column of text, decoded", best(each(decode)))
    for name, phrase in (
        ("find, as it stands", find.Phrase(arguments.phrase)),
        ("find, ignoring case", find.Phrase(arguments.phrase, ignore_case=True)),
        ("find, a pattern", find.Phrase(arguments.phrase.replace(" ", r"\s+"), regex=True)),
    ):
        report(name, best(searching(snapshot, phrase, workers)))
    forget(paths)
    report("find, as it stands, from the disk", best(searching(snapshot, find.Phrase(arguments.phrase), workers), 1))


if __name__ == "__main__":
    main()
