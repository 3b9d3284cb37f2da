"""States of the files that settings name: a process that keeps what it made of a file makes it again of another one.

A model, a list or a module may be replaced under its name between two runs of one process (`pipeline.api`, a notebook).
Its content decides addresses, so what was made of the old one must not be written there. States are compared where
contents would take too long to read: bytes, time of the last change and number of the file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages import own_modules

State = tuple[str, int, int, int]
"""Path of a file, its bytes, the time of its last change in nanoseconds, and its number on the disk."""


def state(path: str) -> State:
    """The state of a file.

    Raises:
        OSError: it is not there.
    """
    found = os.stat(path)
    return path, found.st_size, found.st_mtime_ns, found.st_ino


def is_file(value: Any) -> bool:
    """Whether a value is the path of a file; a text that is too long for a path is none."""
    try:
        return isinstance(value, str) and Path(value).is_file()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def states(value: Any) -> tuple[Any, ...]:
    """What decides, beside settings themselves, what is made of them in a process: the state of every file that a text
    in them names, and the sources of every module beside the mixture file (``module:function``)."""
    if isinstance(value, Mapping):
        return tuple(found for key in sorted(value) for found in states(value[key]))
    if isinstance(value, (list, tuple)):
        return tuple(found for one in value for found in states(one))
    if not isinstance(value, str):
        return ()
    if is_file(value):
        return (state(value),)
    module, mark, _ = value.partition(":")
    return tuple(sorted(own_modules.digests(module).items())) if mark else ()
