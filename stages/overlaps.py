"""`overlaps`: where words of benchmarks' items stand in each page; evidence, and no score.

For `contamination`, which weighs it once all pages are read. Input: `documents` (text, text_hash). Output:
`schemas.OVERLAPS`, row for row: the runs of words that pages share with a part of an item, as
`stages.kernels.words.alignment` finds them, and, of one page in `SAMPLED` (by its text's hash, so the same pages
whatever the division of the input), which words of the items it has, to know how common these words are.

Price: see `stages.kernels.words.alignment`. Nothing is written of a page that shares nothing. Memory: 40 bytes a word
of the benchmarks a process.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages import schemas
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.unicode import characters
from stages.kernels.words.alignment import Aligner
from stages.kernels.words.folded_words import FoldedWords, fold_words
from stages.rules import contamination, known_items

VERSION = 3
Params = contamination.Benchmarks
SAMPLED = 16
PIECE_BYTES = 1 << 22
_HALF = np.uint64(32)


def identity(params: Params) -> dict[str, Any]:
    """The Unicode tables and the contents of the benchmarks."""
    tables = {"unicode": characters.UNICODE_VERSION, "decompositions": unicodedata.unidata_version}
    return {**tables, "benchmarks": contamination.identity(params)}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The function returned looks through one batch of `documents`."""
    aligners: list[Aligner] = []

    def look(batch: pa.RecordBatch) -> pa.RecordBatch:
        known = known_items.load(params)
        if not aligners:
            aligners.append(Aligner(known.sequences))
        data, offsets = text_buffers(batch.column("text"))
        sampled = sampled_pages(batch.column("text_hash"))
        parts = [
            _piece(data, offsets[first : last + 1], sampled[first:last], known, aligners[0])
            for first, last in _pieces(offsets)
        ]
        return pa.concat_batches(parts) if parts else pa.RecordBatch.from_pylist([], schema=schemas.OVERLAPS)

    return look


def sampled_pages(hashes: pa.FixedSizeBinaryArray) -> npt.NDArray[np.bool_]:
    """Which pages the sample holds: one in `SAMPLED`, by the first byte of the text's hash."""
    start = hashes.offset * 16
    found = np.frombuffer(hashes.buffers()[1], np.uint8)[start : start + 16 * len(hashes) : 16]
    sample: npt.NDArray[np.bool_] = found % SAMPLED == 0
    return sample


def _pieces(offsets: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of runs of documents of about `PIECE_BYTES` together."""
    first = 0
    for d in range(1, len(offsets)):
        if offsets[d] - offsets[first] >= PIECE_BYTES or d == len(offsets) - 1:
            yield first, d
            first = d


def _piece(data: Any, offsets: Any, sampled: Any, known: known_items.KnownItems, aligner: Aligner) -> pa.RecordBatch:
    words = fold_words(data, offsets)
    runs_R7 = aligner.runs(words, offsets)
    bounds = np.searchsorted(runs_R7[:, 0], np.arange(len(offsets)))
    columns = [runs_R7[:, 1], runs_R7[:, 2], runs_R7[:, 3], runs_R7[:, 4], runs_R7[:, 5], runs_R7[:, 6]]
    fields = list(schemas.OVERLAP)
    runs = pa.StructArray.from_arrays([pa.array(column.astype(np.int32)) for column in columns], fields=fields)
    overlaps = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), runs, type=schemas.OVERLAPS.field(0).type)
    return pa.RecordBatch.from_arrays([overlaps, _vocabulary(words, sampled, known)], schema=schemas.OVERLAPS)


def _vocabulary(words: FoldedWords, sampled: Any, known: known_items.KnownItems) -> pa.Array:
    """Of each sampled page the words of the items that it has, as indices into ``words_V``; null of the others."""
    kind = schemas.OVERLAPS.field(1).type
    found: list[Any] = [None] * len(sampled)
    for d in np.flatnonzero(sampled).tolist():
        own = np.unique((words.hashes_W[words.offsets_D1[d] : words.offsets_D1[d + 1]] >> _HALF).astype(np.uint32))
        at = np.minimum(np.searchsorted(known.words_V, own), len(known.words_V) - 1)
        found[d] = at[known.words_V[at] == own].astype(np.int32) if len(known.words_V) else None
    return pa.array(found, kind)
