"""Benchmarks looked for in an existing corpus, text or token ids, without the run that made it.

The same functions as in a run, in one process: all texts are gone through once; of pages that share words with an item
the evidence stays in memory (about 100 bytes an alignment), of these and of sampled pages the text's hash, the rest is
forgotten; then the whole corpus's counts give the weights, and the weights the scores. Threads share the work; what is
found does not depend on them.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from stages import overlaps, schemas
from stages.contamination.jobs import Account, add_pages, columns_of, runs_of
from stages.contamination.scoring import hits_of
from stages.contamination.weights import weigh
from stages.kernels.columns.ragged import text_buffers
from stages.rules import contamination, known_items
from stages.rules.rule import as_stored

TEXTS = pa.schema([("file", pa.string()), ("row", pa.int64()), ("doc_id", pa.string()), ("text", pa.large_string())])
"""The texts to search: a page's file, row in it, id (null: none) and text."""
EXCERPT_BYTES = 200
FOUND = pa.schema(
    [
        *(field for field in TEXTS if field.name != "text"),
        pa.field("contaminated", pa.bool_()),  # any hit above the threshold but passages alone
        pa.field("score", pa.float32()),
        pa.field("benchmark", pa.list_(pa.string())),  # of those hits, best first
        pa.field("item", pa.list_(pa.int64())),
        pa.field("part", pa.list_(pa.string())),
        pa.field("span", pa.list_(pa.struct([("start", pa.int32()), ("stop", pa.int32())]))),  # of those hits, joined
        pa.field("text", pa.string()),  # the beginning of the best hit, whatever it scores
        pa.field("hits", pa.list_(schemas.HIT)),
    ]
)
"""A row for each page that has a hit."""


@dataclass
class _Evidence:
    """The evidence kept of a page that shares words with an item."""

    place: tuple[str, int, str | None]
    runs_R6: npt.NDArray[np.int64]
    text: bytes
    """The text from its first run on."""
    first: int


def examine(
    params: contamination.Benchmarks, batches: Iterable[pa.RecordBatch], threshold: float, workers: int
) -> tuple[pa.Table, dict[str, Any]]:
    """(`FOUND`, counts) of texts: batches of `TEXTS`."""
    known = known_items.load(params)
    pages_V, pages_T = np.zeros(len(known.words_V), np.int64), np.zeros(len(known.own_T), np.int64)
    counts: Counter[str] = Counter()
    evidence: list[_Evidence] = []
    seen: set[bytes] = set()
    for batch, looked in _looked(params, batches, workers):
        runs, page = runs_of(looked)
        sampled = add_pages(known, looked.filter(_first_of_text(batch, looked, seen)), pages_T, pages_V)
        data, offsets = text_buffers(batch.column("text"))
        counts.update(pages=batch.num_rows, sampled=sampled, bytes=int(offsets[-1] - offsets[0]))
        evidence += _evidence(batch, data, offsets, runs, page)
    weights = weigh(known, pages_T, pages_V, counts["sampled"])
    account = Account(known, weights)
    rows: list[dict[str, Any]] = []
    for one in evidence:
        hits = hits_of(known, weights, one.runs_R6)
        account.add(len(rows), hits)
        if hits:
            values = columns_of([hits], known).to_pylist()[0]
            rows.append(_row(one, values["contamination_hits"], threshold))
    report = {**counts, "benchmarks": list(known.names), "items": len(known.row_I), "num_short_items": known.num_short}
    report["verdicts"] = [[*key, pages] for key, pages in sorted(account.pages.items())]
    report["pages_of_items"] = [[*key, pages] for key, pages in account.items.most_common(20)]
    return pa.Table.from_pylist(rows, schema=FOUND), report


def _looked(
    params: contamination.Benchmarks, batches: Iterable[pa.RecordBatch], workers: int
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Every batch, with the hashes of its texts, and its `overlaps`, in order, a few ahead."""
    own = threading.local()

    def look(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        if not hasattr(own, "look"):
            own.look = overlaps.prepare(params)
        hashes = [xxhash.xxh3_128_digest(text.as_buffer()) for text in batch.column("text")]
        function: Callable[[pa.RecordBatch], pa.RecordBatch] = own.look
        hashed = batch.append_column("text_hash", pa.array(hashes, pa.binary(16)))
        return hashed, function(hashed)

    waiting: deque[Future[tuple[pa.RecordBatch, pa.RecordBatch]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for batch in batches:
            waiting.append(pool.submit(look, batch))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _first_of_text(batch: pa.RecordBatch, looked: pa.RecordBatch, seen: set[bytes]) -> pa.Array:
    """A mask of the pages that share words with an item or are sampled, and are the first ``seen`` of their text."""
    sizes = looked.column("overlaps").value_lengths().to_numpy()
    there = (sizes > 0) | looked.column("item_words").is_valid().to_numpy(zero_copy_only=False)
    fresh = np.zeros(batch.num_rows, np.bool_)
    for row in np.flatnonzero(there).tolist():
        text_hash = batch.column("text_hash")[row].as_py()
        fresh[row] = text_hash not in seen
        seen.add(text_hash)
    return pa.array(fresh)


def _evidence(batch: pa.RecordBatch, data: Any, offsets: Any, runs: Any, page: Any) -> Iterator[_Evidence]:
    bounds = np.searchsorted(page, np.arange(batch.num_rows + 1))
    for row in np.flatnonzero(np.diff(bounds)).tolist():
        own = runs[bounds[row] : bounds[row + 1]]
        first = int(own[:, 4].min())
        text = data[offsets[row] + first : offsets[row] + min(int(own[:, 5].max()), first + 4096)].tobytes()
        place = tuple(batch.column(name)[row].as_py() for name in ("file", "row", "doc_id"))
        yield _Evidence(place, own.copy(), text, first)


def _row(one: _Evidence, hits: list[dict[str, Any]], threshold: float) -> dict[str, Any]:
    bound = float(as_stored(threshold, pa.float32()))
    marked = [hit for hit in hits if hit["part"] != "passage" and hit["score"] > bound]
    shown = one.text[hits[0]["start"] - one.first :][: min(EXCERPT_BYTES, hits[0]["stop"] - hits[0]["start"])]
    spans = contamination.joined([(hit["start"], hit["stop"]) for hit in marked])
    return {
        **dict(zip(("file", "row", "doc_id"), one.place, strict=True)),
        "contaminated": bool(marked),
        "score": max((hit["score"] for hit in hits if hit["part"] != "passage"), default=0.0),
        **{key: [hit[key] for hit in marked] for key in ("benchmark", "item", "part")},
        "span": [{"start": span["start"], "stop": span["stop"]} for span in spans],
        "text": shown.decode(errors="ignore"),
        "hits": hits,
    }
