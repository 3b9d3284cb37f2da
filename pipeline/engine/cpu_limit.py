"""A limit on the processor time of one step, kept by the kernel: a loop in native code holds every lock of Python's.

`arm` sets a timer over the process's own CPU time (``ITIMER_PROF``); when it runs out, ``SIGPROF`` ends the process,
which is then a crash like any other: tried again, then isolated (`pipeline.run.map_task`). CPU time, because a machine
that does other work at the same time must not make a page look hung. Only processes that may die call `allow`: Ray's
workers and the children of `pipeline.run.map_task`. What waits without end uses no CPU time; `ray_engine.HUNG_SECONDS`
ends that.
"""

from __future__ import annotations

import signal

_allowed = False


def allow() -> None:
    """This process may be ended by `arm`."""
    global _allowed
    _allowed = True


def arm(seconds: float) -> None:
    """End this process unless `arm` or `disarm` is called within ``seconds`` of its CPU time; 0: without limit."""
    if _allowed:
        signal.setitimer(signal.ITIMER_PROF, seconds)


def disarm() -> None:
    arm(0)
