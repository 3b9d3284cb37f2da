"""All rule families by name, in the order in which their reasons are given."""

from __future__ import annotations

from stages.rules import gopher_quality
from stages.rules.rule import Rule

RULES: dict[str, tuple[Rule, ...]] = {
    "gopher_quality": gopher_quality.RULES,
}

DEFAULT = ("gopher_quality",)
"""Families that decide when a mixture names none."""
