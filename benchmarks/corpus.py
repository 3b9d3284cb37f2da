"""Corpus: interleaving documents into shards against writing the same bytes once, in the same run.

    python -m benchmarks.corpus [--megabytes 400] [--mean-tokens 1000] [--rounds 3] [--folder /tmp]

Makes two domains of random ids, mixes them 80 : 20 with one of them repeated, and prints megabytes of token bytes per
second of wall time and of CPU for the corpus jobs, and for one plain sequential write of as many bytes (flushed to
the disk, as the store does). Keep the size well under the free memory: beyond the page cache only the disk is measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.store.storage import Store
from stages import corpus, schemas, shards
from stages.contract import Wave
from stages.mixture import MixtureParams, solve
from stages.shard_format import read_manifest

TOKENIZER = {"name": "random", "sha256": "0", "vocab_size": 32000, "eos_id": 2, "dtype": "uint16"}
ROWS = 4096


def tokens_file(store: Store, address: str, domain: str, num_tokens: int, mean: int, seed: int) -> shards.Input:
    """A tokens file of random documents."""
    generator = np.random.default_rng(seed)
    sizes = generator.geometric(1 / mean, num_tokens // mean) + 1
    schema = schemas.tokens(pa.uint16())
    keys = np.sort(generator.integers(0, 1 << 63, len(sizes), dtype=np.uint64) * np.uint64(2))
    batches, listed = [], []
    for start in range(0, len(sizes), ROWS):
        part, count = sizes[start : start + ROWS], len(sizes[start : start + ROWS])
        offsets = np.concatenate([[0], np.cumsum(part)])
        ids = generator.integers(3, 32000, offsets[-1], dtype=np.uint16)
        ids[offsets[1:] - 1] = 2
        names = pa.array([generator.bytes(16) for _ in range(count)], schemas.DOC_ID)
        values: dict[str, object] = {"domain": domain, "text_bytes": 4 * mean, "source": "s", "file": "f", "offset": 0}
        values |= {"language": "en", "confidence": 0.5, "cluster_size": 1}
        given = {
            "order_key": pa.array(keys[start : start + ROWS]),
            "doc_id": names,
            "text_hash": names,
            "input_ids": pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(ids), type=schema.field(3).type),
        }
        columns = [given.get(f.name, pa.array([values.get(f.name)] * count, f.type)) for f in schema]
        batches.append(pa.record_batch(columns, schema=schema))
        first, last = (f"{key:016x}" for key in (keys[start], keys[start + count - 1]))
        listed.append({"domain": domain, "first_key": first, "last_key": last, "rows": count, "tokens": len(ids)})
    metadata = {b"gristmill": json.dumps({"batches": listed}).encode()}
    with store.create(address) as sink, pa.ipc.new_file(sink, schema.with_metadata(metadata)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return shards.Input(address, len(sizes), int(sizes.sum()))


def run(store: Store, phases: list[Wave]) -> None:
    for phase in phases:
        for task in phase.tasks:
            module, name = task.job.split(":")
            getattr(importlib.import_module(module), name)(store, **task.args)


def timed(action: Callable[[], int]) -> tuple[float, float]:
    """Megabytes per second of wall time and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    size = action() / 1e6
    return size / (time.perf_counter() - wall), size / (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--mean-tokens", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder")
    arguments = parser.parse_args()
    total = arguments.megabytes * 500_000  # two bytes a token
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = Store(folder)
        settings = shards.Params(target_tokens=max(1, total // 4))
        manifests, available = {}, {}
        for seed, (domain, tokens) in enumerate({"web": int(0.7 * total), "books": int(0.1 * total)}.items()):
            inputs = [tokens_file(store, f"in/{domain}.arrow", domain, tokens, arguments.mean_tokens, seed)]
            run(store, shards.plan(settings, domain, inputs, domain, tokenizer=TOKENIZER, seed=0))
            manifests[domain] = f"{domain}/manifest.json"
            available[domain] = read_manifest(store, manifests[domain])["tokens"]
        shares = {"web": {"share": 0.8}, "books": {"share": 0.2}}
        mixture = solve(
            MixtureParams.model_validate({"domains": shares, "budget": int(0.8 * total), "max_epochs": 4}), available
        )
        block = os.urandom(1 << 24)

        def mix() -> int:
            store.remove("corpus")
            params = corpus.Params(target_tokens=max(1, total // 4))
            run(store, corpus.plan(params, "bench", mixture, manifests, "corpus", tokenizer=TOKENIZER))
            return 2 * mixture.tokens

        def write() -> int:
            path = Path(folder, "plain")
            with path.open("wb") as file:
                for _ in range(2 * mixture.tokens // len(block)):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            return 2 * mixture.tokens // len(block) * len(block)

        mix()  # compile and warm up
        found: dict[str, list[tuple[float, float]]] = {"corpus": [], "plain write": []}
        for _ in range(arguments.rounds):
            found["corpus"].append(timed(mix))
            found["plain write"].append(timed(write))
    for name, speeds in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*speeds, strict=True))
        print(f"{name:12} {wall:7.0f} MB/s wall   {cpu:7.0f} MB/s CPU")


if __name__ == "__main__":
    main()
