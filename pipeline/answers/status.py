"""`status`: how far a root is, read from its files: no process is asked."""

from __future__ import annotations

import time
from collections import Counter
from functools import lru_cache
from typing import Any

from rich.table import Table

from pipeline.progress import human_bytes, human_seconds, render, seconds_left
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.store import facts
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store
from pipeline.terminal import safe_line
from stages.reports import with_advice

SHOWN = 20


def shards_text(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"


def status_text(store: Store) -> str:
    """Progress, products, failures and quarantined records of the mixture run last."""
    snapshot = snapshots.load(store)
    snapshot.check_there()
    holder = RootLock(store).holder()
    failed = last_messages(store) if not snapshot.complete and not holder else []
    state = (
        "finished"
        if snapshot.complete
        else f"running ({holder})"
        if holder
        else f"{'failed' if failed else 'stopped'}; the same run command continues it"
    )
    parts: list[Any] = [f"{snapshot.name}: {state}", *(f"last message: {text}" for _, text in failed[-1:])]
    if holder and store.exists("runs/progress.json"):
        parts.append(progress_line(store.read_json("runs/progress.json")))
    table = Table("product", "files", "rows", box=None, pad_edge=False)
    for found in products(snapshot):
        files = str(found["files"]) if found["files"] == found["of"] else f"{found['files']} of {found['of']}"
        table.add_row(found["product"], files, "" if found["rows"] is None else f"{found['rows']:,}")
    parts.append(table)
    parts += indexed(snapshot)
    parts += troubles(snapshot)
    corpus = snapshot.corpus()
    if corpus:
        size = human_bytes(sum(shard["bytes"] for shard in corpus["shards"]))
        parts.append(f"corpus: {corpus['tokens']:,} tokens in {shards_text(len(corpus['shards']))}, {size}")
    return render(*parts)


def products(snapshot: snapshots.Snapshot) -> list[dict[str, Any]]:
    """``{"product", "files", "of", "rows"}`` of what is there or being made; rows are known once all files are."""
    found: list[dict[str, Any]] = []
    for product in graph.in_manifests():
        address = snapshot.data["products"].get(product)
        if address is not None and snapshot.store.exists(address):
            files, rows = counted(snapshot.store, address)
            found.append({"product": product, "files": files, "of": files, "rows": rows})
        elif (pending := snapshot.data.get("pending", {}).get(product)) is not None:
            folders = {address.rpartition("/")[0] for address in pending}
            present = {address for folder in folders for address, _ in snapshot.store.list(folder)} & set(pending)
            found.append({"product": product, "files": len(present), "of": len(pending), "rows": None})
    return found


@lru_cache(maxsize=64)
def counted(store: Store, address: str) -> tuple[int, int]:
    """Files and rows of a manifest, which never changes under its name: `watch` asks every two seconds."""
    rows = facts.read(store, address, ["rows"]).numbers("rows")
    return len(rows), int(rows.sum())


def last_messages(store: Store) -> list[tuple[float, str]]:
    """The last messages of a run that failed, with times; none where it did not fail, or was stopped or killed."""
    return (
        [(when, text) for when, text in store.read_json(snapshots.FAILURE)["said"]]
        if store.exists(snapshots.FAILURE)
        else []
    )


def indexed(snapshot: snapshots.Snapshot) -> list[str]:
    """Records wanted of each index, pages read, and the requests and bytes that took, in a line a source."""
    sums: dict[str, Counter[str]] = {}
    for entry in snapshot.product("documents"):
        if "indexed" in entry.report:
            mine = sums.setdefault(entry.report["source"], Counter())
            mine.update(entry.report["indexed"])
            mine.update(rows=entry.report["rows"])
    return [
        f"index of {source}: {found['wanted']:,} records wanted, {found['rows']:,} pages read;"
        f" {found['requests']:,} requests asked {found['bytes_asked']:,} bytes and used {found['bytes_used']:,}"
        for source, found in sorted(sums.items())
    ]


def troubles(snapshot: snapshots.Snapshot) -> list[str]:
    """Records quarantined and stretches of input that could not be read, the first of them by name."""
    lines: list[str] = []
    more = 0
    for entry in snapshot.product("documents"):
        for kind in ("quarantined", "bad"):
            for trouble in entry.report[kind]:
                if len(lines) < SHOWN:
                    where = f"{entry.report['source']}/{safe_line(trouble['file'])} at {trouble['offset']}"
                    lines.append(f"{kind}: {where}: {with_advice(trouble['reason'])}")
                else:
                    more += 1
    return lines + ([f"... and {more:,} more"] if more else [])


def progress_line(progress: dict[str, Any]) -> str:
    """One line on the phase under way, from what the run wrote last."""
    seconds = max(1e-3, progress["time"] - progress["started"])
    left = seconds_left(seconds, progress["done_cost"], progress["cost"])
    age = max(0.0, time.time() - progress["time"])  # the clock of the run may be ahead of this one
    parts = [f"{progress['phase']}: {progress['done']} of {progress['tasks']} tasks in {human_seconds(seconds)}"]
    parts += [f"{progress['pages']:,} pages"] if progress.get("pages") else []
    parts += [f"about {human_seconds(left)} left"] if left is not None else []
    return f"{', '.join(parts)} (reported {human_seconds(age)} ago)"
