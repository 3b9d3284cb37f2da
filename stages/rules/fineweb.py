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
`too_many_line_breaks` is in the code alone).
The rule on line ends is off for languages whose lines need no mark (`stages.rules.names.UNMARKED`: Thai, Lao, Khmer,
Burmese, Tibetan, Amharic), as in FineWeb-2. A column is null where its denominator is 0.

Price: nothing beside the lines and words that the other families need.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.jit import lean_kernel
from stages.kernels.words.lines import CHARACTERS, ENDS_SENTENCE, FEEDS, HAS_TEXT, REPEATED, Lines
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
    Rule("too_few_lines_end_in_punctuation", "fineweb_punctuated_line_fraction", "min", 0.12, marked=True),
    Rule("too_many_short_lines", "fineweb_short_line_fraction", "max", 0.67),
    Rule("too_many_repeated_characters", "fineweb_repeated_line_character_fraction", "max", 0.01),
    Rule("too_many_line_breaks", "fineweb_line_breaks_per_word", "max", 0.3),
)

_LINES, _PUNCTUATED, _SHORT, _REPEATED_CHARACTERS = range(4)  # columns of counts_D4


def measure(words: Words, lines: Lines) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    counts_D4 = np.zeros((len(lines.lines_D1) - 1, 4), np.int64)
    _count_lines(lines.lines_D1, lines.kinds_L, lines.characters_L, counts_D4)
    num_lines, feeds = counts_D4[:, _LINES], lines.totals_D3[:, FEEDS]
    return [
        pa.array(num_lines),
        fractions(counts_D4[:, _PUNCTUATED], num_lines),
        fractions(counts_D4[:, _SHORT], num_lines),
        fractions(counts_D4[:, _REPEATED_CHARACTERS], lines.totals_D3[:, CHARACTERS] - feeds),
        fractions(feeds, np.diff(words.words_D1)),
    ]


@lean_kernel
def _count_lines(lines_D1, kinds_L, characters_L, counts_D4):  # type: ignore[no-untyped-def]
    for d in range(len(lines_D1) - 1):
        for k in range(lines_D1[d], lines_D1[d + 1]):
            kind, characters = np.int64(kinds_L[k]), np.int64(characters_L[k])
            has_text = kind & HAS_TEXT != 0
            counts_D4[d, _LINES] += has_text
            counts_D4[d, _PUNCTUATED] += has_text & (kind & ENDS_SENTENCE != 0)
            counts_D4[d, _SHORT] += has_text & (characters <= SHORT_CHARACTERS)
            counts_D4[d, _REPEATED_CHARACTERS] += (has_text & (kind & REPEATED != 0)) * characters
