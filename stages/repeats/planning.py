"""The waves of `repeats`: how splits are grouped and anchors are cut so that every task stays within its memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import xxhash

from stages.contract import Task, Wave
from stages.exchange_file import grouped
from stages.repeats.contexts import collect_contexts
from stages.repeats.keys import count_keys, find_shared
from stages.repeats.marking import mark_splits, summarise
from stages.repeats.owners import choose_owners
from stages.repeats.params import Params, RepeatsInput

BASE_MEMORY = 320 << 20
"""Memory of a worker before any data: interpreter, Arrow, compiled kernels, a row group."""
KEY_BYTES = 144
"""Bytes of memory an anchor costs while keys are counted or added up: three keys, their counts, sort order, copies."""
CONTEXT_BYTES = 480
"""Bytes of memory an anchor that may hold a repeat costs while contexts are collected or decided, its text apart."""
CONTEXT_FRACTION = 0.5
"""Anchors that may hold a repeat, of all: rather too many for a crawl of which copies have been removed."""
TEXT_FRACTION = 0.2
"""Anchors that take their text along, of all."""


DISK_BYTES = 120
"""Bytes of temporary disk such an anchor costs, its text apart."""


class Work:
    """The plan of the work: its tasks, and the address of every file."""

    def __init__(self, params: Params, splits: Sequence[RepeatsInput], directory: str) -> None:
        self.directory, self.passes = directory, params.passes
        self.settings = params.model_dump(mode="json")
        ordered = sorted(splits, key=lambda split: split.name)
        self.splits = [{**vars(split), "number": number} for number, split in enumerate(ordered)]
        budget = max(params.memory - BASE_MEMORY, params.memory // 4)
        block = params.min_bytes - params.anchor + 1
        self.anchors_per_byte = 2.2 / (block + 1)
        context = CONTEXT_FRACTION * CONTEXT_BYTES + TEXT_FRACTION * 3 * (params.min_bytes + block)
        # the keys of a pass are held in sum, the contexts and texts of one as well
        each = self.anchors_per_byte / params.passes
        self.key_memory, self.context_memory = each * KEY_BYTES, each * (KEY_BYTES + context)
        sizes = [split.text_bytes for split in ordered]
        self.groups = grouped([ceil(size * self.context_memory) for size in sizes], budget)
        self.total = sum(sizes)
        self.ranges = max(1, ceil(self.total * self.key_memory / budget))
        self.places = max(1, ceil(self.total * self.context_memory / budget))
        # files of an interrupted run that cut its work in another way are no use to this one
        shape = [self.groups, self.ranges, self.places, params.passes]
        self.work = f"{directory}/work/{xxhash.xxh3_64_hexdigest(json.dumps(shape).encode())}"
        self.finals = [f"{directory}/{split['name']}.parquet" for split in self.splits]

    def files(self, name: str, number: int, count: int) -> list[str]:
        return [f"{self.work}/{name}-{number:03d}/{index:05d}.part" for index in range(count)]

    def of(self, group: int) -> list[dict[str, Any]]:
        return [self.splits[index] for index in self.groups[group]]

    def text(self, group: int) -> int:
        return sum(split["text_bytes"] for split in self.of(group))


def plan(params: Params, splits: list[RepeatsInput], directory: str) -> list[Wave]:
    """All waves. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json``.

    The order of ``splits`` does not matter.
    """
    if not splits:
        return []
    work = Work(params, splits, directory)
    waves = [wave for number in range(work.passes) for wave in _pass(work, number)]
    held = [work.files("held", number, len(work.groups)) for number in range(work.passes)]
    owners = [work.files("owners", number, work.places) for number in range(work.passes)]
    marking = []
    for group, members in enumerate(work.groups):
        outputs = [work.finals[index] for index in members]
        args = {"params": work.settings, "splits": work.of(group), "group": group, "outputs": outputs}
        args |= {"held": [files[group] for files in held], "owners": owners}
        memory = work.text(group) * work.anchors_per_byte * CONTEXT_FRACTION * CONTEXT_BYTES
        marking.append(_task(mark_splits, args, outputs, f"mark {group}", work.text(group), memory))
    summary = f"{directory}/summary.json"
    args = {"params": work.settings, "splits": work.splits, "outputs": work.finals, "summary": summary}
    args |= {"owners": [address for files in owners for address in files]}
    last = _task(summarise, args, [summary], "summary", 0, 0)
    return [*waves, Wave("repeats: mark", tuple(marking)), Wave("repeats: summary", (last,), (f"{directory}/work",))]


def cost(params: Params, text_bytes: Sequence[int]) -> str:
    """Cost of the work for splits of so much text, in a sentence: readings of the text, temporary disk, tasks."""
    splits = [RepeatsInput(f"{number:09d}", "", "", 0, size) for number, size in enumerate(text_bytes)]
    work = Work(params, splits, "")
    each = work.total * work.anchors_per_byte / params.passes
    block = params.min_bytes - params.anchor + 1
    keys, contexts = each * 24, each * (CONTEXT_FRACTION * DISK_BYTES + TEXT_FRACTION * (params.min_bytes + block / 2))
    passes = f"{params.passes} passes" if params.passes > 1 else "one pass"
    return (
        f"repeats: reads {work.total / 1e9:.3g} GB of text {2 * params.passes + 1} times, in {passes} of"
        f" {len(work.groups)} tasks; temporary disk at a time: {max(keys, 1) / 1e9:.3g} GB of keys, then up to"
        f" {contexts / 1e9:.3g} GB of contexts where half of the text stands in several places"
    )


def _pass(work: Work, number: int) -> list[Wave]:
    """The four waves of one round of anchors."""
    num_groups = len(work.groups)
    keys, contexts, held = (work.files(name, number, num_groups) for name in ("keys", "contexts", "held"))
    shared, owners = work.files("shared", number, work.ranges), work.files("owners", number, work.places)
    counting, finding, collecting, choosing = [], [], [], []
    for group in range(num_groups):
        common: dict[str, Any] = {"params": work.settings, "splits": work.of(group), "number": number}
        size = work.text(group)
        args = {**common, "ranges": work.ranges, "output": keys[group]}
        label = f"keys {group} of pass {number}"
        counting.append(_task(count_keys, args, [keys[group]], label, size, size * work.key_memory))
        args = {**common, "group": group, "places": work.places, "shared": shared}
        outputs = [contexts[group], held[group]]
        args |= {"output": outputs[0], "held": outputs[1]}
        label = f"contexts {group} of pass {number}"
        collecting.append(_task(collect_contexts, args, outputs, label, size, size * work.context_memory))
    for partition, output in enumerate(shared):
        args = {"inputs": keys, "partition": partition, "output": output}
        size = work.total // work.ranges
        finding.append(
            _task(find_shared, args, [output], f"shared {partition} of pass {number}", size, size * work.key_memory)
        )
    for partition, output in enumerate(owners):
        args = {"params": work.settings, "inputs": contexts, "partition": partition, "output": output}
        size = work.total // work.places
        label = f"owners {partition} of pass {number}"
        choosing.append(_task(choose_owners, args, [output], label, size, size * work.context_memory))
    of = f" of pass {number}" if work.passes > 1 else ""
    return [
        Wave(f"repeats: keys{of}", tuple(counting)),
        Wave(f"repeats: shared{of}", tuple(finding), (f"{work.work}/keys-{number:03d}",)),
        Wave(f"repeats: contexts{of}", tuple(collecting), (f"{work.work}/shared-{number:03d}",)),
        Wave(f"repeats: owners{of}", tuple(choosing), (f"{work.work}/contexts-{number:03d}",)),
    ]


def _task(
    job: Callable[..., Any], args: dict[str, Any], outputs: Sequence[str], label: str, cost: int, memory: float
) -> Task:
    return Task(f"{job.__module__}:{job.__name__}", args, tuple(outputs), label, cost, BASE_MEMORY + int(memory))
