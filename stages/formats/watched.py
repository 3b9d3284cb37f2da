"""A file whose failed reads are not taken for its end, or for damage.

Readers go on behind damaged bytes, and libraries tell by the same exceptions (OSError) that bytes are wrong and that
they could not be had: a store that gave up, an expired right, a disk's error. What could not be had is no damage: who
reads a file through `Watched` asks it (`check`) whether a read failed, and fails too, so that nothing is taken for
read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stages.formats.locations import open_file


class Watched:
    """An open file. All is the file's own; each of its ways to read is watched (Arrow asks for `read_buffer` where a
    file has one)."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.failure: OSError | None = None
        """The first failed read."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._file, name)
        if not name.startswith("read") or name == "readable":
            return found
        setattr(self, name, self._watched(found))
        return getattr(self, name)

    def _watched(self, reading: Callable[..., Any]) -> Callable[..., Any]:
        def read(*arguments: Any, **named: Any) -> Any:
            try:
                return reading(*arguments, **named)
            except OSError as error:
                self.failure = self.failure or error
                raise

        return read

    def check(self) -> None:
        """Raises OSError: a read failed."""
        if self.failure is not None:
            raise self.failure


@contextmanager
def watched_file(uri: str) -> Iterator[Watched]:
    """`open_file`, watched; at the end, and where reading ends in an error of the format, a failed read is raised."""
    with open_file(uri) as file:
        watched = Watched(file)
        try:
            yield watched
        except Exception as error:
            if watched.failure is not None and error is not watched.failure:
                raise watched.failure from error
            raise
        watched.check()
