"""Hebrew that pages hold in the order in which it is seen (*visual*), in the order in which it is read.

Pages of before the bidirectional algorithm have each line from left to right as it looks; the charset ``iso-8859-8``
says so to browsers, and nothing else does (Encoding Standard: ``iso-8859-8-i`` is the same letters as read). Many
pages declare it and are as read, and ``charset`` has one name for both, so the letters decide: five of Hebrew have a
form of their own at the end of a word, which in visual order stands at its beginning. Lines are put in order as those
of PDFs are; what the extractor writes before them (marks and numbers of items, headings, quotations) stays there. Of a
table that has Hebrew all rows are read from the right. Titles, which many pages have as read, likewise by their own
final letters, and without such as the text.

Price: nothing for pages of other charsets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

import pyarrow as pa

from stages.documents.page import Page
from stages.extraction.pdf_right_to_left import as_read, runs_right_to_left

CHARSET = "iso-8859-8"
CELL = " | "
"""Between the cells of a row."""
LEAST = 3
"""Words that begin with a final letter which say that a text is in visual order: more than twice those that end so."""
_FIRST = re.compile("(?<![\u05d0-\u05ea])[\u05da\u05dd\u05df\u05e3\u05e5](?=[\u05d0-\u05ea])")
_LAST = re.compile("(?<=[\u05d0-\u05ea])[\u05da\u05dd\u05df\u05e3\u05e5](?![\u05d0-\u05ea])")
_MARKS = re.compile(r"\s*(?:(?:[-*>]|#{1,6}|(?:\d+|[a-zA-Z]|[ivxlcdm]+|[IVXLCDM]+)\.|\[[ x]\])\s+)*")
"""What the extractor writes before a line. In visual order a number of the page's own would stand behind it: ``.1``."""


def is_visual(text: str) -> bool:
    """Whether final letters begin words."""
    first = len(_FIRST.findall(text))
    return first >= LEAST and first > 2 * len(_LAST.findall(text))


def in_reading_order(texts: pa.LargeStringArray, pages: Sequence[Page]) -> pa.LargeStringArray:
    """The texts of the pages; those in visual order, and their titles, line by line as they are read."""
    rows = [row for row, page in enumerate(pages) if page.charset == CHARSET and is_visual(texts[row].as_py() or "")]
    if not rows:
        return texts
    found = texts.to_pylist()
    for row in rows:
        parts = groupby(found[row].split("\n"), lambda line: CELL in line)
        found[row] = "\n".join(line for is_table, lines in parts for line in _lines(list(lines), is_table))
        title = pages[row].title
        if title and len(_LAST.findall(title)) <= len(_FIRST.findall(title)):
            pages[row].title = as_read(title)
    return pa.array(found, pa.large_string())


def _lines(seen: list[str], is_table: bool) -> list[str]:
    """Lines of the text, or of a table: its rows are read from the right, those of numbers alone too."""
    if not is_table or not any(runs_right_to_left(ord(char)) for line in seen for char in line):
        return [_line(line) for line in seen]
    found = []
    for line in seen:
        stop = _marks(line)
        stop -= line[stop - 1 : stop + 2] == CELL  # the first cell is empty
        cells = line[stop:].split(CELL)
        found.append(line[:stop] + CELL.join(map(as_read, reversed(cells))))
    return found


def _line(seen: str) -> str:
    stop = _marks(seen)
    return seen[:stop] + as_read(seen[stop:])


def _marks(line: str) -> int:
    """End of what the extractor writes before a line."""
    found = _MARKS.match(line)
    return found.end() if found else 0
