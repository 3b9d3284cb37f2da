"""Exact repeats measured: against an oracle that hashes every window, beside `lines`, and as the text grows.

    python -m benchmarks.repeats oracle --documents FILES.parquet --bytes 16000000 --windows 100 200 500 1000
    python -m benchmarks.repeats speed --documents FILES.parquet
    python -m benchmarks.repeats growth --megabytes 16 256 4096 --folder SCRATCH

`oracle` takes the first bytes of the documents, finds every window of T bytes that stands on two pages by sorting
hashes of all windows, and compares what `repeats` cuts and keeps byte by byte, for both meanings of a repeat. In the
same run it gives the cost of removing all copies (as deduplicate-text-datasets does, Lee et al. 2022: every place of
every repeated window) and what `lines` calls frequent. `speed` gives CPU seconds and MB/s of every wave on one core,
and the temporary disk. `growth` does the same on made pages, in a process of its own each, with its peak of memory.
"""

from __future__ import annotations

import argparse
import importlib
import math
import multiprocessing
import resource
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store.storage import Store
from stages import lines, repeats, schemas
from stages.contract import Wave
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.jit import kernel

BATCH_BYTES = 8_000_000
SPLIT_BYTES = 256_000_000
Mask = npt.NDArray[np.bool_]


@kernel
def _hash_windows(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], window: int, hashes: npt.NDArray[np.uint64]
) -> None:
    """The hash of every window, 0 where a page has none: two sums modulo primes of 31 bits."""
    primes = (np.uint64(2147483647), np.uint64(2147483629))
    bases = (np.uint64(911382323), np.uint64(972663749))
    for turn in range(2):
        prime, base = primes[turn], bases[turn]
        drop = np.uint64(1)
        for _ in range(window):
            drop = drop * base % prime
        for d in range(len(offsets) - 1):
            start = offsets[d]
            rolling = np.uint64(0)
            for i in range(start, offsets[d + 1]):
                rolling = (rolling * base + np.uint64(data[i]) + np.uint64(1)) % prime
                if i - start >= window:
                    gone = drop * (np.uint64(data[i - window]) + np.uint64(1)) % prime
                    rolling = (rolling + prime - gone) % prime
                if i - start >= window - 1:
                    first = i - window + 1
                    hashes[first] = hashes[first] << np.uint64(31) | rolling
    for i in range(len(hashes)):
        hashes[i] <<= np.uint64(1)
    for d in range(len(offsets) - 1):
        for i in range(offsets[d], offsets[d + 1] - window + 1):
            hashes[i] |= np.uint64(1)


def oracle_masks(
    text: pa.Array, order: npt.NDArray[np.int64], window: int, within: bool
) -> tuple[Mask, Mask, Mask, Mask]:
    """Bytes cut, bytes kept, those that any repeated window covers, and those of windows that are no first copy.

    Pages keep in the order of ``order``.
    """
    data, offsets = text_buffers(text)
    hashes = np.zeros(len(data), np.uint64)
    _hash_windows(data, offsets, window, hashes)
    places = np.flatnonzero(hashes)
    page = np.searchsorted(offsets, places, side="right") - 1
    rank = order[page]
    by = np.lexsort((places, rank, hashes[places]))
    found, ranks, at = hashes[places][by], rank[by], places[by]
    first = np.ones(len(found), np.bool_)
    first[1:] = found[1:] != found[:-1]
    begins = np.flatnonzero(first)
    sizes = np.diff(np.append(begins, len(found)))
    holder = np.arange(len(found)) if within else ranks
    number = np.cumsum(first) - 1
    same = holder == holder[begins][number]
    many = (np.add.reduceat(~same, begins) > 0)[number] if len(begins) else same
    everywhere = (sizes > 1)[number]
    cut, kept = (_covered(at[which], window, len(data)) for which in (many & ~same, many & same))
    return cut & ~kept, kept, _covered(at[everywhere], window, len(data)), cut


def _covered(starts: npt.NDArray[np.int64], window: int, size: int) -> Mask:
    steps = np.zeros(size + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + window, -1)
    return np.cumsum(steps[:-1]) > 0


def read(paths: Sequence[str], limit: int) -> pa.Table:
    """The first documents of some files, by size of their text."""
    tables, size = [], 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                tables.append(file.read_row_group(group))
                size += pc.sum(tables[-1].column("text_bytes")).as_py() or 0
                if size >= limit:
                    break
        if size >= limit:
            break
    table = pa.concat_tables(tables).combine_chunks().cast(schemas.DOCUMENTS)
    running = np.cumsum(table.column("text_bytes").to_numpy())
    return table.slice(0, int(np.searchsorted(running, limit)) + 1)


def distinct(table: pa.Table) -> pa.Table:
    """One document of each text: what exact deduplication leaves."""
    hashes = [value.as_py() for value in table.column("text_hash")]
    seen: dict[bytes, int] = {}
    for row, value in enumerate(hashes):
        seen.setdefault(value, row)
    return table.take(pa.array(sorted(seen.values())))


def write(store: Store, table: pa.Table) -> list[repeats.RepeatsInput]:
    """Documents as splits of `SPLIT_BYTES`, row groups of `BATCH_BYTES`."""
    sizes = table.column("text_bytes").to_numpy()
    inputs: list[repeats.RepeatsInput] = []
    start = 0
    while start < len(sizes):
        running = np.cumsum(sizes[start:])
        count = max(1, int(np.searchsorted(running, SPLIT_BYTES)))
        part = table.slice(start, count)
        name = f"split-{len(inputs):04d}"
        with store.table_writer(f"documents/{name}.parquet", schemas.DOCUMENTS) as writer:
            at = 0
            while at < part.num_rows:
                step = max(1, int(np.searchsorted(np.cumsum(sizes[start + at : start + count]), BATCH_BYTES)))
                writer.write(part.slice(at, step))
                at += step
        size = int(sizes[start : start + count].sum())
        inputs.append(repeats.RepeatsInput(name, "made", f"documents/{name}.parquet", part.num_rows, size))
        start += count
    return inputs


def run(store: Store, waves: list[Wave], work: str) -> tuple[dict[str, float], dict[str, int]]:
    """CPU seconds, and the largest temporary disk, of every wave."""
    seconds: dict[str, float] = {}
    disk: dict[str, int] = {}
    for wave in waves:
        started = time.process_time()
        for task in wave.tasks:
            module, _, function = task.job.partition(":")
            getattr(importlib.import_module(module), function)(store, **task.args)
        seconds[wave.name] = time.process_time() - started
        disk[wave.name] = sum(size for _, size in store.list(work))
        for prefix in wave.discard:
            store.remove(prefix)
    return seconds, disk


def found_masks(store: Store, inputs: list[repeats.RepeatsInput], table: pa.Table, folder: str) -> tuple[Mask, int]:
    """Bytes that `repeats` cuts, and how many it keeps; every span is compared with its copy."""
    data, offsets = text_buffers(table.column("text").combine_chunks())
    place = {value.as_py(): row for row, value in enumerate(table.column("doc_id"))}
    mask = np.zeros(len(data), np.bool_)
    kept = row = 0
    for entry in inputs:
        for found in store.read_table(f"{folder}/{entry.name}.parquet", ["repeats", "repeats_kept_bytes"]).to_pylist():
            kept += found["repeats_kept_bytes"]
            for span in found["repeats"]:
                start, stop = offsets[row] + span["start"], offsets[row] + span["stop"]
                copy = offsets[place[span["doc_id"]]] + span["at"]
                assert np.array_equal(data[start:stop], data[copy : copy + stop - start]), "a copy differs"
                mask[start:stop] = True
            row += 1
    return mask, kept


def oracle(args: argparse.Namespace) -> None:
    table = distinct(read(args.documents, args.bytes))
    size = pc.sum(table.column("text_bytes")).as_py()
    print(f"{table.num_rows:,} pages of different text, {size / 1e6:.1f} MB")
    ids = [value.as_py() for value in table.column("doc_id")]
    seconds = table.column("time").cast(pa.int64()).fill_null(-(2**60)).to_numpy()
    sizes = table.column("text_bytes").to_numpy()
    policy = sorted(range(len(ids)), key=lambda row: (-sizes[row], -seconds[row], ids[row]))
    order = np.empty(len(ids), np.int64)
    order[policy] = np.arange(len(ids))
    store = Store(args.folder)
    inputs = write(store, table)
    text = table.column("text").combine_chunks()
    for window in args.windows:
        for within in (False, True):
            started = time.process_time()
            cut, kept, everywhere, later = oracle_masks(text, order, window, within)
            oracle_seconds = time.process_time() - started
            params = repeats.Params(min_bytes=window, within_page=within)
            store.remove("repeats")
            spent, disk = run(store, repeats.plan(params, inputs, "repeats"), "repeats/work")
            mask, num_kept = found_masks(store, inputs, table, "repeats")
            missed, wrong = int((cut & ~mask).sum()), int((mask & ~cut).sum())
            print(
                f"T {window:5}{' in pages too' if within else '':14} repeated {everywhere.mean():6.2%} of the bytes,"
                f" later copies {later.mean():6.2%},"
                f" cut {cut.mean():6.2%} ({int(cut.sum()):,}), missed {missed}, falsely cut {wrong},"
                f" kept {num_kept:,} (oracle {int(kept.sum()):,});"
                f" {sum(spent.values()):.2f} s (oracle {oracle_seconds:.2f} s),"
                f" {size / 1e6 / sum(spent.values()):.1f} MB/s,"
                f" disk {max(disk.values()) / size:.1%}, keys {disk['repeats: keys'] / size:.1%}"
            )
            if missed or wrong or num_kept != kept.sum():
                raise SystemExit("repeats and the oracle differ")
    given = [lines.LinesInput(e.name, e.source, e.documents, e.rows, e.text_bytes) for e in inputs]
    spent, disk = run(store, lines.plan(lines.Params(min_pages=2, scope="source"), given, "lines"), "lines/work")
    reports = [store.metadata(f"lines/{entry.name}.parquet") for entry in inputs]
    for unit in ("lines", "paragraphs"):
        share = sum(report[f"frequent_{unit}_bytes"] for report in reports) / size
        print(f"lines: {unit} on two pages or more hold {share:.2%} of the bytes (all copies)")
    spent_lines = sum(spent.values())
    print(f"lines: {spent_lines:.2f} s, {size / 1e6 / spent_lines:.1f} MB/s, disk {max(disk.values()) / size:.1%}")


def speed(args: argparse.Namespace) -> None:
    table = read(args.documents, args.bytes)
    size = pc.sum(table.column("text_bytes")).as_py()
    store = Store(args.folder)
    inputs = write(store, table)
    params = repeats.Params(min_bytes=args.window, passes=args.passes)
    run(store, repeats.plan(params, inputs, "warm"), "warm/work")  # kernels compiled
    anchors(store, inputs, params, size)
    spent, disk = run(store, repeats.plan(params, inputs, "repeats"), "repeats/work")
    print(f"{table.num_rows:,} pages, {size / 1e6:.1f} MB, T {args.window}, {args.passes} passes")
    for name, value in spent.items():
        print(f"  {name:28} {value:7.2f} s  {size / 1e6 / max(value, 1e-9):8.1f} MB/s  disk {disk[name] / size:6.1%}")
    print(f"  {'all':28} {sum(spent.values()):7.2f} s  {size / 1e6 / sum(spent.values()):8.1f} MB/s")


def anchors(store: Store, inputs: list[repeats.RepeatsInput], params: repeats.Params, size: int) -> None:
    """The map alone: anchors and keys of text that lies in memory."""
    from stages.kernels.dedup.anchors import find_anchors

    texts = [store.read_table(entry.documents, ["text"]).column("text").combine_chunks() for entry in inputs]
    given = [(*text_buffers(text), np.zeros(len(text), np.uint64), np.ones(len(text), np.bool_)) for text in texts]
    best, count = math.inf, 0
    for _ in range(3):
        started = time.process_time()
        found = [find_anchors(*each, params.min_bytes, params.anchor) for each in given]
        best = min(best, time.process_time() - started)
        count = sum(len(each.places_A) for each in found)
    print(f"map: {size / 1e6 / best:.0f} MB/s, an anchor on {size / count:.0f} bytes")


def made(folder: str, megabytes: int) -> tuple[Store, list[repeats.RepeatsInput]]:
    """Made pages (`benchmarks.dedup_pages`) of so much text, written unless they are there already."""
    from benchmarks.dedup_pages import page_batch, vocabulary, zipf_table

    words, table = vocabulary(), zipf_table()
    store = Store(folder)
    inputs: list[repeats.RepeatsInput] = []
    number = size = 0
    while size < megabytes * 1_000_000:
        wanted = min(SPLIT_BYTES, megabytes * 1_000_000 - size)
        name = f"{len(inputs):04d}-{wanted}"
        address = f"documents/{name}.parquet"
        fresh = not store.exists(address)
        if fresh:
            with store.table_writer(address, page_batch(0, 1, words, table).schema) as writer:
                had = 0
                first = number
                while had < wanted:
                    batch = page_batch(first, 2048, words, table)
                    writer.write(batch)
                    first += 2048
                    had += pc.sum(batch.column("text_bytes")).as_py()
        with store.open(address) as file:
            column = pq.ParquetFile(file).read(columns=["text_bytes"]).column(0).to_numpy()
        number += len(column)
        size += int(column.sum())
        inputs.append(repeats.RepeatsInput(name, "made", address, len(column), int(column.sum())))
    return store, inputs


def measure(folder: str, inputs: list[repeats.RepeatsInput], settings: dict[str, Any], answer: Any) -> None:
    store = Store(folder)
    store.remove("repeats")
    waves = repeats.plan(repeats.Params(**settings), inputs, "repeats")
    spent, disk = run(store, waves, "repeats/work")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    planned = max(task.memory for wave in waves for task in wave.tasks)
    answer.put({"spent": spent, "disk": max(disk.values()), "peak": peak, "planned": planned})


def growth(args: argparse.Namespace) -> None:
    first: float | None = None
    for megabytes in args.megabytes:
        store, inputs = made(args.folder, megabytes)
        size = sum(entry.text_bytes for entry in inputs)
        context = multiprocessing.get_context("spawn")
        answer = context.Queue()
        settings = {"min_bytes": args.window, "passes": args.passes, "memory": args.memory}
        job = context.Process(target=measure, args=(store.root, inputs, settings, answer))
        job.start()
        done = answer.get()
        job.join()
        total = sum(done["spent"].values())
        relative = total / (size * math.log2(size))
        first = first or relative
        print(
            f"{size / 1e6:8.0f} MB: {total:7.1f} s CPU, {size / 1e6 / total:5.1f} MB/s, {relative / first:.2f} n log n,"
            f" peak {done['peak'] / 1e9:.2f} GB (planned {done['planned'] / 1e9:.2f}), disk {done['disk'] / size:.1%}",
            flush=True,
        )
        for name, value in done["spent"].items():
            print(f"    {name:32} {value:7.2f} s", flush=True)
    if not args.keep:
        shutil.rmtree(args.folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, job in (("oracle", oracle), ("speed", speed), ("growth", growth)):
        command = commands.add_parser(name)
        command.set_defaults(job=job)
        command.add_argument("--folder", default="/tmp/gristmill-bench/repeats")
        command.add_argument("--passes", type=int, default=1)
        if name == "growth":
            command.add_argument("--megabytes", type=int, nargs="+", default=[16, 64, 256])
            command.add_argument("--memory", type=int, default=1 << 31)
            command.add_argument("--keep", action="store_true")
        else:
            command.add_argument("--documents", nargs="+", required=True)
            command.add_argument("--bytes", type=int, default=16_000_000)
        if name == "oracle":
            command.add_argument("--windows", type=int, nargs="+", default=[100, 200, 500, 1000])
        else:
            command.add_argument("--window", type=int, default=500)
    args = parser.parse_args()
    if not Path(args.folder).is_absolute():
        args.folder = str(Path(args.folder).resolve())
    args.job(args)


if __name__ == "__main__":
    main()
