"""Thresholds and conditions of what lies between 0 and 1, where people write percent: 80 drops every page, or none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pipeline.recipe.yaml_file import Key, YamlFile
from stages import schemas
from stages.kept.params import LIMITS, PUBLISHED
from stages.kernels.words.ngrams import TOP

DUPLICATES = {"near_duplicate": "similarity", "low_language_confidence": "confidence"}
"""Rules beside the families whose thresholds are shares, with their columns."""
_MEASURED = {*(rule.column for rule in PUBLISHED.values()), *schemas.LINES.names, *schemas.REPEATS.names}
_OF_ALL = {*DUPLICATES.values(), "other_language_fraction"}
TOP_GRAMS = {f"repetition_top_{words}_gram_fraction": words for words in TOP}
"""Columns that exceed 1 where an n-gram overlaps itself (`a a a`): each of its words may count n times."""
FRACTIONS = _OF_ALL | {name for name in _MEASURED if name.endswith("_fraction")}


def check_fractions(yaml_file: YamlFile) -> None:
    """Refuse a number for a share, in `kept` and in domains, that no share can have."""
    for key, column, value in _given(yaml_file.data):
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        most = TOP_GRAMS.get(column, 1)
        if column in FRACTIONS and number and not 0 <= value <= most:
            hint = f"; write {value / 100:g}" if most < value <= 100 else ""
            yaml_file.add(key, f"{column} lies between 0 and {most}, found {value:g}{hint}")


def _given(data: dict[str, Any]) -> Iterator[tuple[Key, str, Any]]:
    """Every number for a column of pages: its key, the column, and what stands there."""
    sections: list[tuple[Key, Any]] = [(("kept",), data.get("kept"))]
    for group in ("sources", "transforms"):
        sections += [((group, name, "kept"), one.get("kept")) for name, one in _entries(data.get(group))]
    for place, section in sections:
        found = section.get("overrides") if isinstance(section, dict) else None
        overrides = found if isinstance(found, list) else []
        given = [(place, section), *(((*place, "overrides", row), one) for row, one in enumerate(overrides))]
        for key, one in given:
            rules = one.get("rules") if isinstance(one, dict) else None
            for rule, value in rules.items() if isinstance(rules, dict) else ():
                yield (*key, "rules", rule), _column_of(str(rule)), value
    for name, one in _entries(data.get("domains")):
        for side in ("min", "max"):
            for column, value in one[side].items() if isinstance(one.get(side), dict) else ():
                yield ("domains", name, side, column), str(column), value


def _column_of(rule: str) -> str:
    if rule.startswith(LIMITS):
        return next(rule.removeprefix(prefix) for prefix in LIMITS if rule.startswith(prefix))
    return PUBLISHED[rule].column if rule in PUBLISHED else DUPLICATES.get(rule, "")


def _entries(group: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(name, one) for name, one in group.items() if isinstance(one, dict)] if isinstance(group, dict) else []
