"""pandas is imported when something of it is wanted, and not because it is installed.

pyarrow imports pandas at the first list that it makes an array of, where it is installed, to know whether the list may
be a Series: a third of a second of CPU and 50 MB of every process. After `put_off` it believes that there is none
until somebody asks for pandas' own objects (``to_pandas``), or until `as_installed`, which precedes every function of
the user's own: what those make of a Series is what pyarrow says of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa

_put_off: list[str] = []


class _Nowhere:
    """A finder by which pandas is not installed."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def put_off() -> None:
    """Have pyarrow look for pandas now and find none; before there are threads, which would find none either."""
    if "pandas" in sys.modules or _put_off:
        return
    _put_off.append("pandas")
    sys.meta_path.insert(0, _Nowhere)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_Nowhere)


def as_installed() -> None:
    """Have pyarrow know pandas, where it is installed, from here on."""
    if _put_off:
        _put_off.clear()
        with suppress(ImportError):
            pa.nulls(0).to_pandas()
