"""The text layer of PDFs, page by page, through PDFium (an extra: ``pip install gristmill[pdf]``).

A PDF is one document of `documents`; its text is put together by `stages.extraction.pdf_layout`. Nothing is guessed:
one that has no text layer (a scan), that asks for a password, that is cut or that PDFium cannot read is dropped with
its reason:

- `pdf_cut`: what is there stops before the file's end mark (Common Crawl cuts payloads), or the record says so;
- `pdf_encrypted`: it opens with a password alone;
- `pdf_damaged`: PDFium makes nothing of it;
- `pdf_without_text`: no page has `MIN_CHARACTERS` characters;
- `pdf_too_large`: likewise, and a page has more than `MAX_OBJECTS` objects (a bomb: each takes PDFium a kilobyte);
  or a stream unfolds to more than 128 MiB (`stages.documents.pdf_bombs`).

Beside the text: its number of pages, the share of them with text, and the program that wrote it (`COLUMNS`).

Price: about 20 ms a page. Limits: at most `MAX_PAGES` pages and `MAX_CHARACTERS` characters a page are read, and no
page of more than `MAX_OBJECTS` objects, then the note is `over_limit`; what PDFium draws as curves is no text. A PDF
that kills PDFium, holds it or makes it want more than a gigabyte of memory is found and quarantined as any page is
(`pipeline.run.map_task`).
"""

from __future__ import annotations

import ctypes
import math
from functools import cached_property, lru_cache
from importlib.metadata import version
from typing import Any

from stages.documents.page import Page
from stages.documents.pdf_actual_text import with_clusters
from stages.documents.pdf_bombs import bounded, unfolds
from stages.extraction.pdf_layout import Line, text_of
from stages.extraction.pdf_lines import HALF, Box, Characters, lines_of

TYPE = "application/pdf"
COLUMNS = ("pdf_pages", "pdf_text_page_fraction", "pdf_producer")
MIN_CHARACTERS = 8
MAX_PAGES = 2000
MAX_CHARACTERS = 200_000
MAX_OBJECTS = 300_000
VERSION = 8
END_MARK = b"%%EOF"
LOOK_FOR_END = 8 << 10
"""Bytes at the end of a file in which its end mark stands; web servers append some, beside zeros and white space."""


@lru_cache(maxsize=1)
def library() -> Any:
    """PDFium's functions.

    Raises:
        ImportError: it is not installed; the message says how it is.
    """
    try:
        import pypdfium2
        import pypdfium2.raw
    except ImportError:
        raise ImportError("the text of PDFs needs pypdfium2: pip install 'gristmill[pdf]'") from None
    return pypdfium2


def identity() -> dict[str, str]:
    """The version of the library, which decides the text."""
    library()
    return {"pypdfium2": version("pypdfium2"), "pdf": str(VERSION)}


def finish(page: Page, body: bytes) -> bool | str:
    """Fill in a page's text and metadata; or the reason why there is none."""
    if page.note in ("truncated", "over_limit", "damaged_body") or END_MARK not in _end(body):
        return "pdf_cut"
    if unfolds(body):
        return "pdf_too_large"
    pdfium = library()
    with bounded():
        try:
            document = pdfium.PdfDocument(body)
        except pdfium.PdfiumError as error:
            return "pdf_encrypted" if "password" in str(error).lower() else "pdf_damaged"
        try:
            return _read(page, document, pdfium)
        finally:
            document.close()


def _end(body: bytes) -> bytes:
    """The end of a file, without the padding behind it."""
    return body.rstrip(b"\0 \t\r\n\f")[-LOOK_FOR_END:]


def _read(page: Page, document: Any, pdfium: Any) -> bool | str:
    count = len(document)
    pages: list[list[Line]] = []
    too_large = False
    for number in range(min(count, MAX_PAGES)):
        try:
            lines = page_lines(document, number, pdfium.raw)
        except pdfium.PdfiumError:
            lines = []
        too_large |= lines is None
        pages.append(lines or [])
    with_text = sum(sum(len(line.text) for line in lines) >= MIN_CHARACTERS for lines in pages)
    if not count:
        return "pdf_damaged"
    if not with_text:
        return "pdf_too_large" if too_large else "pdf_without_text"
    page.text = text_of(pages)
    about = document.get_metadata_dict(skip_empty=True)
    page.title = " ".join(about.get("Title", "").split())[:500] or None
    maker = about.get("Producer") or about.get("Creator") or ""
    values = (str(count), f"{with_text / len(pages):.4f}", " ".join(maker.split())[:200] or None)
    page.about = dict(zip(COLUMNS, values, strict=True))
    if count > MAX_PAGES or too_large:
        page.note = page.note or "over_limit"
    return True


def page_lines(document: Any, number: int, raw: Any) -> list[Line] | None:
    """The lines of a page in the order of its content, each with its place in points from the top left.

    None where it has more than `MAX_OBJECTS` objects.
    """
    page = document[number]
    try:
        if raw.FPDFPage_CountObjects(page.raw) > MAX_OBJECTS:
            return None
        height = page.get_height()
        text = page.get_textpage()
        try:
            return lines_of(with_clusters(page, _Characters(text.raw, raw, height), MAX_CHARACTERS))
        finally:
            text.close()
    finally:
        page.close()


class _Characters(Characters):
    """Characters of a page, from PDFium."""

    def __init__(self, handle: Any, raw: Any, height: float) -> None:
        self.handle, self.raw, self.height = handle, raw, height
        self.left, self.right, self.bottom, self.top = (ctypes.c_double() for _ in range(4))
        self.pointers = [ctypes.byref(one) for one in (self.left, self.right, self.bottom, self.top)]
        self.loose = raw.FS_RECTF()
        self.matrix = raw.FS_MATRIX()
        self.num = min(raw.FPDFText_CountChars(handle), MAX_CHARACTERS)

    @cached_property
    def _codes(self) -> list[int]:
        found = [self.raw.FPDFText_GetUnicode(self.handle, index) for index in range(self.num)]
        for index, code in enumerate(found):
            if 0xDC00 <= code < 0xE000:
                found[index] = _paired(found[index - 1] if index else 0, code)
        return [HALF if 0xD800 <= code < 0xDC00 else code for code in found]

    def codes(self) -> list[int]:
        """The characters beyond U+FFFF come as two halves, of which the second is the whole and the first is `HALF`."""
        return self._codes

    def text(self, index: int) -> str:
        return chr(self._codes[index])

    def box(self, index: int) -> Box | None:
        """Left, right, top and bottom of its ink."""
        if not self.raw.FPDFText_GetCharBox(self.handle, index, *self.pointers):
            return None
        box = self.left.value, self.right.value, self.height - self.top.value, self.height - self.bottom.value
        return box if math.isfinite(sum(box)) else None

    def room(self, index: int) -> Box | None:
        """Likewise of the room that its font gives it."""
        if not self.raw.FPDFText_GetLooseCharBox(self.handle, index, ctypes.byref(self.loose)):
            return None
        loose = self.loose
        box = loose.left, loose.right, self.height - loose.top, self.height - loose.bottom
        return box if math.isfinite(sum(box)) else None

    def size(self, index: int) -> float:
        """That of its font as it is seen: files state one, or as well a size of 1 that the page scales."""
        size = float(self.raw.FPDFText_GetFontSize(self.handle, index))
        if not self.raw.FPDFText_GetMatrix(self.handle, index, ctypes.byref(self.matrix)):
            return size
        scale = math.hypot(self.matrix.c, self.matrix.d)
        return size * scale if math.isfinite(scale) and scale > 0 else size

    def origin(self, index: int) -> tuple[float, float]:
        """Start of its baseline."""
        x, y, *_ = self.pointers
        if not self.raw.FPDFText_GetCharOrigin(self.handle, index, x, y):
            return 0.0, 0.0
        return self.left.value, self.height - self.right.value

    def angle(self, index: int) -> float:
        """Radians by which it is turned, clockwise."""
        return float(self.raw.FPDFText_GetCharAngle(self.handle, index))


def _paired(high: int, code: int) -> int:
    """A character beyond U+FFFF comes as two halves."""
    if 0xDC00 <= code < 0xE000:
        return 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if 0xD800 <= high < 0xDC00 else 0xFFFD
    return code
