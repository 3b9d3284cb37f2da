"""`status`: how far a root is, read from its files: no process is asked."""

from __future__ import annotations

import time
from typing import Any

from rich.table import Table

from pipeline import snapshot as snapshots
from pipeline.drive import render
from pipeline.lock import RootLock
from pipeline.progress import human_bytes, human_seconds
from pipeline.storage import Store

PRODUCTS = ("documents", "language", "quality", "signatures", "clusters", "lines", "scores", "kept", "tokens")
SHOWN = 20


def status_text(store: Store) -> str:
    """Progress, products, failures and quarantined records of the mixture run last."""
    snapshot = snapshots.load(store)
    holder = RootLock(store).holder()
    state = (
        "finished"
        if snapshot.complete
        else f"running ({holder})"
        if holder
        else "stopped; the same run command continues it"
    )
    parts: list[Any] = [f"{snapshot.name}: {state}"]
    if holder and store.exists("runs/progress.json"):
        parts.append(progress_line(store.read_json("runs/progress.json")))
    table = Table("product", "files", "rows", box=None, pad_edge=False)
    for product in PRODUCTS:
        rows = [entry.report.get("rows", 0) for entry in snapshot.product(product)]
        if rows:
            table.add_row(product, str(len(rows)), f"{sum(rows):,}")
        elif (pending := snapshot.data.get("pending", {}).get(product)) is not None:
            folders = {address.rpartition("/")[0] for address in pending}
            present = {address for folder in folders for address, _ in store.list(folder)} & set(pending)
            table.add_row(product, f"{len(present)} of {len(pending)}", "")
    parts.append(table)
    parts += troubles(snapshot)
    corpus = snapshot.corpus()
    if corpus:
        size = human_bytes(sum(shard["bytes"] for shard in corpus["shards"]))
        parts.append(f"corpus: {corpus['tokens']:,} tokens in {len(corpus['shards'])} shards, {size}")
    return render(*parts)


def troubles(snapshot: snapshots.Snapshot) -> list[str]:
    """Records quarantined and stretches of input that could not be read, the first of them by name."""
    lines: list[str] = []
    more = 0
    for entry in snapshot.product("documents"):
        for kind in ("quarantined", "bad"):
            for trouble in entry.report[kind]:
                if len(lines) < SHOWN:
                    where = f"{entry.report['source']}/{entry.report['file']} at {trouble['offset']}"
                    lines.append(f"{kind}: {where}: {trouble['reason']}")
                else:
                    more += 1
    return lines + ([f"... and {more:,} more"] if more else [])


def progress_line(progress: dict[str, Any]) -> str:
    """One line on the phase under way, from what the run wrote last."""
    seconds = max(1e-3, progress["time"] - progress["started"])
    left = seconds * (progress["cost"] / progress["done_cost"] - 1) if progress["done_cost"] else 0.0
    age = time.time() - progress["time"]
    return (
        f"{progress['phase']}: {progress['done']} of {progress['tasks']} tasks in {human_seconds(seconds)},"
        f" about {human_seconds(left)} left (said {human_seconds(age)} ago)"
    )
