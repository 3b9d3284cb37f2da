"""`find`: the pages whose text holds a phrase, kept or dropped, each with its decision and the place in its text.

A scan: every text is read and searched, file by file, on a thread each (reading and searching leave Python).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.progress import human_bytes
from pipeline.recipe.pages import addresses, rows_of, tell
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store
from stages.schemas import is_label, label_column
from stages.seal import DamagedFile

CONTEXT = 60
PROGRESS_SECONDS = 5.0
COLUMNS = ("doc_id", "url", "source", "file", "offset", "text_bytes", "text")


@dataclass(frozen=True)
class Phrase:
    """The phrase to look for: a piece of text as it stands, or a regular expression (RE2)."""

    text: str
    ignore_case: bool = False
    regex: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    """Pages that have all of these: (labeller, label)."""

    def check(self) -> None:
        """Raises UserError for what cannot be searched."""
        if not self.text:
            raise UserError("there is nothing to find in an empty phrase")
        try:
            self.matches(pa.array([""], pa.large_string()))
        except pa.ArrowInvalid as error:
            raise UserError(f"{self.text!r} is no regular expression: {str(error).splitlines()[0]}") from error

    def matches(self, texts: Any) -> Any:
        """Of each text whether it holds the phrase.

        Plain text too goes through RE2, which finds its first byte by SIMD: Arrow's own search for it takes three
        times as long.
        """
        pattern = self.text if self.regex else quoted(self.text)
        return pc.match_substring_regex(texts, pattern, ignore_case=self.ignore_case)

    def place(self, text: str) -> tuple[int, int]:
        """First and last character of the first match; of a pattern Python reads otherwise, the start of the text."""
        try:
            pattern = self.text if self.regex else re.escape(self.text)
            match = re.search(pattern, text, re.IGNORECASE if self.ignore_case else 0)
        except re.error:
            match = None
        return match.span() if match else (0, 0)


def label_wanted(text: str) -> tuple[str, str]:
    """(labeller, label) of NAME=LABEL.

    Raises:
        UserError: it is not written so.
    """
    name, mark, label = text.partition("=")
    if not (name and mark and label):
        raise UserError(f"--label: expected NAME=LABEL, found {text!r}")
    return name, label


def quoted(text: str) -> str:
    """A pattern of RE2 that matches a text as it stands."""
    return "".join(c if c.isalnum() or c in "_ " or ord(c) > 127 else f"\\x{ord(c):02x}" for c in text)


def find(
    snapshot: Snapshot, phrase: Phrase, limit: int | None, workers: int, say: Callable[[str], None] = tell
) -> Iterator[dict[str, Any]]:
    """Pages with the phrase, in the order of the splits; the scan ends once ``limit`` are found."""
    phrase.check()
    kept = addresses(snapshot, "kept")
    labels = addresses(snapshot, "labels")
    if phrase.labels and not labels:
        raise UserError(f"mixture {snapshot.name} has no labels: its file has no section `labels`")
    files = [
        (address, kept[split] if split < len(kept) else None, labels[split] if split < len(labels) else None)
        for split, address in enumerate(addresses(snapshot))
    ]
    if not files:
        raise UserError(
            f"the pages of mixture {snapshot.name} are not all read yet; `gristmill status` shows how far it is"
        )
    found = 0
    size = 0
    started = last_progress = time.monotonic()
    with ThreadPoolExecutor(workers) as threads:
        rest = iter(files)
        waiting = [threads.submit(scan, snapshot.store, phrase, *each) for each in islice(rest, 2 * workers)]
        done = 0
        while waiting:
            hits, read = waiting.pop(0).result()
            waiting += [threads.submit(scan, snapshot.store, phrase, *each) for each in islice(rest, 1)]
            done, size = done + 1, size + read
            for hit in hits:
                yield {"split": done - 1, **hit}
                found += 1
                if limit is not None and found >= limit:
                    for future in waiting:
                        future.cancel()
                    return
            if time.monotonic() - last_progress > PROGRESS_SECONDS:
                last_progress = time.monotonic()
                speed = human_bytes(int(size / (last_progress - started)))
                say(f"{done} of {len(files)} files, {human_bytes(size)} of text, {speed}/s, {found} found")


def scan(
    store: Store, phrase: Phrase, documents: str, kept: str | None, labels: str | None
) -> tuple[list[dict[str, Any]], int]:
    """The hits of one split, and the bytes of text searched."""
    store = Store(store.root)  # of this thread, so that what it opened last is what it cannot read
    try:
        return search(store, phrase, documents, kept, labels)
    except (OSError, ValueError, DamagedFile) as error:
        place, why = store.unreadable(error)
        raise UserError(f"{place} cannot be read ({why}); `gristmill verify` checks all") from error


def search(
    store: Store, phrase: Phrase, documents: str, kept: str | None, labels: str | None
) -> tuple[list[dict[str, Any]], int]:
    hits = []
    size = 0
    of_pages = labels_of(store, labels, phrase) if labels else None
    for start, table in store.row_groups(documents, ["text"]):
        texts = table.column("text")
        size += texts.nbytes
        matches = phrase.matches(texts)
        if of_pages is not None:
            here = of_pages.slice(start, table.num_rows)
            for name, label in phrase.labels:
                matches = pc.and_(matches, pc.fill_null(pc.equal(here.column(label_column(name)), label), False))
        rows = pc.indices_nonzero(matches).to_pylist()
        if rows:
            tables = store.read_rows(documents, [start + row for row in rows], COLUMNS)
            pages = [page for _, one in tables for page in one.to_pylist()]
            found = [hit(store, phrase, page, kept, start + row) for page, row in zip(pages, rows, strict=True)]
            if of_pages is not None:
                own_labels = here.take(pa.array(rows)).to_pylist()
                found = [one | {"labels": own} for one, own in zip(found, own_labels, strict=True)]
            hits += found
    return hits, size


def labels_of(store: Store, address: str, phrase: Phrase) -> pa.Table:
    """The best labels of all pages of a split, a column a labeller.

    Raises:
        UserError: none of that name.
    """
    with store.open(address) as file:
        parquet = pq.ParquetFile(file)
        columns = [name for name in parquet.schema_arrow.names if is_label(name)]
        for name, _ in phrase.labels:
            if label_column(name) not in columns:
                there = ", ".join(column.removesuffix("_label") for column in columns)
                raise UserError(f"no labeller {name!r}; there is {there}")
        return parquet.read(columns)


def hit(store: Store, phrase: Phrase, page: dict[str, Any], kept: str | None, row: int) -> dict[str, Any]:
    decided = rows_of(store, kept, row).to_pylist()[0] if kept else {}
    text = page.pop("text")
    first, last = phrase.place(text)
    return {
        **page,
        "doc_id": page["doc_id"].hex(),
        "row": row,
        **{key: decided.get(key) for key in ("keep", "domain", "reason")},
        "at": first,
        "context": text[max(0, first - CONTEXT) : last + CONTEXT],
    }


def in_a_line(found: dict[str, Any]) -> dict[str, Any]:
    """A hit whose context has spaces for line ends and tabs."""
    return found | {"context": " ".join(found["context"].split())}


def hit_lines(found: dict[str, Any]) -> list[str]:
    """A hit as text; its strings come in already made safe to show."""
    fate = f"kept in {found['domain']}" if found["keep"] else f"dropped, {found['reason']}"
    fate = "not decided yet" if found["keep"] is None else fate
    labels = {name: label for name, label in found.get("labels", {}).items() if label is not None}
    labels_text = "".join(f"  {name.removesuffix('_label')}: {label}" for name, label in labels.items())
    return [
        f"{found['url'] or found['source'] + '/' + found['file']}  {found['doc_id']}  {fate}{labels_text}",
        f"    {found['context']}",
    ]
