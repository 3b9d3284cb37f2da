"""Recurring lines in plain Python, from the docstring of `stages.lines`: the oracle of the tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.dedup_corpus import Page

WHITE = " \t\n\v\f\r"


def lines_of(text: str) -> list[tuple[int, int, bytes]]:
    """(start, stop, content) of every line, in bytes."""
    data = text.encode()
    found, start = [], 0
    for part in data.split(b"\n"):
        content = part.strip(WHITE.encode())
        if content:
            found.append((start, min(start + len(part) + 1, len(data)), content))
        start += len(part) + 1
    return found


def scope_of(page: Page, scope: str) -> tuple[str, str]:
    return page.source, (urlsplit(page.url or "").hostname or "") if scope == "host" else ""


def recurring(pages: Sequence[Page], min_pages: int, scope: str, min_bytes: int = 1) -> list[dict[str, Any]]:
    """A row of `schemas.LINES` for every page."""
    counts: Counter[tuple[Any, bytes]] = Counter()
    for page in pages:
        counts.update({(scope_of(page, scope), content) for _, _, content in lines_of(page.text)})
    rows = []
    for page in pages:
        lines = lines_of(page.text)
        total = sum(len(content) for _, _, content in lines)
        seen: set[bytes] = set()
        marked: dict[str, list[tuple[int, int, int]]] = {"repeated": [], "frequent": []}
        for start, stop, content in lines:
            if len(content) >= min_bytes and content in seen:
                marked["repeated"].append((start, stop, len(content)))
            if len(content) >= min_bytes and counts[scope_of(page, scope), content] >= min_pages:
                marked["frequent"].append((start, stop, len(content)))
            seen.add(content)
        row: dict[str, Any] = {"num_lines": len(lines)}
        for kind, found in marked.items():
            row[f"num_{kind}_lines"] = len(found)
            row[f"{kind}_lines_fraction"] = sum(size for _, _, size in found) / total if lines else None
            row[f"{kind}_lines_spans"] = [{"start": start, "stop": stop, "replacement": ""} for start, stop, _ in found]
        rows.append(row)
    return rows
