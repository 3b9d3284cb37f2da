"""A format of your own: a function from an open file to its records. This one reads mailboxes (mbox, RFC 4155).

It gets the uncompressed bytes of a file from first to last and yields mappings as the rows of JSON Lines are: ``text``
(or ``html``, for the extractor), ``id``, ``url``, ``title``, ``language``, ``licence``, ``time`` or any other names,
which a source's `columns` and `carry` may map. The same file must give the same records in the same order every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any, BinaryIO


def mailbox(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """The letters of a mailbox that have text."""
    lines: list[bytes] = []
    for line in file:
        if line.startswith(b"From ") and lines:
            yield _letter(b"".join(lines))
            lines = []
        elif not line.startswith(b"From "):
            lines.append(line)
    if lines:
        yield _letter(b"".join(lines))


def _letter(source: bytes) -> dict[str, Any]:
    letter = message_from_bytes(source, policy=policy.default)
    body = letter.get_body(("html", "plain"))
    content = body.get_content() if body is not None else None
    kind = "html" if body is not None and body.get_content_subtype() == "html" else "text"
    date = letter["date"].datetime.isoformat() if letter["date"] and letter["date"].datetime else None
    return {
        kind: content,
        "id": letter["message-id"],
        "title": letter["subject"],
        "time": date,
        "sender": letter["from"],
    }
