"""Sentences of C4's lines by their words, as spaCy's rule-based sentencizer has them: the units `spacy` and `script`.

A word that is exactly one terminal mark ends a sentence; the first word behind it that is not all punctuation begins
the next. White space other than one space is a word to spaCy, and begins one too. ``...`` is one word and no mark, so
it ends nothing. With another unit's words the rule is the same.

Price: one look at each word of the lines; lines with citation marks are split into words again without these.

Legend: see `stages.kernels.words.c4_lines` and `words`; classes: `characters.classes()`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import characters
from stages.kernels.words.c4_lines import CITATION, CITATION_PATTERN, C4Lines
from stages.kernels.words.words import Words

_OTHER, _PUNCTUATION, _TERMINAL = range(3)


def count_sentences(
    data: Bytes,
    offsets: Offsets,
    lines: C4Lines,
    words: Words,
    split: Callable[[Bytes, Offsets], Words],
    wanted_D: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Sentences of each line of ``lines`` without its citation marks, one at least, int64; in documents that are not
    wanted those that ``lines`` has.

    ``words`` are those of (data, offsets), ``split`` is what made them.
    """
    sentences_L = lines.sentences_L.copy()
    _count(
        data, offsets[0], wanted_D, lines.lines_D1, lines.starts_L, lines.stops_L, words.words_D1, words.bounds_W2,
        characters.classes(), sentences_L,
    )  # fmt: skip
    cited = np.flatnonzero((lines.facts_L & CITATION != 0) & np.repeat(wanted_D, np.diff(lines.lines_D1)))
    if len(cited):
        bounds = zip(lines.starts_L[cited].tolist(), lines.stops_L[cited].tolist(), strict=True)
        texts = [CITATION_PATTERN.sub(b"", data[first:last].tobytes()) for first, last in bounds]
        edges = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
        joined = np.frombuffer(b"".join(texts), np.uint8)
        again, found = split(joined, edges), np.empty(len(cited), np.int64)
        one_each = np.arange(len(cited) + 1)
        _count(
            joined, edges[0], np.ones(len(cited), np.bool_), one_each, edges[:-1], edges[1:], again.words_D1,
            again.bounds_W2, characters.classes(), found,
        )  # fmt: skip
        sentences_L[cited] = found
    return sentences_L


@lean_kernel
def _count(  # type: ignore[no-untyped-def]
    data, base, wanted_D, lines_D1, starts_L, stops_L, words_D1, bounds_W2, classes, sentences_L
):
    for d in range(len(wanted_D)):
        if not wanted_D[d]:
            continue
        w, behind_words = words_D1[d], words_D1[d + 1]
        for k in range(lines_D1[d], lines_D1[d + 1]):
            while w < behind_words and base + bounds_W2[w, 0] < starts_L[k]:
                w += 1
            sentences = 1
            ended = False
            last = np.int64(-1)  # behind the word before
            while w < behind_words and base + bounds_W2[w, 1] <= stops_L[k]:
                first, behind = base + bounds_W2[w, 0], base + bounds_W2[w, 1]
                if ended and first > last and (first - last > 1 or data[last] != 32):
                    sentences += 1
                    ended = False
                kind = _kind(data, first, behind, classes)
                if kind == _TERMINAL:
                    ended = True
                elif ended and kind == _OTHER:
                    sentences += 1
                    ended = False
                last = behind
                w += 1
            sentences_L[k] = sentences


@lean_inline_kernel
def _kind(data, first, behind, classes):  # type: ignore[no-untyped-def]
    cp, i = characters.code_point(data, first, behind)
    flags = np.int64(classes[cp])
    if i == behind and flags & characters.TERMINAL:
        return _TERMINAL
    while flags & characters.PUNCTUATION and i < behind:
        cp, i = characters.code_point(data, i, behind)
        flags = np.int64(classes[cp])
    return _PUNCTUATION if flags & characters.PUNCTUATION else _OTHER
