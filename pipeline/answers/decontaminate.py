"""`decontaminate`: which documents of a finished corpus give away items of benchmarks, whoever made the corpus.

Reads folders of texts (Parquet, JSONL, CSV, text: a column or field ``text``) and of token shards, whose ids are turned
into text by the tokenizer that their manifest names. Nothing of the run that made them is needed, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import errors
from pipeline.errors import UserError
from pipeline.reader.manifest import read_manifest
from pipeline.reader.shards import TokenShards
from pipeline.recipe import answers, file_rows, finished

BATCH_BYTES = 8 << 20
TEXT_SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
PACKED = (".gz", ".zst")
REASONS = {
    "found": "give an item away",
    "passage_alone": "hold the passage of an item alone",
    "common_text": "hold only text that is common in this corpus",
    "shared_by_items": "hold only words that many items share",
    "in_part": "hold too little of an item",
}


@dataclass(frozen=True)
class Wanted:
    """A folder to search, the benchmarks to look for in it, and how."""

    folder: str
    benchmarks: tuple[str, ...]
    """Files, or NAME=FILE."""
    parts: tuple[str, ...] = ()
    """PART=FIELD, for all of the files."""
    text: str = "text"
    tokenizer: str | None = None
    threshold: float = answers.CONTAMINATED
    workers: int = 1


def decontaminate(wanted: Wanted) -> tuple[pa.Table, dict[str, Any]]:
    """(a row for each document with a hit, counts): `pipeline.recipe.finished`.

    Raises:
        UserError: the folder, a benchmark or the tokenizer cannot be read, or is none.
    """
    folder = Path(wanted.folder)
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; expected one of texts or of token shards")
    try:
        looked_for = answers.benchmarks(wanted.benchmarks, wanted.parts)
    except (ValueError, OSError) as error:
        raise UserError(f"--benchmarks: {errors.one_line(error)}") from error
    tokens = folder.is_dir() and (folder / "manifest.json").exists()
    batches = _of_tokens(folder, wanted.tokenizer) if tokens else _of_texts(folder, wanted.text)
    try:
        return finished.examine(looked_for, batches, wanted.threshold, wanted.workers)
    except (ValueError, OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{folder}: {error}") from error


def write(table: pa.Table, path: str) -> None:
    """The rows as Parquet, or as JSONL where the name says so."""
    if path.endswith((".jsonl", ".json")):
        answers.write_rows(table, path)
    else:
        pq.write_table(table, path, compression="zstd")


def as_text(found: pa.Table, counts: dict[str, Any]) -> str:
    """The documents found, counted, as text for a terminal."""
    megabytes = counts.get("bytes", 0) / 1e6
    lines = [
        f"{counts.get('pages', 0):,} documents ({megabytes:,.1f} MB), {counts['items']:,} items of"
        f" {len(counts['benchmarks'])} benchmarks; {sum(found.column('contaminated').to_pylist()):,} documents marked"
    ]
    if counts["num_short_items"]:
        lines.append(f"{counts['num_short_items']:,} items of fewer than four words are not looked for")
    for name, verdict, pages in counts["verdicts"]:
        lines.append(f"  {name}: {pages:,} documents {REASONS[verdict]}")
    if counts["pages_of_items"]:
        lines.append("items on most documents:")
        lines += [f"  {name} {item}: {pages:,}" for name, item, pages in counts["pages_of_items"][:5]]
    return "\n".join(lines)


def _of_texts(folder: Path, column: str) -> Iterator[pa.RecordBatch]:
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if _is_text(path))
    if not files:
        raise UserError(f"{folder}: no manifest.json and no file of texts ({', '.join(TEXT_SUFFIXES)})")
    for path in files:
        name = path.name if folder.is_file() else str(path.relative_to(folder))
        rows: list[tuple[int, str | None, str]] = []
        size = 0
        for number, row in enumerate(file_rows(str(path), (column,), ("doc_id",))):
            if not isinstance(row.get(column), str):
                raise UserError(f"{path}, row {number}: no text in {column!r}; it has {', '.join(map(str, row))}")
            rows.append((number, _id(row.get("doc_id")), row[column]))
            size += len(row[column])
            if size > BATCH_BYTES:
                yield _batch(name, rows)
                rows, size = [], 0
        if rows:
            yield _batch(name, rows)


def _is_text(path: Path) -> bool:
    suffixes = [suffix for suffix in path.suffixes if suffix not in PACKED]
    return path.is_file() and bool(suffixes) and suffixes[-1] in TEXT_SUFFIXES


def _id(value: Any) -> str | None:
    return value.hex() if isinstance(value, bytes) else None if value is None else str(value)


def _batch(name: str, rows: list[tuple[int, str | None, str]]) -> pa.RecordBatch:
    numbers, ids, texts = zip(*rows, strict=True)
    return pa.record_batch(
        {
            "file": pa.array([name] * len(rows)),
            "row": pa.array(numbers, pa.int64()),
            "doc_id": pa.array(ids, pa.string()),
            "text": pa.array(texts, pa.large_string()),
        }
    )


def _of_tokens(folder: Path, tokenizer: str | None) -> Iterator[pa.RecordBatch]:
    shards = TokenShards(read_manifest(folder, None), verify="lazy")
    try:
        decode = answers.decoder(dict(shards.manifest.tokenizer), tokenizer)
    except (ValueError, OSError) as error:
        raise UserError(f"{folder}: {error}; give it as --tokenizer") from error
    rows: list[tuple[int, str | None, str]] = []
    size = 0
    for segment in range(len(shards._segments)):
        name = shards.shards[shards._segments[segment][0]].path
        ids, offsets = shards.arrays(segment)
        for row in range(len(offsets) - 1):
            text = decode(ids[offsets[row] : offsets[row + 1]]).decode(errors="replace")
            rows.append((row, None, text))
            size += len(text)
            if size > BATCH_BYTES:
                yield _batch(str(name), rows)
                rows, size = [], 0
        if rows:
            yield _batch(str(name), rows)
            rows, size = [], 0
