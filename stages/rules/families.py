"""All rule families by name, in the order of their columns and reasons: what each measures, from what, and its rules.

A family is a file of this folder and an entry here; `stages.quality` measures it, `kept` decides by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from stages.rules import (
    c4,
    chrome,
    code,
    contamination,
    fineweb,
    fineweb_cleaned,
    gopher_quality,
    gopher_repetition,
    madlad,
    opencoder,
    privacy,
    recurring_lines,
    redpajama,
    refinedweb,
    repeats,
    word_lists,
)
from stages.rules.rule import Rule


@dataclass(frozen=True)
class Family:
    """A published set of rules.

    Attributes:
        fields: columns of `quality`; none where the columns depend on the settings, or another product has them.
        rules: what `kept` may drop by, in the order of reasons.
        needs: what ``measure`` takes, by name: attributes of `stages.quality.Found`.
        measure: one array a field, a row a document.
        version: raised when the same text gives other numbers. It is part of the identity of `quality` where the family
            is measured, so nobody else measures anything again.
        by_default: measured where a mixture names no families. False for one that came later: roots made before keep
            their files.
    """

    fields: tuple[pa.Field, ...] = ()
    rules: tuple[Rule, ...] = ()
    needs: tuple[str, ...] = ()
    measure: Callable[..., list[pa.Array]] | None = None
    version: int = 1
    by_default: bool = True


def _family(module: Any, *needs: str) -> Family:
    return Family(tuple(module.FIELDS), tuple(module.RULES), needs, module.measure)


FAMILIES: dict[str, Family] = {
    "gopher_quality": _family(gopher_quality, "words"),
    "gopher_repetition": _family(gopher_repetition, "words", "lines", "repetition"),
    "c4": Family(c4.FIELDS["c4"], c4.RULES["c4"], ("sentences",), c4.measure),
    "c4_strict": Family(c4.FIELDS["c4_strict"], c4.RULES["c4_strict"], ("sentences",), c4.measure_strict),
    "fineweb": _family(fineweb, "words", "lines"),
    "refinedweb": _family(refinedweb, "kinds"),
    "redpajama": _family(redpajama, "words", "kinds", "repetition"),
    "privacy": replace(_family(privacy, "data", "offsets"), version=5),
    "code": replace(_family(code, "code"), by_default=False),
    "madlad": replace(
        _family(madlad, "data", "offsets", "planes_BK", "marked", "literals", "hits"), by_default=False, version=3
    ),
    "chrome": replace(_family(chrome, "data", "kinds", "chrome_string", "hits"), by_default=False),
    "opencoder": replace(_family(opencoder, "offsets", "code", "lines"), by_default=False),
    "fineweb_cleaned": replace(_family(fineweb_cleaned, "cleaned_words", "cleaned_lines"), by_default=False),
    "bad_words": Family(rules=word_lists.RULES),  # columns by language: `quality.bad_words`
    "contamination": Family(rules=contamination.RULES),  # columns of `contamination`
    "recurring_lines": Family(rules=recurring_lines.RULES),  # columns of `lines`
    "repeats": Family(rules=repeats.RULES),  # columns of `repeats`
}

MEASURED = tuple(name for name, family in FAMILIES.items() if family.measure is not None or name == "contamination")
"""Families that `quality` may name: those with columns of their own there, and `contamination`, which is looked for
where it is named and benchmarks are given."""

RULES: dict[str, tuple[Rule, ...]] = {name: family.rules for name, family in FAMILIES.items()}

DEFAULT = ("gopher_quality", "gopher_repetition", "c4", "fineweb")
"""Families that decide when a mixture names none: those of FineWeb, each on the text as it was extracted."""


def versions(names: tuple[str, ...]) -> dict[str, int]:
    """Versions of those families that were ever raised, for the identity of what measures them."""
    return {name: FAMILIES[name].version for name in names if FAMILIES[name].version > 1}
