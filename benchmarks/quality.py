"""Speed of `quality`, family by family, against the plain Python twins on the same pages, and cost by page size.

    python -m benchmarks.quality PAGES.parquet [--books BOOKS.jsonl.gz]

PAGES has a column ``text``. All times are processor seconds of one thread, the best of three. Page size: books cut
into pages of 10 KB, 100 KB, 1 MB, 10 MB (ordinary prose; of crawled pages joined, most n-grams repeat, which is another
text, not another size).
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from stages import quality
from tests import slow_rules

TWINS: dict[str, Callable[[str], object]] = {
    "gopher_quality": slow_rules.gopher_quality,
    "gopher_repetition": slow_rules.gopher_repetition,
    "c4": slow_rules.c4,
    "c4_strict": slow_rules.c4_strict,
    "fineweb": slow_rules.fineweb,
    "refinedweb": slow_rules.refinedweb,
    "redpajama": slow_rules.redpajama,
    "privacy": slow_rules.privacy,
}


def batch_of(texts: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])


def seconds(run: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def families(texts: list[str]) -> None:
    batch = batch_of(texts)
    size = sum(len(text.encode()) for text in texts) / 1e6
    few = [text for text in texts if len(text) < 20_000][:100]
    few_size = sum(len(text.encode()) for text in few) / 1e6
    print(f"{'family':<20}{'MB/s':>8}{'twin MB/s':>11}{'times':>8}")
    for name in (*TWINS, "all"):
        measure = quality.prepare(quality.Params(families=tuple(TWINS) if name == "all" else (name,)))
        measure(batch.slice(0, 2))
        speed = size / seconds(lambda: measure(batch))  # noqa: B023
        twins = list(TWINS.values()) if name == "all" else [TWINS[name]]
        slow = few_size / seconds(lambda: [twin(text) for text in few for twin in twins], 1)  # noqa: B023
        print(f"{name:<20}{speed:>8.0f}{slow:>11.2f}{speed / slow:>8.0f}", flush=True)


def page_sizes(text: str) -> None:
    raw = text.encode()
    raw = (raw * (10_000_000 // len(raw) + 1))[:10_000_000] if len(raw) < 10_000_000 else raw[:10_000_000]
    print(f"{'page':<20}{'MB/s':>8}{'cost a byte':>13}")
    measure = quality.prepare(quality.Params())
    base = 0.0
    for size in (10_000, 100_000, 1_000_000, len(raw)):
        pages = [raw[i : i + size].decode("utf-8", "ignore") for i in range(0, len(raw), size)]
        batch = batch_of(pages)
        spent = seconds(lambda: measure(batch))  # noqa: B023
        base = base or spent
        print(f"{size:<20}{len(raw) / spent / 1e6:>8.0f}{spent / base:>13.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages")
    parser.add_argument("--books")
    given = parser.parse_args()
    families(pq.read_table(given.pages, columns=["text"]).column("text").to_pylist())
    if given.books:
        with gzip.open(given.books, "rt") as file:
            page_sizes("\n".join(json.loads(line)["text"] for line in file))


if __name__ == "__main__":
    main()
