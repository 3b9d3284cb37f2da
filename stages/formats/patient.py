"""A file system of Arrow's whose requests are made again when the store gave no answer; for Google Cloud Storage.

Google's own client tries most requests again by itself; what still fails in a way that passes (`PASSES`) is tried
again here, and a read that ended early goes on. See `stages.formats.retries`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import fs

from stages.formats import retries
from stages.formats.ranged_file import RangedFile

PASSES = re.compile(
    r"UNAVAILABLE|INTERNAL|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|ABORTED|HTTP status 5\d\d|HTTP status 429"
    r"|[Cc]onnection (?:reset|refused)|timed? ?out|broken pipe|curl",
)
COPY_BYTES = 4 << 20


def passes(error: Exception) -> bool:
    """Whether the same request may well be answered when it is made again."""
    gone = isinstance(error, (FileNotFoundError, PermissionError))
    return isinstance(error, OSError) and not gone and PASSES.search(str(error)) is not None


class Patient(fs.FileSystemHandler):  # type: ignore[misc]
    """``inner`` with every request made patiently. `put` is ours."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patient) and bool(other.inner == self.inner)

    def __hash__(self) -> int:
        return id(self.inner)

    def get_type_name(self) -> str:
        return str(self.inner.type_name)

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> Any:
        return retries.patiently(lambda: self.inner.get_file_info(paths), passes)

    def get_file_info_selector(self, selector: Any) -> Any:
        return retries.patiently(lambda: self.inner.get_file_info(selector), passes)

    def open_input_file(self, path: str) -> Any:
        return pa.PythonFile(PatientFile(self.inner, path), mode="r")

    open_input_stream = open_input_file

    def put(self, path: str, source: BinaryIO, size: int) -> bool:
        """Make an object of the first ``size`` bytes of a file; always True."""

        def send() -> bool:
            source.seek(0)
            left = size
            try:
                with self.inner.open_output_stream(path, compression=None) as upload:  # a name ends in .zst
                    while left and (piece := source.read(min(left, COPY_BYTES))):
                        upload.write(piece)
                        left -= len(piece)
            except BaseException:
                with suppress(OSError):  # closing it may have made an object of what was sent
                    self.inner.delete_file(path)
                raise
            return True

        return retries.patiently(send, passes)

    def open_output_stream(self, path: str, metadata: Any) -> Any:
        raise NotImplementedError("objects are written whole: use `put`")

    open_append_stream = open_output_stream

    def create_dir(self, path: str, recursive: bool) -> None:
        retries.patiently(lambda: self.inner.create_dir(path, recursive=recursive), passes)

    def delete_file(self, path: str) -> None:
        retries.patiently(lambda: self.inner.delete_file(path), passes)

    def delete_dir(self, path: str) -> None:
        try:
            retries.patiently(lambda: self.inner.delete_dir(path), passes)
        except FileNotFoundError:  # Arrow ends with an object of the folder's own name, which few folders have
            self.delete_dir_contents(path, missing_dir_ok=True)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        retries.patiently(lambda: self.inner.delete_dir_contents(path, missing_dir_ok=missing_dir_ok), passes)

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError

    def move(self, src: str, dest: str) -> None:
        raise NotImplementedError("an object store renames nothing")

    copy_file = move


class PatientFile(RangedFile):
    """A file of another file system; a read that fails is made again on a file that is opened anew."""

    def __init__(self, inner: Any, path: str) -> None:
        self.inner, self.path = inner, path
        self._file = retries.patiently(self._open, passes)
        super().__init__(int(self._file.size()))

    def _open(self) -> Any:
        return self.inner.open_input_file(self.path)

    def range(self, start: int, stop: int) -> bytes:
        wanted = stop - start

        def fetch() -> bytes:
            try:
                found: bytes = self._file.read_at(wanted, start) if wanted else b""
                if len(found) < wanted:
                    raise OSError(f"{self.path}: timed out or cut off at byte {start + len(found)}")
            except OSError:
                self._file = self._open()
                raise
            return found

        return retries.patiently(fetch, passes)
