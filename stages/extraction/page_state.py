"""The text of pages that only a script shows: from the state they carry, where the visible page has no text.

For `stages.extraction.html_to_text`. Three places, the first that has a text of `MIN_TEXT` bytes wins:

- ``<template shadowrootmode>``: the content of a declarative shadow root is part of the page (HTML standard, 4.12.3);
- ``application/ld+json``: ``articleBody``, ``reviewBody`` and the ``text`` of posts, questions and answers (schema.org), with its headline;
- JSON state of a framework (``__NEXT_DATA__``, ``__NUXT_DATA__``, ``window.__INITIAL_STATE__ = {...}`` and others of the kind): the strings under
  the one path, list positions apart, that holds most prose.

Strings that are HTML are read as pages are. What is no JSON, nested too deep or larger than `MAX_STATE` is passed over.

Price: nothing for a page with visible text; else a pass over its scripts, linear in their bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

MIN_TEXT = 200
"""Bytes of text a page must show, or its state must hold, to be believed."""
MAX_STATE = 8 << 20
MAX_SCRIPTS = 200
MAX_ASSIGNED = 20
"""Assignments of a script that are tried."""
MAX_DEPTH = 60
_MARKS = (b"shadowroot", b"ld+json", b"application/json", b"__", b"STATE", b"state")
"""One of these stands in every page that carries something to read."""

_SCRIPT = re.compile(rb"<script\b([^<>]*)>", re.I)
_SCRIPT_END = re.compile(rb"</script", re.I)
_SHADOW = re.compile(rb"<template\b(?=[^<>]*\bshadowroot(?:mode)?\s*=)", re.I)
_TEMPLATE_END = re.compile(rb"</template\b", re.I)
_ASSIGNED = re.compile(
    rb"(?:window|self|globalThis)\s*(?:\.\s*|\[\s*[\"'])[\w$]*(?:state|data|props|store|cache|nuxt|apollo|initial|preload)[\w$]*"
    rb"(?:[\"']\s*\])?\s*=\s*(?:JSON\.parse\s*\(\s*)?(?=[\[{\"'])",
    re.I,
)
_TYPE = re.compile(rb"\btype\s*=\s*[\"']?([\w+./-]+)", re.I)
_TAG = re.compile(
    r"<(?:p|br|div|h[1-6]|ul|ol|li|span|a|strong|em|b|i|blockquote|figure|img|table|article|section)\b[^<>]*>", re.I
)
_NOT_PROSE = re.compile(
    r"[{};]\s*$|^\s*(?:https?:|data:|/|[#.@][\w-]+\s*\{|function\b|import\b|\(function)|\w\(\)", re.M
)
_SKIPPED_KEYS = re.compile(
    r"url|href|src|css|style|script|query|token|cookie|legal|footer|navigation|menu|translation|locale|i18n|message",
    re.I,
)
_LINKED_KEYS = ("articleBody", "reviewBody", "text")
_LINKED_TEXT = re.compile(r"Posting|Question|Answer|Comment|Article|Recipe|Message|Review|Conversation", re.I)

Reader = Callable[[bytes], str]
"""HTML to the text of it."""


def text_of_state(html: bytes, read: Reader) -> str:
    """The text that a page without visible text carries; ``""`` where it carries none.

    Args:
        html: the page, UTF-8.
        read: from HTML to its text, for strings that are HTML and for shadow roots.
    """
    if not any(mark in html for mark in _MARKS):
        return ""
    for found in (_shadow_text, _linked_text, _framework_text):
        text = found(html, read)
        if len(text.encode("utf-8", "ignore")) >= MIN_TEXT:
            return text.encode("utf-8", "ignore").decode()
    return ""


def _shadow_text(html: bytes, read: Reader) -> str:
    """The page with its shadow roots as elements."""
    opened, times = _SHADOW.subn(b"<div", html)
    return read(_TEMPLATE_END.sub(b"</div", opened, count=times)) if times else ""


def _scripts(html: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Attributes and content of the scripts of a page, the first `MAX_SCRIPTS` and `MAX_STATE` bytes of them."""
    left, pos = MAX_STATE, 0
    for _ in range(MAX_SCRIPTS):
        begin = _SCRIPT.search(html, pos)
        end = begin and _SCRIPT_END.search(html, begin.end())
        if begin is None or end is None or left < end.start() - begin.end():
            return
        left -= end.start() - begin.end()
        yield begin[1], html[begin.end() : end.start()]
        pos = end.end()


def _parsed(content: bytes) -> Any:
    """A JSON value at the start of a script; None where there is none."""
    text = content.decode("utf-8", "replace").strip().removeprefix("<!--").removeprefix("<![CDATA[").lstrip()
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value


def _type_of(attributes: bytes) -> bytes:
    found = _TYPE.search(attributes)
    return found[1].lower() if found else b""


def _linked_text(html: bytes, read: Reader) -> str:
    """The longest text of the linked data of a page, under its headline."""
    best = ""
    for attributes, content in _scripts(html):
        if _type_of(attributes) != b"application/ld+json":
            continue
        for item in _objects(_parsed(content)):
            for key in _LINKED_KEYS:
                body = item.get(key)
                if not isinstance(body, str) or (key == "text" and not _LINKED_TEXT.search(str(item.get("@type", "")))):
                    continue
                text = _plain(body, read)
                if len(text) > len(best):
                    head = item.get("headline") or item.get("name")
                    best = f"{head.strip()}\n\n{text}" if isinstance(head, str) and head.strip() not in text else text
    return best


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a JSON value, itself included, in order."""
    open_ = [value]
    while open_:
        value = open_.pop()
        if isinstance(value, dict):
            yield value
            open_ += reversed(list(value.values()))
        elif isinstance(value, list):
            open_ += reversed(value)


def _framework_text(html: bytes, read: Reader) -> str:
    """The prose of the state that a framework left in the page."""
    groups: dict[tuple[str, ...], dict[str, None]] = {}
    for attributes, content in _scripts(html):
        kind = _type_of(attributes)
        if kind == b"application/json":
            _collect(_parsed(content), groups)
        elif kind in (b"", b"text/javascript", b"application/javascript", b"module"):
            for match in islice(_ASSIGNED.finditer(content), MAX_ASSIGNED):
                value = _parsed(content[match.end() :])
                _collect(_parsed(value.encode()) if isinstance(value, str) else value, groups)
    best = max(groups.values(), key=lambda texts: sum(map(len, texts)), default={})
    return "\n\n".join(text for text in (_plain(part, read) for part in best) if text)


def _collect(value: Any, groups: dict[tuple[str, ...], dict[str, None]]) -> None:
    """Add the strings of prose of a JSON value to the group of their path, each once, in order."""
    open_: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while open_:
        path, value = open_.pop()
        if isinstance(value, str):
            if _is_prose(value):
                groups.setdefault(path, {})[value] = None
        elif len(path) > MAX_DEPTH:
            continue
        elif isinstance(value, dict):
            kept = ((key, inner) for key, inner in value.items() if not _SKIPPED_KEYS.search(key))
            open_ += reversed([((*path, key), inner) for key, inner in kept])
        elif isinstance(value, list):
            open_ += reversed([(path, inner) for inner in value])


def _is_prose(text: str) -> bool:
    """Whether a string reads like sentences: long, of several words or of a script without spaces, and no code."""
    if len(text) < 20 or _NOT_PROSE.search(text[:2000]):
        return False
    head = _TAG.sub(" ", text[:2000])
    words = head.split()
    letters = sum(map(str.isalpha, head))
    wide = sum(map("\u2e80".__le__, head))
    return letters >= 0.6 * len("".join(words)) and (len(words) >= 4 or wide >= 20)


def _plain(text: str, read: Reader) -> str:
    """A string of the state as text."""
    if _TAG.search(text):
        return read(text.encode("utf-8", "ignore")).strip()
    if "&lt;" in text and _TAG.search(text.replace("&lt;", "<").replace("&gt;", ">")):
        return read(text.replace("&lt;", "<").replace("&gt;", ">").encode("utf-8", "ignore")).strip()
    return text.strip()
