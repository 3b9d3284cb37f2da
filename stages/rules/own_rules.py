"""Quality rules of the user's own, ``module:RULES`` in `quality.rules`: measured with the others, applied by `kept`.

``RULES`` is a list of mappings:

    {"name": "too_much_shouting",            # the reason of a drop: small letters, digits and _
     "column": "capital_fraction",           # the column of `quality` it looks at
     "measure": capital_fraction,            # texts -> one number a text
     "max": 0.3}                             # the page fails above it; or "min": below it

``measure`` takes a ``pa.LargeStringArray`` without nulls and gives as many numbers, as an Arrow or NumPy array or a
list, in order; NaN or null where there is nothing to say, which fails no rule. Two rules may share a column, which is
measured once. The number must depend on the text alone.

A function that raises, or does not give one number a text, fails the run in a line that names it and the page: a page
that cannot be measured would otherwise pass every rule. One that hangs is ended after `run.page_seconds` of processor
time, and its page quarantined (on Ray; a run in one process waits).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from stages.contract import StageParams
from stages.rules import own_functions

Measure = Callable[[pa.LargeStringArray], Any]
NAME = re.compile("[a-z][a-z0-9_]*")
KEYS = ("name", "column", "measure", "min", "max")


class OwnLimit(StageParams):
    """A rule's settings for `kept`: `stages.rules.rule.Rule` without its name."""

    column: str
    side: Literal["min", "max"]
    threshold: float


@dataclass(frozen=True)
class OwnRule:
    """One entry of ``RULES``, checked."""

    name: str
    column: str
    measure: Measure
    side: Literal["min", "max"]
    threshold: float

    def limit(self) -> OwnLimit:
        return OwnLimit(column=self.column, side=self.side, threshold=self.threshold)


def load(names: Iterable[str]) -> list[OwnRule]:
    """The rules of some ``module:RULES``, in order.

    Raises:
        ValueError: naming every entry that is none, and what it should be.
    """
    found: list[OwnRule] = []
    for name in names:
        given = own_functions.attribute(name)
        if not isinstance(given, (list, tuple)):
            raise ValueError(f"{name}: expected a list of rules, found {type(given).__name__}")
        found += [_rule(f"{name}[{place}]", entry) for place, entry in enumerate(given)]
    doubled = sorted({rule.name for rule in found if sum(other.name == rule.name for other in found) > 1})
    if doubled:
        raise ValueError(f"expected rules of different names, found {', '.join(doubled)} twice")
    measures: dict[str, Measure] = {}
    for rule in found:
        if measures.setdefault(rule.column, rule.measure) is not rule.measure:
            raise ValueError(f"rule {rule.name}: column {rule.column} is measured by another function already")
    return found


def _rule(place: str, entry: Any) -> OwnRule:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{place}: expected a mapping with {', '.join(KEYS)}, found {type(entry).__name__}")
    unknown = [str(key) for key in entry if key not in KEYS]
    if unknown:
        raise ValueError(f"{place}: expected the keys {', '.join(KEYS)}, found {', '.join(unknown)}")
    for key in ("name", "column"):
        if not isinstance(entry.get(key), str) or not NAME.fullmatch(entry[key]):
            raise ValueError(f"{place}: expected small letters, digits and _ as {key}, found {entry.get(key)!r}")
    if not callable(entry.get("measure")):
        raise ValueError(f"{place}: expected a function as measure, found {type(entry.get('measure')).__name__}")
    sides = [side for side in ("min", "max") if entry.get(side) is not None]
    value = entry[sides[0]] if len(sides) == 1 else None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"{place}: expected a number as min or as max, one of the two")
    side: Literal["min", "max"] = "min" if sides[0] == "min" else "max"
    return OwnRule(entry["name"], entry["column"], entry["measure"], side, float(value))


def columns_of(rules: Sequence[OwnRule]) -> dict[str, OwnRule]:
    """The first rule of each column, in order: its function measures it."""
    found: dict[str, OwnRule] = {}
    for rule in rules:
        found.setdefault(rule.column, rule)
    return found


def measure(rules: Sequence[OwnRule], texts: pa.LargeStringArray) -> list[pa.Array]:
    """One float64 array a column, null for NaN.

    Raises:
        ValueError: a function raises or does not give one number a text; with the first text of which it does not.
    """
    return [_numbers(rule, texts) for rule in columns_of(rules).values()]


def _numbers(rule: OwnRule, texts: pa.LargeStringArray) -> pa.Array:
    try:
        return as_numbers(rule.measure(texts), len(texts))
    except Exception as error:  # a function of the user's own may raise anything
        for row in range(len(texts)):
            try:
                as_numbers(rule.measure(texts.slice(row, 1)), 1)
            except Exception as alone:
                text = texts[row].as_py()
                shown = text if len(text) < 60 else f"{text[:60]}..."
                raise ValueError(f"{_said(rule, alone)}, of the text {shown!r} (row {row} of its batch)") from alone
        raise ValueError(_said(rule, error)) from error


def _said(rule: OwnRule, error: Exception) -> str:
    if isinstance(error, WrongNumbersError):
        return f"rule {rule.name}: {error}"
    return own_functions.failure(f"rule {rule.name}: {getattr(rule.measure, '__name__', 'measure')}", error)


class WrongNumbersError(ValueError):
    """A function returned something else than one number a text."""


def as_numbers(found: Any, count: int) -> pa.Array:
    """The values that a function returned, as float64 with nulls for NaN.

    Raises:
        WrongNumbersError: it is not one number a text.
    """
    try:
        array = found if isinstance(found, (pa.Array, pa.ChunkedArray)) else pa.array(np.asarray(found, np.float64))
        plain = np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except (TypeError, ValueError, pa.ArrowException):
        raise WrongNumbersError(f"expected {count} numbers, one a text, found {type(found).__name__}") from None
    if plain.ndim != 1 or len(plain) != count:
        raise WrongNumbersError(f"expected {count} numbers, one a text, found {len(plain) if plain.ndim else 1}")
    return pa.array(plain, mask=np.isnan(plain))
