"""Clusters of glyphs whose characters a PDF states (``ActualText``), each as one: vowelled Arabic, Indic, Thai ...

Where glyphs are not one to one with characters, makers say what a few of them stand for: Chrome, Google Docs and all
that draw through Skia do so for each cluster (a letter, its vowels, what is stacked under it). PDFium gives the place
of the first glyph to all of its characters, says them again where another glyph lies between, ends the line at a mark
that stands higher, and puts a space where the other glyphs are. So such a page is read from its objects, in the order
of its content: a cluster is one character of several letters, as wide as all of its glyphs; a space is where the file
has one, or where a gap is as wide as one; a line ends where the baseline moves by half an em.

What is drawn twice at one place (shadows, outlines) is said once. Only where a cluster has letters of Hebrew, Arabic,
the scripts of India and South-East Asia and their like (`CLUSTERED`); ligatures of Latin text, and the dashes, signs
and expansions that Word, InDesign and LaTeX state, need none of this. Price: some 15 microseconds a cluster, and a
look at the characters of a page without such letters. Limits: pages with text inside forms or turned text, with stated
text of more than `LONGEST` characters or marks nested deeper than `DEEPEST` are read as PDFium has them.
"""

from __future__ import annotations

import ctypes
import math
import re
from dataclasses import dataclass
from typing import Any, Protocol

from stages.extraction.pdf_lines import Box, Characters, turns
from stages.extraction.pdf_right_to_left import runs_right_to_left

CLUSTERED = re.compile(
    "[\u0590-\u1cff\ua800-\uabff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00011fff\U0001e000-\U0001e95f]"
)
"""Letters of scripts whose clusters need it: Hebrew to Vedic, and those beside and beyond."""
LONGEST = 64
"""Characters of a cluster."""
DEEPEST = 64
"""Marks around an object."""
SPACE_WIDTH = 0.25
"""Widths of an em that a space takes up which PDFium gives none."""
LEAST_GAP = 0.2
"""Widths of an em of a gap that is a space without one."""
NEXT_LINE = 0.5
"""Widths of an em by which the baseline moves where a line ends."""
TWICE = 0.12
"""Widths of an em within which the same character stands again if it is drawn twice: a shadow, an outline."""
_TEXT_OBJECT = 1
_LINE_ENDS = (0, 10, 13)
_SPACES = (0x20, 0xA0)
_UNSEEN = re.compile("\x1b[^\x1b]*\x1b|[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
"""Names of languages inside a text (ISO 32000, 7.9.2.2), and what is no character."""
_PDF_DOC = {0x80 + at: char for at, char in enumerate("•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž")} | {0xA0: "€"}
"""Where PDFDocEncoding, of texts without a mark, has other characters than Latin-1 (ISO 32000, D.2)."""
_ROOM = 4 * LONGEST + 64
"""Bytes of what is not too long."""
_TOO_LONG = "\ufffd" * (LONGEST + 1)


@dataclass
class _Item:
    """One character, or a cluster, with its place on the page; the number of a character of PDFium's, if it is one."""

    text: str
    box: Box
    origin: tuple[float, float]
    size: float
    index: int | None = None


class Numbered(Characters, Protocol):
    """Characters of a library that has ``num`` of them on a page of ``height`` points."""

    raw: Any
    handle: Any
    num: int
    height: float


class Clustered(Characters):
    """The characters of a page, clusters as one; numbered anew."""

    def __init__(self, items: list[_Item], library: Characters) -> None:
        self.items, self.library = items, library

    def codes(self) -> list[int]:
        return [ord(item.text[0]) for item in self.items]

    def text(self, index: int) -> str:
        return self.items[index].text

    def box(self, index: int) -> Box | None:
        return self.items[index].box

    def room(self, index: int) -> Box | None:
        item = self.items[index]
        return item.box if item.index is None else self.library.room(item.index)

    def size(self, index: int) -> float:
        return self.items[index].size

    def origin(self, index: int) -> tuple[float, float]:
        return self.items[index].origin

    def angle(self, index: int) -> float:
        return 0.0


def with_clusters(page: Any, found: Numbered, most: int) -> Characters:
    """The characters of a page with its clusters as one each, if it has such; as they are otherwise.

    Args:
        most: characters; a page that has so many or more is read as PDFium has it.
    """
    codes = found.codes()
    if len(codes) >= most or not CLUSTERED.search("".join(chr(code) for code in set(codes) if code > 0)):
        return found
    objects = _objects(page, found)
    if objects is None or not any(part.text and CLUSTERED.search(part.text) for part in objects):
        return found
    if sum(len(part.text or "") for part in objects) >= most:
        return found
    if not _give_characters(objects, found, codes):
        return found
    drawn = [(part, _items(part, found, codes)) for part in objects]
    return Clustered(_in_lines(_once(drawn)), found)


# Objects of a page


@dataclass
class _Object:
    """What stands together: the glyphs of a stated text, or one object of the page."""

    text: str | None
    """What the file says it is; None where it says nothing."""
    box: Box
    origin: tuple[float, float]
    area: float
    size: float
    """Height of an em."""
    width: float
    """Width of an em: less where letters are made narrow."""
    addresses: list[int]
    indices: list[int]


def _objects(page: Any, found: Numbered) -> list[_Object] | None:
    """Text objects in the order of the content; None where they are not to be read so."""
    raw, height = found.raw, found.height
    sides = [ctypes.c_float() for _ in range(4)]
    matrix, size = raw.FS_MATRIX(), ctypes.c_float()
    stated: dict[int, str | None] = {}
    parts: list[_Object] = []
    last = 0
    for number in range(raw.FPDFPage_CountObjects(page.raw)):
        one = raw.FPDFPage_GetObject(page.raw, number)
        if not one or raw.FPDFPageObj_GetType(one) != _TEXT_OBJECT:
            continue
        if not raw.FPDFPageObj_GetBounds(one, *sides) or not raw.FPDFPageObj_GetMatrix(one, matrix):
            return None
        raw.FPDFTextObj_GetFontSize(one, size)
        left, bottom, right, top = (side.value for side in sides)
        em = abs(size.value) * math.hypot(matrix.c, matrix.d)
        em_width = abs(size.value) * math.hypot(matrix.a, matrix.b)
        if not math.isfinite(left + right + top + bottom + em + em_width) or turns(math.atan2(matrix.b, matrix.a)):
            return None
        box, origin = (left, right, height - top, height - bottom), (matrix.e, height - matrix.f)
        mark, text = _stated(raw, one, stated)
        if text is not None and len(text) > LONGEST:
            return None
        address = ctypes.addressof(one.contents)
        area = (right - left) * (top - bottom)
        if mark and mark == last:
            part = parts[-1]
            part.addresses.append(address)
            if part.area and abs(origin[1] - part.origin[1]) > em:
                continue  # a word over two lines stands where it begins
            part.box = _around(part.box, box) if part.area else box
            if area > part.area:
                part.area, part.origin = area, origin
        else:
            parts.append(_Object(text, box, origin, area, em, em_width, [address], []))
        last = mark
    return parts


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])


def _stated(raw: Any, one: Any, known: dict[int, str | None]) -> tuple[int, str | None]:
    """(the address of the mark, the text) of the outermost mark that states one, which stands for all that is in it
    (ISO 32000, 14.9.4); (0, None) where none does."""
    count = raw.FPDFPageObj_CountMarks(one)
    if count > DEEPEST:
        return 0, _TOO_LONG
    for number in range(count):
        mark = raw.FPDFPageObj_GetMark(one, number)
        if not mark:
            continue
        address = ctypes.addressof(mark.contents)
        if address not in known:
            known[address] = _actual_text(raw, mark)
        if known[address] is not None:
            return address, known[address]
    return 0, None


def _actual_text(raw: Any, mark: Any) -> str | None:
    """The value of ``ActualText``: PDFium's own function for strings reads UTF-16 as UTF-8."""
    size, data = ctypes.c_ulong(), (ctypes.c_ubyte * _ROOM)()
    if not raw.FPDFPageObjMark_GetParamBlobValue(mark, b"ActualText", data, _ROOM, size):
        return None
    if size.value > _ROOM:
        return _TOO_LONG
    value = bytes(data)[: size.value]
    if value.startswith(b"\xfe\xff"):
        text = value[2:].decode("utf-16-be", "replace")
    elif value.startswith(b"\xef\xbb\xbf"):
        text = value[3:].decode("utf-8", "replace")
    else:
        text = value.decode("latin-1").translate(_PDF_DOC)
    return _UNSEEN.sub("", text)


def _give_characters(objects: list[_Object], found: Numbered, codes: list[int]) -> bool:
    """Note which characters are of which object; False where one is of none, inside a form."""
    raw = found.raw
    owner = {address: part for part in objects for address in part.addresses}
    for index, code in enumerate(codes):
        if code in _LINE_ENDS or raw.FPDFText_IsGenerated(found.handle, index):
            continue
        one = raw.FPDFText_GetTextObject(found.handle, index)
        part = owner.get(ctypes.addressof(one.contents)) if one else None
        if part is not None:
            part.indices.append(index)
        elif code not in _SPACES:  # some of its own making are not marked as such
            return False
    return True


# Characters of them


def _items(part: _Object, found: Numbered, codes: list[int]) -> list[_Item]:
    if part.text is not None:
        return _cluster(part, part.text)
    if not part.indices:  # a space, which PDFium leaves out
        return [_space(part.origin, part.box, part.size)] if part.area == 0 else []
    items = []
    for index in part.indices:
        origin, box = found.origin(index), found.box(index)
        if codes[index] in _SPACES:
            items.append(_space(origin, part.box, part.size))
        elif box is not None and codes[index] > 0:
            items.append(_Item(chr(codes[index]), box, origin, found.size(index), index))
    return items


def _cluster(part: _Object, text: str) -> list[_Item]:
    """What a cluster says, and spaces around it if it has such."""
    x0, x1, *_ = part.box
    y, width = part.origin[1], SPACE_WIDTH * part.size
    word = " ".join(text.split())
    if not word:
        return [_space((x0, y), part.box, part.size)] if text else []
    before, behind = _space((x0 - width, y), part.box, part.size), _space((x1, y), part.box, part.size)
    if runs_right_to_left(ord(word[0])):
        before, behind = behind, before
    if len(word) > 1:
        word = word.lstrip("\xad ") or word  # alone it is the hyphen of a line
    item = _Item(word, part.box, part.origin, part.size)
    return [before] * text[0].isspace() + [item] + [behind] * text[-1].isspace()


def _once(drawn: list[tuple[_Object, list[_Item]]]) -> list[_Item]:
    """Items without those that stand again where the same one of another object stands; looked for in squares of two
    steps a side. Letters of one object are never so near but where one glyph has several: ``ff``."""
    known: dict[tuple[str, int, int], list[tuple[float, float, int]]] = {}
    found = []
    for number, (part, items) in enumerate(drawn):
        across, down = max(0.001, TWICE * part.width), max(0.001, TWICE * part.size)
        for item in items:
            x0, x1, y0, y1 = item.box
            x, y = (x0 + x1) / 2, (y0 + y1) / 2
            column, row = math.floor(x / across / 2), math.floor(y / down / 2)
            beside, over = round(x / across / 2) * 2 - column - 1, round(y / down / 2) * 2 - row - 1
            squares = [(item.text, i, j) for i in (column, beside) for j in (row, over)]
            near = {
                owner
                for square in squares
                for at_x, at_y, owner in known.get(square, ())
                if abs(x - at_x) < across and abs(y - at_y) < down
            }
            if near - {number}:
                continue
            if not near:
                known.setdefault(squares[0], []).append((x, y, number))
            found.append(item)
    return found


def _space(origin: tuple[float, float], box: Box, size: float) -> _Item:
    x = origin[0]
    return _Item(" ", (x, x + SPACE_WIDTH * size, box[2], box[3]), origin, size)


def _in_lines(items: list[_Item]) -> list[_Item]:
    """Items with line feeds where lines end, and spaces where gaps are."""
    found: list[_Item] = []
    before: _Item | None = None
    baseline = 0.0
    for item in items:
        if before is not None and abs(item.origin[1] - baseline) > NEXT_LINE * max(item.size, before.size):
            found.append(_Item("\n", item.box, item.origin, item.size))
            before = None
        if before is None:
            baseline = item.origin[1]
        elif " " not in (before.text, item.text) and item.box[0] - before.box[1] > LEAST_GAP * item.size:
            between = before.box[1], item.box[0], item.box[2], item.box[3]
            found.append(_Item(" ", between, item.origin, item.size))
        found.append(item)
        before = item
    return found
