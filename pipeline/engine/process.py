"""Settings of a process before it loads anything with threads, how often it collects garbage, and the memory it gives
back between waves."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pyarrow as pa

from stages import pandas_later


def prepare_process() -> None:
    """One thread a process, as the engine runs one process a core. Must come before libraries with thread pools."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    pa.set_cpu_count(1)
    pa.set_io_thread_count(4)
    pandas_later.put_off()


def give_back_memory() -> None:
    """Let the system have what Arrow and glibc hold and nothing uses: it is no part of the next wave's peak.

    While pages are read glibc keeps it (`stages.documents.allocator`). Price: a millisecond or so.
    """
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for cycles of garbage a hundred times less often, as long as millions of objects are held that have none.

    A run of 20,000 splits spends 30% of the driver's time on it otherwise (docs/decisions/many-splits.md).
    """
    before = gc.get_threshold()
    gc.set_threshold(70_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
