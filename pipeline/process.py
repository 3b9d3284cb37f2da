"""What a process of ours sets before it loads anything with threads of its own."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from typing import Any

import pyarrow as pa


def prepare_process() -> None:
    """One thread a process, as the engine runs one process a core. Must come before libraries with thread pools."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    pa.set_cpu_count(1)
    pa.set_io_thread_count(4)


class NoPandas(MetaPathFinder):
    """Finds every module but pandas where others find it, and says of pandas that there is none."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left alone here: see pipeline.process", name=fullname)


def without_pandas() -> None:
    """Keep Arrow from loading pandas, which it does at its first conversion to NumPy, wanted or not: half a second.

    For processes that answer one question and end; nothing in them may ask for pandas itself.
    """
    sys.meta_path.insert(0, NoPandas())
