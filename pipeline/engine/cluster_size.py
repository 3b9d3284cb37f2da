"""Size of a cluster for the tasks that wait there: its CPUs, and memory and GPUs of its largest node.

A node that is lost comes back: a task that asks for what the largest one had waits for it a while (`remembered`).
Resources of a node are as Ray names them: ``CPU``, ``GPU``, and ``memory`` in bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

UNKNOWN_MEMORY = 1 << 30
"""Bytes, where no node says how many it has."""


class Size(NamedTuple):
    """CPUs in all, and memory in bytes of the largest node that has one (a task that asks for more would never start);
    without such a node, of the largest of the others."""

    cpus: int
    memory: int
    gpus: float = 0.0
    """GPUs of the node that has most."""

    @property
    def works(self) -> bool:
        """Whether a node is there that takes tasks."""
        return self.cpus > 0


def size_of(nodes: Iterable[Mapping[str, float]]) -> Size:
    """The size of a cluster of nodes that are alive, from their resources."""
    alive = [*nodes]
    working = [node for node in alive if node.get("CPU", 0) >= 1] or alive
    memory = max((node.get("memory", 0) for node in working), default=0)
    gpus = max((node.get("GPU", 0) for node in working), default=0)
    return Size(int(sum(node.get("CPU", 0) for node in working)), int(memory) or UNKNOWN_MEMORY, float(gpus))


def remembered(before: int, now: Size, expired: bool) -> int:
    """The memory that a task may ask for.

    Args:
        before: of the largest node that took tasks, 0 before the first: the head of a cluster that takes none is
            waited for by nobody.
        expired: the largest node was lost too long ago to be waited for.
    """
    if not before or (now.works and (expired or now.memory >= before)):
        return now.memory
    return before
