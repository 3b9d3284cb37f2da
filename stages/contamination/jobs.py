"""The jobs of the exchange: on how many pages words of items stand, the scores of every split, and their summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from stages import schemas
from stages.contamination.scoring import Hit, hits_of
from stages.contamination.weights import Weights, covered, weigh
from stages.contract import Store
from stages.rules import contamination, known_items
from stages.rules.contamination import SCORE
from stages.rules.known_items import KnownItems
from stages.text_copies import copies_of, counted, texts_of, write_texts

COUNTS = pa.schema([("words", pa.bool_()), ("at", pa.int32()), ("pages", pa.int64())])
"""``words``: of single words on sampled pages (``at`` in ``words_V``), or of words of items that pages cover."""
EXAMPLES = 3
"""Excerpts for each benchmark and verdict, of a split and in the summary."""
EXCERPT_BYTES = 160
MOST_ITEMS = 50
FEW_WORDS = 0.5
"""Own share below which a low score is laid to words that other items have too."""


def map_texts(store: Store, *, splits: list[dict[str, Any]], ranges: int, output: str) -> dict[str, Any]:
    """A record for every page of some splits that shares words with an item or is sampled."""
    parts = []
    for split in splits:
        there = [np.zeros(0, np.bool_)]
        for batch in _batches(store, split["overlaps"]):
            sizes = batch.column("overlaps").value_lengths().to_numpy()
            there.append((sizes > 0) | batch.column("item_words").is_valid().to_numpy(zero_copy_only=False))
        rows = np.flatnonzero(np.concatenate(there))
        hashes = store.read_table(split["documents"], ["text_hash"]).column(0)
        parts.append(texts_of(hashes.take(pa.array(rows)), split["first"] + rows))
    return write_texts(store, output, parts, ranges)


def count(
    store: Store,
    *,
    params: dict[str, Any],
    splits: list[dict[str, Any]],
    texts: str,
    copies: list[str],
    group: int,
    output: str,
) -> dict[str, Any]:
    """Pages that cover each word of the items, and sampled pages that have each word, of some splits.

    Pages that copy the text of another (``texts``, ``copies``: `stages.text_copies`) are none.
    """
    known = known_items.load(contamination.Benchmarks(**params))
    pages_V = np.zeros(len(known.words_V), np.int64)
    pages_T = np.zeros(len(known.own_T), np.int64)
    sampled = 0
    places = copies_of(store, texts, copies, group)
    for split in splits:
        counts, row = counted(places, split["first"], split["rows"]), 0
        for batch in _batches(store, split["overlaps"]):
            once, row = counts[row : row + batch.num_rows], row + batch.num_rows
            sampled += add_pages(known, batch.filter(pa.array(once)), pages_T, pages_V)
    about = {"sampled": sampled, "pages": sum(split["rows"] for split in splits)}
    return _write_counts(store, output, pages_V, pages_T, about)


def add_pages(known: KnownItems, looked: pa.RecordBatch, pages_T: Any, pages_V: Any) -> int:
    """Count a batch of `overlaps` in place: pages that cover each word of the items, sampled pages that have each word.

    Returns how many are sampled.
    """
    runs, page = runs_of(looked)
    words, pages = covered(known, np.column_stack([page, runs[:, 0], runs[:, 2], runs[:, 3]]))
    pages_T[words] += pages
    sample = looked.column("item_words")
    pages_V += np.bincount(sample.flatten().to_numpy(), minlength=len(pages_V))
    return len(sample) - int(sample.null_count)


def add_up(store: Store, *, params: dict[str, Any], counts: list[str], output: str) -> dict[str, Any]:
    """The counts of the whole corpus."""
    known = known_items.load(contamination.Benchmarks(**params))
    pages_V, pages_T = np.zeros(len(known.words_V), np.int64), np.zeros(len(known.own_T), np.int64)
    about: Counter[str] = Counter()
    for address in counts:
        _add_counts(store, address, pages_V, pages_T)
        about.update(store.metadata(address))
    return _write_counts(store, output, pages_V, pages_T, {name: about[name] for name in ("sampled", "pages")})


def _write_counts(store: Store, output: str, pages_V: Any, pages_T: Any, about: dict[str, int]) -> dict[str, Any]:
    words, covers = np.flatnonzero(pages_V), np.flatnonzero(pages_T)
    columns = [
        np.repeat([True, False], [len(words), len(covers)]),
        np.concatenate([words, covers]).astype(np.int32),
        np.concatenate([pages_V[words], pages_T[covers]]),
    ]
    store.write_table(output, pa.table([pa.array(c) for c in columns], schema=COUNTS), report=about)
    return dict(about)


def _add_counts(store: Store, address: str, pages_V: Any, pages_T: Any) -> None:
    table = store.read_table(address)
    single = table.column("words").to_numpy(zero_copy_only=False)
    at, pages = table.column("at").to_numpy(), table.column("pages").to_numpy()
    pages_V[at[single]] += pages[single]
    pages_T[at[~single]] += pages[~single]


def score(
    store: Store, *, params: dict[str, Any], source: str, documents: str, overlaps: str, counts: str, output: str
) -> dict[str, Any]:
    """Write the `contamination` file of one split. Returns its report."""
    known = known_items.load(contamination.Benchmarks(**params))
    weights = _weights(store, known, counts)
    digest = xxhash.xxh3_128()
    report = Account(known, weights)
    with store.table_writer(output, schemas.CONTAMINATION) as writer:
        for batch in _batches(store, overlaps):
            runs, page = runs_of(batch)
            bounds = np.searchsorted(page, np.arange(batch.num_rows + 1))
            found: list[list[Hit]] = [[] for _ in range(batch.num_rows)]
            for row in np.flatnonzero(np.diff(bounds)).tolist():
                found[row] = hits_of(known, weights, runs[bounds[row] : bounds[row + 1]])
                report.add(writer.rows + row, found[row])
            made = columns_of(found, known)
            digest.update(_row_bytes(made))
            writer.write(made)
        about = {"rows": writer.rows, "source": source, "digest": digest.hexdigest()}
        writer.report = {**about, **report.as_dict(store, documents)}
    return dict(about)


_WEIGHTS: dict[tuple[int, str, str], Weights] = {}
"""Weights of the last file of counts: a worker scores many splits by them."""


def _weights(store: Store, known: KnownItems, counts: str) -> Weights:
    key = (id(known), str(getattr(store, "root", "")), counts)
    if key not in _WEIGHTS:
        pages_V, pages_T = np.zeros(len(known.words_V), np.int64), np.zeros(len(known.own_T), np.int64)
        _add_counts(store, counts, pages_V, pages_T)
        _WEIGHTS.clear()
        _WEIGHTS[key] = weigh(known, pages_T, pages_V, int(store.metadata(counts)["sampled"]))
    return _WEIGHTS[key]


def columns_of(found: list[list[Hit]], known: KnownItems) -> pa.RecordBatch:
    """`schemas.CONTAMINATION` of pages with these hits, best first."""
    best = [next((hit for hit in hits if hit.part != "passage"), None) for hits in found]
    rows = [[_row(hit, known) for hit in hits] for hits in found]
    spans = [
        contamination.joined([(hit.start, hit.stop) for hit in hits if hit.part != "passage" and hit.score > SCORE])
        for hits in found
    ]
    passages = [max((hit.score for hit in hits if hit.part == "passage"), default=0.0) for hits in found]
    named = [hit if hit and hit.score > SCORE else None for hit in best]
    names = [known.names[known.benchmark_I[hit.item]] if hit else None for hit in named]
    items = [int(known.row_I[hit.item]) if hit else None for hit in named]
    values = [
        [hit.score if hit else 0.0 for hit in best],
        names,
        items,
        [hit.part if hit else None for hit in named],
        spans,
        passages,
        rows,
    ]
    arrays = [pa.array(value, field.type) for value, field in zip(values, schemas.CONTAMINATION, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schemas.CONTAMINATION)


def _row(hit: Hit, known: KnownItems) -> dict[str, Any]:
    place = {"benchmark": known.names[known.benchmark_I[hit.item]], "item": int(known.row_I[hit.item])}
    return {**place, "part": hit.part, "score": hit.score, "start": hit.start, "stop": hit.stop}


def _row_bytes(batch: pa.RecordBatch) -> bytes:
    """The values of all rows as bytes, for a digest: other rows have other bytes."""
    hits = batch.column("contamination_hits")
    values = hits.flatten()
    parts = [hits.value_lengths().to_numpy().tobytes()]
    for name in ("item", "score", "start", "stop"):
        parts.append(values.field(name).to_numpy(zero_copy_only=False).tobytes())
    for name in ("benchmark", "part"):
        parts.append("\n".join(values.field(name).to_pylist()).encode())
    return b"".join(parts)


class Account:
    """Figures of a split's report: hits by benchmark, verdict and reason, items, and excerpts of a few."""

    def __init__(self, known: KnownItems, weights: Weights) -> None:
        self.known, self.weights = known, weights
        self.pages: Counter[tuple[str, str]] = Counter()
        self.items: Counter[tuple[str, int]] = Counter()
        self.examples: dict[tuple[str, str], list[tuple[int, Hit]]] = {}

    def add(self, row: int, hits: list[Hit]) -> None:
        """Count one page: each item found once, and for each benchmark the best verdict, those found first."""
        judged = [(hit, self.known.names[self.known.benchmark_I[hit.item]], self.verdict(hit)) for hit in hits]
        self.items.update(
            {(name, int(self.known.row_I[hit.item])) for hit, name, verdict in judged if verdict == "found"}
        )
        seen = set()
        for hit, name, verdict in sorted(judged, key=lambda entry: entry[2] != "found"):
            if name not in seen:
                seen.add(name)
                self.pages[name, verdict] += 1
                shown = self.examples.setdefault((name, verdict), [])
                if len(shown) < EXAMPLES:
                    shown.append((row, hit))

    def verdict(self, hit: Hit) -> str:
        """'found', or why a hit is not: 'passage_alone', 'common_text', 'shared_by_items', 'in_part'."""
        if hit.part == "passage":
            return "passage_alone"
        if hit.score > SCORE:
            return "found"
        question = int(self.known.question_I[hit.item])
        if question >= 0 and self.weights.excess_S[question] > 1:
            return "common_text"
        return "shared_by_items" if question >= 0 and self.weights.shared_S[question] < FEW_WORDS else "in_part"

    def as_dict(self, store: Store, documents: str) -> dict[str, Any]:
        """The report; reads the text of the rows that are shown."""
        wanted = sorted({row for shown in self.examples.values() for row, _ in shown})
        pages: dict[int, dict[str, Any]] = {}
        for which, table in store.read_rows(documents, wanted, ["doc_id", "url", "text"]):
            pages |= dict(zip(wanted[which], table.to_pylist(), strict=True))
        examples = []
        for (name, verdict), found in sorted(self.examples.items()):
            for row, hit in found:
                page = pages[row]
                text = page["text"].encode()[hit.start : hit.stop][:EXCERPT_BYTES].decode(errors="ignore")
                place = {"benchmark": name, "item": int(self.known.row_I[hit.item]), "verdict": verdict}
                shown = {"doc_id": page["doc_id"].hex(), "url": page["url"] or "", "text": text}
                examples.append({**place, "score": round(hit.score, 3), **shown})
        most = sorted(self.items.items(), key=lambda entry: (-entry[1], entry[0]))
        return {
            "verdicts": [[name, verdict, pages] for (name, verdict), pages in sorted(self.pages.items())],
            "items": [[name, item, pages] for (name, item), pages in most],
            "examples": examples,
        }


def summarise(store: Store, *, params: dict[str, Any], outputs: list[str], counts: str, summary: str) -> dict[str, Any]:
    """Write ``summary``: pages by benchmark, source and verdict, the items of most pages, excerpts."""
    known = known_items.load(contamination.Benchmarks(**params))
    verdicts: Counter[tuple[str, str, str]] = Counter()
    items: Counter[tuple[str, int]] = Counter()
    examples: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for address in outputs:
        report = store.metadata(address)
        verdicts.update({(name, report["source"], verdict): pages for name, verdict, pages in report["verdicts"]})
        items.update({(name, item): pages for name, item, pages in report["items"]})
        for entry in report["examples"]:
            examples.setdefault((entry["benchmark"], entry["verdict"]), []).append(
                {**entry, "source": report["source"]}
            )
    held = Counter(known.benchmark_I.tolist())
    found = Counter(name for name, _ in items)
    figures = {
        "benchmarks": [
            {"benchmark": name, "items": held[number], "items_found": found[name]}
            for number, name in enumerate(known.names)
        ],
        "num_short_items": known.num_short,
        "corpus": store.metadata(counts),
        "verdicts": [
            {"benchmark": name, "source": source, "verdict": verdict, "pages": pages}
            for (name, source, verdict), pages in sorted(verdicts.items())
        ],
        "items": [
            {"benchmark": name, "item": item, "pages": pages}
            for (name, item), pages in sorted(items.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_ITEMS]
        ],
        "examples": [
            entry
            for _, shown in sorted(examples.items())
            for entry in sorted(shown, key=lambda one: (-one["score"], one["doc_id"]))[:EXAMPLES]
        ],
    }
    store.write_json(summary, figures)
    return {"verdicts": sum(verdicts.values())}


def _batches(store: Store, address: str) -> Iterator[pa.RecordBatch]:
    for _, table in store.row_groups(address):
        yield from table.combine_chunks().to_batches()


def runs_of(batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(runs_R6, the row each is of) of a batch of `overlaps`."""
    column = batch.column("overlaps")
    values = column.flatten()
    runs = np.column_stack([values.field(i).to_numpy(zero_copy_only=False).astype(np.int64) for i in range(6)])
    return runs, np.repeat(np.arange(batch.num_rows), column.value_lengths().to_numpy(zero_copy_only=False))
