"""Traffic of an exchange, counted from its plan: waves, tasks, the files they write, and how often they read those.

A read is a task and a file that its arguments list: one of an earlier wave, or one of another product that is read in
parts by many tasks, as shards read token files. What a task reads of its own splits alone is not counted, nor are the
entries of shards that a manifest gathers. Price: some 20 µs a task, and a look at the lists that they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.progress import human_bytes
from pipeline.run import rebuild
from pipeline.store.storage import SEALED
from stages.contract import Each, Task, Wave


@dataclass(frozen=True)
class Traffic:
    """Counts of one exchange, or of a wave of it."""

    name: str
    waves: int
    tasks: int
    files: int
    reads: int
    memory: int
    """Bytes that its largest task reserves."""

    def line(self) -> str:
        return (
            f"{self.name}: {self.tasks:,} tasks in {self.waves} {'wave' if self.waves == 1 else 'waves'} write"
            f" {self.files:,} files and read them {self.reads:,} times; a task takes up to {human_bytes(self.memory)}"
        )


class _Files(set[str]):
    """Files of an exchange; those of other products are known by their names."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and name.endswith(SEALED))


def of_waves(waves: Sequence[Wave]) -> list[Traffic]:
    """Counts of each wave that has tasks."""
    made = _Files(address for wave in waves for outputs in rebuild.outputs_of(wave.tasks) for address in outputs)
    known: rebuild.Known = {}
    shared: dict[tuple[int, ...], set[str]] = {}
    found = []
    for wave in waves:
        files = reads = memory = 0
        for task in wave.tasks:
            files += len(task.outputs)
            reads += _reads(task, made, known, shared)
            memory = max(memory, task.memory)
        if len(wave.tasks):
            found.append(Traffic(wave.name, 1, len(wave.tasks), files, reads, memory))
    return found


def whole(name: str, waves: Sequence[Wave]) -> Traffic:
    """Counts of all waves together."""
    parts = of_waves(waves)
    tasks, files, reads = (sum(getattr(part, key) for part in parts) for key in ("tasks", "files", "reads"))
    return Traffic(name, len(parts), tasks, files, reads, max((part.memory for part in parts), default=0))


def _reads(task: Task, made: _Files, known: rebuild.Known, shared: dict[tuple[int, ...], set[str]]) -> int:
    """The number of such files in a task's arguments, its outputs apart; the rows of its splits name other files.

    ``shared`` keeps the files that lists name together, which many tasks hold; ``known`` keeps the lists.
    """
    named = (
        value for value in task.args.values() if not (isinstance(value, Each) and value and isinstance(value[0], dict))
    )
    values: list[Any] = list(named)
    lists = [value for value in values if isinstance(value, list)]
    key = tuple(map(id, lists))
    if key not in shared:
        shared[key] = {address for value in lists for address in rebuild.named(value, made, known)}
    rest = {name for value in values if not isinstance(value, list) for name in rebuild.named(value, made, known)}
    both = shared[key]
    return len(both) + len(rest - both) - sum(output in both or output in rest for output in task.outputs)
