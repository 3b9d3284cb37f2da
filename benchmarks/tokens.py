"""Tokens: the whole job, text in and Arrow file out, against the bare libraries on the same texts in the same run.

    python -m benchmarks.tokens wiki.parquet --tokenizer mistral-v1 [--rounds 3]

The Parquet file needs a string column `text`. Rounds alternate; printed are megabytes of text per second of CPU of one
process (median of the rounds) and the ratios. The reference library is slow and encodes only the first megabytes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.storage import Store
from stages import schemas, tokens
from stages.kernels.ragged import text_buffers
from stages.tokenizers import encode_by_reference, load


def aligned_files(store: Store, texts: pa.ChunkedArray, rows_per_group: int) -> dict[str, str]:
    """`documents`, `language` and `kept` of one split in which every page is kept."""
    count = len(texts)
    ids = pa.array([xxhash.xxh3_128_digest(str(i).encode()) for i in range(count)], schemas.DOC_ID)
    given = {"doc_id": ids, "text_hash": ids, "text": texts.combine_chunks()}
    constant = {"source": "bench", "file": "a.warc.gz", "offset": 0, "raw_bytes": 0, "text_bytes": 0}
    constant |= {"language": "en", "script": "Latn", "confidence": 0.5, "keep": True, "failed": 0, "domain": "all"}
    addresses = {}
    for name, schema in (("documents", schemas.DOCUMENTS), ("language", schemas.LANGUAGE), ("kept", schemas.KEPT)):
        columns = [given.get(f.name, pa.array([constant.get(f.name)] * count, f.type)) for f in schema]
        addresses[name] = f"{name}.parquet"
        with store.table_writer(addresses[name], schema) as writer:
            for batch in pa.table(columns, schema=schema).to_batches(max_chunksize=rows_per_group):
                writer.write(batch)
    return addresses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--tokenizer", default="mistral-v1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reference-megabytes", type=float, default=4)
    arguments = parser.parse_args()
    texts = pq.read_table(arguments.file, columns=["text"])["text"].cast(pa.large_string())
    tokenizer = load(arguments.tokenizer)
    data, offsets = text_buffers(texts)
    few = max(2, int((offsets <= arguments.reference_megabytes * 1e6).sum()))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        addresses = aligned_files(store, texts, 500)

        def job() -> int:
            params = {"tokenizer": arguments.tokenizer}
            report = tokens.tokenize(store, **addresses, clusters=None, output="tokens.arrow", params=params)
            return int(report["text_bytes"])

        def bare() -> int:
            assert tokenizer.fast is not None, tokenizer.why_slow
            for start in range(0, len(offsets) - 1, 500):
                tokenizer.fast(data, offsets[start : start + 501])
            return int(offsets[-1] - offsets[0])

        def reference() -> int:
            encode_by_reference(tokenizer.reference, data, offsets[:few])
            return int(offsets[few - 1] - offsets[0])

        library = tokenizer.reference.library
        runs: dict[str, Callable[[], int]] = {"job": job, "gigatoken alone": bare, f"{library} alone": reference}
        if tokenizer.fast is None:
            del runs["gigatoken alone"]
        job()  # compile and warm up
        speeds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(arguments.rounds):
            for name, run in runs.items():
                started = time.process_time()
                size = run()
                speeds[name].append(size / 1e6 / (time.process_time() - started))
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    for name, median in medians.items():
        print(f"{name:24} {median:7.1f} MB/s   job / this {medians['job'] / median:5.2f}")


if __name__ == "__main__":
    main()
