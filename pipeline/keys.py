"""Where a page is, found by its doc_id, URL or host without a scan: sorted key indices over the files of a product.

An index is made on first use, under ``runs/index/<name of what it covers>/<column>.keys``: sorted pairs of uint64
(little endian), xxh3_64 of the value and file number << 32 | row. The name is the address of a manifest, so an index is
never out of date. A look-up is a binary search that reads a few blocks; hashes may collide, so callers compare values.

Price: one read of two columns, some 4 µs and 110 bytes of memory a page while it is made; 48 bytes a page on the disk.
A look-up takes 0.2 ms. Limit: it is made in one process, so 100 million pages take some 11 GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline.storage import Store
from stages.kernels.keyed_hash import hash_names

ENTRY_BYTES = 16
BLOCK_ENTRIES = 4096
HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>[^/?#:]+)"
Keys = npt.NDArray[np.uint64]


class KeyIndex:
    """The index of some Parquet files with a column ``doc_id`` and, where ``urls`` says so, ``url``.

    Args:
        name: what the files are the content of: the address of their manifest.
        files: gives their addresses, in order; asked only when the index is to be made.
        say: told when it is made.
        keep: False makes it for this object alone and writes nothing.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        files: Callable[[], Sequence[str]],
        *,
        urls: bool,
        say: Callable[[str], None],
        keep: bool = True,
    ) -> None:
        self.store, self.files, self.say, self.keep = store, files, say, keep
        self.folder = f"runs/index/{name}"
        self.columns = ("doc_id", "url", "host") if urls else ("doc_id",)
        self._entries: dict[str, Any] = {}

    def find(self, column: str, value: bytes | str, limit: int | None = 1000) -> list[tuple[int, int]]:
        """(file number, row) of the rows whose value has the hash of ``value``, at most ``limit``, in order."""
        entries = self._open(column)
        key = int(hash_names(np.frombuffer(value, np.uint8), 0)[0]) if isinstance(value, bytes) else text_key(value)
        first = search(entries, key)
        found = []
        for index in range(first, len(entries) if limit is None else min(first + limit, len(entries))):
            entry = entries[index]
            if int(entry[0]) != key:
                break
            found.append((int(entry[1]) >> 32, int(entry[1]) & 0xFFFFFFFF))
        return found

    def _open(self, column: str) -> Any:
        if column not in self._entries:
            address = f"{self.folder}/{column}.keys"
            if not self.store.exists(address):
                self._make()
            if column not in self._entries:
                self._entries[column] = Entries(self.store, address)
        return self._entries[column]

    def _make(self) -> None:
        """Make all columns' indices; where the root cannot be written, they stay in memory."""
        files = self.files()
        self.say(f"indexing the pages of {len(files)} files, once")
        parts: dict[str, list[tuple[Keys, Keys]]] = {column: [] for column in self.columns}
        for number, address in enumerate(files):
            for start, table in row_groups(self.store, address, ["doc_id", "url"][: len(self.columns)]):
                place = (np.uint64(number) << np.uint64(32)) + np.arange(start, start + table.num_rows, dtype=np.uint64)
                for column, (keys, rows) in keys_of(table, self.columns).items():
                    parts[column].append((keys, place[rows]))
        for column in self.columns:
            found = parts.pop(column)
            entries = np.empty((sum(len(keys) for keys, _ in found), 2), "<u8")
            for at, side in enumerate(zip(*found, strict=True)):
                np.concatenate(side, out=entries[:, at])
            entries = entries[np.argsort(entries[:, 0], kind="stable")]
            if not self.keep:
                self._entries[column] = entries
                continue
            try:
                self.store.write_bytes(f"{self.folder}/{column}.keys", entries.tobytes())
            except OSError:
                self._entries[column] = entries


class Entries:
    """The pairs of an index file, read in blocks as they are asked for."""

    def __init__(self, store: Store, address: str) -> None:
        self._file = store.open(address)
        self._size = self._file.size() // ENTRY_BYTES
        self._block: tuple[int, Any] = (-1, None)

    def __len__(self) -> int:
        return int(self._size)

    def __getitem__(self, index: int) -> Any:
        number = index // BLOCK_ENTRIES
        if self._block[0] != number:
            raw = self._file.read_at(BLOCK_ENTRIES * ENTRY_BYTES, number * BLOCK_ENTRIES * ENTRY_BYTES)
            self._block = (number, np.frombuffer(raw, "<u8").reshape(-1, 2))
        return self._block[1][index - number * BLOCK_ENTRIES]


def search(entries: Any, key: int) -> int:
    """Index of the first entry whose key is not below ``key``."""
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        if int(entries[middle][0]) < key:
            low = middle + 1
        else:
            high = middle
    return low


def text_key(value: str) -> int:
    return xxhash.xxh3_64_intdigest(value.encode("utf-8", "surrogatepass"))


def keys_of(table: pa.Table, columns: Sequence[str]) -> dict[str, tuple[Keys, Keys]]:
    """Per column, the hashes of a table's values and the rows they are of; rows without a URL are left out."""
    ids = table.column("doc_id").combine_chunks()
    raw = b"".join(ids.to_pylist()) if isinstance(ids, pa.ChunkedArray) else ids.buffers()[1]
    names = np.frombuffer(raw, np.uint8)[: 16 * len(table)] if len(table) else np.empty(0, np.uint8)
    found = {"doc_id": (hash_names(names, 0), np.arange(len(table), dtype=np.uint64))}
    if "url" in columns:
        urls = table.column("url")
        rows = np.flatnonzero(urls.is_valid().to_numpy()).astype(np.uint64)
        keys = np.array([text_key(url) for url in urls.drop_null().to_pylist()], np.uint64)
        found["url"] = (keys, rows)
        hosts = hosts_of(urls.drop_null()).dictionary_encode()
        known = np.array([text_key(host) for host in hosts.dictionary.to_pylist()] or [0], np.uint64)
        found["host"] = (known[hosts.indices.to_numpy()], rows)
    return found


def hosts_of(urls: Any) -> pa.Array:
    """Host names in lower case; empty where there is none."""
    host = pc.struct_field(pc.extract_regex(urls, HOST), "host")
    found = pc.fill_null(pc.utf8_lower(host), "")
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def row_groups(store: Store, address: str, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
    """Row groups of a Parquet file, each with the number of its first row."""
    with store.open(address) as file:
        parquet = pq.ParquetFile(file)
        start = 0
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group, columns=columns)
            yield start, table
            start += table.num_rows
