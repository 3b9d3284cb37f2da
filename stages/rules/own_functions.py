"""Functions of the user's own, named ``module:function`` in a mixture file.

For `scores`, `labels`, `quality.rules`, `documents.extractor` and `sources.NAME.format`. Modules are found beside the
mixture file, else as Python finds them (`stages.own_modules`). What decides what a function gives: the source of its
module and of the modules beside the mixture file that it imports, its arguments, and the content of the files that
these name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stages import own_modules
from stages.formats.file_states import State, is_file, state
from stages.rules.row_files import sha256

Function = Callable[..., Any]
_states: dict[tuple[str, str], State] = {}
"""By module and path the state of the file when a function of the module was last loaded for it."""


class OwnFunctionError(ValueError):
    """A function of the user's own that is not there."""


def is_own(name: str) -> bool:
    """Whether a name that may be one of ours is one of the user's."""
    return ":" in name


def checked(name: str) -> str:
    """The name, if it is one.

    Raises:
        ValueError: it is not of the form ``module:function``.
    """
    module, mark, function = name.partition(":")
    if not (module and mark and function):
        raise ValueError(f"expected module:function, found {name!r}")
    return name


def attribute(name: str) -> Any:
    """The attribute of a module, by ``module:attribute``.

    Raises:
        ValueError: the module or the attribute is not there.
    """
    module, _, wanted = name.partition(":")
    try:
        return getattr(own_modules.load(module), wanted)
    except (ImportError, AttributeError) as error:
        where = f"; a module lies beside the mixture file, in the folder {own_modules.VARIABLE}, or is installed"
        missing = isinstance(error, ModuleNotFoundError)
        raise OwnFunctionError(f"{name}: {error}{where if missing else ''}") from error


def load(name: str, params: Mapping[str, Any] | None = None) -> Function:
    """The function of that name.

    Args:
        params: its arguments. Where a file that they name has changed since the function was last loaded for it, what
            the module keeps of files (`functools.lru_cache`, or its own) is forgotten.

    Raises:
        ValueError: it is not there, or cannot be called.
    """
    module = name.partition(":")[0]
    found_states = {(module, value): state(value) for value in (params or {}).values() if is_file(value)}
    if any(_states.get(key, one) != one for key, one in found_states.items()):
        own_modules.forget(module)
    _states.update(found_states)
    found = attribute(name)
    if not callable(found):
        raise OwnFunctionError(f"{name}: expected a function, found {type(found).__name__}")
    function: Function = found
    return function


def identity(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """SHA-256 of the module's source and of every file its arguments name; of modules beside it that it imports, too.

    Raises:
        ValueError: the module or the function is not there.
    """
    module = name.partition(":")[0]
    found = attribute(name)
    beside = own_modules.digests(module)
    if beside:
        source = beside.pop(own_modules.place_of(module))
    else:
        defined = getattr(found, "__module__", None) if callable(found) else None
        source = sha256(str(own_modules.load(defined or module).__file__))
    files = {key: sha256(value) for key, value in sorted(params.items()) if is_file(value)}
    return {"source": source, **({"imports": beside} if beside else {}), **files}


def failure(name: str, error: BaseException) -> str:
    """The error of a function of the user's own, in a line."""
    lines = str(error).strip().splitlines()
    return f"{name} raised {type(error).__name__}{': ' + lines[0] if lines else ''}"
