"""`diff`: what changed between two runs: figures, shares, reasons, hosts, and the pages treated differently.

Splits whose `kept` files have the same address on both sides are equal and cost nothing. The others are compared split
by split where both sides have them, and all together per source where they do not (files were added, cut otherwise, or
touched). Price: two reports, and some 0.5 µs a page of the splits that differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipeline.answers import stats as reporting
from pipeline.errors import UserError
from pipeline.recipe.snapshot import Snapshot, load, previous
from pipeline.store.storage import Store
from stages.report import changes
from stages.report import diff as report

Files = dict[str, tuple[str, str, str]]
"""Of each split, by its id: source, address of its documents, address of its `kept` file."""


def sides(roots: list[Store], names: list[str]) -> tuple[Snapshot, Snapshot]:
    """The two mixtures that are meant: two roots with at most a name each, or two names under one root.

    Raises:
        UserError: anything else.
    """
    if len(roots) == 1 and len(names) == 2:
        return load(roots[0], names[0]), load(roots[0], names[1])
    if len(roots) == 2 and len(names) <= 2:
        pair = [*names, None, None][:2] if len(names) != 1 else [names[0], names[0]]
        return load(roots[0], pair[0]), load(roots[1], pair[1])
    raise UserError(
        "give two roots, or one root and two mixtures: diff ROOT --mixture A --mixture B; or diff ROOT --previous"
    )


def since_previous(store: Store, names: list[str]) -> tuple[Snapshot, Snapshot]:
    """A mixture before its last run that changed anything, and now.

    Raises:
        UserError: there is nothing before it, or more than one mixture is named.
    """
    if len(names) > 1:
        raise UserError("--previous compares one mixture with itself: name one")
    now = load(store, names[0] if names else None)
    return previous(store, now.name), now


def difference(a: Snapshot, b: Snapshot) -> dict[str, Any]:
    """Differences between the figures and pages of both sides, as `stages.report.diff` gives them."""
    stats = [reporting.stats_of(side) for side in (a, b)]
    if a.name == b.name:
        stats = [one | {"name": f"{one['name']} {where}"} for one, where in zip(stats, _places(a, b), strict=True)]
    return report.diff(stats[0], stats[1], changes.add_up(page_changes(a, b)))


def text(found: dict[str, Any]) -> str:
    return str(report.render_diff_text(found))


def html(found: dict[str, Any]) -> str:
    return str(report.render_diff_html(found))


def _places(a: Snapshot, b: Snapshot) -> tuple[str, str]:
    if a.store.root == b.store.root:
        return "before", "now"
    return f"in {a.store.root}", f"in {b.store.root}"


def page_changes(a: Snapshot, b: Snapshot) -> Iterator[dict[str, Any]]:
    """Changes of the splits that differ."""
    before, after = files_of(a), files_of(b)
    same = {kept for _, _, kept in before.values()} & {kept for _, _, kept in after.values()}
    before, after = ({name: files for name, files in side.items() if files[2] not in same} for side in (before, after))
    for name in sorted(before.keys() & after.keys()):
        yield changes.compare(pages_of(a.store, [before.pop(name)]), pages_of(b.store, [after.pop(name)]))
    for source in sorted({files[0] for files in (*before.values(), *after.values())}):
        rest = [[files for files in side.values() if files[0] == source] for side in (before, after)]
        yield changes.compare(pages_of(a.store, rest[0]), pages_of(b.store, rest[1]))


def files_of(snapshot: Snapshot) -> Files:
    rows = zip(snapshot.splits(), snapshot.product("documents"), snapshot.product("kept"), strict=False)
    return {split["id"]: (split["source"], documents.address, kept.address) for split, documents, kept in rows}


def pages_of(store: Store, files: list[tuple[str, str, str]]) -> pa.Table | None:
    """The compared columns of the pages of some splits; None of no split."""
    tables = []
    for _, documents, kept in files:
        table = store.read_table(documents, ["doc_id", "url", "text_bytes"])
        decided = store.read_table(kept, ["keep", "domain", "reason"])
        for name in decided.column_names:
            table = table.append_column(name, decided.column(name))
        tables.append(table)
    return pa.concat_tables(tables) if tables else None
