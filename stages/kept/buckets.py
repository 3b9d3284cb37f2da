"""Percentiles of scores per language, over all splits: where the buckets of quality lie that domains select by.

A domain with ``percentiles: {x_score: [90, 100]}`` takes the best tenth of each language. Ranked are the pages that
pass every rule (overrides for domains left out, because a domain is what is to be found), of the domain's sources.

Method: `stages.percentiles`, exact: an edge is the smallest number below which at least that share of the pages lies;
equal scores are never divided, so a bucket may be larger than asked. The same edges whatever the number of workers and
files.

    edges     {group: {language: {percentile: edge or null (without limit)}}}, a group being a column of some sources
              (`params.Domain.group`)

Columns ranked within a label too are counted as ``x_score within topic``, and what stands for the language there is
language and label: ``en science``.

Price: as `kept` itself, 1 µs a page, and twelve bytes of disk for every different number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stages import percentiles
from stages.contract import Store, Task, Wave
from stages.kept.decide import Edges, numbers, page_keys, prepare
from stages.kept.inputs import read_pages
from stages.kept.params import Domain, Params
from stages.rules import robots_files, url_lists

VERSION = 3
WITHIN = " within "

Wanted = dict[str, dict[str, Any]]
"""Settings by group: ``{"column", "sources" (null: all), "percentiles"}``, and ``"within"`` where a label is given."""


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


def plan(
    inputs: Sequence[Mapping[str, Any]],
    wanted: Wanted,
    names: Sequence[str],
    folder: str,
    output: str,
    labels: Sequence[str],
) -> list[Wave]:
    """Waves that end in the edges at ``output``.

    Args:
        inputs: of each task the splits it counts: ``{"splits": [{"files", "params"} as `keep` takes them]}``.
        names: where each task's counts go; what they are made of lies beside them.
        folder: of what is read again around the edges.
        labels: what people are shown of each of the ``inputs``.
    """
    columns = columns_of(wanted)
    values = [f"{name.removesuffix('.parquet')}.values.parquet" for name in names]
    counting = [
        Task(
            "stages.kept.buckets:count",
            {**entry, "columns": columns, "output": name, "values": beside},
            (name, beside),
            label,
        )
        for entry, name, beside, label in zip(inputs, names, values, labels, strict=True)
    ]
    ranked = [ranking(entry) for entry in wanted.values()]
    near, narrow = percentiles.narrowing(names, values, ranked, folder, labels)
    inner = [address for task in narrow.tasks for address in task.outputs]
    args: dict[str, Any] = {"inputs": list(names), "near": near.tasks[0].outputs[0], "narrowed": inner}
    ending = Task("stages.kept.buckets:limits", {**args, "wanted": dict(wanted), "output": output}, (output,), "edges")
    return [Wave("count", tuple(counting)), near, narrow, Wave("edges", (ending,))]


def ranking(entry: Mapping[str, Any]) -> percentiles.Ranked:
    """The column, the sources and the percentiles of a group of `Wanted`."""
    sources = None if entry["sources"] is None else tuple(entry["sources"])
    return counted_as(entry), sources, percentiles.parts_of(entry["percentiles"])


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


def count(
    store: Store, *, splits: list[dict[str, Any]], columns: list[str], output: str, values: str
) -> dict[str, Any]:
    """Job: what some splits hold of every number and bin."""
    found = []
    for split in splits:
        params, urls = Params(**split["params"]), split.get("urls")
        free = tuple(override for override in params.overrides if override.domains is None)
        params = params.model_copy(update={"overrides": free})
        scores = [named(counted) for counted in columns]
        ranked = [Domain(name="all", percentiles={column: (0, 100)}, within=within) for column, within in scores]
        pages = read_pages(store, split["files"], params, ranked, urls=bool(urls))
        lists = url_lists.load(store, urls) if urls else None
        robots = robots_files.load(store, split["robots"]) if split.get("robots") else None
        kept = prepare(params, [], lists, robots=robots)(pages)
        found.append(histograms(pages.filter(kept.column("keep")), columns))
    return percentiles.write(store, percentiles.added(found), output, values)


def histograms(pages: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Pages by column, source, language and number; those without a value are left out."""
    parts = []
    for counted_name in columns:
        column, within = named(counted_name)
        values, (codes, names) = numbers(pages, column), page_keys(pages, within)
        known = ~np.isnan(values) & (codes >= 0)
        keys = pa.array(names, pa.string()).take(pa.array(codes[known]))
        sources = pages.column("source").filter(pa.array(known))
        parts.append(percentiles.counted(counted_name, sources, keys, values[known], 1))
    return percentiles.added(parts)


def limits(
    store: Store, *, inputs: list[str], near: str, narrowed: list[str], wanted: dict[str, Any], output: str
) -> dict[str, Any]:
    """Job: add all counts up and write the edges as JSON."""
    inner = percentiles.total(store, narrowed)
    table = percentiles.refined(percentiles.total(store, inputs), store.read_table(near), [inner])
    store.write_json(output, edges(table, wanted))
    return {"rows": table.num_rows}


def edges(counts: pa.Table, wanted: Wanted) -> Edges:
    """The edges of the percentiles asked for."""
    found: Edges = {}
    for group, entry in wanted.items():
        cuts = percentiles.cuts(counts, *ranking(entry))
        found[group] = {
            language: {
                percentiles.spelt(percentile): None if percentile in (0, 100) else float(value)
                for percentile, value in zip(entry["percentiles"], values, strict=True)
            }
            for language, values in cuts.items()
        }
    return found
