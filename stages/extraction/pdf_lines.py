"""Characters of a page of a PDF to lines, whichever way they run.

- A character that does not go on where a line is (far to the right, back to the left, at another height) begins another.
- *Turned text*, a quarter, a half or three quarters round, is read along its own lines. Pages most of whose text is
  turned (sideways tables, pages that a viewer turns) are laid out in that direction; a stamp at the edge of others is one line.
- Columns of characters one under the other (*vertical writing*) are lines that are turned, from right to left.
- *Right to left*: `stages.extraction.pdf_right_to_left`. Pages of which that is most have their places mirrored, so that
  columns and cells are read from the right.

Pure but for `Characters`, which a library fills. Price: some microseconds a character.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from stages.extraction.pdf_layout import UNSPACED, Line, by_gaps
from stages.extraction.pdf_right_to_left import Glyph, pieces_of, runs_right_to_left

WIDE_GAP = 1.4
"""Widths of an em between two characters of one line from which they are of different columns, or cells."""
RAISED = 0.86
"""Size of a digit against its line's up to which it may be raised: a power behind a digit, a letter that stands alone or
a metre, the mark of a note elsewhere. Browsers write .83."""
LIFTED = 0.15
"""Widths of an em over the character before it from which what is small is raised."""
TURNED = math.radians(20)
"""Angle from a whole quarter up to which text counts as turned by it; what is turned otherwise is read as if it were not."""
VERTICAL = 4
"""Characters of a column from which it is vertical writing."""
HALF = -1
"""Stands for the first half of a character that comes as two."""
_BASE = re.compile(r"(?:\d|(?<![^\W\d_])(?:[^\W\d_]|[cdkmnµ]m))$")
_SIGNS = frozenset(map(ord, "-+\u2212\u2013"))
_RAISABLE = _SIGNS | frozenset(map(ord, "0123456789,;[(*"))
"""Characters that may be raised: digits, and what stands before and between them in marks and powers."""
_LINE_ENDS = (10, 13, 0)
_HYPHENS = (2, 0xFFFE, 0xAD)
"""Characters that PDFium has in the place of a hyphen at the end of a line."""

Box = tuple[float, float, float, float]
"""Left, right, top and bottom in points, from the top left of the page."""


class Characters(Protocol):
    """A library's answers about the characters of a page, in the order of its content; by number."""

    def codes(self) -> list[int]: ...

    def text(self, index: int) -> str:
        """What it is; several characters where one glyph, or a few, stand for them."""

    def box(self, index: int) -> Box | None: ...
    def room(self, index: int) -> Box | None: ...
    def size(self, index: int) -> float: ...
    def origin(self, index: int) -> tuple[float, float]: ...
    def angle(self, index: int) -> float: ...


def lines_of(characters: Characters) -> list[Line]:
    """The lines of a page, laid out from the top left, or where it runs from right to left, from the top right."""
    codes = characters.codes()
    letters = Counter(unicodedata.bidirectional(chr(code)) for code in codes if code >= 0x590)
    num_from_right = letters["R"] + letters["AL"]
    runs_left = num_from_right > sum(code < 0x590 and chr(code).isalpha() for code in codes if code > 0) + letters["L"]
    if num_from_right:
        found = list(_both_ways(characters, codes, runs_left))
    else:
        found = _forwards(characters, codes, range(len(codes)))
    found = [(line, quarter) for line, quarter in found if line.text.strip()]
    columns = [_as_column(line) if quarter == 0 else False for line, quarter in found]
    lines = _upright([(line, 3 if column else quarter) for (line, quarter), column in zip(found, columns, strict=True)])
    if sum(columns) > len(columns) / 2:
        return by_gaps(lines)  # PDFium gives columns from the left
    if runs_left:
        for line in lines:
            line.x0, line.x1 = -line.x1, -line.x0
    return lines


# Which way up


def turns(angle: float) -> bool:
    """Whether text at this angle, in radians, is turned."""
    return _quarter(angle) != 0


def _quarter(angle: float) -> int:
    """Quarters by which text is turned against the clock."""
    quarters = angle / (math.pi / 2)
    whole = round(quarters)
    return -whole % 4 if abs(quarters - whole) * math.pi / 2 <= TURNED else 0


def _turned(box: Box, quarters: int) -> Box:
    """A box after the page was turned so that text turned against the clock by so many quarters stands upright."""
    for _ in range(quarters % 4):
        x0, x1, y0, y1 = box
        box = -y1, -y0, x0, x1
    return box


def _as_column(line: Line) -> bool:
    """Whether characters stand one under the other; then the line is turned, so that the next stands to its left."""
    text = "".join(line.text.split())
    is_tall = len(text) >= VERTICAL and line.y1 - line.y0 >= 2 * (line.x1 - line.x0)
    if not is_tall or sum(UNSPACED.match(char) is not None for char in text) <= len(text) / 2:
        return False
    line.x0, line.x1, line.y0, line.y1 = _turned((line.x0, line.x1, line.y0, line.y1), 3)
    return True


def _upright(found: list[tuple[Line, int]]) -> list[Line]:
    """Lines of any direction on a page that is turned as most of its text is."""
    share = Counter[int]()
    for line, quarter in found:
        share[quarter] += len(line.text)
    most = max(share, key=lambda quarter: (share[quarter], -quarter), default=0)
    for line, quarter in found:
        box = _turned((line.x0, line.x1, line.y0, line.y1), most - quarter)
        line.x0, line.x1, line.y0, line.y1 = box
    return [line for line, _ in found]


# Left to right


def _forwards(characters: Characters, codes: list[int], indices: range | list[int]) -> list[tuple[Line, int]]:
    """Lines with the quarters by which each is turned; places as if it were upright."""
    found: list[tuple[Line, int]] = []
    line: Line | None = None
    ended: Line | None = None
    quarter = base = 0
    raised = is_spaced = False
    for index in indices:
        code = codes[index]
        if code in _LINE_ENDS:
            ended, line = line or ended, None
            continue
        if code == HALF:
            continue
        if code in _HYPHENS:  # PDFium ends the line before it, and its box is thin
            if found:
                found[-1][0].text = found[-1][0].text.rstrip() + "\u00ad"
            continue
        if code <= 32 or code == 0xA0:
            if line is not None:
                line.text += " "
            is_spaced = True
            continue
        place = characters.box(index)
        if place is None:
            continue
        box = _turned(place, quarter) if quarter else place
        if line is None or box[1] <= line.x1:  # it does not go on to the right
            turned = _quarter(characters.angle(index))
            if turned != quarter:
                line, quarter, box = None, turned, _turned(place, turned)
        x0, x1, y0, y1 = box
        if line is None and ended is not None and found[-1] == (ended, quarter) and _is_behind(ended, box):
            line = ended  # PDFium ends lines behind what is raised
            line.text += " " * (is_spaced and not line.text.endswith(" "))
        ended, is_spaced = None, False
        if line is not None and _is_apart(line, x0, y0, y1) and not _goes_down(line, code, box):
            line = None
        if line is None:
            line = Line(characters.text(index), x0, y0, x1, y1, _size(characters, index))
            found.append((line, quarter))
            raised, base = False, index
            continue
        was_raised, raised = raised, code in _RAISABLE and _is_raised(characters, index, base, line.size, quarter)
        if not raised:
            base = index
        elif not was_raised:
            line.text += _before_raised(line.text, code)
        line.text += characters.text(index)
        line.x0, line.x1 = min(line.x0, x0), max(line.x1, x1)
        line.y0, line.y1 = min(line.y0, y0), max(line.y1, y1)
    return found


def _is_raised(characters: Characters, index: int, base: int, size: float, quarter: int) -> bool:
    """Whether a character is smaller than those of its line, and stands higher than another."""
    if characters.size(index) >= RAISED * size:
        return False
    (x, y), (base_x, base_y) = characters.origin(index), characters.origin(base)
    height, base_height = _turned((x, x, y, y), quarter)[2], _turned((base_x, base_x, base_y, base_y), quarter)[2]
    return height < base_height - LIFTED * size


def _before_raised(text: str, code: int) -> str:
    """The separator of a text and a raised character: ^ before a power; a space before the number of a note."""
    if text.endswith(" ") or not (code in _SIGNS or 48 <= code < 58):
        return ""
    return "^" if _BASE.search(text) else "" if code in _SIGNS else " "


def _size(characters: Characters, index: int) -> float:
    return max(1.0, min(characters.size(index), 200.0))


def _is_apart(line: Line, x0: float, y0: float, y1: float) -> bool:
    """Whether a character does not go on where a line is: far to the right, back to the left, or at another height."""
    em = max(line.size, line.y1 - line.y0, 1.0)
    if x0 - line.x1 > WIDE_GAP * em or x0 < line.x1 - 4 * em:
        return True
    return (y0 > line.y1 + 0.3 * line.size) or (y1 < line.y0 - 0.3 * line.size)


def _is_behind(line: Line, box: Box) -> bool:
    """Whether a character goes on where a line was said to end, a comma or what is raised behind low letters too."""
    x0, _, y0, y1 = box
    shared = min(line.y1 + 0.2 * line.size, y1) - max(min(line.y0, line.y1 - 0.7 * line.size), y0)
    return -0.3 * line.size < x0 - line.x1 < WIDE_GAP * line.size and shared > 0.5 * (y1 - y0) > 0


def _goes_down(line: Line, code: int, box: Box) -> bool:
    """Whether a character of East Asia stands under a column of such, and the library has it on the same line."""
    x0, x1, y0, _ = box
    if code < 0xE00 or not UNSPACED.match(chr(code)) or not UNSPACED.match(line.text[-1]):
        return False
    is_under = abs((x0 + x1) - (line.x0 + line.x1)) < line.size and line.x1 - line.x0 < 2 * line.size
    return is_under and -0.3 * line.size < y0 - line.y1 < 1.8 * line.size


# Right to left


def _both_ways(characters: Characters, codes: list[int], runs_left: bool) -> Iterator[tuple[Line, int]]:
    """Lines of a page on which some run from right to left."""
    for indices, goes_left in _stretches(codes):
        if not goes_left:
            yield from _forwards(characters, codes, indices)
            continue
        for strip, quarter, is_hyphened in _strips(characters, codes, indices):
            for text, glyphs in pieces_of(strip, WIDE_GAP, runs_left):
                x0, x1 = min(one.x0 for one in glyphs), max(one.x1 for one in glyphs)
                y0, y1 = min(one.y0 for one in glyphs), max(one.y1 for one in glyphs)
                yield Line(text + "\u00ad" * is_hyphened, x0, y0, x1, y1, glyphs[0].size), quarter


def _stretches(codes: list[int]) -> Iterator[tuple[list[int], bool]]:
    """Lines of which something runs from right to left, each alone, and what stands between two of them."""
    between: list[int] = []
    first = 0
    for stop in [index for index, code in enumerate(codes) if code in _LINE_ENDS] + [len(codes)]:
        if any(runs_right_to_left(codes[index]) for index in range(first, stop)):
            yield between, False
            yield list(range(first, stop)), True
            between = []
        else:
            between += range(first, min(stop + 1, len(codes)))
        first = stop + 1
    yield between, False


def _strips(characters: Characters, codes: list[int], indices: list[int]) -> Iterator[tuple[list[Glyph], int, bool]]:
    """Characters of one height and direction; and whether a hyphen ends them."""
    strip: list[Glyph] = []
    quarter = 0
    low = high = 0.0
    for index in indices:
        code = codes[index]
        if code < 32 or code in _HYPHENS:
            continue
        is_space = code in (32, 0xA0)
        ink, room = characters.box(index), characters.room(index)
        if ink is None or room is None:
            continue
        turned = quarter if is_space else _quarter(characters.angle(index))
        x0, x1, top, bottom = _turned(room, turned)
        if is_space:
            if strip and x1 > x0:
                strip.append(Glyph(" ", x0, x1, high, low, 1.0, strip[0].size))
            continue
        _, _, y0, y1 = _turned(ink, turned)
        if strip and (turned != quarter or y0 > low + 0.3 * strip[0].height or y1 < high - 0.3 * strip[0].height):
            yield strip, quarter, False
            strip = []
        low, high = (max(low, y1), min(high, y0)) if strip else (y1, y0)
        quarter = turned
        strip.append(Glyph(characters.text(index), x0, x1, y0, y1, max(bottom - top, 1.0), _size(characters, index)))
    if strip:
        yield strip, quarter, codes[indices[-1]] in _HYPHENS
