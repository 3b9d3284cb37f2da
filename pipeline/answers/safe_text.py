"""Answers made safe to show: strings that come from pages, on a terminal."""

from __future__ import annotations

from typing import Any

from stages import untrusted


def safe(answer: dict[str, Any]) -> dict[str, Any]:
    """Plain data that holds strings from pages, made safe to show on a terminal; an excerpt keeps its lines."""
    found: dict[str, Any] = untrusted.cleaned(answer)
    excerpt = answer.get("document", {}).get("excerpt")
    if excerpt is not None:
        found["document"]["excerpt"] = untrusted.passage(excerpt, len(excerpt))
    return found
