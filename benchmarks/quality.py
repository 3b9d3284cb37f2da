"""Speed of `quality`, kernel by kernel, against the plain Python twins on the same pages, and cost by page size.

    python -m benchmarks.quality kernels PAGES.parquet
    python -m benchmarks.quality sizes BOOKS.jsonl.gz
    python -m benchmarks.quality redaction PAGES.parquet
    python -m benchmarks.quality classifier PAGES.parquet [--model MODEL]

PAGES has a column ``text``. All times are processor seconds of one thread, the best of three. `kernels`: a line for
each row of the comparison table (`tests/support/quality_kernels.py`), both families of lines in one pass, SHA-256 of
the same bytes as a limit that knows how busy the machine is, and all families together by each unit of words.
`sizes`: books (9 MB of ordinary prose; of crawled pages joined, most n-grams repeat, which is another text, not
another size) as one page and cut into pages of 10 KB; status 1 where a kernel costs more than twice as much a byte of
the large page. `redaction`: pages without a hit. `classifier`: what `classifiers` costs beside fastText alone on the
same lines; without a model, one is trained on the pages.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages import quality
from stages.kernels.columns.ragged import text_buffers
from stages.rules import classifiers, privacy
from stages.rules.classifier_training import Labelled, Training, train
from tests.support.quality_kernels import FAMILIES, ROWS, Row

SMALL, LARGE, MOST = 10_000, 10_000_000, 2.0


def seconds(run: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.thread_time()
        run()
        best = min(best, time.thread_time() - start)
    return best


def run_row(row: Row, texts: pa.LargeStringArray) -> Callable[[], object]:
    """The row's kernel over the texts, in pieces as `quality` takes them."""
    data, offsets = text_buffers(texts)
    pieces = list(quality.pieces(offsets))
    return lambda: [row.run(data, piece) for piece in pieces]


def kernels(texts: pa.LargeStringArray, num_few: int) -> None:
    size = pa.compute.sum(pa.compute.binary_length(texts)).as_py() / 1e6
    few = [text for text in texts.to_pylist() if len(text) < 20_000][:num_few]
    few_size = sum(len(text.encode()) for text in few) / 1e6
    print(f"{size:.0f} MB\n{'kernel':<22}{'MB/s':>8}{'twin MB/s':>11}{'times':>8}")
    twins = 0.0
    for row in ROWS:
        run_row(row, texts.slice(0, 2))()
        speed = size / seconds(run_row(row, texts))
        spent = seconds(lambda: [row.twin(text) for text in few], 1)  # noqa: B023
        twins += spent if row.name in FAMILIES and row.name != "contamination" else 0.0
        print(f"{row.name:<22}{speed:>8.0f}{few_size / spent:>11.2f}{speed * spent / few_size:>8.0f}", flush=True)
    data, offsets = text_buffers(texts)
    lines = quality.Params(families=("madlad", "chrome"), unit="white_space")
    pair = size / seconds(lambda: [quality.measure_piece(data, piece, lines) for piece in quality.pieces(offsets)])
    digest = size / seconds(lambda: hashlib.sha256(data[offsets[0] : offsets[-1]]).digest())
    print(f"{'madlad and chrome':<22}{pair:>8.0f}\n{'SHA-256':<22}{digest:>8.0f}", flush=True)
    batch = pa.RecordBatch.from_arrays([texts], ["text"])
    for unit in quality.UNITS:
        measure = quality.prepare(quality.Params(unit=unit))
        measure(batch.slice(0, 2))
        speed = size / seconds(lambda: measure(batch))  # noqa: B023
        slow = few_size / twins
        label = f"all by {unit}"
        print(f"{label:<22}{speed:>8.0f}{slow:>11.2f}{speed / slow:>8.0f}", flush=True)


def sizes(text: str, most: float) -> bool:
    """Print the cost a byte of one page against 10 KB pages; whether no kernel costs more than twice as much."""
    raw = text.encode()[:LARGE]
    pages = [raw[i : i + SMALL].decode("utf-8", "ignore") for i in range(0, len(raw), SMALL)]
    small, large = pa.array(pages, pa.large_string()), pa.array(["".join(pages)], pa.large_string())
    print(f"{'kernel':<22}{'small MB/s':>12}{'large MB/s':>12}{'cost a byte':>13}")
    linear = True
    for row in ROWS:
        run_row(row, small.slice(0, 2))()
        costs = [seconds(run_row(row, texts)) for texts in (small, large)]
        linear &= costs[1] <= most * costs[0]
        speeds = "".join(f"{len(raw) / cost / 1e6:>12.0f}" for cost in costs)
        print(f"{row.name:<22}{speeds}{costs[1] / costs[0]:>13.2f}", flush=True)
    return linear


def redaction(texts: pa.LargeStringArray) -> None:
    measured = privacy.measure(*text_buffers(texts))
    hits = sum(np.array(column) for column in measured[: len(privacy.KINDS)])
    without = texts.filter(pa.array(hits == 0))
    for label, some in (("pages without hits", without), ("pages with hits", texts.filter(pa.array(hits > 0)))):
        if not len(some):
            print(f"{label}: none")
            continue
        size = pa.compute.sum(pa.compute.binary_length(some)).as_py() / 1e6
        speed = size / seconds(lambda: privacy.measure(*text_buffers(some)))  # noqa: B023
        print(f"{label}: {len(some)}, {size:.1f} MB, {speed:.0f} MB/s")


def classifier(texts: pa.LargeStringArray, model: str | None, buckets: int) -> None:
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        if model is None:
            model = str(Path(folder) / "model.bin")
            some = [text for text in texts.to_pylist() if text.strip()][:600]
            labelled = [Labelled(f"half_{n % 2}", text) for n, text in enumerate(some)]
            train(labelled, model, Training(epochs=1, dimensions=64, buckets=buckets))
        bare = fasttext.load_model(model).f
        label = bare.getLabels("strict")[0][0]
        score = classifiers.scorer(classifiers.Classifier(model=model, label=label))
        lines = [text.replace("\n", " ").replace("\r", " ") + "\n" for text in texts.to_pylist()]
        data, offsets = text_buffers(texts)
        alone = seconds(lambda: [bare.predict(line, 2, 0.0, "strict") for line in lines])
        ours = seconds(lambda: score(data, offsets))
    size = int(offsets[-1] - offsets[0]) / 1e6
    print(f"fastText alone {size / alone:.1f} MB/s, as a column {size / ours:.1f} MB/s: {ours / alone:.2f} times")


def read(path: str) -> pa.LargeStringArray:
    return pq.read_table(path, columns=["text"]).column("text").combine_chunks().cast(pa.large_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kernels", "sizes", "redaction", "classifier"))
    parser.add_argument("path")
    parser.add_argument("--model")
    parser.add_argument("--buckets", type=int, default=1 << 20, help="of n-grams, for a model that is trained")
    parser.add_argument("--few", type=int, default=60, help="pages that the twins see")
    parser.add_argument(
        "--most", type=float, default=MOST, help="of `sizes`: times that a byte of a large page may cost"
    )
    given = parser.parse_args()
    if given.what == "sizes":
        with gzip.open(given.path, "rt") as file:
            text = "\n".join(json.loads(line)["text"] for line in file)
        if not sizes(text, given.most):
            sys.exit(f"a kernel costs more than {given.most} times as much a byte of a large page")
    elif given.what == "classifier":
        classifier(read(given.path), given.model, given.buckets)
    elif given.what == "kernels":
        kernels(read(given.path), given.few)
    else:
        redaction(read(given.path))


if __name__ == "__main__":
    main()
