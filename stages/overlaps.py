"""`overlaps`: where words of benchmarks' items stand in each page; evidence, and no score.

For `contamination`, which weighs it once all pages are read. Input: `documents` (text, text_hash). Output:
`schemas.OVERLAPS`, row for row: the runs of words that pages share with a part of an item, as
`stages.kernels.words.alignment` finds them, and, of one page in `SAMPLED` (by its text's hash, so the same pages
whatever the division of the input), which words of the items it has, to know how common these words are.

Price: see `stages.kernels.words.alignment`. Nothing is written of a page that shares nothing. Memory: 10 bytes a word
of the benchmarks a process, twice that while they are loaded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages import schemas
from stages.kernels.columns.ragged import runs_of, text_buffers
from stages.kernels.unicode import characters
from stages.kernels.words.alignment import Aligner
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.known_words import KnownWords
from stages.rules import contamination, known_items

VERSION = 7
Params = contamination.Benchmarks
SAMPLED = 16
PIECE_BYTES = 1 << 19


def identity(params: Params) -> dict[str, Any]:
    """The Unicode tables and the contents of the benchmarks."""
    tables = {"unicode": characters.UNICODE_VERSION, "decompositions": unicodedata.unidata_version}
    return {**tables, "benchmarks": contamination.identity(params)}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The function returned looks through one batch of `documents`."""
    scratch: list[tuple[Aligner, KnownWords]] = []

    def look(batch: pa.RecordBatch) -> pa.RecordBatch:
        if not scratch:
            known = known_items.load(params)
            scratch.append((Aligner(known.sequences), KnownWords(known.words_V)))
        data, offsets = text_buffers(batch.column("text"))
        sampled = sampled_pages(batch.column("text_hash"))
        pieces = [
            _piece(data, offsets[first : last + 1], sampled[first:last], *scratch[0])
            for first, last in runs_of(offsets, PIECE_BYTES)
        ]
        return _joined(pieces, sampled) if pieces else pa.RecordBatch.from_pylist([], schema=schemas.OVERLAPS)

    return look


def sampled_pages(hashes: pa.FixedSizeBinaryArray) -> npt.NDArray[np.bool_]:
    """A mask of the pages in the sample: one in `SAMPLED`, by the first byte of the text's hash."""
    start = hashes.offset * 16
    found = np.frombuffer(hashes.buffers()[1], np.uint8)[start : start + 16 * len(hashes) : 16]
    sample: npt.NDArray[np.bool_] = found % SAMPLED == 0
    return sample


class _Found(NamedTuple):
    """For some documents: runs_R7 (`stages.kernels.words.alignment`), words of items, and where those of each begin."""

    runs_R7: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]
    bounds_D1: npt.NDArray[np.int32]


def _piece(data: Any, offsets: Any, sampled: Any, aligner: Aligner, known: KnownWords) -> _Found:
    words = fold_words(data, offsets)
    return _Found(aligner.runs(words, offsets), *known.of_texts(words.hashes_W, words.offsets_D1, sampled))


def _joined(pieces: list[_Found], sampled: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """`schemas.OVERLAPS` of documents that follow each other."""
    sizes = [len(piece.bounds_D1) - 1 for piece in pieces]
    runs_R7 = np.concatenate([piece.runs_R7 for piece in pieces])
    runs_R7[:, 0] += np.repeat(np.cumsum([0, *sizes[:-1]]), [len(piece.runs_R7) for piece in pieces])
    bounds = np.searchsorted(runs_R7[:, 0], np.arange(sum(sizes) + 1))
    columns = [pa.array(runs_R7[:, column].astype(np.int32)) for column in range(1, 7)]
    runs = pa.StructArray.from_arrays(columns, fields=list(schemas.OVERLAP))
    kinds = [field.type for field in schemas.OVERLAPS]
    overlaps = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), runs, type=kinds[0])
    counts = np.concatenate([np.diff(piece.bounds_D1) for piece in pieces])
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    words = pa.array(np.concatenate([piece.words for piece in pieces]))
    item_words = pa.ListArray.from_arrays(pa.array(starts), words, type=kinds[1], mask=pa.array(~sampled))
    return pa.RecordBatch.from_arrays([overlaps, item_words], schema=schemas.OVERLAPS)
