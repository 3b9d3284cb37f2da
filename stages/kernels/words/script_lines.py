"""C4's lines as their scripts are written: words without spaces between them, and sentence marks beyond ASCII.

C4's rules are English: a line of Chinese, Japanese, Thai, ... is one word to them however long it is, so that all lines
of such a page have too few words or one too long, and no line of Hindi, Urdu or Armenian ends with a terminal mark.
What the units `as_written` and `script` find instead, where the others have the reference's lines (`c4_lines`):

- in documents most of whose letters are of scripts without spaces, words that are no signs decide `FEW_WORDS`, and
  every word `LONG_WORD`;
- in every document a line is `TERMINATED` too by a mark of another script (``。 । ؟ ۔ ։ ።``, `characters.TERMINAL`),
  closing quotation marks and brackets beyond ASCII behind it included, and by ``」`` or ``』``.

No line meets a rule by this that it did not meet before. Price: a look at the end of each line, and at each word of the
documents without spaces.

Legend: see `stages.kernels.words.c4_lines` and `words`; classes: `characters.classes()`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import characters
from stages.kernels.words.c4_lines import (
    CITATION,
    FEW_WORDS,
    LONG_WORD,
    MAX_WORD_CHARACTERS,
    MIN_WORDS,
    TERMINATED,
    C4Lines,
    without_citations,
)
from stages.kernels.words.words import HAS_TEXT, Words


def lines_by_script(
    data: Bytes, offsets: Offsets, lines: C4Lines, words: Words | None, unspaced_D: npt.NDArray[np.bool_]
) -> C4Lines:
    """The lines of (data, offsets) with the facts that scripts decide.

    Args:
        words: those of (data, offsets) by script; none where no document is of ``unspaced_D``.
    """
    facts_L = lines.facts_L.copy()
    longest = int((lines.stops_L - lines.starts_L).max(initial=0))
    _mark_ends(data, lines.starts_L, lines.stops_L, characters.classes(), np.empty(max(longest, 1), np.uint8), facts_L)
    if words is not None:
        _count_words(
            offsets[0], unspaced_D, lines.lines_D1, lines.starts_L, lines.stops_L, words.words_D1, words.bounds_W2,
            words.characters_W, words.kinds_W, facts_L,
        )  # fmt: skip
    return replace(lines, facts_L=facts_L)


@lean_kernel
def _mark_ends(data, starts_L, stops_L, classes, copy, facts_L):  # type: ignore[no-untyped-def]
    for k in range(len(facts_L)):
        start, stop = starts_L[k], stops_L[k]
        if start == stop or facts_L[k] & TERMINATED:
            continue
        if facts_L[k] & CITATION:
            if _ends_beyond_ascii(copy, 0, without_citations(data, start, stop, copy), classes):
                facts_L[k] |= TERMINATED
        elif data[stop - 1] >= 0x80 and _ends_beyond_ascii(data, start, stop, classes):
            facts_L[k] |= TERMINATED


@lean_inline_kernel
def _ends_beyond_ascii(data, start, stop, classes):  # type: ignore[no-untyped-def]
    """Whether a line ends in a terminal mark beyond ASCII and closers beyond ASCII, or in a corner bracket."""
    while stop > start and data[stop - 1] >= 0x80:
        first = stop - 1
        while first > start and data[first] & 0xC0 == 0x80:
            first -= 1
        cp, _ = characters.code_point(data, first, stop)
        if classes[cp] & characters.TERMINAL or cp == 0x300D or cp == 0x300F:
            return True
        if not classes[cp] & characters.CLOSER:
            return False
        stop = first
    return False


@lean_kernel
def _count_words(  # type: ignore[no-untyped-def]
    base, unspaced_D, lines_D1, starts_L, stops_L, words_D1, bounds_W2, characters_W, kinds_W, facts_L
):
    for d in range(len(unspaced_D)):
        if not unspaced_D[d]:
            continue
        w, behind = words_D1[d], words_D1[d + 1]
        for k in range(lines_D1[d], lines_D1[d + 1]):
            while w < behind and base + bounds_W2[w, 0] < starts_L[k]:
                w += 1
            real, longest = 0, np.int64(0)
            while w < behind and base + bounds_W2[w, 1] <= stops_L[k]:
                real += kinds_W[w] & HAS_TEXT != 0
                longest = max(longest, np.int64(characters_W[w]))
                w += 1
            if real >= MIN_WORDS:
                facts_L[k] &= ~FEW_WORDS
            if longest <= MAX_WORD_CHARACTERS:
                facts_L[k] &= ~LONG_WORD
