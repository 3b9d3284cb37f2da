"""The phases of `clusters`: how splits are grouped and hashes are cut so that every task stays within its memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import ceil
from typing import Any

import xxhash

from stages.clusters.addresses import map_addresses, reduce_addresses
from stages.clusters.bands import MAP_RECORD_BYTES, REDUCE_RECORD_BYTES, map_bands, reduce_bands
from stages.clusters.components import TEXT_BYTES, extract_shingles, find_components
from stages.clusters.decide import decide
from stages.clusters.output import ROW_BYTES, assign, summarise, write_splits
from stages.clusters.pages import RECORD_BYTES, map_pages, reduce_texts
from stages.clusters.params import ClusterInput, Params
from stages.contract import Phase, Task
from stages.exchange_file import grouped

BASE_MEMORY = 384 << 20
"""What a worker holds before any data: interpreter, Arrow, compiled kernels."""
SHINGLE_BYTES = 1.5
"""Bytes of shingle hashes per byte of text: 8 for a word of 5.8 in English, less in most scripts; see the benchmark."""
SHINGLE_COPIES = 2.5
"""How often a task holds them: as read, joined, ordered."""
SHINGLE_TASK_BYTES = 192 << 20
"""Shingle hashes of a task, all copies: some 50 MB of text, a second of work, so that few splits use every core."""
EARLY_SHINGLE_TASKS = 64
"""No more tasks than this for that reason: past it a task takes all its memory allows."""


class _Work:
    """Everything the phases share: how the work is cut, and the address of every file."""

    def __init__(self, params: Params, splits: list[ClusterInput], directory: str) -> None:
        self.params = params
        self.directory = directory
        ordered = sorted(splits, key=lambda split: split.name)
        self.splits = [{**asdict(split), "number": number} for number, split in enumerate(ordered)]
        rows = [split.rows for split in ordered]
        shingles = [int(split.text_bytes * SHINGLE_BYTES * SHINGLE_COPIES) for split in ordered]
        budget = max(params.memory - BASE_MEMORY, params.memory // 4)
        bands = ceil(params.bands / params.passes)
        page_bytes = max(RECORD_BYTES, ROW_BYTES)
        row_bytes = max(page_bytes, bands * MAP_RECORD_BYTES)
        self.groups = grouped([count * row_bytes for count in rows], budget)
        task = max(SHINGLE_TASK_BYTES, sum(shingles) // EARLY_SHINGLE_TASKS)
        self.text_groups = grouped(shingles, min(budget, task))
        self.hash_ranges = max(1, ceil(sum(rows) * page_bytes / budget))
        self.key_ranges = max(1, ceil(sum(rows) * bands * REDUCE_RECORD_BYTES / budget))
        self.places = max(1, ceil(sum(shingles) / budget))
        self.settings = params.model_dump(mode="json")
        # files of an interrupted run that cut its work in another way are no use to this one
        shape = [self.groups, self.text_groups, self.hash_ranges, self.key_ranges, self.places, params.passes]
        self.key = xxhash.xxh3_64_hexdigest(json.dumps(shape).encode())
        self.addresses = self.files("addresses", len(self.groups)) if params.urls else []
        self.moved = self.files("moved", self.hash_ranges) if params.urls else []
        self.pages = self.files("pages", len(self.groups))
        self.texts = self.files("texts", self.hash_ranges)
        self.page_rows = self.files("rows", self.hash_ranges)
        self.all_pairs = [address for number in range(self.params.passes) for address in self.pairs(number)]
        self.members = self.files("members", self.hash_ranges)
        self.edges = self.files("edges", len(self.all_pairs))
        self.shingles = self.files("shingles", len(self.text_groups))
        self.decisions = self.files("decisions", self.places)
        self.assigned = self.files("assigned", self.hash_ranges)
        self.copies = self.files("copies", self.hash_ranges)
        self.group_of = [group for group, members in enumerate(self.groups) for _ in members]

    def folder(self, name: str) -> str:
        return f"{self.directory}/work/{self.key}/{name}"

    def files(self, name: str, count: int) -> list[str]:
        return [f"{self.folder(name)}/{index:05d}.part" for index in range(count)]

    def bands(self, number: int) -> list[str]:
        return self.files(f"bands-{number}", len(self.groups))

    def pairs(self, number: int) -> list[str]:
        return self.files(f"pairs-{number}", self.key_ranges)

    def band_range(self, number: int) -> tuple[int, int]:
        """First band of a pass, and the one after its last."""
        bands, passes = self.params.bands, self.params.passes
        return number * bands // passes, (number + 1) * bands // passes

    def final(self, split: int) -> str:
        return f"{self.directory}/{self.splits[split]['name']}.parquet"

    def of(self, members: Sequence[int]) -> list[dict[str, Any]]:
        return [self.splits[index] for index in members]

    def rows(self, members: Sequence[int]) -> int:
        return sum(self.splits[index]["rows"] for index in members)

    def text(self, members: Sequence[int]) -> int:
        return sum(self.splits[index]["text_bytes"] for index in members)

    @property
    def all_rows(self) -> int:
        return self.rows(range(len(self.splits)))


def plan(params: Params, splits: list[ClusterInput], directory: str) -> list[Phase]:
    """All phases of deduplication. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json``.

    The order of ``splits`` does not matter. A task's memory grows with its input only where one split
    alone passes ``params.memory``; `Task.memory` says so.
    """
    if not splits:
        return []
    names = [split.name for split in splits]
    if len({*names}) != len(names):
        raise ValueError("splits of `clusters` must have different names")
    work = _Work(params, splits, directory)
    phases = [_addresses(work), _same_address(work)] if params.urls else []
    phases += [_pages(work), _texts(work)]
    for number in range(params.passes):
        phases += [_bands(work, number), _candidates(work, number)]
    return [*phases, _components(work), _shingles(work), _decide(work), _assign(work), _output(work), _summary(work)]


def _task(job: Callable[..., Any], args: dict[str, Any], outputs: Sequence[str], label: str, memory: float) -> Task:
    name = f"{job.__module__}:{job.__name__}"
    return Task(name, args, tuple(outputs), label, int(memory), BASE_MEMORY + int(memory))


def _addresses(work: _Work) -> Phase:
    tasks = []
    for group, output in enumerate(work.addresses):
        members = work.groups[group]
        args = {"params": work.settings, "splits": work.of(members), "partitions": len(work.moved), "output": output}
        tasks.append(_task(map_addresses, args, [output], f"addresses {group}", work.rows(members) * RECORD_BYTES))
    return Phase("clusters: addresses", tuple(tasks))


def _same_address(work: _Work) -> Phase:
    tasks = []
    for partition, output in enumerate(work.moved):
        args = {
            "params": work.settings,
            "inputs": work.addresses,
            "partition": partition,
            "groups": work.group_of,
            "output": output,
        }
        memory = work.all_rows * RECORD_BYTES / len(work.moved)
        tasks.append(_task(reduce_addresses, args, [output], f"same address {partition}", memory))
    return Phase("clusters: same address", tuple(tasks), (work.folder("addresses"),))


def _pages(work: _Work) -> Phase:
    tasks = []
    for group, output in enumerate(work.pages):
        members = work.groups[group]
        args = {"params": work.settings, "splits": work.of(members), "partitions": len(work.texts), "output": output}
        args |= {"group": group, "moved": work.moved} if work.moved else {}
        tasks.append(_task(map_pages, args, [output], f"pages {group}", work.rows(members) * RECORD_BYTES))
    return Phase("clusters: pages", tuple(tasks), (work.folder("moved"),) if work.moved else ())


def _texts(work: _Work) -> Phase:
    tasks = []
    for partition, (texts, rows) in enumerate(zip(work.texts, work.page_rows, strict=True)):
        args = {
            "params": work.settings,
            "inputs": work.pages,
            "partition": partition,
            "groups": work.group_of,
            "texts": texts,
            "rows": rows,
        }
        memory = work.all_rows * RECORD_BYTES / len(work.texts)
        tasks.append(_task(reduce_texts, args, [texts, rows], f"texts {partition}", memory))
    return Phase("clusters: texts", tuple(tasks), (work.folder("pages"),))


def _bands(work: _Work, number: int) -> Phase:
    first, last = work.band_range(number)
    tasks = []
    for group, output in enumerate(work.bands(number)):
        members = work.groups[group]
        args = {
            "params": work.settings,
            "splits": work.of(members),
            "group": group,
            "texts": work.texts,
            "rows": work.page_rows,
            "first_band": first,
            "last_band": last,
            "partitions": work.key_ranges,
            "output": output,
        }
        memory = work.rows(members) * (last - first) * MAP_RECORD_BYTES
        tasks.append(_task(map_bands, args, [output], f"bands {first}-{last - 1} of {group}", memory))
    return Phase(f"clusters: bands {first}-{last - 1}", tuple(tasks))


def _candidates(work: _Work, number: int) -> Phase:
    first, last = work.band_range(number)
    tasks = []
    for partition, output in enumerate(work.pairs(number)):
        args = {"params": work.settings, "inputs": work.bands(number), "partition": partition, "output": output}
        memory = work.all_rows * (last - first) * REDUCE_RECORD_BYTES / work.key_ranges
        tasks.append(_task(reduce_bands, args, [output], f"candidates {partition}", memory))
    return Phase(f"clusters: candidates of bands {first}-{last - 1}", tuple(tasks), (work.folder(f"bands-{number}"),))


def _components(work: _Work) -> Phase:
    args = {
        "texts": work.texts,
        "pairs": work.all_pairs,
        "num_splits": len(work.splits),
        "partitions": work.places,
        "members": work.members,
        "edges": work.edges,
    }
    task = _task(find_components, args, [*work.members, *work.edges], "components", work.all_rows * TEXT_BYTES)
    return Phase("clusters: components", (task,))


def _shingles(work: _Work) -> Phase:
    tasks = []
    for group, output in enumerate(work.shingles):
        members = work.text_groups[group]
        args = {"splits": work.of(members), "members": work.members, "partitions": work.places, "output": output}
        memory = work.text(members) * SHINGLE_BYTES * SHINGLE_COPIES
        tasks.append(_task(extract_shingles, args, [output], f"shingles {group}", memory))
    return Phase("clusters: shingles", tuple(tasks), (work.folder("members"),))


def _decide(work: _Work) -> Phase:
    tasks = []
    for partition, output in enumerate(work.decisions):
        args = {
            "params": work.settings,
            "texts": work.texts,
            "edges": work.edges,
            "shingles": work.shingles,
            "partition": partition,
            "output": output,
        }
        memory = work.text(range(len(work.splits))) * SHINGLE_BYTES * SHINGLE_COPIES / work.places
        tasks.append(_task(decide, args, [output], f"decide {partition}", memory))
    return Phase("clusters: decide", tuple(tasks), (work.folder("shingles"), work.folder("edges")))


def _assign(work: _Work) -> Phase:
    tasks = []
    for partition, output in enumerate(work.assigned):
        args = {
            "texts": work.texts,
            "rows": work.page_rows[partition],
            "num_groups": len(work.groups),
            "decisions": work.decisions,
            "partition": partition,
            "groups": work.group_of,
            "output": output,
            "copies": work.copies[partition],
        }
        memory = work.all_rows * ROW_BYTES / len(work.texts)
        tasks.append(_task(assign, args, [output, work.copies[partition]], f"assign {partition}", memory))
    return Phase("clusters: assign", tuple(tasks), (work.folder("texts"), work.folder("rows")))


def _output(work: _Work) -> Phase:
    tasks = []
    for group, members in enumerate(work.groups):
        outputs = [work.final(split) for split in members]
        args = {
            "splits": work.of(members),
            "group": group,
            "assigned": work.assigned,
            "copies": work.copies,
            "outputs": outputs,
        }
        tasks.append(_task(write_splits, args, outputs, f"output {group}", work.rows(members) * ROW_BYTES))
    return Phase("clusters: output", tuple(tasks), (work.folder("assigned"), work.folder("copies")))


def _summary(work: _Work) -> Phase:
    summary = f"{work.directory}/summary.json"
    args = {
        "outputs": [work.final(split) for split in range(len(work.splits))],
        "decisions": work.decisions,
        "pairs": work.all_pairs,
        "summary": summary,
    }
    task = _task(summarise, args, [summary], "summary", 0)
    return Phase("clusters: summary", (task,), (f"{work.directory}/work",))
