"""Clusters of glyphs whose characters a PDF states (``ActualText``), each as one: vowelled Arabic, Indic, Thai ...

Where glyphs are not one to one with characters, makers say what a few of them stand for: Chrome, Google Docs and all
that draw through Skia do so for each cluster (a letter, its vowels, what is stacked under it). PDFium gives the place
of the first glyph to all of its characters, says them again where another glyph lies between, ends the line at a mark
that stands higher, and puts a space where the other glyphs are. So such a page is read from its objects, in the order
of its content: a cluster is one character of several letters, as wide as all of its glyphs; a space is where the file
has one, or where a gap is as wide as one; a line ends where the baseline moves by half an em.

Only where a cluster has letters from U+0590 on; ligatures of Latin text need none of this. Price: some microseconds an
object, and nothing for pages of Latin, Greek and Cyrillic. Limits: pages with text inside forms or turned text, or with
stated text of more than `LONGEST` characters, are read as PDFium has them.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any, Protocol

from stages.extraction.pdf_lines import Box, Characters, turns

FIRST = 0x590
"""Scripts from here on have clusters that need it."""
LONGEST = 64
SPACE_WIDTH = 0.25
"""Widths of an em that a space takes up which PDFium gives none."""
LEAST_GAP = 0.2
"""Widths of an em of a gap that is a space without one."""
NEXT_LINE = 0.5
"""Widths of an em by which the baseline moves where a line ends."""
_TEXT_OBJECT = 1
_LINE_ENDS = (0, 10, 13)
_SPACES = (0x20, 0xA0)


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
    if len(codes) >= most or not any(code >= FIRST for code in codes):
        return found
    objects = _objects(page, found)
    if objects is None or not any(part.text and max(map(ord, part.text)) >= FIRST for part in objects):
        return found
    if sum(len(part.text or "") for part in objects) >= most:
        return found
    if not _give_characters(objects, found, codes):
        return found
    items = [item for part in objects for item in _items(part, found, codes)]
    return Clustered(_in_lines(items), found)


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
        if not math.isfinite(left + right + top + bottom + em) or turns(math.atan2(matrix.b, matrix.a)):
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
            part.box = _around(part.box, box) if part.area else box
            if area > part.area:
                part.area, part.origin = area, origin
        else:
            parts.append(_Object(text, box, origin, area, em, [address], []))
        last = mark
    return parts


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])


def _stated(raw: Any, one: Any, known: dict[int, str | None]) -> tuple[int, str | None]:
    """(the address of the mark, the text) of the innermost mark that states one; (0, None) where none does."""
    for number in reversed(range(raw.FPDFPageObj_CountMarks(one))):
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
    size = ctypes.c_ulong()
    if not raw.FPDFPageObjMark_GetParamBlobValue(mark, b"ActualText", None, 0, size):
        return None
    data = (ctypes.c_ubyte * max(size.value, 1))()
    raw.FPDFPageObjMark_GetParamBlobValue(mark, b"ActualText", data, size.value, size)
    value = bytes(data)[: size.value]
    if value.startswith(b"\xfe\xff"):
        return value[2:].decode("utf-16-be", "replace").rstrip("\0")
    return value.decode("utf-8-sig", "replace") if value.startswith(b"\xef\xbb\xbf") else value.decode("latin-1")


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
        return [_Item(part.text, part.box, part.origin, part.size)] if part.text else []
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
