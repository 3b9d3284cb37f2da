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

Price: the text that is left is copied and cut into words and lines once more: by `spacy`'s words half of what the other
families of the recipe cost together.
"""

from __future__ import annotations

from dataclasses import replace

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.words import c4_cleaned
from stages.kernels.words.c4_lines import C4Lines
from stages.rules import c4, fineweb

FIELDS = tuple(field.with_name(field.name.replace("fineweb_", "fineweb_cleaned_")) for field in fineweb.FIELDS)

RULES = tuple(
    replace(rule, name=f"{rule.name}_when_cleaned", column=rule.column.replace("fineweb_", "fineweb_cleaned_"))
    for rule in fineweb.RULES
)

measure = fineweb.measure
"""Of the words and lines of cleaned texts."""


def cleaned(data: Bytes, lines: C4Lines) -> tuple[Bytes, Offsets]:
    """The texts of which C4's filter leaves what the view `c4_cleaned` leaves, as (data, offsets) of their own."""
    return c4_cleaned.cleaned(data, lines, c4.fates(lines, False) == c4.KEPT)
