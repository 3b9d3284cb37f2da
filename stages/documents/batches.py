"""Pages to batches of `schemas.DOCUMENTS`: extraction, hashes, and the bounds of a batch.

A batch holds at most `MAX_ROWS` pages and about `MAX_BYTES` of HTML or text, so memory does not depend on file size.
Where a batch ends depends only on the pages before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from stages.documents.account import Account
from stages.documents.characters import cleaned
from stages.documents.extraction import Extract
from stages.documents.page import Page, describe
from stages.documents.visual_order import in_reading_order
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.html.byte_scan import start_tags
from stages.kernels.html.depth import depth
from stages.schemas import DOCUMENTS

MAX_ROWS = 1024
MAX_BYTES = 16 << 20
SLICE_BYTES = 2 << 20
"""HTML handed to the extractor at a time, or one page: a step."""


class Batches:
    """Collects the pages of one split and makes record batches of them."""

    def __init__(
        self,
        source: str,
        extract: Extract,
        account: Account,
        max_depth: int | None,
        max_rows: int = MAX_ROWS,
        step: Callable[[], None] | None = None,
        carried: Sequence[str] = (),
    ) -> None:
        self.carried = carried
        self.max_depth = max_depth
        self.max_rows = max_rows
        self.step = step
        self.extract = extract
        self.account = account
        self.source = source
        self.pages: list[Page] = []
        self.num_bytes = 0
        self.is_html: list[bool] = []
        self.waiting: list[Page] = []
        """Pages of HTML that the extractor has not seen."""
        self.waiting_bytes = 0
        self.extracted: list[pa.LargeStringArray] = []

    def add(self, page: Page) -> bool:
        """Take a page; True when the batch is full and `flush` is due."""
        if page.finish is not None:
            finish, page.finish = page.finish, None
            made = finish(page)
            if isinstance(made, str):
                self.account.drop(made, page.raw_bytes)
                return False
            if not made:
                self.account.quarantine(page.offset, "extraction_failed", page.raw_bytes, page.file)
                return False
        if page.html is not None and self._too_deep(page.html):
            self.account.drop("nested_too_deep", page.raw_bytes)
            return False
        self.pages.append(page)
        self.is_html.append(page.html is not None)
        self.num_bytes += len(page.html) if page.html is not None else len(page.text or "")
        if page.html is not None:
            self._wait(page, len(page.html))
        return len(self.pages) >= self.max_rows or self.num_bytes >= MAX_BYTES

    def _wait(self, page: Page, size: int) -> None:
        """Keep a page for the extractor, and let it have those before it that are enough for a step."""
        if self.waiting and self.waiting_bytes + size > SLICE_BYTES:
            self._extract()
        self.waiting.append(page)
        self.waiting_bytes += size

    def _too_deep(self, html: bytes) -> bool:
        """Counting start tags is enough for most pages: one with few cannot be deep."""
        limit = self.max_depth
        return limit is not None and start_tags(html) > limit and depth(html) > limit

    def flush(self) -> pa.RecordBatch | None:
        """The batch of all pages taken; None if no row comes of them."""
        texts = in_reading_order(self._texts(), self.pages)
        pages = self.pages
        self.pages, self.num_bytes = [], 0
        if texts.null_count:
            pages, texts = self._without_failures(pages, texts)
        if not pages:
            return None
        return self._batch(pages, texts)

    def _texts(self) -> pa.LargeStringArray:
        """The texts of the pages in their order: those of HTML, taken in steps, and those that came as text."""
        if self.waiting:
            self._extract()
        is_html, self.is_html = self.is_html, []
        found, self.extracted = self.extracted, []
        if all(is_html):
            return pa.concat_arrays(found) if found else pa.array([], pa.large_string())
        pairs = zip(self.pages, is_html, strict=True)
        plain = cleaned(pa.array([page.text for page, of_html in pairs if not of_html], pa.large_string()))
        if not found:
            return plain
        places = np.argsort(np.argsort(~np.array(is_html), kind="stable"))
        return pa.concat_arrays([*found, plain]).take(pa.array(places))

    def _extract(self) -> None:
        """The text of the pages that wait. Their HTML is let go: its memory, still in a cache, takes the next ones."""
        if self.step is not None:
            self.step()
        column = binary_column([page.html or b"" for page in self.waiting])
        describe(self.waiting, column)
        self.extracted.append(cleaned(self.extract(column)))  # while it is in a cache
        for page in self.waiting:
            page.html = None
        self.waiting, self.waiting_bytes = [], 0

    def _without_failures(
        self, pages: list[Page], texts: pa.LargeStringArray
    ) -> tuple[list[Page], pa.LargeStringArray]:
        good = texts.is_valid()
        for page, is_good in zip(pages, good.to_pylist(), strict=True):
            if not is_good:
                self.account.quarantine(page.offset, "extraction_failed", page.raw_bytes, page.file)
        return [p for p, g in zip(pages, good.to_pylist(), strict=True) if g], texts.filter(good)

    def _batch(self, pages: list[Page], texts: pa.LargeStringArray) -> pa.RecordBatch:
        sizes, hashes = measure(texts)
        count = len(pages)
        columns: dict[str, Any] = {
            "doc_id": pa.array([doc_id(self.source, p.file, p.offset) for p in pages], pa.binary(16)),
            "source": pa.array([self.source] * count, pa.string()),
            "raw_bytes": pa.array([p.raw_bytes for p in pages], pa.int64()),
            "text_bytes": sizes,
            "text_hash": hashes,
            "text": texts,
        }
        for field in DOCUMENTS:
            if field.name not in columns:
                columns[field.name] = pa.array(list(map(attrgetter(field.name), pages)), field.type)
        account = self.account
        account.records += count
        account.rows += count
        account.raw_bytes += sum(p.raw_bytes for p in pages)
        account.text_bytes += sum(sizes.to_pylist())
        for page in pages:
            if page.note is not None:
                account.notes[page.note] = account.notes.get(page.note, 0) + 1
        batch = pa.record_batch([columns[name] for name in DOCUMENTS.names], schema=DOCUMENTS)
        for k, name in enumerate(self.carried):
            values = [page.carried[k] if k < len(page.carried) else page.about.get(name) for page in pages]
            batch = batch.append_column(pa.field(name, pa.string()), pa.array(values, pa.string()))
        return batch


def doc_id(source: str, file: str, offset: int) -> bytes:
    """The 16 bytes that name a document: xxh3_128 of source, file and position, separated by NUL."""
    return xxhash.xxh3_128_digest(f"{source}\0{file}\0{offset}".encode())


def binary_column(values: list[bytes]) -> pa.LargeBinaryArray:
    """The values as one column: twice as fast as ``pa.array``, which grows its buffer as it goes."""
    offsets = offsets_of(np.fromiter(map(len, values), np.int64, len(values)))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(values), buffers)


def measure(texts: pa.LargeStringArray) -> tuple[pa.Array, pa.Array]:
    """(text_bytes, text_hash) of a column of texts: bytes of UTF-8 and their xxh3_128."""
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = memoryview(offsets_buffer).cast("q")[texts.offset : texts.offset + len(texts) + 1].tolist()
    data = memoryview(data_buffer) if data_buffer is not None else memoryview(b"")
    digest = xxhash.xxh3_128_digest
    pairs = list(pairwise(offsets))
    hashes = pa.array([digest(data[start:stop]) for start, stop in pairs], pa.binary(16))
    return pa.array([stop - start for start, stop in pairs], pa.int64()), hashes
