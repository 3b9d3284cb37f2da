"""States of the files that settings name: a process that keeps what it made of a file makes it again of another one.

A model, a list or a module may be replaced under its name between two runs of one process (`pipeline.api`, a notebook).
Its content decides addresses, so what was made of the old one must not be written there. States are compared where
contents would take too long to read: bytes, time of the last change and number of the file.

Nor may a file be replaced while a run goes on: a task gets the `digests` of the files that decided its address, and
checks them before its file is whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from stages import own_modules
from stages.formats.locations import is_uri, open_file
from stages.untrusted import whole_line

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
    """Whether a value is the path of a file; a text that is too long for a path, or in a folder that may not be looked
    into, is none."""
    try:
        return isinstance(value, str) and Path(value).is_file()
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EACCES):
            raise
        return False


def states(value: Any) -> tuple[Any, ...]:
    """What decides, beside settings themselves, what is made of them in a process: the state of every file that a text
    in them names, and the sources of every module beside the mixture file (``module:function``)."""
    found: list[Any] = []
    for text in _texts(value):
        module, mark, _ = text.partition(":")
        if is_file(text):
            found.append(state(text))
        elif mark:
            found += sorted(own_modules.digests(module).items())
    return tuple(found)


def names_uri(value: Any) -> bool:
    """Whether a text in settings is a URI: of what stands there no state is known without asking."""
    return any(is_uri(text) for text in _texts(value))


def digests(value: Any) -> dict[str, str]:
    """SHA-256 of every file that a text in settings names, by path."""
    return {text: _sha256(state(text)) for text in _texts(value) if is_file(text)}


def check_digests(expected: Mapping[str, str]) -> None:
    """Check that files are what they were when a run began.

    A word that names a file in the folder of one process need not name one in that of another: it is passed over there,
    and so are URIs (`check_uris`).

    Raises:
        ValueError: one is another now.
        OSError: one is not there.
    """
    for path, digest in expected.items():
        if not os.path.isabs(path) and not is_file(path):
            continue
        if _sha256(state(path)) != digest:
            raise ValueError(replaced(path))


def check_uris(expected: Mapping[str, str]) -> None:
    """Check that what stands behind URIs, among some files, is what it was when a run began.

    Raises:
        ValueError: one is another now.
        OSError: one cannot be read.
    """
    for uri, digest in expected.items():
        if is_uri(uri):
            with open_file(uri) as file:
                if hashlib.sha256(file.read()).hexdigest() != digest:
                    raise ValueError(replaced(uri))


def replaced(path: str) -> str:
    """What is said of a file that is another than when the run began."""
    return f"{whole_line(path)} was replaced while the run went on; start the run again: it takes the new file"


def _texts(value: Any) -> Iterator[str]:
    """Every text among settings, wherever in them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _texts(value[key])
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


@lru_cache(maxsize=256)
def _sha256(found: State) -> str:
    with open(found[0], "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
