"""Domains of a mixture that got more than their part, and those that came out short: the same for text and chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Stats = Mapping[str, Any]
Row = Mapping[str, Any]
SHORT = 0.01
"""Part of what a domain is to have: less is no shortfall, and no excess."""
SEEN = 0.005
"""Fraction of the corpus: what whole documents and shards bring or take below this changes nothing for others."""


def over_filled(stats: Stats) -> list[Row]:
    """Domains that take more than their part, as whole documents do, the largest excess first."""
    over = [row for row in stats["mixture"] if row.get("target_tokens") and excess(row) > SHORT * row["target_tokens"]]
    given = given_tokens(stats)
    over = [row for row in over if row["realised_share"] - row["target_tokens"] / given > SEEN]
    return sorted(over, key=excess, reverse=True)


def came_short(stats: Stats) -> list[Row]:
    """Domains that lack tokens: caps gave them a smaller share than requested, or whole shards (``materialise: false``)
    missed their part; the largest lack first. Not those whose share is small because the last documents of others are
    large, or whose tokens are fewer because the whole corpus is smaller (``on_shortfall: shrink``)."""
    given = given_tokens(stats)
    lacking = [row for row in stats["mixture"] if row["tokens"] < (1 - SHORT) * (row.get("requested_tokens") or 0)]
    under = [row for row in lacking if is_short(row["requested_share"], row["realised_share"])]
    return sorted((row for row in under if is_capped(row, given) or is_missed(row)), key=lack, reverse=True)


def lack(row: Row) -> float:
    """Fraction of the corpus that a domain lacks of what was requested."""
    return float(row["requested_share"] - row["realised_share"])


def given_tokens(stats: Stats) -> int:
    """Tokens of the corpus by its mixture."""
    return sum(row.get("target_tokens") or 0 for row in stats["mixture"])


def excess(row: Row) -> int:
    """Tokens of a domain beyond what the mixture gives it: the rest of its last document."""
    return int(row["tokens"]) - int(row["target_tokens"])


def is_capped(row: Row, given: int) -> bool:
    """Whether the mixture gives a domain a smaller part of its ``given`` tokens than was requested."""
    return is_short(row["requested_share"], int(row.get("target_tokens") or 0) / given if given else None)


def is_missed(row: Row) -> bool:
    """Whether a domain has visibly less than the mixture gives it, or not half of it, as happens where shards are taken
    whole."""
    target = row.get("target_tokens") or 0
    return bool(row["tokens"] < (1 - SHORT) * target and (lack(row) > SEEN or 2 * row["tokens"] < target))


def most_read(stats: Stats) -> Row | None:
    """Of the domains of a corpus smaller than requested, the one that the mixture reads most often of those that got
    less: most likely the one whose cap the others wait for (``on_shortfall: shrink``)."""
    rows = [row for row in stats["mixture"] if row.get("available_tokens") and row.get("target_tokens")]
    less = [row for row in rows if row["target_tokens"] < (1 - SHORT) * (row.get("requested_tokens") or 0)]
    return max(less, key=lambda row: row["target_tokens"] / row["available_tokens"], default=None)


def short_in_phases(stats: Stats) -> dict[str, list[Row]]:
    """By phase, the domains that the caps give a smaller part of it than requested, where the whole of the training
    does not lack them, so that `came_short` says nothing."""
    named = {row["domain"] for row in came_short(stats)}
    rows = stats.get("phases") or []
    found: dict[str, list[Row]] = {}
    for phase in dict.fromkeys(row["phase"] for row in rows):
        parts = [row for row in rows if row["phase"] == phase]
        given = sum(row.get("target_tokens") or 0 for row in parts)
        less = [
            row
            for row in parts
            if row["domain"] not in named
            and is_capped(row, given)
            and is_short(row["requested_share"], row["realised_share"])
        ]
        if less:
            found[phase] = sorted(less, key=lack, reverse=True)
    return found


def is_short(requested: float | None, realised: float | None) -> bool:
    return bool(requested and realised is not None and realised < requested * (1 - SHORT))
