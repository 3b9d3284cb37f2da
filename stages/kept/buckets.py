"""Percentiles of scores per language, over all splits: where the buckets of quality lie that domains select by.

A domain with ``percentiles: {x_score: [90, 100]}`` takes the best tenth of each language. Ranked are the pages that
pass every rule (overrides for domains left out, because a domain is what is to be found), of the domain's sources.

Method: `count` makes a histogram of each column and language over some splits, in fixed bins: the first 28 bits of the
number (sign, exponent, 16 bits of fraction), so a bin is one part in 65,536 wide. Histograms add up, in any order, so
`limits` reads the same edges whatever the number of workers and files. An edge is the lower end of the first bin below
which at least that share of the pages lies; equal scores are never divided, so a bucket may be larger than asked.

    counts    column, source, language, bin, pages: sorted
    edges     {group: {language: {percentile: edge or null (without limit)}}}, a group being a column of some sources
              (`params.Domain.group`)

Columns ranked within a label too are counted as ``x_score within topic``, and what stands for the language there is
language and label: ``en science``.

Price: as `kept` itself, 1 µs a page; the sum holds one histogram a language and column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.contract import Store, Task, Wave
from stages.kept.decide import Edges, numbers, page_keys, prepare
from stages.kept.inputs import read_pages
from stages.kept.params import Domain, Params
from stages.kernels.columns.number_bins import bins, lower_ends
from stages.rules import robots_files, url_lists

VERSION = 1
WITHIN = " within "
COUNTS = pa.schema(
    [
        pa.field("column", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("bin", pa.int64(), nullable=False),
        pa.field("pages", pa.int64(), nullable=False),
    ]
)


Wanted = dict[str, dict[str, Any]]
"""By group: ``{"column", "sources" (null: all), "percentiles"}``, and ``"within"`` where a label is given."""


def wanted_of(domains: Iterable[Domain]) -> Wanted:
    """The percentiles that domains ask for, sorted."""
    found: Wanted = {}
    for domain in domains:
        for column, limits in domain.percentiles.items():
            sources = sorted(domain.sources) if domain.sources is not None else None
            ranked = {"within": domain.within} if domain.within is not None else {}
            about = {"column": column, "sources": sources, "percentiles": [], **ranked}
            entry = found.setdefault(domain.group(column), about)
            entry["percentiles"] = sorted({*entry["percentiles"], *limits})
    return dict(sorted(found.items()))


def plan(inputs: Sequence[Mapping[str, Any]], wanted: Wanted, names: Sequence[str], output: str) -> list[Wave]:
    """Phases that end in the edges at ``output``.

    Args:
        inputs: of each task the splits it counts: ``{"splits": [{"files", "params"} as `keep` takes them]}``.
        names: where each task's counts go.
    """
    columns = columns_of(wanted)
    counting = [
        Task("stages.kept.buckets:count", {**entry, "columns": columns, "output": name}, (name,), name)
        for entry, name in zip(inputs, names, strict=True)
    ]
    args: dict[str, Any] = {"inputs": list(names), "wanted": dict(wanted)}
    ending = Task("stages.kept.buckets:limits", {**args, "output": output}, (output,), output)
    return [Wave("count", tuple(counting)), Wave("edges", (ending,))]


def columns_of(wanted: Wanted) -> list[str]:
    """The columns to count; of those ranked within a label, both: `x_score within topic`."""
    return sorted({counted_as(entry) for entry in wanted.values()})


def counted_as(entry: Mapping[str, Any]) -> str:
    """A column as it stands in the counts."""
    return f"{entry['column']}{WITHIN}{entry['within']}" if entry.get("within") else str(entry["column"])


def named(counted: str) -> tuple[str, str | None]:
    """Column and labeller of what is counted."""
    column, _, labeller = counted.partition(WITHIN)
    return column, labeller or None


def count(store: Store, *, splits: list[dict[str, Any]], columns: list[str], output: str) -> dict[str, Any]:
    """Job: the histograms of some splits."""
    found = []
    for split in splits:
        params, urls = Params(**split["params"]), split.get("urls")
        free = tuple(override for override in params.overrides if override.domains is None)
        params = params.model_copy(update={"overrides": free})
        asked = [named(counted) for counted in columns]
        ranked = [Domain(name="all", percentiles={column: (0, 100)}, within=within) for column, within in asked]
        pages = read_pages(store, split["files"], params, ranked, urls=bool(urls))
        lists = url_lists.load(store, urls) if urls else None
        robots = robots_files.load(store, split["robots"]) if split.get("robots") else None
        kept = prepare(params, [], lists, robots=robots)(pages)
        found.append(histograms(pages.filter(kept.column("keep")), columns))
    table = added(found)
    store.write_table(output, table, report={"rows": table.num_rows})
    return {"rows": table.num_rows}


def histograms(pages: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Pages by column, source, language and bin; those without a value are left out."""
    parts = []
    for counted_name in columns:
        column, within = named(counted_name)
        values, (codes, names) = numbers(pages, column), page_keys(pages, within)
        known = ~np.isnan(values) & (codes >= 0)
        keys = pa.array(names, pa.string()).take(pa.array(codes[known]))
        table = pa.table({"source": pages.column("source").filter(pa.array(known)), "language": keys})
        table = table.append_column("bin", pa.array(bins(values[known])))
        counted = table.group_by(table.column_names, use_threads=False).aggregate([([], "count_all")])
        parts.append(
            pa.table(
                [
                    pa.array([counted_name] * counted.num_rows, pa.string()),
                    *(counted.column(name) for name in ("source", "language", "bin", "count_all")),
                ],
                schema=COUNTS,
            )
        )
    return added(parts)


def added(tables: Sequence[pa.Table]) -> pa.Table:
    """Histograms as one, sorted."""
    together = pa.concat_tables([COUNTS.empty_table(), *tables])
    keys = COUNTS.names[:-1]
    summed = together.group_by(keys, use_threads=False).aggregate([("pages", "sum")])
    return (
        summed.rename_columns([*keys, "pages"])
        .select(COUNTS.names)
        .cast(COUNTS)
        .sort_by([(k, "ascending") for k in keys])
    )


def limits(store: Store, *, inputs: list[str], wanted: Wanted, output: str) -> dict[str, Any]:
    """Job: add all histograms up and write the edges as JSON."""
    total = COUNTS.empty_table()
    for address in inputs:
        total = added([total, store.read_table(address)])
    store.write_json(output, edges(total, wanted))
    return {"rows": total.num_rows}


def edges(counts: pa.Table, wanted: Wanted) -> Edges:
    """The edges of the percentiles asked for."""
    found: Edges = {group: {} for group in wanted}
    for group, entry in wanted.items():
        own = counts.filter(pc.equal(counts.column("column"), counted_as(entry)))
        if entry["sources"] is not None:
            own = own.filter(pc.is_in(own.column("source"), pa.array(entry["sources"], pa.string())))
        for language in sorted(pc.unique(own.column("language")).to_pylist()):
            rows = own.filter(pc.equal(own.column("language"), language)).sort_by("bin")
            places, pages = rows.column("bin").to_numpy(), rows.column("pages").to_numpy()
            below = np.concatenate(([0], np.cumsum(pages)))
            below[1:-1][np.diff(places) == 0] = -1  # between two sources in one bin there is no edge
            found[group][language] = {f"{p:g}": _edge(places, below, p) for p in entry["percentiles"]}
    return found


def _edge(places: npt.NDArray[np.int64], below: npt.NDArray[np.int64], percentile: float) -> float | None:
    if percentile in (0, 100):
        return None
    first = int(np.flatnonzero(below >= percentile / 100 * below[-1])[0])
    return float(lower_ends(places[first : first + 1] if first < len(places) else places[-1:] + 1)[0])
