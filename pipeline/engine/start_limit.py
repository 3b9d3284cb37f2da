"""A limit on the time that Ray takes to start or to be joined, kept outside of Python.

While ``ray.init`` registers with the raylet it waits in native code that holds the interpreter's lock: no thread runs,
and Ctrl-C is not heard. A raylet that never answers (one that was stopped, or whose timers the system's clock led
astray by jumping) would hold the command for ever. The timer of `faulthandler` needs no lock and ends this process with
exit code 1; what it writes first makes a shell print why.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ROOM = 64 << 20
"""Bytes that Ray needs for its logs and sockets, with some to spare."""
_SCRIPT = 'read -r line && printf "%s\\n" "$1" >&2'


@contextmanager
def within(seconds: float, message: str) -> Iterator[None]:
    """End this process, after ``message`` on its error output, when the block takes longer than so many seconds."""
    shell = subprocess.Popen(["/bin/sh", "-c", _SCRIPT, "sh", message], stdin=subprocess.PIPE, start_new_session=True)
    assert shell.stdin is not None
    faulthandler.dump_traceback_later(seconds, exit=True, file=shell.stdin)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        with suppress(OSError):
            shell.communicate()


def without_room() -> str:
    """What to add to Ray's words where its folder is on a disk that is about full; nothing where it is not."""
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # it is not there, which Ray's words say
        return ""
    return f"; its folder {folder} has {free >> 20} MiB left, RAY_TMPDIR names another" if free < ROOM else ""
