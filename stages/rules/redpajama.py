"""Signals of RedPajama-V2 that the other families do not have: Weber et al. 2024 (arXiv 2411.12372), appendix.

| column | what it is (theirs) |
|---|---|
| `redpajama_all_caps_word_fraction` | words with capitals and no small letters / words (rps_doc_frac_all_caps_words) |
| `redpajama_capital_letter_fraction` | capitals / letters (rps_lines_uppercase_letter_fraction) |
| `redpajama_digit_fraction` | digits / characters (rps_lines_numerical_chars_fraction) |
| `redpajama_curly_bracket_fraction` | { and } / characters (rps_doc_curly_bracket) |
| `redpajama_unique_word_fraction` | different words / words (rps_doc_frac_unique_words) |
| `redpajama_unigram_entropy` | natural logarithm, over the words (rps_doc_unigram_entropy) |

The authors publish no thresholds for these, so there is no rule; `kept` takes limits on any column. All are over the
page. Words are what white space separates, as it stands (theirs are lower-cased and without punctuation); characters
are those that are no white space. A column is null where its denominator is 0. Their line signals, Gopher's and C4's
are in those families; their importance weights need trained models.

Price: nothing beside what the other families need.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.jit import lean_kernel
from stages.kernels.words import line_kinds
from stages.kernels.words.line_kinds import LineKinds
from stages.kernels.words.ngrams import Repetition
from stages.kernels.words.words import HAS_LOWER, HAS_UPPER, Words
from stages.rules.rule import Rule, fractions

FIELDS = tuple(
    pa.field(f"redpajama_{name}", pa.float64())
    for name in (
        "all_caps_word_fraction",
        "capital_letter_fraction",
        "digit_fraction",
        "curly_bracket_fraction",
        "unique_word_fraction",
        "unigram_entropy",
    )
)

RULES: tuple[Rule, ...] = ()


def measure(words: Words, lines: LineKinds, repetition: Repetition) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    totals, num_words = lines.totals_D6, np.diff(words.words_D1)
    characters = totals[:, line_kinds.CHARACTERS]
    safe = np.maximum(num_words, 1)
    all_caps_D = np.zeros(len(num_words), np.int64)
    _all_caps(words.words_D1, words.kinds_W, all_caps_D)
    entropy = np.maximum(np.log(safe) - repetition.clogc_D / safe, 0.0)
    return [
        fractions(all_caps_D, num_words),
        fractions(totals[:, line_kinds.CAPITALS], totals[:, line_kinds.LETTERS]),
        fractions(totals[:, line_kinds.DIGITS], characters),
        fractions(totals[:, line_kinds.CURLY_BRACKETS], characters),
        fractions(repetition.unique_D, num_words),
        pa.array(entropy, pa.float64(), mask=num_words == 0),
    ]


@lean_kernel
def _all_caps(words_D1, kinds_W, all_caps_D):  # type: ignore[no-untyped-def]
    for d in range(len(words_D1) - 1):
        found = np.int64(0)
        for w in range(words_D1[d], words_D1[d + 1]):
            found += kinds_W[w] & (HAS_UPPER | HAS_LOWER) == HAS_UPPER
        all_caps_D[d] = found
