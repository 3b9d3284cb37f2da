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
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from stages.documents.page import Page
from stages.documents.pdf_bombs import bounded, unfolds
from stages.extraction.pdf_layout import Line, text_of

TYPE = "application/pdf"
COLUMNS = ("pdf_pages", "pdf_text_page_fraction", "pdf_producer")
MIN_CHARACTERS = 8
MAX_PAGES = 2000
MAX_CHARACTERS = 200_000
MAX_OBJECTS = 300_000
VERSION = 3
END_MARK = b"%%EOF"
LOOK_FOR_END = 8 << 10
"""Bytes at the end of a file in which its end mark stands; web servers append some."""
WIDE_GAP = 1.4
"""Widths of an em between two characters of one line from which they are of different columns, or cells."""
RAISED = 0.8
"""Size of a digit against its line's from which it is raised: a power behind a digit, the mark of a note elsewhere."""
_LINE_ENDS = (10, 13)
_HYPHENS = (2, 0xFFFE, 0xAD)
"""What PDFium has in the place of a hyphen at the end of a line."""


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
    """Fill in a page's text and what is said of it; or the reason why there is none."""
    if page.note in ("truncated", "over_limit", "damaged_body") or END_MARK not in body[-LOOK_FOR_END:]:
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
            return _lines(text.raw, raw, height)
        finally:
            text.close()
    finally:
        page.close()


def _lines(handle: Any, raw: Any, height: float) -> list[Line]:
    found: list[Line] = []
    box = [ctypes.c_double() for _ in range(4)]
    left, right, bottom, top = box
    pointers = [ctypes.byref(one) for one in box]
    line: Line | None = None
    raised = False
    size = 0.0
    previous = 0
    for index in range(min(raw.FPDFText_CountChars(handle), MAX_CHARACTERS)):
        code = raw.FPDFText_GetUnicode(handle, index)
        if code in _LINE_ENDS or code == 0:
            line = None
            continue
        code = _paired(previous, code)
        previous = code
        if 0xD800 <= code < 0xDC00:
            continue  # its other half follows
        if code in _HYPHENS:  # PDFium ends the line before it, and its box is thin
            if found:
                found[-1].text = found[-1].text.rstrip() + "\u00ad"
            continue
        if code <= 32 or code == 0xA0:
            if line is not None:
                line.text += " "
            continue
        if not raw.FPDFText_GetCharBox(handle, index, *pointers):
            continue
        x0, x1, y0, y1 = left.value, right.value, height - top.value, height - bottom.value
        if not (math.isfinite(x0) and math.isfinite(x1) and math.isfinite(y0) and math.isfinite(y1)):
            continue
        if line is not None and _is_apart(line, x0, y0, y1, size):
            line = None
        if line is None:
            size = max(1.0, min(raw.FPDFText_GetFontSize(handle, index), 200.0))
            line = Line(chr(code), x0, y0, x1, y1, size)
            found.append(line)
            continue
        if 48 <= code < 58 and not line.text.endswith(" "):
            small = raw.FPDFText_GetFontSize(handle, index) < RAISED * line.size
            if small and not raised and y1 < line.y1 - 0.15 * line.size:
                line.text += "^" if line.text[-1:].isdigit() else " "
            raised = small
        line.text += chr(code)
        line.x0, line.x1 = min(line.x0, x0), max(line.x1, x1)
        line.y0, line.y1 = min(line.y0, y0), max(line.y1, y1)
    return [one for one in found if one.text.strip()]


def _paired(high: int, code: int) -> int:
    """A character beyond U+FFFF comes as two halves."""
    if 0xDC00 <= code < 0xE000:
        return 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if 0xD800 <= high < 0xDC00 else 0xFFFD
    return code


def _is_apart(line: Line, x0: float, y0: float, y1: float, size: float) -> bool:
    """Whether a character does not go on where a line is: far to the right, back to the left, or at another height."""
    em = max(line.size, line.y1 - line.y0, 1.0)
    if x0 - line.x1 > WIDE_GAP * em or x0 < line.x1 - 4 * em:
        return True
    return (y0 > line.y1 + 0.3 * size) or (y1 < line.y0 - 0.3 * size)
