"""Functions of the user's own, named ``module:function`` in a mixture file: for `scores` and `labels`.

Modules are found as Python finds them (a folder submitted with the job, a package). What decides what a function gives:
the source of its module, its arguments, and the content of the files that these name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from stages.rules.row_files import sha256

Function = Callable[..., Any]


def checked(name: str) -> str:
    """The name, if it is one.

    Raises:
        ValueError: it is not of the form ``module:function``.
    """
    module, mark, function = name.partition(":")
    if not (module and mark and function):
        raise ValueError(f"expected module:function, found {name!r}")
    return name


@lru_cache(maxsize=64)
def load(name: str) -> Function:
    """The function of that name.

    Raises:
        ValueError: it is not there, or cannot be called.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name}: {error}") from error
    if not callable(found):
        raise ValueError(f"{name}: expected a function, found {type(found).__name__}")
    function: Function = found
    return function


def identity(name: str, params: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the module's source and of every file its arguments name.

    Raises:
        ValueError: the module or the function is not there.
    """
    source = Path(str(importlib.import_module(load(name).__module__).__file__))
    files = {key: value for key, value in sorted(params.items()) if is_file(value)}
    return {"source": sha256(str(source)), **{key: sha256(value) for key, value in files.items()}}


def is_file(value: Any) -> bool:
    """Whether an argument names a file."""
    return isinstance(value, str) and Path(value).is_file()
