"""What tasks cost: seconds, bytes, memory. Kept under ``runs/``, apart from products, whose bytes must not know time.

A product keeps the cost of the run that made it, so the report of a run that reused everything still says what the
corpus cost.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from pipeline.engine import Done
from pipeline.storage import Store


class Costs:
    """The costs of one run: a file per phase under ``runs/costs/``."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
        self.tasks = 0
        self.retries = 0
        self._entries: list[dict[str, Any]] = []
        self._phases = 0

    def add(self, phase: str, done: Done) -> None:
        entry = {"phase": phase, "outputs": list(done.task.outputs), "bytes": done.task.cost, **done.cost}
        if "seconds" in done.value:
            entry["stages"] = done.value["seconds"]
        self._entries.append(entry)
        self.tasks += 1

    def write(self) -> None:
        """Keep what came since the last call."""
        if self._entries:
            record = {"run": self.run, "retries": self.retries, "tasks": self._entries}
            self.store.write_json(f"runs/costs/{self.run}-{self._phases:03}.json", record)
            self._entries = []
            self._phases += 1


def gather(store: Store, addresses: set[str]) -> dict[str, dict[str, float]]:
    """Cost per stage of the files at ``addresses``: seconds, bytes, tasks, peak_memory, retries.

    The latest run that made a file counts. Stages measured in one pass over the text are told apart.
    """
    total: dict[str, dict[str, float]] = {}
    seen: set[str] = set()
    runs = [address for address, _ in store.list("runs/costs")]
    for address in sorted(runs, reverse=True):
        record = store.read_json(address)
        for task in record["tasks"]:
            outputs = set(task["outputs"])
            if outputs & seen or (addresses and not outputs & addresses and task["phase"] in PRODUCT_PHASES):
                continue
            seen |= outputs
            for stage, seconds in (task.get("stages") or {task["phase"]: task["seconds"]}).items():
                entry = total.setdefault(stage, {"seconds": 0.0, "bytes": 0, "tasks": 0, "peak_memory": 0})
                entry["seconds"] += seconds
                entry["bytes"] += task["bytes"]
                entry["tasks"] += 1
                entry["peak_memory"] = max(entry["peak_memory"], task["peak_bytes"])
    return total


PRODUCT_PHASES = ("measure", "kept", "tokens")
