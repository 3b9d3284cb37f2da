"""Domains of a mixture that got more than their part, and those that came out short: the same for text and chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Stats = Mapping[str, Any]
Row = Mapping[str, Any]
SHORT = 0.01
"""Part of what a domain is to have: less is no shortfall, and no excess."""
SEEN = 0.005
"""Fraction of the corpus: a domain that takes less than this beyond its part takes nothing that others miss."""


def over_filled(stats: Stats) -> list[Row]:
    """Domains that take more than their part, as whole documents do, the largest excess first."""
    over = [row for row in stats["mixture"] if row.get("target_tokens") and excess(row) > SHORT * row["target_tokens"]]
    given = given_tokens(stats)
    over = [row for row in over if row["realised_share"] - row["target_tokens"] / given > SEEN]
    return sorted(over, key=excess, reverse=True)


def came_short(stats: Stats) -> list[Row]:
    """Domains with fewer tokens than requested, not those whose share is small because another's is too large."""
    over = over_filled(stats)
    lacking = [row for row in stats["mixture"] if row["tokens"] < (1 - SHORT) * (row.get("requested_tokens") or 0)]
    under = [row for row in lacking if is_short(row["requested_share"], row["realised_share"])]
    return [row for row in under if not over or row["tokens"] < row["target_tokens"] or is_capped(row)]


def given_tokens(stats: Stats) -> int:
    """Tokens of the corpus by its mixture."""
    return sum(row.get("target_tokens") or 0 for row in stats["mixture"])


def excess(row: Row) -> int:
    """Tokens of a domain beyond what the mixture gives it: the rest of its last document."""
    return int(row["tokens"]) - int(row["target_tokens"])


def is_capped(row: Row) -> bool:
    """Whether a domain has less than its share of the budget comes to."""
    return int(row["target_tokens"]) < (1 - SHORT) * int(row["requested_tokens"])


def is_short(requested: float | None, realised: float | None) -> bool:
    return bool(requested and realised is not None and realised < requested * (1 - SHORT))
