"""datatrove's MinHash with its defaults over a Parquet of (doc_id, text), for `benchmarks.dedup_peers`.

In an environment of its own, because it does not share dependencies with us.

    PYTHON_WITH_DATATROVE benchmarks/dedup_datatrove.py DOCS.parquet SCRATCH OUT.parquet

Writes doc_id, cluster (-1: alone), kept; prints seconds of CPU.
"""

from __future__ import annotations

import sys
import time


def main(docs: str, scratch: str, out: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    table = pq.read_table(docs, columns=["doc_id", "text"]).to_pydict()
    pages = [Document(text=text, id=name) for name, text in zip(table["doc_id"], table["text"], strict=True)]
    config = MinhashConfig()
    started = time.process_time()

    def run(name, pipeline, tasks=1):  # type: ignore[no-untyped-def]
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{scratch}/logs-{name}").run()

    run("signature", [pages, MinhashDedupSignature(f"{scratch}/signatures", config=config)])
    run(
        "buckets",
        [MinhashDedupBuckets(f"{scratch}/signatures", f"{scratch}/buckets", config=config)],
        config.num_buckets,
    )
    run(
        "cluster",
        [MinhashDedupCluster(f"{scratch}/buckets", f"{scratch}/remove", config=config, save_cluster_id=True)],
    )
    kept: dict[str, int] = {}

    def remember(data, rank=0, world_size=1):  # type: ignore[no-untyped-def]
        for page in data:
            kept[page.id] = page.metadata.get("minhash_cluster_id", -1)
            yield page

    removed: dict[str, int] = {}

    class Excluded:
        """Stands for a writer of what is left out."""

        def __enter__(self):  # type: ignore[no-untyped-def]
            return self

        def __exit__(self, *args):  # type: ignore[no-untyped-def]
            return None

        def write(self, page, rank):  # type: ignore[no-untyped-def]
            removed[page.id] = page.metadata.get("minhash_cluster_id", -1)

    filtering = MinhashDedupFilter(f"{scratch}/remove", exclusion_writer=Excluded(), load_cluster_ids=True)
    run("filter", [pages, filtering, remember])
    seconds = time.process_time() - started
    both = removed | kept
    pq.write_table(
        pa.table(
            {
                "doc_id": table["doc_id"],
                "cluster": pa.array([both.get(name, -1) for name in table["doc_id"]], pa.int64()),
                "kept": [name in kept for name in table["doc_id"]],
            }
        ),
        out,
    )
    print(f"{seconds:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
