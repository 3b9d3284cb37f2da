"""Gopher's repetition rules, measured: Rae et al. 2021 (arXiv 2112.11446), appendix A.1.1, table A1.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_many_repeated_paragraphs` | `repetition_paragraph_fraction` | > 0.30 |
| `too_much_text_in_repeated_paragraphs` | `repetition_paragraph_character_fraction` | > 0.20 |
| `too_many_repeated_lines` | `repetition_line_fraction` | > 0.30 |
| `too_much_text_in_repeated_lines` | `repetition_line_character_fraction` | > 0.20 |
| `too_much_text_in_top_2_gram` ... `4` | `repetition_top_2_gram_fraction` ... `4` | > 0.20, 0.18, 0.16 |
| `too_much_text_in_repeated_5_grams` ... `7` | `repetition_5_gram_fraction` ... `7` | > 0.15, 0.14, 0.13 |
| `too_much_text_in_repeated_8_grams` ... `10` | `repetition_8_gram_fraction` ... `10` | > 0.12, 0.11, 0.10 |

Equality keeps. All denominators below the first and third row are the characters of the whole text. Paragraphs are the
stripped text cut at two or more line feeds, lines the unstripped text cut at every run of them (a line feed first or
last makes an empty line). First occurrences do not count. N-grams: `stages.kernels.words.ngrams`. These are the
definitions of datatrove 0.10.1 on the same words (`quality.unit`), but for one deliberate difference: it joins the
words of repeated n-grams without a separator, so (ab, c) repeats (a, bc); here n-grams are equal when their words are.
A column is null where its denominator is 0, and the top n-gram where the text has fewer than n words.

Price: one pass over the bytes and about three table look-ups a word; the cost a byte does not grow with the page.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.kernels.columns.ragged import Offsets
from stages.kernels.jit import lean_kernel
from stages.kernels.words.lines import CHARACTERS, OUTER_FEEDS, REPEATED, Lines
from stages.kernels.words.ngrams import REPEATED as REPEATED_N
from stages.kernels.words.ngrams import TOP as TOP_N
from stages.kernels.words.ngrams import Repetition
from stages.kernels.words.words import Words
from stages.rules.rule import Rule, fractions

FIELDS = tuple(
    pa.field(f"repetition_{name}_fraction", pa.float64())
    for name in (
        "paragraph",
        "paragraph_character",
        "line",
        "line_character",
        *(f"top_{n}_gram" for n in TOP_N),
        *(f"{n}_gram" for n in REPEATED_N),
    )
)

RULES = (
    Rule("too_many_repeated_paragraphs", "repetition_paragraph_fraction", "max", 0.30),
    Rule("too_much_text_in_repeated_paragraphs", "repetition_paragraph_character_fraction", "max", 0.20),
    Rule("too_many_repeated_lines", "repetition_line_fraction", "max", 0.30),
    Rule("too_much_text_in_repeated_lines", "repetition_line_character_fraction", "max", 0.20),
    Rule("too_much_text_in_top_2_gram", "repetition_top_2_gram_fraction", "max", 0.20),
    Rule("too_much_text_in_top_3_gram", "repetition_top_3_gram_fraction", "max", 0.18),
    Rule("too_much_text_in_top_4_gram", "repetition_top_4_gram_fraction", "max", 0.16),
    Rule("too_much_text_in_repeated_5_grams", "repetition_5_gram_fraction", "max", 0.15),
    Rule("too_much_text_in_repeated_6_grams", "repetition_6_gram_fraction", "max", 0.14),
    Rule("too_much_text_in_repeated_7_grams", "repetition_7_gram_fraction", "max", 0.13),
    Rule("too_much_text_in_repeated_8_grams", "repetition_8_gram_fraction", "max", 0.12),
    Rule("too_much_text_in_repeated_9_grams", "repetition_9_gram_fraction", "max", 0.11),
    Rule("too_much_text_in_repeated_10_grams", "repetition_10_gram_fraction", "max", 0.10),
)


def measure(words: Words, lines: Lines, repetition: Repetition) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    characters = lines.totals_D3[:, CHARACTERS]
    again_lines, again_line_characters = _repeated(lines.lines_D1, lines.kinds_L, lines.characters_L)
    again_paragraphs, again_paragraph_characters = _repeated(lines.paragraphs_D1, lines.kinds_P, lines.characters_P)
    # A line feed first and one last make two empty lines, the second a repetition of the first.
    outer = lines.totals_D3[:, OUTER_FEEDS]
    # An empty text is one empty line and one empty paragraph.
    num_lines = np.maximum(np.diff(lines.lines_D1) + outer, 1)
    num_paragraphs = np.maximum(np.diff(lines.paragraphs_D1), 1)
    num_words = np.diff(words.words_D1)
    return [
        fractions(again_paragraphs, num_paragraphs),
        fractions(again_paragraph_characters, characters),
        fractions(again_lines + (outer == 2), num_lines),
        fractions(again_line_characters, characters),
        *(fractions(repetition.top_D3[:, k], np.where(num_words < n, 0, characters)) for k, n in enumerate(TOP_N)),
        *(fractions(counts, characters) for counts in repetition.repeated_D6.T),
    ]


def _repeated(
    pieces_D1: Offsets, kinds_P: npt.NDArray[np.uint8], characters_P: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """(number, characters) of the lines or paragraphs of each document that stood in it before."""
    counts_2D = np.zeros((2, len(pieces_D1) - 1), np.int64)
    _count_repeated(pieces_D1, kinds_P, characters_P, counts_2D)
    return counts_2D


@lean_kernel
def _count_repeated(pieces_D1, kinds_P, characters_P, counts_2D):  # type: ignore[no-untyped-def]
    for d in range(len(pieces_D1) - 1):
        for k in range(pieces_D1[d], pieces_D1[d + 1]):
            again = kinds_P[k] & REPEATED != 0
            counts_2D[0, d] += again
            counts_2D[1, d] += again * characters_P[k]
