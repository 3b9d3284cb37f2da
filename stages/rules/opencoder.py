"""OpenCoder's rules for code of any language, measured: Huang et al. 2024 (arXiv 2411.04905), appendix A; thresholds
are those of its published filter (`opc_data_filtering`, the group `others`).

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `file_too_large` | `opencoder_num_bytes` | > 3,000,000 |
| `too_few_lines` | `opencoder_num_lines` | < 10 |
| `lines_too_short_on_average` | `opencoder_mean_line_characters` | < 5 |
| `too_few_visible_letters` (of characters that are no white space) | `opencoder_letter_fraction` | < 0.5 |
| `too_many_digits` | `opencoder_digit_fraction` | > 0.2 |
| `too_much_white_space` | `opencoder_space_fraction` | > 0.5 |
| `too_many_replacement_characters` (U+FFFD) | `opencoder_replacement_fraction` | > 0.01 |
| `too_many_equal_lines` (equal to an earlier one) | `opencoder_repeated_line_fraction` | > 0.7 |

Equality keeps. Its limits on long lines, letters, generated and encoded data are those of `code`, its repeated n-grams
those of `gopher_repetition`. Left out: what needs a parser or the programming language (comments, strings, asserts,
functions, imports), and one rule that draws lots.

Price: nothing beside what `code` and `fineweb` need.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.columns.ragged import Offsets
from stages.kernels.words import code
from stages.kernels.words.code import Facts
from stages.kernels.words.lines import HAS_TEXT, REPEATED, Lines, sums
from stages.rules.code import mean_line
from stages.rules.rule import Rule, fractions

FIELDS = (
    pa.field("opencoder_num_bytes", pa.int64(), nullable=False),
    pa.field("opencoder_num_lines", pa.int64(), nullable=False),
    pa.field("opencoder_mean_line_characters", pa.float64()),
    pa.field("opencoder_letter_fraction", pa.float64()),
    pa.field("opencoder_digit_fraction", pa.float64()),
    pa.field("opencoder_space_fraction", pa.float64()),
    pa.field("opencoder_replacement_fraction", pa.float64()),
    pa.field("opencoder_repeated_line_fraction", pa.float64()),
)

RULES = (
    Rule("file_too_large", "opencoder_num_bytes", "max", 3_000_000),
    Rule("too_few_lines", "opencoder_num_lines", "min", 10),
    Rule("lines_too_short_on_average", "opencoder_mean_line_characters", "min", 5),
    Rule("too_few_visible_letters", "opencoder_letter_fraction", "min", 0.5),
    Rule("too_many_digits", "opencoder_digit_fraction", "max", 0.2),
    Rule("too_much_white_space", "opencoder_space_fraction", "max", 0.5),
    Rule("too_many_replacement_characters", "opencoder_replacement_fraction", "max", 0.01),
    Rule("too_many_equal_lines", "opencoder_repeated_line_fraction", "max", 0.7),
)


def measure(offsets: Offsets, facts_DF: Facts, lines: Lines) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document. Repeated lines are among those that have text."""
    characters, spaces = facts_DF[:, code.CHARACTERS], facts_DF[:, code.SPACES]
    has_text = lines.kinds_L & HAS_TEXT != 0
    repeated = has_text & (lines.kinds_L & REPEATED != 0)
    return [
        pa.array(np.diff(offsets)),
        pa.array(facts_DF[:, code.LINES]),
        mean_line(facts_DF),
        fractions(facts_DF[:, code.LETTERS], characters - spaces),
        fractions(facts_DF[:, code.DIGITS], characters),
        fractions(spaces, characters),
        fractions(facts_DF[:, code.REPLACEMENTS], characters),
        fractions(sums(repeated, lines.lines_D1), sums(has_text, lines.lines_D1)),
    ]
