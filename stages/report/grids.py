"""Grids of domains in reports: hundreds of domains as a row for each label, with what its best bucket is repeated.

The name of such a domain has its grid, its label and its bucket in it (`stages.schemas.GRID_MARK`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stages.report.columns import Column, Stats, Table, make, ratio
from stages.schemas import GRID_MARK

MANY = 24
"""Domains of a grid from which on a terminal shows labels in their place."""


def rows_of(name: str) -> str:
    """The grid and label of a domain with a bucket, or its own name."""
    return name.rpartition(GRID_MARK)[0] if name.count(GRID_MARK) > 1 else name


def large(names: Iterable[str]) -> set[str]:
    """The grids, by name, that have more than `MANY` domains."""
    counts: dict[str, int] = {}
    for name in set(names):
        if GRID_MARK in name:
            grid = name.partition(GRID_MARK)[0]
            counts[grid] = counts.get(grid, 0) + 1
    return {grid for grid, count in counts.items() if count > MANY}


def folded(stats: Stats, only: set[str] | None = None) -> list[dict[str, Any]]:
    """Domains with their mixture, those of grids added up by label, in the order of the mixture.

    Args:
        only: the grids to add up; all where None.

    Returns:
        ``{"domain", "domains", "documents", "tokens", "corpus", "available", "requested", "realised", "epochs",
        "most_epochs"}``; the mixture's figures are None of domains that it does not name.
    """
    mixture = {row["domain"]: row for row in stats["mixture"]}
    found = {row["domain"]: row for row in stats["domains"]}
    sums: dict[str, dict[str, Any]] = {}
    for name in [*mixture, *(name for name in found if name not in mixture)]:
        fold = GRID_MARK in name and (only is None or name.partition(GRID_MARK)[0] in only)
        key = rows_of(name) if fold else name
        row = sums.setdefault(key, {"domain": key, "domains": 0, "documents": 0, "tokens": 0, **dict.fromkeys(FIGURES)})
        row["domains"] += 1
        for count in ("documents", "tokens"):
            row[count] += found.get(name, {}).get(count) or 0
        if name in mixture:
            _add(row, mixture[name])
    for row in sums.values():
        if row["domains"] > 1:
            row["epochs"] = ratio(row["corpus"], row["available"])
    return list(sums.values())


FIGURES = ("corpus", "available", "requested", "realised", "epochs", "most_epochs")


def _add(row: dict[str, Any], taken: Mapping[str, Any]) -> None:
    for name, value in (
        ("corpus", taken["tokens"]),
        ("available", taken["available_tokens"]),
        ("requested", taken["requested_share"]),
        ("realised", taken["realised_share"]),
    ):
        row[name] = value if row[name] is None else row[name] + (value or 0)
    row["epochs"] = taken["epochs"]
    row["most_epochs"] = max(row["most_epochs"] or 0, taken["epochs"] or 0)


def grids(stats: Stats) -> Table:
    """A row for each label of a grid."""
    columns = [
        Column("domain", "Grid and label", "text"),
        Column("domains", "Buckets", "count"),
        Column("documents", "Documents", "count"),
        Column("tokens", "Tokens", "count", bar=True),
        Column("corpus", "In the corpus", "count", bar=True),
        Column("requested", "Asked", "share"),
        Column("realised", "Got", "share"),
        Column("epochs", "Epochs", "number", help="Of all its tokens"),
        Column("most_epochs", "Most epochs", "number", help="Of the bucket that is repeated most"),
    ]
    rows = [row for row in folded(stats) if GRID_MARK in row["domain"]] if stats["totals"]["tokens"] is not None else []
    return make("grids", "Grids of domains, by label", columns, rows)
