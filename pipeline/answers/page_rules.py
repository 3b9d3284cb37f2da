"""What is told of a single page: the rules that held for it, and its text made safe to show.

Apart from `pipeline.answers.stats` and `pipeline.recipe` because a question about one page is to be answered before
their imports would be done.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from stages.report import untrusted


def page_rules(about: dict[str, Any], page: pa.Table, edges: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The rules of `kept` that held for a page; ``about`` is the content of ``about.json`` beside its file.

    Args:
        edges: of the percentiles that domains name, where any does.
    """
    from stages import kept

    domains = [kept.Domain(**domain) for _, domain in about["identity"]["domains"]]
    return kept.page_rules(page, kept.Params(**about["params"]), domains, edges)


def bucket_edges(domains: list[tuple[str, dict[str, Any]]], edges: dict[str, Any]) -> list[dict[str, Any]]:
    """The buckets that domains select by, one row a domain, column and language.

    Args:
        domains: (name, settings) as ``about.json`` beside `kept` has them.
        edges: of `stages.kept.buckets`.
    """
    from stages import kept

    rows = []
    for name, settings in domains:
        domain = kept.Domain(name=name, **{key: value for key, value in settings.items() if key != "name"})
        for column, limits in domain.percentiles.items():
            for language, values in edges[domain.group(column)].items():
                place = {"domain": name, "column": column, "language": language, "from": limits[0], "to": limits[1]}
                least, below = (values[f"{percentile:g}"] for percentile in limits)
                rows.append(place | {"least": least, "below": below})
    return rows


def safe(told: dict[str, Any]) -> dict[str, Any]:
    """Plain data that holds strings from pages, made safe to show on a terminal; an excerpt keeps its lines."""
    found: dict[str, Any] = untrusted.cleaned(told)
    excerpt = told.get("document", {}).get("excerpt")
    if excerpt is not None:
        found["document"]["excerpt"] = untrusted.passage(excerpt, len(excerpt))
    return found
