"""The cheapest input that keeps the language model's labels: how many bytes of a page, from where, at what cost.

    python -m benchmarks.language PAGES.parquet [--model lid.176] [--min-same 0.995] [--most 2000]

PAGES has a column ``text``, of real pages. For each input (bytes, pieces) prints the share of pages labelled as by
their full text and the processor milliseconds a page, best of two; then names the cheapest that keeps ``--min-same``,
and what the stage `language` costs a page with its own settings. Status 1 where those do not keep it.
"""

from __future__ import annotations

import argparse
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq

from stages import language

INPUTS = (
    (500, 1), (1000, 1), (2000, 1), (4000, 1),
    (500, 4), (1000, 4), (2000, 4), (500, 8), (1000, 8), (1500, 8), (2000, 8), (4000, 8), (1000, 16), (2000, 16),
)  # fmt: skip
"""(bytes read, pieces they are divided into)."""
ALL = 1 << 40


def labels(batch: pa.RecordBatch, params: language.Params, times: int) -> tuple[list[str], float]:
    """(label of each page, processor milliseconds a page)."""
    label = language.prepare(params)
    label(batch.slice(0, 10))
    best = float("inf")
    for _ in range(times):
        start = time.thread_time()
        found = label(batch)
        best = min(best, time.thread_time() - start)
    return found.column("language").to_pylist(), 1e3 * best / batch.num_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages")
    parser.add_argument("--model", default="lid.176")
    parser.add_argument("--min-same", type=float, default=0.995)
    parser.add_argument("--most", type=int, default=2000, help="pages, evenly spread")
    given = parser.parse_args()
    texts = pq.read_table(given.pages, columns=["text"]).column("text").combine_chunks().cast(pa.large_string())
    step = max(1, len(texts) // given.most)
    texts = texts.take(pa.array(range(0, len(texts), step)))
    batch = pa.RecordBatch.from_arrays([texts], ["text"])
    full, cost = labels(batch, language.Params(model=given.model, max_bytes=ALL, pieces=1), 1)
    size = pa.compute.mean(pa.compute.binary_length(texts)).as_py()
    print(f"{len(texts)} pages of {size:.0f} bytes\n{'input':<28}{'same label':>11}{'ms a page':>11}")
    print(f"{'all':<28}{'100.00%':>11}{cost:>11.3f}")
    good: list[tuple[float, int, int]] = []
    for max_bytes, pieces in INPUTS:
        params = language.Params(model=given.model, max_bytes=max_bytes, pieces=pieces)
        found, cost = labels(batch, params, 2)
        same = sum(a == b for a, b in zip(found, full, strict=True)) / len(full)
        name = f"first {max_bytes} bytes" if pieces == 1 else f"{pieces} pieces of {max_bytes // pieces} bytes"
        print(f"{name:<28}{100 * same:>10.2f}%{cost:>11.3f}", flush=True)
        if same >= given.min_same:
            good.append((cost, max_bytes, pieces))
    print(f"cheapest with {100 * given.min_same:.1f}%: {min(good)[1:] if good else None} (bytes, pieces)")
    own = language.Params(model=given.model)
    found, cost = labels(batch, own, 2)
    same = sum(a == b for a, b in zip(found, full, strict=True)) / len(full)
    print(f"the stage ({own.max_bytes} bytes, {own.pieces} pieces): {100 * same:.2f}%, {cost:.3f} ms a page")
    if same < given.min_same:
        sys.exit("the stage's input keeps too few labels")


if __name__ == "__main__":
    main()
