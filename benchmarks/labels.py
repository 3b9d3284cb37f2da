"""What labels cost: CPU time a page of `labels` by a fastText model, beside `language` on the same pages.

    python -m benchmarks.labels ROOT MODEL [PAGES]

ROOT holds `documents`; prints milliseconds of CPU a page of both, best of three.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stages import labels, language


def main(root: str, model: str, pages: int = 5000) -> None:
    """Print the two figures."""
    files = sorted(Path(root).glob("documents/*/*.parquet"))
    texts = pa.concat_tables([pq.read_table(file, columns=["text"]) for file in files]).slice(0, pages)
    [batch] = texts.combine_chunks().to_batches()
    params = labels.Params.model_validate({"labellers": {"x": {"model": model}}})
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
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
