"""Cleaned text out: the kept pages of a mixture as Parquet, JSON lines or Arrow, with views applied.

For whoever tokenizes elsewhere, shares a cleaned corpus, or looks at it with other tools. A folder a domain, files of
about `PART_BYTES` of text, and last ``manifest.json`` and ``README.md`` with the head that the Hugging Face Hub reads.

Columns: those asked for, of any product (`pipeline.recipe.columns`); ``doc_id`` (32 hex digits) and ``text`` always.
With the selection of the corpus a page is there if the corpus has it, once, and the column ``copies`` counts how often.

Method: a part holds the pages of one domain of consecutive splits; it is a pure function of them, and is written under
its final name when whole, so the same command goes on where it was stopped. The folder is on a disk, or an s3:// or
gs:// URI. Price: a read of the pages for each domain that a split holds; memory is a row group a thread, and 16 bytes
for each document of the corpus where it selects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
import zstandard

from pipeline.errors import UserError
from pipeline.exports.export import corpus_of
from pipeline.progress import human_bytes
from pipeline.recipe import columns as page_columns
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.columns import Column, Pages
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.address import digest
from pipeline.store.storage import Store

SUFFIXES = {"parquet": "parquet", "jsonl": "jsonl.zst", "arrow": "arrow"}
"""Formats of text by name."""
ALWAYS = ("doc_id", "text")
DEFAULT = (*ALWAYS, "url", "time", "source", "language")
PART_BYTES = 256 << 20
PLAN = "export.json"


@dataclass(frozen=True)
class Wanted:
    """The selection of pages and columns that goes out.

    Attributes:
        format: one of `SUFFIXES`.
        columns: beside `ALWAYS`; empty: `DEFAULT`.
        domains: these alone; empty: all.
        corpus: the selection of the corpus, with ``copies``; else every kept page.
        phase: of this phase of training, where the mixture has phases.
        views: apply the views of the mixture to the text.
        licence: as the Hub spells it.
    """

    format: str
    columns: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    corpus: bool = False
    phase: str | None = None
    views: bool = True
    licence: str | None = None


@dataclass(frozen=True)
class Part:
    """One file: pages of a domain in some splits."""

    domain: str
    number: int
    splits: tuple[int, ...]


def export_text(store: Store, name: str | None, folder: str, wanted: Wanted, workers: int = 4) -> str:
    """Write the text of a mixture into a folder, or go on with it; returns lines on what was written.

    Raises:
        UserError: nothing is kept yet, a column or domain is not there, or the folder holds something else.
    """
    snapshot = snapshots.load(store, name)
    pages = Pages(snapshot)
    named = dict.fromkeys((*ALWAYS, *(wanted.columns or DEFAULT)))
    columns = pages.columns([name for name in named if name not in ("domain", "copies")])
    facts = page_columns.facts(snapshot)
    plan = parts(facts, wanted.domains, snapshot.name)
    copies = corpus_copies(snapshot, wanted) if wanted.corpus else None
    out = Store(folder)
    begin(out, {"wanted": asdict(wanted), "kept": digest([entry["address"] for entry in facts])})
    suffix = SUFFIXES[wanted.format]

    def one(part: Part) -> tuple[str, dict[str, Any]]:
        address = f"{part.domain}/part-{part.number:05d}.{suffix}"
        record = f"{address.partition('.')[0]}.json"
        if not (out.exists(address) and out.exists(f"_parts/{record}")):
            rows, text_bytes = write_part(pages, part, columns, wanted, copies, out, address)
            out.write_json(f"_parts/{record}", {"rows": rows, "text_bytes": text_bytes})
        return address, out.read_json(f"_parts/{record}")

    with ThreadPoolExecutor(max(1, workers)) as threads:
        made = dict(threads.map(one, plan))
    finish(out, snapshot, wanted, columns, plan, made)
    rows, text_bytes = (sum(entry[key] for entry in made.values()) for key in ("rows", "text_bytes"))
    return f"{wanted.format}: {rows:,} pages, {human_bytes(text_bytes)} of text, {len(made)} files\n{folder}\n"


def parts(facts: Sequence[dict[str, Any]], domains: Sequence[str], name: str) -> list[Part]:
    """The files to write, domain by domain: consecutive splits of about `PART_BYTES` of kept text."""
    known = sorted({domain for entry in facts for domain in entry["domains"]})
    unknown = [domain for domain in domains if domain not in known]
    if unknown:
        raise UserError(f"mixture {name} keeps no page of {', '.join(unknown)}; it has: {', '.join(known) or 'none'}")
    found = []
    for domain in domains or known:
        splits: list[int] = []
        held, number = 0, 0
        for split, entry in enumerate(facts):
            if domain not in entry["domains"]:
                continue
            splits.append(split)
            held += entry["domains"][domain][1]
            if held >= PART_BYTES:
                found.append(Part(domain, number, tuple(splits)))
                splits, held, number = [], 0, number + 1
        if splits:
            found.append(Part(domain, number, tuple(splits)))
    return found


def begin(out: Store, plan: dict[str, Any]) -> None:
    """Note what is written here, or see that it is the same as before.

    Raises:
        UserError: the folder holds something else.
    """
    plan = json.loads(json.dumps(plan))
    if out.exists(PLAN):
        if out.read_json(PLAN) != plan:
            raise UserError(f"{out.root} holds another export, or one of other pages; choose an empty folder")
        return
    if out.list(""):
        raise UserError(f"{out.root} is not an empty folder; an export never writes over files")
    out.write_json(PLAN, plan)


def corpus_copies(snapshot: Snapshot, wanted: Wanted) -> dict[str, tuple[npt.NDArray[np.void], npt.NDArray[np.int64]]]:
    """Of each domain the doc_ids that the corpus holds, sorted, as 16 bytes each, and how often it takes each."""
    address = corpus_of(snapshot, wanted.phase)
    if address is None or not snapshot.store.exists(address):
        raise UserError(f"mixture {snapshot.name} has no finished corpus; leave --selection out for all kept pages")
    folder = address.rpartition("/")[0]
    taken: dict[str, list[npt.NDArray[np.void]]] = {}
    for shard in snapshot.store.read_json(address)["shards"]:
        if shard.get("split", "train") != "train":
            continue
        docs = snapshot.store.read_table(_beside(folder, shard["docs"]))
        if "piece" in docs.column_names:
            docs = docs.filter(pc.equal(docs["piece"], 0))
        domains = docs["domain"] if "domain" in docs.column_names else pa.array([shard["domain"]] * len(docs))
        for domain in pc.unique(domains).to_pylist():
            own = docs["doc_id"].filter(pc.equal(domains, domain)).combine_chunks()
            taken.setdefault(domain, []).append(raw_ids(own))
    counted = {domain: np.unique(np.concatenate(found), return_counts=True) for domain, found in taken.items()}
    return {domain: (ids, counts.astype(np.int64)) for domain, (ids, counts) in counted.items()}


def _beside(folder: str, path: str) -> str:
    parts_of = [*folder.split("/"), *path.split("/")]
    found: list[str] = []
    for part in parts_of:
        if part == "..":
            found.pop()
        elif part != ".":
            found.append(part)
    return "/".join(found)


def raw_ids(column: pa.Array) -> npt.NDArray[np.void]:
    """doc_ids as strings of 16 bytes that NumPy sorts."""
    raw = np.frombuffer(column.buffers()[1], np.uint8)[16 * column.offset : 16 * (column.offset + len(column))]
    return raw.reshape(-1, 16).view("S16").reshape(-1) if len(column) else np.empty(0, "S16")


def write_part(
    pages: Pages,
    part: Part,
    columns: Sequence[Column],
    wanted: Wanted,
    copies: dict[str, tuple[npt.NDArray[np.void], npt.NDArray[np.int64]]] | None,
    out: Store,
    address: str,
) -> tuple[int, int]:
    """Write one file; its rows and bytes of text."""
    schema = pa.schema([pa.field(column.name, page_columns.shown_type(column)) for column in columns])
    schema = schema.append(pa.field("domain", pa.string()))
    if copies is not None:
        schema = schema.append(pa.field("copies", pa.int64()))
    rows = text_bytes = 0
    with writer_of(out, address, wanted.format, schema) as write:
        for split in part.splits:
            for table in pages.batches(split, columns, domain=part.domain, views=wanted.views):
                table = table.append_column("domain", pa.repeat(pa.scalar(part.domain), len(table)))
                if copies is not None:
                    table = selected(table, *copies.get(part.domain, (np.empty(0, "S16"), np.empty(0, np.int64))))
                table = table.select(schema.names).cast(schema)
                rows += len(table)
                text_bytes += pc.sum(pc.binary_length(table["text"])).as_py() or 0
                if len(table):
                    write(table)
    return rows, text_bytes


def selected(table: pa.Table, ids: npt.NDArray[np.void], counts: npt.NDArray[np.int64]) -> pa.Table:
    """The pages that the corpus takes, with how often."""
    names = np.array([bytes.fromhex(name) for name in table["doc_id"].to_pylist()], "S16")
    place = np.minimum(np.searchsorted(ids, names), max(0, len(ids) - 1))
    found = ids[place] == names if len(ids) else np.zeros(len(names), np.bool_)
    taken = table.filter(pa.array(found))
    return taken.append_column("copies", pa.array(counts[place[found]] if len(ids) else [], pa.int64()))


@contextmanager
def writer_of(out: Store, address: str, kind: str, schema: pa.Schema) -> Iterator[Any]:
    """A function that writes tables to a file, which gets its name when all is written."""
    with out.create(address) as sink:
        if kind == "parquet":
            with pq.ParquetWriter(sink, schema, compression="zstd") as parquet:
                yield parquet.write_table
                sink.begin_footer()  # type: ignore[attr-defined]
        elif kind == "arrow":
            with pa.ipc.new_file(sink, schema) as arrow:
                yield arrow.write_table
                sink.begin_footer()  # type: ignore[attr-defined]
        else:
            with zstandard.ZstdCompressor(level=3).stream_writer(sink, closefd=False) as packed:
                lines = TextIOWrapper(packed, encoding="utf-8", errors="replace", newline="\n", write_through=True)
                yield lambda table: lines.writelines(json_line(row) for row in table.to_pylist())
                lines.flush()
                lines.detach()


def json_line(row: dict[str, Any]) -> str:
    """A row as a line; times in ISO 8601, other bytes in hex."""
    return json.dumps(row, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value.hex() if isinstance(value, bytes) else str(value)


def finish(
    out: Store,
    snapshot: Snapshot,
    wanted: Wanted,
    columns: Sequence[Column],
    plan: Sequence[Part],
    made: dict[str, dict[str, Any]],
) -> None:
    """The manifest and the card, written last."""
    about = next(snapshot.product("kept")).about
    views = snapshot.store.read_json(about)["params"]["views"] if wanted.views else []
    domains: dict[str, dict[str, int]] = {}
    for part, (_, entry) in zip(plan, made.items(), strict=True):
        counts = domains.setdefault(part.domain, {"pages": 0, "text_bytes": 0, "files": 0})
        counts["pages"] += entry["rows"]
        counts["text_bytes"] += entry["text_bytes"]
        counts["files"] += 1
    names = [*(column.name for column in columns), "domain", *(["copies"] if wanted.corpus else [])]
    files = [{"path": address, **entry} for address, entry in made.items()]
    selection = "corpus" if wanted.corpus else "kept"
    found = {"mixture": snapshot.name, "format": wanted.format, "selection": selection, "views": views}
    out.write_json("manifest.json", found | {"columns": names, "domains": domains, "files": files})
    out.write_bytes("README.md", card(snapshot.name, wanted, names, views, domains).encode())
    out.sweep()


def card(
    name: str, wanted: Wanted, columns: Sequence[str], views: Sequence[str], domains: dict[str, dict[str, int]]
) -> str:
    """README.md with the head of the Hugging Face Hub."""
    suffix = SUFFIXES[wanted.format]
    configs = [{"config_name": domain, "data_files": f"{domain}/*.{suffix}"} for domain in domains]
    head: dict[str, Any] = {"pretty_name": name, **({"license": wanted.licence} if wanted.licence else {})}
    head |= {"task_categories": ["text-generation"], "configs": configs}
    which = "The pages that the corpus takes; `copies` says how often." if wanted.corpus else "Every kept page, once."
    applied = f"Views applied to the text: {', '.join(views)}." if views else "The text is as extracted."
    rows = [f"| {domain} | {n['pages']:,} | {n['text_bytes']:,} | {n['files']} |" for domain, n in domains.items()]
    kind = {"jsonl": "json"}.get(wanted.format, wanted.format)
    return "\n".join(
        [
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip()}\n---",
            f"# {name}\n\n{which} {applied}\n",
            "| domain | pages | bytes of text | files |\n|---|--:|--:|--:|",
            *rows,
            f"\nColumns: {', '.join(f'`{column}`' for column in columns)}. Rows join with other tables by `doc_id`.",
            f'\n```python\ndatasets.load_dataset("{kind}", data_files="DOMAIN/*.{suffix}")\n```\n',
        ]
    )
