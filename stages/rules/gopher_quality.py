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

Equality keeps. Tokens are what white space separates (`stages.kernels.words`); *words* are the tokens with at least one
character that is no symbol (`unicode.SYMBOL`), and the denominators of the `_per_word` columns and of the alphabetic
fraction are tokens, as in datatrove 0.10.1, whose decisions on white-space words these are. Lines are those of
``str.splitlines()``. Stop words are case-sensitive. A column is null where its denominator is 0; a null never fails.

Price: two passes over the bytes, about 250 MB/s a core together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.kernels import unicode
from stages.kernels.jit import kernel
from stages.kernels.ragged import Bytes, Offsets
from stages.kernels.words import HAS_ALPHA, HAS_TEXT, Words, word_hash
from stages.rules.rule import Rule

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
    Rule("words_too_short", "gopher_mean_word_characters", "min", 3),
    Rule("words_too_long", "gopher_mean_word_characters", "max", 10),
    Rule("too_many_hashes", "gopher_hashes_per_word", "max", 0.1),
    Rule("too_many_ellipses", "gopher_ellipses_per_word", "max", 0.1),
    Rule("too_many_bullet_lines", "gopher_bullet_line_fraction", "max", 0.9),
    Rule("too_many_ellipsis_lines", "gopher_ellipsis_line_fraction", "max", 0.3),
    Rule("too_few_alphabetic_words", "gopher_alphabetic_word_fraction", "min", 0.8),
    Rule("too_few_stop_words", "gopher_num_stop_words", "min", 2),
)

_SPACE = unicode.SPACE
_BREAK = unicode.BREAK
# Columns of counts_DK.
_TOKENS, _REAL, _REAL_CHARACTERS, _ALPHABETIC, _STOP_WORDS = range(5)
_HASHES, _ELLIPSES, _LINES, _BULLETS, _ELLIPSIS_LINES = range(5)


def measure(data: Bytes, offsets: Offsets, words: Words) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document of (data, offsets)."""
    num_documents = len(offsets) - 1
    stop_words = np.array([word_hash(word) for word in STOP_WORDS], np.uint64)
    of_words = np.zeros((num_documents, 5), np.int64)
    _count_words(words.words_D1, words.hashes_W, words.characters_W, words.kinds_W, stop_words, of_words)
    of_lines = np.zeros((num_documents, 5), np.int64)
    _count_lines(data, offsets, unicode.classes(), of_lines)
    tokens = of_words[:, _TOKENS]
    return [
        pa.array(tokens),
        pa.array(of_words[:, _REAL]),
        ratio(of_words[:, _REAL_CHARACTERS], of_words[:, _REAL]),
        ratio(of_lines[:, _HASHES], tokens),
        ratio(of_lines[:, _ELLIPSES], tokens),
        ratio(of_lines[:, _BULLETS], of_lines[:, _LINES]),
        ratio(of_lines[:, _ELLIPSIS_LINES], of_lines[:, _LINES]),
        ratio(of_words[:, _ALPHABETIC], tokens),
        pa.array(of_words[:, _STOP_WORDS]),
    ]


def ratio(numerator: npt.NDArray[np.int64], denominator: npt.NDArray[np.int64]) -> pa.Array:
    """float64 quotients, null where the denominator is 0."""
    undefined = denominator == 0
    return pa.array(numerator / np.where(undefined, 1, denominator), pa.float64(), mask=undefined)


@kernel
def _count_words(words_D1, hashes_W, characters_W, kinds_W, stop_words, counts_DK):  # type: ignore[no-untyped-def]
    for d in range(len(words_D1) - 1):
        real = characters = alphabetic = 0
        found = 0
        for w in range(words_D1[d], words_D1[d + 1]):
            kind = kinds_W[w]
            if kind & HAS_TEXT:
                real += 1
                characters += characters_W[w]
            if kind & HAS_ALPHA:
                alphabetic += 1
                if characters_W[w] < 5:
                    for k in range(len(stop_words)):
                        if hashes_W[w] == stop_words[k]:
                            found |= 1 << k
        counts_DK[d, _TOKENS] = words_D1[d + 1] - words_D1[d]
        counts_DK[d, _REAL] = real
        counts_DK[d, _REAL_CHARACTERS] = characters
        counts_DK[d, _ALPHABETIC] = alphabetic
        while found:
            counts_DK[d, _STOP_WORDS] += found & 1
            found >>= 1


@kernel
def _count_lines(data, offsets, classes, counts_DK):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        hashes = ellipses = lines = bullets = ellipsis_lines = 0
        dots = 0  # run of '.' that ends at the character before this one
        blank = True  # no character of this line but white space so far
        ends = False  # the last character that is no white space closes an ellipsis
        opened = False  # this line has a character
        before = np.int64(0)
        while i < stop:
            cp = np.int64(data[i])
            if cp < 0x80:
                i += 1
            else:
                cp, i = unicode.code_point(data, i, stop)
            flags = classes[cp]
            if cp == 46:
                dots += 1
                if dots % 3 == 0:
                    ellipses += 1
                ends = dots >= 3
            else:
                dots = 0
            if flags & _SPACE:
                if flags & _BREAK:
                    if not (cp == 10 and before == 13):
                        lines += 1
                        ellipsis_lines += ends
                    blank, ends, opened = True, False, False
                else:
                    opened = True
            else:
                opened = True
                if cp != 46:
                    ends = cp == 0x2026
                    if cp == 0x2026:
                        ellipses += 1
                    elif cp == 35:
                        hashes += 1
                if blank:
                    blank = False
                    if cp == 45 or cp == 0x2022:
                        bullets += 1
            before = cp
        if opened:
            lines += 1
            ellipsis_lines += ends
        counts_DK[d, _HASHES] = hashes
        counts_DK[d, _ELLIPSES] = ellipses
        counts_DK[d, _LINES] = lines
        counts_DK[d, _BULLETS] = bullets
        counts_DK[d, _ELLIPSIS_LINES] = ellipsis_lines
