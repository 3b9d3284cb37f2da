"""Files that are a page each, alone in folders or in a tar archive: HTML, Markdown and plain text.

Text files are taken as they are, in their detected charset. Members of a tar that are none of these are dropped
(`other_file`); the name of a member stands in ``url``, because nothing else tells where it came from.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.batches import Page
from stages.documents.charsets import plain_survey, to_utf8
from stages.documents.extraction import close_empty_elements
from stages.formats import format_of

READ_ERRORS: Any = (OSError, EOFError, zlib.error, pa.ArrowException)


def file_pages(stream: Any, container: str, account: Account, limits: Limits) -> Iterator[Page]:
    """The one page of a file."""
    try:
        body = stream.read(limits.max_html_bytes + 1)
        size = len(body)
        while size > limits.max_html_bytes and (more := stream.read(1 << 20)):
            size += len(more)
    except READ_ERRORS:
        account.damage(0, "damaged_compression")
        return
    yield page_of_bytes(body, size, 0, container, limits)


def page_of_bytes(body: bytes, size: int, offset: int, container: str, limits: Limits) -> Page:
    note = "over_limit" if size > limits.max_html_bytes else None
    kind = "text/html" if container == "html" else "text/plain"
    finish = partial(_finish, body=body[: limits.max_html_bytes])
    return Page(offset=offset, raw_bytes=size, content_type=kind, note=note, finish=finish)


def _finish(page: Page, body: bytes) -> bool:
    if page.content_type == "text/html":
        utf8, page.charset = to_utf8(body)
        page.html = close_empty_elements(utf8, None)
    else:
        utf8, page.charset = to_utf8(body, survey=plain_survey)
        page.text = utf8.decode("utf-8", "replace")
    return True


def tar_pages(stream: Any, account: Account, limits: Limits) -> Iterator[Page]:
    """The pages of a tar archive, read forwards once."""
    place = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                place = member.offset
                if not member.isfile():
                    continue
                kind = format_of(member.name)
                if kind is None or kind.container not in ("html", "text") or kind.compression != "none":
                    account.drop("other_file", member.size)
                    continue
                content = archive.extractfile(member)
                assert content is not None  # isfile() said so
                body = content.read(limits.max_html_bytes + 1)
                if len(body) < min(member.size, limits.max_html_bytes + 1):
                    account.damage(place, "truncated_file")
                page = page_of_bytes(body, member.size, place, kind.container, limits)
                page.url = member.name
                yield page
    except tarfile.TarError:
        account.damage(place, "damaged_tar")
    except READ_ERRORS:
        account.damage(place, "damaged_compression")
