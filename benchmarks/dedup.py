"""Deduplication measured: growth with the number of pages, speed of signatures, quality on real pages.

    python -m benchmarks.dedup growth --pages 100000 1000000 10000000 --folder SCRATCH
    python -m benchmarks.dedup signatures --documents FILE.parquet
    python -m benchmarks.dedup quality --reference FOLDER

`growth` makes pages (`benchmarks.dedup_pages`), signs them and runs every wave of `clusters` one task after another
in a process of its own, so its peak memory is a task's. It prints seconds of CPU per wave, the peak of memory, the
largest temporary disk, and seconds per n log n relative to the smallest run. `signatures` compares with datasketch (and
rensa where installed) on the same text in the same run, and `quality` scores recall and precision against exact pairs.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import multiprocessing
import resource
import shutil
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.storage import Store
from stages import clusters, signatures

SPLIT_PAGES = 250_000
BATCH_PAGES = 8192


def make_splits(store: Store, pages: int) -> list[clusters.ClusterInput]:
    """Write documents and signatures of ``pages`` made-up pages, unless they are there already."""
    from benchmarks.dedup_pages import page_batch, vocabulary, zipf_table

    words, table = vocabulary(), zipf_table()
    params = signatures.Params()
    sign = signatures.prepare(params)
    inputs = []
    for split, first in enumerate(range(0, pages, SPLIT_PAGES)):
        count = min(SPLIT_PAGES, pages - first)
        name = f"{split:04d}-{count}"
        documents, signed = f"documents/{name}.parquet", f"signatures/{name}.parquet"
        if not store.exists(signed):
            with (
                store.table_writer(documents, page_batch(0, 1, words, table).schema) as texts,
                store.table_writer(signed, signatures.schema(params)) as out,
            ):
                for start in range(first, first + count, BATCH_PAGES):
                    batch = page_batch(start, min(BATCH_PAGES, first + count - start), words, table)
                    texts.write(batch)
                    out.write(sign(batch))
        with store.open(documents) as file:
            text_bytes = sum(pq.ParquetFile(file).read(columns=["text_bytes"]).column(0).to_numpy())
        inputs.append(
            clusters.ClusterInput(
                name=name,
                source="made",
                documents=documents,
                signatures=signed,
                language=None,
                quality=None,
                rows=count,
                text_bytes=int(text_bytes),
            )
        )
    return inputs


def run_phases(root: str, inputs: list[clusters.ClusterInput], settings: dict[str, Any], answer: Any) -> None:
    """Run all waves in this process; send back CPU seconds per wave, peak memory and peak temporary disk."""
    store = Store(root)
    store.remove("clusters")
    waves = clusters.plan(clusters.Params(**settings), inputs, "clusters")
    seconds: dict[str, float] = {}
    tasks: dict[str, int] = {}
    peaks: dict[str, int] = {}
    disk = planned = 0
    for wave in waves:
        started = time.process_time()
        for task in wave.tasks:
            module, _, function = task.job.partition(":")
            getattr(importlib.import_module(module), function)(store, **task.args)
            planned = max(planned, task.memory)
        seconds[wave.name] = time.process_time() - started
        tasks[wave.name] = len(wave.tasks)
        peaks[wave.name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        disk = max(disk, sum(size for address, size in store.list("clusters") if "/work/" in address))
        for prefix in wave.discard:
            store.remove(prefix)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    answer.put({"seconds": seconds, "tasks": tasks, "peaks": peaks, "peak": peak, "planned": planned, "disk": disk})


def growth(args: argparse.Namespace) -> None:
    first: float | None = None
    for pages in args.pages:
        store = Store(f"{args.folder}/pages")
        started = time.process_time()
        inputs = make_splits(store, pages)
        making = time.process_time() - started
        context = multiprocessing.get_context("spawn")
        answer = context.Queue()
        job = context.Process(
            target=run_phases,
            args=(store.root, inputs, {"memory": args.memory, "passes": args.passes, "rounds": args.rounds}, answer),
        )
        wall = time.perf_counter()
        job.start()
        result = answer.get()
        job.join()
        wall = time.perf_counter() - wall
        total = sum(result["seconds"].values())
        text = sum(entry.text_bytes for entry in inputs)
        summary = json.loads(store.read_bytes("clusters/summary.json"))
        unit = total / (pages * math.log2(pages))
        first = first or unit
        print(f"\n{pages:,} pages, {text / 1e9:.2f} GB of text (made and signed in {making:.0f} s)")
        for name, seconds in result["seconds"].items():
            peak = f"peak so far {result['peaks'][name] / 2**30:.2f} GiB"
            print(f"  {name:40s} {result['tasks'][name]:4d} tasks {seconds:8.1f} s CPU, {peak}")
        print(
            f"  all {total:.1f} s CPU, {wall:.1f} s wall, {pages / total:,.0f} pages/s, {text / total / 1e6:.0f} MB/s;"
            f" per n log n {unit / first:.2f} of the smallest; peak memory {result['peak'] / 2**30:.2f} GiB"
            f" (largest task planned {result['planned'] / 2**30:.2f}), temporary disk {result['disk'] / 1e9:.2f} GB"
        )
        print(f"  exact {summary['exact_removed']:,} fuzzy {summary['fuzzy_removed']:,} {summary['candidates']}")
        print(f"  compared {summary['pairs_compared']:,} verified {summary['pairs_verified']:,}", flush=True)
    if not args.keep:
        shutil.rmtree(f"{args.folder}/pages", ignore_errors=True)


def read_texts(path: str) -> list[str]:
    """The column ``text`` of a Parquet file."""
    texts: list[str] = pq.read_table(path, columns=["text"]).column("text").to_pylist()
    return texts


def text_batches(texts: list[str]) -> list[pa.RecordBatch]:
    """Texts as the pipeline has them: batches of Arrow columns."""
    ids = pa.array([number.to_bytes(16, "big") for number in range(len(texts))], pa.binary(16))
    table = pa.table({"doc_id": ids, "text": pa.array(texts, pa.large_string())})
    return list(table.to_batches(max_chunksize=1024))


def our_signatures(batches: list[pa.RecordBatch]) -> np.ndarray:
    sign = signatures.prepare(signatures.Params())
    column = pa.Table.from_batches([sign(batch) for batch in batches]).column("minhash").combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def word_shingles(text: str) -> list[str]:
    """Shingles as users of datasketch and rensa write them: words split at white space, joined by fives."""
    words = text.lower().split()
    return [" ".join(words[start : start + 5]) for start in range(max(1, len(words) - 4))]


def datasketch_signatures(texts: list[str]) -> None:
    from datasketch import MinHash

    for text in texts:
        MinHash(num_perm=112).update_batch([shingle.encode() for shingle in word_shingles(text)])


def rensa_signatures(texts: list[str]) -> None:
    from rensa import RMinHash

    for text in texts:
        RMinHash(num_perm=112, seed=1).update(word_shingles(text))


def compare_signatures(args: argparse.Namespace) -> None:
    """MB/s of CPU time, best of ``rounds``, alternating; peers on every ``thin``-th text of the same file."""
    texts = read_texts(args.documents)
    ours_bytes = sum(len(text.encode()) for text in texts)
    thin = texts[:: args.thin]
    thin_bytes = sum(len(text.encode()) for text in thin)
    contestants: dict[str, tuple[Any, Any, int]] = {
        "ours": (our_signatures, text_batches(texts), ours_bytes),
        "datasketch": (datasketch_signatures, thin, thin_bytes),
    }
    if importlib.util.find_spec("rensa"):
        contestants["rensa"] = (rensa_signatures, thin, thin_bytes)
    our_signatures(text_batches(texts[:10]))
    best: dict[str, float] = {}
    for _ in range(args.rounds):
        for name, (function, part, size) in contestants.items():
            started = time.process_time()
            function(part)
            best[name] = max(best.get(name, 0.0), size / (time.process_time() - started) / 1e6)
    for name, speed in best.items():
        print(f"{name:12s} {speed:8.1f} MB/s   ours is {best['ours'] / speed:6.1f} times as fast")


def quality(args: argparse.Namespace) -> None:
    """Recall of exact pairs per similarity, and of removals, ours against datasketch's LSH on the same pages."""
    from datasketch import MinHash, MinHashLSH

    documents = pq.read_table(f"{args.reference}/dev_docs.parquet", columns=["doc_id", "text"]).to_pydict()
    pairs = pq.read_table(f"{args.reference}/dev_pairs.parquet").to_pydict()
    number = {name: row for row, name in enumerate(documents["doc_id"])}
    left = np.array([number[name] for name in pairs["doc_a"]])
    right = np.array([number[name] for name in pairs["doc_b"]])
    similarity = np.array(pairs["jaccard"])
    minima = our_signatures(text_batches(documents["text"]))
    params = clusters.Params()
    ours = minima[:, : params.bands * params.rows].reshape(len(minima), params.bands, params.rows)
    ours_met = (ours[left] == ours[right]).all(axis=2).any(axis=1)
    index = MinHashLSH(num_perm=112, params=(14, 8))
    hashes = []
    for row, text in enumerate(documents["text"]):
        found = MinHash(num_perm=112)
        found.update_batch([shingle.encode() for shingle in word_shingles(text)])
        hashes.append(found)
        index.insert(row, found)
    near = [set(index.query(found)) for found in hashes]
    theirs_met = np.array([b in near[a] for a, b in zip(left.tolist(), right.tolist(), strict=True)])
    true = {
        (min(a, b), max(a, b)) for a, b, s in zip(left.tolist(), right.tolist(), similarity, strict=True) if s >= 0.8
    }
    nominated = {(min(a, b), max(a, b)) for a, group in enumerate(near) for b in group if a != b}
    print("similarity       pairs   ours 18x6  predicted  datasketch 14x8 (words split at white space)")
    for low, high in [(0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.75), (0.75, 0.8), (0.8, 0.9), (0.9, 1.0), (1.0, 1.1)]:
        here = (similarity >= low) & (similarity < high)
        if not here.any():
            continue
        predicted = (1 - (1 - similarity[here] ** params.rows) ** params.bands).mean()
        print(
            f"{low:.2f} - {min(high, 1):.2f}  {here.sum():8,}  {ours_met[here].mean():9.2%}  {predicted:9.2%}"
            f"  {theirs_met[here].mean():9.2%}"
        )
    here = similarity >= 0.8
    print(f"J >= 0.8     {here.sum():8,}  {ours_met[here].mean():9.2%}             {theirs_met[here].mean():9.2%}")
    print(
        f"of datasketch's nominated pairs {len(nominated & true) / len(nominated):.1%} have J >= 0.8; it verifies none"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    grow = commands.add_parser("growth")
    grow.add_argument("--pages", type=int, nargs="+", default=[100_000, 1_000_000])
    grow.add_argument("--folder", required=True)
    grow.add_argument("--memory", type=int, default=2 << 30)
    grow.add_argument("--passes", type=int, default=1)
    grow.add_argument("--rounds", type=int)
    grow.add_argument("--keep", action="store_true")
    sign = commands.add_parser("signatures")
    sign.add_argument("--documents", required=True)
    sign.add_argument("--thin", type=int, default=10)
    sign.add_argument("--rounds", type=int, default=5)
    score = commands.add_parser("quality")
    score.add_argument("--reference", required=True)
    args = parser.parse_args()
    {"growth": growth, "signatures": compare_signatures, "quality": quality}[args.command](args)


if __name__ == "__main__":
    main()
