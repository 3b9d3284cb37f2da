"""Progress of a run: bars with rate and time left on a terminal, a plain line now and then in a job log."""

from __future__ import annotations

import io
import sys
import time
from collections import deque
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipeline.terminal import safe

LINE_SECONDS = 10.0
FIRST_LINE_SECONDS = 3.0
MIN_DONE_FRACTION = 0.02
MAX_LINES = 30
WIDE = 76


def human_bytes(count: float) -> str:
    """A byte count with a binary unit: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024 or unit == "TiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def human_seconds(seconds: float) -> str:
    """``42 s``, ``3 min 05 s`` or ``2 h 10 min``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def seconds_left(seconds: float, done: int, cost: int) -> float | None:
    """Seconds that the rest of ``cost`` will take, at the rate so far.

    None before `MIN_DONE_FRACTION` of it is done: a small task a slot comes first, and predicts little of the rest.
    """
    return seconds * (cost / done - 1) if done and done >= MIN_DONE_FRACTION * cost else None


class Reporter:
    """Shows the user how far the run is. Lines go to standard error, so standard output holds results alone."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, quiet=quiet, markup=False, emoji=False)
        self.bars = self.console.is_terminal and not quiet
        self.last_lines: deque[tuple[float, str]] = deque(maxlen=MAX_LINES)
        """The last lines, with their times, for `watch`."""

    def say(self, line: str) -> None:
        self.last_lines.append((time.time(), line))
        self.console.print(safe(line), soft_wrap=True)

    def wave(self, name: str, tasks: int, cost: int) -> WaveProgress:
        return WaveProgress(self, name, tasks, cost)


class WaveProgress:
    """Progress of one wave, in tasks, input bytes, and pages that they measured."""

    def __init__(self, reporter: Reporter, name: str, tasks: int, cost: int) -> None:
        self.reporter, self.name, self.tasks, self.cost = reporter, safe(name), tasks, cost
        self.done_tasks = self.done_cost = self.pages = 0
        self.started = time.monotonic()
        self.next_line = self.started + FIRST_LINE_SECONDS
        self._bar: Progress | None = None

    def __enter__(self) -> WaveProgress:
        if self.reporter.bars:
            wide = self.reporter.console.width >= WIDE
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description:<12}", markup=False, table_column=Column(no_wrap=True)),
                *([BarColumn()] if wide else []),  # numbers are worth more than a bar of a few characters
                MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=2 * len(str(self.tasks)) + 1)),
                TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
                TextColumn("{task.fields[rate]}", markup=False, table_column=Column(no_wrap=True)),
            )
            self._bar = Progress(*columns, console=self.reporter.console, transient=False)
            self._id = self._bar.add_task(self.name, total=self.tasks, rate="")
            self._bar.start()
        return self

    def advance(self, cost: int, pages: int = 0) -> None:
        """One more task is done: bytes of its input, and pages it measured."""
        self.done_tasks += 1
        self.done_cost += cost
        self.pages += pages
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._id, completed=self.done_tasks, rate=self._rate())
        elif time.monotonic() >= self.next_line:
            self.next_line = time.monotonic() + LINE_SECONDS
            self.reporter.say(f"{self.name}: {self.done_tasks}/{self.tasks}  {self._rate()}".rstrip())

    def _rate(self) -> str:
        parts = [f"{self.pages:,} pages"] if self.pages else []
        seconds = max(1e-3, time.monotonic() - self.started)
        left = seconds_left(seconds, self.done_cost, self.cost)
        if left is not None:
            parts += [f"{human_bytes(self.done_cost / seconds)}/s", f"{human_seconds(left)} left"]
        return ", ".join(parts)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self.started
        if self._bar is not None:
            self._bar.stop()
        elif error is None and self.tasks:
            rate = f" at {human_bytes(self.done_cost / max(1e-3, seconds))}/s" if self.done_cost else ""
            tasks = "1 task" if self.done_tasks == 1 else f"{self.done_tasks} tasks"
            self.reporter.say(f"{self.name}: {tasks} in {seconds:.1f} s{rate}")


def flush() -> None:
    """Send every line so far on its way to whoever reads the log."""
    sys.stderr.flush()
    sys.stdout.flush()


def render(*things: Any) -> str:
    """Rich objects as plain text, as wide as the terminal but never under 100 columns; a line of text stays a line.

    Names from outside hold brackets and colons, which are no markup.
    """
    shown, width = io.StringIO(), max(100, Console().width)
    console = Console(file=shown, width=width, no_color=True, highlight=False, markup=False, emoji=False)
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))
    return "\n".join(line.rstrip() for line in shown.getvalue().split("\n"))
