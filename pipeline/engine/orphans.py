"""Processes that must not outlive this one, however it ends.

Ray's workers and raylet end with their driver; its two agents go on for a minute, because they first tell their head,
which is gone too, that they will end. A shell waits at a pipe that breaks when this process is gone (SIGKILL included),
and ends what still runs under the same number since the same time. Linux alone: elsewhere nothing is watched.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pipeline.store.lock import start_time

_SCRIPT = """\
read -r line && exit 0
for one in "$@"; do
    pid=${one%:*} since=${one#*:}
    read -r stat 2>/dev/null < "/proc/$pid/stat" || continue
    set -- ${stat##*) }
    shift 19
    [ "$1" = "$since" ] && kill -KILL "$pid" 2>/dev/null
done
"""
"""A line says that all ended well. Its arguments are ``pid:start``; the start is the 22nd field of /proc/PID/stat."""


PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel end this process when the thread that started it is gone, which may be killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Watch:
    """A shell that ends ``processes`` (ids) when this process is gone; `close` when they have ended, or may stay."""

    def __init__(self, processes: Iterable[int]) -> None:
        known = [f"{pid}:{since}" for pid in processes if (since := start_time(pid)) is not None]
        self._shell: subprocess.Popen[bytes] | None = None
        if known:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "sh", *known],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )

    def close(self) -> None:
        if self._shell is not None:
            with suppress(OSError):
                self._shell.communicate(b"\n")
            self._shell = None


def children(pid: int) -> list[int]:
    """Processes that a process has started; none where the system does not tell."""
    try:
        found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return sorted({int(child) for line in found for child in line.split()})
