"""What a process of ours sets before it loads anything with threads, and the memory it gives back between waves."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

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
