"""All rule families by name, in the order in which their reasons are given."""

from __future__ import annotations

from stages.rules import (
    c4,
    contamination,
    fineweb,
    gopher_quality,
    gopher_repetition,
    privacy,
    recurring_lines,
    redpajama,
    refinedweb,
    word_lists,
)
from stages.rules.rule import Rule

RULES: dict[str, tuple[Rule, ...]] = {
    "gopher_quality": gopher_quality.RULES,
    "gopher_repetition": gopher_repetition.RULES,
    **c4.RULES,
    "fineweb": fineweb.RULES,
    "refinedweb": refinedweb.RULES,
    "redpajama": redpajama.RULES,
    "privacy": privacy.RULES,
    "bad_words": word_lists.RULES,
    "contamination": contamination.RULES,
    "recurring_lines": recurring_lines.RULES,
}

DEFAULT = ("gopher_quality", "gopher_repetition", "c4", "fineweb")
"""Families that decide when a mixture names none: those of the FineWeb recipe."""
