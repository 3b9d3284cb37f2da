"""Recurring lines and paragraphs in plain Python, from the docstring of `stages.lines`: the oracle of the tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.support.dedup_corpus import Page

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


def paragraphs_of(text: str) -> list[tuple[int, int, tuple[bytes, ...]]]:
    """(start, stop, lines) of every paragraph; what is blank between two belongs to the first."""
    found: list[tuple[int, int, tuple[bytes, ...]]] = []
    for start, stop, content in lines_of(text):
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], stop, (*found[-1][2], content))
        else:
            found.append((start, stop, (content,)))
    starts = [start for start, _, _ in found[1:]]
    return [(start, after, held) for (start, _, held), after in zip(found, starts, strict=False)] + found[-1:]


def scope_of(page: Page, scope: str) -> tuple[str, str]:
    return page.source, (urlsplit(page.url or "").hostname or "").rstrip(".") if scope == "host" else ""


def recurring(pages: Sequence[Page], min_pages: int, scope: str, min_bytes: int = 1) -> list[dict[str, Any]]:
    """A row of `schemas.LINES` for every page."""
    rows: list[dict[str, Any]] = [{} for _ in pages]
    for unit in ("lines", "paragraphs"):
        pieces = [units(page.text, unit) for page in pages]
        counts: Counter[tuple[Any, Any]] = Counter()
        for place, text in {(scope_of(page, scope), page.text) for page in pages}:  # pages of one text count once
            counts.update({(place, content) for _, _, content, _ in units(text, unit)})
        for page, mine, row in zip(pages, pieces, rows, strict=True):
            total = sum(size for _, _, _, size in mine)
            seen: set[Any] = set()
            marked: dict[str, list[tuple[int, int, int]]] = {"repeated": [], "frequent": []}
            for start, stop, content, size in mine:
                if size >= min_bytes and content in seen:
                    marked["repeated"].append((start, stop, size))
                if size >= min_bytes and counts[scope_of(page, scope), content] >= min_pages:
                    marked["frequent"].append((start, stop, size))
                seen.add(content)
            row[f"num_{unit}"] = len(mine)
            for kind, found in marked.items():
                row[f"num_{kind}_{unit}"] = len(found)
                row[f"{kind}_{unit}_fraction"] = sum(size for _, _, size in found) / total if mine else None
                spans = [{"start": start, "stop": stop, "replacement": ""} for start, stop, _ in found]
                row[f"{kind}_{unit}_spans"] = spans
    return rows


def units(text: str, unit: str) -> list[tuple[int, int, Any, int]]:
    """(start, stop, content, bytes of content) of every line or paragraph."""
    if unit == "lines":
        return [(start, stop, content, len(content)) for start, stop, content in lines_of(text)]
    return [(start, stop, held, sum(map(len, held))) for start, stop, held in paragraphs_of(text)]
