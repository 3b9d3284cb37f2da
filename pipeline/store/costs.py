"""What tasks cost: seconds, bytes, memory. Kept under ``runs/``, apart from products, whose bytes must not know time.

A product keeps the cost of the run that made it, so the report of a run that reused everything still says what the
corpus cost.
"""

from __future__ import annotations

import heapq
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.store.storage import Store
from stages import seal
from stages.contract import Task

MAX_HELD = 20_000
MAX_SLOWEST = 100


class Costs:
    """The costs of one run: a file per phase, or `MAX_HELD` tasks of it, under ``runs/costs/``.

    Args:
        paged: phases that go page by page, so that pages a second are worth showing.
    """

    def __init__(self, store: Store, paged: Collection[str]) -> None:
        self.store, self.paged = store, paged
        self.run = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
        self.tasks = 0
        self.retries = 0
        self._entries: list[dict[str, Any]] = []
        self._slow: list[dict[str, Any]] = []
        self._phases = 0
        self._told_retries = 0

    def add(self, phase: str, task: Task, value: dict[str, Any], cost: dict[str, float]) -> None:
        """A finished task, its job's result, and what it cost (seconds, cpu_seconds, peak_bytes)."""
        entry = {"phase": phase, "label": task.label, "outputs": list(task.outputs), "bytes": task.cost, **cost}
        if "seconds" in value:
            entry["stages"] = value["seconds"]
        pages = pages_of(value) if phase in self.paged else None
        if pages is not None:
            entry["pages"] = pages
        self._entries.append(entry)
        self.tasks += 1
        if len(self._entries) == MAX_HELD:
            slow = self._slowest(MAX_SLOWEST)
            self.write()
            self._slow = slow

    def slowest(self, count: int) -> list[dict[str, Any]]:
        """Those of the phase under way that took longest so far, `MAX_SLOWEST` at most."""
        return [shown(entry) for entry in self._slowest(count)]

    def _slowest(self, count: int) -> list[dict[str, Any]]:
        return heapq.nsmallest(count, [*self._slow, *self._entries], key=lambda entry: -entry["seconds"])

    def write(self) -> None:
        """Keep what came since the last call: the end of a phase."""
        if self._entries:
            retries = self.retries - self._told_retries
            record = {"run": self.run, "retries": retries, "tasks": self._entries}
            address = f"runs/costs/{self.run}-{self._phases:03}.json"
            self.store.write_bytes(address, seal.encode_json(record, compact=True))
            self._entries = []
            self._phases += 1
            self._told_retries = self.retries
        self._slow = []


def shown(entry: dict[str, Any]) -> dict[str, Any]:
    """What `watch` shows of a task; ``file``: the input file, or what else its label says it works on."""
    return {
        "phase": entry["phase"],
        "file": entry.get("label") or (entry["outputs"] or [""])[0],
        "seconds": entry["seconds"],
        "bytes": entry["bytes"],
        "memory": int(entry.get("peak_bytes", 0)),
    }


def pages_of(value: dict[str, Any]) -> int | None:
    """Pages that a task looked at, by what its job returned; None where that does not say."""
    rows = [report["rows"] for report in value.get("reports", {}).values()] or [value.get("rows")]
    return max((row for row in rows if row is not None), default=None)


Hashes = npt.NDArray[np.int64]


def hashes_of(addresses: Iterable[str]) -> Hashes:
    """Addresses by their hashes in this process, of which three million take 24 MB and one in a million clashes."""
    return np.fromiter(map(hash, addresses), np.int64)


def gather(store: Store, addresses: Hashes, by_split: Collection[str]) -> dict[str, dict[str, float]]:
    """Cost per stage of the files at ``addresses``: seconds, bytes, pages (where known), tasks, peak_memory, retries.

    The latest run that made a file counts. Stages measured in one pass over the text are told apart; a repeated pass is
    counted for the first of them.

    Args:
        addresses: `hashes_of` them; none: every file counts.
        by_split: phases whose tasks count only if they made one of the addresses; tasks of others count always.
    """
    total: dict[str, dict[str, float]] = {}
    made = _Made(addresses)
    runs = [address for address, _ in store.list("runs/costs")]
    for address in sorted(runs, reverse=True):
        record = store.read_json(address)
        retries = record["retries"]
        for task in made.counted(record["tasks"], by_split):
            for stage, seconds in (task.get("stages") or {task["phase"]: task["seconds"]}).items():
                entry = total.setdefault(
                    stage, {"seconds": 0.0, "bytes": 0, "tasks": 0, "peak_memory": 0, "retries": 0}
                )
                entry["retries"] += retries
                retries = 0
                entry["seconds"] += seconds
                entry["bytes"] += task["bytes"]
                entry["tasks"] += 1
                if "pages" in task:
                    entry["pages"] = entry.get("pages", 0) + task["pages"]
                entry["peak_memory"] = max(entry["peak_memory"], task["peak_bytes"])
    return total


class _Made:
    """Which files the tasks of later costs made: a mark for each of those asked for, hashes of the others."""

    def __init__(self, addresses: Hashes) -> None:
        self.known = np.unique(addresses)
        self._marks = np.zeros(len(self.known), bool)
        self._others: set[int] = set()

    def counted(self, tasks: list[dict[str, Any]], by_split: Collection[str]) -> Iterator[dict[str, Any]]:
        """The tasks of a file of costs that count; what they made is marked."""
        outputs = hashes_of(output for task in tasks for output in task["outputs"])
        places = np.minimum(np.searchsorted(self.known, outputs), max(0, len(self.known) - 1))
        asked = self.known[places] == outputs if len(self.known) else np.zeros(len(outputs), bool)
        place_of = np.where(asked, places, -1).tolist()
        start = 0
        for task in tasks:
            stop = start + len(task["outputs"])
            inside = [place for place in place_of[start:stop] if place >= 0]
            others = [int(outputs[number]) for number in range(start, stop) if place_of[number] < 0]
            start = stop
            if len(self.known) and not inside and task["phase"] in by_split:
                continue
            if any(self._marks[place] for place in inside) or not self._others.isdisjoint(others):
                continue
            self._marks[inside] = True
            self._others.update(others)
            yield task
