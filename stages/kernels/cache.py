"""Where compiled kernels are kept: by the content of the sources they are made of, not by where a checkout lies.

Numba files a kernel under its module's folder and the hash of its own file. Two things go wrong with that here: a job
submitted to Ray unpacks its code into a folder of its own each time, and would compile everything anew; and a
kernel that calls another one in another file is not compiled again when that one changes. So the kernels of a
module go to ``NUMBA_CACHE_DIR/<module>-<digest>/``, the digest taken over that module, every module of `stages` it
imports, directly or through others, and the JSON files beside them (tables): a change compiles again what it
touches and nothing else. Within it a kernel has a file for each of its argument types and kinds of processor
(`KernelFiles`). A folder is never cleaned; all together hold some ten megabytes.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import tempfile
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numba
import xxhash
from numba.core.caching import IndexDataCacheFile, UserProvidedCacheLocator

SOURCES = Path(__file__).resolve().parents[1]
CONFIG: Any = numba.config
_DIGEST_BYTES = 16


@lru_cache(maxsize=1)
def folder() -> Path:
    """The folder under which every module has its own; made if need be."""
    return writable(Path(CONFIG.CACHE_DIR or ""))


@cache
def digest(modules: tuple[str, ...]) -> str:
    """16 hex digits for what the kernels of ``modules`` are compiled from; those outside `stages` hold none."""
    found, waiting = set(), [module for module in modules if is_stage(module)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imported(name)
    hashed = hashlib.sha256(numba.__version__.encode())
    sources = {source_of(name) for name in found}
    tables = {table for folder in {source.parent for source in sources} for table in folder.glob("*.json")}
    for path in sorted(sources | tables):
        hashed.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return hashed.hexdigest()[:16]


_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|.*)|import[ \t]+(.*))", re.MULTILINE)
_NAME = re.compile(rb"[\w.]+")


@cache
def imported(module: str) -> tuple[str, ...]:
    """The modules of `stages` that a module imports anywhere in its source.

    Found by their spelling: every process asks this of fifty sources, and parsing them takes a fifth of a second.
    """
    names: set[str] = set()
    for parent, members, modules in _IMPORT.findall(source_of(module).read_bytes()):
        names.update(name.decode() for name in [parent, *_NAME.findall(modules)])
        names.update(f"{parent.decode()}.{member.decode()}" for member in _NAME.findall(members))
    return tuple(sorted(filter(is_stage, names)))


def is_stage(module: str) -> bool:
    """Whether a dotted name is a module of `stages`, and no name inside one."""
    return module.split(".")[0] == SOURCES.name and source_of(module).exists()


def source_of(module: str) -> Path:
    """The file of a dotted module name under `stages`; of a package, its ``__init__.py``."""
    path = SOURCES.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


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
    """Numba's locator of user-provided folders, with a folder of its own for every module and content."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        parts = Path(py_file).resolve().relative_to(SOURCES.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self._cache_path = str(folder() / f"{module}-{digest((module,))}")

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """The locator of a kernel under ``stages/``, or None for any other function: the next locator has its turn."""
        if not Path(py_file).resolve().is_relative_to(SOURCES):
            return None
        locator = cls(py_func, py_file)
        locator.ensure_cache_path()
        return locator


class KernelFiles(IndexDataCacheFile):
    """The machine code of one kernel: a file for every combination of argument types and processor, without an index.

    Numba numbers these files in an index beside them. Two processes that compile a kernel for other types, or nodes of
    two kinds that share a home, take the same number if they do so at the same moment, and the index that one wrote
    then leads to the code of the other. A file that was cut or damaged counts as none: its kernel is compiled again.
    """

    def __init__(self, usual: Any) -> None:
        """In place of ``usual``, Numba's own."""
        vars(self).update(vars(usual))

    def load(self, key: Any) -> Any:
        try:
            stored = Path(self._file(key)).read_bytes()
        except FileNotFoundError:
            return None
        digest, content = stored[:_DIGEST_BYTES], memoryview(stored)[_DIGEST_BYTES:]
        return pickle.loads(content) if digest == xxhash.xxh3_128_digest(content) else None

    def save(self, key: Any, data: Any) -> None:
        path, content = self._file(key), self._dump(data)
        try:
            with self._open_for_write(path) as file:
                file.write(xxhash.xxh3_128_digest(content) + content)
        except OSError as error:
            told = f"{error.strerror}, for a compiled kernel (NUMBA_CACHE_DIR names another folder)"
            raise OSError(error.errno, told, path) from error

    def flush(self) -> None:
        """Nothing to forget: other sources have other folders."""

    def _file(self, key: Any) -> str:
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return str(self._data_path(self._data_name_pattern.replace("{number:d}", name)))
