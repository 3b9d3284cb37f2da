"""Second half of the exchange: frequent and repeated lines of every page, and what they are.

`mark_splits` (a group of splits) reads the text again and writes the `lines` file of every split; `summarise` adds
their reports up.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from stages import schemas
from stages.contract import Store
from stages.exchange_file import read_about, read_all
from stages.kernels.line_hashes import HashedLines, look_up, table_of
from stages.kernels.ragged import text_buffers
from stages.lines.counting import batches, countable
from stages.lines.params import Params

SHOWN = 100
"""Frequent lines named in a report, those of most pages."""
EXCERPT_BYTES = 200
COUNTS = ("lines", "line_bytes", "repeated_lines", "repeated_bytes", "frequent_lines", "frequent_bytes")

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
    most: dict[str, dict[str, Any]] = {}
    for address in outputs:
        report = store.metadata(address)
        counts = sources.setdefault(report["source"], Counter())
        counts.update({name: report[name] for name in ("rows", *COUNTS)})
        for entry in report["most_frequent"]:
            # the same line may stand in white space of another kind; the smaller text of equal ones is shown
            text = min(entry["text"], most.get(entry["key"], entry)["text"])
            most[entry["key"]] = entry | {"text": text, "source": report["source"]}
    shown = sorted(most.values(), key=lambda entry: (-entry["pages"], entry["key"]))[:SHOWN]
    abouts = [read_about(store, address)[0] for address in frequent]
    result = {
        "distinct_frequent_lines": sum(about["frequent"] for about in abouts),
        "sources": {name: dict(counts) for name, counts in sources.items()},
        "most_frequent": [{key: entry[key] for key in ("pages", "source", "text")} for entry in shown],
    }
    store.write_bytes(summary, (json.dumps(result, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode())
    return {"frequent": result["distinct_frequent_lines"]}


def _mark_split(store: Store, settings: Params, split: dict[str, Any], pages: Any, table: Any, output: str) -> None:
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    digest = xxhash.xxh3_128()
    shown: dict[int, dict[str, Any]] = {}
    with store.table_writer(output, schemas.LINES) as writer:
        for text, lines in batches(store, settings, split):
            may = countable(lines, settings)
            repeated = lines.repeated_L & may
            place = np.where(may, look_up(lines.hashes_L, table), -1)
            frequent = place >= 0
            batch, numbers = _columns(text, lines, repeated, frequent)
            writer.write(batch)
            for array in numbers:
                digest.update(np.ascontiguousarray(array).view(np.uint8).data)
            counts.update(
                {
                    "lines": len(place), "line_bytes": int(lines.sizes_L.sum()),
                    "repeated_lines": int(repeated.sum()), "repeated_bytes": int(lines.sizes_L[repeated].sum()),
                    "frequent_lines": int(frequent.sum()), "frequent_bytes": int(lines.sizes_L[frequent].sum()),
                }
            )  # fmt: skip
            _show(text, lines, place, pages, shown)
        most = sorted(shown.values(), key=lambda entry: (-entry["pages"], entry["key"]))[:SHOWN]
        about = {"rows": writer.rows, "source": split["source"], "digest": digest.hexdigest()}
        writer.report = {**about, **counts, "most_frequent": most}


def _columns(text: pa.Array, lines: HashedLines, repeated: Mask, frequent: Mask) -> tuple[pa.RecordBatch, list[Any]]:
    """The rows of `schemas.LINES`, and the arrays that tell them from others."""
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
                pa.array([""] * len(which), pa.string()),
            ],
            fields=list(schemas.SPAN),
        )
        arrays += [
            pa.array(np.diff(bounds).astype(np.int32)),
            pa.array(fraction.astype(np.float32), mask=num_lines == 0),
            pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), spans, type=pa.list_(schemas.SPAN)),
        ]
        numbers += [bounds, fraction, first, last]
    return pa.RecordBatch.from_arrays(arrays, schema=schemas.LINES), numbers


def _per_page(values_L: npt.NDArray[np.int64], lines: HashedLines) -> npt.NDArray[np.int64]:
    running = np.zeros(len(values_L) + 1, np.int64)
    np.cumsum(values_L, out=running[1:])
    return np.diff(running[lines.lines_D1])


def _show(text: pa.Array, lines: HashedLines, place: Any, pages: Any, shown: dict[int, dict[str, Any]]) -> None:
    """Add the lines of most pages of a batch to ``shown``, with their text."""
    numbers, first = np.unique(place, return_index=True)
    numbers, first = numbers[numbers >= 0], first[numbers >= 0]
    order = np.lexsort((lines.hashes_L[first], -pages[numbers]))[:SHOWN]
    data, _ = text_buffers(text)
    for number, line in zip(numbers[order].tolist(), first[order].tolist(), strict=True):
        if number not in shown:
            piece = data[lines.starts_L[line] : lines.stops_L[line]].tobytes().strip()[:EXCERPT_BYTES]
            key = f"{int(lines.hashes_L[line]):016x}"
            shown[number] = {"key": key, "pages": int(pages[number]), "text": piece.decode(errors="ignore")}
