"""Where compiled kernels are kept: by the content of all their sources, not by where a checkout lies.

Numba files a kernel under its module's folder and the hash of its own file. Two things go wrong with that here: a job
submitted to Ray unpacks its code into a folder of its own each time, and would compile everything anew; and a
kernel that calls another one in another file is not compiled again when that one changes. So all kernels go to
``NUMBA_CACHE_DIR/gristmill-<hash of every source that holds kernels>/``. Numba tells the processor and its own version
apart by itself. A folder is never cleaned; it holds a few megabytes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import UserProvidedCacheLocator

SOURCES = Path(__file__).resolve().parents[1]
KERNELS = SOURCES / "kernels"
CONFIG: Any = numba.config


@lru_cache(maxsize=1)
def folder() -> Path:
    """The folder of the kernels of this version of the sources; made if need be."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted([*SOURCES.rglob("*.py"), *SOURCES.rglob("*.json")]):
        source = path.read_bytes()
        # Beside the kernels themselves: the tables they take in as constants when they are compiled.
        if KERNELS in path.parents or path.suffix == ".json" or b"kernels.jit import" in source:
            digest.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + source + b"\0")
    return writable(Path(CONFIG.CACHE_DIR or "")) / f"gristmill-{digest.hexdigest()[:16]}"


def writable(wanted: Path) -> Path:
    """``wanted``, or the user's cache folder, or one under the temporary folder: the first that can be made."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "gristmill"
    candidates = [path for path in (wanted, home) if path != Path("")]
    for path in candidates:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(path, os.W_OK):
            return path
    return Path(tempfile.gettempdir()) / f"gristmill-{os.getuid()}"


class ContentCacheLocator(UserProvidedCacheLocator):
    """Numba's locator of user-provided folders, with `folder` as the folder of every kernel."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = str(
            folder() / Path(py_file).resolve().relative_to(SOURCES).with_suffix("").as_posix().replace("/", ".")
        )

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """The locator of a kernel under ``stages/``, or None for any other function: the next locator has its turn."""
        if not Path(py_file).resolve().is_relative_to(SOURCES):
            return None
        locator = cls(py_func, py_file)
        locator.ensure_cache_path()
        return locator
