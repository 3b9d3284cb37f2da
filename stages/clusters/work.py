"""The plan of the work of `clusters`: tasks that stay within their memory, and the address of every file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import ceil
from typing import Any

import xxhash

from stages.clusters.bands import MAP_RECORD_BYTES, REDUCE_RECORD_BYTES
from stages.clusters.output import ROW_BYTES
from stages.clusters.pages import RECORD_BYTES
from stages.clusters.params import ClusterInput, Params
from stages.contract import Each, Task
from stages.exchange_file import grouped

BASE_MEMORY = 384 << 20
"""Memory of a worker before any data: interpreter, Arrow, compiled kernels."""
SHINGLE_BYTES = 1.5
"""Bytes of shingle hashes per byte of text: 8 for a word of 5.8 in English, less in most scripts; see the benchmark."""
SHINGLE_COPIES = 2.5
"""Copies of shingle hashes that a task holds: as read, joined, ordered."""
SHINGLE_TASK_BYTES = 192 << 20
"""Shingle hashes of a task, all copies: some 50 MB of text, a second of work, so that few splits use every core."""
EARLY_SHINGLE_TASKS = 64
"""No more tasks than this for that reason: past it a task takes all its memory allows."""


SHELF_ROWS = 1 << 21
"""Pages, in a family or not, for which a shelf of families is made: some 600,000 in families, 100 bytes each."""


def family_files(rows: int, directory: str) -> list[str]:
    """Files that are kept of families of so many pages: their shelves, and last their summary."""
    count = max(1, ceil(rows / SHELF_ROWS))
    return [*(f"{directory}/shelf-{shelf:05d}.part" for shelf in range(count)), f"{directory}/summary.part"]


class Work:
    """Everything the waves share: how the work is cut, and the address of every file."""

    def __init__(
        self, params: Params, splits: Sequence[ClusterInput], directory: str, families: str | None = None
    ) -> None:
        """``families``: folder of what is measured once; none: ``directory`` is that."""
        sizes = [(split.name, split.rows, split.text_bytes) for split in splits]
        names = [name for name, _, _ in sizes]
        if len({*names}) != len(names):
            raise ValueError("splits of `clusters` must have different names")
        self._files: dict[tuple[str, int], list[str]] = {}
        self.params = params
        self.directory = directory
        self.families = families or directory
        order = sorted(range(len(names)), key=names.__getitem__)
        self.splits = Each(lambda number: {**vars(splits[order[number]]), "number": number}, len(order))
        rows = [sizes[place][1] for place in order]
        self._names = [names[place] for place in order]
        self._rows_before = [0, *accumulate(rows)]
        self._text_before = [0, *accumulate(sizes[place][2] for place in order)]
        # of one round of places; which of them a component falls in, a hash decides
        self.rounds = params.rounds or params.passes
        shingles = [ceil(sizes[place][2] * SHINGLE_BYTES * SHINGLE_COPIES / self.rounds) for place in order]
        budget = max(params.memory - BASE_MEMORY, params.memory // 4)
        bands = ceil(params.bands / params.passes)
        page_bytes = max(RECORD_BYTES, ROW_BYTES)
        row_bytes = max(page_bytes, bands * MAP_RECORD_BYTES)
        self.groups = grouped([count * row_bytes for count in rows], budget)
        task = max(SHINGLE_TASK_BYTES, sum(shingles) // EARLY_SHINGLE_TASKS)
        self.text_groups = grouped(shingles, min(budget, task))
        self.hash_ranges = max(1, ceil(sum(rows) * page_bytes / budget))
        self.key_ranges = max(1, ceil(sum(rows) * bands * REDUCE_RECORD_BYTES / budget))
        self.places = self.rounds * max(1, ceil(sum(shingles) / budget))
        self.budget = budget
        self.settings = params.model_dump(mode="json")
        # files of an interrupted run that cut its work in another way are no use to this one
        cuts = [self.hash_ranges, self.key_ranges, self.places, params.passes, self.rounds]
        shape = [self.groups, self.text_groups, *cuts]
        self.key = xxhash.xxh3_64_hexdigest(json.dumps(shape).encode())
        self.addresses = self.files("addresses", self.hash_ranges) if params.urls else []
        self.links = self.files("links", self.hash_ranges) if params.urls else []
        self.pages = self.files("pages", len(self.groups))
        self.texts = self.files("texts", self.hash_ranges)
        self.page_rows = self.files("rows", self.hash_ranges)
        self.all_pairs = [address for number in range(self.params.passes) for address in self.pairs(number)]
        self.joining = [*self.all_pairs, *self.links]
        self.members = self.files("members", self.hash_ranges)
        self.edges = self.files("edges", self.hash_ranges)
        self.dealt = self.files("dealt", self.hash_ranges)
        self.verified = self.files("verified", self.places)
        # by the pages alone, whatever `params` says of the effort: these files stay
        *self.shelves, self.families_summary = family_files(sum(rows), self.families)
        self.passing = self.files("passing", len(self.groups))
        self.decisions = self.files("decisions", len(self.shelves))
        self.copies = self.files("copies", len(self.shelves))
        self.group_of = [group for group, members in enumerate(self.groups) for _ in members]

    def folder(self, name: str) -> str:
        return f"{self.directory}/work/{self.key}/{name}"

    def files(self, name: str, count: int) -> list[str]:
        """Addresses by name and count, one list for equal arguments: thousands of tasks hold one of thousands."""
        if (name, count) not in self._files:
            self._files[name, count] = [f"{self.folder(name)}/{index:05d}.part" for index in range(count)]
        return self._files[name, count]

    def bands(self, number: int) -> list[str]:
        return self.files(f"bands-{number}", len(self.groups))

    def pairs(self, number: int) -> list[str]:
        return self.files(f"pairs-{number}", self.key_ranges)

    def shingles(self, number: int) -> list[str]:
        return self.files(f"shingles-{number}", len(self.text_groups))

    def stars(self, number: int, kind: str) -> list[str]:
        return self.files(f"components/{kind}-{number:02d}", self.hash_ranges)

    def band_range(self, number: int) -> tuple[int, int]:
        """First band of a pass, and the one after its last."""
        bands, passes = self.params.bands, self.params.passes
        return number * bands // passes, (number + 1) * bands // passes

    def place_range(self, number: int) -> tuple[int, int]:
        """First place of decision of a round, and the one after its last."""
        each = self.places // self.rounds
        return number * each, (number + 1) * each

    def final(self, split: int) -> str:
        return f"{self.directory}/{self._names[split]}.parquet"

    def of(self, members: Sequence[int]) -> Sequence[dict[str, Any]]:
        """Splits by number, made where a task needs them: all of them would be most of the memory of a plan."""
        return Each(lambda place: self.splits[members[place]], len(members))

    def rows(self, members: Sequence[int]) -> int:
        """Rows of splits that follow each other, as those of a group do."""
        return self._rows_before[members[-1] + 1] - self._rows_before[members[0]] if members else 0

    def text(self, members: Sequence[int]) -> int:
        return self._text_before[members[-1] + 1] - self._text_before[members[0]] if members else 0

    @property
    def all_rows(self) -> int:
        return self._rows_before[-1]


def task(job: Callable[..., Any], args: dict[str, Any], outputs: Sequence[str], label: str, memory: float) -> Task:
    """A task and the memory it reserves: what a worker holds anyway, and ``memory`` for its data."""
    name = f"{job.__module__}:{job.__name__}"
    return Task(name, args, tuple(outputs), label, int(memory), BASE_MEMORY + int(memory))
