"""Costs of tasks: seconds, bytes, memory. Kept under ``runs/``, apart from products, whose bytes must not know time.

A product keeps the cost of the run that made it, so the report of a run that reused everything still has what the
corpus cost. Files are Parquet, a row a task: a run of one dump of a crawl has two million, and the report of each run
adds up what all runs of the root have left. Those of earlier programs are JSON, and are read too.
"""

from __future__ import annotations

import calendar
import heapq
import json
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.store.sinks import METADATA_KEY
from pipeline.store.storage import Store
from stages.contract import Task
from stages.kernels.columns.distinct import distinct

MAX_HELD = 20_000
MIN_SECONDS = 1.0
"""Seconds of a core: tasks of finished phases that took less together wait for the next, as a file costs more to write
and to read than most of a small run's phases took. A run that is killed loses them."""
MAX_SLOWEST = 100
FOLDER = "runs/costs"
STAMP = "%Y%m%dT%H%M%S"
SCHEMA = pa.schema(
    [
        ("phase", pa.dictionary(pa.int32(), pa.string())),
        ("label", pa.string()),
        ("outputs", pa.list_(pa.string())),
        ("bytes", pa.int64()),
        ("pages", pa.int64()),
        ("seconds", pa.float64()),
        ("cpu_seconds", pa.float64()),
        ("peak_bytes", pa.float64()),
        ("requests_again", pa.float64()),
        ("stages", pa.map_(pa.string(), pa.float64())),
    ]
)
"""``pages``: null where the phase does not go page by page; ``stages``: seconds of each product of one pass."""
Entry = dict[str, Any]


class Costs:
    """The costs of one run: a file per phase or some small ones, or `MAX_HELD` tasks, under ``runs/costs/``.

    Args:
        paged: phases that go page by page, so that pages a second are worth showing.
    """

    def __init__(self, store: Store, paged: Collection[str]) -> None:
        self.store, self.paged = store, paged
        self.run = run_name(time.time())
        """Begins with the time; what files of later runs say counts before those of earlier ones."""
        self.tasks = 0
        self.retries = 0
        self._held: list[Entry] = []
        """Tasks of small phases that are over."""
        self._entries: list[Entry] = []
        self._slow: list[Entry] = []
        self._files = 0
        self._written_retries = 0

    def add(self, phase: str, task: Task, value: dict[str, Any], cost: dict[str, float]) -> None:
        """A finished task, its job's result, and what it cost (seconds, cpu_seconds, peak_bytes)."""
        entry = {"phase": phase, "label": task.label, "outputs": task.outputs, "bytes": task.cost, **cost}
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

    def slowest(self, count: int) -> list[Entry]:
        """The tasks of the phase under way that took longest so far, `MAX_SLOWEST` at most."""
        return [shown(entry) for entry in self._slowest(count)]

    def _slowest(self, count: int) -> list[Entry]:
        return heapq.nsmallest(count, [*self._slow, *self._entries], key=lambda entry: -entry["seconds"])

    def end_wave(self) -> None:
        """The wave under way is over: keep its tasks, if they and those held back took long enough."""
        seconds = sum(entry["seconds"] for entry in (*self._held, *self._entries))
        if seconds >= MIN_SECONDS or self.retries > self._written_retries:
            self.write()
        self._held += self._entries
        self._entries, self._slow = [], []

    def write(self) -> None:
        """Keep all that came: at the end of a run, and before its costs are reported."""
        retries = self.retries - self._written_retries
        if retries and self._held:  # those of a file count for its first phase
            self._keep(self._held, 0)
            self._held = []
        self._keep([*self._held, *self._entries], retries)
        self._held, self._entries, self._slow = [], [], []

    def _keep(self, entries: Sequence[Entry], retries: int) -> None:
        if entries:
            if not self._files:
                self.run = after(self.run, (address for address, _ in self.store.list(FOLDER)))
            address = f"{FOLDER}/{self.run}-{self._files:03}.parquet"
            self.store.write_table(address, table_of(entries), {"run": self.run, "retries": retries})
            self._files += 1
            self._written_retries += retries


def run_name(seconds: float) -> str:
    return f"{time.strftime(STAMP, time.gmtime(seconds))}-{uuid.uuid4().hex[:6]}"


def after(run: str, addresses: Iterable[str]) -> str:
    """The name of a run, or a later one, where files of a run before have one: its clock was ahead of this."""
    last = max((address.rpartition("/")[2][: len(run)] for address in addresses), default="")
    if last < run:
        return run
    try:
        return run_name(calendar.timegm(time.strptime(last.partition("-")[0], STAMP)) + 1)
    except ValueError:  # no name of ours
        return run


def table_of(entries: Sequence[Entry]) -> pa.Table:
    """Costs of tasks as rows of `SCHEMA`."""
    columns = []
    for field in SCHEMA:
        values = [entry.get(field.name) for entry in entries]
        if field.name == "stages":
            values = [list(value.items()) if value else None for value in values]
        plain = pa.string() if field.name == "phase" else field.type
        columns.append(pa.array(values, plain).cast(field.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def read(store: Store, address: str, columns: Sequence[str] | None = None) -> tuple[pa.Table, int]:
    """The tasks of a file of costs, or those columns of them at the least, and how many were run again."""
    if address.endswith(".json"):  # of an earlier program
        record = store.read_json(address)
        return table_of(record["tasks"]), int(record["retries"])
    table = store.read_table(address, columns)
    return table, int(json.loads(table.schema.metadata[METADATA_KEY])["retries"])


def slowest(table: pa.Table, count: int) -> list[Entry]:
    """The tasks of a table that took longest, as `shown`."""
    order = np.argsort(-table.column("seconds").to_numpy(), kind="stable")[:count]
    return [shown(entry) for entry in table.take(pa.array(order)).to_pylist()]


def shown(entry: Entry) -> Entry:
    """The fields of a task that `watch` shows; ``file``: the input file, or what else its label names."""
    return {
        "phase": entry["phase"],
        "file": entry.get("label") or (entry["outputs"] or [""])[0],
        "seconds": entry["seconds"],
        "bytes": entry["bytes"],
        "memory": int(entry.get("peak_bytes") or 0),
    }


def pages_of(value: dict[str, Any]) -> int | None:
    """Pages that a task looked at, by its job's result; None where that holds none."""
    if "reports" not in value:
        return value.get("rows")
    rows = [report["rows"] for report in value["reports"].values()] or [value.get("rows")]
    return max((row for row in rows if row is not None), default=None)


Hashes = npt.NDArray[np.int64]
_ADDED_UP = ("phase", "outputs", "bytes", "pages", "seconds", "peak_bytes", "stages")


def hashes_of(addresses: Iterable[str]) -> Hashes:
    """Addresses by their hashes in this process, of which three million take 24 MB and one in a million clashes."""
    return np.fromiter(map(hash, addresses), np.int64)


def gather(store: Store, addresses: Hashes, by_split: Collection[str]) -> dict[str, dict[str, float]]:
    """Cost per stage of the files at ``addresses``: seconds, bytes, pages (where known), tasks, peak_memory, retries.

    The latest run that made a file counts. Stages measured in one pass over the text count apart; a repeated pass is
    counted for the first of them.

    Args:
        addresses: `hashes_of` them; none: every file counts.
        by_split: phases whose tasks count only if they made one of the addresses; tasks of others count always.
    """
    total: dict[str, dict[str, float]] = {}
    made = _Made(addresses)
    for address in sorted((address for address, _ in store.list(FOLDER)), reverse=True):
        table, retries = read(store, address, _ADDED_UP)
        _add_up(total, table.filter(pa.array(made.counted(table, by_split))), retries)
    return total


def _add_up(total: dict[str, dict[str, float]], table: pa.Table, retries: int) -> None:
    """Add tasks to the sums of their stages, ``retries`` to those of the first."""
    row, seconds, names, codes = _by_stage(table.combine_chunks())
    count = len(names)
    size, peak = table.column("bytes").to_numpy()[row], table.column("peak_bytes").to_numpy()[row]
    pages = table.column("pages").to_numpy(zero_copy_only=False).astype(np.float64)[row]
    known = ~np.isnan(pages)
    highest = np.zeros(count)
    np.maximum.at(highest, codes, peak)
    tasks, paged = np.bincount(codes, minlength=count), np.bincount(codes[known], minlength=count)
    sums = [np.bincount(codes, weights, count) for weights in (seconds, size, np.where(known, pages, 0))]
    first = np.zeros(count, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    for code in np.argsort(first).tolist():
        entry = total.setdefault(names[code], {"seconds": 0.0, "bytes": 0, "tasks": 0, "peak_memory": 0, "retries": 0})
        entry["retries"] += retries
        retries = 0
        entry["seconds"] += float(sums[0][code])
        entry["bytes"] += int(sums[1][code])
        entry["tasks"] += int(tasks[code])
        entry["peak_memory"] = max(entry["peak_memory"], float(highest[code]))
        if paged[code]:
            entry["pages"] = entry.get("pages", 0) + int(sums[2][code])


def _by_stage(
    table: pa.Table,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], list[str], npt.NDArray[np.int64]]:
    """Stages that tasks went through, in the order of tasks: (task, seconds, names of stages, index of a name)."""
    stages = table.column("stages").combine_chunks()
    stages = stages.chunk(0) if isinstance(stages, pa.ChunkedArray) else stages
    counts = np.diff(stages.offsets.to_numpy()) * stages.is_valid().to_numpy(zero_copy_only=False)
    alone, each = counts == 0, np.maximum(counts, 1)
    first = (np.cumsum(each) - each)[alone]
    row = np.repeat(np.arange(len(table)), each)
    inside = np.ones(len(row), bool)
    inside[first] = False
    phases = table.column("phase").cast(pa.string()).filter(pa.array(alone))
    coded = pa.concat_arrays([*phases.chunks, stages.keys]).dictionary_encode()
    found = coded.indices.to_numpy()
    seconds, codes = np.empty(len(row)), np.empty(len(row), np.int64)
    seconds[first], seconds[inside] = table.column("seconds").to_numpy()[alone], stages.items.to_numpy()
    codes[first], codes[inside] = found[: len(first)], found[len(first) :]
    return row, seconds, coded.dictionary.to_pylist(), codes


class _Made:
    """The files that tasks of later costs made: a mark for each of those asked for, hashes of the others."""

    def __init__(self, addresses: Hashes) -> None:
        self.known = distinct(addresses)
        self._marks = np.zeros(len(self.known), bool)
        self._others: set[int] = set()

    def counted(self, table: pa.Table, by_split: Collection[str]) -> npt.NDArray[np.bool_]:
        """A mask of the tasks of a file of costs that count; the files they made are marked."""
        lists = table.column("outputs").combine_chunks()
        lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
        offsets = lists.offsets.to_numpy()
        outputs = hashes_of(lists.values.to_pylist())[offsets[0] : offsets[-1]]
        offsets = offsets - offsets[0]
        task = np.repeat(np.arange(len(table)), np.diff(offsets))
        order = np.argsort(outputs)  # in order they are looked up several times as fast
        places = np.empty(len(outputs), np.int64)
        places[order] = np.minimum(np.searchsorted(self.known, outputs[order]), max(0, len(self.known) - 1))
        requested = self.known[places] == outputs if len(self.known) else np.zeros(len(outputs), bool)
        counts = np.ones(len(table), bool)
        if len(self.known):
            phases = table.column("phase").combine_chunks()
            held = np.array([phase not in by_split for phase in phases.dictionary.to_pylist()], bool)
            counts = held[phases.indices.to_numpy()] if len(held) else counts
            counts[task[requested]] = True
        again = np.zeros(len(outputs), bool)
        again[requested] = self._marks[places[requested]]
        others = outputs[~requested].tolist()
        if len(distinct(outputs)) == len(outputs):
            if not self._others.isdisjoint(others):
                again[~requested] = [other in self._others for other in others]
            counts[task[again]] = False
        else:  # two tasks made the same file: the first of them counts
            self._one_by_one(counts, outputs.tolist(), offsets.tolist(), again)
        stay = counts[task]
        self._marks[places[requested & stay]] = True
        self._others.update(outputs[~requested & stay].tolist())
        return counts

    def _one_by_one(
        self, counts: npt.NDArray[np.bool_], outputs: list[int], offsets: list[int], again: npt.NDArray[np.bool_]
    ) -> None:
        """Take out of ``counts`` the tasks of which a file was made before; ``again``: of those asked for."""
        seen: set[int] = set()
        for number in np.flatnonzero(counts).tolist():
            own = outputs[offsets[number] : offsets[number + 1]]
            known = again[offsets[number] : offsets[number + 1]].any() or not self._others.isdisjoint(own)
            if known or not seen.isdisjoint(own):
                counts[number] = False
            else:
                seen.update(own)
