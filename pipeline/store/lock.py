"""One run at a time on a root: an advisory lock with owner and heartbeat.

Two runs on one root would not spoil each other's files (both write the same bytes), but would do the work twice
and sweep each other's temporary files. A lock whose owner is gone (a dead process on this host, or a heartbeat
older than ``STALE_SECONDS`` elsewhere) is taken over, so that a killed run needs no cleaning up.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from types import TracebackType

from pipeline.errors import UserError
from pipeline.store.storage import Store

ADDRESS = "runs/lock.json"
HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 90.0


class RootLock:
    """Context manager: holds ``runs/lock.json`` and renews it from a thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> RootLock:
        holder = self.holder()
        if holder is not None:
            raise UserError(
                f"another run ({holder}) is working on {self.store.root}; wait for it, or stop it, or use another root"
            )
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.store.remove(ADDRESS)

    def holder(self) -> str | None:
        """Who holds the root and is alive, or None."""
        if not self.store.exists(ADDRESS):
            return None
        try:
            lock = json.loads(self.store.read_bytes(ADDRESS))
            host, pid, beat = lock["host"], int(lock["pid"]), float(lock["time"])
        except (ValueError, KeyError, TypeError):
            return None
        if host == socket.gethostname():
            alive = pid != os.getpid() and _process_runs(pid, lock.get("started"))
        else:
            alive = time.time() - beat < STALE_SECONDS
        return f"process {pid} on {host}" if alive else None

    def _write(self) -> None:
        lock = {"host": socket.gethostname(), "pid": os.getpid(), "time": time.time(), "started": _started(os.getpid())}
        self.store.write_json(ADDRESS, lock)

    def _renew(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                self._write()
            except OSError:
                continue  # the next task that writes will say what is wrong with the disk


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, where the system tells (Linux): a pid may be used again."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def _process_runs(pid: int, started: str | None) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return started is None or _started(pid) == started
