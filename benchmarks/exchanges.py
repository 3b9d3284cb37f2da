"""Exchanges of a crawl, planned: tasks, files and reads of `clusters` and shards, phase by phase, and the plan's price.

    python -m benchmarks.exchanges --pages 1e9 --splits 360000

Plans them with the default settings, as a run does, for so many pages of 4 KB of text in equal splits and 1,000 tokens
a page, half of them in each of two domains. No file is read or written; `tests/run/test_traffic.py` holds the counts
against what runs do. Status 1 where a phase reads files that no phase before it writes.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence

from pipeline.run import traffic
from stages import clusters, shards
from stages.contract import Each, Wave

PAGE_BYTES, PAGE_TOKENS = 4096, 1000
DOMAINS = ("a", "b")
PRODUCTS = ("documents", "signatures", "language", "eligible")


def cluster_waves(pages: int, splits: int) -> list[Wave]:
    """Phases of `clusters`, from families to who stays."""

    def one(index: int) -> clusters.ClusterInput:
        name = f"{index:016x}"
        files = {
            product: f"{product}/{name}.parquet" for product in ("documents", "signatures", "language", "eligible")
        }
        rows = pages * (index + 1) // splits - pages * index // splits
        return clusters.ClusterInput(
            name=name, source="web", quality=None, rows=rows, text_bytes=rows * PAGE_BYTES, **files
        )

    return clusters.plan(clusters.Params(), Each(one, splits), "clusters/planned")


def shard_waves(pages: int, splits: int, domain: str) -> list[Wave]:
    """Phases that write the shards of one domain."""
    rows = pages // splits // len(DOMAINS)
    inputs = [shards.Input(f"tokens/{n:016x}.arrow", rows, rows * PAGE_TOKENS) for n in range(splits)]
    tokenizer = {"name": "planned", "dtype": "uint16", "vocab_size": 32000, "eos_id": 2}
    return shards.plan(shards.Params(), domain, inputs, f"shards/{domain}", tokenizer=tokenizer, seed=0)


def show(name: str, make: Callable[[], Sequence[Wave]]) -> traffic.Traffic:
    """Print the waves of an exchange, and all of it."""
    started = time.process_time()
    waves = make()
    planned = time.process_time() - started
    for part in traffic.of_waves(waves):
        print(f"  {part.line()}")
    found = traffic.whole(name, waves)
    counted = time.process_time() - started - planned
    print(f"{found.line()}\n  planned in {planned:.1f} CPU seconds, counted twice in {counted:.1f}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=float, default=1e9)
    parser.add_argument("--splits", type=int, default=360_000)
    options = parser.parse_args()
    pages = int(options.pages)
    found = [show("clusters", lambda: cluster_waves(pages, options.splits))]
    found += [show(f"shards of {name}", lambda name=name: shard_waves(pages, options.splits, name)) for name in DOMAINS]  # type: ignore[misc]
    if any(not one.reads for one in found):
        sys.exit("an exchange reads nothing: its plan was not counted")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
