"""The questions of `kept` to one page: every rule that could have dropped it, with the threshold that held for it.

For whom: `why`. The same code that decides gives the thresholds, so what is shown is what was done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from stages.kept.active import active_rules, rule_of
from stages.kept.decide import Edges, first_domain, own_column, rule_values, thresholds_of
from stages.kept.params import FAMILY_OF, UNWANTED, Domain, Params
from stages.rules import rights
from stages.schemas import label_column

UNCOUNTED = ("gopher_num_stop_words",)
"""Columns that say nothing of a page in a language without a word list."""
COLUMNS = {
    "empty_text": ("text_bytes", "min"),
    "language_not_selected": ("language", None),
    "low_language_confidence": ("confidence", "min"),
    "exact_duplicate": ("match", None),
    "near_duplicate": ("similarity", "max"),
    "same_address": ("match", None),
    **{name: (column, None) for name, column in rights.COLUMNS.items()},
}
"""Column and side of the rules that stand outside the families."""


def page_rules(
    page: pa.Table, params: Params, domains: Sequence[Domain], edges: Edges | None = None
) -> list[dict[str, Any]]:
    """``{"rule", "family", "column", "side", "threshold"}`` of every rule that is on for a page, in order of reasons.

    Args:
        page: one row, with the columns of all products that the domains name.
    """
    chosen = list(domains) or [Domain(name="all")]
    domain_of = first_domain(page, chosen, edges)
    found = []
    for name in active_rules(params):
        rule = rule_of(name, params)
        value = float(thresholds_of(name, page, domain_of, chosen, params)[0])
        if math.isnan(value) or (rule and rule.column in UNCOUNTED and no_list(page, rule.column)):
            continue
        outside = COLUMNS.get(name, (None, None))
        if name.startswith(UNWANTED):
            outside = (label_column(name.removeprefix(UNWANTED)), None)
        column, side = (own_column(page, rule.column), rule.side) if rule else outside
        found.append(
            {
                "rule": name,
                "family": FAMILY_OF.get(name),
                "column": column,
                "side": side,
                "threshold": _shown(name, value, params) if side or name == "language_not_selected" else None,
            }
        )
    return found


def no_list(page: pa.Table, column: str) -> bool:
    """Whether a page's language has no stop words, so that no rule checks them."""
    return math.isnan(float(rule_values(page, column)[0]))


def _shown(name: str, value: float, params: Params) -> Any:
    if name == "language_not_selected":
        return list(params.languages) if params.languages is not None else None
    if name == "empty_text":
        return 1
    return value
