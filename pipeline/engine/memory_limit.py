"""A limit on the memory of a child process that tries records (`pipeline.run.map_task`), kept by its parent.

Ray's monitor ends the worker of a node that runs out of memory and not the child of that worker which took it, so that
a page of too much memory would never be found. The child is ended first: when it holds more than its task reserved,
beyond what it held when it began (its models). Linux alone tells what a process holds; elsewhere nothing is limited.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress

POLL_SECONDS = 0.05
BEGINS = b"."
"""Written by a child that has loaded what it needs and begins."""
WAITS = b"w"
"""Written by a child for every second that a store or server lets it wait, before it does."""
PIECE = 1 << 12
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_reserved = 0


def reserve(memory: int) -> None:
    """State the bytes that the task of this process has reserved; 0: unknown."""
    global _reserved
    _reserved = memory


def reserved() -> int:
    """Bytes that the task of this process has reserved; 0: unknown."""
    return _reserved


def held(pid: int) -> int:
    """Bytes that a process has in memory; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def ends_within(child: subprocess.Popen[bytes], seconds: float, limit: int) -> bool:
    """Wait for the end of a child; whether it came by itself.

    Args:
        seconds: by the clock, without those of `WAITS`; past it the child is killed.
        limit: bytes beyond those that it holds when it writes `BEGINS`; past it the child is killed. 0: without limit.
    """
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    end = time.monotonic() + seconds
    began = 0
    try:
        while child.poll() is None:
            now = held(child.pid)
            written = child.stdout.read(PIECE) or b""
            end += written.count(WAITS)
            if not began and BEGINS in written:
                began = now
            if time.monotonic() > end or (limit and began and now > began + limit):
                return False
            with suppress(subprocess.TimeoutExpired):
                child.wait(POLL_SECONDS)
    finally:  # also where this process is told to stop
        if child.poll() is None:
            child.kill()
            child.wait()
    return True
