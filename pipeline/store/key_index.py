"""Pages found by doc_id, URL or host without a scan: sorted key indices over the files of a product.

The files are cut into segments of about `SEGMENT_ROWS` pages; of each segment and column there is one file of sorted
pairs of uint64 (little endian): the key of the value, and number of the file in its segment << 32 | row.

    runs/index/<name of what it covers>.json         {"version", "segments": [{"folder", "first", "files", "rows"}]}
    runs/index/segments/<digest of the addresses>/   doc_id.keys, url.keys, host.keys

A run makes them as tasks, side by side (`tasks`); a question that comes before does it itself. A segment is named by
the addresses of its files, so it is never out of date, and more input makes only new segments. One that was damaged is
noticed by the question that reads it (`pipeline.store.key_file`), and made again. The key of a doc_id is its first
eight bytes, that of a URL or host `stages.kernels.urls.keys.key_of`; keys may collide, so callers compare values. Keys
are spread evenly, so a look-up reads the one block of a segment where its key must be; where it is not (a host of very
many pages), it searches by halves.

Price: about 1 µs a page and 100 bytes of memory a page of a segment while it is made; 48 bytes a page on the disk. A
look-up reads one block of 64 KiB a segment: 0.1 ms on a local disk.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError
from pipeline.store.address import digest
from pipeline.store.key_file import DamagedIndex, Entries, places, sealed
from pipeline.store.storage import Store
from stages.contract import Task
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.urls.keys import hosts_as_written, key_of, url_keys
from stages.seal import DamagedFile

VERSION = 3
SEGMENT_ROWS = 4_000_000
PAGE_BYTES = 100
THREADS = 16
"""Segments looked into side by side: an object store answers slowly, but many at once."""
URL_COLUMNS = ("doc_id", "url", "host")
Keys = npt.NDArray[np.uint64]
File = tuple[str, int]
"""Address and rows of a Parquet file."""


class KeyIndex:
    """The index of some Parquet files with a column ``doc_id`` and, where ``urls`` says so, ``url``.

    Args:
        name: the address of the manifest of the files.
        files: gives them, in order; asked only when there is no index yet.
        say: called with a line when the index is made here.
        keep: False makes it for this object alone and writes nothing.
        title: what the index covers, for people.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        files: Callable[[], Sequence[File]],
        *,
        urls: bool,
        say: Callable[[str], None],
        keep: bool = True,
        title: str = "pages",
    ) -> None:
        self.title = title
        self.store, self.files, self.say, self.keep = store, files, say, keep
        self.address = f"runs/index/{name}.json"
        self.columns = URL_COLUMNS if urls else ("doc_id",)
        self._parts: dict[str, list[tuple[int, Any]]] = {}
        """Per column, of each segment the number of its first file and its entries."""
        self._made: dict[str, dict[str, Any]] = {}
        """Segments that could not be written, by folder."""

    def find(self, column: str, value: bytes | str, limit: int | None = 1000) -> list[tuple[int, int]]:
        """(file number, row) of the rows whose value has the key of ``value``, at most ``limit``, in order."""
        key = key_of_id(value) if isinstance(value, bytes) else text_key(value)
        repaired: set[str] = set()
        while True:
            try:
                return self._find(column, key, limit)
            except DamagedIndex as damage:
                if damage.address in repaired:
                    raise UserError(f"{damage}, made again a moment ago: is the disk of the root sound?") from damage
                repaired.add(damage.address)
                self._repair(damage)

    def _find(self, column: str, key: int, limit: int | None) -> list[tuple[int, int]]:
        if column not in self._parts:
            self._parts[column] = self._open(column)
        parts = self._parts[column]
        look = lambda part: places(part[1], key, limit)  # noqa: E731 - one line, said twice
        if len(parts) < THREADS or self.store.local:
            places_of = list(map(look, parts))
        else:
            with ThreadPoolExecutor(THREADS) as threads:
                places_of = list(threads.map(look, parts))
        found = [
            (first + int(place >> 32), int(place) & 0xFFFFFFFF)
            for (first, _), part in zip(parts, places_of, strict=True)
            for place in part.tolist()
        ]
        return found if limit is None else found[:limit]

    def tasks(self) -> list[Task]:
        """Tasks that make the missing segments, to be run before `close`."""
        tasks = []
        files = self.files()
        rows = dict(files)
        cut = segments(files)
        for i, segment in enumerate(cut):
            outputs = tuple(f"{segment['folder']}/{column}.keys" for column in self.columns)
            if not all(self.store.exists(address) for address in outputs):
                args = {"files": segment["files"], "columns": list(self.columns), "folder": segment["folder"]}
                cost = PAGE_BYTES * sum(rows[address] for address in segment["files"])
                copies = self.columns == ("doc_id",)  # of a URL there is more to do: that kernel is compiled
                label = f"index of {self.title} {i + 1}/{len(cut)}"
                tasks.append(Task("pipeline.store.key_index:make", args, outputs, label, cost, 1 << 30, copies=copies))
        return tasks

    def ready(self) -> bool:
        """Whether there is an index under the root that this program can read."""
        return self._listed() is not None

    def _listed(self) -> list[dict[str, Any]] | None:
        """The segments, as they were written down; None where none were, or by another version."""
        if not self.store.exists(self.address):
            return None
        try:
            found = self.store.read_json(self.address)
            return list(found["segments"]) if found["version"] == VERSION else None
        except (DamagedFile, KeyError, TypeError):
            return None

    def close(self) -> None:
        """Write down that all segments are there."""
        listed = [
            {"folder": s["folder"], "first": s["first"], "files": len(s["files"])} for s in segments(self.files())
        ]
        self.store.write_json(self.address, {"version": VERSION, "segments": listed})

    def _open(self, column: str) -> list[tuple[int, Any]]:
        if not self._made and not self.ready():
            self._make()
        if self._made:
            return [(found["first"], found[column]) for found in self._made.values()]
        listed = self._listed() or []
        return [(entry["first"], Entries(self.store, f"{entry['folder']}/{column}.keys")) for entry in listed]

    def _repair(self, damage: DamagedIndex) -> None:
        """Make one segment again."""
        self.say(f"{damage}; that part of the index is made again")
        self._parts = {}
        try:
            self.store.remove(damage.address.rpartition("/")[0])
        except OSError:
            self.keep = False
        self._make()

    def _make(self) -> None:
        """Make the segments that are not there; where the root cannot be written, all of them, to stay in memory."""
        files = self.files()
        if not self.ready():
            self.say(f"indexing the pages of {len(files)} files, once")
        parts = segments(files)
        if self.keep:
            try:
                for segment in parts:
                    addresses = [f"{segment['folder']}/{column}.keys" for column in self.columns]
                    if not all(self.store.exists(address) for address in addresses):
                        make(self.store, files=segment["files"], columns=list(self.columns), folder=segment["folder"])
                self.close()
                return
            except OSError:
                pass
        for segment in parts:
            made = entries_of(self.store, segment["files"], self.columns)
            self._made[segment["folder"]] = {"first": segment["first"], **made}


def folders(store: Store) -> set[str] | None:
    """Folders of all segments of a root that an index names: nobody reads others, an earlier version made them.

    None where an index is damaged, so that it is not known what it names.
    """
    found: set[str] = set()
    for address in (address for address, _ in store.list("runs/index") if address.endswith(".json")):
        try:
            index = store.read_json(address)
            found |= {segment["folder"] for segment in index["segments"]} if index["version"] == VERSION else set()
        except (DamagedFile, KeyError, TypeError):
            return None
    return found


def index_name(manifest: str) -> str:
    """The name of the index of a product: that of its manifest."""
    return manifest.rpartition("/")[2].partition(".")[0]


def shard_index(store: Store, manifest: str, say: Callable[[str], None], title: str = "shards") -> KeyIndex:
    """The index of a folder of token shards by doc_id; file numbers are those of its manifest's shards."""

    def files() -> list[File]:
        folder = manifest.rpartition("/")[0]
        shards = store.read_json(manifest)["shards"]
        return [(posixpath.normpath(f"{folder}/{entry['docs']}"), int(entry["rows"])) for entry in shards]

    return KeyIndex(store, manifest.removesuffix(".json"), files, urls=False, say=say, title=title)


def segments(files: Sequence[File]) -> list[dict[str, Any]]:
    """Files in order, cut where a segment would pass `SEGMENT_ROWS`: ``{"folder", "first", "files"}``."""
    found: list[dict[str, Any]] = []
    rows = 0
    for number, (address, count) in enumerate(files):
        if not found or rows + count > SEGMENT_ROWS:
            found.append({"first": number, "files": []})
            rows = 0
        found[-1]["files"].append(address)
        rows += count
    for segment in found:
        segment["folder"] = f"runs/index/segments/{digest([VERSION, segment['files']])}"
    return found


def make(store: Store, *, files: list[str], columns: list[str], folder: str) -> dict[str, Any]:
    """Job: one segment."""
    rows = 0
    for column, entries in entries_of(store, files, columns).items():
        store.write_bytes(f"{folder}/{column}.keys", sealed(entries))
        rows = max(rows, len(entries))
    return {"rows": rows}


def entries_of(store: Store, files: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
    """Per column the sorted pairs of a segment, (rows, 2) of uint64."""
    parts: dict[str, list[tuple[Keys, Keys]]] = {column: [] for column in columns}
    for number, address in enumerate(files):
        for start, table in store.row_groups(address, ["doc_id", "url"][: len(columns)]):
            place = (np.uint64(number) << np.uint64(32)) + np.arange(start, start + table.num_rows, dtype=np.uint64)
            for column, (keys, rows) in keys_of(table, columns).items():
                parts[column].append((keys, place[rows]))
    return {column: sorted_pairs(parts.pop(column)) for column in columns}


def sorted_pairs(parts: list[tuple[Keys, Keys]]) -> Any:
    """(key, place) by key, those of one key in the order in which they came."""
    keys = np.concatenate([keys for keys, _ in parts]) if parts else np.empty(0, np.uint64)
    order = np.argsort(keys, kind="stable")
    entries = np.empty((len(keys), 2), "<u8")
    entries[:, 0] = keys[order]
    del keys
    entries[:, 1] = np.concatenate([place for _, place in parts] or [np.empty(0, np.uint64)])[order]
    return entries


def key_of_id(doc_id: bytes) -> int:
    """doc_ids are hashes: their first bytes are as good as any."""
    return int.from_bytes(doc_id[:8], "little")


def text_key(value: str) -> int:
    return key_of(value.encode("utf-8", "surrogatepass"))


def keys_of(table: pa.Table, columns: Sequence[str]) -> dict[str, tuple[Keys, Keys]]:
    """Per column, the keys of a table's values and the rows they are of; rows without a URL are left out."""
    ids = table.column("doc_id").combine_chunks()
    ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) and ids.num_chunks == 1 else ids
    raw = b"".join(ids.to_pylist()) if isinstance(ids, pa.ChunkedArray) else ids.buffers()[1]
    words = np.frombuffer(raw or b"", "<u8")
    start = 2 * (0 if isinstance(ids, pa.ChunkedArray) else ids.offset)
    found = {"doc_id": (words[start : start + 2 * len(table) : 2], np.arange(len(table), dtype=np.uint64))}
    if "url" in columns:
        urls = table.column("url")
        rows = np.flatnonzero(urls.is_valid().to_numpy()).astype(np.uint64)
        keys, hosts = url_keys(*text_buffers(urls.drop_null()))
        found["url"] = (keys, rows)
        named = hosts != 0
        found["host"] = (hosts[named], rows[named])
    return found


def hosts_of(urls: Any) -> pa.Array:
    """Host names in lower case, without dots at their end; empty where there is none."""
    found = pc.fill_null(pc.ascii_lower(hosts_as_written(urls)), "")
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
