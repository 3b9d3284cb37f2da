"""`calibrate`: thresholds for each language from what a root measured, printed with histograms and as YAML to paste.

Nothing is decided or changed: a person reads the proposals and puts into the mixture file what is right. The sample is
every n-th page of all that are no duplicates, the same one every time. A page counts for a rule where the rule is on
for its source (or for none), or another rule on the same column is: code makes no thresholds of prose that do not apply
to it. Pages of sources that are named count for every rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.recipe import calibration, graph
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store

MAX_FILES = 2000
"""Files that are looked at, evenly spread over all."""


@dataclass(frozen=True)
class Wanted:
    """The thresholds to propose, and the pages to propose them from."""

    method: str
    reference: str
    pages: int
    min_pages: int
    sources: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    stop_words: bool = False


def calibrate(mixture: str, store: Store, wanted: Wanted) -> str:
    """The proposals for a mixture as text.

    Raises:
        UserError: when nothing is measured yet, or the reference language has too few pages.
    """
    recipe = recipes.load(mixture, store)
    names = wanted.rules or calibration.rules_of(recipe)
    on = {} if wanted.sources or not names else calibration.rules_by_source(recipe, names)
    pages = of_languages(sample(snapshots.load(store, recipe.name), wanted, names, on), recipe, wanted.reference)
    try:
        found = calibration.propose(pages, names, wanted.method, wanted.reference, wanted.min_pages)
        words = calibration.stop_words(store, pages, wanted.min_pages) if wanted.stop_words else {}
    except ValueError as error:
        raise UserError(str(error)) from error
    return "\n".join([*proposal_lines(found.proposals, pages.num_rows), "", *as_yaml(found, words)]) + "\n"


def of_languages(pages: pa.Table, recipe: recipes.Recipe, reference: str) -> pa.Table:
    """The pages in languages that a mixture keeps, and in the reference; all where a source keeps every language."""
    kept = [source.sections["kept"].languages for source in recipe.sources.values()]
    if any(languages is None for languages in kept):
        return pages
    wanted = sorted({reference, *(name for languages in kept for name in languages)})
    return pages.filter(pc.is_in(pages.column("language"), pa.array(wanted, pa.string()))).combine_chunks()


def sample(
    snapshot: snapshots.Snapshot, wanted: Wanted, rules: tuple[str, ...], on: Mapping[str, tuple[str, ...]]
) -> pa.Table:
    """About ``wanted.pages`` pages: the columns that rules look at, and ``file`` and ``row`` of `documents`.

    Args:
        on: rules for which pages of a source count, where not all do: other columns are null, and a source without
            any is left out.

    Raises:
        UserError: where no file is measured.
    """
    parts = {name: list(snapshot.product(name)) for name in graph.DECIDING}
    chosen = [
        number
        for number, entry in enumerate(parts["documents"])
        if (not wanted.sources or entry.report["source"] in wanted.sources) and on.get(entry.report["source"], rules)
    ]
    if not chosen or not parts["quality"]:
        known = sorted({entry.report["source"] for entry in parts["documents"]})
        if parts["quality"] and set(wanted.sources or known) & set(known):
            raise UserError(f"{snapshot.store.root}: no rule of the mixture is on for its pages; nothing to propose")
        of_sources = f" of source {', '.join(wanted.sources)}" if wanted.sources else ""
        has = f"it has {', '.join(known)}" if known else "run the mixture first"
        raise UserError(f"{snapshot.store.root}: nothing is measured{of_sources}; {has}")
    chosen = chosen[:: -(-len(chosen) // MAX_FILES)]
    rows = sum(parts["documents"][number].report["rows"] for number in chosen)
    step = max(1, rows // wanted.pages)
    tables, passed = [], 0
    for number in chosen:
        own_rules = on.get(parts["documents"][number].report["source"], rules)
        table = snapshot.store.read_table(parts["language"][number].address, ["language", "confidence"])
        for address in (entries[number].address for name, entries in parts.items() if entries and name != "language"):
            with snapshot.store.open(address) as file:
                columns = calibration.columns_of(rules, pq.read_schema(file).names)
            counting = set(calibration.columns_of(own_rules, columns))
            measured = snapshot.store.read_table(address, columns)
            for name in columns:
                column = measured.column(name)
                table = table.append_column(name, column if name in counting else pa.nulls(table.num_rows, column.type))
        take = np.arange(-passed % step, table.num_rows, step)
        passed += table.num_rows
        if parts["clusters"]:
            match = snapshot.store.read_table(parts["clusters"][number].address, ["match"]).column("match")
            take = take[pc.is_null(match).to_numpy()[take]]
        places = {
            "file": pa.array([parts["documents"][number].address] * len(take), pa.string()),
            "row": pa.array(take),
        }
        table = table.take(pa.array(take))
        for name, column in places.items():
            table = table.append_column(name, column)
        tables.append(table)
    return pa.concat_tables(tables, promote_options="default").combine_chunks()


def proposal_lines(proposals: list[Any], pages: int) -> list[str]:
    """The proposals with their histograms, a language after the other."""
    lines = [f"{pages:,} pages looked at"]
    width = max((len(p.rule) for p in proposals), default=0)
    head = f"  {'':<{width}}  {'published':>22}   {'proposed':>22}   1st to 99th percentile"
    for language in dict.fromkeys(p.language for p in proposals):
        own = [p for p in proposals if p.language == language]
        lines += ["", f"{language}: {max(p.pages for p in own):,} pages", head]
        for p in own:
            limits = (
                f"{p.published:>8.4g} drops {p.drops_published:6.1%}   {p.proposed:>8.4g} drops {p.drops_proposed:6.1%}"
            )
            lines.append(f"  {p.rule:<{width}}  {limits}   {p.bar()} {p.first:.3g} .. {p.last:.3g} {p.column}")
    return lines


def as_yaml(found: Any, words: dict[str, list[str]]) -> list[str]:
    """Sections of a mixture file."""
    lines = ["# proposals to read, then to put into the mixture file"]
    if words:
        lines += ["quality:", "  stop_words:"]
        lines += [f"    {name}: {json.dumps(own, ensure_ascii=False)}" for name, own in words.items()]
    lines += [
        "kept:",
        f"  min_confidences: {flow(found.confidences)}",
        "  overrides:" + ("" if found.overrides else " []"),
    ]
    for entry in found.overrides:
        lines.append(f"    - languages: {json.dumps(entry['languages'])}")
        lines += [f"      rules: {flow(entry['rules'])}"]
    return lines


def flow(values: dict[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value:g}" for name, value in values.items()) + "}"
