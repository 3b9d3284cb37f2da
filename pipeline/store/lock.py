"""One run at a time on a root: an advisory lock with owner and heartbeat.

Two runs on one root would not spoil each other's files (both write the same bytes), but would do the work twice
and sweep each other's temporary files. Of starts at the same moment one gets in: on a disk the lock is read and written
while a file beside it is locked by the system (``flock``), on S3 it is written only where there is none, or the one
that was read (conditional PUT); where a store has neither, the lock is read again after `SETTLE_SECONDS`.

A lock whose owner is gone is taken over, so that a killed run needs no cleaning up. Of a process of this machine the
system knows; elsewhere its heartbeat tells. One that is not older than ``STALE_SECONDS`` is alive. One that is older,
or lies in the future, proves nothing, as clocks differ and jump: it is watched for two heartbeats, and its owner is
alive if it changes. So is that of a process on a machine of this name that is another (or a container of its own).
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from pipeline.errors import UserError
from pipeline.store.storage import Store
from stages.formats.locations import s3_of

ADDRESS = "runs/lock.json"
GUARD = "runs/lock.guard"
HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 90.0
SETTLE_SECONDS = 2.0
GUARD_SECONDS = 10.0
"""Another process holds the guard for milliseconds; one that holds it for longer than this stands still."""


class StandsStill(UserError):
    """Another process holds the guard and does not go on."""


class RootLock:
    """Context manager: holds ``runs/lock.json`` and renews it from a thread.

    Args:
        say: called with a line before it waits for the owner of a lock.
    """

    def __init__(self, store: Store, say: Callable[[str], None] = lambda _: None) -> None:
        self.store = store
        self._say = say
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._token = uuid.uuid4().hex
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> RootLock:
        found = self._read()
        watched = found[0] if found is not None and _is_doubtful(found[0]) else None
        if watched is not None and self._renewed(watched):
            raise self._taken(f"process {watched['pid']} on {watched['host']}, found by its heartbeat")
        try:
            with self._guarded():
                found = self._read()
                holder = self._holder(found[0]) if found is not None and found[0] != watched else None
                if holder is not None or not self._write(found[1] if found is not None else ""):
                    raise self._taken(holder or "started at the same moment")
            self._thread.start()
        except StandsStill:
            raise
        except BaseException:  # a signal, just when the lock was written
            self._stop.set()
            self._give_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._give_up()

    def _give_up(self) -> None:
        with suppress(StandsStill), self._guarded():
            if self._mine():  # a run that was suspended for long may have lost it
                self.store.remove(ADDRESS)
            return
        if self._mine():  # who holds the guard takes over a lock whose owner is gone, and this one's is not
            self.store.remove(ADDRESS)

    def holder(self) -> str | None:
        """The live process that holds the root, or None."""
        found = self._read()
        return self._holder(found[0]) if found is not None else None

    def _holder(self, lock: dict[str, Any]) -> str | None:
        try:
            host, pid, beat = lock["host"], int(lock["pid"]), float(lock["time"])
        except (ValueError, KeyError, TypeError):
            return None
        if _is_here(lock):
            alive = pid != os.getpid() and _process_runs(pid, lock.get("started"))
        else:
            alive = _is_fresh(beat)
        return f"process {pid} on {host}" if alive else None

    def _taken(self, by: str) -> UserError:
        return UserError(
            f"another run ({by}) is working on {self.store.root}; wait for it, or stop it, or use another root"
        )

    def _renewed(self, lock: dict[str, Any]) -> bool:
        """Whether a lock is written anew within two heartbeats."""
        seconds = 2.25 * HEARTBEAT_SECONDS
        self._say(
            f"{self.store.root} was left locked by process {lock['pid']} on {lock['host']}:"
            f" waiting {seconds:.0f} s to see whether that still runs"
        )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(HEARTBEAT_SECONDS / 8)
            found = self._read()
            if found is None or found[0] != lock:
                return found is not None
        return False

    def _read(self) -> tuple[dict[str, Any], str] | None:
        """The lock, empty where it cannot be read as one, and on S3 the ETag of its object."""
        s3 = s3_of(self.store.fs)
        etag = ""
        if s3 is not None:
            about = s3.stat(self.store.path(ADDRESS))
            if about is None:
                return None
            etag = about.etag
        try:
            lock = json.loads(self.store.read_bytes(ADDRESS))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            lock = {}  # replaced while it was read, or half written by something else
        return lock if isinstance(lock, dict) else {}, etag

    def _mine(self) -> bool:
        found = self._read()
        return found is not None and found[0].get("token") == self._token

    def _write(self, replaced: str) -> bool:
        """Write the lock, on S3 only where there is none or the one of this ETag; whether it is ours now."""
        lock = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "time": time.time(),
            "started": start_time(os.getpid()),
            "machine": machine(),
        }
        body = (json.dumps(lock | {"token": self._token}, sort_keys=True, indent=1) + "\n").encode()
        s3 = s3_of(self.store.fs)
        if s3 is not None:
            path = self.store.path(ADDRESS)
            try:
                return s3.put(path, io.BytesIO(body), len(body), only_new=not replaced, replaces=replaced)
            except OSError as error:
                if "HTTP 501" not in str(error):
                    raise
        self.store.write_bytes(ADDRESS, body)
        if self.store.local:
            return True
        time.sleep(SETTLE_SECONDS)
        return self._mine()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Alone among the processes of a disk; on object stores the write itself decides."""
        if not self.store.local:
            yield
            return
        try:
            os.makedirs(os.path.dirname(self.store.path(GUARD)), exist_ok=True)
            file = open(self.store.path(GUARD), "wb")  # noqa: SIM115
        except OSError as error:
            raise UserError(
                f"root {self.store.root} cannot be written: {error.strerror} ({error.filename});"
                " expected a folder of yours"
            ) from error
        with file as guard:
            self._alone(guard)
            try:
                yield
            finally:  # by name: a process that was forked meanwhile holds the same open file
                with suppress(OSError):
                    fcntl.flock(guard, fcntl.LOCK_UN)

    def _alone(self, guard: io.IOBase) -> None:
        """Lock an open file by the system; where it knows no locks, as on stores that have none."""
        end = time.monotonic() + GUARD_SECONDS
        while True:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise StandsStill(str(self._taken("which stands still"))) from None
            except OSError:
                return
            time.sleep(0.01)

    def _renew(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with (
                suppress(OSError, UserError),
                self._guarded(),
            ):  # the next task that writes will say what is wrong with the disk
                found = self._read()
                if found is None or found[0].get("token") == self._token:
                    self._write(found[1] if found is not None else "")


def _is_doubtful(lock: dict[str, Any]) -> bool:
    """Whether only time can tell if the owner of a lock is alive."""
    try:
        beat, _ = float(lock["time"]), int(lock["pid"])
    except (ValueError, KeyError, TypeError):
        return False
    if _is_here(lock) or "host" not in lock:
        return False
    return lock["host"] == socket.gethostname() or not _is_fresh(beat)


def _is_fresh(beat: float) -> bool:
    return abs(time.time() - beat) < STALE_SECONDS


def _is_here(lock: dict[str, Any]) -> bool:
    """Whether the process of a lock is one of those that this one sees."""
    return lock.get("host") == socket.gethostname() and lock.get("machine") in (None, "", machine())


def machine() -> str:
    """Names the start of this machine and the container of this process, where the system tells (Linux): machines may
    have one name, and containers that of their host."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def start_time(pid: int) -> str | None:
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
    return started is None or start_time(pid) == started
