"""Characters of a PDF that run from right to left (Arabic, Hebrew, Syriac, ...) to text, by where they stand.

A PDF holds such text in any order, as its maker likes: as it is seen, as it is read, or each word in one way and the
words in the other; and PDFium turns some of it. Where the characters of a line stand is beyond doubt. So `pieces_of`
puts them in the order in which they are seen, cuts them where a gap is as wide as between columns, puts a space where a
gap is as wide as one, and takes the order in which they are read from that: the way back from what the bidirectional
algorithm (Unicode Standard Annex 9) does to show a line.

- A line of which half of the letters run right to left (on pages of which most do: one that does not begin and end in
  another script) is read from the right, words of other scripts and numbers in it from the left. Others are read from
  the left, words right to left in them from the right.
- Marks (vowels) follow the letter over or under which they stand.
- What a glyph of several letters stands for is put in order: lam-alef and what Unicode has as a presentation form by
  its own table, others by the way in which PDFium turned what stands beside it.
- Brackets that come out inside out (makers write what is seen or what is meant) are turned.

Pure. Limits: a line in which numbers and words of another script follow each other directly is read as that script is;
a line that is all of another script is read from the left wherever it stands.
"""

from __future__ import annotations

import bisect
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

SPACE, LEAST_SPACE = 0.17, 0.05
"""Height of a line of which a gap between two characters is a space; and one in which the document has one."""
NEIGHBOURS = 8
"""Letters to either side of a mark that are asked whether it stands over them."""
_CONTROLS = dict.fromkeys([0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_SEPARATORS = ",.:/"
_SIGNS = "-+"
_BRACKETS = str.maketrans("()[]{}«»‹›", ")(][}{»«›‹")
_OPENING, _CLOSING = "([{«‹", ")]}»›"


@dataclass
class Glyph:
    """A character with the place that it takes up in its line, spaces around ink included, and the height of its ink."""

    text: str
    x0: float
    x1: float
    y0: float
    y1: float
    height: float
    """Height of its font, in points: about 1.2 em."""
    size: float


def runs_right_to_left(code: int) -> bool:
    """Whether this is a letter that runs from right to left."""
    return code >= 0x590 and unicodedata.bidirectional(chr(code)) in ("R", "AL")


def pieces_of(glyphs: Sequence[Glyph], wide_gap: float, on_such_a_page: bool = False) -> list[tuple[str, list[Glyph]]]:
    """(text, its glyphs) of the parts of a line, in the order in which they are read.

    Args:
        glyphs: those of one height, in the order that PDFium gives.
        on_such_a_page: most letters of its page run from right to left.
        wide_gap: widths of an em from which what stands behind a gap is of another column, or cell.
    """
    spaces = sorted((glyph.x0 + glyph.x1) / 2 for glyph in glyphs if glyph.text == " ")
    glyphs = [glyph for glyph in glyphs if glyph.text != " "]
    height = max((glyph.height for glyph in glyphs), default=1.0)
    units = sorted(_with_marks(_units(glyphs)), key=lambda unit: (unit[1][0].x0 + unit[1][0].x1) / 2)
    parts: list[list[tuple[str, list[Glyph]]]] = []
    end = 0.0
    for text, members in units:
        first = members[0]
        gap = first.x0 - end
        if not parts or gap > wide_gap * height / 1.2:
            parts.append([])
        elif gap > SPACE * height or (gap > LEAST_SPACE * height and _is_between(spaces, end, first.x0)):
            parts[-1].append((" ", []))
        end = max(end, first.x1) if parts[-1] else first.x1
        parts[-1].append((text, members))
    found = [
        (as_read([text for text, _ in part], on_such_a_page), [one for _, some in part for one in some])
        for part in parts
    ]
    whole = "".join(glyph.text for glyph in glyphs)
    return found[::-1] if _is_right_to_left(whole, on_such_a_page) else found


def _is_between(places: list[float], start: float, stop: float) -> bool:
    """Whether one of some rising places is from start to stop."""
    at = bisect.bisect_left(places, start)
    return at < len(places) and places[at] <= stop


def as_read(seen: Sequence[str], on_such_a_page: bool = False) -> str:
    """The text of a line in the order in which it is read, from its characters from left to right."""
    whole = "".join(seen).translate(_CONTROLS)
    kinds = [_kind(text) for text in seen]
    if "R" not in kinds:
        return whole
    if _is_right_to_left(whole, on_such_a_page):
        return _from_right(list(seen), kinds)
    read: list[str] = []
    at = 0
    while at < len(seen):
        if kinds[at] != "R":
            read.append(seen[at])
            at += 1
            continue
        stop = at + 1
        for index in range(at + 1, len(seen)):
            if kinds[index] == "L":
                break
            stop = index + 1 if kinds[index] == "R" else stop
        word = _from_right(list(seen[at:stop]), kinds[at:stop])
        pair = _pair(read[-1], seen[stop]) if read and stop < len(seen) else None
        if pair is not None:
            read[-1:] = [pair[0], word, pair[1]]
            stop += 1
        else:
            read.append(word)
        at = stop
    return "".join(read).translate(_CONTROLS)


def _pair(before: str, behind: str) -> str | None:
    """Two brackets of one kind around a word, opening and closing; None where they are not."""
    for opening, closing in zip(_OPENING, _CLOSING, strict=True):
        if {before, behind} <= {opening, closing}:
            return opening + closing
    return None


def _from_right(seen: list[str], kinds: list[str]) -> str:
    """A line that is read from the right: words of other scripts and numbers in it from the left."""
    seen, kinds = seen[::-1], kinds[::-1]
    is_arabic = any(unicodedata.bidirectional(text[0]) == "AL" for text in seen)
    read: list[str] = []
    at = 0
    while at < len(seen):
        stop = _run(seen, kinds, at, is_arabic)
        read += seen[at:stop][::-1]
        at = stop
    text = "".join(read).translate(_CONTROLS)
    return text.translate(_BRACKETS) if _is_inside_out(text) else text


def _run(seen: list[str], kinds: list[str], at: int, is_arabic: bool) -> int:
    """End of the run that is read from the left and begins here; one further where none begins."""
    if kinds[at] not in "LN" and not (kinds[at] == "T" and not is_arabic):
        return at + 1
    stop = index = at
    while index < len(seen):
        kind = kinds[index]
        if kind in "LN":
            if index > stop and not _joins(seen[stop:index], kinds[stop - 1], kind, is_arabic):
                break
            stop = index + 1
        elif kind == "T" and not is_arabic and index == stop:  # 50%, $50: as wide as the number
            beside = kinds[index - 1] if index > at else ""
            behind = kinds[index + 1] if index + 1 < len(seen) else ""
            if "N" not in (beside, behind):
                break
            stop = index + 1
        elif kind == "R":
            break
        index += 1
    return max(stop, at + 1)


def _joins(between: list[str], before: str, behind: str, is_arabic: bool) -> bool:
    """Whether what stands between two parts that are read from the left is of their run."""
    if "L" in (before, behind):
        return True
    return len(between) == 1 and (between[0] in _SEPARATORS or (between[0] in _SIGNS and not is_arabic))


def _kind(text: str) -> str:
    """R(ight to left), L(eft to right), N(umber), T(erminator of a number: ``%``, ``$``) or another (``O``)."""
    kind = unicodedata.bidirectional(text[0])
    return {"R": "R", "AL": "R", "L": "L", "EN": "N", "AN": "N", "ET": "T"}.get(kind, "O")


def _is_right_to_left(text: str, on_such_a_page: bool) -> bool:
    kinds = [kind for kind in map(unicodedata.bidirectional, text) if kind in ("R", "AL", "L")]
    from_left = kinds.count("L")
    if 2 * from_left <= len(kinds):
        return from_left < len(kinds)
    return on_such_a_page and from_left < len(kinds) and {kinds[0], kinds[-1]} != {"L"}


def _is_inside_out(text: str) -> bool:
    """Whether more brackets of a text face away from what they enclose than face it."""
    balance = 0
    is_open = 0
    for char in text:
        if char in _OPENING:
            is_open += 1
        elif char in _CLOSING:
            balance += 1 if is_open > 0 else -1
            is_open = max(0, is_open - 1)
    return balance < 0


# What a glyph stands for


def _units(glyphs: Sequence[Glyph]) -> list[tuple[str, list[Glyph]]]:
    """Glyphs by place: those at one place are one glyph, its letters in their order."""
    groups: list[list[Glyph]] = []
    for glyph in glyphs:
        if groups and (groups[-1][0].x0, groups[-1][0].x1) == (glyph.x0, glyph.x1) and glyph.x1 > glyph.x0:
            groups[-1].append(glyph)
        else:
            groups.append([glyph])
    units = []
    for index, group in enumerate(groups):
        text = "".join(glyph.text for glyph in group)
        if len(group) > 1 and runs_right_to_left(ord(text[0])):
            beside = groups[index - 1] if index else groups[index + 1] if len(groups) > 1 else group
            goes_left = (beside[0].x0 > group[0].x0) == (index > 0)
            text = _in_order(text, goes_left and beside is not group)
        units.append((text, group))
    return units


def _in_order(text: str, is_turned: bool) -> str:
    if text in _presentation_forms():
        return text
    return text[::-1] if is_turned or text[::-1] in _presentation_forms() else text


@lru_cache(maxsize=1)
def _presentation_forms() -> frozenset[str]:
    """Letters that Unicode's glyphs of several letters stand for: lam-alef and ligatures of Arabic, Hebrew letters with marks."""
    forms = (unicodedata.normalize("NFKC", chr(code)) for code in (*range(0xFB1D, 0xFE00), *range(0xFE70, 0xFEFD)))
    return frozenset(form for form in forms if len(form) > 1)


def _with_marks(units: list[tuple[str, list[Glyph]]]) -> list[tuple[str, list[Glyph]]]:
    """Units with the marks that stand over or under them behind them."""
    bases = [(text, members) for text, members in units if not unicodedata.combining(text[0])]
    marks = [(text, members) for text, members in units if unicodedata.combining(text[0])]
    if not bases:
        return [("".join(text for text, _ in marks), marks[0][1])] if marks else []
    order = sorted(range(len(bases)), key=lambda index: _middle(bases[index][1]))
    middles = [_middle(bases[index][1]) for index in order]
    found = [[text] for text, _ in bases]
    for text, members in marks:
        middle = _middle(members)
        at = bisect.bisect(middles, middle)

        def away(index: int, middle: float = middle) -> tuple[float, int]:
            base = bases[index][1][0]
            return max(base.x0 - middle, middle - base.x1, 0.0), index

        found[min(order[max(0, at - NEIGHBOURS) : at + NEIGHBOURS], key=away)].append(text)
    return [("".join(texts), members) for texts, (_, members) in zip(found, bases, strict=True)]


def _middle(members: list[Glyph]) -> float:
    return (members[0].x0 + members[0].x1) / 2
