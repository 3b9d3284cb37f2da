"""Page chrome, measured: the lines that Dolma 3 takes out of pages (allenai/datamap-rs, `configs/all_dressed`).

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_much_page_chrome` | `chrome_removed_word_fraction` | > 0.05 |

Each line (cut at line feeds, white space around it apart) is the first of these that holds; all go:

| column | the line |
|---|---|
| `chrome_num_uppercase_lines` | more than half of its characters are capitals |
| `chrome_num_digit_lines` | nothing but digits |
| `chrome_num_counter_lines` | begins with a number and what it counts: `1.5K likes`, `12 comments on this` |
| `chrome_num_one_word_lines` | one word |

`chrome_num_phrases` counts "items in cart" anywhere in another line, "Read more..." at its end, "Sign-in" at its
beginning: they alone are cut. The fraction is of the words (what white space divides) that go. Cutting is the view
`chrome_cleaned`. Sizes are in characters and not in bytes, and words are those of white space; the order of Dolma 3,
whose repetition rules see the lines that go, is a matter of the recipe.

Price: `line_kinds`, one pass for the fixed strings of all families, and expressions for the few lines that hold one
of `PHRASES`, or whose counter is written beyond ASCII.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.words import line_kinds
from stages.kernels.words.chrome_lines import COUNTER, STAYS, chrome_lines, totals
from stages.kernels.words.line_kinds import COUNTERS, LineKinds
from stages.kernels.words.literals import Hits
from stages.rules.rule import Rule, fractions

FIELDS = (
    pa.field("chrome_num_uppercase_lines", pa.int64(), nullable=False),
    pa.field("chrome_num_digit_lines", pa.int64(), nullable=False),
    pa.field("chrome_num_counter_lines", pa.int64(), nullable=False),
    pa.field("chrome_num_one_word_lines", pa.int64(), nullable=False),
    pa.field("chrome_num_phrases", pa.int64(), nullable=False),
    pa.field("chrome_removed_word_fraction", pa.float64()),
)

RULES = (Rule("too_much_page_chrome", "chrome_removed_word_fraction", "max", 0.05),)

_COUNTED = "|".join(name.decode() for name in COUNTERS)
_COUNTER = re.compile(rf"\W*\d[,.\d]*[KkMmBb]?\s+(?i:{_COUNTED})")
PHRASES = ((rb"\s?items in cart\s?", " "), (rb"\s?Read more\.\.\.$", ""), (rb"^Sign-in\s?", ""))
"""Phrases that are cut out of lines, and what stands there instead."""
_PHRASES = [(re.compile(pattern), replacement) for pattern, replacement in PHRASES]
ANYWHERE = {"items in cart": "ems"}
"""The fixed string among them that may stand anywhere in a line, and three rare bytes of it, as `madlad` has them."""


class Chrome(NamedTuple):
    """``kinds_L``: the kind of each line (`stages.kernels.words.chrome_lines`); ``phrases``: (line, first byte of
    data, last, replacement), sorted, not overlapping, of lines that stay."""

    kinds_L: npt.NDArray[np.int64]
    phrases: list[tuple[int, int, int, str]]


def find(data: Bytes, lines: LineKinds, string: int, hits: Hits) -> Chrome:
    """The chrome of all lines; ``hits`` are of several strings, of which ``string`` is that of `ANYWHERE`."""
    kinds, candidates = chrome_lines(data, lines, hits, string)
    phrases = []
    for k in np.flatnonzero(candidates).tolist():
        first = int(lines.starts_L[k])
        line = data[first : int(lines.stops_L[k])].tobytes()
        if _COUNTER.match(line.decode("utf-8", "replace")):
            kinds[k] = COUNTER
        elif kinds[k] == STAYS:
            phrases += [(k, first + start, first + stop, text) for start, stop, text in _cuts(line)]
    return Chrome(kinds, phrases)


def _cuts(line: bytes) -> list[tuple[int, int, str]]:
    """The phrases of a line; of two that overlap the first."""
    found = sorted(
        (match.start(), match.end(), replacement) for one, replacement in _PHRASES for match in one.finditer(line)
    )
    kept: list[tuple[int, int, str]] = []
    for cut in found:
        if not kept or cut[0] >= kept[-1][1]:
            kept.append(cut)
    return kept


def measure(data: Bytes, lines: LineKinds, string: int, hits: Hits) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    chrome = find(data, lines, string, hits)
    totals_D5 = totals(lines.lines_D1, chrome.kinds_L, lines.words_L)
    phrases = np.zeros(len(totals_D5), np.int64)
    for k, start, stop, _ in chrome.phrases:
        d = int(np.searchsorted(lines.lines_D1, k, "right")) - 1
        phrases[d] += 1
        totals_D5[d, 4] += len(data[start:stop].tobytes().split())
    counts = [pa.array(np.ascontiguousarray(totals_D5[:, kind])) for kind in range(4)]
    return [*counts, pa.array(phrases), fractions(totals_D5[:, 4], lines.totals_D6[:, line_kinds.WORDS])]


def cut(data: Bytes, offsets: Offsets, lines: LineKinds, string: int, hits: Hits) -> list[list[tuple[int, int, str]]]:
    """The spans of every document: lines that go, with their line feed, and phrases."""
    chrome = find(data, lines, string, hits)
    pages: list[list[tuple[int, int, str]]] = [[] for _ in range(len(offsets) - 1)]
    whole = {int(k): None for k in np.flatnonzero(chrome.kinds_L != STAYS)}
    by_line: dict[int, list[tuple[int, int, str]]] = {}
    for k, start, stop, replacement in chrome.phrases:
        by_line.setdefault(k, []).append((start, stop, replacement))
    for k in sorted({*whole, *by_line}):
        d = int(np.searchsorted(lines.lines_D1, k, "right")) - 1
        start, stop = int(offsets[d]), int(offsets[d + 1])
        first, last = int(lines.starts_L[k]), int(lines.stops_L[k])
        if k in whole or sum(b - a for a, b, _ in by_line[k]) == last - first:
            while last < stop and data[last] != 10:
                last += 1
            pages[d].append((first - start, min(last + 1, stop) - start, ""))
        else:
            pages[d] += [(a - start, b - start, text) for a, b, text in by_line[k]]
    return pages
