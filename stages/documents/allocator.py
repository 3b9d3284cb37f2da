"""glibc's allocator and Python's collector, set to leave this process's memory alone between pages.

By default glibc gives the top of the heap back to the system whenever a large piece at its end is freed, and faults it
in again for the next page: half the time of reading a WARC (`docs/decisions/reading.md`). Kept instead: at most
`KEPT_BYTES` of free memory at the top, and pieces up to `MAPPED_BYTES` come from the heap. The collector no longer
looks at what is loaded by the time reading begins: half a million objects of libraries, 80 ms every few thousand pages.
"""

from __future__ import annotations

import ctypes
import gc
from functools import cache

KEPT_BYTES = 128 << 20
MAPPED_BYTES = 32 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_memory() -> bool:
    """Set both thresholds once per process; False where the C library has no ``mallopt``."""
    gc.freeze()
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES))
