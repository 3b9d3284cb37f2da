"""The cost of labels: CPU time a page of `labels` by a fastText model, beside `language` on the same pages.

    python -m benchmarks.labels ROOT [--model MODEL] [--pages PAGES]

ROOT holds `documents`; the model is that of `language` unless another is given. It
prints milliseconds of CPU a page of both, best of three.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stages import labels, language


def main() -> None:
    """Print the two figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--model", default=str(language.MODELS["lid.176"]))
    parser.add_argument("--pages", type=int, default=5000)
    given = parser.parse_args()
    files = sorted(given.root.glob("documents/*/*.parquet"))
    texts = pa.concat_tables([pq.read_table(file, columns=["text"]) for file in files]).slice(0, given.pages)
    [batch] = texts.combine_chunks().to_batches()
    params = labels.Params.model_validate({"labellers": {"x": {"model": given.model}}})
    for name, function in (
        ("labels", labels.prepare(params)),
        ("language", language.prepare(language.Params())),
    ):
        function(batch.slice(0, 10))
        best = min(timed(function, batch) for _ in range(3))
        print(f"{name:<9} {1000 * best / batch.num_rows:.4f} ms a page")


def timed(function: labels.Batches, batch: pa.RecordBatch) -> float:
    """CPU seconds of one call."""
    before = time.process_time()
    function(batch)
    return time.process_time() - before


if __name__ == "__main__":
    main()
