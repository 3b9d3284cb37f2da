"""A limit on the processor time of one step, kept by the kernel: a loop in native code holds every lock of Python's.

`arm` sets a timer over the process's own CPU time (``ITIMER_PROF``); when it runs out, ``SIGPROF`` ends the process,
which is then a crash like any other: tried again, then isolated (`pipeline.run.map_task`). CPU time, because a machine
that does other work at the same time must not make a page look hung. Only processes that may die call `allow`: Ray's
workers and the children of `pipeline.run.map_task`. What waits without end uses no CPU time; `ray.HUNG_SECONDS`
ends that. A kernel that is compiled on the way counts as no time of its step (`_Compiling`).
"""

from __future__ import annotations

import signal
from typing import Any

from numba.core import event

_allowed = False


class _Compiling(event.Listener):
    """Stops the clock while Numba compiles, for what a page calls first is no fault of that page."""

    def __init__(self) -> None:
        self.depth, self.left = 0, 0.0

    def on_start(self, _: Any) -> None:
        if not self.depth:
            self.left = signal.setitimer(signal.ITIMER_PROF, 0)[0]
        self.depth += 1

    def on_end(self, _: Any) -> None:
        self.depth -= 1
        if not self.depth and self.left:
            signal.setitimer(signal.ITIMER_PROF, self.left)


def allow() -> None:
    """This process may be ended by `arm`."""
    global _allowed
    if not _allowed:
        event.register("numba:compile", _Compiling())
    _allowed = True


def arm(seconds: float) -> None:
    """End this process unless `arm` or `disarm` is called within ``seconds`` of its CPU time; 0: without limit."""
    if _allowed:
        signal.setitimer(signal.ITIMER_PROF, seconds)


def disarm() -> None:
    arm(0)
