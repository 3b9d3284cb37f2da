"""Overlap with benchmarks: which pages contain text of an evaluation set, which item, and where.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `contaminated` | `contamination_num_ngrams` | > 0 |

`contamination_num_ngrams` counts the places of the page where n normalised words (13 unless told, Brown et al. 2020,
arXiv 2005.14165, appendix C) equal n words of an item; `contamination_benchmark` and `contamination_item` (row in the
file, from 0) name the first such item, `contamination_spans` the stretches of the page, for the view
`decontaminated`. Words: `stages.kernels.words.overlap`. An item of fewer than n words is never found; their number is
logged.

A benchmark is a JSONL (.jsonl, .json, also .gz or .zst), Parquet or text file (a line an item). Of a row, all strings
of the fields named are joined by a space; without names, all its strings, in their order.

Price: one pass over the bytes where benchmarks are given, about 150 MB/s; the index outgrows the caches with 1,000
items (120 MB/s) and with 100,000 (40). 16 to 48 bytes of memory a word of benchmark text (100 MB of them: half a
gigabyte a process).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages import schemas
from stages.contract import StageParams
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.words.overlap import Index, build_index, overlaps
from stages.rules.row_files import rows, sha256
from stages.rules.rule import Rule

NGRAM = 13

FIELDS = (
    pa.field("contamination_num_ngrams", pa.int64(), nullable=False),
    pa.field("contamination_benchmark", pa.string()),
    pa.field("contamination_item", pa.int64()),
    pa.field("contamination_spans", pa.list_(schemas.SPAN), nullable=False),
)
RULES = (Rule("contaminated", "contamination_num_ngrams", "max", 0),)


class Benchmark(StageParams):
    """A file of items no page should contain."""

    path: str
    name: str = ""
    """How it is called in the columns; the file's name without its endings if empty."""
    fields: tuple[str, ...] = ()
    """Fields (JSONL) or columns (Parquet) that hold its text; none: every string."""

    def label(self) -> str:
        """The name in the columns."""
        return self.name or Path(self.path).name.partition(".")[0]


class Benchmarks(StageParams):
    """Settings of the family."""

    files: tuple[Benchmark, ...] = ()
    ngram: int = Field(default=NGRAM, ge=3, le=64)
    """Words that must be equal in a row."""


def identity(params: Benchmarks) -> list[str]:
    """SHA-256 of each file."""
    return [sha256(benchmark.path) for benchmark in params.files]


@lru_cache(maxsize=2)
def load(params: Benchmarks) -> tuple[Index, list[tuple[str, int]]]:
    """(the index, (name, row) of each item)."""
    texts, places = [], []
    for benchmark in params.files:
        for row, text in enumerate(items(benchmark)):
            texts.append(text)
            places.append((benchmark.label(), row))
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    index = build_index(data, offsets, params.ngram)
    logging.getLogger(__name__).info("%d items, %d of fewer than %d words", len(places), index.num_short, params.ngram)
    return index, places


def check(benchmark: Benchmark) -> None:
    """Read a benchmark once.

    Raises:
        ValueError, OSError: it cannot be read, has no item, or none has the fields named.
    """
    if not any(text.strip() for text in items(benchmark)):
        fields = f" in the fields {', '.join(benchmark.fields)}" if benchmark.fields else ""
        raise ValueError(f"{benchmark.path}: no text{fields}")


def items(benchmark: Benchmark) -> Iterator[str]:
    """The text of each item.

    Raises:
        ValueError, OSError: see `stages.rules.row_files.rows`.
    """
    for row in rows(benchmark.path, benchmark.fields):
        yield " ".join(_strings(row, benchmark.fields))


def _strings(value: Any, fields: Sequence[str] = ()) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in fields or value:
            yield from _strings(value.get(name))
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def measure(data: Bytes, offsets: Offsets, params: Benchmarks) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    index, places = load(params)
    num_documents = len(offsets) - 1
    matches_M4 = overlaps(data, offsets, index)
    counts = np.bincount(matches_M4[:, 0], minlength=num_documents)
    names: list[str | None] = [None] * num_documents
    items_found: list[int | None] = [None] * num_documents
    spans: list[list[dict[str, Any]]] = [[] for _ in range(num_documents)]
    for d, start, stop, item in matches_M4.tolist():
        if not spans[d]:
            names[d], items_found[d] = places[item]
        if spans[d] and start <= spans[d][-1]["stop"]:
            spans[d][-1]["stop"] = stop
        else:
            spans[d].append({"start": start, "stop": stop, "replacement": ""})
    return [
        pa.array(counts.astype(np.int64)),
        pa.array(names, pa.string()),
        pa.array(items_found, pa.int64()),
        pa.array(spans, pa.list_(schemas.SPAN)),
    ]
