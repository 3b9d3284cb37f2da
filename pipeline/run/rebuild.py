"""Tasks of an exchange that are still to run: make's question, asked of files that are thrown away when they are used.

A final output is one that no wave discards. A task runs if a final output of it is missing, or if a task that runs
reads an output of it that is missing. So what an interrupted run discarded is not made again for tasks that are done,
and a file that was damaged and removed is made again from wherever its inputs still stand, or from the beginning.

A task's inputs are the addresses that its arguments name. Those that are discarded are named by plain lists and dicts;
an `Each` names files that other products made, or final ones, and is passed over where only the former are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from pipeline.engine.scheduler import Planned
from stages.contract import Each, Task, Tasks, Wave

Place = tuple[int, int]
"""A task: its wave, and its number there."""
Known = dict[int, tuple[Any, tuple[str, ...]]]


def to_run(waves: Sequence[Wave], is_missing: Callable[[str], bool]) -> list[Sequence[Task]]:
    """The tasks to run, by wave, in the order of the plan."""
    prefixes = tuple(dict.fromkeys(prefix.rstrip("/") for wave in waves for prefix in wave.discard))
    folders = tuple(f"{prefix}/" for prefix in prefixes)
    makers: dict[str, Place] = {}
    """Makers of the files that are discarded; of the others it is known whether they are wanted."""
    wanted: list[set[int]] = [set() for _ in waves]
    first = len(waves)
    for number, wave in enumerate(waves):
        for index, outputs in enumerate(outputs_of(wave.tasks)):
            for address in outputs:
                if address.startswith(folders) or address in prefixes:
                    makers[address] = number, index
                    first = min(first, number)
                elif is_missing(address):
                    wanted[number].add(index)
    left = len({*makers.values()} - {(number, index) for number, own in enumerate(wanted) for index in own})
    # tasks of the first waves that make nothing to be discarded read nothing of these waves that is
    open_ends = [(number, index) for number, own in enumerate(wanted) for index in own if number > first]
    known: Known = {}
    while open_ends and left:
        number, index = open_ends.pop()
        for address in named(waves[number].tasks[index].args, makers, known, (dict, list, tuple)):
            maker, at = makers[address]
            if at not in wanted[maker] and is_missing(address):
                wanted[maker].add(at)
                left -= 1
                open_ends.append((maker, at))
    return [_chosen(wave.tasks, own) for wave, own in zip(waves, wanted, strict=True)]


def outputs_of(tasks: Sequence[Task]) -> Iterator[Sequence[str]]:
    """Outputs of each of the tasks."""
    if isinstance(tasks, Tasks):
        return ((output,) for output in tasks.outputs)
    return (task.outputs for task in tasks)


def _chosen(tasks: Sequence[Task], wanted: set[int]) -> Sequence[Task]:
    numbers = sorted(wanted)
    if isinstance(tasks, Tasks):
        return Planned(tasks.__getitem__, numbers, [tasks.costs[number] for number in numbers])
    return [tasks[number] for number in numbers]


def inputs_of(tasks: Sequence[Task], waves: Sequence[Wave]) -> set[str]:
    """The outputs of the waves that these tasks read."""
    made = {address for wave in waves for outputs in outputs_of(wave.tasks) for address in outputs}
    known: Known = {}
    own = {address for task in tasks for address in task.outputs}
    return {address for task in tasks for address in named(task.args, made, known)} - own


def under(address: str, prefix: str) -> bool:
    """Whether an address is a file or lies in a folder that is discarded."""
    return address == prefix or address.startswith(prefix.rstrip("/") + "/")


def named(
    value: Any, made: Collection[str], known: Known, holders: tuple[type, ...] = (dict, list, tuple, Each)
) -> tuple[str, ...]:
    """The files of ``made`` among the strings anywhere in a task's arguments.

    ``known`` keeps the files of lists, which tasks share, with the list: another may get its number when it is gone.
    """
    if isinstance(value, str):
        return (value,) if value in made else ()
    if not isinstance(value, holders):
        return ()
    parts: Any = value.values() if isinstance(value, dict) else value
    if id(value) in known:
        return known[id(value)][1]
    found: dict[str, None] = {}
    for part in parts:
        if not isinstance(part, str):
            found |= dict.fromkeys(named(part, made, known, holders))
        elif part in made:
            found[part] = None
    if isinstance(value, list):
        known[id(value)] = value, tuple(found)
    return tuple(found)
