"""Origins: from a token of a shard back to its document, and from a document to its raw record."""

from __future__ import annotations

import posixpath
import re
from typing import Any

import numpy as np
import pyarrow.fs as pafs

from pipeline import recipe
from pipeline.errors import UserError
from pipeline.recipe import pages
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.pages import rows_of
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store, filesystem_of
from pipeline.terminal import safe_line
from stages.reports import Shard, ShardManifest
from stages.shard_format import open_data

SHARD = re.compile(r"^(?P<shard>.+?\.arrow)(?::(?P<row>\d+)(?::(?P<token>\d+))?)?$")
MADE_BY = ("transform", "ordinal")
NEAR = 12
"""Tokens shown on each side of the one asked for."""


def raw_record(snapshot: Snapshot, split: int, document: dict[str, Any]) -> bytes:
    """The record a page was made of, byte for byte, from the input file, which must still be there.

    Raises:
        UserError: it is not, or it is another file by now.

    A page that a transform made has that of the page it was made of.
    """
    if document.get("derived_from"):
        parent = pages.find(snapshot, document["derived_from"].hex())[0]
        return raw_record(snapshot, parent.split, parent.document)
    uris = input_uris(snapshot, document["source"], document["file"])
    entry = snapshot.entry("documents", split)
    assert entry is not None
    about = snapshot.store.read_json(entry.about)
    if not uris:
        raise UserError(
            f"{safe_line(document['file'])}: nobody knows where source {document['source']} lies;"
            " run the mixture once more"
        )
    uri = uris[0] if len(uris) == 1 else next((uri for uri in uris if is_there(uri)), uris[0])
    try:
        return recipe.raw_record(document["source"], document["file"], uri, about["params"], document["offset"])
    except (OSError, LookupError, ValueError) as error:
        raise UserError(f"{safe_line(uri)} at {document['offset']}: the record cannot be read: {error}") from error


def is_there(uri: str) -> bool:
    if uri.startswith(("http://", "https://")):
        return True
    fs, path = filesystem_of(uri)
    return bool(fs.get_file_info(path).type == pafs.FileType.File)


def input_uris(snapshot: Snapshot, source: str, file: str) -> list[str]:
    """The URIs at which an input file may be."""
    address = f"runs/inputs/{snapshot.name}.json"
    known = snapshot.store.read_json(address) if snapshot.store.exists(address) else {}
    mine = known.get(source, {"folders": [], "files": {}})
    return [mine["files"][file]] if file in mine["files"] else [f"{folder}{file}" for folder in mine["folders"]]


def trace(store: Store, name: str | None, place: str) -> dict[str, Any]:
    """The shard, document and token at ``SHARD[:ROW[:TOKEN]]`` of a folder of shards, and their origin.

    ``SHARD`` is a file of the corpus or of a domain: its address under the root, its path, or its name where only one
    folder has it. ROW counts documents from 0, TOKEN the tokens of that document.

    Raises:
        UserError: no such shard in any manifest of the mixture, row or token.
    """
    match = SHARD.match(place)
    if match is None:
        raise UserError(
            f"{place!r} is no place in a shard; write SHARD.arrow, SHARD.arrow:ROW or SHARD.arrow:ROW:TOKEN"
        )
    snapshot = snapshots.load(store, name)
    manifest, folder, entry = find_shard(snapshot, match["shard"])
    path = posixpath.normpath(f"{folder}/{entry['path']}")
    found: dict[str, Any] = {
        "mixture": snapshot.name,
        "shard": path,
        "kind": manifest["kind"],
        "documents": entry["rows"],
        "tokens": entry["tokens"],
        "domains": entry["domains"],
    }
    if match["row"] is None:
        return found
    row = int(match["row"])
    if row >= entry["rows"]:
        raise UserError(f"{path} has {entry['rows']} documents, 0 to {entry['rows'] - 1}; there is no {row}")
    docs = rows_of(store, posixpath.normpath(f"{folder}/{entry['docs']}"), row).to_pylist()[0]
    ids, doc_id, first = document_ids(store, path, entry, manifest["tokenizer"]["dtype"], row)
    if doc_id != docs["doc_id"]:
        raise UserError(f"{path}: document {row} is not the one its docs name; run verify")
    found |= {"row": row, "first_token": first, "document": docs | {"doc_id": doc_id.hex()}}
    if docs["source"] in snapshot.data.get("transforms", {}):
        found["derived_from"] = parent_of(snapshot, doc_id)
    if match["token"] is not None:
        token = int(match["token"])
        if token >= len(ids):
            raise UserError(f"document {row} of {path} has {len(ids)} tokens; there is no {token}")
        start = max(0, token - NEAR)
        found |= {
            "token": token,
            "id": int(ids[token]),
            "ids": ids[start : token + NEAR + 1].tolist(),
            "ids_start": start,
        }
    return found


def parent_of(snapshot: Snapshot, doc_id: bytes) -> dict[str, Any]:
    """The page that a derived page was made of, and by which transform."""
    page = pages.find(snapshot, doc_id.hex())[0].document
    parent = pages.find(snapshot, page["derived_from"].hex())[0].document
    origin = {"transform": page["transform"], "ordinal": page["ordinal"], "doc_id": parent["doc_id"].hex()}
    return origin | {key: parent[key] for key in ("url", "source", "file", "offset", "text_bytes")}


def find_shard(snapshot: Snapshot, shard: str) -> tuple[ShardManifest, str, Shard]:
    """Manifest, folder and entry of a shard of the mixture."""
    store = snapshot.store
    wanted = posixpath.normpath(shard.removeprefix(store.root.rstrip("/") + "/").removeprefix(store.base + "/"))
    addresses = [*snapshot.corpora().values(), *snapshot.data.get("shards", {}).values()]
    found = []
    for address in dict.fromkeys(addresses):
        if not store.exists(address):
            continue
        manifest, folder = store.read_json(address), address.rpartition("/")[0]
        for entry in manifest["shards"]:
            path = posixpath.normpath(f"{folder}/{entry['path']}")
            if path == wanted:
                return manifest, folder, entry
            if path.endswith(f"/{wanted}"):
                found.append((manifest, folder, entry))
    if not found:
        folder = str(snapshot.data.get("corpus") or "").rpartition("/")[0]
        others = [name for name in snapshots.names(store) if name != snapshot.name]
        hint = f"; its corpus is {folder}" if folder else "; its corpus is not there yet"
        hint += f"; for other mixtures of this root give --mixture {' or '.join(others)}" if others else ""
        raise UserError(f"{shard} is in no manifest of mixture {snapshot.name}{hint}")
    if len(found) > 1:
        names = ", ".join(f"{folder}/{entry['path']}" for _, folder, entry in found[:4])
        raise UserError(f"{shard} could be any of {names}; give more of its path")
    return found[0]


def document_ids(store: Store, path: str, entry: Shard, dtype: str, row: int) -> tuple[Any, bytes, int]:
    """Token ids and doc_id of a document of a shard, and the number of its first token in it; reads only these."""
    width = np.dtype(dtype).itemsize
    before = 0
    with open_data(store, path, entry) as file:
        for batch in entry["batches"]:
            if row < batch["rows"]:
                raw = file.read_at(16, batch["offsets_position"] + 8 * row)
                begin, end = (int(value) for value in np.frombuffer(raw, "<i8"))
                ids = file.read_at((end - begin) * width, batch["values_position"] + begin * width)
                doc_id = file.read_at(16, batch["doc_id_position"] + 16 * row)
                return np.frombuffer(ids, np.dtype(dtype)), bytes(doc_id), before + begin
            row -= batch["rows"]
            before += batch["tokens"]
    raise UserError(f"{path}: its manifest counts more documents than it has batches for; run verify")


def trace_lines(found: dict[str, Any]) -> list[str]:
    """A trace as text; its strings come in already made safe to show."""
    shares = ", ".join(f"{name} {tokens:,}" for name, tokens in sorted(found["domains"].items()))
    lines = [f"{found['shard']}: {found['documents']:,} documents, {found['tokens']:,} tokens ({shares})"]
    if "row" in found:
        document = found["document"]
        last = found["first_token"] + document["num_tokens"] - 1
        lines.append(f"document {found['row']:,}, tokens {found['first_token']:,} to {last:,} of the shard")
        width = max(len(key) for key in document)
        lines += [f"  {key:<{width}}  {'-' if value is None else value}" for key, value in document.items()]
    if "derived_from" in found:
        made = found["derived_from"]
        lines.append(f"text {made['ordinal']} that {made['transform']} made of")
        lines += [f"  {key:<10}  {'-' if v is None else v}" for key, v in made.items() if key not in MADE_BY]
    if "token" in found:
        at = found["token"] - found["ids_start"]
        ids = [f"[{value}]" if place == at else str(value) for place, value in enumerate(found["ids"])]
        lines.append(f"token {found['token']:,}: id {found['id']} in {' '.join(ids)}")
    return lines
