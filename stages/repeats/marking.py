"""Back to the pages: intervals of anchors become the spans of every page, and the reports become one summary.

`mark_splits` (a group of splits) puts together what the passes found for its anchors, reads the text of pages with
repeats once more, to cut whole characters, lines or sentences, and writes the `repeats` file of every split;
`summarise` adds their reports up and shows the passages that most pages have.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from stages import schemas
from stages.contract import Store
from stages.exchange_file import Array, Columns, concatenate, read_about, read_all, read_partition
from stages.kernels.columns.ragged import offsets_of, text_buffers
from stages.kernels.dedup.repeat_spans import (
    CHARACTER,
    LINE,
    SENTENCE,
    CutSpans,
    Intervals,
    cut_spans,
    kept_intervals,
    shown_spans,
)
from stages.repeats.pages import chosen, taking_part
from stages.repeats.params import Params

UNITS = {"character": CHARACTER, "line": LINE, "sentence": SENTENCE}
COUNTS = ("pages", "text_bytes", "pages_with_repeats", "repeats", "repeats_bytes", "cut_bytes", "kept_bytes")
"""Of a split's pages that take part: all, their bytes, those with repeats, their spans and bytes, the bytes that the
view cuts, and those that pages keep for others."""
SHOWN = 100
EXCERPT_BYTES = 300
INTERVAL = {
    "split": np.int32, "row": np.int32, "start": np.int64, "stop": np.int64, "cut": np.bool_, "at": np.int64,
    "id_hi": np.uint64, "id_lo": np.uint64,
}  # fmt: skip


def mark_splits(
    store: Store,
    *,
    params: dict[str, Any],
    splits: list[dict[str, Any]],
    group: int,
    held: list[str],
    owners: list[list[str]],
    outputs: list[str],
) -> dict[str, Any]:
    """Write the `repeats` file of every split of a group; ``held`` and ``owners`` pass by pass."""
    settings = Params.model_validate(params)
    parts: list[Columns] = [{name: np.zeros(0, kind) for name, kind in INTERVAL.items()}]
    for places, decided in zip(held, owners, strict=True):
        parts.append(intervals(settings, read_partition(store, places, 0), read_all(store, decided, group)))
    found = concatenate(parts)
    del parts
    keys = ("at", "id_lo", "id_hi", "cut")
    order = np.lexsort((*(found[name] for name in keys), -found["stop"], found["start"], found["row"], found["split"]))
    found = chosen(found, order)
    limits = np.searchsorted(found["split"], [[split["number"], split["number"] + 1] for split in splits])
    for split, (start, stop), output in zip(splits, limits.tolist(), outputs, strict=True):
        mine = {name: column[start:stop] for name, column in found.items()}
        _mark_split(store, settings, split, mine, output)
    return {"splits": len(splits), "intervals": len(order)}


def intervals(settings: Params, held: Columns, decided: Columns) -> Columns:
    """One interval per place of an anchor and piece of its context: bytes of the page, whether they are cut, for which
    page and for which byte of it."""
    counts = decided["pieces"].astype(np.int64)
    begins = offsets_of(counts)[:-1]
    each = counts[held["context"]]
    record = np.repeat(np.arange(len(each)), each)
    piece = np.arange(len(record)) + np.repeat(begins[held["context"]] - offsets_of(each)[:-1], each)
    place, stride, count = (held[name][record].astype(np.int64) for name in ("place", "stride", "count"))
    first, last = decided["first"][piece].astype(np.int64), decided["last"][piece].astype(np.int64)
    owns = (held["split"][record] == decided["split"][piece]) & (held["row"][record] == decided["row"][piece])
    if settings.within_page:
        owns &= held["place"][record] == decided["place"][piece]
    columns: Columns = {
        "split": held["split"][record],
        "row": held["row"][record],
        "start": place + first,
        "stop": place + last + settings.min_bytes,
        "cut": ~owns,
        "at": decided["place"][piece] + first,
        "id_hi": decided["id_hi"][piece],
        "id_lo": decided["id_lo"][piece],
    }
    runs = np.flatnonzero(count > 1)
    return concatenate([columns, *_of_runs(settings, chosen(columns, runs), stride[runs], count[runs])])


def _of_runs(settings: Params, columns: Columns, strides: Array, counts: Array) -> list[Columns]:
    """The intervals of all places of runs but their first, which ``columns`` has; those that overlap left out."""
    size = columns["stop"] - columns["start"]
    step = size // strides  # places on which the next interval begins that does not leave a gap
    tiles = -(-(counts - 1) // step)
    which = np.repeat(np.arange(len(tiles)), tiles)
    number = np.minimum(
        (np.arange(len(which)) - np.repeat(offsets_of(tiles)[:-1], tiles) + 1) * step[which], counts[which] - 1
    )
    found = chosen(columns, which)
    shift = number * strides[which]
    found["start"], found["stop"] = found["start"] + shift, found["stop"] + shift
    if settings.within_page:
        found["cut"] = np.ones(len(which), np.bool_)
    return [found]


def _mark_split(store: Store, settings: Params, split: dict[str, Any], found: Columns, output: str) -> None:
    parts = taking_part(store, split)
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    digest = xxhash.xxh3_128()
    with store.table_writer(output, schemas.REPEATS) as writer:
        for row, table in store.row_groups(split["documents"], ["text"]):
            text = table.column("text").combine_chunks()
            data, offsets = text_buffers(text)
            bounds = np.searchsorted(found["row"], np.arange(row, row + len(text) + 1))
            here = {name: column[bounds[0] : bounds[-1]] for name, column in found.items()}
            copies = np.where(here["cut"], np.arange(len(here["cut"])), -1)
            kept = kept_intervals(bounds - bounds[0], here["start"], here["stop"], copies)
            # the number of a copy stands for its page: the first interval that names it
            ids, copies[here["cut"]] = _numbered(here)
            spans = cut_spans(bounds - bounds[0], here["start"], here["stop"], copies, here["at"], kept)
            shown = shown_spans(data, offsets, spans, kept, settings.join, UNITS[settings.widen])
            takes = parts[row : row + len(text)]
            batch, numbers = _columns(offsets, takes, spans, shown, kept, ids)
            for values in numbers:
                digest.update(np.ascontiguousarray(values).view(np.uint8).data)
            counts.update(_counted(offsets, takes, spans, shown, kept))
            writer.write(batch)
        writer.report = {"rows": writer.rows, "source": split["source"], "digest": digest.hexdigest(), **counts}


def _numbered(here: Columns) -> tuple[Array, Array]:
    """The doc_ids that intervals to cut name, as big-endian pairs, and of each such interval the number of its."""
    cut = here["cut"]
    pairs = np.stack([here["id_hi"][cut], here["id_lo"][cut]], axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (pairs[order[1:]] != pairs[order[:-1]]).any(axis=1)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(fresh) - 1
    return pairs[order[fresh]].astype(">u8"), numbers


def _columns(
    offsets: Array, takes: Array, spans: CutSpans, shown: Intervals, kept: Intervals, ids: Array
) -> tuple[pa.RecordBatch, list[Array]]:
    """The rows of `schemas.REPEATS`, and the arrays that identify them, for a digest."""
    sizes = np.diff(offsets)
    num_bytes, kept_bytes = (
        _per_page(each.stops_S - each.starts_S, each.spans_D1)
        if isinstance(each, CutSpans)
        else _per_page(each.stops - each.starts, each.bounds_D1)
        for each in (spans, kept)
    )
    fraction = num_bytes / np.maximum(sizes, 1)
    unknown = ~takes | (sizes == 0)
    cuts = pa.StructArray.from_arrays(
        [
            pa.array(shown.starts.astype(np.int32)),
            pa.array(shown.stops.astype(np.int32)),
            pa.repeat("", len(shown.starts)),
        ],
        fields=list(schemas.SPAN),
    )
    names = pa.Array.from_buffers(schemas.DOC_ID, len(ids), [None, pa.py_buffer(ids.tobytes())])
    copies = pa.StructArray.from_arrays(
        [
            pa.array(spans.starts_S.astype(np.int32)),
            pa.array(spans.stops_S.astype(np.int32)),
            names.take(pa.array(spans.copies_S)),
            pa.array(spans.at_S.astype(np.int32)),
        ],
        fields=list(schemas.REPEAT),
    )
    arrays = [
        pa.array(np.diff(spans.spans_D1).astype(np.int32)),
        pa.array(num_bytes.astype(np.int32)),
        pa.array(fraction.astype(np.float32), mask=unknown),
        pa.array(kept_bytes.astype(np.int32)),
        pa.array(fraction.astype(np.float32), mask=unknown | (kept_bytes > 0)),
        pa.ListArray.from_arrays(pa.array(shown.bounds_D1.astype(np.int32)), cuts, type=pa.list_(schemas.SPAN)),
        pa.ListArray.from_arrays(pa.array(spans.spans_D1.astype(np.int32)), copies, type=pa.list_(schemas.REPEAT)),
    ]
    details = [num_bytes, kept_bytes, unknown, shown.bounds_D1, shown.starts, shown.stops]
    return pa.RecordBatch.from_arrays(arrays, schema=schemas.REPEATS), details


def _counted(offsets: Array, takes: Array, spans: CutSpans, shown: Intervals, kept: Intervals) -> dict[str, int]:
    return {
        "pages": int(takes.sum()),
        "text_bytes": int(np.diff(offsets)[takes].sum()),
        "pages_with_repeats": int((np.diff(spans.spans_D1) > 0).sum()),
        "repeats": len(spans.starts_S),
        "repeats_bytes": int((spans.stops_S - spans.starts_S).sum()),
        "cut_bytes": int((shown.stops - shown.starts).sum()),
        "kept_bytes": int((kept.stops - kept.starts).sum()),
    }


def _per_page(values: Array, bounds_D1: Array) -> Array:
    return np.diff(offsets_of(values)[bounds_D1])


def summarise(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], outputs: list[str], owners: list[str],
    summary: str,
) -> dict[str, Any]:  # fmt: skip
    """Write ``summary``: counts per source, and the passages that most pages have, with their beginning."""
    sources: dict[str, Counter[str]] = {}
    for address in outputs:
        report = store.metadata(address)
        sources.setdefault(report["source"], Counter()).update({name: report[name] for name in ("rows", *COUNTS)})
    most = passages([entry for address in owners for entry in read_about(store, address)[0]["most"]])
    texts = _texts(store, {split["number"]: split for split in splits}, {(entry[0], entry[1]) for entry in most})
    shown = [_shown(*texts[split, row], *rest) for split, row, *rest in most]
    whole = Counter[str]()
    for counts in sources.values():
        whole.update(counts)
    result = {
        **{name: whole[name] for name in ("rows", *COUNTS)},
        "min_bytes": params["min_bytes"],
        "sources": {name: dict(counts) for name, counts in sources.items()},
        "most_repeated": shown,
    }
    store.write_json(summary, result)
    return {name: whole[name] for name in ("repeats", "repeats_bytes")}


def passages(entries: list[list[Any]]) -> list[list[Any]]:
    """Contexts of one page that overlap and stand in equally many places, as one passage: [split, row, doc_id, start,
    stop, holders], those of most places first."""
    found: list[list[Any]] = []
    for holders, doc_id, split, row, start, stop in sorted(entries, key=lambda entry: (entry[1], entry[0], entry[4])):
        last = found[-1] if found else None
        if last and last[2] == doc_id and last[5] == holders and start <= last[4]:
            last[4] = max(last[4], stop)
        else:
            found.append([split, row, doc_id, start, stop, holders])
    return sorted(found, key=lambda entry: (-entry[5], entry[3] - entry[4], entry[2], entry[3]))[:SHOWN]


def _texts(
    store: Store, splits: dict[int, dict[str, Any]], wanted: set[tuple[int, int]]
) -> dict[tuple[int, int], tuple[dict[str, Any], str]]:
    """Source, URL and text of some pages, by split and row; a row group is read once."""
    found: dict[tuple[int, int], tuple[dict[str, Any], str]] = {}
    for number in sorted({split for split, _ in wanted}):
        rows = sorted(row for split, row in wanted if split == number)
        for place, table in store.read_rows(splits[number]["documents"], rows, ["url", "text"]):
            for row, page in zip(rows[place], table.to_pylist(), strict=True):
                found[number, row] = {"source": splits[number]["source"], "url": page["url"]}, page["text"]
    return found


def _shown(place: dict[str, Any], text: str, doc_id: str, start: int, stop: int, holders: int) -> dict[str, Any]:
    excerpt = " ".join(text.encode()[start : min(stop, start + EXCERPT_BYTES)].decode(errors="ignore").split())
    return {"places": holders, "bytes": stop - start, "start": start, "doc_id": doc_id, **place, "text": excerpt}
