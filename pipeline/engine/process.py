"""What a process of ours sets before it loads anything with threads of its own."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from typing import Any

import numpy as np
import pyarrow as pa


def prepare_process() -> None:
    """One thread a process, as the engine runs one process a core. Must come before libraries with thread pools."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    pa.set_cpu_count(1)
    pa.set_io_thread_count(4)
    settle_pandas()


class NoPandas(MetaPathFinder):
    """Finds every module but pandas where others find it, and says of pandas that there is none."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left alone here: see pipeline.engine.process", name=fullname)


def settle_pandas() -> None:
    """Let Arrow conclude that the first value it is given is not one of pandas, without loading pandas to see.

    For processes that work: the import costs a fresh one up to a second, more than most of its tasks. Only Arrow's
    question is answered; pandas can still be imported, and ``to_pandas`` looks for it again.
    """
    if "pandas" not in sys.modules:
        absent = NoPandas()
        sys.meta_path.insert(0, absent)
        try:
            pa.array(np.empty(0, np.int64))
            pa.scalar("")
        finally:
            sys.meta_path.remove(absent)
