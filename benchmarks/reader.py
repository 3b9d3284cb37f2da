"""Reading shards for training: ours against a bare memory map of the same ids, in the same run, on one core.

    python -m benchmarks.reader [--tokens 200_000_000] [--length 4096] [--folder DIR]

Writes random documents with the pipeline's own shard format (into a temporary folder unless --folder is given, which
is reused), reads everything once so that it is in the page cache, then prints rates and their ratio to the peers:
``memmap`` slices one flat array of ids without knowing documents, checks or shards, and is what
hand-written loaders do; ``copy`` is a plain copy of the same bytes in memory, which no reader can beat.
With megatron-core installed, its own reader over a linked export is measured too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.exports import link
from pipeline.exports.megatron import prefixes
from pipeline.reader import Packed, Permutation, Stream, TokenShards, Windows, pack
from pipeline.store.storage import Store
from stages.shard_format import ShardNames, read_entries, write_entry, write_manifest
from stages.shard_writer import open_shard, shard_schema, write_docs

EOS = 2
SHARD_TOKENS = 1 << 25


def write_folder(folder: Path, tokens: int, shard_tokens: int) -> None:
    """Random ids in documents of 1 to some 10,000 tokens, 600 in the mean, in shards of ``shard_tokens``."""
    store, rng = Store(str(folder)), np.random.default_rng(0)
    tokenizer = {"name": "random", "sha256": "0" * 64, "vocab_size": 32000, "eos_id": EOS, "pad_id": None}
    tokenizer |= {"dtype": "uint16", "probe_sha256": "0" * 64}
    schema = shard_schema("uint16", {})
    count = -(-tokens // shard_tokens)
    for index in range(count):
        names = ShardNames("made", index, count)
        sizes = rng.lognormal(5.9, 1.0, shard_tokens // 600).astype(np.int64) + 1
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        ids = rng.integers(EOS + 1, 32000, offsets[-1], dtype=np.uint16)
        ids[offsets[1:] - 1] = EOS
        doc_ids = rng.integers(0, 256, 16 * len(sizes), dtype=np.uint8)
        with open_shard(store, f"made/{names.data}", schema, EOS) as writer:
            writer.write([ids], offsets, doc_ids)
        docs = write_docs(store, f"made/{names.docs}", pa.table({"num_tokens": sizes}))
        domains = {"domains": {"made": len(ids)}, "domain_text_bytes": {"made": 4 * len(ids)}}
        write_entry(store, names, writer.summary() | docs | domains)
    entries = read_entries(store, "made", {"train": count})
    write_manifest(store, "made", entries, kind="domain", name="made", seed=0, tokenizer=tokenizer, domains={})


def best(call: Callable[[], int], rounds: int = 3) -> float:
    """Units a second of process time, the best of some rounds; ``call`` returns its units."""
    rates = []
    for _ in range(rounds):
        start = time.process_time()
        units = call()
        rates.append(units / (time.process_time() - start))
    return max(rates)


def anonymous_memory() -> int:
    """Bytes of this process that are no file: memory maps of shards are shared with the page cache."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) << 10


def sequential(shards: TokenShards, flat: Path, length: int) -> None:
    size = shards.num_tokens

    def ours(dtype: Any) -> Callable[[], int]:
        windows = Windows(shards, length, dtype=dtype)

        def read() -> int:
            for at in range(0, len(windows) - 16, 16):
                windows.batch(np.arange(at, at + 16))
            return len(windows) * length

        return read

    def memmap(dtype: Any) -> Callable[[], int]:
        def read() -> int:
            ids = np.asarray(np.memmap(flat, np.uint16, "r"))
            for at in range(0, size - 16 * length - 1, 16 * length):
                rows = [ids[at + k * length : at + (k + 1) * length + 1].astype(dtype) for k in range(16)]
                np.stack(rows)
            return size

        return read

    def copy() -> int:
        source = np.fromfile(flat, np.uint16)
        start, target = time.process_time(), np.empty(1 << 20, np.uint16)
        for at in range(0, len(source) - (1 << 20), 1 << 20):
            np.copyto(target, source[at : at + (1 << 20)])
        return int(len(source) / (time.process_time() - start))

    print(f"sequential, million tokens/s (copy of the bytes: {copy() / 1e6:,.0f})")
    for name, dtype in (("uint16", np.uint16), ("int64", np.int64)):
        mine, theirs = best(ours(dtype)), best(memmap(dtype))
        print(f"  {name:7} ours {mine / 1e6:8,.0f}   memmap {theirs / 1e6:8,.0f}   ratio {mine / theirs:.2f}")


def random_windows(shards: TokenShards, flat: Path, length: int, count: int) -> None:
    total = len(Windows(shards, length))
    numbers = Permutation(total, 1)(np.arange(min(count, total)))

    def ours(batch: int, **options: Any) -> Callable[[], int]:
        windows = Windows(shards, length, **options)

        def read() -> int:
            for at in range(0, len(numbers), batch):
                windows.batch(numbers[at : at + batch])
            return len(numbers)

        return read

    def memmap() -> int:
        ids = np.asarray(np.memmap(flat, np.uint16, "r"))
        for at in range(0, len(numbers), 16):
            np.stack(
                [ids[n * length : n * length + length + 1].astype(np.int64) for n in numbers[at : at + 16].tolist()]
            )
        return len(numbers)

    def views() -> int:
        windows = Windows(shards, length)
        for number in numbers.tolist():
            windows.window(number)
        return len(numbers)

    print(f"random windows of {length}, a second")
    peer = best(memmap)
    print(f"  {'memmap, int64, batches of 16':36} {peer:10,.0f}")
    cases = {
        "ours, int64, batches of 16": ours(16),
        "ours, uint16, batches of 16": ours(16, dtype=np.uint16),
        "ours, int64, with cu_seqlens": ours(16, boundaries=True),
        "ours, views, one by one": views,
    }
    for name, call in cases.items():
        rate = best(call)
        print(f"  {name:36} {rate:10,.0f}   {rate * length / 1e6:8,.0f} million tokens/s   ratio {rate / peer:.2f}")


def shuffle_and_pack(shards: TokenShards, length: int) -> None:
    permutation, one = Permutation(10**12, 1), Permutation(10**12, 1)
    many = np.arange(1_000_000)
    print(f"permutation of 1e12: {best(lambda: len(permutation(many))) / 1e6:.1f} million/s at once, ", end="")
    print(f"{best(lambda: len([one(i) for i in range(50_000)])):,.0f}/s one by one")
    pack(shards, length)
    rate = best(lambda: pack(shards, length) and shards.num_documents)
    plan = pack(shards, length)
    extra = len(plan) / (shards.num_tokens / length) - 1
    print(f"packing: {rate / 1e6:.1f} million documents/s; {100 * extra:.3f}% more sequences than tokens need")
    packed = Packed(shards, length, plan)
    numbers = Permutation(len(packed), 1)(np.arange(min(20_000, len(packed))))

    def read() -> int:
        for at in range(0, len(numbers), 16):
            packed.batch(numbers[at : at + 16])
        return len(numbers)

    print(f"packed sequences of {length}: {best(read):,.0f} a second")


def megatron(shards: TokenShards, length: int, scratch: Path) -> None:
    try:
        from megatron.core.datasets.indexed_dataset import IndexedDataset
    except ImportError:
        print("megatron-core is not installed")
        return
    link(shards, scratch / "linked")
    datasets = [IndexedDataset(prefix) for prefix in prefixes(scratch / "linked")]
    rng = np.random.default_rng(1)
    picks = [(int(s), int(d)) for s, d in rng.integers(0, (len(datasets), 30_000), (50_000, 2))]

    def theirs() -> int:
        return sum(len(datasets[s].get(d % len(datasets[s])).astype(np.int64)) for s, d in picks)

    starts = np.cumsum([0, *map(len, datasets)])

    def ours() -> int:
        return sum(len(shards.document(int(starts[s]) + d % len(datasets[s])).astype(np.int64)) for s, d in picks)

    mine, peer = best(ours), best(theirs)
    print(
        f"random documents, million tokens/s: ours {mine / 1e6:.0f}, megatron-core {peer / 1e6:.0f}, {mine / peer:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=200_000_000)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--shard-tokens", type=int, default=SHARD_TOKENS)
    parser.add_argument("--windows", type=int, default=100_000, help="random ones")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        if not (folder / "made" / "manifest.json").exists():
            write_folder(folder, options.tokens, options.shard_tokens)
        start = time.process_time()
        shards = TokenShards(folder / "made")
        seconds = time.process_time() - start
        size = sum(shard.bytes for shard in shards.shards)
        print(f"{shards.num_tokens:,} tokens, {shards.num_documents:,} documents, {len(shards.shards)} shards")
        print(f"open with checksums: {size / seconds / 1e9:.1f} GB/s")
        flat = Path(scratch) / "flat.bin"
        with flat.open("wb") as file:
            for segment in range(shards.num_segments):
                file.write(shards.arrays(segment)[0].tobytes())
        sequential(shards, flat, options.length)
        before = anonymous_memory()
        random_windows(shards, flat, options.length, options.windows)
        random_windows(shards, flat, 2048, options.windows)
        stream = Stream(Windows(shards, options.length), 16, epochs=1)
        for batch in stream:
            del batch
        print(f"memory of our own after all that: {(anonymous_memory() - before) / 2**20:+.1f} MiB")
        shuffle_and_pack(shards, options.length)
        megatron(shards, options.length, Path(scratch))


if __name__ == "__main__":
    main()
