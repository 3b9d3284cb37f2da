"""A job that kills its process the first time it is run, when its first output is written but not yet renamed; and an
executor for it whose processes are cheaper to kill than Ray's.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.engine.scheduler import InlineExecutor, Outcome, call_job
from pipeline.store.storage import Store


class DyingStore(Store):
    """A root whose first finished file takes the process with it."""

    @contextmanager
    def create(self, address: str) -> Iterator[BinaryIO]:
        with super().create(address) as sink:
            yield sink
            sink.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def once(store: Store, *, job: str, args: dict[str, Any], marker: str) -> dict[str, Any]:
    """Run ``job``; the first time (no file ``marker``) die on the way."""
    module, _, function = job.partition(":")
    if not Path(marker).exists():
        Path(marker).touch()
        store = DyingStore(store.root)
    result: dict[str, Any] = getattr(importlib.import_module(module), function)(store, **args)
    return result


class MortalExecutor(InlineExecutor):
    """Runs tasks in this process, but a deadly one's first attempt in a child; a killed child is a crash, as on Ray."""

    name = "mortal"

    def wait(self, seconds: float) -> list[Outcome]:
        index, task = self._queue[0]
        if not task.job.endswith(":once") or Path(task.args["marker"]).exists():
            return super().wait(seconds)
        self._queue.pop(0)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "stages.clusters"])
        child = context.Process(target=call_job, args=(self._root, task.job, task.args))
        child.start()
        child.join()
        return [Outcome(index, "crash", message=f"exit code {child.exitcode}")]
