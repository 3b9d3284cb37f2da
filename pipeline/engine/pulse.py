"""How many pages the tasks under way have measured, told from process to process of one machine.

A task takes ten seconds or a minute, and nothing is heard of it before it is done: the first word on a machine without
compiled kernels would come after half a minute. So every process that measures keeps a count in a file of its own, in
a folder that an environment variable names; workers of a Ray that was started here inherit it. Elsewhere (a cluster,
where there are many tasks) nothing is told. What is tried again is counted again.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

FOLDER = "GRISTMILL_PULSE"
_COUNT = struct.Struct("<q")


class _Own:
    """The count of this process."""

    pages = 0
    file: int | None = None
    pid = 0
    heard: Callable[[], None] | None = None


def add(pages: int) -> None:
    """So many more pages have been measured by this process."""
    _Own.pages += pages
    folder = os.environ.get(FOLDER)
    if folder:
        with suppress(OSError):  # who would read it may be gone
            if _Own.file is None or _Own.pid != os.getpid():
                _Own.file = os.open(f"{folder}/{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
                _Own.pid = os.getpid()
            os.pwrite(_Own.file, _COUNT.pack(_Own.pages), 0)
    if _Own.heard is not None:
        _Own.heard()


def total() -> int:
    """Pages measured so far by this process and by all that tell it."""
    found = _Own.pages
    folder = os.environ.get(FOLDER)
    if folder:
        with suppress(OSError):
            for entry in os.scandir(folder):
                with open(entry.path, "rb") as file:
                    told = file.read(_COUNT.size)
                others = entry.name != str(os.getpid()) and len(told) == _COUNT.size
                found += _COUNT.unpack(told)[0] if others else 0
    return found


@contextmanager
def heard(by: Callable[[], None]) -> Iterator[None]:
    """Call ``by`` whenever this process itself has measured some pages."""
    _Own.heard = by
    try:
        yield
    finally:
        _Own.heard = None


def begin() -> None:
    """Let processes started from now on tell; once more does nothing."""
    if not os.path.isdir(os.environ.get(FOLDER) or ""):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="gristmill-pulse-")


def end() -> None:
    """Forget what was told."""
    shutil.rmtree(os.environ.pop(FOLDER, ""), ignore_errors=True)
