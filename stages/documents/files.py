"""Files that are a page each: HTML, Markdown and plain text, alone in folders or in a tar archive (`tars`).

Text files are taken as they are, in their detected charset. A file whose bytes are no text is dropped (`not_text`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from stages.documents import office, pdf
from stages.documents.account import Account
from stages.documents.archives import Limits, paper_reader
from stages.documents.charsets import decoded, plain_survey
from stages.documents.extraction import close_empty_elements
from stages.documents.media_types import magic
from stages.documents.page import Page

PAPERS = {"pdf": pdf.TYPE, **{name: kind for kind, name in office.TYPES.items()}}
"""Containers of `stages.formats` whose pages are no text, and their types."""


def file_pages(stream: Any, container: str, account: Account, limits: Limits) -> Iterator[Page]:
    """The one page of a file."""
    most = limits.max_record_bytes if container in PAPERS else limits.max_html_bytes
    body = stream.read(most + 1)
    size = len(body)
    while size > most and (more := stream.read(1 << 20)):
        size += len(more)
    problem = problem_of(stream)
    if problem is not None:
        account.damage(0, problem)
        if not body:
            return
    if not_text(body, size, account, container, limits):
        return
    page = page_of_bytes(body, size, 0, container, limits)
    if problem in CUT:
        page.note = "truncated"
    yield page


CUT = ("truncated_member", "damaged_member")
"""Problems of a compressed stream (`inflated`) after which its last record is not whole."""


def problem_of(stream: Any) -> str | None:
    """The reason why a stream ended before its file did; None where it did not."""
    return getattr(stream, "problem", None)


def not_text(body: bytes, size: int, account: Account, container: str, limits: Limits) -> bool:
    """Whether a file's bytes are those of an image, a font, an archive; then it is dropped (`not_text`).

    One that is named as one of `PAPERS` is text where such are wanted.
    """
    kind = magic(body)
    if kind is None or PAPERS.get(container) in limits.papers:
        return False
    account.drop("not_text", size)
    account.content_types[kind] = account.content_types.get(kind, 0) + 1
    return True


def page_of_bytes(body: bytes, size: int, offset: int, container: str, limits: Limits) -> Page:
    if container in PAPERS:
        cut = "over_limit" if size > len(body) or size > limits.max_record_bytes else None
        kind = PAPERS[container]
        finish: Any = paper_reader(kind, body, limits)
        return Page(offset=offset, raw_bytes=size, content_type=kind, note=cut, finish=finish)
    note = "over_limit" if size > limits.max_html_bytes else None
    kind = "text/html" if container == "html" else "text/plain"
    finish = partial(_finish, body=body[: limits.max_html_bytes])
    return Page(offset=offset, raw_bytes=size, content_type=kind, note=note, finish=finish)


def _finish(page: Page, body: bytes) -> bool:
    if page.content_type == "text/html":
        utf8, page.charset, num_wrong = decoded(body)
        page.html = close_empty_elements(utf8, None)
    else:
        utf8, page.charset, num_wrong = decoded(body, survey=plain_survey)
        page.text = utf8.decode("utf-8", "replace")
    if num_wrong:
        page.note = page.note or "wrong_bytes"
    return True
