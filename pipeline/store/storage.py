"""Files under the root of a run, on a local or shared disk, S3 or GCS (`stages.formats.locations`).

A file under its final name is finished. Local writes go to ``.tmp/`` under the root, are flushed to the disk
and renamed; on an object store the file is written to a local temporary file first and sent in one upload, as often as
it takes, which that store makes visible whole or not at all. Killing a process at any moment leaves at worst a
file under ``.tmp/`` or the parts of an upload, which the next run sweeps away.

An address is a path relative to the root, with forward slashes; what is only read may also be named by a full URI or
path, of another root. Every Parquet or Arrow file carries its report
(counts, reasons, digests) as JSON under the key ``gristmill`` of its metadata.

Files are sealed when they are written and checked as they are read (`stages.seal`): what does not match is
`DamagedFile`, whoever reads it, before a byte of it is used.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import xxhash

from pipeline.errors import UserError
from pipeline.store.sinks import METADATA_KEY, Checksum, EarlySink, HashingSink, TableWriter
from stages import seal
from stages.formats.hugging_face import READ_ONLY
from stages.formats.locations import check_path, is_uri, locate, place_of, s3_of
from stages.seal import DamagedFile

TEMPORARY = ".tmp"
_COPY_BYTES = 1 << 22
SEALED = (".parquet", ".arrow")
"""Files that are written with a seal before their footer."""
MANIFEST = "manifest.json"
MAX_OPENED = 4096
MISSING = "missing"


class Store:
    """The root of a run. Picklable: workers open it again from its URI (see `stages.contract.Store`)."""

    def __init__(self, root: str) -> None:
        self.root = root
        if not root.strip():
            raise UserError("the root is empty: expected a folder, or s3://, gs://; is a variable not set?")
        if root.lower().startswith("hf://"):
            raise UserError(f"root {root!r} {READ_ONLY}: give a folder, or s3://, gs://; sources may lie there")
        try:
            self.fs, self.base = filesystem_of(root)
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise UserError(f"{root!r} cannot be opened: {error}") from error
        self.local = isinstance(self.fs, pafs.LocalFileSystem)
        self.opened: deque[str] = deque(maxlen=MAX_OPENED)
        """The addresses opened last: what may be damaged, when something cannot be read."""
        self.written: dict[str, Checksum] = {}
        """Checksums of the files written through this object, by address."""

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        return Store, (self.root,)

    def path(self, address: str) -> str:
        """The full path of an address, as the file system (not the user) spells it."""
        return f"{self.base}/{address}" if address else self.base

    def uri(self, address: str) -> str:
        """The address as a user would type it."""
        return inside(self.root, address)

    # Reading

    def _place(self, address: str) -> tuple[pafs.FileSystem, str]:
        """The file system of an address and its full path there."""
        if is_uri(address) or address.startswith("/"):
            return filesystem_of(address)
        return self.fs, self.path(address)

    def exists(self, address: str) -> bool:
        fs, path = self._place(address)
        return bool(fs.get_file_info(path).type == pafs.FileType.File)

    def list(self, prefix: str) -> Sequence[tuple[str, int]]:
        """All finished files under a folder, recursively, as (address, bytes), sorted by address."""
        return sorted(self.sizes(prefix).items())

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of all finished files under a folder, recursively, by address; in no order."""
        selector = pafs.FileSelector(self.path(prefix), recursive=True, allow_not_found=True)
        skip = len(self.base) + 1
        hidden = f"{TEMPORARY}/"
        return {
            path: info.size
            for info in self.fs.get_file_info(selector)
            if info.is_file and not (path := info.path[skip:]).startswith(hidden)
        }

    def open(self, address: str, mapped: bool = True) -> pa.NativeFile:
        """Random-access reader that checks what it reads by the seal of a Parquet or Arrow file.

        ``mapped``: a local file is mapped into memory rather than read.

        Raises:
            DamagedFile: here or when it reads.
        """
        file = self.open_unchecked(address, mapped)
        sealed = seal.read_seal(file, address) if address.endswith(SEALED) else None
        return file if sealed is None else seal.checked(file, sealed, isinstance(file, pa.MemoryMappedFile))

    def open_unchecked(self, address: str, mapped: bool = True) -> pa.NativeFile:
        """A reader of a file as it is, for those who check it themselves."""
        self.opened.append(address)
        fs, path = self._place(address)
        if not mapped or not isinstance(fs, pafs.LocalFileSystem):
            return fs.open_input_file(path)
        return pa.memory_map(path) if os.path.getsize(path) else pa.BufferReader(b"")

    def problem(self, address: str) -> str | None:
        """The fault of a file by its own seal, read from end to end (`stages.seal.problem`)."""
        if not self.exists(address):
            return MISSING
        fs, path = self._place(address)
        with fs.open_input_file(path) as file:
            return seal.problem(file.read_buffer(), address)

    def whole(self, address: str) -> bool:
        """Whether a Parquet or Arrow file is there and not cut off: its end is read, and nothing else."""
        try:
            self.open(address).close()
        except (FileNotFoundError, DamagedFile):
            return False
        return True

    def damage_behind(self, error: BaseException) -> DamagedFile | None:
        """The damaged file that an error comes from, which often does not say so: of those opened, the last that is."""
        if isinstance(error, DamagedFile):
            return error
        for address in reversed(dict.fromkeys(self.opened)):
            try:
                what = self.problem(address)
            except OSError:  # it is the place itself that cannot be reached
                return None
            if what and (what != MISSING or isinstance(error, FileNotFoundError)):
                return DamagedFile(address, what)
        return None

    def unreadable(self, error: Exception) -> tuple[str, str]:
        """The file that an error in reading comes from, and its fault, for people."""
        damage = self.damage_behind(error)
        if damage is not None:
            return self.uri(damage.address), damage.what
        return self.uri(self.opened[-1] if self.opened else ""), str(error).partition("\n")[0]

    def read_bytes(self, address: str) -> bytes:
        self.opened.append(address)
        with self.fs.open_input_file(self.path(address)) as file:
            return cast(bytes, file.read())

    def checksum(self, address: str) -> Checksum:
        """Size and xxh3-128 of a file, read from end to end."""
        total = xxhash.xxh3_128()
        size = 0
        with self.fs.open_input_stream(self.path(address), compression=None) as file:  # a name ends in .zst
            while piece := file.read(_COPY_BYTES):
                total.update(piece)
                size += len(piece)
        return {"bytes": size, "xxh3_128": total.hexdigest()}

    def read_json(self, address: str) -> Any:
        return seal.decode_json(self.read_bytes(address), address)

    def read_table(self, address: str, columns: Sequence[str] | None = None) -> pa.Table:
        with self.open(address) as file:
            return pq.ParquetFile(file).read(columns=columns and [*columns])

    def row_groups(self, address: str, columns: Sequence[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Row groups of a Parquet file in turn, each with the number of its first row."""
        with self.open(address) as file:
            parquet = pq.ParquetFile(file)
            first = 0
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group, columns=columns and [*columns])
                yield first, table
                first += table.num_rows

    def read_rows(
        self, address: str, rows: Sequence[int] | npt.NDArray[np.integer], columns: Sequence[str] | None = None
    ) -> Iterator[tuple[slice, pa.Table]]:
        """Rows of a Parquet file by their numbers, rising: (which of ``rows``, their table), a row group at a time.

        A number that stands twice gives its row twice. Row groups that hold none of them are not read.
        """
        if len(rows) == 0:
            return
        with self.open(address) as file:
            parquet = pq.ParquetFile(file)
            first = 0
            for group in range(parquet.num_row_groups):
                last = first + parquet.metadata.row_group(group).num_rows
                start, stop = np.searchsorted(rows, (first, last)).tolist()
                if stop > start:
                    table = parquet.read_row_group(group, columns=columns and [*columns])
                    wanted = np.asarray(rows[start:stop]) - first
                    if not np.array_equal(wanted, np.arange(len(table))):
                        table = table.take(pa.array(wanted))
                    yield slice(start, stop), table
                first = last

    def metadata(self, address: str) -> dict[str, Any]:
        """The report inside a Parquet file, an Arrow IPC file or an Arrow IPC stream of ours."""
        with self.open(address) as file:
            if address.endswith(".parquet"):
                pairs = pq.ParquetFile(file).metadata.metadata or {}
            elif bytes(file.read(6)) == b"ARROW1":
                pairs = pa.ipc.open_file(file).schema.metadata or {}
            else:
                file.seek(0)
                pairs = pa.ipc.open_stream(file).schema.metadata or {}
        if METADATA_KEY not in pairs:
            raise UserError(f"{self.uri(address)}: no report inside; it was not written by this program")
        return cast(dict[str, Any], json.loads(pairs[METADATA_KEY]))

    # Writing

    @contextmanager
    def create(self, address: str) -> Iterator[BinaryIO]:
        """A sink that becomes ``address`` when the block ends without an exception."""
        with self._create_local(address) if self.local else self._create_remote(address) as file:
            sink = HashingSink(file, address if address.endswith(SEALED) else "")
            yield cast(BinaryIO, sink)
            sink.seal()
        self.written[address] = sink.checksum()

    @contextmanager
    def _create_remote(self, address: str) -> Iterator[BinaryIO]:
        with naming_full_disks(tempfile.gettempdir()), tempfile.TemporaryFile() as copy:
            yield cast(BinaryIO, copy)
            copy.flush()
            self.fs.handler.put(self.path(address), copy, copy.seek(0, os.SEEK_END))

    @contextmanager
    def _create_local(self, address: str) -> Iterator[BinaryIO]:
        final = self.path(address)
        temporary = f"{self.base}/{TEMPORARY}/{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with naming_full_disks(final):
                os.makedirs(os.path.dirname(temporary), exist_ok=True)
                os.makedirs(os.path.dirname(final), exist_ok=True)
                with open(temporary, "wb", buffering=1 << 20) as sink:
                    yield cast(BinaryIO, EarlySink(sink))
                    sink.flush()
                    os.fsync(sink.fileno())
            os.replace(temporary, final)
        except BaseException:
            with suppress(OSError):  # it may be gone; the error under way is the one to see
                os.unlink(temporary)
            raise

    def write_bytes(self, address: str, data: bytes) -> None:
        with self.create(address) as sink:
            sink.write(data)

    def write_json(self, address: str, value: Any) -> None:
        """JSON for people and programs: indented, sorted keys, with its checksum (`stages.seal`)."""
        self.write_bytes(address, self._json(address, value))

    def keep_json(self, address: str, value: Any) -> None:
        """Write JSON, unless it stands there to the byte."""
        self.keep_bytes(address, self._json(address, value))

    @staticmethod
    def _json(address: str, value: Any) -> bytes:
        """A manifest may be copied elsewhere with its folder, whatever its name there; the others stand in a root."""
        return seal.encode_json(value, address="" if address.endswith(MANIFEST) else address)

    def keep_bytes(self, address: str, data: bytes) -> None:
        """Write a file, unless it stands there to the byte."""
        if not self.exists(address) or self.read_bytes(address) != data:
            self.write_bytes(address, data)

    def write_table(self, address: str, table: pa.Table, report: Mapping[str, Any] | None = None) -> None:
        with self.table_writer(address, table.schema) as writer:
            writer.write(table)
            writer.report = report

    @contextmanager
    def table_writer(self, address: str, schema: pa.Schema) -> Iterator[TableWriter]:
        """A Parquet file written batch by batch; one row group each."""
        with self.create(address) as sink:
            writer = TableWriter(cast(HashingSink, sink), schema)
            try:
                yield writer
            except BaseException:
                writer.abandon()
                raise
            writer.close()

    @contextmanager
    def arrow_writer(
        self, address: str, schema: pa.Schema, options: pa.ipc.IpcWriteOptions | None = None
    ) -> Iterator[pa.ipc.RecordBatchFileWriter]:
        """An Arrow IPC file written batch by batch."""
        with self.create(address) as sink, pa.ipc.new_file(sink, schema, options=options) as writer:
            yield writer
            cast(HashingSink, sink).begin_footer()

    def remove(self, prefix: str) -> None:
        """Remove a file, or a folder with all in it; nothing if it is not there."""
        info = self.fs.get_file_info(self.path(prefix))
        if info.type == pafs.FileType.File:
            self.fs.delete_file(self.path(prefix))
        elif info.type == pafs.FileType.Directory:
            self.fs.delete_dir(self.path(prefix))

    def sweep(self) -> None:
        """Remove what killed processes left unfinished. Only for the run with the lock (`pipeline.store.lock`)."""
        self.remove(TEMPORARY)
        if (s3 := s3_of(self.fs)) is not None:
            with suppress(OSError):  # a right that some have not; docs/cluster.md has the rule that does it without us
                s3.sweep(self.base)


@contextmanager
def naming_full_disks(path: str) -> Iterator[None]:
    """Name ``path`` in the error of a full disk, which names no file or a temporary one, and what it is full of."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            if error.errno == errno.ENOSPC and _has_no_inode(path):
                error.strerror = f"{error.strerror} for one more file, though for bytes (df -i)"
            error.filename = path
        raise


def _has_no_inode(path: str) -> bool:
    """Whether the disk of a path has room for bytes and for no file."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    disk = os.statvfs(path)
    return disk.f_files > 0 and disk.f_favail == 0 and disk.f_bavail > 0


def is_path(root: str) -> bool:
    """Whether a root is given as a path, and not as a URI."""
    return not is_uri(root)


def inside(root: str, address: str) -> str:
    """The URI or path of an address under another root; the options of a URI stay last."""
    if is_uri(root):
        place = place_of(root)
        if place.scheme:
            return place.beside(f"{place.path.rstrip('/')}/{address}").uri()
    return f"{root.rstrip('/')}/{address}"


def filesystem_of(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a URI or path, and the path in it without a trailing slash; local paths are made absolute.

    Raises:
        ValueError, OSError: a scheme nobody knows, missing credentials, a name the store could not give back.
    """
    if not is_uri(uri):
        check_path(uri)
    fs, path = locate(uri if is_uri(uri) else os.path.abspath(os.path.expanduser(uri)))
    return fs, path.rstrip("/") or "/"
