"""What a process of ours sets before it loads anything with threads of its own."""

from __future__ import annotations

import os

import pyarrow as pa


def prepare_process() -> None:
    """One thread a process, as the engine runs one process a core. Must come before libraries with thread pools."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    pa.set_cpu_count(1)
    pa.set_io_thread_count(4)
