"""Files that are a page each, alone in folders or in a tar archive: HTML, Markdown and plain text.

Text files are taken as they are, in their detected charset. Members of a tar that are none of these are dropped
(`other_file`), and so are those whose bytes are no text (`not_text`); the name of a member stands in ``url``, because
nothing else tells where it came from.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from functools import partial
from typing import Any

from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.charsets import decoded, plain_survey
from stages.documents.extraction import close_empty_elements
from stages.documents.media_types import magic
from stages.documents.page import Page
from stages.formats import format_of


def file_pages(stream: Any, container: str, account: Account, limits: Limits) -> Iterator[Page]:
    """The one page of a file."""
    body = stream.read(limits.max_html_bytes + 1)
    size = len(body)
    while size > limits.max_html_bytes and (more := stream.read(1 << 20)):
        size += len(more)
    problem = problem_of(stream)
    if problem is not None:
        account.damage(0, problem)
        if not body:
            return
    if not_text(body, size, account):
        return
    page = page_of_bytes(body, size, 0, container, limits)
    if problem in CUT:
        page.note = "truncated"
    yield page


CUT = ("truncated_member", "damaged_member")
"""Problems of a compressed stream (`inflated`) after which its last record is not whole."""


def problem_of(stream: Any) -> str | None:
    """Why a stream ended before its file did; None where it did not."""
    return getattr(stream, "problem", None)


def not_text(body: bytes, size: int, account: Account) -> bool:
    """Whether a file's bytes are those of an image, a font, an archive; then it is dropped (`not_text`)."""
    kind = magic(body)
    if kind is None:
        return False
    account.drop("not_text", size)
    account.content_types[kind] = account.content_types.get(kind, 0) + 1
    return True


def page_of_bytes(body: bytes, size: int, offset: int, container: str, limits: Limits) -> Page:
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


def tar_pages(stream: Any, account: Account, limits: Limits) -> Iterator[Page]:
    """The pages of a tar archive, read forwards once."""
    place = 0
    kept = _LastBlocks(stream)
    try:
        with tarfile.open(fileobj=kept, mode="r|") as archive:  # type: ignore[call-overload]
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
                if not_text(body, member.size, account):
                    continue
                page = page_of_bytes(body, member.size, place, kind.container, limits)
                page.url = member.name
                yield page
            place = archive.offset
        while stream.read(1 << 20):  # to its end, where a checksum stands
            pass
        problem = problem_of(stream) or (None if kept.is_end(place) else "damaged_tar")
    except tarfile.TarError:
        problem = problem_of(stream) or "damaged_tar"
    if problem is not None:
        account.damage(place, problem)


class _LastBlocks:
    """A stream that remembers what was read last: `tarfile` ends at a header that is none as it does at the end."""

    KEPT = 1 << 16

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._last = b""
        self._at = 0
        """Where what is remembered ends."""

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._last = (self._last + data)[-self.KEPT :]
        self._at += len(data)
        return data

    def is_end(self, place: int) -> bool:
        """Whether an archive may end here: NULs, or the end of the stream."""
        begin = place - (self._at - len(self._last))
        return begin >= 0 and not self._last[begin : begin + 512].strip(b"\0")
