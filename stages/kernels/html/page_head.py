"""Statements of pages about themselves in their heads: where title, language, canonical address and the rest stand.

Legend: N bytes of P pages, data_N uint8, offsets_P1 int64. spans_PS2 int32: for each page and slot the first byte and
the byte after the last of a value, counted from the page's start; -1 where there is none. Of several dates the one
whose name tells most counts, of everything else the first; `ROBOTS` has `MAX_ROBOTS` slots, and names_PR int8 tells
whom each speaks to (an index of `ROBOT_NAMES`).

One pass over the tags up to ``<body>`` or ``</head>``, at most the first `HEAD` bytes: quotes, comments, scripts and
styles are passed over as HTML has them, ``datePublished`` is looked for in JSON-LD. `COMMONS` is where the first
``creativecommons.org`` of the whole page ends. Price: about 1 ns a byte of head, 0.1 ns a byte of the rest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.html.byte_scan import BLOCK, has_three
from stages.kernels.jit import inline_kernel, kernel
from stages.kernels.name_hash import bytes_hash, name_hash

Spans = npt.NDArray[np.int32]

HEAD = 256 << 10
MAX_TITLE_BYTES = 8000
MAX_ROBOTS = 16
MAX_NAMED = 12
"""Slots that robots with a name may fill: however many there are, requests to all of them find room behind."""
NUM_COMMON = 2
"""Names of `ROBOT_NAMES` that are no single robot's."""
TITLE, LANGUAGE, CANONICAL, PUBLISHED, LICENCE, COMMONS, ROBOTS = range(7)
SLOTS = ROBOTS + MAX_ROBOTS
ROBOT_NAMES = (
    *("robots", "tdm-reservation", "googlebot", "bingbot", "ccbot", "gptbot", "google-extended", "claudebot"),
    *("anthropic-ai", "applebot-extended", "meta-externalagent", "bytespider", "perplexitybot", "cohere-ai"),
    *("ai2bot", "amazonbot", "applebot", "baiduspider"),
    *("chatgpt-user", "claude-searchbot", "claude-user", "claude-web"),
    *("diffbot", "duckassistbot", "facebookbot", "google-cloudvertexbot", "googlebot-news", "googleother"),
    *("imagesiftbot", "img2dataset", "meta-externalfetcher", "mistralai-user", "msnbot", "oai-searchbot", "omgili"),
    *("omgilibot", "pangubot", "perplexity-user", "petalbot", "slurp", "timpibot", "yandex", "yandexbot", "youbot"),
)
"""Names of ``<meta>`` that speak to crawlers; the first `NUM_COMMON` to all of them."""

# Names and properties of <meta> that hold the date of publication, those that tell most first.
DATE_NAMES = (
    ("article:published_time", "og:article:published_time", "og:published_time", "datepublished"),
    ("citation_publication_date", "citation_online_date", "dcterms.issued", "dc.date.issued", "dc.issued"),
    ("publish-date", "publish_date", "publishdate", "pubdate", "publication_date", "parsely-pub-date", "sailthru.date"),
    ("dcterms.created", "dc.date.created", "citation_date", "dcterms.date", "dc.date", "date"),
)
_JSON_RANK = 1
_NO_DATE = 99


_META = {
    **{name: 100 + index for index, name in enumerate(ROBOT_NAMES)},
    **{name: rank for rank, names in enumerate(DATE_NAMES) for name in names},
}
_ORDER = sorted(_META, key=name_hash)
_META_KEYS = np.asarray([name_hash(name) for name in _ORDER], np.uint64)
_META_VALUES = np.asarray([_META[name] for name in _ORDER], np.int64)
_NAME, _PROPERTY, _ITEMPROP, _EQUIV, _CONTENT, _HREF, _REL, _LANG, _XML_LANG, _TYPE = range(10)
_ATTRIBUTE_KEYS = np.asarray(
    [
        name_hash(name)
        for name in (
            *("name", "property", "itemprop", "http-equiv", "content", "href", "rel", "lang", "xml:lang", "type"),
        )
    ],
    np.uint64,
)
_CANONICAL_KEY, _LICENCE_KEY, _LD_KEY = (
    np.uint64(name_hash(name)) for name in ("canonical", "license", "application/ld+json")
)
_COMMONS_NAME = np.frombuffer(b"creativecommons.org", np.uint8)
_VEC = 6
"""Where the rarest three letters of it are."""
_DATE_PUBLISHED = np.frombuffer(b'"datePublished"', np.uint8)


def page_heads(data: Bytes, offsets: Offsets) -> tuple[Spans, npt.NDArray[np.int8]]:
    """(spans_PS2, names_PR) of a column of pages in UTF-8."""
    count = len(offsets) - 1
    spans = np.full((count, SLOTS, 2), -1, np.int32)
    names = np.zeros((count, MAX_ROBOTS), np.int8)
    _page_heads(data, offsets, _META_KEYS, _META_VALUES, _ATTRIBUTE_KEYS, _DATE_PUBLISHED, spans, names)
    _commons(data, offsets, _COMMONS_NAME, spans)
    return spans, names


@inline_kernel
def _is_space(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or 9 <= byte <= 13


@inline_kernel
def _starts(data, i, stop, word):  # type: ignore[no-untyped-def]
    """Whether ``word`` (eight lower-case letters at most, packed from its end) is at ``i``, in any case."""
    while word:
        if i >= stop or np.uint64(data[i] | 32) != word & np.uint64(255):
            return False
        word >>= np.uint64(8)
        i += 1
    return True


def _word(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(text.encode(), "little"))


_WORD_TITLE, _WORD_HTML, _WORD_META, _WORD_LINK, _WORD_BODY = (
    _word(w) for w in ("title", "html", "meta", "link", "body")
)
_WORD_SCRIPT, _WORD_STYLE, _WORD_HEAD = (_word(w) for w in ("script", "style", "head"))


@inline_kernel
def _hash_of(data, start, stop):  # type: ignore[no-untyped-def]
    while start < stop and _is_space(data[start]):
        start += 1
    while stop > start and _is_space(data[stop - 1]):
        stop -= 1
    return bytes_hash(data, start, stop)


@inline_kernel
def _attributes(data, i, stop, keys, found):  # type: ignore[no-untyped-def]
    """Spans of the known attributes of the tag whose name ends at ``i``; where the tag ends, -1 if it does not."""
    found[:] = -1
    while i < stop:
        while i < stop and (_is_space(data[i]) or data[i] == 47):
            i += 1
        if i >= stop:
            break
        if data[i] == 62:
            return np.int64(i + 1)
        key = np.uint64(0)
        first = i
        while i < stop and not (_is_space(data[i]) or data[i] == 62 or data[i] == 47 or (data[i] == 61 and i > first)):
            byte = data[i]
            if 65 <= byte <= 90:
                byte += np.uint8(32)
            key = key * np.uint64(0x100000001B3) + np.uint64(byte) + np.uint64(1)
            i += 1
        while i < stop and _is_space(data[i]):
            i += 1
        if i >= stop or data[i] != 61:
            continue
        i += 1
        while i < stop and _is_space(data[i]):
            i += 1
        if i >= stop:
            break
        quote = data[i]
        if quote == 34 or quote == 39:
            i += 1
            begin = i
            while i < stop and data[i] != quote:
                i += 1
            end = i
            i += 1
        else:
            begin = i
            while i < stop and not _is_space(data[i]) and data[i] != 62:
                i += 1
            end = i
        if i > stop:
            break
        for k in range(len(keys)):
            if keys[k] == key:
                if found[k, 0] < 0:
                    found[k, 0] = begin
                    found[k, 1] = end
                break
    return np.int64(-1)


@inline_kernel
def _has_word(data, start, stop, wanted):  # type: ignore[no-untyped-def]
    """Whether one of the words of an attribute has this hash."""
    i = start
    while i < stop:
        while i < stop and _is_space(data[i]):
            i += 1
        first = i
        while i < stop and not _is_space(data[i]):
            i += 1
        if i > first and _hash_of(data, first, i) == wanted:
            return True
    return False


@inline_kernel
def _closing(data, i, stop, word):  # type: ignore[no-untyped-def]
    """Where ``</word`` begins; ``stop`` if it does not."""
    while i < stop - 2:
        if data[i] == 60 and data[i + 1] == 47 and _starts(data, i + 2, stop, word):
            return np.int64(i)
        i += 1
    return np.int64(stop)


@inline_kernel
def _json_date(data, i, stop, name, span):  # type: ignore[no-untyped-def]
    """The value of the first ``"datePublished": "..."``."""
    while i < stop - len(name):
        if data[i] == 34 and data[i + 5] == 80:
            same = True
            for k in range(len(name)):
                if data[i + k] != name[k]:
                    same = False
                    break
            if same:
                i += len(name)
                while i < stop and (_is_space(data[i]) or data[i] == 58):
                    i += 1
                if i < stop and data[i] == 34:
                    end = i + 1
                    while end < stop and data[end] != 34 and end - i < 64:
                        end += 1
                    span[0] = i + 1
                    span[1] = end
                    return True
        i += 1
    return False


@inline_kernel
def _note(spans, slot, found, k, base):  # type: ignore[no-untyped-def]
    """Attribute ``k`` of the tag just read as the span of ``slot``."""
    spans[slot, 0] = found[k, 0] - base
    spans[slot, 1] = found[k, 1] - base


@inline_kernel
def _meta(data, found, base, meta_keys, meta_values, spans, names, rank, num_robots):  # type: ignore[no-untyped-def]
    """Note what one ``<meta>`` says; (rank of the date held, robots' slots in use)."""
    if found[_CONTENT, 0] < 0:
        return rank, num_robots
    for k in (_NAME, _PROPERTY, _ITEMPROP):
        if found[k, 0] < 0:
            continue
        key = _hash_of(data, found[k, 0], found[k, 1])
        place = 0
        while place < len(meta_keys) and meta_keys[place] < key:  # `np.searchsorted` would load SciPy with the kernel
            place += 1
        if place == len(meta_keys) or meta_keys[place] != key:
            continue
        value = meta_values[place]
        slot = np.int64(PUBLISHED)
        if value >= 100:
            if num_robots >= (MAX_ROBOTS if value < 100 + NUM_COMMON else MAX_NAMED):
                continue
            slot = ROBOTS + num_robots
            names[num_robots] = value - 100
            num_robots += 1
        elif value < rank:
            rank = value
        else:
            continue
        _note(spans, slot, found, _CONTENT, base)
        break
    return rank, num_robots


@inline_kernel
def _link(data, found, base, spans):  # type: ignore[no-untyped-def]
    """Note where the first canonical ``<link>`` leads, and the first one to a licence."""
    if found[_REL, 0] < 0 or found[_HREF, 0] < 0:
        return
    slot = -1
    if _has_word(data, found[_REL, 0], found[_REL, 1], _CANONICAL_KEY):
        slot = CANONICAL
    elif _has_word(data, found[_REL, 0], found[_REL, 1], _LICENCE_KEY):
        slot = LICENCE
    if slot >= 0 and spans[slot, 0] < 0:
        _note(spans, slot, found, _HREF, base)


@inline_kernel
def _title(data, i, stop, base, spans):  # type: ignore[no-untyped-def]
    """Note the text of the first ``<title>`` that ends; where to go on, within its tag or behind its text."""
    while i < stop and data[i] != 62:
        i += 1
    i += 1
    last = min(stop, i + MAX_TITLE_BYTES)
    end = _closing(data, i, last, _WORD_TITLE)
    if spans[TITLE, 0] >= 0 or end >= last:
        return i
    spans[TITLE, 0] = i - base
    spans[TITLE, 1] = end - base
    return end


@kernel
def _page_heads(data, offsets, meta_keys, meta_values, attribute_keys, date_published, all_spans, all_names):  # type: ignore[no-untyped-def]
    found = np.empty((len(attribute_keys), 2), np.int64)
    date = np.empty(2, np.int64)
    for page in range(len(offsets) - 1):
        base, stop = offsets[page], min(offsets[page + 1], offsets[page] + HEAD)
        spans, names = all_spans[page], all_names[page]
        rank, num_robots = np.int64(_NO_DATE), np.int64(0)
        i = base
        while i < stop - 1:
            if data[i] != 60:
                i += 1
                continue
            i += 1
            letter = data[i] | 32
            if letter == 109 and _starts(data, i, stop, _WORD_META):  # <meta
                i = _attributes(data, i + 4, stop, attribute_keys, found)
                if i < 0:
                    break
                rank, num_robots = _meta(data, found, base, meta_keys, meta_values, spans, names, rank, num_robots)
            elif letter == 108 and _starts(data, i, stop, _WORD_LINK):  # <link
                i = _attributes(data, i + 4, stop, attribute_keys, found)
                if i < 0:
                    break
                _link(data, found, base, spans)
            elif letter == 116 and _starts(data, i, stop, _WORD_TITLE):  # <title
                i = _title(data, i, stop, base, spans)
            elif letter == 115 and (_starts(data, i, stop, _WORD_SCRIPT) or _starts(data, i, stop, _WORD_STYLE)):
                word = _WORD_SCRIPT if data[i + 1] | 32 == 99 else _WORD_STYLE
                after = _attributes(data, i + 5, stop, attribute_keys, found)
                if after < 0:
                    break
                i = _closing(data, after, stop, word)
                if (
                    rank > _JSON_RANK
                    and found[_TYPE, 0] >= 0
                    and _hash_of(data, found[_TYPE, 0], found[_TYPE, 1]) == _LD_KEY
                    and _json_date(data, after, i, date_published, date)
                ):
                    rank = np.int64(_JSON_RANK)
                    spans[PUBLISHED, 0] = date[0] - base
                    spans[PUBLISHED, 1] = date[1] - base
            elif letter == 104 and _starts(data, i, stop, _WORD_HTML):  # <html
                i = _attributes(data, i + 4, stop, attribute_keys, found)
                if i < 0:
                    break
                k = _LANG if found[_LANG, 0] >= 0 else _XML_LANG
                if found[k, 0] >= 0 and spans[LANGUAGE, 0] < 0:
                    _note(spans, LANGUAGE, found, k, base)
            elif data[i] == 33 and i + 2 < stop and data[i + 1] == 45 and data[i + 2] == 45:  # <!--
                i += 3
                while i < stop - 2 and not (data[i] == 45 and data[i + 1] == 45 and data[i + 2] == 62):
                    i += 1
            elif (data[i] == 47 and _starts(data, i + 1, stop, _WORD_HEAD)) or _starts(data, i, stop, _WORD_BODY):
                break


@kernel
def _commons(data, offsets, name, spans):  # type: ignore[no-untyped-def]
    """A block that has no ``vec`` is passed over at once."""
    step = np.uint64(BLOCK)
    for page in range(len(offsets) - 1):
        begin = offsets[page]
        size = offsets[page + 1] - begin - len(name)
        if size < 0:
            continue
        base, stop = np.uint64(begin + _VEC), np.uint64(begin + _VEC + size + 1)
        found = False
        while base < stop and not found:
            last = min(base + step, stop)
            if last - base < step or has_three(data, base, np.uint8(118), np.uint8(101), np.uint8(99)):
                for i in range(base, last):
                    first = i - np.uint64(_VEC)
                    same = data[i] == 118
                    k = np.uint64(0)
                    while same and k < np.uint64(len(name)):
                        same = data[first + k] == name[k]
                        k += np.uint64(1)
                    if same:
                        spans[page, COMMONS, 0] = np.int64(first) + len(name) - begin
                        spans[page, COMMONS, 1] = spans[page, COMMONS, 0]
                        found = True
                        break
            base = last
