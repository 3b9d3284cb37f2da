"""Answers about many pages: the key index made and asked, and `why` and `trace` as commands, Python's start included.

    python -m benchmarks.answers ROOT --pages 10000000

ROOT is a finished run on a local disk. Its pages are put behind made-up ones (doc_id and URL alone) in a root beside
it, ``ROOT-many``, whose manifests name all of them; `why` is then asked there. The peer in the same process is a scan
of the same two columns, which answers one question and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.recipe import pages
from pipeline.recipe import snapshot as snapshots
from pipeline.store import manifest
from pipeline.store.sinks import encode
from pipeline.store.storage import Store

ROWS = 25_000


def made_up(number: int) -> pa.Table:
    generator = np.random.default_rng(number)
    ids = pa.Array.from_buffers(pa.binary(16), ROWS, [None, pa.py_buffer(generator.bytes(16 * ROWS))])
    hosts = generator.zipf(1.2, ROWS) % 3_000_000
    urls = [
        f"https://www.host-{host}.example/section/{number}/a-page-of-some-length-{i}" for i, host in enumerate(hosts)
    ]
    return pa.table({"doc_id": ids, "url": urls})


def many(root: Store, count: int) -> Store:
    """A root with the products of another behind those of made-up pages; files are links."""
    found = snapshots.load(root)
    other = Store(f"{root.root.rstrip('/')}-many")
    shutil.rmtree(other.base, ignore_errors=True)
    shutil.copytree(root.base, other.base, copy_function=os.link, ignore=shutil.ignore_patterns("index", "runs"))
    data = dict(found.data) | {"products": {}}
    addresses = [f"made-up/{number:05d}.parquet" for number in range(count // ROWS)]
    for number, address in enumerate(addresses):
        other.write_table(address, made_up(number))
    for product in found.data["products"]:
        entries = list(found.product(product))
        report = entries[0].report | {"rows": ROWS}
        first = [
            manifest.line_of(address, {"bytes": 1, "xxh3_128": ""}, manifest.facts(report), encode(report))
            for address in addresses
        ]
        data["products"][product] = f"manifests/{product}-many.jsonl.zst"
        manifest.write(other, data["products"][product], [*first, *(entry.raw for entry in entries)])
    path = Path(other.base, "mixtures", f"{found.name}.json")
    path.unlink()
    other.write_json(f"mixtures/{found.name}.json", data)
    other.write_json("runs/current.json", {"mixture": found.name, "complete": True})
    return other


def command(*words: str, times: int) -> tuple[float, float]:
    """Wall clock and CPU seconds of a command, the best of some times."""
    best = (float("inf"), float("inf"))
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "pipeline", *words], check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, (wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return best


def scan(store: Store, files: list[tuple[str, int]], url: str) -> int:
    """The peer: pages with a URL, by reading every file."""
    return sum(
        pc.sum(pc.equal(table.column("url"), url)).as_py() or 0
        for address, _ in files
        for _, table in store.row_groups(address, ["doc_id", "url"])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--pages", type=int, default=10_000_000)
    parser.add_argument("--questions", type=int, default=3, help="commands to ask, of three")
    parser.add_argument("--times", type=int, default=5, help="each command runs so often")
    arguments = parser.parse_args()
    store = many(Store(arguments.root), arguments.pages)
    snapshot = snapshots.load(store)
    files = pages.files_of(snapshot)
    rows = sum(count for _, count in files)
    real = snapshot.entry("documents", len(files) - 1)
    assert real is not None
    url = next(url for url in store.read_table(real.address, ["url"]).column("url").to_pylist() if url)

    started, cpu = time.perf_counter(), time.process_time()
    index = pages.index_of(snapshot)
    index.find("doc_id", b"x" * 16)
    spent, cpu = time.perf_counter() - started, time.process_time() - cpu
    disk = sum(size for _, size in store.list("runs/index"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"index of {rows:,} pages in {len(files)} files, one process: {spent:.1f} s ({cpu:.1f} s of CPU, ", end="")
    print(f"{1e6 * cpu / rows:.2f} µs a page), {memory} MiB of memory, {disk >> 20} MiB on the disk")
    started = time.perf_counter()
    assert scan(store, files, url)
    print(f"peer, a scan for one URL: {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    chance = random.Random(1)
    for _ in range(1000):
        index.find("doc_id", chance.randbytes(16))
    print(f"look-up: {time.perf_counter() - started:.3f} ms of 1,000 unknown doc_ids, each")
    corpus = snapshot.data["corpus"].rpartition("/")[0]
    shard: Any = next(address for address, _ in store.list(corpus) if address.endswith(".arrow"))
    for words in (("why", url), ("why", url, "--json"), ("trace", f"{shard}:5:7"))[: arguments.questions]:
        wall, spent = command(*words, "--root", store.root, times=arguments.times)
        print(f"{words[0]}, as a command: {wall:.2f} s, {spent:.2f} s of CPU")
    print(json.dumps({"root": store.root}))


if __name__ == "__main__":
    main()
