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

Price: `line_kinds`, and one pass of RE2.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.words import line_kinds
from stages.kernels.words.grams import GRAM, SMALL_LETTERS, may_hold, sieve
from stages.kernels.words.line_kinds import COUNTERS, LineKinds
from stages.kernels.words.lines import sums
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

STAYS, UPPERCASE, DIGITS, COUNTER, ONE_WORD = range(5)
_OF_KIND = {
    line_kinds.MAINLY_UPPERCASE: UPPERCASE,
    line_kinds.ONLY_DIGITS: DIGITS,
    line_kinds.ONE_WORD: ONE_WORD,
}
_COUNTED = "|".join(name.decode() for name in COUNTERS)
_COUNTER = re.compile(rf"\W*\d[,.\d]*[KkMmBb]?\s+(?i:{_COUNTED})")
PHRASES = ((rb"\s?items in cart\s?", " "), (rb"\s?Read more\.\.\.$", ""), (rb"^Sign-in\s?", ""))
"""What is cut out of lines, and what stands there instead."""
_PHRASES = [(re.compile(pattern), replacement) for pattern, replacement in PHRASES]
_CANDIDATE = rf"(?i:{_COUNTED})|items in cart|Read more\.\.\.$|^Sign-in"
"""What a line with a counter or phrase holds, for RE2, which would take longer to compile classes of Unicode."""
GRAMS = (
    *("like", "li\u212a", "hare", "omme", "twee", "repo", "quot", "ookm", "oo\u212a", "vote", "wnlo", "view", "llow"),
    *("cart", "e...", "gn-i"),
)
"""Characters of each of them, of which the last four bytes are hashed; the sign of the kelvin counts as a k."""
_SIEVE = sieve([gram.encode()[-GRAM:] for gram in GRAMS], fold=SMALL_LETTERS)


class Chrome(NamedTuple):
    """``kinds_L``: `STAYS`, `UPPERCASE`, ... of each line; ``phrases``: (line, first byte of data, last, replacement),
    sorted, not overlapping, of lines that stay."""

    kinds_L: npt.NDArray[np.int64]
    phrases: list[tuple[int, int, int, str]]


def find(data: Bytes, lines: LineKinds) -> Chrome:
    """The chrome of all lines."""
    kinds = np.zeros(len(lines.starts_L), np.int64)
    for theirs, ours in _OF_KIND.items():
        kinds[lines.kinds_L == theirs] = ours
    if not len(kinds):
        return Chrome(kinds, [])
    bounds = np.column_stack([lines.starts_L, lines.stops_L]).reshape(-1)  # and what stands between them
    buffers = [None, pa.py_buffer(np.ascontiguousarray(bounds)), pa.py_buffer(np.ascontiguousarray(data))]
    texts = pa.Array.from_buffers(pa.large_string(), len(bounds) - 1, buffers)
    maybe = may_hold(data, lines.starts_L, lines.stops_L, _SIEVE)
    rows = np.flatnonzero(maybe & ((kinds == STAYS) | (kinds == ONE_WORD)))
    found = pc.match_substring_regex(texts.take(pa.array(2 * rows)), _CANDIDATE).to_numpy(zero_copy_only=False)
    phrases = []
    for k in rows[found].tolist():
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


def measure(data: Bytes, lines: LineKinds) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    chrome = find(data, lines)
    bounds = lines.lines_D1
    counts = [sums(chrome.kinds_L == kind, bounds) for kind in (UPPERCASE, DIGITS, COUNTER, ONE_WORD)]
    words_L = np.where(chrome.kinds_L == STAYS, 0, lines.words_L)
    per_line = np.zeros(len(words_L), np.int64)
    for k, start, stop, _ in chrome.phrases:
        per_line[k] += 1
        words_L[k] += len(data[start:stop].tobytes().split())
    gone = np.diff(np.concatenate(([0], np.cumsum(words_L)))[bounds])
    phrases = np.diff(np.concatenate(([0], np.cumsum(per_line)))[bounds])
    removed = fractions(gone, lines.totals_D6[:, line_kinds.WORDS])
    return [*map(pa.array, counts), pa.array(phrases), removed]


def cut(data: Bytes, offsets: Offsets, lines: LineKinds) -> list[list[tuple[int, int, str]]]:
    """The spans of every document: lines that go, with their line feed, and phrases."""
    chrome = find(data, lines)
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
