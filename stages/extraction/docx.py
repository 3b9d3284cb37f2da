"""WordprocessingML (ECMA-376, part 1, chapter 17) to HTML: the parts of a DOCX file, without the zip around them.

Paragraphs, headings (by outline level, inherited from styles), lists with their numbers and nesting, tables by row with
spans, raised and lowered text, line breaks, notes behind the paragraph that refers to them, the letters of formulas.
Left out: what was deleted or moved away, hidden text, field codes, tables of contents, headers and footers, comments.

XML is read by expat, forwards; a document type with entities is refused, since no such file has one. Price: about 4 MB
of XML a second.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

Attributes = Mapping[str, str]
WORD = re.compile(r"/wordprocessingml/(?:2006/)?main$")
MATH = re.compile(r"/math$")
ORDERED = {"lowerLetter": "a", "upperLetter": "A", "lowerRoman": "i", "upperRoman": "I"}
SKIPPED = frozenset(("moveFrom", "del", "Fallback"))
MAX_LEVEL = 8
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)


class UnsafeXml(ValueError):
    """XML that declares entities."""


def parse(data: bytes, start: Callable[[str, Attributes], None], end: Callable[[str], None], text: Any = None) -> None:
    """Call back for the elements of an XML document: by local name, words and formulas and all others alike.

    Raises:
        ValueError: it is no XML, or declares entities.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: Any) -> None:
        raise UnsafeXml("declares entities")

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda name, found: start(_local(name), {_local(key): found[key] for key in found})
    parser.EndElementHandler = lambda name: end(_local(name))
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"is no XML: {error}") from error


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


# Styles and numbering


@dataclass
class Style:
    """Properties of a style that matter: its heading level from 1 (0: none), and its list."""

    level: int = 0
    based_on: str = ""
    number: str = ""
    depth: int = 0


def styles_of(data: bytes) -> dict[str, Style]:
    """Paragraph styles by id, what they inherit filled in."""
    found: dict[str, Style] = {}
    current = Style()

    def start(name: str, attributes: Attributes) -> None:
        nonlocal current
        value = attributes.get("val", "")
        if name == "style":
            current = found.setdefault(attributes.get("styleId", ""), Style())
        elif name == "name" and (match := _HEADING.match(value)):
            current.level = int(match[1])
        elif name == "name" and value.lower() == "title":
            current.level = 1
        elif name == "basedOn":
            current.based_on = value
        elif name == "outlineLvl" and value.isdigit() and not current.level:
            current.level = int(value) + 1 if int(value) < 9 else 0
        elif name == "numId":
            current.number = value
        elif name == "ilvl" and value.isdigit():
            current.depth = int(value)

    parse(data, start, lambda _: None)
    for style in found.values():
        above, steps = style.based_on, 0
        while above in found and steps < 20 and not (style.level and style.number):
            style.level = style.level or found[above].level
            style.number = style.number or found[above].number
            above, steps = found[above].based_on, steps + 1
    return found


@dataclass
class Level:
    """Marks of a level of a list: its format and first number."""

    form: str = "decimal"
    first: int = 1


def numbering_of(data: bytes) -> dict[str, dict[int, Level]]:
    """Levels by the number of a list."""
    abstract: dict[str, dict[int, Level]] = {}
    found: dict[str, dict[int, Level]] = {}
    levels: dict[int, Level] = {}
    number, level = "", Level()

    def start(name: str, attributes: Attributes) -> None:
        nonlocal levels, number, level
        value = attributes.get("val", "")
        if name == "abstractNum":
            levels = abstract.setdefault(attributes.get("abstractNumId", ""), {})
        elif name == "num":
            number = attributes.get("numId", "")
        elif name == "abstractNumId":
            found[number] = abstract.get(value, {})
        elif name == "lvl" and attributes.get("ilvl", "").isdigit():
            level = levels.setdefault(int(attributes["ilvl"]), Level())
        elif name == "numFmt":
            level.form = value
        elif name == "start" and value.isdigit():
            level.first = int(value)

    parse(data, start, lambda _: None)
    return found


# The body


@dataclass
class Parts:
    """Parts to which the body refers."""

    styles: dict[str, Style] = field(default_factory=dict)
    lists: dict[str, dict[int, Level]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """HTML of notes, by ``footnote`` or ``endnote`` and their id."""


def body_html(data: bytes, parts: Parts) -> str:
    """The HTML of a main part, ``word/document.xml``.

    Raises:
        ValueError: it is no XML.
    """
    body = _Body(parts)
    parse(data, body.start, body.end, body.text)
    body.close_lists()
    return "".join(body.out)


def notes_html(data: bytes, kind: str) -> dict[str, str]:
    """The notes of a part of them (``footnote``, ``endnote``) by ``kind id``."""
    found: dict[str, str] = {}
    body = _Body(Parts())
    key = ""

    def start(name: str, attributes: Attributes) -> None:
        nonlocal key
        if name == kind:
            key = f"{kind} {attributes.get('id', '')}" if attributes.get("type", "normal") == "normal" else ""
            body.out.clear()
        body.start(name, attributes)

    def end(name: str) -> None:
        body.end(name)
        if name == kind and key:
            body.close_lists()
            found[key] = "".join(body.out)

    parse(data, start, end, body.text)
    return found


@dataclass
class _Paragraph:
    """A paragraph being read; they nest where a drawing in one holds text."""

    words: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    style: str = ""
    number: str | None = None
    depth: int | None = None
    outline: int = 0


class _Body:
    """HTML from the events of a part."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.out: list[str] = []
        self.paragraphs: list[_Paragraph] = []
        self.lists: list[str] = []
        """The tags of the lists that are open; the last has an open item."""
        self.counts: dict[str, dict[int, int]] = defaultdict(dict)
        self.skipping = 0
        self.in_text = False
        self.hidden = False
        self.raised = ""

    def start(self, name: str, attributes: Attributes) -> None:
        if self.skipping or name in SKIPPED:
            self.skipping += 1
            return
        value = attributes.get("val", "")
        if name == "p":
            self.paragraphs.append(_Paragraph())
        elif name in ("tbl", "tr"):
            self.close_lists()
            self.out.append("<table>" if name == "tbl" else "<tr>")
        elif name == "tc":
            self.out.append("<td>")
        elif name == "gridSpan" and value.isdigit() and self.out and self.out[-1] == "<td>":
            self.out[-1] = f'<td colspan="{min(int(value), 100)}">'
        elif name == "r":
            self.hidden, self.raised = False, ""
        elif name == "t":
            self.in_text = True
        elif self.paragraphs:
            self._inside(name, attributes, value, self.paragraphs[-1])

    def _inside(self, name: str, attributes: Attributes, value: str, here: _Paragraph) -> None:
        if name == "pStyle":
            here.style = value
        elif name == "numId":
            here.number = value
        elif name == "ilvl" and value.isdigit():
            here.depth = int(value)
        elif name == "outlineLvl" and value.isdigit() and int(value) < 9:
            here.outline = int(value) + 1
        elif name == "vanish" and value not in ("0", "false", "off"):
            self.hidden = True
        elif name == "vertAlign":
            self.raised = {"superscript": "sup", "subscript": "sub"}.get(value, "")
        elif name in ("br", "cr"):
            here.words.append(" " if attributes.get("type", "") in ("page", "column") else "<br>")
        elif name in ("tab", "ptab"):
            here.words.append(" ")
        elif name == "noBreakHyphen":
            here.words.append("\u2011")
        elif name in ("footnoteReference", "endnoteReference"):
            here.notes.append(f"{name.removesuffix('Reference')} {attributes.get('id', '')}")

    def text(self, data: str) -> None:
        if self.in_text and not self.skipping and not self.hidden and self.paragraphs:
            words = html.escape(data, quote=False)
            self.paragraphs[-1].words.append(f"<{self.raised}>{words}</{self.raised}>" if self.raised else words)

    def end(self, name: str) -> None:
        if self.skipping:
            self.skipping -= 1
        elif name == "t":
            self.in_text = False
        elif name == "p" and self.paragraphs:
            self._write(self.paragraphs.pop())
        elif name in ("tbl", "tr", "tc"):
            self.close_lists()
            self.out.append({"tbl": "</table>", "tr": "</tr>", "tc": "</td>"}[name])

    def _write(self, here: _Paragraph) -> None:
        words = "".join(here.words)
        style = self.parts.styles.get(here.style, Style())
        if re.match(r"TOC\d*$", here.style, re.IGNORECASE) or not (words.strip() or here.notes):
            return
        level = here.outline or style.level
        number = style.number if here.number is None else here.number
        if level:
            self.close_lists()
            self.out.append(f"<h{min(level, 6)}>{words}</h{min(level, 6)}>")
        elif number not in ("", "0"):
            self._item(number, min(style.depth if here.depth is None else here.depth, MAX_LEVEL), words)
        else:
            self.close_lists()
            self.out.append(f"<p>{words}</p>")
        if here.notes and any(note in self.parts.notes for note in here.notes):
            self.close_lists()
            self.out += [self.parts.notes.get(note, "") for note in here.notes]

    # Lists

    def _item(self, number: str, depth: int, words: str) -> None:
        level = self.parts.lists.get(number, {}).get(
            depth, Level("bullet" if number not in self.parts.lists else "decimal")
        )
        tag = "ul" if level.form in ("bullet", "none") else "ol"
        counts = self.counts[number]
        counts[depth] = counts.get(depth, level.first - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        while len(self.lists) > depth + 1 or (len(self.lists) == depth + 1 and self.lists[-1] != tag):
            self.out.append(f"</li></{self.lists.pop()}>")
        if len(self.lists) == depth + 1:
            self.out.append("</li>")
        while len(self.lists) < depth + 1:
            last = len(self.lists) == depth
            self.lists.append(tag if last else "ul")
            form = f' type="{ORDERED[level.form]}"' if level.form in ORDERED else ""
            opening = f'<ol start="{counts[depth]}"{form}>' if tag == "ol" else "<ul>"
            self.out.append(opening if last else "<ul>")
            self.out.append("" if last else "<li>")
        self.out.append(f"<li>{words}")

    def close_lists(self) -> None:
        while self.lists:
            self.out.append(f"</li></{self.lists.pop()}>")
