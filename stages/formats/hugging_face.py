"""Datasets, models and buckets of the Hugging Face Hub, for reading: ``hf://datasets/ORG/NAME[@REVISION]/PATH``.

Through huggingface_hub's own file system (an extra: ``pip install gristmill[hf]``), which knows revisions, tokens
(``HF_TOKEN``, or that of ``hf auth login``) and another address (``HF_ENDPOINT``). A file is read by ranges, each a
request; what gives no answer is asked again (`stages.formats.retries`). The tag of a file is the hash that the Hub
knows of its content, so a new commit that leaves it alone changes nothing.

Limits: reading alone. A root holds many small files, and each would be a commit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
from pyarrow import fs

from stages.formats import retries
from stages.formats.ranged_file import RangedFile

TYPES = ("datasets", "spaces", "models", "buckets")
READ_ONLY = "is on the Hugging Face Hub, which is only read here"
Answer = TypeVar("Answer")


class Object(NamedTuple):
    """A file: its path, bytes and tag."""

    path: str
    size: int
    etag: str


def connected() -> Hub:
    """The Hub.

    Raises:
        ValueError: huggingface_hub is not installed; the message says how it is.
    """
    try:
        from huggingface_hub import HfFileSystem
    except ImportError:
        raise ValueError("hf:// needs huggingface_hub: pip install 'gristmill[hf]'") from None
    return Hub(HfFileSystem(endpoint=os.environ.get("HF_ENDPOINT"), skip_instance_cache=True))


class Hub(fs.FileSystemHandler):  # type: ignore[misc]
    """The Hub as a file system of Arrow's that is only read; ``inner`` is an fsspec file system."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hub) and bool(other.inner is self.inner)

    def __hash__(self) -> int:
        return id(self.inner)

    def get_type_name(self) -> str:
        return "hf"

    def normalize_path(self, path: str) -> str:
        return path

    def ask(self, path: str, request: Callable[[], Answer]) -> Answer:
        """The answer to a request, made again where there was none.

        Raises:
            FileNotFoundError, PermissionError, OSError: in one line that names the path.
        """
        try:
            return retries.patiently(request, passes, _tries)
        except Exception as error:  # of three libraries under it
            raise as_os_error(error, path) from error

    # What there is

    def stat(self, path: str) -> Object | None:
        """The file of this name, or None."""
        folder, _, name = path.rstrip("/").rpartition("/")
        if path.endswith("/") or not _inside(folder):
            return None
        try:
            found = self.ask(path, lambda: self.inner.ls(folder, detail=True))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return next((_object(one, path) for one in found if _is_file(one) and _name(one) == name), None)

    def is_folder(self, path: str) -> bool:
        if not _inside(path):
            return False
        try:
            return bool(self.ask(path, lambda: self.inner.info(path.rstrip("/")))["type"] == "directory")
        except FileNotFoundError:
            return False

    def listed(self, folder: str, recursive: bool) -> Iterator[Object]:
        """The files in a folder, or below it."""
        folder = folder.rstrip("/")
        root = self.ask(folder, lambda: self.inner.resolve_path(folder)).unresolve()
        found = self.ask(folder, lambda: self.inner.find(folder, maxdepth=None if recursive else 1, detail=True))
        for name, one in found.items():
            if _is_file(one):
                yield _object(one, folder + name[len(root) :])

    def get_file_info(self, paths: list[str]) -> list[Any]:
        return [self._info(path) for path in paths]

    def _info(self, path: str) -> Any:
        found = self.stat(path)
        if found is not None:
            return fs.FileInfo(path, fs.FileType.File, size=found.size)
        return fs.FileInfo(path, fs.FileType.Directory if self.is_folder(path) else fs.FileType.NotFound)

    def get_file_info_selector(self, selector: Any) -> list[Any]:
        found = self.listed(selector.base_dir, selector.recursive)
        return [fs.FileInfo(one.path, fs.FileType.File, size=one.size) for one in found]

    # Reading

    def open_input_file(self, path: str) -> Any:
        return pa.PythonFile(HubFile(self, path), mode="r")

    open_input_stream = open_input_file

    # Nothing is written

    def _refuse(self, path: str, *_: Any, **__: Any) -> Any:
        raise PermissionError(f"hf://{path} {READ_ONLY}")

    open_output_stream = open_append_stream = create_dir = delete_file = delete_dir = put = _refuse
    delete_dir_contents = move = copy_file = _refuse

    def delete_root_dir_contents(self) -> None:
        self._refuse("")


class HubFile(RangedFile):
    """A file of the Hub, read by ranges."""

    def __init__(self, hub: Hub, path: str) -> None:
        found = hub.stat(path)
        if found is None:
            raise FileNotFoundError(f"hf://{path} does not exist")
        super().__init__(found.size)
        self.hub, self.path = hub, path

    def range(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop) that there are, wherever the file stands; several threads may ask at once."""
        stop = min(stop, self._size)
        if start >= stop:
            return b""

        def fetch() -> bytes:
            with self.hub.inner.open(self.path, "rb", cache_type="none", block_size=1) as file:
                file.seek(start)
                data: bytes = file.read(stop - start)
            if len(data) != stop - start:
                raise ConnectionError(f"the answer ends at byte {start + len(data)} of {stop}")
            return data

        return self.hub.ask(self.path, fetch)


def _inside(path: str) -> bool:
    """Whether a path is of a repository or in one: ``ORG/NAME``, behind the type where one is given."""
    parts = [part for part in path.split("/") if part]
    return len(parts) >= (3 if parts[:1] and parts[0] in TYPES else 2)


def _name(one: dict[str, Any]) -> str:
    return str(one["name"]).rpartition("/")[2]


def _is_file(one: dict[str, Any]) -> bool:
    return bool(one["type"] == "file")


def _object(one: dict[str, Any], path: str) -> Object:
    lfs = one.get("lfs")
    hashes = (one.get("xet_hash"), getattr(lfs, "sha256", None), one.get("blob_id"), one.get("uploaded_at"))
    tag = next((str(value) for value in hashes if value), "")
    size = int(one["size"] or 0)
    return Object(path, size, f"{tag}-{size}")


def _status(error: Exception) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _tries(error: Exception) -> int:
    return retries.TRIES if _status(error) else retries.FIRST_TRIES


def passes(error: Exception) -> bool:
    """Whether the same request may well be answered when it is made again."""
    status = _status(error)
    if status:
        return status >= 500 or status in (408, 429)
    gone = isinstance(error, (FileNotFoundError, PermissionError))
    broken = isinstance(error, (ConnectionError, TimeoutError)) or type(error).__module__.startswith(
        ("httpx", "httpcore")
    )
    return broken and not gone and "Offline" not in type(error).__name__


def as_os_error(error: Exception, path: str) -> OSError:
    """An error of the Hub's library in one line that names the path."""
    status, uri = _status(error), f"hf://{path}"
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else None
    names = {type(one).__name__ for one in (error, cause) if one is not None}
    if status in (401, 403) or names & {"GatedRepoError", "RepositoryNotFoundError", "BucketNotFoundError"}:
        return PermissionError(f"{uri}: no such repository, or no right to read it: check its name, or set HF_TOKEN")
    if isinstance(error, FileNotFoundError) or status == 404 or "EntryNotFoundError" in " ".join(names):
        return FileNotFoundError(f"{uri} does not exist")
    line = next((line.strip() for line in str(error).split("\n") if line.strip()), type(error).__name__)
    return OSError(f"{uri}: {line}")
