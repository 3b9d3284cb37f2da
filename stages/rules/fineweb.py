"""FineWeb's own rules, measured: Penedo et al. 2024 (arXiv 2406.17557), section 3.6.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_few_lines_end_in_punctuation` | `fineweb_punctuated_line_fraction` | < 0.12 |
| `too_many_short_lines` (at most 30 characters) | `fineweb_short_line_fraction` | > 0.67 |
| `too_many_repeated_characters` (of repeated lines) | `fineweb_repeated_line_character_fraction` | > 0.01 |
| `too_many_line_breaks` | `fineweb_line_breaks_per_word` | > 0.3 |

Equality keeps. Lines are the text cut at line feeds, those of white space alone left out, the others not stripped; a
line is punctuated when its last character is a terminal mark (`unicode.TERMINAL`). Repeated characters are counted
against the characters of the text without its line feeds, line breaks against all tokens. These are the definitions and
thresholds of datatrove 0.10.1, which made FineWeb (the paper says 0.1 for repeated characters; the code has 0.01, and
`too_many_line_breaks` is in the code alone). A column is null where its denominator is 0.

Price: nothing beside the lines and words that the other families need.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.words.lines import CHARACTERS, ENDS_SENTENCE, FEEDS, HAS_TEXT, REPEATED, Lines, sums
from stages.kernels.words.words import Words
from stages.rules.rule import Rule, fractions

SHORT_CHARACTERS = 30

FIELDS = (
    pa.field("fineweb_num_lines", pa.int64(), nullable=False),
    pa.field("fineweb_punctuated_line_fraction", pa.float64()),
    pa.field("fineweb_short_line_fraction", pa.float64()),
    pa.field("fineweb_repeated_line_character_fraction", pa.float64()),
    pa.field("fineweb_line_breaks_per_word", pa.float64()),
)

RULES = (
    Rule("too_few_lines_end_in_punctuation", "fineweb_punctuated_line_fraction", "min", 0.12),
    Rule("too_many_short_lines", "fineweb_short_line_fraction", "max", 0.67),
    Rule("too_many_repeated_characters", "fineweb_repeated_line_character_fraction", "max", 0.01),
    Rule("too_many_line_breaks", "fineweb_line_breaks_per_word", "max", 0.3),
)


def measure(words: Words, lines: Lines) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    has_text = lines.kinds_L & HAS_TEXT != 0
    punctuated = has_text & (lines.kinds_L & ENDS_SENTENCE != 0)
    short = has_text & (lines.characters_L <= SHORT_CHARACTERS)
    repeated = (has_text & (lines.kinds_L & REPEATED != 0)) * lines.characters_L
    num_lines = sums(has_text, lines.lines_D1)
    feeds = lines.totals_D3[:, FEEDS]
    return [
        pa.array(num_lines),
        fractions(sums(punctuated, lines.lines_D1), num_lines),
        fractions(sums(short, lines.lines_D1), num_lines),
        fractions(sums(repeated, lines.lines_D1), lines.totals_D3[:, CHARACTERS] - feeds),
        fractions(feeds, np.diff(words.words_D1)),
    ]
