"""Cleaned texts as spans: what a family would cut out of a page, for the views of `kept`. The text itself stays.

| view | column of `quality` | what it leaves |
|---|---|---|
| `c4_cleaned` | `c4_cleaned_spans` | the lines C4 keeps (`stages.rules.c4`), without citations, joined by line feeds |
| `c4_strict_cleaned` | `c4_strict_cleaned_spans` | the same with the test for a terminal mark |
| `refinedweb_corrected` | `refinedweb_corrected_spans` | the lines RefinedWeb's corrections leave |
| `chrome_cleaned` | `chrome_cleaned_spans` | the lines that are no page chrome (`stages.rules.chrome`) |

A span is (start, stop, replacement) in bytes of the text; sorted, not overlapping, none that changes nothing. Applied
to a page that C4 keeps, `c4_cleaned` gives the reference's cleaned text byte for byte.

Price: about 1 µs a line that goes; measured only when asked for (`quality.views`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from stages import schemas
from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.words import c4_lines, line_kinds
from stages.kernels.words.c4_lines import C4Lines
from stages.kernels.words.line_kinds import LineKinds
from stages.kernels.words.literals import Hits
from stages.rules import c4, chrome

Span = tuple[int, int, str]


def c4_cleaned(data: Bytes, offsets: Offsets, lines: C4Lines, strict: bool) -> pa.Array:
    """The spans of every document."""
    kept = np.flatnonzero(c4.fates(lines, strict) == c4.KEPT)
    bounds = np.searchsorted(kept, lines.lines_D1)
    pages = []
    for d in range(len(offsets) - 1):
        start = int(offsets[d])
        page = data[start : int(offsets[d + 1])].tobytes()
        parts = []
        for k in kept[bounds[d] : bounds[d + 1]].tolist():
            first, last = int(lines.starts_L[k]) - start, int(lines.stops_L[k]) - start
            cited = bool(lines.facts_L[k] & c4_lines.CITATION)
            parts.append(_without_citations(page, first, last) if cited else [(first, last)])
        pages.append(_joined(page, parts))
    return _array(pages)


def refinedweb_corrected(data: Bytes, offsets: Offsets, lines: LineKinds) -> pa.Array:
    """The spans of every document: each line that goes, with its line feed."""
    pages: list[list[Span]] = [[] for _ in range(len(offsets) - 1)]
    goes = np.flatnonzero(lines.kinds_L != line_kinds.ORDINARY)
    for k, d in zip(goes.tolist(), (np.searchsorted(lines.lines_D1, goes, "right") - 1).tolist(), strict=True):
        start, stop = int(offsets[d]), int(offsets[d + 1])
        last = int(lines.stops_L[k])
        while last < stop and data[last] != 10:
            last += 1
        pages[d].append((int(lines.starts_L[k]) - start, min(last + 1, stop) - start, ""))
    return _array(pages)


def chrome_cleaned(data: Bytes, offsets: Offsets, lines: LineKinds, string: int, hits: Hits) -> pa.Array:
    """The spans of every document."""
    return _array(chrome.cut(data, offsets, lines, string, hits))


def _without_citations(page: bytes, first: int, last: int) -> list[tuple[int, int]]:
    """The pieces of a line between its citation marks."""
    pieces = []
    for mark in c4_lines.CITATION_PATTERN.finditer(page, first, last):
        pieces.append((first, mark.start()))
        first = mark.end()
    return [*pieces, (first, last)]


def _joined(page: bytes, parts: list[list[tuple[int, int]]]) -> list[Span]:
    """Spans that leave the pieces of the parts, the parts joined by line feeds and the whole stripped."""

    def blank(pieces: Iterable[tuple[int, int]]) -> bool:
        return not b"".join(page[a:b] for a, b in pieces).decode("utf-8", "replace").strip()

    while parts and blank(parts[0]):
        parts = parts[1:]
    while parts and blank(parts[-1]):
        parts = parts[:-1]
    if not parts:
        return [(0, len(page), "")] if page else []
    parts[0] = _stripped(page, parts[0], 0)
    parts[-1] = _stripped(page, parts[-1], -1)
    spans: list[Span] = []
    at, joint = 0, ""
    for pieces in parts:
        for first, last in pieces:
            if page[at:first] != joint.encode():
                spans.append((at, first, joint))
            at, joint = last, ""
        joint = "\n"
    if at < len(page):
        spans.append((at, len(page), ""))
    return spans


def _stripped(page: bytes, pieces: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The pieces of a line without white space at its beginning (end 0) or at its end (end -1)."""
    pieces = list(pieces)
    while pieces:
        first, last = pieces[end]
        text = page[first:last].decode("utf-8", "replace")
        rest = text.lstrip() if end == 0 else text.rstrip()
        cut = len(text.encode()) - len(rest.encode())
        pieces[end] = (first + cut, last) if end == 0 else (first, last - cut)
        if rest:
            break
        del pieces[end]
    return pieces


def _array(pages: list[list[Span]]) -> pa.Array:
    counts = np.array([0, *(len(spans) for spans in pages)], np.int32).cumsum(dtype=np.int32)
    flat = [span for spans in pages for span in spans]
    starts, stops, texts = ([span[k] for span in flat] for k in range(3))
    fields = [pa.array(starts, pa.int32()), pa.array(stops, pa.int32()), pa.array(texts, pa.string())]
    spans = pa.StructArray.from_arrays(fields, fields=list(schemas.SPAN))
    return pa.ListArray.from_arrays(pa.array(counts), spans, type=pa.list_(schemas.SPAN))


@dataclass(frozen=True)
class View:
    """Spans of a cleaned text: ``cut``, and what it takes by name (attributes of `stages.quality.Found`)."""

    needs: tuple[str, ...]
    cut: Callable[..., pa.Array]


VIEWS = {
    "c4_cleaned": View(("data", "offsets", "c4_lines"), partial(c4_cleaned, strict=False)),
    "c4_strict_cleaned": View(("data", "offsets", "c4_lines"), partial(c4_cleaned, strict=True)),
    "refinedweb_corrected": View(("data", "offsets", "kinds"), refinedweb_corrected),
    "chrome_cleaned": View(("data", "offsets", "kinds", "chrome_string", "hits"), chrome_cleaned),
}
FIELDS = {view: pa.field(f"{view}_spans", pa.list_(schemas.SPAN), nullable=False) for view in VIEWS}
