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
    data: Bytes, offsets: Offsets, lines: C4Lines, words: Words, split: Callable[[Bytes, Offsets], Words]
) -> npt.NDArray[np.int64]:
    """Sentences of each line of ``lines`` without its citation marks, one at least, int64.

    ``words`` are those of (data, offsets), ``split`` is what made them.
    """
    sentences_L = _counted(data, int(offsets[0]), lines.starts_L, lines.stops_L, words)
    cited = np.flatnonzero(lines.facts_L & CITATION)
    if len(cited):
        bounds = zip(lines.starts_L[cited].tolist(), lines.stops_L[cited].tolist(), strict=True)
        texts = [CITATION_PATTERN.sub(b"", data[first:last].tobytes()) for first, last in bounds]
        edges = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
        joined = np.frombuffer(b"".join(texts), np.uint8)
        sentences_L[cited] = _counted(joined, 0, edges[:-1], edges[1:], split(joined, edges))
    return sentences_L


def _counted(data: Bytes, base: int, starts_L: Offsets, stops_L: Offsets, words: Words) -> npt.NDArray[np.int64]:
    sentences_L = np.ones(len(starts_L), np.int64)
    _count(data, np.int64(base), starts_L, stops_L, words.bounds_W2, characters.classes(), sentences_L)
    return sentences_L


@lean_kernel
def _count(data, base, starts_L, stops_L, bounds_W2, classes, sentences_L):  # type: ignore[no-untyped-def]
    w = 0
    for k in range(len(starts_L)):
        while w < len(bounds_W2) and base + bounds_W2[w, 0] < starts_L[k]:
            w += 1
        ended = False
        last = np.int64(-1)  # behind the word before
        while w < len(bounds_W2) and base + bounds_W2[w, 1] <= stops_L[k]:
            first, behind = base + bounds_W2[w, 0], base + bounds_W2[w, 1]
            if ended and first > last and (first - last > 1 or data[last] != 32):
                sentences_L[k] += 1
                ended = False
            kind = _kind(data, first, behind, classes)
            if kind == _TERMINAL:
                ended = True
            elif ended and kind == _OTHER:
                sentences_L[k] += 1
                ended = False
            last = behind
            w += 1


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
