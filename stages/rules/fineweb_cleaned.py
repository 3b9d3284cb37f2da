"""FineWeb's own rules, measured as FineWeb's pipeline does: on the text that C4's filter leaves of a page.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_few_lines_end_in_punctuation_when_cleaned` | `fineweb_cleaned_punctuated_line_fraction` | < 0.12 |
| `too_many_short_lines_when_cleaned` (at most 30 characters) | `fineweb_cleaned_short_line_fraction` | > 0.67 |
| `too_many_repeated_characters_when_cleaned` (of repeated lines) | see below | > 0.01 |
| `too_many_line_breaks_when_cleaned` | `fineweb_cleaned_line_breaks_per_word` | > 0.3 |

The column of the third is `fineweb_cleaned_repeated_line_character_fraction`. The filters of datatrove 0.10.1 run one
after the other, and C4's takes lines out of the page (of fewer than 3 words, with "javascript", with a phrase of a
notice) and citation marks out of lines before FineWeb's sees it: the view `c4_cleaned`. Menus and headings are gone by
then, so FineWeb's own filter drops fewer pages than these rules do on the whole text (`fineweb`). Definitions and
thresholds are those of `stages.rules.fineweb`; words are cut by `quality.unit`.

Price: the text that is left is copied and cut into words and lines once more: by `spacy`'s words nearly what the other
families of the recipe cost together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of, read_only
from stages.kernels.words import c4_lines
from stages.kernels.words.c4_lines import C4Lines
from stages.rules import c4, fineweb

Ints = npt.NDArray[np.int64]

FIELDS = tuple(field.with_name(field.name.replace("fineweb_", "fineweb_cleaned_")) for field in fineweb.FIELDS)

RULES = tuple(
    replace(rule, name=f"{rule.name}_when_cleaned", column=rule.column.replace("fineweb_", "fineweb_cleaned_"))
    for rule in fineweb.RULES
)

measure = fineweb.measure
"""Of the words and lines of cleaned texts."""


def cleaned(data: Bytes, offsets: Offsets, lines: C4Lines) -> tuple[Bytes, Offsets]:
    """The texts of which C4's filter leaves what the view `c4_cleaned` leaves, as (data, offsets) of their own."""
    first, last = int(offsets[0]), int(offsets[-1])
    kept_K = np.flatnonzero(c4.fates(lines, False) == c4.KEPT)
    starts_K, stops_K = lines.starts_L[kept_K] - first, lines.stops_L[kept_K] - first
    bounds_D1 = np.searchsorted(kept_K, lines.lines_D1)
    full_D = np.diff(bounds_D1) > 0
    heads, tails = bounds_D1[:-1][full_D], bounds_D1[1:][full_D] - 1
    followed_K = np.ones(len(kept_K), np.bool_)
    followed_K[tails] = False
    whole = data[first:last].copy()
    whole[stops_K[followed_K]] = 10  # what stands there is white space or a line's end, whatever its bytes
    change = np.zeros(len(whole) + 1, np.int8)
    change[starts_K] += 1
    change[stops_K + followed_K] -= 1
    cited_K = lines.facts_L[kept_K] & c4_lines.CITATION != 0
    _cut_citations(whole, starts_K[cited_K], stops_K[cited_K], change)
    stays = np.cumsum(change[:-1], dtype=np.int8).view(np.bool_)
    at_ends = np.flatnonzero(full_D)[cited_K[heads] | cited_K[tails]]
    for start, stop in zip((offsets[at_ends] - first).tolist(), (offsets[at_ends + 1] - first).tolist(), strict=True):
        _strip(whole, stays[start:stop], start)
    sizes_D = np.add.reduceat(np.append(stays, False), offsets[:-1] - first, dtype=np.int64)
    sizes_D[np.diff(offsets) == 0] = 0
    return read_only(whole[stays]), read_only(offsets_of(sizes_D))


def _cut_citations(whole: Bytes, starts: Ints, stops: Ints, change: npt.NDArray[np.int8]) -> None:
    """Takes the citation marks of some lines out of what stays; ``change``: +1 where a stretch that stays begins."""
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        for mark in c4_lines.CITATION_PATTERN.finditer(whole[start:stop].tobytes()):
            change[start + mark.start()] -= 1
            change[start + mark.end()] += 1


def _strip(whole: Bytes, stays: npt.NDArray[np.bool_], first: int) -> None:
    """Takes white space at the ends of what stays of a text, whose first byte is ``first``, out of it."""
    places = np.flatnonzero(stays)
    text = whole[first + places].tobytes().decode("utf-8", "replace")
    before = len(text[: len(text) - len(text.lstrip())].encode())
    behind = len(text[len(text.rstrip()) :].encode())
    stays[places[:before]] = False
    stays[places[len(places) - behind :]] = False
