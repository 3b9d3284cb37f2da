"""Gopher's quality rules, measured: Rae et al. 2021 (arXiv 2112.11446), appendix A.1.1.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_few_words` | `gopher_num_words` | < 50 |
| `too_many_words` | `gopher_num_words` | > 100,000 |
| `words_too_short` | `gopher_mean_word_characters` | < 3 |
| `words_too_long` | `gopher_mean_word_characters` | > 10 |
| `too_many_hashes` | `gopher_hashes_per_word` | > 0.1 |
| `too_many_ellipses` | `gopher_ellipses_per_word` | > 0.1 |
| `too_many_bullet_lines` | `gopher_bullet_line_fraction` | > 0.9 |
| `too_many_ellipsis_lines` | `gopher_ellipsis_line_fraction` | > 0.3 |
| `too_few_alphabetic_words` | `gopher_alphabetic_word_fraction` | < 0.8 |
| `too_few_stop_words` | `gopher_num_stop_words` | < 2 of the, be, to, of, and, that, have, with |

The list is English, and so the last rule is applied to English pages; to those of other languages by their own list
(`stages.rules.word_lists`), where there is one. The rules on the length of words and on alphabetic words are off for
languages written without spaces, where a word is two characters by the cut of `stages.kernels.words.unspaced`;
`words_too_long` is off too for those whose ordinary words are as long (`stages.rules.names.LONG_WORDED`: Malayalam,
Tamil, Sanskrit, Dhivehi, Greenlandic).

Equality keeps. Tokens are what white space separates (`stages.kernels.words.words`; `quality.unit` has other units);
*words* are the tokens with at least one character that is no symbol (`unicode.SYMBOL`), and the denominators of the
`_per_word` columns and of the alphabetic fraction are tokens, as in datatrove 0.10.1, whose decisions these are, on
white-space words and on spaCy's. Lines are those of ``str.splitlines()``. Stop words are case-sensitive. A column is
null where its denominator is 0; a null never fails.

Price: one pass over the words that `split_words` found.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.jit import lean_kernel
from stages.kernels.words.words import (
    BULLET_LINES,
    ELLIPSES,
    ELLIPSIS_LINES,
    HAS_ALPHA,
    HAS_TEXT,
    LINES,
    NUMBER_SIGNS,
    Words,
    word_hash,
)
from stages.rules.rule import Rule, fractions

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

FIELDS = (
    pa.field("gopher_num_tokens", pa.int64(), nullable=False),
    pa.field("gopher_num_words", pa.int64(), nullable=False),
    pa.field("gopher_mean_word_characters", pa.float64()),
    pa.field("gopher_hashes_per_word", pa.float64()),
    pa.field("gopher_ellipses_per_word", pa.float64()),
    pa.field("gopher_bullet_line_fraction", pa.float64()),
    pa.field("gopher_ellipsis_line_fraction", pa.float64()),
    pa.field("gopher_alphabetic_word_fraction", pa.float64()),
    pa.field("gopher_num_stop_words", pa.int64(), nullable=False),
)

RULES = (
    Rule("too_few_words", "gopher_num_words", "min", 50),
    Rule("too_many_words", "gopher_num_words", "max", 100_000),
    Rule("words_too_short", "gopher_mean_word_characters", "min", 3, spaced=True),
    Rule("words_too_long", "gopher_mean_word_characters", "max", 10, spaced=True, short_worded=True),
    Rule("too_many_hashes", "gopher_hashes_per_word", "max", 0.1),
    Rule("too_many_ellipses", "gopher_ellipses_per_word", "max", 0.1),
    Rule("too_many_bullet_lines", "gopher_bullet_line_fraction", "max", 0.9),
    Rule("too_many_ellipsis_lines", "gopher_ellipsis_line_fraction", "max", 0.3),
    Rule("too_few_alphabetic_words", "gopher_alphabetic_word_fraction", "min", 0.8, spaced=True),
    Rule("too_few_stop_words", "gopher_num_stop_words", "min", 2),
)

_STOP_HASHES = np.array([word_hash(word) for word in STOP_WORDS], np.uint64)
_TOKENS, _REAL, _REAL_CHARACTERS, _ALPHABETIC, _STOP_WORDS = range(5)  # columns of counts_D5


def measure(words: Words) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    counts_D5 = np.zeros((len(words.words_D1) - 1, 5), np.int64)
    _count_words(words.words_D1, words.hashes_W, words.characters_W, words.kinds_W, _STOP_HASHES, counts_D5)
    tokens, real = counts_D5[:, _TOKENS], counts_D5[:, _REAL]
    marks = words.marks_D5
    return [
        pa.array(tokens),
        pa.array(real),
        fractions(counts_D5[:, _REAL_CHARACTERS], real),
        fractions(marks[:, NUMBER_SIGNS], tokens),
        fractions(marks[:, ELLIPSES], tokens),
        fractions(marks[:, BULLET_LINES], marks[:, LINES]),
        fractions(marks[:, ELLIPSIS_LINES], marks[:, LINES]),
        fractions(counts_D5[:, _ALPHABETIC], tokens),
        pa.array(counts_D5[:, _STOP_WORDS]),
    ]


@lean_kernel
def _count_words(words_D1, hashes_W, characters_W, kinds_W, stop_words, counts_D5):  # type: ignore[no-untyped-def]
    for d in range(len(words_D1) - 1):
        begin, stop = words_D1[d], words_D1[d + 1]
        hashes, characters, kinds = hashes_W[begin:stop], characters_W[begin:stop], kinds_W[begin:stop]
        real = real_characters = alphabetic = 0
        for w in range(len(kinds)):
            kind = np.int64(kinds[w])
            is_real = (kind & HAS_TEXT) >> 1
            real += is_real
            real_characters += characters[w] * is_real
            alphabetic += kind & HAS_ALPHA
        counts_D5[d, _TOKENS] = len(kinds)
        counts_D5[d, _REAL] = real
        counts_D5[d, _REAL_CHARACTERS] = real_characters
        counts_D5[d, _ALPHABETIC] = alphabetic
        for k in range(len(stop_words)):  # four words at once: a branch for each would often be guessed wrong
            found = np.uint64(0)
            for w in range(len(hashes)):
                found |= np.uint64(hashes[w] == stop_words[k])
            counts_D5[d, _STOP_WORDS] += np.int64(found)
