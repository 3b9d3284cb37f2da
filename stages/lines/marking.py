"""Second half of the exchange: frequent and repeated lines and paragraphs of every page, and what they are.

`mark_splits` (a group of splits) reads the text again and writes the `lines` file of every split; `summarise` adds
their reports up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from stages import schemas
from stages.contract import Store
from stages.exchange_file import read_about, read_all
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.line_hashes import HashedLines, look_up, table_of
from stages.lines.counting import batches, countable, keys_of
from stages.lines.params import Params

SHOWN = 100
"""Frequent lines, and paragraphs, named in a report: those of most pages."""
EXCERPT_BYTES = 200
UNITS = ("lines", "paragraphs")
COUNTS = tuple(
    f"{kind}{unit}{of}" for unit in UNITS for kind in ("", "repeated_", "frequent_") for of in ("", "_bytes")
)

Mask = npt.NDArray[np.bool_]


def mark_splits(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], frequent: list[str], group: int,
    outputs: list[str],
) -> dict[str, Any]:  # fmt: skip
    """Write the `lines` file of every split of a group."""
    settings = Params.model_validate(params)
    known = read_all(store, frequent, group)
    table = table_of(known["key"])
    for split, output in zip(splits, outputs, strict=True):
        _mark_split(store, settings, split, known["pages"], table, output)
    return {"splits": len(splits)}


def summarise(store: Store, *, outputs: list[str], frequent: list[str], summary: str) -> dict[str, Any]:
    """Write ``summary``: counts per source, and the lines that most pages have."""
    sources: dict[str, Counter[str]] = {}
    most: dict[str, dict[str, dict[str, Any]]] = {unit: {} for unit in UNITS}
    for address in outputs:
        report = store.metadata(address)
        counts = sources.setdefault(report["source"], Counter())
        counts.update({name: report[name] for name in ("rows", *COUNTS)})
        for unit, found in most.items():
            for entry in report[f"most_frequent_{unit}"]:
                # the same line may stand in white space of another kind; the smaller text of equal ones is shown
                text = min(entry["text"], found.get(entry["key"], entry)["text"])
                found[entry["key"]] = entry | {"text": text, "source": report["source"]}
    abouts = [read_about(store, address)[0] for address in frequent]
    result: dict[str, Any] = {"sources": {name: dict(counts) for name, counts in sources.items()}}
    for unit, found in most.items():
        shown = [{key: entry[key] for key in ("pages", "source", "text")} for entry in _most(found.values())]
        result |= {f"distinct_frequent_{unit}": sum(about[unit] for about in abouts), f"most_frequent_{unit}": shown}
    store.write_json(summary, result)
    return {unit: result[f"distinct_frequent_{unit}"] for unit in UNITS}


def _mark_split(store: Store, settings: Params, split: dict[str, Any], pages: Any, table: Any, output: str) -> None:
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    digest = xxhash.xxh3_128()
    shown: dict[str, dict[int, dict[str, Any]]] = {unit: {} for unit in UNITS}
    with store.table_writer(output, schemas.LINES) as writer:
        for text, units in batches(store, settings, split):
            arrays: list[pa.Array] = []
            for number, (unit, lines) in enumerate(zip(UNITS, units, strict=True)):
                may = countable(lines, settings)
                place = np.where(may, look_up(keys_of(lines, number), table), -1)
                marked = {"": np.ones(len(may), np.bool_), "repeated_": lines.repeated_L & may, "frequent_": place >= 0}
                for kind, which in marked.items():
                    sizes = {f"{kind}{unit}": which.sum(), f"{kind}{unit}_bytes": lines.sizes_L[which].sum()}
                    counts.update({name: int(value) for name, value in sizes.items()})
                columns, numbers = _columns(text, lines, marked["repeated_"], marked["frequent_"])
                arrays += columns
                for values in numbers:
                    digest.update(np.ascontiguousarray(values).view(np.uint8).data)
                _show(text, lines, place, pages, shown[unit])
            writer.write(pa.RecordBatch.from_arrays(arrays, schema=schemas.LINES))
        about = {"rows": writer.rows, "source": split["source"], "digest": digest.hexdigest()}
        most = {f"most_frequent_{unit}": _most(found.values()) for unit, found in shown.items()}
        writer.report = {**about, **counts, **most}


def _most(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(entries, key=lambda entry: (-entry["pages"], entry["key"]))[:SHOWN]


def _columns(text: pa.Array, lines: HashedLines, repeated: Mask, frequent: Mask) -> tuple[list[pa.Array], list[Any]]:
    """The columns of `schemas.LINES` for lines or paragraphs, and the arrays that identify them, for a digest."""
    _, offsets = text_buffers(text)
    num_lines = np.diff(lines.lines_D1)
    line_bytes = _per_page(lines.sizes_L, lines)
    arrays = [pa.array(num_lines.astype(np.int32))]
    numbers: list[Any] = [num_lines]
    for marked in (repeated, frequent):
        some = np.where(marked, lines.sizes_L, 0)
        fraction = _per_page(some, lines) / np.maximum(line_bytes, 1)
        which = np.flatnonzero(marked)
        bounds = np.searchsorted(which, lines.lines_D1)
        starts = offsets[:-1][np.repeat(np.arange(len(num_lines)), np.diff(bounds))]
        first, last = lines.starts_L[which] - starts, lines.stops_L[which] - starts
        spans = pa.StructArray.from_arrays(
            [
                pa.array(first.astype(np.int32)),
                pa.array(last.astype(np.int32)),
                pa.repeat("", len(which)),
            ],
            fields=list(schemas.SPAN),
        )
        arrays += [
            pa.array(np.diff(bounds).astype(np.int32)),
            pa.array(fraction.astype(np.float32), mask=num_lines == 0),
            pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), spans, type=pa.list_(schemas.SPAN)),
        ]
        numbers += [bounds, fraction, first, last]
    return arrays, numbers


def _per_page(values_L: npt.NDArray[np.int64], lines: HashedLines) -> npt.NDArray[np.int64]:
    running = np.zeros(len(values_L) + 1, np.int64)
    np.cumsum(values_L, out=running[1:])
    return np.diff(running[lines.lines_D1])


def _show(text: pa.Array, lines: HashedLines, place: Any, pages: Any, shown: dict[int, dict[str, Any]]) -> None:
    """Add the lines (or paragraphs) of most pages of a batch to ``shown``, with their text."""
    numbers, first = np.unique(place, return_index=True)
    numbers, first = numbers[numbers >= 0], first[numbers >= 0]
    order = np.lexsort((lines.hashes_L[first], -pages[numbers]))[:SHOWN]
    data, _ = text_buffers(text)
    for number, line in zip(numbers[order].tolist(), first[order].tolist(), strict=True):
        if number not in shown:
            piece = data[lines.starts_L[line] : lines.stops_L[line]].tobytes().strip()[:EXCERPT_BYTES]
            key = f"{int(lines.hashes_L[line]):016x}"
            shown[number] = {"key": key, "pages": int(pages[number]), "text": piece.decode(errors="ignore")}
