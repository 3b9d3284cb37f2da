"""`rehydrate`: how often pages with copies are worth repeating, for each language, and the domains that do it as YAML.

A family are all pages of one text (`exact_hash`), whatever became of them: it passes where any of its pages does, a
page that goes as a duplicate included. `clusters` would count near copies too, but only of pages that pass, and says
nothing of families that the filters removed whole; so sizes here are lower bounds of ``cluster_size``, which the
domains name.
Pages of a language that nobody selected are no evidence. Nothing is changed: a person puts the domains into the mixture
file, where ``epochs`` of each are its repeats (`stages.mixture.rehydrate`); or names the file of weights (``--out``) in
a grid of domains (`stages.kept.grid`), which divides pages by their copies and repeats them so.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.planner.tables import Table, render
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.fitting import Copies, rehydrate, weights_text
from pipeline.store.storage import Store
from pipeline.tune.output import write_whole

NO_EVIDENCE = ("language_not_selected", "low_language_confidence", "no_domain", "empty_text")
"""Reasons that say nothing about a page's quality."""
DUPLICATES = ("exact_duplicate", "near_duplicate", "same_address")
"""Reasons of pages that passed every filter."""
ALONE = "pages without copies are repeated: in this language the filters remove pages with copies more often"
NOTE = "sizes count exact copies, the only ones known of pages that fail; cluster_size counts near copies as well"


def rehydrate_text(mixture: str, store: Store, max_repeats: int, min_families: int, output: str | None = None) -> str:
    """The table of repeats of every language, and the domains as YAML; or, with ``output``, the weights as a file.

    Raises:
        UserError: where there are no clusters yet, or too few families.
    """
    recipe = recipes.load(mixture, store)
    families = _families(snapshots.load(store, recipe.name), store)
    found = {}
    for language in sorted(set(families["language"].to_pylist())):
        own = families.filter(pc.equal(families["language"], language))
        if len(own) >= min_families:
            sizes, kept = own["cluster_size"].to_numpy().astype(np.int64), own["keep"].to_numpy(zero_copy_only=False)
            found[language] = rehydrate(sizes, kept, max_repeats, min_families)
    if not found:
        raise UserError(f"{store.root}: no language has {min_families} families; lower --min-families")
    printed = [render(table(language, rows)) for language, rows in found.items()]
    if output is None:
        return "\n".join([*printed, *as_yaml(found)]) + "\n"
    weights = {
        name: [{"first": row.first, "last": row.last, "repeats": row.repeats} for row in rows]
        for name, rows in found.items()
    }
    write_whole(output, weights_text(weights))
    usage = [f"# {NOTE}", "domains:", f"  web: {{copies: {output}}}", "mixture:", "  domains:", "    web: {}"]
    return "\n".join([*printed, output, "", *usage]) + "\n"


def _families(snapshot: snapshots.Snapshot, store: Store) -> pa.Table:
    """A row a family: ``language``, ``cluster_size`` (its pages) and ``keep`` (whether any passes the filters)."""
    parts = [list(snapshot.product(name)) for name in ("signatures", "kept", "language")]
    if not all(parts):
        raise UserError(f"{store.root}: no families yet: run the mixture once, with clusters enabled")
    tables = []
    for signatures, kept, language in zip(*parts, strict=True):
        pages = store.read_table(signatures.address, ["exact_hash", "num_shingles"])
        decided = store.read_table(kept.address, ["keep", "reason"])
        passed = pc.or_(decided["keep"], pc.is_in(decided["reason"], value_set=pa.array(DUPLICATES)))
        labels = store.read_table(language.address, ["language"])["language"].cast(pa.string())
        pages = pages.append_column("passed", passed).append_column("language", labels)
        tables.append(pages.filter(pc.invert(pc.is_in(decided["reason"], value_set=pa.array(NO_EVIDENCE)))))
    return families_of(pa.concat_tables(tables))


def families_of(pages: pa.Table) -> pa.Table:
    """Families of pages (``exact_hash``, ``num_shingles``, ``passed``, ``language``).

    Texts without a word are nobody's copies, though all have one hash: each is a family of one page, as in `clusters`.
    """
    has_words = pc.greater(pages["num_shingles"], 0)
    names = ["language", "cluster_size", "keep"]
    found = pages.filter(has_words).group_by("exact_hash")
    families = found.aggregate([("language", "min"), ("passed", "count"), ("passed", "max")])
    families = families.select(["language_min", "passed_count", "passed_max"]).rename_columns(names)
    alone = pages.filter(pc.invert(has_words))
    ones = pa.array([1] * alone.num_rows, families.schema.field("cluster_size").type)
    return pa.concat_tables([families, pa.table([alone["language"], ones, alone["passed"]], families.schema)])


def table(language: str, rows: list[Copies]) -> Table:
    """Sizes, families, removal rates and repeats of one language."""
    lines = tuple(
        (
            _sizes(row),
            f"{row.families:,}",
            f"{100 * row.removal_rate:.2f}%",
            str(row.repeats),
            f"{row.kept * row.repeats:,}",
        )
        for row in rows
    )
    kept, families = sum(row.kept for row in rows), sum(row.families for row in rows)
    grown = sum(row.kept * row.repeats for row in rows) / max(1, kept)
    note = f"all: {families:,} families, {100 * (1 - kept / families):.2f}% removed; {grown:.2f} times the pages"
    notes = (note, ALONE) if rows and rows[0].first == 1 and rows[0].repeats > 1 else (note,)
    return Table(
        f"{language}: repeats by copies", ("pages", "families", "removed", "repeats", "pages out"), lines, notes
    )


def as_yaml(found: dict[str, list[Copies]]) -> list[str]:
    """Domains, and their epochs, to put into the mixture file."""
    domains, epochs = [], []
    for language, rows in found.items():
        for row in rows:
            name = f"{language}_{row.first}" + ("_up" if row.last is None else f"_{row.last}" * (row.last > row.first))
            most = "" if row.last is None else f", max: {{cluster_size: {row.last}}}"
            domains.append(f"  {name}: {{languages: [{language!r}], min: {{cluster_size: {row.first}}}{most}}}")
            epochs.append(f"    {name}: {{epochs: {row.repeats}, max_epochs: {row.repeats}}}")
    return ["# put into the mixture file", f"# {NOTE}", "domains:", *domains, "mixture:", "  domains:", *epochs]


def _sizes(row: Copies) -> str:
    if row.last is None:
        return f"{row.first} and more"
    return str(row.first) if row.last == row.first else f"{row.first} to {row.last}"
