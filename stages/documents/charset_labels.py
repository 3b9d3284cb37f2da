"""The charset that a page and its header declare: a name that `charset_names` knows, or None.

A page's ``<meta>`` is looked for as browsers do (WHATWG, prescan): comments count for nothing, nor do scripts, styles
and titles; the attributes decide, not what stands in a description. Of several labels the first known one counts.
Deviations: more of the page is looked at, because what follows there decides too (late changes of encoding); and a
``content`` with a media type counts without ``http-equiv``, if nothing better is there. Price: paid by pages that are
neither ASCII nor UTF-8 alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from stages.documents.charset_names import known

PRESCAN = 64 << 10
"""Bytes in which a page's own declaration is looked for (WHATWG says 1,024; pages with long heads exceed it)."""

_META = re.compile(
    rb"""<!--(?:-?>|.*?(?:--!?>|\Z))|<(script|style|title|textarea|noscript)\b.*?(?:</\1\b|\Z)"""
    rb"""|<meta(?=[\s/])(?P<attributes>(?:[^>"']|"[^"<>]*"|'[^'<>]*'|["'])*)""",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"""([^\s=/"'>]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]*))""")
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_:.-]{2,40})""")
_LABEL = re.compile(r"""charset\s*=\s*([^;,]*)""", re.IGNORECASE)
_TYPE = re.compile(r"\s*[a-z]+/[a-z+]+\s*;", re.IGNORECASE)
_AROUND = " \t\r\n\f\"'\\:/"


@lru_cache(maxsize=4096)
def header_label(content_type: str) -> str | None:
    """Charset of a Content-Type header."""
    return _first(_LABEL.findall(content_type))


def page_label(page: bytes) -> str | None:
    """Charset a page declares in ``<meta>`` or its XML declaration."""
    head = page[:PRESCAN]
    surely: list[str] = []
    perhaps: list[str] = []
    for found in _META.finditer(head):
        if found["attributes"] is None:
            continue
        attributes = _attributes(found["attributes"])
        content = attributes.get("content", "")
        if "charset" in attributes:
            surely.append(attributes["charset"])
        elif attributes.get("http-equiv", "").strip().lower() == "content-type":
            surely += _LABEL.findall(content)
        elif _TYPE.match(content):
            perhaps += _LABEL.findall(content)
    declared = _XML.search(head)
    return _first([*surely, *perhaps, *([declared[1].decode("ascii")] if declared else [])])


def _attributes(text: bytes) -> dict[str, str]:
    """Names in lower case to values; of repeated ones the first."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(text):
        value = b"".join(values).decode("latin-1").replace("&quot;", '"').replace("&apos;", "'").replace("&#39;", "'")
        found.setdefault(name.decode("latin-1").lower(), value)
    return found


def _first(labels: Iterable[str]) -> str | None:
    """The first label that is known, without what stands around it by mistake."""
    for label in labels:
        words = label.replace("%22", " ").strip(_AROUND).split()
        for count in (1, 2):  # ``iso 8859-2``
            name = known("-".join(words[:count]).strip(_AROUND)[:40]) if len(words) >= count else None
            if name is not None:
                return name
    return None
