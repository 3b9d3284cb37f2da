"""`dedup-report`: what deduplication did to a mixture, read from its files; with labelled pairs, how well it did.

A file of pairs has columns or keys ``a`` and ``b`` (doc_ids of 32 hexadecimal digits, or URLs) and ``duplicate`` (true
or false, yes or no, 1 or 0): .csv or .tsv with a head, .jsonl or .parquet. Price: the row groups that hold these pages.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.recipe import duplicates_text, file_rows, graph, judged_text
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.pages import index_of, matching_pages
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store

COLUMNS = ("a", "b", "duplicate")
LABELS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
SHOWN = 5
Place = tuple[int, int]


def text(store: Store, name: str | None, largest: int) -> str:
    """The report as text, with the ``largest`` clusters explained.

    Raises:
        UserError: when the mixture was not deduplicated (yet).
    """
    snapshot = snapshots.load(store, name)
    folder = snapshot.data.get("clusters")
    snapshot.check_there()
    summary = f"{folder}/summary.json"
    if not folder or (not snapshot.complete and not store.exists(summary)):
        raise UserError(f"mixture {snapshot.name} has no clusters: deduplication is off, or its run is not so far")
    if "largest_shown" not in store.read_json(summary):
        raise UserError(
            f"{store.uri(summary)} was written by an earlier version; the next run of its mixture makes it anew"
        )
    splits = []
    read = graph.BY_NAME["families"].inputs
    for split, *files in zip(snapshot.splits(), *(snapshot.product(product) for product in read), strict=True):
        addresses = {product: entry.address for product, entry in zip(read, files, strict=True)}
        documents = files[0].report
        counts = {"rows": documents["rows"], "text_bytes": documents["text_bytes"]}
        splits.append({"name": split["id"], "source": split["source"], **addresses, **counts})
    return duplicates_text(store, folder, splits, largest)


def pairs_text(store: Store, name: str | None, path: str) -> str:
    """Recall and precision over the labelled pairs of a file, by similarity, as text.

    Raises:
        UserError: the file cannot be read or is no such file; it names no pair of pages of the mixture; the mixture was
            not deduplicated (yet).
    """
    labelled = list(read_pairs(path))
    snapshot = snapshots.load(store, name)
    if not {"clusters", "eligible"} <= {*snapshot.data["products"]}:
        raise UserError(f"mixture {snapshot.name} has no clusters: deduplication is off, or its run is not so far")
    places, notes = find_places(snapshot, [page for a, b, _ in labelled for page in (a, b)])
    known = [(a, b, label) for a, b, label in labelled if a in places and b in places]
    if not known:
        raise UserError(f"{path}: none of its {len(labelled):,} pairs are pages of mixture {snapshot.name}{notes}")
    rows = pages_at(snapshot, {places[page] for a, b, _ in known for page in (a, b)})
    number = {place: position for position, place in enumerate(rows)}
    pairs = [
        {
            "pages": (a, b),
            "duplicate": label,
            "stays": tuple(rows[places[page]]["stays"] for page in (a, b)),
            "eligible": all(rows[places[page]]["eligible"] for page in (a, b)),
            "texts": tuple(number[places[page]] for page in (a, b)),
        }
        for a, b, label in known
    ]
    ngram = store.read_json(f"{next(snapshot.product('signatures')).address.rpartition('/')[0]}/about.json")
    report = judged_text([row["text"] for row in rows.values()], pairs, ngram["params"]["ngram"])
    unknown = len(labelled) - len(known)
    return report + (f"\n{unknown:,} pairs left out{notes}\n" if unknown else "")


def read_pairs(path: str) -> Iterator[tuple[str, str, bool]]:
    """(page, page, label) of every row.

    Raises:
        UserError: with the row that is none of these.
    """
    file = Path(path)
    try:
        if file.suffix in (".csv", ".tsv"):
            delimiter = "\t" if file.suffix == ".tsv" else ","
            with file.open(encoding="utf-8-sig", newline="") as lines:
                rows: list[dict[str, Any]] = list(csv.DictReader(lines, delimiter=delimiter))
        elif file.suffix in (".jsonl", ".ndjson", ".json", ".parquet", ".gz", ".zst"):
            rows = list(file_rows(path, COLUMNS))
        else:
            raise UserError(f"{path}: expected a .csv, .tsv, .jsonl or .parquet file of labelled pairs")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"{path}: {why}") from error
    for position, row in enumerate(rows, 1):
        missing = [name for name in COLUMNS if row.get(name) is None]
        if missing:
            found = ", ".join(str(name) for name in row)
            raise UserError(f"{path}, row {position}: expected {', '.join(COLUMNS)}; no {missing[0]!r}, found {found}")
        label = LABELS.get(str(row["duplicate"]).strip().lower())
        if label is None:
            raise UserError(
                f"{path}, row {position}: expected duplicate to be one of {', '.join(LABELS)}, found"
                f" {str(row['duplicate'])[:40]!r}"
            )
        a, b = (str(row[name]).strip() for name in ("a", "b"))
        if a == b:
            raise UserError(f"{path}, row {position}: expected two pages, found {a[:80]} twice")
        yield a, b, label
    if not rows:
        raise UserError(f"{path}: it holds no pair")


def find_places(snapshot: Snapshot, names: list[str]) -> tuple[dict[str, Place], str]:
    """(split, row) of each page by doc_id or URL, and a note on names that no page or several have."""
    index = index_of(snapshot)
    files = [entry.address for entry in snapshot.product("documents")]
    places: dict[str, Place] = {}
    unknown: list[str] = []
    several: list[str] = []
    for name in dict.fromkeys(names):
        by_id = re.fullmatch(r"[0-9a-fA-F]{32}", name) is not None
        kind, value = ("doc_id", bytes.fromhex(name)) if by_id else ("url", name)
        hits = matching_pages(snapshot.store, files, index, kind, value)
        if len(hits) == 1:
            places[name] = hits[0]
        else:
            (several if hits else unknown).append(name)
    notes = [f"{len(unknown):,} pages are not there, such as {', '.join(unknown[:SHOWN])}"] if unknown else []
    if several:
        notes.append(f"{len(several):,} addresses have several pages (name them by doc_id), such as {several[0]}")
    return places, "".join(f"; {note}" for note in notes)


def pages_at(snapshot: Snapshot, places: set[Place]) -> dict[Place, dict[str, Any]]:
    """Text, whether it is eligible, and which page stays for it (hex), of single pages."""
    store = snapshot.store
    found: dict[Place, dict[str, Any]] = {}
    for split in sorted({split for split, _ in places}):
        rows = np.array(sorted(row for number, row in places if number == split), np.int64)
        entries = {name: snapshot.entry(name, split) for name in ("documents", "clusters", "eligible")}
        addresses = {name: entry.address for name, entry in entries.items() if entry is not None}
        stays = store.read_table(addresses["clusters"], ["survivor"]).column(0).take(pa.array(rows)).to_pylist()
        eligible = store.read_table(addresses["eligible"]).column(0).take(pa.array(rows)).to_pylist()
        tables = store.read_rows(addresses["documents"], rows, ["doc_id", "text"])
        texts = [page for _, table in tables for page in table.to_pylist()]
        for row, page, stay, passes in zip(rows.tolist(), texts, stays, eligible, strict=True):
            doc_id = (stay or page["doc_id"]).hex()
            found[split, row] = {"text": page["text"], "stays": doc_id, "eligible": passes}
    return found
