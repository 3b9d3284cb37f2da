"""An extractor of your own: a function from a column of HTML pages to a column of texts.

It gets the pages of a batch (`large_binary`, valid UTF-8) and returns as many texts, in order; None where it cannot
read a page, which is then quarantined with its position. Where it raises, it is called for every page alone, so that
one odd page costs no other. Charsets, titles, dates and licences are found before, and are no matter of an extractor.
"""

from __future__ import annotations

import pyarrow as pa
from resiliparse.parse.html import HTMLTree


def paragraphs(pages: pa.LargeBinaryArray) -> list[str]:
    """The paragraphs of each page that have more than one sentence, and its headings."""
    return [_text(page) for page in pages.to_pylist()]


def _text(html: bytes) -> str:
    body = HTMLTree.parse_from_bytes(html, "utf-8").body
    found = body.query_selector_all("h1, h2, h3, p") if body is not None else []
    lines = [(node.tag, " ".join(node.text.split())) for node in found]
    return "\n\n".join(line for tag, line in lines if line and (tag != "p" or line.count(". ") > 0))
