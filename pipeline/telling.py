"""What is told of a single page: the rules that held for it, and its text made safe to show.

Apart from `pipeline.reporting` and `pipeline.recipe` because a question about one page is to be answered before their
imports would be done.
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


def safe(told: dict[str, Any]) -> dict[str, Any]:
    """Plain data that holds strings from pages, made safe to show on a terminal; an excerpt keeps its lines."""
    found: dict[str, Any] = untrusted.cleaned(told)
    excerpt = told.get("document", {}).get("excerpt")
    if excerpt is not None:
        found["document"]["excerpt"] = untrusted.passage(excerpt, len(excerpt))
    return found
