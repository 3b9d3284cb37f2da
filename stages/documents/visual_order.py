"""Hebrew that pages hold in the order in which it is seen (*visual*), in the order in which it is read.

Pages of before the bidirectional algorithm have each line from left to right as it looks; the charset ``iso-8859-8``
says so to browsers, and nothing else does (Encoding Standard: ``iso-8859-8-i`` is the same letters as read). Many pages
declare it and are as read, and ``charset`` has one name for both, so the letters decide: five of Hebrew have a form of
their own at the end of a word, which in visual order stands at its beginning. Lines are put in order as those of PDFs
are; what the extractor writes before them (marks and numbers of items, headings, quotations) stays there. Titles, which
many pages have as read, likewise by their own final letters, and without such as the text.

Price: nothing for pages of other charsets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from stages.documents.page import Page
from stages.extraction.pdf_right_to_left import as_read

CHARSET = "iso-8859-8"
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
        found[row] = "\n".join(map(_line, found[row].split("\n")))
        title = pages[row].title
        if title and len(_LAST.findall(title)) <= len(_FIRST.findall(title)):
            pages[row].title = as_read(title)
    return pa.array(found, pa.large_string())


def _line(seen: str) -> str:
    marks = _MARKS.match(seen)
    stop = marks.end() if marks else 0
    return seen[:stop] + as_read(seen[stop:])
