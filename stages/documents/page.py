"""A page of a crawl or a row of a table on its way to `documents`, and the metadata in the head of its HTML: title,
declared language, canonical address, date of publication, licence, and its requests to robots.

Independent of the extractor, so the columns are the same whichever is chosen. One kernel finds the values of a whole
batch (`kernels.page_head`); here they are decoded. Price: about 5 microseconds a page. Limit: a page that builds its
head by script says nothing here.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

import pyarrow as pa

from stages.kernels.columns.ragged import text_buffers
from stages.kernels.html import page_head
from stages.rules.robots_txt import reserves

MAX_TITLE = 500
MAX_URL = 2048
MAX_ROBOTS = 4000
"""Characters of a page's requests to robots; of more those to all robots stay first."""
MAX_LICENCES = 100
"""Creative Commons addresses of a page that are looked at for one that is stated as its licence."""
FIRST_YEAR, LAST_YEAR = 1900, 2100

_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,34}")
_CREATIVE_COMMONS = b"creativecommons.org"
_LICENCE = re.compile(rb"/(?:licenses|licences|publicdomain)/[a-z+-]+(?:/\d\.\d(?:/[a-z]{2}\b(?!\.))?)?", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})")
_STATED = re.compile(rb"<(?:a|area|link)(?=\s)[^<>]*\srel\s*=\s*(?:\"[^\"<>]*|'[^'<>]*|)\blicen[sc]e\b", re.IGNORECASE)
"""A link to the licence of the page, from its beginning."""
_AGENT = re.compile(r"([a-z0-9_.*-]+) ?: ?([a-z].*)")
"""A robot and what is asked of it; what begins with a digit is the value of a setting (`revisit-after: 7 days`)."""
_WORDS = re.compile(r"[a-z-]+(?: [a-z-]+)+")
_NO_ROBOTS = frozenset(
    (
        *("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"),
        *("revisit-after", "crawl-delay", "tdm-reservation", "tdm-policy"),
        *("all", "none", "index", "noindex", "follow", "nofollow", "noarchive", "nocache", "nosnippet", "noai"),
        *("noimageai", "noimageindex", "notranslate", "indexifembedded"),
    )
)
"""Words that stand before a colon as settings, or by mistake as directives; any other one is a robot."""


@dataclass(slots=True)
class Page:
    """One row to be: either ``html`` (UTF-8, to extract) or ``text``, or what `finish` makes them of."""

    offset: int
    raw_bytes: int
    html: bytes | None = None
    text: str | None = None
    url: str | None = None
    time: int | None = None
    """Seconds since 1970."""
    content_type: str | None = None
    charset: str | None = None
    language_declared: str | None = None
    title: str | None = None
    licence: str | None = None
    canonical: str | None = None
    published: int | None = None
    """Seconds since 1970."""
    robots: str | None = None
    record_id: str | None = None
    note: str | None = None
    carried: tuple[str | None, ...] = ()
    """Values of the columns that its source carries, in their order; empty: none has a value."""
    file: str = ""
    part: int = 0
    """Number of the file in its split."""
    about: Mapping[str, str | None] = field(default_factory=dict)
    """Values of columns beside those of every page, as text (`pdf.COLUMNS`)."""
    finish: Callable[[Page], bool | str] | None = None
    """Fills in ``html`` or ``text``; false: it cannot be done; a text: why there is none (a reason of a drop). Called
    when the page is taken up, so that a library that dies of a page does so at its turn, and never where pages are only
    counted."""

    @property
    def position(self) -> int:
        """The page's place in its split, for `skip` and `positions`."""
        return self.part << 48 | self.offset


def describe(pages: Sequence[Page], column: pa.LargeBinaryArray) -> None:
    """Fill in each page's own metadata; ``column`` holds their HTML, row for row."""
    data, offsets = text_buffers(column)
    spans, names = page_head.page_heads(data, offsets)
    for page, row, whom in zip(pages, spans.reshape(len(pages), -1).tolist(), names.tolist(), strict=True):
        html = page.html
        assert html is not None
        start = row[2 * page_head.TITLE]
        if start >= 0:
            page.title = plain(html[start : row[2 * page_head.TITLE + 1]])[:MAX_TITLE] or None
        start = row[2 * page_head.LANGUAGE]
        if start >= 0:
            found = _LANGUAGE.match(html[start : row[2 * page_head.LANGUAGE + 1]].decode("utf-8", "replace").strip())
            page.language_declared = found.group() if found else page.language_declared
        start = row[2 * page_head.CANONICAL]
        if start >= 0:
            page.canonical = address(html[start : row[2 * page_head.CANONICAL + 1]], page.url)
        start = row[2 * page_head.PUBLISHED]
        if start >= 0:
            page.published = date(plain(html[start : row[2 * page_head.PUBLISHED + 1]]))
        if row[2 * page_head.COMMONS] >= 0:
            start = row[2 * page_head.LICENCE]
            stated = licence(html, start, row[2 * page_head.LICENCE + 1]) if start >= 0 else None
            page.licence = stated or licence(html, row[2 * page_head.COMMONS] - len(_CREATIVE_COMMONS))
        if row[2 * page_head.ROBOTS] >= 0 or page.robots is not None:
            metas = [
                (page_head.ROBOT_NAMES[who], plain(html[first:last]))
                for who, first, last in zip(
                    whom, row[2 * page_head.ROBOTS :: 2], row[2 * page_head.ROBOTS + 1 :: 2], strict=True
                )
                if first >= 0
            ]
            page.robots = directives(page.robots, metas)


def plain(value: bytes) -> str:
    """Text of a title or an attribute: entities resolved, white space collapsed."""
    text = value.decode("utf-8", "replace")
    if "&" in text:
        text = entities.unescape(text).encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())


def address(value: bytes, base: str | None) -> str | None:
    """An absolute http address, None if it is none."""
    url = plain(value)
    if not url.startswith(("http://", "https://")):
        try:
            url = urljoin(base or "", url)
        except ValueError:
            return None
    return url if url.startswith(("http://", "https://")) and len(url) <= MAX_URL else None


def date(value: str) -> int | None:
    """Seconds since 1970 of an ISO 8601 or RFC 5322 date, or of the day it begins with; UTC where no zone is given."""
    when: datetime | None = None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        day = _DAY.match(value)
        try:
            when = datetime(*map(int, day.groups())) if day else parsedate_to_datetime(value)  # type: ignore[arg-type]
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        return None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def licence(html: bytes, start: int, stop: int | None = None) -> str | None:
    """The Creative Commons address, as ``creativecommons.org/licenses/by-sa/4.0``, that a page states as its licence.

    That is the first one from ``start`` on to which a link with ``rel=license`` leads; else the first of all. Slashes
    may be escaped, as in JSON.
    """
    first = None
    for _ in range(MAX_LICENCES):
        start = html.find(_CREATIVE_COMMONS, start, len(html) if stop is None else stop)
        if start < 0:
            break
        end = start + len(_CREATIVE_COMMONS)
        found = _LICENCE.match(html[end : end + MAX_LICENCE_BYTES].replace(b"\\/", b"/"))
        if found:
            name = (_CREATIVE_COMMONS + found.group()).decode("ascii").lower()
            if _is_stated(html, start):
                return name
            first = first or name
        start = end
    return first


MAX_LICENCE_BYTES = 100
MAX_TAG_BYTES = 2000


def _is_stated(html: bytes, at: int) -> bool:
    """Whether the tag around a place is a link to the page's licence."""
    begin = html.rfind(b"<", max(0, at - MAX_TAG_BYTES), at)
    end = html.find(b">", at, at + MAX_TAG_BYTES)
    return begin >= 0 and end >= 0 and _STATED.match(html[begin:end]) is not None


def directives(header: str | None, metas: Sequence[tuple[str, str]]) -> str | None:
    """Requests of the HTTP head (as `header_directives` gives them) and of ``<meta>``, in the same form.

    ``tdm-reservation`` stands for a reservation of text and data mining (W3C TDMRep).
    """
    found = set((header or "").split(","))
    for name, content in metas:
        if name == "tdm-reservation":
            found |= {name} if content.startswith("1") else set()
        else:
            found |= _requests(content, "" if name == "robots" else name, names_robots=False)
    return _joined(found)


def header_directives(tags: Sequence[str], reservation: str, usages: Sequence[str] = ()) -> str | None:
    """Requests of the HTTP head, sorted: ``noai,noindex`` to all, ``ccbot:nofollow`` to one.

    Args:
        tags: the fields ``X-Robots-Tag``; a robot that one names is meant by what follows in that field.
        reservation: the field ``TDM-Reservation`` (W3C TDMRep).
        usages: the fields ``Content-Signal`` and ``Content-Usage`` (`stages.rules.robots_txt`); ``ai-train=no`` is
            kept where one of them reserves training.
    """
    found = {request for tag in tags for request in _requests(tag, "", names_robots=True)}
    found |= {"tdm-reservation"} if reservation.startswith("1") else set()
    found |= {"ai-train=no"} if any(reserves(usage.encode("utf-8", "replace")) for usage in usages) else set()
    return _joined(found)


def _requests(value: str, agent: str, names_robots: bool) -> set[str]:
    """The directives of a field or attribute, with the robot that they are for.

    Args:
        names_robots: a field may name other robots, each meant from there on; an attribute (``<meta>``) may not.
    """
    found = set()
    for part in re.split("[,;]", value.lower()):
        directive = " ".join(part.split())
        named = _AGENT.fullmatch(directive) if names_robots else None
        if named and named[1] not in _NO_ROBOTS:
            agent, directive = "" if named[1] == "*" else named[1], named[2]
        prefix = f"{agent}:" if agent else ""
        words = directive.split() if _WORDS.fullmatch(directive) else [directive]
        found |= {prefix + ":".join(piece.strip() for piece in word.split(":")) for word in words if word.strip(" :")}
    return found


def _joined(found: set[str]) -> str | None:
    """Directives in one value; where they are too many, those to all robots first, without those that find no room."""
    kept, room = [], MAX_ROBOTS
    for request in sorted(found - {""}, key=lambda one: (":" in one, one)):
        if len(request) < room:
            kept.append(request)
            room -= len(request) + 1
    return ",".join(sorted(kept)) or None
