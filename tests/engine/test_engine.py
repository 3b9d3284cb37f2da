"""The scheduler and its retry rules, with an executor that plays every failure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.engine.scheduler import Done, InlineExecutor, Kind, Outcome, Scheduler, TasksFailed, failure, needs_more
from pipeline.store.storage import Store
from stages.contract import Task


def job_write(store: Store, *, output: str, text: str) -> dict[str, Any]:
    store.write_bytes(output, text.encode())
    return {"bytes": len(text)}


def job_fail(store: Store, *, output: str) -> dict[str, Any]:
    raise ValueError("expected a page, found none")


def make(label: str, cost: int = 1, **args: Any) -> Task:
    return Task("tests.engine.test_engine:job_write", {"output": label, "text": label, **args}, (label,), label, cost)


class Played:
    """Answers each submission of a task with the next outcome of its script, then 'done'."""

    name = "played"
    memory = 6 << 30
    """Of its node: no task has more reserved."""

    def __init__(self, scripts: dict[str, list[Kind]], slots: int = 2) -> None:
        self.scripts, self._slots = scripts, slots
        self.submitted: list[Task] = []
        self.queue: list[tuple[int, Task]] = []
        self.most_in_flight = 0
        self.beside: dict[str, int] = {}
        self.cancelled = False

    def slots(self) -> int:
        return self._slots

    def submit(self, index: int, task: Task) -> None:
        self.submitted.append(task)
        self.queue.append((index, task))
        self.beside[task.label] = len(self.queue) - 1
        self.most_in_flight = max(self.most_in_flight, len(self.queue))

    def wait(self, seconds: float) -> list[Outcome]:
        index, task = self.queue.pop(0)
        script = self.scripts.get(task.label, [])
        kind: Kind = script.pop(0) if script else "done"
        asked = min(task.memory, self.memory)
        return [Outcome(index, kind, {} if kind == "done" else None, {}, {}, f"played {kind}", asked=asked)]

    def cancel(self) -> None:
        self.cancelled = True


def play(scripts: dict[str, list[Kind]], tasks: list[Task], slots: int = 2) -> tuple[Played, list[str]]:
    executor = Played(scripts, slots)
    done: list[str] = []
    Scheduler(lambda _: executor, lambda line: None).run("phase", tasks, lambda result: done.append(result.task.label))
    return executor, done


def test_no_task_starts_no_executor() -> None:
    def never(tasks: Any) -> Any:
        raise AssertionError("started")

    Scheduler(never, lambda line: None).run("phase", [], lambda result: None)


def test_a_small_task_a_slot_goes_first_then_the_largest_and_the_window_is_twice_the_slots() -> None:
    executor, done = play({}, [make(str(n), cost=n) for n in range(20)])
    assert [task.label for task in executor.submitted[:4]] == ["1", "0", "19", "18"]
    assert executor.most_in_flight == 4
    assert sorted(done, key=int) == [str(n) for n in range(20)]


def test_a_lost_node_is_never_counted_against_a_task() -> None:
    executor, done = play({"a": ["node"] * 30}, [make("a"), make("b")])
    assert sorted(done) == ["a", "b"]
    assert len(executor.submitted) == 32


def test_a_crash_is_tried_again_and_isolated_the_third_time() -> None:
    executor, done = play({"a": ["crash", "crash"]}, [make("a", isolate=False)])
    assert done == ["a"]
    assert [task.args["isolate"] for task in executor.submitted] == [False, False, True]


def test_a_task_that_always_crashes_fails_and_is_named() -> None:
    with pytest.raises(TasksFailed, match="phase: a: played crash") as caught:
        play({"a": ["crash"] * 99}, [make("a"), make("b")])
    assert caught.value.exit_code == 1


def test_a_memory_kill_is_tried_alone_with_more_memory() -> None:
    executor, _ = play({"big": ["memory"]}, [make("big", cost=9), *(make(str(n)) for n in range(6))])
    again = [task for task in executor.submitted if task.label == "big"]
    assert len(again) == 2
    assert again[1].memory == 2 * again[0].memory
    assert executor.submitted[-1].label == "big"
    assert executor.beside["big"] == 0


def test_a_task_killed_for_memory_again_and_again_is_isolated_by_memory_and_says_what_to_do() -> None:
    executor, _ = play({"a": ["memory", "memory"]}, [make("a", isolate=False, too_large=False)])
    assert [(task.args["isolate"], task.args["too_large"]) for task in executor.submitted] == [
        (False, False),
        (False, True),
        (True, True),
    ]
    said = r"phase: a: played memory, also when it ran alone and had 6\.0 GiB reserved: let"
    with pytest.raises(TasksFailed, match=said):
        play({"a": ["memory"] * 99}, [make("a"), make("b")])
    assert needs_more(0) == ", also when it ran alone: let nothing else run there, or use nodes with more memory"


def test_python_that_gets_no_memory_is_a_memory_kill() -> None:
    assert failure(3, MemoryError()).kind == "memory"
    assert failure(3, pa.ArrowMemoryError("malloc of size 9 failed")).kind == "memory"
    assert failure(3, ValueError("expected a page")).kind == "error"


def test_an_error_is_never_tried_again_but_the_others_finish() -> None:
    executor = Played({"a": ["error"]})
    done: list[str] = []
    with pytest.raises(TasksFailed, match="phase: a: played error"):
        Scheduler(lambda _: executor, lambda line: None).run(
            "phase", [make("a", cost=9), make("b"), make("c")], lambda result: done.append(result.task.label)
        )
    assert sorted(done) == ["b", "c"]
    assert [task.label for task in executor.submitted].count("a") == 1
    assert executor.cancelled


def test_many_failures_stop_the_phase_early() -> None:
    tasks = [make(str(n)) for n in range(100)]
    executor = Played({str(n): ["error"] for n in range(100)})
    with pytest.raises(TasksFailed, match=r"and 1?[0-9] more"):
        Scheduler(lambda _: executor, lambda line: None).run("phase", tasks, lambda result: None)
    assert len(executor.submitted) < 20


def test_inline_runs_the_job_and_tells_its_cost(store: Store) -> None:
    results: list[Done] = []
    Scheduler(lambda _: InlineExecutor(store.root), lambda line: None).run("phase", [make("x")], results.append)
    assert store.read_bytes("x") == b"x"
    assert results[0].value == {"bytes": 1}
    assert results[0].cost["seconds"] >= 0
    assert results[0].cost["peak_bytes"] > 1 << 20
    assert results[0].files == {"x": store.checksum("x")}


def test_inline_turns_an_exception_into_one_line_and_keeps_the_trace(store: Store) -> None:
    task = Task("tests.engine.test_engine:job_fail", {"output": "x"}, ("x",), "page 7")
    with pytest.raises(TasksFailed) as caught:
        Scheduler(lambda _: InlineExecutor(store.root), lambda line: None).run("phase", [task], lambda result: None)
    assert str(caught.value) == "phase: page 7: expected a page, found none"
    assert "job_fail" in caught.value.traces[0]


def test_a_line_end_in_the_label_of_a_task_begins_no_line_of_the_error() -> None:
    with pytest.raises(TasksFailed, match="phase: web/a\u2039U\\+000A\u203ab: played error") as error:
        play({"web/a\nb": ["error"]}, [make("web/a\nb")])
    assert "\n" not in str(error.value)
