"""The text of DOCX and EPUB files, through our own HTML extractor: all of it, nothing chosen.

DOCX (`stages.extraction.docx` makes HTML of its parts): paragraphs, headings, lists, tables by row, notes. EPUB 2 and 3
(OCF, OPF): the documents of its spine in their order, but for the navigation. Wanted where `text_types` names their
types; then one document each, from records, folders and tar archives, with its title and language as it states them.

Nothing is guessed. Dropped with a reason (``docx_`` or ``epub_`` in front):

- `cut`: no directory at its end, or the record says so (Common Crawl cuts payloads);
- `encrypted`: with a password, or its text is under digital rights management;
- `damaged`: parts are missing or no XML, or declare entities (a bomb);
- `too_large`: inflates to more than `MAX_PLAIN` bytes of text parts (a bomb);
- `without_text`.

Price: a DOCX of a hundred pages 0.05 to 1 s, by the number of runs its text is cut into. Limits: formulas of Word are
their letters; pictures say nothing.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from stages.documents.charsets import decoded
from stages.documents.extraction import close_empty_elements
from stages.documents.page import MAX_TITLE, Page
from stages.extraction.docx import Parts, body_html, notes_html, numbering_of, parse, styles_of
from stages.extraction.html_to_text import VERSION as EXTRACTOR
from stages.extraction.html_to_text import ExtractionParams, all_text

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EPUB = "application/epub+zip"
TYPES = {DOCX: "docx", EPUB: "epub"}
VERSION = 1
MAX_PLAIN = 64 << 20
"""Bytes of text parts that a file may inflate to."""
ENCRYPTED = 1
OLE = b"\xd0\xcf\x11\xe0"
"""First bytes of the container in which Word puts a document with a password."""
DRM = "META-INF/encryption.xml"
_EPUB_MARK = b"mimetypeapplication/epub+zip"
_ERRORS: Any = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError, OSError, RuntimeError,
)  # fmt: skip


def identity() -> dict[str, Any]:
    """Everything beside the parameters that decides the text."""
    return {"office": VERSION, "office_html": EXTRACTOR}


def type_of(body: bytes) -> str | None:
    """Type of a zip file, one of `TYPES`, by its bytes."""
    if body[30 : 30 + len(_EPUB_MARK)] == _EPUB_MARK or b"META-INF/container.xml" in body:
        return EPUB
    return DOCX if b"word/document" in body else None


class Refused(Exception):
    """There is no text; its message is the reason without the kind in front."""


def finish(page: Page, body: bytes, kind: str, markdown: bool = False) -> bool | str:
    """Fill in a page's text and metadata; or the reason why there is none. ``kind``: of `TYPES`."""
    try:
        if page.note in ("truncated", "over_limit", "damaged_body"):
            raise Refused("cut")
        if body.startswith(OLE):
            raise Refused("encrypted")
        parts = _Zip(body)
        pages = list(_docx(parts, page) if kind == DOCX else _epub(parts, page))
        texts = all_text(pa.array(pages, pa.large_binary()), ExtractionParams(markdown=markdown)).to_pylist()
        page.text = "\n\n".join(text.strip("\n") for text in texts if text and text.strip())
        if not page.text:
            raise Refused("without_text")
    except Refused as error:
        return f"{TYPES[kind]}_{error}"
    return True


class _Zip:
    """The parts of a zip file in memory, of `MAX_PLAIN` plain bytes together at most."""

    def __init__(self, body: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        except _ERRORS:
            raise Refused("cut" if body.startswith(b"PK\3\4") else "damaged") from None
        self.names = set(self._zip.namelist())
        self._left = MAX_PLAIN

    def read(self, name: str) -> bytes:
        """The plain bytes of a part.

        Raises:
            Refused: it is not there, damaged or encrypted, or all that was read is too much.
        """
        try:
            entry = self._zip.getinfo(name)
            if entry.flag_bits & ENCRYPTED:
                raise Refused("encrypted")
            with self._zip.open(entry) as file:
                data = file.read(self._left + 1)
        except _ERRORS:
            raise Refused("damaged") from None
        self._left -= len(data)
        if self._left < 0:
            raise Refused("too_large")
        return data

    def optional(self, name: str) -> bytes | None:
        return self.read(name) if name in self.names else None


def _sound(read: Any, *arguments: Any) -> Any:
    """The result of a reader of XML for a part.

    Raises:
        Refused: nothing, it is damaged.
    """
    try:
        return read(*arguments)
    except ValueError:
        raise Refused("damaged") from None


def _describe(page: Page, data: bytes) -> None:
    """Title and language from Dublin Core elements."""
    elements: dict[str, str] = {}
    inside = ""

    def start(name: str, _: Any) -> None:
        nonlocal inside
        inside = name if name in ("title", "language") and name not in elements else ""

    def text(data: str) -> None:
        if inside:
            elements[inside] = elements.get(inside, "") + data

    def end(_: str) -> None:
        nonlocal inside
        inside = ""

    _sound(parse, data, start, end, text)
    page.title = " ".join(elements.get("title", "").split())[:MAX_TITLE] or None
    page.language_declared = elements.get("language", "").strip()[:35] or None


# DOCX


def _docx(parts: _Zip, page: Page) -> Iterator[bytes]:
    main = "word/document.xml"
    if main not in parts.names:  # some writers number it
        main = next((name for name in sorted(parts.names) if name.startswith("word/document")), main)
    found = Parts()
    if (data := parts.optional("word/styles.xml")) is not None:
        found.styles = _sound(styles_of, data)
    if (data := parts.optional("word/numbering.xml")) is not None:
        found.lists = _sound(numbering_of, data)
    for kind in ("footnote", "endnote"):
        if (data := parts.optional(f"word/{kind}s.xml")) is not None:
            found.notes |= _sound(notes_html, data, kind)
    if (data := parts.optional("docProps/core.xml")) is not None:
        _describe(page, data)
    text = _sound(body_html, parts.read(main), found)
    yield f"<!DOCTYPE html><html><body>{text}</body></html>".encode("utf-8", "replace")


# EPUB


def _epub(parts: _Zip, page: Page) -> Iterator[bytes]:
    package = ""

    def start(name: str, attributes: Any) -> None:
        nonlocal package
        if name == "rootfile" and not package:
            package = attributes.get("full-path", "")

    _sound(parse, parts.read("META-INF/container.xml"), start, lambda _: None)
    data = parts.read(package)
    _describe(page, data)
    chapters = _spine(data, posixpath.dirname(package))
    locked = _encrypted(parts) & set(chapters)
    if locked:
        raise Refused("encrypted")
    there = [name for name in chapters if name in parts.names]
    if not there:
        raise Refused("damaged")
    if len(there) < len(chapters):
        page.note = page.note or "truncated"
    for name in there:
        utf8, _, num_wrong = decoded(parts.read(name))
        if num_wrong:
            page.note = page.note or "wrong_bytes"
        yield close_empty_elements(utf8, "application/xhtml+xml")


def _spine(data: bytes, folder: str) -> list[str]:
    """The parts that are read one after the other, but for the navigation; each once."""
    items: dict[str, tuple[str, str, str]] = {}
    order: list[str] = []

    def start(name: str, attributes: Any) -> None:
        if name == "item":
            about = (attributes.get("href", ""), attributes.get("media-type", ""), attributes.get("properties", ""))
            items[attributes.get("id", "")] = about
        elif name == "itemref":
            order.append(attributes.get("idref", ""))

    _sound(parse, data, start, lambda _: None)
    found = []
    for one in order:
        href, kind, properties = items.get(one, ("", "", ""))
        if href and "html" in kind and "nav" not in properties.split():
            found.append(_inside(folder, href))
    return list(dict.fromkeys(found))


def _inside(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def _encrypted(parts: _Zip) -> set[str]:
    """The parts that are encrypted; fonts may be, which is no matter."""
    found: set[str] = set()
    data = parts.optional(DRM)
    if data is not None:

        def start(name: str, attributes: Any) -> None:
            if name == "CipherReference":
                found.add(posixpath.normpath(unquote(attributes.get("URI", ""))))

        _sound(parse, data, start, lambda _: None)
    return found
