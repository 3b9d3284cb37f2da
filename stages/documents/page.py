"""What a page says about itself, read from its UTF-8 bytes without a DOM: title, declared language, licence link.

Independent of the extractor, so the columns are the same whichever is chosen. Price: a few searches in the first
64 KB. Limit: a page that builds its head by script says nothing here.
"""

from __future__ import annotations

import html as entities
import re

HEAD = 64 << 10
MAX_TITLE = 500

_LANG = re.compile(rb"""\b(?:xml:)?lang\s*=\s*["']?\s*([A-Za-z][A-Za-z0-9_-]{0,34})""", re.IGNORECASE)
_LICENCE = re.compile(rb"(?:licenses|licences|publicdomain)/[a-z+-]+(?:/\d\.\d)?(?:/[a-z]{2})?", re.IGNORECASE)


def title(html: bytes) -> str | None:
    """Content of ``<title>``, entities resolved, white space collapsed, at most `MAX_TITLE` characters."""
    start = html.find(b">", _tag(html, b"<title")) + 1
    if start == 0:
        return None
    end = html.find(b"</", start, start + 16 * MAX_TITLE)
    if end < 0:
        return None
    text = html[start:end].decode("utf-8", "replace")
    if "&" in text:
        text = entities.unescape(text)
    text = " ".join(text.split())[:MAX_TITLE]
    return text.encode("utf-8", "replace").decode("utf-8") or None


def language(html: bytes) -> str | None:
    """``lang`` of the ``<html>`` element."""
    start = _tag(html, b"<html")
    if start == len(html):
        return None
    found = _LANG.search(html, start, html.find(b">", start) + 1 or start)
    return found.group(1).decode("ascii") if found else None


def _tag(html: bytes, tag: bytes) -> int:
    """Where ``tag`` is in the head, in lower or upper case; the page's length if it is not."""
    start = html.find(tag, 0, HEAD)
    if start < 0:
        start = html.find(tag.upper(), 0, HEAD)
    return start if start >= 0 else len(html)


def licence(html: bytes) -> str | None:
    """The first Creative Commons address in the page, as ``creativecommons.org/licenses/by-sa/4.0``."""
    start = html.find(b"creativecommons.org/")
    while start >= 0:
        found = _LICENCE.match(html, start + 20)
        if found:
            return "creativecommons.org/" + found.group().decode("ascii").lower()
        start = html.find(b"creativecommons.org/", start + 20)
    return None
