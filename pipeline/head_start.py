"""A compiling process that is on its feet before anyone knows what to compile.

On a machine without compiled kernels the first task waits for two cores that compile (`pipeline.warm`). While the
command line reads the mixture file and lists the sources, one of them would be idle: `begin` starts the process that
compiles at once, which loads what it needs and waits for the stages on its standard input. It ends by itself when
that closes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_waiting: list[subprocess.Popen[bytes]] = []


def begin() -> None:
    """Start the process, if no stage was ever compiled on this machine. Costs a listing; loads nothing."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or f"{cache}/gristmill")
    if not _waiting and not any(folder.glob("warm-*[0-9a-f]")):
        _waiting.append(_start())


def compiler() -> subprocess.Popen[Any]:
    """The process that was begun and still lives, or a new one; it reads what to compile from its standard input."""
    begun = _waiting.pop() if _waiting else None
    return begun if begun is not None and begun.poll() is None else _start()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "pipeline.compiling"], stdin=subprocess.PIPE)
