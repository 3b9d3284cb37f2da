"""`report`: what became of every record, in numbers that add up: stats.json, report.html, text for the terminal.

For whom: everybody who asks how many tokens there are, what each rule removed, and whether the mixture came out as
asked. All of it is computed from counts that stand inside the product files, so its price grows with the number of
files, not of pages, and it never reads text (but for the few pages shown as samples).

    build_stats   reports of the products -> the dict that becomes stats.json (`stages.report.stats` has its schema)
    encode        the bytes of stats.json
    render_html   stats (and costs, which are no part of it) -> one HTML file that loads nothing
    render_text   stats -> tables for a terminal
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

HOMES = {
    "ConservationError": "ledger",
    "build_stats": "stats",
    "encode": "stats",
    "render_html": "page",
    "render_text": "terminal",
}
__all__ = list(HOMES)


def __getattr__(name: str) -> Any:
    """Loaded when asked for: `why` wants `stages.report.untrusted` alone, and not to wait for a template engine."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
