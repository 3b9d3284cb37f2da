"""Where compiled kernels lie: one file a kernel, its argument types and a kind of processor, by all it is made of.

A process looks into `SET_UP`, the folder beside this module that `stages.kernels.compile` fills when an environment is
made, then into the user's own (`own_folder`); what neither has, Numba compiles, and the user's folder keeps it. The
name of a file ends in a digest of the sources (the kernel's module, every module of `stages` that it imports, directly
or through others, and the JSON tables beside them), of Python, Numba, LLVM and their settings, of the argument types
and of the processor level: an edit or an upgrade compiles again what it touches and nothing else, wherever a checkout
lies. (Numba's own cache goes by the folder and the one file that a kernel is in.)

A file is a pickle, which can run code. So it counts only in folders that nobody may write to who may not write to the
code itself (`is_safe`), and only whole: its checksum comes first. Files appear by renaming: any number of processes may
compile the same. A folder that cannot be used costs time, and never a run. Nothing is removed from the user's folder.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import xxhash
from numba.core import serialize
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime.nrt import rtsys

SOURCES = Path(__file__).resolve().parents[1]
SET_UP = Path(__file__).resolve().with_name("compiled")
CONFIG: Any = numba.config
_DIGEST_BYTES = 16
_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|.*)|import[ \t]+(.*))", re.MULTILINE)
_NAME = re.compile(rb"[\w.]+")


class KernelCache(_Cache):
    """The machine code of one kernel, in place of Numba's own cache.

    Machine code that is read needs Numba's runtime and nothing else. What Numba knows of functions and types, and the
    extensions of installed packages (awkward has one), serve compiling alone: Numba loads them itself where a kernel is
    compiled, and they are two thirds of a second, with SciPy, that other processes do without.
    """

    def __init__(self, function: Any) -> None:
        self.function = function

    def file_name(self, signature: Any, codegen: Any) -> str:
        """The name of the file for some argument types: ``module.function-digest.nbc``."""
        made_of = (
            digest(self.function.__module__),
            (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__),
            (CONFIG.OPT, CONFIG.BOUNDSCHECK, CONFIG.DEBUGINFO_DEFAULT),
            signature,
            codegen.magic_tuple(),
        )
        hashed = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
        return f"{self.function.__module__}.{self.function.__qualname__}-{hashed}.nbc"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)
        name = self.file_name(sig, target_context.codegen())
        for folder in (SET_UP, own_folder()):
            stored = read(folder / name)
            if stored is not None:
                return CompileResult._rebuild(target_context, *stored)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if not data.library.has_dynamic_globals:  # they are addresses in this process
            write(own_folder() / self.file_name(sig, data.codegen), serialize.dumps(data._reduce()))

    @property
    def cache_path(self) -> str:
        return str(own_folder())

    def enable(self) -> None:
        """It always is."""

    def disable(self) -> None:
        """It never is."""

    def flush(self) -> None:
        """Nothing to forget: what is made of something else has another name."""


def own_folder() -> Path:
    """The user's folder of compiled kernels; need not be there."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return Path(CONFIG.CACHE_DIR) if CONFIG.CACHE_DIR else home / "gristmill"


def is_safe(found: os.stat_result) -> bool:
    """Whether a folder or file is of this user, of root or of the owner of the code, and no others may write to it.

    Except for the group of the code's own folder, where that group may write to the code.
    """
    code = SOURCES.stat()
    allowed = code.st_mode & stat.S_IWGRP if found.st_gid == code.st_gid else 0
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) & ~allowed
    return found.st_uid in (os.geteuid(), 0, code.st_uid) and not others


def read(path: Path) -> Any:
    """The bytes that `write` stored under a name; None if it is not there, not whole, or not to be trusted."""
    try:
        if not is_safe(path.parent.stat()):
            return None
        with path.open("rb") as file:
            if not is_safe(os.fstat(file.fileno())):
                return None
            stored = file.read()
    except OSError:
        return None
    checksum, content = stored[:_DIGEST_BYTES], memoryview(stored)[_DIGEST_BYTES:]
    return pickle.loads(content) if checksum == xxhash.xxh3_128_digest(content) else None


def write(path: Path, content: bytes) -> None:
    """Store a pickle under a name, whole or not at all; where that is not possible, the next process compiles again."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    with suppress(OSError):
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(0o755)  # whatever the umask: else `is_safe` might not trust it
        if not is_safe(path.parent.stat()):
            return
        try:
            temporary.write_bytes(xxhash.xxh3_128_digest(content) + content)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@cache
def digest(module: str) -> str:
    """16 hex digits for the sources that the kernels of ``module`` are compiled from."""
    hashed = hashlib.sha256()
    for path in made_from(module):
        hashed.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return hashed.hexdigest()[:16]


def made_from(module: str) -> list[Path]:
    """The file of a module, those of the modules of `stages` that it imports, and the tables beside these; in order."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found and is_stage(name):
            found.add(name)
            waiting += imported(name)
    sources = {source_of(name) for name in found}
    tables = {table for folder in {source.parent for source in sources} for table in folder.glob("*.json")}
    return sorted(sources | tables)


@cache
def imported(module: str) -> tuple[str, ...]:
    """Names that a module imports anywhere in its source, found by their spelling: parsing takes far longer."""
    return tuple(dict.fromkeys(_imported(source_of(module).read_bytes())))


def _imported(source: bytes) -> Iterator[str]:
    for parent, members, modules in _IMPORT.findall(source):
        yield from (name.decode() for name in [parent, *_NAME.findall(modules)])
        yield from (f"{parent.decode()}.{member.decode()}" for member in _NAME.findall(members))


def is_stage(module: str) -> bool:
    """Whether a dotted name is a module of `stages`, and no name inside one."""
    return module.split(".")[0] == SOURCES.name and source_of(module).exists()


def source_of(module: str) -> Path:
    """The file of a dotted module name under `stages`; of a package, its ``__init__.py``."""
    path = SOURCES.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
