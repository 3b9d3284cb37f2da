"""Which phrases of fixed lists stand in texts, and how often: whole words, in any case.

A phrase stands where its characters do, compared in small letters, with no letter, digit, mark or ``_`` right before or
behind; a phrase with a character of a script without spaces (Han, kana, Thai, ...) stands anywhere. White space in a
phrase is compared like any character.

Single words go through a hash table (`word_set`), all others through an automaton (`phrase_automaton`).

Legend: D documents, L lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.unicode import characters
from stages.kernels.unicode.bitmaps import IN_WORD, Planes, find_planes
from stages.kernels.words import phrase_automaton, word_set

MAX_CHARACTERS = 255


class Phrases(NamedTuple):
    """All lists together."""

    words: word_set.WordSet | None
    others: phrase_automaton.Automaton | None
    num_lists: int


def check_phrases(phrases: Sequence[str]) -> None:
    """Refuse what cannot be looked for.

    Raises:
        ValueError: for a phrase that is empty or has more than `MAX_CHARACTERS` characters.
    """
    for phrase in phrases:
        if not 0 < len(phrase.strip()) <= MAX_CHARACTERS:
            raise ValueError(f"expected phrases of 1 to {MAX_CHARACTERS} characters, found {phrase!r}")


def build_phrases(lists: Sequence[Sequence[str]], once: int = 0) -> Phrases:
    """Compile lists of phrases; a phrase may be in several. The first ``once`` lists count each of their phrases once a
    document, the others count every place.

    Raises:
        ValueError: for a phrase that is empty or has more than `MAX_CHARACTERS` characters.
    """
    lower, classes = characters.lower(), characters.classes()
    holders: dict[str, list[int]] = {}
    for number, phrases in enumerate(lists):
        check_phrases(phrases)
        for phrase in dict.fromkeys(phrases):
            small = "".join(chr(lower[ord(character)]) for character in phrase.strip())
            holders.setdefault(small, []).append(number)

    def anywhere(phrase: str) -> bool:
        unspaced = characters.UNSPACED
        return any(classes[ord(c)] & unspaced and classes[ord(c)] & characters.ALPHA for c in phrase)

    def is_word(phrase: str) -> bool:
        short = len(phrase.encode("utf-8", "surrogatepass")) <= word_set.MAX_BYTES
        return short and not anywhere(phrase) and all(classes[ord(c)] & IN_WORD or c == "_" for c in phrase)

    words = {phrase: numbers for phrase, numbers in holders.items() if is_word(phrase)}
    others = {phrase: numbers for phrase, numbers in holders.items() if phrase not in words}
    return Phrases(
        word_set.build_word_set(words, once) if words else None,
        phrase_automaton.build_automaton(others, [anywhere(phrase) for phrase in others], once) if others else None,
        len(lists),
    )


def count_phrases(
    data: Bytes, offsets: Offsets, phrases: Phrases, planes_BK: Planes | None = None
) -> npt.NDArray[np.int64]:
    """counts_DL: how often phrases of each list stand in each document, or how many different ones (``once``)."""
    counts_DL = np.zeros((len(offsets) - 1, phrases.num_lists), np.int64)
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    if phrases.words is not None:
        word_set.count_set(phrases.words, data, offsets, planes_BK, counts_DL)
    if phrases.others is not None:
        phrase_automaton.count_with(phrases.others, data, offsets, planes_BK, counts_DL)
    return counts_DL
