"""Kernels that are compiled when they are first needed, by one process of a machine while the others wait.

For kernels that the first tasks of a run do without, so that nobody waits for them before the first page
(`pipeline.warm` sees to those). Without it every worker would compile the same, all at the same time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from typing import TypeVar

from stages.kernels.cache import digest, folder

T = TypeVar("T")


def compile_once(module: str, work: Callable[[], T]) -> T:
    """The result of ``work``, which calls every kernel of ``module`` and of what that imports.

    Until it has been done on this machine for these sources, it is done under a file lock; a process that waited for
    it loads what the first one compiled.
    """
    mark = folder() / f"compiled-{module}-{digest((module,))}"
    if not mark.exists():
        with open(mark.with_name(mark.name + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not mark.exists():
                result = work()
                mark.write_text("")
                return result
    return work()
