"""Extraction behind one seam: UTF-8 HTML in, text out, a batch at a time, chosen by name.

An `Extract` takes a ``large_binary`` column of pages (valid UTF-8, no byte order mark, empty raw-text elements of XHTML
already closed) and returns a ``large_string`` column, row for row; null where it could not read the page. ``""`` is an
answer: the page has no text. `EXTRACTORS` names what can be chosen: ``gristmill`` (`stages.extraction`: main content, whole
batches without an object a page), ``resiliparse`` (main content, paragraphs, lists and code blocks kept), ``full_text``
(resiliparse's visible text), ``trafilatura`` (an extra; its defaults, without comments). ``module:function`` is one of the
user's own, of the same form (`own_extractor`).

Price: ``docs/decisions/extraction.md``; resiliparse about 20 MB/s of HTML for main content, trafilatura 1 MB/s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from stages import extraction
from stages.kernels.html.byte_scan import closes_itself
from stages.rules import own_functions

Extract = Callable[[pa.LargeBinaryArray], pa.LargeStringArray]

_RAW_ELEMENT = re.compile(rb"<(script|style|title|textarea|iframe|noscript|noembed|noframes|xmp)\b([^<>]*?)/>")


def close_empty_elements(html: bytes, content_type: str | None) -> bytes:
    """XHTML's ``<script/>`` as ``<script></script>``: an HTML parser would take the rest of the page for script."""
    head = html[:1024]
    is_xhtml = head.lstrip().startswith(b"<?xml") or b"www.w3.org/1999/xhtml" in head or "xhtml" in (content_type or "")
    if not is_xhtml or not closes_itself(html):
        return html
    return _RAW_ELEMENT.sub(rb"<\1\2></\1>", html)


def _resiliparse(main_content: bool) -> Extract:
    def text_of(html: bytes) -> str | None:
        try:
            tree = HTMLTree.parse_from_bytes(html, "utf-8")
            return str(extract_plain_text(tree, preserve_formatting=True, main_content=main_content))
        except (ValueError, RuntimeError, TypeError):
            return None

    def extract(pages: pa.LargeBinaryArray) -> pa.LargeStringArray:
        return pa.array([text_of(html) for html in pages.to_pylist()], pa.large_string())

    return extract


def _make_resiliparse() -> Extract:
    return _resiliparse(main_content=True)


def _make_full_text() -> Extract:
    return _resiliparse(main_content=False)


def _make_trafilatura() -> Extract:
    try:
        import trafilatura
    except ImportError:
        raise ImportError("`extractor: trafilatura` needs the library: pip install 'gristmill[trafilatura]'") from None

    def text_of(html: bytes) -> str | None:
        try:
            return trafilatura.extract(html.decode("utf-8"), include_comments=False, deduplicate=False) or ""
        except Exception:  # noqa: BLE001 - of three libraries under it; the page is quarantined
            return None

    def extract(pages: pa.LargeBinaryArray) -> pa.LargeStringArray:
        return pa.array([text_of(html) for html in pages.to_pylist()], pa.large_string())

    return extract


def _make_gristmill(markdown: bool = False) -> Extract:
    params = extraction.ExtractionParams(markdown=markdown)
    return lambda pages: extraction.main_text(pages, params, is_utf8=True)


EXTRACTORS: dict[str, Callable[[], Extract]] = {
    "gristmill": _make_gristmill,
    "resiliparse": _make_resiliparse,
    "full_text": _make_full_text,
    "trafilatura": _make_trafilatura,
}

LINEAR = frozenset({"gristmill"})
"""Extractors whose time does not grow with the square of a page's depth: no page is too deep for them."""
WRITES_MARKDOWN = frozenset({"gristmill"})


def own_extractor(name: str) -> Extract:
    """An extractor of the user's own: ``function(pages: pa.LargeBinaryArray)`` to as many texts, in order.

    Texts are an Arrow array of strings or a list; None where a page cannot be read, which quarantines it. Where the
    function raises, it is called for every page alone, and pages that it raises on count as those.

    Raises:
        ValueError: the function is not there; when called, that it gave something else.
    """
    function = own_functions.load(name)

    def texts_of(pages: pa.LargeBinaryArray) -> pa.LargeStringArray:
        return as_texts(name, function(pages), len(pages))

    def extract(pages: pa.LargeBinaryArray) -> pa.LargeStringArray:
        try:
            return texts_of(pages)
        except WrongTextsError:
            raise
        except Exception:  # noqa: BLE001 - a function of the user's own may raise anything
            if len(pages) == 1:
                return pa.nulls(1, pa.large_string())
        return pa.concat_arrays([extract(pages.slice(row, 1)) for row in range(len(pages))])

    return extract


class WrongTextsError(ValueError):
    """A function returned something else than one text a page."""


def as_texts(name: str, found: Any, count: int) -> pa.LargeStringArray:
    """The values that a function returned, as texts.

    Raises:
        WrongTextsError: it is not one text, or None, a page.
    """
    try:
        array = found if isinstance(found, (pa.Array, pa.ChunkedArray)) else pa.array(list(found), pa.large_string())
        texts = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        if not pa.types.is_null(texts.type) and not pa.types.is_string(texts.type):
            assert pa.types.is_large_string(texts.type)
        texts = texts.cast(pa.large_string())
    except (TypeError, ValueError, AssertionError, pa.ArrowException):
        kind = str(found.type) if isinstance(found, pa.Array) else type(found).__name__
        raise WrongTextsError(f"{name}: expected {count} texts, one a page, found {kind}") from None
    if len(texts) != count:
        raise WrongTextsError(f"{name}: expected {count} texts, one a page, found {len(texts)}")
    return texts


def extractor(name: str, markdown: bool = False) -> Extract:
    """The extractor of that name; ``markdown`` only for those in `WRITES_MARKDOWN`."""
    if own_functions.is_own(name):
        return own_extractor(name)
    return _make_gristmill(markdown) if name == "gristmill" else EXTRACTORS[name]()


def versions(name: str) -> dict[str, Any]:
    """Everything beside its name that decides an extractor's output: versions of its library, and of a trained model."""
    if own_functions.is_own(name):
        return {"extractor": own_functions.identity(name, {})}
    if name == "gristmill":
        return {"gristmill": extraction.VERSION, "model": extraction.load_model().digest}

    library = "trafilatura" if name == "trafilatura" else "resiliparse"
    return {library: version(library)}
