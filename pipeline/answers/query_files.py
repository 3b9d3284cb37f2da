"""The files of a root on an object store as DuckDB reads them: an fsspec file system over `Store`, for reading alone.

A path is ``gristmill://ADDRESS``. Every file is asked for in blocks, read ahead; names mean themselves, whatever
characters they have.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pyarrow import fs

from pipeline.store.storage import Store

try:
    from fsspec.spec import AbstractFileSystem
except ImportError:  # `query.library` names the package to install
    AbstractFileSystem = object

SCHEME = "gristmill"


class RootFiles(AbstractFileSystem):  # type: ignore[misc]
    """A root, for DuckDB's ``register_filesystem``."""

    protocol = SCHEME
    cachable = False

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix(f"{SCHEME}://")

    def glob(self, path: str, maxdepth: int | None = None, **_: Any) -> list[str]:
        return [self._strip_protocol(path)]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        address = self._strip_protocol(path)
        found = self.store.fs.get_file_info(self.store.path(address))
        if found.type != fs.FileType.File:
            raise FileNotFoundError(path)
        return {"name": address, "size": found.size, "type": "file", "mtime": 0}

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(0, UTC)  # files of a root are never written again

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        return [self.info(path) if detail else self._strip_protocol(path)]

    def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if "r" not in mode:
            raise PermissionError(f"{path}: only for reading")
        return self.store.open_unchecked(self._strip_protocol(path))
