"""`remove`: pages that must not be trained on, by URL, host or doc_id: a list that holds for every run under a root.

``takedown/list.json`` holds ``{"kind": "url" | "host" | "doc_id", "value", "copies"}``, sorted. Every run looks the
entries up in the key index of its pages and hands each split's doc_ids to `kept`, which drops them as ``taken_down``.
Only splits that hold such pages are decided and tokenized again; of the shards, those of the domains they were in, and
the corpus. With ``copies``, the page that stayed in the place of a removed duplicate goes too, and with it the text.
Pages that transforms made of a removed page go with it, always; the receipt states which of which (``derived``).

The receipt (``takedown/receipts/<address>.json``) names the pages, and what was read to see that no shard of the
mixture holds them: the doc_ids in every shard, and the URLs beside it. Where `kept.robots.files` asks not to use one of
them, it cites the line. The list takes nothing out of `documents` and
out of shards of earlier runs, which stay where they are; the receipt names those folders, for deletion by hand.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import RunError, UserError
from pipeline.recipe import answers, lineage
from pipeline.recipe.pages import rows_of
from pipeline.recipe.removed import LIST as LIST
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.address import digest
from pipeline.store.key_index import KeyIndex, hosts_of
from pipeline.store.storage import Store
from stages.reports import Shard
from stages.shard_format import open_data

KINDS = ("url", "host", "doc_id")
HOST = re.compile(r"^\w(?:[\w.-]*\w)?$")
Entry = dict[str, Any]


def read_list(path: str | Path, copies: bool) -> list[Entry]:
    """The entries of a text file: a URL, host name or doc_id a line; empty lines and those with # are passed over.

    Raises:
        UserError: with the number of the first line that is none of these.
    """
    entries = []
    for number, raw in enumerate(answers.text_lines(path), 1):
        try:
            value = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise UserError(f"{path}:{number}: expected text in UTF-8, found {raw[:80]!r}") from None
        if not value or value.startswith("#"):
            continue
        if re.fullmatch(r"[0-9a-fA-F]{32}", value):
            entries.append({"kind": "doc_id", "value": value.lower(), "copies": copies})
        elif "://" in value:
            entries.append({"kind": "url", "value": value, "copies": copies})
        elif HOST.match(host := unicodedata.normalize("NFC", value.rstrip(".").lower())) and "." in host:
            entries.append({"kind": "host", "value": host, "copies": copies})
        else:
            raise UserError(f"{path}:{number}: expected a URL, a host or a doc_id by itself, found {value[:80]!r}")
    if not entries:
        raise UserError(f"{path} names no page and no host")
    return entries


def load(store: Store) -> list[Entry]:
    """The pages to remove from everything under this root."""
    return list(store.read_json(LIST)["entries"]) if store.exists(LIST) else []


def add(store: Store, entries: Iterable[Entry]) -> int:
    """Put entries on the root's list, those there already left alone; returns the number of new ones."""
    known = {(entry["kind"], entry["value"]): entry for entry in load(store)}
    before = len(known)
    for entry in entries:
        old = known.setdefault((entry["kind"], entry["value"]), entry)
        known[entry["kind"], entry["value"]] = old | {"copies": old["copies"] or entry["copies"]}
    store.write_json(LIST, {"version": 1, "entries": [known[key] for key in sorted(known)]})
    return len(known) - before


def spelled(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, and a host beyond ASCII in letters and in punycode: pages have one or the other."""
    for entry in entries:
        if entry["kind"] == "host":
            yield from (entry | {"value": name} for name in answers.host_spellings(entry["value"]))
        else:
            yield entry


def sought(entry: Entry) -> bytes | str:
    """The value of an entry as the index has it."""
    return bytes.fromhex(entry["value"]) if entry["kind"] == "doc_id" else str(entry["value"])


def resolve(
    store: Store,
    entries: Sequence[Entry],
    index: KeyIndex,
    documents: Sequence[str],
    clusters: Sequence[str] | None,
    parents: Sequence[int | None] = (),
) -> dict[int, list[str]]:
    """The doc_ids to remove in hex, sorted, of every split that holds any; what was made of such pages goes with them.

    Args:
        documents, clusters: addresses of these products, one a split; clusters where there was deduplication.
        parents: of every split the one its pages were made of (`pipeline.recipe.lineage`).
    """
    found: dict[int, set[bytes]] = {}
    for entry in spelled(entries):
        value = sought(entry)
        rows: dict[int, list[int]] = {}
        for split, row in index.find(entry["kind"], value, None):
            rows.setdefault(split, []).append(row)
        for split, places in rows.items():
            for row, doc_id in matching(store, documents[split], places, entry["kind"], value):
                found.setdefault(split, set()).add(doc_id)
                if entry["copies"] and clusters is not None:
                    stays = rows_of(store, clusters[split], row).column("survivor")[0].as_py()
                    for place in index.find("doc_id", stays) if stays else ():
                        found.setdefault(place[0], set()).add(stays)
    for split, gone in sorted(found.items()):
        for number, pairs in lineage.children(store, documents, parents, split, gone).items():
            found.setdefault(number, set()).update(child for child, _ in pairs)
    return {split: sorted(doc_id.hex() for doc_id in found[split]) for split in sorted(found)}


def derived(snapshot: Snapshot, removed: dict[int, list[str]]) -> list[dict[str, str]]:
    """The removed pages that a transform made of another one that is removed, each with that."""
    documents = [entry.address for entry in snapshot.product("documents")]
    parents = lineage.parents(snapshot)
    made = [
        {"doc_id": child.hex(), "derived_from": parent.hex()}
        for split, ids in removed.items()
        for pairs in lineage.children(snapshot.store, documents, parents, split, map(bytes.fromhex, ids)).values()
        for child, parent in pairs
    ]
    return sorted(made, key=lambda pair: (pair["derived_from"], pair["doc_id"]))


def matching(store: Store, address: str, rows: list[int], kind: str, value: bytes | str) -> list[tuple[int, bytes]]:
    """The rows that have the value itself and not only its hash, each with its doc_id."""
    table = store.read_table(address, ["doc_id", "url"]).take(pa.array(rows, pa.int64()))
    column = table.column("doc_id" if kind == "doc_id" else "url").combine_chunks()
    values = hosts_of(column) if kind == "host" else column
    same = pc.fill_null(pc.equal(values, pa.scalar(value, values.type)), False).to_pylist()
    ids = table.column("doc_id").to_pylist()
    return [(row, doc_id) for row, doc_id, hit in zip(rows, ids, same, strict=True) if hit]


# The receipt


def receipt(snapshot: Snapshot, removed: dict[int, list[str]]) -> tuple[str, dict[str, Any]]:
    """Look into every shard of a finished mixture for removed pages, and write down that there is none.

    Raises:
        RunError: there is one.
    """
    store = snapshot.store
    entries = load(store)
    wanted = sorted({doc_id for ids in removed.values() for doc_id in ids})
    urls = pa.array(sorted(entry["value"] for entry in entries if entry["kind"] == "url"), pa.string())
    hosts = pa.array(sorted(entry["value"] for entry in spelled(entries) if entry["kind"] == "host"), pa.string())
    current = [*snapshot.corpora().values(), *snapshot.data.get("shards", {}).values()]
    checked, problems = [], []
    for address in dict.fromkeys(current):
        folder = address.rpartition("/")[0]
        for entry in store.read_json(address)["shards"]:
            path, docs = (posixpath.normpath(f"{folder}/{entry[key]}") for key in ("path", "docs"))
            held = int(
                np.isin(shard_ids(store, path, entry), np.array([bytes.fromhex(one) for one in wanted], "V16")).sum()
            )
            column = store.read_table(docs, ["url"]).column("url")
            held += pc.sum(pc.is_in(column, urls)).as_py() or 0
            held += pc.sum(pc.is_in(hosts_of(column), hosts)).as_py() or 0
            checked.append({"shard": path, "documents": entry["rows"], "xxh3_128": entry["xxh3_128"], "found": held})
            problems += [path] if held else []
    if problems:
        raise RunError(f"{len(problems)} shards still hold pages that were to be removed: {', '.join(problems[:5])}")
    written = {
        "version": 1,
        "mixture": snapshot.name,
        "list": entries,
        "pages": wanted,
        "splits": len(removed),
        "manifests": {address: str(store.checksum(address)["xxh3_128"]) for address in dict.fromkeys(current)},
        "shards": checked,
        "superseded": superseded(store, current),
    }
    if cited := objections(snapshot, removed):
        written["asked"] = cited
    if "transforms" in snapshot.data:
        written["derived"] = derived(snapshot, removed)
    address = f"takedown/receipts/{snapshot.name}-{digest(written)}.json"
    store.write_json(address, written)
    return address, written


def objections(snapshot: Snapshot, removed: dict[int, list[str]]) -> list[dict[str, Any]]:
    """The removed pages that the files of their services ask not to use, with the lines that ask it."""
    store = snapshot.store
    found = []
    for split, doc_ids in removed.items():
        kept, documents = snapshot.entry("kept", split), snapshot.entry("documents", split)
        place = kept.report.get("robots") if kept else None
        if kept is None or documents is None or not place:
            continue
        params = store.read_json(kept.about)["params"]
        wanted = pa.array([bytes.fromhex(doc_id) for doc_id in doc_ids], pa.binary(16))
        table = store.read_table(documents.address, ["doc_id", "url"])
        for row in table.filter(pc.is_in(table.column("doc_id"), wanted)).to_pylist():
            lines = answers.failed_robots(store, place, params, row["url"])
            found += [{"doc_id": row["doc_id"].hex(), "page": row["url"], **line} for line in lines]
    return found


def shard_ids(store: Store, path: str, entry: Shard) -> Any:
    """The doc_ids in a shard's own bytes."""
    parts = [np.empty(0, "V16")]
    with open_data(store, path, entry) as file:
        for batch in entry["batches"]:
            parts.append(np.frombuffer(file.read_at(16 * batch["rows"], batch["doc_id_position"]), "V16"))
    return np.concatenate(parts)


def superseded(store: Store, current: Sequence[str]) -> list[str]:
    """Folders of shards under the root that are none of this mixture's: of earlier runs, and of other mixtures."""
    kept = {address.rpartition("/")[0] for address in current}
    found = {
        address.rpartition("/")[0]
        for product in ("shards", "corpus")
        for address, _ in store.list(product)
        if address.endswith("/manifest.json")
    }
    return sorted(found - kept)
