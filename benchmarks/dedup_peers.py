"""Deduplication end to end beside datatrove and datasketch: the same real pages, scored against every pair counted.

    python -m benchmarks.dedup_peers --reference FOLDER --scratch FOLDER [--datatrove PYTHON]

``--reference`` holds dev_docs.parquet (doc_id, text, ...) and dev_pairs.parquet (doc_a, doc_b, jaccard). Ours is the
whole way from text to kept masks: `signatures`, every phase of `clusters`, `kept`. datasketch is MinHashLSH with 14 x 8
over words split at white space, its nominations joined and the first page of each component kept, which is what its
users write. datatrove (0.10 defaults, 14 x 8) runs in the interpreter of ``--datatrove``. Seconds are of CPU, one core.
Each result is left in the scratch folder as NAME.parquet (doc_id, cluster, kept).
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dedup import word_shingles
from pipeline.store.storage import Store
from stages import clusters, kept, schemas, signatures
from stages.kernels.dedup import unionfind

BATCH_PAGES = 500
THRESHOLD = 0.8


def documents_table(docs: pa.Table) -> pa.Table:
    """The reference's pages as `documents`; the doc_id is made of the reference's own."""
    count = docs.num_rows
    ids = pa.array([bytes.fromhex(name).rjust(16, b"\0") for name in docs.column("doc_id").to_pylist()], pa.binary(16))
    text = docs.column("text").cast(pa.large_string()).combine_chunks()
    sizes = np.array([len(value.encode()) for value in text.to_pylist()], np.int64)
    known = {
        "doc_id": ids,
        "source": pa.array(["web"] * count),
        "file": pa.array(["reference"] * count),
        "offset": pa.array(np.arange(count)),
        "raw_bytes": pa.array(sizes),
        "text_bytes": pa.array(sizes),
        "text_hash": ids,
        "text": text,
    }
    return pa.table(
        [known.get(field.name, pa.nulls(count, field.type)) for field in schemas.DOCUMENTS], schema=schemas.DOCUMENTS
    )


def ours(docs: pa.Table, scratch: Path) -> tuple[float, pa.Table]:
    """Seconds from text on disk to kept masks on disk, and the decisions."""
    store = Store(str(scratch / "ours"))
    table = documents_table(docs)
    with store.table_writer("documents/a.parquet", schemas.DOCUMENTS) as texts:
        for batch in table.to_batches(max_chunksize=BATCH_PAGES):
            texts.write(batch)
    count, text_bytes = table.num_rows, int(pa.compute.sum(table.column("text_bytes")).as_py())
    languages = {"language": ["en"] * count, "script": ["Latn"] * count, "confidence": [1.0] * count}
    store.write_table("language/a.parquet", pa.table(languages, schema=schemas.LANGUAGE))
    store.write_table("quality/a.parquet", pa.table({"none": pa.nulls(count, pa.float32())}))
    sign = signatures.prepare(signatures.Params())
    sign(table.slice(0, 2).combine_chunks().to_batches()[0])  # compiled, as in a worker at work
    started = time.process_time()
    with (
        store.open("documents/a.parquet") as file,
        store.table_writer("signatures/a.parquet", signatures.schema(signatures.Params())) as out,
    ):
        for batch in pq.ParquetFile(file).iter_batches(BATCH_PAGES, columns=["doc_id", "text"]):
            out.write(sign(batch))
    split = clusters.ClusterInput(
        "a", "web", "documents/a.parquet", "signatures/a.parquet", None, None, count, text_bytes
    )
    for phase in clusters.plan(clusters.Params(), [split], "clusters"):
        for task in phase.tasks:
            module, _, function = task.job.partition(":")
            getattr(importlib.import_module(module), function)(store, **task.args)
    files = {name: f"{name}/a.parquet" for name in ("documents", "language", "quality")}
    params = kept.Params(families=()).model_dump()
    files["clusters"] = "clusters/a.parquet"
    kept.keep(store, files=files, output="kept/a.parquet", params=params, domains=[])
    seconds = time.process_time() - started
    found = store.read_table("clusters/a.parquet", ["cluster"]).column(0).combine_chunks().dictionary_encode()
    reasons = store.read_table("kept/a.parquet", ["reason"]).column(0)
    duplicate = pa.compute.is_in(reasons, pa.array(["exact_duplicate", "near_duplicate"]))  # empty pages go for another
    return seconds, candidate(docs, found.indices.fill_null(-1), pa.compute.invert(duplicate))


def datasketch(docs: pa.Table) -> tuple[float, pa.Table]:
    from datasketch import MinHash, MinHashLSH

    texts = docs.column("text").to_pylist()
    started = time.process_time()
    index = MinHashLSH(num_perm=112, params=(14, 8))
    parents = unionfind.singletons(len(texts))
    for row, text in enumerate(texts):
        found = MinHash(num_perm=112)
        found.update_batch([shingle.encode() for shingle in word_shingles(text)])
        near = np.array(index.query(found), np.int64)
        unionfind.unite(parents, near, np.full(len(near), row, np.int64))
        index.insert(row, found)
    unionfind.flatten(parents)
    seconds = time.process_time() - started
    return seconds, candidate(docs, pa.array(parents), pa.array(parents == np.arange(len(parents))))


def datatrove(docs: Path, scratch: Path, python: str) -> tuple[float, pa.Table]:
    script = Path(__file__).with_name("dedup_datatrove.py")
    out = scratch / "datatrove.parquet"
    command = [python, str(script), str(docs), str(scratch / "datatrove"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1]), pq.read_table(out)


def candidate(docs: pa.Table, cluster: Any, keep: Any) -> pa.Table:
    return pa.table({"doc_id": docs.column("doc_id"), "cluster": cluster, "kept": keep})


def score(docs: pa.Table, pairs: dict[str, list[Any]], found: pa.Table) -> dict[str, float]:
    """Recall of pairs by similarity, pairs left, and removals without a page that stays in their place."""
    number = {name: row for row, name in enumerate(docs.column("doc_id").to_pylist())}
    left, right = (np.array([number[name] for name in pairs[side]]) for side in ("doc_a", "doc_b"))
    similarity = np.array(pairs["jaccard"])
    cluster = found.column("cluster").to_numpy()
    stays = found.column("kept").to_numpy()
    same = (cluster[left] >= 0) & (cluster[left] == cluster[right])
    true = similarity >= THRESHOLD
    rightly = np.zeros(len(cluster), np.bool_)
    rightly[left[true & stays[right]]] = True
    rightly[right[true & stays[left]]] = True
    _, sizes = np.unique(cluster[cluster >= 0], return_counts=True)
    nominated = int((sizes * (sizes - 1) // 2).sum())
    return {
        "in a cluster >= 0.8": float(same[true].mean()),
        "in a cluster 0.7-0.8": float(same[(similarity >= 0.7) & ~true].mean()),
        "both kept >= 0.8": int((stays[left] & stays[right] & true).sum()),
        "removed": int((~stays).sum()),
        "removed wrongly": int((~stays & ~rightly).sum()),
        "pairs in a cluster": nominated,
        "of them >= 0.8": float((same & true).sum() / max(nominated, 1)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--datatrove", help="an interpreter that has datatrove[processing,multilingual]")
    args = parser.parse_args()
    path = args.reference / "dev_docs.parquet"
    docs = pq.read_table(path, columns=["doc_id", "text"])
    pairs = pq.read_table(args.reference / "dev_pairs.parquet").to_pydict()
    size = sum(len(text.encode()) for text in docs.column("text").to_pylist())
    shutil.rmtree(args.scratch, ignore_errors=True)
    args.scratch.mkdir(parents=True)
    runs = {"ours": lambda: ours(docs, args.scratch), "datasketch": lambda: datasketch(docs)}
    if args.datatrove:
        runs["datatrove"] = lambda: datatrove(path, args.scratch, args.datatrove)
    print(
        f"{docs.num_rows:,} pages, {size / 1e6:.1f} MB, {sum(value >= THRESHOLD for value in pairs['jaccard']):,} pairs"
    )
    for name, run in runs.items():
        seconds, found = run()
        pq.write_table(found, args.scratch / f"{name}.parquet")
        print(f"\n{name}: {seconds:.1f} s of CPU, {size / seconds / 1e6:.2f} MB/s a core")
        for what, value in score(docs, pairs, found).items():
            print(f"  {what:20s} {value:.2%}" if isinstance(value, float) else f"  {what:20s} {value:,}", flush=True)


if __name__ == "__main__":
    main()
