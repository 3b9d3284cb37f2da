"""Record heads of the two archive formats: WARC 0.18-1.1 (ISO 28500) and its forerunner ARC 1 and 2.

An ARC head is one line: address (which may hold spaces), IP, date, media type, in version 2 five more words, and the
length. It becomes the same `Fields` a WARC head has, so what reads records need not know the difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.documents.fields import Fields

MAX_HEAD = 64 << 10
_ARC_LINE = re.compile(
    rb"(?P<url>[A-Za-z][A-Za-z0-9+.-]*:[^\r\n]*?) (?P<ip>[0-9A-Fa-f.:]+|-) (?P<date>\d{8,20}) (?P<type>[^\s]+)"
    rb"(?: [^\s]+ [^\s]+ [^\s]+ [^\s]+ [^\s]+)? (?P<size>[^\s]+)\r?\n"
)


@dataclass(frozen=True)
class Dialect:
    """``start`` matches where a record may begin; ``following`` finds the head of a record after a line end, and is
    strict, because it is looked for inside other records' content."""

    name: str
    start: re.Pattern[bytes]
    following: re.Pattern[bytes]

    def starts(self, head: bytes) -> bool:
        """Whether the plain bytes of a member begin a record."""
        return self.start.match(head) is not None

    def head(self, data: bytes, pos: int) -> tuple[Fields | None, int]:
        """The head at ``pos`` and where it ends: (None, 0) if it is not whole, (None, -1) if it is none."""
        return _arc_head(data, pos) if self.name == "arc" else _warc_head(data, pos)


WARC = Dialect("warc", re.compile(rb"WARC/"), re.compile(rb"\nWARC/\d+\.\d+[ \t]*\r?\n(?=[A-Za-z-]+:)"))
ARC = Dialect(
    "arc",
    re.compile(rb"(?:https?|ftps?|dns|filedesc|whois|gopher|nntp|metadata|screenshot|file)[:][^\s]"),
    re.compile(
        rb"\n(?=(?:https?|ftps?|dns|filedesc)[:][^\r\n]{1,4000} [0-9]{1,3}(?:\.[0-9]{1,3}){3} \d{8,20} [^\s]+"
        rb" [^\r\n]{1,200}\n)"
    ),
)


def _warc_head(data: bytes, pos: int) -> tuple[Fields | None, int]:
    if not data.startswith(b"WARC/"[: len(data) - pos], pos):
        return None, -1
    end = data.find(b"\n\r\n", pos, pos + MAX_HEAD)
    early = data.find(b"\n\n", pos, end if end >= 0 else pos + MAX_HEAD)
    if early >= 0:
        return Fields(data[pos:early]), early + 2
    if end >= 0:
        return Fields(data[pos:end]), end + 3
    return None, -1 if len(data) - pos >= MAX_HEAD else 0


def _arc_head(data: bytes, pos: int) -> tuple[Fields | None, int]:
    end = data.find(b"\n", pos, pos + MAX_HEAD)
    if end < 0:
        return None, -1 if len(data) - pos >= MAX_HEAD else 0
    found = _ARC_LINE.fullmatch(data, pos, end + 1)
    if found is None:
        return None, -1
    url = found["url"]
    kind = b"warcinfo" if url.startswith(b"filedesc:") else b"dns" if url.startswith(b"dns:") else b"response"
    digits = found["date"].ljust(14, b"0")
    date = b"%s-%s-%sT%s:%s:%sZ" % (digits[:4], digits[4:6], digits[6:8], digits[8:10], digits[10:12], digits[12:14])
    lines = (b"", b"warc-type: " + kind, b"warc-target-uri: " + url, b"warc-date: " + date)
    rest = (b"content-type: " + found["type"], b"content-length: " + found["size"])
    return Fields(b"\n".join((*lines, *rest))), end + 1
