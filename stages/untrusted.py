"""Text from outside made safe to show: names, addresses and page text that somebody else wrote.

Jinja escapes markup; this module deals with what is left: characters that are invisible or turn the direction of
writing are spelt out, lone surrogates replaced, and lengths bounded.
"""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

MAX_CHARACTERS = 200
"""Most characters of a name; samples of text have a limit of their own."""

_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x2070), 0x200E, 0x200F, 0x061C)
_TAGS = range(0xE0000, 0xE0080)
SPELT_CODES = (*range(0x20), *range(0x7F, 0xA0), *_BIDI, 0x2028, 0x2029, *_TAGS)
"""Controls, marks of direction, separators of lines, invisible tags."""
_SPELT = {code: f"\u2039U+{code:04X}\u203a" for code in SPELT_CODES}
_SPELT |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_LINES = {code: text for code, text in _SPELT.items() if code not in (0x09, 0x0A)}


def line(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """One visible line of at most so many characters."""
    cut = text if len(text) <= max_characters else text[: max_characters - 1] + "…"
    return cut.translate(_SPELT)


def whole_line(text: str) -> str:
    """One visible line, uncut: names of files, which have to be found."""
    return text.translate(_SPELT)


def passage(text: str, max_characters: int) -> str:
    """Text with its line breaks and tabs, cut after so many characters."""
    cut = text if len(text) <= max_characters else text[:max_characters] + " …"
    return cut.replace("\r\n", "\n").replace("\r", "\n").translate(_LINES)


def cleaned(value: Any, max_characters: int = MAX_CHARACTERS) -> Any:
    """A tree of plain data with every string, keys included, as a visible `line`."""
    if isinstance(value, str):
        return line(value, max_characters)
    if isinstance(value, dict):
        return {cleaned(key, max_characters): cleaned(entry, max_characters) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(entry, max_characters) for entry in value]
    return value


def script_data(value: Any) -> Markup:
    """JSON that may stand inside a script element: no character in it can end the element or start a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
