"""Blocks of files far away, kept on a local disk within a bound: shared by the ranks of a node, safe under kill.

A folder of files ``blocks/NAME``, each renamed when whole. Who writes one holds the lock of the folder: it first
removes the blocks that nobody has used for the longest time until the new one fits, so the files never take more than
``max_bytes``, whatever other processes do (a block that somebody reads stays readable when it is removed, and takes
its room until it is let go; a process holds `MAPPED` at most). Who brings a block holds one of `NUM_LOCKS` other locks,
so that ranks that want the same one bring it once. Locks are the kernel's (``flock``): a killed process leaves none. A
loader's worker that is forked while a thread holds one shares it: it closes its copy at once, so that the lock goes
with the process that took it.

Every block is checked by its XXH3-64 when a process maps it, be it fresh or found. Nothing here knows where blocks come
from.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO
from zlib import crc32

import xxhash

from pipeline.errors import UserError

NUM_LOCKS = 64
MAPPED = 8
"""Blocks that a process keeps mapped."""
_LOCK_FILES: set[IO[str]] = set()
"""Files of the locks that threads of this process hold or wait for."""


def _close_lock_files() -> None:
    """In a forked process: close what it shares with threads of its parent, whose locks they stay."""
    for file in _LOCK_FILES:
        file.close()
    _LOCK_FILES.clear()


os.register_at_fork(after_in_child=_close_lock_files)


class BlockCache:
    """Blocks of at most ``block_bytes`` in a folder.

    Raises:
        UserError: a bound below two blocks, or a folder that cannot be made or written.
    """

    def __init__(self, folder: str | Path, max_bytes: int, block_bytes: int) -> None:
        if max_bytes < 2 * block_bytes:
            raise UserError(f"cache_bytes is {max_bytes:,}: expected at least two blocks, {2 * block_bytes:,} bytes")
        self.folder, self.max_bytes = Path(folder), max_bytes
        self._mapped: OrderedDict[str, memoryview] = OrderedDict()
        self.start()
        with self._plain_errors():
            for name in ("blocks", "locks"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            with self._locked("write"):
                pass

    def start(self) -> None:
        """Make the state that belongs to one process: a thread of the parent may have held the guard when it forked."""
        self._guard = Lock()

    def get(self, name: str, digest: str, fetch: Callable[[], bytes]) -> memoryview:
        """The bytes of a block: from the folder, or brought by ``fetch`` and kept there.

        Args:
            digest: its XXH3-64 in hexadecimal; a file of another is brought anew.

        Raises:
            ValueError: what ``fetch`` brought is of another digest; nothing of it is kept.
        """
        with self._guard:
            found = self._mapped.get(name)
            if found is not None:
                self._mapped.move_to_end(name)
                return found
        view = self._mapping(name, digest)
        if view is None:
            with self._locked(f"{crc32(name.encode()) % NUM_LOCKS:02}"):
                view = self._mapping(name, digest)  # another rank may have brought it
                if view is None:
                    view = self._fetched(name, digest, fetch)
        with self._guard:
            self._mapped[name] = view
            while len(self._mapped) > MAPPED:
                self._mapped.popitem(last=False)
        return view

    def bring(self, name: str, digest: str, fetch: Callable[[], bytes]) -> None:
        """Have a block in the folder soon to be asked for; what goes wrong goes wrong again when it is."""
        if self._has(name):
            return
        with self._locked(f"{crc32(name.encode()) % NUM_LOCKS:02}"):
            if not self._has(name):
                data = fetch()
                if xxhash.xxh3_64_hexdigest(data) == digest:
                    self._keep(name, data)

    def _has(self, name: str) -> bool:
        return (self.folder / "blocks" / name).exists()

    def _fetched(self, name: str, digest: str, fetch: Callable[[], bytes]) -> memoryview:
        data = fetch()
        if xxhash.xxh3_64_hexdigest(data) != digest:
            raise ValueError(f"checksum {xxhash.xxh3_64_hexdigest(data)} instead of {digest}")
        self._keep(name, data)
        view = self._mapping(name, digest)
        return memoryview(data) if view is None else view  # removed at once for another: the bytes are here

    def _mapping(self, name: str, digest: str) -> memoryview | None:
        path = self.folder / "blocks" / name
        try:
            with path.open("rb") as file:
                view = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        except (FileNotFoundError, ValueError):  # not there, or empty
            return None
        except OSError as error:
            raise UserError(f"cache {self.folder}: {error.strerror or error}: {name}") from error
        if xxhash.xxh3_64_hexdigest(view) != digest:
            return None
        with suppress(OSError):  # removed meanwhile, or another user's: it counts as old
            os.utime(path)
        return view

    def _keep(self, name: str, data: bytes) -> None:
        with self._plain_errors(), self._locked("write"):
            self._make_room(len(data))
            path = self.folder / "blocks" / f".{name}"
            try:
                path.write_bytes(data)
                path.replace(self.folder / "blocks" / name)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    def _make_room(self, size: int) -> None:
        """Remove what a killed process left, and blocks, the least recently used first, until ``size`` bytes fit."""
        files = []
        with os.scandir(self.folder / "blocks") as found:
            for one in found:
                if one.name.startswith("."):  # only who holds the lock writes
                    os.unlink(one.path)
                else:
                    about = one.stat()
                    files.append((about.st_mtime_ns, one.path, about.st_size))
        held = sum(entry[2] for entry in files)
        for _, path, freed in sorted(files):
            if held + size <= self.max_bytes:
                break
            os.unlink(path)
            held -= freed

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.folder / "locks" / name).open("a") as file:
            _LOCK_FILES.add(file)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
            finally:
                with suppress(OSError):  # by name: a process that was forked before the file was noted shares it still
                    fcntl.flock(file, fcntl.LOCK_UN)
                _LOCK_FILES.discard(file)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = error.strerror or str(error)
            raise UserError(
                f"cache {self.folder}: {what}; give a folder that can be written, with room for"
                f" {self.max_bytes:,} bytes"
            ) from error

    def bytes_held(self) -> int:
        """Bytes of all blocks in the folder now."""
        with self._locked("write"), os.scandir(self.folder / "blocks") as found:
            return sum(one.stat().st_size for one in found)
