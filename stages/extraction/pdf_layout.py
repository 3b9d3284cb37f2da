"""Lines of the pages of a PDF to text: reading order, running heads, hyphens, paragraphs.

- *Order*: that of the content where it runs down the page, which is how typesetters write it; where it does not (it jumps
  up inside a column, or goes to and fro between two columns of prose), the page is cut at its widest white gaps, across
  and down in turn (recursive X-Y cut: Nagy and Seth 1984), and each part read for itself.
- *Running heads and feet*: outermost lines that stand at the same height on several pages, digits aside; and page numbers.
- *Lines*: a word cut at a line's end is joined (with its hyphen where the document writes it so elsewhere); lines that fill
  their column go on in the next; what does not (headings, cells of tables, verse) ends a line. Parts of one line far apart
  are joined by a tab where they are cells of a row.
- *Footnotes* (smaller lines at the foot of a column, from one that begins with a mark on) follow the paragraph that they interrupt.
- *Characters*: ligatures are taken apart, soft hyphens go.

Pure: a list of pages, each a list of `Line`, to one text. Price: some microseconds a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

SOFT_HYPHEN = "\u00ad"
HYPHENS = "-\u2010" + SOFT_HYPHEN
LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\ufffe": "-", "\u0002": "-"}
)
OUTER = 3
"""Lines at the top and at the bottom of a page that may be running heads and feet."""
SAME_HEIGHT = 3.0
"""Points by which heads of different pages may differ in height."""
FILLS = 0.85
"""Share of its column's width from which a line goes on in the next."""
NARROW = 9.0
"""Widths of an em below which lines fill no column of prose: rows of a small table, items of a list, lines of code."""
BACK = 0.08
"""Share of lines that may jump up in their column before the order of the content is given up."""
NEAR = 400
"""Lines above and below that say how wide a line's column is: pages of thousands are maps and tables of single figures."""
PROSE = 24
"""Characters of a line, at the median, from which two columns side by side are prose and no table."""
_NUMBER = re.compile(
    r"[\s\-–—|•·\[\](]*(?:(?:page|seite|página|p\.|s\.)\s*)?(?:\d{1,4}|[ivxlc]{1,7})"
    r"(?:\s*(?:/|of|von|de|sur)\s*\d{1,4})?[\s\-–—|•·\])]*",
    re.IGNORECASE,
)
_MARK = re.compile(r"\s*(?:\d{1,3}|[*†‡§¶]|\[\d{1,3}\])")
_GLUED = re.compile(r"^(\d{1,3})(?=[^\W\d_])")
_OF_ONE = re.compile(r"\D*1\s*(?:/|of|von|de|sur)\s*1\D*")
SMALL = 0.93
"""Size of a footnote against that of most of its page."""
_FIGURE = re.compile(r"\d+|\b[ivxlc]+\b")
_LAST_FIGURE = re.compile(r"(?:\d+|\b[ivxlc]+\b)(?!.*(?:\d|\b[ivxlc]+\b))")
_OF = re.compile(r"\d+\s*(?:/|of|von|de|sur)\s*\d+")
_SENTENCE_END = re.compile(r"[.!?:;…。！？：؟۔׃।॥][\"'”’»」』)\]]*\s*$")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)
"""Characters of scripts that are written without spaces, and their punctuation."""


@dataclass
class Line:
    """A stretch of text on one line, with its place in points from the top left of its page, and its font size."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float


def text_of(pages: list[list[Line]]) -> str:
    """The text of a document."""
    pages = without_furniture(pages)
    rows = [row for lines in pages for row in _rows(ordered(lines), footnotes(lines))]
    return joined(rows)


# Reading order


def ordered(lines: list[Line]) -> list[Line]:
    """The lines of a page as they are read."""
    if len(lines) < 4 or not (jumps_up(lines) or alternates(lines)):
        return lines
    return by_gaps(lines)


def jumps_up(lines: list[Line]) -> bool:
    """Whether the content goes up inside a column more often than heads and feet explain."""
    jumps = sum(b.y1 < a.y0 and _overlap(a, b) > 0.5 for a, b in pairwise(lines))
    return jumps > max(2, BACK * len(lines))


def alternates(lines: list[Line]) -> bool:
    """Whether the content goes to and fro between two columns of prose."""
    middle = gutter(lines)
    if middle is None:
        return False
    sides = [line.x0 >= middle for line in lines if line.x1 <= middle or line.x0 >= middle]
    turns = sum(a != b for a, b in pairwise(sides))
    return turns > max(6, 0.3 * len(sides))


def gutter(lines: list[Line]) -> float | None:
    """Position of the gap in a page of two columns of prose; None where it has no two columns."""
    left, right = min(line.x0 for line in lines), max(line.x1 for line in lines)
    best = None
    for step in range(30, 71, 2):
        x = left + (right - left) * step / 100
        across = sum(line.x0 < x < line.x1 for line in lines)
        sides = [line for line in lines if not line.x0 < x < line.x1]
        on_left = [line for line in sides if line.x1 <= x]
        if across > 0.15 * len(lines) or min(len(on_left), len(sides) - len(on_left)) < 0.25 * len(lines):
            continue
        if best is None or across < best[0]:
            best = (across, x)
    if best is None or sorted(len(line.text) for line in lines)[len(lines) // 2] < PROSE:
        return None
    return best[1]


def _overlap(a: Line, b: Line) -> float:
    """Share of the narrower of two lines that stands over or under the other."""
    width = min(a.x1 - a.x0, b.x1 - b.x0)
    return (min(a.x1, b.x1) - max(a.x0, b.x0)) / width if width > 0 else 0.0


def by_gaps(lines: list[Line], depth: int = 0) -> list[Line]:
    """X-Y cut: the parts of the widest gap that goes through, down the page first, then side by side."""
    if len(lines) < 2 or depth > 40:
        return lines
    size = sorted(line.size for line in lines)[len(lines) // 2]
    down = _gap([(line.y0, line.y1) for line in lines])
    side = _gap([(line.x0, line.x1) for line in lines])
    if side[0] > 0.8 * size and side[0] * 1.5 >= down[0]:
        parts = [[line for line in lines if line.x1 <= side[1]], [line for line in lines if line.x1 > side[1]]]
    elif down[0] > 0:
        parts = [[line for line in lines if line.y1 <= down[1]], [line for line in lines if line.y1 > down[1]]]
    else:
        return sorted(lines, key=lambda line: (round(line.y0 / max(size, 1)), line.x0))
    return [line for part in parts for line in by_gaps(part, depth + 1)]


def _gap(spans: list[tuple[float, float]]) -> tuple[float, float]:
    """(width, middle) of the widest gap between intervals."""
    best, end = (0.0, 0.0), None
    for start, stop in sorted(spans):
        if end is not None and start - end > best[0]:
            best = (start - end, (start + end) / 2)
        end = stop if end is None else max(end, stop)
    return best


# Running heads and feet


def without_furniture(pages: list[list[Line]]) -> list[list[Line]]:
    """The pages without running heads, feet and page numbers."""
    outer = [_outermost(lines) for lines in pages]
    seen = Counter(key for lines in outer for key in {key for line in lines for key in _keys(line)})
    most = sum(map(bool, pages))
    found = []
    for lines, edge in zip(pages, outer, strict=True):
        drop = {id(line) for line in edge if _recurs(line, seen, most) or _is_number(line, lines, most)}
        found.append([line for line in lines if id(line) not in drop])
    return found


def _outermost(lines: list[Line]) -> list[Line]:
    """The lines at the top and at the bottom, from outside in, `OUTER` heights of each."""
    found = []
    for by_height in (sorted(lines, key=lambda line: line.y0), sorted(lines, key=lambda line: -line.y1)):
        heights: list[float] = []
        for line in by_height:
            if not any(abs(line.y0 - height) <= SAME_HEIGHT for height in heights):
                heights.append(line.y0)
            if len(heights) > OUTER:
                break
            found.append(line)
    return found


def _keys(line: Line) -> set[tuple[str, int]]:
    """Keys of a running head: its height, and its text without its first, its last number, or ``1 of 9``."""
    text = " ".join(line.text.lower().split())
    first, last = _FIGURE.sub("#", text, count=1), _LAST_FIGURE.sub("#", text, count=1)
    height = round(line.y0 / SAME_HEIGHT)
    return {(key, height) for key in (first, last, _OF.sub("#", text)) if re.search(r"[^\W\d_]{2}", key)}


def _recurs(line: Line, seen: Counter[tuple[str, int]], num_pages: int) -> bool:
    """Whether a line stands at its height on at least three pages, or on both of two."""
    least = min(3, num_pages)
    return num_pages >= 2 and any(
        sum(seen[text, height + near] for near in (-1, 0, 1)) >= least for text, height in _keys(line)
    )


def _is_number(line: Line, lines: list[Line], num_pages: int) -> bool:
    """Whether a line is a page number: it stands alone at its height, above or below all others."""
    if not (_NUMBER if num_pages > 1 else _OF_ONE).fullmatch(line.text):
        return False
    others = [one for one in lines if one is not line]
    return all(one.y0 >= line.y1 for one in others) or all(one.y1 <= line.y0 for one in others)


# Footnotes


def footnotes(lines: list[Line]) -> set[int]:
    """The lines of footnotes, by their ``id``."""
    sizes = sorted(line.size for line in lines for _ in line.text)
    if not sizes:
        return set()
    body = sizes[len(sizes) // 2]
    top, end = min(line.y0 for line in lines), max(line.y1 for line in lines)
    small = [line for line in lines if line.size <= SMALL * body and line.y0 > (top + end) / 2]
    large = [line for line in lines if line.size > SMALL * body]
    at_foot = [line for line in small if not any(one.y0 > line.y0 and _overlap(one, line) > 0.5 for one in large)]
    found: set[int] = set()
    marks = [line for line in at_foot if _MARK.match(line.text)]
    for line in at_foot:
        if any(mark.y0 <= line.y0 + 1 and _overlap(mark, line) > 0.3 for mark in marks):
            found.add(id(line))
    return found


# Lines to text


@dataclass
class _Row:
    """A stretch that is read as one line: its text, its place, the width of its column."""

    text: str
    line: Line
    width: float
    is_note: bool = False


def _rows(lines: list[Line], notes: set[int]) -> list[_Row]:
    """The lines of a page, parts of one height that follow each other as cells of a row joined by tabs."""
    rows: list[_Row] = []
    for line in lines:
        text = line.text.translate(LIGATURES).strip()
        if id(line) in notes:
            text = _GLUED.sub(r"\1 ", text)
        last = rows[-1] if rows else None
        if last is not None and last.is_note == (id(line) in notes) and _beside(last.line, line):
            last.text += "\t" + text
            last.line = Line(last.text, last.line.x0, last.line.y0, line.x1, max(last.line.y1, line.y1), line.size)
        else:
            rows.append(_Row(text, line, 0.0, id(line) in notes))
    for row, width in zip(rows, _column_widths([row.line for row in rows]), strict=True):
        row.width = width
    return rows


def _column_widths(lines: list[Line]) -> list[float]:
    """The widths of the columns in which lines stand: of those over and under each, nine tenths, the nearest `NEAR`."""
    places = np.array([(line.x0, line.x1, line.y0) for line in lines]).reshape(-1, 3)
    order = np.argsort(places[:, 2], kind="stable")
    x0, x1, y0 = places[order].T
    widths = np.zeros(len(lines))
    for at in range(len(lines)):
        some = slice(max(0, at - NEAR), at + NEAR + 1)
        narrower = np.minimum(x1[some] - x0[some], x1[at] - x0[at])
        shared = np.minimum(x1[some], x1[at]) - np.maximum(x0[some], x0[at])
        near = (np.abs(y0[some] - y0[at]) < 300) & (narrower > 0) & (shared > 0.5 * narrower)
        num = int(near.sum())
        if not num:  # of no width
            widths[order[at]] = x1[at] - x0[at]
            continue
        ends, starts = np.sort(x1[some][near]), np.sort(x0[some][near])
        widths[order[at]] = ends[int(0.9 * (num - 1))] - min(x0[at], starts[num // 10])
    return [float(width) for width in widths]


def _beside(a: Line, b: Line) -> bool:
    """Whether b is the next cell of a's row."""
    low, high = max(a.y0, b.y0), min(a.y1, b.y1)
    return b.x0 > a.x1 and high - low > 0.5 * min(a.y1 - a.y0, b.y1 - b.y0)


def joined(rows: list[_Row]) -> str:
    """The text of rows: paragraphs a line each, with an empty line where white space stands between."""
    known = Counter(word.lower() for row in rows for word in _WORD.findall(row.text.replace(SOFT_HYPHEN, "")))
    body, held = _Flow(known), _Flow(known)
    for row in rows:
        if row.is_note:
            held.add(row)
            continue
        if held.parts and not body.continues(row):
            body.parts += held.parts
            held = _Flow(known)
        body.add(row)
    return "\n".join([*body.parts, *held.parts]).strip("\n").replace(SOFT_HYPHEN, "")


class _Flow:
    """Rows that follow each other, as paragraphs."""

    def __init__(self, known: Counter[str]) -> None:
        self.known = known
        self.parts: list[str] = []
        self.last: _Row | None = None

    def continues(self, row: _Row) -> bool:
        """Whether a row continues the last paragraph."""
        return self.last is not None and (self._is_cut(row) or _goes_on(self.last, row))

    def _is_cut(self, row: _Row) -> bool:
        cut = bool(self.parts) and self.parts[-1].endswith(tuple(HYPHENS)) and row.text[:1].isalpha()
        return cut and self.last is not None and _goes_on(self.last, row, hyphen=True)

    def add(self, row: _Row) -> None:
        if self.last is None or not self.parts:
            self.parts.append("\n" + row.text)
        elif self._is_cut(row):
            self.parts[-1] = _mended(self.parts[-1], row.text, self.known)
        elif _goes_on(self.last, row):
            self.parts[-1] += _between(self.parts[-1], row.text) + row.text
        else:
            self.parts.append("\n" + row.text if _is_far(self.last, row) else row.text)
        self.last = row


def _goes_on(last: _Row, row: _Row, hyphen: bool = False) -> bool:
    """Whether a row continues the paragraph of the one before."""
    a, b = last.line, row.line
    if abs(a.size - b.size) > 0.1 * a.size or "\t" in row.text:
        return False
    if hyphen or "\t" in last.text:
        return hyphen
    is_full = a.x1 - a.x0 >= max(FILLS * last.width, NARROW * a.size)
    below = 0 <= b.y0 - a.y1 + a.size < 1.9 * a.size
    return is_full and (below or _is_new_column(a, b)) and not row.text.startswith(("•", "–", "▪"))


def _between(before: str, text: str) -> str:
    """The separator of two lines of a paragraph: nothing where their script has no spaces."""
    return "" if UNSPACED.match(before[-1:]) and UNSPACED.match(text[:1]) else " "


def _is_new_column(a: Line, b: Line) -> bool:
    """Whether b is at the top of the next column or page and goes on: in small letters, or in a script that has none
    behind a line that ends no sentence.
    """
    first = b.text.lstrip()[:1]
    is_amid = unicodedata.category(first or " ") == "Lo" and not _SENTENCE_END.search(a.text)
    return b.y1 < a.y0 and (first.islower() or is_amid)


def _is_far(last: _Row, row: _Row) -> bool:
    return row.line.y0 - last.line.y1 > 0.7 * last.line.size or row.line.y1 < last.line.y0


def _mended(before: str, text: str, known: Counter[str]) -> str:
    """Two lines whose word was cut: without the hyphen, unless the document has the word with it, or it ends in one."""
    stem, mark = before[:-1], before[-1]
    head = re.search(r"[^\W\d_]*$", stem)
    tail = re.match(r"[^\W\d_]+", text)
    first, second = (head[0] if head else "").lower(), (tail[0] if tail else "").lower()
    whole, hyphened = known[first + second], known[f"{first}-{second}"]
    keeps = hyphened > whole or not first or (mark != SOFT_HYPHEN and not text[:1].islower())
    return f"{stem}-{text}" if keeps else f"{stem}{text}"
