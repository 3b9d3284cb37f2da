"""Modules of the user's own, beside the mixture file or wherever Python finds them; packed for other machines.

A mixture file names functions as ``module:function``. `look_in` says in which folder the file stands: ``module`` is
there ``module.py`` or a package, which comes before anything of that name that is installed. The folder is an
environment variable, so that child processes look there too. `packed` has the sources of what was loaded from it, with
the modules beside it that these import; an engine hands them to its workers, and `unpack` puts them where those look.

Limits: data files beside a module are not packed (name them in `params`), and a module cannot have a name of Python's
own library.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from stages import pandas_later

VARIABLE = "GRISTMILL_MODULES"
_loaded: dict[str, tuple[str, dict[str, bytes]]] = {}
"""Modules loaded from the folder: of each the folder, and its sources at that time."""


def look_in(folder: str | Path) -> None:
    """Look for modules in this folder first, here and in processes started from here."""
    os.environ[VARIABLE] = os.path.abspath(folder)


def path_of(module: str) -> Path | None:
    """The file of a module that lies in the folder; None: it does not."""
    folder = os.environ.get(VARIABLE)
    if not folder or not all(part.isidentifier() for part in module.split(".")):
        return None
    place = Path(folder, *module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def place_of(module: str) -> str:
    """The path of a module of the folder, from the folder."""
    path = path_of(module)
    assert path is not None
    return path.relative_to(os.environ[VARIABLE]).as_posix()


def load(module: str) -> ModuleType:
    """The module of that name; one of the folder again where its source, or that of a module it imports, is another.

    Raises:
        ImportError: it is not there, or fails when it is imported.
        ValueError: one of the folder has the name of a module of Python's own.
    """
    pandas_later.as_installed()
    if path_of(module) is None:
        return importlib.import_module(module)
    folder, found = os.environ[VARIABLE], sources(module)
    if _loaded.get(module) == (folder, found) and module in sys.modules:
        return sys.modules[module]
    first = module.partition(".")[0]
    if first in sys.stdlib_module_names:
        raise ValueError(f"{path_of(module)}: {first!r} is a module of Python's own; give the file another name")
    for name in {_name_of(path) for path in found} | {first}:
        sys.modules.pop(name, None)
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        importlib.invalidate_caches()
        made = importlib.import_module(module)
    except Exception as error:  # a module of the user's own may raise anything
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise ImportError(f"{path_of(module)} cannot be imported: {kind}{error}") from error
    finally:
        sys.dont_write_bytecode = before
        sys.path[:] = [*(entry for entry in sys.path if entry != folder), folder]  # for what it imports later
    _loaded[module] = (folder, found)
    return made


def forget(module: str) -> None:
    """Empty the caches of functions of a module; one of the folder is loaded anew at its next use."""
    _loaded.pop(module, None)
    for value in vars(sys.modules.get(module, object)).values():
        clear = getattr(value, "cache_clear", None)
        if callable(clear):
            clear()


def sources(module: str) -> dict[str, bytes]:
    """Source of a module of the folder and of those there that it imports, by path from the folder, sorted."""
    found: dict[str, bytes] = {}
    left = [module]
    while left:
        name = left.pop()
        path = path_of(name)
        if path is None or (place := place_of(name)) in found:
            continue
        found[place] = path.read_bytes()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        left += [name.rpartition(".")[0], *_imports(found[place], package)]
    return dict(sorted(found.items()))


def _imports(source: bytes, package: str) -> list[str]:
    """Names of modules that a source may import, wherever in it; none where it is no Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return []
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level and package else []
            base = ".".join([*above, *filter(None, [node.module])])
            found += [base, *(f"{base}.{alias.name}" if base else alias.name for alias in node.names)]
    return [name for name in found if name]


def _name_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def digests(module: str) -> dict[str, str]:
    """SHA-256 of every source of `sources`."""
    return {path: hashlib.sha256(source).hexdigest() for path, source in sources(module).items()}


def packed() -> dict[str, bytes]:
    """Sources of all that was loaded from the present folder, by path from it."""
    folder = os.environ.get(VARIABLE)
    return {path: source for there, found in _loaded.values() if there == folder for path, source in found.items()}


def unpack(packed: Mapping[str, bytes]) -> None:
    """Put packed sources into a folder of this machine that nobody else can write to, and look there."""
    name = hashlib.sha256(repr(sorted(packed.items())).encode()).hexdigest()[:32]
    folder = _own_folder() / name
    for path, source in packed.items():
        file = folder / path
        if not (file.is_file() and file.read_bytes() == source):
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_name(f"{file.name}.{os.getpid()}")
            partial.write_bytes(source)
            partial.replace(file)
    look_in(folder)


@cache
def _own_folder() -> Path:
    """A folder for this user alone, the same for all processes; one for this process where another user was first."""
    shared = Path(tempfile.gettempdir(), f"gristmill-modules-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        shared.mkdir(mode=0o700)
    found = shared.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        return shared
    return Path(tempfile.mkdtemp(prefix="gristmill-modules-"))
