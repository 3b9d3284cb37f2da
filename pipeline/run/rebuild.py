"""Which tasks of an exchange are still to run: make's question, asked of files that are thrown away when they are used.

A final output is one that no wave discards. A task runs if a final output of it is missing, or if a task that runs
reads an output of it that is missing. So what an interrupted run discarded is not made again for tasks that are done,
and a file that was damaged and removed is made again from wherever its inputs still stand, or from the beginning.

A task's inputs are the addresses that its arguments name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stages.contract import Task, Wave


def to_run(waves: Sequence[Wave], is_missing: Callable[[str], bool]) -> list[list[Task]]:
    """The tasks to run, by wave, in the order of the plan."""
    makers = {address: task for wave in waves for task in wave.tasks for address in task.outputs}
    prefixes = tuple(dict.fromkeys(prefix.rstrip("/") for wave in waves for prefix in wave.discard))
    wanted: dict[int, Task] = {}
    open_ends = [
        makers[address]
        for address in makers
        if is_missing(address) and not any(under(address, prefix) for prefix in prefixes)
    ]
    known: dict[int, tuple[str, ...]] = {}
    while open_ends:
        task = open_ends.pop()
        if id(task) in wanted:
            continue
        wanted[id(task)] = task
        open_ends += [makers[address] for address in named(task.args, makers, known) if is_missing(address)]
    return [[task for task in wave.tasks if id(task) in wanted] for wave in waves]


def inputs_of(tasks: Sequence[Task], waves: Sequence[Wave]) -> set[str]:
    """The outputs of the waves that these tasks read."""
    makers = {address: task for wave in waves for task in wave.tasks for address in task.outputs}
    known: dict[int, tuple[str, ...]] = {}
    own = {address for task in tasks for address in task.outputs}
    return {address for task in tasks for address in named(task.args, makers, known)} - own


def under(address: str, prefix: str) -> bool:
    """Whether an address is a file or lies in a folder that is discarded."""
    return address == prefix or address.startswith(prefix.rstrip("/") + "/")


def named(value: Any, makers: dict[str, Task], known: dict[int, tuple[str, ...]]) -> tuple[str, ...]:
    """The outputs among the strings anywhere in a task's arguments; ``known`` keeps those of lists that tasks share."""
    if isinstance(value, str):
        return (value,) if value in makers else ()
    if not isinstance(value, (dict, list, tuple)):
        return ()
    if id(value) not in known:
        found: dict[str, None] = {}
        for part in value.values() if isinstance(value, dict) else value:
            if not isinstance(part, str):
                found |= dict.fromkeys(named(part, makers, known))
            elif part in makers:
                found[part] = None
        known[id(value)] = tuple(found)
    return known[id(value)]
