"""Runs the tasks of a wave: a small windowed scheduler over an executor, with our own retry rules.

What happens when a task does not come back (`docs/decisions/retries.md` has the evidence):

| outcome  | what it means                      | what is done                                                      |
|----------|------------------------------------|-------------------------------------------------------------------|
| done     | its outputs exist                  | counted                                                           |
| node     | the machine went away              | run again elsewhere; counts against nobody                        |
| crash    | the process died (native code, kill) | run again; the third time with its records isolated, then it fails |
| memory   | killed for memory, or `MemoryError` | run again alone with twice the memory, then isolated, then it fails |
| error    | a Python exception                 | never run again: it would fail again                              |

Failures are gathered until the wave is done or ``MAX_FAILURES`` are there; then the run fails, naming them.
"""

from __future__ import annotations

import importlib
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, overload

from pipeline.engine.process import give_back_memory
from pipeline.errors import RunError, one_line
from pipeline.store.sinks import Checksum
from pipeline.store.storage import Store
from pipeline.terminal import safe_line
from stages.contract import Task
from stages.formats import retries
from stages.seal import DamagedFile

MAX_CRASHES = 4
MAX_FAILURES = 10
WAIT_SECONDS = 0.5
Kind = Literal["done", "node", "crash", "memory", "error"]


@dataclass(frozen=True)
class Outcome:
    """The end of one attempt at a task. ``value`` is the job's result when done; ``message`` the reason when not."""

    index: int
    kind: Kind
    value: dict[str, Any] | None = None
    cost: dict[str, float] | None = None
    files: dict[str, Checksum] | None = None
    message: str = ""
    trace: str = ""
    damaged: str = ""
    """The file it could not read, where that was why."""
    asked: int = 0
    """Bytes of memory that were reserved for it; 0 where none are."""


@dataclass(frozen=True)
class Done:
    """A finished task, its job's result, what it wrote, and what it cost.

    The cost is ``seconds``, ``cpu_seconds``, ``peak_bytes``, and ``requests_again`` (`stages.formats.retries`).
    """

    task: Task
    value: dict[str, Any]
    cost: dict[str, float]
    files: dict[str, Checksum]
    number: int = -1
    """Its number among `Planned` tasks."""


class Planned(Sequence[Task]):
    """Tasks that are made when they are looked at: of a wave of hundreds of thousands few are there at a time.

    Args:
        make: the task of a number.
        numbers, costs: of all tasks, and the bytes of input of each.
    """

    def __init__(self, make: Callable[[int], Task], numbers: Sequence[int], costs: Sequence[int]) -> None:
        self.make, self.numbers, self.costs = make, numbers, costs

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Planned:
        """Tasks that are made already."""
        return cls(tasks.__getitem__, range(len(tasks)), [task.cost for task in tasks])

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Task: ...

    @overload
    def __getitem__(self, index: slice) -> list[Task]: ...

    def __getitem__(self, index: int | slice) -> Task | list[Task]:
        if isinstance(index, slice):
            return [self.make(number) for number in self.numbers[index]]
        return self.make(self.numbers[index])

    def largest_first(self) -> Planned:
        order = sorted(range(len(self)), key=lambda place: -self.costs[place])
        return Planned(self.make, [self.numbers[place] for place in order], [self.costs[place] for place in order])


class Executor(Protocol):
    """A place to run tasks. ``alone`` asks that nothing else of ours runs beside it, with all the memory of a node."""

    name: str

    def slots(self) -> int: ...

    def submit(self, index: int, task: Task) -> None: ...

    def wait(self, seconds: float) -> list[Outcome]: ...

    def cancel(self) -> None: ...


class TasksFailed(RunError):
    """Some tasks of a wave failed. ``traces`` holds their tracebacks."""

    def __init__(self, wave: str, failures: list[tuple[Task, Outcome]]) -> None:
        lines = [f"{outcome.damaged or safe_line(task.label)}: {outcome.message}" for task, outcome in failures]
        shown = "; ".join(lines[:3]) + (f"; and {len(lines) - 3} more" if len(lines) > 3 else "")
        super().__init__(f"{wave}: {shown}")
        self.traces = [outcome.trace for _, outcome in failures if outcome.trace]
        self.damaged = {outcome.damaged: outcome.message for _, outcome in failures if outcome.damaged}
        """Damaged files that tasks could not read, each with what is wrong with it."""
        self.only_damage = all(outcome.damaged for _, outcome in failures)


Result = tuple[dict[str, Any], dict[str, float], dict[str, Checksum]]


def call_job(root: str, job: str, args: dict[str, Any]) -> Result:
    """Run one job function in this process; its result, what it cost, and the checksums of the files it wrote.

    Raises:
        DamagedFile: when it failed and a file it opened is not what was written, whatever its own error said.
    """
    module, function = job.split(":")
    started, cpu = time.perf_counter(), time.process_time()
    repeated = retries.repeated()
    store = Store(root)
    try:
        value = getattr(importlib.import_module(module), function)(store, **args)
    except Exception as error:
        damage = store.damage_behind(error)
        if damage is None or damage is error:
            raise
        raise damage from error
    cost = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        * (1 if sys.platform == "darwin" else 1024),
        "requests_again": float(retries.repeated() - repeated),
    }
    return value, cost, store.written


def failure(index: int, error: BaseException) -> Outcome:
    """The outcome of a job that raised: one line for the user, the traceback for ``--debug``."""
    message = (one_line(error) if isinstance(error, OSError) else str(error)) or type(error).__name__
    kind: Kind = "memory" if isinstance(error, MemoryError) else "error"
    if not isinstance(error, (RunError, ValueError, OSError, DamagedFile)):
        message = f"{type(error).__name__}: {message}"
    trace = "".join(traceback.format_exception(error))
    damaged = ""
    if isinstance(error, DamagedFile):
        damaged, message = error.address, error.what
    return Outcome(index, kind, message=message.strip().split("\n")[0], trace=trace, damaged=damaged)


class InlineExecutor:
    """Runs tasks in this process, one at a time: for tests, debuggers and single-core machines."""

    name = "inline"

    def __init__(self, root: str) -> None:
        self._root = root
        self._queue: list[tuple[int, Task]] = []

    def slots(self) -> int:
        return 1

    def submit(self, index: int, task: Task) -> None:
        self._queue.append((index, task))

    def wait(self, seconds: float) -> list[Outcome]:
        index, task = self._queue.pop(0)
        try:
            value, cost, files = call_job(self._root, task.job, task.args)
        except Exception as error:  # noqa: BLE001 - every error of a job is an outcome, reported by the scheduler
            return [failure(index, error)]
        return [Outcome(index, "done", value, cost, files)]

    def cancel(self) -> None:
        self._queue.clear()


class Scheduler:
    """Keeps a window of tasks in flight on an executor and applies the retry rules.

    ``executor`` is asked, with the tasks of the wave, only when there is one to run: a run with nothing to do starts
    no Ray.
    ``progress(wave, task, state)`` is called for every change worth showing.
    """

    def __init__(self, executor: Callable[[Collection[Task]], Executor], say: Callable[[str], None]) -> None:
        self._executor = executor
        self._say = say
        self.retries = 0

    def run(
        self,
        wave: str,
        tasks: Iterable[Task],
        on_done: Callable[[Done], None],
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        """Run tasks, a small one a slot and then the largest first; return when all are done.

        ``on_wait`` is called every `WAIT_SECONDS` or so while tasks are under way.

        Raises:
            TasksFailed: when any task failed for good.
        """
        if isinstance(tasks, Planned):
            waiting = tasks.largest_first()
        else:
            waiting = Planned.of(sorted(tasks, key=lambda task: (-task.cost, task.label)))
        if waiting:
            self._run(wave, waiting, on_done, on_wait)
            give_back_memory()

    def _run(self, wave: str, tasks: Planned, on_done: Callable[[Done], None], on_wait: Callable[[], None]) -> None:
        executor = self._executor(tasks)
        queue = list(reversed(early_first(list(range(len(tasks))), executor.slots())))
        alone: list[int] = []
        crashes: Counter[int] = Counter()
        running: dict[int, Task] = {}
        again: dict[int, Task] = {}
        failures: list[tuple[Task, Outcome]] = []

        def submit(index: int) -> None:
            running[index] = again.pop(index) if index in again else tasks[index]
            executor.submit(index, running[index])

        while queue or alone or running:
            window = 2 * executor.slots()
            while queue and len(running) < window and len(failures) < MAX_FAILURES:
                submit(queue.pop())
            if alone and not running and not queue:
                submit(alone.pop())
            if not running:
                break
            for outcome in executor.wait(WAIT_SECONDS):
                task = running.pop(outcome.index)
                if outcome.kind == "done":
                    number = tasks.numbers[outcome.index]
                    on_done(Done(task, outcome.value or {}, outcome.cost or {}, outcome.files or {}, number))
                    continue
                retry = outcome.kind != "error" and crashes[outcome.index] < MAX_CRASHES
                if not retry:
                    if outcome.kind == "memory":
                        outcome = replace(outcome, message=outcome.message + needs_more(outcome.asked))
                    failures.append((task, outcome))
                    why = f"{outcome.damaged} is damaged: {outcome.message}" if outcome.damaged else outcome.message
                    self._say(f"{wave}: {safe_line(task.label)} failed: {why}")
                    continue
                self.retries += 1
                self._say(f"{wave}: {safe_line(task.label)} is run again: {outcome.message}")
                if outcome.kind != "node":
                    crashes[outcome.index] += 1
                again[outcome.index] = changed(task, outcome.kind, crashes[outcome.index])
                (alone if outcome.kind == "memory" else queue).append(outcome.index)
            on_wait()
        if failures:
            executor.cancel()
            raise TasksFailed(wave, failures)


def early_first(largest_first: list[int], slots: int) -> list[int]:
    """Largest first, but for a small task a slot: what is wrong with all shows at once, and so does progress."""
    early = largest_first[-slots:] if len(largest_first) > 2 * slots else []
    return early + largest_first[: len(largest_first) - len(early)]


def needs_more(asked: int) -> str:
    """Words for a task that was killed for memory to the last: what to do.

    Args:
        asked: bytes that were reserved for it, at most what the largest node has; 0: none.
    """
    reserved = f" and had {asked / 2**30:.1f} GiB reserved" if asked else ""
    return f", also when it ran alone{reserved}: let nothing else run there, or use nodes with more memory"


def changed(task: Task, kind: Kind, crashes: int) -> Task:
    """The task as it is tried again: with more memory after a memory kill, isolated after two deaths of its process."""
    if kind == "memory":
        args = task.args | ({"too_large": True} if "too_large" in task.args else {})
        task = replace(task, memory=2 * task.memory, args=args)
    if crashes >= 2 and "isolate" in task.args:
        task = replace(task, args={**task.args, "isolate": True})
    return task
