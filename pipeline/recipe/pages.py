"""Single pages: found through the key indices, read from the products row by row."""

from __future__ import annotations

import difflib
import heapq
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import terminal
from pipeline.errors import UserError
from pipeline.recipe import snapshot as snapshots
from pipeline.store import facts
from pipeline.store.key_index import KeyIndex, hosts_of, index_name
from pipeline.store.storage import Store

MAX_SAME = 20
"""Pages of one URL that are looked at."""
NEAR_FILES, NEAR_PAGES, NEAR_SECONDS = 100, 20_000, 0.7
"""Limits of the search for pages of the same host when a URL is unknown: files, pages and seconds."""
NEAR_URLS = 400
"""Addresses that are compared letter by letter: those that begin alike, in their last part or as a whole."""


@dataclass(frozen=True)
class Found:
    """A page: the position of its split in the products, its row there, and its `documents` row, as it stands too."""

    split: int
    row: int
    document: dict[str, Any]
    table: pa.Table


def tell(message: str) -> None:
    terminal.tell(f"gristmill: {message}")


def index_of(snapshot: snapshots.Snapshot, say: Callable[[str], None] = tell) -> KeyIndex:
    """The key index over a mixture's pages.

    Raises:
        UserError: they are not all there yet.
    """
    address = snapshot.manifest_of("documents")
    if address is None:
        raise UserError(
            f"the pages of mixture {snapshot.name} are not all read yet; `gristmill status` shows how far it is"
        )
    return KeyIndex(snapshot.store, index_name(address), lambda: files_of(snapshot), urls=True, say=say)


def files_of(snapshot: snapshots.Snapshot, product: str = "documents") -> list[tuple[str, int]]:
    """Address and rows of every file of a product."""
    address = snapshot.data["products"].get(product)
    if address is None or not snapshot.store.exists(address):
        return []
    held = facts.read(snapshot.store, address, ["address", "rows"])
    return list(zip(held.column("address"), held.column("rows"), strict=True))


def addresses(snapshot: snapshots.Snapshot, product: str = "documents") -> list[str]:
    return snapshot.addresses(product)


def find(snapshot: snapshots.Snapshot, page: str, index: KeyIndex | None = None) -> list[Found]:
    """Every page with this doc_id (32 hex digits) or URL.

    Raises:
        UserError: when there is none; it names similar URLs of the same host.
    """
    index = index or index_of(snapshot)
    by_id = re.fullmatch(r"[0-9a-fA-F]{32}", page) is not None
    column, value = ("doc_id", bytes.fromhex(page)) if by_id else ("url", page)
    found = []
    for split, row in index.find(column, value, MAX_SAME):
        entry = snapshot.entry("documents", split)
        assert entry is not None
        table = rows_of(snapshot.store, entry.address, row)
        document = table.to_pylist()[0]
        if document[column] == value:
            found.append(Found(split, row, document, table))
    if not found:
        near = "" if by_id else nearest_urls(snapshot, index, page)
        raise UserError(f"no page with {'doc_id' if by_id else 'URL'} {page} in mixture {snapshot.name}{near}")
    return found


def matching_pages(
    store: Store, files: Sequence[str], index: KeyIndex, column: str, value: bytes | str
) -> list[tuple[int, int]]:
    """(split, row) of every page that has this value in a column of the index, not only its hash.

    Args:
        files: addresses of `documents`, one a split.
    """
    found = []
    for split, row in index.find(column, value, MAX_SAME):
        if rows_of(store, files[split], row, [column]).column(0)[0].as_py() == value:
            found.append((split, row))
    return found


def nearest_urls(snapshot: snapshots.Snapshot, index: KeyIndex, page: str) -> str:
    """A hint at pages of the same host whose URLs are like this one."""
    host = hosts_of(pa.array([page], pa.string()))[0].as_py()
    places = index.find("host", host, NEAR_PAGES) if host else []
    if not places:
        scheme = "; a URL begins with its scheme, such as https://, a doc_id has 32 hexadecimal digits"
        return "; it has no page of that host" if host else scheme
    urls: set[str] = set()
    started = time.monotonic()
    for split in sorted({split for split, _ in places})[:NEAR_FILES]:
        if time.monotonic() - started > NEAR_SECONDS:
            break
        entry = snapshot.entry("documents", split)
        assert entry is not None
        column = snapshot.store.read_table(entry.address, ["url"]).column("url")
        rows = pa.array([row for number, row in places if number == split], pa.int64())
        urls.update(url for url in column.take(rows).to_pylist() if url)
    alike = heapq.nlargest(NEAR_URLS, sorted(urls), key=lambda url: begins_alike(page, url))
    close = difflib.get_close_matches(page, alike, 3, 0.5) or alike[:3]
    return f"; of that host it has {', '.join(close)}"


def begins_alike(a: str, b: str) -> tuple[int, int]:
    """Characters that two addresses share at the beginning of their last parts, and of the whole."""
    last = [url.rstrip("/").rpartition("/")[2] for url in (a, b)]
    return same_start(*last), same_start(a, b)


def same_start(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def rows_of(store: Store, address: str, row: int, columns: list[str] | None = None) -> pa.Table:
    """One row of a Parquet file as a table (some columns of it), reading only its row group."""
    for _, table in store.read_rows(address, [row], columns):
        return table
    raise UserError(f"{address} has no such row: it is not aligned with its documents; run verify")


def token_row(store: Store, address: str, doc_id: bytes) -> dict[str, Any] | None:
    """A page's row in a `tokens` file; None where it has none."""
    with store.open(address) as file:
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            rows = pc.indices_nonzero(pc.equal(batch.column("doc_id"), pa.scalar(doc_id, pa.binary(16)))).to_pylist()
            if rows:
                return dict(batch.slice(rows[0], 1).to_pylist()[0])
    return None
