"""Labels against scores of quality: how the pages of each topic are spread over the scores of all.

Every column of labels is crossed with every score (columns that end with ``_score``): pages, and kept pages, by label
and bin of `stages.kernels.columns.bins`. Sums, so they add up in any order; of very many labels the largest are held.

    {label column: {score column: {label: {bin: [pages, kept]}}}}
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.kernels.columns import bins
from stages.report.columns import Column, Stats, Table, make, ratio
from stages.schemas import is_label

Crossed = dict[str, dict[str, dict[str, dict[str, list[int]]]]]

MAX_LABELS = 1000
SCORE = "_score"
PARTS = 5
NAMES = ("Worst fifth", "Second", "Third", "Fourth", "Best fifth")


def count(pages: pa.Table, keep: npt.NDArray[np.bool_]) -> Crossed:
    """The pages of a table; empty where it has no label or no score."""
    kinds = dict(zip(pages.column_names, pages.schema.types, strict=True))
    labels = [name for name, kind in kinds.items() if is_label(name) and pa.types.is_string(kind)]
    scores = [name for name, kind in kinds.items() if name.endswith(SCORE) and pa.types.is_floating(kind)]
    if not scores:
        return {}
    return {label: {score: _counted(pages, keep, label, score) for score in scores} for label in labels}


def _counted(pages: pa.Table, keep: npt.NDArray[np.bool_], label: str, score: str) -> dict[str, dict[str, list[int]]]:
    edges = bins.edges(bins.kind_of(score, integer=False))
    values = pages.column(score).cast(pa.float64()).to_numpy()
    encoded = pc.fill_null(pages.column(label), "").combine_chunks().dictionary_encode()
    known = ~np.isnan(values)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64) * len(edges) + place
    names = encoded.dictionary.to_pylist()
    found: dict[str, dict[str, list[int]]] = {}
    every, pages_of = np.unique(codes[known], return_counts=True)
    kept = dict(zip(*map(np.ndarray.tolist, np.unique(codes[known & keep], return_counts=True)), strict=True))
    for code, number in zip(every.tolist(), pages_of.tolist(), strict=True):
        name, where = names[code // len(edges)], str(code % len(edges))
        found.setdefault(name, {})[where] = [number, kept.get(code, 0)]
    return found


def add(into: Crossed, other: Crossed) -> None:
    """Add the sums of some pages to others."""
    for label, scores in other.items():
        for score, names in scores.items():
            mine = into.setdefault(label, {}).setdefault(score, {})
            for name, counts in names.items():
                held = mine.setdefault(name, {})
                for where, pair in counts.items():
                    before = held.get(where, [0, 0])
                    held[where] = [a + b for a, b in zip(before, pair, strict=True)]


def largest(crossed: Crossed) -> Crossed:
    """Counts with at most `MAX_LABELS` labels of each, those of most pages; in order of names."""
    found: Crossed = {}
    for label, scores in crossed.items():
        for score, names in scores.items():
            size = {name: sum(pair[0] for pair in counts.values()) for name, counts in names.items()}
            most = sorted(names, key=lambda name: (-size[name], name))[:MAX_LABELS]
            found.setdefault(label, {})[score] = {name: names[name] for name in sorted(most)}
    return found


def rows(crossed: Crossed) -> list[dict[str, Any]]:
    """For stats.json: of each label and score the pages of every label, and of its kept ones how many lie in each
    fifth of all kept ones, worst first. A bin that two fifths share is divided between them."""
    found = []
    for label, scores in sorted(crossed.items()):
        for score, names in sorted(scores.items()):
            size = len(bins.edges(bins.kind_of(score, integer=False))) - 1
            totals = np.zeros(size)
            kept = {name: np.zeros(size) for name in names}
            for name, counts in names.items():
                for where, (_, number) in counts.items():
                    kept[name][int(where)] += number
                totals += kept[name]
            parts_PB = _fifths(totals)
            for name, counts in sorted(names.items()):
                row: dict[str, Any] = {"labels": label, "score": score, "label": name}
                row |= {"pages": sum(pair[0] for pair in counts.values()), "kept": int(kept[name].sum())}
                found.append(row | {"fifths": [round(float(part @ kept[name]), 3) for part in parts_PB]})
    return found


def _fifths(totals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The share of each bin that lies in each fifth: [fifths, bins]."""
    ends = np.cumsum(totals)
    starts = ends - totals
    cuts = ends[-1] * np.arange(PARTS + 1) / PARTS
    inside = np.minimum(ends, cuts[1:, None]) - np.maximum(starts, cuts[:-1, None])
    shares: npt.NDArray[np.float64] = np.clip(inside, 0, None) / np.where(totals > 0, totals, 1)
    return shares


def tables(stats: Stats) -> list[Table]:
    """A table for each label and score: topics against quality."""
    every = (stats["survey"] or {}).get("crossed", [])
    found = []
    for label, score in dict.fromkeys((row["labels"], row["score"]) for row in every):
        mine = [row for row in every if (row["labels"], row["score"]) == (label, score)]
        kept = sum(row["kept"] for row in mine)
        records = [
            {**row, "label": row["label"] or "(none)", "share": ratio(row["kept"], kept)}
            | {"kept_share": ratio(row["kept"], row["pages"])}
            | {f"part_{k}": ratio(part, row["kept"]) for k, part in enumerate(row["fifths"])}
            for row in mine
        ]
        columns = [
            Column("label", label.removesuffix("_label").capitalize(), "text"),
            Column("pages", "Pages", "count", bar=True),
            Column("kept", "Kept", "count"),
            Column("kept_share", "Kept of pages", "share"),
            Column("share", "Of all kept", "share"),
            *(
                Column(f"part_{k}", NAMES[k], "share", help=f"Of its kept pages, by {score} among all kept pages")
                for k in range(PARTS)
            ),
        ]
        records.sort(key=lambda row: (-row["pages"], row["label"]))
        found.append(make(f"{label}_by_{score}", f"Pages by {label} and {score}", columns, records))
    return found
