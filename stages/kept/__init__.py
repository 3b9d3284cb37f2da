"""`kept`: which pages stay, why the others go, and the domain each kept page belongs to.

For whom: `tokens` reads it, the report counts by it, `why` answers from it. All thresholds live here and nowhere else:
a changed threshold redoes this file, which reads a few columns of numbers, and the text of pages of which views
cut half or more.

Input: `documents` (source, text_bytes), `language`, `quality` (the columns that some rule or domain names) and
`clusters` (or none, when deduplication is off), row for row. Output: `schemas.KEPT`, row for row, with a report
(`stages.reports.KeptReport`). A group's domain is the one its pages belong to, kept or not: each domain has a funnel
of its own.

Order of reasons: `FIXED`, with the lists of addresses (``listed_in_<name>``) and the rules of `stages.rules.rights`
behind ``empty_text``, then the rule families in the order of `stages.rules.families`, the user's own limits
(`below_min_<column>`, `above_max_<column>`), `nothing_left` (the views cut everything but white space), `no_domain`,
in the splits that hold pages of the take-down list
`taken_down`, and the duplicates, who are found among the pages that pass every other rule (`stages.kept.eligible`),
so they come last; a page that fails another rule and has the text of one that stays bears that bit too.
Equality passes. A null (nothing to measure, no duplicate) passes. A rule is on by its family or by a ``true``, off by a
``false``; a number is its threshold where it is on, and switches nothing on. ``rules`` stand over the family and the
published threshold, then every override that matches the page, the last one winning.

Price: about 1 µs a page. Rules: any number of them.
"""

from __future__ import annotations

from typing import Any

from stages.contract import Store
from stages.kept.active import active_rules, idle_thresholds, rule_of, threshold_hint, without_columns
from stages.kept.decide import BY_LANGUAGE, Edges, domains_of, prepare, quality_columns, rule_values
from stages.kept.eligible import eligibility, eligible_domain, find_eligible
from stages.kept.explain import page_rules
from stages.kept.inputs import decide_split
from stages.kept.params import ORDER, PUBLISHED, Domain, Override, Params, span_columns, without_conditions
from stages.kept.report import account
from stages.kept.takedown import TAKEN_DOWN, taken_down
from stages.reports import KeptReport
from stages.rules import url_lists

__all__ = [
    "BY_LANGUAGE", "ORDER", "PUBLISHED", "VERSION", "Domain", "Override", "Params", "account", "active_rules",
    "deciding", "eligibility", "eligible_domain", "find_eligible", "idle_thresholds", "keep", "page_rules", "prepare",
    "quality_columns", "rule_of", "rule_values", "threshold_hint", "without_columns", "without_conditions",
]  # fmt: skip

VERSION = 14
ELIGIBLE_VERSION = 7


def deciding(params: Params) -> dict[str, Any]:
    """The settings that decide as plain data, whatever file they come from (`url_lists.deciding`).

    Raises:
        FileNotFoundError, ValueError: a list of addresses cannot be read.
    """
    return params.model_dump(mode="json") | {"urls": url_lists.deciding(params.urls)}


def keep(
    store: Store,
    *,
    files: dict[str, str],
    output: str,
    params: dict[str, Any],
    domains: list[dict[str, Any]],
    remove: list[str] | None = None,
    urls: str | None = None,
    robots: str | None = None,
    edges: Edges | str | None = None,
) -> KeptReport:
    """Decide one split: aligned Parquet files in, one out. Returns the report of the file.

    ``files``: addresses by product, `documents` and `language` among them; columns that rules or domains name are
    looked for in all the others. ``remove``: doc_ids (hex) of pages that are dropped as ``taken_down`` whatever else
    holds for them. ``urls``: address of the compiled lists of ``params.urls``; ``robots``: of the compiled files of
    ``params.robots``. ``edges``: of the percentiles that
    domains name (`stages.kept.buckets`), or the address of them.
    """
    settings, chosen = Params(**params), [Domain(**domain) for domain in domains]
    pages, kept, edges = decide_split(store, files, settings, chosen, urls, robots, edges)
    rules = active_rules(settings)
    if remove:
        doc_ids = store.read_table(files["documents"], ["doc_id"]).column("doc_id")
        kept = taken_down(kept, doc_ids, remove, rules)
        rules = [*rules, TAKEN_DOWN]
    views = dict(zip(settings.views, span_columns(settings), strict=True))
    report = account(pages, kept, rules, domains_of(pages, chosen, edges), views)
    if robots:
        report["robots"] = robots
    store.write_table(output, kept, report=report)
    return report
