"""Checks of `verify` on shards beyond their bytes: nothing held out is trained on, and the ids are those of the texts.

`held_out_problems` compares the doc_ids of held-out splits with those of every corpus, with the numbers of pieces where
each piece is held out by itself; it holds the former, 16 bytes each. `Sample` follows a few documents of every folder
of shards back to their page, cuts its spans, tokenizes it by the reference library and compares the ids: the whole path
from text to shard, on a sample.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import recipe
from pipeline.answers.trace import document_ids
from pipeline.errors import UserError
from pipeline.recipe.pages import rows_of
from pipeline.recipe.snapshot import Snapshot
from pipeline.terminal import safe_line
from stages.reports import Shard

SHARDS_A_FOLDER = 3
ROWS_A_SHARD = 2
MAX_TEXT_BYTES = 1 << 20
"""Larger documents are left out of the sample: the reference library takes seconds for them."""


def held_out_problems(snapshot: Snapshot) -> list[str]:
    """Documents of a corpus that are held out for validation or tests, or are in two splits; the first of each file."""
    store = snapshot.store
    problems: list[str] = []
    shards = snapshot.data.get("shards", {}).values()
    whole = any(_held_out_whole(store, manifest) for manifest in shards)
    splits: dict[str, list[npt.NDArray[np.void]]] = {}
    for split, address in docs_of(snapshot, shards):
        splits.setdefault(split, []).append(names(id_columns(store, address, whole)))
    held = {split: np.unique(np.concatenate(found)) for split, found in splits.items() if split != "train"}
    if len(held) > 1 and len(np.unique(np.concatenate(list(held.values())))) < sum(map(len, held.values())):
        problems.append(f"documents are held out twice, in {' and '.join(sorted(held))}")
    if not held:
        return problems
    everything = np.concatenate(list(held.values()))
    for split, address in docs_of(snapshot, [*shards, *snapshot.corpora().values()]):
        if split == "train":
            found = np.unique(names(id_columns(store, address, whole)))
            wrong = found[np.isin(found, everything)]
            if len(wrong):
                first = wrong[0].tobytes().hex()
                problems.append(f"{address}: {len(wrong)} documents to train on are held out; the first is {first}")
    return problems


def docs_of(snapshot: Snapshot, manifests: Any) -> Iterator[tuple[str, str]]:
    """Split and address of the Parquet beside every shard of some manifests, each once."""
    seen = set()
    for manifest in manifests:
        if not snapshot.store.exists(manifest):
            continue
        folder = manifest.rpartition("/")[0]
        for entry in snapshot.store.read_json(manifest)["shards"]:
            address = posixpath.normpath(f"{folder}/{entry['docs']}")
            if address not in seen:
                seen.add(address)
                yield entry.get("split", "train"), address


def _held_out_whole(store: Any, manifest: str) -> bool:
    """Whether the shards of a manifest hold documents out with all their pieces (`shards.hold_out`)."""
    about = f"{manifest.rsplit('/', 2)[0]}/about.json"
    return bool(store.exists(about) and store.read_json(about)["params"].get("hold_out") == "documents")


def id_columns(store: Any, address: str, whole: bool) -> pa.Table:
    """The columns of the docs beside a shard that tell documents apart, and unless they are whole, pieces of them."""
    with store.open(address) as file:
        there = pq.read_schema(file).names
    return store.read_table(address, ["doc_id", *(["piece"] if "piece" in there and not whole else [])])


def names(table: pa.Table) -> npt.NDArray[np.void]:
    """The doc_ids of a table as 16-byte values; of further pieces of a document, with their number in it."""
    column = table.column("doc_id").combine_chunks()
    data = column.buffers()[1]
    found = np.frombuffer(data, "V16", len(column), 16 * column.offset) if len(column) else np.empty(0, "V16")
    if "piece" not in table.column_names or not len(found):
        return found
    halves = found.view(np.uint64).reshape(-1, 2).copy()
    halves[:, 0] ^= table.column("piece").to_numpy().astype(np.uint64)
    return halves.view("V16").reshape(-1)


class Sample:
    """A few documents of every folder of shards, tokenized again from their pages."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot, self.store = snapshot, snapshot.store
        self.documents = [entry.address for entry in snapshot.product("documents")]
        self.kept = [entry.address for entry in snapshot.product("kept")]
        first = next(snapshot.product("tokens"), None)
        self.params: dict[str, Any] = {}
        self.why_not = "there are no tokens"
        if first is not None:
            self.params = self.store.read_json(first.about)["params"]
            self.why_not = ""
            try:
                self.identity = recipe.tokenizer_identity(self.params["tokenizer"], self.params["eos"])
            except UserError as error:
                self.why_not = str(error)
        self.by_file: dict[tuple[str, str], list[int]] = {}
        for index, split in enumerate(snapshot.splits()):
            for file in {split["file"], *(part[0] for part in split.get("parts", ()))}:
                self.by_file.setdefault((split["source"], file), []).append(index)
        self.compared = 0

    def problems(self, manifest_address: str) -> list[str]:
        """Documents of a folder whose ids are not those of their text."""
        manifest = self.store.read_json(manifest_address)
        if self.why_not:
            return []
        if manifest["tokenizer"]["sha256"] != self.identity["sha256"]:
            self.why_not = f"{self.params['tokenizer']} is not the tokenizer of {manifest_address} any more"
            return []
        folder = manifest_address.rpartition("/")[0]
        found = []
        for entry in spread(manifest["shards"], SHARDS_A_FOLDER):
            for row in spread(range(entry["rows"]), ROWS_A_SHARD):
                problem = self._problem(folder, entry, manifest["tokenizer"]["dtype"], row)
                found += [problem] if problem else []
        return found

    def _problem(self, folder: str, entry: Shard, dtype: str, row: int) -> str | None:
        path = posixpath.normpath(f"{folder}/{entry['path']}")
        docs = rows_of(self.store, posixpath.normpath(f"{folder}/{entry['docs']}"), row).to_pylist()[0]
        ids, doc_id, _ = document_ids(self.store, path, entry, dtype, row)
        where = f"{path}: document {row} ({docs['doc_id'].hex()})"
        if doc_id != docs["doc_id"]:
            return f"{where}: the docs beside the shard name another one, {doc_id.hex()}"
        if docs["text_bytes"] > MAX_TEXT_BYTES:
            return None
        place = self._place(docs)
        if place is None:
            return f"{where}: its page is in no split of {docs['source']}/{safe_line(docs['file'])}"
        index, page = place
        piece = docs.get("piece", 0)
        files = {"documents": self.documents[index], "kept": self.kept[index]}
        expected = recipe.page_ids(self.store, **files, row=page, params=self.params, piece=piece)
        self.compared += 1
        if np.array_equal(ids, expected):
            return None
        same = int(np.argmin(np.append(ids[: len(expected)] == expected[: len(ids)], False)))
        return f"{where}: token {same} is not that of its text (row {page} of {self.documents[index]})"

    def _place(self, docs: dict[str, Any]) -> tuple[int, int] | None:
        """Split and row of a document."""
        wanted = pa.scalar(docs["doc_id"], pa.binary(16))
        for index in self.by_file.get((docs["source"], docs["file"]), ()):
            column = self.store.read_table(self.documents[index], ["doc_id"]).column("doc_id")
            row = pc.index(column, wanted).as_py()
            if row >= 0:
                return index, row
        return None

    def line(self) -> str:
        """The number of documents compared, or why none were, for people."""
        return f"{self.compared} documents tokenized again" if not self.why_not else f"not done: {self.why_not}"


def spread(items: Any, count: int) -> list[Any]:
    """Up to ``count`` of a sequence, evenly spread, the first among them."""
    total = len(items)
    return [items[k * total // min(count, total)] for k in range(min(count, total))]
